"""The oracle against 50 digits: whole steps on data from well to badly conditioned.

Each channel is one pair of a deviation and an offset of up to 10⁶ deviations. Half of the unit
roundoff in every bound is granted to an implementation and half to the oracle itself, so the
oracle's own values may use half of a bound at most.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from mpmath import MPContext

from reference.bounded import Bounded
from reference.conventions import REGISTRY
from reference.moments import batch_moments, inverse_deviation, scaled, steepness
from reference.rounding import format_named
from suites.vocabulary import Call, Enclose, Evaluate, Fit, Predict, Training
from tests.oracle_runs import debiasing, layer_of, run, tensor

TRUE, FALSE = Training.TRUE, Training.FALSE
DIGITS = MPContext()
DIGITS.dps = 50
precise = np.frompyfunc(DIGITS.mpf, 1, 1)
root = np.frompyfunc(DIGITS.sqrt, 1, 1)

OWN_SHARE = 0.5
ROUNDOFF = DIGITS.mpf(2) ** -53
DEVIATIONS = (1e-9, 1e-4, 1.0, 1e3)
OFFSETS = (0.0, -1.0, 1e3, -1e6)
CHANNELS = len(DEVIATIONS) * len(OFFSETS)
EPSILONS = (1e-12, 1e-5, 1e-3, 1.0)
PLACEMENTS = REGISTRY["epsilon-placement"].values
VARIANCES = REGISTRY["training-output-variance"].values


class Drawn:
    """Random float64 data of one layer."""

    def __init__(self, seed, n):
        rng = np.random.default_rng(seed)
        deviation, offset = np.array(list(itertools.product(DEVIATIONS, OFFSETS))).T
        self.x = deviation * (offset + rng.normal(size=(n, CHANNELS)))
        self.dy = rng.normal(size=(n, CHANNELS)) + rng.choice([0, 3], CHANNELS)
        self.gamma, self.beta = rng.normal(size=(2, CHANNELS))
        self.running_mean = deviation * (offset + rng.normal(size=CHANNELS))
        self.running_variance = (deviation * rng.uniform(0.1, 2, CHANNELS)) ** 2

    def layer(self, **said):
        names = ("gamma", "beta", "running_mean", "running_variance")
        return layer_of(CHANNELS, **{name: getattr(self, name) for name in names}, **said)


def near(quantity, truth, size, roundings):
    """Assert a value by half of its bound and, apart from that, by the sizes of what it sums."""
    error = abs(precise(quantity.value) - truth)
    assert np.all(np.isfinite(quantity.bound))
    assert np.all(error <= OWN_SHARE * precise(quantity.bound))
    assert np.all(error <= roundings * ROUNDOFF * size)


def moments(x, less=0):
    """Return the mean and the variance, its divisor so much less than n."""
    mean = x.sum(axis=0) / len(x)
    return mean, ((x - mean) ** 2).sum(axis=0) / (len(x) - less)


def inverse(variance, epsilon, placement):
    """Return r and w of clause BN-7.1."""
    epsilon = DIGITS.mpf(epsilon)
    if placement == "outside the root":
        deviation = root(variance)
        return 1 / (deviation + epsilon), (deviation + epsilon) / deviation
    return 1 / root(variance + epsilon), 1


def normalised_is_near(drawn, found, statistics, epsilon, placement, divisor=None):
    """Assert the output and all gradients; a divisor says that these statistics follow x."""
    (mean, variance), n = statistics, len(drawn.x)
    x, dy, gamma, beta = map(precise, (drawn.x, drawn.dy, drawn.gamma, drawn.beta))
    r, w = inverse(variance, epsilon, placement)
    hat, size = (x - mean) * r, (abs(x) + abs(mean)) * r
    dgamma, along = (dy * hat).sum(axis=0), (abs(dy) * size).sum(axis=0)
    inner, weight = dy, abs(dy)
    if divisor:
        inner = dy - dy.sum(axis=0) / n - w * hat * dgamma / divisor
        weight = weight + abs(dy).sum(axis=0) / n + w * size * along / divisor
    near(found["output"], gamma * hat + beta, abs(gamma) * size + abs(beta), n + 12)
    near(found["dgamma"], dgamma, along, n + 20)
    near(found["dbeta"], dy.sum(axis=0), abs(dy).sum(axis=0), n)
    near(found["dx"], gamma * r * inner, abs(gamma) * r * weight, n + 30)


def batch_statistics(drawn, factor):
    """Return mean and variance, each with the size of what it sums."""
    x = precise(drawn.x)
    mean, variance = moments(x)
    return (mean, abs(x).sum(axis=0) / len(x)), (factor * variance, factor * variance)


def running_is_near(drawn, found, keep, factor):
    """Assert one update of the running statistics."""
    n, names = len(drawn.x), ("running_mean", "running_variance")
    for name, (batch, size) in zip(names, batch_statistics(drawn, factor), strict=True):
        old = precise(getattr(drawn, name))
        truth = keep * old + (1 - keep) * batch
        near(found[name], truth, keep * abs(old) + (1 - keep) * size, n + 12)


FLOAT64 = format_named("float64")


@pytest.mark.parametrize("algorithm", REGISTRY["variance-algorithm"].values)
@pytest.mark.parametrize("n", [2, 3, 33])
def test_batch_moments(n, algorithm):
    drawn = Drawn(50 + n, n)
    found = batch_moments(drawn.x, FLOAT64, algorithm)
    (mean, mean_size), (variance, _) = batch_statistics(drawn, 1)
    near(found.mean, mean, mean_size, n + 1)
    near(found.variance, variance, variance, n + 4)
    factor = n / (n - 1)
    near(scaled(found.variance, factor, FLOAT64), variance * factor, variance * factor, n + 6)
    assert found.count == n


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("uncertain", [0.0, 2.0**-50, 2.0**-20, 0.5])
def test_inverse_deviation_and_its_steepness_cover_every_variance_there_may_be(
    placement, epsilon, uncertain
):
    rng = np.random.default_rng(400)
    variance = 10.0 ** rng.uniform(-18, 6, 200)
    spread = Bounded(variance, uncertain * variance)
    found = inverse_deviation(spread, epsilon, placement, FLOAT64)
    steep = steepness(spread, epsilon, FLOAT64)
    middle, radius = precise(variance), precise(spread.bound)
    for part in (-1, 0, 1):
        r, _ = inverse(middle + part * radius, epsilon, placement)
        _, w = inverse(middle + part * radius, epsilon, "outside the root")
        for quantity, truth in ((found, r), (steep, w)):
            assert np.all(abs(precise(quantity.value) - truth) <= precise(quantity.bound))
            if part == 0:
                near(quantity, truth, truth, 6)
            # Where the variance is certain, nothing but a few roundings is granted.
            if uncertain == 0:
                assert np.all(quantity.bound <= 16 * 2.0**-52 * quantity.value)


CASES = list(itertools.product(PLACEMENTS, VARIANCES, EPSILONS, (2, 3, 33)))


@pytest.mark.parametrize(("placement", "variance", "epsilon", "n"), CASES)
def test_training_step(placement, variance, epsilon, n):
    drawn = Drawn(CASES.index((placement, variance, epsilon, n)), n)
    less = 1 if variance == "sample" else 0
    found = run(
        drawn.layer(decay=0.9, epsilon=epsilon),
        Call(tensor(drawn.x), TRUE, tensor(drawn.dy)),
        epsilon_placement=placement,
        training_output_variance=variance,
    )
    statistics = moments(precise(drawn.x), less)
    normalised_is_near(drawn, found, statistics, epsilon, placement, n - less)
    running_is_near(drawn, found, DIGITS.mpf(0.9), DIGITS.mpf(n) / (n - 1))


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_inference_step(placement, epsilon):
    drawn = Drawn(100, 7)
    found = run(
        drawn.layer(decay=0.9, epsilon=epsilon),
        Call(tensor(drawn.x), FALSE, tensor(drawn.dy)),
        epsilon_placement=placement,
    )
    statistics = precise(drawn.running_mean), precise(drawn.running_variance)
    normalised_is_near(drawn, found, statistics, epsilon, placement)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("mode", [TRUE, FALSE])
def test_step_with_the_batch_statistics_held_constant(placement, mode):
    drawn = Drawn(101, 7)
    found = run(
        drawn.layer(decay=0.9, epsilon=1e-5),
        Call(tensor(drawn.x), mode, tensor(drawn.dy)),
        epsilon_placement=placement,
        training_gradient="statistics held constant",
        inference_output_statistics="batch",
    )
    normalised_is_near(drawn, found, moments(precise(drawn.x)), 1e-5, placement)


@pytest.mark.parametrize("tracked", [True, False])
def test_inference_by_the_statistics_of_the_batch(tracked):
    # Population variance, whatever divides in training.
    drawn = Drawn(102, 7)
    found = run(
        drawn.layer(decay=0.9, epsilon=1e-5, track_running_statistics=tracked),
        Call(tensor(drawn.x), FALSE, tensor(drawn.dy)),
        inference_output_statistics="batch" if tracked else "running",
        no_running_statistics="batch statistics in both modes",
        training_output_variance="sample",
    )
    normalised_is_near(drawn, found, moments(precise(drawn.x)), 1e-5, "inside the root", 7)


@pytest.mark.parametrize("floor", [0.0, 1.001e-5, 0.5])
@pytest.mark.parametrize("written", [True, False])
def test_epsilon_in_force(floor, written):
    drawn = Drawn(103, 7)
    found = run(
        drawn.layer(decay=0.9, **({"epsilon": 1e-4} if written else {})),
        Call(tensor(drawn.x), TRUE, tensor(drawn.dy)),
        epsilon_floor=floor,
        default_epsilon=1e-3,
    )
    epsilon = max(floor, 1e-4 if written else 1e-3)
    statistics = moments(precise(drawn.x))
    normalised_is_near(drawn, found, statistics, epsilon, "inside the root", 7)


FACTORS = {
    "1": lambda _, __: DIGITS.mpf(1),
    "n/(n-1)": lambda n, _: DIGITS.mpf(n) / (n - 1),
    "n/(n-1-epsilon)": lambda n, epsilon: n / (n - 1 - DIGITS.mpf(epsilon)),
}
SENSES = {
    "weighs the old running value": DIGITS.mpf,
    "weighs the new batch value": lambda argument: 1 - DIGITS.mpf(argument),
}


@pytest.mark.parametrize("factor", REGISTRY["running-variance-factor"].values)
@pytest.mark.parametrize("sense", SENSES)
@pytest.mark.parametrize("argument", [0.1, 0.5, 0.999, 1e-6])
def test_running_statistics(factor, sense, argument):
    drawn = Drawn(104, 9)
    found = run(
        drawn.layer(momentum_argument=argument, epsilon=1e-3),
        Call(tensor(drawn.x), TRUE),
        momentum_sense=sense,
        running_variance_factor=factor,
    )
    running_is_near(drawn, found, SENSES[sense](argument), FACTORS[factor](9, 1e-3))


def test_running_statistics_where_inference_moves_them():
    drawn = Drawn(105, 9)
    found = run(
        drawn.layer(decay=0.99, epsilon=1e-3),
        Call(tensor(drawn.x), FALSE),
        inference_updates="always",
    )
    running_is_near(drawn, found, DIGITS.mpf(0.99), DIGITS.mpf(9) / 8)


@pytest.mark.parametrize("keep", [0.9, 0.99, 0.999, 0.0])
@pytest.mark.parametrize("updates", [1, 2, 5, 40])
def test_zero_debiased_average(keep, updates):
    batches = [Drawn(200 + turn, 3) for turn in range(updates)]
    found = run(
        batches[0].layer(decay=keep, epsilon=1.0),
        *(Call(tensor(batch.x), TRUE) for batch in batches),
        **debiasing("zero-debias"),
    )
    k = DIGITS.mpf(keep)
    weights = [(1 - k) * k ** (updates - 1 - turn) / (1 - k**updates) for turn in range(updates)]
    # 1 − kᵗ loses as many digits as its terms are larger than it is.
    lost = (1 + k**updates) / (1 - k**updates)
    for name, which in (("running_mean", 0), ("running_variance", 1)):
        seen = [batch_statistics(batch, DIGITS.mpf(3) / 2)[which] for batch in batches]
        truth, size = (
            sum(weight * value for weight, value in zip(weights, values, strict=True))
            for values in zip(*seen, strict=True)
        )
        near(found[name], truth, size * lost, 16 + 4 * updates)


# Training loops: 7 samples of 2 positions in batches of 3, 3 and 1, twice over.

SAMPLES, POSITIONS, SIZE, EPOCHS, RATE = 7, 2, 3, 2, 0.05
FITTED = {"decay": 0.9, "epsilon": 1e-3, "rank": 3}


def fitted(drawn, placement, variance):
    """Return the loss of the last epoch and the state after it, at 50 digits."""
    gamma, beta = precise(drawn.gamma), precise(drawn.beta)
    mean, spread = precise(drawn.running_mean), precise(drawn.running_variance)
    k, rate = DIGITS.mpf(0.9), DIGITS.mpf(RATE)
    for _ in range(EPOCHS):
        loss = 0
        for start in range(0, SAMPLES, SIZE):
            samples = min(SIZE, SAMPLES - start)
            part = slice(start * POSITIONS, (start + samples) * POSITIONS)
            x, dy = precise(drawn.x)[part], precise(drawn.dy)[part]
            batch_mean, batch_variance = moments(x, 1 if variance == "sample" else 0)
            r, _ = inverse(batch_variance, 1e-3, placement)
            hat = (x - batch_mean) * r
            loss = loss + (dy * (gamma * hat + beta)).sum()
            gamma = gamma - rate * (dy * hat).sum(axis=0) / samples
            beta = beta - rate * dy.sum(axis=0) / samples
            mean = k * mean + (1 - k) * batch_mean
            spread = k * spread + (1 - k) * moments(x, 1)[1]
    state = {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": spread}
    return loss / SAMPLES, state


def is_within_its_share(quantity, truth):
    assert np.all(np.isfinite(quantity.bound))
    assert np.all(abs(precise(quantity.value) - truth) <= OWN_SHARE * precise(quantity.bound))


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_fit_then_evaluate_then_predict(placement, variance):
    drawn = Drawn(300, SAMPLES * POSITIONS)
    x, dy = (tensor(each.reshape(SAMPLES, POSITIONS, CHANNELS)) for each in (drawn.x, drawn.dy))
    fit = Fit(x, dy, batch_size=SIZE, epochs=EPOCHS, learning_rate=RATE)
    changed = {"epsilon_placement": placement, "training_output_variance": variance}
    layer = drawn.layer(**FITTED)
    loss, state = fitted(drawn, placement, variance)
    found = run(layer, Enclose(), fit, **changed)
    for name, truth in {**state, "loss": loss}.items():
        is_within_its_share(found[name], truth)
    r, _ = inverse(state["running_variance"], 1e-3, placement)
    output = state["gamma"] * (precise(drawn.x) - state["running_mean"]) * r + state["beta"]
    evaluated = run(layer, Enclose(), fit, Evaluate(x, dy), **changed)
    is_within_its_share(evaluated["loss"], (precise(drawn.dy) * output).sum() / SAMPLES)
    predicted = run(layer, Enclose(), fit, Predict(x), **changed)
    is_within_its_share(predicted["output"], output.reshape(SAMPLES, POSITIONS, CHANNELS))


@pytest.mark.parametrize("algorithm", REGISTRY["variance-algorithm"].values)
def test_the_variance_algorithm_changes_only_bounds(algorithm):
    drawn = Drawn(301, 9)
    step = Call(tensor(drawn.x), TRUE, tensor(drawn.dy))
    layer = drawn.layer(decay=0.9, epsilon=1e-3)
    here = run(layer, step, variance_algorithm=algorithm)
    there = run(layer, step, variance_algorithm="two-pass")
    for name, quantity in here.items():
        assert np.array_equal(quantity.value, there[name].value)
        assert np.all(quantity.bound >= there[name].bound)
