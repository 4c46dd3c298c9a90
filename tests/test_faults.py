"""The suite convicts every planted fault, acquits the clean fakes, and asks nothing twice."""

from __future__ import annotations

import sys
from collections import defaultdict

import pytest

from harness.judge import IMPOSSIBLE, judge
from harness.verdict import rivals
from suites.catalogue import SCENARIOS
from tests.asking import clean_cell, expressible, judged, said
from tests.fakes import planted_executions
from tests.fakes.departure import Departure
from tests.fakes.fault import CLEAN
from tests.fakes.planted import FAULTS
from tests.faults_page import CONVICTIONS, PAGE, page, put_to, recorded

EXPRESSIBLE_AT_LEAST = {"argument": 350, "switch": 300, "deferred": 300}
DISTINCT_AT_LEAST = 250
CONVICTING_AT_MOST = 6
"""Scenarios known to convict a fault that are put to it; one that shows everywhere has hundreds."""
OTHERS = 12
"""Of the other scenarios, every twelfth is put to a fault; `make proof` puts all."""
ONLY_AT_ANOTHER_RANK_OR_DTYPE = ("rank-", "float64")

EXPLAINED = {
    "momentum-swapped": ("momentum-sense", "weighs the new batch value"),
    "momentum-weighs-the-old-value": ("momentum-sense", "weighs the old running value"),
    "momentum-none-refused": ("momentum-none", "refused"),
    "default-decay-of-another-framework": ("default-decay", 0.99),
    "default-epsilon-of-another-framework": ("default-epsilon", 1e-5),
    "gamma-by-default": ("default-gamma", "learned"),
    "default-channels-last": ("default-channel-axis", "last"),
    "reset-puts-the-mean-to-one": ("initial-running-mean", 1.0),
    "initial-running-variance-zero": ("initial-running-variance", 0.0),
    "initial-gamma-zero": ("initial-gamma", 0.0),
    "training-output-uses-running-statistics": (
        "training-output-statistics",
        "running before the update",
    ),
    "sample-variance-in-the-output": ("training-output-variance", "sample"),
    "inference-output-uses-batch-statistics": ("inference-output-statistics", "batch"),
    "epsilon-outside-the-root": ("epsilon-placement", "outside the root"),
    "epsilon-floored": ("epsilon-floor", 1.001e-5),
    "training-gradient-holds-statistics": ("training-gradient", "statistics held constant"),
    "float64-refused": ("float64-layer", "refused"),
    "sample-variance-in-the-average": ("running-variance-factor", "n/(n-1)"),
    "population-variance-in-the-average": ("running-variance-factor", "1"),
    "fused-false-ignored": ("running-variance-factor", "n/(n-1)"),
    "zero-debias-of-the-variance-too": ("zero-debias-argument", "mean and variance"),
    "zero-debias-ignored": ("zero-debias-argument", "neither"),
    "forgotten-updates-happen": ("update-timing", "within the call"),
    "updates-in-place-ignored": ("updates-in-place-argument", "ignored"),
    "statistics-updated-in-inference": ("inference-updates", "always"),
    "shared-layer-loses-the-second-call": ("shared-layer-updates", "first call only"),
    "shared-layer-loses-the-first-call": ("shared-layer-updates", "last call only"),
    "bare-call-trains": ("bare-call", "training"),
    "starts-in-evaluation": ("bare-call", "inference"),
    "mode-remembered": ("mode-memory", "remembers the last switch"),
    "one-is-inference": ("training-integer", "inference"),
    "zero-is-training": ("training-integer", "training"),
    "written-training-loses-to-fit": (
        "explicit-training-in-a-functional-model",
        "loses to the caller",
    ),
    "model-without-training-hides-the-loop": (
        "model-without-a-training-argument",
        "every execution is a bare call",
    ),
    "freezing-forces-evaluation": (
        "trainable-false-mode",
        "inference even with training=True",
    ),
    "freezing-stops-statistics": ("trainable-false-statistics", "stop"),
    "trainable-read-at-compile": ("trainable-read-by-fit", "when the model was compiled"),
    "unchanged-model-flag-misses-the-layer": (
        "model-trainable-reaches-the-layer",
        "only when the model's own flag changes",
    ),
}
"""Faults that are one value of one axis: by fault, the only explanation of some verdict on it."""

EXPLAINED_IN_SEVERAL_WAYS = {
    # Numbers that are in use nowhere.
    "default-decay-of-0.97",
    "default-epsilon-of-1e-4",
    "running-mean-starts-at-a-half",
    "running-variance-starts-at-a-half",
    "gamma-starts-at-a-half",
    "epsilon-at-least-5e-6",
    # Wider error models explain whatever a narrower one does.
    "one-pass-variance",
    "one-pass-variance-clamped",
    "low-precision-arithmetic",
    "low-precision-moments",
    "low-precision-mean",
    # A sequence is any other rank, too; float32 input has the layer's dtype.
    "ranks-2-and-3-taken-argument",
    "mixed-output-like-the-input",
    # What more than one moment of updating, or order of updates, would do.
    "updates-are-operations",
    "shared-layer-in-reverse-order-subclassed",
    "shared-layer-in-reverse-order-functional",
    "shared-layer-both-from-the-value-before-subclassed",
    "shared-layer-both-from-the-value-before-functional",
    # Where no counter shows, it may be a snapshot.
    "kept-state-follows-the-layer-argument",
    # Where statistics do not move, inference by the batch may be the layer's habit.
    "inference-by-the-batch-with-tracking-off",
    # A fresh layer of the style trains anyway.
    "none-switches-nothing",
    "none-switches-to-training",
    "frozen-infers-unless-told",
}
"""Departures that no verdict explains by their own value alone: where they show, others fit too."""

