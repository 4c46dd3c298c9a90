"""How fast running statistics follow: what the momentum argument means, and what it does not."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from suites.inputs import BASE, TRAINED, batch
from suites.sources import CONTRIB, KERAS, MOVING_AVERAGES, PAPER, TORCH
from suites.vocabulary import ABSENT, Call, Layer, Scenario, Training

scenario = partial(Scenario, suite="momentum", about=("running_mean",))
TRUE = Training.TRUE
DOCUMENTED = (KERAS, TORCH, CONTRIB)
DEBIASING = ("running-mean-debiasing", "running-variance-debiasing")
X, OTHER = batch("momentum", 3), batch("momentum/other", 3)


def literally(argument: float | None) -> Layer:
    """Return a layer whose momentum argument is handed over as it is."""
    return replace(BASE, decay=ABSENT, momentum_argument=argument)


SCENARIOS = (
    scenario(
        name="momentum-argument-0.9",
        question="Does momentum=0.9 keep nine tenths of the old running value, or one tenth?",
        layer=literally(0.9),
        steps=(Call(X, TRUE), Call(OTHER, TRUE)),
        settles=("momentum-sense",),
        clauses=("BN-4.2",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="momentum-argument-0.99",
        question="Does momentum=0.99 make the running statistics follow slowly, or at once?",
        layer=literally(0.99),
        steps=(Call(X, TRUE, repeat=3),),
        settles=("momentum-sense",),
        clauses=("BN-4.2",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="momentum-argument-0",
        question="Does momentum=0 stop the running statistics, or replace them by the batch's?",
        layer=literally(0.0),
        steps=(Call(X, TRUE),),
        settles=("momentum-sense",),
        clauses=("BN-4.2",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="momentum-argument-1",
        question="Does momentum=1 replace the running statistics by the batch's, or stop them?",
        layer=literally(1.0),
        steps=(Call(X, TRUE),),
        settles=("momentum-sense",),
        clauses=("BN-4.2",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="momentum-argument-none",
        question="Does momentum=None average all batches with equal weight?",
        layer=literally(None),
        # In inference first: one who refuses None may do so in training alone.
        steps=(Call(X, Training.FALSE), Call(X, TRUE), Call(OTHER, TRUE), Call(X, TRUE)),
        settles=("momentum-none",),
        clauses=("BN-4.3",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="momentum-by-default",
        question="How much of the old running value is kept when the user does not say?",
        layer=replace(BASE, decay=ABSENT),
        steps=(Call(X, TRUE),),
        settles=("default-decay",),
        clauses=("BN-4.2",),
        sources=DOCUMENTED,
    ),
    scenario(
        name="one-update",
        question="Is the new running value decay times the old plus (1 − decay) times the batch's?",
        layer=TRAINED,
        steps=(Call(X, TRUE),),
        about=("running_mean", "running_variance"),
        settles=("running-variance-factor", *DEBIASING),
        clauses=("BN-4.1", "BN-4.10"),
        sources=(PAPER, *DOCUMENTED),
    ),
    scenario(
        name="ten-equal-batches",
        question="After ten equal batches, is decay¹⁰ of the initial running value left?",
        layer=BASE,
        steps=(Call(X, TRUE, repeat=10),),
        settles=("running-mean-debiasing",),
        clauses=("BN-4.1", "BN-4.10"),
        sources=DOCUMENTED,
    ),
    *(
        scenario(
            name=f"forget-in-{batches}-batches",
            question=f"With decay e^(−1/{batches}), is 1/e of the initial value left after "
            f"{batches} batches?",
            layer=replace(BASE, decay=math.exp(-1 / batches)),
            steps=(Call(X, TRUE, repeat=batches),),
            settles=("running-mean-debiasing",),
            clauses=("BN-4.1",),
            sources=DOCUMENTED,
        )
        for batches in (10, 50, 100)
    ),
    scenario(
        name="training-output-does-not-depend-on-momentum",
        question="Is the training output untouched by the momentum and the running statistics?",
        layer=replace(BASE, decay=0.5),
        steps=(Call(X, TRUE), Call(X, TRUE)),
        about=("output",),
        settles=("training-output-statistics",),
        clauses=("BN-6.1",),
        sources=(PAPER,),
    ),
    scenario(
        name="zero-debias",
        question="With zero-debiasing asked for, is the first running mean the batch's own?",
        layer=replace(BASE, zero_debias=True),
        steps=(Call(X, TRUE),),
        settles=("zero-debias-argument",),
        clauses=("BN-4.4",),
        sources=(CONTRIB, MOVING_AVERAGES),
    ),
    scenario(
        name="zero-debias-over-three-batches",
        question="With zero-debiasing, is the running mean the biased one over 1 − decayᵗ?",
        layer=replace(BASE, zero_debias=True),
        steps=(Call(X, TRUE), Call(OTHER, TRUE), Call(X, TRUE)),
        settles=("zero-debias-argument",),
        clauses=("BN-4.4",),
        sources=(CONTRIB, MOVING_AVERAGES),
    ),
)
