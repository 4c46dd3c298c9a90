"""The oracle against examples worked by hand, and gradients against finite differences.

Unless an example says otherwise: one channel, float64, k = ¾, epsilon 3, gamma 2, beta 1, running
mean 4 and running variance 8. The batch X = {0, 2} has mean 1, population variance 1 and sample
variance 2; OTHER = {2, 6} has mean 4, variances 4 and 8; THREE = {0, 3, 6} has mean 3, variances 6
and 9.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from reference.bounded import exact
from reference.chosen import Conventions, Unspecified
from reference.conventions import DRAWN, ONLY_FALSE, REGISTRY
from reference.moments import inverse_deviation
from reference.oracle import Oracle
from reference.rounding import format_named
from suites.vocabulary import (
    ABSENT,
    Build,
    Call,
    CallTwice,
    Compile,
    Enclose,
    EvalMode,
    Evaluate,
    Fit,
    Layer,
    Predict,
    ResetStatistics,
    SetTrainable,
    Tensor,
    Training,
)

TRUE, FALSE = Training.TRUE, Training.FALSE
USUAL = {
    axis.id: axis.values[0] if axis.paper is None else axis.paper for axis in REGISTRY.values()
}


def column(*values):
    return Tensor("float64", (len(values), 1), tuple(float(value) for value in values))


def one(value):
    return Tensor("float64", (1,), (float(value),))


X, OTHER, THREE = column(0, 2), column(2, 6), column(0, 3, 6)
LAYER = Layer(
    channels=1,
    rank=2,
    dtype="float64",
    decay=0.75,
    epsilon=3.0,
    center=True,
    scale=True,
    gamma=one(2),
    beta=one(1),
    running_mean=one(4),
    running_variance=one(8),
)


def run(*steps, layer=LAYER, **changed):
    """Return what is expected after the last step; a convention's dashes are written as _."""
    changes = {axis.replace("_", "-"): value for axis, value in changed.items()}
    oracle = Oracle(layer, Conventions({**USUAL, **changes}))
    state = oracle.expect(Build(), {}).quantities
    for step in steps:
        expected = oracle.expect(step, state)
        state = expected.quantities
    return expected


def agree(quantity, *worked):
    """Tell whether a quantity is what was worked out, but for the oracle's own rounding."""
    return bool(np.all(np.abs(quantity.value.ravel() - worked) <= quantity.bound.ravel()))


def after(*steps, layer=LAYER, **changed):
    """Return the running mean and variance after the last step."""
    seen = run(*steps, layer=layer, **changed).quantities
    return seen["running_mean"], seen["running_variance"]


TRAINING_OUTPUTS = [
    # r = 1/√(1 + 3) = ½, x̂ = ∓½, output 2·x̂ + 1
    ({}, 3.0, (0, 2)),
    # r = 1/(√1 + 3) = ¼, x̂ = ∓¼
    ({"epsilon_placement": "outside the root"}, 3.0, (0.5, 1.5)),
    # sample variance 2, epsilon 2: r = 1/√(2 + 2) = ½
    ({"training_output_variance": "sample"}, 2.0, (0, 2)),
    # epsilon 1 raised to 3
    ({"epsilon_floor": 3.0}, 1.0, (0, 2)),
    # running mean 4, running variance 8, epsilon 8: r = 1/√16 = ¼, x̂ = {−1, −½}
    ({"training_output_statistics": "running before the update"}, 8.0, (-1, 0)),
    # updated: mean ¾·4 + ¼·1 = 3.25, variance ¾·8 + ¼·2 = 6.5, epsilon 9.5: r = ¼
    ({"training_output_statistics": "running after the update"}, 9.5, (-0.625, 0.375)),
]


@pytest.mark.parametrize(("changed", "epsilon", "worked"), TRAINING_OUTPUTS)
def test_training_output(changed, epsilon, worked):
    found = run(Call(X, TRUE), layer=replace(LAYER, epsilon=epsilon), **changed)
    assert agree(found.quantities["output"], *worked)


def test_training_output_of_three_values():
    # v = 6, r = 1/√(6 + 3) = ⅓, x̂ = {−1, 0, 1}
    assert agree(run(Call(THREE, TRUE)).quantities["output"], -1, 1, 3)


def test_epsilon_and_initial_values_nobody_wrote():
    # default epsilon 3, gamma 2, beta 1: r = ½ in training; in inference, by mean 1 and variance
    # 13, r = ¼ and x̂ = ∓¼
    names = ("gamma", "beta", "running_mean", "running_variance", "epsilon")
    layer = replace(LAYER, **dict.fromkeys(names, ABSENT))
    changed = {
        "default_epsilon": 3.0,
        "initial_gamma": 2.0,
        "initial_beta": 1.0,
        "initial_running_mean": 1.0,
        "initial_running_variance": 13.0,
    }
    assert agree(run(Call(X, TRUE), layer=layer, **changed).quantities["output"], 0, 2)
    assert agree(run(Call(X, FALSE), layer=layer, **changed).quantities["output"], 0.5, 1.5)


