"""The gradient of a gradient: of ``sum(weight·dx)`` with respect to x, with its error bound.

Shapes as in `reference.normalisation`. Clause BN-7.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.normalisation import Normaliser, Sizes, gamma_gradient, relative
from reference.rounding import Format


@dataclass(frozen=True)
class Curvature:
    """The parts of the second-order gradient, as values or as bounds of their absolute values.

    Attributes:
        hat: x̂, shape (n, channels).
        along: Σ weight·x̂ and Σ dy·x̂, shape (channels,).
        across: weight and dy less their means, shape (n, channels).
        product: Σ weight·(dy − mean dy), shape (channels,).
        bend: w·κ and w²·(2κ² + κ³), with κ the steepness and w = 1/divisor.
    """

    hat: Array
    along: tuple[Array, Array]
    across: tuple[Array, Array]
    product: Array
    bend: tuple[Array, Array]

    def signed(self) -> Array:
        """Return the second-order gradient divided by γ·r²."""
        first, second = self.bend
        along = self.across[0] * self.along[1] + self.across[1] * self.along[0]
        return self.hat * (second * self.along[0] * self.along[1] - first * self.product) - (
            first * along
        )

    def size(self) -> Array:
        """Return the same where no term cancels another."""
        first, second = self.bend
        along = self.across[0] * self.along[1] + self.across[1] * self.along[0]
        return self.hat * (second * self.along[0] * self.along[1] + first * self.product) + (
            first * along
        )


def bends(steepness: Array, divisor: float) -> tuple[Array, Array]:
    """Return w·κ and w²·(2κ² + κ³)."""
    return steepness / divisor, (2 * steepness**2 + steepness**3) / divisor**2


def second_gradient(x: Array, dy: Array, weight: Array, by: Normaliser, form: Format) -> Bounded:
    """Return the gradient with respect to x of ``sum(weight·dx)``, dx as `gradients` returns it.

    With p = weight, a = dy and sums over axis 0 it is, for population variance,
    ``γ·r²/n·(x̂·(3·Σpx̂·Σax̂/n − Σp(a − ā)) − (p − p̄)·Σax̂ − (a − ā)·Σpx̂)``; zero where the
    statistics are constants, since dx then does not depend on x. Clause BN-7.1, differentiated.
    """
    if by.flow is None:
        return exact(np.zeros_like(x))
    with np.errstate(all="ignore"):
        steepness = by.flow.steepness or exact(np.ones_like(by.mean.value))
        hat = (x - by.mean.value) * by.inverse.value
        across = (weight - weight.mean(axis=0), dy - dy.mean(axis=0))
        parts = Curvature(
            hat,
            ((weight * hat).sum(axis=0), (dy * hat).sum(axis=0)),
            across,
            (weight * across[1]).sum(axis=0),
            bends(steepness.value, by.flow.divisor),
        )
        value = by.scale.value * by.inverse.value**2 * parts.signed()
        error = second_error(x, parts, (weight, dy), by, form)
        loss, size = second_loss(x, (weight, dy), by, form)
        return form.settled(value, error + loss, size)


def uncentred(
    complete: Bounded, x: Array, dy: Array, weight: Array, by: Normaliser, form: Format
) -> Bounded:
    """Return the second-order gradient of who holds the mean inside the variance constant.

    The first order is not touched, since deviations add up to zero; of the second, `complete`, the
    term ``−γ·r²·q·Σ(dy·x̂)·p̄`` stays, where p = weight and q is as in clause BN-7.5.
    """
    assert by.flow is not None
    count = x.shape[0]
    steepness = by.flow.steepness or exact(np.ones_like(by.mean.value))
    projected = gamma_gradient(x, dy, by, form)
    with np.errstate(all="ignore"):
        mean = weight.mean(axis=0)
        most = np.abs(mean) + form.accumulated(count + 1) * np.abs(weight).mean(axis=0)
        factors = (by.scale, by.inverse, by.inverse, steepness, projected)
        value, size = mean / by.flow.divisor, most / by.flow.divisor
        for factor in factors:
            value, size = value * factor.value, size * factor.magnitude
        size = size * (1 + form.accumulated(len(factors) + 4))
        error = complete.bound + size - np.abs(value) + form.loss + form.flush
        error = error + form.accumulated(1) * (complete.magnitude + size)
        return form.settled(complete.value - value, error, size)


def second_error(
    x: Array, parts: Curvature, factors: tuple[Array, Array], by: Normaliser, form: Format
) -> Array:
    """Return what inexact statistics and roundings do to the second-order gradient."""
    assert by.flow is not None
    at = Sizes.of(x, by, form)
    steepness = (by.flow.steepness or exact(np.ones_like(by.mean.value))).magnitude
    grown = (1 + relative(by.inverse)) ** 5
    shift = at.shift * np.abs(by.inverse.value)
    absolute = Curvature(
        np.abs(parts.hat),
        (np.abs(parts.along[0]), np.abs(parts.along[1])),
        (np.abs(parts.across[0]), np.abs(parts.across[1])),
        np.abs(parts.product),
        parts.bend,
    )
    admissible = Curvature(
        absolute.hat + shift,
        (
            absolute.along[0] + shift * np.abs(factors[0].sum(axis=0)),
            absolute.along[1] + shift * np.abs(factors[1].sum(axis=0)),
        ),
        absolute.across,
        absolute.product,
        bends(steepness, by.flow.divisor),
    )
    gamma = np.abs(by.scale.value)
    exactly = gamma * by.inverse.value**2 * absolute.size()
    moved = by.scale.magnitude * by.inverse.value**2 * grown * admissible.size()
    majorant = uncancelled(at, factors, bends(steepness, by.flow.divisor))
    rounding = form.accumulated(3 * x.shape[0] + 25) * 2 * at.scale * at.inverse**2 * majorant
    return moved - exactly + rounding


def uncancelled(at: Sizes, factors: tuple[Array, Array], bend: tuple[Array, Array]) -> Array:
    """Return the size of the second-order gradient where nothing cancels, not even x − mean."""
    p, a = (np.abs(factor) for factor in factors)
    hat = at.offset * at.inverse
    parts = Curvature(
        hat,
        ((p * hat).sum(axis=0), (a * hat).sum(axis=0)),
        (p + p.mean(axis=0), a + a.mean(axis=0)),
        (p * (a + a.mean(axis=0))).sum(axis=0),
        bend,
    )
    size: Array = parts.size()
    everywhere: Array = size + size.mean(axis=0)
    return everywhere


def second_loss(
    x: Array, factors: tuple[Array, Array], by: Normaliser, form: Format
) -> tuple[Array, Array]:
    """Return what underflow costs the second-order gradient, and a bound of its intermediates.

    Every intermediate is a product of some of the factors below; so is all that follows it.
    """
    assert by.flow is not None
    at = Sizes.of(x, by, form)
    steepness = (by.flow.steepness or exact(np.ones_like(by.mean.value))).magnitude
    wide = np.maximum(at.offset, 1)
    p, a = (np.maximum((np.abs(factor) * wide).sum(axis=0), 1) for factor in factors)
    most = np.maximum(at.scale, 1) * np.maximum(at.inverse, 1) ** 5 * steepness**3 * p * a * wide
    most = most * max(1, 1 / by.flow.divisor) ** 2
    count = 3 * x.shape[0] + 25
    return (form.loss + form.flush) * count * (1 + form.accumulated(count)) * most, most
