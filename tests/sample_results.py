"""A small results document, true to form: three implementations, two suites, six scenarios."""

from __future__ import annotations

import json
from typing import Any

TORCH_PAGE = "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html"
KERAS_PAGE = "https://keras.io/api/layers/normalization_layers/batch_normalization/"
CONTRIB_PAGE = "https://github.com/tensorflow/tensorflow/blob/r1.15/tensorflow/contrib/layers/python/layers/layers.py"
PAPER_PAGE = "https://arxiv.org/abs/1502.03167"

TITLES = {
    "keras-tensorflow": "Keras 3 on TensorFlow: keras.layers.BatchNormalization",
    "tf-contrib": "tf.contrib.layers.batch_norm of TensorFlow 1.15, in graph mode",
    "torch": "PyTorch: torch.nn.BatchNorm1d, BatchNorm2d, BatchNorm3d",
}
VERSIONS = {
    "keras-tensorflow": {"keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"},
    "tf-contrib": {"tensorflow": "1.15.5", "numpy": "1.18.5"},
    "torch": {"torch": "2.13.0", "numpy": "2.4.6"},
}


def sample_results() -> dict[str, Any]:
    """Return a fresh copy of the sample, to damage at will."""
    return dict(json.loads(json.dumps(SAMPLE)))


def older_results() -> dict[str, Any]:
    """Return the sample as it was written before conventions were measured."""
    results = sample_results()
    del results["identified"]
    for axis in results["conventions"]:
        for key in ("group", "question", "consequence"):
            del axis[key]
    return results


def _declared(axis, value, cite, *, when=None, why=None, assumed=False):
    return {
        "axis": axis,
        "value": value,
        "when": when or {},
        "cite": [cite],
        "why": why,
        "assumed": assumed,
    }


CONVENTIONS_OF = {
    "keras-tensorflow": [
        _declared("default-epsilon", 0.001, KERAS_PAGE),
        _declared("running-variance-factor", "1", KERAS_PAGE),
        _declared(
            "trainable-false-mode", "inference even with training=True", KERAS_PAGE + "#freezing"
        ),
        _declared("zero-debias-argument", "not applicable", KERAS_PAGE, why="No such argument."),
    ],
    "tf-contrib": [
        _declared("default-epsilon", 0.001, CONTRIB_PAGE),
        _declared(
            "running-variance-factor", "n/(n-1)", CONTRIB_PAGE, when={"rank": [4], "fused": True}
        ),
        _declared("running-variance-factor", "1", CONTRIB_PAGE, when={"rank": [2], "fused": False}),
        _declared("trainable-false-mode", "no effect", CONTRIB_PAGE),
        _declared("zero-debias-argument", "mean only", CONTRIB_PAGE, assumed=True),
    ],
    "torch": [
        _declared("default-epsilon", 1e-5, TORCH_PAGE),
        _declared("running-variance-factor", "n/(n-1)", TORCH_PAGE),
        _declared("trainable-false-mode", "no effect", TORCH_PAGE),
    ],
}

CONVENTIONS = [
    {
        "id": "default-epsilon",
        "group": "Arguments and defaults",
        "question": "How large is epsilon when nobody writes it?",
        "consequence": "A channel of small variance comes out smaller.",
        "kind": "number",
        "values": [1e-5, 1e-3],
        "meaning": "The epsilon used when the user writes none.",
        "paper": None,
        "translation": "Write epsilon out.",
    },
    {
        "id": "running-variance-factor",
        "group": "Running statistics",
        "question": "Is the running variance fed the sample variance?",
        "consequence": "Small batches leave another variance behind.",
        "kind": "choice",
        "values": ["1", "n/(n-1)"],
        "meaning": "Whether the running variance is fed the population or the sample variance "
        "of the batch.",
        "paper": "n/(n-1)",
        "translation": None,
    },
    {
        "id": "trainable-false-mode",
        "group": "Freezing",
        "question": "Does freezing also switch to inference?",
        "consequence": "A frozen layer changes with every batch, or does not.",
        "kind": "choice",
        "values": ["no effect", "inference even with training=True"],
        "meaning": "Whether freezing the layer also makes it normalise with the running "
        "statistics.",
        "paper": None,
        "translation": "Switch the layer to inference explicitly.",
    },
    {
        "id": "zero-debias-argument",
        "group": "Running statistics",
        "question": "Which statistics does zero-debiasing correct?",
        "consequence": "Early inference still divides by the initial variance.",
        "kind": "choice",
        "values": ["mean only", "mean and variance", "neither"],
        "meaning": "Which running statistics the argument that asks for zero-debiasing corrects.",
        "paper": None,
        "translation": "Leave the argument out.",
    },
]


