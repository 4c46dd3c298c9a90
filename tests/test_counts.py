"""No implementation loses a scenario to "not expressible" unnoticed."""

from __future__ import annotations

import pytest

from harness.implementations import registered, untransformed
from harness.known import expectations, record
from suites.catalogue import SCENARIOS

RECORDED = {
    name: expectations(name, each.versions or each.declared.measured).inexpressible
    for name, each in registered().items()
    if name in record()
}


def test_every_implementation_is_recorded():
    assert set(record()) == set(registered())


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_a_scenario(name):
    assert RECORDED[name] <= {each.name for each in SCENARIOS}


@pytest.mark.parametrize("name", untransformed())
def test_most_scenarios_can_be_said(name):
    assert len(RECORDED[name]) < len(SCENARIOS) / 2


def test_losing_an_answer_is_unexpected():
    lost = next(each.name for each in SCENARIOS if each.name not in RECORDED["torch"])
    kept = min(RECORDED["torch"])
    expected = registered()["torch"].expectations
    assert not expected.admit(lost, "not expressible")
    assert expected.admit(kept, "not expressible")


def test_an_implementation_that_is_not_recorded_may_lack_answers():
    expected = expectations("somebody-elses", {})
    assert expected.admit(SCENARIOS[0].name, "not expressible")
