"""Faults that only deep questions show: at zero, at the ends of a range, after long runs."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes import argument_style, deferred_style, switch_style
from tests.fakes.fault import fault, in_layer
from tests.fakes.plain_layer import PlainLayer, sum_per_channel, values_per_channel

FAULTS = {}
Program = argument_style.Program
layer = partial(in_layer, FAULTS, "argument", Program)
program = partial(fault, FAULTS, "argument")
switch_layer = partial(in_layer, FAULTS, "switch", switch_style.Program)
switch_program = partial(fault, FAULTS, "switch")
deferred_layer = partial(in_layer, FAULTS, "deferred", deferred_style.Program)

# Gradients.


@layer("dx-without-the-mean-term-on-images", "At rank 4 dx does not flow through the mean.")
class DxWithoutTheMeanTermOnImages(PlainLayer):
    def gradient_of_mean(self, dnormalised, inverse):
        return super().gradient_of_mean(dnormalised, inverse) * (dnormalised.ndim != 4)


@layer("inference-gradient-through-statistics-on-images", "At rank 4 dx in inference has too much.")
class InferenceGradientThroughStatisticsOnImages(PlainLayer):
    def flows_through_statistics(self, execution):
        return execution.by_batch or execution.x.ndim == 4


@layer("normalised-values-from-the-output", "The backward pass gets x̂ back from the output.")
class NormalisedValuesFromTheOutput(PlainLayer):
    def gradient_of_gamma(self, normalised, x, dy):
        if self.gamma is None or self.beta is None:
            return super().gradient_of_gamma(normalised, x, dy)
        output = normalised * self.gamma + self.beta
        return sum_per_channel(dy * ((output - self.beta) / self.gamma))


@layer("dgamma-is-zero-where-gamma-is", "A channel whose gamma is zero never learns it.")
class DgammaIsZeroWhereGammaIs(PlainLayer):
    def gradient_of_gamma(self, normalised, x, dy):
        return super().gradient_of_gamma(normalised, x, dy) * (self.gamma != 0)


@layer("dgamma-averaged-over-positions", "At rank 4 dgamma is averaged over the positions.")
class DgammaAveragedOverPositions(PlainLayer):
    def gradient_of_gamma(self, normalised, x, dy):
        positions = values_per_channel(x) / max(len(x), 1) if x.ndim == 4 else 1
        return super().gradient_of_gamma(normalised, x, dy) / positions


@layer("dx-forgets-a-gamma-without-beta", "Without beta, dx is not multiplied by gamma.")
class DxForgetsAGammaWithoutBeta(PlainLayer):
    def gradient_of_x(self, execution, dy):
        gamma = self.gamma
        if self.beta is None:
            self.gamma = None
        dx = super().gradient_of_x(execution, dy)
        self.gamma = gamma
        return dx


@layer("constant-channel-divided-by-one", "Where the variance is zero, the deviation counts as 1.")
class ConstantChannelDividedByOne(PlainLayer):
    def deviation(self, variance, epsilon):
        return np.where(variance == 0, 1, super().deviation(variance, epsilon))


@layer("gradient-of-the-batch-before", "The gradient of gamma uses the x̂ of the batch before.")
class GradientOfTheBatchBefore(PlainLayer):
    before = None

    def gradient_of_gamma(self, normalised, x, dy):
        last, self.before = self.before, normalised
        same = last is not None and last.shape == normalised.shape
        return super().gradient_of_gamma(last if same else normalised, x, dy)


@program("shared-layer-keeps-the-last-gradient", "Used twice, gamma and beta get one gradient.")
class SharedLayerKeepsTheLastGradient(Program):
    def added_up(self, one, other):
        return {**super().added_up(one, other), **{k: v for k, v in other.items() if k != "dx"}}


@program("shared-layer-averages-the-gradients", "Used twice, gamma gets the mean of two gradients.")
class SharedLayerAveragesTheGradients(Program):
    def added_up(self, one, other):
        found = super().added_up(one, other)
        return {**found, "dgamma": found["dgamma"] / 2} if "dgamma" in found else found


@switch_program("shared-layer-exchanges-dx", "Used twice, each input gets the other's gradient.")
class SharedLayerExchangesDx(switch_style.Program):
    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        seen = super().call_twice(first, second, training, form, first_dy, second_dy)
        if "dx" in seen and seen["dx"].shape == seen["dx_of_second"].shape:
            seen["dx"], seen["dx_of_second"] = seen["dx_of_second"], seen["dx"]
        return seen


class FrozenStopsDx:
    """Freezing the layer detaches its output from its input."""

    def gradients(self, execution, dy):
        seen = super().gradients(execution, dy)
        return seen if self.trainable else {**seen, "dx": 0 * seen["dx"]}


@program("frozen-layer-stops-dx", "Nothing flows back through a frozen layer.")
class FrozenLayerStopsDx(FrozenStopsDx, Program):
    pass


@switch_program("frozen-parameters-stop-dx", "Nothing flows back past frozen parameters.")
class FrozenParametersStopDx(FrozenStopsDx, switch_style.Program):
    pass


@switch_layer("untracked-inference-holds-statistics", "In inference the batch's are constants.")
class UntrackedInferenceHoldsStatistics(switch_style.Layer):
    def flows_through_statistics(self, execution):
        return execution.training


@switch_layer(
    "evaluation-gradient-of-images-like-training", "eval() on images leaves dx as it was."
)
class EvaluationGradientOfImagesLikeTraining(switch_style.Layer):
    def flows_through_statistics(self, execution):
        return execution.by_batch or execution.x.ndim == 4


@layer("dx-without-parameters-is-dy", "Without gamma and beta, dx in inference is dy itself.")
class DxWithoutParametersIsDy(PlainLayer):
    def gradient_of_x(self, execution, dy):
        if self.gamma is None and self.beta is None and not execution.by_batch:
            return dy
        return super().gradient_of_x(execution, dy)


# Batches that barely are ones.


@switch_layer(
    "one-value-checked-in-training-only", "Without statistics, one value is inferred from."
)
class OneValueCheckedInTrainingOnly(switch_style.Layer):
    def forward(self, x, training):
        self.least_values = 2 if training else 0
        return super().forward(x, training)


@layer("empty-batch-refused-in-inference", "Inference on no samples raises.")
class EmptyBatchRefusedInInference(PlainLayer):
    def forward(self, x, training):
        if not training and not len(x):
            message = "the batch is empty"
            raise ValueError(message)
        return super().forward(x, training)


@deferred_layer("one-value-divides-by-zero", "The factor of the running variance is 1/0 for n = 1.")
class OneValueDividesByZero(deferred_style.Layer):
    def variance_for_running(self, variance, x):
        if values_per_channel(x) != 1:
            return super().variance_for_running(variance, x)
        return variance * np.float32(np.inf)


@layer("one-image-by-running-statistics", "A single image is normalised as in inference.")
class OneImageByRunningStatistics(PlainLayer):
    def training_statistics(self, x):
        if x.ndim == 4 and len(x) == 1:
            return self.inference_statistics(x)
        return super().training_statistics(x)


@layer("empty-batch-counts-as-zeros", "No samples are taken for one sample of zeros.")
class EmptyBatchCountsAsZeros(PlainLayer):
    def update(self, execution):
        if execution.x.size:
            super().update(execution)
            return
        self.move_mean(0 * self.running_mean)
        self.move_variance(0 * self.running_variance)


@deferred_layer("empty-batch-resets-the-statistics", "No samples put the statistics back.")
class EmptyBatchResetsTheStatistics(deferred_style.Layer):
    def update(self, execution):
        if not execution.x.size:
            self.running_mean = 0 * self.running_mean
            self.running_variance = 0 * self.running_variance + 1
        super().update(execution)


@layer("empty-images-ignored", "No images move nothing, although no samples do at rank 2.")
class EmptyImagesIgnored(PlainLayer):
    def update(self, execution):
        if execution.x.size or execution.x.ndim != 4:
            super().update(execution)


@layer("single-channel-not-normalised", "A layer of one channel passes its input on.")
class SingleChannelNotNormalised(PlainLayer):
    def training_statistics(self, x):
        mean, variance = super().training_statistics(x)
        return (0 * mean, 0 * variance + 1) if x.shape[-1] == 1 else (mean, variance)


# What is not finite.


@layer("nan-reaches-every-channel", "One NaN in a batch turns the mean of every channel into NaN.")
class NanReachesEveryChannel(PlainLayer):
    def batch_mean(self, x):
        mean = super().batch_mean(x)
        return mean + np.nan * np.isnan(x).any() if np.isnan(x).any() else mean


@layer("nan-in-dy-becomes-zero", "A NaN that arrives at the output counts as no gradient.")
class NanInDyBecomesZero(PlainLayer):
    def gradients(self, execution, dy):
        return super().gradients(execution, np.nan_to_num(dy))


@layer("infinity-becomes-the-largest-number", "An infinity in the input is cut to the largest.")
class InfinityBecomesTheLargestNumber(PlainLayer):
    def forward(self, x, training):
        most = np.finfo(x.dtype).max / 64
        return super().forward(np.where(np.isinf(x), np.sign(x) * most, x), training)


@layer("nan-in-inference-becomes-zero", "Inference puts out zero for a NaN.")
class NanInInferenceBecomesZero(PlainLayer):
    def forward(self, x, training):
        return super().forward(x if training else np.where(np.isnan(x), 0, x), training)


@layer("nan-in-gamma-counts-as-one", "A gamma that is NaN leaves its channel unscaled.")
class NanInGammaCountsAsOne(PlainLayer):
    def scale_and_shift(self, normalised):
        if self.gamma is not None:
            self.gamma = np.where(np.isnan(self.gamma), 1, self.gamma).astype(normalised.dtype)
        return super().scale_and_shift(normalised)


@layer("nan-statistics-start-again", "A running variance that is NaN is replaced by the batch's.")
class NanStatisticsStartAgain(PlainLayer):
    def update_running(self, old, new, decay):
        return np.where(np.isnan(old), new, super().update_running(old, new, decay))


# Magnitudes.


@layer("variance-at-least-1e-12", "A batch variance below 1e-12 is raised to it.")
class VarianceAtLeast(PlainLayer):
    def batch_variance(self, x, mean):
        return np.maximum(super().batch_variance(x, mean), np.asarray(1e-12, x.dtype))


@layer("values-cut-at-a-million-million", "Values beyond ±1e12 are cut before they are used.")
class ValuesCut(PlainLayer):
    def forward(self, x, training):
        return super().forward(np.where(np.isfinite(x), np.clip(x, -1e12, 1e12), x), training)


@layer("squares-in-half-precision-on-images", "At rank 4 squared deviations are kept in float16.")
class SquaresInHalfPrecisionOnImages(PlainLayer):
    def batch_variance(self, x, mean):
        if x.ndim != 4:
            return super().batch_variance(x, mean)
        squares = ((x - mean) ** 2).astype("float16").astype(x.dtype)
        return sum_per_channel(squares) / values_per_channel(x)


@layer("running-variance-takes-in-epsilon", "The running variance is fed variance + epsilon.")
class RunningVarianceTakesInEpsilon(PlainLayer):
    def variance_for_running(self, variance, x):
        return super().variance_for_running(variance, x) + self.epsilon


# Momentum and epsilon at the ends of their ranges.


@layer("momentum-adds-to-one", "The batch is weighed by one plus momentum.")
class MomentumAddsToOne(PlainLayer):
    def update_running(self, old, new, decay):
        return old * decay + new * (1 + decay)


@layer("average-divided-by-one-minus-momentum", "The update is divided by one minus momentum.")
class AverageDividedByOneMinusMomentum(PlainLayer):
    def update_running(self, old, new, decay):
        with np.errstate(all="ignore"):
            return super().update_running(old, new, decay) / np.asarray(1 - decay, old.dtype)


@layer("mean-replaced", "Momentum applies to the variance only; the mean is the last batch's.")
class MeanReplaced(PlainLayer):
    def move_mean(self, new):
        self.running_mean = new


@layer("negative-momentum-counts-as-none", "A momentum below zero counts as zero.")
class NegativeMomentumCountsAsNone(PlainLayer):
    def decay_now(self):
        return max(super().decay_now(), 0.0)


@layer("momentum-above-one-is-a-percentage", "A momentum above one is divided by a hundred.")
class MomentumAboveOneIsAPercentage(PlainLayer):
    def decay_now(self):
        decay = super().decay_now()
        return decay / 100 if decay > 1 else decay


@layer("epsilon-at-most-one", "An epsilon above one is cut to one.")
class EpsilonAtMostOne(PlainLayer):
    def epsilon_for(self, training):
        return min(super().epsilon_for(training), 1.0)


@layer("epsilon-without-its-sign", "A negative epsilon is used without its sign.")
class EpsilonWithoutItsSign(PlainLayer):
    def epsilon_for(self, training):
        return abs(super().epsilon_for(training))


@program("epsilon-of-zero-is-the-default", "epsilon=0 is falsy and becomes the default.")
class EpsilonOfZeroIsTheDefault(Program):
    def construct(self, layer):
        epsilon = layer.get("epsilon") or self.default_epsilon
        return super().construct({**layer, "epsilon": epsilon})


# Long runs.


@switch_layer("cumulative-average-of-a-thousand", "The cumulative average counts to 1000 at most.")
class CumulativeAverageOfAThousand(switch_style.Layer):
    def decay_now(self):
        return (
            super().decay_now()
            if self.decay is not None
            else 1 - 1 / min(self.updates_counted, 1000)
        )


@switch_layer("counter-of-twelve-bits", "The counter of updates goes on from zero after 4095.")
class CounterOfTwelveBits(switch_style.Layer):
    def count_update(self):
        super().count_update()
        if self.updates_counted is not None:
            self.updates_counted %= 4096
            self.updates_counted = max(self.updates_counted, 1)


@layer("average-rests-after-a-thousand-updates", "The running statistics stop after 1000 updates.")
class AverageRestsAfterAThousandUpdates(PlainLayer):
    made = 0

    def update(self, execution):
        self.made += 1
        if self.made <= 1000:
            super().update(execution)


LONG = frozenset(
    {
        "cumulative-average-of-a-thousand",
        "counter-of-twelve-bits",
        "average-rests-after-a-thousand-updates",
    }
)
"""The faults that thousands of updates alone show."""
