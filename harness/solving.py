"""Solves for the number an implementation uses: a default, an initial value, an epsilon floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from reference.axis import Value
from reference.chosen import Conventions, Unspecified
from reference.conventions import axis_named

if TYPE_CHECKING:
    from harness.questions import Question

TURNS = 60
MOST_DIGITS = 10
Error = Callable[[float], float]


def solutions(question: Question, others: Mapping[str, Value], axis: str) -> Iterator[float]:
    """Yield the simplest number, if any, with which the oracle shows what was seen."""

    def agrees(value: float) -> bool:
        try:
            fit = question.ask(Conventions({**others, axis: value}))
        except (Unspecified, ZeroDivisionError):
            return False
        return fit.agrees and fit.tells

    known = axis_named(axis).values
    for element in range(question.size):

        def error(value: float, element: int = element) -> float:
            return question.error(Conventions({**others, axis: value}), element)

        root = solved(error, float(known[0]), float(known[1]))
        if root is not None and agrees(root):
            yield simplest(root, agrees)
            return


def solved(error: Error, low: float, high: float) -> float | None:
    """Return where a function of one number vanishes, by the secant method; None without a root."""
    try:
        below, above = error(low), error(high)
        for _ in range(TURNS):
            if above == below or not np.isfinite(above - below):
                break
            low, high = high, high - above * (high - low) / (above - below)
            below, above = above, error(high)
            if above == 0:
                break
    except (Unspecified, ZeroDivisionError, ValueError, OverflowError):
        return None
    return high if np.isfinite(high) else None


def simplest(value: float, agrees: Callable[[float], bool]) -> float:
    """Return the number of fewest decimal digits near a solution that agrees as well."""
    for digits in range(1, MOST_DIGITS):
        rounded = float(f"{value:.{digits - 1}e}")
        if agrees(rounded):
            return rounded
    return value
