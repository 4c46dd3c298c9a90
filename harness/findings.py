"""Holds the conventions measured of an implementation against those it declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.declarations import Context, context_of
from harness.identification import Identified, Measured, Unnamed, identify
from harness.implementations import Implementation
from harness.judge import Trace
from harness.known import KnownIssue
from reference.axis import NOT_APPLICABLE, Value
from reference.conventions import OPEN, REGISTRY
from suites.vocabulary import Scenario

ORDINARY = {
    "fused": "absent",
    "updates_in_place": "absent",
    "zero_debias": "absent",
    "dtype": "float32",
    "input": "absent",
    "layout": "last",
}
"""Values of a context that need no mention."""
SPOKEN = {
    "fused": "fused={}",
    "updates_in_place": "updates in place={}",
    "zero_debias": "zero-debias={}",
    "dtype": "{}",
    "input": "{} input",
    "layout": "{} layout",
}


@dataclass(frozen=True)
class Finding:
    """What was measured of one axis, with what is declared, in contexts where both are the same.

    `declared` is None where nothing is. `contradicted_by` are scenarios that showed something else.
    """

    axis: str
    declared: Value | None
    measured: Measured
    contexts: tuple[Context, ...]
    decided_by: tuple[str, ...]
    contradicted_by: tuple[str, ...]

    @property
    def status(self) -> str:
        """Return how the two compare.

        `as declared` and `otherwise` where one value is left or the declared one is ruled out;
        `not told apart` where the declared one is among several left; `undeclared` where nothing
        is declared; `in doubt` where only observations decide in which something has no name; `not
        reached` where no scenario asked.
        """
        if self.measured.in_doubt:
            return "in doubt"
        if not self.measured.consulted:
            return "not reached"
        if self.declared is not None and self.declared not in self.measured.values:
            return "otherwise" if self.measured.removed else "not told apart"
        if len(self.values) > 1:
            return "not told apart"
        return "undeclared" if self.declared is None else "as declared"

    @property
    def values(self) -> tuple[Value, ...]:
        """Return the values left, one of them where one is measured, or those in doubt.

        A declared open value counts as measured where it is not refuted: that repetitions happened
        to show one order, or a draw one number, proves none.
        """
        if self.measured.in_doubt:
            return self.measured.fits
        said = self.declared
        if said is not None and said in OPEN and said in self.measured.values:
            return (said,)
        return self.measured.definite


@dataclass(frozen=True)
class Findings:
    """All that identification found about one implementation."""

    implementation: str
    axes: tuple[Finding, ...]
    unnamed: tuple[tuple[Context, Unnamed], ...]
    issues: Mapping[str, KnownIssue] = field(default_factory=dict)

    @property
    def surprises(self) -> list[Finding]:
        """Return where the measured value is not the declared one, known issues left out."""
        excused = {(issue.axis, issue.value) for issue in self.issues.values()}
        return [
            each
            for each in self.axes
            if each.status == "otherwise"
            and not all((each.axis, value) in excused for value in each.values)
            and not (each.decided_by and self.issues.keys() >= set(each.decided_by))
        ]

    @property
    def mysteries(self) -> list[tuple[Context, Unnamed]]:
        """Return what has no name, but for known issues.

        Those are scenarios that have one, and what is as declared, if only another scenario had not
        shown something else of that axis, which is a known issue.
        """
        disputed = {issue.axis for issue in self.issues.values()}
        as_declared = {(each.axis, each.declared) for each in self.axes if each.axis in disputed}
        return [
            (context, one)
            for context, one in self.unnamed
            if one.question.scenario.name not in self.issues and as_declared.isdisjoint(one.instead)
        ]


def findings(
    implementation: Implementation, evidence: Iterable[tuple[Scenario, Trace]]
) -> Findings:
    """Return what traces say about an implementation's conventions."""

    def context(scenario: Scenario) -> Context:
        return context_of(scenario, implementation.execution, implementation.device)

    found = identify(list(evidence), context)
    unnamed = tuple((each.context, one) for each in found for one in each.unnamed)
    axes = tuple(compared(implementation, found))
    return Findings(implementation.name, axes, unnamed, implementation.expectations.issues)


def compared(implementation: Implementation, found: Sequence[Identified]) -> Iterator[Finding]:
    """Yield declared against measured, contexts in which both are the same together."""
    declared = [implementation.in_force.at(each.context).values for each in found]
    for axis in REGISTRY:
        alike: dict[tuple[Value | None, object], list[Identified]] = {}
        for each, values in zip(found, declared, strict=True):
            said, measured = values.get(axis), each.axes[axis]
            if said == NOT_APPLICABLE and not measured.consulted:
                continue
            left = (measured.values, measured.fits, measured.consulted, bool(measured.removed))
            alike.setdefault((said, left), []).append(each)
        for (said, _), parts in alike.items():
            yield finding(axis, said, parts)


def finding(axis: str, declared: Value | None, parts: Sequence[Identified]) -> Finding:
    """Return one finding of several contexts."""
    deciding = [name for each in parts for name in each.axes[axis].decided_by]
    against = [
        one.question.scenario.name
        for each in parts
        for one in each.unnamed
        if axis in dict(one.instead)
    ]
    return Finding(
        axis,
        declared,
        parts[0].axes[axis],
        tuple(each.context for each in parts),
        tuple(dict.fromkeys(deciding)),
        tuple(dict.fromkeys(against)),
    )


def context_in_words(context: Context) -> str:
    """Return the rank of a context, and what is not ordinary about it."""
    special = [key for key, usual in ORDINARY.items() if context[key] != usual]
    return ", ".join(
        [f"rank {context['rank']}"] + [SPOKEN[key].format(context[key]) for key in special]
    )
