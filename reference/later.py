"""Values worked out when first looked at, so that a reader consults no convention in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from reference.bounded import Bounded

T = TypeVar("T")


class Later(Generic[T]):
    """The result of a function without arguments, called once, when it is first wanted."""

    __slots__ = ("found", "function")

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.found: list[T] = []

    def __call__(self) -> T:
        """Return the result; what the function raises is raised again each time."""
        if not self.found:
            self.found.append(self.function())
        return self.found[0]


Entries = Mapping[str, Bounded | Callable[[], Bounded]]


class Quantities(Mapping[str, Bounded]):
    """Quantities by name; which there are is known, each value is worked out when looked at."""

    __slots__ = ("entries",)

    def __init__(self, entries: Entries) -> None:
        self.entries = known(entries)

    def __getitem__(self, name: str) -> Bounded:
        """Return a quantity. Raises KeyError where there is none of that name."""
        value = self.entries[name]
        return value() if type(value) is Later else value  # type: ignore[return-value]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a quantity, without working it out."""
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return how many quantities there are."""
        return len(self.entries)

    def with_(self, changes: Entries) -> Quantities:
        """Return the same with some quantities added or replaced."""
        if not changes:
            return self
        changed = Quantities({})
        changed.entries = {**self.entries, **known(changes)}
        return changed


def known(entries: Entries) -> dict[str, Bounded | Later[Bounded]]:
    """Return entries in which each function is called once at most."""
    if type(entries) is Quantities:
        return entries.entries
    return {
        name: value if isinstance(value, Bounded | Later) else Later(value)
        for name, value in entries.items()
    }
