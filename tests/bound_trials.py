"""Random layers, computed in every order that is in use, held against the derived bounds.

``python -m tests.bound_trials [LAYERS]`` prints how much of each bound was used; `make proof` runs
it. Each channel of a batch is a layer of its own.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from reference.bounded import exact
from reference.moments import batch_moments, inverse_deviation, scaled, steepness
from reference.normalisation import Flow, Normaliser, gradients, normalised, output
from reference.rounding import FORMATS, stored
from reference.running import blended, debiased, descended, fresh, giving, keeping
from reference.second_order import second_gradient
from tests import bound_layers as layers
from tests.bound_machine import DIVISIONS, SUMS, Machine, machine_for

ARITHMETICS = {
    "float16": ("float16", "float32", "float32, moments stored"),
    "bfloat16": ("bfloat16", "float32", "float32, moments stored"),
    "float32": ("float32",),
    "float64": ("float64",),
}
DECAYS = (0.5, 0.75, 0.9, 0.99, 0.999)
COUNTS = (2, 3, 4, 5, 8, 12, 20, 37, 60, 300, 2000)
SHARES = (0.16, 0.16, 0.16, 0.14, 0.12, 0.1, 0.07, 0.05, 0.03, 0.008, 0.002)
VALUES = 2000  # in one batch, so that a batch of long layers has few
KINDS = ("scattered", "near constant", "constant", "tiny", "huge", "well conditioned")
LIKELY = (0.4, 0.1, 0.06, 0.06, 0.06, 0.32)


@dataclass(frozen=True)
class Case:
    """A batch of one-channel layers in a dtype: float64 arrays that the dtype holds exactly."""

    x: np.ndarray
    dy: np.ndarray
    p: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    old: np.ndarray
    epsilon: float
    keep: float
    updates: int
    well: np.ndarray


@dataclass
class Tally:
    """What one quantity's trials came to."""

    layers: int = 0
    results: int = 0
    outside: int = 0
    infinite: int = 0
    well: int = 0
    well_infinite: int = 0
    fractions: list = field(default_factory=list)

    def add(self, result, expected, well):
        """Count one result, shape (channels,) or (n, channels), against what was expected."""
        with np.errstate(all="ignore"):
            error = np.abs(np.asarray(result, dtype=np.float64) - expected.value)
            part = np.where(error == 0, 0.0, error / expected.bound)
        told = np.isfinite(expected.bound)
        part = np.where(told, np.where(np.isnan(part), np.inf, part), 0.0)
        part, told = (np.atleast_2d(array) for array in np.broadcast_arrays(part, told))
        self.results += part.size
        self.outside += int((part > 1).sum())
        told = told.all(axis=0)
        self.layers += told.size
        self.infinite += int((~told).sum())
        self.well += int(well.sum())
        self.well_infinite += int((~told & well).sum())
        self.fractions.append(part.max(axis=0)[told].astype(np.float32))

    def used(self):
        """Return the greatest and the median part of the bound that a layer used."""
        parts = np.concatenate(self.fractions)
        return (float(parts.max()), float(np.median(parts))) if parts.size else (0.0, 0.0)


def draw(rng, name, count, channels):
    """Return a case of so many values in so many layers."""
    machine = machine_for(name)
    form, shape = machine.form, (count, channels)
    kind = rng.choice(KINDS, channels, p=LIKELY)
    narrow = name in ("float16", "bfloat16")
    reach = {"float16": 1, "bfloat16": 2}.get(name, 4)
    deviation = 10.0 ** rng.uniform(-4, 3, channels)
    offset = deviation * rng.choice([-1, 0, 1], channels) * 10.0 ** rng.uniform(-1, reach, channels)
    well = kind == "well conditioned"
    deviation = np.where(well, 10.0 ** rng.uniform(-1, 1, channels), deviation)
    offset = np.where(well, deviation * rng.uniform(-1, 1, channels), offset)
    x = offset + deviation * rng.normal(size=shape)
    x = np.where(kind == "near constant", 1000 + rng.random(shape), x)
    x = np.where(kind == "constant", offset, x)
    tiny = form.smallest * 2.0 ** rng.uniform(-form.digits, 30 - 15 * narrow, channels)
    x = np.where(kind == "tiny", tiny * rng.normal(size=shape), x)
    powers = np.log2(form.largest) * rng.choice([0.3, 0.4, 0.5, 0.9, 1], channels)
    huge = np.exp2(powers - 8 * rng.random(channels))
    x = np.where(kind == "huge", huge * rng.uniform(-1, 1, shape), x)
    wild = np.where(well, 0, rng.choice([0, 0, 0, 1], channels))
    strength = 10.0 ** (wild * rng.uniform(-6, 4, channels))

    def held(values):
        return machine.rounded(np.clip(values, -form.largest, form.largest)).astype(np.float64)

    return Case(
        x=held(x),
        dy=held(strength * (rng.normal(size=shape) + rng.choice([0, 3], channels))),
        p=held(rng.normal(size=shape) + rng.choice([0, 1], channels)),
        gamma=held(strength * rng.normal(size=channels)),
        beta=held(rng.normal(size=channels)),
        old=held(rng.normal(size=channels) * deviation),
        epsilon=float(rng.choice([10.0 ** rng.uniform(-12, 0), 10.0 ** rng.uniform(-4, 0)])),
        keep=float(rng.choice(DECAYS)),
        updates=int(rng.integers(1, min(count, 20) + 1)),
        well=well,
    )


