"""What `bnconform smoke` says of an adapter's answers: their form, before any value is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.judge import Array
from harness.smoke_form import listed, nearest, own_line, raised
from harness.wire import array_of, decode_array
from harness.words import QUANTITIES, step_in_words
from harness.workers import Worker, WorkerFailure, first_line
from suites.vocabulary import ABSENT, Absent, Build, Layer, Scenario, Tensor

Json = Mapping[str, Any]
Shown = dict[str, Array]

NAMES = tuple(name for name in QUANTITIES if name != "refusal")
STATE = ("gamma", "beta", "running_mean", "running_variance")
CALLED_OTHERWISE = {
    "y": "output",
    "out": "output",
    "outputs": "output",
    "result": "output",
    "moving_mean": "running_mean",
    "moving_var": "running_variance",
    "moving_variance": "running_variance",
    "running_var": "running_variance",
    "var": "running_variance",
    "mean": "running_mean",
    "weight": "gamma",
    "scale": "gamma",
    "bias": "beta",
    "offset": "beta",
    "shift": "beta",
    "grad": "dx",
    "gradient": "dx",
    "grad_x": "dx",
    "dinput": "dx",
    "grad_gamma": "dgamma",
    "dweight": "dgamma",
    "dscale": "dgamma",
    "grad_beta": "dbeta",
    "dbias": "dbeta",
    "num_batches_tracked": "updates_counted",
    "trainable": "trainable_parameters",
    "momentum": "decay",
    "eps": "epsilon",
    "num_features": "channels",
    "features": "channels",
    "affine": "scale",
    "axis": "channel_axis",
    "ndim": "rank",
}
"""What frameworks call a thing, and what it is called here."""
OF_THE_LAYER = tuple(Layer.__dataclass_fields__)
MEANING = {"decay": "the weight kept on the old running value"}


class Fault(Exception):
    """An answer is wrong; the message is a sentence that says what is and what to do."""


class FrameworkRefused(Fault):
    """The framework raised, inside `framework_call`."""


class Inexpressible(Exception):
    """The adapter says the framework has no way to say this; the message is its reason."""


@dataclass(frozen=True)
class Asking:
    """A worker of an adapter, which is a file or a dotted module."""

    worker: Worker
    file: str

    def shown(self, scenario: Scenario) -> list[Shown]:
        """Return what was observed after each step, all of it arrays under known names.

        Raises Fault or Inexpressible.
        """
        try:
            answer = self.worker.ask(scenario)
        except WorkerFailure as failure:
            raise Fault(f"{doing(scenario)} ended the adapter's process. {failure}") from failure
        if "not_expressible" in answer:
            raise Inexpressible(reason_of(answer["not_expressible"], scenario))
        if error := answer.get("adapter_error"):
            raise Fault(told(error, self.file, scenario))
        for index, step in enumerate(answer["trace"]):
            if refusal := step.get("refusal"):
                raise FrameworkRefused(refused(refusal, scenario, index))
        return [arrays(step, scenario, index) for index, step in enumerate(answer["trace"])]


def doing(scenario: Scenario) -> str:
    """Return what was asked, as the beginning of a sentence."""
    return f"Asking for {scenario.question}"


def at_step(scenario: Scenario, index: int) -> str:
    """Return which step is spoken of."""
    if isinstance(scenario.steps[index], Build):
        return "`build`"
    return f"step {index + 1} ({step_in_words(scenario.steps[index])})"


def reason_of(reason: str, scenario: Scenario) -> str:
    """Return the adapter's reason. Raises Fault where there is none."""
    if not reason.strip():
        raise Fault(
            f"{doing(scenario)} raised NotExpressible without a reason. Say in one sentence what "
            'the framework lacks: raise NotExpressible("Ours has no second-order gradients.")'
        )
    return reason


def refused(refusal: Json, scenario: Scenario, index: int) -> str:
    """Return that the framework refused what every BatchNorm can do, with a hint."""
    said = f"{refusal['type']}: {first_line(refusal['message'])}"
    first = isinstance(scenario.steps[index], Build)
    what = "to make it" if first else at_step(scenario, index)
    text = f"{doing(scenario)}, the framework refused {what}: {said}."
    if scenario.layer.rank > 2:
        text += (
            " The input has the channels last. Where the framework wants them second, hand it "
            "np.moveaxis(x, -1, 1)."
        )
    return text


