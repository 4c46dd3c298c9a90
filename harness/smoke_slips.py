"""Names the slip of the pen behind values that no conventions explain.

A slip is what many a first adapter does: hand the weight of the new batch where that of the old is
meant, leave epsilon out, compute every call twice. It is tried by asking the oracle about the
program that such an adapter really runs: where the answers are those to that program, it is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.judge import Array, Seen, Trace
from harness.questions import Domain, Question, explored, questions_of
from suites.vocabulary import (
    ABSENT,
    Call,
    Fit,
    Layer,
    Predict,
    Scenario,
    Step,
    Tensor,
    Training,
)

MOST = 64
Evidence = tuple[Scenario, Trace]
Unexplained = tuple[Scenario, Trace, Domain]
"""A scenario, what was seen of it and has no name, and the values left of every axis there."""


@dataclass(frozen=True)
class Slip:
    """A mistake: what an adapter that makes it was really asked, and what to do about it.

    `really` returns the program that it ran, and the trace in terms of that program; None where
    the mistake changes nothing.
    """

    sentence: str
    really: Callable[[Scenario, Trace], Evidence | None]

    def explains(self, scenario: Scenario, trace: Trace, left: Domain) -> bool:
        """Tell whether conventions explain all that was seen, had this slip been made."""
        if (really := self.really(scenario, trace)) is None:
            return False
        with np.errstate(all="ignore"):
            return all(explained(question, left) for question in questions_of(*really))


def explained(question: Question, left: Domain) -> bool:
    """Tell whether some combination of what is left explains one thing that was seen."""
    found = explored((question,), left, MOST)
    return bool(found.survivors) or found.undetermined


def blamed(strange: Sequence[Unexplained]) -> tuple[Slip, list[str]] | None:
    """Return the slip that explains most of what has no name, and the scenarios it explains.

    One that explains less than half is none. Only slips that explain the first scenario for which
    there is any are tried on the others.
    """
    for index, first in enumerate(strange):
        found = [(slip, [first]) for slip in SLIPS if slip.explains(*first)]
        if not found:
            continue
        for slip, parts in found:
            parts += [each for each in strange[index + 1 :] if slip.explains(*each)]
        slip, parts = max(found, key=lambda each: len(each[1]))
        enough = 2 * len(parts) >= len(strange)
        return (slip, [scenario.name for scenario, _, _ in parts]) if enough else None
    return None


# What a slip changes: the layer, every step, or what was seen.


def of_layer(change: Callable[[Layer], Layer]) -> Callable[[Scenario, Trace], Evidence | None]:
    """Return the slip of another layer."""

    def really(scenario: Scenario, trace: Trace) -> Evidence | None:
        layer = change(scenario.layer)
        return None if layer == scenario.layer else (replace(scenario, layer=layer), trace)

    return really


def of_steps(change: Callable[[Step], Step]) -> Callable[[Scenario, Trace], Evidence | None]:
    """Return the slip of other steps."""

    def really(scenario: Scenario, trace: Trace) -> Evidence | None:
        steps = tuple(change(step) for step in scenario.steps)
        return None if steps == scenario.steps else (replace(scenario, steps=steps), trace)

    return really


def of_seen(change: Callable[[Seen], Seen]) -> Callable[[Scenario, Trace], Evidence | None]:
    """Return the slip of telling something else than was seen."""

    def really(scenario: Scenario, trace: Trace) -> Evidence | None:
        return scenario, [change(seen) for seen in trace]

    return really


def weight_of_the_new(layer: Layer) -> Layer:
    """Return the layer whose decay was taken for the weight of the new batch."""
    return layer if layer.decay is ABSENT else replace(layer, decay=1 - number(layer.decay))


def number(value: Any) -> float:
    """Return an argument that was written."""
    return float(value)


def scaled(tensor: Tensor | None, factor: float) -> Tensor | None:
    """Return a tensor times a number."""
    if tensor is None:
        return None
    return replace(tensor, values=tuple(value * factor for value in tensor.values))


def weighted(step: Step, factor: Callable[[Tensor], float]) -> Step:
    """Return a step whose dy was multiplied."""
    if isinstance(step, Call) and step.dy is not None:
        return replace(step, dy=scaled(step.dy, factor(step.dy)))
    return step


def of_ones(step: Step) -> Step:
    """Return a step whose dy was taken to be one everywhere."""
    if isinstance(step, Call) and step.dy is not None:
        return replace(step, dy=replace(step.dy, values=(1.0,) * len(step.dy.values)))
    return step


def summed(step: Step) -> Step:
    """Return a training loop whose loss is the sum over the samples, not the mean."""
    if isinstance(step, Fit):
        return replace(step, dy=replace(step.dy, values=scaled_by_batch(step)))
    return step


def scaled_by_batch(step: Fit) -> tuple[float, ...]:
    """Return the values of dy times the size of a batch."""
    size = step.batch_size or step.x.shape[0]
    return tuple(value * size for value in step.dy.values)


def twice(step: Step) -> Step:
    """Return a step that runs two times as often."""
    return replace(step, repeat=2 * step.repeat) if isinstance(step, Call | Predict) else step


def twice_with_gradients(step: Step) -> Step:
    """Return a step that runs two times as often where it computes gradients."""
    return twice(step) if isinstance(step, Call) and step.dy is not None else step


def once(step: Step) -> Step:
    """Return a step that runs once."""
    return replace(step, repeat=1) if isinstance(step, Call | Predict) else step


def in_mode(**modes: Training) -> Callable[[Step], Step]:
    """Return the change of step that takes each mode for another."""

    def change(step: Step) -> Step:
        said = getattr(step, "training", None)
        if isinstance(step, Call) and said is not None and said.name in modes:
            return replace(step, training=modes[said.name])
        return step

    return change


def swapped(one: str, other: str) -> Callable[[Seen], Seen]:
    """Return the change of what was seen that exchanges two quantities."""
    names = {one: other, other: one}

    def change(seen: Seen) -> Seen:
        told = {names.get(name, name): array for name, array in seen.observed.items()}
        return replace(seen, observed=told)

    return change


def by_reshape(scenario: Scenario, trace: Trace) -> Evidence | None:
    """Return what was normalised where the axes were renamed by `reshape`, not moved."""
    if scenario.layer.rank == 2 or scenario.layer.channel_axis == "default":
        return None
    steps = tuple(
        replace(step, x=scrambled(step.x), dy=step.dy and scrambled(step.dy))
        if isinstance(step, Call)
        else step
        for step in scenario.steps
    )
    told = [
        replace(seen, observed={name: unscrambled(each) for name, each in seen.observed.items()})
        for seen in trace
    ]
    return replace(scenario, steps=steps), told


def scrambled(tensor: Tensor) -> Tensor:
    """Return the canonical tensor that results when the axes are renamed instead of moved."""
    array = np.array(tensor.values).reshape(renamed(tensor.shape))
    moved = np.moveaxis(array, 1, -1)
    return replace(tensor, values=tuple(moved.ravel().tolist()))


def unscrambled(array: Array) -> Array:
    """Return a canonical array of which the adapter returned one with its axes renamed."""
    if array.ndim < 3:
        return array
    return np.moveaxis(array.reshape(renamed(array.shape)), 1, -1)


def renamed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a canonical shape with the channels second."""
    return (shape[0], shape[-1], *shape[1:-1])


