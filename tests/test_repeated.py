"""Many updates in one go are the same as many updates one after another."""

from __future__ import annotations

import numpy as np
import pytest

from reference.bounded import Bounded
from reference.repeated import blended_often
from reference.rounding import format_named
from reference.running import blended, giving, keeping

OLD = Bounded(np.array([0.0, 1.0, -3.0]), np.array([0.0, 1e-6, 0.0]))
BATCH = Bounded(np.array([2.0, 1.0, 5.5]), np.array([1e-7, 0.0, 1e-6]))
WEIGHTS = {
    "exponential": [keeping(0.99)] * 200,
    "dyadic": [keeping(1 - 2.0**-11)] * 200,
    "cumulative": [giving(1 / turn) for turn in range(1, 201)],
    "past the end": [keeping(1.25)] * 20,
    "below the start": [keeping(-0.25)] * 20,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_updates_in_one_go_have_value_and_bound_of_as_many(name, dtype):
    form, found = format_named(dtype), OLD
    for weights in WEIGHTS[name]:
        found = blended(found, BATCH, weights, form)
    quick = blended_often(OLD, BATCH, WEIGHTS[name], form)
    np.testing.assert_allclose(quick.value, found.value, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(quick.bound, found.bound, rtol=1e-12, atol=0)


def test_updates_that_may_overflow_are_to_be_followed_one_by_one():
    huge = Bounded(np.array([1e38]), np.array([0.0]))
    assert blended_often(huge, huge, [keeping(0.5)] * 3, format_named("float32")) is None