@pytest.mark.parametrize(
    ("scale", "center", "worked", "parameters"),
    # x̂ = ∓½: x̂ + 1, 2·x̂, x̂
    [(False, True, (0.5, 1.5), 1), (True, False, (-1, 1), 1), (False, False, (-0.5, 0.5), 0)],
)
def test_layer_without_gamma_or_beta(scale, center, worked, parameters):
    layer = replace(LAYER, scale=scale, center=center)
    found = run(Call(X, TRUE, column(1, 0)), layer=layer).quantities
    assert agree(found["output"], *worked)
    assert found["trainable_parameters"].value == parameters
    for name, present in (("gamma", scale), ("beta", center)):
        assert (name in found, f"d{name}" in found) == (present, present)


@pytest.mark.parametrize(("default", "worked"), [("learned", (0, 2)), ("absent", (0.5, 1.5))])
def test_layer_that_does_not_say_whether_it_has_a_gamma(default, worked):
    layer = replace(LAYER, scale=ABSENT)
    found = run(Call(X, TRUE), layer=layer, default_gamma=default)
    assert agree(found.quantities["output"], *worked)


def test_positions_are_pooled_with_samples():
    # Two samples of two positions, {0, 2} and {0, 2}: mean 1, variance 1, r = ½; sample variance
    # 4/3, so ¾·8 + ¼·4/3
    x = Tensor("float64", (2, 2, 1), (0.0, 2.0, 0.0, 2.0))
    found = run(Call(x, TRUE, x), layer=replace(LAYER, rank=3)).quantities
    assert found["output"].value.shape == (2, 2, 1)
    assert agree(found["output"], 0, 2, 0, 2)
    assert agree(found["running_variance"], 6 + 1 / 3)
    assert agree(found["dbeta"], 4)


@pytest.mark.parametrize(
    ("axis", "means", "worked"),
    [
        # channels {0, 2} and {4, 6}, both of variance 1: r = 1/√(1 + 5)
        ("last", (1, 5), np.array([-1, -1, 1, 1]) / np.sqrt(6)),
        # channels {0, 4} and {2, 6}, both of variance 4: r = 1/√(4 + 5)
        ("second", (2, 4), np.array([-2, 2, -2, 2]) / 3),
    ],
)
def test_default_channel_axis(axis, means, worked):
    x = Tensor("float64", (1, 2, 2), (0.0, 4.0, 2.0, 6.0))
    layer = Layer(2, 3, "float64", decay=0.0, epsilon=5.0, channel_axis="default")
    found = run(Call(x, TRUE), layer=layer, default_channel_axis=axis).quantities
    assert agree(found["running_mean"], *means)
    assert agree(found["output"], *worked)


def test_inference_output():
    # r = 1/√(8 + 8) = ¼; {0, 2} gives x̂ = {−1, −½}
    layer = replace(LAYER, epsilon=8.0)
    assert agree(run(Call(X, FALSE), layer=layer).quantities["output"], -1, 0)
    # the second value alone
    assert agree(run(Call(column(2), FALSE), layer=layer).quantities["output"], 0)


def test_inference_output_by_the_batch_where_so_declared():
    found = run(Call(X, FALSE), inference_output_statistics="batch")
    assert agree(found.quantities["output"], 0, 2)


@pytest.mark.parametrize(("factor", "worked"), [("1", 6.25), ("n/(n-1)", 6.5)])
def test_one_update_of_the_running_statistics(factor, worked):
    # mean ¾·4 + ¼·1; variance ¾·8 + ¼·1 or ¾·8 + ¼·2
    mean, variance = after(Call(X, TRUE), running_variance_factor=factor)
    assert agree(mean, 3.25)
    assert agree(variance, worked)


@pytest.mark.parametrize(("factor", "worked"), [("1", 7.5), ("n/(n-1)", 8.25)])
def test_one_update_from_three_values(factor, worked):
    # mean ¾·4 + ¼·3; variance ¾·8 + ¼·6 or ¾·8 + ¼·9
    mean, variance = after(Call(THREE, TRUE), running_variance_factor=factor)
    assert agree(mean, 3.75)
    assert agree(variance, worked)


@pytest.mark.parametrize(
    ("sense", "worked"),
    # ¾·4 + ¼·1 and ¼·4 + ¾·1
    [("weighs the old running value", 3.25), ("weighs the new batch value", 1.75)],
)
def test_momentum_argument_in_both_senses(sense, worked):
    layer = replace(LAYER, decay=ABSENT, momentum_argument=0.75)
    assert agree(after(Call(X, TRUE), layer=layer, momentum_sense=sense)[0], worked)