def told(error: Json, file: str, scenario: Scenario) -> str:
    """Return an exception of the adapter's own code, with what to do about it."""
    last = worker_line(error)
    if own_line(error, file) is None and last is not None:
        said = f"{error['type']}: {first_line(error['message'])}"
        if "program.observe()" in last:
            return f"`observe` must return a dict of arrays, such as {{'gamma': array}} ({said})."
        if "dict(method" in last:
            return (
                f"{doing(scenario)}, a step returned neither a dict nor nothing ({said}). Return "
                "what it shows by name: return {'output': array}"
            )
        if "encode_array" in last:
            return (
                f"{doing(scenario)}, something shown cannot be made a NumPy array ({said}). Turn "
                "it into one the way the framework documents, such as tensor.detach().numpy()."
            )
    return f"{raised(error, file)}{hint_on(error, file, scenario.layer)}"


def worker_line(error: Json) -> str | None:
    """Return the innermost line of the worker's own script that an error passed."""
    for path, _, _, text in reversed(error.get("trace", [])):
        if Path(path).name == "worker.py" and Path(path).parent.name == "adapters":
            return text or ""
    return None


def hint_on(error: Json, file: str, layer: Layer) -> str:
    """Return what to do about an exception, as a further sentence or nothing."""
    kind, message = error["type"], error["message"]
    if kind == "KeyError":
        return hint_on_key(message.strip("'\""), layer)
    if kind == "AttributeError" and message.startswith("'dict' object"):
        return ' The layer is a dict: write layer["channels"], not layer.channels.'
    if kind == "NotImplementedError" and error["trace"][-1][0].endswith("switched.py"):
        name = error["trace"][-1][2]
        return f" Switched leaves `{name}` to the adapter: write it."
    if not same_as_own(error, file):
        return (
            " The framework raised it. If that is its refusal, let it raise inside `with "
            "framework_call():`; everything else it raises is taken for a fault of the adapter."
        )
    return ""


def same_as_own(error: Json, file: str) -> bool:
    """Tell whether an exception comes from the adapter's own line, not from what it called."""
    line = own_line(error, file)
    return line is not None and error["where"] == f"{line[0]}:{line[1]}"


def hint_on_key(key: str, layer: Layer) -> str:
    """Return what to do about a key that a layer, or something else, does not have."""
    if key in OF_THE_LAYER:
        if getattr(layer, key) is not ABSENT:
            return ""
        return (
            f" The layer holds only what the user wrote, and here that is no {key}. Ask "
            f'`"{key}" in layer` first: where it is absent, let the framework take its default.'
        )
    meant = CALLED_OTHERWISE.get(key)
    meant = meant if meant in OF_THE_LAYER else nearest(key, OF_THE_LAYER)
    if not meant:
        return ""
    meaning = f", {MEANING[meant]}" if meant in MEANING else ""
    return f" If that is meant of the layer: it has no {key!r}, it has {meant!r}{meaning}."


def arrays(step: Json, scenario: Scenario, index: int) -> Shown:
    """Return what a step shows. Raises Fault for what is no array or has a name nobody knows."""
    shown: Shown = {}
    for name, form in step["observed"].items():
        if name not in NAMES:
            raise Fault(strange_name(name, scenario, index))
        try:
            shown[name] = decode_array(form)
        except ValueError as error:
            raise Fault(
                f"After {at_step(scenario, index)}, `{name}` is no array of numbers "
                f"({first_line(error)}). Leave out what does not exist."
            ) from error
    return shown


def strange_name(name: str, scenario: Scenario, index: int) -> str:
    """Return that nothing is called so, and what was probably meant."""
    meant = CALLED_OTHERWISE.get(name)
    meant = meant if meant in NAMES else nearest(name, NAMES)
    text = f"After {at_step(scenario, index)}, something is shown as {name!r}"
    if meant:
        return f"{text}. It is called {meant!r} here."
    return f"{text}, which nothing is called. What can be shown: {', '.join(NAMES)}."


