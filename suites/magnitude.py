"""How large and how small values may be: the digits of the variance, and the ends of a format."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import BASE, TRAINED, at_offset, of_dtype, weights
from suites.sources import KERAS, PAPER, TORCH
from suites.vocabulary import Call, Scenario, Tensor, Training

scenario = partial(
    Scenario, suite="magnitude", about=("output", "running_mean", "running_variance")
)
TRUE, FALSE = Training.TRUE, Training.FALSE
OFFSETS = (3, 7, 10, 13, 17, 20)
TWO_PASSES = "https://github.com/keras-team/keras/pull/18795"
SUBNORMAL = 2.0**-134
SMALL = 2.0**-60
WIDE = Tensor("float16", (2, 3), (200.0, -100.0, 0.0, -200.0, 300.0, 400.0))
"""A population variance of 40000 fits into float16, the sample variance of 80000 does not."""

SCENARIOS = (
    *(
        scenario(
            name=f"offset-of-2-to-the-{power}",
            question=f"Does the variance of values of deviation one around 2^{power}, about "
            f"10^{round(power * 0.30103)}, keep its digits?",
            layer=BASE,
            steps=(Call(at_offset(f"offset/{power}", 2.0**power, 0.125), TRUE),),
            settles=("training-output-statistics",),
            clauses=("BN-3.2", "BN-4.5"),
            sources=(TWO_PASSES, "https://doi.org/10.1080/00031305.1983.10483115"),
        )
        for power in OFFSETS
    ),
    scenario(
        name="offset-of-2-to-the-13-gradients",
        question="Do gradients keep their digits where values lie around 10⁴ with deviation one?",
        layer=replace(TRAINED, epsilon=0.25),
        steps=(
            Call(at_offset("offset/13", 2.0**13, 0.125), TRUE, weights("training-gradients/9")),
        ),
        about=("dx", "dgamma", "dbeta"),
        settles=("training-gradient",),
        clauses=("BN-7.1", "BN-7.2"),
        sources=(PAPER,),
    ),
    scenario(
        name="squares-near-the-largest-float32",
        question="Are values normalised whose squares just fit into float32?",
        layer=BASE,
        steps=(Call(at_offset("large", 0.0, 2.0**56), TRUE),),
        settles=("training-output-statistics",),
        clauses=("BN-1.1", "BN-4.1"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="inference-near-the-largest-float32",
        question="Does inference map values near the end of float32 without squaring them?",
        layer=replace(
            TRAINED,
            running_mean=Tensor("float32", (3,), (2.0**100, -(2.0**100), 0.0)),
            running_variance=Tensor("float32", (3,), (2.0**80, 2.0**100, 2.0**120)),
        ),
        steps=(Call(at_offset("largest", 0.0, 2.0**110), FALSE),),
        settles=("inference-updates",),
        clauses=("BN-6.2", "BN-5.2"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="variance-below-epsilon",
        question="Where the variance is a millionth of epsilon, does epsilon alone scale the "
        "output?",
        layer=replace(BASE, epsilon=2.0**-4),
        steps=(Call(at_offset("tiny", 0.0, 2.0**-16), TRUE),),
        settles=("epsilon-placement", "training-output-statistics"),
        clauses=("BN-1.2", "BN-1.1"),
        sources=(PAPER,),
    ),
    scenario(
        name="running-variance-of-tiny-values",
        question="Does the running variance follow variances of 10⁻³⁴, without a least value?",
        layer=replace(
            BASE,
            epsilon=0.25,
            running_variance=Tensor("float32", (3,), (SMALL**2, 2.0 * SMALL**2, 4.0 * SMALL**2)),
        ),
        steps=(Call(at_offset("tiny", 0.0, SMALL), TRUE),),
        settles=("running-variance-factor",),
        clauses=("BN-4.1", "BN-4.5"),
        sources=(PAPER, KERAS, TORCH),
    ),
    scenario(
        name="subnormal-values",
        question="Do values too small for a normal float32 come out as beta, and nothing else?",
        layer=replace(TRAINED, epsilon=0.25),
        steps=(
            Call(at_offset("subnormal", 0.0, SUBNORMAL), TRUE),
            Call(at_offset("subnormal", 0.0, SUBNORMAL), FALSE),
        ),
        settles=("inference-output-statistics", "training-output-statistics"),
        clauses=("BN-1.1", "BN-6.2"),
        sources=(PAPER,),
    ),
    scenario(
        name="float16-running-variance-beyond-its-range",
        question="What becomes of a float16 layer once its running variance is to be 80000?",
        layer=replace(of_dtype(BASE, "float16"), decay=0.0),
        steps=(Call(WIDE, TRUE), Call(WIDE, FALSE)),
        settles=("low-precision-statistics",),
        clauses=("BN-10.6", "BN-10.4"),
        sources=(
            "https://github.com/keras-team/keras-core/pull/412",
            "https://github.com/pytorch/pytorch/issues/70901",
            "https://github.com/pytorch/pytorch/pull/126525",
        ),
    ),
)