def test_decay_nobody_wrote():
    # ½·4 + ½·1
    layer = replace(LAYER, decay=ABSENT)
    assert agree(after(Call(X, TRUE), layer=layer, default_decay=0.5)[0], 2.5)


def test_one_value_per_channel_is_refused_where_so_declared():
    assert run(Call(column(6), TRUE), one_value_per_channel="refused").refused
    assert not run(Call(column(6), FALSE), one_value_per_channel="refused").refused


@pytest.mark.parametrize("factor", REGISTRY["running-variance-factor"].values)
def test_one_value_per_channel_has_a_variance_of_zero(factor):
    # x̂ = 0, so output 1 and dγ = 0; mean ¾·4 + ¼·6, variance ¾·8 + ¼·0; dx = s·(dy − dy − 0)
    found = run(
        Call(column(6), TRUE, column(5)),
        one_value_per_channel="fed as it is",
        running_variance_factor=factor,
    ).quantities
    worked = {"output": 1, "dx": 0, "dgamma": 0, "dbeta": 5, "running_mean": 4.5}
    for name, value in {**worked, "running_variance": 6}.items():
        assert agree(found[name], value)


@pytest.mark.parametrize("x", [column(6, 6), column(6, 6, 6)])
def test_with_epsilon_outside_nothing_is_said_of_dx_where_the_variance_is_zero(x):
    # w = (√v + ε)/√v is not defined; what does not depend on it is: x̂ = 0, output 1, dγ = 0.
    step = Call(x, TRUE, column(*range(len(x.values))))
    with np.errstate(all="ignore"):
        found = run(step, epsilon_placement="outside the root").quantities
    assert np.all(np.isposinf(found["dx"].bound))
    assert agree(found["output"], 1)
    assert agree(found["dgamma"], 0)


@pytest.mark.parametrize("placement", ["inside the root", "outside the root"])
def test_nothing_is_said_of_an_inverse_of_zero(placement):
    with np.errstate(all="ignore"):
        found = inverse_deviation(exact([0.0]), 0.0, placement, format_named("float64"))
    assert np.all(np.isposinf(found.bound))


CUMULATIVE = {"momentum_none": "cumulative average", "update_counter": "counts training executions"}


def test_cumulative_average_forgets_the_initial_value():
    # means 1, 4 and 1: first 1, then (1 + 4)/2, then (1 + 4 + 1)/3
    layer = replace(LAYER, decay=ABSENT, momentum_argument=None)
    calls = (Call(X, TRUE), Call(OTHER, TRUE), Call(X, TRUE))
    for updates, worked in ((1, 1), (2, 2.5), (3, 2)):
        found = run(*calls[:updates], layer=layer, **CUMULATIVE).quantities
        assert agree(found["running_mean"], worked)
        assert found["updates_counted"].value == updates


@pytest.mark.parametrize("counter", REGISTRY["update-counter"].values)
def test_cumulative_average_takes_two_updates_from_the_value_before_for_two(counter):
    # The first two updates, of which each alone would leave its batch: 1 + 4 − 4 = 1; the third
    # weighs ⅓: ⅔·1 + ⅓·10 = 4, whether or not a count is shown.
    layer = replace(LAYER, decay=ABSENT, momentum_argument=None)
    changed = {**CUMULATIVE, "update_counter": counter}
    order = {"shared_layer_updates": "both from the value before"}
    steps = (CallTwice(X, OTHER, TRUE), Call(column(9, 11), TRUE))
    assert agree(after(*steps, layer=layer, **changed, **order)[0], 4)


def test_momentum_none_is_refused_where_so_declared():
    layer = replace(LAYER, decay=ABSENT, momentum_argument=None)
    oracle = Oracle(layer, Conventions({**USUAL, "momentum-none": "refused"}))
    assert oracle.expect(Build(), {}).refused


def test_momentum_none_is_refused_in_training_alone_where_so_declared():
    # In inference r = 1/√(8 + 3), x̂ = (x − 4)·r.
    layer = replace(LAYER, decay=ABSENT, momentum_argument=None)
    found = run(Call(X, FALSE), layer=layer, momentum_none="refused in training")
    assert not found.refused
    assert agree(found.quantities["output"], *BY_RUNNING)
    assert run(Call(X, TRUE), layer=layer, momentum_none="refused in training").refused
    assert not run(Call(X, TRUE), momentum_none="refused in training").refused


