"""The bounds admit every correct result in every format, and are not so wide as to admit anything.

`make proof` prints how much of each bound the layers of `tests/bound_trials.py` use.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import ml_dtypes
import numpy as np
import pytest

from reference.bounded import Bounded, exact
from reference.chosen import Conventions
from reference.conventions import REGISTRY
from reference.moments import batch_moments, inverse_deviation, scaled, steepness
from reference.normalisation import Flow, Normaliser, gradients, output
from reference.oracle import Oracle
from reference.rounding import FORMATS, format_named, stored
from reference.second_order import second_gradient
from suites.inputs import GAMMA, TRAINED, batch, weights
from suites.vocabulary import Build, Call, Training
from tests.bound_layers import ALGORITHMS, PLACEMENTS
from tests.bound_trials import ARITHMETICS, trials

LAYERS = 100_000
FLOAT32, FLOAT64 = format_named("float32"), format_named("float64")
MOST_OF_SCALE = 1e-4  # a wrong convention shows up as some hundredths of a quantity's scale
MOST_WELL_UNDETERMINED = 0.05  # of layers of ordinary size, even where all is computed in float16

# What some layer at least uses of each bound, in every format. A bound that grows hopelessly wide
# falls below.
LEAST_USED = {
    "mean": 0.3,
    "mean of Welford": 0.1,
    "variance, two-pass": 0.2,
    "variance, one-pass": 0.2,
    "variance, one-pass clamped at zero": 0.2,
    "variance, Welford": 0.1,
    "sample variance": 0.15,
    "scaled by n/(n-1-epsilon)": 0.15,
    "inverse deviation, inside the root": 0.8,
    "inverse deviation, outside the root": 0.8,
    "normalised": 0.4,
    "output": 0.4,
    "dbeta": 0.5,
    "dgamma": 0.3,
    "dx": 0.3,
    "dx by constants": 0.8,
    "second-order dx": 0.02,
    "running update": 0.4,
    "cumulative update": 0.3,
    "zero-debiased update": 0.15,
    "gradient descent": 0.7,
}
# In float16 the second order mostly overflows; in 16-bit formats nothing is certain of an average
# debiased after few updates where the decay is near one.
MOSTLY_UNDETERMINED = ("second-order dx", "zero-debiased update")

every_format = pytest.mark.parametrize("name", FORMATS)


@lru_cache(maxsize=1)
def report_on(dtype):
    return trials(LAYERS, seed=2, dtypes=(dtype,))


@pytest.fixture(scope="module", params=FORMATS)
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def report(dtype):
    return report_on(dtype)


def test_no_correct_result_falls_outside_its_bound(report):
    outside = {key: found.used() for key, found in report.items() if found.outside}
    assert outside == {}, "(dtype, arithmetic, quantity): greatest and median part of the bound"


def test_every_quantity_is_tried_in_every_arithmetic(report, dtype):
    expected = {(dtype, way, name) for way in ARITHMETICS[dtype] for name in LEAST_USED}
    assert set(report) == expected
    assert min(report[dtype, way, "dbeta"].layers for way in ARITHMETICS[dtype]) >= LAYERS


def test_no_bound_is_wider_than_some_layer_needs(report, dtype):
    used = {name: report[dtype, dtype, name].used()[0] for name in LEAST_USED}
    wide = {name: part for name, part in used.items() if part < LEAST_USED[name]}
    assert wide == {}


def test_few_layers_of_ordinary_size_are_undetermined(report):
    shares = {
        key: found.well_infinite / found.well
        for key, found in report.items()
        if key[2] not in MOSTLY_UNDETERMINED
    }
    assert {key: share for key, share in shares.items() if share > MOST_WELL_UNDETERMINED} == {}


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_nothing_of_ordinary_size_is_undetermined_in_a_wide_format(name):
    report = trials(2000, seed=3, dtypes=(name,))
    assert {key for key, found in report.items() if found.well_infinite} == set()


# Mutations: bounds that leave something out are broken by the same trials.


def outside_under(name, **changes):
    mutated = partial(replace, **changes)
    report = trials(4000, seed=4, dtypes=(name,), mutated=mutated)
    return {quantity for (_, way, quantity), found in report.items() if found.outside and way}


@every_format
def test_bounds_for_a_finer_roundoff_are_broken(name):
    finer = FORMATS[name].roundoff / 4
    assert {"mean", "dbeta", "output", "running update"} <= outside_under(name, roundoff=finer)


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
def test_bounds_without_flushing_are_broken(name):
    assert "mean" in outside_under(name, flushes=False)


def test_bounds_without_underflow_are_broken_in_float16():
    assert "variance, two-pass" in outside_under("float16", smallest=2.0**-1022)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_bounds_without_overflow_are_broken(name):
    broken = outside_under(name, largest=np.inf)
    assert {"variance, two-pass", "dgamma", "dx"} <= broken


@pytest.mark.parametrize("roundings", [1, 2])
def test_a_root_with_fewer_roundings_is_broken(roundings):
    assert "inverse deviation, inside the root" in outside_under("float32", root=roundings)


# Formats.


def every_number_of(name):
    """Return every finite number of a 16-bit format, in order, as float32."""
    dtype = np.float16 if name == "float16" else ml_dtypes.bfloat16
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype).astype(np.float32)
    return np.unique(numbers[np.isfinite(numbers)]), dtype


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_rounding_is_to_nearest_even_at_every_number_and_every_tie(name):
    numbers, dtype = every_number_of(name)
    ties = numbers[:-1] + (numbers[1:] - numbers[:-1]) / 2
    largest = np.float32(FORMATS[name].largest)
    last = largest + (largest - numbers[-2]) / 2
    ties = np.concatenate([ties, [last, -last]]).astype(np.float32)
    near = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    tried = np.concatenate([numbers, ties, *near, [np.inf, -np.inf]])
    with np.errstate(over="ignore"):
        expected = tried.astype(dtype).astype(np.float64)
    np.testing.assert_array_equal(FORMATS[name].rounded(tried), expected)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_rounding_a_float64_number_rounds_once(name):
    form = FORMATS[name]
    tie = 1 + 2.0**-form.digits
    assert form.nearest(tie) == 1
    assert form.nearest(np.nextafter(tie, 2)) == 1 + 2.0 ** (1 - form.digits)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_format_is_what_numpy_says_it_is(name):
    form, info = FORMATS[name], np.finfo(name)
    assert (form.smallest, form.largest) == (info.smallest_normal, info.max)
    assert form.subnormal == info.smallest_subnormal
    assert form.digits == info.nmant + 1


def test_bfloat16_is_what_ml_dtypes_says_it_is():
    form, info = FORMATS["bfloat16"], ml_dtypes.finfo(ml_dtypes.bfloat16)
    assert (form.smallest, form.largest) == (float(info.smallest_normal), float(info.max))
    assert (form.subnormal, form.digits) == (float(info.smallest_subnormal), info.nmant + 1)


@every_format
def test_float32_numbers_round_as_numpy_rounds_them(name):
    form, rng = FORMATS[name], np.random.default_rng(5)
    values = rng.normal(size=10_000) * 10.0 ** rng.uniform(-50, 50, 10_000)
    dtype = ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name)
    with np.errstate(over="ignore"):
        if name == "bfloat16":
            values = values.astype(np.float32).astype(np.float64)
        expected = values.astype(dtype)
    np.testing.assert_array_equal(form.rounded(values), expected.astype(np.float64))


@every_format
def test_more_roundings_than_the_format_has_digits_for_have_no_bound(name):
    form = FORMATS[name]
    assert np.isinf(form.accumulated(1 / form.roundoff))
    assert form.accumulated(0) == 0


def test_an_epsilon_that_float16_does_not_have_may_be_zero():
    form = FORMATS["float16"]
    assert 0.0 in form.readings(1e-12)
    assert form.misread(1e-12) == 1e-12
    variance = Bounded(np.array([1.0]), np.array([0.0]))
    assert np.isfinite(inverse_deviation(variance, 1e-12, PLACEMENTS[0], form).bound)
    assert np.isinf(inverse_deviation(exact([0.0]), 1e-12, PLACEMENTS[0], form).bound)


def test_a_decay_handed_to_a_narrow_layer_in_float32_is_among_its_readings():
    assert float(np.float32(0.999)) in FORMATS["bfloat16"].readings(0.999)


# Storing.


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_storing_what_the_format_has_costs_nothing(name):
    form, (numbers, _) = FORMATS[name], every_number_of(name)
    kept = numbers[(np.abs(numbers) >= form.smallest) | (not form.flushes)].astype(np.float64)
    assert not stored(exact(kept), form).bound.any()


@every_format
def test_storing_admits_the_rounding_of_everything_admissible(name):
    form, rng = FORMATS[name], np.random.default_rng(6)
    value = rng.normal(size=20_000) * 10.0 ** rng.uniform(-12, 3, 20_000)
    quantity = Bounded(value, np.abs(value) * 10.0 ** rng.uniform(-6, 0, 20_000))
    for part in (-1, -0.5, 0, 0.3, 1):
        kept = form.rounded(value + part * quantity.bound)
        assert np.all(np.abs(kept - value) <= stored(quantity, form).bound)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_storing_costs_at_most_a_rounding_and_half_a_subnormal(name):
    form, rng = FORMATS[name], np.random.default_rng(7)
    value = rng.normal(size=20_000) * 10.0 ** rng.uniform(-12, 3, 20_000)
    quantity = Bounded(value, np.abs(value) * 10.0 ** rng.uniform(-6, 0, 20_000))
    least = form.smallest if form.flushes else form.subnormal / 2
    most = quantity.bound + form.roundoff * quantity.magnitude + least
    assert np.all(stored(quantity, form).bound <= most)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_storing_what_may_overflow_has_no_bound(name):
    form = FORMATS[name]
    near = Bounded(np.array([form.largest]), np.array([form.largest * form.roundoff]))
    assert np.isinf(stored(near, form).bound)
    assert stored(exact([form.largest]), form).bound == 0


@pytest.mark.parametrize(("name", "kept"), [("float16", True), ("bfloat16", False)])
def test_storing_a_subnormal_admits_zero_where_kernels_flush(name, kept):
    form = FORMATS[name]
    small = form.smallest / 2
    bound = stored(exact([small]), form).bound
    assert bound == (0 if kept else small)


# Moments and the inverse deviation.


def test_only_an_unclamped_variance_may_be_negative():
    x = 1000 + np.arange(4.0)[:, None] / 64
    found = {name: batch_moments(x, FLOAT32, name).nonnegative for name in ALGORITHMS}
    assert [name for name, cut in found.items() if not cut] == ["one-pass"]


def test_the_root_of_a_variance_that_may_be_negative_has_no_bound():
    variance = Bounded(np.array([1e-3]), np.array([1.0]))
    clamped = inverse_deviation(variance, 0.1, PLACEMENTS[0], FLOAT32)
    unclamped = inverse_deviation(variance, 0.1, PLACEMENTS[0], FLOAT32, nonnegative=False)
    assert np.isfinite(clamped.bound)
    assert np.isinf(unclamped.bound)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_negative_running_variance_has_no_root_even_where_batches_are_clamped(placement):
    found = inverse_deviation(exact([-2.0]), 0.5, placement, FLOAT32)
    assert np.isinf(found.bound)


def test_a_variance_scaled_by_a_divisor_with_epsilon_admits_its_rounding():
    for n in (2, 3, 5, 40):
        for epsilon in (1e-12, 1e-3, 0.1, 0.7):
            found = scaled(exact([3.0]), n / (n - 1 - epsilon), FLOAT32)
            divisor = np.float32(n) - np.float32(1 + epsilon)
            result = np.float32(3) * (np.float32(n) / divisor)
            assert abs(float(result) - found.value) <= found.bound


@every_format
def test_intermediates_that_overflow_leave_no_bound(name):
    form = FORMATS[name]
    x = np.array([[-1.0], [1.0]]) * np.sqrt(form.largest)
    for algorithm in ALGORITHMS:
        assert np.isinf(batch_moments(x, form, algorithm).variance.bound), algorithm


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("end", ["lower", "upper"])
def test_gradient_bound_admits_every_variance_the_variance_bound_admits(placement, end):
    # The deviation is 2⁻⁷, epsilon 1 and the offset 300 deviations, so that in one pass the
    # variance keeps few digits. Computed exactly from a variance at the end of its bound, the
    # gradient is one that rounding alone could have produced.
    centred = np.array([-3.0, -1, 0, 1, 1, 2])[:, None] * np.ones(6)
    x, dy, gamma = (300 + centred) / 128, centred**2 - 2, np.linspace(-2, 3, 6)
    moments = batch_moments(x, FLOAT32, "one-pass clamped at zero")
    by = normaliser(moments.mean, moments.variance, 1.0, placement, FLOAT32, float(len(x)))
    by = replace(by, gamma=exact(gamma))
    root = np.sqrt(getattr(moments.variance, end))
    if placement == "outside the root":
        inverse, weight = 1 / (root + 1.0), (root + 1.0) / root
    else:
        inverse, weight = 1 / np.sqrt(root**2 + 1.0), 1.0
    hat = (x - x.mean(axis=0)) * inverse
    projected = hat * (dy * hat).mean(axis=0) * weight
    dx = gamma * inverse * (dy - dy.mean(axis=0) - projected)
    found = gradients(x, dy, by, FLOAT32).dx
    assert np.all(np.abs(dx - found.value) <= found.bound)


def normaliser(mean, variance, epsilon, placement, form, divisor):
    """Return a normaliser without gamma and beta, through which gradients flow."""
    inverse = inverse_deviation(variance, epsilon, placement, form)
    outside = placement == "outside the root"
    steep = steepness(variance, epsilon, form) if outside else None
    return Normaliser(mean, inverse, None, None, Flow(divisor, steep))


# The second order.


def weighed_gradient(x, dy, p, gamma, epsilon, placement, divisor):
    """Return Σ p·dx per channel, for real or complex x."""
    deviation = x - x.mean(axis=0)
    variance = (deviation * deviation).sum(axis=0) / divisor
    root = np.sqrt(variance)
    kappa, inverse = 1.0, 1 / np.sqrt(variance + epsilon)
    if placement == "outside the root":
        kappa, inverse = (root + epsilon) / root, 1 / (root + epsilon)
    hat = deviation * inverse
    projected = kappa * hat * (dy * hat).sum(axis=0) / divisor
    return (p * gamma * inverse * (dy - dy.mean(axis=0) - projected)).sum(axis=0)


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("count", [2, 3, 7, 30])
def test_second_order_gradient_agrees_with_a_complex_step(count, placement, sample):
    rng = np.random.default_rng(count)
    x, dy, p = rng.normal(size=(3, count, 5))
    gamma, epsilon, divisor = rng.normal(size=5), 0.3, float(count - sample)
    moments = batch_moments(x, FLOAT64, "two-pass")
    variance = scaled(moments.variance, count / divisor, FLOAT64) if sample else moments.variance
    by = normaliser(moments.mean, variance, epsilon, placement, FLOAT64, divisor)
    found = second_gradient(x, dy, p, replace(by, gamma=exact(gamma)), FLOAT64)
    step = 2.0**-100
    for row in range(count):
        moved = x + 1j * step * (np.arange(count) == row)[:, None]
        value = weighed_gradient(moved, dy, p, gamma, epsilon, placement, divisor).imag / step
        assert np.all(np.abs(value - found.value[row]) <= found.bound[row])


def test_second_order_bound_is_far_below_the_gradient_it_bounds():
    rng = np.random.default_rng(8)
    x, dy, p = rng.normal(size=(3, 5, 6))
    moments = batch_moments(x, FLOAT32, "two-pass")
    by = normaliser(moments.mean, moments.variance, 0.3, PLACEMENTS[0], FLOAT32, 5.0)
    found = second_gradient(x, dy, p, by, FLOAT32)
    assert np.max(found.bound.max(axis=0) / np.abs(found.value).max(axis=0)) < 10 * MOST_OF_SCALE


def test_second_order_gradient_of_constant_statistics_is_zero():
    rng = np.random.default_rng(9)
    x, dy, p = rng.normal(size=(3, 5, 2))
    by = Normaliser(exact(np.zeros(2)), exact(np.ones(2)), None, None)
    found = second_gradient(x, dy, p, by, FLOAT32)
    assert not found.value.any()
    assert not found.bound.any()


# What the scenarios ask about.

DECLARED = {
    "training-output-statistics": "batch",
    "training-output-variance": "population",
    "training-gradient": "through the batch statistics",
    "epsilon-placement": "inside the root",
    "epsilon-floor": 0.0,
    "variance-algorithm": "two-pass",
    "running-variance-factor": "n/(n-1)",
    "update-timing": "within the call",
    "update-counter": "none",
    "trainable-false-parameters": "stop",
    **{axis: "none" for axis in REGISTRY if axis.endswith("debiasing")},
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


def test_the_smallest_layer_has_an_output_that_nothing_blurs():
    # Sums of dyadic numbers are exact in every format, but the bound need not know it.
    x = np.array([[0.0], [4.0]])
    for form in FORMATS.values():
        moments = batch_moments(x, form, "two-pass")
        by = normaliser(moments.mean, moments.variance, 0.25, PLACEMENTS[0], form, 2.0)
        assert np.all(np.isfinite(output(x, by, form).bound))
