"""The correction of batch renormalisation (Ioffe 2017, Algorithm 1), with its error bounds.

Arrays have shape ``(channels,)``. ρ and δ are the paper's r and d. Clauses BN-12.1 to BN-12.8;
derivations in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.normalisation import Gradients, Normaliser, Sizes
from reference.rounding import Format


@dataclass(frozen=True)
class Correction:
    """What renormalisation makes of x̂: ``x̂·ratio + shift``, both constants of the gradient."""

    ratio: Bounded
    shift: Bounded


@dataclass(frozen=True)
class Clipping:
    """The bounds of the correction: ratio in [rmin, rmax], shift in [−dmax, dmax]."""

    rmin: float = 0.0
    rmax: float = math.inf
    dmax: float = math.inf

    @classmethod
    def written(cls, bounds: Mapping[str, float], rule: str) -> Clipping:
        """Return the bounds a user wrote; `rule` says which rmin follows from rmax alone."""
        bounds = dict(bounds)
        if rule == "1/rmax" and "rmax" in bounds:
            bounds.setdefault("rmin", 1 / bounds["rmax"])
        return cls(**bounds)


def deviation(
    variance: Bounded, epsilon: float, placement: str, form: Format, *, nonnegative: bool = True
) -> Bounded:
    """Return √(variance + epsilon), or √variance + epsilon where epsilon stands outside.

    The range over the admissible variances and readings of epsilon, and the roundings of a sum and
    of a root: one, or those of t·(1/√t).
    """
    with np.errstate(all="ignore"):
        low = np.maximum(variance.lower, 0.0) if nonnegative else variance.lower
        readings, dip = form.readings(epsilon), 2 * form.flush
        grown, root = form.accumulated(1), form.accumulated(form.root + 1)
        if placement == "outside the root":
            value = np.sqrt(variance.value) + epsilon
            least = (np.sqrt(low) * (1 - root) + min(readings)) * (1 - grown) - dip
            most = (np.sqrt(variance.upper) * (1 + root) + max(readings)) * (1 + grown) + dip
        else:
            value = np.sqrt(variance.value + epsilon)
            inside = np.maximum((low + min(readings)) * (1 - grown) - dip, 0.0)
            least = np.sqrt(inside) * (1 - root)
            most = np.sqrt((variance.upper + max(readings)) * (1 + grown) + dip) * (1 + root)
        error = np.maximum(most - value, value - least) + form.loss + np.sqrt(form.flush)
        return form.settled(value, error, variance.upper + max(readings))


def root_of(epsilon: float, like: Bounded, form: Format) -> Bounded:
    """Return √epsilon for every channel."""
    return deviation(exact(np.zeros_like(like.value)), epsilon, "inside the root", form)


def raised(found: Bounded, least: Bounded) -> Bounded:
    """Return a deviation raised to the least one where it is below. Clause BN-12.8."""
    value = np.maximum(found.value, least.value)
    high, low = np.maximum(found.upper, least.upper), np.maximum(found.lower, least.lower)
    return Bounded(value, np.maximum(high - value, value - low))


def quotient(above: Bounded, below: Bounded, form: Format) -> Bounded:
    """Return above/below, below positive: a reciprocal and a product at most."""
    with np.errstate(all="ignore"):
        value = above.value / below.value
        least = np.where(below.lower > form.flush, below.lower, 0.0)
        error = (above.bound + np.abs(value) * below.bound) / least
        error = error + form.accumulated(3) * (np.abs(value) + error)
        error = error + form.loss * (2 + above.magnitude) + form.flush / least
        return form.settled(value, error, 1 / least)


def difference(one: Bounded, other: Bounded, form: Format) -> Bounded:
    """Return one − other."""
    value = one.value - other.value
    error = one.bound + other.bound
    error = error + form.roundoff * (np.abs(value) + error) + 3 * form.flush
    return form.settled(value, error)


def clipped(found: Bounded, least: float, greatest: float, form: Format) -> Bounded:
    """Return a value kept between two bounds, each of which may be read a little off."""
    with np.errstate(invalid="ignore"):
        value = np.clip(found.value, least, greatest)
        off = max(form.misread(end) if math.isfinite(end) else 0.0 for end in (least, greatest))
        low = np.clip(found.lower, least, greatest)
        high = np.clip(found.upper, least, greatest)
        return Bounded(value, np.maximum(high - value, value - low) + off)


def correction(
    mean: Bounded,
    spread: Bounded,
    averages: tuple[Bounded, Bounded],
    clipping: Clipping,
    form: Format,
) -> Correction:
    """Return ρ = spread/σ and δ = (mean − μ)/σ, clipped; `averages` are μ and σ."""
    centre, scale = averages
    ratio = quotient(spread, scale, form)
    shift = quotient(difference(mean, centre, form), scale, form)
    return Correction(
        clipped(ratio, clipping.rmin, clipping.rmax, form),
        clipped(shift, -clipping.dmax, clipping.dmax, form),
    )


def product(one: Bounded, other: Bounded, roundings: int, form: Format) -> Bounded:
    """Return one·other, each term of what uses it granted so many roundings."""
    with np.errstate(all="ignore"):
        size = one.magnitude * other.magnitude
        error = size - np.abs(one.value * other.value) + form.accumulated(roundings) * size
        loss = form.loss + form.flush * (one.magnitude + other.magnitude)
        return form.settled(one.value * other.value, error + loss, size)


def summed(one: Bounded, other: Bounded, roundings: int, form: Format) -> Bounded:
    """Return one + other."""
    size = one.magnitude + other.magnitude
    error = one.bound + other.bound + form.accumulated(roundings) * size + 3 * form.flush
    return form.settled(one.value + other.value, error, size)


def renormalised(by: Normaliser, found: Correction, form: Format) -> Normaliser:
    """Return what gives γ·(x̂·ρ + δ) + β: a gamma of γ·ρ and a beta of γ·δ + β.

    The roundings of every order of these operations are granted to the two.
    """
    gamma = product(by.scale, found.ratio, 4, form)
    beta = product(by.scale, found.shift, 4, form)
    if by.beta is not None:
        beta = summed(beta, by.beta, 2, form)
    return replace(by, gamma=gamma, beta=beta)


def renormalised_gradients(
    found: Gradients, of: tuple[Array, Array], by: Normaliser, correct: Correction, form: Format
) -> Gradients:
    """Return the gradients with that to gamma, Σdy·(x̂·ρ + δ), from Σdy·x̂ and Σdy.

    `of` are x and dy. Summed term by term, each takes two roundings more than those sums grant.
    """
    x, dy = of
    along = product(found.dgamma, correct.ratio, 3, form)
    across = product(found.dbeta, correct.shift, 3, form)
    dgamma = summed(along, across, 2, form)
    with np.errstate(all="ignore"):
        at, weight = Sizes.of(x, by, form), np.abs(dy)
        size = (weight * at.offset).sum(axis=0) * at.inverse * correct.ratio.magnitude
        size = size + weight.sum(axis=0) * correct.shift.magnitude
        error = dgamma.bound + form.accumulated(2) * size
        return replace(found, dgamma=form.settled(dgamma.value, error, size))


def squared_less(average: Bounded, epsilon: float, form: Format) -> Bounded:
    """Return the variance of an average deviation: its square less epsilon, not below zero."""
    with np.errstate(all="ignore"):
        square = np.square(average.value)
        error = 2 * np.abs(average.value) * average.bound + average.bound**2
        error = error + form.roundoff * (square + error) + form.loss + form.misread(epsilon)
        value = square - epsilon
        error = error + form.roundoff * (np.abs(value) + error) + 3 * form.flush
        bounded = form.settled(value, error, square + error)
    return clipped(bounded, 0.0, math.inf, form)


def mixed(average: Bounded, weight: Bounded, batch: Bounded, form: Format) -> Bounded:
    """Return average + (1 − weight)·batch: a biased average completed by the batch at hand."""
    rest = Bounded(1 - weight.value, weight.bound + form.roundoff)
    return summed(average, product(rest, batch, 1, form), 1, form)
