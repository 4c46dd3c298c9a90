"""What identification finds about the fakes, and whether that is what their authors say."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

from harness import identification, questions
from harness.declarations import context_of
from harness.questions import fingerprint
from reference.conventions import REGISTRY
from suites.catalogue import SCENARIOS
from tests.asking import DECLARATIONS, answered, said
from tests.fakes.fault import CLEAN

ALWAYS_ASKED = ("forward", "modes", "running-statistics")
OTHERS_ASKED = 5
"""Every fifth of the other scenarios in which a departing fake answers as its clean base does."""
FEATURES = ("masks", "renormalisation", "virtual-batch")
QUESTIONS = {}
REMEMBERED = defaultdict(list)
FOUND = {}


def questions_of(scenario, trace):
    """Return what a trace answers; of equal traces the same questions."""
    key = scenario.name, fingerprint(trace)
    if key not in QUESTIONS:
        QUESTIONS[key] = list(questions.questions_of(scenario, trace))
    return QUESTIONS[key]


def explored(unit, domain, limit, before=None):
    """Search for what explains questions, once where fakes answer alike."""
    known = REMEMBERED[frozenset(unit)]
    for part, most, found in known:
        if most == limit and all(domain[axis] == values for axis, values in part.items()):
            return found
    found = questions.explored(unit, domain, limit, before)
    known.append(({axis: domain[axis] for axis in (*found.scope, *found.presumed)}, limit, found))
    return found


@contextmanager
def remembering():
    """Let identification search once where fakes answer alike."""
    with (
        patch.object(identification, "questions_of", questions_of),
        patch.object(identification, "explored", explored),
    ):
        yield


def context(scenario):
    """Return the context a scenario puts a fake in."""
    return context_of(scenario, "eager", "cpu")


def evidence(fake):
    """Yield every trace a fake shows."""
    for scenario in SCENARIOS:
        answer = answered(said(fake, scenario))
        for trace in answer.traces:
            yield scenario, trace


def telling(fake):
    """Yield the traces of a departing fake that tell something of its departures.

    They are those unlike its clean base's, those of suites that settle a convention it departs from
    or settle the most, and some of the others. What thousands of executions show is asked of the
    clean fakes only, and what a layer does with features that its departures say nothing about of
    those that depart in them.
    """
    departures = set(fake.conventions)
    suites = {each.suite for each in SCENARIOS if not departures.isdisjoint(each.settles)}
    for number, scenario in enumerate(SCENARIOS):
        if scenario.suite == "long-runs":
            continue
        if scenario.suite in FEATURES and departures.isdisjoint(settled_only_in(scenario.suite)):
            continue
        if "wrong-rank" in scenario.settles and "wrong-rank" not in departures:
            continue
        messages = said(fake, scenario)
        if (
            scenario.suite in ALWAYS_ASKED
            or number % OTHERS_ASKED == 0
            or scenario.suite in suites
            or messages != clean_messages(fake.style, scenario)
        ):
            for trace in answered(messages).traces:
                yield scenario, trace


@cache
def settled_only_in(suite):
    """Return the axes that scenarios of a suite of features settle and no plain layer does."""
    elsewhere = {axis for each in SCENARIOS if each.suite not in FEATURES for axis in each.settles}
    return {axis for each in SCENARIOS if each.suite == suite for axis in each.settles} - elsewhere


def of_plain_float32_layers(fake):
    """Yield what a fake without a name shows of plain layers in one dtype."""
    for scenario in SCENARIOS:
        if scenario.suite not in (*FEATURES, "dtypes", "long-runs"):
            for trace in answered(said(fake, scenario)).traces:
                yield scenario, trace


@cache
def clean_messages(style, scenario):
    """Return what the clean fake of a style says."""
    return said(CLEAN[style], scenario)


def found(fake):
    """Return what identification finds about a fake, context by context; worked out once."""
    if id(fake) not in FOUND:
        if fake in CLEAN.values():
            shown = evidence(fake)
        else:
            shown = telling(fake) if hasattr(fake, "conventions") else of_plain_float32_layers(fake)
        with remembering():
            FOUND[id(fake)] = fake, identification.identify(list(shown), context)
    return FOUND[id(fake)][1]


def declared(fake, where):
    """Return what a fake's clean style declares in a context, with the fake's own departures."""
    return {
        **DECLARATIONS[fake.style].at(where).values,
        **getattr(fake, "conventions", {}),
    }


def mistakes(fake):
    """Return sentences on everything identification gets wrong about a fake; empty if nothing.

    An error model that is wider than it needs to be proves nothing, so none is asked to be named.
    """
    wrong = [
        f"{one.question.scenario.name}: no name for {one.question.quantity}"
        for each in found(fake)
        for one in each.unnamed
    ]
    for each in found(fake):
        truth = declared(fake, each.context)
        wrong += [
            f"{axis} is {truth[axis]!r}, but {measured.values} are left of it in {each.context}"
            for axis, measured in each.axes.items()
            if measured.removed and truth[axis] not in measured.values
        ]
    return wrong + [
        f"{axis} {value!r} is told apart nowhere"
        for axis, value in fake.conventions.items()
        if axis not in fake.unseen
        and REGISTRY[axis].kind != "error model"
        and not pinned(fake, axis, value)
    ]


def pinned(fake, axis, value):
    """Tell whether some context leaves one value of an axis, or only those that behave alike."""
    admitted = {value, *fake.alike.get(axis, ())}
    return any(set(each.axes[axis].definite) <= admitted for each in found(fake))


LOOKS_LIKE = {
    "freezing-the-model-misses-the-layer": {"model-trainable-reaches-the-layer"},
    "trainable-false-moves-statistics": {"trainable-false-statistics"},
}
"""Values a fake without a name follows as well, in a scenario in which all it does has a name."""


def forced(name, fake):
    """Return the axes on which a fake without a name is said to have a value that it has not."""
    axes = {
        axis
        for each in found(fake)
        for axis, measured in each.axes.items()
        if measured.removed and declared(fake, each.context)[axis] not in measured.values
    }
    return axes - LOOKS_LIKE.get(name, set())


def one_of_each_axis(fakes):
    """Return the names of the first of some fakes that depart in each axis."""
    known = set()
    names = []
    for name, fake in fakes.items():
        if not known.issuperset(fake.conventions):
            names.append(name)
            known.update(fake.conventions)
    return names


def unexplained(fake):
    """Return the quantities in which something a fake shows has no name."""
    return {one.question.quantity for each in found(fake) for one in each.unnamed}
