"""Conventions of arguments, arithmetic and statistics, each departed from throughout.

Every class here is a part: it changes one decision of whichever clean style it is put before, and
calls that style's own for the rest, so that parts can be put together.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from reference.conventions import DRAWN
from tests.fakes.departure import Departures
from tests.fakes.plain_layer import sum_per_channel, values_per_channel

DEPARTURES = Departures()
FAULTS = DEPARTURES.planted
program = partial(DEPARTURES.program, planted=True)
layer = partial(DEPARTURES.layer, planted=True)
program_elsewhere = partial(DEPARTURES.program, planted=False)
layer_elsewhere = partial(DEPARTURES.layer, planted=False)

RUNNING = ("running_mean", "running_variance")


# What arguments mean, and what holds where they are not written.


@program(
    "momentum-argument-weighs-the-batch",
    "argument deferred",
    "The momentum argument is the weight of the new batch; a default is still the old value's.",
    {"momentum-sense": "weighs the new batch value"},
)
class MomentumArgumentWeighsTheBatch:
    def decay(self):
        decay = super().decay()
        return 1 - decay if "momentum_argument" in self.layer else decay


class CountsForItself:
    """Counts updates without showing it, this one included."""

    hidden = ("made",)
    made = 0

    def update(self, execution):
        self.made += 1
        super().update(execution)

    def decay_now(self):
        return 1 - 1 / self.made if self.decay is None else super().decay_now()

    def reset_statistics(self):
        super().reset_statistics()
        self.made = 0


@program(
    "momentum-none-averages",
    "argument",
    "momentum=None asks for the average of all batches so far.",
    {"momentum-none": "cumulative average"},
    (CountsForItself,),
)
class MomentumNoneAverages:
    def momentum(self, default):
        given = self.layer.get("momentum_argument", default)
        return None if given is None else super().momentum(default)


class NeedsADecayToTrain:
    def forward(self, x, training):
        if training and self.decay is None:
            message = "momentum must be a number, not None"
            raise TypeError(message)
        return super().forward(x, training)


@program(
    "momentum-none-refused-in-training",
    "argument switch deferred",
    "momentum=None makes a layer that infers and refuses to train.",
    {"momentum-none": "refused in training"},
    (NeedsADecayToTrain,),
)
class MomentumNoneRefusedInTraining:
    def momentum(self, default):
        given = self.layer.get("momentum_argument", default)
        return None if given is None else super().momentum(default)


@program(
    "default-decay-of-0.97", "argument", "The default momentum is 0.97.", {"default-decay": 0.97}
)
class DefaultDecayOf97Hundredths:
    default_decay = 0.97


@program_elsewhere(
    "default-decay-of-0.95", "switch", "The default momentum is 0.05.", {"default-decay": 0.95}
)
class DefaultDecayOf95Hundredths:
    default_decay = 0.95


@program(
    "default-epsilon-of-1e-4", "argument", "The default epsilon is 1e-4.", {"default-epsilon": 1e-4}
)
class DefaultEpsilonOfATenThousandth:
    default_epsilon = 1e-4


@program_elsewhere(
    "default-epsilon-of-2e-3", "switch", "The default epsilon is 2e-3.", {"default-epsilon": 2e-3}
)
class DefaultEpsilonOfTwoThousandths:
    default_epsilon = 2e-3


@program(
    "gamma-absent-by-default",
    "argument",
    "The layer has no gamma unless it is asked for.",
    {"default-gamma": "absent"},
)
class GammaAbsentByDefault:
    default_scale = False


class LearnsNoFixedGamma:
    gamma_is_fixed = False

    def learned(self):
        return [name for name in super().learned() if name != "gamma" or not self.gamma_is_fixed]


@program(
    "gamma-fixed-at-one-by-default",
    "argument deferred",
    "Unless asked for, gamma is there, is 1 whatever it was given, and is not learned.",
    {"default-gamma": "fixed at one"},
    (LearnsNoFixedGamma,),
)
class GammaFixedAtOneByDefault:
    @property
    def fixed(self):
        return "scale" not in self.layer

    def construct(self, layer):
        bn = super().construct(layer)
        bn.gamma_is_fixed = self.fixed
        return bn

    def scales(self):
        return self.fixed or super().scales()

    def initial_value(self, name, value):
        found = super().initial_value(name, value)
        return np.ones_like(found) if name == "gamma" and self.fixed else found


@program(
    "channels-second-by-default",
    "argument",
    "The channels are looked for on the second axis by default.",
    {"default-channel-axis": "second"},
)
class ChannelsSecondByDefault:
    default_channel_axis = 1


def starts(name, value):
    """Return a part that gives one variable another initial value."""

    class Starts:
        def initial_value(self, variable, default):
            return super().initial_value(variable, value if variable == name else default)

    return Starts


def resets(mean, variance):
    """Return a part that resets the statistics to these."""

    class Resets:
        reset_to = (mean, variance)

    return Resets


@program(
    "running-mean-starts-at-a-half",
    "argument",
    "The running mean starts at 1/2.",
    {"initial-running-mean": 0.5},
)
class RunningMeanStartsAtAHalf(starts("running_mean", 0.5)):
    pass


@program_elsewhere(
    "running-mean-starts-at-one",
    "switch",
    "The running mean starts at 1, and is reset to it.",
    {"initial-running-mean": 1.0},
    (resets(1, 1),),
)
class RunningMeanStartsAtOne(starts("running_mean", 1)):
    pass


@program(
    "running-variance-starts-at-a-half",
    "switch",
    "The running variance starts at 1/2, and is reset to it.",
    {"initial-running-variance": 0.5},
    (resets(0, 0.5),),
)
class RunningVarianceStartsAtAHalf(starts("running_variance", 0.5)):
    pass


@program_elsewhere(
    "running-variance-starts-at-two",
    "deferred",
    "The running variance starts at 2.",
    {"initial-running-variance": 2.0},
)
class RunningVarianceStartsAtTwo(starts("running_variance", 2)):
    pass


@program("gamma-starts-at-a-half", "argument", "Gamma starts at 1/2.", {"initial-gamma": 0.5})
class GammaStartsAtAHalf(starts("gamma", 0.5)):
    pass


@program(
    "gamma-drawn",
    "argument",
    "Gamma starts at numbers drawn between 0 and 1.",
    {"initial-gamma": DRAWN},
)
class GammaDrawn:
    def initial_value(self, name, value):
        if name == "gamma":
            value = np.resize([0.75, 0.125, 0.5], self.layer["channels"])
        return super().initial_value(name, value)


@program("beta-starts-at-one", "argument", "Beta starts at 1.", {"initial-beta": 1.0})
class BetaStartsAtOne(starts("beta", 1)):
    pass


@program_elsewhere(
    "beta-starts-below-zero", "deferred", "Beta starts at −1/4.", {"initial-beta": -0.25}
)
class BetaStartsBelowZero(starts("beta", -0.25)):
    pass


# What the output is normalised by.


class TrainsByRunningStatistics:
    def uses_batch(self, training):
        return self.running_mean is None if training else super().uses_batch(training)

    def corrects(self, training):
        return super().corrects(training) and self.uses_batch(training)


@layer_elsewhere(
    "training-output-before-the-update",
    "argument switch",
    "Training normalises with the running statistics from before its own update.",
    {"training-output-statistics": "running before the update"},
)
class TrainingOutputBeforeTheUpdate(TrainsByRunningStatistics):
    pass


@program(
    "training-output-after-the-update",
    "argument switch",
    "Training updates the running statistics first and then normalises with them.",
    {"training-output-statistics": "running after the update"},
    (TrainsByRunningStatistics,),
)
class TrainingOutputAfterTheUpdate:
    def run(self, x, requested, updates="documented"):
        before = super().run(x, requested, updates)
        return self.normalised_again(before) if before.training else before

    def normalised_again(self, execution):
        with np.errstate(all="ignore"):
            return self.bn.forward(execution.x, training=True)


@layer_elsewhere(
    "sample-variance-normalises",
    "switch",
    "The training output divides by the sample variance, and its gradient knows.",
    {"training-output-variance": "sample"},
)
class SampleVarianceNormalises:
    def training_statistics(self, x):
        mean, variance = super().training_statistics(x)
        n = values_per_channel(x)
        return mean, variance * n / max(n - 1, 1)

    def divisor(self, execution):
        return super().divisor(execution) - (1 if execution.training else 0)


@layer_elsewhere(
    "inference-by-the-batch",
    "argument switch",
    "Inference normalises with the batch, and its gradient knows.",
    {"inference-output-statistics": "batch"},
)
class InferenceByTheBatch:
    def uses_batch(self, training):
        return super().uses_batch(training) if training else True


@layer_elsewhere(
    "epsilon-beside-the-root",
    "argument switch deferred",
    "Epsilon is added to the standard deviation, and the gradient knows.",
    {"epsilon-placement": "outside the root"},
)
class EpsilonBesideTheRoot:
    def deviation(self, variance, epsilon):
        return np.sqrt(variance) + epsilon

    def slope_of_inverse(self, variance, inverse):
        return -(inverse**2) / (2 * np.sqrt(variance))


def floored(least):
    """Return a part whose epsilon is at least this."""

    class Floored:
        def epsilon_for(self, training):
            return max(super().epsilon_for(training), least)

    return Floored


@layer("epsilon-at-least-5e-6", "switch", "Epsilon is at least 5e-6.", {"epsilon-floor": 5e-6})
class EpsilonAtLeastFiveMillionths(floored(5e-6)):
    pass


@layer_elsewhere(
    "epsilon-at-least-1e-3", "argument", "Epsilon is at least 1e-3.", {"epsilon-floor": 1e-3}
)
class EpsilonAtLeastAThousandth(floored(1e-3)):
    pass


@layer_elsewhere(
    "training-gradient-of-constants",
    "switch",
    "The batch statistics count as constants.",
    {"training-gradient": "statistics held constant"},
)
class TrainingGradientOfConstants:
    def flows_through_statistics(self, execution):  # noqa: ARG002 - it should look
        return False


@program(
    "inference-gradient-refused",
    "argument deferred",
    "There is no gradient where the running statistics normalise.",
    {"inference-gradient": "refused"},
)
class InferenceGradientRefused:
    def backward(self, execution, dy):
        if not execution.by_batch:
            message = "no gradient is implemented for running statistics"
            self.refuse(NotImplementedError(message))
        return super().backward(execution, dy)


@layer(
    "mean-held-inside-the-variance",
    "argument switch deferred",
    "The gradient of a gradient holds the mean inside the variance constant.",
    {"second-order-gradient": "without the mean inside the variance"},
)
class MeanHeldInsideTheVariance:
    def inside_the_variance(self, execution, centred):  # noqa: ARG002 - the clean layer's
        # The second order is worked out by complex steps, which a real part does not follow.
        return execution.x - execution.mean.real


# How variances are computed.


@layer(
    "one-pass-variance",
    "argument",
    "The variance is E[x²] − E[x]².",
    {"variance-algorithm": "one-pass"},
    alike={"variance-algorithm": ("one-pass clamped at zero", "Welford")},
)
class OnePassVariance:
    def batch_variance(self, x, mean):
        return sum_per_channel(x * x) / values_per_channel(x) - mean * mean


@layer(
    "one-pass-variance-clamped",
    "argument",
    "The variance is E[x²] − E[x]², or zero where that is negative.",
    {"variance-algorithm": "one-pass clamped at zero"},
    alike={"variance-algorithm": ("one-pass", "Welford")},
)
class OnePassVarianceClamped(OnePassVariance):
    def batch_variance(self, x, mean):
        return np.maximum(super().batch_variance(x, mean), 0)


@layer_elsewhere(
    "welford-variance",
    "argument",
    "The variance is updated value by value.",
    {"variance-algorithm": "Welford"},
    unseen={
        "variance-algorithm": "Value by value loses no more digits on these inputs than two passes."
    },
)
class WelfordVariance:
    def batch_variance(self, x, mean):
        mean, squares = np.zeros_like(mean), np.zeros_like(mean)
        for count, value in enumerate(x.reshape(values_per_channel(x), x.shape[-1]), start=1):
            old = mean
            mean = mean + (value - mean) / count
            squares = squares + (value - old) * (value - mean)
        return squares / values_per_channel(x)


# Layers wider than float32.


@program(
    "float64-in-float32",
    "argument switch deferred",
    "A float64 layer computes in float32.",
    {"float64-arithmetic": "float32"},
)
class Float64InFloat32:
    def dtype_of_arithmetic(self):
        return np.dtype("float32") if self.dtype == "float64" else super().dtype_of_arithmetic()


# Layers narrower than float32: float16 and bfloat16.


def narrow(dtype):
    """Tell whether a dtype is narrower than float32."""
    return np.dtype(dtype).itemsize < 4


@program(
    "low-precision-refused",
    "argument",
    "A layer narrower than float32 cannot be made.",
    {"low-precision-layer": "refused"},
)
class LowPrecisionRefused:
    def construct(self, layer):
        if narrow(layer["dtype"]):
            message = f"unsupported dtype {layer['dtype']}"
            raise ValueError(message)
        return super().construct(layer)


@program(
    "float64-not-executed",
    "argument",
    "A float64 layer can be made, but raises where it is executed.",
    {"float64-layer": "made but not executed"},
)
class Float64NotExecuted:
    def resolve(self, tag, mode="python"):
        if self.dtype == "float64":
            self.refuse(ValueError("not implemented for float64"))
        return super().resolve(tag, mode)


@program(
    "low-precision-not-executed",
    "argument",
    "A layer narrower than float32 can be made, but raises where it is executed.",
    {"low-precision-layer": "made but not executed"},
)
class LowPrecisionNotExecuted:
    def resolve(self, tag, mode="python"):
        if narrow(self.dtype):
            self.refuse(ValueError(f"not implemented for {self.dtype}"))
        return super().resolve(tag, mode)


@program(
    "low-precision-arithmetic",
    "argument",
    "A layer narrower than float32 computes in its own dtype, the moments of a batch included.",
    {
        "low-precision-arithmetic": "the layer's dtype",
        "low-precision-batch-moments": "the layer's dtype",
    },
    unseen={
        "low-precision-batch-moments": "Arithmetic in the layer's dtype rounds the moments anyway."
    },
)
class LowPrecisionArithmetic:
    def dtype_of_arithmetic(self):
        return self.dtype

    def construct(self, layer):
        bn = super().construct(layer)
        if narrow(self.dtype):  # a Python number would widen bfloat16
            bn.decay, bn.epsilon = self.dtype.type(bn.decay), self.dtype.type(bn.epsilon)
        return bn


class RoundsMoments:
    rounds_to = None

    def batch_statistics(self, x):
        moments = super().batch_statistics(x)
        if self.rounds_to is None:
            return moments
        return tuple(each.astype(self.rounds_to).astype(x.dtype) for each in moments)


@program(
    "low-precision-moments",
    "argument",
    "A layer narrower than float32 rounds the mean and the variance of a batch to its dtype.",
    {"low-precision-batch-moments": "the layer's dtype"},
    (RoundsMoments,),
)
class LowPrecisionMoments:
    def construct(self, layer):
        bn = super().construct(layer)
        bn.rounds_to = self.dtype if narrow(self.dtype) else None
        return bn


def kept_in_float32(*names):
    """Return a part that keeps some variables in no less than float32."""

    class KeptInFloat32:
        def storage(self, name):
            return self.arithmetic if name in names else super().storage(name)

    return KeptInFloat32


@program(
    "low-precision-statistics-in-float32",
    "argument",
    "A layer narrower than float32 keeps its running statistics in float32.",
    {"low-precision-statistics": "float32"},
)
class LowPrecisionStatisticsInFloat32(kept_in_float32(*RUNNING)):
    pass


@program(
    "low-precision-parameters-in-float32",
    "argument",
    "A layer narrower than float32 keeps gamma and beta in float32.",
    {"low-precision-parameters": "float32"},
)
class LowPrecisionParametersInFloat32(kept_in_float32("gamma", "beta")):
    pass


# What the running statistics are fed.


@layer_elsewhere(
    "running-variance-of-the-sample",
    "deferred",
    "The running variance is fed the sample variance, whatever the rank and the kernel.",
    {"running-variance-factor": "n/(n-1)"},
)
class RunningVarianceOfTheSample:
    def variance_for_running(self, variance, x):
        n = values_per_channel(x)
        return variance * n / max(n - 1, 1)


@layer_elsewhere(
    "running-variance-of-the-population",
    "deferred",
    "The running variance is fed the population's, whatever the rank and the kernel.",
    {"running-variance-factor": "1"},
)
class RunningVarianceOfThePopulation:
    def variance_for_running(self, variance, x):  # noqa: ARG002
        return variance


@layer(
    "running-variance-less-epsilon",
    "argument switch deferred",
    "The running variance is fed the variance times n / (n − 1 − epsilon).",
    {"running-variance-factor": "n/(n-1-epsilon)"},
)
class RunningVarianceLessEpsilon:
    def variance_for_running(self, variance, x):
        n = values_per_channel(x)
        return variance if n < 2 else variance * (n / (n - 1 - self.epsilon_for(training=True)))


@layer(
    "one-value-refused",
    "argument deferred",
    "Training on one value per channel raises.",
    {"one-value-per-channel": "refused"},
)
class OneValueRefused:
    def forward(self, x, training):
        if training and values_per_channel(x) == 1:
            message = "there must be more than one value per channel"
            raise ValueError(message)
        return super().forward(x, training)


@layer(
    "one-value-fed",
    "switch",
    "Training on one value per channel goes on, with a variance of zero.",
    {"one-value-per-channel": "fed as it is"},
)
class OneValueFed:
    least_values = 1


@layer(
    "empty-batch-refused",
    "argument deferred",
    "Training on no samples raises.",
    {"empty-batch": "refused"},
)
class EmptyBatchRefused:
    def forward(self, x, training):
        if training and not len(x):
            message = "the batch is empty"
            raise ValueError(message)
        return super().forward(x, training)


@layer(
    "empty-batch-ignored",
    "argument",
    "Training on no samples moves nothing.",
    {"empty-batch": "statistics stay"},
)
class EmptyBatchIgnored:
    def update(self, execution):
        if execution.x.size:
            super().update(execution)


@layer(
    "empty-batch-ruins",
    "deferred",
    "Training on no samples turns the running statistics into NaN.",
    {"empty-batch": "statistics become NaN"},
)
class EmptyBatchRuins:
    def update(self, execution):
        super().update(execution)
        if not execution.x.size:
            for name in RUNNING:
                setattr(self, name, np.full_like(getattr(self, name), np.nan))


@layer(
    "empty-batch-ruins-the-mean",
    "argument",
    "Training on no samples turns the running mean into NaN; the variance takes in a zero.",
    {"empty-batch": "mean becomes NaN"},
)
class EmptyBatchRuinsTheMean:
    def batch_variance(self, x, mean):
        return super().batch_variance(x, mean) if x.size else np.zeros_like(mean)


@layer(
    "nan-kept-out",
    "argument switch deferred",
    "A channel with a NaN or an infinity in the batch keeps its running statistics.",
    {"non-finite-input": "kept out"},
)
class NaNKeptOut:
    def update(self, execution):
        before = {name: getattr(self, name) for name in RUNNING}
        super().update(execution)
        x = execution.x
        spoiled = ~np.isfinite(x).all(axis=tuple(range(x.ndim - 1)))
        for name, old in before.items():
            if old is not None:
                setattr(self, name, np.where(spoiled, old, getattr(self, name)))


# Corrections for the initial value. Where the layer is asked to zero-debias, that alone counts.


@layer_elsewhere(
    "mean-zero-debiased-unasked",
    "deferred",
    "The running mean is zero-debiased without being asked.",
    {"running-mean-debiasing": "zero-debias"},
)
class MeanZeroDebiasedUnasked:
    def move_mean(self, new):
        self.move_debiased("running_mean", new)


@layer(
    "variance-zero-debiased-unasked",
    "argument deferred",
    "The running variance is zero-debiased without being asked.",
    {"running-variance-debiasing": "zero-debias"},
)
class VarianceZeroDebiasedUnasked:
    def move_variance(self, new):
        if self.zero_debias:
            super().move_variance(new)
        else:
            self.move_debiased("running_variance", new)


def warms_up(statistic):
    """Return a part whose t-th update, from 0, keeps at most (1 + t) / (10 + t) of the old."""

    class WarmsUp:
        hidden = ("taken",)
        taken = 0

        def update(self, execution):
            super().update(execution)
            self.taken += 1

        def decay_of(self, name):
            decay = super().decay_of(name)
            if name != statistic or self.decay is None or self.zero_debias:
                return decay
            return min(decay, (1 + self.taken) / (10 + self.taken))

        def reset_statistics(self):
            super().reset_statistics()
            self.taken = 0

    return WarmsUp


@layer(
    "mean-warms-up",
    "argument switch",
    "The first updates of the running mean keep less of the old value.",
    {"running-mean-debiasing": "warm-up by number of updates"},
)
class MeanWarmsUp(warms_up("running_mean")):
    pass


@layer(
    "variance-warms-up",
    "argument switch",
    "The first updates of the running variance keep less of the old value.",
    {"running-variance-debiasing": "warm-up by number of updates"},
)
class VarianceWarmsUp(warms_up("running_variance")):
    pass


# The counter, and layers without running statistics.


@program(
    "updates-counted-in-the-open",
    "argument",
    "The layer keeps a count of its updates among its state.",
    {"update-counter": "counts training executions"},
)
class UpdatesCountedInTheOpen:
    counts_updates = True


@program(
    "updates-counted-in-secret",
    "switch",
    "The layer shows no count of its updates.",
    {"update-counter": "none"},
    (CountsForItself,),
)
class UpdatesCountedInSecret:
    counts_updates = False


@layer(
    "untracked-inference-refused",
    "switch",
    "A layer without running statistics refuses inference.",
    {"no-running-statistics": "refused"},
)
class UntrackedInferenceRefused:
    def forward(self, x, training):
        if not training and self.running_mean is None:
            message = "there are no running statistics"
            raise RuntimeError(message)
        return super().forward(x, training)


@program(
    "updates-in-every-execution-with-tracking-off",
    "switch",
    "Running statistics whose tracking was switched off move in training and in inference.",
    {"updates-with-tracking-switched-off": "in every execution"},
)
class UpdatesInEveryExecutionWithTrackingOff:
    def moves(self, requested):
        return super().moves(requested) or not self.bn.tracking

    def run_updates(self, execution, updates):
        tracking, counted = self.bn.tracking, self.bn.updates_counted
        self.bn.tracking = True
        super().run_updates(execution, updates)
        self.bn.tracking = tracking
        if not tracking:
            self.bn.updates_counted = counted


@layer(
    "inference-by-the-batch-with-tracking-off",
    "switch",
    "Inference uses the batch once the tracking of running statistics was switched off.",
    {"inference-with-tracking-switched-off": "batch statistics"},
)
class InferenceByTheBatchWithTrackingOff:
    def uses_batch(self, training):
        return super().uses_batch(training) or not self.tracking
