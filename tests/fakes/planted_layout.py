"""Faults about axes, shapes, and where values lie in memory."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from tests.fakes import argument_style, deferred_style, switch_style
from tests.fakes.fault import fault

FAULTS = {}
argument = partial(fault, FAULTS, "argument")
switch = partial(fault, FAULTS, "switch")
deferred = partial(fault, FAULTS, "deferred")


@argument(
    "second-axis-of-three-misread", "At rank 3, channels on the second axis are sought on the last."
)
class SecondAxisOfThreeMisread(argument_style.Program):
    def channel_axis(self, rank):
        axis = super().channel_axis(rank)
        return -1 if (rank, axis) == (3, 1) else axis


@argument("negative-axis-off-by-one", "A negative axis counts from one before the last.")
class NegativeAxisOffByOne(argument_style.Program):
    def channel_axis(self, rank):
        axis = super().channel_axis(rank)
        said = "channel_axis_argument" in self.layer
        return axis - 1 if said and -rank < axis < 0 else axis


@argument(
    "axis-counted-without-the-samples", "Axis 1 is taken for the first one after the samples'."
)
class AxisCountedWithoutTheSamples(argument_style.Program):
    def channel_axis(self, rank):
        axis = super().channel_axis(rank)
        return min(axis + 1, rank - 1) if axis > 0 else axis


@deferred("channel-axis-ignored", "The channels are on the last axis, whatever the user says.")
class ChannelAxisIgnored(deferred_style.Program):
    def channel_axis(self, rank):  # noqa: ARG002
        return -1


@argument("output-left-moved", "On images with channels in front the output has them last.")
class OutputLeftMoved(argument_style.Program):
    def as_given(self, x):
        if self.channel_axis(x.ndim) in {1, -3} and x.ndim == 4:
            return x.astype(self.dtype_of_output()).reshape(np.moveaxis(x, -1, 1).shape)
        return super().as_given(x)


@argument("gradient-left-moved", "The gradient to an input with channels in front has them last.")
class GradientLeftMoved(argument_style.Program):
    def as_gradient(self, x):
        given = super().as_gradient(x)
        return x.astype(given.dtype).reshape(given.shape)


def lying(x):
    """Return the values that lie in the memory of an array, in its shape, as if in a row."""
    while x.base is not None and x.base.size > 1:
        x = x.base
    return x.ravel(order="K")


@argument("strided-input-read-in-a-row", "A strided input is read as if its values lay in a row.")
class StridedInputReadInARow(argument_style.Program):
    def run(self, x, requested, updates="documented"):
        if not x.flags.c_contiguous:
            x = np.resize(lying(x), x.shape)
        return super().run(x, requested, updates)


@switch("strided-dy-read-in-a-row", "A strided dy is read as if its values lay in a row.")
class StridedDyReadInARow(switch_style.Program):
    def backward(self, execution, dy):
        return super().backward(execution, dy)

    def gradients(self, execution, dy):
        if not dy.flags.c_contiguous:
            dy = np.resize(lying(dy), dy.shape)
        return super().gradients(execution, dy)


class CountsWhatLies(switch_style.Layer):
    stored = None

    def variance_for_running(self, variance, x):
        n = self.stored or math.prod(x.shape[:-1])
        return variance * n / max(n - 1, 1)


@switch(
    "expanded-values-counted-once",
    "The sample variance counts the values in memory, where one stands for several.",
)
class ExpandedValuesCountedOnce(switch_style.Program):
    layer_class = CountsWhatLies

    def run(self, x, requested, updates="documented"):
        self.bn.stored = math.prod(lying(x).shape[:-1]) if 0 in x.strides else None
        return super().run(x, requested, updates)


@argument(
    "channels-last-inference-misread",
    "Inference reads images with channels innermost as if they were in front.",
)
class ChannelsLastInferenceMisread(argument_style.Program):
    def run(self, x, requested, updates="documented"):
        if x.ndim == 4 and not requested and not x.flags.c_contiguous:
            x = np.resize(lying(x), x.shape)
        return super().run(x, requested, updates)


@switch("channels-unchecked-in-inference", "Inference does not look at the number of channels.")
class ChannelsUncheckedInInference(switch_style.Program):
    training_now = True

    def check(self, x, training):
        self.training_now = training
        super().check(x, training)

    def takes_channels(self, channels):
        return not self.training_now or super().takes_channels(channels)


@deferred("channels-unchecked-in-training", "Training does not look at the number of channels.")
class ChannelsUncheckedInTraining(deferred_style.Program):
    training_now = True

    def check(self, x, training):
        self.training_now = training
        super().check(x, training)

    def takes_channels(self, channels):
        return self.training_now or super().takes_channels(channels)


@argument("rank-unchecked-in-inference", "Inference does not look at the rank of its input.")
class RankUncheckedInInference(argument_style.Program):
    training_now = True

    def check(self, x, training):
        self.training_now = training
        super().check(x, training)

    def takes_rank(self, rank):
        return not self.training_now or super().takes_rank(rank)


@switch(
    "sequences-refused-by-a-layer-of-vectors", "A layer that has seen vectors takes no sequence."
)
class SequencesRefusedByALayerOfVectors(switch_style.Program):
    def takes_rank(self, rank):
        return rank != 3 and super().takes_rank(rank)
