"""From one implementation to another: what is the same, what can be translated, what cannot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.agreement import Party, alike, paper, party_of, separation
from harness.verdict import Cell
from reference.conventions import axis_named


@dataclass(frozen=True)
class Difference:
    """One scenario in which two implementations differ, and the axes that separate them."""

    scenario: str
    axes: tuple[str, ...]
    sentence: str

    @property
    def advice(self) -> tuple[str, ...] | None:
        """Return what to write to make them alike; None where no argument can."""
        written = [axis_named(axis).translation for axis in self.axes]
        if not written or None in written:
            return None
        return tuple(text for text in written if text is not None)


@dataclass
class Pair:
    """The comparison of two implementations over all scenarios, in one direction."""

    left: str
    right: str
    same: list[str] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)
    not_comparable: dict[str, str] = field(default_factory=dict)


def pairs(cells: Sequence[Sequence[Cell]], names: Sequence[str]) -> Iterator[Pair]:
    """Yield every ordered pair of the named implementations; `cells` holds one row a scenario."""
    rows = [{party.name: party for party in parties(row)} for row in cells]
    reasons = [{cell.implementation: cell.reason for cell in row} for row in cells]
    for left, right in itertools.permutations(names, 2):
        pair = Pair(left, right)
        for row, present, why in zip(cells, rows, reasons, strict=True):
            missing = next((name for name in (left, right) if name not in present), None)
            scenario = row[0].scenario.name
            if missing is not None:
                text = f"{missing}: {why.get(missing, 'The paper leaves this open.')}"
                pair.not_comparable[scenario] = text
            else:
                relate(pair, scenario, present[left], present[right])
        yield pair


def parties(row: Sequence[Cell]) -> list[Party]:
    """Return everyone who can be compared in one scenario."""
    found = [party_of(cell) for cell in row]
    present = [party for party in found if party is not None]
    theory = paper(row[0].scenario)
    return present + ([theory] if theory is not None else [])


def relate(pair: Pair, scenario: str, left: Party, right: Party) -> None:
    """Note in a pair how two parties relate in one scenario."""
    if alike(left, right):
        pair.same.append(scenario)
    else:
        found = separation(left, right)
        pair.different.append(Difference(scenario, found.axes, found.sentence))