def _scenario(name, suite, question, settles, *steps):
    return {
        "name": name,
        "suite": suite,
        "question": question,
        "clauses": ["BN-2.1", "BN-3.3"],
        "sources": [PAPER_PAGE],
        "settles": settles,
        "layer": ["3 channels, inputs of rank 2, float32", "decay 0.75", "epsilon 0.001"],
        "steps": [f"{number}. {step}" for number, step in enumerate(steps, 1)],
    }


TRAIN = "call in training on 3 samples"
SCENARIOS = [
    _scenario(
        "running-variance-takes-the-sample-variance",
        "running-statistics",
        "Is the running variance fed n/(n-1) times the variance that normalises?",
        ["running-variance-factor"],
        "build the layer",
        TRAIN,
    ),
    _scenario(
        "zero-debias-corrects-the-variance",
        "running-statistics",
        "Does asking for zero-debiasing correct the running variance too?",
        ["zero-debias-argument"],
        "build the layer",
        TRAIN,
    ),
    _scenario(
        "infinite-input-reaches-the-statistics",
        "running-statistics",
        "Does one infinite input value make the running statistics NaN?",
        [],
        "build the layer",
        "call in training on 2 samples, one of them infinite",
    ),
    _scenario(
        "default-epsilon",
        "defaults",
        "Which epsilon is used when the user writes none?",
        ["default-epsilon"],
        "build the layer",
        "call in inference on 2 samples",
    ),
    _scenario(
        "one-value-per-channel-in-training",
        "defaults",
        "Does training on one value per channel raise an error?",
        [],
        "build the layer",
        "call in training on 1 sample",
    ),
    _scenario(
        "trainable-false-forces-inference-mode",
        "defaults",
        "Does freezing the layer make it normalise with its running statistics?",
        ["trainable-false-mode"],
        "build the layer",
        "freeze the layer",
        "call in training on 3 samples",
    ),
]


def _check(quantity, expected, observed, error, bound, fraction, *, agrees=True, index=(1,)):
    return {
        "quantity": quantity,
        "shape": [len(expected)],
        "expected": expected,
        "observed": observed,
        "error": error,
        "bound": bound,
        "fraction": fraction,
        "index": list(index),
        "agrees": agrees,
    }


def _step(words, *checks, refusal=None, agrees=None):
    settled = all(check["agrees"] for check in checks) if agrees is None else agrees
    return {"step": words, "agrees": settled, "refusal": refusal, "checks": list(checks)}


