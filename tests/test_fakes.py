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
    CallTwice,
    Compile,
    Enclose,
    EvalMode,
    Evaluate,
    Fit,
    KeepState,
    Layer,
    LoadChanged,
    Predict,
    PutBack,
    ResetStatistics,
    Restore,
    Scenario,
    SetTracking,
    SetTrainable,
    Tensor,
    TrainACopy,
    Training,
    TrainMode,
)
from tests import input_questions
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


# What is asked of every planted fault and of its clean base: answers of the two must differ.

FOUR = tensor([[0, 1], [4, 1.5], [2, 3], [3, -2]])
OTHER = tensor([[9, 1], [4, 7.5], [2, 3], [0, 0.5]])
WEIGHTS = tensor([[1, 0], [0, 2], [0.5, 1], [2, -1]])
MAP = tensor(np.arange(16).reshape(2, 2, 2, 2) ** 2 / 8)
ROW = tensor(np.arange(8).reshape(2, 2, 2) ** 2 / 8)
TRAIN, INFER = Call(FOUR, training=TRUE, dy=WEIGHTS), Call(OTHER, training=FALSE, dy=WEIGHTS)
TRAIN_ON, FIT = Call(OTHER, training=TRUE), Fit(FOUR, WEIGHTS)

MASK, MASK_OF_ROW = tensor([1, 0, 1, 1]), tensor([[1, 0], [1, 1]])
COUNTS, SPOILT = tensor([1, 0, 2, 0.5]), tensor([[0, 1], [np.nan, 1.5], [2, 3], [3, -2]])
RENORM = {
    "renorm": True,
    "renorm_decay": 0.5,
    "gamma": tensor([2, 0.5]),
    "running_mean": tensor([1.5, 4]),
    "running_variance": tensor([0.25, 16]),
}
SIX = tensor([[0, 1], [4, 1.5], [2, 3], [3, -2], [7, 0.5], [1, 2]])
WEIGHTS_OF_SIX = tensor([[1, 0], [0, 2], [0.5, 1], [2, -1], [1, 1], [0, 3]])

