"""Conventions about what a layer is given: its axes, channels, rank and dtype, departed from."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes.departure import Departures
from tests.fakes.planted_values import RUNNING, narrow

DEPARTURES = Departures()
FAULTS = DEPARTURES.planted
program = partial(DEPARTURES.program, planted=True)
program_elsewhere = partial(DEPARTURES.program, planted=False)


@program(
    "channel-axis-refused-unless-last",
    "argument deferred",
    "A layer told that its channels are on another axis than the last raises where it is executed.",
    {"channel-axis-argument": "refused unless last"},
)
class ChannelAxisRefusedUnlessLast:
    def check(self, x, training):
        axis = self.layer.get("channel_axis_argument", -1)
        if axis % x.ndim != x.ndim - 1:
            message = "only channels on the last axis are supported"
            raise ValueError(message)
        super().check(x, training)


@program(
    "no-channels-refused",
    "argument switch deferred",
    "A layer without channels cannot be executed.",
    {"no-channels": "refused when executed"},
)
class NoChannelsRefused:
    def takes_channels(self, channels):
        return channels > 0 and super().takes_channels(channels)


@program(
    "no-channels-not-made",
    "argument",
    "A layer without channels cannot be made.",
    {"no-channels": "refused when made"},
)
class NoChannelsNotMade:
    def construct(self, layer):
        if not layer["channels"]:
            message = "a layer needs channels"
            raise ValueError(message)
        return super().construct(layer)


@program(
    "one-channel-stands-for-all",
    "argument switch deferred",
    "One channel is repeated where several are expected, and several are taken where one is.",
    {"wrong-channels": "one stands for all"},
)
class OneChannelStandsForAll:
    def takes_channels(self, channels):
        return super().takes_channels(channels) or 1 in (channels, self.layer["channels"])


@program(
    "other-ranks-refused",
    "switch deferred",
    "An input of another rank than the layer's raises.",
    {"wrong-rank": "refused"},
)
class OtherRanksRefused:
    def takes_rank(self, rank):  # noqa: ARG002
        return False


@program(
    "ranks-2-and-3-taken",
    "argument deferred",
    "Sequences are taken by a layer of vectors, and the other way round, and no other rank.",
    {"wrong-rank": "2 and 3 taken"},
)
class Ranks2And3Taken:
    def takes_rank(self, rank):
        return {rank, self.layer["rank"]} == {2, 3}


@program(
    "other-ranks-taken",
    "argument switch",
    "An input of any rank is taken.",
    {"wrong-rank": "taken"},
)
class OtherRanksTaken:
    def takes_rank(self, rank):  # noqa: ARG002
        return True


@program(
    "another-dtype-cast",
    "switch deferred",
    "An input of another dtype is cast to the layer's.",
    {"input-of-another-dtype": "cast to the layer's dtype"},
)
class AnotherDtypeCast:
    another_dtype = "cast"


@program(
    "another-dtype-answered",
    "argument deferred",
    "An input of another dtype is answered in its own.",
    {"input-of-another-dtype": "output in the input's dtype"},
)
class AnotherDtypeAnswered:
    another_dtype = "output"


@program(
    "another-dtype-refused",
    "argument switch",
    "An input of another dtype raises.",
    {"input-of-another-dtype": "refused"},
)
class AnotherDtypeRefused:
    another_dtype = "refused"


@program(
    "mixed-output-like-the-input",
    "argument",
    "Under mixed precision the output has the dtype of the input.",
    {"mixed-precision-output": "the input's dtype"},
    alike={"mixed-precision-output": ("the layer's dtype",)},  # where the input has that
)
class MixedOutputLikeTheInput:
    def dtype_of_output(self):
        return self.dtype_given() if "policy" in self.layer else super().dtype_of_output()


@program(
    "mixed-output-like-the-parameters",
    "argument",
    "Under mixed precision the output has the dtype of the parameters.",
    {"mixed-precision-output": "the layer's dtype"},
)
class MixedOutputLikeTheParameters:
    def dtype_of_output(self):
        return self.dtype if "policy" in self.layer else super().dtype_of_output()


@program(
    "statistics-stay-when-cast",
    "switch",
    "Casting the layer leaves the running statistics in the dtype they were made in.",
    {"statistics-of-a-cast-layer": "stay as they are"},
)
class StatisticsStayWhenCast:
    def storage(self, name):
        return np.dtype(self.layer["dtype"]) if name in RUNNING else super().storage(name)


class RoundsTheMean:
    rounds_to = None

    def batch_mean(self, x):
        mean = super().batch_mean(x)
        return mean if self.rounds_to is None else mean.astype(self.rounds_to).astype(mean.dtype)


@program(
    "low-precision-mean",
    "argument",
    "A layer narrower than float32 rounds the mean of a batch to its dtype, not the variance.",
    {"low-precision-batch-moments": "the layer's dtype but for the variance"},
    (RoundsTheMean,),
)
class LowPrecisionMean:
    def construct(self, layer):
        bn = super().construct(layer)
        bn.rounds_to = self.dtype if narrow(self.dtype) else None
        return bn
