"""From what each version showed to rows: one for each value, over the versions that showed it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.changes import MEASURED
from harness.declarations import CONTEXT, context_of
from harness.document import number
from harness.summaries import Json
from reference.axis import Value
from reference.conventions import REGISTRY
from suites.catalogue import SCENARIOS

Place = tuple[Any, ...]
"""A context, or the parts of one that matter."""
Shown = Mapping[Place, tuple[Value, tuple[str, ...]]]
"""What one version showed: by context, the value measured and the scenarios that decided."""
Labelled = tuple[str, Json]
"""A version as it is called, and the summary of its run."""
KEYS = tuple(CONTEXT)
SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}


def rows(axis: str, runs: Sequence[Labelled]) -> list[Json]:
    """Return what was measured of an axis at these versions, which are in their order.

    A row is one value over consecutive versions that showed it. ``when`` are conditions of which
    one holds, or nothing: they name only what made a difference somewhere, and where they hold the
    value was seen in every context in which one was measured. ``runs`` are those versions,
    ``changed_after`` is the one before that showed something else.
    """
    shown = [shown_of(axis, summary) for _, summary in runs]
    keys = telling(shown)
    courses: dict[tuple[Value | None, ...], list[Place]] = {}
    there = sorted({projected(each, keys) for every in shown for each in every}, key=rank_of(keys))
    for place in there:
        course = tuple(value_at(every, keys, place) for every in shown)
        courses.setdefault(course, []).append(place)
    labels = [label for label, _ in runs]
    return [
        {"when": conditions(keys, places, there), **row}
        for course, places in courses.items()
        for row in segments(course, labels, deciding(shown, keys, places))
    ]


def shown_of(axis: str, summary: Json) -> Shown:
    """Return what a version showed of an axis, wherever it is down to one value."""
    contexts = [tuple(each[key] for key in KEYS) for each in summary["contexts"]]
    return {
        contexts[place]: (found["values"][0], asked_in(contexts[place], found["decided_by"]))
        for found in summary["conventions"]
        if found["axis"] == axis and found["status"] in MEASURED and len(found["values"]) == 1
        for place in found["contexts"]
    }


def asked_in(place: Place, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some scenarios that put an implementation in this context."""
    execution, device = (place[KEYS.index(key)] for key in ("execution", "device"))
    asked = {name: SCENARIO[name] for name in names if name in SCENARIO}
    contexts = {name: context_of(each, execution, device) for name, each in asked.items()}
    return tuple(name for name, at in contexts.items() if tuple(at[key] for key in KEYS) == place)


def telling(shown: Sequence[Shown]) -> tuple[str, ...]:
    """Return the fewest parts of a context that decide the value at every version."""
    for size in range(len(KEYS)):
        for keys in itertools.combinations(KEYS, size):
            if all(decide(keys, each) for each in shown):
                return keys
    return KEYS


def decide(keys: Sequence[str], shown: Shown) -> bool:
    """Tell whether contexts alike in these parts showed the same."""
    seen: dict[Place, Value] = {}
    return all(
        seen.setdefault(projected(place, keys), value) == value
        for place, (value, _) in shown.items()
    )


def projected(place: Place, keys: Sequence[str]) -> Place:
    """Return the parts of a context that matter."""
    return tuple(place[KEYS.index(key)] for key in keys)


def rank_of(keys: Sequence[str]) -> Any:
    """Return what parts of contexts are sorted by: the order in which their values are listed."""
    return lambda place: [CONTEXT[key].index(value) for key, value in zip(keys, place, strict=True)]


def value_at(shown: Shown, keys: Sequence[str], place: Place) -> Value | None:
    """Return what a version showed there; None where nothing was measured."""
    found = (value for each, (value, _) in shown.items() if projected(each, keys) == place)
    return next(found, None)


