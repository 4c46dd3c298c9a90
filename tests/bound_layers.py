"""Straightforward BatchNorm in every evaluation order that is in use, on a machine's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.bound_machine import Number, fused

ALGORITHMS = ("two-pass", "one-pass clamped at zero", "one-pass", "Welford")
PLACEMENTS = ("inside the root", "outside the root")


# Moments.


def squares(v, add, *, fuse):
    """Return Σv², by a fused multiply-add into one accumulator or by products."""
    if not fuse:
        return add(v * v)
    total = v[0] * v[0]
    for i in range(1, len(v)):
        total = fused(v[i], v[i], total)
    return total


def moments(x, algorithm, add, divide, rng):
    """Return mean and population variance."""
    n, fuse = len(x), rng.random() < 0.25
    if algorithm == "Welford":
        return welford(x, divide, rng)
    mean = divide(add(x), n)
    if algorithm == "two-pass":
        return mean, divide(squares(x - mean, add, fuse=fuse), n)
    square = divide(squares(x, add, fuse=fuse), n)
    variance = fused(-mean, mean, square) if fuse else square - mean * mean
    return mean, variance if algorithm == "one-pass" else variance.clamped()


def welford(x, divide, rng):
    """Return mean and variance value by value, or by joining blocks in a chain or a tree."""
    size = len(x) if rng.random() < 0.4 else int(rng.integers(1, len(x) + 1))
    blocks = [chained(x[i : i + size], divide) for i in range(0, len(x), size)]
    join = joined if rng.random() < 0.5 else joined_by_weights
    if join is joined and rng.random() < 0.5:
        while len(blocks) > 1:
            blocks = [join(blocks[0], blocks[1]), *blocks[2:]]
    while len(blocks) > 1:
        pairs = zip(blocks[::2], blocks[1::2], strict=False)
        odd = blocks[-1:] if len(blocks) % 2 else []
        blocks = [join(a, b) for a, b in pairs] + odd
    n, mean, total = blocks[0]
    return mean, divide(total, n)


def chained(x, divide):
    """Return n, mean and Σ(x − mean)² of a block, value by value."""
    mean, total = x[0], x[0] * 0
    for k in range(1, len(x)):
        before = x[k] - mean
        mean = mean + divide(before, k + 1)
        total = total + before * (x[k] - mean)
    return len(x), mean, total


def joined(one, other):
    """Join two blocks by the distance of their means (Chan, Golub & LeVeque)."""
    (n, mean, total), (m, mean_b, total_b) = (one, other) if one[0] >= other[0] else (other, one)
    apart, share = mean_b - mean, mean.on.number(m) / (n + m)
    return n + m, mean + apart * share, total + total_b + apart * apart * n * share


def joined_by_weights(one, other):
    """Join two blocks by weighing their means."""
    (n, mean, total), (m, mean_b, total_b) = one, other
    factor, apart = mean.on.number(1) / (n + m), mean - mean_b
    return (
        n + m,
        (mean * n + mean_b * m) * factor,
        total + (total_b + apart * apart * n * m * factor),
    )


def sample_variances(variance, n):
    yield variance * (variance.on.number(n) / (n - 1))
    yield variance * n / (n - 1)


# The inverse deviation.


def newton(total, rng, bits=12):
    """Refine an estimate of 1/√total, as bad as Intel promises, by one step of Newton's method."""
    steps = {"float64": 3, "float32": 1}.get(total.on.form.name, 1)
    bend = 1.5 * 2.0**-bits * rng.uniform(-1, 1, total.values.shape)
    y = total.make((1 + bend) / np.sqrt(total.values.astype(np.float64)))
    for _ in range(steps):
        y = y * (1.5 - total * 0.5 * y * y)
    return y


def inverses(variance, epsilon, placement, rng):
    """Return candidates for the inverse deviation."""
    one = variance.on.number(1)
    if placement == "outside the root":
        root = variance.sqrt()
        return (one / (root + epsilon),)
    total = variance + epsilon
    plain = (one / total.sqrt(), (one / total).sqrt(), total**-0.5)
    exact = 1 / np.sqrt(total.values.astype(np.float64))
    bend = (total.on.form.root - 1) * total.on.form.roundoff * rng.choice([-1, 1], exact.shape)
    ulps = total.make(exact * (1 + bend))
    refined = newton(total, rng)
    normal = np.abs(total.values) >= total.on.form.smallest
    # An estimate promises nothing of what is subnormal.
    return (*plain, Number(np.where(normal, refined.values, plain[0].values), total.on), ulps)


# Forward.


def hats(x, mean, r):
    yield (x - mean) * r
    yield x * r - mean * r


