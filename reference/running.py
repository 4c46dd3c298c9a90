"""How a running statistic takes in a batch, with the error bound of every form in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

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

    @property
    def inconsistency(self) -> float:
        """Return by how much the two fail to add up to one."""
        return abs(float(Fraction(self.keep) + Fraction(self.give) - 1))

    def misread(self, form: Format) -> tuple[float, float]:
        """Return how far keep and give move when either is rounded or made from the other."""
        keep = max(form.misread(self.keep), form.misread_complement(self.give))
        give = max(form.misread(self.give), form.misread_complement(self.keep))
        return keep + self.inconsistency, give + self.inconsistency


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
    misread_keep, misread_give = weights.misread(form)
    value = keep * old.value + give * batch.value
    error = abs(keep) * old.bound + abs(give) * batch.bound
    error = error + max(misread_keep, misread_give) * old.magnitude
    error = error + misread_give * batch.magnitude
    sizes = (abs(keep) + abs(give)) * old.magnitude + abs(give) * batch.magnitude
    return Bounded(value, error + form.accumulated(3) * sizes + form.smallest)


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
    power = weights.keep**updates
    correction = 1 - power
    misread = max(weights.misread(form))
    slack = updates * misread + form.accumulated(2 * updates + 2) * power + form.roundoff
    with np.errstate(divide="ignore", invalid="ignore"):
        value = biased.value / correction
        ratio = slack / max(correction - slack, np.finfo(np.float64).tiny)
        error = biased.bound / correction + (np.abs(value) + biased.bound / correction) * ratio
        error = error + form.accumulated(2) * np.abs(value) + form.smallest
    return Bounded(value, error), Debiased(biased, updates)


@dataclass
class Hidden:
    """What an implementation keeps and does not show: debiased averages, and a count of updates."""

    averages: dict[str, Debiased] = field(default_factory=dict)
    updates: int = 0

    def copy(self) -> Hidden:
        """Return the same, to go on from independently."""
        return Hidden(dict(self.averages), self.updates)


def fresh(like: Bounded) -> Debiased:
    """Return the hidden state before the first update."""
    return Debiased(exact(np.zeros_like(like.value)))


def descended(parameter: Bounded, gradient: Bounded, rate: float, form: Format) -> Bounded:
    """Return parameter − rate·gradient, a step of plain gradient descent."""
    value = parameter.value - rate * gradient.value
    error = parameter.bound + rate * gradient.bound + form.misread(rate) * gradient.magnitude
    sizes = parameter.magnitude + rate * gradient.magnitude
    return Bounded(value, error + form.accumulated(2) * sizes + form.smallest)
