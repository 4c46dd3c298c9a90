"""From answers to verdicts: what happened, whether it was expected, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.judge import Check, Judgement, StepJudgement, Trace, agrees, judge
from harness.known import NOTHING_RECORDED, Expectations
from harness.respondent import Answer
from harness.words import quantity_in_words, step_in_words
from harness.workers import first_line
from reference.axis import Value
from reference.chosen import Conventions, Unspecified
from reference.conventions import axis_named
from suites.vocabulary import Scenario


@dataclass(frozen=True)
class Explanation:
    """One change of convention under which the oracle would agree with the whole trace."""

    axis: str
    declared: Value
    would_agree: Value

    @property
    def sentence(self) -> str:
        """Return the explanation as a sentence."""
        return (
            f"The oracle would agree if {self.axis} were {shown(self.would_agree)} "
            f"instead of {shown(self.declared)}."
        )


@dataclass(frozen=True)
class Cell:
    """The verdict on one implementation and one scenario, with all that led to it."""

    implementation: str
    scenario: Scenario
    verdict: str
    reason: str
    judgement: Judgement | None = None
    explanations: tuple[Explanation, ...] = ()
    trace: Trace = ()
    conventions: Conventions | None = None
    traces: tuple[Trace, ...] = ()
    expectations: Expectations = NOTHING_RECORDED

    @property
    def expected(self) -> bool:
        """Return whether this verdict surprises nobody."""
        explained = [(found.axis, found.would_agree) for found in self.explanations]
        if self.verdict == "undetermined" and self.conventions is not None:
            # What makes a bound wider than the quantity is an error model that is declared.
            declared = self.conventions.values.items()
            explained += [pair for pair in declared if axis_named(pair[0]).kind == "error model"]
        refusals = [seen.refusal.message for seen in self.trace if seen.refusal is not None]
        said = "\n".join([self.reason, *refusals])
        return self.expectations.admit(self.scenario.name, self.verdict, explained, said)


def verdict_on(
    implementation: str,
    scenario: Scenario,
    conventions: Conventions,
    answer: Answer,
    expectations: Expectations = NOTHING_RECORDED,
) -> Cell:
    """Return the verdict on an answer under the declared conventions."""
    cell = Cell(
        implementation,
        scenario,
        "",
        answer.reason,
        conventions=conventions,
        traces=answer.traces,
        expectations=expectations,
    )
    if answer.verdict is not None:
        return replace(cell, verdict=answer.verdict)
    try:
        judgements = judgements_of(scenario, conventions, answer)
    except Unjudgeable as fault:
        return replace(cell, verdict="adapter error", reason=str(fault))
    at = next((i for i, found in enumerate(judgements) if not found.agrees), 0)
    cell = replace(cell, judgement=judgements[at], trace=answer.traces[at])
    if judgements[at].agrees:
        return settled(cell)
    if len({found.agrees for found in judgements}) > 1:
        reason = "Repeating the same program gave different answers, not all of them right."
        return replace(cell, verdict="unstable", reason=reason)
    return disagreed(cell, judgements[at], conventions)


class Unjudgeable(Exception):
    """A trace cannot be judged; the message is a sentence that says why."""


def judgements_of(scenario: Scenario, conventions: Conventions, answer: Answer) -> list[Judgement]:
    """Return a judgement for every repeat. Raises Unjudgeable."""
    if any(overlong(scenario, trace) for trace in answer.traces):
        raise Unjudgeable("The trace goes on after the program's end, or after a refusal.")
    try:
        return [judge(scenario, conventions, trace) for trace in answer.traces]
    except Unspecified as missing:
        sentence = f"The declaration says nothing about {missing.axis}, which this scenario needs."
        raise Unjudgeable(sentence) from missing
    except Exception as error:  # a bug of ours costs one cell, not the run
        sentence = f"The oracle itself failed: {type(error).__name__}: {first_line(error)}."
        raise Unjudgeable(sentence) from error


def overlong(scenario: Scenario, trace: Trace) -> bool:
    """Tell whether a trace has steps that no program performs."""
    return len(trace) > len(scenario.steps) or any(step.refusal for step in trace[:-1])


def settled(cell: Cell) -> Cell:
    """Return `conforms`, or `undetermined` where the bounds cannot carry that."""
    assert cell.judgement is not None
    for step in cell.judgement.steps:
        for check in step.checks:
            if check.vague:
                name = quantity_in_words(check.quantity)
                reason = f"Rounding alone could make the {name} anything of its own size."
                return replace(cell, verdict="undetermined", reason=reason)
    for axis in cell.scenario.settles:
        if (rival := unrefuted(cell, cell.judgement, axis)) is not None:
            reason = f"The bounds are too wide to exclude that {axis} is {shown(rival)}."
            return replace(cell, verdict="undetermined", reason=reason)
    return replace(
        cell, verdict="conforms", reason=f"Every step agrees with the oracle. {cell.reason}".strip()
    )


def unrefuted(cell: Cell, judgement: Judgement, axis: str) -> Value | None:
    """Return a value of an axis that predicts something else and still agrees with the trace."""
    assert cell.conventions is not None
    if axis not in judgement.read:
        return None
    for rival in rivals(cell.conventions, axis):
        for found in judgements_under(cell, {axis: rival}):
            if found.agrees and found.predictions != judgement.predictions:
                return rival
    return None


def judgements_under(cell: Cell, change: Mapping[str, Value]) -> Iterator[Judgement]:
    """Yield the judgements under changed conventions, each up to its first disagreement.

    An axis that matters only because of the change, and was not applicable before, takes each of
    its values in turn.
    """
    assert cell.conventions is not None
    try:
        changed = cell.conventions.replace(change)
        yield judge(cell.scenario, changed, cell.trace, to_the_end=False)
    except Unspecified as missing:
        if missing.axis not in change:
            for value in axis_named(missing.axis).values:
                yield from judgements_under(cell, {**change, missing.axis: value})
    except ZeroDivisionError:
        return


def rivals(conventions: Conventions, axis: str) -> Iterator[Value]:
    """Yield the other known values of an axis."""
    return (value for value in axis_named(axis).values if value != conventions.values.get(axis))


def disagreed(cell: Cell, judgement: Judgement, conventions: Conventions) -> Cell:
    """Return the verdict on a trace that does not agree, with every explanation."""
    assert judgement.first_disagreement is not None
    index, step = judgement.first_disagreement
    verdict = "differs"
    if step.performed and (step.refusal is not None) != step.refusal_expected:
        verdict = "refused" if step.refusal is not None else "should have refused"
    return replace(
        cell,
        verdict=verdict,
        reason=reason_of(index, step),
        explanations=tuple(explanations(cell.scenario, conventions, cell.trace, judgement.read)),
    )


def explanations(
    scenario: Scenario, conventions: Conventions, trace: Trace, read: frozenset[str]
) -> Iterator[Explanation]:
    """Yield every single change of a consulted convention that makes the oracle agree."""
    for axis in sorted(read):
        for rival in rivals(conventions, axis):
            if agrees(scenario, conventions.replace({axis: rival}), trace):
                yield Explanation(axis, conventions.values[axis], rival)


def reason_of(index: int, step: StepJudgement) -> str:
    """Return what disagreed first, in one sentence."""
    where = f"Step {index + 1} ({step_in_words(step.step)})"
    if not step.performed:
        return f"{where} was not performed: the trace ends before it."
    if step.refusal is not None:
        said = first_line(step.refusal.message)
        return f"{where} raised {step.refusal.type}: {said}."
    if step.refusal_expected:
        return f"{where} was answered, though it should have raised an error."
    worst = max((c for c in step.checks if not c.agrees), key=lambda check: check.fraction)
    return f"{where}: {check_in_words(worst)}"


def check_in_words(check: Check) -> str:
    """Return what is wrong with one quantity, as the end of a sentence."""
    name = quantity_in_words(check.quantity)
    if check.note:
        return f"the {name} {check.note}."
    assert check.expected is not None
    assert check.observed is not None
    at = check.index
    place = f" at index {list(at)}" if at else ""
    expected, observed = float(check.expected[at]), float(check.observed[at])
    return (
        f"the {name}{place} is {observed:.9g}, but {expected:.9g} is expected; "
        f"the error {check.error:.3g} exceeds the rounding bound {check.bound:.3g}."
    )


def shown(value: Value) -> str:
    """Return a convention's value as it is written in a sentence."""
    return f"‘{value}’" if isinstance(value, str) else f"{value:g}"
