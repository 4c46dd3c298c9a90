"""What running statistics are fed, when they move, and where they start."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import (
    BASE,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    batch,
    spoiled,
    weights,
    without_initial_state,
)
from suites.sources import CONTRIB, KERAS, PAPER, TORCH
from suites.vocabulary import (
    ABSENT,
    Build,
    Call,
    CallTwice,
    Enclose,
    Fit,
    Layer,
    Predict,
    ResetStatistics,
    Scenario,
    Tensor,
    Training,
)

scenario = partial(
    Scenario,
    suite="running-statistics",
    about=("output", "running_mean", "running_variance"),
)
TRUE, FALSE = Training.TRUE, Training.FALSE
DOCUMENTED = (KERAS, TORCH, CONTRIB)
FACTOR = ("running-variance-factor",)
X, OTHER = batch("running", 3), batch("running/other", 3)
STARTED = replace(BASE, running_mean=RUNNING_MEAN, running_variance=RUNNING_VARIANCE)
UNTRACKED = replace(
    BASE, track_running_statistics=False, running_mean=ABSENT, running_variance=ABSENT
)
UPDATE_OPS = (CONTRIB,)


def fused(rank: int, value: bool) -> Layer:
    """Return a layer that names the kernel it wants."""
    return replace(BASE, rank=rank, fused=value)


SCENARIOS = (
    *(
        scenario(
            name=f"running-variance-of-{count}-values",
            question=f"With {count} values per channel, is the running variance fed the "
            "population or the sample variance?",
            layer=BASE,
            steps=(Call(batch("running", count), TRUE),),
            settles=FACTOR,
            clauses=("BN-4.5",),
            sources=(PAPER, *DOCUMENTED),
        )
        for count in (2, 3, 5)
    ),
    *(
        scenario(
            name=f"running-variance-rank-{rank}",
            question=f"Which variance feeds the running variance of rank-{rank} input, counting "
            "every position as a value?",
            layer=replace(BASE, rank=rank),
            steps=(Call(batch(f"running/{rank}", 2, rank=rank), TRUE),),
            settles=FACTOR,
            clauses=("BN-4.5", "BN-3.1"),
            sources=(PAPER, *DOCUMENTED),
        )
        for rank in (3, 4, 5)
    ),
    *(
        scenario(
            name=f"running-variance-{word}-rank-{rank}",
            question=f"Which variance does the {word} kernel feed the running variance at "
            f"rank {rank}?",
            layer=fused(rank, value),
            steps=(Call(batch(f"running/{rank}", 3, rank=rank), TRUE),),
            settles=FACTOR,
            clauses=("BN-4.5",),
            sources=UPDATE_OPS,
        )
        for word, value in (("fused", True), ("plain", False))
        for rank in (2, 4)
    ),
    scenario(
        name="one-value-per-channel",
        question="Is training on a batch of one value per channel refused?",
        layer=STARTED,
        steps=(Call(batch("running", 1), TRUE),),
        settles=("one-value-per-channel",),
        clauses=("BN-3.4",),
        sources=(TORCH, "https://github.com/pytorch/pytorch/issues/1381"),
    ),
    scenario(
        name="empty-batch",
        question="What does training on a batch without samples leave in the running statistics?",
        layer=STARTED,
        steps=(Call(Tensor("float32", (0, 3), ()), TRUE), Call(X, FALSE)),
        settles=("empty-batch",),
        clauses=("BN-3.5",),
        sources=(
            "https://github.com/pytorch/pytorch/issues/12013",
            "https://github.com/tensorflow/tensorflow/pull/33444",
        ),
    ),
    scenario(
        name="nan-in-a-training-batch",
        question="Does one NaN in a training batch stay in the running statistics of its channel?",
        layer=STARTED,
        steps=(Call(spoiled(X, 4), TRUE), Call(OTHER, TRUE), Call(OTHER, FALSE)),
        settles=("non-finite-input",),
        clauses=("BN-9.1", "BN-9.2", "BN-9.3"),
        sources=DOCUMENTED,
    ),
    scenario(
        name="updates-in-place-frozen",
        question="Does trainable=False stop statistics that are updated in place?",
        layer=replace(STARTED, rank=4, updates_in_place=True, trainable=False),
        steps=(Call(batch("running/4", 2, rank=4), TRUE),),
        settles=("trainable-false-statistics",),
        clauses=("BN-8.3", "BN-5.5"),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="zero-debias-training-none",
        question="What does training=None mean to a layer asked to zero-debias?",
        layer=replace(STARTED, rank=4, zero_debias=True),
        steps=(Call(batch("running/4", 2, rank=4), Training.NONE),),
        settles=("training-none",),
        clauses=("BN-6.4",),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="initial-values",
        question="What are gamma, beta, the running mean and the running variance at first?",
        layer=without_initial_state(BASE),
        steps=(Build(),),
        about=("gamma", "beta", "running_mean", "running_variance"),
        settles=(
            "initial-running-mean",
            "initial-running-variance",
            "initial-gamma",
            "initial-beta",
        ),
        clauses=("BN-4.6", "BN-2.2"),
        sources=DOCUMENTED,
    ),
    scenario(
        name="inference-before-training",
        question="What does inference do before any training has happened?",
        layer=without_initial_state(BASE),
        steps=(Call(X, FALSE),),
        settles=("initial-running-mean", "initial-running-variance"),
        clauses=("BN-4.6", "BN-6.2"),
        sources=DOCUMENTED,
    ),
    scenario(
        name="inference-moves-nothing",
        question="Do the running statistics stay as they are through inference?",
        layer=STARTED,
        steps=(Call(X, FALSE), Call(OTHER, FALSE)),
        settles=("inference-updates",),
        clauses=("BN-5.2",),
        sources=(PAPER,),
    ),
    scenario(
        name="training-false-throughout",
        question="Does training with training=False leave the statistics at their initial values?",
        layer=without_initial_state(BASE),
        steps=(Call(X, FALSE, repeat=10), Call(OTHER, FALSE)),
        settles=("inference-updates",),
        clauses=("BN-5.2", "BN-4.6"),
        sources=(KERAS,),
    ),
    scenario(
        name="fit-with-training-false-throughout",
        question="Does a model whose layer is called with training=False ever move statistics?",
        layer=without_initial_state(BASE),
        steps=(
            Enclose(FALSE, "subclassed"),
            Fit(batch("throughout", 4), weights("throughout", 4), batch_size=2, epochs=3),
            Predict(X),
        ),
        settles=("explicit-training-in-a-subclassed-model",),
        clauses=("BN-5.2", "BN-6.7"),
        sources=(KERAS,),
    ),
    scenario(
        name="output-precedes-update",
        question="Is a batch normalised by its own statistics, not by the previous running ones?",
        layer=STARTED,
        steps=(Call(X, TRUE), Call(OTHER, TRUE)),
        about=("output",),
        settles=("training-output-statistics",),
        clauses=("BN-6.1", "BN-5.1"),
        sources=(PAPER, CONTRIB),
    ),
    scenario(
        name="shared-layer",
        question="What do the running statistics become when one execution applies the layer "
        "to two inputs?",
        layer=BASE,
        steps=(CallTwice(X, OTHER, TRUE),),
        settles=("shared-layer-updates",),
        clauses=("BN-5.4",),
        sources=(
            "https://github.com/keras-team/keras/issues/8794",
            "https://github.com/keras-team/keras/issues/11927",
        ),
        repeats=5,
    ),
    scenario(
        name="shared-layer-in-a-functional-model",
        question="What do the running statistics become when a model composed of layers applies "
        "one layer to two inputs?",
        layer=BASE,
        steps=(CallTwice(X, OTHER, TRUE, "functional"),),
        settles=("shared-layer-updates-in-a-functional-model",),
        clauses=("BN-5.4",),
        sources=(
            "https://github.com/keras-team/keras/issues/8794",
            "https://github.com/keras-team/keras/blob/v3.15.1/keras/src/ops/function.py",
        ),
        repeats=5,
    ),
    scenario(
        name="shared-layer-in-inference",
        question="Does a shared layer leave its statistics alone in inference?",
        layer=STARTED,
        steps=(CallTwice(X, OTHER, FALSE),),
        settles=("inference-output-statistics",),
        clauses=("BN-5.2", "BN-5.4"),
        sources=DOCUMENTED,
    ),
    scenario(
        name="updates-forgotten",
        question="Do the running statistics move when the user does no more than run the layer?",
        layer=BASE,
        steps=(Call(X, TRUE, updates="forgotten"), Call(OTHER, FALSE)),
        settles=("update-timing",),
        clauses=("BN-5.3",),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="updates-forgotten-in-fit",
        question="Do the running statistics move in a training loop that only minimises the loss?",
        layer=BASE,
        steps=(Enclose(), Fit(X, weights("running", 3), updates="forgotten"), Predict(OTHER)),
        settles=("update-timing",),
        clauses=("BN-5.3",),
        sources=(CONTRIB, "https://github.com/tensorflow/tensorflow/issues/7469"),
    ),
    scenario(
        name="updates-forgotten-with-and-without-gradients",
        question="Do the running statistics move once, whether or not gradients are asked for?",
        layer=BASE,
        steps=(
            Call(X, TRUE, updates="forgotten"),
            Call(X, TRUE, weights("running", 3), updates="forgotten"),
            Call(OTHER, FALSE),
        ),
        settles=("update-timing",),
        clauses=("BN-5.3",),
        sources=(*UPDATE_OPS, "https://github.com/pytorch/pytorch/issues/96136"),
    ),
    scenario(
        name="updates-run-twice",
        question="Do update operations run twice move the running statistics twice?",
        layer=BASE,
        steps=(Call(X, TRUE, updates="twice"),),
        settles=FACTOR,
        clauses=("BN-5.3",),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="updates-in-place",
        question="With updates_collections=None, is running the layer enough?",
        layer=replace(BASE, updates_in_place=True),
        steps=(Call(X, TRUE, updates="forgotten"), Call(OTHER, TRUE)),
        settles=("updates-in-place-argument",),
        clauses=("BN-5.5",),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="updates-in-place-output",
        question="With updates_collections=None, which statistics normalise the current batch?",
        layer=replace(STARTED, updates_in_place=True),
        steps=(Call(X, TRUE),),
        about=("output",),
        settles=("training-output-statistics",),
        clauses=("BN-6.1", "BN-5.5"),
        sources=UPDATE_OPS,
    ),
    scenario(
        name="untracked-training",
        question="Does a layer told not to track running statistics keep none?",
        layer=UNTRACKED,
        steps=(Call(X, TRUE),),
        settles=("training-output-variance",),
        clauses=("BN-4.9",),
        sources=(TORCH,),
    ),
    scenario(
        name="untracked-inference",
        question="Which statistics does a layer that tracks none use in inference?",
        layer=UNTRACKED,
        steps=(Call(X, FALSE),),
        settles=("no-running-statistics",),
        clauses=("BN-4.9",),
        sources=(TORCH,),
    ),
    scenario(
        name="reset-statistics",
        question="Does resetting bring the running statistics and the counter back to the start?",
        layer=without_initial_state(BASE),
        steps=(Call(X, TRUE), ResetStatistics(), Call(OTHER, TRUE)),
        settles=("initial-running-variance",),
        clauses=("BN-4.8",),
        sources=(TORCH,),
    ),
    scenario(
        name="reset-restores-the-framework-default",
        question="Does resetting a layer given initial statistics go back to those or to 0 and 1?",
        layer=STARTED,
        steps=(Call(X, TRUE), ResetStatistics()),
        settles=("initial-running-mean", "initial-running-variance"),
        clauses=("BN-4.8",),
        sources=(TORCH,),
    ),
    scenario(
        name="updates-counted",
        question="Does the layer count its training executions, and only those?",
        layer=BASE,
        steps=(Call(X, TRUE, repeat=3), Call(X, FALSE), Call(X, TRUE)),
        about=("updates_counted", "running_mean"),
        settles=("update-counter",),
        clauses=("BN-4.7",),
        sources=(TORCH,),
    ),
)