QUESTIONS = {
    **input_questions.QUESTIONS,
    "masked, then not": (
        {},
        (Call(FOUR, training=TRUE, dy=WEIGHTS, mask=MASK), TRAIN, Call(OTHER, FALSE, mask=MASK)),
    ),
    "weighted": ({}, (Call(FOUR, training=TRUE, dy=WEIGHTS, weights=COUNTS), INFER)),
    "masked sequences": ({"rank": 3}, (Call(ROW, training=TRUE, mask=MASK_OF_ROW),)),
    "weighted sequences": ({"rank": 3}, (Call(ROW, training=TRUE, weights=tensor([2, 1])),)),
    "masked altogether": ({}, (Call(FOUR, training=TRUE, mask=tensor([0, 0, 0, 0])),)),
    "masked NaN": ({}, (Call(SPOILT, training=TRUE, mask=MASK),)),
    "masked float64": (
        {"dtype": "float64"},
        (Call(replace(FOUR, dtype="float64"), training=TRUE, mask=MASK),),
    ),
    "renormalised": (RENORM, (TRAIN, Call(OTHER, training=TRUE), INFER)),
    "renormalised within bounds": (
        {**RENORM, "renorm_clipping": (("rmax", 1.5), ("rmin", 0.75), ("dmax", 0.25))},
        (TRAIN,),
    ),
    "renormalised below rmax": ({**RENORM, "renorm_clipping": (("rmax", 1.5),)}, (TRAIN,)),
    "renormalised by small averages": (
        {**RENORM, "running_variance": tensor([2**-12, 2**-14])},
        (TRAIN,),
    ),
    "renormalised by default": (
        {"renorm": True, "gamma": tensor([2, 0.5])},
        (TRAIN, Call(OTHER, training=TRUE)),
    ),
    "in groups": (
        {"virtual_batch_size": 3},
        (Call(SIX, training=TRUE, dy=WEIGHTS_OF_SIX), INFER),
    ),
    "in groups of two": ({"virtual_batch_size": 2}, (Call(SIX, training=TRUE), INFER)),
    "in uneven groups": ({"virtual_batch_size": 4}, (Call(SIX, training=TRUE), INFER)),
    "fewer than a group": ({"virtual_batch_size": 3}, (INFER,)),
    "training, then inference": (
        {"gamma": tensor([2, 0.5]), "beta": tensor([1, -1]), "scale": True, "center": True},
        (TRAIN, Call(OTHER, training=TRUE), INFER),
    ),
    "defaults": ({"decay": None}, (Call(FOUR, training=TRUE), INFER)),
    "no epsilon": ({"epsilon": 1e-7}, (TRAIN, INFER)),
    "bare call": ({}, (Call(FOUR), Call(FOUR, training=TRUE), Call(FOUR))),
    "None": ({}, (Call(FOUR, training=Training.NONE),)),
    "0": ({}, (Call(FOUR, training=Training.ZERO),)),
    "1": ({}, (Call(FOUR, training=Training.ONE),)),
    "rank 3": ({"rank": 3}, (Call(ROW, training=TRUE),)),
    "rank 4": ({"rank": 4}, (Call(MAP, training=TRUE),)),
    "not fused": ({"fused": False}, (TRAIN,)),
    "default axis": ({"rank": 3, "channel_axis": "default"}, (Call(ROW, training=TRUE),)),
    "float64": (
        {"dtype": "float64"},
        (Call(tensor(np.array(FOUR.values).reshape(4, 2) / 3, "float64"), training=TRUE),),
    ),
    "float16": (
        {"dtype": "float16", "gamma": tensor([2, 0.5], "float16")},
        (Call(tensor([[1, 10], [2, 40], [2, 30]], "float16"), training=TRUE),),
    ),
    "one value": ({}, (Call(tensor([[1, 2]]), training=TRUE),)),
    "no value": ({}, (Call(tensor(np.zeros((0, 2))), training=TRUE),)),
    "NaN": ({}, (Call(tensor([[1, 2], [np.nan, 3]]), training=TRUE),)),
    "twice differentiated": ({}, (Call(FOUR, training=TRUE, dy=WEIGHTS, dx_weights=OTHER),)),
    "thirds": ({}, (Call(tensor([[1 / 3, 1], [2 / 3, 4]]), training=TRUE),)),
    "momentum 0": ({"decay": None, "momentum_argument": 0.0}, (TRAIN,)),
    "momentum 1": ({"decay": None, "momentum_argument": 1.0}, (TRAIN,)),
    "momentum None": (
        {"decay": None, "momentum_argument": None},
        (TRAIN, Call(OTHER, training=TRUE), ResetStatistics(), TRAIN),
    ),
    "momentum None, once": ({"decay": None, "momentum_argument": None}, (TRAIN,)),
    "momentum 1/4": ({"decay": None, "momentum_argument": 0.25}, (TRAIN,)),
    "no scale": ({"scale": False}, (TRAIN,)),
    "no center": ({"center": False}, (TRAIN,)),
    "zero debias": ({"zero_debias": True}, (TRAIN, TRAIN)),
    "in place": ({"updates_in_place": True}, (Call(FOUR, training=TRUE, updates="forgotten"),)),
    "forgotten": ({}, (Call(FOUR, training=TRUE, updates="forgotten"),)),
    "forgotten in a loop": ({}, (Enclose(), Fit(FOUR, WEIGHTS, updates="forgotten"))),
    "twice": ({}, (Call(FOUR, training=TRUE, updates="twice"),)),
    "repeated": ({}, (Call(FOUR, training=TRUE, repeat=2),)),
    "untracked": ({"track_running_statistics": False}, (TRAIN, INFER)),
    "is True": ({}, (Call(FOUR, training=TRUE, mode="is-true-test"),)),
    "fed": ({}, tuple(Call(FOUR, training=mode, mode="fed") for mode in (TRUE, FALSE))),
    "shared": ({}, (CallTwice(FOUR, OTHER, training=TRUE),) * 2),
    "shared in a functional model": (
        {},
        (CallTwice(FOUR, OTHER, training=TRUE, form="functional"),) * 2,
    ),
    "reset": ({}, (TRAIN, ResetStatistics())),
    "tracking switched": (
        {},
        (SetTracking(value=False), TRAIN, INFER, SetTracking(value=True), TRAIN),
    ),
    "modes": ({}, (EvalMode(), Call(FOUR, dy=WEIGHTS), TrainMode(), Call(FOUR))),
    "modes of a model": ({}, (Enclose(), EvalMode("model"), Call(FOUR), TrainMode("model"))),
    "frozen from the start": ({"trainable": False}, (TRAIN, Enclose(), FIT)),
    "frozen bare call": ({"trainable": False}, (Call(FOUR), Call(FOUR, training=TRUE))),
    "frozen": ({}, (SetTrainable(value=False), TRAIN, SetTrainable(value=True), TRAIN)),
    "frozen model": ({}, (Enclose(), SetTrainable(value=False, target="model"), TRAIN)),
    "thawed in a frozen model": (
        {},
        (Enclose(), SetTrainable(value=False, target="model"), SetTrainable(value=True), TRAIN),
    ),
    "frozen fit": ({}, (Enclose(), SetTrainable(value=False), FIT)),
    "fit": ({}, (Enclose(), FIT, Evaluate(FOUR, WEIGHTS), Predict(OTHER), Predict(OTHER))),
    "fit after eval": ({}, (Enclose(), EvalMode("model"), FIT)),
    "compiled, then frozen": (
        {},
        (Enclose(), Compile(), SetTrainable(value=False), FIT),
    ),
    "fitted, then frozen": (
        {},
        (Enclose(), Compile(), FIT, SetTrainable(value=False), FIT),
    ),
    "inference written in a model": ({}, (Enclose(training=FALSE), FIT)),
    "inference written in a model's class": ({}, (Enclose(FALSE, "subclassed"), FIT)),
    "None written in a model": ({}, (Enclose(training=Training.NONE), FIT)),
    "None written in a model, predicted": ({}, (Enclose(training=Training.NONE), Predict(FOUR))),
    "model without training": (
        {},
        (Enclose(form="without-training"), FIT, Predict(OTHER)),
    ),
    "layer and model disagree": (
        {},
        (Enclose(), SetTrainable(value=False), SetTrainable(value=True, target="model"), FIT),
    ),
    **{
        f"restored, {how}": ({"epsilon": 0.5}, (Enclose(), FIT, Restore(how), TRAIN, INFER))
        for how in ("file", "copy", "weights-file", "memory", "config")
    },
    **{
        f"restored frozen, {how}": ({}, (SetTrainable(value=False), Restore(how), TRAIN))
        for how in ("file", "copy", "config")
    },
    **{
        f"zero debias restored, {how}": ({"zero_debias": True}, (TRAIN, Restore(how), TRAIN_ON))
        for how in ("weights-file", "memory")
    },
    "float64 saved": (
        {"dtype": "float64"},
        (Call(tensor(np.array(FOUR.values).reshape(4, 2) / 3, "float64"), TRUE), Restore("file")),
    ),
    "from a configuration without gamma": ({"scale": False}, (Restore("config"),)),
    "from a configuration without beta": ({"center": False}, (Restore("config"),)),
    "from a configuration with initializers": (
        {"running_mean_initializer": 2.0},
        (TRAIN, Restore("config")),
    ),
    "other hyperparameters": (
        {},
        (TRAIN, Restore("memory", decay=0.5, epsilon=0.5), Call(OTHER, TRUE)),
    ),
    "into evaluation": ({}, (Restore("memory", into="evaluation"), Call(FOUR))),
    "from evaluation": ({}, (EvalMode(), Restore("memory"), Call(FOUR))),
    "copied in evaluation": ({}, (EvalMode(), Restore("copy"), Call(FOUR))),
    "copy trained": ({}, (TrainACopy(FOUR), INFER)),
    "handed over and trained": ({}, (TrainACopy(FOUR, "memory"), INFER)),
    "kept": ({}, (TRAIN, KeepState(), Call(OTHER, TRUE), PutBack())),
    **{
        f"{change} {of}": ({}, (TRAIN, LoadChanged(change, of)))
        for change, of in (
            ("without", "running_mean"),
            ("without", "running_variance"),
            ("without", "updates_counted"),
            ("short", "running_variance"),
        )
    },
    "beyond": ({"track_running_statistics": False}, (LoadChanged("beyond", "running_mean"),)),
    "penalties": (
        {"gamma_penalty": 0.5, "beta_penalty": 0.25, "beta": tensor([1, -1])},
        (Enclose(), Call(FOUR, TRUE, WEIGHTS), FIT, Evaluate(FOUR, WEIGHTS)),
    ),
    "penalties of a frozen layer": (
        {"gamma_penalty": 0.5, "scale": True, "trainable": False},
        (Enclose(), Evaluate(FOUR, WEIGHTS)),
    ),
    "constraints": (
        {
            "gamma_constraint": "non-negative",
            "beta_constraint": "non-negative",
            "gamma": tensor([-1, 0.0625]),
            "beta": tensor([-1, 0.0625]),
        },
        (Enclose(), INFER, Fit(FOUR, WEIGHTS, batch_size=2, epochs=2)),
    ),
    "constraint on gamma": (
        {"gamma_constraint": "non-negative", "beta": tensor([-1, -1])},
        (Enclose(), FIT),
    ),
    "constraints of a frozen layer": (
        {"gamma_constraint": "non-negative", "gamma": tensor([-1, 1]), "trainable": False},
        (Enclose(), FIT),
    ),
    "weight decay": (
        {"beta": tensor([1, -1]), "running_mean": tensor([1, 2])},
        (Enclose(), Fit(FOUR, WEIGHTS, weight_decay=0.5)),
    ),
    "initializers": (
        {
            "gamma_initializer": 0.5,
            "beta_initializer": "ones",
            "running_mean_initializer": 2.0,
            "running_variance_initializer": 4.0,
        },
        (INFER, TRAIN, Restore("memory"), Enclose(), FIT),
    ),
    "drawn": ({"gamma_initializer": "uniform", "scale": True}, (TRAIN, TRAIN)),
}


