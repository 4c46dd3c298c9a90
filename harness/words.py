"""Scenarios in plain English, for reports and messages."""

from __future__ import annotations

from dataclasses import fields

from suites import vocabulary as say
from suites.vocabulary import ABSENT, Absent, Layer, Scenario, Step, Tensor, Training

QUANTITIES = {
    "output": "output",
    "second_output": "output of the second application",
    "loss": "loss",
    "dx": "gradient to the input",
    "second_dx": "second-order gradient to the input",
    "dx_of_second": "gradient to the second input",
    "dgamma": "gradient to gamma",
    "dbeta": "gradient to beta",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "running mean",
    "running_variance": "running variance",
    "updates_counted": "count of updates",
    "trainable_parameters": "number of trainable parameters",
    "refusal": "whether an error is raised",
    "renorm_mean": "mean that renormalisation corrects by",
    "renorm_deviation": "deviation that renormalisation corrects by",
    "running_deviation": "running deviation",
}
LAYER = {
    "decay": "weight kept on the old running value",
    "momentum_argument": "momentum argument, handed over as it is",
    "updates_in_place": "updates in place (updates_collections=None)",
    "track_running_statistics": "tracks running statistics",
    "zero_debias": "zero-debiasing asked for",
    "channel_axis": "channel axis",
    "channel_axis_argument": "channel axis argument, handed over as it is",
    "input_dtype": "dtype of the input",
    "policy": "mixed precision",
    "rank": "rank of the input",
    "renorm": "renormalises",
    "renorm_clipping": "bounds of the renormalisation",
    "renorm_decay": "weight kept on the old averages of the renormalisation",
    "gamma_penalty": "penalty λ·Σγ², λ",
    "beta_penalty": "penalty λ·Σβ², λ",
}
MEMORY = {
    "transposed": "stored with its axes in reverse order",
    "channels-last": "stored with the channels innermost",
    "strided": "stored as every other value of a larger array",
    "expanded": "stored once for all positions of an axis",
}
RESTORED = {
    "file": "save the whole in the framework's own format; go on with what is loaded",
    "copy": "go on with a deep copy",
    "weights-file": "save the state to a file; go on with a layer that loads it",
    "memory": "hand the state in memory to another layer; go on with that",
    "config": "go on with a layer made from the configuration of this one",
    "clone": "go on with the framework's clone",
}
CHANGED = {
    "without": "without its {}",
    "short": "whose {} has a channel fewer",
    "beyond": "with a {} that it does not keep",
}
UPDATES = {
    "documented": "",
    "forgotten": ", doing nothing about deferred updates",
    "twice": ", running deferred updates twice",
}


def block(title: str, lines: list[str]) -> str:
    """Return a titled list."""
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def quantity_in_words(quantity: str) -> str:
    """Return the field's term for an observed quantity."""
    return QUANTITIES.get(quantity, quantity)


def layer_in_words(layer: Layer) -> list[str]:
    """Return the layer's written arguments, one line each."""
    lines = []
    for field in fields(layer):
        value = getattr(layer, field.name)
        if value is ABSENT or (field.name == "channel_axis" and value == "last"):
            continue
        name = LAYER.get(field.name, field.name.replace("_", " "))
        lines.append(f"{name}: {value_in_words(value)}")
    return lines


def value_in_words(value: object) -> str:
    """Return one argument's value."""
    if isinstance(value, Tensor):
        return "(" + ", ".join(f"{number:g}" for number in value.values) + ")"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"{name} {bound:g}" for name, bound in value) or "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def scenario_in_words(scenario: Scenario) -> list[str]:
    """Return the steps, numbered."""
    return [f"{i + 1}. {step_in_words(step)}" for i, step in enumerate(scenario.steps)]


def shape_in_words(tensor: Tensor) -> str:
    """Return a tensor's shape."""
    return "×".join(str(size) for size in tensor.shape)


def mode_in_words(training: Training) -> str:
    """Return how the mode is said."""
    return (
        "without saying the mode" if training is Training.ABSENT else f"training={training.value}"
    )