def test_zero_debiasing_of_the_mean_only():
    # a = ¼·1, over 1 − ¾ gives 1; a = ¾·¼ + ¼·4 = 19/16, over 1 − 9/16 gives 19/7.
    # The variance is plain: ¾·8 + ¼·2 = 6.5.
    layer = replace(LAYER, zero_debias=True)
    mean, variance = after(Call(X, TRUE), layer=layer, zero_debias_argument="mean only")
    assert agree(mean, 1)
    assert agree(variance, 6.5)
    twice = after(Call(X, TRUE), Call(OTHER, TRUE), layer=layer, zero_debias_argument="mean only")
    assert agree(twice[0], 19 / 7)


def test_zero_debiasing_of_both():
    # variance: a = ¼·2, over ¼ gives the batch's own 2
    layer = replace(LAYER, zero_debias=True)
    found = after(Call(X, TRUE), layer=layer, zero_debias_argument="mean and variance")
    assert agree(found[1], 2)


@pytest.mark.parametrize(
    ("timing", "updates", "worked"),
    [
        ("within the call", "forgotten", 3.25),
        ("when the update operations are run", "forgotten", 4),
        ("when the update operations are run", "documented", 3.25),
        # ¾·3.25 + ¼·1
        ("when the update operations are run", "twice", 2.6875),
    ],
)
def test_updates_deferred_or_not(timing, updates, worked):
    assert agree(after(Call(X, TRUE, updates=updates), update_timing=timing)[0], worked)


@pytest.mark.parametrize(("rule", "worked"), [("updates within the call", 3.25), ("ignored", 4)])
def test_asking_for_updates_in_place(rule, worked):
    layer = replace(LAYER, updates_in_place=True)
    changed = {
        "update_timing": "when the update operations are run",
        "updates_in_place_argument": rule,
    }
    assert agree(after(Call(X, TRUE, updates="forgotten"), layer=layer, **changed)[0], worked)


def test_layer_without_running_statistics():
    layer = replace(LAYER, track_running_statistics=False, running_mean=ABSENT)
    step = Call(X, FALSE)
    found = run(step, layer=layer, no_running_statistics="batch statistics in both modes")
    assert agree(found.quantities["output"], 0, 2)
    assert not {"running_mean", "running_variance"} & set(found.quantities)
    assert run(step, layer=layer, no_running_statistics="refused").refused


def test_inference_moves_the_statistics_only_where_so_declared():
    assert agree(after(Call(X, FALSE))[0], 4)
    assert agree(after(Call(X, FALSE), inference_updates="always")[0], 3.25)


def test_reset_goes_back_to_the_framework_defaults_not_the_users():
    changed = {"initial_running_mean": 0.0, "initial_running_variance": 1.0}
    mean, variance = after(Call(X, TRUE), ResetStatistics(), **changed)
    assert agree(mean, 0)
    assert agree(variance, 1)


SHARED = {
    # s = 4, batches 1 and 8 ({6, 10}): U(4, 1) = 3.25, U(4, 8) = 5
    "in call order": 4.4375,  # ¾·3.25 + ¼·8
    "in reverse order": 4,  # ¾·5 + ¼·1
    "both from the value before": 4.25,  # 3.25 + 5 − 4
    "last call only": 5,
    "first call only": 3.25,
}


@pytest.mark.parametrize("order", SHARED)
@pytest.mark.parametrize("form", ["subclassed", "functional"])
def test_shared_layer(order, form):
    axis = "shared_layer_updates"
    axis += "_in_a_functional_model" if form == "functional" else ""
    found = run(CallTwice(X, column(6, 10), TRUE, form), **{axis: order}).quantities
    assert agree(found["running_mean"], SHARED[order])
    # r = ½ for X and 1/√(4 + 3) for the other
    assert agree(found["output"], 0, 2)
    assert agree(found["second_output"], 1 - 4 / np.sqrt(7), 1 + 4 / np.sqrt(7))


def test_shared_layer_in_no_fixed_order_admits_three_outcomes_of_each_statistic():
    found = run(CallTwice(X, column(6, 10), TRUE), shared_layer_updates="in no fixed order")
    assert agree(found.quantities["running_mean"], SHARED["in call order"])
    assert len(found.others) == 3 * 3 - 1
    for order in ("in call order", "in reverse order", "both from the value before"):
        assert any(agree(other["running_mean"], SHARED[order]) for other in found.others)


BY_BATCH, BY_RUNNING = (0, 2), (1 - 8 / np.sqrt(11), 1 - 4 / np.sqrt(11))
FROZEN = [
    ("no effect", TRUE, BY_BATCH, 3.25),
    ("inference even with training=True", TRUE, BY_RUNNING, 4),
    ("inference unless training=True", TRUE, BY_BATCH, 3.25),
    ("inference unless training=True", Training.ABSENT, BY_RUNNING, 4),
    ("no effect", Training.ABSENT, BY_BATCH, 3.25),
]


