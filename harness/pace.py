"""How long a matrix will still take, by how long its parts have taken so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SECONDS_IN_A_MINUTE, MINUTES_IN_AN_HOUR = 60, 60


@dataclass
class Pace:
    """What has been done of `runs`, of which `at_once` are measured side by side, and how fast.

    `to_make` environments are made one after another meanwhile.
    """

    runs: int
    at_once: int
    clock: Callable[[], float] = time.monotonic
    to_make: int = 0
    ended: int = 0
    measured: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    measuring: dict[str, float] = field(default_factory=dict)
    making: dict[str, float] = field(default_factory=dict)

    def end(self, name: str, *, informative: bool) -> None:
        """Take note that a run ended; one that did no work tells nothing of the others."""
        self.ended += 1
        begun = self.measuring.pop(name, None)
        if begun is not None and informative:
            self.measured.append(self.clock() - begun)

    def make(self, name: str) -> None:
        """Take note that an environment is made."""
        self.to_make -= 1
        self.made.append(self.clock() - self.making.pop(name))

    @property
    def seconds_left(self) -> float | None:
        """Return how long it will still take; None where nothing tells."""
        waiting = self.runs - self.ended - len(self.measuring)
        if waiting + len(self.measuring) == 0:
            return 0.0
        if not self.measured or (self.to_make and not self.made):
            return None
        each = mean(self.measured)
        begun = sum(self.rest(started, each) for started in self.measuring.values())
        measuring = (begun + waiting * each) / self.at_once
        if not self.to_make:
            return measuring
        install = mean(self.made)
        begun = sum(self.rest(started, install) for started in self.making.values())
        making = begun + (self.to_make - len(self.making)) * install
        return max(measuring, making + each)

    def rest(self, started: float, usual: float) -> float:
        """Return how long something begun takes on, if it takes as long as is usual."""
        return max(0.0, usual - (self.clock() - started))


def mean(seconds: Sequence[float]) -> float:
    """Return the mean."""
    return sum(seconds) / len(seconds)


def in_words(seconds: float | None) -> str:
    """Return how much time is left."""
    if seconds is None:
        return "time left not known yet"
    if seconds < SECONDS_IN_A_MINUTE:
        return f"about {seconds:.0f} s left"
    minutes = seconds / SECONDS_IN_A_MINUTE
    if minutes < MINUTES_IN_AN_HOUR:
        return f"about {minutes:.0f} min left"
    return f"about {minutes / MINUTES_IN_AN_HOUR:.1f} h left"