def layer_of(changes):
    arguments = {"channels": 2, "rank": 2, "decay": 0.75, **changes}
    if arguments["decay"] is None:
        del arguments["decay"]
    return Layer(**arguments)


def answers(adapter):
    return {
        question: answer(adapter, layer_of(changes), *steps)
        for question, (changes, steps) in QUESTIONS.items()
    }


@pytest.fixture(scope="module")
def clean_answers():
    return {style: answers(module) for style, module in CLEAN.items()}


@pytest.mark.parametrize("name", planted.FAULTS)
def test_planted_fault_runs_and_answers_differently(name, clean_answers):
    fault = planted.FAULTS[name]
    clean = clean_answers[fault.style]
    seen = answers(fault)
    assert not [q for q in seen if "adapter_error" in seen[q]]
    assert "output" in answer(fault, HAND, Call(X, training=TRUE))["trace"][1]["observed"]
    assert [q for q in seen if "trace" in seen[q] and seen[q] != clean[q]]
    assert issubclass(fault.Program, CLEAN[fault.style].Program)


def test_planted_faults_are_told_apart_by_name():
    parts = [name for part in planted.PARTS for name in part.FAULTS]
    assert len(parts) == len(set(parts)) == len(planted.FAULTS) >= 30
    assert all(name == fault.name for name, fault in planted.FAULTS.items())
    assert len({fault.Program for fault in planted.FAULTS.values()}) == len(parts)


@pytest.mark.parametrize("style", CLEAN)
def test_clean_fakes_answer_without_errors(style, clean_answers):
    assert not [q for q, seen in clean_answers[style].items() if "adapter_error" in seen]
