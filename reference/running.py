"""How a running statistic takes in a batch, with the error bound of every form in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Bounded, exact
from reference.rounding import Format


@dataclass(frozen=True)
class Debiased:
    """The hidden state of a zero-debiased average: the biased average and the updates so far."""

    biased: Bounded
    updates: int = 0


def blended(old: Bounded, batch: Bounded, keep: float, form: Format) -> Bounded:
    """Return keep·old + (1 − keep)·batch. Clause BN-4.1.

    Covers the forms keep·old + (1−keep)·batch, old − (old − batch)·(1−keep) and
    old + (batch − old)·(1−keep), and the ways a framework rounds keep and 1 − keep.
    """
    give = 1 - keep
    value = keep * old.value + give * batch.value
    error = abs(keep) * old.bound + abs(give) * batch.bound
    error = error + form.misread(keep) * old.magnitude
    error = error + form.misread_complement(keep) * (old.magnitude + batch.magnitude)
    sizes = (abs(keep) + abs(give)) * old.magnitude + abs(give) * batch.magnitude
    return Bounded(value, error + form.accumulated(3) * sizes + form.smallest)


def debiased(
    state: Debiased, batch: Bounded, keep: float, form: Format
) -> tuple[Bounded, Debiased]:
    """Return the zero-debiased average and its new hidden state. Clause BN-4.4.

    The biased average starts at zero and the result is biased / (1 − keepᵗ) after t updates;
    Kingma & Ba 2014, section 3. Where keep is near one, 1 − keepᵗ loses digits, and the bound
    says so.
    """
    biased = blended(state.biased, batch, keep, form)
    updates = state.updates + 1
    power = keep**updates
    correction = 1 - power
    misread = max(form.misread(keep), form.misread_complement(keep))
    slack = updates * misread + form.accumulated(2 * updates + 2) * power + form.roundoff
    value = biased.value / correction
    ratio = slack / max(correction - slack, np.finfo(np.float64).tiny)
    error = biased.bound / correction + (np.abs(value) + biased.bound / correction) * ratio
    error = error + form.accumulated(2) * np.abs(value) + form.smallest
    return Bounded(value, error), Debiased(biased, updates)


def fresh(like: Bounded) -> Debiased:
    """Return the hidden state before the first update."""
    return Debiased(exact(np.zeros_like(like.value)))


def descended(parameter: Bounded, gradient: Bounded, rate: float, form: Format) -> Bounded:
    """Return parameter − rate·gradient, a step of plain gradient descent."""
    value = parameter.value - rate * gradient.value
    error = parameter.bound + rate * gradient.bound + form.misread(rate) * gradient.magnitude
    sizes = parameter.magnitude + rate * gradient.magnitude
    return Bounded(value, error + form.accumulated(2) * sizes + form.smallest)
