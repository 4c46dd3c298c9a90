"""What went wrong once in the running averages of the oracle, and must not again."""

from __future__ import annotations

import numpy as np
import pytest

from reference.bounded import exact
from reference.chosen import Conventions
from reference.conventions import REGISTRY
from reference.oracle import Oracle
from reference.rounding import format_named
from reference.running import blended, giving, keeping
from suites.vocabulary import Build, Call, CallTwice, Layer, ResetStatistics, Tensor, Training

USUAL = {
    axis.id: axis.values[0] if axis.paper is None else axis.paper for axis in REGISTRY.values()
}
LAYER = Layer(channels=1, rank=2, dtype="float64", decay=0.5, epsilon=1.0, zero_debias=True)


def column(*values):
    return Tensor("float64", (len(values), 1), tuple(float(value) for value in values))


@pytest.mark.parametrize("argument", [0.1, 0.001, 0.0001])
def test_a_small_weight_of_the_batch_keeps_its_digits(argument):
    expected = blended(exact([0.0]), exact([8.0]), giving(argument), format_named("float64"))
    assert np.abs(argument * 8.0 - expected.value) <= expected.bound


@pytest.mark.parametrize("form", ["float32", "float64"])
def test_dyadic_weights_cost_nothing(form):
    assert keeping(0.75).misread(format_named(form)) == (0.0, 0.0)


def test_resetting_forgets_the_debiased_average():
    oracle = Oracle(LAYER, Conventions(USUAL))
    state = oracle.expect(Build(), {}).quantities
    for step in (Call(column(0, 2), Training.TRUE), ResetStatistics()):
        state = oracle.expect(step, state).quantities
    after = oracle.expect(Call(column(3, 5), Training.TRUE), state).quantities
    assert after["running_mean"].value == 4.0  # The first update of a debiased average is exact.


def test_each_open_order_starts_from_the_same_debiased_average():
    step = CallTwice(column(0, 2), column(3, 5), Training.TRUE)
    orders = ("in call order", "in reverse order", "both from the value before")
    alone = [first_mean(order, step) for order in orders]
    together = Oracle(LAYER, Conventions({**USUAL, "shared-layer-updates": "in no fixed order"}))
    state = together.expect(Build(), {}).quantities
    found = together.expect(step, state)
    outcomes = (found.quantities, *found.others)
    assert {float(outcome["running_mean"].value[0]) for outcome in outcomes} == set(alone)


def first_mean(order, step):
    oracle = Oracle(LAYER, Conventions({**USUAL, "shared-layer-updates": order}))
    state = oracle.expect(Build(), {}).quantities
    return float(oracle.expect(step, state).quantities["running_mean"].value[0])


def test_both_updates_are_counted_whatever_their_order():
    step = CallTwice(column(0, 2), column(3, 5), Training.TRUE)
    for order in ("in call order", "both from the value before"):
        chosen = {"shared-layer-updates": order, "update-counter": "counts training executions"}
        oracle = Oracle(LAYER, Conventions({**USUAL, **chosen}))
        state = oracle.expect(Build(), {}).quantities
        assert oracle.expect(step, state).quantities["updates_counted"].value == 2