def slips() -> Iterator[Slip]:
    """Yield the slips there are, the likeliest first."""
    yield Slip(
        "The running statistics move as if `decay` were the weight of the new batch. It is the "
        "weight kept on the old value; where the framework's momentum weighs the new batch, hand "
        'it 1 - layer["decay"].',
        of_layer(weight_of_the_new),
    )
    yield Slip(
        "No call was one of training. Hand `training` to the framework, or switch its mode.",
        of_steps(in_mode(TRUE=Training.FALSE, ONE=Training.FALSE)),
    )
    yield Slip(
        "The running statistics never move. If the framework returns its new state instead of "
        "changing it, adopt what it returns.",
        of_layer(lambda layer: replace(layer, decay=1.0)),
    )
    yield Slip(
        "The running statistics move as if the layer's `decay` had not been written. Hand it to "
        "the framework.",
        of_layer(lambda layer: replace(layer, decay=ABSENT)),
    )
    yield Slip(
        'The output is that of another epsilon. Hand layer["epsilon"] to the framework as it is.',
        of_layer(lambda layer: replace(layer, epsilon=ABSENT)),
    )
    yield Slip(
        "A call with gradients ran the layer twice. Take the output and the gradients of one and "
        "the same execution, since each moves the running statistics.",
        of_steps(twice_with_gradients),
    )
    yield Slip("Each call ran the layer twice. Run it `repeat` times.", of_steps(twice))
    yield Slip("A call ran the layer once, whatever `repeat` asks.", of_steps(once))
    yield Slip(
        "The gradients are those of sum(output), not of sum(dy * output): `dy` is not used.",
        of_steps(of_ones),
    )
    yield Slip(
        "The gradients are those of mean(dy * output). Differentiate sum(dy * output).",
        of_steps(lambda step: weighted(step, lambda dy: 1 / math.prod(dy.shape))),
    )
    yield Slip(
        "The gradients are divided by the number of samples. Differentiate sum(dy * output).",
        of_steps(lambda step: weighted(step, lambda dy: 1 / dy.shape[0])),
    )
    yield Slip(
        "`dgamma` and `dbeta` are mixed up.",
        of_seen(swapped("dgamma", "dbeta")),
    )
    yield Slip(
        "Every call was one of training. Hand `training` to the framework, or switch its mode.",
        of_steps(in_mode(FALSE=Training.TRUE, ZERO=Training.TRUE, NONE=Training.TRUE)),
    )
    yield Slip(
        "The channel axis was renamed by `reshape` instead of moved. Write np.moveaxis(x, -1, 1) "
        "on the way in and np.moveaxis(output, 1, -1) on the way out.",
        by_reshape,
    )
    yield Slip(
        "The loss of `fit` is a sum over the batch. It is the mean over its samples: "
        "sum(dy * output) / len(x).",
        of_steps(summed),
    )
    yield Slip(
        "`fit` took everything for one batch. Go through x in parts of `batch_size`, unless that "
        "is None.",
        of_steps(lambda step: replace(step, batch_size=None) if isinstance(step, Fit) else step),
    )
    yield Slip(
        "`fit` trained for one epoch, whatever `epochs` asks.",
        of_steps(lambda step: replace(step, epochs=1) if isinstance(step, Fit) else step),
    )


SLIPS = tuple(slips())
