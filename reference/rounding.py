"""What a floating-point format costs: roundings, underflow, overflow, hyperparameters, storage.

The derivations are in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reference.bounded import Array, Bounded

ORACLE_ROUNDOFF = 2.0**-53
"""The oracle's own rounding in float64; it is added to every format's unit roundoff."""


@dataclass(frozen=True)
class Format:
    """A storage and compute format. One operation returns (exact·(1 + δ) + η), |δ| ≤ roundoff.

    Attributes:
        name: dtype name.
        digits: significant binary digits, the leading one included.
        roundoff: unit roundoff u of the format plus the oracle's own.
        smallest: smallest normal number.
        largest: largest finite number; beyond it nothing can be said.
        root: roundings granted to a reciprocal square root (ERROR_BOUNDS.md, table of primitives).
        flushes: whether kernels may read or return zero for anything below `smallest`.
    """

    name: str
    digits: int
    roundoff: float
    smallest: float
    largest: float
    root: int
    flushes: bool = True

    @property
    def subnormal(self) -> float:
        """Return the smallest subnormal number."""
        return self.smallest * 2.0 ** (1 - self.digits)

    @property
    def loss(self) -> float:
        """Return the most that η is for a product, quotient or root: what underflow costs."""
        return self.smallest if self.flushes else self.subnormal / 2

    @property
    def flush(self) -> float:
        """Return the most that η is for a sum, or for reading an operand."""
        return self.smallest if self.flushes else 0.0

    def accumulated(self, roundings: float) -> float:
        """Return γ_k = k·u / (1 − k·u) for k roundings; infinite where k·u reaches 1.

        Source: Higham, Accuracy and Stability of Numerical Algorithms, Lemma 3.1.
        """
        total = roundings * self.roundoff
        return total / (1 - total) if total < 1 else float("inf")

    def rounded(self, values: Array) -> Array:
        """Return the values of this format nearest to float64 numbers, ties to even.

        Subnormals are kept; what rounds beyond the largest finite number becomes infinite.
        """
        values = np.asarray(values, dtype=np.float64)
        if self.name == "float64":
            return values
        _, exponent = np.frexp(values)
        least = np.frexp(self.smallest)[1]
        step = np.ldexp(1.0, np.maximum(exponent, least) - self.digits)
        with np.errstate(invalid="ignore"):
            nearest = np.where(np.isfinite(values), np.rint(values / step) * step, values)
        beyond = np.isfinite(values) & (np.abs(nearest) > self.largest)
        return np.where(beyond, np.copysign(np.inf, values), nearest)

    def nearest(self, value: float) -> float:
        """Return the value of this format nearest to a float64 number."""
        return float(self.rounded(np.asarray(value)))

    def readings(self, value: float) -> frozenset[float]:
        """Return what a hyperparameter may become: as written, rounded, rounded twice, flushed.

        A format narrower than float32 may be handed a float32 number.
        """
        return readings_in(self, value)

    def misread(self, value: float) -> float:
        """Return how far a hyperparameter moves when it is rounded to this format."""
        return max(abs(way - value) for way in self.readings(value))

    def misread_complement(self, keep: float) -> float:
        """Return how far 1 − keep moves over the ways implementations compute it.

        They round 1 − keep, or subtract a rounded keep, before or after rounding again.
        """
        exact = 1 - keep
        ways = set(self.readings(exact))
        for read in self.readings(keep):
            ways |= self.readings(1 - read)
        return max(abs(way - exact) for way in ways)

    def settled(self, value: Array, error: Array, *sizes: Array) -> Bounded:
        """Return a value with its bound, infinite where a size may pass the largest number.

        `sizes` bound the absolute values of intermediate results, shapes that broadcast against
        the value's. Where the error is not a number, nothing can be said either.
        """
        value, error = np.asarray(value, np.float64), np.asarray(error, np.float64)
        # An infinite value, or one that is not a number, is not below the largest either.
        safe = np.abs(value) + error <= self.largest
        for size in sizes:
            safe = safe & (size * (1 + 4 * self.roundoff) <= self.largest)
        return Bounded(value, error if safe.all() else np.where(safe, error, np.inf))


FORMATS = {
    form.name: form
    for form in (
        Format("float16", 11, 2.0**-11 + ORACLE_ROUNDOFF, 2.0**-14, 65504.0, root=4, flushes=False),
        Format(
            "bfloat16", 8, 2.0**-8 + ORACLE_ROUNDOFF, 2.0**-126, (2 - 2.0**-7) * 2.0**127, root=4
        ),
        Format(
            "float32", 24, 2.0**-24 + ORACLE_ROUNDOFF, 2.0**-126, (2 - 2.0**-23) * 2.0**127, root=9
        ),
        Format(
            "float64", 53, 2.0**-53 + ORACLE_ROUNDOFF, 2.0**-1022, float(np.finfo(float).max), 5
        ),
    )
}


def format_named(name: str) -> Format:
    """Return the format of a dtype name. Raises ValueError for one without an error analysis."""
    try:
        return FORMATS[name]
    except KeyError:
        *others, last = FORMATS
        known = f"{', '.join(others)} and {last}"
        raise ValueError(f"no error bounds are derived for {name}; known are {known}") from None


def stored(quantity: Bounded, form: Format) -> Bounded:
    """Return a quantity after one rounding to a storage format.

    Rounding is monotone, so what may be stored lies between the roundings of the least and the
    greatest admissible value; a number the format has stays exact. Where the format's kernels may
    flush, zero is admitted for what is below the smallest normal number. The bound is infinite
    where a value may overflow.
    """
    low, high = widened(quantity)
    least, greatest = form.rounded(low), form.rounded(high)
    if form.flushes:
        tiny = (low < form.smallest) & (high > -form.smallest)
        least = np.where(tiny, np.minimum(least, 0.0), least)
        greatest = np.where(tiny, np.maximum(greatest, 0.0), greatest)
    with np.errstate(invalid="ignore"):
        error = np.maximum(greatest - quantity.value, quantity.value - least)
        return form.settled(quantity.value, error)


def overflowed(quantity: Bounded, kept: Bounded, form: Format) -> Bounded:
    """Return a quantity `kept` in a format, infinite where even its least size is beyond that.

    Nothing else can come of rounding it, but what it was computed from must not itself have been
    in doubt.
    """
    low, high = widened(quantity)
    if (quantity.magnitude <= form.largest).all():
        return kept
    with np.errstate(invalid="ignore"):
        least, greatest = form.rounded(low), form.rounded(high)
        beyond = np.isinf(least) & (least == greatest) & np.isfinite(quantity.bound)
    return Bounded(np.where(beyond, least, kept.value), np.where(beyond, 0.0, kept.bound))


def converted(quantity: Bounded, form: Format) -> Bounded:
    """Return a quantity cast to a format: what is known exactly is rounded as IEEE 754 says."""
    kept = stored(quantity, form)
    known = quantity.bound == 0
    with np.errstate(invalid="ignore"):
        rounded = form.rounded(quantity.value)
    return Bounded(np.where(known, rounded, kept.value), np.where(known, 0.0, kept.bound))


def widened(quantity: Bounded) -> tuple[Array, Array]:
    """Return the ends of a bound, moved outwards for the float64 rounding of the ends."""
    slack = np.where(quantity.bound > 0, 2 * ORACLE_ROUNDOFF * quantity.magnitude, 0.0)
    with np.errstate(invalid="ignore"):  # An infinity of which nothing is known has no ends.
        return quantity.lower - slack, quantity.upper + slack


@lru_cache(maxsize=4096)
def readings_in(form: Format, value: float) -> frozenset[float]:
    """Return what `Format.readings` does; hyperparameters are few and asked for often."""
    found = {value, form.nearest(value)}
    if form.digits < FORMATS["float32"].digits:
        single = FORMATS["float32"].nearest(value)
        found |= {single, form.nearest(single)}
    if form.flushes and 0 < abs(form.nearest(value)) < form.smallest:
        found.add(0.0)
    return frozenset(found)
