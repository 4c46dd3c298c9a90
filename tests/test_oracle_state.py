"""What the oracle makes of saving, copying, penalties and initializers, worked by hand.

One channel, as in `tests.test_oracle`: k = ¾, epsilon 3, gamma 2, beta 1, running mean 4 and
running variance 8; X = {0, 2} has mean 1 and variances 1 and 2, OTHER = {2, 6} mean 4, 4 and 8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.bounded import Bounded, exact
from reference.penalties import constrained, penalised, pulled
from reference.rounding import format_named
from suites.vocabulary import (
    ABSENT,
    Call,
    Enclose,
    EvalMode,
    Evaluate,
    Fit,
    KeepState,
    LoadChanged,
    PutBack,
    Restore,
    SetTrainable,
    TrainACopy,
    Training,
)
from tests.test_oracle import LAYER, OTHER, X, after, agree, column, run

TRUE, FALSE = Training.TRUE, Training.FALSE
TRAIN, INFER = Call(X, TRUE), Call(X, FALSE)
DY = column(1, 0)
FIT = Fit(X, DY)
MOMENTUM = {"momentum_none": "cumulative average"}
CUMULATIVE = replace(LAYER, decay=ABSENT, momentum_argument=None)


@pytest.mark.parametrize("how", ["file", "copy", "weights-file", "memory"])
def test_what_is_restored_goes_on(how):
    # ¾·4 + ¼·1 = 3.25, then ¾·3.25 + ¼·4 = 3.4375; ¾·8 + ¼·2 = 6.5, then ¾·6.5 + ¼·8 = 6.875
    mean, variance = after(TRAIN, Restore(how), Call(OTHER, TRUE))
    assert agree(mean, 3.4375)
    assert agree(variance, 6.875)


@pytest.mark.parametrize("how", ["config", "clone"])
def test_what_is_made_from_a_configuration_starts_anew(how):
    # ¾·0 + ¼·4 and ¾·1 + ¼·8, with the initial values of the conventions
    initial = {"initial_running_mean": 0.0, "initial_running_variance": 1.0}
    mean, variance = after(TRAIN, Restore(how), Call(OTHER, TRUE), **initial)
    assert agree(mean, 1)
    assert agree(variance, 2.75)


def test_a_configuration_has_the_initializers():
    layer = replace(
        LAYER,
        running_mean=ABSENT,
        running_variance=ABSENT,
        running_mean_initializer=0.5,
        running_variance_initializer="zeros",
    )
    mean, variance = after(TRAIN, Restore("config"), layer=layer)
    assert (mean.value, mean.bound) == (0.5, 0)
    assert (variance.value, variance.bound) == (0, 0)


def test_an_initializer_that_draws_keeps_to_its_interval():
    layer = replace(LAYER, gamma=ABSENT, gamma_initializer="uniform")
    seen = run(KeepState(), layer=layer).quantities
    assert (seen["gamma"].lower, seen["gamma"].upper) == (0.25, 0.75)


def test_hyperparameters_are_those_of_the_layer_that_loads():
    # ¾·4 + ¼·1 = 3.25, then ½·3.25 + ½·4; 1/√(1 + 3) is ½ before, 1/√(4 + 12) = ¼ after
    steps = (TRAIN, Restore("memory", decay=0.5, epsilon=12.0), Call(OTHER, TRUE))
    seen = run(*steps).quantities
    assert agree(seen["running_mean"], 3.625)
    assert agree(seen["output"], 0, 2)


def test_a_cumulative_average_goes_on():
    # {1, 4, 1} average to 2
    counter = {"update_counter": "counts training executions"}
    steps = (TRAIN, Call(OTHER, TRUE), Restore("memory"), TRAIN)
    seen = run(*steps, layer=CUMULATIVE, **MOMENTUM, **counter).quantities
    assert agree(seen["running_mean"], 2)
    assert seen["updates_counted"].value == 3


def test_a_zero_debiased_average_goes_on():
    # biased ¼·1 = 0.25 and ¾·0.25 + ¼·4 = 1.1875, divided by 1 − ¾² = 0.4375
    layer = replace(LAYER, zero_debias=True)
    steps = (TRAIN, Restore("weights-file"), Call(OTHER, TRUE))
    mean, _ = after(*steps, layer=layer, zero_debias_argument="mean only")
    assert agree(mean, 1.1875 / 0.4375)


def test_training_a_copy_changes_nothing():
    mean, variance = after(TrainACopy(X))
    assert (mean.value, variance.value) == (4, 8)


@pytest.mark.parametrize(
    ("steps", "infers"),
    [
        ((EvalMode(), Restore("copy")), True),
        ((EvalMode(), Restore("file")), True),
        ((EvalMode(), Restore("memory")), False),
        ((Restore("memory", into="evaluation"),), True),
        ((KeepState(), EvalMode(), PutBack()), True),
    ],
)
def test_modes_belong_to_the_whole_and_not_to_a_state(steps, infers):
    modes = {"bare_call": "training", "mode_memory": "remembers the last switch"}
    mean, _ = after(*steps, Call(X), **modes)
    assert agree(mean, 4 if infers else 3.25)


@pytest.mark.parametrize(
    ("how", "thawed"), [("copy", 0), ("file", 0), ("config", 0), ("memory", 2)]
)
def test_freezing_belongs_to_the_whole_and_to_a_configuration(how, thawed):
    seen = run(SetTrainable(value=False), Restore(how), trainable_false_parameters="stop")
    assert seen.quantities["trainable_parameters"].value == thawed


@pytest.mark.parametrize(
    ("rule", "mean", "count"),
    [
        ("a snapshot", 3.25, 1),
        ("follows the layer", 3.4375, 2),
        ("follows the layer, its counter aside", 3.4375, 1),
    ],
)
def test_a_state_that_was_kept_is_put_back(rule, mean, count):
    changes = {"kept_state": rule, "update_counter": "counts training executions"}
    seen = run(TRAIN, KeepState(), Call(OTHER, TRUE), PutBack(), **changes).quantities
    assert agree(seen["running_mean"], mean)
    assert seen["updates_counted"].value == count


@pytest.mark.parametrize(("rule", "count"), [("starts at zero", 0), ("stays as it is", 1)])
def test_a_state_without_a_counter(rule, count):
    changes = {
        "counter_missing_from_a_state": rule,
        "update_counter": "counts training executions",
    }
    seen = run(TRAIN, LoadChanged("without", "updates_counted"), **changes).quantities
    assert seen["updates_counted"].value == count
    assert agree(seen["running_mean"], 3.25)


def test_a_state_without_a_counter_may_be_refused():
    step = LoadChanged("without", "updates_counted")
    assert run(step, counter_missing_from_a_state="refused").refused


@pytest.mark.parametrize(
    "step",
    [
        LoadChanged("without", "running_mean"),
        LoadChanged("without", "gamma"),
        LoadChanged("short", "running_variance"),
        LoadChanged("beyond", "running_mean"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(step):
    assert run(step).refused


# dy / 2 samples is {½, 0} and x̂ = ∓½: dgamma = −¼, dbeta = ½; the outputs are 0 and 2, so the loss
# is 0 without penalties.


def test_penalties_by_hand():
    # gamma: 2 − ⅛·(−¼ + 2·½·2) = 1.78125; beta: 1 − ⅛·(½ + 2·¼·1) = 0.875; loss: ½·4 + ¼·1
    layer = replace(LAYER, gamma_penalty=0.5, beta_penalty=0.25)
    seen = run(Enclose(), FIT, layer=layer).quantities
    assert agree(seen["gamma"], 1.78125)
    assert agree(seen["beta"], 0.875)
    assert agree(seen["loss"], 2.25)
    assert agree(seen["running_mean"], 3.25)


def test_penalties_in_an_evaluation_by_hand():
    # 1/√(8 + 8) = ¼: the output of 0 is 2·(0 − 4)/4 + 1 = −1, over 2 samples −½; the penalty ½·4
    layer = replace(LAYER, gamma_penalty=0.5, epsilon=8.0)
    assert agree(run(Enclose(), Evaluate(X, DY), layer=layer).quantities["loss"], 1.5)


@pytest.mark.parametrize(("rule", "loss"), [("in the loss", 1.5), ("left out", -0.5)])
def test_penalties_of_a_frozen_layer_by_hand(rule, loss):
    layer = replace(LAYER, gamma_penalty=0.5, epsilon=8.0)
    steps = (Enclose(), SetTrainable(value=False), Evaluate(X, DY))
    changes = {"penalty_of_frozen_parameters": rule, "trainable_false_parameters": "stop"}
    assert agree(run(*steps, layer=layer, **changes).quantities["loss"], loss)


def test_weight_decay_by_hand():
    # gamma: 2 − ⅛·(−¼ + ½·2) = 1.90625; beta: 1 − ⅛·(½ + ½·1) = 0.875
    seen = run(Enclose(), replace(FIT, weight_decay=0.5)).quantities
    assert agree(seen["gamma"], 1.90625)
    assert agree(seen["beta"], 0.875)
    assert agree(seen["running_mean"], 3.25)


def test_constraints_by_hand():
    # beta: 1/32 − ⅛·½ = −1/32 is negative; gamma: −2 − ⅛·(−¼) too
    layer = replace(
        LAYER,
        gamma=replace(LAYER.gamma, values=(-2.0,)),
        beta=replace(LAYER.beta, values=(0.03125,)),
        gamma_constraint="non-negative",
        beta_constraint="non-negative",
    )
    before = run(Call(X, TRUE), layer=layer).quantities
    assert (before["gamma"].value, before["beta"].value) == (-2, 0.03125)
    seen = run(Enclose(), FIT, layer=layer).quantities
    assert agree(seen["gamma"], 0)
    assert agree(seen["beta"], 0)


def test_a_constraint_keeps_what_may_be_positive():
    found = constrained(Bounded(np.array([-1.0, 1.0, -1.0]), np.array([0.5, 0.5, 3.0])))
    assert found.lower.tolist() == [0, 0.5, -2]
    assert found.upper.tolist() == [0, 1.5, 2]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_way_to_write_a_pulled_step_is_within_its_bound(dtype):
    form = format_named(np.dtype(dtype).name)
    draw = np.random.default_rng(5)
    for _ in range(200):
        p, g = draw.normal(size=(2, 8)).astype(dtype)
        rate, pull = dtype(draw.uniform(0, 1)), dtype(draw.uniform(0, 2))
        found = pulled(exact(p), exact(g), [float(pull)], float(rate), form)
        ways = [
            p - rate * (g + pull * p),
            p - rate * pull * p - rate * g,
            p * (dtype(1) - rate * pull) - rate * g,
            p - (rate * g + rate * (pull * p)),
        ]
        for way in ways:
            assert np.all(np.abs(way.astype(np.float64) - found.value) <= found.bound)
        assert np.all(found.bound <= 40 * form.roundoff * (np.abs(p) + np.abs(g) + 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_penalty_is_within_its_bound(dtype):
    form = format_named(np.dtype(dtype).name)
    draw = np.random.default_rng(6)
    for _ in range(200):
        p = draw.normal(size=16).astype(dtype)
        coefficient, mean = dtype(draw.uniform(0, 1)), dtype(draw.normal())
        loss = exact(3 * np.float64(mean))
        found = penalised(loss, exact(p), float(coefficient), 3, form)
        seen = mean + coefficient * np.sum(p * p)
        assert abs(3 * np.float64(seen) - found.value) <= found.bound
