"""Fakes that no rule was made for, with what is true of each: single departures, several, unnamed.

What an engine finds from their traces alone is held against what their code does. No truth here
was read off a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.fakes import (
    planted,
    planted_executions,
    planted_features,
    planted_habits,
    planted_input,
    planted_limits,
    planted_state,
    planted_values,
)
from tests.fakes.departure import Departure, composed, known, together
from tests.fakes.fault import PlantedFault, Style

# Planted faults that are one convention in every scenario. Those left out are one in some: their
# gradient, their fit or their reset is not what the convention would make it.

THROUGHOUT = {
    "momentum-weighs-the-old-value": {"momentum-sense": "weighs the old running value"},
    "momentum-none-refused": {"momentum-none": "refused"},
    "default-decay-of-another-framework": {"default-decay": 0.99},
    "default-momentum-off-by-a-hundredth": {"default-decay": 0.98},
    "default-epsilon-of-another-framework": {"default-epsilon": 1e-5},
    "gamma-by-default": {"default-gamma": "learned"},
    "default-channels-last": {"default-channel-axis": "last"},
    "initial-running-variance-zero": {"initial-running-variance": 0.0},
    "initial-gamma-zero": {"initial-gamma": 0.0},
    "epsilon-floored": {"epsilon-floor": 1.001e-5},
    "training-gradient-holds-statistics": {"training-gradient": "statistics held constant"},
    "inference-gradient-through-statistics": {"inference-gradient": "through the batch statistics"},
    "float64-refused": {"float64-layer": "refused"},
    "sample-variance-in-the-average": {"running-variance-factor": "n/(n-1)"},
    "population-variance-in-the-average": {"running-variance-factor": "1"},
    "zero-debias-unasked": {"running-mean-debiasing": "zero-debias"},
    "zero-debias-of-the-variance-too": {"zero-debias-argument": "mean and variance"},
    "zero-debias-ignored": {"zero-debias-argument": "neither"},
    "forgotten-updates-happen": {"update-timing": "within the call"},
    "twice-runs-once": {"update-timing": "when the returned state is adopted"},
    "updates-in-place-ignored": {"updates-in-place-argument": "ignored"},
    "statistics-updated-in-inference": {"inference-updates": "always"},
    "bare-call-trains": {"bare-call": "training"},
    "starts-in-evaluation": {"bare-call": "inference"},
    "mode-remembered": {"mode-memory": "remembers the last switch"},
    "none-is-training": {"training-none": "training"},
    "one-is-inference": {"training-integer": "inference"},
    "zero-is-training": {"training-integer": "training"},
    "integers-accepted": {"training-integer": "as True and False"},
    "none-in-a-model-is-a-bare-call": {"explicit-none-in-a-model": "as a bare call"},
    "model-without-training-hides-the-loop": {
        "model-without-a-training-argument": "every execution is a bare call"
    },
    "model-function-without-mode-follows": {
        "model-without-a-training-argument": "follows fit, evaluate and predict"
    },
    "trainable-false-normalises-with-the-batch": {"trainable-false-mode": "no effect"},
    "freezing-forces-evaluation": {"trainable-false-mode": "inference even with training=True"},
    "frozen-layer-infers": {"trainable-false-mode": "inference even with training=True"},
    "freezing-stops-statistics": {"trainable-false-statistics": "stop"},
    "frozen-layer-stops-statistics": {"trainable-false-statistics": "stop"},
    "trainable-false-still-learns": {"trainable-false-parameters": "still learn"},
    "trainable-read-at-the-first-fit": {
        "trainable-read-by-fit": "at the first fit after compiling"
    },
    "unchanged-model-flag-misses-the-layer": {
        "model-trainable-reaches-the-layer": "only when the model's own flag changes"
    },
}

# No bare call of the argument style would train, so none shows whether freezing keeps it from that.
UNTOLD = {"trainable-false-mode": ("inference unless training=True",)}
ALIKE = {
    "trainable-false-normalises-with-the-batch": UNTOLD,
    # Nor can it be told from None meaning inference, in a loop that is followed as well.
    "none-in-a-model-is-a-bare-call": {
        "explicit-none-in-a-model": ("follows fit, evaluate and predict",)
    },
}

SINGLE: dict[str, Departure] = {
    **{
        name: known(planted.FAULTS[name], conventions, alike=ALIKE.get(name, {}))
        for name, conventions in THROUGHOUT.items()
    },
    **planted_values.DEPARTURES.all,
    **planted_habits.DEPARTURES.all,
    **planted_limits.DEPARTURES.all,
    **planted_input.DEPARTURES.all,
    **planted_features.DEPARTURES.all,
    **planted_state.DEPARTURES.all,
    **planted_executions.DEPARTURES.all,
}
"""Fakes with one departure each."""


def both_forms(order):
    """Return what a fault says that updates so in models of both forms."""
    return {
        "shared-layer-updates": order,
        "shared-layer-updates-in-a-functional-model": order,
    }


# Planted faults that are several conventions at once.

SEVERAL_THROUGHOUT = {
    "shared-layer-loses-the-second-call": both_forms("first call only"),
    "shared-layer-loses-the-first-call": both_forms("last call only"),
    "shared-layer-updates-in-reverse": both_forms("in reverse order"),
    "shared-layer-updates-from-the-value-before": both_forms("both from the value before"),
    "trainable-false-has-no-effect-on-mode": {
        "trainable-false-mode": "no effect",
        "trainable-false-statistics": "still move in training",
    },
    "trainable-false-ignored": {
        "trainable-false-mode": "no effect",
        "trainable-false-statistics": "still move in training",
        "trainable-false-parameters": "still learn",
    },
}

TOGETHER = {
    # Two.
    "outside-the-root-by-the-sample": (
        "Epsilon stands beside the root of the sample variance.",
        "epsilon-beside-the-root-switch",
        "sample-variance-normalises",
    ),
    "weighs-the-batch-by-default-little": (
        "The momentum argument weighs the new batch; the default keeps 0.97 of the old value.",
        "momentum-argument-weighs-the-batch-argument",
        "default-decay-of-0.97",
    ),
    "after-the-update-of-the-sample": (
        "Training normalises with running statistics that just took in the sample variance.",
        "training-output-after-the-update-argument",
        "sample-variance-in-the-average",
    ),
    "trains-and-remembers": (
        "A fresh layer trains; a bare call repeats the last mode said.",
        "bare-call-trains",
        "mode-remembered",
    ),
    "debiased-from-a-half": (
        "The running mean starts at 1/2, which the zero-debiased average then ignores.",
        "running-mean-starts-at-a-half",
        "zero-debias-unasked",
    ),
    "warms-up-from-zero": (
        "The running variance starts at 0 and warms up.",
        "initial-running-variance-zero",
        "variance-warms-up-argument",
    ),
    "evaluates-and-lets-none-be": (
        "A fresh layer is in evaluation, and None switches nothing.",
        "starts-in-evaluation",
        "none-switches-nothing",
    ),
    "weighs-the-old-and-counts-in-secret": (
        "The momentum argument weighs the old value, and no counter is shown.",
        "momentum-weighs-the-old-value",
        "updates-counted-in-secret",
    ),
    "frozen-stops-and-infers-unless-told": (
        "A frozen layer infers unless told, and its statistics stop where it is told.",
        "frozen-infers-unless-told",
        "frozen-layer-stops-statistics",
    ),
    "backward-updates-and-gamma": (
        "The backward pass updates, and there is a gamma by default.",
        "operations-in-the-backward-pass",
        "gamma-by-default",
    ),
    "less-a-raised-epsilon": (
        "The running variance is divided by n − 1 − epsilon, which is at least 1e-3.",
        "epsilon-at-least-1e-3",
        "running-variance-less-epsilon-argument",
    ),
    "compiled-but-still-learns": (
        "fit goes by what was compiled, and what is frozen learns all the same.",
        "frozen-when-compiled",
        "trainable-false-still-learns",
    ),
    "evaluation-stops-but-is-forgotten": (
        "Evaluation stops learning, but a bare call is never in it.",
        "evaluation-stops-learning-switch",
        "switches-forgotten",
    ),
    "fixed-gamma-or-a-half": (
        "Gamma is fixed at 1 by default and starts at 1/2 where it is asked for.",
        "gamma-fixed-at-one-by-default-argument",
        "gamma-starts-at-a-half",
    ),
    "updates-always-but-not-when-frozen": (
        "A frozen layer normalises by the batch and stops; any other moves in inference too.",
        "inference-updates-too-argument",
        "trainable-false-normalises-with-the-batch",
    ),
    "statistics-exchanged": (
        "Training normalises with the running statistics and inference with the batch's.",
        "training-output-before-the-update-argument",
        "inference-by-the-batch-argument",
    ),
    "half-kept-in-float32": (
        "A narrow layer keeps all its variables in float32.",
        "low-precision-statistics-in-float32",
        "low-precision-parameters-in-float32",
    ),
    "careful-with-bad-batches": (
        "No samples move nothing, and no NaN gets into the running statistics.",
        "empty-batch-ignored",
        "nan-kept-out-argument",
    ),
    "none-follows-a-bare-call-that-infers": (
        "A bare call infers; None written in a model leaves the loop's mode.",
        "bare-call-and-none-infer",
        "none-in-a-model-hears-the-loop",
    ),
    "one-form-reversed-the-other-together": (
        "A shared layer updates in reverse, or from the value before in a functional model.",
        "shared-layer-in-reverse-order-subclassed",
        "shared-layer-both-from-the-value-before-functional",
    ),
    "no-number-no-training-and-frozen-models-stop": (
        "momentum=None refuses to train, and a frozen model stops all statistics inside.",
        "momentum-none-refused-in-training-switch",
        "frozen-model-stops-statistics-switch",
    ),
    # Three.
    "outside-by-the-sample-fed-the-population": (
        "Epsilon beside the root of the sample variance; the running one is the population's.",
        "epsilon-beside-the-root-switch",
        "sample-variance-normalises",
        "population-variance-in-the-average",
    ),
    "weighs-the-batch-from-zero": (
        "Momentum weighs the new batch, by default 0.03; the running variance starts at 0.",
        "momentum-argument-weighs-the-batch-argument",
        "default-decay-of-0.97",
        "initial-running-variance-zero",
    ),
    "after-the-update-of-the-sample-from-a-half": (
        "Training normalises after an update with the sample variance; the mean starts at 1/2.",
        "training-output-after-the-update-argument",
        "sample-variance-in-the-average",
        "running-mean-starts-at-a-half",
    ),
    "undeferred-with-gamma-frozen-still": (
        "Updates happen in the call unless the layer is frozen; there is a gamma by default.",
        "forgotten-updates-happen",
        "gamma-by-default",
        "frozen-layer-stops-statistics",
    ),
    "infers-but-follows-every-loop": (
        "A bare call infers, and a model that says None or nothing leaves the loop's mode.",
        "bare-call-and-none-infer",
        "none-in-a-model-hears-the-loop",
        "model-function-without-mode-follows",
    ),
    "frozen-as-built-and-as-compiled": (
        "Freezing stops the statistics only; calls see it as built, fit as compiled.",
        "frozen-when-compiled",
        "frozen-when-built",
        "trainable-false-normalises-with-the-batch",
    ),
    "debiased-twice-over": (
        "Asked to, both statistics are zero-debiased; unasked the mean warms up; epsilon is 1e-4.",
        "zero-debias-of-the-variance-too",
        "mean-warms-up-argument",
        "default-epsilon-of-1e-4",
    ),
    "trains-remembers-and-reads-no-zero": (
        "A fresh layer trains, remembers, and takes 0 for True.",
        "zero-is-training",
        "bare-call-trains",
        "mode-remembered",
    ),
    "weighs-the-old-evaluates-and-counts-in-secret": (
        "Momentum weighs the old value, a fresh layer evaluates, and no counter is shown.",
        "momentum-weighs-the-old-value",
        "updates-counted-in-secret",
        "starts-in-evaluation",
    ),
    "refuses-gradients-and-nan": (
        "Inference has no gradient, NaN is kept out, the running variance is the population's.",
        "inference-gradient-refused-deferred",
        "nan-kept-out-deferred",
        "running-variance-of-the-population",
    ),
    "callers-win-and-inference-rests": (
        "Callers overrule what any model says, and nothing learns in inference.",
        "written-training-loses-functional",
        "written-training-loses-subclassed-argument",
        "evaluation-stops-learning-argument",
    ),
    "frozen-models-stop-and-bare-calls-train": (
        "A frozen model stops statistics and passes on only changes; a bare call trains.",
        "frozen-model-stops-statistics-argument",
        "unchanged-model-flag-misses-the-layer",
        "bare-call-trains",
    ),
    "second-channels-and-no-empty-batch": (
        "Channels come second, empty batches raise, narrow statistics are kept in float32.",
        "low-precision-statistics-in-float32",
        "channels-second-by-default",
        "empty-batch-refused-argument",
    ),
}

# What can be seen of parts, and told apart, depends on the others where these change a bare call.
SEEN_TOGETHER: dict[str, dict[str, dict[str, object]]] = {
    "none-follows-a-bare-call-that-infers": {"unseen": {}},
    "infers-but-follows-every-loop": {"unseen": {}},
    "evaluates-and-lets-none-be": {"alike": {"training-none": ("inference",)}},
}

COMBINED: dict[str, Departure] = {
    **{
        name: known(
            planted.FAULTS[name],
            conventions,
            alike=UNTOLD if "trainable-false-mode" in conventions else {},
        )
        for name, conventions in SEVERAL_THROUGHOUT.items()
    },
    **{
        name: together(
            name, sentence, *(SINGLE[part] for part in parts), **SEEN_TOGETHER.get(name, {})
        )
        for name, (sentence, *parts) in TOGETHER.items()
    },
}
"""Fakes with two or three departures at once."""


@dataclass(frozen=True)
class Unnamed(PlantedFault):
    """A fake that does what no convention describes.

    Attributes:
        quantities: what it corrupts; of these at least one is to be reported as unexplained.
    """

    quantities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Part:
    """What an unnamed fake changes of its style: a class for the program or for the layer."""

    style: Style
    sentence: str
    quantities: tuple[str, ...]
    layer: type | None = None
    program: type | None = None


PARTS: dict[str, Part] = {}
MOVING = ("running_mean", "running_variance")


def layer(name, style, sentence, *quantities):
    """Return a decorator that makes an unnamed fake of a part of a layer."""

    def plant(part):
        PARTS[name] = Part(style, sentence, quantities, layer=part)
        return part

    return plant


def program(name, style, sentence, *quantities):
    """Return a decorator that makes an unnamed fake of a part of a program."""

    def plant(part):
        PARTS[name] = Part(style, sentence, quantities, program=part)
        return part

    return plant


@layer(
    "deviation-averaged",
    "argument",
    "The running variance is fed the standard deviation.",
    "running_variance",
)
class DeviationAveraged:
    def variance_for_running(self, variance, x):
        return np.sqrt(super().variance_for_running(variance, x))


@layer(
    "root-averaged",
    "switch",
    "The root of the running variance is averaged, and squared again.",
    "running_variance",
)
class RootAveraged:
    def move_variance(self, new):
        self.running_variance = np.sqrt(self.running_variance)
        super().move_variance(np.sqrt(new))
        self.running_variance = self.running_variance**2


@layer(
    "epsilon-in-both-places",
    "argument",
    "Epsilon is added to the variance and to its root.",
    "output",
)
class EpsilonInBothPlaces:
    def deviation(self, variance, epsilon):
        return super().deviation(variance, epsilon) + epsilon

    def slope_of_inverse(self, variance, inverse):
        return -(inverse**2) / (2 * np.sqrt(variance + self.epsilon))


@layer(
    "gamma-before-normalising",
    "argument",
    "The input is multiplied by gamma before it is normalised.",
    "output",
)
class GammaBeforeNormalising:
    def normalise(self, x, mean, variance, epsilon):
        if self.gamma is None:
            return super().normalise(x, mean, variance, epsilon)
        return super().normalise(x, mean, self.gamma**2 * variance, epsilon)


@layer("output-clipped", "deferred", "The output stays between −1 and 1.", "output")
class OutputClipped:
    def scale_and_shift(self, normalised):
        return np.clip(super().scale_and_shift(normalised), -1, 1)


@layer(
    "every-second-update", "argument", "Only every second execution in training updates.", *MOVING
)
class EverySecondUpdate:
    asked = 0

    def update(self, execution):
        self.asked += 1
        if self.asked % 2 == 0:
            super().update(execution)


@layer("median-averaged", "argument", "The running mean is fed the batch's median.", "running_mean")
class MedianAveraged:
    def update(self, execution):
        *samples, channels = execution.x.shape
        self.values = execution.x.reshape(math.prod(samples), channels)
        super().update(execution)

    def move_mean(self, new):
        there_are_some = len(self.values) > 0
        super().move_mean(np.median(self.values, axis=0) if there_are_some else new)


@layer(
    "first-update-replaces",
    "argument",
    "The first update replaces the running statistics, the others average.",
    *MOVING,
)
class FirstUpdateReplaces:
    has_moved = False

    def update(self, execution):
        super().update(execution)
        self.has_moved = True

    def decay_of(self, name):
        return super().decay_of(name) if self.has_moved else 0.0


@layer("decay-halves", "argument", "After each update the decay is half of what it was.", *MOVING)
class DecayHalves:
    def update(self, execution):
        super().update(execution)
        self.decay = self.decay / 2


@layer(
    "absolute-deviations",
    "switch",
    "The variance is the square of the mean absolute deviation.",
    "output",
    "running_variance",
)
class AbsoluteDeviations:
    def batch_variance(self, x, mean):
        return super().batch_variance(np.sqrt(abs(x - mean)), 0) ** 2


@program(
    "inference-counted",
    "switch",
    "The counter counts executions in inference too.",
    "updates_counted",
)
class InferenceCounted:
    def run(self, x, requested, updates="documented"):
        execution = super().run(x, requested, updates)
        if not execution.training:
            self.bn.count_update()
        return execution


@program(
    "documented-updates-run-twice",
    "deferred",
    "Running the update operations updates twice.",
    *MOVING,
)
class DocumentedUpdatesRunTwice:
    def runs(self, updates):
        return 2 * super().runs(updates)


# Planted faults that no convention describes, and what each corrupts.

NAMELESS = {
    "momentum-swapped": MOVING,
    "statistics-per-position": ("output",),
    "mean-divides-by-samples-only": ("output", "running_mean"),
    "dx-without-the-mean-term": ("dx",),
    "dgamma-from-x": ("dgamma", "gamma"),
    "dbeta-is-a-mean": ("dbeta", "beta"),
    "gamma-and-beta-exchanged": ("output",),
    "epsilon-omitted-in-inference": ("output",),
    "update-one-step-late": MOVING,
    "running-mean-in-half-precision": ("running_mean",),
    # Statistics of a training execution beside the output of inference: either may be blamed.
    "trainable-false-moves-statistics": ("output", *MOVING),
    "freezing-the-model-misses-the-layer": ("trainable_parameters", *MOVING),
    "predict-updates-the-second-time": MOVING,
    "counter-not-incremented": ("updates_counted",),
    "untracked-layer-uses-zero-and-one": ("output",),
    "fed-mode-read-once": ("output", *MOVING),
}


def unnamed(name, part):
    """Return the fake that such a part makes of its style."""
    program = () if part.program is None else (part.program,)
    layer = () if part.layer is None else (part.layer,)
    faulty = composed(name, part.style, program, layer)
    return Unnamed(name, part.style, part.sentence, faulty, frozenset(part.quantities))


UNNAMED: dict[str, Unnamed] = {
    **{name: unnamed(name, part) for name, part in PARTS.items()},
    **{
        name: Unnamed(fault.name, fault.style, fault.sentence, fault.Program, frozenset(found))
        for name, found in NAMELESS.items()
        for fault in (planted.FAULTS[name],)
    },
}
"""Fakes that do what no convention describes."""

HELD_OUT: dict[str, Departure] = {**SINGLE, **COMBINED}
"""Fakes whose every departure is known."""
