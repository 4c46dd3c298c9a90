"""The oracle against exact fractions, over every batch of a few small integers.

Each batch is a channel of its own, so one question to the oracle is about thousands. The root is
the one operation of BatchNorm that leaves the fractions; what holds a root is compared by its
square. Every value must be met within the oracle's own bound and, apart from that, within as many
roundings of the terms summed as were made.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from reference.conventions import REGISTRY
from suites.vocabulary import Call, CallTwice, Training
from tests.oracle_runs import DEBIASING, debiasing, layer_of, run, tensor

TRUE, FALSE = Training.TRUE, Training.FALSE
ROUNDOFF = Fraction(1, 2**53)
fractions = np.frompyfunc(Fraction, 1, 1)


def every(values, count):
    """Return every sequence of `count` values as a channel, shape (count, channels)."""
    return np.array(list(itertools.product(values, repeat=count)), dtype=np.float64).T


BATCHES = {2: every(range(-6, 7), 2), 3: every((-4, -1, 0, 1, 2, 5), 3), 4: every((-3, 0, 1, 2), 4)}
MANY = {2: every(range(-24, 25), 2), 3: every(range(-6, 7), 3), 4: every(range(-3, 4), 4)}
every_count = pytest.mark.parametrize("n", BATCHES)


def mean_of(x):
    return fractions(x).sum(axis=0) / len(x)


def variance_of(x):
    return ((fractions(x) - mean_of(x)) ** 2).sum(axis=0) / len(x)


def sample_variance_of(x):
    return ((fractions(x) - mean_of(x)) ** 2).sum(axis=0) / (len(x) - 1)


def is_met(quantity, truth, size, roundings):
    """Assert a value that needs no root, by its bound and by the sum of the terms' sizes."""
    error = abs(fractions(quantity.value) - truth)
    assert np.all(error <= fractions(quantity.bound))
    assert np.all(error <= roundings * ROUNDOFF * size)


def cycled(channels, values):
    """Return the values over and over again, one per channel."""
    return np.resize(np.array(values, dtype=np.float64), channels)


# Batch statistics: a layer that keeps nothing of the old running values shows them.

EPSILON = 0.375
FACTORS = {
    "1": lambda _: Fraction(1),
    "n/(n-1)": lambda n: Fraction(n, n - 1),
    "n/(n-1-epsilon)": lambda n: n / (n - 1 - Fraction(EPSILON)),
}


@every_count
@pytest.mark.parametrize("factor", REGISTRY["running-variance-factor"].values)
def test_batch_mean_and_variance(n, factor):
    x = MANY[n]
    layer = layer_of(x.shape[1], decay=0.0, epsilon=EPSILON)
    found = run(layer, Call(tensor(x), TRUE), running_variance_factor=factor)
    is_met(found["running_mean"], mean_of(x), abs(fractions(x)).sum(axis=0) / n, n)
    variance = variance_of(x) * FACTORS[factor](n)
    is_met(found["running_variance"], variance, variance, n + 8)


def test_every_axis_but_the_channels_is_pooled():
    x = BATCHES[4]
    channels = x.shape[1]
    for shape in ((2, 2, channels), (4, 1, channels), (1, 2, 2, channels), (2, 1, 2, 1, channels)):
        layer = layer_of(channels, rank=len(shape), decay=0.0, epsilon=1.0)
        found = run(layer, Call(tensor(x.reshape(shape)), TRUE))
        is_met(found["running_mean"], mean_of(x), abs(fractions(x)).sum(axis=0) / 4, 4)
        is_met(found["running_variance"], sample_variance_of(x), sample_variance_of(x), 12)


def test_channels_second_where_that_is_the_default_axis():
    x = BATCHES[4]
    channels = x.shape[1]
    second = np.moveaxis(x.reshape(2, 2, channels), -1, 1)
    layer = layer_of(channels, rank=3, decay=0.0, epsilon=1.0, channel_axis="default", gamma=2.0)
    found = run(layer, Call(tensor(second), TRUE, tensor(second)), default_channel_axis="second")
    is_met(found["running_mean"], mean_of(x), abs(fractions(x)).sum(axis=0) / 4, 4)
    assert np.array_equal(found["dbeta"].value, x.sum(axis=0))
    centred = 2 * (fractions(second) - mean_of(x)[:, None])
    variance = variance_of(x)[:, None]
    is_met_but_for_the_root(found["output"], centred, variance, 1, INSIDE, 8)


