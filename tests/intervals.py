"""Interval arithmetic that does not round: a middle and a radius, both fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

import numpy as np


def coerced(number):
    """Return a number as an interval; None for what is no number, such as an array."""
    if isinstance(number, np.generic):
        number = number.item()
    if isinstance(number, Real):
        return Interval(Fraction(number))
    return number if isinstance(number, Interval) else None


@dataclass(frozen=True)
class Interval:
    """All numbers no further than the radius from the middle; arrays of them are object arrays."""

    middle: Fraction
    radius: Fraction = Fraction(0)

    def __add__(self, other):
        other = coerced(other)
        if other is None:
            return NotImplemented
        return Interval(self.middle + other.middle, self.radius + other.radius)

    def __mul__(self, other):
        other = coerced(other)
        if other is None:
            return NotImplemented
        spread = abs(self.middle) * other.radius + abs(other.middle) * self.radius
        return Interval(self.middle * other.middle, spread + self.radius * other.radius)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return Interval(-self.middle, self.radius)

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __pow__(self, exponent):
        product = Interval(Fraction(1))
        for _ in range(exponent):
            product = product * self
        return product

    def meets(self, other):
        """Tell whether this and another interval or number have a number in common."""
        apart = self - other
        return abs(apart.middle) <= apart.radius


between = np.frompyfunc(lambda value, bound: Interval(Fraction(value), Fraction(bound)), 2, 1)
"""Makes intervals of arrays of values and bounds."""

meet = np.frompyfunc(lambda one, other: one.meets(other), 2, 1)
"""Tells element by element whether intervals meet intervals or numbers."""
