"""Every scenario can tell apart what it says it settles, in a quantity it says it is about."""

from __future__ import annotations

import numpy as np
import pytest

from suites import gradients
from suites.vocabulary import Call
from tests.separation import BOUNDS_APART, CLAIMS, able, greatest_separation, runs


@pytest.mark.parametrize(
    ("scenario", "axis"), CLAIMS, ids=[f"{scenario.name}/{axis}" for scenario, axis in CLAIMS]
)
def test_what_a_scenario_settles_shows_by_ten_bounds_for_some_implementation(scenario, axis):
    assert greatest_separation(scenario, axis) >= BOUNDS_APART


@pytest.mark.parametrize("scenario", gradients.SCENARIOS, ids=lambda each: each.name)
def test_no_gradient_asked_for_vanishes(scenario):
    assert all(step.dy is not None for step in scenario.steps if isinstance(step, Call))
    for declared in able(scenario):
        quantities = next(runs(scenario, declared))[-1].quantities
        for name in ("dgamma", "dbeta"):
            if name in quantities:
                size = np.abs(quantities[name].value)
                assert np.all(size > BOUNDS_APART**3 * quantities[name].bound), name
