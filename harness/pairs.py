"""From one implementation to another: what is the same, what can be translated, what cannot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.agreement import (
    PAPER_NAME,
    Party,
    alike,
    changes,
    differing,
    sentence,
    would_match,
)
from harness.declarations import context_of
from harness.implementations import Implementation
from harness.verdict import Cell, shown
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
    rows: Sequence[tuple[Sequence[Cell], Sequence[Party]]],
    implementations: Sequence[Implementation],
) -> Iterator[Pair]:
    """Yield every ordered pair of implementations and `paper`.

    `rows` holds, for each scenario, its cells and the parties that can be compared.
    """
    known = {each.name: each for each in implementations}
    for left, right in itertools.permutations([*known, PAPER_NAME], 2):
        pair = Pair(left, right)
        for cells, parties in rows:
            present = {party.name: party for party in parties}
            why = {cell.implementation: cell.reason for cell in cells}
            missing = next((name for name in (left, right) if name not in present), None)
            if missing is not None:
                text = f"{missing}: {why.get(missing, 'The paper leaves this open.')}"
                pair.not_comparable[cells[0].scenario.name] = text
            else:
                relate(pair, present[left], present[right], known.get(right))
        yield pair


def relate(pair: Pair, left: Party, right: Party, target: Implementation | None) -> None:
    """Note in a pair how two parties relate in one scenario; `target` is the right's registry."""
    name = left.scenario.name
    if alike(left, right):
        pair.same.append(name)
        return
    axes = changes(right, left) or ()
    quantities = differing(left, left.trace, left.trajectory, right)
    advice = {axis: advised(axis, left, right, target) for axis in axes}
    pair.different.append(Difference(name, sentence(left, right, quantities, axes), advice))


def advised(axis: str, left: Party, right: Party, target: Implementation | None) -> str | None:
    """Return what to write on the right so that it does what the left does on one axis."""
    value = left.conventions.values[axis]
    text = axis_named(axis).translated(value) or other_kernel(axis, left, right, target)
    if text is None:
        return None
    values = f"{left.name}: {shown(value)}; {right.name}: {shown(right.conventions.values[axis])}"
    return f"{text} ({values}.)"


def other_kernel(axis: str, left: Party, right: Party, target: Implementation | None) -> str | None:
    """Return the `fused` argument with which the target does all that the left does, as advice."""
    if target is None:
        return None
    for fused in (True, False):
        layer = replace(left.scenario.layer, fused=fused)
        values = target.in_force.at(context_of(layer, target.execution, target.device)).values
        if values.get(axis) == left.conventions.values[axis] and would_match(right, left, values):
            return f"Write fused={fused} in {target.name}."
    return None
