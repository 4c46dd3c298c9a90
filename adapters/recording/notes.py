"""The operations written down so far, and the references by which they know what others gave."""

import functools
import types
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from adapters.recording.traced import (
    Json,
    Spread,
    Traced,
    array_reference,
    converted,
    is_plain_array,
    literal,
)

OWN = "recorded "
"""Before the names of the adapter's modules, to tell them from the modules themselves."""


class Notes:
    """Blocks of operations; `prelude` is the one of what importing the adapter did.

    By their numbers, `names` are what the adapter calls values, `kept` those it called so anew,
    `tested` those it looked at to decide something, and `read` the attributes and items, each with
    how to read it again; those in `unsteady` had become something else when they were used.
    """

    def __init__(self) -> None:
        self.count = 0
        self.prelude: List[Json] = []
        self.blocks = [self.prelude]
        self.names: Dict[int, str] = {}
        self.kept: Set[int] = set()
        self.tested: Set[int] = set()
        self.read: Dict[int, Callable[[], Any]] = {}
        self.unsteady: Set[int] = set()
        self.arrays: Dict[int, Tuple[Any, str]] = {}
        self.callbacks: Dict[Any, Tuple[int, Any, Any]] = {}

    def number(self) -> int:
        """Return a number no value has yet."""
        self.count += 1
        return self.count

    @contextmanager
    def block(self, operations: Optional[List[Json]] = None) -> Iterator[List[Json]]:
        """Write down what follows as a block of its own."""
        operations = [] if operations is None else operations
        self.blocks.append(operations)
        try:
            yield operations
        finally:
            self.blocks.pop()

    def write(self, operation: str, compute: Callable[[], Any], **about: Any) -> Traced:
        """Write an operation down, compute it, and return its traced result."""
        written = dict(about, op=operation, id=self.number())
        self.blocks[-1].append(written)
        try:
            return Traced(compute(), written["id"])
        except Exception:
            written["raised"] = True
            raise

    def reference(self, value: Any) -> Json:  # noqa: PLR0911 - one for each kind of value
        """Return where a value comes from. Raises Unwritable where that cannot be said."""
        if isinstance(value, Traced):
            self.read_again(value)
            return {"node": value.number}
        if isinstance(value, Spread):
            return {"starred": self.reference(value.traced)}
        if is_plain_array(value):
            return array_reference(value, self.arrays.get(id(value), (value, ""))[1])
        if isinstance(value, (list, tuple, set, frozenset)):
            kind = "tuple" if isinstance(value, tuple) else type(value).__name__
            return {kind: [self.reference(each) for each in value]}
        if isinstance(value, dict):
            return {"dict": [[self.reference(k), self.reference(v)] for k, v in value.items()]}
        if isinstance(value, slice):
            return {"slice": [self.reference(x) for x in (value.start, value.stop, value.step)]}
        if is_own_function(value):
            return {"node": self.callback(value)[0]}
        return literal(value)

    def read_again(self, value: Traced) -> None:
        """Note where an attribute or item, read again where it is used, gives something else."""
        try:
            if self.read[value.number]() is value.value:
                return
        except LookupError:
            pass  # It is not there any more; or it was not read but worked out.
        self.unsteady.add(value.number)

    def plain(self, value: Any) -> Any:
        """Return a value as the framework knows it."""
        return converted(self.plain_part, value)

    def plain_part(self, value: Any) -> Any:
        """Return what is no container as the framework knows it."""
        if isinstance(value, Traced):
            return value.value
        return self.callback(value)[1] if is_own_function(value) else value

    def look(self, value: Any) -> Any:
        """Return a value that is only looked at to decide what to do."""
        if isinstance(value, Traced):
            self.tested.add(value.number)
            return value.value
        return value

    def name(self, name: str, value: Any, anew: bool = True) -> Any:  # noqa: FBT002 - for brevity
        """Note what the adapter calls a value; `anew` where the name stood for nothing before."""
        name = name.lstrip("*")
        if name.startswith("__"):
            return value
        if isinstance(value, Traced):
            self.names.setdefault(value.number, name)
            if anew:
                self.kept.add(value.number)
        elif is_plain_array(value):
            self.arrays.setdefault(id(value), (value, name))
        return value

    def named_like(self, value: Any, sources: Any) -> Any:
        """Give an array that was worked out from one other the name of that."""
        known = [self.arrays[id(each)][1] for each in sources if id(each) in self.arrays]
        return self.name(known[0], value) if len(known) == 1 else value

    def callback(self, function: Any) -> Tuple[int, Any, Any]:
        """Return number and callable for an adapter's function that the framework calls.

        The script defines it by what its first call does.
        """
        key = (getattr(function, "__func__", function), id(getattr(function, "__self__", None)))
        if key not in self.callbacks:
            number = self.number()
            about: Json = {"op": "define", "id": number, "parameters": None, "body": []}
            self.names[number] = function.__name__
            self.blocks[-1].append(about)

            @functools.wraps(function)
            def called(*arguments: Any, **keywords: Any) -> Any:
                return self.called(function, about, arguments, keywords)

            self.callbacks[key] = (number, called, function)
        return self.callbacks[key]

    def called(self, function: Any, about: Json, arguments: Any, keywords: Json) -> Any:
        """Call an adapter's function for the framework, writing down what the first call does."""
        first = about["parameters"] is None
        with self.block(about["body"] if first else None):
            taken = [Traced(each, self.number()) for each in arguments]
            given = {name: Traced(each, self.number()) for name, each in keywords.items()}
            if first:
                about["parameters"] = [each.number for each in (*taken, *given.values())]
                code = getattr(function, "__func__", function).__code__
                names = code.co_varnames[hasattr(function, "__func__") :]
                for name, each in (*zip(names, taken), *given.items()):
                    self.names[each.number] = name
            result = function(*taken, **given)
            if first:
                about["returns"] = self.reference(result)
            return self.plain(result)


def is_own(value: Any) -> bool:
    """Tell whether a function or a class is the adapter's."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.startswith(OWN)


def is_own_function(value: Any) -> bool:
    """Tell whether a value is a function of the adapter's."""
    return is_own(value) and isinstance(value, (types.FunctionType, types.MethodType))
