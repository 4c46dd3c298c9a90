"""How far apart two values of a convention put what a scenario asks about, counted in bounds."""

from __future__ import annotations

import numpy as np

from harness.agreement import trajectory
from harness.implementations import untransformed
from harness.verdict import rivals
from reference.chosen import Unspecified
from reference.conventions import axis_named
from suites.catalogue import SCENARIOS

BOUNDS_APART = 10
CLAIMS = [(scenario, axis) for scenario in SCENARIOS for axis in scenario.settles]


def able(scenario):
    """Yield what is declared by every implementation that can express a scenario."""
    for implementation in untransformed().values():
        if scenario.name not in (implementation.expectations.inexpressible or ()):
            yield implementation.conventions(scenario)


def runs(scenario, conventions):
    """Yield the oracle's runs; an axis left open takes each of its values."""
    try:
        yield trajectory(scenario, conventions.unread())
    except Unspecified as missing:
        for value in axis_named(missing.axis).values:
            yield from runs(scenario, conventions.replace({missing.axis: value}))
    except ZeroDivisionError:
        return


def separation(scenario, one, other):
    """Return the greatest gap between two runs over the sum of their bounds.

    Infinite where only one refuses, shows a quantity at all, or shows a number, or where they show
    it in different dtypes. Only what the scenario is about counts.
    """
    if len(one) != len(other):
        return np.inf
    most = 0.0
    for left, right in zip(one, other, strict=True):
        if left.refused != right.refused:
            return np.inf
        for name in scenario.about:
            if (name in left.quantities) != (name in right.quantities):
                return np.inf
            if name in left.quantities:
                if left.dtype(name) != right.dtype(name):
                    return np.inf
                most = max(most, gap(left.quantities[name], right.quantities[name]))
    return most


def gap(one, other):
    """Return the greatest difference of two quantities over the sum of their bounds."""
    if np.any(np.isnan(one.value) != np.isnan(other.value)):
        return np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(one.value - other.value)
        difference = np.where(one.value == other.value, 0.0, apart)
        telling = difference > 0
        parts = difference[telling] / (one.bound + other.bound)[telling]
    return float(parts[~np.isnan(parts)].max(initial=0.0))


def greatest_separation(scenario, axis):
    """Return by how much an axis shows in a scenario, for the implementation it shows most in."""
    most = 0.0
    for declared in able(scenario):
        mine = next(runs(scenario, declared))
        for rival in rivals(declared, axis):
            for other in runs(scenario, declared.replace({axis: rival})):
                most = max(most, separation(scenario, mine, other))
    return most
