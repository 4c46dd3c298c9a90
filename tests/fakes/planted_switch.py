"""Faults in the modes, counters and statistics of the switch style."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes.fault import fault, in_layer
from tests.fakes.switch_style import Layer, Program

FAULTS = {}
layer = partial(in_layer, FAULTS, "switch", Program)
program = partial(fault, FAULTS, "switch")


@layer("variance-factor-counts-samples-only", "At rank 4 the variance factor uses the batch size.")
class VarianceFactorCountsSamplesOnly(Layer):
    def variance_for_running(self, variance, x):
        if x.ndim != 4:
            return super().variance_for_running(variance, x)
        return variance * len(x) / max(len(x) - 1, 1)


@layer("population-variance-in-the-average", "The running variance is fed the population's.")
class PopulationVarianceInTheAverage(Layer):
    def variance_for_running(self, variance, x):
        return super().variance_for_running(variance, x) if self.counting is not None else variance


@layer("counter-not-incremented", "Executions in training are not counted.")
class CounterNotIncremented(Layer):
    def count_update(self):
        pass

    def decay_now(self):
        return 0 if self.decay is None else self.decay


@layer("reset-keeps-the-counter", "Resetting the statistics does not reset their counter.")
class ResetKeepsTheCounter(Layer):
    def reset_statistics(self):
        counted = self.updates_counted
        super().reset_statistics()
        self.updates_counted = counted


@layer("reset-puts-the-mean-to-one", "Resetting the statistics puts the running mean to 1.")
class ResetPutsTheMeanToOne(Layer):
    def reset_statistics(self):
        super().reset_statistics()
        if self.running_mean is not None:
            self.running_mean = np.ones_like(self.running_mean)


@layer("reset-forgets-the-variance", "Resetting the statistics leaves the running variance.")
class ResetForgetsTheVariance(Layer):
    def reset_statistics(self):
        variance = self.running_variance
        super().reset_statistics()
        self.running_variance = variance


@layer("cumulative-average-off-by-one", "The cumulative average counts one batch too many.")
class CumulativeAverageOffByOne(Layer):
    def decay_now(self):
        return 1 - 1 / (self.updates_counted + 1) if self.decay is None else self.decay


@layer(
    "untracked-layer-uses-zero-and-one",
    "Without statistics inference assumes mean 0 and variance 1.",
)
class UntrackedLayerUsesZeroAndOne(Layer):
    def uses_batch(self, training):
        return training

    def inference_statistics(self, x):
        if self.running_mean is not None:
            return super().inference_statistics(x)
        return np.zeros(x.shape[-1:], x.dtype), np.ones(x.shape[-1:], x.dtype)


@program("tracking-cannot-be-switched-off", "track_running_stats=False is ignored.")
class TrackingCannotBeSwitchedOff(Program):
    def __init__(self, layer):
        wanted = {k: v for k, v in layer.items() if k != "track_running_statistics"}
        super().__init__(wanted)


@program("momentum-weighs-the-old-value", "The momentum argument is the weight of the old value.")
class MomentumWeighsTheOldValue(Program):
    def decay(self):
        decay = super().decay()
        written = "momentum_argument" in self.layer and decay is not None
        return 1 - decay if written else decay


@program("momentum-none-is-default", "momentum=None is taken for the default.")
class MomentumNoneIsDefault(Program):
    def momentum(self, default):
        given = super().momentum(default)
        return 1 - self.default_decay if given is None else given


@program("momentum-none-refused", "momentum=None raises instead of asking for the average.")
class MomentumNoneRefused(Program):
    def momentum(self, default):
        given = super().momentum(default)
        if given is None:
            message = "momentum must be a number"
            raise TypeError(message)
        return given


@program("train-does-not-restore", "train() after eval() leaves the layer in evaluation.")
class TrainDoesNotRestore(Program):
    def train_mode(self, target):
        pass


@program("eval-of-the-model-misses-the-layer", "The model's eval() never reaches the layer.")
class EvalOfTheModelMissesTheLayer(Program):
    def eval_mode(self, target):
        if target == "layer":
            super().eval_mode(target)


@program("eval-freezes-the-parameters", "eval() on the layer also freezes gamma and beta.")
class EvalFreezesTheParameters(Program):
    def eval_mode(self, target):
        super().eval_mode(target)
        if target == "layer":
            self.trainable = False


@program("starts-in-evaluation", "A fresh layer is in evaluation mode.")
class StartsInEvaluation(Program):
    starts_training = False


@program("evaluate-does-not-switch", "Evaluating leaves the model in training mode.")
class EvaluateDoesNotSwitch(Program):
    def mode_of_evaluation(self):
        return self.training


@program("fit-does-not-switch", "The training loop leaves a model in evaluation mode.")
class FitDoesNotSwitch(Program):
    def mode_of_fit(self):
        return self.training


@program("integers-accepted", "training=0 and training=1 are accepted as False and True.")
class IntegersAccepted(Program):
    def train(self, mode):
        super().train(bool(mode) if isinstance(mode, int) else mode)


@program("freezing-stops-statistics", "Freezing gamma and beta also stops the statistics.")
class FreezingStopsStatistics(Program):
    def moves(self, requested):
        return requested and self.trainable


@program("freezing-forces-evaluation", "Freezing gamma and beta also normalises as in evaluation.")
class FreezingForcesEvaluation(Program):
    def trains(self, requested):
        return requested and self.trainable


@program("default-channels-last", "The channels are looked for on the last axis by default.")
class DefaultChannelsLast(Program):
    default_channel_axis = -1


@program("float64-rounded-to-float32", "A float64 layer keeps its statistics in float32.")
class Float64RoundedToFloat32(Program):
    def run(self, x, requested, updates="documented"):
        execution = super().run(x, requested, updates)
        if self.bn.running_mean is not None:
            for name in ("running_mean", "running_variance"):
                rounded = getattr(self.bn, name).astype("float32").astype(self.dtype)
                setattr(self.bn, name, rounded)
        return execution


@program("tracking-off-still-counts", "What is not tracked any more is counted all the same.")
class TrackingOffStillCounts(Program):
    def moves(self, requested):
        if super().moves(requested) and not self.bn.tracking:
            self.bn.updates_counted += 1
        return super().moves(requested)


@program("tracking-off-resets-the-statistics", "Switching tracking off puts the statistics back.")
class TrackingOffResetsTheStatistics(Program):
    def set_tracking(self, value):
        super().set_tracking(value)
        if not value:
            counted = self.bn.updates_counted
            self.bn.reset_statistics()
            self.bn.updates_counted = counted


@program("tracking-stays-off", "Tracking that was switched off cannot be switched on again.")
class TrackingStaysOff(Program):
    def set_tracking(self, value):
        super().set_tracking(value and self.bn.tracking)


@layer("tracking-off-is-evaluation", "Training uses the running statistics with tracking off.")
class TrackingOffIsEvaluation(Layer):
    def uses_batch(self, training):
        return super().uses_batch(training) and self.tracking
