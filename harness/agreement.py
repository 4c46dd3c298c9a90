"""Which implementations behave alike in a scenario, and which conventions separate the others.

A verdict says whether an implementation does what it declares; someone porting a model asks
whether two do the same. Two traces agree where every quantity both show differs by no more than the
sum of their bounds, each grown along the oracle's own trajectory from the initial state.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from harness.judge import IMPOSSIBLE, STATE, Array, Refused, Seen, Trace, agrees, used
from harness.verdict import Cell, shown
from harness.words import quantity_in_words
from reference.axis import NOT_APPLICABLE, Value
from reference.bounded import Bounded
from reference.chosen import PAPER, Conventions, Unspecified
from reference.conventions import OPEN, REGISTRY
from reference.oracle import Expected, Oracle
from suites.vocabulary import Scenario

PAPER_NAME = "paper"
MOST_AXES_AT_ONCE = 4
REFUSED = Refused("Refusal", "under these conventions")
Trajectory = list[Expected]


@dataclass(frozen=True, eq=False)
class Party:
    """One that takes part in a comparison: an implementation's trace, or the paper's oracle.

    `explained` tells whether the conventions explain the trace.
    """

    name: str
    scenario: Scenario
    trace: Trace
    conventions: Conventions
    explained: bool = True

    @cached_property
    def run(self) -> tuple[Trajectory, frozenset[str]]:
        """Return the oracle's own run under this party's conventions, and the axes it consulted."""
        chosen = self.conventions.unread()
        return trajectory(self.scenario, chosen), frozenset(chosen.read)

    @property
    def trajectory(self) -> Trajectory:
        """Return what the oracle does under this party's conventions, with growing bounds."""
        return self.run[0]

    @property
    def read(self) -> frozenset[str]:
        """Return the axes that trajectory consulted."""
        return self.run[1]


@dataclass(frozen=True)
class Separation:
    """Why two parties differ: the axes whose change on one side makes it agree with the other."""

    left: str
    right: str
    axes: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Agreement:
    """The groups of parties that behave alike in one scenario, largest first."""

    scenario: Scenario
    groups: tuple[tuple[str, ...], ...]
    absent: dict[str, str]
    separations: tuple[Separation, ...] = ()
    odd_one_out: str | None = None


def trajectory(scenario: Scenario, conventions: Conventions) -> Trajectory:
    """Return the oracle's own run from the initial state. Raises Unspecified."""
    oracle = Oracle(scenario.layer, conventions)
    state: dict[str, Bounded] = {}
    steps: Trajectory = []
    for step in scenario.steps:
        with np.errstate(all="ignore"):
            expected = oracle.expect(step, state).worked_out()
        steps.append(expected)
        if expected.refused:
            break
        state = {name: expected.quantities[name] for name in STATE if name in expected.quantities}
    return steps


def paper(scenario: Scenario) -> Party | None:
    """Return the oracle under the paper's conventions; None where the paper leaves one open."""
    try:
        steps = trajectory(scenario, PAPER.unread())
    except Unspecified:
        return None
    trace = shown_by([step.quantities for step in steps], steps)
    return Party(PAPER_NAME, scenario, trace, PAPER)


def party_of(cell: Cell, measured: Mapping[str, Value]) -> Party | None:
    """Return an implementation's part in a comparison; None where it has no trace to compare.

    `measured` are the values with which it takes part instead of those it declares. It has no part
    either where these cannot execute the scenario, although the implementation does.
    """
    if not cell.trace or cell.conventions is None or cell.judgement is None:
        return None
    conventions = cell.conventions.replace(measured)
    explained = cell.judgement.agrees or agrees(cell.scenario, conventions, cell.trace)
    party = Party(cell.implementation, cell.scenario, cell.trace, conventions, explained)
    try:
        party.run  # noqa: B018 - worked out once, here
    except IMPOSSIBLE:
        return None
    return party


def measured_otherwise(cells: Iterable[Cell]) -> dict[str, Value]:
    """Return the values that explain where one implementation differs from its declaration.

    Of several explanations of a cell only those count that no other cell contradicts.
    """
    cells = [cell for cell in cells if cell.judgement is not None]
    found: dict[str, Value] = {}
    for cell in cells:
        for each in cell.explanations:
            if all(bears(other, each.axis, each.would_agree) for other in cells):
                found.setdefault(each.axis, each.would_agree)
    return found


