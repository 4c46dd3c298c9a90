"""What the three clean fakes do, as their authors would declare it: a value for every axis.

Written from the fakes' own code and the sources they name; `reference.conventions` gives only the
names of the axes and of their values.
"""

from __future__ import annotations

from reference.axis import NOT_APPLICABLE

ALL = {
    "default-gamma": "learned",
    "initial-running-mean": 0.0,
    "initial-running-variance": 1.0,
    "initial-gamma": 1.0,
    "initial-beta": 0.0,
    "training-output-statistics": "batch",
    "training-output-variance": "population",
    "inference-output-statistics": "running",
    "epsilon-placement": "inside the root",
    "epsilon-floor": 0.0,
    "training-gradient": "through the batch statistics",
    "float64-layer": "computed",
    "variance-algorithm": "two-pass",
    "debiasing": "none",
    "inference-updates": "never",
    "shared-layer-updates": "in call order",
    "shared-layer-updates-in-a-functional-model": "in call order",
    "trainable-false-parameters": "stop",
    "eval-mode-parameters": "still learn",
}

ARGUMENT = {
    **ALL,
    "momentum-sense": "weighs the old running value",
    "momentum-none": "refused",
    "default-decay": 0.99,
    "default-epsilon": 1e-3,
    "default-channel-axis": "last",
    "running-variance-factor": "1",
    "one-value-per-channel": "fed as it is",
    "zero-debias-argument": "mean only",
    "update-timing": "within the call",
    "updates-in-place-argument": "updates within the call",
    "update-counter": "none",
    "no-running-statistics": NOT_APPLICABLE,
    "bare-call": "inference",
    "mode-memory": "none",
    "training-none": "as a bare call",
    "training-integer": "as True and False",
    "explicit-training-in-a-functional-model": "wins",
    "explicit-training-in-a-subclassed-model": "wins",
    "explicit-none-in-a-model": "follows fit, evaluate and predict",
    "model-without-a-training-argument": "follows fit, evaluate and predict",
    "trainable-false-mode": "inference even with training=True",
    "trainable-false-statistics": "stop",
    "model-trainable-reaches-the-layer": "always",
    "trainable-read-by-fit": "at every fit",
}

SWITCH = {
    **ALL,
    "momentum-sense": "weighs the new batch value",
    "momentum-none": "cumulative average",
    "default-decay": 0.9,
    "default-epsilon": 1e-5,
    "default-channel-axis": "second",
    "running-variance-factor": "n/(n-1)",
    "one-value-per-channel": "refused",
    "zero-debias-argument": NOT_APPLICABLE,
    "update-timing": "within the call",
    "updates-in-place-argument": NOT_APPLICABLE,
    "update-counter": "counts training executions",
    "no-running-statistics": "batch statistics in both modes",
    "bare-call": "training",
    "mode-memory": "remembers the last switch",
    "training-none": "refused",
    "training-integer": "refused",
    "explicit-training-in-a-functional-model": NOT_APPLICABLE,
    "explicit-training-in-a-subclassed-model": NOT_APPLICABLE,
    "explicit-none-in-a-model": NOT_APPLICABLE,
    "model-without-a-training-argument": "follows fit, evaluate and predict",
    "trainable-false-mode": "no effect",
    "trainable-false-statistics": "still move in training",
    "model-trainable-reaches-the-layer": "always",
    "trainable-read-by-fit": "at every fit",
}

DEFERRED = {
    **ALL,
    "momentum-sense": "weighs the old running value",
    "momentum-none": "refused",
    "default-decay": 0.999,
    "default-epsilon": 1e-3,
    "default-gamma": "absent",
    "default-channel-axis": "last",
    "running-variance-factor": [
        {"when": {"rank": [2, 4], "fused": ["absent", "true"]}, "value": "n/(n-1)"},
        {"when": {"rank": [2, 4], "fused": ["false"]}, "value": "1"},
        {"when": {"rank": [3, 5]}, "value": "1"},
    ],
    "one-value-per-channel": "fed as it is",
    "zero-debias-argument": "mean only",
    "update-timing": "when the update operations are run",
    "updates-in-place-argument": "updates within the call",
    "update-counter": "none",
    "no-running-statistics": NOT_APPLICABLE,
    "bare-call": "training",
    "mode-memory": "none",
    "training-none": "as a bare call",
    "training-integer": "as True and False",
    "explicit-training-in-a-functional-model": "wins",
    "explicit-training-in-a-subclassed-model": "wins",
    "explicit-none-in-a-model": "as a bare call",
    "model-without-a-training-argument": "every execution is a bare call",
    "trainable-false-mode": "no effect",
    "trainable-false-statistics": "still move in training",
    "model-trainable-reaches-the-layer": NOT_APPLICABLE,
    # Only the constructor can freeze, so every fit sees what it said.
    "trainable-read-by-fit": "at every fit",
}

DECLARED = {"argument_style": ARGUMENT, "switch_style": SWITCH, "deferred_style": DEFERRED}