EXPLAINED |= {
    name: next(iter(fault.conventions.items()))
    for name, fault in FAULTS.items()
    if isinstance(fault, Departure) and name not in EXPLAINED_IN_SEVERAL_WAYS
}


RECORD = recorded()


@pytest.fixture(scope="module")
def cells():
    """The verdicts on every planted fault in some of the scenarios, as said on the record."""
    return {
        name: [judged(fault.style, each, said(fault, each)) for each in chosen(number, name)]
        for number, (name, fault) in enumerate(FAULTS.items())
    }


def chosen(number, name):
    """The scenarios put to a fault: first those that convict it and settle what is to explain it.

    Of the others some are put to it, to different faults different ones.
    """
    axis = EXPLAINED.get(name, ("", ""))[0]
    scenarios = {each.name: each for each in put_to(name)}
    convicting = [scenarios.pop(each) for each in RECORD[name] if each in scenarios]
    convicting.sort(key=lambda scenario: axis not in scenario.settles)
    return [
        *convicting[:CONVICTING_AT_MOST],
        *[*scenarios.values(), *convicting[CONVICTING_AT_MOST:]][number % OTHERS :: OTHERS],
    ]


@pytest.fixture(scope="module")
def catching(cells):
    """The verdicts that convict, by fault."""
    return {
        name: [cell for cell in found if cell.verdict in CONVICTIONS]
        for name, found in cells.items()
    }


def changes_caught(style, scenario):
    """The single changes of a declared convention under which the clean trace would be wrong."""
    cell = clean_cell(style, scenario)
    for axis in cell.judgement.read:
        for rival in rivals(cell.conventions, axis):
            try:
                changed = cell.conventions.replace({axis: rival})
                agrees = judge(scenario, changed, cell.trace).agrees
            except IMPOSSIBLE:
                continue
            if not agrees:
                yield style, axis, rival


@pytest.fixture(scope="module")
def signatures():
    """What each scenario catches, variants of rank and dtype left out: faults, and changes."""
    found = {
        each.name: set()
        for each in SCENARIOS
        if not any(word in each.name for word in ONLY_AT_ANOTHER_RANK_OR_DTYPE)
    }
    for name, convicting in RECORD.items():
        for scenario in convicting:
            found.get(scenario, set()).add(name)
    for style in CLEAN:
        for scenario in expressible(style):
            if scenario.name in found:
                found[scenario.name].update(changes_caught(style, scenario))
    return found


def identical(signatures):
    groups = defaultdict(list)
    for name, caught in signatures.items():
        groups[frozenset(caught)].append(name)
    return groups


@pytest.mark.parametrize("style", CLEAN)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_clean_fake_conforms(scenario, style):
    cell = clean_cell(style, scenario)
    assert cell.verdict in {"conforms", "not expressible"}, cell.reason


@pytest.mark.parametrize("style", CLEAN)
def test_clean_fake_can_be_asked_most_scenarios(style):
    assert len(expressible(style)) >= EXPRESSIBLE_AT_LEAST[style]


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name, catching):
    assert catching[name], FAULTS[name].sentence


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_convicted_by_whom_the_record_says(name, cells, catching):
    asked = {cell.scenario.name for cell in cells[name]}
    assert {cell.scenario.name for cell in catching[name]} == asked & set(RECORD[name])


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_judged_in_every_scenario(name, cells):
    admitted = CONVICTIONS | {"conforms"}
    if name in planted_executions.FAULTS:
        admitted |= {"not expressible"}
    assert {cell.verdict for cell in cells[name]} <= admitted


@pytest.mark.parametrize("name", EXPLAINED)
def test_fault_that_is_a_convention_is_explained_by_it_alone(name, catching):
    found = [
        [(each.axis, each.would_agree) for each in cell.explanations] for cell in catching[name]
    ]
    assert [EXPLAINED[name]] in found


@pytest.mark.parametrize("name", EXPLAINED)
def test_explanation_starts_from_what_is_declared(name, catching):
    for cell in catching[name]:
        for found in cell.explanations:
            assert found.declared == cell.conventions.values[found.axis] != found.would_agree


def test_several_explanations_are_recorded_where_there_are_some(catching):
    for name in EXPLAINED_IN_SEVERAL_WAYS:
        truth = [*FAULTS[name].conventions.items()]
        for cell in catching[name]:
            assert [(each.axis, each.would_agree) for each in cell.explanations] != truth


def test_every_scenario_catches_something(signatures):
    assert [name for name, caught in signatures.items() if not caught] == []


def test_scenarios_tell_different_things(signatures):
    """`pytest tests/test_faults.py -k different_things -s` prints those that do not."""
    groups = identical(signatures)
    sys.stdout.write(f"\n{len(groups)} different signatures of {len(signatures)} scenarios\n")
    for names in groups.values():
        if len(names) > 1:
            sys.stdout.write(f"the same: {', '.join(names)}\n")
    assert len([caught for caught in groups if caught]) >= DISTINCT_AT_LEAST


def test_record_is_of_todays_faults_and_scenarios():
    assert list(RECORD) == list(FAULTS), "run `make faults`"
    for name, convicting in RECORD.items():
        assert set(convicting) <= {each.name for each in put_to(name)}, "run `make faults`"


def test_page_says_who_caught_what():
    assert PAGE.read_text(encoding="utf-8") == page(RECORD), "run `make faults`"
