"""Conventions about arguments out of range and batches of nothing, each departed from throughout.

As in `planted_values`, every class is a part that can be put before a clean style and other parts.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes.departure import Departures

DEPARTURES = Departures()
FAULTS = DEPARTURES.planted
program = partial(DEPARTURES.program, planted=True)
layer = partial(DEPARTURES.layer, planted=True)


def refuse_epsilon():
    """Raise what a framework does about an epsilon it does not take."""
    message = "epsilon must be positive"
    raise ValueError(message)


class ZeroEpsilon:
    """Knows the epsilon that its name speaks of."""

    def bad(self, epsilon):
        return epsilon == 0


class NegativeEpsilon:
    """Knows the epsilon that its name speaks of."""

    def bad(self, epsilon):
        return epsilon < 0


class WhenMade:
    """Refuses the epsilon when the layer is made."""

    def construct(self, layer):
        if self.bad(layer.get("epsilon", self.default_epsilon)):
            refuse_epsilon()
        return super().construct(layer)


class InTraining:
    """Refuses the epsilon in training."""

    def forward(self, x, training):
        if training and self.bad(self.epsilon):
            refuse_epsilon()
        return super().forward(x, training)


class WhenExecuted:
    """Refuses the epsilon in every execution."""

    def forward(self, x, training):
        if self.bad(self.epsilon):
            refuse_epsilon()
        return super().forward(x, training)


@program(
    "zero-epsilon-refused-when-made",
    "argument",
    "A layer with an epsilon of zero cannot be made.",
    {"epsilon-of-zero": "refused when made"},
)
class ZeroEpsilonRefusedWhenMade(ZeroEpsilon, WhenMade):
    pass


@program(
    "negative-epsilon-refused-when-made",
    "switch",
    "A layer with a negative epsilon cannot be made.",
    {"epsilon-below-zero": "refused when made"},
)
class NegativeEpsilonRefusedWhenMade(NegativeEpsilon, WhenMade):
    pass


@layer(
    "zero-epsilon-refused-in-training",
    "switch",
    "Training with an epsilon of zero raises.",
    {"epsilon-of-zero": "refused in training"},
)
class ZeroEpsilonRefusedInTraining(ZeroEpsilon, InTraining):
    pass


@layer(
    "negative-epsilon-refused-in-training",
    "deferred",
    "Training with a negative epsilon raises.",
    {"epsilon-below-zero": "refused in training"},
)
class NegativeEpsilonRefusedInTraining(NegativeEpsilon, InTraining):
    pass


@layer(
    "zero-epsilon-refused-when-executed",
    "deferred",
    "Executing a layer with an epsilon of zero raises.",
    {"epsilon-of-zero": "refused when executed"},
)
class ZeroEpsilonRefusedWhenExecuted(ZeroEpsilon, WhenExecuted):
    pass


@layer(
    "negative-epsilon-refused-when-executed",
    "argument",
    "Executing a layer with a negative epsilon raises.",
    {"epsilon-below-zero": "refused when executed"},
)
class NegativeEpsilonRefusedWhenExecuted(NegativeEpsilon, WhenExecuted):
    pass


def refuse_momentum():
    """Raise what a framework does about a momentum it does not take."""
    message = "momentum must lie between 0 and 1"
    raise ValueError(message)


@program(
    "momentum-out-of-range-refused-when-made",
    "argument",
    "A layer with a momentum outside 0 and 1 cannot be made.",
    {"momentum-out-of-range": "refused when made"},
)
class MomentumOutOfRangeRefusedWhenMade:
    def momentum(self, default):
        momentum = super().momentum(default)
        return momentum if 0 <= momentum <= 1 else refuse_momentum()


@layer(
    "momentum-out-of-range-refused-in-training",
    "switch",
    "Training with a momentum outside 0 and 1 raises.",
    {"momentum-out-of-range": "refused in training"},
)
class MomentumOutOfRangeRefusedInTraining:
    def forward(self, x, training):
        if training and self.decay is not None and not 0 <= self.decay <= 1:
            refuse_momentum()
        return super().forward(x, training)


@program(
    "momentum-cut-to-its-range",
    "deferred",
    "A momentum outside 0 and 1 is silently cut to the nearer of them.",
    {"momentum-out-of-range": "cut to 0 and 1"},
)
class MomentumCutToItsRange:
    def momentum(self, default):
        return min(max(super().momentum(default), 0.0), 1.0)


@layer(
    "empty-batch-gives-gamma-nan",
    "argument",
    "The gradient of gamma of a batch without samples is NaN.",
    {"empty-batch-gradients": "NaN to gamma"},
)
class EmptyBatchGivesGammaNan:
    def gradient_of_gamma(self, normalised, x, dy):
        found = super().gradient_of_gamma(normalised, x, dy)
        return found if x.size else np.full_like(found, np.nan)


@layer(
    "empty-batch-gives-no-gradients",
    "deferred",
    "A batch without samples gives gamma and beta no gradient.",
    {"empty-batch-gradients": "none"},
)
class EmptyBatchGivesNoGradients:
    def gradients(self, execution, dy):
        seen = super().gradients(execution, dy)
        return seen if execution.x.size or not execution.by_batch else {"dx": seen["dx"]}
