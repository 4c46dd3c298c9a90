"""What comes out: the normalised output in training and in inference."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import (
    BASE,
    BETA,
    GAMMA,
    TRAINED,
    batch,
    far_from_zero,
    of_dtype,
    without_beta,
    without_gamma,
)
from suites.sources import CONTRIB, FUSED_BATCH_NORM, KERAS, PAPER, TORCH
from suites.vocabulary import ABSENT, Call, Layer, Scenario, Tensor, Training

scenario = partial(Scenario, suite="forward", about=("output", "trainable_parameters"))
AFFINE = replace(BASE, gamma=GAMMA, beta=BETA)
TRUE, FALSE = Training.TRUE, Training.FALSE


def ranked(layer: Layer, rank: int) -> Layer:
    """Return the layer for inputs of another rank."""
    return replace(layer, rank=rank)


SCENARIOS = (
    scenario(
        name="training-output",
        question="Does training normalise with the mean and variance of the current batch?",
        layer=TRAINED,
        steps=(Call(batch("training-output"), TRUE),),
        settles=("training-output-statistics",),
        clauses=("BN-6.1", "BN-1.1"),
        sources=(PAPER,),
    ),
    scenario(
        name="training-output-variance",
        question="Is the variance in the training output divided by n or by n − 1?",
        layer=BASE,
        steps=(Call(batch("training-output-variance", samples=3), TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-3.2",),
        sources=(PAPER, TORCH),
    ),
    *(
        scenario(
            name=f"values-far-from-zero{'-rank-4' if rank == 4 else ''}",
            question="Does the variance of values far from zero keep its digits?",
            layer=replace(BASE, rank=rank),
            steps=(Call(far_from_zero("far", 3, rank), TRUE),),
            about=("output", "running_mean", "running_variance"),
            settles=("training-output-statistics",),
            clauses=("BN-3.2",),
            sources=(KERAS, TORCH, "https://github.com/keras-team/keras/pull/18795"),
        )
        for rank in (2, 4)
    ),
    scenario(
        name="epsilon-in-training",
        question="Is epsilon added to the variance, inside the square root, in training?",
        layer=replace(BASE, epsilon=0.25),
        steps=(Call(batch("epsilon-in-training", samples=4), TRUE),),
        settles=("epsilon-placement",),
        clauses=("BN-1.2",),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="epsilon-in-inference",
        question="Is epsilon added to the running variance, inside the square root, exactly once?",
        layer=replace(TRAINED, epsilon=0.25),
        steps=(Call(batch("epsilon-in-inference"), FALSE),),
        settles=("epsilon-placement",),
        clauses=("BN-1.2", "BN-6.2"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="tiny-epsilon",
        question="Is an epsilon of 2⁻²⁰ used as written, or raised to some least value?",
        layer=replace(
            BASE,
            epsilon=2.0**-20,
            running_variance=Tensor("float32", (3,), (2.0**-18, 2.0**-17, 2.0**-16)),
        ),
        steps=(Call(batch("tiny-epsilon"), FALSE),),
        settles=("epsilon-floor",),
        clauses=("BN-1.4",),
        sources=(FUSED_BATCH_NORM,),
    ),
    scenario(
        name="tiny-epsilon-rank-4",
        question="Is an epsilon of 2⁻²⁰ used as written on images?",
        layer=replace(
            BASE,
            rank=4,
            epsilon=2.0**-20,
            running_variance=Tensor("float32", (3,), (2.0**-18, 2.0**-17, 2.0**-16)),
        ),
        steps=(Call(batch("tiny-epsilon-rank-4", rank=4), FALSE),),
        settles=("epsilon-floor",),
        clauses=("BN-1.4",),
        sources=(FUSED_BATCH_NORM,),
    ),
    scenario(
        name="default-epsilon",
        question="How large is epsilon when the user writes none?",
        layer=replace(BASE, epsilon=ABSENT),
        steps=(Call(batch("default-epsilon", samples=4), TRUE),),
        settles=("default-epsilon",),
        clauses=("BN-1.4",),
        sources=(KERAS, TORCH, CONTRIB),
    ),
    scenario(
        name="inference-output",
        question="Does inference normalise with the running statistics and not with the batch's?",
        layer=TRAINED,
        steps=(Call(batch("inference-output"), FALSE),),
        settles=("inference-output-statistics",),
        clauses=("BN-6.2",),
        sources=(PAPER,),
    ),
    scenario(
        name="inference-of-one-sample",
        question="Is the inference output of one sample the same whatever batch it is in?",
        layer=TRAINED,
        steps=(
            Call(batch("one-sample", samples=1), FALSE),
            Call(batch("one-sample", samples=4), FALSE),
        ),
        settles=("inference-output-statistics",),
        clauses=("BN-6.2",),
        sources=(PAPER,),
    ),
    scenario(
        name="gamma-and-beta-in-training",
        question="Is the training output gamma times the normalised input, plus beta?",
        layer=AFFINE,
        steps=(Call(batch("gamma-and-beta-in-training"), TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-1.3",),
        sources=(PAPER,),
    ),
    scenario(
        name="no-gamma",
        question="Does a layer told to have no gamma have none, and train beta alone?",
        layer=without_gamma(replace(BASE, beta=BETA)),
        steps=(Call(batch("no-gamma"), TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-2.1",),
        sources=(KERAS, CONTRIB),
    ),
    scenario(
        name="no-beta",
        question="Does a layer told to have no beta have none, and train gamma alone?",
        layer=without_beta(replace(BASE, gamma=GAMMA)),
        steps=(Call(batch("no-beta"), TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-2.1",),
        sources=(KERAS, CONTRIB),
    ),
    scenario(
        name="no-gamma-and-no-beta",
        question="Does a layer without gamma and beta have no parameters at all?",
        layer=without_beta(without_gamma(BASE)),
        steps=(Call(batch("no-gamma-and-no-beta"), TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-2.1", "BN-15.5"),
        sources=(KERAS, TORCH, CONTRIB),
    ),
    scenario(
        name="gamma-by-default",
        question="Does the layer learn a gamma when the user does not say?",
        layer=replace(BASE, scale=ABSENT, center=ABSENT, gamma=ABSENT, beta=ABSENT),
        steps=(Call(batch("gamma-by-default"), TRUE),),
        settles=("default-gamma",),
        clauses=("BN-2.1",),
        sources=(KERAS, TORCH, CONTRIB),
    ),
    scenario(
        name="channel-axis-by-default",
        question="Which axis of an image batch holds the channels when the user does not say?",
        layer=replace(BASE, rank=4, channel_axis="default"),
        steps=(
            Call(
                Tensor(
                    "float32",
                    (2, 3, 2, 3),
                    batch("channel-axis-by-default", samples=2, rank=4).values,
                ),
                TRUE,
            ),
        ),
        settles=("default-channel-axis",),
        clauses=("BN-3.3",),
        sources=(KERAS, TORCH, CONTRIB),
    ),
    *(
        scenario(
            name=f"rank-{rank}-training",
            question=f"Are training statistics of rank-{rank} input pooled over all but channels?",
            layer=ranked(AFFINE, rank),
            steps=(Call(batch(f"rank-{rank}", samples=2, rank=rank), TRUE),),
            settles=("training-output-statistics",),
            clauses=("BN-3.1",),
            sources=(PAPER,),
        )
        for rank in (3, 4, 5)
    ),
    *(
        scenario(
            name=f"rank-{rank}-inference",
            question=f"Does inference on rank-{rank} input use one running value per channel?",
            layer=ranked(TRAINED, rank),
            steps=(Call(batch(f"rank-{rank}-inference", samples=2, rank=rank), FALSE),),
            settles=("inference-output-statistics",),
            clauses=("BN-3.1", "BN-6.2"),
            sources=(PAPER,),
        )
        for rank in (3, 4, 5)
    ),
    scenario(
        name="float64",
        question="Does a float64 layer compute and keep its statistics in float64?",
        layer=of_dtype(TRAINED, "float64"),
        steps=(
            Call(batch("float64", dtype="float64"), TRUE),
            Call(batch("float64", dtype="float64"), FALSE),
        ),
        settles=("float64-layer",),
        clauses=("BN-1.1", "BN-1.6", "BN-4.1"),
        sources=(KERAS, TORCH),
    ),
    *(
        scenario(
            name=f"{dtype}-{word}",
            question=f"What does a {dtype} layer compute in {word}, and which dtype do its "
            "parameters and statistics have?",
            layer=of_dtype(TRAINED, dtype),
            steps=(Call(batch("low-precision", dtype=dtype), mode),),
            about=("output", "gamma", "beta", "running_mean", "running_variance"),
            settles=settles,
            clauses=clauses,
            sources=(KERAS, TORCH),
        )
        for dtype in ("float16", "bfloat16")
        for word, mode, settles, clauses in (
            (
                "training",
                TRUE,
                ("low-precision-layer", "low-precision-statistics", "low-precision-parameters"),
                ("BN-10.1", "BN-10.2", "BN-10.3", "BN-10.4", "BN-10.5"),
            ),
            ("inference", FALSE, ("inference-output-statistics",), ("BN-10.1", "BN-6.2")),
        )
    ),
)
