"""Batch statistics and the inverse standard deviation, with their error bounds.

Arrays here have shape ``(n, channels)``: every axis but the channels is pooled into n, the number
of values per channel (clause BN-3.1). The derivations are in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reference.bounded import Array, Bounded
from reference.rounding import Format
from reference.welford import welford_mean, welford_variance


@dataclass(frozen=True)
class Moments:
    """Mean and population variance of a batch, shape ``(channels,)``, and n.

    `nonnegative` tells whether the computed variance cannot be negative; `inverse_deviation` wants
    to know. It can where E[x²] − E[x]² is not clamped at zero.
    """

    mean: Bounded
    variance: Bounded
    count: int
    nonnegative: bool = True


def batch_moments(x: Array, form: Format, algorithm: str) -> Moments:
    """Return the mean and population variance over axis 0 of x, shape ``(n, channels)``.

    The bounds hold for every order of summation. `algorithm` is a value of the axis
    `variance-algorithm`. Clauses BN-3.1 and BN-3.2; Ioffe & Szegedy 2015, Algorithm 1.
    """
    return moments_of_bytes(x.tobytes(), x.shape, form, algorithm)


@lru_cache(maxsize=1024)
def moments_of_bytes(data: bytes, shape: tuple[int, ...], form: Format, algorithm: str) -> Moments:
    """Return the batch statistics of float64 values: one batch is asked about many times."""
    x = np.frombuffer(data, dtype=np.float64).reshape(shape)
    with np.errstate(all="ignore"):
        if algorithm == "Welford":
            mean = welford_mean(x, form)
            variance = welford_variance(x, mean, form)
        else:
            mean = plain_mean(x, form)
            passes = two_passes if algorithm == "two-pass" else one_pass
            variance = passes(x, mean, form)
    return Moments(mean, variance, x.shape[0], nonnegative=algorithm != "one-pass")


def plain_mean(x: Array, form: Format) -> Bounded:
    """Return Σx/n: n − 1 additions, and a product with a rounded 1/n at most."""
    count = x.shape[0]
    growth = form.accumulated(count + 1)
    size = np.abs(x).mean(axis=0)
    loss = (1 + growth) * (2 * form.flush + form.loss)
    total = (size + form.flush) * count * (1 + growth)
    return form.settled(x.mean(axis=0), growth * size + loss, total)


def two_passes(x: Array, mean: Bounded, form: Format) -> Bounded:
    """Return Σ(x − m)²/n, whose cross term with the error of m vanishes."""
    count = x.shape[0]
    variance = np.square(x - mean.value).mean(axis=0)
    growth = form.accumulated(count + 4)
    shift = mean.bound + 2 * form.flush
    size = variance + mean.bound**2
    error = growth * size + mean.bound**2 + variance_loss(np.sqrt(size), growth, form)
    total = (np.sqrt(variance) + shift) ** 2 * count * (1 + growth)
    return form.settled(variance, error, total, largest_square(x, mean))


def one_pass(x: Array, mean: Bounded, form: Format) -> Bounded:
    """Return E[x²] − E[x]², clamped at zero or not."""
    count = x.shape[0]
    variance = np.square(x - mean.value).mean(axis=0)
    square = np.square(x).mean(axis=0)
    growth = form.accumulated(count + 2)
    loss = variance_loss(np.sqrt(square), growth, form)
    of_square = growth * square + loss
    of_mean = 2 * np.abs(mean.value) * mean.bound + mean.bound**2
    of_mean = of_mean + form.roundoff * mean.magnitude**2 + loss
    error = of_square + of_mean
    error = error + form.accumulated(3) * (variance + error) + 2 * form.loss
    total = (square + loss) * count * (1 + growth)
    return form.settled(variance, error, total, np.square(x).max(axis=0), mean.magnitude**2)


def variance_loss(deviation: Array, growth: float, form: Format) -> Array:
    """Return what underflow costs a mean of squares: in reading, squaring, adding and dividing."""
    shift = 3 * form.flush
    return (1 + growth) * (2 * deviation * shift + shift**2 + 2 * form.loss + 2 * form.flush)


def largest_square(x: Array, mean: Bounded) -> Array:
    """Return the greatest (x − m)² that may be computed."""
    greatest: Array = np.abs(x - mean.value).max(axis=0) + mean.bound
    return np.square(greatest)


def scaled(variance: Bounded, factor: float, form: Format) -> Bounded:
    """Return a variance multiplied by a factor n/(n−1), or n/(n−1−epsilon).

    The first takes a rounding of the factor, one of the product and a spare; in the second
    1 + epsilon is rounded before it is subtracted, which weighs at most twice the factor.
    """
    count = round(factor / (factor - 1)) if factor > 1 else 0
    plain = count > 1 and factor == count / (count - 1)
    roundings = 3 if plain else 3 + 2 * abs(factor)
    with np.errstate(all="ignore"):
        size = variance.magnitude * abs(factor)
        error = variance.bound * abs(factor) + form.accumulated(roundings) * size
        loss = 2 * form.loss + form.flush * abs(factor)
        return form.settled(variance.value * factor, error + loss, size)


def inverse_deviation(
    variance: Bounded, epsilon: float, placement: str, form: Format, *, nonnegative: bool = True
) -> Bounded:
    """Return 1/√(variance + epsilon), or 1/(√variance + epsilon) where epsilon stands outside.

    The bound is the exact range over the admissible variances and readings of epsilon, widened by
    the roundings of the root; it is infinite where the range reaches a division by zero, the root
    of a negative number, or a number so small that it may be flushed or its reciprocal overflows.
    `nonnegative` cuts a range that starts above zero off at zero; pass `Moments.nonnegative`.
    Clause BN-1.2.
    """
    with np.errstate(all="ignore"):
        low = variance.lower
        if nonnegative:
            low = np.maximum(low, np.minimum(variance.value, 0.0))
        readings = form.readings(epsilon)
        if placement == "outside the root":
            return outside(low, variance, epsilon, readings, form)
        growth, dip = form.accumulated(1), 2 * form.flush
        infinite = np.isposinf(variance.value) & (variance.bound == 0)
        value = 1 / np.sqrt(variance.value + epsilon)
        most = (variance.upper + max(readings)) * (1 + growth) + dip
        total = (low + min(readings)) * (1 - growth) - dip
        least, greatest = 1 / np.sqrt(most), 1 / np.sqrt(total)
        # Some form 1/t or y² = 1/t on the way, which may underflow.
        lost = np.where(most * form.loss < 0.5, most * form.loss * 2, np.inf) * greatest
        found = ranged(value, total, least, greatest, lost, form, form.root)
        if not infinite.any():
            return found
        return Bounded(found.value, np.where(infinite, 0.0, found.bound))  # 1/∞ is 0, exactly.


def outside(
    low: Array, variance: Bounded, epsilon: float, readings: frozenset[float], form: Format
) -> Bounded:
    """Return 1/(√variance + epsilon): a root, a sum and a reciprocal."""
    growth, dip = form.accumulated(form.root + 2), 2 * form.flush
    root_loss = np.sqrt(form.flush) + form.loss
    value = 1 / (np.sqrt(variance.value) + epsilon)
    most = (np.sqrt(variance.upper) + max(readings)) * (1 + growth) + dip
    total = np.where(low > form.flush, np.sqrt(low) * (1 - growth) - form.loss, low * 0)
    total = (total + min(readings)) * (1 - form.accumulated(1)) - dip
    least = 1 / (most + root_loss)
    return ranged(value, np.where(low < 0, -1.0, total), least, 1 / total, 0 * most, form, 3)


def ranged(
    value: Array,
    total: Array,
    least: Array,
    greatest: Array,
    lost: Array,
    form: Format,
    roundings: int,
) -> Bounded:
    """Return a value with the bound of its range, whose divisor is `total` at the least."""
    spread = np.maximum(greatest - value, value - least)
    error = spread + form.accumulated(roundings) * greatest + lost + form.loss
    smallest = max(form.flush, 1 / form.largest)
    error = np.where(np.isposinf(total), 0.0, error)  # An infinite divisor leaves zero, exactly.
    return form.settled(value, np.where(total > smallest, error, np.inf))


def steepness(variance: Bounded, epsilon: float, form: Format) -> Bounded:
    """Return 1 + epsilon/√variance, shape ``(channels,)``.

    By so much the inverse deviation with epsilon outside the root follows the variance more than
    −inverse³/2 says. Infinite, with an infinite bound, where the variance may be zero.
    """
    with np.errstate(all="ignore"):
        value = 1 + epsilon / np.sqrt(np.maximum(variance.value, 0.0))
        low = np.where(variance.lower > 2 * form.flush, variance.lower - 2 * form.flush, 0.0)
        most = 1 + max(form.readings(epsilon)) / np.sqrt(low)
        least = 1 + min(form.readings(epsilon)) / np.sqrt(variance.upper)
        spread = np.maximum(most - value, value - least)
        return form.settled(value, spread + form.accumulated(form.root + 4) * most)
