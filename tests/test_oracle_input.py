"""The oracle on what a layer is given, worked by hand: axes, wrong shapes, and dtypes.

Unless an example says otherwise: k = ¾, epsilon 3, gamma 2, beta 1, running mean 0 and running
variance 1, in float32. The batch {1, 3} has mean 2, variance 1 and so the outputs 0 and 2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.bounded import Bounded, exact
from reference.chosen import Conventions
from reference.moments import inverse_deviation
from reference.oracle import Oracle
from reference.rounding import converted, format_named, overflowed, stored
from suites.vocabulary import ABSENT, Build, Call, Cast, Layer, Tensor, Training
from tests.test_oracle import USUAL

TRUE, FALSE = Training.TRUE, Training.FALSE
HALF = format_named("float16")


def tensor(values, dtype="float32"):
    array = np.array(values, dtype)
    return Tensor(dtype, array.shape, tuple(array.ravel().tolist()))


def layer(channels=1, **more):
    values = {"gamma": 2.0, "beta": 1.0, "running_mean": 0.0, "running_variance": 1.0}
    given = {name: tensor([value] * channels) for name, value in values.items()}
    return Layer(channels, **{"rank": 2, "decay": 0.75, "epsilon": 3.0, **given, **more})


def run(asked, *steps, **changed):
    """What is expected after the last step; a convention's dashes are written as _."""
    changes = {axis.replace("_", "-"): value for axis, value in changed.items()}
    oracle = Oracle(asked, Conventions({**USUAL, **changes}))
    found = oracle.expect(Build(), {})
    for step in steps:
        assert not found.refused
        with np.errstate(all="ignore"):
            found = oracle.expect(step, dict(found.quantities)).worked_out()
    return found


X = tensor([[1], [3]])
DY = tensor([[1], [0]])


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_channel_axis_by_its_number(axis):
    # Two channels, {1, 3} and {3, 1}, along any axis of three.
    x = np.moveaxis(np.array([[[1, 3], [3, 1]]], np.float32), -1, axis)
    found = run(layer(2, rank=3, channel_axis_argument=axis), Call(tensor(x), TRUE, tensor(x)))
    expected = np.moveaxis(np.array([[[0, 2], [2, 0]]]), -1, axis)
    assert found.quantities["output"].value.tolist() == expected.tolist()
    assert found.quantities["dx"].value.shape == x.shape


def test_channel_axis_that_is_not_the_last_may_be_refused():
    refused = {"channel_axis_argument": "refused unless last"}
    for axis, refuses in ((0, True), (1, False), (-1, False), (-2, True)):
        x = tensor([[1], [3]] if axis in (1, -1) else [[1, 3]])
        assert run(layer(channel_axis_argument=axis), Call(x, TRUE), **refused).refused == refuses


def test_one_channel_may_stand_for_all():
    all_ = {"wrong_channels": "one stands for all"}
    found = run(layer(2), Call(X, TRUE), **all_).quantities
    assert found["output"].value.tolist() == [[0, 0], [2, 2]]
    assert found["running_mean"].value.tolist() == [0.5, 0.5]
    several = run(layer(1), Call(tensor([[1, 3], [3, 1]]), TRUE), **all_).quantities
    assert several["output"].value.tolist() == [[0, 2], [2, 0]]
    assert run(layer(2), Call(tensor([[1, 2, 3]]), FALSE), **all_).refused


@pytest.mark.parametrize("mode", [TRUE, FALSE])
def test_wrong_channels_are_refused(mode):
    assert run(layer(2), Call(X, mode), wrong_channels="refused").refused
    assert run(layer(1), Call(tensor([[1, 3]]), mode), wrong_channels="refused").refused


@pytest.mark.parametrize(
    ("rule", "refuses"),
    [("refused", (True, True)), ("2 and 3 taken", (False, True)), ("taken", (False, False))],
)
def test_other_ranks(rule, refuses):
    shapes = (1, 2, 1), (1, 1, 2, 1)
    calls = [Call(replace(X, shape=shape), TRUE) for shape in shapes]
    found = [run(layer(), call, wrong_rank=rule) for call in calls]
    assert tuple(each.refused for each in found) == refuses
    for each, shape in zip(found, shapes, strict=True):
        if not each.refused:
            assert each.quantities["output"].value.shape == shape


