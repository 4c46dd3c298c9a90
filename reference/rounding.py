"""What a floating-point format costs: unit roundoff, accumulated roundings, hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORACLE_ROUNDOFF = 2.0**-53
"""The oracle's own rounding in float64; it is added to every format's unit roundoff."""


@dataclass(frozen=True)
class Format:
    """A storage and compute format.

    Attributes:
        name: NumPy dtype name.
        roundoff: unit roundoff u of the format plus the oracle's own.
        smallest: smallest normal number; a kernel may flush anything below it to zero.
    """

    name: str
    roundoff: float
    smallest: float

    def accumulated(self, roundings: int) -> float:
        """Return γ_k = k·u / (1 − k·u) for k roundings; infinite where k·u reaches 1.

        Source: Higham, Accuracy and Stability of Numerical Algorithms, Lemma 3.1.
        """
        total = roundings * self.roundoff
        return total / (1 - total) if total < 1 else float("inf")

    def nearest(self, value: float) -> float:
        """Return the value of this format nearest to a float64 number."""
        return float(np.dtype(self.name).type(value))

    def misread(self, value: float) -> float:
        """Return how far a hyperparameter moves when it is rounded to this format."""
        return abs(self.nearest(value) - value)

    def misread_complement(self, keep: float) -> float:
        """Return how far 1 − keep moves over the ways implementations compute it.

        They round 1 − keep, or subtract a rounded keep, before or after rounding again.
        """
        exact = 1 - keep
        rounded = self.nearest(keep)
        ways = (self.nearest(exact), 1 - rounded, self.nearest(1 - rounded))
        return max(abs(way - exact) for way in ways)


FORMATS = {
    "float32": Format("float32", 2.0**-24 + ORACLE_ROUNDOFF, 2.0**-126),
    "float64": Format("float64", 2.0**-53 + ORACLE_ROUNDOFF, 2.0**-1022),
}


def format_named(name: str) -> Format:
    """Return the format of a dtype name. Raises ValueError for one without an error analysis."""
    try:
        return FORMATS[name]
    except KeyError:
        known = " and ".join(FORMATS)
        raise ValueError(f"no error bounds are derived for {name}; known are {known}") from None