# Running averages.

UPDATES = 5
RULES = {
    **{
        f"decay {decay}": ({"decay": decay}, {}, Fraction(decay))
        for decay in (0.0, 0.75, 0.9, 0.999, 1.0)
    },
    **{
        f"{argument} {sense}": ({"momentum_argument": argument}, {"momentum_sense": sense}, keep)
        for argument in (0.0, 0.25, 0.1, 0.001, 1.0)
        for sense, keep in (
            ("weighs the old running value", Fraction(argument)),
            ("weighs the new batch value", 1 - Fraction(argument)),
        )
    },
    "default decay": ({}, {"default_decay": 0.99}, Fraction(0.99)),
}


def batches_in_turn(n, updates=UPDATES):
    """Return that many different batches for each channel."""
    return [np.roll(BATCHES[n], 7 * turn, axis=1) * (1 + turn % 3) for turn in range(updates)]


def statistics(batches, factor):
    """Return each batch's mean and variance, and what their roundings are measured against."""
    count = len(batches[0])
    means = [(mean_of(x), abs(fractions(x)).sum(axis=0) / count) for x in batches]
    variances = [(variance_of(x) * factor,) * 2 for x in batches]
    return means, variances


def plain(old, batches, keep):
    """Return k·old + (1 − k)·batch, batch after batch, and the sizes it sums."""
    value, size = old, abs(old)
    for batch, weight in batches:
        value, size = (keep * value + (1 - keep) * batch), (keep * size + (1 - keep) * weight)
    return value, size


def zero_debiased(old, batches, keep):
    value, size = plain(0 * old, batches, keep)
    power = keep ** len(batches)
    return value / (1 - power), size / (1 - power) * (1 + power) / (1 - power)


def warmed_up(old, batches, keep):
    value, size = old, abs(old)
    for turn, (batch, weight) in enumerate(batches):
        kept = min(keep, Fraction(1 + turn, 10 + turn))
        value, size = (kept * value + (1 - kept) * batch), (kept * size + (1 - kept) * weight)
    return value, size


CORRECTED = {
    "none": plain,
    "zero-debias": zero_debiased,
    "warm-up by number of updates": warmed_up,
}


def averages_are_met(n, layer, changed, by_statistic, updates=UPDATES):
    """Assert the running statistics after some updates; each is given as a function of batches."""
    batches = batches_in_turn(n, updates)
    old = [cycled(layer.channels, values) for values in ((4, -7, 0.5), (8, 0, 0.25, 3))]
    layer = replace(layer, running_mean=tensor(old[0]), running_variance=tensor(old[1]))
    found = run(layer, *(Call(tensor(x), TRUE) for x in batches), **changed)
    seen = statistics(batches, Fraction(n, n - 1))
    for name, start, values, rule in zip(
        ("running_mean", "running_variance"), old, seen, by_statistic, strict=True
    ):
        truth, size = rule(fractions(start), values)
        is_met(found[name], truth, size, n + 8 + 6 * updates)


@pytest.mark.parametrize("rule", RULES)
def test_running_averages(rule):
    said, changed, keep = RULES[rule]

    def average(old, batches):
        return plain(old, batches, keep)

    averages_are_met(3, layer_of(BATCHES[3].shape[1], epsilon=1.0, **said), changed, [average] * 2)


@pytest.mark.parametrize("updates", [1, 2, 3, 7])
@pytest.mark.parametrize("counter", REGISTRY["update-counter"].values)
def test_cumulative_average_is_the_plain_average_of_the_batches(updates, counter):
    def average(_, batches):
        return tuple(sum(part) / len(batches) for part in zip(*batches, strict=True))

    layer = layer_of(BATCHES[3].shape[1], epsilon=1.0, momentum_argument=None)
    changed = {"momentum_none": "cumulative average", "update_counter": counter}
    averages_are_met(3, layer, changed, [average] * 2, updates)


@pytest.mark.parametrize("updates", [1, 2, 5, 11])
@pytest.mark.parametrize("decay", [0.25, 0.75, 0.99])
@pytest.mark.parametrize("correction", REGISTRY[DEBIASING[0]].values)
def test_averages_corrected_unasked(correction, decay, updates):
    def average(old, batches):
        return CORRECTED[correction](old, batches, Fraction(decay))

    layer = layer_of(BATCHES[2].shape[1], epsilon=1.0, decay=decay)
    averages_are_met(2, layer, debiasing(correction), [average] * 2, updates)


