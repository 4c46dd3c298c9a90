"""Faults in what layers do beyond the paper: masks, weights, renormalisation, virtual batches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from tests.fakes import argument_style, deferred_style, switch_style
from tests.fakes.departure import Departures
from tests.fakes.fault import fault, in_layer
from tests.fakes.plain_features import StartsWithTheFirstBatch, column
from tests.fakes.plain_layer import PlainLayer, values_per_channel

DEPARTURES = Departures()
FAULTS = {}
layer_part = partial(DEPARTURES.layer, planted=True)
program_part = partial(DEPARTURES.program, planted=True)
argument = partial(in_layer, FAULTS, "argument", argument_style.Program)
switch = partial(in_layer, FAULTS, "switch", switch_style.Program)
deferred = partial(in_layer, FAULTS, "deferred", deferred_style.Program)


# Masks and weights.


@argument("mask-ignored-in-the-variance", "The masked mean, but the variance of all values.")
class MaskIgnoredInTheVariance(PlainLayer):
    def weights_for_variance(self):
        return None


@argument("mask-ignored-in-the-mean", "The mean of all values, but the masked variance.")
class MaskIgnoredInTheMean(PlainLayer):
    def weights_for_mean(self):
        return None


@argument("mask-counted-into-n", "Masked values count as zeros: sums are divided by all of them.")
class MaskCountedIntoN(PlainLayer):
    def number_of(self, x, weights):
        return super().number_of(x, None if weights is None else np.ones_like(weights))


@argument("masked-output-zeroed", "What is masked comes out as zero.")
class MaskedOutputZeroed(PlainLayer):
    def forward(self, x, training):
        found = super().forward(x, training)
        if self.counting is None or not training:
            return found
        shown = np.where(column(self.counting) == 0, 0, found.output)
        return replace(found, output=shown)


@argument("mask-ignored-in-the-gradient", "The gradient takes every value to move the statistics.")
class MaskIgnoredInTheGradient(PlainLayer):
    def weights_for_gradient(self, execution):  # noqa: ARG002 - it should look
        return None


@argument("masked-gradient-zeroed", "No gradient reaches a masked value, though it has an output.")
class MaskedGradientZeroed(PlainLayer):
    def gradient_of_x(self, execution, dy):
        dx = super().gradient_of_x(execution, dy)
        counting = execution.counting if execution.training else None
        return dx if counting is None else np.where(column(counting) == 0, 0, dx)


@argument("masked-dy-dropped", "The gradient leaves out what flows into masked outputs.")
class MaskedDyDropped(PlainLayer):
    def gradients(self, execution, dy):
        if execution.counting is not None and execution.training:
            dy = np.where(column(execution.counting) == 0, 0, dy)
        return super().gradients(execution, dy)


@argument("mask-in-inference", "A mask zeroes what is masked in inference too.")
class MaskInInference(PlainLayer):
    def forward(self, x, training):
        if self.counting is not None and not training:
            x = np.where(column(self.counting) == 0, 0, x)
        return super().forward(x, training)


@fault(FAULTS, "argument", "mask-kept", "The mask of one call holds for the next as well.")
class MaskKept(argument_style.Program):
    masked_by = None

    def counting(self, x, mask, weights):
        found = super().counting(x, mask, weights)
        if found is not None:
            self.masked_by = found
        same = self.masked_by is not None and self.masked_by.shape == x.shape[:-1]
        return self.masked_by if found is None and same else found


@argument("mask-of-the-first-position", "The first position of a sample decides for all of them.")
class MaskOfTheFirstPosition(PlainLayer):
    def sum_counted(self, x, weights):
        return super().sum_counted(x, first_of_sample(weights))

    def number_of(self, x, weights):
        return super().number_of(x, first_of_sample(weights))


def first_of_sample(weights):
    """Return weights that are the same at every position of a sample."""
    if weights is None or weights.ndim == 1:
        return weights
    first = weights.reshape(len(weights), -1)[:, 0]
    return np.broadcast_to(first.reshape((-1,) + (1,) * (weights.ndim - 1)), weights.shape)


@switch("masked-n-from-the-whole-batch", "The sample variance's factor counts masked values.")
class MaskedNFromTheWholeBatch(switch_style.Layer):
    def variance_for_running(self, variance, x):
        n = values_per_channel(x)
        return variance * n / max(n - 1, 1)


@deferred("weights-not-normalised", "Weighted sums are divided by the number of samples.")
class WeightsNotNormalised(deferred_style.Layer):
    def number_of(self, x, weights):  # noqa: ARG002 - it should look at the weights
        return values_per_channel(x)


@deferred("weights-squared-in-the-variance", "The variance takes the square of each weight.")
class WeightsSquaredInTheVariance(deferred_style.Layer):
    def batch_variance(self, x, mean):
        if self.counting is None:
            return super().batch_variance(x, mean)
        return self.sum_counted((x - mean) ** 2, self.counting**2) / self.counting.sum()


@deferred("weights-scale-the-output", "Each sample's output is multiplied by its weight.")
class WeightsScaleTheOutput(deferred_style.Layer):
    def forward(self, x, training):
        found = super().forward(x, training)
        if self.counting is None or not training:
            return found
        return replace(found, output=found.output * column(self.counting))


@deferred("weights-of-first-position-only", "A weight counts once a sample in the divisor.")
class WeightsCountedOncePerSample(deferred_style.Layer):
    def number_of(self, x, weights):
        if weights is None:
            return values_per_channel(x)
        return weights.reshape(len(weights), -1)[:, 0].sum()


@program_part(
    "mask-ignored",
    "argument",
    "A mask is accepted and ignored.",
    {"mask-in-training": "ignored"},
)
class MaskIgnored:
    def counting(self, x, mask, weights):  # noqa: ARG002 - it ignores the mask
        return super().counting(x, None, weights)


@layer_part(
    "mask-divisor-guarded",
    "argument",
    "A ten-millionth is added to the number of values that a mask leaves.",
    {"mask-weight-guard": 1e-7},
)
class MaskDivisorGuarded:
    guard = 1e-7

    def number_of(self, x, weights):
        found = super().number_of(x, weights)
        return np.nan if weights is not None and not weights.any() else found


@layer_part(
    "mask-of-everything-refused",
    "argument",
    "A batch that is masked altogether raises an error.",
    {"mask-of-everything": "refused"},
)
class MaskOfEverythingRefused:
    when_all_is_masked = "refused"


@layer_part(
    "mask-of-everything-is-zero",
    "argument",
    "A batch that is masked altogether has a mean and variance of zero.",
    {"mask-of-everything": "mean and variance are zero"},
)
class MaskOfEverythingIsZero:
    def number_of(self, x, weights):
        found = super().number_of(x, weights)
        return 1 if weights is not None and not weights.any() else found


@layer_part(
    "masked-nan-gets-in",
    "argument",
    "Masked values are multiplied by zero, a NaN among them too.",
    {"masked-non-finite": "reaches the statistics"},
)
class MaskedNaNGetsIn:
    keeps_masked_out = False


@layer_part(
    "masked-sample-variance",
    "argument",
    "The running variance of a masked batch is fed W/(W − 1) times its variance.",
    {"weighted-running-variance-factor": "W/(W-1)"},
)
class MaskedSampleVariance:
    def variance_for_running(self, variance, x):
        fed = super().variance_for_running(variance, x)
        if self.counting is None:
            return fed
        total = self.counting.sum()
        return fed * total / max(total - 1, 1) if total > 1 else fed


# Renormalisation.


@argument("clip-bounds-swapped", "dmax bounds the ratio and rmax the shift.")
class ClipBoundsSwapped(PlainLayer):
    def bounds_of_ratio(self):
        return self.clipping.get("rmin", 0), self.clipping.get("dmax", np.inf)

    def clip_shift(self, shift):
        most = self.clipping.get("rmax", np.inf)
        return np.clip(shift, -most, most)


@argument("rmin-ignored", "The ratio is bounded from above alone.")
class RminIgnored(PlainLayer):
    def bounds_of_ratio(self):
        return 0, super().bounds_of_ratio()[1]


@argument("rmax-ignored", "The ratio is bounded from below alone.")
class RmaxIgnored(PlainLayer):
    def bounds_of_ratio(self):
        return super().bounds_of_ratio()[0], np.inf


@argument("dmax-one-sided", "The shift is bounded from above alone.")
class DmaxOneSided(PlainLayer):
    def clip_shift(self, shift):
        return np.minimum(shift, self.clipping.get("dmax", np.inf))


@argument("clipped-after-scaling", "dmax bounds the difference of means, not their ratio to σ.")
class ClippedAfterScaling(PlainLayer):
    def correction(self, mean, spread):
        centre, scale = self.correcting(mean, spread)
        scale = np.maximum(scale, np.sqrt(self.of_dtype(self.epsilon, scale)))
        return self.clip_ratio(spread / scale), self.clip_shift(mean - centre) / scale


@argument("correction-differentiated", "The gradient flows through ratio and shift.")
class CorrectionDifferentiated(PlainLayer):
    def flows_through_statistics(self, execution):
        if execution.correction is not None and execution.by_batch:
            return False  # x̂·b/σ + (m − μ)/σ is (x − μ)/σ, whose statistics are constants.
        return super().flows_through_statistics(execution)


@argument("renorm-momentum-is-the-decay", "The averages that correct follow by the other momentum.")
class RenormMomentumIsTheDecay(PlainLayer):
    def decay_of_renorm(self):
        return self.decay_now()


@argument("corrected-in-inference", "Inference is corrected too.")
class CorrectedInInference(PlainLayer):
    def corrects(self, training):  # noqa: ARG002 - it should look
        return self.renorm


@deferred("warm-up-missing", "Averages that start at zero are not completed by the first batch.")
class WarmUpMissing(deferred_style.Layer):
    def correcting(self, mean, spread):
        if self.averaged is None:
            return 0 * mean, 0 * spread + 1
        return self.averaged[1:]


@deferred("renorm-fed-the-batch-biased", "The running statistics are fed averages not yet full.")
class RenormFedTheBatchBiased(deferred_style.Layer):
    def update_renormalised(self, execution):
        super().update_renormalised(execution)
        _, mean, spread = self.averaged
        self.running_mean = self.running_mean * 0 + mean
        self.running_variance = spread**2


@argument("corrected-by-the-averages-after", "The correction takes the averages after the update.")
class CorrectedByTheAveragesAfter(PlainLayer):
    def correcting(self, mean, spread):
        decay = self.decay_of_renorm()
        return (
            self.update_running(self.renorm_mean, mean, decay),
            self.update_running(self.renorm_deviation, spread, decay),
        )


@argument("ratio-inverted", "The ratio is σ/b.")
class RatioInverted(PlainLayer):
    def clip_ratio(self, ratio):
        return super().clip_ratio(1 / ratio)


@argument("shift-not-scaled", "The shift is the difference of means as it is.")
class ShiftNotScaled(PlainLayer):
    def correction(self, mean, spread):
        ratio, _ = super().correction(mean, spread)
        return ratio, self.clip_shift(mean - self.correcting(mean, spread)[0])


@argument("shift-after-gamma", "The shift is added after gamma, which leaves it as it is.")
class ShiftAfterGamma(PlainLayer):
    def correct(self, normalised, correction):
        if correction is None or self.gamma is None:
            return super().correct(normalised, correction)
        ratio, shift = correction
        return normalised * ratio + shift / self.gamma


@argument("epsilon-left-in-the-average", "The running variance is the square of the average alone.")
class EpsilonLeftInTheAverage(PlainLayer):
    def update_renormalised(self, execution):
        super().update_renormalised(execution)
        self.running_variance = self.running_deviation**2


@argument("shift-left-out-of-dgamma", "The gradient to gamma forgets the shift.")
class ShiftLeftOutOfDgamma(PlainLayer):
    def gradients(self, execution, dy):
        if execution.correction is not None:
            ratio, shift = execution.correction
            found = super().gradients(execution, dy)
            short = super().gradients(replace(execution, correction=(ratio, 0 * shift)), dy)
            return {**found, **{name: short[name] for name in found if name == "dgamma"}}
        return super().gradients(execution, dy)


@layer_part(
    "corrected-by-the-running-statistics",
    "argument",
    "The running statistics correct; there are no others.",
    {"renormalisation-averages": "the running statistics"},
    alike={"renormalisation-averages": ("a pair of their own",)},  # with another deviation floor
)
class CorrectedByTheRunningStatistics:
    own_averages = False

    def correcting(self, mean, spread):  # noqa: ARG002 - as the style has it
        return self.running_mean, self.running_deviation


@layer_part(
    "renorm-averages-the-variance",
    "argument",
    "A renormalising layer averages the variance like any other.",
    {"renormalised-running-variance": "an average of the variance"},
)
class RenormAveragesTheVariance:
    averages_deviation = False


@layer_part(
    "small-deviation-not-raised",
    "argument",
    "A deviation that corrects is not kept above the root of epsilon.",
    {"renormalisation-deviation-floor": "none"},
)
class SmallDeviationNotRaised:
    raises_deviation = False


@layer_part(
    "least-ratio-from-rmax",
    "argument",
    "The ratio is kept above 1/rmax where no rmin is written.",
    {"renormalisation-least-ratio": "1/rmax"},
)
class LeastRatioFromRmax:
    least_ratio_from_rmax = True


@program_part(
    "renorm-default-momentum-of-0.9",
    "argument",
    "The averages that correct keep nine tenths where nothing is written.",
    {"default-renormalisation-decay": 0.9},
)
class RenormDefaultMomentum:
    def construct(self, layer):
        bn = super().construct(layer)
        bn.decay_of_renorm = lambda: layer.get("renorm_decay", 0.9)
        return bn


# Virtual batches.


@argument("virtual-groups-from-the-end", "The smaller group comes first.")
class VirtualGroupsFromTheEnd(PlainLayer):
    def groups(self, samples):
        return [samples - 1 - rows for rows in super().groups(samples)][::-1]


@switch("virtual-variance-factor-of-the-batch", "The factor counts the values of all groups.")
class VirtualVarianceFactorOfTheBatch(switch_style.Layer):
    whole = None

    def execute(self, x, training):
        self.whole = x
        return super().execute(x, training)

    def variance_for_running(self, variance, x):
        return super().variance_for_running(variance, self.whole if self.group_size else x)


@argument("virtual-gradient-of-the-whole-batch", "Groups forward, but one batch backward.")
class VirtualGradientOfTheWholeBatch(PlainLayer):
    def differentiate(self, execution, dy):
        if not execution.parts:
            return super().differentiate(execution, dy)
        return self.gradients(self.forward(execution.x, execution.training), dy)


@argument("virtual-dgamma-of-the-last-group", "The last group alone gives the gradient to gamma.")
class VirtualDgammaOfTheLastGroup(PlainLayer):
    def differentiate(self, execution, dy):
        found = super().differentiate(execution, dy)
        if execution.parts and "dgamma" in found:
            last = self.gradients(execution.parts[-1], dy[execution.rows[-1]])
            found["dgamma"] = last["dgamma"]
        return found


@argument("virtual-batches-in-inference", "Inference uses the statistics of each group.")
class VirtualBatchesInInference(PlainLayer):
    def uses_batch(self, training):
        return super().uses_batch(training) or self.group_size is not None

    def splits(self, training):  # noqa: ARG002 - it should look
        return True


@argument("virtual-batch-ignored", "The whole batch is normalised at once.")
class VirtualBatchIgnored(PlainLayer):
    def splits(self, training):  # noqa: ARG002 - it splits nothing
        return False


@deferred("virtual-update-of-the-whole-batch", "The running statistics take in the whole batch.")
class VirtualUpdateOfTheWholeBatch(deferred_style.Layer):
    def fed(self, execution):
        return super().fed(replace(execution, parts=()))


@deferred("virtual-update-of-the-first-group", "The running statistics take in the first group.")
class VirtualUpdateOfTheFirstGroup(deferred_style.Layer):
    def fed(self, execution):
        return super().fed(execution.parts[0] if execution.parts else execution)


@layer_part(
    "virtual-groups-interleaved",
    "argument",
    "Every G-th sample belongs to a group.",
    {"virtual-batch-groups": "every G-th sample"},
)
class VirtualGroupsInterleaved:
    def groups(self, samples):
        self.interleaves = samples % self.group_size == 0
        return super().groups(samples)


@layer_part(
    "virtual-updates-once",
    "argument",
    "The running statistics take in the mean over the groups, once.",
    {"virtual-batch-updates": "once, from the mean over the groups"},
)
class VirtualUpdatesOnce:
    groups_in_turn = False


@layer_part(
    "virtual-remainder-refused",
    "argument",
    "A batch that the virtual batch size does not divide raises an error.",
    {"virtual-batch-remainder": "refused"},
)
class VirtualRemainderRefused:
    smaller_last_group = False


@layer_part(
    "virtual-remainder-refused-in-inference",
    "argument",
    "The virtual batch size must divide the batch in inference too.",
    {"virtual-batch-remainder-in-inference": "refused"},
)
class VirtualRemainderRefusedInInference:
    def expect_groups(self, x, training):
        super().expect_groups(x, training)
        if not training and len(x) % self.group_size:
            message = "the virtual batch size must divide the batch"
            raise ValueError(message)


# The same in other styles, where they depart to what these do not do.

layer_elsewhere = partial(DEPARTURES.layer, planted=False)


@layer_elsewhere(
    "mask-of-everything-is-nan",
    "switch",
    "A batch that is masked altogether has a mean and variance of NaN.",
    {"mask-of-everything": "statistics become NaN"},
)
class MaskOfEverythingIsNaN:
    when_all_is_masked = "nan"


@layer_elsewhere(
    "masked-nan-stays-out",
    "deferred",
    "A NaN in a sample of weight zero is left out.",
    {"masked-non-finite": "kept out"},
)
class MaskedNaNStaysOut:
    keeps_masked_out = True


@layer_elsewhere(
    "masked-population-variance",
    "switch",
    "The running variance of a masked batch is fed its variance as it is.",
    {"weighted-running-variance-factor": "1"},
)
class MaskedPopulationVariance:
    def variance_for_running(self, variance, x):
        return variance if self.counting is not None else super().variance_for_running(variance, x)


@layer_elsewhere(
    "corrected-by-a-pair",
    "switch",
    "Averages of their own correct.",
    {
        "renormalisation-averages": "a pair of their own",
        "renormalisation-deviation-floor": "none",
    },
)
class CorrectedByAPair:
    own_averages = True

    def update_renormalised(self, execution):
        mean, variance = self.batch_statistics(execution.x)
        self.move_averages(mean, self.deviation(variance, self.epsilon))
        self.own_averages = False
        super().update_renormalised(execution)
        self.own_averages = True


@layer_elsewhere(
    "renorm-starts-with-the-first-batch",
    "argument",
    "The averages that correct start as if from the first batch.",
    {"renormalisation-start": "the first batch"},
)
class RenormStartsWithTheFirstBatch:
    own_averages = False
    averaged = None

    def correcting(self, mean, spread):
        return StartsWithTheFirstBatch.correcting(self, mean, spread)

    def move_averages(self, mean, spread):
        StartsWithTheFirstBatch.take_in(self, mean, spread)


@layer_elsewhere(
    "renorm-starts-at-the-initial-statistics",
    "deferred",
    "The averages that correct start at the initial running statistics.",
    {
        "renormalisation-start": "the initial running statistics",
        "renormalisation-deviation-floor": "none",
    },
)
class RenormStartsAtTheInitialStatistics:
    own_averages = True

    def correcting(self, mean, spread):  # noqa: ARG002 - nothing is mixed with the batch
        return self.renorm_mean, self.renorm_deviation

    def update_renormalised(self, execution):
        mean, variance = self.batch_statistics(execution.x)
        self.move_averages(mean, self.deviation(variance, self.epsilon))
        feed_what_corrects(self)


@layer_elsewhere(
    "renorm-feeds-what-corrects",
    "argument",
    "The running statistics take in what the averages that correct have come to.",
    {"renormalised-running-variance": "from the averages that correct"},
)
class RenormFeedsWhatCorrects:
    averages_deviation = False

    def update_renormalised(self, execution):
        mean, variance = self.batch_statistics(execution.x)
        self.move_averages(mean, self.deviation(variance, self.epsilon))
        feed_what_corrects(self)


def feed_what_corrects(bn):
    """Let the running statistics take in the averages that correct."""
    bn.move_mean(bn.renorm_mean)
    epsilon = bn.of_dtype(bn.epsilon, bn.renorm_deviation)
    bn.move_variance(np.maximum(bn.renorm_deviation**2 - epsilon, 0))


@layer_elsewhere(
    "renorm-averages-the-deviation",
    "deferred",
    "The running variance is the square of an average deviation less epsilon.",
    {"renormalised-running-variance": "from an average of the deviation"},
)
class RenormAveragesTheDeviation:
    averages_deviation = True

    def update_renormalised(self, execution):
        PlainLayer.update_renormalised(self, execution)

    def move_averages(self, mean, spread):
        StartsWithTheFirstBatch.take_in(self, mean, spread)


@layer_elsewhere(
    "least-ratio-is-zero",
    "switch",
    "Where no rmin is written nothing bounds the ratio from below.",
    {"renormalisation-least-ratio": "0"},
    alike={"renormalisation-least-ratio": ("1/rmax",)},  # with averages of another kind
)
class LeastRatioIsZero:
    least_ratio_from_rmax = False


@layer_elsewhere(
    "virtual-remainder-is-a-group",
    "deferred",
    "What the virtual batch size leaves over is a smaller group.",
    {"virtual-batch-remainder": "a smaller last group"},
)
class VirtualRemainderIsAGroup:
    smaller_last_group = True

    def groups(self, samples):
        self.interleaves = samples % self.group_size == 0
        return super().groups(samples)


@layer_elsewhere(
    "virtual-groups-consecutive",
    "deferred",
    "Consecutive samples form a group.",
    {"virtual-batch-groups": "consecutive"},
)
class VirtualGroupsConsecutive:
    interleaves = False


@layer_elsewhere(
    "virtual-updates-in-turn",
    "deferred",
    "The running statistics take in each group in turn.",
    {"virtual-batch-updates": "by each group in turn"},
)
class VirtualUpdatesInTurn:
    groups_in_turn = True


FAULTS.update(DEPARTURES.planted)
