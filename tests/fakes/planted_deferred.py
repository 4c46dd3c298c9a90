"""Faults in the update operations and modes of the deferred style."""

from __future__ import annotations

from functools import partial

from tests.fakes.deferred_style import Layer, Program
from tests.fakes.fault import fault, in_layer

FAULTS = {}
layer = partial(in_layer, FAULTS, "deferred", Program)
program = partial(fault, FAULTS, "deferred")


@program("updates-run-within-the-call", "Updates happen in the call, whatever the user runs.")
class UpdatesRunWithinTheCall(Program):
    def runs(self, updates):  # noqa: ARG002
        return 1


@program("forgotten-updates-happen", "Updates happen although their operations are not run.")
class ForgottenUpdatesHappen(Program):
    def runs(self, updates):
        return max(1, super().runs(updates))


@program("documented-updates-lost", "Running the update operations does nothing.")
class DocumentedUpdatesLost(Program):
    def runs(self, updates):
        return super().runs("forgotten" if updates == "documented" else updates)


@program("twice-runs-once", "Running the update operations twice updates once.")
class TwiceRunsOnce(Program):
    def runs(self, updates):
        return min(1, super().runs(updates))


@program("updates-in-place-ignored", "updates_collections=None still defers the updates.")
class UpdatesInPlaceIgnored(Program):
    def __init__(self, layer):
        super().__init__({k: v for k, v in layer.items() if k != "updates_in_place"})


@program("is-true-test-honoured", "A tensor that holds True passes an `is True` test.")
class IsTrueTestHonoured(Program):
    def resolve(self, tag, mode="python"):
        return super().resolve(tag, "fed" if mode == "is-true-test" else mode)


@program("fed-mode-read-once", "The fed mode is read when the graph is made, and kept.")
class FedModeReadOnce(Program):
    graph = None

    def resolve(self, tag, mode="python"):
        requested = super().resolve(tag, mode)
        if mode != "fed":
            return requested
        if self.graph is None:
            self.graph = requested
        return self.graph


@program("model-function-without-mode-follows", "A model without is_training learns the mode.")
class ModelFunctionWithoutModeFollows(Program):
    def enclose(self, training, form):
        super().enclose(training, "functional" if form == "without-training" else form)


@program("bare-call-infers", "A call that does not say the mode is inference.")
class BareCallInfers(Program):
    meanings = {**Program.meanings, "absent": False}  # noqa: RUF012


@program("gamma-by-default", "The layer has a gamma although scale was not asked for.")
class GammaByDefault(Program):
    default_scale = True


@program("default-decay-of-another-framework", "The default decay is 0.99, not 0.999.")
class DefaultDecayOfAnotherFramework(Program):
    default_decay = 0.99


@program("frozen-layer-infers", "trainable=False also normalises with the running statistics.")
class FrozenLayerInfers(Program):
    def trains(self, requested):
        return requested and self.trainable


@program("frozen-layer-stops-statistics", "trainable=False also stops the running statistics.")
class FrozenLayerStopsStatistics(Program):
    def moves(self, requested):
        return requested and self.trainable


@layer("fused-false-ignored", "The running variance is fed the sample variance without fusion.")
class FusedFalseIgnored(Layer):
    @property
    def fused(self):
        return True

    @fused.setter
    def fused(self, value):
        pass


@layer("fused-at-rank-four-only", "At rank 2 the running variance is fed the population's.")
class FusedAtRankFourOnly(Layer):
    def variance_for_running(self, variance, x):
        return variance if x.ndim == 2 else super().variance_for_running(variance, x)