class Trial:
    """One case computed in one arithmetic; `tally` takes (quantity, result, expected)."""

    def __init__(self, rng, case, dtype, arithmetic, tally, mutated=None):
        self.rng, self.case, self.tally = rng, case, tally
        wide = arithmetic != dtype
        self.store = machine_for(dtype) if wide else None
        self.moments_stored = arithmetic.endswith("moments stored")
        flushes = FORMATS[dtype].flushes and rng.random() < 0.25
        self.machine = Machine(FORMATS["float32" if wide else dtype], flushes)
        self.form = mutated(self.machine.form) if mutated else self.machine.form
        self.sum = SUMS[str(rng.choice(list(SUMS)))]
        self.divide = DIVISIONS[int(rng.integers(2))]
        self.algorithm = str(rng.choice(layers.ALGORITHMS))
        self.placement = str(rng.choice(layers.PLACEMENTS))
        self.number = self.machine.number

    def check(self, quantity, result, expected):
        """Tally a result as it is stored."""
        if self.store is not None:
            result, expected = self.kept(result), stored(expected, self.store.form)
        self.tally[quantity].add(result.values, expected, self.case.well)

    def kept(self, result):
        """Return a result rounded to the storage format."""
        return result.on_another(self.store)

    def one_of(self, results):
        """Return one of several results at random."""
        results = list(results)
        return results[int(self.rng.integers(len(results)))]

    def run(self):
        """Compute everything, and tally it."""
        case = self.case
        with np.errstate(all="ignore"):
            x = self.number(case.x)
            found = layers.moments(x, self.algorithm, self.sum, self.divide, self.rng)
            known = batch_moments(case.x, self.form, self.algorithm)
            mean, variance, expected = *found, (known.mean, known.variance)
            of = " of Welford" if self.algorithm == "Welford" else ""
            self.check(f"mean{of}", mean, expected[0])
            self.check(f"variance, {self.algorithm}", variance, expected[1])
            if self.moments_stored:
                expected = tuple(stored(each, self.store.form) for each in expected)
                mean, variance = (self.kept(n).on_another(self.machine) for n in (mean, variance))
            divisor = float(len(case.x))
            self.running(mean, variance, expected)
            if self.rng.random() < 0.3:
                divisor -= 1
                factor = (divisor + 1) / divisor
                variance = self.one_of(layers.sample_variances(variance, len(case.x)))
                expected = expected[0], scaled(expected[1], factor, self.form)
                self.check("sample variance", variance, expected[1])
            self.layer(x, mean, variance, expected, divisor, nonnegative=known.nonnegative)

    def running(self, mean, variance, expected):
        """Try the running update, cumulative, zero-debiased and gradient descent."""
        case, form, machine = self.case, self.form, self.machine
        old = self.number(case.old)
        give = self.one_of(layers.gives(case.keep, machine))
        for new, known in zip((mean, variance), expected, strict=True):
            wanted = blended(exact(case.old), known, keeping(case.keep), form)
            for result in layers.averages(old, new, case.keep, give):
                self.check("running update", result, wanted)
        share = 1 / case.updates
        wanted = blended(exact(case.old), expected[0], giving(share), form)
        result = self.one_of(layers.averages(old, mean, 1 - share, self.number(share)))
        self.check("cumulative update", result, wanted)
        state = fresh(expected[0])
        for value in case.x[: case.updates]:
            wanted, state = debiased(state, exact(value), keeping(case.keep), form)
        values = self.number(case.x[: case.updates])
        for result in layers.debiased_averages(values, case.keep, give):
            self.check("zero-debiased update", result, wanted)
        rate = case.epsilon
        wanted = descended(exact(case.old), expected[0], rate, form)
        self.check("gradient descent", old - mean * rate, wanted)
        n = len(case.x)
        self.check(
            "scaled by n/(n-1-epsilon)",
            variance * (self.number(n) / (n - (self.number(1) + rate / 2))),
            scaled(expected[1], n / (n - 1 - rate / 2), form),
        )

    def layer(self, x, mean, variance, expected, divisor, *, nonnegative):
        """Try the output and its gradients."""
        case, form = self.case, self.form
        epsilon, placement = case.epsilon, self.placement
        inverse = inverse_deviation(expected[1], epsilon, placement, form, nonnegative=nonnegative)
        roots = layers.inverses(variance, epsilon, placement, self.rng)
        for root in roots:
            self.check(f"inverse deviation, {placement}", root, inverse)
        r = self.one_of(roots)
        gamma, beta, dy, p = (
            self.number(array) for array in (case.gamma, case.beta, case.dy, case.p)
        )
        steep, kappa = None, self.number(np.ones_like(case.gamma))
        if placement == "outside the root":
            steep = steepness(expected[1], epsilon, form)
            kappa = self.one_of((1 / (r * variance.sqrt()), 1 + epsilon / variance.sqrt()))
        flow = None if self.rng.random() < 0.1 else Flow(divisor, steep)
        by = Normaliser(expected[0], inverse, exact(case.gamma), exact(case.beta), flow)
        for result in layers.hats(x, mean, r):
            self.check("normalised", result, normalised(case.x, by, form))
        wanted = output(case.x, by, form)
        for result in layers.outputs(x, mean, r, gamma, beta):
            self.check("output", result, wanted)
        found = gradients(case.x, case.dy, by, form)
        self.check("dbeta", self.sum(dy), found.dbeta)
        for result in layers.gamma_gradients(x, dy, mean, r, self.sum):
            self.check("dgamma", result, found.dgamma)
        if flow is None:
            for result in layers.constant_gradients(dy, r, gamma):
                self.check("dx by constants", result, found.dx)
            return
        weight = kappa / divisor
        backward = (r, gamma, weight, self.sum, self.divide)
        for result in layers.input_gradients(x, dy, mean, *backward):
            self.check("dx", result, found.dx)
        wanted = second_gradient(case.x, case.dy, case.p, by, form)
        followed = layers.Followed(mean, variance, r, kappa, divisor)
        for result in layers.second_gradients(x, dy, p, gamma, followed, self.sum, self.divide):
            self.check("second-order dx", result, wanted)