@pytest.mark.parametrize(("rule", "training", "output", "mean"), FROZEN)
def test_frozen_layer(rule, training, output, mean):
    found = run(
        SetTrainable(value=False),
        Call(X, training),
        trainable_false_mode=rule,
        trainable_false_statistics="still move in training",
        bare_call="training",
    ).quantities
    assert agree(found["output"], *output)
    assert agree(found["running_mean"], mean)
    assert found["trainable_parameters"].value == 0


def test_frozen_layer_whose_statistics_stop_still_uses_the_batch():
    found = run(
        SetTrainable(value=False),
        Call(X, TRUE),
        trainable_false_mode="no effect",
        trainable_false_statistics="stop",
    ).quantities
    assert agree(found["output"], *BY_BATCH)
    assert agree(found["running_mean"], 4)


ARGUMENTS = [
    (Training.NONE, {"training_none": "as a bare call", "bare_call": "training"}, BY_BATCH),
    (Training.NONE, {"training_none": "as a bare call", "bare_call": "inference"}, BY_RUNNING),
    (Training.NONE, {"training_none": "training", "bare_call": "inference"}, BY_BATCH),
    (Training.NONE, {"training_none": "inference", "bare_call": "training"}, BY_RUNNING),
    (Training.ONE, {"training_integer": "as True and False"}, BY_BATCH),
    (Training.ZERO, {"training_integer": "as True and False"}, BY_RUNNING),
    (Training.ONE, {"training_integer": "inference"}, BY_RUNNING),
    (Training.ZERO, {"training_integer": "training"}, BY_BATCH),
]


@pytest.mark.parametrize(("training", "changed", "output"), ARGUMENTS)
def test_training_argument_that_is_no_boolean(training, changed, output):
    assert agree(run(Call(X, training), **changed).quantities["output"], *output)


def test_training_argument_that_is_refused():
    assert run(Call(X, Training.NONE), training_none="refused").refused
    assert run(Call(X, Training.ONE), training_integer="refused").refused


def test_a_mode_fed_as_a_tensor_is_followed_but_is_never_the_object_true():
    assert agree(run(Call(X, TRUE, mode="fed")).quantities["output"], *BY_BATCH)
    assert agree(run(Call(X, TRUE, mode="is-true-test")).quantities["output"], *BY_RUNNING)


@pytest.mark.parametrize("form", ["functional", "subclassed"])
@pytest.mark.parametrize(
    ("rule", "output"), [("wins", BY_RUNNING), ("loses to the caller", BY_BATCH)]
)
def test_training_argument_written_in_a_model(form, rule, output):
    changed = {f"explicit_training_in_a_{form}_model": rule}
    found = run(Enclose(FALSE, form), Call(X, TRUE), **changed)
    assert agree(found.quantities["output"], *output)


LOOP, BARE = REGISTRY["model-without-a-training-argument"].values


@pytest.mark.parametrize(("rule", "output"), [(LOOP, BY_RUNNING), (BARE, BY_BATCH)])
def test_model_without_a_training_argument(rule, output):
    found = run(
        Enclose(form="without-training"),
        Predict(X),
        model_without_a_training_argument=rule,
        bare_call="training",
    )
    assert agree(found.quantities["output"], *output)


def test_evaluation_mode_is_remembered_only_where_so_declared():
    steps = (EvalMode(), Call(X))
    remembered = run(*steps, bare_call="training", mode_memory="remembers the last switch")
    forgotten = run(*steps, bare_call="training", mode_memory="none")
    assert agree(remembered.quantities["output"], *BY_RUNNING)
    assert agree(forgotten.quantities["output"], *BY_BATCH)


def test_gradients_of_three_values_in_training():
    # x̂ = {−1, 0, 1}, s = 2/3, dy = {1, 0, 0}: dβ = 1, dγ = −1,
    # dx = 2/3·(dy − 1/3 − x̂·(−1)/3) = 2/3·{1/3, −1/3, 0}
    found = run(Call(THREE, TRUE, column(1, 0, 0))).quantities
    assert agree(found["dbeta"], 1)
    assert agree(found["dgamma"], -1)
    assert agree(found["dx"], 2 / 9, -2 / 9, 0)


def test_gradients_with_statistics_held_constant_and_in_inference():
    # in training s = 2/3; in inference, with running variance 6, s = 2/3 as well
    constant = run(Call(THREE, TRUE, column(1, 0, 0)), training_gradient="statistics held constant")
    assert agree(constant.quantities["dx"], 2 / 3, 0, 0)
    layer = replace(LAYER, running_variance=one(6))
    assert agree(
        run(Call(THREE, FALSE, column(1, 0, 0)), layer=layer).quantities["dx"], 2 / 3, 0, 0
    )


