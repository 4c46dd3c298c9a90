"""The fakes compute what can be worked out by hand, and each planted fault shows somewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters import worker
from adapters.wire import decode_array
from harness.wire import scenario_to_json
from reference.axis import NOT_APPLICABLE
from reference.conventions import REGISTRY
from suites.vocabulary import (
    Call,
    Enclose,
    Fit,
    Layer,
    Scenario,
    Tensor,
    Training,
)
from tests.fakes import argument_style, planted
from tests.fakes.declared import DECLARED
from tests.fakes.fault import CLEAN
from tests.fakes.held_out import COMBINED, SINGLE

ROOT = Path(__file__).parents[1]


def tensor(values, dtype="float32"):
    array = np.array(values, dtype)
    return Tensor(dtype, array.shape, tuple(array.ravel().tolist()))


def scenario(layer, *steps):
    return Scenario("a-scenario", "fakes", "?", layer, steps, (), (), (), ())


def answer(adapter, layer, *steps):
    asked = scenario_to_json(scenario(layer, *steps))
    return worker.run(adapter, json.loads(json.dumps(asked)))


def trace(adapter, layer, *steps):
    """The observations after each step, `Build` left out, as nested lists."""
    seen = answer(adapter, layer, *steps)["trace"][1:]
    return [
        {name: decode_array(value).tolist() for name, value in step["observed"].items()}
        for step in seen
    ]


# Two values of one channel, worked by hand. With epsilon 3 and variance 1 the root is 2.
HAND = Layer(
    channels=1,
    rank=2,
    decay=0.75,
    epsilon=3.0,
    scale=True,
    center=True,
    gamma=tensor([2]),
    beta=tensor([1]),
)
X = tensor([[1], [3]])
DY = tensor([[1], [0]])
TRUE, FALSE = Training.TRUE, Training.FALSE


@pytest.mark.parametrize("style", CLEAN)
def test_training_call_by_hand(style):
    # mean 2, population variance ((-1)² + 1²) / 2 = 1, x̂ = (∓1) / sqrt(1 + 3) = ∓1/2
    # output = 2 x̂ + 1 = 0, 2
    # dbeta = 1 + 0 = 1; dgamma = 1 · -1/2 + 0 = -1/2; dx̂ = dy · gamma = 2, 0
    # dvariance = (2 · -1 + 0 · 1) · -1/2 · 4^(-3/2) = 1/8; dmean = -(2 + 0) / 2 = -1
    # dx = dx̂ / 2 + dvariance · 2 (x - mean) / 2 + dmean / 2
    #    = 1 - 1/8 - 1/2, 0 + 1/8 - 1/2 = 3/8, -3/8
    # running mean 3/4 · 0 + 1/4 · 2 = 1/2
    # running variance 3/4 · 1 + 1/4 · 1 = 1, and from the sample variance 2: 3/4 + 1/4 · 2 = 5/4
    (seen,) = trace(CLEAN[style], HAND, Call(X, training=Training.TRUE, dy=DY))
    assert seen["output"] == [[0], [2]]
    assert (seen["dbeta"], seen["dgamma"], seen["dx"]) == ([1], [-0.5], [[0.375], [-0.375]])
    assert seen["running_mean"] == [0.5]
    assert seen["running_variance"] == [1 if style == "argument" else 1.25]
    assert seen["trainable_parameters"] == 2
    assert seen.get("updates_counted") == (1 if style == "switch" else None)


@pytest.mark.parametrize("style", CLEAN)
def test_inference_call_by_hand(style):
    # running mean 1/2 and variance 1 are given: x̂ = (1 - 1/2) / 2, (3 - 1/2) / 2 = 1/4, 5/4
    # output = 2 x̂ + 1 = 3/2, 7/2; dx = dy · gamma / 2 = 1, 0; dgamma = 1 · 1/4; dbeta = 1
    layer = Layer(**{**vars(HAND), "running_mean": tensor([0.5]), "running_variance": tensor([1])})
    (seen,) = trace(CLEAN[style], layer, Call(X, training=Training.FALSE, dy=DY))
    assert seen["output"] == [[1.5], [3.5]]
    assert (seen["dbeta"], seen["dgamma"], seen["dx"]) == ([1], [0.25], [[1], [0]])
    assert (seen["running_mean"], seen["running_variance"]) == ([0.5], [1])


@pytest.mark.parametrize("style", CLEAN)
def test_fit_by_hand(style):
    # The gradients of the training call above with dy / 2 samples: dgamma -1/4, dbeta 1/2.
    # gamma = 2 + 1/8 · 1/4 = 2.03125; beta = 1 - 1/8 · 1/2 = 0.9375
    seen = trace(CLEAN[style], HAND, Enclose(), Fit(X, DY))[-1]
    assert (seen["gamma"], seen["beta"]) == ([2.03125], [0.9375])
    assert seen["running_mean"] == [0.5]


def test_zero_debiased_mean_by_hand():
    # Batch means 2 and 4 with decay 3/4 from zero: 1/2, then 3/8 + 1 = 11/8;
    # divided by the weight collected, 1/4 and 7/16: 2 and 22/7.
    layer = Layer(channels=1, rank=2, decay=0.75, zero_debias=True)
    calls = [Call(tensor(x), training=Training.TRUE) for x in ([[1], [3]], [[3], [5]])]
    seen = trace(argument_style, layer, *calls)
    assert seen[0]["running_mean"] == [2]
    assert seen[1]["running_mean"] == [float(np.float32(11 / 8) / np.float32(7 / 16))]


# The second order, against the difference of first gradients a little to either side.

NUMBERS = np.random.default_rng(1).normal(size=(3, 4, 2))
SECOND_ORDER = {
    **{style: (module, TRUE) for style, module in CLEAN.items()},
    "inference": (argument_style, FALSE),
    **{
        name: (planted.FAULTS[name], TRUE)
        for name in (
            "training-gradient-holds-statistics",
            "training-output-after-the-update-argument",
        )
    },
    "epsilon-beside-the-root": (SINGLE["epsilon-beside-the-root-switch"], TRUE),
    "sample-variance-normalises": (SINGLE["sample-variance-normalises"], TRUE),
    "both": (COMBINED["outside-the-root-by-the-sample"], TRUE),
    "inference-by-the-batch": (SINGLE["inference-by-the-batch-switch"], FALSE),
}
CONSTANT = {
    "inference",
    "training-gradient-holds-statistics",
    "training-output-after-the-update-argument",
}


def derivatives(adapter, mode, x, **more):
    layer = Layer(
        channels=2,
        rank=2,
        dtype="float64",
        epsilon=0.5,
        scale=True,
        center=True,
        gamma=tensor([2, -0.5], "float64"),
        running_mean=tensor([0.5, -1], "float64"),
        running_variance=tensor([2, 0.25], "float64"),
    )
    step = Call(tensor(x, "float64"), mode, dy=tensor(NUMBERS[1], "float64"), **more)
    (seen,) = trace(adapter, layer, step)
    return seen


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_second_order_by_differences(name):
    adapter, mode = SECOND_ORDER[name]
    x, _, weights = NUMBERS
    seen = derivatives(adapter, mode, x, dx_weights=tensor(weights, "float64"))["second_dx"]
    step = 1e-5
    differences = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        beyond, before = (
            np.array(derivatives(adapter, mode, x + sign * moved)["dx"]) for sign in (1, -1)
        )
        differences[index] = (weights * (beyond - before)).sum() / (2 * step)
    constant = name in CONSTANT
    assert seen == (np.zeros_like(x).tolist() if constant else pytest.approx(differences, rel=1e-6))


@pytest.mark.parametrize("style", CLEAN)
def test_second_order_by_hand(style):
    # As in training: x̂ = ∓1/2, dx̂ = dy · 2, r = 1/2, s = 1, and weights 2, 0.
    # A = Σ weights · x̂ = -1, B = Σ dy · x̂ = -1/2, C = 2 · 1 - 2 · 1 / 2 = 1
    # -s · r / 2 · (A · (dy - 1/2) + B · (weights - 1) + (C - 3/2 · A · B) · x̂)
    #   = -1/4 · (∓1/2 ∓ 1/2 + 1/4 · ∓1/2) = ±9/32
    call = Call(X, training=Training.TRUE, dy=DY, dx_weights=tensor([[2], [0]]))
    (seen,) = trace(CLEAN[style], HAND, call)
    assert seen["second_dx"] == [[0.28125], [-0.28125]]


# Batches without samples, with a NaN, and of narrow formats.


def test_empty_batch_by_hand():
    call = Call(tensor(np.zeros((0, 1))), training=Training.TRUE)
    (ruined,) = trace(argument_style, HAND, call)
    (untouched,) = trace(CLEAN["deferred"], HAND, call)
    refused = answer(CLEAN["switch"], HAND, call)["trace"][-1]
    assert ruined["output"] == untouched["output"] == []
    assert np.isnan([ruined["running_mean"], ruined["running_variance"]]).all()
    assert (untouched["running_mean"], untouched["running_variance"]) == ([0], [1])
    assert refused["refusal"]["type"] == "ValueError"


@pytest.mark.parametrize("style", CLEAN)
def test_nan_by_hand(style):
    layer = Layer(channels=2, rank=2, decay=0.75)
    (seen,) = trace(CLEAN[style], layer, Call(tensor([[np.nan, 1], [3, 3]]), training=TRUE))
    assert np.isnan(seen["running_mean"]).tolist() == [True, False]
    assert np.isnan(seen["output"]).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_layer_by_hand(dtype):
    # The mean of 1, 2 and 4 is 7/3, the variance 14/9; in a narrow layer only what is kept is
    # rounded, once.
    given = {"gamma": tensor([2], dtype), "beta": tensor([1], dtype)}
    layer = replace(HAND, dtype=dtype, decay=0.0, **given)
    x = [[1], [2], [4]]
    seen = answer(argument_style, layer, Call(tensor(x, dtype), training=TRUE))["trace"][-1]
    found = {name: decode_array(value) for name, value in seen["observed"].items()}
    output = (np.array(x) - 7 / 3) / np.sqrt(14 / 9 + 3) * 2 + 1
    kept = {"running_mean": [7 / 3], "running_variance": [14 / 9], "gamma": [2], "beta": [1]}
    for name, value in {**kept, "output": output}.items():
        assert found[name].dtype == dtype
        assert found[name].tolist() == np.array(value).astype(dtype).tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_layer_cannot_be_expressed(dtype):
    assert "not_expressible" in answer(CLEAN["deferred"], Layer(channels=1, rank=2, dtype=dtype))


@pytest.mark.parametrize("style", CLEAN)
def test_declared_for_every_axis(style):
    declared = DECLARED[f"{style}_style"]
    assert declared.keys() == REGISTRY.keys()
    for name, value in declared.items():
        values = [entry["value"] for entry in value] if isinstance(value, list) else [value]
        assert set(values) <= {*REGISTRY[name].values, NOT_APPLICABLE}


@pytest.mark.parametrize("name", ["argument_style", "switch_style", "deferred_style"])
def test_clean_fake_serves_as_a_worker_by_path(name):
    request = {"id": 1, "scenario": scenario_to_json(scenario(HAND, Call(X)))}
    done = subprocess.run(
        [sys.executable, "adapters/worker.py", f"tests/fakes/{name}.py"],
        cwd=ROOT,
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["versions"].keys() == {f"{name.replace('_', '-')}-fake"}
    assert len(lines[1]["trace"]) == 2
    assert lines[2] == {"footer": True, "answered": 1}


# That each planted fault shows in some scenario is tested in tests/test_faults.py.


@pytest.mark.parametrize("name", planted.FAULTS)
def test_planted_fault_departs_from_its_clean_base(name):
    fault = planted.FAULTS[name]
    assert issubclass(fault.Program, CLEAN[fault.style].Program)
    assert "output" in answer(fault, HAND, Call(X, training=TRUE))["trace"][1]["observed"]


def test_planted_faults_are_told_apart_by_name():
    parts = [name for part in planted.PARTS for name in part.FAULTS]
    assert len(parts) == len(set(parts)) == len(planted.FAULTS) >= 30
    assert all(name == fault.name for name, fault in planted.FAULTS.items())
    assert len({fault.Program for fault in planted.FAULTS.values()}) == len(parts)
