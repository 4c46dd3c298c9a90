"""The programs `bnconform smoke` asks an adapter to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suites.inputs import TRAINED, batch, of_dtype, weights
from suites.vocabulary import (
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
    Scenario,
    SetTrainable,
    Step,
    Training,
    TrainMode,
)

TRUE, FALSE = Training.TRUE, Training.FALSE
X = batch("smoke", samples=4)
DY = weights("smoke", samples=4)
IMAGES = batch("smoke", samples=2, rank=4)
WIDE = batch("smoke", samples=4, dtype="float64")
Shapes = Mapping[str, tuple[int, ...]]


def asked(what: str, layer: Layer, *steps: Step) -> Scenario:
    """Return a program; its question is what it is about, for a sentence to name."""
    return Scenario("smoke", "smoke", what, layer, steps, (), (), (), ())


PLAIN = asked("a plain layer", TRAINED, Call(X, TRUE), Call(X, FALSE))
SPARING = asked("a layer of which nothing is said", Layer(channels=3, rank=2), Call(X, TRUE))
BEFORE_BUILD = asked("the state before `build`", TRAINED, SetTrainable(value=False), Build())
IMAGE = asked("images", replace(TRAINED, rank=4), Call(IMAGES, TRUE))
DOUBLE = asked("a float64 layer", of_dtype(TRAINED, "float64"), Call(WIDE, TRUE))
GRADIENTS = asked("gradients", TRAINED, Call(X, TRUE, dy=DY))
SECOND_ORDER = asked("second-order gradients", TRAINED, Call(X, TRUE, dy=DY, dx_weights=DY))

OUTPUT: Shapes = {"output": X.shape}
FIRST: Shapes = {**OUTPUT, "dx": X.shape, "dgamma": (3,), "dbeta": (3,)}
SECOND: Shapes = {**FIRST, "second_dx": X.shape}
TWO_OUTPUTS: Shapes = {**OUTPUT, "second_output": X.shape}
LOSS: Shapes = {"loss": ()}

OTHERS: tuple[tuple[Scenario, Shapes], ...] = (
    (asked("`enclose`", TRAINED, Enclose(), Call(X, TRUE)), OUTPUT),
    (asked("`fit`", TRAINED, Enclose(), Fit(X, DY, 2, 2)), LOSS),
    (asked("`evaluate`", TRAINED, Enclose(), Evaluate(X, DY)), LOSS),
    (asked("`predict`", TRAINED, Enclose(), Predict(X, 2)), OUTPUT),
    (asked("`compile`", TRAINED, Enclose(), Compile(), Fit(X, DY)), LOSS),
    (asked("`call_twice`", TRAINED, CallTwice(X, X, TRUE)), TWO_OUTPUTS),
    (asked("`eval_mode`", TRAINED, EvalMode(), Call(X)), OUTPUT),
    (asked("`train_mode`", TRAINED, TrainMode(), Call(X)), OUTPUT),
    (asked("`set_trainable`", TRAINED, SetTrainable(value=False), Call(X, TRUE)), OUTPUT),
    (asked("`reset_statistics`", TRAINED, ResetStatistics()), {"running_mean": (3,)}),
    (asked("a mode given as a tensor", TRAINED, Call(X, TRUE, mode="fed")), OUTPUT),
)
"""Each with the shapes of what its last step shows."""

TELLING = (
    "training-output",
    "epsilon-in-training",
    "inference-output",
    "gamma-and-beta-in-training",
    "default-epsilon",
    "one-update",
    "momentum-argument-0.9",
    "running-variance-of-3-values",
    "inference-moves-nothing",
    "rank-4-training",
    "rank-3-inference",
    "training-gradients",
    "training-gradients-rank-4",
    "inference-gradients",
    "second-order-in-training",
    "fit-in-batches",
    "evaluate-after-fit",
    "frozen-gradients",
)
"""Scenarios that between them touch all that a first adapter gets wrong."""
