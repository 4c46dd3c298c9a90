"""How a running statistic takes in a batch, with the error bound of every form in use.

The derivations are in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np

from reference.bounded import Bounded, exact
from reference.rounding import Format


@dataclass(frozen=True)
class Debiased:
    """The hidden state of a zero-debiased average: the biased average and the updates so far."""

    biased: Bounded
    updates: int = 0


@dataclass(frozen=True)
class Weights:
    """The weights of one update: `keep` of the old running value, `give` of the batch's.

    Both are carried, because 1 − give loses the digits of a small give.
    """

    keep: float
    give: float

    def misread(self, form: Format) -> tuple[float, float]:
        """Return how far keep and give move when either is rounded or made from the other."""
        return misread_in(form, self)


@lru_cache(maxsize=1 << 15)
def misread_in(form: Format, weights: Weights) -> tuple[float, float]:
    """Return what `Weights.misread` does; weights are few and asked for often."""
    apart = abs(float(Fraction(weights.keep) + Fraction(weights.give) - 1))
    keep = max(form.misread(weights.keep), form.misread_complement(weights.give))
    give = max(form.misread(weights.give), form.misread_complement(weights.keep))
    return keep + apart, give + apart


def keeping(keep: float) -> Weights:
    """Return the weights that keep so much of the old value."""
    return Weights(keep, 1 - keep)


def giving(give: float) -> Weights:
    """Return the weights that give so much to the batch."""
    return Weights(1 - give, give)


def blended(old: Bounded, batch: Bounded, weights: Weights, form: Format) -> Bounded:
    """Return keep·old + give·batch. Clause BN-4.1.

    Covers the forms keep·old + give·batch, old − (old − batch)·give and old + (batch − old)·give,
    and the ways a framework rounds the two weights.
    """
    keep, give = weights.keep, weights.give
    of_keep, of_give = weights.misread(form)
    with np.errstate(all="ignore"):
        value = keep * old.value + give * batch.value
        apart = np.abs(old.value - batch.value) + old.bound + batch.bound
        weighed = (abs(keep) + of_keep) * old.magnitude + (abs(give) + of_give) * batch.magnitude
        summed = of_keep * old.magnitude + of_give * batch.magnitude
        summed = summed + form.accumulated(2) * weighed
        moved = of_give * apart + form.roundoff * (np.abs(value) + of_give * apart)
        moved = moved + form.accumulated(3) * (abs(give) + of_give) * apart
        error = abs(keep) * old.bound + abs(give) * batch.bound + np.maximum(summed, moved)
        error = error + form.roundoff * (abs(keep) * old.bound + abs(give) * batch.bound)
        error = error + 3 * form.loss + 6 * form.flush
        return form.settled(value, error, old.magnitude + batch.magnitude)


def debiased(
    state: Debiased, batch: Bounded, weights: Weights, form: Format
) -> tuple[Bounded, Debiased]:
    """Return the zero-debiased average and its new hidden state. Clause BN-4.4.

    The biased average starts at zero and the result is biased / (1 − keepᵗ) after t updates;
    Kingma & Ba 2014, section 3. Where keep is near one, 1 − keepᵗ loses digits, and the bound
    says so.
    """
    biased = blended(state.biased, batch, weights, form)
    updates = state.updates + 1
    return corrected(biased, updates, weights, form), Debiased(biased, updates)


def corrected(biased: Bounded, updates: int, weights: Weights, form: Format) -> Bounded:
    """Return a biased average after so many updates, divided by the weight it has collected."""
    power = weights.keep**updates
    correction = 1 - power
    size = abs(power)
    moved = updates * max(weights.misread(form)) * max(1.0, size)
    if 0 < size < 1:
        moved += form.misread(updates) * abs(math.log(abs(weights.keep))) * size
    slack = moved + form.accumulated(updates + form.root) * (size + moved)
    slack += form.roundoff * (1 + slack) + form.loss
    with np.errstate(all="ignore"):
        value = biased.value / correction
        least = np.float64(max(abs(correction) - slack, 0.0))
        error = biased.bound / least + np.abs(value) * (slack / least)
        error = error + form.accumulated(2) * (np.abs(value) + error)
        error = error + form.loss + form.flush / least
    return form.settled(value, error)


@dataclass(frozen=True)
class Hidden:
    """What an implementation keeps and does not show: debiased averages, and a count of updates."""

    averages: Mapping[str, Callable[[], Debiased | None]] = field(default_factory=dict)
    updates: int = 0


def fresh(like: Bounded) -> Debiased:
    """Return the hidden state before the first update."""
    return Debiased(exact(np.zeros_like(like.value)))


def descended(parameter: Bounded, gradient: Bounded, rate: float, form: Format) -> Bounded:
    """Return parameter − rate·gradient, a step of plain gradient descent."""
    with np.errstate(all="ignore"):
        value = parameter.value - rate * gradient.value
        size = (abs(rate) + form.misread(rate)) * gradient.magnitude
        error = parameter.bound + abs(rate) * gradient.bound
        error = error + form.misread(rate) * gradient.magnitude + form.accumulated(2) * size
        error = error + form.roundoff * parameter.magnitude + form.loss + 4 * form.flush
        return form.settled(value, error, size + parameter.magnitude)
