"""Laws that BatchNorm obeys whatever the data, held against the oracle's own bounds.

Every expected quantity is an interval, value ± bound, and both sides of a law are computed in
interval arithmetic: a law is broken where the two intervals have nothing in common. Inputs are
dyadic, so that moving, scaling and joining them costs no rounding. What must not depend on
something at all is compared to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from reference.conventions import REGISTRY
from suites.vocabulary import Call, CallTwice, Enclose, Evaluate, Fit, Training
from tests.intervals import between, meet
from tests.oracle_runs import debiasing, layer_of, run, tensor

CHANNELS = 2
SHOWN = ("output", "dx", "dgamma", "dbeta")
INSIDE, OUTSIDE = REGISTRY["epsilon-placement"].values
BATCH_ITSELF = {"decay": 0.0}
"""Keeping nothing of the old running values shows the statistics of the batch."""


@dataclass(frozen=True)
class Case:
    """A layer, its input and the gradient that reaches its output."""

    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    running_mean: np.ndarray
    running_variance: np.ndarray
    epsilon: float = 0.25
    decay: float = 0.75
    changed: dict[str, str] = field(default_factory=dict)

    def layer(self, **said):
        names = ("gamma", "beta", "running_mean", "running_variance", "epsilon", "decay")
        given = {name: getattr(self, name) for name in names}
        return layer_of(self.x.shape[-1], **{**given, "rank": self.x.ndim, **said})

    def run(self, *steps, said=None, **changed):
        """Return what is expected after the last step."""
        return run(self.layer(**(said or {})), *steps, **{**self.changed, **changed})

    def call(self, training=Training.TRUE, **more):
        return Call(tensor(self.x), training, tensor(self.dy), **more)

    def trained(self, **changed):
        """Return the intervals after one call in training."""
        return intervals(self.run(self.call(), **changed))

    def inferred(self, **changed):
        return intervals(self.run(self.call(Training.FALSE), **changed))

    def normalising_variance(self):
        """Return the variance that normalises in training, and its divisor."""
        sample = self.changed.get("training_output_variance") == "sample"
        found = self.run(
            self.call(), said=BATCH_ITSELF, running_variance_factor="n/(n-1)" if sample else "1"
        )
        return intervals(found)["running_variance"], len(self.x) - sample


def intervals(found):
    assert all(np.all(np.isfinite(quantity.bound)) for quantity in found.values())
    return {name: between(quantity.value, quantity.bound) for name, quantity in found.items()}


def agree(one, other):
    """Assert that intervals may be the same numbers as other intervals, or as numbers."""
    assert np.all(meet(one, other))


def all_agree(here, there, names=SHOWN):
    for name in names:
        agree(here[name], there[name])


def identical(here, there, names):
    for name in names:
        assert np.array_equal(here[name].value, there[name].value), name


def sixteenths(shape, least=-64):
    return arrays(np.int64, shape, elements=some.integers(least, 64)).map(lambda k: k / 16)


def batches(n, channels=CHANNELS):
    """Draw a batch of n values per channel, no channel constant."""
    return sixteenths((n, channels)).filter(lambda x: np.all(np.ptp(x, axis=0) > 0))


@some.composite
def cases(draw, placements=(INSIDE, OUTSIDE), variances=("population", "sample")):
    n = draw(some.integers(2, 6))
    return Case(
        draw(batches(n)),
        draw(sixteenths((n, CHANNELS))),
        draw(sixteenths(CHANNELS)),
        draw(sixteenths(CHANNELS)),
        draw(sixteenths(CHANNELS)),
        draw(sixteenths(CHANNELS, least=1)),
        draw(some.sampled_from((2.0**-10, 0.25, 3.0))),
        draw(some.sampled_from((0.0, 0.5, 0.75, 0.9, 0.999))),
        {
            "epsilon_placement": draw(some.sampled_from(placements)),
            "training_output_variance": draw(some.sampled_from(variances)),
        },
    )


def law(*drawn):
    """Check a law on some drawn arguments; no deadline, as machines are shared."""

    def checked(test):
        return settings(deadline=None, max_examples=30)(given(*drawn)(test))

    return checked


# What the output and its gradients do when the batch is moved, stretched, shuffled or repeated.


@law(cases(), some.integers(-(2**20), 2**20))
def test_a_shift_of_the_batch_moves_only_the_running_mean(case, shift):
    here, there = case.trained(), replace(case, x=case.x + shift).trained()
    all_agree(here, there, (*SHOWN, "running_variance"))
    moved = (1 - Fraction(case.decay)) * shift
    agree(there["running_mean"], here["running_mean"] + moved)


@law(cases(), some.integers(-9, 9).filter(bool))
def test_scaling_the_batch_with_epsilon_turns_the_output_at_most(case, factor):
    inside = case.changed["epsilon_placement"] == INSIDE
    epsilon = case.epsilon * (factor**2 if inside else abs(factor))
    here = case.trained()
    there = replace(case, x=case.x * factor, epsilon=epsilon).trained()
    sign = 1 if factor > 0 else -1
    agree(there["output"] - case.beta, sign * (here["output"] - case.beta))
    agree(there["dx"] * abs(factor), here["dx"])
    agree(there["dgamma"], sign * here["dgamma"])
    for name, power in (("running_mean", 1), ("running_variance", 2)):
        kept = Fraction(case.decay) * getattr(case, name)
        agree(there[name] - kept, factor**power * (here[name] - kept))


@law(cases(), some.randoms())
def test_shuffled_samples_shuffle_the_output_and_leave_what_is_pooled(case, random):
    order = random.sample(range(len(case.x)), len(case.x))
    here, there = case.trained(), replace(case, x=case.x[order], dy=case.dy[order]).trained()
    for name in ("output", "dx"):
        agree(here[name][order], there[name])
    all_agree(here, there, ("dgamma", "dbeta", "running_mean", "running_variance"))


@law(cases(), some.integers(2, 4))
def test_a_batch_repeated_within_itself_keeps_its_population_statistics(case, times):
    case = replace(case, changed={**case.changed, "training_output_variance": "population"})
    again = replace(case, x=np.tile(case.x, (times, 1)), dy=np.tile(case.dy, (times, 1)))
    here, there = (each.trained(running_variance_factor="1") for each in (case, again))
    for name in ("output", "dx"):
        agree(np.tile(here[name], (times, 1)), there[name])
    for name in ("dgamma", "dbeta"):
        agree(times * here[name], there[name])
    all_agree(here, there, ("running_mean", "running_variance"))


@law(cases())
def test_each_channel_is_normalised_by_itself(case):
    here = case.trained()
    names = ("x", "dy", "gamma", "beta", "running_mean", "running_variance")
    for channel in range(CHANNELS):
        alone = {name: getattr(case, name)[..., channel : channel + 1] for name in names}
        there = replace(case, **alone).trained()
        for name in (*SHOWN, "running_mean", "running_variance"):
            agree(here[name][..., channel : channel + 1], there[name])


@law(cases(), some.sampled_from([(2, 1), (3, 2), (1, 2, 3), (2, 1, 2, 1)]))
def test_positions_are_pooled_like_samples(case, spatial):
    shape = (len(case.x), *spatial, CHANNELS)
    factors = np.arange(1, 1 + np.prod(spatial))[:, None]
    x, dy = (each[:, None] * factors for each in (case.x, case.dy))
    flat = replace(case, x=x.reshape(-1, CHANNELS), dy=dy.reshape(-1, CHANNELS))
    mapped = replace(case, x=x.reshape(shape), dy=dy.reshape(shape))
    here, there = (each.run(each.call()) for each in (flat, mapped))
    identical(here, there, ("dgamma", "dbeta", "running_mean", "running_variance"))
    for name in ("output", "dx"):
        assert np.array_equal(here[name].value.reshape(shape), there[name].value)


# What the training output depends on, and what not.


@law(cases(), cases())
def test_training_does_not_depend_on_running_statistics_and_momentum(case, other):
    names = ("running_mean", "running_variance", "decay")
    there = replace(case, **{name: getattr(other, name) for name in names})
    identical(case.run(case.call()), there.run(there.call()), SHOWN)


@law(cases())
def test_the_dtype_changes_only_bounds(case):
    here, there = case.run(case.call()), case.run(case.call(), said={"dtype": "float32"})
    identical(here, there, here)
    assert all(np.all(there[name].bound >= here[name].bound) for name in here)


@law(cases())
def test_no_gamma_is_a_gamma_of_one_and_no_beta_a_beta_of_zero(case):
    plain = replace(case, gamma=np.ones(CHANNELS), beta=np.zeros(CHANNELS))
    here = plain.run(plain.call())
    there = case.run(case.call(), said={"scale": False, "center": False})
    identical(here, there, ("output", "dx", "running_mean", "running_variance"))
    assert not {"gamma", "beta", "dgamma", "dbeta"} & set(there)


@law(cases(), some.integers(-5, 5), sixteenths(CHANNELS))
def test_gamma_scales_and_beta_shifts(case, factor, beta):
    here, there = case.trained(), replace(case, gamma=case.gamma * factor, beta=beta).trained()
    agree(there["output"] - beta, factor * (here["output"] - case.beta))
    agree(there["dx"], factor * here["dx"])
    all_agree(here, there, ("dgamma", "dbeta", "running_mean", "running_variance"))


@law(cases())
def test_placements_of_an_epsilon_of_zero_are_the_same(case):
    case = replace(case, epsilon=0.0)
    here, there = (case.trained(epsilon_placement=placement) for placement in (INSIDE, OUTSIDE))
    all_agree(here, there)


@law(cases(placements=(INSIDE,)), some.integers(1, 64))
def test_sample_variance_is_population_variance_with_less_epsilon(case, part):
    n = len(case.x)
    sample = replace(case, epsilon=n * part / 16).trained(training_output_variance="sample")
    population = replace(case, epsilon=(n - 1) * part / 16).trained(
        training_output_variance="population"
    )
    for name, shift in (("output", case.beta), ("dx", 0), ("dgamma", 0)):
        one, other = sample[name] - shift, population[name] - shift
        agree(n * one**2, (n - 1) * other**2)
        assert all(each.middle >= -each.radius for each in np.ravel(one * other))


@law(cases())
def test_mean_and_variance_of_the_normalised_batch(case):
    case = replace(case, gamma=np.ones(CHANNELS), beta=np.zeros(CHANNELS))
    variance, divisor = case.normalising_variance()
    hat = case.trained()["output"]
    agree(hat.sum(axis=0), np.zeros(CHANNELS))
    # Σx̂²·(v + ε) = d·v; outside, Σx̂²·(√v + ε)² = d·v, which is squared to be rid of the root.
    square, epsilon = (hat**2).sum(axis=0), Fraction(case.epsilon)
    if case.changed["epsilon_placement"] == INSIDE:
        agree(square * (variance + epsilon), divisor * variance)
    else:
        rest = divisor * variance - square * (variance + epsilon**2)
        agree(rest**2, 4 * epsilon**2 * square**2 * variance)


# Gradients.


@law(cases())
def test_the_input_gradient_sums_to_zero_in_training(case):
    agree(case.trained()["dx"].sum(axis=0), np.zeros(CHANNELS))


@law(cases())
def test_only_epsilon_lets_the_input_gradient_point_along_the_input(case):
    # As scaling the batch and epsilon together moves nothing, Σdx·x = γ·dγ·ε/(v + ε), and
    # γ·dγ·ε/(√v + ε) outside, which is squared to be rid of the root.
    variance, _ = case.normalising_variance()
    found = case.trained()
    along = (found["dx"] * case.x).sum(axis=0)
    rest = Fraction(case.epsilon) * (case.gamma * found["dgamma"] - along)
    if case.changed["epsilon_placement"] == INSIDE:
        agree(rest, along * variance)
    else:
        agree(rest**2, along**2 * variance)


@law(cases(), some.integers(-3, 3), some.data())
@pytest.mark.parametrize("mode", [Training.TRUE, Training.FALSE])
def test_gradients_are_linear_in_what_reaches_the_output(mode, case, factor, data):
    other = data.draw(sixteenths(case.dy.shape))
    one, two, both = (
        intervals(each.run(each.call(mode)))
        for each in (replace(case, dy=dy) for dy in (case.dy, other, factor * case.dy + other))
    )
    for name in ("dx", "dgamma", "dbeta"):
        agree(both[name], factor * one[name] + two[name])


@law(cases())
@pytest.mark.parametrize("mode", [Training.TRUE, Training.FALSE])
def test_the_loss_is_gamma_and_beta_along_their_gradients(mode, case):
    found = intervals(case.run(case.call(mode)))
    loss = (case.dy * found["output"]).sum(axis=0)
    agree(loss, case.gamma * found["dgamma"] + case.beta * found["dbeta"])


# Inference.


@law(cases(), some.data(), some.integers(-8, 8))
def test_inference_is_affine_in_the_input(case, data, quarters):
    other = data.draw(sixteenths(case.x.shape))
    part = quarters / 4
    one, two, between = (
        replace(case, x=x).inferred()["output"]
        for x in (case.x, other, case.x + part * (other - case.x))
    )
    agree(between, one + part * (two - one))


@law(cases())
def test_the_input_gradient_in_inference_is_the_slope_of_the_output(case):
    here, there = case.inferred(), replace(case, x=case.x + 1).inferred()
    agree(here["dx"], case.dy * (there["output"] - here["output"]))


@law(cases())
def test_a_sample_is_inferred_alone_as_in_any_batch(case):
    together = case.run(case.call(Training.FALSE))
    for index in range(len(case.x)):
        part = slice(index, index + 1)
        single = replace(case, x=case.x[part], dy=case.dy[part])
        alone = single.run(single.call(Training.FALSE))
        for name in ("output", "dx"):
            assert np.array_equal(together[name].value[part], alone[name].value)


@law(cases())
def test_inference_leaves_the_state(case):
    names = ("running_mean", "running_variance", "gamma", "beta")
    found = case.run(case.call(Training.FALSE, repeat=2))
    assert all(np.array_equal(found[name].value, getattr(case, name)) for name in names)
    assert not any(np.any(found[name].bound) for name in names)


@law(cases())
def test_inference_with_the_statistics_of_the_batch_is_training(case):
    case = replace(case, changed={**case.changed, "training_output_variance": "population"})
    batch = case.run(case.call(), said=BATCH_ITSELF, running_variance_factor="1")
    names = ("running_mean", "running_variance")
    there = replace(case, **{name: batch[name].value for name in names}).inferred()
    all_agree(case.trained(), there, ("output", "dgamma", "dbeta"))


# Running statistics.


def statistics_of(case, x):
    """Return the mean and the population variance of a batch."""
    changed = {
        "training_output_variance": "population",
        "running_variance_factor": "1",
        "one_value_per_channel": "fed as it is",
    }
    found = intervals(case.run(Call(tensor(x), Training.TRUE), said=BATCH_ITSELF, **changed))
    return found["running_mean"], found["running_variance"]


@law(cases(), some.integers(1, 5))
def test_statistics_of_a_batch_are_those_of_its_parts(case, first):
    # Chan, Golub and LeVeque 1979.
    first, n = min(first, len(case.x) - 1), len(case.x)
    mean, variance = statistics_of(case, case.x)
    one_mean, one_variance = statistics_of(case, case.x[:first])
    two_mean, two_variance = statistics_of(case, case.x[first:])
    second = n - first
    agree(n * mean, first * one_mean + second * two_mean)
    apart = Fraction(first * second, n) * (one_mean - two_mean) ** 2
    agree(n * variance, first * one_variance + second * two_variance + apart)


@law(cases())
def test_sample_variance_is_population_variance_over_one_value_less(case):
    n = len(case.x)
    sample, population = (
        intervals(case.run(case.call(), said=BATCH_ITSELF, running_variance_factor=factor))
        for factor in ("n/(n-1)", "1")
    )
    agree((n - 1) * sample["running_variance"], n * population["running_variance"])


@law(cases(), some.integers(1, 6))
def test_after_equal_batches_a_power_of_the_decay_is_left_of_the_start(case, updates):
    batch = intervals(case.run(case.call(), said=BATCH_ITSELF))
    after = intervals(case.run(case.call(repeat=updates)))
    left = Fraction(case.decay) ** updates
    for name in ("running_mean", "running_variance"):
        agree(after[name], left * getattr(case, name) + (1 - left) * batch[name])


@law(cases(), some.integers(2, 4))
def test_a_repeated_call_is_so_many_calls(case, times):
    repeated = case.run(case.call(repeat=times))
    identical(repeated, case.run(*[case.call()] * times), repeated)


@law(cases(), some.integers(0, 16))
def test_the_senses_of_momentum_mirror_each_other(case, sixteenth):
    old, new = (
        case.run(case.call(), said={"momentum_argument": argument}, momentum_sense=sense)
        for argument, sense in (
            (sixteenth / 16, "weighs the old running value"),
            (1 - sixteenth / 16, "weighs the new batch value"),
        )
    )
    identical(old, new, old)


@law(cases(), some.data(), some.integers(1, 5))
def test_the_cumulative_average_is_the_average_of_the_batches(case, data, updates):
    drawn = [case.x, *(data.draw(batches(len(case.x))) for _ in range(updates - 1))]
    calls = [Call(tensor(x), Training.TRUE) for x in drawn]
    alone = [intervals(case.run(call, said=BATCH_ITSELF)) for call in calls]
    found = intervals(
        case.run(*calls, said={"momentum_argument": None}, momentum_none="cumulative average")
    )
    for name in ("running_mean", "running_variance"):
        agree(updates * found[name], sum(each[name] for each in alone))


@law(cases(), some.integers(1, 6))
def test_a_zero_debiased_average_of_equal_batches_is_the_batch(case, updates):
    batch = intervals(case.run(case.call(), said=BATCH_ITSELF))
    found = intervals(case.run(case.call(repeat=updates), **debiasing("zero-debias")))
    all_agree(batch, found, ("running_mean", "running_variance"))


@law(cases(), cases(), some.data())
def test_a_zero_debiased_average_is_a_plain_one_from_zero_divided(case, other, data):
    second = Call(tensor(data.draw(batches(3))), Training.TRUE)
    names = ("running_mean", "running_variance")
    found = case.run(case.call(), second, **debiasing("zero-debias"))
    elsewhere = replace(case, **{name: getattr(other, name) for name in names})
    identical(found, elsewhere.run(case.call(), second, **debiasing("zero-debias")), names)
    zero = dict.fromkeys(names, np.zeros(CHANNELS))
    plain = intervals(replace(case, **zero).run(case.call(), second))
    for name in names:
        agree(intervals(found)[name] * (1 - Fraction(case.decay) ** 2), plain[name])


@law(cases(), some.data())
def test_orders_of_two_updates(case, data):
    other = data.draw(batches(3))
    first, second = tensor(case.x), tensor(other)
    names = ("running_mean", "running_variance")

    def after(order, *both):
        step = CallTwice(*both, Training.TRUE)
        return case.run(step, shared_layer_updates=order)

    in_turn = after("in call order", first, second)
    identical(in_turn, after("in reverse order", second, first), names)
    calls = (Call(x, Training.TRUE) for x in (first, second))
    identical(in_turn, case.run(*calls), names)
    from_before = intervals(after("both from the value before", first, second))
    all_agree(from_before, intervals(after("both from the value before", second, first)), names)
    batch = intervals(case.run(case.call(), said=BATCH_ITSELF))
    give = 1 - Fraction(case.decay)
    for name in names:
        late = give**2 * (getattr(case, name) - batch[name])
        agree(intervals(in_turn)[name] - from_before[name], late)


@law(cases(), some.data())
def test_outputs_of_a_shared_layer_are_those_of_single_calls(case, data):
    other = replace(case, x=data.draw(batches(3)), dy=np.zeros((3, CHANNELS)))
    both = case.run(CallTwice(tensor(case.x), tensor(other.x), Training.TRUE))
    one, two = case.run(case.call()), other.run(other.call())
    assert np.array_equal(both["output"].value, one["output"].value)
    assert np.array_equal(both["second_output"].value, two["output"].value)


# Training loops.


@law(cases(), some.integers(0, 16))
def test_a_fit_on_one_batch_is_a_call_and_a_step_down_its_gradients(case, sixteenth):
    x, dy, n, rate = tensor(case.x), tensor(case.dy), len(case.x), sixteenth / 16
    called = case.trained()
    fitted = intervals(case.run(Enclose(), Fit(x, dy, learning_rate=rate)))
    for name in ("gamma", "beta"):
        down = Fraction(rate) / n * called[f"d{name}"]
        agree(fitted[name], getattr(case, name) - down)
    all_agree(called, fitted, ("running_mean", "running_variance"))
    agree(n * fitted["loss"], (case.dy * called["output"]).sum())


@law(cases(placements=(INSIDE,)), some.integers(1, 6), some.integers(1, 3))
def test_epochs_are_fits_one_after_the_other(case, size, epochs):
    x, dy = tensor(case.x), tensor(case.dy)
    said = {"one_value_per_channel": "fed as it is", "training_output_variance": "population"}
    once = Fit(x, dy, batch_size=size)
    at_once = case.run(Enclose(), replace(once, epochs=epochs), **said)
    identical(at_once, case.run(Enclose(), *[once] * epochs, **said), at_once)


@law(cases())
def test_the_loss_of_evaluate_is_that_of_the_inferred_output(case):
    found = intervals(case.run(Enclose(), Evaluate(tensor(case.x), tensor(case.dy))))
    agree(len(case.x) * found["loss"], (case.dy * case.inferred()["output"]).sum())
