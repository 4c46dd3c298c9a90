"""Every scenario can tell apart what it says it settles, in a quantity it says it is about."""

from __future__ import annotations

import numpy as np
import pytest

from harness.agreement import trajectory
from harness.implementations import registered
from harness.known import not_expressible
from harness.verdict import rivals
from reference.chosen import Conventions, Unspecified
from reference.conventions import axis_named
from suites import gradients
from suites.catalogue import SCENARIOS
from suites.vocabulary import Call

BOUNDS_APART = 10
CLAIMS = [(scenario, axis) for scenario in SCENARIOS for axis in scenario.settles]


def able(scenario):
    """What is declared of every implementation that can express a scenario."""
    for name, implementation in registered().items():
        if scenario.name not in not_expressible()[name]:
            yield implementation.conventions(scenario)


def runs(scenario, conventions):
    """The oracle's runs; an axis left open takes each of its values."""
    try:
        yield trajectory(scenario, Conventions(conventions.values))
    except Unspecified as missing:
        for value in axis_named(missing.axis).values:
            yield from runs(scenario, conventions.replace({missing.axis: value}))
    except ZeroDivisionError:
        return


def apart(scenario, one, other):
    """Tell whether two runs differ by ten bounds in something the scenario is about, or refuse."""
    for left, right in zip(one, other, strict=False):
        if left.refused != right.refused:
            return True
        for name in scenario.about:
            if (name in left.quantities) != (name in right.quantities):
                return True
            if name in left.quantities:
                a, b = left.quantities[name], right.quantities[name]
                gap = np.abs(a.value - b.value)
                if np.any((gap > 0) & (gap >= BOUNDS_APART * (a.bound + b.bound))):
                    return True
    return len(one) != len(other)


@pytest.mark.parametrize(
    ("scenario", "axis"), CLAIMS, ids=[f"{scenario.name}/{axis}" for scenario, axis in CLAIMS]
)
def test_what_a_scenario_settles_shows_by_ten_bounds_for_some_implementation(scenario, axis):
    for declared in able(scenario):
        mine = next(runs(scenario, declared))
        for rival in rivals(declared, axis):
            others = runs(scenario, declared.replace({axis: rival}))
            if any(apart(scenario, mine, other) for other in others):
                return
    pytest.fail(f"No implementation's answer to {scenario.name} depends on {axis}.")


@pytest.mark.parametrize("scenario", gradients.SCENARIOS, ids=lambda each: each.name)
def test_no_gradient_asked_for_vanishes(scenario):
    assert all(step.dy is not None for step in scenario.steps if isinstance(step, Call))
    for declared in able(scenario):
        quantities = next(runs(scenario, declared))[-1].quantities
        for name in ("dgamma", "dbeta"):
            if name in quantities:
                size = np.abs(quantities[name].value)
                assert np.all(size > BOUNDS_APART**3 * quantities[name].bound), name
