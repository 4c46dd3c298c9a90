"""What the plain layer does beyond the paper: weighs values, renormalises, normalises in groups.

Sources: https://keras.io/api/layers/normalization_layers/batch_normalization/ (`mask`, `renorm`),
https://arxiv.org/abs/1702.03275 (Algorithm 1) and https://arxiv.org/abs/1705.08741 (Algorithm 1).
As in the plain layer each decision is a method of its own, and a style's choices are attributes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np


def column(weights):
    """Return weights of shape ``(n, *spatial)`` so that they multiply every channel."""
    return weights[..., np.newaxis]


class Weighing:
    """Counts some values more than others: `counting`, shape ``(n, *spatial)``, or None."""

    counting = None
    guard = 0.0
    keeps_masked_out = True
    when_all_is_masked = "zero"

    def sum_counted(self, x, weights):
        """Return the sum per channel, each value times its weight."""
        axes = tuple(range(x.ndim - 1))
        if weights is None:
            return x.sum(axis=axes)
        if self.keeps_masked_out:
            x = np.where(column(weights) == 0, 0, x)
        return (column(weights) * x).sum(axis=axes)

    def number_of(self, x, weights):
        """Return how many values a channel has, or what their weights add up to."""
        return (
            math.prod(x.shape[:-1]) if weights is None else weights.sum() + x.dtype.type(self.guard)
        )

    def weights_for_mean(self):
        """Return the weights that the batch mean takes."""
        return self.counting

    def weights_for_variance(self):
        """Return the weights that the batch variance takes."""
        return self.counting

    def weights_for_gradient(self, execution):
        """Return the weights with which the statistics of an execution follow x."""
        return execution.counting

    def expect_something_counted(self, x):
        """Raise ValueError where nothing counts and that is refused."""
        nothing = self.counting is not None and x.size and not self.counting.any()
        if nothing and self.when_all_is_masked == "refused":
            message = "the mask leaves nothing to normalise by"
            raise ValueError(message)


class Renormalising(Weighing):
    """Corrects the normalised value by averages of earlier batches."""

    renorm = False
    clipping = None
    renorm_decay = 0.99
    own_averages = True
    averages_deviation = True
    raises_deviation = True
    least_ratio_from_rmax = False
    renorm_mean = renorm_deviation = running_deviation = None

    def start_renormalising(self, clipping, decay):
        """Begin with averages like the running statistics."""
        self.renorm, self.clipping, self.renorm_decay = True, clipping, decay
        if self.own_averages:
            self.renorm_mean = self.running_mean.copy()
            self.renorm_deviation = np.sqrt(self.running_variance)
        if self.averages_deviation:
            self.running_deviation = np.sqrt(self.running_variance)

    def correction(self, mean, spread):
        """Return r and d, clipped."""
        centre, scale = self.correcting(mean, spread)
        if self.raises_deviation:
            scale = np.maximum(scale, np.sqrt(self.of_dtype(self.epsilon, scale)))
        return self.clip_ratio(spread / scale), self.clip_shift((mean - centre) / scale)

    def of_dtype(self, number, like):
        """Return a number in the dtype of an array."""
        return like.dtype.type(number)

    def correcting(self, mean, spread):  # noqa: ARG002 - who starts with a batch looks at it
        """Return the averages that correct."""
        if self.own_averages:
            return self.renorm_mean, self.renorm_deviation
        return self.running_mean, self.deviation(self.running_variance, self.epsilon)

    def clip_ratio(self, ratio):
        """Return the ratio of deviations within its bounds."""
        least, greatest = self.bounds_of_ratio()
        return np.clip(ratio, least, greatest)

    def bounds_of_ratio(self):
        """Return the least and the greatest ratio."""
        greatest = self.clipping.get("rmax", np.inf)
        least = 1 / greatest if self.least_ratio_from_rmax else 0
        return self.clipping.get("rmin", least), greatest

    def clip_shift(self, shift):
        """Return the shift within its bounds."""
        most = self.clipping.get("dmax", np.inf)
        return np.clip(shift, -most, most)

    def correct(self, normalised, correction):
        """Return what the correction makes of the normalised value."""
        if correction is None:
            return normalised
        ratio, shift = correction
        return normalised * ratio + shift

    def corrects(self, training):
        """Tell whether an execution is corrected."""
        return self.renorm and training

    def update_renormalised(self, execution):
        """Move all averages of a renormalising layer."""
        mean, variance = self.batch_statistics(execution.x)
        spread = self.deviation(variance, self.epsilon)
        self.move_averages(mean, spread)
        self.move_mean(mean)
        if not self.averages_deviation:
            self.move_variance(self.variance_for_running(variance, execution.x))
            return
        self.move("running_deviation", spread)
        epsilon = self.of_dtype(self.epsilon, spread)
        self.running_variance = np.maximum(self.running_deviation**2 - epsilon, 0)

    def move_averages(self, mean, spread):
        """Move the averages that correct."""
        if self.own_averages:
            decay = self.decay_of_renorm()
            self.renorm_mean = self.update_running(self.renorm_mean, mean, decay)
            self.renorm_deviation = self.update_running(self.renorm_deviation, spread, decay)

    def decay_of_renorm(self):
        """Return the weight kept on the old values of the averages that correct."""
        return self.renorm_decay


class StartsWithTheFirstBatch:
    """Averages for renormalisation from zero, which the first batch completes (TensorFlow 1.14)."""

    own_averages = averages_deviation = raises_deviation = False
    averaged = None

    def correcting(self, mean, spread):
        """Return the averages completed by the batch at hand."""
        if self.averaged is None:
            return mean, spread
        weight, *averages = self.averaged
        return [old + (1 - weight) * new for old, new in zip(averages, (mean, spread), strict=True)]

    def update_renormalised(self, execution):
        """Feed the running statistics what the averages that correct have come to."""
        mean, variance = self.batch_statistics(execution.x)
        self.take_in(mean, self.deviation(variance, self.epsilon))
        weight, mean, spread = self.averaged
        self.move_mean(mean / weight)
        self.move_variance((spread / weight) ** 2 - self.of_dtype(self.epsilon, spread))

    def take_in(self, mean, spread):
        """Move the averages that correct, and the weight they have collected."""
        new = (self.of_dtype(1, spread), mean, spread)
        old = self.averaged or [0 * each for each in new]
        decay = self.decay_of_renorm()
        self.averaged = [
            self.update_running(before, value, decay)
            for before, value in zip(old, new, strict=True)
        ]


class Grouping(Renormalising):
    """Normalises the samples of a training batch in groups of `group_size`."""

    group_size = None
    interleaves = False
    groups_in_turn = True
    smaller_last_group = True

    def execute(self, x, training):
        """Normalise a batch, in groups where there are some."""
        if self.group_size is None:
            return self.forward(x, training)
        self.expect_groups(x, training)
        groups = self.groups(len(x))
        if not self.splits(training) or len(groups) < 2:
            return self.forward(x, training)
        parts = tuple(self.forward(x[rows], training) for rows in groups)
        output = self.joined([part.output for part in parts], groups)
        return replace(parts[0], x=x, output=output, parts=parts, rows=groups)

    def splits(self, training):
        """Tell whether an execution is split into groups."""
        return training

    def expect_groups(self, x, training):
        """Raise ValueError where the groups do not come out even and that is refused."""
        if training and len(x) % self.group_size and not self.smaller_last_group:
            message = "the virtual batch size must divide the batch"
            raise ValueError(message)

    def groups(self, samples):
        """Return the samples of each group."""
        number = -(-samples // self.group_size)
        order = np.arange(samples)
        if self.interleaves:
            return [order[order % number == group] for group in range(number)]
        return [order[order // self.group_size == group] for group in range(number)]

    def joined(self, parts, groups):
        """Return values of groups in the order of the samples."""
        whole = np.empty((sum(map(len, groups)), *parts[0].shape[1:]), parts[0].dtype)
        for part, rows in zip(parts, groups, strict=True):
            whole[rows] = part
        return whole

    def update_by(self, execution):
        """Update the running statistics from a batch, or from its groups in turn."""
        for part in execution.parts if self.groups_in_turn and execution.parts else (execution,):
            self.update(part)

    def differentiate(self, execution, dy):
        """Return the gradients of a batch: those of its groups, dgamma and dbeta summed."""
        if not execution.parts:
            return self.gradients(execution, dy)
        pairs = zip(execution.parts, execution.rows, strict=True)
        found = [self.gradients(part, dy[rows]) for part, rows in pairs]
        sums = {name: sum(each[name] for each in found) for name in found[0] if name != "dx"}
        return {"dx": self.joined([each["dx"] for each in found], execution.rows), **sums}