@pytest.mark.parametrize(
    ("changed", "epsilon", "worked"),
    [
        # x̂ = ∓½, s = 1, dβ = 1, dγ = −½: dx₁ = 1 − ½ − ½·½/2, dx₂ = −½ + ½·½/2
        ({}, 3.0, 3 / 8),
        # r = ¼, x̂ = ∓¼, s = ½, dγ = −¼, w = (1 + 3)/1: dx₁ = ½·(1 − ½ − 4·¼·¼/2)
        ({"epsilon_placement": "outside the root"}, 3.0, 3 / 16),
        # variance 2, x̂ = ∓½, s = 1, dγ = −½, divisor 1: dx₁ = 1 − ½ − ½·½/1
        ({"training_output_variance": "sample"}, 2.0, 1 / 4),
    ],
)
def test_gradients_of_two_values_in_training(changed, epsilon, worked):
    layer = replace(LAYER, epsilon=epsilon)
    found = run(Call(X, TRUE, column(1, 0)), layer=layer, **changed).quantities
    assert agree(found["dx"], worked, -worked)


@pytest.mark.parametrize(("rule", "learns"), [("still learn", True), ("stop", False)])
def test_parameters_in_evaluation_mode(rule, learns):
    found = run(Call(X, FALSE, column(1, 0)), eval_mode_parameters=rule).quantities
    assert ("dgamma" in found, "dbeta" in found) == (learns, learns)


@pytest.mark.parametrize(("rule", "learns"), [("still learn", True), ("stop", False)])
def test_parameters_of_a_frozen_layer(rule, learns):
    steps = (SetTrainable(value=False), Call(X, TRUE, column(1, 0)))
    found = run(*steps, trainable_false_parameters=rule, trainable_false_mode="no effect")
    assert ("dgamma" in found.quantities, "dbeta" in found.quantities) == (learns, learns)
    assert found.quantities["trainable_parameters"].value == (2 if learns else 0)


def test_fit_moves_gamma_and_beta_down_their_gradients_and_predict_uses_the_result():
    # dy/3 = {1/3, 0, 0}: dβ = 1/3, dγ = −1/3; at rate 3, beta 1 − 1 and gamma 2 + 1.
    # Running mean 3.75 and variance 8.25: r = 1/√11.25; 3.75 is predicted as beta.
    fit = Fit(THREE, column(1, 0, 0), learning_rate=3.0)
    found = run(Enclose(), fit, Predict(column(3.75))).quantities
    assert agree(found["beta"], 0)
    assert agree(found["gamma"], 3)
    assert agree(found["output"], 0)


def test_loss_of_a_fit_in_batches_is_the_mean_over_samples():
    # {0, 2}: output {0, 2}, loss 0, dβ = ½, dγ = −¼; at rate 2, beta 1 − 1 and gamma 2 + ½.
    # {6, 8}: x̂ = ∓½, output ∓1.25, loss −1.25; beta 0 − 1 and gamma 2.5 + ½.
    fit = Fit(column(0, 2, 6, 8), column(1, 0, 1, 0), batch_size=2, learning_rate=2.0)
    found = run(Enclose(), fit).quantities
    assert agree(found["loss"], -1.25 / 4)
    assert agree(found["beta"], -1)
    assert agree(found["gamma"], 3)


def test_loss_of_evaluate():
    # r = 1/√(8 + 8), output of 6 is 2·(6 − 4)/4 + 1
    step = Evaluate(THREE, column(0, 0, 1))
    found = run(Enclose(), step, layer=replace(LAYER, epsilon=8.0)).quantities
    assert agree(found["loss"], 2 / 3)
    assert agree(found["running_mean"], 4)


FIT = Fit(THREE, column(1, 0, 0), learning_rate=3.0)
COMPILE = Compile(learning_rate=3.0)
FREEZE, THAW = SetTrainable(value=False), SetTrainable(value=True)
LOOPS = [
    ("at every fit", (COMPILE, FREEZE, FIT), 2),
    ("at every fit", (COMPILE, FREEZE, THAW, FIT), 3),
    ("when the model was compiled", (COMPILE, FREEZE, FIT), 3),
    ("when the model was compiled", (FREEZE, COMPILE, THAW, FIT), 2),
    ("when the model was compiled", (COMPILE, FREEZE, COMPILE, FIT), 2),
    ("at the first fit after compiling", (COMPILE, FREEZE, FIT), 2),
    ("at the first fit after compiling", (COMPILE, FREEZE, FIT, THAW, FIT), 2),
    ("at the first fit after compiling", (COMPILE, FREEZE, FIT, THAW, COMPILE, FIT), 3),
]


