"""Error bounds of moments updated value by value (Welford 1962) or block by block (Chan 1983).

The derivations are in `reference/ERROR_BOUNDS.md`, chapter "Welford". Arrays have shape
``(n, channels)``; u is the unit roundoff.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from reference.bounded import Array, Bounded
from reference.rounding import Format


def levels(count: int) -> int:
    """Return ⌈log₂ n⌉, the depth of a balanced tree over n values."""
    return math.ceil(math.log2(count)) if count > 1 else 0


def steps(count: int) -> int:
    """Return the most roundings a value passes at the size of the running mean."""
    return max(count, 4 * levels(count))


def amplification(count: int, form: Format) -> float:
    """Return the factor for errors of errors; infinite where the first order says nothing."""
    total = (steps(count) + 9 * levels(count) + 8) * form.roundoff
    return 1 / (1 - total) if total < 1 else math.inf


def welford_mean(x: Array, form: Format) -> Bounded:
    """Return Σx/n by m += (x − m)/k, or by joining the means of blocks."""
    count = x.shape[0]
    size, deviation = np.abs(x).mean(axis=0), x.std(axis=0)
    spread = 3 * math.sqrt(3 * levels(count)) * deviation
    error = form.roundoff * (steps(count) * size + spread)
    error = amplification(count, form) * (error + 4 * count * (form.loss + form.flush))
    return form.settled(x.mean(axis=0), error, count * (size + error), 2 * np.abs(x).max(axis=0))


def welford_variance(x: Array, mean: Bounded, form: Format) -> Bounded:
    """Return the variance by S += (x − m_old)(x − m_new), or by joining blocks."""
    count, u = x.shape[0], form.roundoff
    variance = np.square(x - mean.value).mean(axis=0)
    deviation, size = np.sqrt(variance), np.sqrt(np.square(x).mean(axis=0))
    first, second = of_means(count)
    error = u * (first * size * deviation + of_deviations(count) * variance)
    error = error + u**2 * (second * size**2 + 216 * levels(count) ** 2 * variance)
    loss = form.loss + form.flush
    error = error + 24 * count * loss * deviation + 32 * (count * loss) ** 2
    error = (error + (4 + levels(count)) * loss) * amplification(count, form) ** 2
    growth = form.accumulated(steps(count) + 9)
    error = error + growth * (variance + error)
    return form.settled(variance, error, count**2 * (variance + error))


def of_deviations(count: int) -> float:
    """Return how many u of the variance the roundings of x − m cost by way of the means."""
    if count < 2:
        return 0.0
    harmonic = 1 + math.log(count - 1)
    joined = math.log2(max(count - 1, 1)) * math.log(count / 2)
    return 6.7 * math.sqrt(harmonic) + 14.7 * math.sqrt(joined)


@lru_cache(maxsize=512)
def of_means(count: int) -> tuple[float, float]:
    """Return how many u·rms·deviation and u²·rms² the errors of the means cost the variance.

    The greatest over one chain, chains of blocks and balanced trees of blocks, for every number of
    blocks.
    """
    first, second = chains(count)
    blocks = np.arange(2, count + 1)
    each = -(-count // blocks)
    share = np.log(blocks)
    path = each - 1 + 4 * np.ceil(np.log2(blocks)) - 4
    in_chain = first[blocks - 1] + 2 * (each - 1) * np.sqrt(2 * share)
    in_tree = 2 * path * np.sqrt(2 * share)
    joined = np.hypot(first[each - 1], np.maximum(in_chain, in_tree))
    squares = 2 * (second[each - 1] + second[blocks - 1]) + 4 * path**2 * share
    return (
        float(max(first[-1], joined.max(initial=0.0))),
        float(max(second[-1], squares.max(initial=0.0))),
    )


def chains(count: int) -> tuple[Array, Array]:
    """Return the same for one chain of 1, 2, … n values.

    2·√Σ c²/(k(k − 1)) and 2·Σ (c/k)² over k = 2 … n, with c = √2 + … + √k.
    """
    k = np.arange(2, count + 1, dtype=np.float64)
    roots = np.cumsum(np.sqrt(k))
    first = 2 * np.sqrt(np.cumsum(roots**2 / (k * (k - 1))))
    second = 2 * np.cumsum((roots / k) ** 2)
    return np.append(0.0, first), np.append(0.0, second)
