"""Batch renormalisation: training corrected by averages of earlier batches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, weights, without_beta, without_gamma
from suites.sources import CONTRIB, KERAS, RENORM_PAPER, TF_LAYER
from suites.vocabulary import (
    ABSENT,
    Call,
    ClippingBound,
    Layer,
    Scenario,
    Tensor,
    Training,
)

scenario = partial(
    Scenario, suite="renormalisation", sources=(RENORM_PAPER, KERAS, CONTRIB, TF_LAYER)
)
TRUE, FALSE = Training.TRUE, Training.FALSE
AVERAGES = ("renorm_mean", "renorm_deviation")
RUNNING = ("running_mean", "running_variance", "running_deviation")
GRADIENTS = ("dx", "dgamma", "dbeta")

Bounds = tuple[tuple[ClippingBound, float], ...]
LAYER = replace(TRAINED, renorm=True, renorm_decay=0.5)
"""Against its averages a batch of `batch` has ratios of about ¼, 1 and 2, shifts of −½, 1 and 2."""
FRESH = replace(LAYER, running_mean=ABSENT, running_variance=ABSENT)
NARROW = replace(LAYER, running_variance=Tensor("float32", (3,), (2.0**-14, 2.0**-12, 4.0)))
WIDE: Bounds = (("rmax", 64.0), ("rmin", 2.0**-6), ("dmax", 64.0))
NOTHING: Bounds = (("rmax", 1.0), ("rmin", 1.0), ("dmax", 0.0))


BOUNDS: tuple[tuple[str, str, Bounds, tuple[str, ...]], ...] = (
    (
        "rmax",
        "the ratio of deviations below rmax, and without rmin above its reciprocal",
        (("rmax", 1.5),),
        ("renormalisation-least-ratio", "renormalisation-start"),
    ),
    (
        "rmin",
        "the ratio of deviations above rmin",
        (("rmin", 0.75),),
        ("renormalisation-start",),
    ),
    ("dmax", "the shift within dmax on both sides", (("dmax", 0.25),), ("renormalisation-start",)),
    (
        "all-bounds",
        "ratio and shift within all three bounds",
        (("rmax", 1.5), ("rmin", 0.5), ("dmax", 0.75)),
        ("renormalisation-start",),
    ),
    (
        "bounds-not-reached",
        "what lies within its bounds as it is",
        WIDE,
        ("renormalisation-start",),
    ),
)
"""What bounds the correction: a name, what is kept how, the bounds, and what that settles."""


def clipping(*bounds: tuple[ClippingBound, float]) -> Layer:
    """Return the layer with bounds of its correction."""
    return replace(LAYER, renorm_clipping=bounds)


def steps(key: str, count: int) -> tuple[Call, ...]:
    """Return so many training executions, and one in inference."""
    training = (Call(batch(f"{key}/{turn}"), TRUE) for turn in range(count))
    return (*training, Call(batch(f"{key}/end"), FALSE))


SCENARIOS = (
    scenario(
        name="renorm-first-step",
        question="Does the first batch of a fresh renormalising layer pass unchanged?",
        layer=FRESH,
        steps=(Call(batch("renorm-first"), TRUE),),
        settles=("renormalisation-start",),
        clauses=("BN-12.1", "BN-12.4", "BN-12.10"),
        about=("output",),
    ),
    scenario(
        name="renorm-training-output",
        question="Is a training batch normalised by the averages of earlier ones where nothing is "
        "clipped?",
        layer=LAYER,
        steps=(Call(batch("renorm-output"), TRUE),),
        settles=("renormalisation-start",),
        clauses=("BN-12.1", "BN-12.4"),
        about=("output",),
    ),
    scenario(
        name="renorm-running-statistics",
        question="What do the running statistics of a renormalising layer take in?",
        layer=LAYER,
        steps=(Call(batch("renorm-running"), TRUE), Call(batch("renorm-running/2"), FALSE)),
        settles=("renormalised-running-variance",),
        clauses=("BN-12.7",),
        about=(*RUNNING, "output"),
    ),
    scenario(
        name="renorm-own-momentum",
        question="Do the averages that renormalise follow by a momentum of their own?",
        layer=replace(LAYER, renorm_decay=0.25),
        steps=(Call(batch("renorm-own/1"), TRUE), Call(batch("renorm-own/2"), TRUE)),
        settles=("renormalisation-averages",),
        clauses=("BN-12.6", "BN-12.1"),
        about=("output", *AVERAGES, *RUNNING),
    ),
    scenario(
        name="renorm-default-momentum",
        question="How fast do the averages that renormalise follow by default?",
        layer=replace(LAYER, renorm_decay=ABSENT),
        steps=(Call(batch("renorm-default/1"), TRUE), Call(batch("renorm-default/2"), TRUE)),
        settles=("default-renormalisation-decay",),
        clauses=("BN-12.6",),
        about=("output", *AVERAGES),
    ),
    *(
        scenario(
            name=f"renorm-{name}",
            question=f"Does renormalisation keep {what}?",
            layer=clipping(*bounds),
            steps=(Call(batch(f"renorm-{name}"), TRUE),),
            settles=settled,
            clauses=("BN-12.1", "BN-12.2"),
            about=("output",),
        )
        for name, what, bounds, settled in BOUNDS
    ),
    scenario(
        name="renorm-that-corrects-nothing",
        question="With rmax = rmin = 1 and dmax = 0, is the output that of plain BatchNorm?",
        layer=replace(LAYER, epsilon=0.25, renorm_clipping=NOTHING),
        steps=(Call(batch("renorm-nothing"), TRUE, weights("renorm-nothing")),),
        settles=("training-output-statistics", "training-gradient"),
        clauses=("BN-12.5", "BN-12.3"),
        about=("output", *GRADIENTS),
    ),
    scenario(
        name="renorm-two-steps",
        question="Does the second step of a fresh renormalising layer correct by the first?",
        layer=FRESH,
        steps=steps("renorm-two", 2),
        settles=("renormalisation-start", "renormalised-running-variance"),
        clauses=("BN-12.1", "BN-12.6", "BN-12.7", "BN-12.10"),
        about=("output", *AVERAGES, *RUNNING),
    ),
    scenario(
        name="renorm-five-steps",
        question="Do the averages that renormalise warm up over five steps as over one?",
        layer=replace(FRESH, renorm_clipping=(("rmax", 2.0), ("rmin", 0.5), ("dmax", 1.0))),
        steps=steps("renorm-five", 5),
        settles=("renormalisation-start", "renormalised-running-variance"),
        clauses=("BN-12.1", "BN-12.2", "BN-12.6", "BN-12.7"),
        about=("output", *AVERAGES, *RUNNING),
    ),
    scenario(
        name="renorm-gradients",
        question="Are the ratio and the shift of renormalisation constants of the gradient?",
        layer=replace(LAYER, epsilon=0.25),
        steps=(Call(batch("renorm-dx"), TRUE, weights("renorm-dx")),),
        settles=("training-gradient", "renormalisation-start"),
        clauses=("BN-12.3",),
        about=GRADIENTS,
    ),
    scenario(
        name="renorm-gradients-clipped",
        question="Is the gradient right where the correction is clipped?",
        layer=replace(LAYER, epsilon=0.25, renorm_clipping=(("rmax", 1.25), ("dmax", 0.5))),
        steps=(Call(batch("renorm-dx-clipped"), TRUE, weights("renorm-dx-clipped")),),
        settles=("training-gradient",),
        clauses=("BN-12.2", "BN-12.3"),
        about=GRADIENTS,
    ),
    scenario(
        name="renorm-without-parameters",
        question="Does a layer without gamma and beta renormalise?",
        layer=without_beta(without_gamma(LAYER)),
        steps=(Call(batch("renorm-bare"), TRUE),),
        settles=("renormalisation-start",),
        clauses=("BN-12.1", "BN-2.1"),
        about=("output", "trainable_parameters"),
    ),
    scenario(
        name="renorm-inference",
        question="Is inference of a renormalising layer that of any layer?",
        layer=LAYER,
        steps=(Call(batch("renorm-inference"), FALSE, weights("renorm-inference")),),
        settles=("inference-output-statistics", "inference-updates"),
        clauses=("BN-12.9", "BN-6.2"),
        about=("output", "dx", *AVERAGES, *RUNNING),
    ),
    scenario(
        name="renorm-narrow-averages",
        question="Is a deviation smaller than the root of epsilon raised before it divides?",
        layer=NARROW,
        steps=(Call(batch("renorm-narrow"), TRUE),),
        settles=("renormalisation-deviation-floor",),
        clauses=("BN-12.8",),
        about=("output",),
    ),
    scenario(
        name="renorm-rank-4",
        question="Does renormalisation of images correct each channel once for all positions?",
        layer=replace(LAYER, rank=4, renorm_clipping=(("rmax", 1.5), ("dmax", 1.0))),
        steps=(
            Call(batch("renorm-4", 2, rank=4), TRUE, weights("renorm-4", 2, rank=4)),
            Call(batch("renorm-4/2", 2, rank=4), TRUE),
        ),
        settles=("renormalisation-start", "renormalised-running-variance"),
        clauses=("BN-12.1", "BN-12.2", "BN-12.3", "BN-12.7"),
        about=("output", *GRADIENTS, *AVERAGES, *RUNNING),
    ),
)
