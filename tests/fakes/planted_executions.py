"""What goes wrong where a layer is recomputed, traced, exported or folded, not executed as it is.

As in `planted_values`, every class is a part that can be put before a clean style and other parts.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from adapters.answers import framework_call
from tests.fakes.departure import Departures
from tests.fakes.fault import CLEAN, fault
from tests.fakes.planted_habits import KnowsOfABackwardPass

DEPARTURES = Departures()
program = partial(DEPARTURES.program, planted=True)
FAULTS = {}


# Recomputed, as by activation checkpointing.


@program(
    "recomputation-updates-again",
    "argument switch",
    "The backward pass executes the layer again, and that updates the running statistics again.",
    {"update-timing": "within the call and again in the backward pass"},
)
class RecomputationUpdatesAgain(KnowsOfABackwardPass):
    in_loop = False

    def train_on(self, *arguments):
        self.in_loop = True
        loss = super().train_on(*arguments)
        self.in_loop = False
        return loss

    def run_updates(self, execution, updates):
        super().run_updates(execution, updates)
        reached = self.learns_from(execution) or not self.in_loop
        if self.differentiated and reached:
            super().run_updates(execution, updates)


@program(
    "recomputation-refuses-second-order",
    "argument switch",
    "What executes the layer again for its gradients cannot be differentiated once more.",
    {"second-order-gradient": "refused"},
)
class RecomputationRefusesSecondOrder:
    def call(self, **arguments):
        if arguments["dx_weights"] is not None:
            self.refuse(NotImplementedError("the gradient of a recomputed layer has no gradient"))
        return super().call(**arguments)


def planted(styles, name, sentence):
    """Return a decorator that plants a part of a program before each of these styles."""

    def plant(part):
        for style in styles.split():
            made = type(part.__name__, (part, CLEAN[style].Program), {})
            full = name if style == styles else f"{name}-{style}"
            fault(FAULTS, style, full, sentence)(made)
        return part

    return plant


@planted(
    "argument switch",
    "recomputation-updates-once-more-by-the-output",
    "The recomputation for the gradients updates the running statistics by the output.",
)
class RecomputationUpdatesByTheOutput(KnowsOfABackwardPass):
    def run_updates(self, execution, updates):
        super().run_updates(execution, updates)
        if self.differentiated:
            super().run_updates(replace(execution, x=execution.output), updates)


@planted(
    "argument switch",
    "recomputed-in-inference",
    "The gradients are those of the layer recomputed in inference, whatever mode it ran in.",
)
class RecomputedInInference:
    def backward(self, execution, dy):
        if execution.training and self.bn.running_mean is not None:
            with framework_call():
                execution = self.bn.forward(execution.x, training=False)
        return super().backward(execution, dy)


# Traced once and executed as traced.


@program(
    "freezing-counts-when-traced",
    "argument",
    "A call finds the layer as frozen as it was when such a call was first traced.",
    {"trainable-read-by-call": "when such a call was first traced"},
)
class FreezingCountsWhenTraced:
    called = None

    @contextmanager
    def as_traced(self, *call):
        if not hasattr(self, "traced"):
            self.traced = {}
        self.called = self.traced.setdefault((*call, hasattr(self, "form")), self.trainable)
        yield
        self.called = None

    def trains(self, requested):
        if self.called is None:
            return super().trains(requested)
        said, self.trainable = self.trainable, self.called
        found = super().trains(requested)
        self.trainable = said
        return found

    def call(self, **arguments):
        with self.as_traced(arguments["training"], arguments["mode"], arguments["x"].shape):
            return super().call(**arguments)

    def restore(self, how, *arguments, **named):
        super().restore(how, *arguments, **named)
        if how not in {"copy", "file"}:
            self.traced = {}

    def call_twice(self, first, second, training, form):
        with self.as_traced(training, "python", first.shape, second.shape):
            return super().call_twice(first, second, training, form)


@planted(
    "argument switch deferred",
    "trace-loses-the-update",
    "A traced call does not update, since nothing returns what the update would become.",
)
class TraceLosesTheUpdate:
    def call(self, **arguments):
        self.traced = True
        seen = super().call(**arguments)
        self.traced = False
        return seen

    def run_updates(self, execution, updates):
        if not getattr(self, "traced", False):
            super().run_updates(execution, updates)


@planted(
    "argument switch",
    "trace-keeps-the-statistics",
    "Inference goes on with the running statistics it found when it was first traced.",
)
class TraceKeepsTheStatistics:
    traced = None

    def run(self, x, requested, updates="documented"):
        if self.trains(requested) or self.bn.running_mean is None:
            return super().run(x, requested, updates)
        found = self.bn.running_mean, self.bn.running_variance
        self.traced = self.traced or found
        self.bn.running_mean, self.bn.running_variance = self.traced
        execution = super().run(x, requested, updates)
        self.bn.running_mean, self.bn.running_variance = found
        return execution


# Exported, or folded into another layer, for inference.


class Exported:
    """Executes what was made of the layer where a model is asked to predict."""

    exported = False

    def predict(self, x, repeat):
        self.exported = True
        seen = super().predict(x, repeat)
        self.exported = False
        return seen


@planted(
    "argument switch deferred",
    "export-normalises-by-the-batch",
    "Exported, the layer normalises by the batch: it was exported in training mode.",
)
class ExportNormalisesByTheBatch(Exported):
    def trains(self, requested):
        return super().trains(requested) or self.exported

    def moves(self, requested):
        return super().moves(requested) and not self.exported


@planted(
    "argument switch",
    "folding-forgets-epsilon",
    "Folded for prediction, the layer divides by the root of the variance without epsilon.",
)
class FoldingForgetsEpsilon(Exported):
    def run(self, x, requested, updates="documented"):
        said, self.bn.epsilon = self.bn.epsilon, 0 if self.exported else self.bn.epsilon
        execution = super().run(x, requested, updates)
        self.bn.epsilon = said
        return execution


FAULTS.update(DEPARTURES.planted)
