"""What thousands of updates add up to.

The judge asks every implementation the same; of Keras 3 ten thousand executions outside a training
loop take fourteen seconds on one core, two thousand less than three.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import BASE, batch
from suites.sources import CONTRIB, KERAS, PAPER, TORCH
from suites.vocabulary import ABSENT, Call, Scenario, Training

scenario = partial(
    Scenario,
    suite="long-runs",
    about=("running_mean", "running_variance", "updates_counted"),
    sources=(PAPER, KERAS, TORCH, CONTRIB),
)
TRUE = Training.TRUE
X, OTHER = batch("momentum", 3), batch("momentum/other", 3)
DECAY = 1 - 2.0**-11

SCENARIOS = (
    scenario(
        name="two-thousand-updates",
        question="After two thousand equal batches, are e^(−1) of the initial values left under a "
        "decay of 2047/2048?",
        layer=replace(BASE, decay=DECAY),
        steps=(Call(X, TRUE, repeat=2000),),
        settles=("running-variance-factor", "running-mean-debiasing", "running-variance-debiasing"),
        clauses=("BN-4.1", "BN-5.1"),
    ),
    scenario(
        name="ten-thousand-batches-averaged",
        question="After five thousand batches of one kind and as many of another, is the "
        "cumulative average midway?",
        layer=replace(BASE, decay=ABSENT, momentum_argument=None),
        steps=(Call(X, TRUE, repeat=5000), Call(OTHER, TRUE, repeat=5000)),
        settles=("momentum-none", "running-variance-factor"),
        clauses=("BN-4.3", "BN-4.7"),
        sources=(TORCH,),
    ),
)
