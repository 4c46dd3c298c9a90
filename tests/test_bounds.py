"""The bounds admit every correct float32 result, and are not so wide as to admit anything."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pytest

from reference.bounded import exact
from reference.chosen import Conventions
from reference.moments import batch_moments, inverse_deviation, scaled
from reference.normalisation import gradients, normalised, output
from reference.oracle import Oracle
from reference.program import Execution
from reference.rounding import format_named
from reference.running import blended, debiased, fresh, giving, keeping
from suites.inputs import BASE, GAMMA, TRAINED, batch, weights
from suites.vocabulary import Build, Call, Training

FLOAT32 = format_named("float32")
ONE = np.float32(1)
LAYERS = 1000
CHANNELS = 6
PLACEMENTS = ("inside the root", "outside the root")
ALGORITHMS = ("two-pass", "one-pass")
TRAINING = Execution("training", statistics_move=True, trainable=True)
DECAYS = (0.9, 0.99, 0.999)
MOST_OF_SCALE = 1e-4  # a wrong convention shows up as some hundredths of a quantity's scale


@dataclass(frozen=True)
class Drawn:
    """Float32 data of one layer, shapes (n, channels) and (channels,), and hyperparameters."""

    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    old: np.ndarray
    epsilon: float
    keep: float
    updates: int


def draw(rng):
    shape = (int(rng.integers(2, 61)), CHANNELS)
    deviation = 10.0 ** rng.uniform(-3, 3, CHANNELS)
    offset = deviation * rng.choice([0, 1], CHANNELS) * 10.0 ** rng.uniform(-1, 4, CHANNELS)
    offset = offset * rng.choice([-1, 1], CHANNELS)
    arrays = (
        offset + deviation * rng.normal(size=shape),
        rng.normal(size=shape) + rng.choice([0, 3], CHANNELS),
        rng.normal(size=CHANNELS),
        rng.normal(size=CHANNELS),
        rng.normal(size=CHANNELS) * deviation,
    )
    return Drawn(
        *(array.astype(np.float32) for array in arrays),
        epsilon=10.0 ** rng.uniform(-12, 0),
        keep=float(rng.choice(DECAYS)),
        updates=int(rng.integers(1, 21)),
    )


def sequential(v):
    return np.add.accumulate(v, axis=0)[-1]


def backwards(v):
    return sequential(v[::-1])


def pairwise(v):
    half = len(v) // 2
    return v[0] if len(v) == 1 else pairwise(v[:half]) + pairwise(v[half:])


def blockwise(v):
    return np.ascontiguousarray(v.T).sum(axis=1)


SUMS = (sequential, backwards, pairwise, blockwise)


def dividing(total, n):
    return total / np.float32(n)


def multiplying(total, n):
    return total * (ONE / np.float32(n))


DIVISIONS = (dividing, multiplying)


def variance_of(x, mean, algorithm, add, divide):
    if algorithm == "two-pass":
        return divide(add((x - mean) * (x - mean)), len(x))
    return np.maximum(divide(add(x * x), len(x)) - mean * mean, np.float32(0))


def newton(v):
    """Refine a 12-bit estimate of 1/√v twice, as kernels with an approximate instruction do."""
    bits = (1 / np.sqrt(v.astype(np.float64))).astype(np.float32).view(np.uint32)
    y = (bits & np.uint32(0xFFFFF000)).view(np.float32)
    for _ in range(2):
        y = y * (np.float32(1.5) - np.float32(0.5) * v * y * y)
    return y


def inverses(variance, epsilon, placement):
    if placement == "outside the root":
        return (ONE / (np.sqrt(variance) + np.float32(epsilon)),)
    total = variance + np.float32(epsilon)
    roots = (ONE / np.sqrt(total), np.sqrt(ONE / total), total ** np.float32(-0.5), newton(total))
    return tuple(np.where(total > FLOAT32.smallest, root, np.float32(0)) for root in roots)


def outputs(x, mean, r, gamma, beta):
    s = gamma * r
    return (
        (x - mean) * r * gamma + beta,
        (x - mean) * s + beta,
        x * s + (beta - mean * s),
        x * s - (mean * s - beta),
    )


def input_gradients(case, mean, r, weight, add):
    """Return dx by the paper's formula, by Σdy(x−m), and by differentiating x·s + (β − m·s)."""
    x, dy, n = case.x, case.dy, np.float32(len(case.x))
    hat = (x - mean) * r
    total = add(dy)
    paper = case.gamma * r * (dy - total / n - hat * (add(dy * hat) * weight))
    projection = add(dy * (x - mean)) * r * r * weight
    projected = (dy - total / n - (x - mean) * projection) * r * case.gamma
    of_slope = (add(dy * x) - mean * total) * case.gamma
    of_variance = of_slope * np.float32(-0.5) * r * r * r
    of_mean = -(total * (case.gamma * r))
    summed = dy * (case.gamma * r) + of_mean / n + of_variance * weight * 2 * (x - mean)
    return paper, projected, summed


