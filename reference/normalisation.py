"""The normalised output and its gradients, with their error bounds.

Shapes: x, dy and outputs ``(n, channels)``; statistics and parameters ``(channels,)``.
The bounds admit both forms in use, ``(x − m)·r·γ + β`` and ``x·s + (β − m·s)`` with ``s = γ·r``;
the second rounds at the size of ``|x|·s``.
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


def slope(by: Normaliser, form: Format) -> Bounded:
    """Return γ·r, one rounding."""
    gamma, inverse = by.scale, by.inverse
    value = gamma.value * inverse.value
    error = gamma.bound * inverse.magnitude + np.abs(gamma.value) * inverse.bound
    return Bounded(value, error + form.roundoff * gamma.magnitude * inverse.magnitude)


def centred(x: Array, by: Normaliser, factor: Bounded, growth: float) -> Array:
    """Return the error bound of (x − mean)·factor computed in either form."""
    deviation = np.abs(x - by.mean.value) * factor.bound
    shift = by.mean.bound * factor.magnitude
    return deviation + shift + growth * (np.abs(x) + by.mean.magnitude) * factor.magnitude


def normalised(x: Array, by: Normaliser, form: Format) -> Bounded:
    """Return x̂ = (x − mean)·inverse. Clause BN-1.1."""
    value = (x - by.mean.value) * by.inverse.value
    return Bounded(value, centred(x, by, by.inverse, form.accumulated(4)) + form.smallest)


def output(x: Array, by: Normaliser, form: Format) -> Bounded:
    """Return γ·x̂ + β. Clause BN-1.3; Ioffe & Szegedy 2015, Algorithm 1."""
    factor = slope(by, form)
    beta = by.beta or exact(np.zeros_like(by.mean.value))
    value = (x - by.mean.value) * factor.value + beta.value
    error = centred(x, by, factor, form.accumulated(5))
    error = error + beta.bound + form.accumulated(3) * beta.magnitude
    return Bounded(value, error + form.smallest)


def gradients(x: Array, dy: Array, by: Normaliser, form: Format) -> Gradients:
    """Return the gradients of ``sum(dy·output)``.

    With `by.flow` the batch statistics follow x, so that for population variance
    ``dx = s·(dy − Σdy/n − x̂·Σ(dy·x̂)/n)``. Clauses BN-7.1 to BN-7.4; Ioffe & Szegedy 2015,
    section 3.
    """
    count = x.shape[0]
    sums = form.accumulated(count + 4)
    hat = normalised(x, by, form)
    dbeta = Bounded(dy.sum(axis=0), sums * np.abs(dy).sum(axis=0) + form.smallest)
    dgamma = gamma_gradient(x, dy, by, hat, form)
    factor = slope(by, form)
    inner = dy
    error = form.accumulated(4) * np.abs(dy)
    if by.flow is not None:
        steepness = by.flow.steepness or exact(np.ones_like(by.mean.value))
        weight = steepness.value / by.flow.divisor
        inner = dy - dbeta.value / count - hat.value * dgamma.value * weight
        error = error + dbeta.bound / count
        error = error + hat.magnitude * dgamma.bound * weight
        error = error + hat.bound * np.abs(dgamma.value) * weight
        error = error + hat.magnitude * dgamma.magnitude * steepness.bound / by.flow.divisor
        sizes = np.abs(dbeta.value) / count + hat.magnitude * dgamma.magnitude * weight
        error = error + form.accumulated(8) * (np.abs(dy) + sizes)
    value = factor.value * inner
    total = factor.magnitude * error + factor.bound * np.abs(inner)
    total = total + form.accumulated(4) * np.abs(value)
    return Gradients(Bounded(value, total + form.smallest), dgamma, dbeta)


def gamma_gradient(x: Array, dy: Array, by: Normaliser, hat: Bounded, form: Format) -> Bounded:
    """Return Σ dy·x̂, whose errors share the one mean and the one inverse deviation."""
    sums = form.accumulated(x.shape[0] + 4)
    value = (dy * hat.value).sum(axis=0)
    weight = np.abs(dy).sum(axis=0)
    error = np.abs(dy.sum(axis=0)) * by.mean.bound * by.inverse.magnitude
    error = error + relative(by.inverse) * np.abs(value)
    error = error + sums * (np.abs(dy) * hat.magnitude).sum(axis=0)
    affine = (np.abs(dy) * np.abs(x)).sum(axis=0) + by.mean.magnitude * weight
    return Bounded(value, error + sums * affine * by.inverse.magnitude + form.smallest)


def relative(quantity: Bounded) -> Array:
    """Return a bound relative to the value."""
    return quantity.bound / np.abs(quantity.value)
