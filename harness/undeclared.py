"""Judges an implementation that does not declare everything by what was measured of it.

An adapter from outside may declare nothing. Its answers are then held against the conventions that
identification left, and agree where some combination of these explains the whole trace. That says
less than agreeing with a declaration: not that an implementation does what is promised, but that
one set of conventions explains all it does. What none explains differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.declarations import context_of
from harness.findings import Findings
from harness.implementations import Implementation
from harness.judge import Trace, judge
from harness.respondent import Answer
from harness.verdict import Cell, shown, verdict_on
from reference.axis import Value
from reference.chosen import Conventions, Unspecified
from reference.conventions import REGISTRY
from suites.vocabulary import Scenario

MOST_COMBINATIONS = 256
Chosen = dict[str, Value]
Left = Mapping[str, Sequence[Value]]


def open_axes(implementation: Implementation, scenario: Scenario) -> set[str]:
    """Return the axes about which nothing is declared where a scenario is asked."""
    return set(REGISTRY) - set(implementation.conventions(scenario).values)


def judged_as_measured(implementation: Implementation, cell: Cell, findings: Findings) -> Cell:
    """Return a cell judged by what is declared and, where nothing is, by what was measured.

    A cell without an answer, or about which everything is declared, stays as it is.
    """
    scenario = cell.scenario
    if not cell.traces or not open_axes(implementation, scenario):
        return cell
    declared = implementation.conventions(scenario)
    left = left_of(findings, implementation, scenario)
    chosen = explaining(scenario, declared, left, cell.traces)
    conventions = declared.replace(chosen)
    answer, expected = Answer(cell.traces), implementation.expectations
    found = verdict_on(cell.implementation, scenario, conventions, answer, expected)
    if found.verdict != "conforms":
        return found
    told = in_words({axis: chosen[axis] for axis in scenario.settles if axis in chosen})
    return replace(found, reason=f"{found.reason} {told}".strip())


def left_of(findings: Findings, implementation: Implementation, scenario: Scenario) -> Left:
    """Return the values left of each undeclared axis where a scenario is asked."""
    context = context_of(scenario, implementation.execution, implementation.device)
    left = {axis: REGISTRY[axis].values for axis in open_axes(implementation, scenario)}
    for found in findings.axes:
        if found.axis in left and any(dict(each) == context for each in found.contexts):
            left[found.axis] = found.measured.values
    return left


def explaining(
    scenario: Scenario, declared: Conventions, left: Left, traces: Sequence[Trace]
) -> Chosen:
    """Return measured values under which all traces agree, else those that were tried first."""
    first: Chosen | None = None
    for chosen, agrees in combinations(scenario, declared, left, traces):
        if agrees:
            return chosen
        first = chosen if first is None else first
    return first or {}


def combinations(
    scenario: Scenario, declared: Conventions, left: Left, traces: Sequence[Trace]
) -> Iterator[tuple[Chosen, bool]]:
    """Yield combinations of the values left, of the axes that are read, and whether all agree."""
    waiting: list[Chosen] = [{axis: values[0] for axis, values in left.items() if len(values) == 1}]
    for _ in range(MOST_COMBINATIONS):
        if not waiting:
            return
        chosen = waiting.pop(0)
        conventions = declared.replace(chosen)
        try:
            agrees = all(judge(scenario, conventions, trace).agrees for trace in traces)
        except Unspecified as missing:
            values = left.get(missing.axis, ())
            waiting[:0] = [{**chosen, missing.axis: value} for value in values]
        except ZeroDivisionError:
            pass
        else:
            yield chosen, agrees


def in_words(chosen: Chosen) -> str:
    """Return that values were measured, not declared, as a sentence."""
    said = ", ".join(f"{axis} {shown(value)}" for axis, value in sorted(chosen.items()))
    return f"Measured, not declared: {said}." if said else ""


def banner(implementation: Implementation) -> str | None:
    """Return what a reader must know of one that does not declare everything, or None."""
    declared = {entry.axis for entry in implementation.declared.entries}
    if not (undeclared := set(REGISTRY) - declared):
        return None
    name = implementation.name
    if not declared:
        text = f"{name} declares nothing, so it is held against what was measured of it."
    else:
        text = (
            f"{name} declares {len(declared)} of {len(REGISTRY)} conventions; as to the other "
            f"{len(undeclared)} it is held against what was measured of it."
        )
    return (
        f"{text} There `conforms` says that one set of conventions explains everything it showed, "
        "not that these are the ones its authors promise."
    )