@pytest.mark.parametrize("updates", [1, 2, 5])
@pytest.mark.parametrize(
    ("rule", "corrected"),
    [("mean only", (True, False)), ("mean and variance", (True, True)), ("neither", (False,) * 2)],
)
def test_averages_whose_zero_debiasing_was_asked_for(rule, corrected, updates):
    def average(correct):
        formula = zero_debiased if correct else plain
        return lambda old, batches: formula(old, batches, Fraction(0.75))

    layer = layer_of(BATCHES[2].shape[1], epsilon=1.0, decay=0.75, zero_debias=True)
    changed = {"zero_debias_argument": rule}
    averages_are_met(2, layer, changed, [average(correct) for correct in corrected], updates)


K = Fraction(3, 4)
ORDERS = {
    "in call order": lambda s, a, b: K * (K * s + (1 - K) * a) + (1 - K) * b,
    "in reverse order": lambda s, a, b: K * (K * s + (1 - K) * b) + (1 - K) * a,
    "both from the value before": lambda s, a, b: (K * s + (1 - K) * a) + (K * s + (1 - K) * b) - s,
    "last call only": lambda s, _, b: K * s + (1 - K) * b,
    "first call only": lambda s, a, _: K * s + (1 - K) * a,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", ["subclassed", "functional"])
def test_running_averages_of_a_shared_layer(order, form):
    first, second = batches_in_turn(3, 2)
    layer = layer_of(
        first.shape[1], epsilon=1.0, decay=0.75, running_mean=-7.0, running_variance=5.0
    )
    axis = "shared_layer_updates" + ("_in_a_functional_model" if form == "functional" else "")
    found = run(layer, CallTwice(tensor(first), tensor(second), TRUE, form), **{axis: order})
    means = mean_of(first), mean_of(second)
    variances = sample_variance_of(first), sample_variance_of(second)
    size = sum(abs(fractions(x)).sum(axis=0) for x in (first, second))
    is_met(found["running_mean"], ORDERS[order](-7, *means), 21 + size, 8)
    is_met(found["running_variance"], ORDERS[order](5, *variances), 15 + sum(variances), 20)


# What holds one root: value = T·r with T exact, so value/r is to be compared with T.

INSIDE, OUTSIDE = REGISTRY["epsilon-placement"].values


def root_at_most(z, variance, epsilon, placement, limit):
    """Tell whether z/r ≤ limit, all exact; z of any sign, limit not negative."""
    if placement == INSIDE:
        return (z <= 0) | (z**2 * (variance + epsilon) <= limit**2)
    rest = limit - z * epsilon
    return (z <= 0) | ((rest >= 0) & (z**2 * variance <= rest**2))


def root_at_least(z, variance, epsilon, placement, limit):
    """Tell whether z/r ≥ limit, for z and limit not negative."""
    if placement == INSIDE:
        return z**2 * (variance + epsilon) >= limit**2
    rest = limit - z * epsilon
    return (rest <= 0) | (z**2 * variance >= rest**2)


def inverse_deviation(variance, epsilon, placement):
    """Return r to float precision, for the size of an allowance only."""
    wide = np.asarray(variance, dtype=np.float64)
    epsilon = float(epsilon)
    return fractions(
        1 / (np.sqrt(wide) + epsilon) if placement == OUTSIDE else 1 / np.sqrt(wide + epsilon)
    )


def is_met_but_for_the_root(
    quantity, factor, variance, epsilon, placement, roundings, shift=0, size=None
):
    """Assert value = factor·r + shift, without ever computing r exactly.

    `size` is that of the terms that make up the factor, where they may cancel.
    """
    size = abs(factor) if size is None else size
    value = fractions(quantity.value) - shift
    r = inverse_deviation(variance, epsilon, placement)
    within_few = roundings * ROUNDOFF * (size * r + abs(shift))
    value = np.where(factor < 0, -value, value)
    root = (variance, epsilon, placement, abs(factor))
    for error in (fractions(quantity.bound), within_few):
        assert np.all(root_at_most(value - error, *root))
        assert np.all(root_at_least(value + error, *root))
        assert np.all(value + error >= 0)


GAMMAS, BETAS = (2.0, -0.75, 1.0, 0.0, -3.0), (0.5, -1.0, 0.0)
PLACEMENTS = (INSIDE, OUTSIDE)
VARIANCES = {"population": (variance_of, 0), "sample": (sample_variance_of, 1)}
every_placement = pytest.mark.parametrize("placement", PLACEMENTS)
every_variance = pytest.mark.parametrize("variance", VARIANCES)


def trained(n, **said):
    """Return a layer whose channels all differ, and its gamma and beta."""
    channels = BATCHES[n].shape[1]
    gamma, beta = cycled(channels, GAMMAS), cycled(channels, BETAS)
    return layer_of(channels, gamma=gamma, beta=beta, **said), fractions(gamma), fractions(beta)


@every_count
@every_placement
@every_variance
@pytest.mark.parametrize("epsilon", [1e-3, 3.0])
def test_training_output(n, placement, variance, epsilon):
    x = BATCHES[n]
    layer, gamma, beta = trained(n, decay=0.75, epsilon=epsilon)
    found = run(
        layer,
        Call(tensor(x), TRUE),
        epsilon_placement=placement,
        training_output_variance=variance,
    )
    deviation = fractions(x) - mean_of(x)
    is_met_but_for_the_root(
        found["output"],
        gamma * deviation,
        VARIANCES[variance][0](x),
        Fraction(epsilon),
        placement,
        n + 12,
        shift=beta,
        size=abs(gamma) * (abs(deviation) + abs(fractions(x)).sum(axis=0) / n),
    )


def running_statistics(n):
    """Return integers to normalise with, and what one update with ¾ makes of them."""
    x = BATCHES[n]
    mean, variance = cycled(x.shape[1], (4, -7, 0)), cycled(x.shape[1], (8, 1, 0.25, 3))
    after = K * fractions(mean) + (1 - K) * mean_of(x)
    after_variance = K * fractions(variance) + (1 - K) * sample_variance_of(x)
    return (mean, variance), (after, after_variance)


@every_count
@every_placement
@pytest.mark.parametrize("statistics", REGISTRY["training-output-statistics"].values[1:])
def test_training_output_by_running_statistics(n, placement, statistics):
    before, after = running_statistics(n)
    said = dict(zip(("running_mean", "running_variance"), before, strict=True))
    layer, gamma, beta = trained(n, decay=0.75, epsilon=0.25, **said)
    dy = np.roll(BATCHES[n], 3, axis=1)
    found = run(
        layer,
        Call(tensor(BATCHES[n]), TRUE, tensor(dy)),
        epsilon_placement=placement,
        training_output_statistics=statistics,
    )
    used = after if statistics == "running after the update" else map(fractions, before)
    is_linear(n, found, dy, gamma, beta, tuple(used), placement)


@every_count
@every_placement
def test_inference(n, placement):
    before, _ = running_statistics(n)
    said = dict(zip(("running_mean", "running_variance"), before, strict=True))
    layer, gamma, beta = trained(n, decay=0.75, epsilon=0.25, **said)
    dy = np.roll(BATCHES[n], 3, axis=1)
    found = run(layer, Call(tensor(BATCHES[n]), FALSE, tensor(dy)), epsilon_placement=placement)
    is_linear(n, found, dy, gamma, beta, tuple(map(fractions, before)), placement)
    assert np.array_equal(found["running_mean"].value, before[0])
    assert np.array_equal(found["running_variance"].value, before[1])


def is_linear(n, found, dy, gamma, beta, statistics, placement):
    """Assert output and gradients where the statistics are constants and epsilon is ¼."""
    mean, variance = statistics
    exact_dy = fractions(dy)
    deviation = fractions(BATCHES[n]) - mean
    # A running mean that was updated has rounded at the size of the one before, at most 7.
    sizes = abs(fractions(BATCHES[n])) + abs(mean) + 7
    root = (variance, Fraction(1, 4), placement, n + 20)
    is_met_but_for_the_root(
        found["output"], gamma * deviation, *root, shift=beta, size=abs(gamma) * sizes
    )
    is_met_but_for_the_root(found["dx"], gamma * exact_dy, *root)
    is_met_but_for_the_root(
        found["dgamma"],
        (exact_dy * deviation).sum(axis=0),
        *root,
        size=(abs(exact_dy) * sizes).sum(axis=0),
    )
    assert np.array_equal(found["dbeta"].value, dy.sum(axis=0))


@every_count
def test_inference_by_the_batch_uses_the_population_variance(n):
    x = BATCHES[n]
    layer, gamma, beta = trained(n, decay=0.75, epsilon=0.25)
    found = run(layer, Call(tensor(x), FALSE), inference_output_statistics="batch")
    deviation = fractions(x) - mean_of(x)
    is_met_but_for_the_root(
        found["output"],
        gamma * deviation,
        variance_of(x),
        Fraction(1, 4),
        INSIDE,
        n + 12,
        shift=beta,
        size=abs(gamma) * (abs(deviation) + abs(fractions(x)).sum(axis=0) / n),
    )


# Gradients in training: every batch of a few values with every dy of a few values.

PAIRS = {
    n: tuple(np.array(list(itertools.product(xs.T, dys.T))).transpose(1, 2, 0))
    for n, xs, dys in (
        (2, every((-4, -3, -1, 0, 1, 2, 6), 2), every((-2, 0, 1, 3), 2)),
        (3, every((-1, 0, 1, 3), 3), every((-1, 0, 2), 3)),
        (4, every((-1, 0, 2), 4), every((0, 1), 4)),
    )
}


@pytest.mark.parametrize("n", PAIRS)
@every_variance
def test_training_gradients_with_epsilon_inside(n, variance):
    x, dy = PAIRS[n]
    gamma, epsilon = cycled(x.shape[1], GAMMAS), 0.25
    found = run(
        layer_of(x.shape[1], gamma=gamma, decay=0.75, epsilon=epsilon),
        Call(tensor(x), TRUE, tensor(dy)),
        training_output_variance=variance,
    )
    formula, less = VARIANCES[variance]
    spread, gamma, exact_dy = formula(x), fractions(gamma), fractions(dy)
    deviation, weight = fractions(x) - mean_of(x), abs(fractions(x)) + abs(mean_of(x))
    along = (exact_dy * deviation).sum(axis=0)
    along_size = (abs(exact_dy) * weight).sum(axis=0)
    squared, divisor = spread + Fraction(epsilon), n - less
    bracket = exact_dy - exact_dy.sum(axis=0) / n - deviation * along / (divisor * squared)
    size = abs(exact_dy) + abs(exact_dy).sum(axis=0) / n + weight * along_size / (divisor * squared)
    root = (spread, Fraction(epsilon), INSIDE, n + 20)
    is_met_but_for_the_root(found["dx"], gamma * bracket, *root, size=abs(gamma) * size)
    is_met_but_for_the_root(found["dgamma"], along, *root, size=along_size)
    assert np.array_equal(found["dbeta"].value, dy.sum(axis=0))


def rational_root(value):
    """Return the root of a fraction, None where it is irrational."""
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    return root if root**2 == value else None


@pytest.mark.parametrize(
    ("n", "variance"), [(2, "population"), (3, "sample"), (4, "population"), (4, "sample")]
)
def test_training_step_with_epsilon_outside_where_the_deviation_is_a_fraction(n, variance):
    formula, less = VARIANCES[variance]
    x, dy = PAIRS[n]
    roots = np.array([rational_root(value) for value in formula(x)], dtype=object)
    chosen = np.array([root is not None and root > 0 for root in roots])
    x, dy, root = x[:, chosen], dy[:, chosen], roots[chosen]
    assert len(root) >= 100
    gamma, beta = cycled(len(root), GAMMAS), cycled(len(root), BETAS)
    found = run(
        layer_of(len(root), gamma=gamma, beta=beta, decay=0.75, epsilon=0.25),
        Call(tensor(x), TRUE, tensor(dy)),
        epsilon_placement=OUTSIDE,
        training_output_variance=variance,
    )
    gamma, beta, exact_dy, divisor = fractions(gamma), fractions(beta), fractions(dy), n - less
    r = 1 / (root + Fraction(1, 4))
    hat = (fractions(x) - mean_of(x)) * r
    weight = (abs(fractions(x)) + abs(mean_of(x))) * r
    steep = (root + Fraction(1, 4)) / root
    dgamma, dgamma_size = (exact_dy * hat).sum(axis=0), (abs(exact_dy) * weight).sum(axis=0)
    dx = exact_dy - exact_dy.sum(axis=0) / n - steep * hat * dgamma / divisor
    size = abs(exact_dy) + abs(exact_dy).sum(axis=0) / n + steep * weight * dgamma_size / divisor
    is_met(found["output"], gamma * hat + beta, abs(gamma) * weight + abs(beta), n + 12)
    is_met(found["dgamma"], dgamma, dgamma_size, n + 20)
    is_met(found["dx"], gamma * r * dx, abs(gamma) * r * size, n + 20)
