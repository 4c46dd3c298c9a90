"""Faults in a layer's arithmetic: statistics, normalisation and gradients."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes.argument_style import Program
from tests.fakes.fault import fault, in_layer
from tests.fakes.plain_layer import PlainLayer, sum_per_channel, values_per_channel

FAULTS = {}
layer = partial(in_layer, FAULTS, "argument", Program)
program = partial(fault, FAULTS, "argument")


@layer("momentum-swapped", "Momentum weighs the new value instead of the old one.")
class MomentumSwapped(PlainLayer):
    def update_running(self, old, new, decay):
        return old * (1 - decay) + new * decay


@layer("sample-variance-in-the-output", "The training output divides by the sample variance.")
class SampleVarianceInTheOutput(PlainLayer):
    def training_statistics(self, x):
        mean, variance = super().training_statistics(x)
        n = values_per_channel(x)
        return mean, variance * n / max(n - 1, 1)


@layer("sample-variance-in-the-average", "The running variance is fed the sample variance.")
class SampleVarianceInTheAverage(PlainLayer):
    def variance_for_running(self, variance, x):
        n = values_per_channel(x)
        return variance if self.counting is not None else variance * n / max(n - 1, 1)


@layer("epsilon-outside-the-root", "Epsilon is added to the standard deviation.")
class EpsilonOutsideTheRoot(PlainLayer):
    def normalise(self, x, mean, variance, epsilon):
        return (x - mean) / (np.sqrt(variance) + epsilon)


@layer("epsilon-omitted-in-inference", "Inference does not add epsilon.")
class EpsilonOmittedInInference(PlainLayer):
    def epsilon_for(self, training):
        return self.epsilon if training else 0.0


@layer("epsilon-twice-in-inference", "Inference adds epsilon twice.")
class EpsilonTwiceInInference(PlainLayer):
    def epsilon_for(self, training):
        return self.epsilon if training else 2 * self.epsilon


@layer("epsilon-floored", "Epsilon is at least 1.001e-5, whatever the user wrote.")
class EpsilonFloored(PlainLayer):
    def epsilon_for(self, training):  # noqa: ARG002
        return max(self.epsilon, 1.001e-5)


@layer("update-one-step-late", "Each update uses the batch of the execution before.")
class UpdateOneStepLate(PlainLayer):
    waiting = None

    def update(self, execution):
        if self.waiting is not None:
            super().update(self.waiting)
        self.waiting = execution


@layer("gamma-and-beta-exchanged", "The output is scaled by beta and shifted by gamma.")
class GammaAndBetaExchanged(PlainLayer):
    def scale_and_shift(self, normalised):
        if self.gamma is None or self.beta is None:
            return super().scale_and_shift(normalised)
        return normalised * self.beta + self.gamma


@layer("statistics-per-sample", "At rank 4 each sample is normalised by its own statistics.")
class StatisticsPerSample(PlainLayer):
    def training_statistics(self, x):
        if x.ndim != 4:
            return super().training_statistics(x)
        return x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)


@layer("statistics-per-position", "At rank 4 the statistics are taken over the samples only.")
class StatisticsPerPosition(PlainLayer):
    def training_statistics(self, x):
        if x.ndim != 4 or not x.size:
            return super().training_statistics(x)
        return x.mean(axis=0), x.var(axis=0)


@layer("mean-divides-by-samples-only", "At rank 3 sums are divided by the number of samples.")
class MeanDividesBySamplesOnly(PlainLayer):
    def batch_mean(self, x):
        return sum_per_channel(x) / len(x) if x.ndim == 3 else super().batch_mean(x)


@layer("running-variance-fed-from-the-output", "The running variance averages the output's.")
class RunningVarianceFedFromTheOutput(PlainLayer):
    def update(self, execution):
        output = execution.output
        self.move_mean(self.batch_mean(execution.x))
        self.move_variance(self.batch_variance(output, self.batch_mean(output)))


@layer("nothing-updated", "Training moves no running statistic.")
class NothingUpdated(PlainLayer):
    def update(self, execution):
        pass


@layer("only-the-mean-updated", "Training leaves the running variance where it is.")
class OnlyTheMeanUpdated(PlainLayer):
    def move_variance(self, new):
        pass


@layer("only-the-variance-updated", "Training leaves the running mean where it is.")
class OnlyTheVarianceUpdated(PlainLayer):
    def move_mean(self, new):
        pass


@layer("variance-replaced", "The running variance is replaced by the batch's, not averaged.")
class VarianceReplaced(PlainLayer):
    def move_variance(self, new):
        self.running_variance = new


@layer("training-output-uses-running-statistics", "Training normalises with the average so far.")
class TrainingOutputUsesRunningStatistics(PlainLayer):
    def training_statistics(self, x):
        return self.inference_statistics(x)


@layer("inference-output-uses-batch-statistics", "Inference normalises with the batch.")
class InferenceOutputUsesBatchStatistics(PlainLayer):
    def inference_statistics(self, x):
        return self.training_statistics(x)


@layer("dx-without-the-mean-term", "The gradient does not flow through the batch mean.")
class DxWithoutTheMeanTerm(PlainLayer):
    def gradient_of_mean(self, dnormalised, inverse):
        return 0 * super().gradient_of_mean(dnormalised, inverse)


@layer("dx-without-the-variance-term", "The gradient does not flow through the batch variance.")
class DxWithoutTheVarianceTerm(PlainLayer):
    def gradient_of_variance(self, dnormalised, centred, slope):
        return 0 * super().gradient_of_variance(dnormalised, centred, slope)


@layer("training-gradient-holds-statistics", "The batch statistics count as constants.")
class TrainingGradientHoldsStatistics(PlainLayer):
    def flows_through_statistics(self, execution):  # noqa: ARG002
        return False


@layer("inference-gradient-through-statistics", "In inference dx has the terms of training.")
class InferenceGradientThroughStatistics(PlainLayer):
    def flows_through_statistics(self, execution):  # noqa: ARG002
        return True


@layer("dgamma-from-x", "The gradient of gamma multiplies by x instead of x̂.")
class DgammaFromX(PlainLayer):
    def gradient_of_gamma(self, normalised, x, dy):  # noqa: ARG002
        return sum_per_channel(dy * x)


@layer("dbeta-is-a-mean", "The gradient of beta is averaged over the values, not summed.")
class DbetaIsAMean(PlainLayer):
    def gradient_of_beta(self, dy):
        return sum_per_channel(dy) / values_per_channel(dy)


@layer("running-mean-in-half-precision", "The running mean is kept in float16.")
class RunningMeanInHalfPrecision(PlainLayer):
    def move_mean(self, new):
        super().move_mean(new)
        self.running_mean = self.running_mean.astype("float16").astype(new.dtype)


@layer("zero-debias-of-the-variance-too", "Zero-debiasing corrects the running variance too.")
class ZeroDebiasOfTheVarianceToo(PlainLayer):
    def move_variance(self, new):
        move = self.move_debiased if self.zero_debias else self.move
        move("running_variance", new)


@layer("zero-debias-ignored", "The argument that asks for zero-debiasing does nothing.")
class ZeroDebiasIgnored(PlainLayer):
    def move_mean(self, new):
        self.move("running_mean", new)


@layer("zero-debias-unasked", "The running mean is zero-debiased without being asked.")
class ZeroDebiasUnasked(PlainLayer):
    def move_mean(self, new):
        self.move_debiased("running_mean", new)


@program("default-momentum-off-by-a-hundredth", "The default momentum is 0.98, not 0.99.")
class DefaultMomentumOffByAHundredth(Program):
    default_decay = 0.98


@program("default-epsilon-of-another-framework", "The default epsilon is 1e-5, not 1e-3.")
class DefaultEpsilonOfAnotherFramework(Program):
    default_epsilon = 1e-5


@program("initial-running-variance-zero", "The running variance starts at 0.")
class InitialRunningVarianceZero(Program):
    initial = (*Program.initial[:3], ("running_variance", 0))


@program("initial-gamma-zero", "Gamma starts at 0.")
class InitialGammaZero(Program):
    initial = (("gamma", 0), *Program.initial[1:])


@program("float64-refused", "A layer of dtype float64 cannot be made.")
class Float64Refused(Program):
    def construct(self, layer):
        if layer["dtype"] == "float64":
            message = "unsupported dtype float64"
            raise ValueError(message)
        return super().construct(layer)


@program("scale-false-ignored", "The layer keeps its gamma although scale=False.")
class ScaleFalseIgnored(Program):
    def scales(self):
        return True


@program("center-false-ignored", "The layer keeps its beta although center=False.")
class CenterFalseIgnored(Program):
    def centres(self):
        return True


@program("momentum-zero-is-default", "momentum=0 is falsy and becomes the default.")
class MomentumZeroIsDefault(Program):
    def momentum(self, default):
        return super().momentum(default) or self.default_decay


@program("momentum-one-refused", "momentum=1 raises, although it is a legal weight.")
class MomentumOneRefused(Program):
    def momentum(self, default):
        momentum = super().momentum(default)
        if momentum == 1:
            message = "momentum must be less than 1"
            raise ValueError(message)
        return momentum


@program("momentum-none-accepted", "momentum=None is taken for the default.")
class MomentumNoneAccepted(Program):
    def momentum(self, default):
        given = self.layer.get("momentum_argument", default)
        return self.default_decay if given is None else given
