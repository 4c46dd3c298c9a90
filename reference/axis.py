"""The form of one entry in the registry of conventions."""

from __future__ import annotations

from dataclasses import dataclass
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
            `error model` changes only the error bound.
        values: the admissible, or for numbers the known, values.
        meaning: what the choice means for a user, one sentence.
        paper: what Ioffe & Szegedy (2015) say; None where the paper is silent.
        translation: what to write so that two implementations which differ here behave alike,
            or None where no argument can bring them together.
    """

    id: str
    kind: Kind
    values: tuple[Value, ...]
    meaning: str
    paper: Value | None = None
    translation: str | None = None
