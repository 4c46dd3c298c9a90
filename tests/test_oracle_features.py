"""The oracle on masks, weights, renormalisation and virtual batches, against 60 digits.

What an execution gives is written out from its definition; gradients are central differences of
that, which at 60 digits err in the fortieth. Half of a bound is the oracle's own share.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mpmath import MPContext

from suites.vocabulary import ABSENT, Call, Layer, Tensor, Training
from tests.oracle_runs import run, tensor

DIGITS = MPContext()
DIGITS.dps = 60
precise = np.frompyfunc(DIGITS.mpf, 1, 1)
root = np.frompyfunc(DIGITS.sqrt, 1, 1)
STEP = DIGITS.mpf(10) ** -20
SHARE = 0.5
EPSILON, DECAY = 2.0**-6, 0.75
SAMPLES, CHANNELS = 6, 3
CHOSEN = {
    "running-variance-factor": "1",
    "renormalisation-least-ratio": "0",
    "virtual-batch-remainder": "a smaller last group",
}
"""Besides what `run` has for the other axes: the paper's, or the first value of the registry."""


class Drawn:
    """Random float64 data of one layer and one call."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        scale, offset = np.array([0.01, 1.0, 30.0]), np.array([0.3, -2.0, 500.0])
        self.x = offset + scale * rng.normal(size=(SAMPLES, CHANNELS))
        self.dy = rng.normal(size=(SAMPLES, CHANNELS)) + 0.5
        self.gamma, self.beta = rng.normal(size=(2, CHANNELS))
        self.running_mean = offset + scale * rng.normal(size=CHANNELS)
        self.running_variance = (scale * rng.uniform(0.3, 2, CHANNELS)) ** 2

    def layer(self, **said):
        names = ("gamma", "beta", "running_mean", "running_variance")
        values = {name: tensor(getattr(self, name)) for name in names}
        given = {"dtype": "float64", "epsilon": EPSILON, "decay": DECAY, **values, **said}
        return Layer(CHANNELS, 2, center=True, scale=True, **given)

    def call(self, **said):
        return Call(tensor(self.x), Training.TRUE, tensor(self.dy), **said)


def found(layer, *calls, **changes):
    """What the oracle expects of the last call, by quantity."""
    said = {**CHOSEN, **changes}
    return run(layer, *calls, **{axis.replace("-", "_"): value for axis, value in said.items()})


def near(quantity, truth):
    error = abs(precise(quantity.value) - truth)
    assert np.all(np.isfinite(quantity.bound))
    assert np.all(error <= SHARE * precise(quantity.bound)), float(
        np.max(error / precise(quantity.bound))
    )
    size = np.abs(quantity.value).max() + 1
    assert quantity.bound.max() < 1e-8 * size, "the bound says nothing"


def weighted_statistics(x, weights, guard=0):
    """m and v of clause BN-11.1."""
    divisor = weights.sum() + DIGITS.mpf(guard)
    mean = (weights[:, None] * x).sum(axis=0) / divisor
    return mean, (weights[:, None] * (x - mean) ** 2).sum(axis=0) / divisor


def differences(function, x, dy):
    """The gradient of ``sum(dy·function(x))``."""
    slopes = np.empty(x.shape, dtype=object)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += STEP
        down[index] -= STEP
        slopes[index] = (dy * (function(up) - function(down))).sum() / (2 * STEP)
    return slopes


def blended(old, new, keep=DECAY):
    return DIGITS.mpf(keep) * precise(old) + (1 - DIGITS.mpf(keep)) * new


WEIGHTS = {
    "mask": {"mask": Tensor("float64", (6,), (1, 0, 1, 1, 0, 1))},
    "mask of one": {"mask": Tensor("float64", (6,), (0, 0, 1, 0, 0, 0))},
    "weights": {"weights": Tensor("float64", (6,), (1, 2.5, 0, 0.125, 7, 1))},
    "both": {
        "mask": Tensor("float64", (6,), (1, 0, 1, 1, 1, 1)),
        "weights": Tensor("float64", (6,), (1, 2.5, 0.5, 0.125, 7, 1)),
    },
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("guard", [0.0, 1e-7])
@pytest.mark.parametrize("said", WEIGHTS.values(), ids=WEIGHTS)
def test_weighted_batch(said, guard, seed):
    drawn = Drawn(seed)
    seen = found(drawn.layer(), drawn.call(**said), **{"mask-weight-guard": guard})
    weights = precise(np.prod([each.values for each in said.values()], axis=0))
    x, dy, gamma, beta = map(precise, (drawn.x, drawn.dy, drawn.gamma, drawn.beta))

    def normalised(x):
        mean, variance = weighted_statistics(x, weights, guard)
        return (x - mean) / root(variance + DIGITS.mpf(EPSILON))

    mean, variance = weighted_statistics(x, weights, guard)
    near(seen["output"], gamma * normalised(x) + beta)
    near(seen["running_mean"], blended(drawn.running_mean, mean))
    near(seen["running_variance"], blended(drawn.running_variance, variance))
    near(seen["dx"], differences(lambda at: gamma * normalised(at), x, dy))
    near(seen["dgamma"], (dy * normalised(x)).sum(axis=0))
    near(seen["dbeta"], dy.sum(axis=0))


def test_weighted_sample_variance():
    drawn = Drawn(9)
    said = WEIGHTS["weights"]
    axis = "weighted-running-variance-factor"
    seen = found(drawn.layer(), drawn.call(**said), **{axis: "W/(W-1)"})
    weights = precise(np.array(said["weights"].values))
    _, variance = weighted_statistics(precise(drawn.x), weights)
    factor = weights.sum() / (weights.sum() - 1)
    near(seen["running_variance"], blended(drawn.running_variance, factor * variance))


def test_masked_nan_kept_out_changes_its_own_output_alone():
    drawn = Drawn(3)
    said = WEIGHTS["mask"]
    clean = found(drawn.layer(), replace(drawn.call(**said), dy=None))
    drawn.x[1, 0] = np.nan
    seen = found(drawn.layer(), replace(drawn.call(**said), dy=None))
    differs = seen["output"].value != clean["output"].value
    assert np.argwhere(differs).tolist() == [[1, 0]]
    for name in ("running_mean", "running_variance"):
        assert seen[name].value.tolist() == clean[name].value.tolist()


BOUNDS = {
    "none": (),
    "rmax": (("rmax", 1.25),),
    "rmin": (("rmin", 0.75),),
    "dmax": (("dmax", 0.25),),
    "all": (("rmax", 1.25), ("rmin", 0.9), ("dmax", 0.5)),
}


def correction(drawn, bounds, mean, variance, *, floor=True):
    """ρ and δ of clauses BN-12.1, BN-12.2 and BN-12.8."""
    bounds = dict(bounds)
    epsilon = DIGITS.mpf(EPSILON)
    deviation = root(precise(drawn.running_variance))
    if floor:
        deviation = np.maximum(deviation, DIGITS.sqrt(epsilon))
    ratio = root(variance + epsilon) / deviation
    shift = (mean - precise(drawn.running_mean)) / deviation
    ratio = np.minimum(np.maximum(ratio, bounds.get("rmin", 0)), bounds.get("rmax", 10**9))
    most = bounds.get("dmax", 10**9)
    return ratio, np.minimum(np.maximum(shift, -most), most)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
def test_renormalised_batch(bounds, seed):
    drawn = Drawn(20 + seed)
    layer = drawn.layer(renorm=True, renorm_decay=0.5, renorm_clipping=bounds or ABSENT)
    seen = found(layer, drawn.call())
    x, dy, gamma, beta = map(precise, (drawn.x, drawn.dy, drawn.gamma, drawn.beta))
    one = precise(np.ones(SAMPLES))
    epsilon = DIGITS.mpf(EPSILON)
    mean, variance = weighted_statistics(x, one)
    spread = root(variance + epsilon)
    ratio, shift = correction(drawn, bounds, mean, variance)

    def corrected(x):
        mean, variance = weighted_statistics(x, one)
        return (x - mean) / root(variance + epsilon) * ratio + shift

    near(seen["output"], gamma * corrected(x) + beta)
    near(seen["dx"], differences(lambda at: gamma * corrected(at), x, dy))
    near(seen["dgamma"], (dy * corrected(x)).sum(axis=0))
    start = root(precise(drawn.running_variance))
    near(seen["renorm_mean"], blended(drawn.running_mean, mean, 0.5))
    near(seen["renorm_deviation"], blended(start, spread, 0.5))
    average = blended(start, spread)
    near(seen["running_mean"], blended(drawn.running_mean, mean))
    near(seen["running_deviation"], average)
    near(seen["running_variance"], np.maximum(average**2 - epsilon, 0))


def test_renormalised_from_the_first_batch_is_at_first_plain_and_then_debiased():
    drawn, other = Drawn(31), Drawn(32)
    said = {
        "renormalisation-start": "the first batch",
        "renormalised-running-variance": "from the averages that correct",
        "renormalisation-deviation-floor": "none",
    }
    layer = drawn.layer(renorm=True, renorm_decay=0.5)
    both = (drawn.call(), other.call())
    first, second = found(layer, both[0], **said), found(layer, *both, **said)
    plain = found(drawn.layer(), drawn.call())
    assert np.all(
        np.abs(first["output"].value - plain["output"].value)
        <= first["output"].bound + plain["output"].bound
    )
    one, epsilon = precise(np.ones(SAMPLES)), DIGITS.mpf(EPSILON)
    pairs = []
    for each in (drawn, other):
        mean, variance = weighted_statistics(precise(each.x), one)
        pairs.append((mean, root(variance + epsilon)))
    (m1, b1), (m2, b2) = pairs
    centre, scale = (m1 + m2) / 2, (b1 + b2) / 2  # half of it averaged, half the batch at hand
    x, gamma, beta = map(precise, (other.x, drawn.gamma, drawn.beta))
    near(second["output"], gamma * (x - centre) / scale + beta)
    # ¼·first + ½·second, of a weight of ¾
    centre, scale = (m1 + 2 * m2) / 3, (b1 + 2 * b2) / 3
    after = blended(drawn.running_mean, m1)
    near(second["running_mean"], DIGITS.mpf(DECAY) * after + (1 - DIGITS.mpf(DECAY)) * centre)
    after = blended(drawn.running_variance, b1**2 - epsilon)
    fed = scale**2 - epsilon
    near(second["running_variance"], DIGITS.mpf(DECAY) * after + (1 - DIGITS.mpf(DECAY)) * fed)


def test_deviation_that_corrects_is_not_raised_without_a_floor():
    drawn = Drawn(40)
    layer = drawn.layer(renorm=True, renorm_decay=0.5)
    seen = found(layer, drawn.call(), **{"renormalisation-deviation-floor": "none"})
    x, gamma, beta = map(precise, (drawn.x, drawn.gamma, drawn.beta))
    centre, scale = precise(drawn.running_mean), root(precise(drawn.running_variance))
    near(seen["output"], gamma * (x - centre) / scale + beta)


GROUPS = {
    ("consecutive", 2): [[0, 1], [2, 3], [4, 5]],
    ("consecutive", 3): [[0, 1, 2], [3, 4, 5]],
    ("consecutive", 4): [[0, 1, 2, 3], [4, 5]],
    ("every G-th sample", 2): [[0, 3], [1, 4], [2, 5]],
    ("every G-th sample", 3): [[0, 2, 4], [1, 3, 5]],
    ("consecutive", 9): [[0, 1, 2, 3, 4, 5]],
}


@pytest.mark.parametrize("factor", ["1", "n/(n-1)"])
@pytest.mark.parametrize(
    "updates", ["by each group in turn", "once, from the mean over the groups"]
)
@pytest.mark.parametrize(("rule", "size"), GROUPS)
def test_virtual_batches(rule, size, updates, factor):
    drawn = Drawn(50 + size)
    said = {
        "virtual-batch-groups": rule,
        "virtual-batch-updates": updates,
        "running-variance-factor": factor,
    }
    seen = found(drawn.layer(virtual_batch_size=size), drawn.call(), **said)
    x, dy, gamma, beta = map(precise, (drawn.x, drawn.dy, drawn.gamma, drawn.beta))
    groups = GROUPS[rule, size]

    def statistics(x):
        return [weighted_statistics(x[rows], precise(np.ones(len(rows)))) for rows in groups]

    def normalised(x):
        hat = np.empty(x.shape, dtype=object)
        for rows, (mean, variance) in zip(groups, statistics(x), strict=True):
            hat[rows] = (x[rows] - mean) / root(variance + DIGITS.mpf(EPSILON))
        return hat

    near(seen["output"], gamma * normalised(x) + beta)
    near(seen["dx"], differences(lambda at: gamma * normalised(at), x, dy))
    near(seen["dgamma"], (dy * normalised(x)).sum(axis=0))
    near(seen["dbeta"], dy.sum(axis=0))
    fed = []
    for rows, (mean, variance) in zip(groups, statistics(x), strict=True):
        n = DIGITS.mpf(len(rows))
        fed.append((mean, variance * (n / (n - 1) if factor != "1" else 1)))
    if updates != "by each group in turn":
        fed = [tuple(sum(each) / len(fed) for each in zip(*fed, strict=True))]
    mean, variance = drawn.running_mean, drawn.running_variance
    for new_mean, new_variance in fed:
        mean, variance = blended(mean, new_mean), blended(variance, new_variance)
    near(seen["running_mean"], mean)
    near(seen["running_variance"], variance)
