"""What is asked of fakes about axes, shapes, memory and dtypes: arguments of a layer, and steps."""

from __future__ import annotations

import itertools

import numpy as np

from suites.vocabulary import Call, Cast, Tensor, Training

TRUE, FALSE = Training.TRUE, Training.FALSE
MODES = {"training": TRUE, "inference": FALSE}


def tensor(values, dtype="float32"):
    array = np.array(values, dtype)
    return Tensor(dtype, array.shape, tuple(array.ravel().tolist()))


def cube(rank):
    """Every axis as long as there are channels."""
    return tensor(np.arange(2**rank).reshape((2,) * rank) ** 2 / 8)


ROWS = [[[1, 10], [4, 20]], [[2, 40], [8, 31]], [[2, 31], [1, 7]]]
EQUAL = tensor(np.repeat(np.array(ROWS)[:, None], 3, axis=1))
HALF = [[1, 10], [2, 40], [2, 31]]
WEIGHTS = tensor([[1, 3], [2, 1], [0, 0]])
FINE = np.array([[0, 1], [4, 1.5], [2, 3], [3, -2]]) / 3

QUESTIONS = {
    **{
        f"axis {axis} of {rank}": (
            {"rank": rank, "channel_axis_argument": axis},
            (Call(cube(rank), TRUE, cube(rank)), Call(cube(rank), FALSE)),
        )
        for rank, axis in ((3, 1), (4, 1), (4, 2), (3, -2))
    },
    **{
        f"{memory} in {word}": ({"rank": 4}, (Call(EQUAL, MODES[word], EQUAL, memory=memory),))
        for memory, word in itertools.product(
            ("transposed", "strided", "expanded", "channels-last"), MODES
        )
    },
    **{
        f"{channels} channels at rank {rank} in {word}": (
            {},
            (
                Call(
                    tensor(np.arange(4 * channels).reshape(4, *[1] * (rank - 2), channels)),
                    MODES[word],
                ),
            ),
        )
        for (channels, rank), word in itertools.product(((1, 2), (2, 3), (2, 4)), MODES)
    },
    **{
        f"{dtype} input in {word}": (
            {"input_dtype": dtype},
            (Call(tensor(HALF, dtype), MODES[word], WEIGHTS),),
        )
        for dtype, word in itertools.product(("float16", "float64"), MODES)
    },
    "mixed precision": ({"policy": "mixed_float16"}, (Call(tensor(HALF), TRUE, WEIGHTS),)),
    "cast": ({}, (Call(tensor(FINE), TRUE), Cast("float16"), Cast("float64"))),
    "beyond float16": (
        {"dtype": "float16"},
        (
            Call(tensor([[1, 2000], [2, -2000], [2, 0]], "float16"), TRUE),
            Call(tensor(HALF, "float16"), FALSE),
        ),
    ),
    "float16 images": (
        {"dtype": "float16", "rank": 4},
        (Call(tensor(np.arange(16).reshape(2, 2, 2, 2) / 3, "float16"), TRUE),),
    ),
    "float64 twice differentiated": (
        {"dtype": "float64"},
        (
            Call(
                tensor(FINE, "float64"),
                TRUE,
                tensor(FINE**2, "float64"),
                dx_weights=tensor(FINE[::-1], "float64"),
            ),
        ),
    ),
}
