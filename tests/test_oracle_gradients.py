"""Every gradient of the oracle against derivatives of the forward pass, which nobody derived.

The forward pass is written once more below, at 60 digits, and differentiated in two ways: by a
complex step, whose error is the square of a step of 10⁻³⁰, and by central differences with a step
of 10⁻²⁰, off by 10⁻⁴⁰ through truncation and rounding alike. Next to the oracle's bounds both are
exact.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from mpmath import MPContext

from reference.conventions import REGISTRY
from suites.vocabulary import Call, Training
from tests.oracle_runs import layer_of, run, tensor

DIGITS = MPContext()
DIGITS.dps = 60
precise = np.frompyfunc(DIGITS.mpmathify, 1, 1)
root = np.frompyfunc(DIGITS.sqrt, 1, 1)
imaginary = np.frompyfunc(DIGITS.im, 1, 1)

COMPLEX_STEP = DIGITS.mpf(10) ** -30
REAL_STEP = DIGITS.mpf(10) ** -20
SECOND_STEP = DIGITS.mpf(10) ** -15
ROUNDOFF = DIGITS.mpf(2) ** -53

TELLING = 1e-6  # of the greatest of its channel: a wider bound would admit what is no gradient
N, DECAY, EPSILON = 6, 0.75, 0.25
ROUNDINGS = 4 * (N + 4)
OFFSETS = (0.0, 0.5, -300.0, 1e5)
DEVIATIONS = (1.0, 0.01, 2.0, 1.0)
CHANNELS = len(OFFSETS)
BY_BATCH, BEFORE, AFTER = REGISTRY["training-output-statistics"].values
PLACEMENTS = REGISTRY["epsilon-placement"].values
VARIANCES = REGISTRY["training-output-variance"].values
FLOWS = REGISTRY["training-gradient"].values
every_derivative = pytest.mark.parametrize("derivative", ["complex step", "central difference"])
every_placement = pytest.mark.parametrize("placement", PLACEMENTS)
every_variance = pytest.mark.parametrize("variance", VARIANCES)


@dataclass(frozen=True)
class Drawn:
    """Random data of one layer at 60 digits; what it is asked about is float64."""

    x: np.ndarray
    dy: np.ndarray
    weights: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    running_mean: np.ndarray
    running_variance: np.ndarray


def drawn(seed):
    rng = np.random.default_rng(seed)
    x = np.array(OFFSETS) + np.array(DEVIATIONS) * rng.normal(size=(N, CHANNELS))
    dy, weights = rng.normal(size=(2, N, CHANNELS))
    gamma, beta = rng.normal(size=(2, CHANNELS))
    mean = np.array(OFFSETS) + np.array(DEVIATIONS) * rng.normal(size=CHANNELS)
    variance = (np.array(DEVIATIONS) * rng.uniform(0.2, 2, CHANNELS)) ** 2
    return Drawn(*(precise(array) for array in (x, dy, weights, gamma, beta, mean, variance)))


def floats(array):
    return array.astype(np.float64)


def layer(case):
    names = ("gamma", "beta", "running_mean", "running_variance")
    given = {name: floats(getattr(case, name)) for name in names}
    return layer_of(CHANNELS, decay=DECAY, epsilon=EPSILON, **given)


def moments(x, less):
    mean = x.sum(axis=0) / len(x)
    return mean, ((x - mean) ** 2).sum(axis=0) / (len(x) - less)


def updated(case):
    """Return the running statistics after one update, from the sample variance."""
    keep, (mean, variance) = DIGITS.mpf(DECAY), moments(case.x, 1)
    return (
        keep * case.running_mean + (1 - keep) * mean,
        keep * case.running_variance + (1 - keep) * variance,
    )


def loss(case, statistics, placement):
    """Return Σ dy·output per channel; statistics are a function of x."""
    mean, variance = statistics(case.x)
    if placement == "inside the root":
        inverse = 1 / root(variance + DIGITS.mpf(EPSILON))
    else:
        inverse = 1 / (root(variance) + DIGITS.mpf(EPSILON))
    output = case.gamma * (case.x - mean) * inverse + case.beta
    return (case.dy * output).sum(axis=0)


def directions(like):
    """Return every direction in which all channels take one step at once."""
    for index in range(len(like)):
        direction = precise(np.zeros_like(like, dtype=np.float64))
        direction[index] = DIGITS.one
        yield direction


def derivative_of(function, name, case, method, direction=1):
    """Return d/dt of function(case) per channel, where an array moves by t times a direction."""
    start = getattr(case, name)
    if method == "complex step":
        moved = replace(case, **{name: start + DIGITS.mpc(0, COMPLEX_STEP) * direction})
        return imaginary(function(moved)) / COMPLEX_STEP
    ahead, behind = (
        function(replace(case, **{name: start + step * direction}))
        for step in (REAL_STEP, -REAL_STEP)
    )
    return (ahead - behind) / (2 * REAL_STEP)


def is_the_gradient(found, function, case, method):
    """Assert dx, dgamma and dbeta to be the derivatives of a function of the case."""
    dx = [derivative_of(function, "x", case, method, each) for each in directions(case.x)]
    truths = {
        "dx": np.array(dx),
        "dgamma": derivative_of(function, "gamma", case, method),
        "dbeta": derivative_of(function, "beta", case, method),
    }
    for name, truth in truths.items():
        is_met(found[name], truth)
        assert np.all(precise(found[name].bound) <= TELLING * abs(truth).max(axis=0))


def is_met(quantity, truth):
    assert np.all(np.isfinite(quantity.bound))
    assert np.all(abs(precise(quantity.value) - truth) <= precise(quantity.bound))


@pytest.mark.parametrize("flow", FLOWS)
@every_variance
@every_placement
@pytest.mark.parametrize("normalised_by", [BY_BATCH, BEFORE, AFTER])
@every_derivative
def test_gradients_in_training(derivative, normalised_by, placement, variance, flow):
    case = drawn(seed=1)
    less = 1 if variance == "sample" else 0
    of_x = {
        BY_BATCH: lambda x: moments(x, less),
        # Running statistics are constants, whatever they took in just now.
        BEFORE: lambda _: (case.running_mean, case.running_variance),
        AFTER: lambda _: updated(case),
    }[normalised_by]
    if flow == "statistics held constant":
        held = of_x(case.x)

        def statistics(_):
            return held
    else:
        statistics = of_x
    found = run(
        layer(case),
        Call(tensor(floats(case.x)), Training.TRUE, tensor(floats(case.dy))),
        training_output_statistics=normalised_by,
        epsilon_placement=placement,
        training_output_variance=variance,
        training_gradient=flow,
    )
    is_the_gradient(found, lambda moved: loss(moved, statistics, placement), case, derivative)


@every_placement
@every_derivative
def test_gradients_in_inference(derivative, placement):
    case = drawn(seed=2)
    found = run(
        layer(case),
        Call(tensor(floats(case.x)), Training.FALSE, tensor(floats(case.dy))),
        epsilon_placement=placement,
    )
    running = case.running_mean, case.running_variance
    is_the_gradient(
        found, lambda moved: loss(moved, lambda _: running, placement), case, derivative
    )


@pytest.mark.parametrize("flow", FLOWS)
@every_placement
@every_derivative
def test_gradients_in_inference_by_the_statistics_of_the_batch(derivative, placement, flow):
    case = drawn(seed=3)
    held = moments(case.x, 0)

    def statistics(x):
        return moments(x, 0) if flow == "through the batch statistics" else held

    found = run(
        layer(case),
        Call(tensor(floats(case.x)), Training.FALSE, tensor(floats(case.dy))),
        inference_output_statistics="batch",
        training_output_variance="sample",
        epsilon_placement=placement,
        training_gradient=flow,
    )
    is_the_gradient(found, lambda moved: loss(moved, statistics, placement), case, derivative)


def test_gradients_without_gamma_are_those_of_a_gamma_of_one():
    case = replace(drawn(seed=4), gamma=precise(np.ones(CHANNELS)))
    bare = replace(layer(case), scale=False)
    step = Call(tensor(floats(case.x)), Training.TRUE, tensor(floats(case.dy)))
    found = run(bare, step)

    def function(moved):
        return loss(moved, lambda x: moments(x, 0), "inside the root")

    dx = [derivative_of(function, "x", case, "complex step", each) for each in directions(case.x)]
    is_met(found["dx"], np.array(dx))
    assert "dgamma" not in found


# The gradient of the gradient: second_dx is ∇ₓ Σ weights·dx, where dx is ∇ₓ Σ dy·output. A
# gradient is symmetric in what it is asked along, so it is the derivative of the loss along each
# axis and along the weights: four losses, a step away to either side.


def input_gradient(case, less, placement):
    """Return dx as BN-7.1 writes it, for the complex step through it."""
    mean, variance = moments(case.x, less)
    epsilon, w = DIGITS.mpf(EPSILON), 1
    if placement == "inside the root":
        inverse = 1 / root(variance + epsilon)
    else:
        deviation = root(variance)
        inverse, w = 1 / (deviation + epsilon), (deviation + epsilon) / deviation
    hat, n = (case.x - mean) * inverse, len(case.x)
    projected = w * hat * (case.dy * hat).sum(axis=0) / (n - less)
    return case.gamma * inverse * (case.dy - case.dy.sum(axis=0) / n - projected)


def second_by_complex_step(case, less, placement):
    def weighed(moved):
        return (moved.weights * input_gradient(moved, less, placement)).sum(axis=0)

    return np.array(
        [derivative_of(weighed, "x", case, "complex step", each) for each in directions(case.x)]
    )


def second_by_central_differences(case, less, placement):
    def at(step):
        moved = replace(case, x=case.x + step)
        return loss(moved, lambda x: moments(x, less), placement)

    return np.array(
        [
            sum(
                sign * other * at(SECOND_STEP * (sign * each + other * case.weights))
                for sign, other in itertools.product((1, -1), repeat=2)
            )
            / (4 * SECOND_STEP**2)
            for each in directions(case.x)
        ]
    )


SECOND = {
    "complex step": second_by_complex_step,
    "central difference": second_by_central_differences,
}


@every_placement
@every_variance
def test_the_two_ways_to_the_second_gradient_agree(placement, variance):
    case, less = drawn(seed=5), 1 if variance == "sample" else 0
    one, other = (SECOND[method](case, less, placement) for method in SECOND)
    assert np.all(abs(one - other) <= DIGITS.mpf(10) ** -20 * abs(one).max(axis=0))


@every_placement
@every_variance
@every_derivative
@pytest.mark.parametrize("seed", [5, 6])
def test_second_gradient_in_training(derivative, variance, placement, seed):
    case, less = drawn(seed), 1 if variance == "sample" else 0
    x, dy, weights = (tensor(floats(each)) for each in (case.x, case.dy, case.weights))
    found = run(
        layer(case),
        Call(x, Training.TRUE, dy, dx_weights=weights),
        epsilon_placement=placement,
        training_output_variance=variance,
    )
    truth = SECOND[derivative](case, less, placement)
    is_met(found["second_dx"], truth)
    # Next to the greatest of its channel, apart from the bound: the roundings of x − m, and after
    # it those of three sums and of what is multiplied with them.
    mean, variance = moments(case.x, less)
    lost = ROUNDINGS * ROUNDOFF * (1 + abs(mean) / root(variance))
    error = abs(precise(found["second_dx"].value) - truth)
    assert np.all(error <= lost * abs(truth).max(axis=0))


@every_placement
def test_second_gradient_in_inference_is_zero(placement):
    case = drawn(seed=7)
    x, dy, weights = (tensor(floats(each)) for each in (case.x, case.dy, case.weights))
    found = run(
        layer(case), Call(x, Training.FALSE, dy, dx_weights=weights), epsilon_placement=placement
    )
    assert not np.any(found["second_dx"].value)


def test_second_gradient_along_a_shift_of_the_batch_is_zero():
    case = drawn(seed=8)
    x, dy = tensor(floats(case.x)), tensor(floats(case.dy))
    found = run(layer(case), Call(x, Training.TRUE, dy, dx_weights=tensor(np.ones((N, CHANNELS)))))
    is_met(found["second_dx"], precise(np.zeros((N, CHANNELS))))


def test_second_gradient_is_symmetric():
    # ∇ₓ along two directions in either order: v·second_dx(w) is w·second_dx(v).
    case = drawn(seed=9)
    x, dy = tensor(floats(case.x)), tensor(floats(case.dy))
    along = floats(case.weights), floats(case.weights[::-1])
    one, other = (
        run(layer(case), Call(x, Training.TRUE, dy, dx_weights=tensor(each)))["second_dx"]
        for each in along
    )
    here, there = (
        (precise(weights) * precise(quantity.value)).sum(axis=0)
        for weights, quantity in zip(reversed(along), (one, other), strict=True)
    )
    allowed = sum(
        (precise(np.abs(weights)) * precise(quantity.bound)).sum(axis=0)
        for weights, quantity in zip(reversed(along), (one, other), strict=True)
    )
    assert np.all(abs(here - there) <= allowed)