BUILT = _step(
    "build the layer",
    _check("running_mean", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0, 0.0, 0.0),
    _check("running_variance", [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], 0.0, 0.0, 0.0),
)
OUTPUT = _check(
    "output",
    [-1.2247448, 0.0, 1.2247448, -0.9805807, 1.3728129, -0.3922323, 0.5, -0.25, 0.125],
    [-1.2247449, 0.0, 1.2247448, -0.9805806, 1.3728130, -0.3922323, 0.5, -0.25, 0.125],
    1.19e-7,
    9.54e-7,
    0.125,
)
TRAINED = (
    BUILT,
    _step(
        TRAIN,
        OUTPUT,
        _check(
            "running_mean", [0.25, 0.5, -0.125], [0.25, 0.5, -0.125], 0.0, 2.98e-8, 0.0, index=(0,)
        ),
        _check(
            "running_variance", [0.875, 1.0625, 1.25], [0.875, 1.0625, 1.25], 5.96e-8, 3.58e-7, 0.17
        ),
    ),
)
DIFFERED = (
    BUILT,
    _step(
        TRAIN,
        OUTPUT,
        _check(
            "running_variance",
            [0.875, 1.0625, 1.25],
            [0.9375, 1.21875, 1.5],
            0.25,
            3.58e-7,
            698324.0,
            agrees=False,
            index=(2,),
        ),
        _check(
            "running_mean",
            [0.25, 0.5, 0.0],
            [0.25000012, 0.5, 0.0],
            1.2e-7,
            2.98e-8,
            4.0,
            agrees=False,
            index=(0,),
        ),
    ),
)
INFINITE = (
    BUILT,
    _step(
        "call in training on 2 samples, one of them infinite",
        _check("output", ["NaN", 1.0], ["NaN", 1.0], 0.0, "Infinity", 0.0, index=(0,)),
        _check(
            "running_mean",
            ["Infinity", 0.5],
            ["NaN", 0.5],
            "NaN",
            0.0,
            "Infinity",
            agrees=False,
            index=(0,),
        ),
    ),
)
REFUSED = (
    BUILT,
    _step(
        "call in training on 1 sample",
        refusal={
            "type": "ValueError",
            "message": "Expected more than 1 value per channel when training",
        },
        agrees=True,
    ),
)


def _cell(implementation, scenario, verdict, reason, steps=TRAINED, **more):
    suite = next(entry["suite"] for entry in SCENARIOS if entry["name"] == scenario)
    cell = {
        "implementation": implementation,
        "scenario": scenario,
        "suite": suite,
        "verdict": verdict,
        "expected": True,
        "known": None,
        "reason": reason,
        "answers": [],
        "explanations": [],
        "steps": list(steps),
    }
    return {**cell, **more}


AGREES = "Every quantity agrees with the reference within its bound."
EXPLANATION = {
    "axis": "running-variance-factor",
    "declared": "1",
    "would_agree": "n/(n-1)",
    "sentence": "It would agree if the running variance were fed n/(n-1) times the population "
    "variance.",
}
SPECIAL_CELLS = {
    ("keras-tensorflow", "running-variance-takes-the-sample-variance"): {
        "verdict": "differs",
        "expected": False,
        "reason": "After step 2 the running variance is 1.5 where 1.25 was expected.",
        "answers": [],
        "explanations": [EXPLANATION],
        "steps": list(DIFFERED),
    },
    ("torch", "zero-debias-corrects-the-variance"): {
        "verdict": "not expressible",
        "reason": "PyTorch has no argument that asks for zero-debiasing.",
        "answers": [],
        "steps": [],
    },
    ("tf-contrib", "infinite-input-reaches-the-statistics"): {
        "verdict": "crashed",
        "known": {"link": "https://example.org/issues/1", "note": "Old."},
        "reason": "The worker was killed by SIGSEGV during step 2.",
        "answers": [],
        "steps": [],
    },
    ("torch", "infinite-input-reaches-the-statistics"): {
        "verdict": "differs",
        "known": {"link": None, "note": "Reproduced on its own."},
        "reason": "After step 2 the running mean is NaN where Infinity was expected.",
        "answers": [],
        "steps": list(INFINITE),
    },
    ("torch", "one-value-per-channel-in-training"): {"steps": list(REFUSED)},
}


def _cells():
    return [
        _cell(
            name,
            scenario["name"],
            **{
                "verdict": "conforms",
                "reason": AGREES,
                "answers": [],
                **SPECIAL_CELLS.get((name, scenario["name"]), {}),
            },
        )
        for scenario in SCENARIOS
        for name in TITLES
    ]


def _agreement(scenario, groups, odd=None, absent=None, separated=()):
    return {
        "scenario": scenario,
        "groups": groups,
        "odd_one_out": odd,
        "absent": absent or {},
        "separated_by": list(separated),
    }


