"""Statistics of a masked or weighted batch, and the gradient through them, with error bounds.

Shapes: x and dy ``(n, channels)``; weights ``(n,)``, all finite and not negative, one mask of ones
and zeros or a weight for each row. With ω the weights, W = Σω, and D = W and what is added to it:
m = Σωx/D and v = Σω(x − m)²/D. Clauses BN-11.1 and BN-11.4; derivations in
`reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.moments import Moments, variance_loss
from reference.normalisation import (
    Gradients,
    Normaliser,
    Sizes,
    beta_gradient,
    constant_gradient,
    gamma_gradient,
    input_gradient_loss,
    input_gradient_sizes,
    relative,
    slope_error,
)
from reference.rounding import Format


@dataclass(frozen=True)
class Weighting:
    """How much each row of a batch counts.

    Attributes:
        weights: ω, shape (n,).
        guard: what is added to their sum before it divides.
        keeps_out: whether a row of weight zero is left out, not multiplied by zero.
    """

    weights: Array
    guard: float
    keeps_out: bool

    @property
    def column(self) -> Array:
        """Return the weights in shape (n, 1)."""
        return self.weights[:, np.newaxis]

    @property
    def total(self) -> float:
        """Return W."""
        return float(self.weights.sum())

    @property
    def divisor(self) -> float:
        """Return D."""
        return self.total + self.guard

    def counted(self, x: Array) -> Array:
        """Return x with zeros in place of what is left out."""
        return np.where(self.column == 0, 0.0, x) if self.keeps_out else x

    def roundings(self) -> int:
        """Return how many roundings W, its guard and the division by it take: n − 1, 1 and 2."""
        return len(self.weights) + 2

    def most(self) -> Array:
        """Return ω/D, shape (n, 1)."""
        return self.column / self.divisor


def of_nothing(x: Array, value: float) -> Moments:
    """Return the statistics of a batch without weight: all zero, or all NaN."""
    constant = np.full(x.shape[1], value)
    return Moments(exact(constant), exact(constant), len(x))


def weighted_moments(x: Array, by: Weighting, form: Format) -> Moments:
    """Return the mean and variance of a batch whose weights do not add up to zero."""
    with np.errstate(all="ignore"):
        used = by.counted(x)
        mean = weighted_mean(used, by, form)
        return Moments(mean, weighted_variance(used, mean, by, form), len(x))


def weighted_mean(x: Array, by: Weighting, form: Format) -> Bounded:
    """Return Σωx/D: a product, n − 1 additions, and the division."""
    count = len(x)
    growth = form.accumulated(count + by.roundings())
    value = (by.column * x).sum(axis=0) / by.divisor
    size = (by.column * np.abs(x)).sum(axis=0) / by.divisor
    error = growth * size + form.misread(by.guard) / by.divisor * size
    loss = (form.loss + form.flush) * (count + by.total) * 2 / by.divisor + form.loss
    total = size * by.divisor * (1 + growth)
    return form.settled(value, error + (1 + growth) * loss, total)


def weighted_variance(x: Array, mean: Bounded, by: Weighting, form: Format) -> Bounded:
    """Return Σω(x − m)²/D, in two passes."""
    count = len(x)
    centred = by.counted(x - mean.value)
    value = (by.column * np.square(centred)).sum(axis=0) / by.divisor
    shift = mean.bound + 2 * form.flush
    moved = 2 * drift(centred, by) * shift + by.total / by.divisor * shift**2
    growth = form.accumulated(count + 3 + by.roundings())
    size = value + moved
    error = growth * size + moved + form.misread(by.guard) / by.divisor * size
    times = count * (1 + by.most().max()) * (1 + 1 / by.divisor)
    loss = times * variance_loss(np.sqrt(size), growth, form)
    widest = np.square(np.abs(centred).max(axis=0) + shift)
    return form.settled(value, error + loss, widest, widest * by.total * (1 + growth))


def drift(centred: Array, by: Weighting) -> Array:
    """Return |Σω(x − m)|/D, zero but for the guard."""
    moved: Array = np.abs((by.column * centred).sum(axis=0)) / by.divisor
    return moved


def weighted_gradients(
    x: Array, dy: Array, by: Normaliser, weighting: Weighting, form: Format
) -> Gradients:
    """Return the gradients of ``sum(dy·output)`` through weighted statistics. Clause BN-11.4.

    ``dx = s·(dy − ω/D·(Σdy + κ·Σ(dy·x̂)·(x̂ − h)))`` with h = Σω·x̂/D, which is zero but for the
    guard. Constant statistics, and gamma and beta, are those of any batch.
    """
    with np.errstate(all="ignore"):
        dbeta = beta_gradient(dy, form)
        dgamma = gamma_gradient(x, dy, by, form)
        if by.flow is None:
            return Gradients(constant_gradient(dy, by, form), dgamma, dbeta)
        return Gradients(through(x, dy, by, weighting, dgamma, form), dgamma, dbeta)


def through(
    x: Array, dy: Array, by: Normaliser, weighting: Weighting, dgamma: Bounded, form: Format
) -> Bounded:
    """Return dx where the weighted statistics follow x, as `input_gradient` does without weights.

    Against that one, each rounding of a division by n is one by D, and a weight is multiplied in.
    """
    assert by.flow is not None
    at, share = Sizes.of(x, by, form), weighting.most()
    steepness = by.flow.steepness or exact(np.ones_like(by.mean.value))
    hat = (x - by.mean.value) * by.inverse.value
    column = weighting.column
    level = (column * hat).sum(axis=0) / weighting.divisor
    hat_error = np.abs(hat) * relative(by.inverse) + at.shift * at.inverse
    along = steepness.value * dgamma.value
    inner = dy - share * (dy.sum(axis=0) + along * (hat - level))
    bent = steepness.magnitude * dgamma.magnitude
    grown = len(x) + 8 + weighting.roundings()
    sums = form.accumulated(grown) + form.misread(weighting.guard) / weighting.divisor
    error = form.accumulated(7) * np.abs(dy) + sums * share * np.abs(dy).sum(axis=0)
    error = error + share * (hat_error * bent + np.abs(hat) * (bent - np.abs(along)))
    error = error + sums * share * at.offset * at.inverse * bent
    spread = (column * at.centred).sum(axis=0) / weighting.divisor * at.inverse
    error = error + (sums * spread + hat_error_of_mean(level, by, at)) * share * bent
    factor = at.scale * at.inverse
    total = np.abs(inner) * slope_error(by) + factor * error
    most = steepness.magnitude * share.max()
    times = len(x) * (1 + column.max()) * (1 + 1 / weighting.divisor)
    total = total + times * input_gradient_loss(dy, at, most * dgamma.magnitude, most, form)
    sizes = input_gradient_sizes(dy, at, dgamma, most)
    return form.settled(by.scale.value * by.inverse.value * inner, total, *sizes)


def hat_error_of_mean(level: Array, by: Normaliser, at: Sizes) -> Array:
    """Return how far the weighted mean of x̂ may be off: by the inverse, and by the mean."""
    moved: Array = np.abs(level) * relative(by.inverse) + at.shift * at.inverse
    return moved
