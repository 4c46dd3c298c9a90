"""What one NaN or one infinity reaches: in the input, in the gradient, among the parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, changed, spoiled, weights
from suites.sources import CONTRIB, KERAS, PAPER, TORCH
from suites.vocabulary import Absent, Call, Scenario, Tensor, Training

scenario = partial(
    Scenario,
    suite="non-finite",
    about=("output", "running_mean", "running_variance", "dx", "dgamma", "dbeta"),
    sources=(PAPER, KERAS, TORCH, CONTRIB),
)
TRUE, FALSE = Training.TRUE, Training.FALSE
LAYER = replace(TRAINED, epsilon=0.25)
IMAGES = replace(LAYER, rank=4)
X, DY = batch("training-gradients/9"), weights("training-gradients/9")
X4, DY4 = batch("gradients-4/5", 2, rank=4), weights("gradients-4/5", 2, rank=4)
NON_FINITE = ("non-finite-input",)
OUTPUTS = ("training-output-statistics", "inference-output-statistics")


def with_nan(values: Tensor | Absent) -> Tensor:
    """Return initial values with NaN in the second channel."""
    assert isinstance(values, Tensor)
    return spoiled(values, 1)


SCENARIOS = (
    scenario(
        name="nan-in-a-training-batch-rank-4",
        question="Does one NaN in a batch of images stay in its channel, and do clean batches "
        "recover?",
        layer=IMAGES,
        steps=(Call(spoiled(X4, 4), TRUE), Call(X4, TRUE), Call(X4, FALSE)),
        settles=NON_FINITE,
        clauses=("BN-9.1", "BN-9.2", "BN-9.3"),
    ),
    scenario(
        name="nan-in-a-training-batch-gradients",
        question="Which gradients does one NaN in a training batch reach?",
        layer=LAYER,
        steps=(Call(spoiled(X, 4), TRUE, DY), Call(X, TRUE, DY)),
        settles=NON_FINITE,
        clauses=("BN-9.1", "BN-7.3"),
    ),
    *(
        scenario(
            name=f"{sign}infinity-in-a-training-batch{word}",
            question=f"What does one {sign}infinity in a training batch{said} reach, and do clean "
            "batches recover?",
            layer=layer,
            steps=(Call(changed(x, 4, value), TRUE, dy), Call(x, TRUE), Call(x, FALSE)),
            settles=NON_FINITE,
            clauses=("BN-9.1", "BN-9.5", "BN-9.6"),
        )
        for sign, word, said, layer, x, dy, value in (
            ("", "", "", LAYER, X, DY, math.inf),
            ("minus-", "", "", LAYER, X, DY, -math.inf),
            ("", "-rank-4", " of images", IMAGES, X4, DY4, math.inf),
        )
    ),
    *(
        scenario(
            name=f"{word}-in-inference{rank}",
            question=f"Does one {said} in inference change the output at its own position alone, "
            "and nothing that lasts?",
            layer=layer,
            steps=(Call(changed(x, 4, value), FALSE), Call(x, FALSE)),
            settles=("inference-output-statistics", "inference-updates"),
            clauses=("BN-9.4", "BN-5.2"),
        )
        for word, rank, said, layer, x, value in (
            ("nan", "", "NaN", LAYER, X, math.nan),
            ("nan", "-rank-4", "NaN among images", IMAGES, X4, math.nan),
            ("infinity", "", "infinity", LAYER, X, math.inf),
        )
    ),
    scenario(
        name="nan-in-dy",
        question="Which gradients does one NaN reach that arrives at the output in training?",
        layer=LAYER,
        steps=(Call(X, TRUE, spoiled(DY, 4)), Call(X, TRUE, DY)),
        settles=("training-gradient",),
        clauses=("BN-9.7", "BN-7.1"),
    ),
    scenario(
        name="nan-in-dy-in-inference",
        question="Which gradients does one NaN reach that arrives at the output in inference?",
        layer=LAYER,
        steps=(Call(X, FALSE, spoiled(DY, 4)), Call(X, FALSE, DY)),
        settles=("inference-gradient",),
        clauses=("BN-9.7", "BN-7.4"),
    ),
    *(
        scenario(
            name=f"nan-in-{word}",
            question=f"Does a NaN in {word} of one channel stay in that channel?",
            layer=layer,
            steps=(Call(X, TRUE, DY), Call(X, FALSE, DY)),
            settles=OUTPUTS,
            clauses=("BN-9.8",),
        )
        for word, layer in (
            ("gamma", replace(LAYER, gamma=with_nan(LAYER.gamma))),
            ("beta", replace(LAYER, beta=with_nan(LAYER.beta))),
        )
    ),
    scenario(
        name="nan-in-a-running-statistic",
        question="Does a running variance that is NaN leave training as it is, and inference of "
        "the other channels?",
        layer=replace(LAYER, running_variance=with_nan(LAYER.running_variance)),
        steps=(Call(X, TRUE, DY), Call(X, FALSE), Call(X, TRUE)),
        settles=("training-output-statistics",),
        clauses=("BN-9.8", "BN-9.2", "BN-6.1"),
    ),
)