def outputs(x, mean, r, gamma, beta):
    s = gamma * r
    yield (x - mean) * r * gamma + beta
    yield (x - mean) * s + beta
    yield x * s + (beta - mean * s)
    yield x * s - (mean * s - beta)
    yield fused(x, s, fused(-mean, s, beta))
    yield fused(x - mean, s, beta)


# Backward. `weight` is the steepness over the divisor of the variance.


def gamma_gradients(x, dy, mean, r, add):
    yield add(dy * ((x - mean) * r))
    yield add(dy * (x - mean)) * r
    yield (add(dy * x) - mean * add(dy)) * r


def constant_gradients(dy, r, gamma):
    yield dy * (gamma * r)
    yield dy * gamma * r


def input_gradients(x, dy, mean, r, gamma, weight, add, divide):
    """Yield dx by formulas and by the chain rule, through each form of the output."""
    n, s = len(x), gamma * r
    total, d = add(dy), x - mean
    hat = d * r
    yield s * (dy - divide(total, n) - hat * (add(dy * hat) * weight))
    yield divide(s, n) * (dy * n - total - hat * (add(dy * hat) * (weight * n)))
    yield (dy - divide(total, n) - d * (add(dy * d) * r * r * weight)) * r * gamma
    # Through (x − m)·r·γ + β, whose variance takes the mean of (x − m)².
    scaled = dy * gamma
    of_variance = add(scaled * d) * -0.5 * r * r * r * weight
    of_d = scaled * r + d * 2 * of_variance
    yield of_d + divide(-add(of_d), n)
    # Through x·s + (β − m·s), with a variance of two passes, then of one.
    of_slope = (add(dy * x) - mean * total) * gamma
    of_variance = of_slope * -0.5 * r * r * r
    of_mean = -(total * s)
    yield dy * s + divide(of_mean, n) + of_variance * weight * 2 * d
    twice = of_variance * weight * 2
    yield dy * s + divide(of_mean - twice * n * mean, n) + twice * x


@dataclass(frozen=True)
class Followed:
    """The statistics that follow x: mean, variance, inverse deviation, steepness κ, divisor."""

    mean: Number
    variance: Number
    r: Number
    kappa: Number
    divisor: float


def second_gradients(x, dy, p, gamma, by, add, divide):
    """Yield the gradient of Σp·dx by its formula, and by the chain rule through dx."""
    n, d, r, kappa = len(x), x - by.mean, by.r, by.kappa
    hat, w = d * r, x.on.number(1) / by.divisor
    along_p, along_a = add(p * hat), add(dy * hat)
    p_off, a_off = p - divide(add(p), n), dy - divide(add(dy), n)
    bend = w * w * (kappa * kappa * 2 + kappa * kappa * kappa)
    inner = hat * (bend * along_p * along_a - w * kappa * add(p * a_off))
    yield gamma * r * r * (inner - w * kappa * (p_off * along_a + a_off * along_p))
    # The chain rule, from dx = s·(dy − Σdy/n − x̂·k) with k = w·κ·Σdy·x̂ back to x.
    k = along_a * w * kappa
    g = p * (gamma * r)
    of_k = -add(g * hat)
    of_hat = -(g * k) + dy * (of_k * w * kappa)
    of_r = add(p * (a_off - hat * k)) * gamma + add(of_hat * d)
    of_variance = of_r * -0.5 * r * r * r * kappa
    if np.any(kappa.values != 1):  # Epsilon is outside the root, and κ depends on the variance.
        of_variance = of_variance - of_k * along_a * w * (kappa - 1) / (by.variance * 2)
    of_d = of_hat * r + d * (of_variance * w * 2)
    yield of_d - divide(add(of_d), n)


# Running statistics.


def gives(keep, on):
    """Return the weights of the batch that an implementation makes of a decay."""
    rounded = [float(on.number(keep).values)]
    if on.form.name != "float64":
        rounded.append(float(np.float32(keep)))
    return (
        on.number(1 - keep),
        on.number(1) - keep,
        *(on.number(1 - each) for each in rounded),
    )


def averages(old, new, keep, give):
    yield old * keep + new * give
    yield old * (1 - give) + new * give
    yield old - (old - new) * give
    yield old + (new - old) * give
    yield fused(new - old, give, old)
    yield fused(old, old.on.number(keep), new * give)


def debiased_averages(values, keep, give):
    """Yield the zero-debiased average of batches by a power, and by repeated products."""
    biased, power, on = values[0] * 0, values.on.number(1), values.on
    for i in range(len(values)):
        biased = biased - (biased - values[i]) * give
        power = power * (1 - give)
    yield biased / (1 - power)
    yield biased / (1 - (1 - give) ** on.number(len(values)))
    yield biased / (1 - on.number(keep) ** on.number(len(values)))
