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

from harness.judge import Trace
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
Waiting = tuple[Question, Explored | None]


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
        self.relations: list[tuple[Question, Mapping[str, int], list[Assignment]]] = []
        self.unanswered: list[Question] = []
        self.search()

    @property
    def domain(self) -> Domain:
        """Return the values left of every axis."""
        return {name: found.values for name, found in self.axes.items()}

    def search(self) -> None:
        """Put all questions; those with many combinations wait until fewer values are left."""
        waiting: list[Waiting] = [(each, None) for each in self.questions]
        limit = FIRST_LIMIT
        while waiting:
            postponed: list[Waiting] = []
            for asked in by_trace(waiting):
                settled = self.settled([question for question, before in asked if before is None])
                for question, before in asked:
                    if id(question) in settled:
                        continue
                    if before is not None and not self.narrower(before):
                        postponed.append((question, before))
                    elif not (found := self.put(question, limit)).complete:
                        postponed.append((question, found))
            if len(postponed) == len(waiting):
                if limit >= LIMIT:
                    break
                limit *= 4
                postponed = [(question, None) for question, _ in postponed]
            waiting = postponed
        self.unanswered += [question for question, _ in waiting]
        self.settle()

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

    def put(self, question: Question, limit: int) -> Explored:
        """Put one question and keep what it leaves, if it is answered within the limit."""
        found = self.explored(question, self.domain, limit)
        if not found.complete:
            return found
        if survivors := found.survivors:
            self.relations.append((question, found.scope, survivors))
            self.keep(question, found.scope, survivors)
        elif not found.undetermined:
            self.unanswered.append(question)
        return found

    def explored(self, question: Question, domain: Domain, limit: int = LIMIT) -> Explored:
        """Return what a question says under every combination of a domain."""
        with np.errstate(all="ignore"):
            return explored(question, domain, limit)

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
            for value in set(entry.values) - left:
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
                question, scope, survivors = relation
                left = [chosen for chosen in survivors if self.possible(chosen)]
                if not left:
                    self.relations.remove(relation)
                    self.unanswered.append(question)
                elif len(left) < len(survivors):
                    survivors[:] = left
                    changed = self.keep(question, scope, left) or changed

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
        for question, _, survivors in self.relations:
            if all(OPEN & set(chosen.values()) for chosen in survivors):
                yield question

    def solutions(self, question: Question, axis: str) -> list[Value]:
        """Return numbers of an axis that would answer a question, the others as they are left."""
        others = [
            {name: value for name, value in chosen.items() if name != axis}
            for chosen, _ in self.explored(question, self.domain).combinations
            if axis in chosen
        ]
        distinct = {tuple(sorted(each.items())): each for each in others}.values()
        return [value for each in distinct for value in solutions(question, each, axis)]

    def unnamed(self) -> Iterator[Unnamed]:
        """Yield what no combination left explains."""
        for question in self.unanswered:
            closest, fit = self.explored(question, self.domain).closest
            granted = (wish for wish in sorted(self.wishes, key=str) if self.grants(wish, question))
            yield Unnamed(question, closest, fit, tuple(granted))

    @cached_property
    def wishes(self) -> Counter[tuple[str, Value]]:
        """Return single values, ruled out by others, that would explain the first unanswered."""
        return Counter(
            (axis, value)
            for question in self.unanswered[:MOST_ASKED]
            for axis in self.explored(question, self.domain).scope
            for value in self.everything[axis]
            if self.grants((axis, value), question)
        )

    def grants(self, wish: tuple[str, Value], question: Question) -> bool:
        """Tell whether a value that others rule out would explain a question."""
        axis, value = wish
        if value in self.axes[axis].values:
            return False
        return bool(self.explored(question, {**self.domain, axis: (value,)}).survivors)


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
    """Yield the questions that follow each other and are of one trace, together."""
    for _, asked in itertools.groupby(waiting, key=lambda each: each[0].answered):
        yield list(asked)


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
