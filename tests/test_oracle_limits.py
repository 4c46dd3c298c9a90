"""What the oracle says at the ends: two uses of one layer, NaN, infinity, epsilon, momentum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.judge import used
from reference.bounded import Bounded
from reference.chosen import Conventions
from reference.oracle import Oracle
from suites.vocabulary import ABSENT, Build, Call, CallTwice, Layer, Tensor, Training
from tests.fakes.declared import ARGUMENT

TRUE, FALSE = Training.TRUE, Training.FALSE
LAYER = Layer(channels=1, rank=2, decay=0.75, epsilon=1.0, center=True, scale=True)
UNTRACKED = replace(LAYER, track_running_statistics=False)


def column(*values):
    return Tensor("float32", (len(values), 1), tuple(float(value) for value in values))


def after(layer, *steps, **conventions):
    """What the oracle expects after the last step, started from its own state."""
    chosen = {**ARGUMENT, **{axis.replace("_", "-"): v for axis, v in conventions.items()}}
    oracle, state = Oracle(layer, Conventions(chosen)), {}
    for step in (Build(), *steps):
        found = oracle.expect(step, state)
        if found.refused:
            return None
        state = dict(found.quantities)
    return found.quantities


def exactly(quantity, *values):
    found = quantity.value.ravel()
    return np.allclose(found, values, rtol=1e-15, atol=1e-15, equal_nan=True)


def test_gradients_of_two_uses_add_up_by_hand():
    # Both batches have deviation √(3 + 1) = 2, so x̂ is ±√3/2: dγ = (3 − 1)·√3/2 + (1 − 0)·√3/2.
    root = np.sqrt(3.0)
    values = (column(-root, root), column(10 - root, 10 + root))
    step = CallTwice(*values, TRUE, "subclassed", column(1, 3), column(0, 1))
    found = after(LAYER, step)
    assert np.allclose(found["dgamma"].value, 1.5 * root, rtol=1e-7)
    assert exactly(found["dbeta"], 5)
    # dx = (dy − mean dy − x̂·Σ(dy·x̂)/2)/2 = ±(1 − 3/4)/2 and half of it.
    assert np.allclose(found["dx"].value.ravel(), [-0.125, 0.125], rtol=1e-7)
    assert np.allclose(found["dx_of_second"].value.ravel(), [-0.0625, 0.0625], rtol=1e-7)


def test_nan_in_dy_reaches_all_of_dx_in_training_and_its_own_place_in_inference():
    step = Call(column(1, 3), TRUE, column(np.nan, 1))
    assert np.isnan(after(LAYER, step)["dx"].value).all()
    found = after(LAYER, replace(step, training=FALSE))
    assert np.isnan(found["dx"].value).ravel().tolist() == [True, False]
    assert np.isfinite(found["output"].value).all()


def test_infinity_in_a_batch_leaves_nothing_finite_but_dbeta():
    found = after(LAYER, Call(column(1, np.inf), TRUE, column(2, 3)))
    for name in ("output", "dx", "dgamma", "running_mean", "running_variance"):
        assert np.isnan(found[name].value).all(), name
        assert np.isposinf(found[name].bound).all(), name
    assert exactly(found["dbeta"], 5)


@pytest.mark.parametrize(("observed", "agrees"), [(np.nan, True), (-np.inf, True), (1.0, False)])
def test_what_is_not_finite_may_be_nan_or_infinite(observed, agrees):
    not_finite = Bounded(np.array([np.nan]), np.array([np.inf]))
    assert (used(not_finite, np.array([observed]))[1] <= 1).all() == agrees


def test_nan_in_a_batch_must_be_nan_afterwards():
    found = after(LAYER, Call(column(1, np.nan), TRUE))
    for name in ("output", "running_mean", "running_variance"):
        assert np.isnan(found[name].value).all()
        assert not found[name].bound.any(), name


def test_epsilon_below_zero_is_used_where_nothing_refuses_it():
    # The running variance is 1 at first: (x − 0)/√(1 − 3/4).
    found = after(replace(LAYER, epsilon=-0.75), Call(column(1, 3), FALSE))
    assert exactly(found["output"], 2, 6)


@pytest.mark.parametrize(
    ("epsilon", "axis"), [(0.0, "epsilon_of_zero"), (-0.5, "epsilon_below_zero")]
)
def test_where_an_epsilon_is_refused(epsilon, axis):
    def refused(value, *steps):
        return after(replace(LAYER, epsilon=epsilon), *steps, **{axis: value}) is None

    train, infer = Call(column(1, 3), TRUE), Call(column(1, 3), FALSE)
    assert refused("refused when made")
    assert [refused("refused in training", step) for step in (train, infer)] == [True, False]
    assert [refused("refused when executed", step) for step in (train, infer)] == [True, True]


@pytest.mark.parametrize(
    ("rule", "mean"),
    [("used as written", 2.5), ("cut to 0 and 1", 2.0), ("refused when made", None)],
)
def test_momentum_below_zero(rule, mean):
    layer = replace(LAYER, decay=ABSENT, momentum_argument=-0.25)
    found = after(layer, Call(column(1, 3), TRUE), momentum_out_of_range=rule)
    assert found is None if mean is None else exactly(found["running_mean"], mean)


def test_one_value_is_refused_in_inference_too_where_the_batch_normalises():
    rules = {
        "one_value_per_channel": "refused",
        "no_running_statistics": "batch statistics in both modes",
    }
    assert after(UNTRACKED, Call(column(1), FALSE), **rules) is None
    assert after(LAYER, Call(column(1), FALSE), **rules) is not None


@pytest.mark.parametrize(
    ("rule", "dgamma"), [("zero", 0.0), ("NaN to gamma", np.nan), ("none", None)]
)
def test_gradients_of_an_empty_batch(rule, dgamma):
    found = after(LAYER, Call(column(), TRUE, column()), empty_batch_gradients=rule)
    assert found["dx"].value.shape == (0, 1)
    assert ("dgamma" in found) == ("dbeta" in found) == (dgamma is not None)
    assert dgamma is None or exactly(found["dgamma"], dgamma)


def test_a_variable_that_must_overflow_float16_is_infinite():
    layer = replace(LAYER, dtype="float16", decay=0.0)
    x = Tensor("float16", (2, 1), (-200.0, 200.0))
    train, infer = Call(x, TRUE), Call(x, FALSE)
    rules = {"running_variance_factor": "n/(n-1)"}
    assert np.isposinf(after(layer, train, **rules)["running_variance"].value).all()
    assert exactly(after(layer, train, infer, **rules)["output"], 0, 0)
