"""Values worked out when first looked at, so that a reader consults no convention in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from reference.bounded import Bounded

T = TypeVar("T")


class Later(Generic[T]):
    """The result of a function without arguments, called once, when it is first wanted."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.found: list[T] = []

    def __call__(self) -> T:
        """Return the result; what the function raises is raised again each time."""
        if not self.found:
            self.found.append(self.function())
        return self.found[0]


class Quantities(Mapping[str, Bounded]):
    """Quantities by name; which there are is known, each value is worked out when looked at."""

    def __init__(self, entries: Mapping[str, Bounded | Callable[[], Bounded]]) -> None:
        known = entries.entries if isinstance(entries, Quantities) else entries
        self.entries: dict[str, Bounded | Later[Bounded]] = {
            name: value if isinstance(value, Bounded | Later) else Later(value)
            for name, value in known.items()
        }

    def __getitem__(self, name: str) -> Bounded:
        """Return a quantity. Raises KeyError where there is none of that name."""
        value = self.entries[name]
        return value if isinstance(value, Bounded) else value()

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a quantity, without working it out."""
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return how many quantities there are."""
        return len(self.entries)

    def with_(self, changes: Mapping[str, Bounded | Callable[[], Bounded]]) -> Quantities:
        """Return the same with some quantities added or replaced."""
        return Quantities({**self.entries, **Quantities(changes).entries})
