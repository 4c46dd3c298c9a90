"""Findings of identification in plain English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from harness.findings import Finding
from harness.identification import WHAT_IS_SHOWN, Unnamed
from harness.verdict import shown
from harness.words import quantity_in_words
from reference.axis import Value
from reference.conventions import REGISTRY


def finding_in_words(found: Finding) -> str:
    """Return what was measured and how that compares with what is declared."""
    measured = either(shown(value) for value in found.values)
    if found.status == "otherwise":
        assert found.declared is not None
        return f"declared {shown(found.declared)}, measured {measured}"
    return f"{measured}, {'not declared' if found.declared is None else found.status}"


def unnamed_in_words(found: Unnamed) -> str:
    """Return what no combination of conventions explains, and what comes closest."""
    quantity = found.question.quantity
    what = quantity if quantity == WHAT_IS_SHOWN else f"the {quantity_in_words(quantity)}"
    text = f"No combination of conventions explains {what} after step {found.question.step + 1}."
    if np.isfinite(found.fit.fraction):
        text += f" The closest misses it by {found.fit.fraction:.3g} bounds"
        text += f"{unusual(found.closest)}."
    if found.instead:
        single = either(f"{axis} {shown(value)}" for axis, value in found.instead)
        text += f" By itself {single} would explain it, but other scenarios showed otherwise."
    return text


def unusual(closest: Mapping[str, Value]) -> str:
    """Return what is not as in the paper about the conventions that fit best."""
    named = [
        f"{axis} {shown(value)}"
        for axis, value in closest.items()
        if REGISTRY[axis].paper not in (None, value)
    ]
    return f", with {' and '.join(named)}" if named else ""


def either(words: Iterable[str]) -> str:
    """Return words as alternatives."""
    return " or ".join(words)
