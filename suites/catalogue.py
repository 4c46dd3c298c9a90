"""Every scenario, in the order the report shows them."""

from __future__ import annotations

from suites import (
    degenerate,
    dtypes,
    forward,
    freezing,
    gradients,
    hyperparameters,
    layout,
    long_runs,
    magnitude,
    masks,
    modes,
    momentum,
    non_finite,
    penalties,
    renormalisation,
    running_statistics,
    state,
    virtual_batch,
)
from suites.vocabulary import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *forward.SCENARIOS,
    *gradients.SCENARIOS,
    *modes.SCENARIOS,
    *freezing.SCENARIOS,
    *momentum.SCENARIOS,
    *running_statistics.SCENARIOS,
    *degenerate.SCENARIOS,
    *non_finite.SCENARIOS,
    *magnitude.SCENARIOS,
    *hyperparameters.SCENARIOS,
    *long_runs.SCENARIOS,
    *layout.SCENARIOS,
    *dtypes.SCENARIOS,
    *masks.SCENARIOS,
    *renormalisation.SCENARIOS,
    *virtual_batch.SCENARIOS,
    *state.SCENARIOS,
    *penalties.SCENARIOS,
)
SUITES: tuple[str, ...] = tuple(dict.fromkeys(scenario.suite for scenario in SCENARIOS))


def scenario_named(name: str) -> Scenario:
    """Return the scenario with this name. Raises KeyError when there is none."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
