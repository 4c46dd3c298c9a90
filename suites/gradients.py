"""What flows back: gradients to the input, gamma and beta; frozen, without parameters, at zero.

Some gradients are expected to vanish, to within what rounding leaves.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, reshaped, weights, without_beta, without_gamma
from suites.sources import KERAS, PAPER, TORCH, TORCH_MODULE
from suites.vocabulary import (
    ABSENT,
    Call,
    CallTwice,
    Enclose,
    EvalMode,
    Fit,
    Form,
    Layer,
    Scenario,
    SetTrainable,
    Tensor,
    Training,
)

scenario = partial(
    Scenario,
    suite="gradients",
    about=("dx", "dgamma", "dbeta", "trainable_parameters"),
    sources=(PAPER,),
)
plain = partial(scenario, about=("dx", "dgamma", "dbeta"))
TRUE, FALSE = Training.TRUE, Training.FALSE
LAYER = replace(TRAINED, epsilon=0.25)
IMAGES = replace(LAYER, rank=4)
X, DY = batch("training-gradients/9"), weights("training-gradients/9")
X4, DY4 = batch("gradients-4/5", 2, rank=4), weights("gradients-4/5", 2, rank=4)
OTHER, OTHER_DY = batch("second-order/2", 4), weights("second-order/2", 4)
PENALTY = weights("second-order/other")
OTHER4, OTHER_DY4 = batch("rank-4", 2, rank=4), weights("second-order/other", 2, rank=4)
SILENT = Tensor("float32", X.shape, (0.0,) * len(X.values))
EVEN = Tensor("float32", (4, 3), (0.5, 2.0, 8.0, -0.5, 0.0, 7.0, 1.0, 1.5, 9.0, -1.0, 0.5, 6.0))
"""Each value has its mirror image in the channel's mean, the next: deviations add up exactly."""
CONSTANT = Tensor("float32", (4, 3), (0.5, -1.0, 2.0) * 4)
THROUGH = ("training-gradient",)
CONSTANTS = ("inference-gradient",)
SUBCLASSED: Form = "subclassed"
FUNCTIONAL: Form = "functional"


def with_gamma(*values: float) -> Layer:
    """Return the layer with these values of gamma."""
    return replace(LAYER, gamma=Tensor("float32", (3,), values))


def proportional(x: Tensor) -> Tensor:
    """Return a dy that is the input's deviation from its channel's offset, times a number each.

    With a multiple of one in every sample it adds up to a dy of which training lets nothing pass
    but what epsilon leaves over.
    """
    factors, offsets = (8.0, 0.5, 0.25), (2.0**-4, 1.0, 8.0)
    values = (factors[i % 3] * (value - offsets[i % 3]) for i, value in enumerate(x.values))
    return replace(x, values=tuple(values))