def bears(cell: Cell, axis: str, value: Value) -> bool:
    """Tell whether a cell agrees with another value of an axis as well as with the declared one."""
    assert cell.judgement is not None
    assert cell.conventions is not None
    if axis not in cell.judgement.read or not cell.judgement.agrees:
        return True
    return agrees(cell.scenario, cell.conventions.replace({axis: value}), cell.trace)


def parties(row: Sequence[Cell], measured: Mapping[str, Mapping[str, Value]]) -> list[Party]:
    """Return everyone who can be compared in one scenario, `paper` included where it can answer.

    `measured` holds, by implementation, what `measured_otherwise` found.
    """
    found = [party_of(cell, measured.get(cell.implementation, {})) for cell in row]
    present = [party for party in found if party is not None]
    theory = paper(row[0].scenario) if present else None
    return present + ([theory] if theory is not None else [])


def compare(row: Sequence[Cell], present: list[Party]) -> Agreement:
    """Return the agreement of one scenario's parties; `row` says why others are absent."""
    names = {party.name for party in present}
    absent = {c.implementation: c.reason for c in row if c.implementation not in names}
    groups = grouped(present)
    return Agreement(
        row[0].scenario,
        tuple(tuple(party.name for party in group) for group in groups),
        absent,
        tuple(separations(groups)),
        odd(groups),
    )


def odd(groups: list[list[Party]]) -> str | None:
    """Return the one implementation that stands alone against several that behave alike."""
    real = [[party.name for party in group if party.name != PAPER_NAME] for group in groups]
    sizes = sorted((group for group in real if group), key=len, reverse=True)
    return sizes[1][0] if [len(group) > 1 for group in sizes] == [True, False] else None


def grouped(parties: list[Party]) -> list[list[Party]]:
    """Partition the parties: each joins the first group all of whose members it agrees with."""
    groups: list[list[Party]] = []
    for party in parties:
        for group in groups:
            if all(alike(party, other) for other in group):
                group.append(party)
                break
        else:
            groups.append([party])
    return sorted(groups, key=len, reverse=True)


@lru_cache(maxsize=4096)
def alike(left: Party, right: Party) -> bool:
    """Tell whether two traces agree, within the sum of their bounds, on what is asked about."""
    return not differing(left, left.trace, left.trajectory, right)


def differing(
    left: Party,
    trace: Trace,
    bounds: Trajectory,
    right: Party,
    quantities: Collection[str] | None = None,
) -> list[str]:
    """Return the quantities on which a trace disagrees with the right's.

    Without `quantities`, those that are asked about. `bounds` is the trajectory that bounds the
    trace. "refusal" stands for one refusing and the other not.
    """
    found: dict[str, None] = {}
    about = set(left.scenario.about if quantities is None else quantities)
    for index, (one, other) in enumerate(itertools.zip_longest(trace, right.trace)):
        if one is None or other is None or (one.refusal is None) != (other.refusal is None):
            found["refusal"] = None
            break
        if one.refusal is not None:
            continue
        for name in sorted(about & (set(one.observed) | set(other.observed))):
            if name not in one.observed or name not in other.observed:
                found[name] = None
                continue
            slack = bound_at(bounds, index, name) + bound_at(right.trajectory, index, name)
            if not near(one.observed[name], other.observed[name], slack):
                found[name] = None
    return list(found)


def near(one: Array, other: Array, slack: Array) -> bool:
    """Tell whether two arrays differ by no more than `slack`.

    Where that is infinite, an infinity is as good as a NaN.
    """
    if one.shape != other.shape:
        return False
    value, slack = np.asarray(one, dtype=np.float64), np.broadcast_to(slack, one.shape)
    value = np.where(np.isinf(value) & np.isinf(slack), np.nan, value)
    middle = Bounded(value, slack)
    return not one.size or bool(used(middle, np.asarray(other, np.float64))[1].max() <= 1)


def bound_at(steps: Trajectory, index: int, name: str) -> Array:
    """Return the bound of a quantity after a step; zero where the oracle does not expect it."""
    if index < len(steps) and name in steps[index].quantities:
        return steps[index].quantities[name].bound
    return np.zeros(())


