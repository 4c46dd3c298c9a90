"""The single operations of the adapter: reading, writing, calling, computing and testing."""

import functools
import operator
import types
from typing import Any, Callable, Dict, List

from adapters.recording.modules import PLAIN, Modules
from adapters.recording.notes import is_own
from adapters.recording.traced import (
    Json,
    Spread,
    Traced,
    Unwritable,
    anywhere,
    is_traced,
    literal,
    untraced,
)

BINARY: Dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "@": operator.matmul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
}
UNARY: Dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.inv,
    "not ": operator.not_,
}
ARRANGING = (zip, enumerate, reversed, iter, next, map, filter)
MAKING = (dict, list, tuple, set, frozenset, sorted)
TAKING_ALL = ("extend", "update", "union", "intersection", "difference")
LOOKING_UP = ("items", "values", "keys", "get")


class Operations(Modules):
    """Does each operation, and writes it down where it touches the framework."""

    def attribute(self, owner: Any, name: str) -> Any:
        """Read an attribute."""
        if not isinstance(owner, Traced):
            return getattr(owner, name)
        if isinstance(owner.value, dict) and name in LOOKING_UP:
            return getattr(self.mapping(owner), name)
        about = {"of": self.reference(owner), "name": name}
        found = self.write("attribute", lambda: getattr(owner.value, name), **about)
        found.folds = owner.folds
        self.read[found.number] = functools.partial(getattr, owner.value, name, None)
        return found

    def item(self, owner: Any, key: Any) -> Any:
        """Read an item."""
        if isinstance(owner, dict):
            return owner[key]
        if not isinstance(owner, Traced):
            return self.named_like(owner[self.plain(key)], [owner])
        about = {"of": self.reference(owner), "key": self.reference(key)}
        found = self.write("item", lambda: owner.value[self.plain(key)], **about)
        if isinstance(owner.value, (dict, list, tuple)) and not isinstance(key, (slice, Traced)):
            self.read[found.number] = functools.partial(operator.getitem, owner.value, key)
        return found

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Assign an attribute."""
        if not isinstance(owner, Traced):
            setattr(owner, name, self.name(name, value))
            return
        about = {"of": self.reference(owner), "name": name, "value": self.reference(value)}
        self.write("put", lambda: setattr(owner.value, name, self.plain(value)), **about)

    def put_item(self, owner: Any, key: Any, value: Any) -> None:
        """Assign an item."""
        if not isinstance(owner, Traced):
            owner[key] = value
            return
        about = {"of": self.reference(owner), "key": self.reference(key)}
        about["value"] = self.reference(value)
        target, plain = owner.value, self.plain((key, value))
        self.write("put item", lambda: operator.setitem(target, *plain), **about)

    def unpack(self, value: Any, *names: str) -> Any:
        """Take a value apart into what is assigned to names, one of which may have a star."""
        if not isinstance(value, Traced):
            if isinstance(value, (list, tuple)) and len(value) == len(names):
                for name, part in zip(names, value):
                    self.name(name, part)
            return value
        star = next((i for i, name in enumerate(names) if name.startswith("*")), None)
        parts = gathered(list(value.value), len(names), star)
        numbers = [self.number() for _ in names]
        about = {"op": "unpack", "ids": numbers, "of": self.reference(value), "star": star}
        self.blocks[-1].append(about)
        found: List[Any] = [Traced(part, number) for part, number in zip(parts, numbers)]
        for name, part in zip(names, found):
            self.name(name, part)
        if star is not None:
            found[star : star + 1] = self.each(found[star])
        return found

    def each(self, value: Any) -> Any:
        """Return something that can be looped over."""
        if not isinstance(value, Traced):
            return value
        if isinstance(value.value, dict):
            return list(value.value)
        if not hasattr(value.value, "__getitem__") or not hasattr(value.value, "__len__"):
            value = self.write_call(list, {"literal": "list"}, [value], {})
        return [self.item(value, i) for i in range(len(value.value))]

    def mapping(self, value: Any) -> Any:
        """Return something whose items can be spread among keywords."""
        if not isinstance(value, Traced):
            return value
        return {key: self.item(value, key) for key in list(value.value)}

    def spread(self, value: Any) -> Any:
        """Return what a star spreads among the arguments of a call."""
        return [Spread(value)] if isinstance(value, Traced) else value

    def call(  # noqa: PLR0911 - one for each kind of function
        self, function: Any, *arguments: Any, **keywords: Any
    ) -> Any:
        """Call a function of the framework, of Python or of the adapter."""
        if isinstance(function, Traced):
            return self.call_traced(function, list(arguments), keywords)
        given = [x for each in arguments for x in self.despread(each)]
        if is_own(function) or is_own(type(function)):
            return function(*given, **keywords)
        if id(function) in LOOKING:
            return LOOKING[id(function)](self, *given, **keywords)
        if not anywhere(is_traced, (given, keywords)):
            value = function(*untraced(given), **untraced(keywords))
            return self.named_like(value, [getattr(function, "__self__", None), *given])
        if function in ARRANGING or root_of(function) in PLAIN:
            return function(*map(self.each, given), **keywords)
        if function in MAKING and not any(isinstance(each, Traced) for each in given):
            return function(*given, **keywords)
        if isinstance(getattr(function, "__self__", None), (dict, list, set)):
            if function.__name__ in TAKING_ALL:
                given = [self.taken_all(each) for each in given]
            return function(*given, **keywords)
        return self.write_call(function, self.reference_of(function), given, keywords)

    def call_traced(self, function: Traced, arguments: List[Any], keywords: Json) -> Any:
        """Call the framework; what NumPy makes of plain values is plain."""
        if function.folds and not anywhere(is_traced, (arguments, keywords)):
            value = function.value(*untraced(arguments), **untraced(keywords))
            try:
                self.reference(value)
            except Unwritable:
                pass  # It is written down like any other call.
            else:
                return self.named_like(value, arguments)
        return self.write_call(function.value, self.reference(function), arguments, keywords)

    def write_call(
        self, function: Any, reference: Json, arguments: List[Any], keywords: Json
    ) -> Traced:
        """Write a call down and do it."""
        about = {
            "of": reference,
            "arguments": [self.reference(each) for each in arguments],
            "keywords": [[name, self.reference(each)] for name, each in keywords.items()],
        }
        values: List[Any] = []
        for each in arguments:
            values += each.traced.value if isinstance(each, Spread) else [each]
        plain = self.plain((values, keywords))
        return self.write("call", lambda: function(*plain[0], **plain[1]), **about)

    def reference_of(self, function: Any) -> Json:
        """Return the reference of a function of Python, or of a method of a literal."""
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return literal(function)
        return {"attribute": [self.reference(owner), function.__name__]}

    def despread(self, value: Any) -> Any:
        """Return the arguments that one argument with a star stands for."""
        return self.each(value.traced) if isinstance(value, Spread) else [value]

    def taken_all(self, value: Any) -> Any:
        """Return something that a container can take in."""
        if isinstance(value, Traced) and isinstance(value.value, dict):
            return self.mapping(value)
        return self.each(value)

    def decorator(self, function: Any) -> Callable[[Any], Any]:
        """Return what applies a decorator."""
        return functools.partial(self.call, function)

    def binary(self, sign: str, left: Any, right: Any) -> Any:
        """Apply an operator of two operands."""
        if isinstance(left, Traced) or isinstance(right, Traced):
            return self.operate("binary", BINARY[sign], sign, left, right)
        return self.named_like(BINARY[sign](left, right), [left, right])

    def unary(self, sign: str, operand: Any) -> Any:
        """Apply an operator of one operand."""
        if isinstance(operand, Traced):
            return self.operate("unary", UNARY[sign], sign, operand)
        return UNARY[sign](operand)

    def compare(self, sign: str, left: Any, right: Any) -> Any:
        """Compare; what is in a container of the adapter's is known without the framework."""
        if sign in ("in", "not in") and not isinstance(right, Traced):
            self.look(left)
            return BINARY[sign](left, right)
        if isinstance(left, Traced) or isinstance(right, Traced):
            return self.operate("compare", BINARY[sign], sign, left, right)
        return BINARY[sign](left, right)

    def operate(self, kind: str, compute: Any, sign: str, *operands: Any) -> Traced:
        """Write an operator down and apply it."""
        references = [self.reference(each) for each in operands]
        plain = [self.plain(each) for each in operands]
        return self.write(kind, lambda: compute(*plain), sign=sign, operands=references)

    def test(self, value: Any) -> bool:
        """Tell whether a value counts as true."""
        return bool(self.look(value))

    def both(self, first: Any, second: Callable[[], Any]) -> Any:
        """`and`."""
        return second() if self.test(first) else first

    def either(self, first: Any, second: Callable[[], Any]) -> Any:
        """`or`."""
        return first if self.test(first) else second()


