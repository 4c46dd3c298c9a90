"""Which survivors are explained: equivalent to the original, or outside BatchNorm's semantics.

They are listed in ``mutation_excluded.toml``, one line each.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutants import Mutant

FILE = Path(__file__).parent / "mutation_excluded.toml"
KINDS = ("equivalent", "outside")


@dataclass(frozen=True)
class Exclusion:
    """One reason why mutants of one line of one function need not be killed.

    `function` has the names around the line, joined by dots; `before` is the line as it was, and
    `after` as it became, None for whatever it becomes.
    """

    function: str
    before: str
    kind: str
    reason: str
    after: str | None = None

    def covers(self, mutant: Mutant) -> bool:
        """Tell whether it is about a mutant."""
        same = (mutant.function, mutant.before) == (self.function, self.before)
        return same and self.after in (None, mutant.after)


def exclusions(target: str, file: Path = FILE) -> list[Exclusion]:
    """Return what is excluded of a target. Raises ValueError for an entry that is malformed."""
    with file.open("rb") as stream:
        listed: Mapping[str, Sequence[Mapping[str, str]]] = tomllib.load(stream)
    found = []
    for entry in listed.get(target, ()):
        try:
            exclusion = Exclusion(**entry)
        except TypeError as error:
            message = f"An exclusion of {target} is malformed: {error}."
            raise ValueError(message) from error
        if exclusion.kind not in KINDS or not exclusion.reason:
            message = f"An exclusion is {' or '.join(KINDS)}, with a reason: {entry}."
            raise ValueError(message)
        found.append(exclusion)
    return found


def exclusion_of(mutant: Mutant, excluded: Iterable[Exclusion]) -> Exclusion | None:
    """Return the first exclusion that covers a mutant."""
    return next((each for each in excluded if each.covers(mutant)), None)
