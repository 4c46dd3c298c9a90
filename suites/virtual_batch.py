"""Virtual batches: training that normalises groups of samples, each by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, weights
from suites.sources import GHOST_PAPER, TF_LAYER
from suites.vocabulary import Call, Scenario, Training

scenario = partial(Scenario, suite="virtual-batch", sources=(GHOST_PAPER, TF_LAYER))
TRUE, FALSE = Training.TRUE, Training.FALSE
EVERYTHING = ("output", "running_mean", "running_variance")

LAYER = replace(TRAINED, virtual_batch_size=2)
FOUR = replace(TRAINED, virtual_batch_size=4, epsilon=0.25)

SCENARIOS = (
    scenario(
        name="virtual-batch-training-output",
        question="Which samples does a virtual batch normalise together?",
        layer=LAYER,
        steps=(Call(batch("virtual-output", 6), TRUE),),
        settles=("virtual-batch-groups", "training-output-statistics"),
        clauses=("BN-13.1", "BN-13.3"),
        about=("output",),
    ),
    scenario(
        name="virtual-batch-running-statistics",
        question="How do the running statistics take in a batch of virtual batches?",
        layer=LAYER,
        steps=(Call(batch("virtual-running", 6), TRUE), Call(batch("virtual-running/2"), FALSE)),
        settles=("virtual-batch-updates", "running-variance-factor"),
        clauses=("BN-13.4",),
        about=EVERYTHING,
    ),
    scenario(
        name="virtual-batch-rank-3",
        question="Does a virtual batch pool all positions of its samples?",
        layer=replace(LAYER, rank=3),
        steps=(Call(batch("virtual-3", 6, rank=3), TRUE),),
        settles=("virtual-batch-groups", "virtual-batch-updates"),
        clauses=("BN-13.1", "BN-13.3", "BN-3.1"),
        about=EVERYTHING,
    ),
    scenario(
        name="virtual-batch-that-does-not-divide",
        question="What happens to a training batch that the virtual batch size does not divide?",
        layer=replace(LAYER, virtual_batch_size=3),
        steps=(Call(batch("virtual-5", 5), TRUE),),
        settles=("virtual-batch-remainder",),
        clauses=("BN-13.2",),
        about=("output",),
    ),
    scenario(
        name="virtual-batch-gradients",
        question="Does the gradient flow through the statistics of each virtual batch alone?",
        layer=FOUR,
        steps=(Call(batch("virtual-dx", 8), TRUE, weights("virtual-dx", 8)),),
        settles=("training-gradient", "virtual-batch-groups"),
        clauses=("BN-13.5",),
        about=("dx", "dgamma", "dbeta"),
    ),
    scenario(
        name="virtual-batch-of-the-whole-batch",
        question="Does a virtual batch as large as the batch change nothing?",
        layer=FOUR,
        steps=(Call(batch("virtual-whole", 4), TRUE, weights("virtual-whole", 4)),),
        settles=("training-output-statistics", "running-variance-factor"),
        clauses=("BN-13.1", "BN-13.4"),
        about=(*EVERYTHING, "dx"),
    ),
    scenario(
        name="virtual-batch-inference",
        question="Do virtual batches leave inference as it is?",
        layer=LAYER,
        steps=(Call(batch("virtual-inference", 6), FALSE),),
        settles=("inference-output-statistics", "inference-updates"),
        clauses=("BN-13.6", "BN-6.2"),
        about=EVERYTHING,
    ),
    scenario(
        name="virtual-batch-remainder-in-inference",
        question="Can a layer with virtual batches infer on any number of samples?",
        layer=LAYER,
        steps=(Call(batch("virtual-remainder", 5), FALSE), Call(batch("virtual-one", 1), FALSE)),
        settles=("virtual-batch-remainder-in-inference",),
        clauses=("BN-13.6",),
        about=("output",),
    ),
)
