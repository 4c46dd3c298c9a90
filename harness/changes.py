"""What changed in meaning from one version of an implementation to another, case by case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.agreement import Party, differing, party_of, separation
from harness.evaluation import Evaluation
from harness.findings import Finding, context_in_words
from harness.verdict import Cell, shown
from harness.words import quantity_in_words
from reference.axis import Value
from reference.conventions import REGISTRY

INEXPRESSIBLE = "not expressible"
MEASURED = ("as declared", "otherwise", "undeclared")
Key = tuple[str, tuple[tuple[str, object], ...]]


@dataclass(frozen=True)
class ConventionChange:
    """A convention measured as something else than before, and where."""

    axis: str
    before: tuple[Value, ...]
    after: tuple[Value, ...]
    contexts: tuple[str, ...]
    decided_by: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Return the change in words."""
        before, after = (
            " or ".join(shown(value) for value in values) for values in (self.before, self.after)
        )
        return f"{REGISTRY[self.axis].question} {before} → {after}"


@dataclass(frozen=True)
class VerdictChange:
    """A scenario with another verdict than before, or with one where there was none."""

    scenario: str
    before: str
    after: str
    reason: str
    expected: bool

    @property
    def kind(self) -> str:
        """Return what kind of change it is."""
        if self.before == INEXPRESSIBLE:
            return "newly expressible"
        if self.after == INEXPRESSIBLE:
            return "no longer expressible"
        return "verdict"


@dataclass(frozen=True)
class NumberChange:
    """A scenario in which numbers differ from before by more than both bounds together."""

    scenario: str
    quantities: tuple[str, ...]
    sentence: str
    explained: bool


@dataclass(frozen=True)
class Changes:
    """All that changed from `before` to `after`; `failing` are the unexpected cells of `after`."""

    before: Evaluation
    after: Evaluation
    conventions: tuple[ConventionChange, ...]
    verdicts: tuple[VerdictChange, ...]
    numbers: tuple[NumberChange, ...]
    failing: tuple[Cell, ...]
    otherwise: tuple[Finding, ...]
    unnamed: int
    compared: int

    @property
    def same_meaning(self) -> bool:
        """Tell whether nothing means anything else, and everything is as expected.

        What can be said now and could not before changes the meaning of nothing.
        """
        worse = [each for each in self.verdicts if each.kind != "newly expressible"]
        return not (
            self.conventions
            or worse
            or self.numbers
            or self.failing
            or self.otherwise
            or self.unnamed
        )


def changes(before: Evaluation, after: Evaluation) -> Changes:
    """Return what changed between two evaluations."""
    shared = [name for name in after.cells if name in before.cells]
    cells = [(before.cells[name], after.cells[name]) for name in shared]
    return Changes(
        before,
        after,
        tuple(convention_changes(before, after)),
        tuple(change for pair in cells for change in verdict_changes(*pair)),
        tuple(change for pair in cells for change in number_changes(*pair)),
        tuple(cell for cell in after.cells.values() if not cell.expected),
        tuple(after.findings.surprises),
        len(after.findings.mysteries),
        len(shared),
    )


def convention_changes(before: Evaluation, after: Evaluation) -> Iterator[ConventionChange]:
    """Yield the conventions of which no value measured before is among those measured now."""
    old, new = measured(before), measured(after)
    alike: dict[tuple[str, tuple[Value, ...], tuple[Value, ...]], list[Key]] = {}
    for key in new:
        if key not in old:
            continue
        was, now = old[key], new[key]
        if not set(was.values) & set(now.values):
            alike.setdefault((key[0], was.values, now.values), []).append(key)
    for (axis, was_values, now_values), keys in alike.items():
        deciding = [name for key in keys for name in new[key].decided_by]
        yield ConventionChange(
            axis,
            was_values,
            now_values,
            tuple(context_in_words(dict(context)) for _, context in keys),
            tuple(dict.fromkeys(deciding)),
        )


def measured(evaluation: Evaluation) -> Mapping[Key, Finding]:
    """Return what was measured of each axis in each context."""
    return {
        (finding.axis, tuple(context.items())): finding
        for finding in evaluation.findings.axes
        if finding.status in (*MEASURED, "not told apart")
        for context in finding.contexts
    }


def verdict_changes(before: Cell, after: Cell) -> Iterator[VerdictChange]:
    """Yield the change of a verdict, if it did change."""
    if before.verdict != after.verdict:
        name = after.scenario.name
        yield VerdictChange(name, before.verdict, after.verdict, after.reason, after.expected)


def number_changes(before: Cell, after: Cell) -> Iterator[NumberChange]:
    """Yield in which quantities two traces differ by more than the sum of their bounds."""
    left, right = party(before), party(after)
    if left is None or right is None:
        return
    everything = {name for trace in (left.trace, right.trace) for s in trace for name in s.observed}
    found = differing(left, left.trace, left.trajectory, right, everything)
    if not found:
        return
    about = differing(left, left.trace, left.trajectory, right)
    if about:
        said = separation(left, right)
        yield NumberChange(after.scenario.name, tuple(found), said.sentence, bool(said.axes))
    else:
        where = " and ".join(quantity_in_words(name) for name in found)
        yield NumberChange(after.scenario.name, tuple(found), f"They differ in {where}.", False)


def party(cell: Cell) -> Party | None:
    """Return a cell's part in a comparison, with the conventions measured where they differ."""
    if cell.judgement is None:
        return None
    explained = {each.axis: each.would_agree for each in cell.explanations[:1]}
    return party_of(cell, explained)
