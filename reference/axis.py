"""The form of one entry in the registry of conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = str | float
Kind = Literal["choice", "number", "timing", "refusal", "error model"]

NOT_APPLICABLE = "not applicable"
"""Declared, with a reason, for an axis that an implementation has no occasion to choose on."""


@dataclass(frozen=True)
class Axis:
    """One choice an implementation of BatchNorm makes.

    Attributes:
        id: stable name, used in declarations, results and on the page.
        kind: `choice`, `timing` and `refusal` admit only `values`; `number` admits any number, of
            which `values` are those seen in use (they are the rivals an explanation tries);
            `error model` changes only the error bound, from value to value a wider one.
        values: the admissible, or for numbers the known, values.
        question: what the axis asks, for a reader who knows BatchNorm and not this project.
        meaning: what the choice is, one sentence.
        consequence: what a user sees where two implementations differ in it, one sentence.
        paper: what Ioffe & Szegedy (2015) say; None where the paper is silent.
        translation: what to write so that two implementations which differ here behave alike,
            or None where no argument can bring them together.
        translation_from: the same where it depends on which value is to be reproduced elsewhere.
    """

    id: str
    kind: Kind
    values: tuple[Value, ...]
    question: str
    meaning: str
    consequence: str
    paper: Value | None = None
    translation: str | None = None
    translation_from: Mapping[Value, str | None] = field(default_factory=dict)

    def translated(self, source: Value) -> str | None:
        """Return what to write in an implementation that differs, to reproduce `source` there."""
        return self.translation_from.get(source, self.translation)
