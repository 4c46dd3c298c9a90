"""What flows back: gradients to the input, gamma and beta."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, weights, without_beta, without_gamma
from suites.sources import PAPER
from suites.vocabulary import Call, Scenario, Training

scenario = partial(Scenario, suite="gradients", about=("dx", "dgamma", "dbeta"), sources=(PAPER,))
LAYER = replace(TRAINED, epsilon=0.25)
TRUE, FALSE = Training.TRUE, Training.FALSE

SCENARIOS = (
    scenario(
        name="training-gradients",
        question="Does the gradient in training flow through the batch mean and variance?",
        layer=LAYER,
        steps=(Call(batch("training-gradients/9"), TRUE, weights("training-gradients/9")),),
        settles=("training-gradient",),
        clauses=("BN-7.1", "BN-7.2", "BN-7.3"),
    ),
    scenario(
        name="training-gradients-rank-4",
        question="Is the gradient on images pooled over all but channels, like the statistics?",
        layer=replace(LAYER, rank=4),
        steps=(Call(batch("gradients-4/5", 2, rank=4), TRUE, weights("gradients-4/5", 2, rank=4)),),
        settles=("training-gradient",),
        clauses=("BN-7.1", "BN-3.1"),
    ),
    scenario(
        name="inference-gradients",
        question="Does the gradient in inference hold the running statistics constant?",
        layer=LAYER,
        steps=(Call(batch("inference-gradients/9"), FALSE, weights("inference-gradients/9")),),
        settles=("inference-output-statistics", "inference-gradient"),
        clauses=("BN-7.4",),
    ),
    *(
        scenario(
            name=f"second-order-in-{word}",
            question="Is the gradient of a gradient right, as a penalty on gradients needs it, "
            f"in {word}?",
            layer=LAYER,
            steps=(
                Call(
                    batch("second-order/2"),
                    mode,
                    weights("second-order/2"),
                    dx_weights=weights("second-order/other"),
                ),
            ),
            about=("dx", "second_dx"),
            settles=(axis,),
            clauses=("BN-7.5",),
        )
        for word, mode, axis in (
            ("training", TRUE, "training-gradient"),
            ("inference", FALSE, "inference-gradient"),
        )
    ),
    scenario(
        name="gradients-without-parameters",
        question="Is the gradient to the input right in a layer without gamma and beta?",
        layer=without_beta(without_gamma(LAYER)),
        steps=(Call(batch("no-parameters/3"), TRUE, weights("no-parameters/3")),),
        settles=("training-gradient",),
        clauses=("BN-7.1", "BN-2.1"),
    ),
)
