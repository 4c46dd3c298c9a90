"""What `bnconform smoke` says of an adapter's values: which of them no convention explains.

Identification proper weighs contradictions against each other, which takes seconds where there are
many. Here one search is enough: what it leaves unanswered is what an author has to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.declarations import context_of
from harness.finding_words import unnamed_in_words
from harness.identification import Identification, Unit, Unnamed, questions_by_context
from harness.implementations import Implementation
from harness.questions import Branch, Domain, Explored, Question
from harness.smoke_slips import Evidence, blamed
from harness.verdict import shown
from reference.axis import Value
from reference.updating import AGAIN
from suites.vocabulary import Scenario

MOST = 4
LONGEST = 64
FEW = 8

ODD = {
    ("inference-output-statistics", "batch"): "Is `training` handed on?",
    ("inference-updates", "always"): "Is `training` handed on?",
    ("training-output-statistics", "running before the update"): "Is it a training call?",
    ("training-gradient", "statistics held constant"): "Is the whole layer differentiated?",
    ("epsilon-placement", "outside the root"): "Is epsilon handed on as it is?",
    ("trainable-false-parameters", "still learn"): "Does `set_trainable` reach the layer?",
}
"""Conventions that exist, but that are more often a mistake; with what to ask oneself."""
MIXED_UP = (
    "Training and inference are mixed up: calls in training go by the running statistics, calls in "
    "inference by the batch."
)
TRAINS_ALWAYS = (
    "Calls in inference do all that calls in training do. Hand `training` on to the framework, or "
    "switch its mode before the call. It is a text: its value is VALUES_OF_TRAINING[training], and "
    "with 'absent' the user says nothing."
)


def faults_of_values(
    evidence: Sequence[Evidence], implementation: Implementation
) -> tuple[list[str], list[str]]:
    """Return what no conventions explain, and what they explain though it is odd, in sentences."""

    def context(scenario: Scenario) -> Mapping[str, Any]:
        return context_of(scenario, implementation.execution, implementation.device)

    searches = list(searched(questions_by_context(evidence, context).values()))
    strange = [(each, search) for search in searches for each in search.unanswered]
    if not strange:
        always = any(trains_always(search) for search in searches)
        return [TRAINS_ALWAYS] if always else [], list(odd(searches))
    return list(faults(len(evidence), strange)), []


class Search(Identification):
    """A search that gives a question up which has too many possible answers.

    A layer that is executed again in the backward pass is what a user makes of one; in an adapter
    it is one execution too many.
    """

    def explored(
        self, unit: Unit, domain: Domain, limit: int = LONGEST, before: Explored | None = None
    ) -> Explored:
        """Return what questions say, unless that would take long."""
        if limit > LONGEST:
            return before or Explored([], {}, waiting=[Branch({}, unit)])
        timing = tuple(value for value in domain["update-timing"] if value != AGAIN)
        return super().explored(unit, {**domain, "update-timing": timing}, limit, before)


def searched(contexts: Iterable[Sequence[Question]]) -> Iterator[Identification]:
    """Yield what is left of each axis, context by context.

    In all but the first what was measured there is tried before everything else.
    """
    measured: dict[str, Value] = {}
    for questions in contexts:
        search: Identification = Search(questions, {}, measured)
        if search.unanswered and measured:
            search = Search(questions, {})
        if 0 < len(search.unanswered) <= FEW and (known := search.solved()):
            search = Search(questions, known)
        if not measured and not search.unanswered:
            measured = {a: v.values[0] for a, v in search.axes.items() if len(v.values) == 1}
        yield search


def faults(asked: int, strange: Sequence[tuple[Question, Identification]]) -> Iterator[str]:
    """Yield that values have no name, and what lies behind them, if it can be told."""
    first: dict[str, tuple[Question, Identification]] = {}
    for question, search in strange:
        first.setdefault(question.scenario.name, (question, search))
    yield (
        f"No conventions of BatchNorm explain what {len(first)} of {asked} scenarios showed "
        f"({few(list(first))})."
    )
    if any(mixed_up(search) for _, search in strange):
        yield MIXED_UP
        return
    some = list(first)[:: -(-len(first) // MOST)]  # From all over: some slips show in some only.
    tried = [first[name] for name in some]
    if (blame := blamed([(each.scenario, each.trace, s.domain) for each, s in tried])) is not None:
        slip, names = blame
        yield f"{slip.sentence} That would explain {few(names)}."
        return
    for name in some:
        question, search = first[name]
        closest, fit = search.explored((question,), search.domain).closest
        yield f"{name}: {unnamed_in_words(Unnamed(question, closest, fit))}"


def mixed_up(search: Identification) -> bool:
    """Tell whether training looks like inference, and inference like training."""
    training = search.axes["training-output-statistics"].definite
    inference = search.axes["inference-output-statistics"].definite
    return training == ("running before the update",) and inference == ("batch",)


def trains_always(search: Identification) -> bool:
    """Tell whether calls in inference look like calls in training."""
    by_the_batch = search.axes["inference-output-statistics"].definite == ("batch",)
    return by_the_batch and search.axes["inference-updates"].definite == ("always",)


def odd(searches: Sequence[Identification]) -> Iterator[str]:
    """Yield what was measured and exists, but is more often a mistake."""
    for (axis, value), question in ODD.items():
        if any(each.axes[axis].definite == (value,) for each in searches):
            yield f"Measured: {axis} {shown(value)}. There are frameworks that do so. {question}"


def few(names: Sequence[str]) -> str:
    """Return the first of some names."""
    rest = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {rest} more" if rest > 0 else "")
