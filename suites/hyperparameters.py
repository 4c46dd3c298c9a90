"""Momentum and epsilon at the ends of their ranges, and past them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import BASE, TRAINED, batch, weights
from suites.sources import CONTRIB, KERAS, PAPER, TORCH
from suites.vocabulary import ABSENT, Call, Layer, Scenario, Training

scenario = partial(
    Scenario,
    suite="hyperparameters",
    about=("output", "running_mean", "running_variance", "dx", "dgamma"),
    sources=(KERAS, TORCH, CONTRIB),
)
TRUE, FALSE = Training.TRUE, Training.FALSE
X, OTHER = batch("momentum", 3), batch("momentum/other", 3)
WIDE, DY = batch("training-gradients/9"), weights("training-gradients/9")
EPSILON = "https://github.com/pytorch/pytorch/issues/166405"


def literally(argument: float) -> Layer:
    """Return a trained layer whose momentum argument is handed over as it is."""
    return replace(TRAINED, decay=ABSENT, momentum_argument=argument)


def with_epsilon(epsilon: float, rank: int = 2) -> Layer:
    """Return the trained layer with this epsilon."""
    return replace(TRAINED, epsilon=epsilon, rank=rank)


SCENARIOS = (
    *(
        scenario(
            name=f"momentum-argument-{word}",
            question=f"What does a momentum of {argument} do, in inference and in training?",
            layer=literally(argument),
            # In inference first: one who refuses the number may do so in training alone.
            steps=(Call(X, FALSE), Call(X, TRUE), Call(OTHER, TRUE)),
            settles=("momentum-out-of-range", "momentum-sense"),
            clauses=("BN-4.11", "BN-4.1"),
        )
        for word, argument in (
            ("below-zero", -0.25),
            ("above-one", 1.25),
            ("of-two", 2.0),
        )
    ),
    *(
        scenario(
            name=f"decay-of-{word}",
            question=f"With a decay of {word}, {effect}?",
            layer=replace(TRAINED, decay=decay),
            steps=(Call(X, TRUE), Call(OTHER, TRUE), Call(X, FALSE)),
            settles=settles,
            clauses=("BN-4.1", "BN-6.2"),
        )
        for word, decay, effect, settles in (
            (
                "zero",
                0.0,
                "are the running statistics the last batch's own",
                ("running-variance-factor",),
            ),
            (
                "one",
                1.0,
                "do the running statistics stay through training",
                ("running-mean-debiasing", "running-variance-debiasing"),
            ),
        )
    ),
    *(
        scenario(
            name=f"epsilon-{word}{'-rank-4' if rank == 4 else ''}",
            question=f"Is an epsilon {said} accepted in inference and in training"
            f"{', on images' if rank == 4 else ''}?",
            layer=with_epsilon(epsilon, rank),
            # In inference first: one who refuses the number may do so in training alone.
            steps=(Call(x, FALSE), Call(x, TRUE)),
            settles=(axis,),
            clauses=("BN-1.5", "BN-1.4"),
            sources=(KERAS, TORCH, EPSILON),
        )
        for word, said, epsilon, axis in (
            ("of-zero", "of zero", 0.0, "epsilon-of-zero"),
            ("below-zero", "below zero", -(2.0**-20), "epsilon-below-zero"),
        )
        for rank, x in ((2, WIDE), (4, batch("running/4", 2, rank=4)))
    ),
    scenario(
        name="huge-epsilon",
        question="Does an epsilon of 2²⁰ shrink the output as written, in both modes?",
        layer=with_epsilon(2.0**20),
        steps=(Call(WIDE, TRUE, DY), Call(WIDE, FALSE, DY)),
        settles=("epsilon-placement",),
        clauses=("BN-1.2", "BN-1.4"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="tiny-epsilon-in-training",
        question="Is an epsilon of 2⁻²⁰ used as written in training, and in its gradient?",
        layer=replace(BASE, epsilon=2.0**-20),
        steps=(Call(batch("tiny-epsilon", 5), TRUE, DY),),
        settles=("training-output-statistics",),
        clauses=("BN-1.4", "BN-7.1"),
        sources=(PAPER, KERAS, TORCH),
    ),
)
