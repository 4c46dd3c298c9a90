"""A value with the most an implementation may differ from it by rounding alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Bounded:
    """An expected float64 array and an absolute error bound of the same shape, both exact data.

    A bound of zero means that the quantity must be met to the last bit; an infinite bound that
    nothing can be said, or, of a NaN, only that the quantity is not finite.
    """

    value: Array
    bound: Array

    @property
    def lower(self) -> Array:
        """Return the least admissible value."""
        with np.errstate(invalid="ignore"):  # An infinite value may have an infinite bound.
            return self.value - self.bound

    @property
    def upper(self) -> Array:
        """Return the greatest admissible value."""
        with np.errstate(invalid="ignore"):
            return self.value + self.bound

    @property
    def magnitude(self) -> Array:
        """Return the greatest admissible absolute value."""
        return np.abs(self.value) + self.bound


def exact(value: Any) -> Bounded:
    """Return a value that carries no error, such as one observed or handed in."""
    array = np.asarray(value, dtype=np.float64)
    return Bounded(array, np.zeros_like(array))
