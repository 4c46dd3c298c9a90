"""Masks and sample weights: batches of which not every value counts the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, of_dtype, spoiled, weights
from suites.sources import CONTRIB, KERAS
from suites.vocabulary import Call, Scenario, Tensor, Training

scenario = partial(Scenario, suite="masks", sources=(KERAS,))
weighted = partial(scenario, sources=(CONTRIB,))
TRUE, FALSE = Training.TRUE, Training.FALSE
EVERYTHING = ("output", "running_mean", "running_variance")
RUNNING = ("running_mean", "running_variance")
GRADIENTS = ("dx", "dgamma", "dbeta")
LAYER = replace(TRAINED, epsilon=0.25)

SEQUENCES = replace(TRAINED, rank=3)
IMAGES = replace(TRAINED, rank=4)
NaN_AT = 3 * 3  # the first channel at the first position of the second sample


def mask(*rows: str, dtype: str = "float32") -> Tensor:
    """Return a mask over samples of positions, each sample written as ones and zeros."""
    values = tuple(float(mark) for row in rows for mark in row)
    shape = (len(rows),) if len(rows[0]) == 1 else (len(rows), len(rows[0]))
    return Tensor(dtype, shape, values)


def of_samples(*values: float, dtype: str = "float32") -> Tensor:
    """Return a weight for each sample."""
    return Tensor(dtype, (len(values),), values)


PADDED = mask("111", "100", "110", "000", "011")
IMAGE_MASK = Tensor("float32", (2, 2, 3), (1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1))
SAMPLES = mask("1", "0", "1", "1", "0")
UNEQUAL = of_samples(1.0, 2.0, 0.5, 4.0, 0.25)

MASKS = (
    scenario(
        name="mask-training-output",
        question="Does a masked training batch take its mean and variance from what is left, and "
        "give masked positions an output too?",
        layer=SEQUENCES,
        steps=(Call(batch("mask-output", rank=3), TRUE, mask=PADDED),),
        settles=("mask-in-training", "training-output-statistics", "epsilon-placement"),
        clauses=("BN-11.1", "BN-11.2"),
        about=("output",),
    ),
    scenario(
        name="mask-running-statistics",
        question="Do running statistics take in only the values that are not masked?",
        layer=SEQUENCES,
        steps=(Call(batch("mask-running", rank=3), TRUE, mask=PADDED),),
        settles=("mask-in-training", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3"),
        about=RUNNING,
    ),
    scenario(
        name="mask-of-whole-samples",
        question="Can a mask leave out whole samples?",
        layer=TRAINED,
        steps=(Call(batch("mask-samples"), TRUE, mask=SAMPLES),),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3"),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-rank-4",
        question="Does a mask over the positions of images hold for every channel?",
        layer=IMAGES,
        steps=(Call(batch("mask-4", 2, rank=4), TRUE, mask=IMAGE_MASK),),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3"),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-gradients",
        question="Does the gradient flow through the statistics of a masked batch, masked values "
        "moving none of them?",
        layer=replace(LAYER, rank=3),
        steps=(
            Call(
                batch("mask-gradients", rank=3),
                TRUE,
                weights("mask-gradients", rank=3),
                mask=PADDED,
            ),
        ),
        settles=("training-gradient",),
        clauses=("BN-11.4",),
        about=GRADIENTS,
    ),
    scenario(
        name="mask-of-ones",
        question="Does a mask that leaves nothing out change nothing?",
        layer=replace(LAYER, rank=3),
        steps=(
            Call(
                batch("mask-ones", rank=3),
                TRUE,
                weights("mask-ones", rank=3),
                mask=mask("111", "111", "111", "111", "111"),
            ),
        ),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3", "BN-11.4"),
        about=(*EVERYTHING, "dx"),
    ),
    scenario(
        name="mask-that-leaves-one-value",
        question="What is a batch in which the mask leaves one value per channel normalised by?",
        layer=SEQUENCES,
        steps=(Call(batch("mask-one", 2, rank=3), TRUE, mask=mask("010", "000")),),
        settles=("epsilon-placement", "training-output-statistics"),
        clauses=("BN-11.1", "BN-11.2"),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-of-everything",
        question="What does a training batch that is masked altogether do to the layer?",
        layer=SEQUENCES,
        steps=(
            Call(batch("mask-all", 2, rank=3), TRUE, mask=mask("000", "000")),
            Call(batch("mask-all/next", rank=3), FALSE),
        ),
        settles=("mask-of-everything",),
        clauses=("BN-11.6",),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-over-a-nan",
        question="Is a NaN under the mask kept out of the statistics?",
        layer=SEQUENCES,
        steps=(
            Call(
                spoiled(batch("mask-nan", rank=3), NaN_AT),
                TRUE,
                mask=mask("111", "011", "110", "111", "011"),
            ),
            Call(batch("mask-nan/next", rank=3), TRUE, mask=PADDED),
        ),
        settles=("masked-non-finite",),
        clauses=("BN-11.7",),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-in-inference",
        question="Does a mask leave inference as it is?",
        layer=SEQUENCES,
        steps=(
            Call(batch("mask-inference", rank=3), FALSE, mask=PADDED),
            Call(batch("mask-inference", rank=3), FALSE, mask=mask(*["000"] * 5)),
        ),
        settles=("inference-output-statistics", "inference-updates"),
        clauses=("BN-11.5", "BN-6.2"),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-float64",
        question="Is anything added to the number of values that a mask leaves?",
        layer=of_dtype(SEQUENCES, "float64"),
        steps=(Call(batch("mask-64", rank=3, dtype="float64"), TRUE, mask=PADDED),),
        settles=("mask-weight-guard",),
        clauses=("BN-11.1",),
        about=EVERYTHING,
    ),
    scenario(
        name="mask-and-then-none",
        question="Does a masked batch leave no trace but its statistics?",
        layer=SEQUENCES,
        steps=(
            Call(batch("mask-then/1", rank=3), TRUE, mask=PADDED),
            Call(batch("mask-then/2", rank=3), TRUE),
            Call(batch("mask-then/3", rank=3), FALSE),
        ),
        settles=("running-variance-factor", "weighted-running-variance-factor"),
        clauses=("BN-11.3", "BN-5.1"),
        about=EVERYTHING,
    ),
)

WEIGHTS = (
    weighted(
        name="weights-training-output",
        question="Does a training batch with sample weights take the weighted mean and variance?",
        layer=TRAINED,
        steps=(Call(batch("weights-output"), TRUE, weights=UNEQUAL),),
        settles=("training-output-statistics", "epsilon-placement"),
        clauses=("BN-11.1", "BN-11.2"),
        about=("output",),
    ),
    weighted(
        name="weights-running-statistics",
        question="Do running statistics take in the weighted mean and variance?",
        layer=TRAINED,
        steps=(Call(batch("weights-running"), TRUE, weights=UNEQUAL),),
        settles=("weighted-running-variance-factor",),
        clauses=("BN-11.1", "BN-11.3"),
        about=RUNNING,
    ),
    weighted(
        name="weights-rank-4",
        question="Does a sample's weight count once for each of its positions?",
        layer=IMAGES,
        steps=(Call(batch("weights-4", 3, rank=4), TRUE, weights=of_samples(1.0, 3.0, 0.5)),),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3"),
        about=EVERYTHING,
    ),
    weighted(
        name="weights-gradients",
        question="Does the gradient flow through the weighted statistics?",
        layer=LAYER,
        steps=(Call(batch("weights-dx"), TRUE, weights("weights-dx"), weights=UNEQUAL),),
        settles=("training-gradient",),
        clauses=("BN-11.4",),
        about=GRADIENTS,
    ),
    weighted(
        name="weights-all-equal",
        question="Do equal weights of any size change nothing?",
        layer=LAYER,
        steps=(
            Call(
                batch("weights-equal"),
                TRUE,
                weights("weights-equal"),
                weights=of_samples(*[0.5] * 5),
            ),
            Call(batch("weights-equal"), TRUE, weights=of_samples(*[8.0] * 5)),
        ),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.3"),
        about=(*EVERYTHING, "dx"),
    ),
    weighted(
        name="weights-that-add-up-to-little",
        question="Is anything added to the sum of the weights before it divides?",
        layer=LAYER,
        steps=(
            Call(
                batch("weights-little"),
                TRUE,
                weights=of_samples(*(2.0**-power for power in (22, 23, 21, 23, 22))),
            ),
        ),
        settles=("mask-weight-guard",),
        clauses=("BN-11.1",),
        about=("output", "running_mean"),
    ),
    weighted(
        name="weights-that-are-zero",
        question="Is a sample of weight zero left out of the statistics?",
        layer=LAYER,
        steps=(
            Call(
                batch("weights-zero"),
                TRUE,
                weights("weights-zero"),
                weights=of_samples(1.0, 0.0, 2.0, 0.0, 1.0),
            ),
        ),
        settles=("training-output-statistics", "weighted-running-variance-factor"),
        clauses=("BN-11.1", "BN-11.2", "BN-11.4"),
        about=(*EVERYTHING, "dx"),
    ),
    weighted(
        name="weights-all-zero",
        question="What does a training batch without any weight do to the layer?",
        layer=TRAINED,
        steps=(
            Call(batch("weights-none", 3), TRUE, weights=of_samples(0.0, 0.0, 0.0)),
            Call(batch("weights-none/next"), FALSE),
        ),
        settles=("mask-of-everything",),
        clauses=("BN-11.6",),
        about=EVERYTHING,
    ),
    weighted(
        name="weights-over-a-nan",
        question="Is a NaN in a sample of weight zero kept out of the statistics?",
        layer=TRAINED,
        steps=(
            Call(
                spoiled(batch("weights-nan"), 3),
                TRUE,
                weights=of_samples(1.0, 0.0, 1.0, 2.0, 1.0),
            ),
        ),
        settles=("masked-non-finite",),
        clauses=("BN-11.7",),
        about=EVERYTHING,
    ),
    weighted(
        name="weights-in-inference",
        question="Do sample weights leave inference as it is?",
        layer=TRAINED,
        steps=(Call(batch("weights-inference"), FALSE, weights=UNEQUAL),),
        settles=("inference-output-statistics", "inference-updates"),
        clauses=("BN-11.5", "BN-6.2"),
        about=EVERYTHING,
    ),
)

SCENARIOS = (*MASKS, *WEIGHTS)