SCENARIOS = (
    plain(
        name="training-gradients",
        question="Does the gradient in training flow through the batch mean and variance?",
        layer=LAYER,
        steps=(Call(X, TRUE, DY),),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-7.2", "BN-7.3"),
    ),
    plain(
        name="training-gradients-rank-4",
        question="Is the gradient on images pooled over all but channels, like the statistics?",
        layer=IMAGES,
        steps=(Call(X4, TRUE, DY4),),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-3.1"),
    ),
    plain(
        name="inference-gradients",
        question="Does the gradient in inference hold the running statistics constant?",
        layer=LAYER,
        steps=(Call(batch("inference-gradients/9"), FALSE, weights("inference-gradients/9")),),
        settles=("inference-output-statistics", "inference-gradient"),
        clauses=("BN-7.4",),
    ),
    *(
        plain(
            name=f"second-order-in-{word}",
            question="Is the gradient of a gradient right, as a penalty on gradients needs it, "
            f"in {word}?",
            layer=LAYER,
            steps=(
                Call(
                    batch("second-order/2"),
                    mode,
                    weights("second-order/2"),
                    dx_weights=PENALTY,
                ),
            ),
            about=("dx", "second_dx"),
            settles=settles,
            clauses=("BN-7.5",),
        )
        for word, mode, settles in (("training", TRUE, THROUGH), ("inference", FALSE, CONSTANTS))
    ),
    plain(
        name="gradients-without-parameters",
        question="Is the gradient to the input right in a layer without gamma and beta?",
        layer=without_beta(without_gamma(LAYER)),
        steps=(Call(batch("no-parameters/3"), TRUE, weights("no-parameters/3")),),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-2.1"),
    ),
    scenario(
        name="inference-gradients-rank-4",
        question="Does the gradient on images hold the running statistics constant in inference?",
        layer=IMAGES,
        steps=(Call(X4, FALSE, DY4),),
        settles=CONSTANTS,
        clauses=("BN-7.4", "BN-7.2", "BN-7.3"),
    ),
    scenario(
        name="gradients-of-one-position",
        question="Is the gradient on images of a single position that of as many samples?",
        layer=IMAGES,
        steps=(Call(reshaped(X, 5, 1, 1, 3), TRUE, reshaped(DY, 5, 1, 1, 3)),),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-3.1"),
    ),
    scenario(
        name="gradients-of-one-image",
        question="Is the gradient of a single image pooled over its positions?",
        layer=IMAGES,
        steps=(Call(batch("gradients-4/5", 1, rank=4), TRUE, weights("gradients-4/5", 1, rank=4)),),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-3.1"),
    ),
    *(
        scenario(
            name=f"gradients-of-a-frozen-layer-{word}",
            question=f"What flows back through a frozen layer {said} on images?",
            layer=IMAGES,
            steps=(SetTrainable(False), Call(X4, mode, DY4)),
            settles=settles,
            clauses=("BN-8.1", "BN-8.2", clause),
            sources=(KERAS, TORCH_MODULE),
        )
        for word, said, mode, settles, clause in (
            (
                "in-training",
                "told to train",
                TRUE,
                ("trainable-false-parameters", "trainable-false-mode"),
                "BN-7.1",
            ),
            (
                "in-inference",
                "told to infer",
                FALSE,
                ("trainable-false-parameters", "inference-gradient"),
                "BN-7.4",
            ),
        )
    ),
    scenario(
        name="frozen-in-the-constructor-gradients",
        question="What flows back through a layer frozen when it was made?",
        layer=replace(LAYER, trainable=False),
        steps=(Call(X, TRUE, DY),),
        settles=("trainable-false-parameters", "trainable-false-mode"),
        clauses=("BN-8.1", "BN-8.2"),
        sources=(KERAS,),
    ),
    scenario(
        name="eval-mode-gradients-rank-4",
        question="What flows back on images in evaluation mode?",
        layer=IMAGES,
        steps=(EvalMode(), Call(X4, dy=DY4)),
        settles=("eval-mode-parameters", "inference-gradient"),
        clauses=("BN-8.6", "BN-7.4"),
        sources=(TORCH_MODULE,),
    ),
    *(
        scenario(
            name=f"gradients-with-{word}-alone",
            question=f"Are the gradients right in a layer that has {word} and no {other}?",
            layer=without(LAYER),
            steps=(Call(X, TRUE, DY), Call(X, FALSE, DY)),
            settles=THROUGH,
            clauses=("BN-7.1", clause, "BN-2.1"),
        )
        for word, other, without, clause in (
            ("gamma", "beta", without_beta, "BN-7.2"),
            ("beta", "gamma", without_gamma, "BN-7.3"),
        )
    ),
    scenario(
        name="inference-gradients-without-parameters",
        question="Is the gradient to the input in inference right without gamma and beta?",
        layer=without_beta(without_gamma(LAYER)),
        steps=(Call(X, FALSE, DY),),
        settles=CONSTANTS,
        clauses=("BN-7.4", "BN-2.1"),
    ),
    *(
        scenario(
            name=f"second-order-{word}",
            question=f"Is the gradient of a gradient right {said}?",
            layer=layer,
            steps=(*before, Call(x, TRUE, dy, dx_weights=u)),
            about=("dx", "second_dx"),
            settles=THROUGH,
            clauses=("BN-7.5",),
        )
        for word, said, layer, before, x, dy, u in (
            ("rank-4", "on images", IMAGES, (), X4, DY4, OTHER_DY4),
            (
                "without-parameters",
                "without gamma and beta",
                without_beta(without_gamma(LAYER)),
                (),
                X,
                DY,
                PENALTY,
            ),
            (
                "of-a-frozen-layer",
                "in a frozen layer told to train",
                LAYER,
                (SetTrainable(False),),
                X,
                DY,
                PENALTY,
            ),
        )
    ),
    *(
        scenario(
            name=f"gradients-of-a-shared-layer{word}",
            question="Are the gradients to gamma and beta of a layer applied to two inputs in one "
            f"execution the sums of both{said}?",
            layer=layer,
            steps=(CallTwice(*inputs, mode, form, *upstream),),
            about=("dx", "dx_of_second", "dgamma", "dbeta"),
            settles=settles,
            clauses=("BN-7.6", "BN-5.4"),
        )
        for word, said, layer, inputs, upstream, mode, form, settles in (
            ("", "", LAYER, (X, OTHER), (DY, OTHER_DY), TRUE, SUBCLASSED, THROUGH),
            (
                "-rank-4",
                ", on images",
                IMAGES,
                (X4, OTHER4),
                (DY4, OTHER_DY4),
                TRUE,
                SUBCLASSED,
                THROUGH,
            ),
            (
                "-in-inference",
                ", in inference",
                LAYER,
                (X, OTHER),
                (DY, OTHER_DY),
                FALSE,
                SUBCLASSED,
                CONSTANTS,
            ),
            (
                "-in-a-functional-model",
                ", in a model composed of layers",
                LAYER,
                (X, OTHER),
                (DY, OTHER_DY),
                TRUE,
                FUNCTIONAL,
                THROUGH,
            ),
        )
    ),
    scenario(
        name="gradients-where-gamma-is-zero",
        question="Is the gradient to the input zero, and that to gamma not, where gamma is zero?",
        layer=with_gamma(0.0, 0.5, 0.0),
        steps=(Call(X, TRUE, DY), Call(X, FALSE, DY)),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-7.2", "BN-7.4"),
    ),
    scenario(
        name="gamma-leaves-zero",
        question="Does a gamma that starts at zero learn?",
        layer=with_gamma(0.0, 0.0, 0.0),
        steps=(Enclose(), Fit(X, DY)),
        about=("gamma", "beta", "loss"),
        settles=("training-output-statistics",),
        clauses=("BN-7.2", "BN-6.6"),
        sources=(PAPER, "https://arxiv.org/abs/1706.02677"),
    ),
    scenario(
        name="gradients-of-nothing",
        question="Is every gradient zero where none arrives at the output?",
        layer=LAYER,
        steps=(Call(X, TRUE, SILENT), Call(X, TRUE, DY)),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-7.2", "BN-7.3"),
    ),
    scenario(
        name="gradients-of-a-constant",
        question="Does nothing of a dy alike for all samples reach the input in training?",
        layer=LAYER,
        steps=(Call(EVEN, TRUE, CONSTANT), Call(EVEN, FALSE, CONSTANT)),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-7.3", "BN-7.4"),
    ),
    scenario(
        name="gradients-along-the-input",
        question="Of a dy that grows with the input, does only what epsilon leaves over reach it?",
        layer=replace(LAYER, epsilon=2.0**-4),
        steps=(Call(X, TRUE, proportional(X)),),
        settles=("training-gradient", "epsilon-placement"),
        clauses=("BN-7.1", "BN-1.2"),
    ),
    scenario(
        name="gradients-over-two-batches",
        question="Does the gradient of each batch come from that batch alone, and from the gamma "
        "in force?",
        layer=LAYER,
        steps=(Call(X, TRUE, DY), Call(OTHER, TRUE, OTHER_DY), Call(X, FALSE, DY)),
        settles=THROUGH,
        clauses=("BN-7.1", "BN-7.2", "BN-5.1"),
    ),
    scenario(
        name="untracked-inference-gradients",
        question="Does the gradient of a layer that tracks no statistics flow through the batch's "
        "in inference?",
        layer=replace(
            LAYER, track_running_statistics=False, running_mean=ABSENT, running_variance=ABSENT
        ),
        steps=(Call(X, FALSE, DY),),
        settles=("no-running-statistics", "training-gradient"),
        clauses=("BN-4.9", "BN-7.1"),
        sources=(TORCH,),
    ),
)