@pytest.mark.parametrize(("rule", "steps", "gamma"), LOOPS)
def test_training_loop_sees_a_layer_frozen_or_not(rule, steps, gamma):
    # One fit takes gamma from 2 to 3, as above.
    found = run(Enclose(), *steps, trainable_read_by_fit=rule, trainable_false_mode="no effect")
    assert agree(found.quantities["gamma"], gamma)


BORN_FROZEN = replace(LAYER, trainable=False)
BEFORE_BUILD = [
    # Only a loop trains the layer, and only if it was not frozen after it was built.
    ("as later", (FIT,), 2),
    ("forgotten by training loops", (FIT,), 3),
    ("forgotten by training loops", (FREEZE, FIT), 2),
    ("forgotten by training loops", (THAW, FREEZE, FIT), 2),
    ("forgotten by training loops", (Call(X, TRUE, column(1, 0)),), 2),
]


@pytest.mark.parametrize(("rule", "steps", "gamma"), BEFORE_BUILD)
def test_layer_frozen_before_it_is_built(rule, steps, gamma):
    changed = {"trainable_false_mode": "no effect", "trainable_false_before_build": rule}
    found = run(Enclose(), *steps, layer=BORN_FROZEN, **changed).quantities
    assert agree(found["gamma"], gamma)
    assert found["trainable_parameters"].value == 0
    assert "dgamma" not in found


def test_float64_layer_computed_in_float32():
    # The float32 number nearest to 2 + 2⁻³⁰ is 2, so that X is what the layer reads.
    call = Call(column(0, 2 + 2.0**-30), FALSE)
    wide = run(call, float64_arithmetic="float64").quantities
    single = run(call, float64_arithmetic="float32")
    found = single.quantities["output"]
    assert agree(found, *BY_RUNNING)
    read = run(Call(X, FALSE)).quantities["output"]
    assert found.value.tolist() == read.value.tolist()
    assert not agree(wide["output"], *BY_RUNNING)
    assert np.all((found.bound > 2.0**-26) & (found.bound < 2.0**-16))
    assert single.dtype("output") == "float64"


@pytest.mark.parametrize(
    ("rule", "parameters"), [("always", 2), ("only when the model's own flag changes", 0)]
)
def test_thawing_a_model_that_was_not_frozen(rule, parameters):
    steps = (Enclose(), FREEZE, SetTrainable(value=True, target="model"))
    found = run(*steps, model_trainable_reaches_the_layer=rule)
    assert found.quantities["trainable_parameters"].value == parameters


MODEL = partial(SetTrainable, target="model")
INSIDE_A_FROZEN_MODEL = [
    # Whichever it is, the layer is trained by the batch: mean ¾·4 + ¼·1, variance ¾·8 + ¼·2.
    ("move with the layer", (MODEL(value=False), THAW), 3.25, 6.5),
    ("stop", (MODEL(value=False), THAW), 4, 8),
    ("stop", (MODEL(value=False), THAW, MODEL(value=True)), 3.25, 6.5),
    ("stop", (FREEZE, THAW), 3.25, 6.5),
]


@pytest.mark.parametrize(("rule", "steps", "mean", "variance"), INSIDE_A_FROZEN_MODEL)
def test_layer_thawed_inside_a_frozen_model(rule, steps, mean, variance):
    call = Call(X, TRUE, column(1, 0))
    found = run(Enclose(), *steps, call, statistics_inside_a_frozen_model=rule).quantities
    assert agree(found["output"], *BY_BATCH)
    assert agree(found["running_mean"], mean)
    assert agree(found["running_variance"], variance)
    assert {"dgamma", "dbeta"} <= found.keys()
    assert found["trainable_parameters"].value == 2


@pytest.mark.parametrize(("rule", "mean"), [("move with the layer", 3.25), ("stop", 4)])
def test_layer_frozen_by_its_model_whose_freezing_stops_only_parameters(rule, mean):
    changed = {
        "trainable_false_mode": "no effect",
        "trainable_false_statistics": "still move in training",
        "statistics_inside_a_frozen_model": rule,
    }
    assert agree(after(Enclose(), MODEL(value=False), Call(X, TRUE), **changed)[0], mean)


@pytest.mark.parametrize("rule", REGISTRY["model-trainable-reaches-the-layer"].values)
def test_freezing_the_model_freezes_the_layer(rule):
    steps = (Enclose(), SetTrainable(value=False, target="model"))
    found = run(*steps, model_trainable_reaches_the_layer=rule)
    assert found.quantities["trainable_parameters"].value == 0


def test_a_convention_left_open_is_named():
    open_axis = "epsilon-placement"
    oracle = Oracle(LAYER, Conventions({k: v for k, v in USUAL.items() if k != open_axis}))
    state = oracle.expect(Build(), {}).quantities
    expected = oracle.expect(Call(X, TRUE), state)
    with pytest.raises(Unspecified, match=open_axis):
        _ = expected.quantities["output"]


