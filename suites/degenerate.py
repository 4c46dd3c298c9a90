"""Batches that barely are ones: of no samples, of one value, of one channel, without variance."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import (
    BETA,
    GAMMA,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    TRAINED,
    batch,
    reshaped,
    weights,
    with_constant_channel,
)
from suites.sources import KERAS, PAPER, TORCH
from suites.vocabulary import ABSENT, Call, EvalMode, Layer, Scenario, Tensor, Training

scenario = partial(
    Scenario,
    suite="degenerate",
    about=("output", "running_mean", "running_variance", "dx", "dgamma", "dbeta"),
)
TRUE, FALSE = Training.TRUE, Training.FALSE
LAYER = replace(TRAINED, epsilon=0.25)
IMAGES = replace(LAYER, rank=4)
X, DY = batch("running", 5), weights("training-gradients/9")
ONE, ONE_DY = batch("running", 1), weights("running", 1)
X4 = batch("running/4", 2, rank=4)
NONE, NO_IMAGES = Tensor("float32", (0, 3), ()), Tensor("float32", (0, 2, 3, 3), ())
ONE_VALUE = ("one-value-per-channel",)
EMPTY = ("empty-batch",)
ONE_VALUE_SOURCES = (TORCH, "https://github.com/pytorch/pytorch/issues/1381")
EMPTY_SOURCES = (
    "https://github.com/pytorch/pytorch/pull/32820",
    "https://github.com/pytorch/pytorch/issues/12013",
    "https://github.com/pytorch/pytorch/pull/30035",
    "https://github.com/tensorflow/tensorflow/pull/33444",
)
WITHOUT_CHANNELS = Layer(channels=0, rank=2, decay=0.75, epsilon=0.25, scale=True, center=True)
NO_CHANNELS = Tensor("float32", (5, 0), ())
STILL = with_constant_channel(X, 1, 2.0)
CUMULATIVE = replace(LAYER, decay=ABSENT, momentum_argument=None)


def of_one_channel(layer: Layer) -> Layer:
    """Return the layer for one channel, with the first initial values of three."""

    def first(tensor: Tensor) -> Tensor:
        return Tensor(tensor.dtype, (1,), tensor.values[:1])

    return replace(
        layer,
        channels=1,
        gamma=first(GAMMA),
        beta=first(BETA),
        running_mean=first(RUNNING_MEAN),
        running_variance=first(RUNNING_VARIANCE),
    )


SCENARIOS = (
    scenario(
        name="one-value-per-channel-rank-4",
        question="Is training on one image of one position refused, and what does the next good "
        "batch find?",
        layer=IMAGES,
        steps=(Call(reshaped(ONE, 1, 1, 1, 3), TRUE), Call(X4, TRUE), Call(X4, FALSE)),
        settles=ONE_VALUE,
        clauses=("BN-3.4", "BN-5.1"),
        sources=ONE_VALUE_SOURCES,
    ),
    scenario(
        name="one-value-per-channel-then-more",
        question="What does the batch after one of a single sample find?",
        layer=LAYER,
        steps=(Call(ONE, TRUE), Call(X, TRUE), Call(X, FALSE)),
        settles=ONE_VALUE,
        clauses=("BN-3.4", "BN-5.1", "BN-6.2"),
        sources=ONE_VALUE_SOURCES,
    ),
    scenario(
        name="one-value-per-channel-gradients",
        question="Is the gradient to a single value per channel zero in training?",
        layer=LAYER,
        steps=(Call(ONE, TRUE, ONE_DY),),
        settles=ONE_VALUE,
        clauses=("BN-3.4", "BN-7.1", "BN-7.3"),
        sources=ONE_VALUE_SOURCES,
    ),
    scenario(
        name="one-value-per-channel-untracked-inference",
        question="May a layer without running statistics infer from one value per channel?",
        layer=replace(
            LAYER, track_running_statistics=False, running_mean=ABSENT, running_variance=ABSENT
        ),
        steps=(EvalMode(), Call(ONE)),
        settles=ONE_VALUE,
        clauses=("BN-3.4", "BN-4.9"),
        sources=ONE_VALUE_SOURCES,
    ),
    scenario(
        name="one-image",
        question="Is training on a single image normalised by, and fed from, its positions?",
        layer=IMAGES,
        steps=(Call(batch("running/4", 1, rank=4), TRUE), Call(X4, FALSE)),
        settles=("running-variance-factor", "training-output-statistics"),
        clauses=("BN-3.1", "BN-4.5"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="images-of-one-position",
        question="Is training on images of one position that on as many samples?",
        layer=IMAGES,
        steps=(Call(reshaped(X, 5, 1, 1, 3), TRUE), Call(reshaped(X, 5, 1, 1, 3), FALSE)),
        settles=("running-variance-factor", "training-output-statistics"),
        clauses=("BN-3.1", "BN-4.5"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="empty-batch-then-more",
        question="What do the batches after one without samples find?",
        layer=LAYER,
        steps=(Call(NONE, TRUE), Call(X, TRUE), Call(X, FALSE)),
        settles=EMPTY,
        clauses=("BN-3.5", "BN-5.1", "BN-4.7"),
        sources=EMPTY_SOURCES,
    ),
    scenario(
        name="empty-batch-rank-4",
        question="What does training on a batch without images leave in the running statistics?",
        layer=IMAGES,
        steps=(Call(NO_IMAGES, TRUE), Call(X4, TRUE), Call(X4, FALSE)),
        settles=EMPTY,
        clauses=("BN-3.5", "BN-5.1"),
        sources=EMPTY_SOURCES,
    ),
    *(
        scenario(
            name=f"empty-batch-gradients{word}",
            question=f"Which gradients has training on a batch without {what}?",
            layer=layer,
            steps=(Call(nothing, TRUE, nothing),),
            settles=("empty-batch-gradients",),
            clauses=("BN-3.8", "BN-3.5"),
            sources=EMPTY_SOURCES,
        )
        for word, what, layer, nothing in (
            ("", "samples", LAYER, NONE),
            ("-rank-4", "images", IMAGES, NO_IMAGES),
        )
    ),
    scenario(
        name="empty-batch-in-inference",
        question="Does inference on no samples give an empty output and leave the layer as it was?",
        layer=LAYER,
        steps=(Call(NONE, FALSE), Call(X, FALSE)),
        settles=("inference-output-statistics",),
        clauses=("BN-5.2", "BN-6.2"),
        sources=EMPTY_SOURCES,
    ),
    scenario(
        name="empty-batch-in-a-cumulative-average",
        question="Does a batch without samples count among those a cumulative average divides by?",
        layer=CUMULATIVE,
        steps=(Call(X, TRUE), Call(NONE, TRUE), Call(batch("running/other", 5), TRUE)),
        settles=("momentum-none", "empty-batch"),
        clauses=("BN-3.5", "BN-4.3", "BN-4.7"),
        sources=EMPTY_SOURCES,
    ),
    *(
        scenario(
            name=f"one-channel{word}",
            question=f"Is {what} of a single channel normalised like any other?",
            layer=of_one_channel(layer),
            steps=(Call(reshaped(x, *shape), TRUE, reshaped(dy, *shape)),),
            settles=("training-output-statistics", "running-variance-factor"),
            clauses=("BN-3.1", "BN-7.1"),
            sources=(PAPER,),
        )
        for word, what, layer, x, dy, shape in (
            ("", "a batch", LAYER, X, DY, (15, 1)),
            ("-rank-4", "a batch of images", IMAGES, X, DY, (5, 1, 3, 1)),
        )
    ),
    *(
        scenario(
            name=f"no-channels-{word}",
            question=f"Does a layer without channels run in {word}, or refuse to?",
            layer=WITHOUT_CHANNELS,
            steps=(Call(NO_CHANNELS, mode),),
            settles=("no-channels",),
            clauses=("BN-3.12",),
            sources=("https://github.com/pytorch/pytorch/issues/72821",),
        )
        for word, mode in (("training", TRUE), ("inference", FALSE))
    ),
    scenario(
        name="constant-channel",
        question="Does a channel without variance put out beta, send back finite gradients and "
        "feed the running variance zero?",
        layer=LAYER,
        steps=(Call(STILL, TRUE, DY), Call(X, TRUE), Call(X, FALSE)),
        settles=("training-output-statistics", "epsilon-placement"),
        clauses=("BN-1.1", "BN-4.1", "BN-7.1"),
        sources=(PAPER,),
    ),
    scenario(
        name="constant-channel-rank-4",
        question="Does a channel of images without variance put out beta?",
        layer=IMAGES,
        steps=(Call(with_constant_channel(X4, 2, 0.5), TRUE), Call(X4, FALSE)),
        settles=("training-output-statistics",),
        clauses=("BN-1.1", "BN-4.1"),
        sources=(PAPER,),
    ),
    scenario(
        name="running-variance-of-zero",
        question="Does inference over a running variance of zero divide by the root of epsilon?",
        layer=replace(LAYER, running_variance=Tensor("float32", (3,), (0.0, 0.25, 0.0))),
        steps=(Call(X, FALSE, DY),),
        settles=("epsilon-placement", "inference-output-statistics"),
        clauses=("BN-1.2", "BN-6.2"),
        sources=(PAPER, "https://github.com/patrick-kidger/equinox/issues/1010"),
    ),
)