def _separation(left, right, axis, sentence):
    return {"left": left, "right": right, "axes": [axis], "sentence": sentence}


AGREEMENT = [
    _agreement(
        "running-variance-takes-the-sample-variance",
        [["tf-contrib", "torch", "paper"], ["keras-tensorflow"]],
        odd="keras-tensorflow",
        separated=[
            _separation(
                "torch",
                "keras-tensorflow",
                "running-variance-factor",
                "torch feeds the sample variance, keras-tensorflow the population variance.",
            )
        ],
    ),
    _agreement(
        "zero-debias-corrects-the-variance",
        [["keras-tensorflow", "tf-contrib", "paper"]],
        absent={"torch": "PyTorch has no argument that asks for zero-debiasing."},
    ),
    _agreement(
        "infinite-input-reaches-the-statistics",
        [["keras-tensorflow", "torch"], ["paper"]],
        odd="paper",
        absent={"tf-contrib": "It crashed."},
    ),
    _agreement(
        "default-epsilon",
        [["keras-tensorflow", "tf-contrib"], ["torch"], ["paper"]],
        separated=[
            _separation(
                "keras-tensorflow", "torch", "default-epsilon", "0.001 against 0.00001 by default."
            )
        ],
    ),
    _agreement("one-value-per-channel-in-training", [["keras-tensorflow", "tf-contrib", "torch"]]),
    _agreement(
        "trainable-false-forces-inference-mode",
        [["tf-contrib", "torch"], ["keras-tensorflow"]],
        separated=[
            _separation(
                "torch",
                "keras-tensorflow",
                "trainable-false-mode",
                "A frozen layer normalises with its running statistics in keras-tensorflow only.",
            )
        ],
    ),
]


def _pair(source, target, **parts):
    empty = {"same": [], "translated": [], "unmatched": [], "not_comparable": []}
    return {"from": source, "to": target, **empty, **parts}


EPSILON = {
    "scenario": "default-epsilon",
    "axes": ["default-epsilon"],
    "advice": ["Write epsilon=0.00001 out."],
}
FREEZING = {
    "scenario": "trainable-false-forces-inference-mode",
    "axes": ["trainable-false-mode"],
    "advice": ["Call the layer with training=False instead of freezing it."],
}
VARIANCE = {
    "scenario": "running-variance-takes-the-sample-variance",
    "axes": ["running-variance-factor"],
    "sentence": "The running variance of keras-tensorflow is (n-1)/n times as large.",
}
NO_ZERO_DEBIAS = {
    "scenario": "zero-debias-corrects-the-variance",
    "reason": "PyTorch has no argument that asks for zero-debiasing.",
}
PAIRS = [
    _pair(
        "torch",
        "keras-tensorflow",
        same=["one-value-per-channel-in-training", "infinite-input-reaches-the-statistics"],
        translated=[EPSILON, FREEZING],
        unmatched=[VARIANCE],
        not_comparable=[NO_ZERO_DEBIAS],
    ),
    _pair("keras-tensorflow", "torch", same=["one-value-per-channel-in-training"]),
    _pair("torch", "tf-contrib", same=["trainable-false-forces-inference-mode"]),
    _pair("tf-contrib", "torch", translated=[EPSILON]),
]


def _finding(axis, status, declared, measured, contexts=("rank 2",), decided_by=(), **more):
    finding = {
        "axis": axis,
        "status": status,
        "expected": True,
        "sentence": f"{axis}, of which {status}",
        "declared": declared,
        "measured": list(measured),
        "contexts": list(contexts),
        "decided_by": list(decided_by),
        "contradicted_by": [],
    }
    return {**finding, **more}


def _unnamed(scenario, quantity, fraction, *, expected, closest, instead=()):
    return {
        "scenario": scenario,
        "step": 2,
        "quantity": quantity,
        "sentence": f"Nothing explains the {quantity} after step 2.",
        "context": "rank 2",
        "expected": expected,
        "fraction": fraction,
        "closest": closest,
        "instead": [{"axis": axis, "value": value} for axis, value in instead],
    }


