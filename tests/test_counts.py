"""No implementation loses a scenario to "not expressible" unnoticed."""

from __future__ import annotations

import pytest

from harness.implementations import registered
from harness.known import is_expected, not_expressible
from suites.catalogue import SCENARIOS

RECORDED = not_expressible()


def test_every_implementation_is_recorded():
    assert set(RECORDED) == set(registered())


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_a_scenario(name):
    assert RECORDED[name] <= {each.name for each in SCENARIOS}


@pytest.mark.parametrize("name", RECORDED)
def test_most_scenarios_can_be_said(name):
    assert len(RECORDED[name]) < len(SCENARIOS) / 2


def test_losing_an_answer_is_unexpected():
    lost = next(each.name for each in SCENARIOS if each.name not in RECORDED["torch"])
    kept = min(RECORDED["torch"])
    assert not is_expected("torch", lost, "not expressible")
    assert is_expected("torch", kept, "not expressible")


def test_an_implementation_that_is_not_recorded_may_lack_answers():
    assert is_expected("somebody-elses", SCENARIOS[0].name, "not expressible")