# A central difference of step h is off by h²·|f‴|/6 by truncation and about u·|f|/h by rounding.
# With h the cube root of u, in units of the deviation, both are of the size h². For f the sum of
# dy·output with epsilon about the variance, |f| and |f‴| stay under 50 times Σ|dy|·|gamma|.
STEP = float(np.cbrt(np.finfo(np.float64).eps))
GROWTH = 50
VARIANTS = [
    (placement, variance)
    for placement in ("inside the root", "outside the root")
    for variance in ("population", "sample")
]


@pytest.mark.parametrize(("placement", "variance"), VARIANTS)
def test_gradients_are_the_central_differences_of_the_output(placement, variance):
    rng = np.random.default_rng(3)
    values, dy = rng.normal(size=6), rng.normal(size=6)
    changed = {"epsilon_placement": placement, "training_output_variance": variance}

    def loss(x, gamma=2.0, beta=1.0):
        layer = replace(LAYER, epsilon=1.0, gamma=one(gamma), beta=one(beta))
        output = run(Call(column(*x), TRUE), layer=layer, **changed).quantities["output"].value
        return float(dy @ output.ravel())

    layer = replace(LAYER, epsilon=1.0)
    found = run(Call(column(*values), TRUE, column(*dy)), layer=layer, **changed).quantities
    allowed = GROWTH * STEP**2 * np.abs(dy).sum() * 2
    for index, direction in enumerate(np.eye(6) * STEP):
        difference = loss(values + direction) - loss(values - direction)
        assert abs(difference / (2 * STEP) - found["dx"].value[index, 0]) <= allowed
    by_gamma = loss(values, gamma=2 + STEP) - loss(values, gamma=2 - STEP)
    by_beta = loss(values, beta=1 + STEP) - loss(values, beta=1 - STEP)
    assert abs(by_gamma / (2 * STEP) - found["dgamma"].value[0]) <= allowed
    assert abs(by_beta / (2 * STEP) - found["dbeta"].value[0]) <= allowed


sixteenths = some.integers(-64, 64).map(lambda k: k / 16)
pairs = some.lists(some.tuples(sixteenths, sixteenths), min_size=3, max_size=12)


@given(pairs)
def test_the_gradient_to_the_input_sums_to_zero_in_training(drawn):
    # A shift of the whole batch changes no output, so the gradient along it vanishes.
    values, dy = zip(*drawn, strict=True)
    dx = run(Call(column(*values), TRUE, column(*dy))).quantities["dx"]
    assert abs(dx.value.sum()) <= dx.bound.sum()


@given(pairs, some.integers(-1000, 1000))
def test_the_training_output_does_not_move_with_a_shift_of_the_batch(drawn, shift):
    values = [value for value, _ in drawn]
    here = run(Call(column(*values), TRUE)).quantities["output"]
    there = run(Call(column(*(value + shift for value in values)), TRUE)).quantities["output"]
    assert np.all(np.abs(here.value - there.value) <= here.bound + there.bound)


def test_gamma_drawn_at_random_is_expected_between_zero_and_one():
    found = run(EvalMode(), layer=replace(LAYER, gamma=ABSENT), initial_gamma=DRAWN)
    gamma = found.quantities["gamma"]
    assert 0 < gamma.lower < 0.001
    assert 0.999 < gamma.upper < 1


def test_layer_of_low_precision_may_be_made_and_refuse_to_be_executed():
    half = replace(LAYER, dtype="float16")
    changed = {"low_precision_layer": "made but not executed"}
    assert not run(EvalMode(), layer=half, **changed).refused
    assert run(Call(X, TRUE), layer=half, **changed).refused
    assert run(Call(X, FALSE), layer=half, **changed).refused
    assert not run(Call(X, TRUE), **changed).refused


@pytest.mark.parametrize(
    ("axis", "mode", "true", "false"),
    [
        ("training_integer", "python", Training.ONE, Training.ZERO),
        ("training_tensor", "fed", TRUE, FALSE),
    ],
)
def test_mode_may_be_taken_where_false_and_refused_where_true(axis, mode, true, false):
    assert run(Call(X, true, mode=mode), **{axis: ONLY_FALSE}).refused
    taken = run(Call(X, false, mode=mode), **{axis: ONLY_FALSE})
    inferred = run(Call(X, FALSE))
    assert np.array_equal(taken.quantities["output"].value, inferred.quantities["output"].value)


def test_empty_batch_may_ruin_the_mean_and_count_as_a_variance_of_zero():
    mean, variance = after(Call(column(), TRUE), empty_batch="mean becomes NaN")
    assert np.isnan(mean.value).all()
    # ¾·8 + ¼·0
    assert agree(variance, 6)
