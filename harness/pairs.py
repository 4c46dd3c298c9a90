"""From one implementation to another: what is the same, what can be translated, what cannot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.agreement import PAPER_NAME, Party, alike, paper, party_of, separation
from harness.declarations import context_of
from harness.implementations import Implementation
from harness.verdict import Cell
from reference.axis import Value
from reference.conventions import axis_named


@dataclass(frozen=True)
class Difference:
    """One scenario in which two implementations differ, and the axes that separate them.

    `advice` says per axis what to write on the right to get what the left does; None: nothing can.
    """

    scenario: str
    sentence: str
    advice: Mapping[str, str | None]

    @property
    def translatable(self) -> bool:
        """Return whether the two can be made alike."""
        return bool(self.advice) and None not in self.advice.values()

    @property
    def unmatched(self) -> list[str]:
        """Return the axes on which nothing brings the two together."""
        return [axis for axis, text in self.advice.items() if text is None]


@dataclass
class Pair:
    """The comparison of two implementations over all scenarios, in one direction."""

    left: str
    right: str
    same: list[str] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)
    not_comparable: dict[str, str] = field(default_factory=dict)


def pairs(
    cells: Sequence[Sequence[Cell]], implementations: Sequence[Implementation]
) -> Iterator[Pair]:
    """Yield every ordered pair of implementations and `paper`; `cells` holds one row a scenario."""
    known = {each.name: each for each in implementations}
    names = [*known, PAPER_NAME]
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
                relate(pair, present[left], present[right], known.get(right))
        yield pair


def parties(row: Sequence[Cell]) -> list[Party]:
    """Return everyone who can be compared in one scenario."""
    found = [party_of(cell) for cell in row]
    present = [party for party in found if party is not None]
    theory = paper(row[0].scenario)
    return present + ([theory] if theory is not None else [])


def relate(pair: Pair, left: Party, right: Party, target: Implementation | None) -> None:
    """Note in a pair how two parties relate in one scenario; `target` is the right's registry."""
    name = left.scenario.name
    if alike(left, right):
        pair.same.append(name)
        return
    found = separation(right, left)
    advice = {axis: advised(axis, left, target) for axis in found.axes}
    pair.different.append(Difference(name, found.sentence, advice))


def advised(axis: str, left: Party, target: Implementation | None) -> str | None:
    """Return what to write in the target so that it does what the left does on one axis."""
    value = left.conventions.values[axis]
    return axis_named(axis).translated(value) or other_kernel(axis, value, left, target)


def other_kernel(axis: str, value: Value, left: Party, target: Implementation | None) -> str | None:
    """Return the `fused` argument under which the target declares a value, as advice."""
    if target is None:
        return None
    layer = left.scenario.layer
    for fused in (True, False):
        context = context_of(replace(layer, fused=fused), target.execution, target.device)
        if target.declared.at(context).values.get(axis) == value:
            return f"Write fused={fused} in {target.name}."
    return None
