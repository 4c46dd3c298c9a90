"""The normalised output and its gradients, with their error bounds.

Shapes: x, dy and outputs ``(n, channels)``; statistics and parameters ``(channels,)``.
The bounds admit both forms in use, ``(x − m)·r·γ + β`` and ``x·s + (β − m·s)`` with ``s = γ·r``;
the second rounds at the size of ``|x|·s``. The derivations are in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.rounding import Format


@dataclass(frozen=True)
class Normaliser:
    """What one execution normalises with: mean, inverse deviation, gamma and beta.

    `gamma` and `beta` are None where the layer has none. `flow` says how the gradient depends on
    the statistics; None holds them constant.
    """

    mean: Bounded
    inverse: Bounded
    gamma: Bounded | None
    beta: Bounded | None
    flow: Flow | None = None

    @property
    def scale(self) -> Bounded:
        """Return gamma, or one."""
        return self.gamma or exact(np.ones_like(self.mean.value))


@dataclass(frozen=True)
class Flow:
    """How the variance follows x: its divisor, and d(inverse)/d(variance) against −inverse³/2.

    `steepness` is that ratio, None where it is one.
    """

    divisor: float
    steepness: Bounded | None = None


@dataclass(frozen=True)
class Gradients:
    """Gradients of ``sum(dy·output)``: to the input, gamma and beta."""

    dx: Bounded
    dgamma: Bounded
    dbeta: Bounded


@dataclass(frozen=True)
class Sizes:
    """Bounds of what is computed from one input, for errors that are relative to a size.

    Attributes:
        offset: |x| + |mean|, at which the form x·s + (β − mean·s) rounds; shape of x.
        centred: |x − mean|; shape of x.
        shift: how far the subtracted mean, or an x read as zero, is off; shape (channels,).
        inverse: the greatest inverse deviation; shape (channels,).
        scale: the greatest |γ|; shape (channels,).
    """

    offset: Array
    centred: Array
    shift: Array
    inverse: Array
    scale: Array

    @classmethod
    def of(cls, x: Array, by: Normaliser, form: Format) -> Sizes:
        """Return the sizes of what a normaliser makes of x."""
        return cls(
            np.abs(x) + by.mean.magnitude,
            np.abs(x - by.mean.value) + by.mean.bound,
            by.mean.bound + 3 * form.flush,
            by.inverse.magnitude,
            by.scale.magnitude,
        )


def slope(by: Normaliser, form: Format) -> Bounded:
    """Return γ·r, one rounding."""
    with np.errstate(all="ignore"):
        error = slope_error(by) + form.roundoff * by.scale.magnitude * by.inverse.magnitude
        error = error + form.loss + form.flush * by.inverse.magnitude
        return form.settled(by.scale.value * by.inverse.value, error)


def slope_error(by: Normaliser) -> Array:
    """Return by how much γ·r is off before it is rounded."""
    gamma, inverse = by.scale, by.inverse
    return gamma.bound * inverse.magnitude + np.abs(gamma.value) * inverse.bound


def normalised(x: Array, by: Normaliser, form: Format) -> Bounded:
    """Return x̂ = (x − mean)·inverse: two roundings centred, three by x·r − mean·r. BN-1.1."""
    with np.errstate(all="ignore"):
        deviation = x - by.mean.value
        at = Sizes.of(x, by, form)
        size = at.offset * at.inverse
        error = np.abs(deviation) * by.inverse.bound + at.shift * at.inverse
        error = error + form.accumulated(2) * size + 3 * (form.loss + form.flush)
        return form.settled(deviation * by.inverse.value, error, size, at.offset)


def output(x: Array, by: Normaliser, form: Format) -> Bounded:
    """Return γ·x̂ + β. Clause BN-1.3; Ioffe & Szegedy 2015, Algorithm 1."""
    with np.errstate(all="ignore"):
        factor = slope(by, form)
        beta = by.beta or exact(np.zeros_like(by.mean.value))
        deviation = x - by.mean.value
        at = Sizes.of(x, by, form)
        size = at.offset * factor.magnitude
        error = np.abs(deviation) * factor.bound + at.shift * factor.magnitude + beta.bound
        error = error + form.accumulated(3) * size + form.accumulated(2) * beta.magnitude
        error = error + (3 + at.scale) * (form.loss + form.flush)
        value = deviation * factor.value + beta.value
        sizes = (size + beta.magnitude, at.offset, at.centred * at.inverse)
        return form.settled(value, error, *sizes)


def gradients(x: Array, dy: Array, by: Normaliser, form: Format) -> Gradients:
    """Return the gradients of ``sum(dy·output)``.

    With `by.flow` the batch statistics follow x, so that for population variance
    ``dx = s·(dy − Σdy/n − x̂·Σ(dy·x̂)/n)``. Clauses BN-7.1 to BN-7.4; Ioffe & Szegedy 2015,
    section 3.
    """
    with np.errstate(all="ignore"):
        dbeta = beta_gradient(dy, form)
        dgamma = gamma_gradient(x, dy, by, form)
        if by.flow is None:
            return Gradients(constant_gradient(dy, by, form), dgamma, dbeta)
        return Gradients(input_gradient(x, dy, by, dgamma, form), dgamma, dbeta)


def beta_gradient(dy: Array, form: Format) -> Bounded:
    """Return Σdy: n − 1 additions."""
    count, size = dy.shape[0], np.abs(dy).sum(axis=0)
    growth = form.accumulated(count - 1)
    error = growth * size + (1 + growth) * 2 * count * form.flush
    return form.settled(dy.sum(axis=0), error, size * (1 + growth))


def gamma_gradient(x: Array, dy: Array, by: Normaliser, form: Format) -> Bounded:
    """Return Σ dy·x̂, whose errors share the one mean and the one inverse deviation.

    Each term takes n + 2 roundings: as Σ dy·x̂, as (Σ dy·(x − m))·r and as (Σdy·x − m·Σdy)·r.
    """
    count, at = x.shape[0], Sizes.of(x, by, form)
    growth = form.accumulated(count + 2)
    value = (dy * ((x - by.mean.value) * by.inverse.value)).sum(axis=0)
    weight = np.abs(dy).sum(axis=0)
    products = ((np.abs(dy) + form.flush) * at.offset).sum(axis=0)
    error = np.abs(dy.sum(axis=0)) * by.mean.bound * at.inverse
    error = error + relative(by.inverse) * np.abs(value) + growth * products * at.inverse
    loss = (form.loss + form.flush) * (3 * (1 + count + weight) * (1 + at.inverse))
    loss = loss + form.flush * at.offset.sum(axis=0) * at.inverse
    total = (1 + growth) * products
    sizes = (total, total * at.inverse, weight * (1 + growth))
    widest = at.offset.max(axis=0) + at.centred.max(axis=0) * at.inverse
    return form.settled(value, error + (1 + growth) * loss, *sizes, widest)


def constant_gradient(dy: Array, by: Normaliser, form: Format) -> Bounded:
    """Return dx = γ·r·dy, two roundings, where the statistics are constants."""
    at_scale, at_inverse = by.scale.magnitude, by.inverse.magnitude
    value = by.scale.value * by.inverse.value * dy
    size = np.abs(dy) * at_scale * at_inverse
    error = np.abs(dy) * slope_error(by) + form.accumulated(2) * size
    loss = np.abs(dy) + at_inverse + at_scale * at_inverse + 1
    error = error + (form.loss + form.flush) * loss
    sizes = (size, np.abs(dy) * at_scale, at_scale * at_inverse)
    return form.settled(value, error, *sizes)


def input_gradient(x: Array, dy: Array, by: Normaliser, dgamma: Bounded, form: Format) -> Bounded:
    """Return dx = s·(dy − Σdy/n − w·x̂·Σ(dy·x̂)) where the statistics follow x.

    Roundings are counted for the paper's formula, for Σ dy·(x − m) projected out, and for the chain
    rule through (x − m)·r·γ + β and x·s + (β − m·s) with a variance of one or two passes.
    """
    assert by.flow is not None
    count, at = x.shape[0], Sizes.of(x, by, form)
    steepness = by.flow.steepness or exact(np.ones_like(by.mean.value))
    weight = steepness.value / by.flow.divisor
    most = steepness.magnitude / by.flow.divisor
    hat = (x - by.mean.value) * by.inverse.value
    hat_error = np.abs(hat) * relative(by.inverse) + at.shift * at.inverse
    inner = dy - dy.sum(axis=0) / count - hat * dgamma.value * weight
    bent = most * dgamma.magnitude
    sums = form.accumulated(count + 6)
    error = form.accumulated(7) * np.abs(dy) + sums * np.abs(dy).mean(axis=0)
    error = error + hat_error * bent + np.abs(hat) * (bent - np.abs(weight * dgamma.value))
    error = error + form.accumulated(10) * at.offset * at.inverse * bent
    error = error + sums * at.centred.mean(axis=0) * at.inverse * bent
    factor = at.scale * at.inverse
    total = np.abs(inner) * slope_error(by) + factor * error
    total = total + input_gradient_loss(dy, at, bent, most, form)
    sizes = input_gradient_sizes(dy, at, dgamma, most)
    return form.settled(by.scale.value * by.inverse.value * inner, total, *sizes)


def input_gradient_loss(dy: Array, at: Sizes, bent: Array, most: Array, form: Format) -> Array:
    """Return what underflow of an intermediate costs dx: its loss times all that follows it."""
    r, factor = at.inverse, at.scale * at.inverse
    loss = form.loss + form.flush
    follows = np.abs(dy) + np.abs(dy).mean(axis=0) + at.centred * r * bent
    follows = follows + 4 * (1 + r) * (1 + at.scale)
    by_products = (1 + r) ** 3 * (1 + at.scale) * (1 + most) + at.scale * (bent / r + most)
    read = form.flush * factor * most * r * at.offset * r * at.offset.sum(axis=0)
    lost: Array = loss * (follows + 4 * at.offset * by_products) + read
    return lost


def input_gradient_sizes(dy: Array, at: Sizes, dgamma: Bounded, most: Array) -> tuple[Array, ...]:
    """Return bounds of the intermediates of dx, which must not overflow."""
    count, r = dy.shape[0], at.inverse
    bend = np.maximum(most * count, 1)
    products = (np.abs(dy) * at.offset).sum(axis=0)
    along = at.centred * r * dgamma.magnitude
    sums = np.abs(dy).sum(axis=0) + along.sum(axis=0) * most
    chained = at.scale * dgamma.magnitude * np.maximum(1 / r, r**2)
    return (
        at.offset,
        at.centred * r,
        products * np.maximum(at.scale, 1) * np.maximum(r, 1) ** 2 * np.maximum(most, 1),
        count * np.abs(dy) + np.abs(dy).sum(axis=0) + along * bend,
        at.scale * np.maximum(r, 1) * (sums + along * most),
        r**3,
        2 * chained * bend * np.maximum(at.offset, 1),
    )


def relative(quantity: Bounded) -> Array:
    """Return a bound relative to the value."""
    return quantity.bound / np.abs(quantity.value)
