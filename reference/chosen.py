"""One value for every convention an execution reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reference.axis import NOT_APPLICABLE, Value
from reference.conventions import REGISTRY, axis_named


class Unspecified(Exception):
    """An execution needs a convention that was left open; `axis` is its id."""

    def __init__(self, axis: str) -> None:
        super().__init__(f"nothing is said about {axis!r}")
        self.axis = axis


class Conventions:
    """Chosen values by axis id; remembers which axes were read.

    `left` are the values that an axis without a chosen one may still have, where that is known;
    `presumed` the axes of which it was enough to know these. Raises KeyError for an unknown axis
    and ValueError for a value the axis does not admit.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        for axis, value in values.items():
            admit(axis, value)
        self.values = dict(values)
        self.left: Mapping[str, Sequence[Value]] = {}
        self.read: set[str] = set()
        self.presumed: set[str] = set()

    def __getitem__(self, axis: str) -> Value:
        """Return the value of an axis. Raises Unspecified where there is none."""
        axis_named(axis)
        self.read.add(axis)
        value = self.values.get(axis, NOT_APPLICABLE)
        if value == NOT_APPLICABLE:
            raise Unspecified(axis)
        return value

    def has(self, axis: str, value: Value) -> bool:
        """Tell whether an axis has a value. Raises Unspecified where it may have it or another."""
        left = self.left.get(axis, (value,))
        if axis in self.values or value in left:
            return self[axis] == value
        self.presumed.add(axis)
        return False

    def number(self, axis: str) -> float:
        """Return the value of a number axis."""
        return float(self[axis])

    def replace(self, change: Mapping[str, Value]) -> Conventions:
        """Return a copy with some axes changed, of which none was read."""
        for axis, value in change.items():
            admit(axis, value)
        return admitted({**self.values, **change})

    def unread(self) -> Conventions:
        """Return a copy of which no axis was read."""
        return admitted(self.values, self.left)


def admitted(
    values: Mapping[str, Value], left: Mapping[str, Sequence[Value]] | None = None
) -> Conventions:
    """Return conventions of values that are known to be admitted, without asking again."""
    conventions = Conventions({})
    conventions.values = dict(values)
    conventions.left = left or {}
    return conventions


def admit(axis: str, value: Value) -> None:
    """Raise ValueError unless the axis admits the value."""
    entry = axis_named(axis)
    if value == NOT_APPLICABLE or value in entry.values:
        return
    if entry.kind == "number":
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError(f"{axis} takes a number, not {value!r}")
        if not math.isfinite(value):
            raise ValueError(f"{axis} takes a finite number, not {value!r}")
    else:
        admitted = ", ".join(repr(known) for known in entry.values)
        raise ValueError(f"{axis} has no value {value!r}; it admits {admitted}")


PAPER = Conventions({axis.id: axis.paper for axis in REGISTRY.values() if axis.paper is not None})
"""The conventions of Ioffe & Szegedy (2015); what the paper leaves open is left open."""