def separations(groups: list[list[Party]]) -> Iterator[Separation]:
    """Yield, for every two groups, what separates their representatives."""
    for one, other in itertools.combinations(groups, 2):
        yield separation(representative(one), representative(other))


def representative(group: list[Party]) -> Party:
    """Return a group's first implementation; the paper only where it stands alone."""
    return next((party for party in group if party.name != PAPER_NAME), group[0])


def separation(left: Party, right: Party) -> Separation:
    """Return the fewest axes whose change on one side makes it agree with the other."""
    quantities = differing(left, left.trace, left.trajectory, right)
    for party in (left, right):
        if not party.explained:
            where = " and ".join(quantity_in_words(name) for name in quantities)
            text = f"They differ in {where}; {party.name} differs from its own declaration here."
            return Separation(left.name, right.name, (), text)
    ways = [found for found in (changes(left, right), changes(right, left)) if found is not None]
    axes = min(ways, key=lambda found: preference(left.scenario, found), default=())
    return Separation(left.name, right.name, axes, sentence(left, right, quantities, axes))


def preference(scenario: Scenario, axes: tuple[str, ...]) -> tuple[int, int]:
    """Order ways to explain a difference: the fewest axes, then those the scenario asks about."""
    return len(axes), -len(set(axes) & set(scenario.settles))


@lru_cache(maxsize=4096)
def changes(changing: Party, fixed: Party) -> tuple[str, ...] | None:
    """Return the fewest axes whose change makes one party's oracle agree with another's trace.

    None where there are none, or where the conventions of either do not explain its own trace.
    """
    if not (changing.explained and fixed.explained):
        return None
    if would_match(changing, fixed, {}):
        return tuple(
            axis for axis in REGISTRY if OPEN & {stated(changing, axis), stated(fixed, axis)}
        )
    for axes_of_one_size in candidate_sets(changing, fixed):
        found = [
            axes
            for axes in axes_of_one_size
            if would_match(changing, fixed, {axis: fixed.conventions.values[axis] for axis in axes})
        ]
        if found:
            return min(found, key=lambda axes: preference(fixed.scenario, axes))
    return None


def candidate_sets(changing: Party, fixed: Party) -> Iterator[Iterator[tuple[str, ...]]]:
    """Yield the sets of axes on which two parties differ, those of one size together."""
    different = [
        axis
        for axis in REGISTRY
        if axis in changing.read | fixed.read
        and stated(fixed, axis) is not None
        and stated(changing, axis) != stated(fixed, axis)
    ]
    for size in range(1, MOST_AXES_AT_ONCE + 1):
        yield itertools.combinations(different, size)


def stated(party: Party, axis: str) -> Value | None:
    """Return a party's value for an axis; None where it has none."""
    value = party.conventions.values.get(axis, NOT_APPLICABLE)
    return None if value == NOT_APPLICABLE else value


def would_match(left: Party, right: Party, change: dict[str, Value]) -> bool:
    """Tell whether the left's oracle with some conventions changed agrees with the right."""
    try:
        steps = trajectory(left.scenario, left.conventions.replace(change))
    except IMPOSSIBLE:
        return False
    outcomes = ((step.quantities, *step.others) for step in steps)
    return any(
        not differing(left, shown_by(outcome, steps), steps, right)
        for outcome in itertools.product(*outcomes)
    )


def shown_by(outcome: Sequence[Mapping[str, Bounded]], steps: Trajectory) -> Trace:
    """Return the trace an implementation with exactly these outcomes would show."""
    return [
        Seen(
            {name: each.value for name, each in quantities.items()},
            REFUSED if step.refused else None,
        )
        for quantities, step in zip(outcome, steps, strict=True)
    ]


def sentence(left: Party, right: Party, quantities: list[str], axes: tuple[str, ...]) -> str:
    """Return what separates two parties, in words."""
    where = " and ".join(quantity_in_words(name) for name in quantities)
    if not axes:
        return f"They differ in {where}, which no declared convention explains."
    parts = (
        f"{axis} ({left.name}: {shown(left.conventions.values[axis])}, "
        f"{right.name}: {shown(right.conventions.values[axis])})"
        for axis in axes
    )
    return f"They differ in {where} by " + " and ".join(parts) + "."
