"""What a layer's arguments mean under the conventions: defaults filled in, senses translated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from reference.bounded import Bounded, exact
from reference.chosen import Conventions
from reference.conventions import DRAWN
from reference.later import Quantities
from reference.program import Refusal
from reference.rounding import Format, format_named, stored
from reference.running import Weights, giving, keeping
from suites.vocabulary import ABSENT, Absent, Layer, Tensor

STATISTICS = ("running_mean", "running_variance")
PARAMETERS = ("gamma", "beta", "dgamma", "dbeta")
UNTYPED = ("updates_counted", "trainable_parameters", "loss")
LOW_PRECISION = ("float16", "bfloat16")
ZERO_DEBIAS, WARM_UP = "zero-debias", "warm-up by number of updates"
INITIAL = {
    "gamma": "initial-gamma",
    "beta": "initial-beta",
    "running_mean": "initial-running-mean",
    "running_variance": "initial-running-variance",
}


UNIFORM = (0.25, 0.75)
"""The interval that an initializer called uniform draws from."""


def exact_between(least: float, most: float, channels: int) -> Bounded:
    """Return a quantity of which no more is known than an interval, shape ``(channels,)``."""
    half = (most - least) / 2
    return Bounded(np.full(channels, least + half), np.full(channels, half))


@dataclass(frozen=True)
class LayerMeaning:
    """A layer under conventions. Raises ValueError for a dtype without an error analysis."""

    layer: Layer
    conventions: Conventions

    @property
    def low_precision(self) -> bool:
        """Return whether the layer's dtype is narrower than float32."""
        return self.layer.dtype in LOW_PRECISION

    @property
    def form(self) -> Format:
        """Return the format the layer computes in. Clauses BN-1.6 and BN-10.2."""
        if self.layer.dtype == "float64":
            return format_named(str(self.conventions["float64-arithmetic"]))
        return self.low_format("low-precision-arithmetic")

    def low_format(self, axis: str) -> Format:
        """Return the layer's format, or float32 where it is narrower and the axis says so."""
        wide = self.low_precision and self.conventions[axis] == "float32"
        return format_named("float32" if wide else self.layer.dtype)

    def format_of(self, quantity: str) -> Format | None:
        """Return the format a quantity is stored and shown in; None for counts and the loss."""
        if quantity in UNTYPED:
            return None
        if quantity in STATISTICS:
            return self.low_format("low-precision-statistics")
        if quantity in PARAMETERS:
            return self.low_format("low-precision-parameters")
        return format_named(self.layer.dtype)

    def stored(self, quantity: str, value: Bounded) -> Bounded:
        """Return a quantity as it is stored: rounded once more in a layer of low precision."""
        form = self.format_of(quantity)
        return stored(value, form) if self.low_precision and form is not None else value

    @property
    def gamma(self) -> str:
        """Return whether gamma is learned, absent or fixed at one. Clause BN-2.1."""
        if self.layer.scale is ABSENT:
            return str(self.conventions["default-gamma"])
        return "learned" if self.layer.scale else "absent"

    @property
    def scale(self) -> bool:
        """Return whether the layer has a gamma."""
        return self.gamma != "absent"

    @property
    def center(self) -> bool:
        """Return whether the layer has a beta; every framework known has one by default."""
        return self.layer.center is ABSENT or bool(self.layer.center)

    @property
    def parameters(self) -> int:
        """Return how many of gamma and beta the layer learns."""
        return int(self.gamma == "learned") + int(self.center)

    @property
    def tracks(self) -> bool:
        """Return whether the layer keeps running statistics."""
        tracked = self.layer.track_running_statistics
        return tracked is ABSENT or bool(tracked)

    @property
    def counts(self) -> bool:
        """Return whether the layer keeps a count of its updates."""
        return self.tracks and self.conventions["update-counter"] != "none"

    @property
    def epsilon(self) -> float:
        """Return the epsilon in force."""
        given = self.layer.epsilon
        chosen = self.conventions.number("default-epsilon") if isinstance(given, Absent) else given
        return max(chosen, self.conventions.number("epsilon-floor"))

    @property
    def channel_axis(self) -> int:
        """Return the axis of the input that holds the channels."""
        if self.layer.channel_axis == "last":
            return -1
        return 1 if self.conventions["default-channel-axis"] == "second" else -1

    @property
    def cumulative(self) -> bool:
        """Return whether the running statistics are plain averages of all batches."""
        return self.layer.momentum_argument is None

    def admit(self) -> None:
        """Raise Refusal where the implementation refuses to make such a layer."""
        if self.cumulative and self.conventions["momentum-none"] == "refused":
            raise Refusal
        if self.layer.dtype == "float64" and self.conventions["float64-layer"] == "refused":
            raise Refusal
        if self.low_precision and self.conventions["low-precision-layer"] == "refused":
            raise Refusal

    def weights(self, statistic: str, counted: float, before: int) -> Weights:
        """Return the weights of an update of a statistic.

        `counted` is the number of updates with this one, by the layer's counter where it has one;
        `before` how many went before it.
        """
        if self.cumulative:
            return giving(1 / counted)
        weights = self.written_weights()
        if self.correction(statistic) == WARM_UP:  # Clause BN-4.10
            return keeping(min(weights.keep, (1 + before) / (10 + before)))
        return weights

    def written_weights(self) -> Weights:
        """Return the weights that the user, or the framework's default, asks for."""
        argument = self.layer.momentum_argument
        if isinstance(argument, (int, float)):
            weighs_old = self.conventions["momentum-sense"] == "weighs the old running value"
            return keeping(argument) if weighs_old else giving(argument)
        if isinstance(self.layer.decay, Absent):
            return keeping(self.conventions.number("default-decay"))
        return keeping(self.layer.decay)

    def correction(self, statistic: str) -> str:
        """Return how a running statistic is corrected for its initial value."""
        if self.layer.zero_debias is True:
            rule = self.conventions["zero-debias-argument"]
            only_mean = rule == "mean only" and statistic == "running_mean"
            return ZERO_DEBIAS if only_mean or rule == "mean and variance" else "none"
        axis = statistic.replace("_", "-") + "-debiasing"
        return str(self.conventions[axis])

    def variance_factor(self, count: int) -> float:
        """Return what multiplies the population variance on its way to the running variance.

        Clause BN-4.5. Raises ZeroDivisionError where the divisor is zero.
        """
        if count < 2:
            return 1.0
        rule = self.conventions["running-variance-factor"]
        if rule == "1":
            return 1.0
        return count / (count - 1 - (self.epsilon if rule == "n/(n-1-epsilon)" else 0))

    def initial_state(self) -> Quantities:
        """Return the state of a layer just built."""
        return self.state_of(self.initial)

    def configured_state(self) -> Quantities:
        """Return the state of a layer made from the configuration alone. Clause BN-15.8."""
        return self.state_of(self.made)

    def state_of(self, value: Callable[[str], Bounded]) -> Quantities:
        """Return the state in which each variable is given by a function of its name."""
        present = {"gamma": self.scale, "beta": self.center}
        names = [name for name, has in present.items() if has]
        if self.tracks:
            names += STATISTICS
        state = Quantities({name: partial(value, name) for name in names})
        return state.with_({"updates_counted": exact(0)}) if self.counts else state

    def initial(self, name: str) -> Bounded:
        """Return one initial value, shape ``(channels,)``."""
        given = getattr(self.layer, name)
        if name == "gamma" and self.gamma == "fixed at one":
            return exact(np.ones(self.layer.channels))
        if isinstance(given, Tensor):
            return exact(np.array(given.values, dtype=np.float64))
        return self.made(name)

    def made(self, name: str) -> Bounded:
        """Return what a variable's initializer makes of it, shape ``(channels,)``. Clause BN-16.5.

        What one draws lies in the interval it draws from, whose upper end rounding may reach.
        """
        initializer = getattr(self.layer, f"{name}_initializer")
        if initializer is ABSENT:
            return self.default(name)
        if initializer == "uniform":
            return exact_between(*UNIFORM, self.layer.channels)
        value = {"ones": 1.0, "zeros": 0.0}.get(initializer, initializer)
        return exact(np.full(self.layer.channels, float(value)))

    def default(self, name: str) -> Bounded:
        """Return one initial value nobody asked otherwise, shape ``(channels,)``."""
        value = self.conventions[INITIAL[name]]
        if value == DRAWN:  # Up to the greatest float32 below 1: neither 0 nor 1 is admitted.
            middle = np.full(self.layer.channels, 0.5)
            return Bounded(middle, middle - 2.0**-24)
        return exact(np.full(self.layer.channels, float(value)))

    def reset_statistics(self) -> Quantities:
        """Return the running statistics and the counter as a reset leaves them."""
        if not self.tracks:
            return Quantities({})
        state = Quantities({name: partial(self.default, name) for name in STATISTICS})
        return state.with_({"updates_counted": exact(0)}) if self.counts else state
