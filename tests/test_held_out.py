"""The held-out fakes do what their truth says: small examples worked by hand, without the oracle.

The layer is `HAND` of `test_fakes`, unless an example changes it: one channel, decay 3/4, epsilon
3, gamma 2, beta 1. Its batch X of 1 and 3 has mean 2, population variance 1 and sample variance 2;
LATER, of 3 and 5, has mean 4 and the same variances; WIDE, of 1 and 5, has mean 3, population
variance 4 and sample variance 8. By default the running mean starts at 0, the variance at 1. So

    training on X puts out 0 and 2, and inference before it 2 and 4 (2·x/2 + 1);
    an update from X leaves a running mean of 1/2, and a variance of 1 or, of the sample, 5/4.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from adapters import worker
from adapters.wire import decode_array
from harness.wire import scenario_to_json
from reference.axis import NOT_APPLICABLE
from reference.conventions import REGISTRY
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
    KeepState,
    LoadChanged,
    Predict,
    PutBack,
    ResetStatistics,
    Restore,
    SetTracking,
    SetTrainable,
    Training,
    TrainMode,
)
from tests.fakes import (
    planted_executions,
    planted_habits,
    planted_limits,
    planted_state,
    planted_values,
)
from tests.fakes.declared import DECLARED
from tests.fakes.fault import CLEAN
from tests.fakes.held_out import COMBINED, HELD_OUT, SINGLE, UNNAMED
from tests.fakes.planted import FAULTS
from tests.test_fakes import DY, HAND, X, scenario, tensor

LATER, WIDE = tensor([[3], [5]]), tensor([[1], [5]])
TRUE, FALSE, NONE = Training.TRUE, Training.FALSE, Training.NONE
TRAIN, TRAIN_LATER, INFER = Call(X, TRUE), Call(LATER, TRUE), Call(X, FALSE)
TRAINED_OUTPUT, INFERRED_OUTPUT = [[0], [2]], [[2], [4]]
FREEZE, THAW = SetTrainable(value=False), SetTrainable(value=True)
FREEZE_MODEL = SetTrainable(value=False, target="model")
THAW_MODEL = SetTrainable(value=True, target="model")
FIT = Fit(X, DY)
EMPTY, ONE_VALUE = tensor(np.zeros((0, 1))), tensor([[5]])
TWICE = CallTwice(X, LATER, TRUE)
TWICE_FUNCTIONAL = CallTwice(X, LATER, TRUE, "functional")
REFUSED, MISSING = "refused", "missing"
TRAINS = {"output": TRAINED_OUTPUT, "running_mean": [0.5]}
INFERS = {"output": INFERRED_OUTPUT, "running_mean": [0]}
NO_MOMENTUM = {"decay": ABSENT}


def near(*values):
    return pytest.approx(values, rel=3e-7)


def outputs(deviation, mean=2.0):
    """2·(x − mean)/deviation + 1 for the values of X."""
    return [near(2 * (x - mean) / deviation + 1) for x in (1, 3)]


# A fake, changes to HAND, the steps, and what is to be seen after the last; a number is the running
# variance.

EXAMPLES = [
    # State, and penalties in the loss: the output of 1 is 2·(1 − 0)/2 + 1 = 2, over 2 samples 1;
    # the penalty is ½·2².
    *(
        example
        for style in ("argument", "deferred")
        for example in (
            (
                f"kept-state-follows-the-layer-{style}",
                {},
                (TRAIN, KeepState(), TRAIN, PutBack()),
                {"running_mean": [0.875]},
            ),
            (
                f"kept-state-follows-the-layer-{style}",
                {},
                (TRAIN, Restore("memory"), TRAIN),
                {"running_mean": [0.875]},
            ),
        )
    ),
    (
        "kept-state-is-a-snapshot",
        {},
        (TRAIN, KeepState(), TRAIN, PutBack()),
        {"running_mean": [0.5], "updates_counted": 1},
    ),
    (
        "kept-counter-is-a-snapshot",
        {},
        (TRAIN, KeepState(), TRAIN, PutBack()),
        {"running_mean": [0.875], "updates_counted": 1},
    ),
    (
        "missing-counter-stays",
        {},
        (TRAIN, LoadChanged("without", "updates_counted")),
        {"running_mean": [0.5], "updates_counted": 1},
    ),
    ("missing-counter-refused", {}, (TRAIN, LoadChanged("without", "updates_counted")), REFUSED),
    (
        "penalty-of-a-frozen-layer",
        {"gamma_penalty": 0.5},
        (Enclose(), FREEZE, Evaluate(X, DY)),
        {"loss": 3},
    ),
    (
        "no-penalty-of-a-frozen-layer",
        {"gamma_penalty": 0.5, "trainable": False},
        (Enclose(), Evaluate(X, DY)),
        {"loss": 1},
    ),
    # Arguments.
    (
        "momentum-argument-weighs-the-batch-argument",
        {**NO_MOMENTUM, "momentum_argument": 0.25},
        (TRAIN,),
        {"running_mean": [0.5], "running_variance": [1]},
    ),
    (
        "momentum-argument-weighs-the-batch-deferred",
        {**NO_MOMENTUM, "momentum_argument": 0.25},
        (TRAIN,),
        {"running_mean": [0.5], "running_variance": [1.25]},
    ),
    (
        "momentum-argument-weighs-the-batch-argument",
        {},
        (TRAIN,),
        {"running_mean": [0.5]},
    ),
    (
        "momentum-none-averages",
        {**NO_MOMENTUM, "momentum_argument": None},
        (TRAIN, TRAIN_LATER),
        {"running_mean": [3], "running_variance": [1], "updates_counted": MISSING},
    ),
    *(
        example
        for style in CLEAN
        for example in (
            (
                f"momentum-none-refused-in-training-{style}",
                {**NO_MOMENTUM, "momentum_argument": None},
                (INFER,),
                INFERS,
            ),
            (
                f"momentum-none-refused-in-training-{style}",
                {**NO_MOMENTUM, "momentum_argument": None},
                (TRAIN,),
                REFUSED,
            ),
            (f"momentum-none-refused-in-training-{style}", {}, (TRAIN,), TRAINS),
        )
    ),
    ("default-decay-of-0.97", NO_MOMENTUM, (TRAIN,), {"running_mean": near(0.06)}),
    ("default-decay-of-0.95", NO_MOMENTUM, (TRAIN,), {"running_mean": near(0.1)}),
    (
        "default-epsilon-of-1e-4",
        {"epsilon": ABSENT},
        (TRAIN,),
        {"output": outputs(1.0001**0.5)},
    ),
    (
        "default-epsilon-of-2e-3",
        {"epsilon": ABSENT},
        (TRAIN,),
        {"output": outputs(1.002**0.5)},
    ),
    (
        "gamma-absent-by-default",
        {"scale": ABSENT, "gamma": ABSENT},
        (TRAIN,),
        {"output": [[0.5], [1.5]], "gamma": MISSING, "trainable_parameters": 1},
    ),
    *(
        (
            f"gamma-fixed-at-one-by-default-{style}",
            {"scale": ABSENT},
            (Call(X, TRUE, DY),),
            {
                "output": [[0.5], [1.5]],
                "gamma": [1],
                "dgamma": MISSING,
                "dbeta": [1],
                "trainable_parameters": 1,
            },
        )
        for style in ("argument", "deferred")
    ),
    (
        "gamma-fixed-at-one-by-default-argument",
        {"scale": ABSENT},
        (Enclose(), FIT),
        {"gamma": [1], "beta": [0.9375]},
    ),
    (
        "gamma-fixed-at-one-by-default-argument",
        {},
        (Call(X, TRUE, DY),),
        {"gamma": [2], "dgamma": [-0.5], "trainable_parameters": 2},
    ),
    (
        "channels-second-by-default",
        {"rank": 3, "channel_axis": "default"},
        (Call(tensor([[[1, 3]], [[3, 1]]]), TRUE),),
        {"output": [[[0, 2]], [[2, 0]]], "running_mean": [0.5]},
    ),
    ("running-mean-starts-at-a-half", {}, (), {"running_mean": [0.5], "running_variance": [1]}),
    ("running-mean-starts-at-one", {}, (), {"running_mean": [1], "running_variance": [1]}),
    ("running-mean-starts-at-one", {}, (TRAIN, ResetStatistics()), {"running_mean": [1]}),
    ("running-variance-starts-at-a-half", {}, (), {"running_mean": [0], "running_variance": [0.5]}),
    (
        "running-variance-starts-at-a-half",
        {},
        (TRAIN, ResetStatistics()),
        {"running_mean": [0], "running_variance": [0.5]},
    ),
    ("running-variance-starts-at-two", {}, (), {"running_mean": [0], "running_variance": [2]}),
    ("gamma-starts-at-a-half", {"gamma": ABSENT}, (), {"gamma": [0.5], "beta": [1]}),
    ("gamma-drawn", {"gamma": ABSENT}, (), {"gamma": [0.75], "beta": [1]}),
    ("gamma-drawn", {}, (), {"gamma": [2], "beta": [1]}),
    ("beta-starts-at-one", {"beta": ABSENT}, (), {"gamma": [2], "beta": [1]}),
    ("beta-starts-below-zero", {"beta": ABSENT}, (), {"gamma": [2], "beta": [-0.25]}),
    # Normalisation. With dy = 1, 0 and gamma 2, the gradient to x̂ is 2, 0.
    *(
        (
            f"training-output-before-the-update-{style}",
            {},
            (Call(X, TRUE, DY, dx_weights=LATER),),
            {
                "output": INFERRED_OUTPUT,
                "dx": [[1], [0]],
                "second_dx": [[0], [0]],
                "running_mean": [0.5],
            },
        )
        for style in ("argument", "switch")
    ),
    (
        "training-output-before-the-update-argument",
        {},
        (TWICE,),
        # The second is normalised by the running mean 1/2 that the first left.
        {"output": INFERRED_OUTPUT, "second_output": [[3.5], [5.5]], "running_mean": [1.375]},
    ),
    (
        "training-output-after-the-update-argument",
        {},
        (Call(X, TRUE, DY),),
        {"output": [[1.5], [3.5]], "dx": [[1], [0]], "running_mean": [0.5]},
    ),
    (
        "training-output-after-the-update-switch",
        {},
        (TRAIN,),
        {"output": outputs(4.25**0.5, mean=0.5), "running_variance": [1.25]},
    ),
    (
        "sample-variance-normalises",
        {"epsilon": 2.0},
        # x̂ = ∓1/2; dvariance = -2 · -1/2 · 1/8 = 1/8, through 2 (x - mean) / (n - 1) = ∓2;
        # dmean = -1: dx = 1 - 1/4 - 1/2, 1/4 - 1/2
        (Call(X, TRUE, DY),),
        {"output": TRAINED_OUTPUT, "dx": [[0.25], [-0.25]], "running_variance": [1.25]},
    ),
    (
        "sample-variance-normalises",
        {"track_running_statistics": False},
        (INFER,),
        {"output": TRAINED_OUTPUT},
    ),
    *(
        (
            f"inference-by-the-batch-{style}",
            {},
            (Call(X, FALSE, DY),),
            {"output": TRAINED_OUTPUT, "dx": [[0.375], [-0.375]], "running_mean": [0]},
        )
        for style in ("argument", "switch")
    ),
    *(
        (
            f"epsilon-beside-the-root-{style}",
            {"epsilon": 1.0},
            # The deviation is 1 + 1 = 2, 1/(√v + 1) has the slope -1/4 / 2, dvariance is 1/4, and
            # the gradient is 1 - 1/4 - 1/2, 1/4 - 1/2.
            (Call(X, TRUE, DY),),
            {"output": TRAINED_OUTPUT, "dx": [[0.25], [-0.25]]},
        )
        for style in CLEAN
    ),
    ("epsilon-beside-the-root-argument", {"epsilon": 1.0}, (INFER,), INFERS),
    (
        "epsilon-at-least-5e-6",
        {"epsilon": 1e-6, "running_variance": tensor([0])},
        (INFER,),
        {"output": outputs(5e-6**0.5, mean=0)},
    ),
    (
        "epsilon-at-least-1e-3",
        {"epsilon": 1e-6, "running_variance": tensor([0])},
        (INFER,),
        {"output": outputs(1e-3**0.5, mean=0)},
    ),
    ("epsilon-at-least-1e-3", {}, (INFER,), INFERS),
    (
        "training-gradient-of-constants",
        {},
        (Call(X, TRUE, DY, dx_weights=LATER),),
        {"output": TRAINED_OUTPUT, "dx": [[1], [0]], "second_dx": [[0], [0]]},
    ),
    *(
        example
        for style in ("argument", "deferred")
        for example in (
            (f"inference-gradient-refused-{style}", {}, (Call(X, FALSE, DY),), REFUSED),
            (f"inference-gradient-refused-{style}", {}, (INFER,), INFERS),
            (f"inference-gradient-refused-{style}", {}, (Call(X, TRUE, DY),), TRAINS),
        )
    ),
    # 4097² needs 25 digits; one pass rounds it and finds no variance: 3/4 is left of the old one.
    (
        "one-pass-variance",
        {},
        (Call(tensor([[4096], [4097]]), TRUE),),
        {"running_variance": [0.75]},
    ),
    # E[x²] is rounded to less than 4098.2² here, and the variance of one pass is -2.
    (
        "one-pass-variance",
        {},
        (Call(tensor([[4099], [4098], [4098], [4098], [4098]]), TRUE),),
        {"running_variance": [0.75 - 0.5]},
    ),
    (
        "one-pass-variance-clamped",
        {},
        (Call(tensor([[4099], [4098], [4098], [4098], [4098]]), TRUE),),
        {"running_variance": [0.75]},
    ),
    (
        "welford-variance",
        {},
        (Call(tensor([[4096], [4097]]), TRUE),),
        {"running_variance": [0.75 + 0.0625]},
    ),
    ("low-precision-refused", {"dtype": "float16"}, (), REFUSED),
    ("low-precision-refused", {"dtype": "bfloat16"}, (), REFUSED),
    ("low-precision-refused", {}, (TRAIN,), TRAINS),
    ("low-precision-not-executed", {"dtype": "float16"}, (), {"gamma": [2], "beta": [1]}),
    ("low-precision-not-executed", {"dtype": "float16"}, (TRAIN,), REFUSED),
    ("low-precision-not-executed", {"dtype": "bfloat16"}, (INFER,), REFUSED),
    ("low-precision-not-executed", {}, (TRAIN,), TRAINS),
    ("float64-not-executed", {"dtype": "float64"}, (), {"gamma": [2], "beta": [1]}),
    ("float64-not-executed", {"dtype": "float64"}, (TRAIN,), REFUSED),
    ("float64-not-executed", {}, (TRAIN,), TRAINS),
    # What the running statistics are fed.
    ("running-variance-of-the-sample", {"rank": 3}, (Call(tensor([[[1], [3]]]), TRUE),), 1.25),
    ("running-variance-of-the-sample", {"fused": False}, (TRAIN,), 1.25),
    ("running-variance-of-the-population", {}, (TRAIN,), 1),
    # 2 / (2 - 1 - 1/2) = 4 times the variance of 1
    *(
        (f"running-variance-less-epsilon-{style}", {"epsilon": 0.5}, (TRAIN,), 1.75)
        for style in CLEAN
    ),
    *(
        (f"one-value-refused-{style}", {}, (Call(ONE_VALUE, TRUE),), REFUSED)
        for style in ("argument", "deferred")
    ),
    ("one-value-refused-argument", {}, (Call(ONE_VALUE, FALSE),), {"output": [[6]]}),
    (
        "one-value-fed",
        {},
        (Call(ONE_VALUE, TRUE),),
        {"output": [[1]], "running_mean": [1.25], "running_variance": [0.75]},
    ),
    ("one-value-fed", {}, (Call(EMPTY, TRUE),), REFUSED),
    *(
        (f"empty-batch-refused-{style}", {}, (Call(EMPTY, TRUE),), REFUSED)
        for style in ("argument", "deferred")
    ),
    ("empty-batch-refused-argument", {}, (Call(EMPTY, FALSE),), {"running_mean": [0]}),
    (
        "empty-batch-ignored",
        {},
        (Call(EMPTY, TRUE),),
        {"output": [], "running_mean": [0], "running_variance": [1]},
    ),
    (
        "empty-batch-ruins-the-mean",
        {},
        (Call(EMPTY, TRUE),),
        {
            "output": [],
            "running_mean": pytest.approx([np.nan], nan_ok=True),
            "running_variance": [0.75],
        },
    ),
    (
        "empty-batch-ruins",
        {},
        (Call(EMPTY, TRUE),),
        {
            "running_mean": pytest.approx([np.nan], nan_ok=True),
            "running_variance": pytest.approx([np.nan], nan_ok=True),
        },
    ),
    *(
        (
            f"nan-kept-out-{style}",
            {"channels": 2, "gamma": ABSENT, "beta": ABSENT},
            (Call(tensor([[np.nan, 1], [3, 3]]), TRUE),),
            {"running_mean": [0, 0.5], "running_variance": [1, 1 if style == "argument" else 1.25]},
        )
        for style in CLEAN
    ),
    # Arguments out of range, and gradients of nothing.
    ("zero-epsilon-refused-when-made", {"epsilon": 0.0}, (), REFUSED),
    ("zero-epsilon-refused-when-made", {"epsilon": -0.5}, (TRAIN,), {"running_mean": [0.5]}),
    ("negative-epsilon-refused-when-made", {"epsilon": -0.5}, (), REFUSED),
    ("negative-epsilon-refused-when-made", {"epsilon": 0.0}, (TRAIN,), {"running_mean": [0.5]}),
    ("zero-epsilon-refused-in-training", {"epsilon": 0.0}, (TRAIN,), REFUSED),
    ("zero-epsilon-refused-in-training", {"epsilon": 0.0}, (INFER,), {"running_mean": [0]}),
    ("negative-epsilon-refused-in-training", {"epsilon": -0.5}, (TRAIN,), REFUSED),
    ("negative-epsilon-refused-in-training", {"epsilon": -0.5}, (INFER,), {"running_mean": [0]}),
    ("zero-epsilon-refused-when-executed", {"epsilon": 0.0}, (INFER,), REFUSED),
    ("negative-epsilon-refused-when-executed", {"epsilon": -0.5}, (INFER,), REFUSED),
    (
        "momentum-out-of-range-refused-when-made",
        {**NO_MOMENTUM, "momentum_argument": 1.5},
        (),
        REFUSED,
    ),
    (
        "momentum-out-of-range-refused-in-training",
        {**NO_MOMENTUM, "momentum_argument": -0.5},
        (TRAIN,),
        REFUSED,
    ),
    (
        "momentum-out-of-range-refused-in-training",
        {**NO_MOMENTUM, "momentum_argument": -0.5},
        (INFER,),
        {"running_mean": [0]},
    ),
    (
        "momentum-cut-to-its-range",
        {**NO_MOMENTUM, "momentum_argument": -0.5},
        (TRAIN,),
        {"running_mean": [2]},
    ),
    (
        "momentum-cut-to-its-range",
        {**NO_MOMENTUM, "momentum_argument": 1.5},
        (TRAIN,),
        {"running_mean": [0]},
    ),
    (
        "empty-batch-gives-gamma-nan",
        {},
        (Call(EMPTY, TRUE, EMPTY),),
        {"dgamma": pytest.approx([np.nan], nan_ok=True), "dbeta": [0]},
    ),
    (
        "empty-batch-gives-no-gradients",
        {},
        (Call(EMPTY, TRUE, EMPTY),),
        {"dgamma": MISSING, "dbeta": MISSING, "dx": []},
    ),
    # Zero-debiased averages of 2, 4 are 2, (3/4 · 1/2 + 1) / (7/16) = 22/7.
    ("mean-zero-debiased-unasked", {}, (TRAIN,), {"running_mean": [2], "running_variance": [1.25]}),
    ("mean-zero-debiased-unasked", {}, (TRAIN, TRAIN_LATER), {"running_mean": near(22 / 7)}),
    *(
        (
            f"variance-zero-debiased-unasked-{style}",
            {},
            (Call(WIDE, TRUE),),
            {"running_mean": [0.75], "running_variance": [4 if style == "argument" else 8]},
        )
        for style in ("argument", "deferred")
    ),
    (
        "variance-zero-debiased-unasked-argument",
        {"zero_debias": True},
        (Call(WIDE, TRUE),),
        {"running_mean": [3], "running_variance": [1.75]},
    ),
    # A tenth of the old, then 2/11 of it: 0.9 · 2 = 1.8, and 2/11 · 1.8 + 9/11 · 4 = 3.6.
    *(
        example
        for style in ("argument", "switch")
        for example in (
            (f"mean-warms-up-{style}", {}, (TRAIN,), {"running_mean": near(1.8)}),
            (f"mean-warms-up-{style}", {}, (TRAIN, TRAIN_LATER), {"running_mean": near(3.6)}),
            (f"mean-warms-up-{style}", {"decay": 0.0625}, (TRAIN,), {"running_mean": [1.875]}),
            (
                f"variance-warms-up-{style}",
                {},
                (Call(WIDE, TRUE),),
                {
                    "running_mean": [0.75],
                    "running_variance": near(0.1 + 0.9 * (4 if style == "argument" else 8)),
                },
            ),
        )
    ),
    (
        "mean-warms-up-switch",
        {},
        (TRAIN, ResetStatistics(), TRAIN),
        {"running_mean": near(1.8)},
    ),
    (
        "updates-counted-in-the-open",
        {},
        (TRAIN, INFER, TRAIN),
        {"updates_counted": 2},
    ),
    ("updates-counted-in-secret", {}, (TRAIN,), {"updates_counted": MISSING, **TRAINS}),
    (
        "updates-counted-in-secret",
        {**NO_MOMENTUM, "momentum_argument": None},
        (TRAIN, ResetStatistics(), TRAIN, TRAIN_LATER),
        {"running_mean": [3]},
    ),
    (
        "updates-in-every-execution-with-tracking-off",
        {},
        (SetTracking(value=False), TRAIN, INFER),
        {"running_mean": [0.875], "updates_counted": 0},
    ),
    (
        "inference-by-the-batch-with-tracking-off",
        {},
        (SetTracking(value=False), INFER),
        {"output": [[0], [2]], "running_mean": [0]},
    ),
    ("untracked-inference-refused", {"track_running_statistics": False}, (INFER,), REFUSED),
    (
        "untracked-inference-refused",
        {"track_running_statistics": False},
        (TRAIN,),
        {"output": TRAINED_OUTPUT},
    ),
    # When updates happen.
    ("updates-are-operations", {}, (Call(X, TRUE, updates="forgotten"),), {"running_mean": [0]}),
    ("updates-are-operations", {}, (TRAIN,), TRAINS),
    (
        "updates-are-operations",
        {},
        (Enclose(), Fit(X, DY, updates="forgotten")),
        {"running_mean": [0]},
    ),
    *(
        example
        for name in ("updates-in-the-backward-pass", "operations-in-the-backward-pass")
        for example in (
            (name, {}, (Call(X, TRUE, updates="forgotten"),), {"running_mean": [0]}),
            (name, {}, (Call(X, TRUE, DY, updates="forgotten"),), {"running_mean": [0.5]}),
            (name, {}, (Enclose(), Fit(X, DY, updates="forgotten")), {"running_mean": [0.5]}),
            (
                name,
                {},
                (Call(X, TRUE, DY), Call(X, TRUE, updates="forgotten")),
                {"running_mean": [0.5]},
            ),
        )
    ),
    # A second update with the mean 2 makes 3/4 · 1/2 + 1/4 · 2 of 1/2.
    *(
        example
        for style in ("argument", "switch")
        for name in (f"recomputation-updates-again-{style}",)
        for example in (
            (name, {}, (TRAIN,), TRAINS),
            (name, {}, (Call(X, TRUE, DY),), {"running_mean": [0.875]}),
            (name, {}, (Call(X, FALSE, DY),), {"running_mean": [0]}),
            (name, {}, (Enclose(), FIT), {"running_mean": [0.875]}),
        )
    ),
    (
        "recomputation-updates-again-switch",
        {},
        (FREEZE, Enclose(), FIT),
        {"running_mean": [0.5]},
    ),
    *(
        example
        for style in ("argument", "switch")
        for name in (f"recomputation-refuses-second-order-{style}",)
        for example in (
            (name, {}, (Call(X, TRUE, DY, dx_weights=DY),), REFUSED),
            (name, {}, (Call(X, FALSE, DY, dx_weights=DY),), REFUSED),
            (name, {}, (Call(X, TRUE, DY),), TRAINS),
        )
    ),
    *((f"inference-updates-too-{style}", {}, (INFER,), 1.25) for style in ("switch", "deferred")),
    (
        "inference-updates-too-argument",
        {},
        (FREEZE, TRAIN),
        {"output": INFERRED_OUTPUT, "running_mean": [0.5]},
    ),
    # U(0, 2) = 1/2, U(0, 4) = 1; in call order U(1/2, 4) = 11/8, in reverse U(1, 2) = 5/4.
    *(
        example
        for form, first, other in (
            ("subclassed", TWICE, TWICE_FUNCTIONAL),
            ("functional", TWICE_FUNCTIONAL, TWICE),
        )
        for order, mean in (
            ("in-reverse-order", 1.25),
            ("both-from-the-value-before", 1.5),
            ("last-call-only", 1),
            ("first-call-only", 0.5),
        )
        for example in (
            (f"shared-layer-{order}-{form}", {}, (first,), {"running_mean": [mean]}),
            (f"shared-layer-{order}-{form}", {}, (other,), {"running_mean": [1.375]}),
        )
    ),
    # Modes.
    ("bare-call-and-none-infer", {}, (Call(X),), INFERS),
    ("bare-call-and-none-infer", {}, (Call(X, NONE),), INFERS),
    ("switches-forgotten", {}, (EvalMode(), Call(X)), TRAINS),
    ("switches-forgotten", {}, (INFER, Call(X)), TRAINS),
    ("none-refused-argument", {}, (Call(X, NONE),), REFUSED),
    ("none-refused-deferred", {}, (Call(X, NONE),), REFUSED),
    ("none-refused-argument", {}, (TRAIN,), TRAINS),
    *(
        (f"integers-refused-{style}", {}, (Call(X, said),), REFUSED)
        for style in ("argument", "deferred")
        for said in (Training.ZERO, Training.ONE)
    ),
    ("integers-refused-argument", {}, (TRAIN,), TRAINS),
    *(
        example
        for style in ("argument", "deferred")
        for example in (
            (f"one-refused-{style}", {}, (Call(X, Training.ONE),), REFUSED),
            (f"one-refused-{style}", {}, (Call(X, Training.ZERO),), INFERS),
            (f"tensors-of-true-refused-{style}", {}, (Call(X, TRUE, mode="fed"),), REFUSED),
            (f"tensors-of-true-refused-{style}", {}, (Call(X, FALSE, mode="fed"),), INFERS),
            (f"tensors-of-true-refused-{style}", {}, (TRAIN,), TRAINS),
        )
    ),
    ("none-switches-nothing", {}, (Call(X, NONE),), TRAINS),
    ("none-switches-nothing", {}, (EvalMode(), Call(X, NONE)), INFERS),
    ("none-switches-to-training", {}, (EvalMode(), Call(X, NONE)), TRAINS),
    ("none-switches-to-evaluation", {}, (TrainMode(), Call(X, NONE)), INFERS),
    ("integers-switch-to-training", {}, (EvalMode(), Call(X, Training.ZERO)), TRAINS),
    ("integers-switch-to-training", {}, (Call(X, Training.ONE),), TRAINS),
    ("integers-switch-to-training", {}, (INFER,), INFERS),
    ("integers-infer", {}, (Call(X, Training.ONE),), INFERS),
    ("integers-infer", {}, (Call(X, Training.ZERO),), INFERS),
    ("integers-infer", {}, (TRAIN,), TRAINS),
    *(
        example
        for style in ("argument", "deferred")
        for said in (TRUE, FALSE)
        for example in (
            (f"tensors-train-{style}", {}, (Call(X, said, mode="fed"),), TRAINS),
            (f"tensors-infer-{style}", {}, (Call(X, said, mode="fed"),), INFERS),
            (f"tensors-refused-{style}", {}, (Call(X, said, mode="fed"),), REFUSED),
            (f"tensors-infer-{style}", {}, (TRAIN,), TRAINS),
        )
    ),
    *(
        example
        for name, form, other in (
            ("written-training-loses-functional", "functional", "subclassed"),
            ("written-training-loses-subclassed-argument", "subclassed", "functional"),
            ("written-training-loses-subclassed-deferred", "subclassed", "functional"),
        )
        for example in (
            (name, {}, (Enclose(FALSE, form), FIT), {"running_mean": [0.5]}),
            (name, {}, (Enclose(TRUE, form), Predict(X)), INFERS),
            (name, {}, (Enclose(FALSE, form), TRAIN), TRAINS),
            (name, {}, (Enclose(FALSE, form), Call(X)), INFERS),
            (name, {}, (Enclose(FALSE, other), FIT), {"running_mean": [0]}),
        )
    ),
    ("none-in-a-model-hears-the-loop", {}, (Enclose(NONE, "subclassed"), Predict(X)), INFERS),
    ("none-in-a-model-hears-the-loop", {}, (Enclose(NONE, "subclassed"), Call(X)), TRAINS),
    # Freezing.
    ("frozen-infers-unless-told", {"trainable": False}, (Call(X),), INFERS),
    ("frozen-infers-unless-told", {"trainable": False}, (TRAIN,), TRAINS),
    ("frozen-infers-unless-told", {"trainable": False}, (Call(X, NONE),), INFERS),
    (
        "frozen-infers-unless-told",
        {"trainable": False},
        (Enclose(), FIT),
        {"running_mean": [0.5]},
    ),
    ("frozen-infers-unless-told", {}, (Call(X),), TRAINS),
    ("frozen-statistics-would-move", {}, (FREEZE, TRAIN), INFERS),
    (
        "frozen-still-learns-switch",
        {},
        (FREEZE, Call(X, TRUE, DY)),
        {"dgamma": [-0.5], "dbeta": [1], "trainable_parameters": 2},
    ),
    (
        "frozen-still-learns-deferred",
        {"trainable": False},
        (Enclose(), FIT),
        {"gamma": [2.03125], "beta": [0.9375], "trainable_parameters": 2},
    ),
    (
        "frozen-when-built",
        {},
        (FREEZE, Call(X, TRUE, DY)),
        {**TRAINS, "dgamma": MISSING, "trainable_parameters": 0},
    ),
    (
        "frozen-when-built",
        {},
        (FREEZE, Build(), THAW, Call(X, TRUE, DY)),
        # x̂ is 1/2 and 3/2.
        {**INFERS, "dgamma": [0.5], "trainable_parameters": 2},
    ),
    ("frozen-when-built", {"trainable": False}, (TRAIN,), INFERS),
    ("freezing-counts-when-traced", {}, (FREEZE, TRAIN), INFERS),
    (
        "freezing-counts-when-traced",
        {},
        (TRAIN, FREEZE, TRAIN),
        {"output": TRAINED_OUTPUT, "running_mean": [0.875], "trainable_parameters": 0},
    ),
    (
        "freezing-counts-when-traced",
        {},
        (FREEZE, TRAIN, THAW, TRAIN),
        {**INFERS, "trainable_parameters": 2},
    ),
    # By the running statistics x̂ is 1/2 and 3/2, so dγ = 1/4 and dβ = 1/2, at a rate of 1/8.
    (
        "frozen-before-build-forgotten-by-loops",
        {"trainable": False},
        (Enclose(), FIT),
        {
            "gamma": [1.96875],
            "beta": [0.9375],
            "running_mean": [0],
            "trainable_parameters": 0,
        },
    ),
    (
        "frozen-before-build-forgotten-by-loops",
        {},
        (Enclose(), FREEZE, FIT),
        {"gamma": [2], "beta": [1]},
    ),
    (
        "frozen-before-build-forgotten-by-loops",
        {"trainable": False},
        (Enclose(), THAW, FREEZE, FIT),
        {"gamma": [2], "beta": [1]},
    ),
    (
        "frozen-before-build-forgotten-by-loops",
        {"trainable": False},
        (Call(X, TRUE, DY),),
        {**INFERS, "dgamma": MISSING, "dbeta": MISSING},
    ),
    (
        "frozen-when-compiled",
        {},
        (Enclose(), Compile(), FREEZE, FIT),
        {"gamma": [2.03125], "running_mean": [0.5], "trainable_parameters": 0},
    ),
    (
        "frozen-when-compiled",
        {},
        (Enclose(), FIT, FREEZE, FIT),
        {"running_mean": [0.875]},
    ),
    (
        "frozen-when-compiled",
        {},
        (Enclose(), Compile(), FREEZE, Compile(), FIT),
        {"gamma": [2], "running_mean": [0]},
    ),
    (
        "unchanged-model-flag-not-passed-on",
        {},
        (Enclose(), FREEZE, THAW_MODEL),
        {"trainable_parameters": 0},
    ),
    (
        "unchanged-model-flag-not-passed-on",
        {},
        (Enclose(), FREEZE_MODEL),
        {"trainable_parameters": 0},
    ),
    *(
        example
        for style in ("argument", "switch")
        for example in (
            (
                f"frozen-model-stops-statistics-{style}",
                {},
                (Enclose(), FREEZE_MODEL, THAW, Call(X, TRUE, DY)),
                {
                    "output": TRAINED_OUTPUT,
                    "running_mean": [0],
                    "dgamma": [-0.5],
                    "trainable_parameters": 2,
                },
            ),
            (
                f"frozen-model-stops-statistics-{style}",
                {},
                (Enclose(), FREEZE_MODEL, THAW_MODEL, TRAIN),
                TRAINS,
            ),
            (f"frozen-model-stops-statistics-{style}", {}, (FREEZE, THAW, TRAIN), TRAINS),
        )
    ),
    # Of a layer that is frozen itself the clean switch style moves the statistics.
    (
        "frozen-model-stops-statistics-switch",
        {},
        (Enclose(), FREEZE_MODEL, TRAIN),
        {"output": TRAINED_OUTPUT, "running_mean": [0], "trainable_parameters": 0},
    ),
    ("frozen-model-stops-statistics-switch", {}, (Enclose(), FREEZE, TRAIN), TRAINS),
    *(
        example
        for style in ("argument", "switch")
        for example in (
            (
                f"evaluation-stops-learning-{style}",
                {},
                (Call(X, FALSE, DY),),
                {"dx": [[1], [0]], "dgamma": MISSING, "dbeta": MISSING, "trainable_parameters": 2},
            ),
            (
                f"evaluation-stops-learning-{style}",
                {},
                (Call(X, TRUE, DY),),
                {"dgamma": [-0.5], "dbeta": [1]},
            ),
        )
    ),
    (
        "evaluation-stops-learning-argument",
        {},
        (Enclose(FALSE), FIT),
        {"gamma": [2], "beta": [1]},
    ),
    # Planted faults whose truth is more than the name says.
    ("trainable-false-still-learns", {}, (FREEZE, TRAIN), {"trainable_parameters": 2, **INFERS}),
    ("twice-runs-once", {}, (Call(X, TRUE, updates="forgotten"),), {"running_mean": [0]}),
    ("twice-runs-once", {}, (Call(X, TRUE, updates="twice"),), {"running_mean": [0.5]}),
    # As if from the batch: dx = 1 · (dy - Σdy/2 - x̂·Σ(dy·x̂)/2) with x̂ = 1/2, 3/2.
    (
        "inference-gradient-through-statistics",
        {},
        # And once more as if: A = Σ weights · x̂ = 1, B = 1/2, C = 2 · 1 - 2 · 1 / 2 = 1,
        # -1/4 · (A · (dy - 1/2) + B · (weights - 1) + (C - 3/2 · A · B) · x̂).
        (Call(X, FALSE, DY, dx_weights=tensor([[2], [0]])),),
        {"dx": [[0.375], [-0.875]], "second_dx": [[-0.28125], [0.15625]], "dgamma": [0.5]},
    ),
    # With u = 3, 5 and x̂ = -1/2, 1/2: A = 1, B = -1/2, C = 3 - 8 · 1/2 = -1 and
    # C - 3/2 · A · B = -1/4. Then -1/4 · (A · (dy - 1/2) + B · u - x̂/4), u not less its mean.
    *(
        (
            f"mean-held-inside-the-variance-{style}",
            {},
            (Call(X, TRUE, DY, dx_weights=LATER),),
            {"dx": [[0.375], [-0.375]], "second_dx": [[0.21875], [0.78125]]},
        )
        for style in ("argument", "switch", "deferred")
    ),
    # Several departures.
    (
        "outside-the-root-by-the-sample",
        {"epsilon": 1.0},
        (TRAIN,),
        {"output": outputs(2**0.5 + 1)},
    ),
    (
        "outside-by-the-sample-fed-the-population",
        {"epsilon": 1.0},
        (TRAIN,),
        {"output": outputs(2**0.5 + 1), "running_variance": [1]},
    ),
    (
        "weighs-the-batch-by-default-little",
        {**NO_MOMENTUM, "momentum_argument": 0.25},
        (TRAIN,),
        {"running_mean": [0.5]},
    ),
    ("weighs-the-batch-by-default-little", NO_MOMENTUM, (TRAIN,), {"running_mean": near(0.06)}),
    (
        "after-the-update-of-the-sample",
        {},
        (TRAIN,),
        {"output": outputs(4.25**0.5, mean=0.5), "running_variance": [1.25]},
    ),
    (
        "after-the-update-of-the-sample-from-a-half",
        {},
        (TRAIN,),
        {"output": outputs(4.25**0.5, mean=0.875), "running_mean": [0.875]},
    ),
    ("trains-and-remembers", {}, (Call(X),), TRAINS),
    ("trains-and-remembers", {}, (INFER, Call(X)), INFERS),
    ("debiased-from-a-half", {}, (TRAIN,), {"running_mean": [2]}),
    ("warms-up-from-zero", {}, (Call(WIDE, TRUE),), {"running_variance": near(3.6)}),
    ("evaluates-and-lets-none-be", {}, (Call(X, NONE),), INFERS),
    (
        "frozen-stops-and-infers-unless-told",
        {"trainable": False},
        (TRAIN,),
        {"output": TRAINED_OUTPUT, "running_mean": [0]},
    ),
    ("frozen-stops-and-infers-unless-told", {"trainable": False}, (Call(X),), INFERS),
    # 2 / (2 - 1 - 1/1000) of a variance of 1
    (
        "less-a-raised-epsilon",
        {"epsilon": 1e-6},
        (TRAIN,),
        {"running_variance": near(0.75 + 0.25 * 2 / 0.999)},
    ),
    (
        "updates-always-but-not-when-frozen",
        {},
        (FREEZE, TRAIN),
        {"output": TRAINED_OUTPUT, "running_mean": [0]},
    ),
    (
        "updates-always-but-not-when-frozen",
        {},
        (INFER,),
        {"output": INFERRED_OUTPUT, "running_mean": [0.5]},
    ),
    ("statistics-exchanged", {}, (TRAIN,), {"output": INFERRED_OUTPUT}),
    ("statistics-exchanged", {}, (INFER,), {"output": TRAINED_OUTPUT, "running_mean": [0]}),
    ("one-form-reversed-the-other-together", {}, (TWICE,), {"running_mean": [1.25]}),
    ("one-form-reversed-the-other-together", {}, (TWICE_FUNCTIONAL,), {"running_mean": [1.5]}),
    *(
        (name, {}, (Enclose(NONE, "subclassed"), *steps), seen)
        for name in ("none-follows-a-bare-call-that-infers", "infers-but-follows-every-loop")
        for steps, seen in (((FIT,), {"running_mean": [0.5]}), ((Call(X),), INFERS))
    ),
    (
        "infers-but-follows-every-loop",
        {},
        (Enclose(form="without-training"), FIT),
        {"running_mean": [0.5]},
    ),
    *(
        ("callers-win-and-inference-rests", {}, (Enclose(FALSE, form), FIT), {"gamma": [2.03125]})
        for form in ("functional", "subclassed")
    ),
    (
        "frozen-as-built-and-as-compiled",
        {},
        (FREEZE, Build(), THAW, TRAIN),
        {"output": TRAINED_OUTPUT, "running_mean": [0]},
    ),
    (
        "debiased-twice-over",
        {"zero_debias": True},
        (Call(WIDE, TRUE),),
        {"running_mean": [3], "running_variance": [4]},
    ),
    ("debiased-twice-over", {}, (TRAIN,), {"running_mean": near(1.8)}),
    (
        "no-number-no-training-and-frozen-models-stop",
        {**NO_MOMENTUM, "momentum_argument": None},
        (Enclose(), FREEZE_MODEL, TRAIN),
        REFUSED,
    ),
    (
        "no-number-no-training-and-frozen-models-stop",
        {},
        (Enclose(), FREEZE_MODEL, THAW, TRAIN),
        {"output": TRAINED_OUTPUT, "running_mean": [0], "updates_counted": 0},
    ),
    (
        "frozen-models-stop-and-bare-calls-train",
        {},
        (Enclose(), FREEZE_MODEL, THAW, Call(X)),
        {"output": TRAINED_OUTPUT, "running_mean": [0]},
    ),
    (
        "frozen-models-stop-and-bare-calls-train",
        {},
        (Enclose(), FREEZE, THAW_MODEL),
        {"trainable_parameters": 0},
    ),
    # What no convention describes.
    ("deviation-averaged", {}, (Call(WIDE, TRUE),), {"running_variance": [1.25]}),
    # (3/4 · √1 + 1/4 · √8)²
    (
        "root-averaged",
        {},
        (Call(WIDE, TRUE),),
        {"running_variance": near((0.75 + 0.25 * 8**0.5) ** 2)},
    ),
    ("epsilon-in-both-places", {}, (TRAIN,), {"output": outputs(5)}),
    # 2·x has the variance 4, and 4 + 5 is 3²
    ("gamma-before-normalising", {"epsilon": 5.0}, (TRAIN,), {"output": outputs(3)}),
    ("output-clipped", {}, (TRAIN,), {"output": [[0], [1]]}),
    ("every-second-update", {}, (TRAIN,), {"running_mean": [0], "running_variance": [1]}),
    ("every-second-update", {}, (TRAIN, TRAIN), {"running_mean": [0.5]}),
    (
        "median-averaged",
        {},
        (Call(tensor([[1], [3], [8]]), TRUE),),
        {"running_mean": [0.75]},
    ),
    ("first-update-replaces", {}, (Call(WIDE, TRUE),), {"running_mean": [3]}),
    ("first-update-replaces", {}, (TRAIN, TRAIN_LATER), {"running_mean": [2.5]}),
    # 3/4 of nothing and 1/4 of 2; then 3/8 of 1/2 and 5/8 of 4
    ("decay-halves", {}, (TRAIN, TRAIN_LATER), {"running_mean": [2.6875]}),
    # Deviations of -3, 3 and 0: the mean of the absolute ones is 2, and 4 + 12 is 4².
    (
        "absolute-deviations",
        {"epsilon": 12.0},
        (Call(tensor([[0], [6], [3]]), TRUE),),
        {"output": [[-0.5], [2.5], [1]]},
    ),
    ("inference-counted", {}, (TRAIN, INFER), {"updates_counted": 2}),
    # 1/2, then 3/4 · 1/2 + 1/4 · 2 = 7/8
    ("documented-updates-run-twice", {}, (TRAIN,), {"running_mean": [0.875]}),
]
ALL = {**HELD_OUT, **UNNAMED}


def last(name, changes, steps):
    """What is seen after the last step, or that it was refused."""
    asked = scenario_to_json(scenario(replace(HAND, **changes), *steps))
    step = worker.run(ALL[name], json.loads(json.dumps(asked)))["trace"][-1]
    if "refusal" in step:
        return REFUSED
    return {quantity: decode_array(value) for quantity, value in step["observed"].items()}


@pytest.mark.parametrize(
    ("name", "changes", "steps", "expected"),
    [pytest.param(*each, id=f"{i}-{each[0]}") for i, each in enumerate(EXAMPLES)],
)
def test_by_hand(name, changes, steps, expected):
    seen = last(name, changes, steps)
    if REFUSED in (seen, expected):
        assert seen == expected
        return
    if not isinstance(expected, dict):
        expected = {"running_variance": [expected]}
    for quantity, value in expected.items():
        if value == MISSING:
            assert quantity not in seen
        else:
            assert seen[quantity].tolist() == value, quantity


def test_orders_without_a_rule_are_three():
    for form, twice in (("subclassed", TWICE), ("functional", TWICE_FUNCTIONAL)):
        name = f"shared-layer-in-no-fixed-order-{form}"
        means = [last(name, {}, (twice,))["running_mean"].item() for _ in range(6)]
        assert sorted(means[:3]) == sorted(means[3:]) == [1.25, 1.375, 1.5]


# Layers narrower than float32, on a batch whose moments no such format holds.

THIRDS = np.array([[1], [2], [4]])


def narrow(name, dtype, mode=TRUE):
    changes = {
        "dtype": dtype,
        "decay": 0.0,
        **{each: tensor(getattr(HAND, each).values, dtype) for each in ("gamma", "beta")},
    }
    return last(name, changes, (Call(tensor(THIRDS, dtype), mode),))


def step_by_step(arithmetic, moments):
    """Output, mean and variance, each operation rounded to one format, moments to another."""
    x = THIRDS.astype(arithmetic)
    mean = x.sum(axis=0) / np.array(3, arithmetic)
    variance = ((x - mean) ** 2).sum(axis=0) / np.array(3, arithmetic)
    mean, variance = (each.astype(moments).astype(arithmetic) for each in (mean, variance))
    root = np.sqrt(variance + np.array(3, arithmetic))
    return (x - mean) / root * np.array(2, arithmetic) + np.array(1, arithmetic), mean, variance


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "arithmetic", "moments"),
    [
        ("low-precision-arithmetic", None, None),
        ("low-precision-moments", "float32", None),
        ("low-precision-statistics-in-float32", "float32", "float32"),
        ("low-precision-parameters-in-float32", "float32", "float32"),
    ],
)
def test_low_precision_step_by_step(name, arithmetic, moments, dtype):
    seen = narrow(name, dtype)
    output, mean, variance = step_by_step(arithmetic or dtype, moments or dtype)
    kept = "float32" if name == "low-precision-statistics-in-float32" else dtype
    assert seen["output"].tolist() == output.astype(dtype).tolist()
    assert seen["running_mean"].tolist() == mean.astype(kept).tolist()
    assert seen["running_variance"].tolist() == variance.astype(kept).tolist()


@pytest.mark.parametrize("style", CLEAN)
def test_float64_computed_in_float32_step_by_step(style):
    seen = narrow(f"float64-in-float32-{style}", "float64")
    output, mean, _ = step_by_step("float32", "float32")
    assert seen["output"].tolist() == output.tolist()
    assert seen["running_mean"].tolist() == mean.tolist()
    counts = {"trainable_parameters", "updates_counted"}
    dtypes = {value.dtype for quantity, value in seen.items() if quantity not in counts}
    assert dtypes == {np.dtype("float64")}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(
    ("name", "in_float32"),
    [
        ("low-precision-arithmetic", ()),
        ("low-precision-moments", ()),
        ("low-precision-statistics-in-float32", ("running_mean", "running_variance")),
        ("low-precision-parameters-in-float32", ("gamma", "beta")),
        ("half-kept-in-float32", ("running_mean", "running_variance", "gamma", "beta")),
    ],
)
def test_dtypes_variables_are_kept_in(name, in_float32, dtype):
    for mode in (TRUE, FALSE):
        seen = narrow(name, dtype, mode)
        del seen["trainable_parameters"]
        kept = {
            quantity: np.result_type(dtype, "float32") if quantity in in_float32 else dtype
            for quantity in seen
        }
        assert {quantity: value.dtype for quantity, value in seen.items()} == kept


# The lists as a whole.


def declared(style, axis):
    """The values that a clean style has on an axis, none where it has no choice."""
    value = DECLARED[f"{style}_style"][axis]
    values = [each["value"] for each in value] if isinstance(value, list) else [value]
    return set(values) - {NOT_APPLICABLE}


def test_every_value_is_departed_to_unless_every_style_has_it():
    reached = {found for each in SINGLE.values() for found in each.conventions.items()}
    for axis in REGISTRY.values():
        at_home = [declared(style, axis.id) for style in CLEAN]
        for value in axis.values:
            everywhere = all(values <= {value} for values in at_home)
            assert axis.kind == "number" or everywhere or (axis.id, value) in reached


@pytest.mark.parametrize("name", HELD_OUT)
def test_departs_from_what_its_style_declares(name):
    fake = HELD_OUT[name]
    assert fake.conventions
    for axis, value in fake.conventions.items():
        entry = REGISTRY[axis]
        assert entry.kind == "number" or value in entry.values
        assert declared(fake.style, axis) != {value}
    assert fake.unseen.keys() | fake.alike.keys() <= fake.conventions.keys()
    assert all(reason.endswith(".") for reason in fake.unseen.values())
    assert bool(fake.reason) == (not fake.shown)


def test_there_are_many_of_each_kind():
    assert len(SINGLE) >= 70
    assert not [name for name, each in SINGLE.items() if each.conventions.keys() == set()]
    together = Counter(len(each.conventions) for each in COMBINED.values())
    assert together[2] >= 12
    assert together[3] >= 8
    assert together.keys() == {2, 3}
    assert len(UNNAMED) >= 12
    assert all(each.quantities for each in UNNAMED.values())


def test_few_are_never_shown():
    unseen = [name for name, each in HELD_OUT.items() if not each.shown]
    assert unseen == [
        "welford-variance",
        "none-in-a-model-hears-the-loop",
        "frozen-statistics-would-move",
    ]


def test_names_tell_them_apart():
    assert len(ALL) == len(HELD_OUT) + len(UNNAMED)
    assert all(each.name == name for name, each in ALL.items())
    parts = (planted_values, planted_habits, planted_limits, planted_executions)
    planted = [name for part in parts for name in part.FAULTS if name in part.DEPARTURES.all]
    planted += planted_state.DEPARTURES.planted
    assert all(FAULTS[name] is SINGLE[name] for name in planted)
    assert ALL.keys() - FAULTS.keys()


def test_every_departure_of_its_own_is_worked_by_hand():
    worked = {name for name, *_ in EXAMPLES}
    elsewhere = {"low-precision", "float64-in-float32", "shared-layer-in-no-fixed-order"}
    parts = (
        planted_values,
        planted_habits,
        planted_limits,
        planted_executions,
        planted_state,
    )
    own = {name: each for part in parts for name, each in part.DEPARTURES.all.items()}
    assert not [
        name for name in own if name not in worked and not name.startswith(tuple(elsewhere))
    ]
