"""Every scenario, in the order the report shows them."""

from __future__ import annotations

from suites import (
    forward,
    freezing,
    gradients,
    modes,
    momentum,
    penalties,
    running_statistics,
    state,
)
from suites.vocabulary import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *forward.SCENARIOS,
    *gradients.SCENARIOS,
    *modes.SCENARIOS,
    *freezing.SCENARIOS,
    *momentum.SCENARIOS,
    *running_statistics.SCENARIOS,
    *state.SCENARIOS,
    *penalties.SCENARIOS,
)
SUITES: tuple[str, ...] = tuple(dict.fromkeys(scenario.suite for scenario in SCENARIOS))


def scenario_named(name: str) -> Scenario:
    """Return the scenario with this name. Raises KeyError when there is none."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
