"""Where the channels are: every axis by its number, wrong shapes, and values strewn over memory."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, numbers, weights
from suites.sources import CONTRIB, KERAS, TORCH
from suites.vocabulary import Call, Layer, Memory, Scenario, Tensor, Training

KERAS_INPUT_SPEC = "https://keras.io/api/layers/base_layer/"
TORCH_MEMORY_FORMAT = "https://docs.pytorch.org/docs/stable/tensor_attributes.html"
TORCH_CHANNELS_LAST = "https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html"

scenario = partial(Scenario, suite="layout")
TRUE, FALSE = Training.TRUE, Training.FALSE
ALL = ("output", "running_mean", "running_variance")
GRADIENTS = (*ALL, "dx", "dgamma", "dbeta")


def along(tensor: Tensor, axis: int) -> Tensor:
    """Return a tensor that has its channels last with the channels on another axis."""
    *others, channels = tensor.shape
    axis %= len(tensor.shape)
    shape = (*others[:axis], channels, *others[axis:])
    values = []
    for index in itertools.product(*(range(size) for size in shape)):
        place = 0
        for at, size in zip((*index[:axis], *index[axis + 1 :]), others, strict=True):
            place = place * size + at
        values.append(tensor.values[place * channels + index[axis]])
    return Tensor(tensor.dtype, shape, tuple(values))


def spelt(axis: int) -> str:
    """Return an axis as a part of a name."""
    return f"minus-{-axis}" if axis < 0 else str(axis)


def axis_named(rank: int, axis: int, mode: Training, *, gradients: bool = False) -> Scenario:
    """Return the scenario of a layer told the number of its channel axis."""
    word = "training" if mode is TRUE else "inference"
    key = f"axis/{rank}/{axis}/{word}"
    samples = {2: 5, 3: 3}.get(rank, 2)
    dy = along(weights(key, samples, rank), axis) if gradients else None
    return scenario(
        name=f"channel-axis-{spelt(axis)}-rank-{rank}-{word}",
        question=f"Does a layer told that axis {axis} of rank-{rank} input holds the channels "
        f"pool over all others in {word}?"
        if mode is TRUE
        else f"Does a layer told that axis {axis} of rank-{rank} input holds the channels use one "
        "running value for each place on it?",
        layer=replace(TRAINED, rank=rank, channel_axis_argument=axis),
        steps=(Call(along(batch(key, samples, rank), axis), mode, dy),),
        about=GRADIENTS if gradients else ALL,
        settles=("training-output-statistics",)
        if mode is TRUE
        else ("inference-output-statistics",),
        clauses=("BN-3.1", "BN-3.3", "BN-3.6") if axis < 0 else ("BN-3.1", "BN-3.3"),
        sources=(KERAS, CONTRIB),
    )


ONE = Tensor("float32", (1,), (0.5,))
OF_ONE_CHANNEL = replace(
    TRAINED, channels=1, gamma=ONE, beta=ONE, running_mean=ONE, running_variance=ONE
)


def grey(samples: int) -> Tensor:
    """Return an input of one channel, shape ``(samples, 1)``."""
    values = tuple(number / 16 for number in numbers("grey", samples))
    return Tensor("float32", (samples, 1), values)


def wrong(name: str, question: str, layer: Layer, x: Tensor, axis: str) -> list[Scenario]:
    """Return the scenarios that give a layer a wrong shape, in training and in inference."""
    return [
        scenario(
            name=f"{name}-{word}",
            question=question.format(word),
            layer=layer,
            steps=(Call(x, mode),),
            about=("output",),
            settles=(axis,),
            clauses=("BN-3.9",) if axis == "wrong-channels" else ("BN-3.10",),
            sources=(TORCH, KERAS_INPUT_SPEC, CONTRIB),
        )
        for word, mode in (("training", TRUE), ("inference", FALSE))
    ]


def equal_along(tensor: Tensor) -> Tensor:
    """Return a tensor whose values along its first spatial axis are all those of the first."""
    samples, length, *rest = tensor.shape
    size = math.prod(rest)
    values: list[float] = []
    for sample in range(samples):
        start = sample * length * size
        values += tensor.values[start : start + size] * length
    return replace(tensor, values=tuple(values))


def in_memory(
    memory: Memory, rank: int, mode: Training, *, gradients: bool = False, second: bool = False
) -> Scenario:
    """Return the scenario of values that lie in memory otherwise than one after the other."""
    word = "training" if mode is TRUE else "inference"
    key = f"memory/{memory}/{rank}/{word}"
    samples = 5 if rank < 4 else 2
    given = [
        batch(key, samples, rank),
        weights(key, samples, rank),
        weights(key + "/2", samples, rank),
    ]
    if memory == "expanded":
        given = [equal_along(each) for each in given]
    x, dy, u = given
    return scenario(
        name=f"{memory}-memory-rank-{rank}-{word}",
        question=f"Is {word} on rank-{rank} input the same where its values do not lie one after "
        f"the other in memory but {memory}?",
        layer=replace(TRAINED, rank=rank, epsilon=0.25),
        steps=(
            Call(
                x, mode, dy if gradients else None, dx_weights=u if second else None, memory=memory
            ),
        ),
        about=(*GRADIENTS, "second_dx") if second else GRADIENTS if gradients else ALL,
        settles=("training-output-statistics",)
        if mode is TRUE
        else ("inference-output-statistics",),
        clauses=("BN-3.11", "BN-3.1"),
        sources=(TORCH_MEMORY_FORMAT, TORCH_CHANNELS_LAST),
    )


SCENARIOS = (
    *(
        axis_named(rank, axis, TRUE, gradients=gradients)
        for rank, axis, gradients in (
            (3, 1, True),
            (4, 1, True),
            (5, 1, False),
            (3, 0, False),
            (4, 2, True),
            (4, 3, False),
            (2, -1, False),
            (3, -2, True),
            (4, -3, True),
            (5, -4, False),
        )
    ),
    *(
        axis_named(rank, axis, FALSE, gradients=gradients)
        for rank, axis, gradients in ((3, 1, False), (4, 1, True), (4, -2, False))
    ),
    *(
        scenario(
            name=f"channel-axis-by-default-rank-{rank}",
            question=f"Which axis of rank-{rank} input holds the channels when the user does not "
            "say?",
            layer=replace(TRAINED, rank=rank, channel_axis="default"),
            steps=(
                Call(
                    Tensor("float32", shape, batch(f"default/{rank}", samples, rank).values), TRUE
                ),
            ),
            about=ALL,
            settles=("default-channel-axis",),
            clauses=("BN-3.3",),
            sources=(KERAS, TORCH, CONTRIB),
        )
        for rank, samples, shape in ((3, 3, (3, 3, 3)), (5, 3, (2, 3, 1, 3, 3)))
    ),
    *wrong(
        "one-channel-given-to-a-layer-of-three",
        "Is an input of one channel to a layer of three refused in {}, or does it stand for all?",
        TRAINED,
        grey(5),
        "wrong-channels",
    ),
    *wrong(
        "three-channels-given-to-a-layer-of-one",
        "Is an input of three channels to a layer of one refused in {}?",
        OF_ONE_CHANNEL,
        batch("three for one"),
        "wrong-channels",
    ),
    *wrong(
        "images-given-to-a-layer-of-vectors",
        "Is rank-4 input to a layer made for rank 2 refused in {}?",
        TRAINED,
        batch("images for vectors", 2, 4),
        "wrong-rank",
    ),
    *wrong(
        "vectors-given-to-a-layer-of-images",
        "Is rank-2 input to a layer made for rank 4 refused in {}?",
        replace(TRAINED, rank=4),
        batch("vectors for images"),
        "wrong-rank",
    )[1:],
    *wrong(
        "sequences-given-to-a-layer-of-vectors",
        "Is rank-3 input to a layer made for rank 2 refused in {}?",
        TRAINED,
        batch("sequences for vectors", 3, 3),
        "wrong-rank",
    )[1:],
    in_memory("transposed", 2, TRUE, gradients=True),
    in_memory("transposed", 4, TRUE, gradients=True, second=True),
    in_memory("strided", 3, TRUE, gradients=True),
    in_memory("strided", 2, FALSE),
    in_memory("channels-last", 4, TRUE, gradients=True),
    in_memory("channels-last", 4, FALSE, gradients=True),
    in_memory("channels-last", 5, TRUE, gradients=True),
    in_memory("expanded", 4, TRUE, gradients=True),
)
