"""Arithmetic in a format: every operation rounds once, and may flush what is subnormal to zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.rounding import FORMATS, Format

CARRIERS = {"float16": "float32", "bfloat16": "float32", "float32": "float32"}
EXACT = {"float16": "float64", "bfloat16": "float64", "float32": "float64"}


def to_bfloat16(values):
    """Round float32 to bfloat16 by its bits, in place of a dtype that NumPy does not have."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    up = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    nearest = ((bits + up) & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(values), values, nearest)


@dataclass(frozen=True)
class Machine:
    """Computes in `form`; `flushes` reads and writes zero for what is subnormal."""

    form: Format
    flushes: bool = False

    @property
    def carrier(self):
        """The NumPy dtype that carries the numbers; one operation in it and a rounding are one."""
        return np.dtype(CARRIERS.get(self.form.name, "float64"))

    def rounded(self, values):
        """Round an array of the carrier (or of float64) to the format."""
        if self.form.name == "float16":
            values = values.astype(np.float16).astype(np.float32)
        else:
            values = values.astype(self.carrier, copy=False)
            if self.form.name == "bfloat16":
                values = to_bfloat16(values)
        if self.flushes:
            values = np.where(np.abs(values) < self.form.smallest, self.carrier.type(0), values)
        return values

    def number(self, values):
        """Return a number of this machine."""
        return Number(self.rounded(np.asarray(values, dtype=np.float64)), self)


class Number:
    """An array that computes in a machine's format with the usual operators."""

    __slots__ = ("on", "values")

    def __init__(self, values, on):
        self.values, self.on = values, on

    def make(self, values):
        return Number(self.on.rounded(values), self.on)

    def other(self, value):
        if isinstance(value, Number):
            return value.values
        return self.on.rounded(np.asarray(value, dtype=self.on.carrier))

    def __add__(self, value):
        return self.make(self.values + self.other(value))

    def __sub__(self, value):
        return self.make(self.values - self.other(value))

    def __mul__(self, value):
        return self.make(self.values * self.other(value))

    def __truediv__(self, value):
        return self.make(self.values / self.other(value))

    def __rsub__(self, value):
        return self.make(self.other(value) - self.values)

    def __rtruediv__(self, value):
        return self.make(self.other(value) / self.values)

    def __neg__(self):
        return Number(-self.values, self.on)

    def __pow__(self, value):
        return self.make(np.power(self.values, self.other(value)))

    def __getitem__(self, index):
        return Number(self.values[index], self.on)

    def __len__(self):
        return len(self.values)

    __radd__, __rmul__ = __add__, __mul__

    def sqrt(self):
        return self.make(np.sqrt(self.values))

    def clamped(self):
        return Number(np.maximum(self.values, self.on.carrier.type(0)), self.on)

    def on_another(self, machine):
        """Return the same rounded to another machine's format."""
        return machine.number(self.values)


def fused(a, b, c):
    """Return a·b + c rounded once; in float64, which has nothing wider, rounded twice."""
    wide = EXACT.get(a.on.form.name)
    if wide is None:
        return a * b + c
    first, second, third = (n.values.astype(wide) for n in (a, b, c))
    return a.make(first * second + third)


def machine_for(name, *, flushes=False):
    """Return the machine of a format."""
    return Machine(FORMATS[name], flushes)


# Sums over axis 0, in every order that is in use.


def sequential(v):
    total = v[0]
    for i in range(1, len(v)):
        total = total + v[i]
    return total


def backwards(v):
    return sequential(v[::-1])


def pairwise(v):
    half = len(v) // 2
    return v[0] if len(v) == 1 else pairwise(v[:half]) + pairwise(v[half:])


def halving(v):
    """Add the upper half to the lower until one is left, as a reduction on a GPU does."""
    while len(v) > 1:
        half = (len(v) + 1) // 2
        upper = v[half:]
        lower = v[: len(upper)] + upper
        rest = v[len(upper) : half]
        v = Number(np.concatenate([lower.values, rest.values]), v.on)
    return v[0]


def blocked(size):
    """Return a sum by so many accumulators that take turns, as vector registers do."""

    def add(v):
        if len(v) <= size:
            return sequential(v)
        total = v[:size]
        for start in range(size, len(v) - size + 1, size):
            total = total + v[start : start + size]
        rest = len(v) % size
        total = pairwise(total)
        return total + sequential(v[len(v) - rest :]) if rest else total

    return add


SUMS = {
    "sequential": sequential,
    "backwards": backwards,
    "pairwise": pairwise,
    "halving": halving,
    "in blocks of 4": blocked(4),
    "in blocks of 16": blocked(16),
}


def dividing(total, n):
    return total / n


def multiplying(total, n):
    return total * (total.on.number(1) / n)


DIVISIONS = (dividing, multiplying)
