"""Batch statistics and the inverse standard deviation, with their error bounds.

Arrays here have shape ``(n, channels)``: every axis but the channels is pooled into n, the number
of values per channel (clause BN-3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded
from reference.rounding import Format

ROOT_ROUNDINGS = 4
"""Roundings granted to the reciprocal square root; kernels need 1.5 to 3 (SPEC, Error bounds)."""


@dataclass(frozen=True)
class Moments:
    """Mean and population variance of a batch, shape ``(channels,)``, and n."""

    mean: Bounded
    variance: Bounded
    count: int


def batch_moments(x: Array, form: Format, algorithm: str) -> Moments:
    """Return the mean and population variance over axis 0 of x, shape ``(n, channels)``.

    The bounds hold for every order of summation. `algorithm` is a value of the axis
    `variance-algorithm`. Clauses BN-3.1 and BN-3.2; Ioffe & Szegedy 2015, Algorithm 1.
    """
    count = x.shape[0]
    mean = x.mean(axis=0)
    mean_error = form.accumulated(count + 1) * np.abs(x).mean(axis=0)
    variance = np.square(x - mean).mean(axis=0)
    growth = form.accumulated(count + 4)
    if algorithm == "one-pass":
        square = np.square(x).mean(axis=0)
        error = growth * square + 2 * np.abs(mean) * mean_error + mean_error**2
        error += form.roundoff * (np.square(mean) + variance)
    else:
        error = growth * (variance + mean_error**2) + mean_error**2
    if algorithm == "Welford":
        deviation = np.sqrt(variance)
        size = np.abs(mean) + np.sqrt(np.square(x).mean(axis=0))
        error += 2 * growth * size * deviation
    return Moments(
        Bounded(mean, mean_error + form.smallest),
        Bounded(variance, error + form.smallest),
        count,
    )


def scaled(variance: Bounded, factor: float, form: Format) -> Bounded:
    """Return a variance multiplied by a factor such as n/(n−1) (three roundings at most)."""
    error = variance.bound * factor + form.accumulated(3) * variance.magnitude * factor
    return Bounded(variance.value * factor, error)


def inverse_deviation(variance: Bounded, epsilon: float, placement: str, form: Format) -> Bounded:
    """Return 1/√(variance + epsilon), or 1/(√variance + epsilon) where epsilon stands outside.

    The bound is the exact range over the admissible variances and readings of epsilon, widened by
    the roundings of the root; it is infinite where the range reaches a division by zero.
    Clause BN-1.2.
    """
    outside = placement == "outside the root"

    def reciprocal(v: Array, e: float) -> Array:
        with np.errstate(divide="ignore"):
            return 1 / (np.sqrt(v) + e) if outside else 1 / np.sqrt(v + e)

    slack = form.misread(epsilon)
    value = reciprocal(np.maximum(variance.value, 0.0), epsilon)
    least = reciprocal(variance.upper * (1 + form.roundoff), epsilon + slack)
    greatest = reciprocal(np.maximum(variance.lower, 0.0), max(epsilon - slack, 0.0))
    spread = np.maximum(greatest - value, value - least)
    return Bounded(value, spread + form.accumulated(ROOT_ROUNDINGS + 2) * greatest)


def steepness(variance: Bounded, epsilon: float, form: Format) -> Bounded:
    """Return 1 + epsilon/√variance, shape ``(channels,)``.

    By so much the inverse deviation with epsilon outside the root follows the variance more than
    −inverse³/2 says. Infinite, with an infinite bound, where the variance may be zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 + epsilon / np.sqrt(variance.value)
        most = 1 + (epsilon + form.misread(epsilon)) / np.sqrt(np.maximum(variance.lower, 0.0))
        spread = np.where(np.isinf(most), np.inf, most - value)
    return Bounded(value, spread + form.accumulated(ROOT_ROUNDINGS + 2) * most)
