"""Measures which value of each convention an implementation follows; needs no declaration.

What remains of each axis over all questions (`harness.questions`) of one context, that is rank,
dtype and the arguments that choose a code path, is measured. A question that no combination of
conventions answers is a behaviour without a name: it is reported with the closest fit, and no
observation of its kind decides anything.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from harness.judge import STATE, Trace
from harness.questions import (
    WHAT_IS_SHOWN,
    Assignment,
    Domain,
    Explored,
    Fit,
    Question,
    agreeing_alone,
    explored,
    fingerprint,
    questions_of,
)
from harness.solving import solutions
from reference.axis import Value
from reference.conventions import AXES, OPEN
from suites.vocabulary import Scenario

__all__ = ["WHAT_IS_SHOWN", "Identified", "Measured", "Unnamed", "identify"]

FIRST_LIMIT, LIMIT = 16, 4096
MOST_PINNED, MOST_WISHES, MOST_ASKED = 2, 2, 12
NUMBERS = {axis.id for axis in AXES if axis.kind == "number"}
Context = Mapping[str, Any]
Candidates = Mapping[str, Sequence[Value]]
Key = tuple[tuple[str, Any], ...]
Unit = tuple[Question, ...]
"""Questions of one trace that are put together."""
Waiting = tuple[Unit, Explored | None]


@dataclass(frozen=True)
class Unnamed:
    """Something seen that no combination of the conventions left explains, with the closest fit.

    `closest` are the conventions consulted there. `instead` are single values that would explain
    it, each of an axis on which other scenarios of the same context showed another.
    """

    question: Question
    closest: Assignment
    fit: Fit
    instead: tuple[tuple[str, Value], ...] = ()


@dataclass
class Measured:
    """What is left of one axis in one context.

    `values` are the survivors, `removed` the values ruled out, each by the scenario that first
    did; `consulted` tells whether any question depended on the axis at all. `fits` is what would
    be left, were the kinds of observation trusted in which something has no name.
    """

    axis: str
    values: tuple[Value, ...]
    removed: dict[Value, str] = field(default_factory=dict)
    consulted: bool = False
    fits: tuple[Value, ...] = ()

    @property
    def definite(self) -> tuple[Value, ...]:
        """Return the values left; an open one, which admits definite ones, only where alone."""
        return tuple(value for value in self.values if value not in OPEN) or self.values

    @property
    def in_doubt(self) -> bool:
        """Tell whether only observations whose kind cannot be trusted tell the values apart."""
        return len(self.definite) > 1 and 0 < len(self.fits) < len(self.values)

    @property
    def decided_by(self) -> tuple[str, ...]:
        """Return the scenarios that ruled other values out."""
        return tuple(dict.fromkeys(self.removed.values()))


@dataclass(frozen=True)
class Identified:
    """Everything found in one context: the axes by id, and what has no name."""

    context: Context
    axes: dict[str, Measured]
    unnamed: tuple[Unnamed, ...]


class Identification:
    """The search within one context: what is left of each axis shrinks question by question.

    `candidates` are further values to try, `pinned` the only ones.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        candidates: Candidates,
        pinned: Mapping[str, Value] | None = None,
    ) -> None:
        self.questions = questions
        self.everything: Domain = {
            axis.id: tuple(dict.fromkeys((*axis.values, *candidates.get(axis.id, ()))))
            for axis in AXES
        }
        fixed = {axis: (value,) for axis, value in (pinned or {}).items()}
        self.axes = {
            name: Measured(name, fixed.get(name, values))
            for name, values in self.everything.items()
        }
        self.relations: list[tuple[Unit, frozenset[str], list[Assignment]]] = []
        self.unanswered: list[Question] = []
        self.search()

    @property
    def domain(self) -> Domain:
        """Return the values left of every axis."""
        return {name: found.values for name, found in self.axes.items()}

    def search(self) -> None:
        """Put all questions; those with many combinations wait until fewer values are left."""
        waiting: list[Waiting] = [((each,), None) for each in self.questions]
        limit = FIRST_LIMIT
        while waiting:
            postponed: list[Waiting] = []
            for asked in by_trace(waiting):
                postponed += self.put_or_postpone(asked, limit)
            if how_many(postponed) == how_many(waiting):
                if limit == FIRST_LIMIT:
                    postponed = [(unit, None) for unit in united(postponed)]
                if limit < LIMIT:
                    limit *= 4
                elif any(len(unit) > 1 for unit, _ in postponed):
                    postponed = [((each,), None) for unit, _ in postponed for each in unit]
                else:
                    break
            waiting = postponed
        self.unanswered += [question for unit, _ in waiting for question in unit]
        self.settle()

    def put_or_postpone(self, asked: Sequence[Waiting], limit: int) -> Iterator[Waiting]:
        """Put what is asked of one trace; yield what is not answered within the limit."""
        due = [self.due(before, limit) for _, before in asked]
        units = [unit for (unit, _), now in zip(asked, due, strict=True) if now]
        settled = self.settled([question for unit in units for question in unit])
        for (unit, before), now in zip(asked, due, strict=True):
            if not now and not (before is not None and self.narrower(before)):
                yield unit, before
            elif not settled.issuperset(map(id, unit)):
                yield from self.put(unit, limit, before)

    def due(self, before: Explored | None, limit: int) -> bool:
        """Tell whether a unit was not yet put up to a limit."""
        return before is None or before.limit < limit

    def settled(self, waiting: Sequence[Question]) -> set[int]:
        """Return the ids of those questions of one trace that are answered as the values left say.

        Each leaves nothing to choose, and removes nothing.
        """
        with np.errstate(all="ignore"):
            agreeing, consulted = agreeing_alone(waiting, self.domain)
        if any(self.axes[axis].values[0] in OPEN for axis in consulted):
            return set()
        for axis in consulted:
            self.axes[axis].consulted = True
        return {id(question) for question in agreeing}

    def put(self, unit: Unit, limit: int, before: Explored | None = None) -> list[Waiting]:
        """Put a unit and keep what it leaves; return what is not answered within the limit.

        Questions that nothing explains together, or that say nothing there, are put alone.
        """
        found = self.explored(unit, self.domain, limit, before)
        if not found.complete:
            return [(unit, found)]
        survivors = found.survivors
        silent = tuple(question for question in unit if question not in found.told)
        if len(unit) > 1 and (silent or openly(survivors)):
            alone = silent or unit
            rest = tuple(question for question in unit if question not in alone)
            units = (rest, *((question,) for question in alone))
            return [waiting for each in units if each for waiting in self.put(each, limit)]
        if survivors:
            self.relations.append((unit, found.consulted, survivors))
            self.keep(unit[0], found.consulted, survivors)
        elif not found.undetermined:
            self.unanswered += unit
        return []

    def explored(
        self, unit: Unit, domain: Domain, limit: int = LIMIT, before: Explored | None = None
    ) -> Explored:
        """Return what questions say under every combination of a domain."""
        with np.errstate(all="ignore"):
            return explored(unit, domain, limit, before)

    def narrower(self, before: Explored) -> bool:
        """Tell whether an axis that a question consulted has fewer values left than then."""
        return any(len(self.axes[axis].values) < size for axis, size in before.scope.items())

    def keep(self, question: Question, scope: Iterable[str], survivors: list[Assignment]) -> bool:
        """Remove the values no survivor has; return whether there were any."""
        changed = False
        for name in scope:
            entry = self.axes[name]
            entry.consulted = True
            if any(name not in chosen for chosen in survivors):
                continue
            left = {chosen[name] for chosen in survivors}
            for value in entry.values:
                if value not in left:
                    entry.removed.setdefault(value, question.scenario.name)
                    changed = True
            entry.values = tuple(value for value in entry.values if value in left)
        return changed

    def settle(self) -> None:
        """Let every question see what the others left, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for relation in list(self.relations):
                unit, scope, survivors = relation
                left = [chosen for chosen in survivors if self.possible(chosen)]
                if not left:
                    self.relations.remove(relation)
                    changed = self.give_up(unit) or changed
                elif len(left) < len(survivors):
                    survivors[:] = left
                    changed = self.keep(unit[0], scope, left) or changed

    def give_up(self, unit: Unit) -> bool:
        """Count a unit as unanswered; of several questions those that are so alone."""
        if len(unit) == 1:
            self.unanswered += unit
            return False
        for question in unit:
            self.unanswered += [each for left, _ in self.put((question,), LIMIT) for each in left]
        return True

    def possible(self, chosen: Assignment) -> bool:
        """Tell whether every value of a combination is left."""
        return all(value in self.axes[name].values for name, value in chosen.items())

    def solved(self) -> dict[str, list[Value]]:
        """Return numbers that would answer what no definite value does, where that settles them."""
        found: dict[str, list[Value]] = {}
        for question in (*self.unanswered, *self.answered_openly()):
            for axis in NUMBERS & set(question.scenario.settles):
                with np.errstate(all="ignore"):
                    values = self.solutions(question, axis)
                found.setdefault(axis, []).extend(values)
        return {axis: values for axis, values in found.items() if values}

    def answered_openly(self) -> Iterator[Question]:
        """Yield what is answered, but by open values alone."""
        for unit, _, survivors in self.relations:
            if openly(survivors):
                yield from unit

    def solutions(self, question: Question, axis: str) -> list[Value]:
        """Return numbers of an axis that would answer a question, the others as they are left."""
        left = {name: values[0] for name, values in self.domain.items()}
        others = [
            {name: value for name, value in {**left, **chosen}.items() if name != axis}
            for chosen, _ in self.explored((question,), self.domain).combinations
            if axis in chosen
        ]
        distinct = {tuple(sorted(each.items())): each for each in others}.values()
        return [value for each in distinct for value in solutions(question, each, axis)]

    def unnamed(self) -> Iterator[Unnamed]:
        """Yield what no combination left explains."""
        for question in self.unanswered:
            closest, fit = self.explored((question,), self.domain).closest
            granted = (wish for wish in sorted(self.wishes, key=str) if self.grants(wish, question))
            yield Unnamed(question, closest, fit, tuple(granted))

    @cached_property
    def wishes(self) -> Counter[tuple[str, Value]]:
        """Return single values, ruled out by others, that would explain the first unanswered."""
        return Counter(
            (axis, value)
            for question in self.unanswered[:MOST_ASKED]
            for axis in self.explored((question,), self.domain).scope
            for value in self.everything[axis]
            if self.grants((axis, value), question)
        )

    def grants(self, wish: tuple[str, Value], question: Question) -> bool:
        """Tell whether a value that others rule out would explain a question."""
        axis, value = wish
        if value in self.axes[axis].values:
            return False
        return bool(self.explored((question,), {**self.domain, axis: (value,)}).survivors)


def identify(
    evidence: Iterable[tuple[Scenario, Trace]], context_of: Callable[[Scenario], Context]
) -> list[Identified]:
    """Return what was measured in each context in which a scenario was answered.

    A number that one context brings to light, such as an unusual default, is tried in all.
    """
    asked = questions_by_context(evidence, context_of)
    searches = {key: Identification(questions, {}) for key, questions in asked.items()}
    known: dict[str, list[Value]] = {}
    for search in searches.values():
        for axis, values in search.solved().items():
            known[axis] = list(dict.fromkeys((*known.get(axis, ()), *values)))
    if known:
        searches = {key: Identification(questions, known) for key, questions in asked.items()}
    reconciled = {key: reconcile(search, known) for key, search in searches.items()}
    tainted = {one.question.kind for _, unnamed in reconciled.values() for one in unnamed}
    return [
        Identified(dict(key), trusted(search, unnamed, tainted, known), tuple(unnamed))
        for key, (search, unnamed) in reconciled.items()
    ]


def questions_by_context(
    evidence: Iterable[tuple[Scenario, Trace]], context_of: Callable[[Scenario], Context]
) -> dict[Key, list[Question]]:
    """Return the questions of each context, those of equal traces once."""
    found: dict[Key, dict[tuple[str, bytes], list[Question]]] = {}
    for scenario, trace in evidence:
        answered = found.setdefault(tuple(context_of(scenario).items()), {})
        answered.setdefault((scenario.name, fingerprint(trace)), [*questions_of(scenario, trace)])
    return {
        key: [question for questions in answered.values() for question in questions]
        for key, answered in found.items()
    }


def by_trace(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Yield the units that follow each other and are of one trace, together."""
    for _, asked in itertools.groupby(waiting, key=lambda each: each[0][0].answered):
        yield list(asked)


