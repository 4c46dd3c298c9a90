"""Faults in penalties, constraints, weight decay and initializers."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes import deferred_style, switch_style
from tests.fakes.argument_style import Program
from tests.fakes.fault import fault

FAULTS = {}
argument = partial(fault, FAULTS, "argument")
switch = partial(fault, FAULTS, "switch")
deferred = partial(fault, FAULTS, "deferred")
STATISTICS = ("running_mean", "running_variance")


# Penalties.


@argument("penalty-missing-from-the-step", "A penalty enters the loss and moves nothing.")
class PenaltyMissingFromTheStep(Program):
    def slope_of_penalty(self, name):  # noqa: ARG002
        return 0


@deferred("penalty-missing-from-the-loss", "A penalty moves its parameter; no loss tells of it.")
class PenaltyMissingFromTheLoss(deferred_style.Program):
    def penalised(self):
        return []


@deferred("penalty-doubled", "A penalty is in the loss twice.")
class PenaltyDoubled(deferred_style.Program):
    def penalty_on(self, name):
        return 2 * super().penalty_on(name)

    def slope_of_penalty(self, name):
        return 2 * super().slope_of_penalty(name)


@argument("penalty-halved", "A penalty is half the sum of squares.")
class PenaltyHalved(Program):
    def penalty_on(self, name):
        return super().penalty_on(name) / 2

    def slope_of_penalty(self, name):
        return super().slope_of_penalty(name) / 2


@argument("penalty-of-beta-ignored", "The penalty on beta is ignored.")
class PenaltyOfBetaIgnored(Program):
    def __init__(self, layer):
        super().__init__({k: v for k, v in layer.items() if k != "beta_penalty"})


@argument("penalty-averaged-over-channels", "The loss has the mean of the squares.")
class PenaltyAveragedOverChannels(Program):
    def penalty_on(self, name):
        return super().penalty_on(name) / self.layer["channels"]


@argument("penalty-in-every-gradient", "A call's gradients have the penalty's in them.")
class PenaltyInEveryGradient(Program):
    def gradients(self, execution, dy):
        seen = super().gradients(execution, dy)
        for name in self.bn.learned() if self.learns() else []:
            seen[f"d{name}"] = seen[f"d{name}"] + self.slope_of_penalty(name)
        return seen


@argument("penalty-lost-in-evaluation", "Evaluating leaves the penalties out of the loss.")
class PenaltyLostInEvaluation(Program):
    def evaluate(self, x, dy):
        seen = super().evaluate(x, dy)
        return {"loss": seen["loss"] - self.penalties()}


@argument("penalty-draws-the-running-mean", "The penalty on beta draws the running mean too.")
class PenaltyDrawsTheRunningMean(Program):
    def step(self, gradients, *rates):
        super().step(gradients, *rates)
        self.bn.running_mean = self.bn.running_mean * (1 - 0.125 * self.penalty_on("beta"))


# Constraints.


@argument("constraint-before-the-step", "Constraints are applied before each step.")
class ConstraintBeforeTheStep(Program):
    def step(self, gradients, learning_rate, weight_decay):
        self.constrain()
        self.bn.descend(self.pulled(gradients, weight_decay), learning_rate)


@argument("constraint-of-beta-ignored", "The constraint on beta is ignored.")
class ConstraintOfBetaIgnored(Program):
    def __init__(self, layer):
        super().__init__({k: v for k, v in layer.items() if k != "beta_constraint"})


@argument("constraint-of-gamma-on-beta", "The constraint on gamma is applied to beta.")
class ConstraintOfGammaOnBeta(Program):
    def __init__(self, layer):
        names = {"gamma_constraint": "beta_constraint"}
        super().__init__({names.get(name, name): value for name, value in layer.items()})


@argument("constraint-after-the-loop", "Constraints are applied once, after the training loop.")
class ConstraintAfterTheLoop(Program):
    def step(self, gradients, learning_rate, weight_decay):
        self.bn.descend(self.pulled(gradients, weight_decay), learning_rate)

    def fit(self, weight_decay=0, **arguments):
        seen = super().fit(weight_decay=weight_decay, **arguments)
        if self.learns():
            self.constrain()
        return seen


@argument("constraint-of-initial-values", "Constraints are applied to the initial values.")
class ConstraintOfInitialValues(Program):
    def build(self):
        super().build()
        self.constrain()


@argument("constraint-of-frozen-values", "A training loop constrains a frozen layer too.")
class ConstraintOfFrozenValues(Program):
    def fit(self, weight_decay=0, **arguments):
        seen = super().fit(weight_decay=weight_decay, **arguments)
        self.constrain()
        return seen


@argument("constraint-takes-absolute-values", "What is negative has its sign changed.")
class ConstraintTakesAbsoluteValues(Program):
    def projected(self, value):
        return np.abs(value)


# Weight decay, and what counts as trainable.


@switch("weight-decay-on-statistics", "Weight decay applies to the running statistics.")
class WeightDecayOnStatistics(switch_style.Program):
    def step(self, gradients, learning_rate, weight_decay):
        super().step(gradients, learning_rate, weight_decay)
        if self.bn.running_mean is not None:
            for name in STATISTICS:
                value = getattr(self.bn, name) * (1 - learning_rate * weight_decay)
                setattr(self.bn, name, value)


@argument("weight-decay-misses-beta", "Weight decay applies to gamma only.")
class WeightDecayMissesBeta(Program):
    def decayed(self, name, weight_decay):
        return super().decayed(name, weight_decay if name == "gamma" else 0)


@argument("weight-decay-without-a-rate", "Weight decay is not multiplied by the learning rate.")
class WeightDecayWithoutARate(Program):
    def step(self, gradients, learning_rate, weight_decay):
        super().step(gradients, learning_rate, weight_decay / learning_rate)


@deferred("optimiser-moves-the-running-mean", "The optimiser moves the running mean as beta.")
class OptimiserMovesTheRunningMean(deferred_style.Program):
    def step(self, gradients, learning_rate, weight_decay):
        super().step(gradients, learning_rate, weight_decay)
        if "dbeta" in gradients:
            self.bn.running_mean = self.bn.running_mean - learning_rate * gradients["dbeta"]


@argument("statistics-counted-as-trainable", "The running statistics count as trainable.")
class StatisticsCountedAsTrainable(Program):
    def observe(self):
        seen = super().observe()
        if seen and self.learns():
            seen["trainable_parameters"] = seen["trainable_parameters"] + 2
        return seen


# Initializers.


def ignoring(name):
    """Return the part of a program that ignores an initializer."""

    class Ignoring:
        def initialized(self, variable, value):
            if variable == name:
                return np.full(self.layer["channels"], value, float)
            return super().initialized(variable, value)

    return Ignoring


@argument("initializer-of-the-mean-ignored", "The initializer of the running mean is ignored.")
class InitializerOfTheMeanIgnored(ignoring("running_mean"), Program):
    pass


@deferred("initializer-of-the-variance-ignored", "The variance's initializer is ignored.")
class InitializerOfTheVarianceIgnored(ignoring("running_variance"), deferred_style.Program):
    pass


@argument("initializers-of-gamma-and-beta-swapped", "Gamma's initializer makes beta.")
class InitializersOfGammaAndBetaSwapped(Program):
    def initialized(self, name, value):
        swapped = {"gamma": "beta", "beta": "gamma"}.get(name, name)
        given = f"{swapped}_initializer" in self.layer
        return super().initialized(swapped if given else name, value)


@argument("initializers-act-again-in-fit", "A training loop starts by initializing once more.")
class InitializersActAgainInFit(Program):
    def fit(self, weight_decay=0, **arguments):
        if "gamma_initializer" in self.layer:
            for name, value in self.initial:
                setattr(self.bn, name, self.initial_value(name, value))
        return super().fit(weight_decay=weight_decay, **arguments)


@argument("initializers-undo-a-loaded-state", "A layer with initializers loads no state.")
class InitializersUndoALoadedState(Program):
    def load(self, state):
        if "gamma_initializer" not in self.layer:
            super().load(state)


@argument("initializer-draws-at-every-call", "An initializer that draws does so at every call.")
class InitializerDrawsAtEveryCall(Program):
    def run(self, x, requested, updates="documented"):
        if self.layer.get("gamma_initializer") == "uniform":
            self.bn.gamma = self.bn.gamma[::-1].copy()
        return super().run(x, requested, updates)


@deferred("initializer-draws-from-elsewhere", "The interval that is drawn from starts at -1.")
class InitializerDrawsFromElsewhere(deferred_style.Program):
    def initialized(self, name, value):
        found = super().initialized(name, value)
        return 3.5 * found - 1.875 if self.layer.get(f"{name}_initializer") == "uniform" else found