def conditions(keys: Sequence[str], places: Sequence[Place], there: Sequence[Place]) -> list[Json]:
    """Return conditions of which one holds in each of these places, and none elsewhere.

    The fewest that are found by starting from a place and admitting all that can be admitted;
    nothing where these are all the places there are.
    """
    found: list[Json] = []
    left = list(places)
    while left and len(places) < len(there):
        orders = [(*keys[first:], *keys[:first]) for first in range(max(1, len(keys)))]
        widest = max(
            (widened(left[0], order, keys, places, there) for order in orders),
            key=lambda admitted: len(set(holding(admitted, keys, there)) & set(left)),
        )
        left = [place for place in left if place not in holding(widest, keys, there)]
        found.append(
            {key: [each for each in CONTEXT[key] if each in widest[key]] for key in widest}
        )
    return found


def widened(
    place: Place,
    order: Sequence[str],
    keys: Sequence[str],
    places: Sequence[Place],
    there: Sequence[Place],
) -> dict[str, set[Any]]:
    """Return the condition of one place, admitting more of each part while only these hold."""
    admitted = {key: {value} for key, value in zip(keys, place, strict=True)}
    for key in order:
        for value in CONTEXT[key]:
            wider = {**admitted, key: admitted[key] | {value}}
            if set(holding(wider, keys, there)) <= set(places):
                admitted = wider
    for key in order:
        without = {name: values for name, values in admitted.items() if name != key}
        if set(holding(without, keys, there)) <= set(places):
            admitted = without
    present = {key: {each[keys.index(key)] for each in places} for key in keys}
    return {key: values & present[key] for key, values in admitted.items()}


def holding(
    admitted: Mapping[str, set[Any]], keys: Sequence[str], there: Sequence[Place]
) -> list[Place]:
    """Return the places in which conditions hold."""
    return [
        place
        for place in there
        if all(place[keys.index(key)] in values for key, values in admitted.items())
    ]


def deciding(
    shown: Sequence[Shown], keys: Sequence[str], places: Sequence[Place]
) -> list[tuple[str, ...]]:
    """Return for each version the scenarios that decided in these places."""
    return [
        tuple(
            name
            for place, (_, decided_by) in every.items()
            if projected(place, keys) in places
            for name in decided_by
        )
        for every in shown
    ]


def segments(
    course: Sequence[Value | None], labels: Sequence[str], decided_by: Sequence[Iterable[str]]
) -> Iterator[Json]:
    """Yield a row for each value that consecutive versions showed; those that showed none aside."""
    showing = [place for place, value in enumerate(course) if value is not None]
    before = None
    for value, group in itertools.groupby(showing, key=lambda place: course[place]):
        places = list(group)
        runs = [labels[place] for place in places]
        assert value is not None
        yield {
            "value": value if isinstance(value, str) else number(value),
            "first": runs[0],
            "last": runs[-1],
            "runs": runs,
            "changed_after": before,
            "decided_by": in_order(name for place in places for name in decided_by[place]),
        }
        before = runs[-1]


def in_order(names: Iterable[str]) -> list[str]:
    """Return scenarios in the order of the catalogue, each once."""
    named = set(names)
    return [name for name in SCENARIO if name in named]


def open_questions(axis: str, runs: Sequence[Labelled]) -> list[Json]:
    """Return the versions at which nothing was measured of an axis, with why and what is left."""
    alike: dict[tuple[str, tuple[Value, ...]], list[str]] = {}
    for label, summary in runs:
        if not shown_of(axis, summary):
            alike.setdefault(left_open(axis, summary), []).append(label)
    return [
        {"why": why, "values": list(values), "runs": labels}
        for (why, values), labels in alike.items()
    ]


def left_open(axis: str, summary: Json) -> tuple[str, tuple[Value, ...]]:
    """Return why nothing was measured of an axis, and the values that are left."""
    found = [each for each in summary["conventions"] if each["axis"] == axis]
    if not found:
        return "not applicable", ()
    asked = [each for each in found if each["status"] != "not reached"]
    if not asked:
        return "not reached", ()
    doubtful = all(each["status"] == "in doubt" for each in asked)
    left = dict.fromkeys(value for each in asked for value in each["values"])
    known = [value for value in REGISTRY[axis].values if value in left]
    others = [value for value in left if value not in known]
    return "in doubt" if doubtful else "not told apart", (*known, *others)