def united(waiting: Sequence[Waiting]) -> Iterator[Unit]:
    """Yield as one unit what each step showed besides the state, then each part of the state.

    What is made with one normalisation depends on much the same conventions; what one of them
    rules out the others need not follow.
    """
    for asked in by_trace(waiting):
        questions = [question for unit, _ in asked for question in unit]
        steps = {question.step for question in questions}
        for step in sorted(steps):
            shown = [each for each in questions if each.step == step and each.quantity not in STATE]
            if shown:
                yield tuple(shown)
        yield from ((each,) for each in questions if each.quantity in STATE)


def how_many(waiting: Sequence[Waiting]) -> int:
    """Return how many questions wait."""
    return sum(len(unit) for unit, _ in waiting)


def openly(survivors: Sequence[Assignment]) -> bool:
    """Tell whether only combinations are left that have an open value."""
    return all(OPEN & set(chosen.values()) for chosen in survivors)


def reconcile(
    search: Identification, known: Candidates
) -> tuple[Identification, Sequence[Unnamed]]:
    """Return the search, with those values given up that leave more unexplained than others do.

    Scenarios that contradict each other on an axis each have their way in turn; what only some of
    the unanswered questions wish for would leave others.
    """
    pinned: dict[str, Value] = {}
    for _ in range(MOST_PINNED):
        for (axis, value), times in search.wishes.most_common(MOST_WISHES):
            if 2 * times <= min(len(search.unanswered), MOST_ASKED):
                continue
            again = Identification(search.questions, known, {**pinned, axis: value})
            if len(again.unanswered) < len(search.unanswered):
                search, pinned = again, {**pinned, axis: value}
                break
        else:
            break
    return search, list(search.unnamed())


def trusted(
    search: Identification, unnamed: Sequence[Unnamed], tainted: set[Any], known: Candidates
) -> dict[str, Measured]:
    """Return the axes as left by the kinds of observation in which everything has a name.

    An axis of which something without a name wishes another value is left open.
    """
    questions = [question for question in search.questions if question.kind not in tainted]
    if len(questions) == len(search.questions):
        return search.axes
    axes = Identification(questions, known).axes
    for axis in {axis for each in unnamed for axis, _ in each.instead}:
        axes[axis] = Measured(axis, search.everything[axis], consulted=True)
    for name, measured in axes.items():
        measured.fits = search.axes[name].values
    return axes
