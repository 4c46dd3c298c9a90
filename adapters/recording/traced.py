"""What is carried about while recording, and how it is written down.

A reference is JSON that says where a value comes from: ``{"node": 7}`` for what operation 7 gave, a
literal, an array, or a container of references.
"""

import builtins
import json
import math
from typing import Any, Callable, Dict, List

import numpy as np

from adapters.wire import encode_array

Json = Dict[str, Any]
NUMBERS = ("id", "ids", "element", "node", "parameters")
SCALARS = (str, int, float, bool, type(None))


class Unwritable(Exception):
    """What the adapter does cannot be written as a script; the message is a sentence."""


class Traced:
    """What the framework gave: its value, and the number of the operation that gave it.

    One that `folds` belongs to NumPy or `math`: what these make of plain values is plain.
    """

    __slots__ = ("folds", "number", "value")

    def __init__(self, value: Any, number: int, *, folds: bool = False) -> None:
        self.value = value
        self.number = number
        self.folds = folds

    def __bool__(self) -> bool:
        raise Unwritable("A value of the framework was tested where nothing saw it.")

    def __iter__(self) -> Any:
        raise Unwritable("A value of the framework was looped over where nothing saw it.")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        theirs = other.value if isinstance(other, Traced) else other
        return isinstance(self.value, SCALARS) and bool(self.value == theirs)

    def __hash__(self) -> int:
        return hash(self.value) if isinstance(self.value, SCALARS) else id(self)


class Spread:
    """A traced value written with a star among the arguments of a call."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced


def anywhere(found: Callable[[Any], bool], value: Any) -> bool:
    """Tell whether something holds of a value or of anything in it."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(anywhere(found, each) for each in value)
    if isinstance(value, dict):
        return any(anywhere(found, each) for pair in value.items() for each in pair)
    if isinstance(value, slice):
        return anywhere(found, (value.start, value.stop, value.step))
    return found(value)


def is_traced(value: Any) -> bool:
    """Tell whether a value came from the framework."""
    return isinstance(value, Spread) or (isinstance(value, Traced) and not value.folds)


def is_plain_array(value: Any) -> bool:
    """Tell whether a value is an array of NumPy's own, or one of its numbers."""
    return isinstance(value, (np.ndarray, np.generic))


def converted(convert: Callable[[Any], Any], value: Any) -> Any:
    """Return a copy of a value in which everything that is no container is converted."""
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [converted(convert, each) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        pairs = ((converted(convert, k), converted(convert, v)) for k, v in value.items())
        return dict(pairs)
    if isinstance(value, slice):
        return slice(*(converted(convert, each) for each in (value.start, value.stop, value.step)))
    return convert(value)


def untraced(value: Any) -> Any:
    """Return a value in which everything traced is as the framework knows it."""
    return converted(lambda each: each.value if isinstance(each, Traced) else each, value)


def literal(value: Any) -> Json:
    """Return the reference of something that is neither a container nor traced.

    Raises Unwritable for what has no literal.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {"literal": 'float("{}")'.format(value)}
    if isinstance(value, (*SCALARS, bytes)):
        return {"literal": repr(value)}
    if isinstance(value, np.dtype):
        return {"literal": repr(value.name)}
    name = getattr(value, "__name__", None) or str(value)
    if getattr(builtins, name, None) is value:
        return {"literal": name}
    raise Unwritable("A {} has no literal.".format(type(value).__name__))


def array_reference(array: Any, name: str) -> Json:
    """Return the reference of a plain array, which is known to the script by a name.

    Raises Unwritable for one that does not hold numbers.
    """
    if array.dtype.kind not in "fiub":
        raise Unwritable("An array of {} has no literal.".format(array.dtype))
    return {"array": encode_array(array), "name": name}


def numbers_in(operations: List[Json]) -> List[int]:
    """Return the numbers of all values that operations give, in order."""
    found: List[int] = []
    for operation in operations:
        found += [operation[key] for key in ("id", "element") if key in operation]
        found += operation.get("ids", [])
        found += operation.get("parameters") or []
        found += numbers_in(operation.get("body") or [])
    return found


def form_of(operations: List[Json], *others: Any) -> str:
    """Return text that is equal for operations that differ only in the numbers of their values."""
    renamed = {number: "#{}".format(i) for i, number in enumerate(numbers_in(operations))}

    def renumbered(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: renumbered(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [renumbered(each, key) for each in value]
        return renamed.get(value, value) if key in NUMBERS else value

    return json.dumps(renumbered([operations, *others]), sort_keys=True)