def gamma_gradients(case, mean, r, add):
    x, dy = case.x, case.dy
    return (
        add(dy * ((x - mean) * r)),
        add(dy * (x - mean)) * r,
        (add(dy * x) - mean * add(dy)) * r,
    )


def gives(keep):
    return {
        np.float32(1 - keep),
        ONE - np.float32(keep),
        np.float32(1 - float(np.float32(keep))),
    }


def averages(old, new, keep):
    for give in gives(keep):
        yield np.float32(keep) * old + give * new
        yield (ONE - give) * old + give * new
        yield old - (old - new) * give
        yield old + (new - old) * give


def debiased_averages(values, keep):
    """Return the zero-debiased average of float32 batches by a power, and by repeated products."""
    for give in gives(keep):
        biased = np.zeros_like(values[0])
        power = ONE
        for value in values:
            biased = biased - (biased - value) * give
            power = power * (ONE - give)
        yield biased / (ONE - power)
        yield biased / (ONE - (ONE - give) ** np.float32(len(values)))


def used(result, expected):
    """Return the greatest part of a bound a float32 result takes up; an infinite bound is none."""
    error = np.abs(result.astype(np.float64) - expected.value)
    return float(np.max(np.where(np.isinf(expected.bound), 0, error / expected.bound)))


def results_of_statistics(case, rng):
    """Yield (quantity, float32 result, expected) of moments and running values."""
    x, n = case.x, len(case.x)
    wide = x.astype(np.float64)
    add, divide = SUMS[rng.integers(len(SUMS))], DIVISIONS[rng.integers(2)]
    mean = divide(add(x), n)
    for algorithm in ALGORITHMS:
        moments = batch_moments(wide, FLOAT32, algorithm)
        variance = variance_of(x, mean, algorithm, add, divide)
        yield "mean", mean, moments.mean
        yield f"variance, {algorithm}", variance, moments.variance
        sample = scaled(moments.variance, n / (n - 1), FLOAT32)
        corrected = variance * (np.float32(n) / np.float32(n - 1))
        yield f"sample variance, {algorithm}", corrected, sample
        for result in averages(case.old, corrected, case.keep):
            yield "running", result, blended(exact(case.old), sample, keeping(case.keep), FLOAT32)
    for result in averages(case.old, mean, 1 - 1 / case.updates):
        expected = blended(exact(case.old), moments.mean, giving(1 / case.updates), FLOAT32)
        yield "cumulative", result, expected
    state, values = fresh(moments.mean), case.x[: case.updates]
    for value in values:
        expected, state = debiased(state, exact(value), keeping(case.keep), FLOAT32)
    for result in debiased_averages(values, case.keep):
        yield "zero-debiased", result, expected


def normaliser(case, moments, placement, *, sample):
    conventions = Conventions(
        {
            "epsilon-placement": placement,
            "epsilon-floor": 0.0,
            "training-output-variance": "sample" if sample else "population",
            "training-gradient": "through the batch statistics",
        }
    )
    oracle = Oracle(replace(BASE, channels=CHANNELS, epsilon=case.epsilon), conventions)
    state = {"gamma": exact(case.gamma), "beta": exact(case.beta)}
    return oracle.by_batch(moments, TRAINING, state)


def results_of_layer(case, rng, algorithm, placement, *, sample):
    """Yield (quantity, float32 result, expected) of the normalised output and gradients."""
    x, n = case.x, len(case.x)
    wide, dy = x.astype(np.float64), case.dy.astype(np.float64)
    add, divide = SUMS[rng.integers(len(SUMS))], DIVISIONS[rng.integers(2)]
    mean = divide(add(x), n)
    variance = variance_of(x, mean, algorithm, add, divide)
    moments = batch_moments(wide, FLOAT32, algorithm)
    expected, divisor = moments.variance, float(n)
    if sample:
        divisor = n - 1.0
        variance = variance * (np.float32(n) / np.float32(divisor))
        expected = scaled(expected, n / divisor, FLOAT32)
    inverse = inverse_deviation(expected, case.epsilon, placement, FLOAT32)
    weight = ONE / np.float32(divisor)
    by = normaliser(case, moments, placement, sample=sample)
    found = gradients(wide, dy, by, FLOAT32)
    for r in inverses(variance, case.epsilon, placement):
        yield f"inverse deviation, {placement}", r, inverse
        yield "normalised", (x - mean) * r, normalised(wide, by, FLOAT32)
        for result in outputs(x, mean, r, case.gamma, case.beta):
            yield "output", result, output(wide, by, FLOAT32)
        for result in gamma_gradients(case, mean, r, add):
            yield "dgamma", result, found.dgamma
        if placement == "outside the root":
            if not np.all(variance > 0):
                continue
            weight = (ONE / np.float32(divisor)) / (r * np.sqrt(variance))
        for result in input_gradients(case, mean, r, weight, add):
            yield f"dx, {placement}", result, found.dx
    yield "dbeta", add(case.dy), found.dbeta


