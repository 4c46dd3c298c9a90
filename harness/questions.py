"""Questions of identification: under which conventions does the oracle show what a step showed?

Every quantity seen after a step is one question, put to the oracle in the state observed before
that step. The oracle works a quantity out only when asked, so trying its conventions one by one as
it consults them enumerates the product of those the quantity depends on and no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.judge import IMPOSSIBLE, STATE, Trace, check, observed_state, unbounded
from reference.axis import Value
from reference.bounded import Bounded
from reference.chosen import Conventions, Unspecified, admitted
from reference.conventions import AXES
from reference.oracle import Expected, Oracle
from suites import vocabulary as say
from suites.vocabulary import Scenario, Training

WHAT_IS_SHOWN = "what is shown"
SAME_KIND = {"second_output": "output", "trainable_parameters": WHAT_IS_SHOWN}
"""Quantities observed for one reason: which parameters there are shows in which gradients exist."""
ERROR_MODELS = {axis.id for axis in AXES if axis.kind == "error model"}
Assignment = dict[str, Value]
Domain = dict[str, tuple[Value, ...]]
Ranks = tuple[int, ...]
"""Of each of some error models, where its value stands from the tightest to the widest."""


@dataclass(frozen=True, eq=False)
class Answered:
    """A scenario and what was seen of it."""

    scenario: Scenario
    trace: Trace

    @cached_property
    def states(self) -> list[Mapping[str, Bounded]]:
        """Return the state observed before each step."""
        return [{}, *(observed_state(seen) for seen in self.trace)]


@dataclass(frozen=True)
class Question:
    """One thing a step showed: a quantity, or (`what is shown`) which there are, or a refusal."""

    answered: Answered
    step: int
    quantity: str

    @property
    def scenario(self) -> Scenario:
        """Return the scenario that asks."""
        return self.answered.scenario

    @property
    def trace(self) -> Trace:
        """Return all that was seen."""
        return self.answered.trace

    @property
    def states(self) -> list[Mapping[str, Bounded]]:
        """Return the state observed before each step."""
        return self.answered.states

    def ask(self, conventions: Conventions) -> Fit:
        """Return how well the oracle under these conventions shows the same.

        Raises reference.chosen.Unspecified for a convention it needs, and ZeroDivisionError where
        these conventions cannot be executed here.
        """
        expected = self.expected(conventions)
        return MISFIT if expected is None else self.fit(expected)

    def expected(self, conventions: Conventions) -> Expected | None:
        """Return what the oracle expects after the step; None where it refuses an earlier one."""
        oracle = Oracle(self.scenario.layer, conventions)
        for step, state in zip(self.scenario.steps[: self.step], self.states, strict=False):
            if oracle.expect(step, state).refused:
                return None
        return oracle.expect(self.scenario.steps[self.step], self.states[self.step])

    @property
    def kind(self) -> tuple[str, str]:
        """Return what kind of observation this is: a quantity, and what has just been done."""
        step = self.scenario.steps[self.step]
        quantity = SAME_KIND.get(self.quantity, self.quantity)
        if isinstance(step, say.Evaluate | say.Predict):
            return quantity, "inference"
        if isinstance(step, say.Call | say.CallTwice):
            inference = step.training in {Training.FALSE, Training.ZERO}
            return quantity, "inference" if inference else "training"
        return quantity, "training" if isinstance(step, say.Fit) else type(step).__name__

    @property
    def size(self) -> int:
        """Return how many numbers were seen."""
        array = self.trace[self.step].observed.get(self.quantity)
        return 0 if array is None else array.size

    def error(self, conventions: Conventions, element: int) -> float:
        """Return expected minus seen of one element; NaN where it is not expected at all."""
        expected = self.expected(conventions)
        array = self.trace[self.step].observed[self.quantity]
        found = None if expected is None else expected.quantities.get(self.quantity)
        if found is None or found.value.shape != array.shape:
            return np.nan
        return float(found.value.ravel()[element]) - float(array.ravel()[element])

    def held_against(self, expected: Expected) -> Fit | Exception:
        """Return the fit, or what was raised where what is expected cannot be worked out."""
        try:
            return self.fit(expected)
        except IMPOSSIBLE as error:
            return error

    def fit(self, expected: Expected) -> Fit:
        """Hold what is expected after the step against what was seen."""
        seen = self.trace[self.step]
        refused = seen.refusal is not None
        if self.quantity == WHAT_IS_SHOWN:
            same = expected.refused == refused
            names = refused or set(expected.quantities) == set(seen.observed)
            return Fit(0.0) if same and names else MISFIT
        if expected.refused or self.quantity not in expected.quantities:
            return MISFIT
        dtype, array = expected.dtype(self.quantity), seen.observed[self.quantity]
        outcomes = (expected.quantities, *expected.others)
        found = [check(self.quantity, each[self.quantity], array, dtype) for each in outcomes]
        best, outcome = min(zip(found, outcomes, strict=True), key=lambda each: each[0].fraction)
        tells = not unbounded(outcome[self.quantity]).any()
        return Fit(best.fraction, tells)


@dataclass(frozen=True)
class Fit:
    """How much of its bound an error takes up; at most one agrees.

    `tells` is whether agreeing says anything, as it does not where a bound is infinite.
    """

    fraction: float
    tells: bool = True

    @property
    def agrees(self) -> bool:
        """Tell whether the oracle shows what was seen."""
        return self.fraction <= 1


MISFIT = Fit(np.inf)


def questions_of(scenario: Scenario, trace: Trace) -> Iterator[Question]:
    """Yield what a trace answers, step by step.

    The state comes first: it depends on fewer conventions than what is made with it.
    """
    answered = Answered(scenario, trace)
    for index, seen in enumerate(trace):
        yield Question(answered, index, WHAT_IS_SHOWN)
        for name in sorted(seen.observed, key=lambda name: name not in STATE):
            yield Question(answered, index, name)


@dataclass(frozen=True)
class Explored:
    """Every combination of conventions that questions of one trace depend on, with its fit.

    `scope` are the axes consulted, each with how many values it had. A combination that leaves one
    out holds for all of that axis's values. `presumed` are axes of which it was enough to know
    which values they no longer have. Where there are more combinations than the `limit`
    asked for, some are `waiting`. `told` are the questions that some combination that agrees could
    have disagreed with.
    """

    combinations: list[tuple[Assignment, Fit]]
    scope: Mapping[str, int]
    presumed: frozenset[str] = frozenset()
    waiting: Sequence[Branch] = ()
    told: frozenset[Question] = frozenset()
    limit: int = 0

    @property
    def complete(self) -> bool:
        """Tell whether these are all combinations."""
        return not self.waiting

    @property
    def consulted(self) -> frozenset[str]:
        """Return the axes that some combination consulted."""
        return frozenset(axis for chosen, _ in self.combinations for axis in chosen)

    @property
    def survivors(self) -> list[Assignment]:
        """Return the combinations that agree; none where not one of them could have disagreed."""
        agreeing = [(chosen, fit) for chosen, fit in self.combinations if fit.agrees]
        telling = any(fit.tells for _, fit in agreeing)
        return [chosen for chosen, _ in agreeing] if telling else []

    @property
    def undetermined(self) -> bool:
        """Tell whether what agrees could not have disagreed, so that nothing can be said."""
        return not self.survivors and any(fit.agrees for _, fit in self.combinations)

    @property
    def closest(self) -> tuple[Assignment, Fit]:
        """Return the combination that fits best."""
        return min(self.combinations, key=lambda each: each[1].fraction, default=({}, MISFIT))


def asked(
    questions: Sequence[Question], conventions: Conventions
) -> Iterator[tuple[Question, Fit | Exception]]:
    """Yield each of the questions of one trace with its fit, all in one execution.

    Instead of a fit, what the oracle raised where it cannot say (`harness.judge.IMPOSSIBLE`).
    """
    if not questions:
        return
    scenario, states = questions[0].scenario, questions[0].states
    oracle = Oracle(scenario.layer, conventions)
    for index in range(1 + max(question.step for question in questions)):
        try:
            expected = oracle.expect(scenario.steps[index], states[index])
        except IMPOSSIBLE as error:
            yield from ((question, error) for question in questions if question.step >= index)
            return
        for question in questions:
            if question.step == index:
                yield question, question.held_against(expected)
        if expected.refused:
            yield from ((question, MISFIT) for question in questions if question.step > index)
            return


def agreeing_alone(
    questions: Sequence[Question], domain: Domain
) -> tuple[list[Question], frozenset[str]]:
    """Return those questions of one trace to which the domain leaves one answer, and it agrees.

    Also the axes that these consult. Error models are at their tightest: what that admits all
    admit.
    """
    single = {axis for axis, values in domain.items() if len(values) == 1} | ERROR_MODELS
    conventions = admitted({axis: domain[axis][0] for axis in single}, domain)
    found = agreeing(questions, conventions)
    if len(found) < len(questions):  # The others may have consulted more.
        conventions = conventions.unread()
        found = agreeing(found, conventions)
    return found, frozenset(conventions.read)


def agreeing(questions: Sequence[Question], conventions: Conventions) -> list[Question]:
    """Return those questions of one trace that agree with conventions."""
    fits = asked(questions, conventions)
    return [question for question, fit in fits if isinstance(fit, Fit) and fit.agrees]


@dataclass(frozen=True)
class Branch:
    """Conventions chosen on the way to some combinations, and the questions they leave open.

    `fits` are those of the questions that agree already, `read` the axes that these consulted.
    """

    chosen: Assignment
    questions: Sequence[Question]
    fits: Mapping[Question, Fit] = field(default_factory=dict)
    read: frozenset[str] = frozenset()


def explored(
    questions: Sequence[Question], domain: Domain, limit: int, before: Explored | None = None
) -> Explored:
    """Return what questions of one trace say under every combination of a domain, up to `limit`.

    A combination is not followed further than to the first question that disagrees. What was
    found `before`, in the same domain or a wider one, is not sought again.
    """
    settled = {axis: values[0] for axis, values in domain.items() if len(values) == 1}
    settled |= {axis: domain[axis][-1] for axis in ERROR_MODELS}
    before = before or Explored([], {}, waiting=[Branch({}, questions)])
    found = [(chosen, fit) for chosen, fit in before.combinations if within(chosen, domain)]
    waiting = [branch for branch in before.waiting if within(branch.chosen, domain)]
    scope, presumed, told = set(before.scope), set(before.presumed), set(before.told)
    while waiting and len(found) + len(waiting) <= limit:
        branch = waiting.pop()
        conventions = admitted({**settled, **branch.chosen}, domain)
        fits, pending, missing, misfit = {**branch.fits}, [], None, None
        for question, fit in asked(branch.questions, conventions):
            if isinstance(fit, Unspecified):
                missing = missing or fit
                pending.append(question)
            elif isinstance(fit, Fit) and fit.agrees:
                fits[question] = fit
            else:
                misfit = fit
                break
        scope |= conventions.read
        presumed |= conventions.presumed
        read = branch.read | conventions.read
        chosen = {axis: value for axis, value in conventions.values.items() if axis in read}
        if misfit is not None:
            found += [(chosen, misfit)] if isinstance(misfit, Fit) else []
        elif missing is not None:
            waiting += [
                Branch({**branch.chosen, missing.axis: value}, pending, fits, read)
                for value in domain[missing.axis]
            ]
        else:
            for combination, fitting in narrowed(fits, chosen, domain):
                told |= {question for question, fit in fitting.items() if fit.tells}
                found.append((combination, together(fitting)))
    sizes = {axis: len(domain[axis]) for axis in scope}
    return Explored(found, sizes, frozenset(presumed), waiting, frozenset(told), limit)


def within(chosen: Assignment, domain: Domain) -> bool:
    """Tell whether a domain has every value of a combination."""
    return all(value in domain[axis] for axis, value in chosen.items())


def narrowed(
    fits: Mapping[Question, Fit], chosen: Assignment, domain: Domain
) -> Iterator[tuple[Assignment, Mapping[Question, Fit]]]:
    """Yield what agrees under the widest error models, told apart by which of them agree.

    The values of an error model go from the tightest bound to the widest: what the tightest admits
    all admit, what the widest does not none does.
    """
    models = [axis for axis in chosen if axis in ERROR_MODELS and len(domain[axis]) > 1]
    if not models:
        yield chosen, fits
        return
    others = {axis: value for axis, value in chosen.items() if axis not in models}
    tightest = fits_of(fits, {**others, **{axis: domain[axis][0] for axis in models}}, domain)
    if together(tightest).agrees:
        yield others, tightest
        return
    agreeing: dict[Ranks, Mapping[Question, Fit]] = {}
    failing: list[Ranks] = []
    for ranks in middle_first([len(domain[axis]) for axis in models]):
        named = {axis: domain[axis][rank] for axis, rank in zip(models, ranks, strict=True)}
        admits = [each for tighter, each in agreeing.items() if as_tight(tighter, ranks)]
        if admits:
            fitting = admits[0]
        elif any(as_tight(ranks, wider) for wider in failing):
            fitting = dict.fromkeys(fits, MISFIT)
        else:
            fitting = fits_of(fits, {**others, **named}, domain)
            if together(fitting).agrees:
                agreeing[ranks] = fitting
            else:
                failing.append(ranks)
        yield {**others, **named}, fitting


def middle_first(sizes: Sequence[int]) -> list[Ranks]:
    """Return every choice of ranks below some sizes, first those that are neither low nor high."""
    middle = sum(size - 1 for size in sizes)
    choices = itertools.product(*(range(size) for size in sizes))
    return sorted(choices, key=lambda ranks: (abs(2 * sum(ranks) - middle), ranks))


def as_tight(some: Ranks, others: Ranks) -> bool:
    """Tell whether no error model of the first is wider than that of the others."""
    return all(one <= other for one, other in zip(some, others, strict=True))


def fits_of(
    questions: Iterable[Question], chosen: Assignment, domain: Domain
) -> Mapping[Question, Fit]:
    """Return how well each of the questions of one trace fits what is chosen."""
    fits = asked(tuple(questions), admitted(chosen, domain))
    return {question: fit if isinstance(fit, Fit) else MISFIT for question, fit in fits}


def together(fits: Mapping[Question, Fit]) -> Fit:
    """Return the worst fit; it tells something if one does."""
    worst = max(fit.fraction for fit in fits.values())
    return Fit(worst, any(fit.tells for fit in fits.values()))


def fingerprint(trace: Trace) -> bytes:
    """Return bytes that are equal for equal traces."""
    parts = [
        (str(seen.refusal), *((name, array.tobytes()) for name, array in seen.observed.items()))
        for seen in trace
    ]
    return repr(parts).encode()
