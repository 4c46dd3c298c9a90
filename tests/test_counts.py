"""No implementation loses a scenario to "not expressible" unnoticed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness.implementations import registered
from harness.respondent import Respondent
from suites.catalogue import SCENARIOS

FILE = Path(__file__).parent / "expressible.toml"
RECORDED = tomllib.loads(FILE.read_text("utf-8"))


def lost(name, unsaid):
    """The scenarios an implementation could say when they were recorded, and cannot now."""
    return sorted(set(unsaid) - set(RECORDED[name]["scenarios"]))


def test_every_implementation_that_runs_by_default_is_recorded():
    assert set(RECORDED) == {n for n, each in registered().items() if each.instead_of is None}


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_a_scenario_and_counted(name):
    scenarios = RECORDED[name]["scenarios"]
    assert len(set(scenarios)) == len(scenarios) == RECORDED[name]["count"]
    assert set(scenarios) <= {each.name for each in SCENARIOS}


@pytest.mark.parametrize("name", RECORDED)
def test_most_scenarios_can_be_said(name):
    assert RECORDED[name]["count"] < len(SCENARIOS) / 2


def test_torch_can_say_what_it_could():
    with Respondent(registered()["torch"]) as respondent:
        answers = {each.name: respondent.answer(each) for each in SCENARIOS}
    unsaid = [name for name, answer in answers.items() if answer.verdict == "not expressible"]
    assert len(unsaid) <= RECORDED["torch"]["count"]
    assert lost("torch", unsaid) == []
    assert [answers[name].reason for name in unsaid if not answers[name].reason] == []