def call_in_words(step: say.Call) -> str:
    """Return a `Call` in words."""
    mode = mode_in_words(step.training)
    if step.mode == "fed":
        mode = f"the mode fed as a tensor holding {step.training.value}"
    elif step.mode == "is-true-test":
        mode = f"a tensor holding {step.training.value} that the model tests with ‘is True’"
    times = f" {step.repeat} times" if step.repeat > 1 else ""
    gradients = ", asking for gradients" if step.dy is not None else ""
    gradients += " of first and second order" if step.dx_weights is not None else ""
    memory = "" if step.memory is ABSENT else f" {MEMORY[step.memory]}"
    shape = f"{shape_in_words(step.x)} values{memory}{counting_in_words(step)}"
    return f"call on {shape}{times}, {mode}{gradients}{UPDATES[step.updates]}"


def counting_in_words(step: say.Call) -> str:
    """Return what a call says about how much each value counts."""
    said = ""
    if isinstance(step.mask, Tensor):
        out = sum(1 for value in step.mask.values if not value)
        said += f", {out} of {len(step.mask.values)} positions masked"
    if isinstance(step.weights, Tensor):
        said += f", samples weighted {value_in_words(step.weights)}"
    return said


def enclose_in_words(step: say.Enclose) -> str:
    """Return an `Enclose` in words."""
    form = {
        "functional": "a model composed of layers",
        "subclassed": "a model class whose forward pass takes `training`",
        "without-training": "a model class whose forward pass takes no `training`",
    }[step.form]
    inside = ""
    if step.training is not Training.ABSENT:
        inside = f" and passes training={step.training.value} to it explicitly"
    return f"put the layer in {form}{inside}"


def step_in_words(step: Step) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of step
    """Return what one step does."""
    match step:
        case say.Build():
            return "create the layer's variables"
        case say.Call():
            return call_in_words(step)
        case say.CallTwice():
            gradients = "" if step.first_dy is ABSENT else ", asking for gradients"
            mode = mode_in_words(step.training)
            return f"apply the layer to two inputs in one execution, {mode}{gradients}"
        case say.Enclose():
            return enclose_in_words(step)
        case say.Compile():
            return "compile the model"
        case say.Fit():
            size = step.batch_size or step.x.shape[0]
            epochs = f" for {step.epochs} epochs" if step.epochs > 1 else ""
            shape = shape_in_words(step.x)
            decay = step.weight_decay
            decayed = "" if isinstance(decay, Absent) else f", with weight decay {decay:g}"
            more = f"{epochs}{decayed}{UPDATES[step.updates]}"
            return f"train on {shape} values in batches of {size}{more}"
        case say.Evaluate():
            return f"evaluate on {shape_in_words(step.x)} values"
        case say.Predict():
            times = f" {step.repeat} times" if step.repeat > 1 else ""
            return f"predict on {shape_in_words(step.x)} values{times}"
        case say.TrainMode():
            return f"switch the {step.target} to training mode"
        case say.EvalMode():
            return f"switch the {step.target} to evaluation mode"
        case say.SetTrainable():
            return f"{'unfreeze' if step.value else 'freeze'} the {step.target}"
        case say.SetTracking():
            return f"switch the tracking of running statistics {'on' if step.value else 'off'}"
        case say.ResetStatistics():
            return "reset the running statistics"
        case say.Cast():
            return f"cast the layer to {step.dtype}"
        case _:
            return state_in_words(step)


def state_in_words(step: Step) -> str:
    """Return what a step does that saves, restores or copies."""
    match step:
        case say.Restore():
            return restore_in_words(step)
        case say.TrainACopy():
            made = "deep copy" if step.how == "copy" else "layer that was handed the state"
            return f"train a {made} on {shape_in_words(step.x)} values; go on with the original"
        case say.KeepState():
            return "take the state and hold on to it"
        case say.PutBack():
            return "load the state that was taken"
        case say.LoadChanged():
            return f"load its own state {CHANGED[step.change].format(quantity_in_words(step.of))}"
    raise TypeError(step)


def restore_in_words(step: say.Restore) -> str:
    """Return a `Restore` in words."""
    made = [
        f"{LAYER.get(name, name)} {value:g}"
        for name, value in (("decay", step.decay), ("epsilon", step.epsilon))
        if not isinstance(value, Absent)
    ]
    otherwise = f", made with {' and '.join(made)}" if made else ""
    switched = ", switched to evaluation before" if step.into == "evaluation" else ""
    return f"{RESTORED[step.how]}{otherwise}{switched}"
