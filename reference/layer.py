"""What a layer's arguments mean under the conventions: defaults filled in, senses translated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Bounded, exact
from reference.chosen import Conventions
from reference.program import Refusal
from reference.rounding import Format, format_named
from reference.running import Weights, giving, keeping
from suites.vocabulary import ABSENT, Absent, Layer, Tensor

STATISTICS = ("running_mean", "running_variance")
INITIAL = {
    "gamma": "initial-gamma",
    "beta": "initial-beta",
    "running_mean": "initial-running-mean",
    "running_variance": "initial-running-variance",
}


@dataclass(frozen=True)
class LayerMeaning:
    """A layer under conventions. Raises ValueError for a dtype without an error analysis."""

    layer: Layer
    conventions: Conventions

    @property
    def form(self) -> Format:
        """Return the format the layer computes and stores in."""
        return format_named(self.layer.dtype)

    @property
    def scale(self) -> bool:
        """Return whether the layer has a gamma."""
        if self.layer.scale is ABSENT:
            return self.conventions["default-gamma"] == "learned"
        return bool(self.layer.scale)

    @property
    def center(self) -> bool:
        """Return whether the layer has a beta; every framework known has one by default."""
        return self.layer.center is ABSENT or bool(self.layer.center)

    @property
    def parameters(self) -> int:
        """Return how many of gamma and beta the layer has."""
        return int(self.scale) + int(self.center)

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

    def weights(self, updates: float) -> Weights:
        """Return the weights of an update, given how many there are with it."""
        if self.cumulative:
            return giving(1 / updates)
        argument = self.layer.momentum_argument
        if isinstance(argument, (int, float)):
            weighs_old = self.conventions["momentum-sense"] == "weighs the old running value"
            return keeping(argument) if weighs_old else giving(argument)
        if isinstance(self.layer.decay, Absent):
            return keeping(self.conventions.number("default-decay"))
        return keeping(self.layer.decay)

    def debiases(self, statistic: str) -> bool:
        """Return whether a running statistic is zero-debiased."""
        if self.layer.zero_debias is True:
            rule = self.conventions["zero-debias-argument"]
            only_mean = rule == "mean only" and statistic == "running_mean"
            return only_mean or rule == "mean and variance"
        return self.conventions["debiasing"] == "zero-debias"

    def initial_state(self) -> dict[str, Bounded]:
        """Return the state of a layer just built."""
        present = {"gamma": self.scale, "beta": self.center}
        names = [name for name, has in present.items() if has]
        if self.tracks:
            names += STATISTICS
        state = {name: self.initial(name) for name in names}
        if self.counts:
            state["updates_counted"] = exact(0)
        return state

    def initial(self, name: str) -> Bounded:
        """Return one initial value, shape ``(channels,)``."""
        given = getattr(self.layer, name)
        if isinstance(given, Tensor):
            return exact(np.array(given.values, dtype=np.float64))
        return self.default(name)

    def default(self, name: str) -> Bounded:
        """Return one initial value nobody asked otherwise, shape ``(channels,)``."""
        return exact(np.full(self.layer.channels, self.conventions.number(INITIAL[name])))

    def reset_statistics(self) -> dict[str, Bounded]:
        """Return the running statistics and the counter as a reset leaves them."""
        if not self.tracks:
            return {}
        state = {name: self.default(name) for name in STATISTICS}
        return {**state, "updates_counted": exact(0)} if self.counts else state