def dtypes(found, *names):
    return tuple(found.dtype(name) for name in names)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("cast to the layer's dtype", ("float32", "float16", "float32", "float32")),
        ("output in the input's dtype", ("float16", "float16", "float32", "float32")),
    ],
)
def test_dtypes_of_half_input(rule, expected):
    given = layer(input_dtype="float16")
    found = run(
        given,
        Call(tensor(X.values, "float16") and tensor([[1], [3]], "float16"), TRUE, DY),
        input_of_another_dtype=rule,
    )
    assert dtypes(found, "output", "dx", "dgamma", "running_mean") == expected
    assert found.quantities["output"].value.tolist() == [[0], [2]]


def test_input_of_another_dtype_may_be_refused():
    given = layer(input_dtype="float64")
    assert run(
        given, Call(tensor([[1], [3]], "float64"), FALSE), input_of_another_dtype="refused"
    ).refused


def test_wider_input_is_rounded_where_it_is_cast():
    # 1 + 2⁻¹² is a tie between two numbers of float16, 1 the even one, and 1 + 3·2⁻¹² rounds up.
    x = tensor([[1 + 2.0**-12], [1 + 3 * 2.0**-12]])
    given = layer(dtype="float16", input_dtype="float32", running_mean=ABSENT)
    found = run(
        given, Call(x, FALSE), input_of_another_dtype="cast to the layer's dtype"
    ).quantities
    # r = ½: γ·r·x + β is x + 1.
    exactly = np.array([[2.0], [2 + 2.0**-10]])
    assert found["output"].value.tolist() == exactly.tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("the policy's dtype", "float16"),
        ("the input's dtype", "bfloat16"),
        ("the layer's dtype", "float32"),
    ],
)
def test_dtypes_under_mixed_precision(rule, expected):
    given = layer(policy="mixed_float16", input_dtype="bfloat16")
    call = Call(Tensor("bfloat16", (2, 1), (1.0, 3.0)), TRUE, DY)
    found = run(
        given,
        call,
        mixed_precision_output=rule,
        input_of_another_dtype="output in the input's dtype",
    )
    shown = dtypes(found, "output", "dx", "dgamma", "gamma", "running_variance")
    assert shown == (expected, "bfloat16", "float32", "float32", "float32")


def test_cast_rounds_to_nearest_and_leaves_the_count():
    third = np.float32(1 / 3)
    given = layer(running_mean=tensor([third]), running_variance=tensor([70000.0]))
    counts = {"update_counter": "counts training executions"}
    found = run(given, Call(X, TRUE), Cast("float16"), **counts)
    mean = np.float32(0.75) * third + np.float32(0.5)
    seen = found.quantities["running_mean"]
    assert seen.lower <= np.float16(mean) <= seen.upper
    assert dtypes(found, "running_mean", "gamma", "updates_counted") == ("float16", "float16", None)
    assert found.quantities["updates_counted"].value == 1


def test_cast_of_what_is_known_is_exact():
    values = exact([1 / 3, 65519.0, 65520.0, -1e6])
    assert (
        converted(values, HALF).value.tolist()
        == np.float16([1 / 3, 65519.0, np.inf, -np.inf]).tolist()
    )
    assert converted(values, HALF).bound.tolist() == [0, 0, 0, 0]


def test_statistics_may_stay_when_cast():
    given = layer(running_mean=tensor([np.float32(1 / 3)]))
    stay = {"statistics_of_a_cast_layer": "stay as they are"}
    found = run(given, Cast("float16"), **stay)
    assert dtypes(found, "running_mean", "gamma") == ("float32", "float16")
    assert found.quantities["running_mean"].value == np.float32(1 / 3)


def test_inference_by_an_infinite_variance_is_beta():
    given = layer(running_variance=tensor([1e6]))
    x = tensor([[1], [3]], "float16")
    found = run(given, Cast("float16"), Call(x, FALSE)).quantities
    assert (found["output"].value.tolist(), found["output"].bound.tolist()) == (
        [[1], [1]],
        [[0], [0]],
    )


def test_only_what_certainly_overflows_is_infinite():
    value, bound = np.array([65504.0, 70000.0, 65000.0, 1e6]), np.array([0.0, 1.0, 1e4, np.inf])
    quantity = Bounded(value, bound)
    found = overflowed(quantity, stored(quantity, HALF), HALF)
    assert found.value.tolist() == [65504.0, np.inf, 65000.0, 1e6]
    assert found.bound.tolist() == [0, 0, np.inf, np.inf]


def test_infinite_variance_in_doubt_has_no_inverse():
    doubtful = Bounded(np.array([np.inf, np.inf]), np.array([0.0, np.inf]))
    with np.errstate(all="ignore"):
        found = inverse_deviation(doubtful, 1.0, "inside the root", HALF)
    assert found.value.tolist() == [0, 0]
    assert found.bound.tolist() == [0, np.inf]