BY_VARIANCE = ["running-variance-takes-the-sample-variance"]
BY_FREEZING = ["trainable-false-forces-inference-mode"]
FROZEN = ["no effect", "inference even with training=True"]
FINDINGS = {
    "keras-tensorflow": [
        _finding("default-epsilon", "as declared", 0.001, [0.001], decided_by=["default-epsilon"]),
        _finding("default-epsilon", "not reached", 0.001, [1e-5, 0.001], ["rank 4", "rank 5"]),
        _finding(
            "running-variance-factor",
            "otherwise",
            "1",
            ["n/(n-1)"],
            decided_by=BY_VARIANCE,
            expected=False,
        ),
        _finding("trainable-false-mode", "not told apart", FROZEN[1], FROZEN),
    ],
    "tf-contrib": [
        _finding("default-epsilon", "not reached", 0.001, [1e-5, 0.001]),
        _finding(
            "running-variance-factor",
            "as declared",
            "n/(n-1)",
            ["n/(n-1)"],
            ["rank 4", "rank 4, float16", "rank 4, float64", "rank 4, fused=true"],
            BY_VARIANCE,
        ),
        _finding("running-variance-factor", "as declared", "1", ["1"], decided_by=BY_VARIANCE),
        _finding(
            "trainable-false-mode", "otherwise", "no effect", FROZEN[1:], decided_by=BY_FREEZING
        ),
        _finding(
            "zero-debias-argument",
            "as declared",
            "mean only",
            ["mean only"],
            decided_by=["zero-debias-corrects-the-variance"],
            contradicted_by=["default-epsilon"],
        ),
    ],
    "torch": [
        _finding("default-epsilon", "as declared", 1e-5, [1e-5], decided_by=["default-epsilon"]),
        _finding("running-variance-factor", "as declared", "n/(n-1)", ["n/(n-1)"]),
        _finding("trainable-false-mode", "in doubt", "no effect", FROZEN[:1]),
        _finding("zero-debias-argument", "undeclared", None, ["neither"]),
    ],
}
UNNAMED = {
    "keras-tensorflow": [
        _unnamed(
            "default-epsilon",
            "output",
            12.5,
            expected=False,
            closest={"running-variance-factor": "1", "default-epsilon": 0.001},
            instead=[("default-epsilon", 1e-5)],
        )
    ],
    "torch": [
        _unnamed(
            "infinite-input-reaches-the-statistics",
            "running_mean",
            "Infinity",
            expected=True,
            closest={},
        )
    ],
}

SAMPLE = {
    "schema": 1,
    "suite": {
        "name": "bnconform",
        "version": "0.1.0",
        "python": "3.11.7",
        "numpy": "2.4.6",
        "platform": "Linux-x86_64",
    },
    "started": "2026-01-02T03:04:05Z",
    "seconds": 12.3,
    "complete": True,
    "expected_cells": 18,
    "run_cells": 18,
    "banners": ["tf-contrib runs in an environment of its own, on CPython 3.7."],
    "implementations": [
        {
            "name": name,
            "title": title,
            "available": True,
            "unavailable_reason": None,
            "versions": VERSIONS[name],
            "python": "3.7.17" if name == "tf-contrib" else "3.11.7",
            "platform": "Linux-x86_64",
            "execution": "graph" if name == "tf-contrib" else "eager",
            "device": "cpu",
            "conventions": CONVENTIONS_OF[name],
        }
        for name, title in TITLES.items()
    ],
    "conventions": CONVENTIONS,
    "scenarios": SCENARIOS,
    "cells": _cells(),
    "agreement": AGREEMENT,
    "pairs": PAIRS,
    "identified": [
        {"implementation": name, "conventions": found, "unnamed": UNNAMED.get(name, [])}
        for name, found in FINDINGS.items()
    ],
}
