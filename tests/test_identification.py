"""Identification names every convention a fake follows, and no other, from its traces alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness import identification
from harness.findings import findings
from harness.identification import WHAT_IS_SHOWN, Question
from harness.implementations import Implementation
from harness.judge import Refused, Seen
from harness.questions import Answered
from harness.solving import simplest, solved
from reference.conventions import REGISTRY
from suites.catalogue import scenario_named
from tests.asking import DECLARATIONS, answered, said
from tests.fakes.fault import CLEAN
from tests.fakes.held_out import HELD_OUT
from tests.identifying import context, evidence, found, mistakes, one_of_each_axis, remembering
from tests.test_command_line import bnconform, complaint

MOST_COMBINATIONS = 4096
"""Of the conventions one quantity depends on, in the context with the fewest scenarios."""
SMALL = """
from adapters.answers import NotExpressible
from tests.fakes import argument_style
from tests.fakes.argument_style import versions


class Program(argument_style.Program):
    def __init__(self, layer):
        if "momentum_argument" not in layer:
            raise NotExpressible("Every layer is given a momentum.")
        super().__init__(layer)
"""


# What the fakes follow.


@pytest.mark.parametrize("style", CLEAN)
def test_nothing_a_clean_fake_does_is_without_a_name(style):
    assert [each.unnamed for each in found(CLEAN[style]) if each.unnamed] == []


@pytest.mark.parametrize("style", CLEAN)
def test_a_clean_fake_is_measured_as_its_author_declares(style):
    for each in found(CLEAN[style]):
        truth = DECLARATIONS[style].at(each.context).values
        for axis, measured in each.axes.items():
            assert not measured.removed or truth[axis] in measured.values, axis


def test_most_conventions_of_the_clean_fakes_are_measured():
    measured = {
        axis
        for style in CLEAN.values()
        for each in found(style)
        for axis, one in each.axes.items()
        if len(one.definite) == 1
    }
    cannot = {axis.id for axis in REGISTRY.values() if axis.kind == "error model"}
    assert set(REGISTRY) - measured == cannot


@pytest.mark.parametrize("name", one_of_each_axis(HELD_OUT))
def test_held_out_fake_is_identified_as_what_it_is(name):
    """One fake for each axis; `make proof` asks all."""
    assert mistakes(HELD_OUT[name]) == []


# How it searches.


def a_trace(name, style="argument"):
    scenario = scenario_named(name)
    return scenario, answered(said(CLEAN[style], scenario)).traces[0]


def test_only_conventions_a_quantity_depends_on_are_tried():
    scenario, trace = a_trace("training-output")
    everything = {axis.id: axis.values for axis in REGISTRY.values()}
    mean = identification.explored(
        [Question(Answered(scenario, trace), 1, "running_mean")], everything, MOST_COMBINATIONS
    )
    assert "epsilon-placement" not in mean.scope
    assert "running-variance-factor" not in mean.scope
    output = identification.explored(
        [Question(Answered(scenario, trace), 1, "output")], everything, MOST_COMBINATIONS
    )
    assert "epsilon-placement" in output.scope
    assert "bare-call" not in output.scope


def test_the_search_stays_within_its_cap():
    questions = [
        question
        for style in CLEAN.values()
        for scenario, trace in evidence(style)
        for question in identification.questions_of(scenario, trace)
    ]
    measured = {axis: one.values for axis, one in found(CLEAN["argument"])[0].axes.items()}
    everything = {axis.id: axis.values for axis in REGISTRY.values()}
    known = {
        axis: measured[axis] if len(measured[axis]) == 1 else everything[axis]
        for axis in everything
    }
    with np.errstate(all="ignore"):
        assert all(
            identification.explored([question], known, MOST_COMBINATIONS) is not None
            for question in questions
        )


def test_scenarios_that_contradict_each_other_are_both_told():
    # The same layer seems to feed its running variance the population and the sample variance.
    name = "running-variance-of-3-values"
    scenario, population = a_trace(name)
    _, sample = a_trace(name, "switch")
    sample = [
        Seen({key: value for key, value in seen.observed.items() if key != "updates_counted"})
        for seen in sample
    ]
    results = identification.identify([(scenario, population), (scenario, sample)], context)
    (one,) = [unnamed for each in results for unnamed in each.unnamed]
    assert one.question.quantity == "running_variance"
    wished = dict(one.instead)["running-variance-factor"]
    measured = results[0].axes["running-variance-factor"]
    assert measured.in_doubt
    assert {wished, *measured.fits} == {"1", "n/(n-1)"}


def test_an_unusual_number_is_solved_for_and_given_its_simplest_form():
    assert solved(lambda value: value**3 - 0.001, 0.5, 1.0) == pytest.approx(0.1)
    assert simplest(0.10000003, lambda value: abs(value - 0.1) < 1e-6) == 0.1


def test_a_refusal_nobody_expects_has_no_name():
    scenario, trace = a_trace("training-output")
    refused = [trace[0], Seen({}, Refused("TypeError", "no"))]
    (each,) = identification.identify([(scenario, refused)], context)
    assert [one.question.quantity for one in each.unnamed] == [WHAT_IS_SHOWN]


# Declared against measured.


def findings_of(style, declarations):
    implementation = Implementation("fake", "a fake", adapter="", declared=declarations)
    with remembering():
        return findings(implementation, list(evidence(CLEAN[style])))


@pytest.mark.parametrize("style", CLEAN)
def test_a_true_declaration_surprises_nobody(style):
    assert findings_of(style, DECLARATIONS[style]).surprises == []


def test_a_false_declaration_is_found_out_with_the_scenarios_that_decided():
    (surprise,) = [
        each
        for each in findings_of("argument", DECLARATIONS["switch"]).surprises
        if each.axis == "momentum-sense"
    ]
    assert surprise.values == ("weighs the old running value",)
    assert surprise.decided_by == ("momentum-argument-0.9",)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An adapter of which little can be asked, and which declares nothing."""
    path = tmp_path_factory.mktemp("adapter") / "small.py"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_the_command_measures_an_adapter_that_declares_nothing(small):
    done = bnconform("identify", small, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    measured = [
        each["measured"]
        for each in found["conventions"]
        if each["axis"] == "momentum-sense" and each["status"] == "undeclared"
    ]
    assert measured == [["weighs the old running value"]]


def test_the_command_prints_a_line_for_every_convention_reached(small):
    done = bnconform("identify", small)
    assert done.returncode == 0, done.stderr
    assert "momentum-sense: ‘weighs the old running value’, not declared (rank 2;" in done.stdout
    assert "0 observations have no name." in done.stdout


@pytest.mark.parametrize("name", ["fails_to_import", "not_expressible"])
def test_an_adapter_that_answers_nothing_is_one_sentence(name):
    path = Path(__file__).parent / "fakes" / "misbehaving" / f"{name}.py"
    assert f"{name} answered nothing" in complaint(bnconform("identify", path))


def test_a_file_that_does_not_exist_is_one_sentence():
    assert "There is no adapter nowhere.py" in complaint(bnconform("identify", "nowhere.py"))
