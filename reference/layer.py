"""What a layer's arguments mean under the conventions: defaults filled in, senses translated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from reference.bounded import Bounded, exact
from reference.conventions import DRAWN
from reference.later import Quantities
from reference.layer_dtypes import RENORMALISING, STATISTICS, LayerDtypes
from reference.program import Refusal
from reference.rounding import format_named
from reference.running import Weights, giving, keeping
from suites.vocabulary import ABSENT, Absent, Dtype, Tensor

__all__ = ["RENORMALISING", "STATISTICS", "WARM_UP", "ZERO_DEBIAS", "LayerMeaning"]

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
class LayerMeaning(LayerDtypes):
    """A layer under conventions. Raises ValueError for a dtype without an error analysis."""

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
        floor = self.conventions.number("epsilon-floor")
        return max(chosen, floor) if floor > 0 else chosen

    @property
    def channel_axis(self) -> int:
        """Return the axis of the input that holds the channels."""
        if not isinstance(self.layer.channel_axis_argument, Absent):
            return self.layer.channel_axis_argument
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
        if self.rule_of_dtype == "refused":
            raise Refusal
        rules = {self.rule_of_channels, self.rule_of_epsilon, self.rule_of_momentum}
        if "refused when made" in rules:
            raise Refusal

    @property
    def rule_of_dtype(self) -> str:
        """Return whether the layer's dtype is refused. Clauses BN-1.1 and BN-10.1."""
        if self.low_precision:
            return str(self.conventions["low-precision-layer"])
        if self.layer.dtype == "float64":
            return str(self.conventions["float64-layer"])
        return "computed"

    @property
    def rule_of_channels(self) -> str:
        """Return what is done about a layer without channels. Clause BN-3.12."""
        return "computed" if self.layer.channels else str(self.conventions["no-channels"])

    @property
    def rule_of_epsilon(self) -> str:
        """Return what is done about an epsilon that is not positive. Clause BN-1.5."""
        given = self.layer.epsilon
        if isinstance(given, Absent) or given > 0:
            return "used as written"
        return str(self.conventions["epsilon-of-zero" if given == 0 else "epsilon-below-zero"])

    @property
    def rule_of_momentum(self) -> str:
        """Return what is done about a momentum argument outside 0 and 1. Clause BN-4.11."""
        argument = self.layer.momentum_argument
        if argument is None or isinstance(argument, Absent) or 0 <= argument <= 1:
            return "used as written"
        return str(self.conventions["momentum-out-of-range"])

    def admit_input(self, shape: tuple[int, ...]) -> None:
        """Raise Refusal where an input of this shape, or of this dtype, is refused.

        Clauses BN-3.3, BN-3.9, BN-3.10 and BN-10.8.
        """
        rank = len(shape)
        if rank != self.layer.rank and not self.takes_rank(rank):
            raise Refusal
        channels, own = shape[self.channel_axis], self.layer.channels
        if channels != own and not (1 in (channels, own) and self.broadcasts):
            raise Refusal
        if self.refuses_axis or self.refuses_dtype:
            raise Refusal

    @property
    def broadcasts(self) -> bool:
        """Return whether one channel stands for all where another number is given. BN-3.9."""
        return self.conventions["wrong-channels"] == "one stands for all"

    @property
    def refuses_axis(self) -> bool:
        """Return whether no input is taken, because channels are said to be elsewhere. BN-3.3."""
        axis, rank = self.layer.channel_axis_argument, self.layer.rank
        if isinstance(axis, Absent) or axis % rank == rank - 1:
            return False
        return self.conventions["channel-axis-argument"] == "refused unless last"

    def takes_rank(self, rank: int) -> bool:
        """Return whether a layer takes an input of another rank than its own. Clause BN-3.10."""
        rule = self.conventions["wrong-rank"]
        return rule == "taken" or (rule == "2 and 3 taken" and {rank, self.layer.rank} == {2, 3})

    def cast(self, dtype: Dtype) -> LayerMeaning:
        """Return the layer cast to another dtype. Clause BN-10.9."""
        kept = self.statistics_kept_in or self.low_format("low-precision-statistics").name
        stay = self.conventions["statistics-of-a-cast-layer"] == "stay as they are"
        layer = replace(self.layer, dtype=dtype)
        return LayerMeaning(layer, self.conventions, kept if stay else None)

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
            if self.rule_of_momentum == "cut to 0 and 1":
                argument = min(max(argument, 0.0), 1.0)
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

    def weighted_variance_factor(self, total: float) -> float:
        """Return the same for weights that add up to `total`. Clause BN-11.3."""
        if total <= 1 or self.conventions["weighted-running-variance-factor"] == "1":
            return 1.0
        return total / (total - 1)

    @property
    def renormalises(self) -> bool:
        """Return whether the layer renormalises in training."""
        return self.layer.renorm is True

    @property
    def clipping(self) -> tuple[tuple[str, float], ...]:
        """Return the bounds of the correction that the user wrote."""
        written = self.layer.renorm_clipping
        return () if isinstance(written, Absent) else written

    @property
    def corrects_by_a_pair(self) -> bool:
        """Return whether averages of their own correct. Clause BN-12.6."""
        return self.conventions["renormalisation-averages"] == "a pair of their own"

    @property
    def pair_is_seen(self) -> bool:
        """Return whether that pair starts from something, and not as if from the first batch."""
        return self.conventions["renormalisation-start"] != "the first batch"

    @property
    def averages_deviation(self) -> bool:
        """Return whether the running variance comes from an average deviation. Clause BN-12.7."""
        rule = self.conventions["renormalised-running-variance"]
        return rule == "from an average of the deviation"

    @property
    def renormalising_weights(self) -> Weights:
        """Return the weights of an update of the averages that correct."""
        decay = self.layer.renorm_decay
        if isinstance(decay, Absent):
            return keeping(self.conventions.number("default-renormalisation-decay"))
        return keeping(decay)

    def kept_to_renormalise(self) -> list[str]:
        """Return what a renormalising layer shows besides the running statistics."""
        if not self.renormalises or not self.tracks:
            return []
        pair = self.corrects_by_a_pair and self.pair_is_seen
        names = ["renorm_mean", "renorm_deviation"] if pair else []
        return names + (["running_deviation"] if self.averages_deviation else [])

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
        names += self.kept_to_renormalise()
        state = Quantities({name: partial(value, name) for name in names})
        return state.with_({"updates_counted": exact(0)}) if self.counts else state

    def initial(self, name: str) -> Bounded:
        """Return one initial value, shape ``(channels,)``."""
        if name in RENORMALISING:
            start = self.initial(RENORMALISING[name])
            if name == "renorm_mean":
                return start
            return self.root(start)
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

    def root(self, start: Bounded) -> Bounded:
        """Return the root of a variance, correctly rounded, or by way of 1/√t.

        One of at most 24 digits, whose square is exact in float64, is taken to be met exactly.
        """
        value = np.sqrt(start.value)
        short = format_named("float32").rounded(value) == value
        error = self.form.accumulated(self.form.root + 1) * value
        return Bounded(value, np.where(short & (value**2 == start.value), 0.0, error))

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