def faults_of_shapes(
    shown: Shown, wanted: Mapping[str, Sequence[int]], where: str, dtype: str | None = None
) -> Iterator[str]:
    """Yield what is missing, or of another shape or dtype than a step shows it in."""
    for name, shape in wanted.items():
        if name not in shown:
            there = f"; there is {listed(sorted(shown))}" if shown else ""
            yield f"{where} shows no `{name}`{there}. {HOW[name]}"
        elif shown[name].shape != tuple(shape):
            yield f"{where} shows `{name}` {misshapen(shown[name].shape, tuple(shape))}"
        elif dtype is not None and shown[name].dtype.name != dtype:
            yield (
                f"{where} shows `{name}` in {shown[name].dtype} instead of {dtype}. Make the layer "
                'and its input of layer["dtype"], and show what the framework returns as it is.'
            )


HOW = {
    "output": "Return it from the step: {'output': array}.",
    "second_output": "Return both: {'output': first, 'second_output': second}.",
    "dx": (
        "Asked with a `dy`, return the gradient of sum(dy * output) to x, or raise NotExpressible "
        "with the reason."
    ),
    "dgamma": "Return the gradient of sum(dy * output) to gamma.",
    "dbeta": "Return the gradient of sum(dy * output) to beta.",
    "second_dx": (
        "Asked with `dx_weights`, return the gradient of sum(dx_weights * dx) to x, or raise "
        "NotExpressible with the reason."
    ),
    "loss": "Return {'loss': number}: the mean over the samples of sum(dy * output).",
    "trainable_parameters": "Let `observe` count those of gamma and beta that are trainable.",
    **dict.fromkeys(STATE, "Let `observe` return it after `build`."),
}


def misshapen(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return that a shape is another, and what would make it the right one, as a sentence's end."""
    text = f"of shape {shape} instead of {wanted}."
    if len(wanted) > 2 and shape == (wanted[0], wanted[-1], *wanted[1:-1]):
        return f"{text} The channels are second there; move them back: np.moveaxis(output, 1, -1)."
    if shape == wanted[::-1]:
        return f"{text} It is transposed."
    if np.prod(shape) == np.prod(wanted):
        return f"{text} Reshape it."
    return text


def faults_of_state(shown: Shown, layer: Layer) -> Iterator[str]:
    """Yield what is wrong with the state of a layer that has just been built."""
    wanted: dict[str, tuple[int, ...]] = dict.fromkeys(STATE, (layer.channels,))
    where = "After `build`, `observe`"
    if not shown:
        yield f"{where} shows nothing. Return the state: {', '.join(STATE)}, trainable_parameters."
        return
    yield from faults_of_shapes(shown, {**wanted, "trainable_parameters": ()}, where)
    yield from faults_of_initial_values(shown, layer)
    count = shown.get("trainable_parameters")
    if count is not None and count.shape == () and int(count) != 2:
        yield (
            f"{where} counts {int(count)} trainable_parameters in a layer with gamma and beta. Of "
            "these two count those that training would move; running statistics never do."
        )


def faults_of_initial_values(shown: Shown, layer: Layer) -> Iterator[str]:
    """Yield which initial values are not those that the layer was given."""
    values = {name: initial(getattr(layer, name)) for name in STATE}
    given = {name: value for name, value in values.items() if value is not None}
    wrong = [
        name
        for name, value in given.items()
        if name in shown
        and shown[name].shape == value.shape
        and not np.array_equal(shown[name], value)
    ]
    if not wrong:
        return
    name = wrong[0]
    text = (
        f"After `build`, `observe` shows {name} {text_of(shown[name])}, but the layer was given "
        f"{text_of(given[name])}."
    )
    for other, value in given.items():
        if np.array_equal(shown[name], value):
            yield f"{text} That is its {other}: two names are mixed up."
            return
    if len(wrong) > 1:
        text += f" Nor is it as given with {listed(wrong[1:])}."
    yield f'{text} Let `build` assign layer["{name}"] and the like, where the layer has them.'


def initial(value: Tensor | Absent) -> Array | None:
    """Return an initial value that a layer was given."""
    return array_of(value) if isinstance(value, Tensor) else None


def text_of(array: Array) -> str:
    """Return a short array as it is written."""
    return "[" + ", ".join(f"{value:g}" for value in array.ravel()) + "]"