def gathered(parts: List[Any], length: int, star: Any) -> List[Any]:
    """Return as many parts as there are names. Raises ValueError where there are not as many."""
    if star is not None:
        end = len(parts) - (length - star - 1)
        parts[star:end] = [parts[star:end]]
    if len(parts) != length:
        raise ValueError("{} values for {} names".format(len(parts), length))
    return parts


def root_of(function: Any) -> str:
    """Return the top package of a function."""
    return str(getattr(function, "__module__", "")).split(".")[0]


def look_up(recorder: Operations, owner: Any, name: str, *default: Any) -> Any:
    """`getattr`."""
    if default and not look_for(recorder, owner, name):
        return default[0]
    return recorder.attribute(owner, name)


def look_for(recorder: Operations, owner: Any, name: str) -> bool:
    """`hasattr`."""
    return hasattr(recorder.look(owner), name)


def look_at_class(recorder: Operations, value: Any, classes: Any) -> bool:
    """`isinstance`."""
    return isinstance(recorder.look(value), untraced(classes))


def look_for_any(recorder: Operations, values: Any) -> bool:
    """`any`."""
    return any(recorder.test(each) for each in recorder.each(values))


def look_at_all(recorder: Operations, values: Any) -> bool:
    """`all`."""
    return all(recorder.test(each) for each in recorder.each(values))


LOOKING: Dict[int, Callable[..., Any]] = {
    id(getattr): look_up,
    id(hasattr): look_for,
    id(isinstance): look_at_class,
    id(any): look_for_any,
    id(all): look_at_all,
    id(setattr): Operations.put,
    id(id): lambda recorder, value: id(recorder.look(value)),
    id(callable): lambda recorder, value: callable(recorder.look(value)),
    id(print): lambda recorder, *values: None,  # noqa: ARG005 - a script prints what it must
}
"""Functions of Python's that only look at a value, by identity."""
