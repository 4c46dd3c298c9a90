"""Inputs of the scenarios: small dyadic rationals, exact in every format down to bfloat16.

Three channels in three regimes: a small deviation, which tells values and places of epsilon apart;
a deviation near one; and a large one, which tells variance estimators apart.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

from suites.vocabulary import ABSENT, Absent, Layer, Tensor

CHANNELS = 3
SCALES = (2.0**-9, 2.0**-4, 2.0**-1)
OFFSETS = (2.0**-4, 1.0, 8.0)
FAR_OFFSETS = (2.0**10, 2.0**12, -(2.0**13))
SPATIAL = {2: (), 3: (3,), 4: (2, 3), 5: (2, 1, 3)}

GAMMA = Tensor("float32", (3,), (1.5, 0.5, -2.0))
BETA = Tensor("float32", (3,), (0.25, -1.0, 0.5))
RUNNING_MEAN = Tensor("float32", (3,), (0.125, 0.5, 4.0))
RUNNING_VARIANCE = Tensor("float32", (3,), (0.015625, 0.25, 4.0))

BASE = Layer(
    channels=CHANNELS,
    rank=2,
    decay=0.75,
    epsilon=2.0**-10,
    center=True,
    scale=True,
    gamma=Tensor("float32", (3,), (1.0, 1.0, 1.0)),
    beta=Tensor("float32", (3,), (0.0, 0.0, 0.0)),
    running_mean=Tensor("float32", (3,), (0.0, 0.0, 0.0)),
    running_variance=Tensor("float32", (3,), (1.0, 1.0, 1.0)),
)
"""Everything said, so that no default takes part."""
TRAINED = replace(
    BASE, gamma=GAMMA, beta=BETA, running_mean=RUNNING_MEAN, running_variance=RUNNING_VARIANCE
)
"""A layer that has learned something: no value is the one a framework starts with."""


def without_gamma(layer: Layer) -> Layer:
    """Return the layer told to have no gamma."""
    return replace(layer, scale=False, gamma=ABSENT)


def without_beta(layer: Layer) -> Layer:
    """Return the layer told to have no beta."""
    return replace(layer, center=False, beta=ABSENT)


def without_initial_state(layer: Layer) -> Layer:
    """Return the layer with the framework's own initial values."""
    return replace(layer, gamma=ABSENT, beta=ABSENT, running_mean=ABSENT, running_variance=ABSENT)


def numbers(key: str, count: int, span: int = 16) -> list[int]:
    """Return integers in [−span, span], the same for the same key everywhere.

    Consecutive numbers differ, so no channel of two or more values is constant.
    """
    drawn: list[int] = []
    index = 0
    while len(drawn) < count:
        digest = hashlib.sha256(f"{key}/{index}".encode()).digest()
        number = int.from_bytes(digest[:4], "big") % (2 * span + 1) - span
        index += 1
        if len(drawn) < CHANNELS or number != drawn[-CHANNELS]:
            drawn.append(number)
    return drawn


def batch(key: str, samples: int = 5, rank: int = 2, dtype: str = "float32") -> Tensor:
    """Return an input of shape ``(samples, *spatial, 3)`` in the three regimes."""
    shape = (samples, *SPATIAL[rank], CHANNELS)
    drawn = numbers(key, math.prod(shape))
    values = (OFFSETS[i % CHANNELS] + SCALES[i % CHANNELS] * k for i, k in enumerate(drawn))
    return Tensor(dtype, shape, tuple(values))


def far_from_zero(key: str, samples: int = 5, rank: int = 2) -> Tensor:
    """Return an input whose mean is some thousand to ten thousand times its deviation.

    A variance computed as E[x²] − E[x]² keeps none of its digits there in float32.
    """
    shape = (samples, *SPATIAL[rank], CHANNELS)
    drawn = numbers(key, math.prod(shape))
    values = (FAR_OFFSETS[i % CHANNELS] + 2.0**-4 * k for i, k in enumerate(drawn))
    return Tensor("float32", shape, tuple(values))


def weights(key: str, samples: int = 5, rank: int = 2, dtype: str = "float32") -> Tensor:
    """Return a dy of the shape of `batch`: neither constant nor proportional to the input.

    Keys end in a number where that was needed to keep the gradients to gamma and beta away from
    zero in every channel.
    """
    shape = (samples, *SPATIAL[rank], CHANNELS)
    drawn = numbers(f"dy/{key}", math.prod(shape), span=8)
    return Tensor(dtype, shape, tuple(k / 8 for k in drawn))


def cast(tensor: Tensor, dtype: str) -> Tensor:
    """Return the same values under another dtype name."""
    return Tensor(dtype, tensor.shape, tensor.values)


def spoiled(tensor: Tensor, index: int) -> Tensor:
    """Return the tensor with the value at a row-major index made NaN."""
    values = (*tensor.values[:index], math.nan, *tensor.values[index + 1 :])
    return replace(tensor, values=values)


def of_dtype(layer: Layer, dtype: str) -> Layer:
    """Return a layer of another dtype, with the same initial values."""

    def recast(value: Tensor | Absent) -> Tensor | Absent:
        return cast(value, dtype) if isinstance(value, Tensor) else value

    return replace(
        layer,
        dtype=dtype,
        gamma=recast(layer.gamma),
        beta=recast(layer.beta),
        running_mean=recast(layer.running_mean),
        running_variance=recast(layer.running_variance),
    )


def reshaped(tensor: Tensor, *shape: int) -> Tensor:
    """Return the same values in another shape."""
    return replace(tensor, shape=shape)


def changed(tensor: Tensor, index: int, value: float) -> Tensor:
    """Return the tensor with another value at a row-major index."""
    values = (*tensor.values[:index], value, *tensor.values[index + 1 :])
    return replace(tensor, values=values)


def with_constant_channel(tensor: Tensor, channel: int, value: float) -> Tensor:
    """Return the tensor with one channel made the same everywhere."""
    values = (value if i % CHANNELS == channel else v for i, v in enumerate(tensor.values))
    return replace(tensor, values=tuple(values))


def at_offset(key: str, offset: float, step: float, samples: int = 5, rank: int = 2) -> Tensor:
    """Return an input of whole multiples of `step`, sixteen at most, around one offset."""
    shape = (samples, *SPATIAL[rank], CHANNELS)
    values = (offset + step * k for k in numbers(key, math.prod(shape)))
    return Tensor("float32", shape, tuple(values))