def fractions(layers, seed):
    """Return the greatest part of its bound that each quantity took up over random layers."""
    rng = np.random.default_rng(seed)
    most = defaultdict(float)
    variants = list(itertools.product(ALGORITHMS, PLACEMENTS, (False, True)))
    for index in range(layers):
        case = draw(rng)
        algorithm, placement, sample = variants[index % len(variants)]
        for quantity, result, expected in itertools.chain(
            results_of_statistics(case, rng),
            results_of_layer(case, rng, algorithm, placement, sample=sample),
        ):
            most[quantity] = max(most[quantity], used(result, expected))
    return dict(most)


@pytest.fixture(scope="module")
def most():
    return fractions(LAYERS, seed=2)


QUANTITIES = (
    "mean",
    *(f"{kind}variance, {algorithm}" for kind in ("", "sample ") for algorithm in ALGORITHMS),
    *(f"inverse deviation, {placement}" for placement in PLACEMENTS),
    "normalised",
    "output",
    "running",
    "cumulative",
    "zero-debiased",
    *(f"dx, {placement}" for placement in PLACEMENTS),
    "dgamma",
    "dbeta",
)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_correct_float32_result_falls_outside_the_bound(most, quantity):
    assert most[quantity] <= 1, f"a correct result used {most[quantity]:.3g} of the bound"


def test_every_quantity_computed_is_checked(most):
    assert set(most) == set(QUANTITIES)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("end", ["lower", "upper"])
def test_gradient_bound_admits_every_variance_the_variance_bound_admits(placement, end):
    # The deviation is 2⁻⁷, epsilon 1 and the offset 300 deviations, so that in one pass the
    # variance keeps few digits. Computed exactly from a variance at the end of its bound, the
    # gradient is one that rounding alone could have produced.
    case = draw(np.random.default_rng(1))
    centred = np.array([-3.0, -1, 0, 1, 1, 2])[:, None] * np.ones(CHANNELS)
    x, dy = (300 + centred) / 128, centred**2 - 2
    case = replace(case, x=x, dy=dy, epsilon=1.0)
    moments = batch_moments(x, FLOAT32, "one-pass")
    by = normaliser(case, moments, placement, sample=False)
    variance = getattr(moments.variance, end)
    root = np.sqrt(variance)
    if placement == "outside the root":
        inverse, weight = 1 / (root + case.epsilon), (root + case.epsilon) / root
    else:
        inverse, weight = 1 / np.sqrt(variance + case.epsilon), 1.0
    hat = (x - x.mean(axis=0)) * inverse
    projected = hat * (dy * hat).mean(axis=0) * weight
    dx = case.gamma * inverse * (dy - dy.mean(axis=0) - projected)
    part = used(dx, gradients(x, dy, by, FLOAT32).dx)
    assert part <= 1, f"an admissible gradient used {part:.3g} of the bound"


DECLARED = {
    "training-output-statistics": "batch",
    "training-output-variance": "population",
    "training-gradient": "through the batch statistics",
    "epsilon-placement": "inside the root",
    "epsilon-floor": 0.0,
    "variance-algorithm": "two-pass",
    "running-variance-factor": "n/(n-1)",
    "debiasing": "none",
    "update-timing": "within the call",
    "update-counter": "none",
    "trainable-false-parameters": "stop",
}


def sizes(x, dy, found):
    """Return what each quantity is measured against: sums by their terms, so without cancelling."""
    x, dy = (np.reshape(tensor.values, (-1, tensor.shape[-1])) for tensor in (x, dy))
    hat = (x - x.mean(axis=0)) / x.std(axis=0)
    slope = np.abs(GAMMA.values) / np.sqrt(x.var(axis=0) + TRAINED.epsilon)
    sizes = {
        "dx": np.abs(slope * dy).max(axis=0),
        "dgamma": np.abs(dy * hat).sum(axis=0),
        "dbeta": np.abs(dy).sum(axis=0),
    }
    for quantity in ("output", "running_mean", "running_variance"):
        sizes[quantity] = np.abs(found[quantity].value.reshape(-1, len(slope))).max(axis=0)
    return sizes


@pytest.mark.parametrize("samples", [3, 4, 5])
@pytest.mark.parametrize("rank", [2, 4])
def test_bounds_are_far_below_the_scale_of_what_the_scenarios_ask_about(samples, rank):
    x, dy = batch("bounds", samples, rank), weights("bounds", samples, rank)
    oracle = Oracle(replace(TRAINED, rank=rank), Conventions(DECLARED))
    state = oracle.expect(Build(), {}).quantities
    found = oracle.expect(Call(x, Training.TRUE, dy), state).quantities
    for quantity, size in sizes(x, dy, found).items():
        bound = found[quantity].bound.reshape(-1, len(size)).max(axis=0)
        assert (bound / size).max() < MOST_OF_SCALE, f"{quantity}: {bound / size} of its size"