def trials(layers_per_dtype, seed, dtypes=tuple(FORMATS), mutated=None):
    """Return a tally for every (dtype, arithmetic, quantity), over so many random layers a dtype.

    A layer is drawn once and computed in each arithmetic of its dtype. `mutated` makes another
    format of the one whose bounds are tried.
    """
    report = {}
    for dtype in dtypes:
        rng = np.random.default_rng([seed, *dtype.encode()])
        tallies = {arithmetic: defaultdict(Tally) for arithmetic in ARITHMETICS[dtype]}
        left = layers_per_dtype
        while left > 0:
            count = int(rng.choice(COUNTS, p=SHARES))
            channels = min(max(VALUES // count, 20), left)
            case = draw(rng, dtype, count, channels)
            for arithmetic, tally in tallies.items():
                Trial(rng, case, dtype, arithmetic, tally, mutated).run()
            left -= channels
        for arithmetic, tally in tallies.items():
            report.update({(dtype, arithmetic, name): found for name, found in tally.items()})
    return report


def rows(report):
    """Return the report as lines of a table."""
    yield "| dtype | arithmetic | quantity | layers | results | outside | greatest | median | inf |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (dtype, arithmetic, quantity), found in sorted(report.items()):
        greatest, median = found.used()
        yield (
            f"| {dtype} | {arithmetic} | {quantity} | {found.layers} | {found.results} "
            f"| {found.outside} | {greatest:.3f} | {median:.4f} "
            f"| {found.infinite / found.layers:.1%} |"
        )


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows(trials(int((*sys.argv, 100_000)[1]), seed=1))) + "\n")
