"""Penalties, constraints and weight decay: what they add to a loss and to a step of training.

Section 16 of the specification; the derivation of the bounds is in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.bounded import Bounded
from reference.rounding import Format
from suites.vocabulary import Absent, Layer


def penalty(layer: Layer, parameter: str) -> float:
    """Return the λ of a parameter's penalty, zero where it has none."""
    written = getattr(layer, f"{parameter}_penalty")
    return 0.0 if isinstance(written, Absent) else float(written)


def penalised(
    loss: Bounded, parameter: Bounded, coefficient: float, samples: int, form: Format
) -> Bounded:
    """Return a loss summed over samples with a penalty on the mean over them: λ·Σp² of each."""
    squares = np.sum(parameter.value**2)
    most = np.sum(parameter.magnitude**2)
    weight = samples * abs(coefficient)
    value = loss.value + samples * coefficient * squares
    error = loss.bound + weight * (most - squares)
    roundings = form.accumulated(parameter.value.size + 3)
    error = error + samples * form.misread(coefficient) * most
    error = error + roundings * (weight * most + loss.magnitude) + 4 * samples * form.loss
    return Bounded(np.asarray(value), np.asarray(error))


def pulled(
    parameter: Bounded, gradient: Bounded, pulls: Sequence[float], rate: float, form: Format
) -> Bounded:
    """Return p − rate·(g + pull·p), a step of gradient descent that draws p towards zero.

    A pull is 2λ for a penalty and the coefficient of a weight decay. Covers the forms that add
    pull·p to the gradient, that take rate·pull·p from p first, and that scale p first.
    """
    pull, largest = sum(pulls), sum(abs(each) for each in pulls)
    misread = sum(form.misread(each) for each in pulls)
    with np.errstate(all="ignore"):
        value = parameter.value - rate * (gradient.value + pull * parameter.value)
        drawn = gradient.magnitude + (largest + misread) * parameter.magnitude
        size = (abs(rate) + form.misread(rate)) * drawn
        error = parameter.bound * (1 + abs(rate) * largest) + abs(rate) * gradient.bound
        error = error + form.misread(rate) * drawn + abs(rate) * misread * parameter.magnitude
        error = error + form.accumulated(2 + 2 * len(pulls)) * size
        error = error + form.accumulated(1 + 2 * len(pulls)) * parameter.magnitude
        error = error + (2 + len(pulls)) * (form.loss + 2 * form.flush)
        return form.settled(value, error, size + parameter.magnitude)


def constrained(parameter: Bounded) -> Bounded:
    """Return a parameter kept from being negative. Clause BN-16.2."""
    lower = np.maximum(parameter.lower, 0)
    upper = np.maximum(parameter.upper, 0)
    value = np.maximum(parameter.value, 0)
    return Bounded(value, np.maximum(upper - value, value - lower))
