"""A BatchNorm layer in plain NumPy, computing in its own dtype (Ioffe & Szegedy 2015).

Arrays are in canonical order ``(n, *spatial, channels)``. Each decision is a method of its own, so
that a planted fault overrides exactly one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tests.fakes.plain_features import Grouping, column

TINY = 1e-30
"""The step of a derivative; so small that its square is nothing beside one."""


@dataclass(frozen=True)
class Execution:
    """One forward pass: its input, the statistics that normalised it, and what came out.

    `by_batch` tells whether these statistics are the batch's own, `training` which mode it ran in,
    `counting` how much each value counted; `correction` is what renormalised it. A batch executed
    in groups has the executions of its `parts`, and the `rows` of each.
    """

    x: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float
    by_batch: bool
    training: bool
    output: np.ndarray
    counting: np.ndarray | None = None
    correction: tuple | None = None
    parts: tuple = ()
    rows: list | None = None


def sum_per_channel(x):
    """Return the sum over every axis but the last."""
    return x.sum(axis=tuple(range(x.ndim - 1)))


def values_per_channel(x):
    """Return how many values each channel has."""
    return math.prod(x.shape[:-1])


class PlainLayer(Grouping):
    """Parameters, running statistics, and the arithmetic that the paper's algorithms ask for.

    `decay` weighs the old running value; None asks for the cumulative average. `gamma`, `beta`,
    the running statistics and `updates_counted` are None where the layer has none.
    `hidden` are what an average keeps besides.
    """

    hidden: tuple[str, ...] = ("biased", "debias_steps")

    def __init__(self, decay, epsilon, parameters, statistics, updates_counted, zero_debias):
        self.decay = decay
        self.epsilon = epsilon
        self.gamma, self.beta = parameters
        self.running_mean, self.running_variance = statistics
        self.updates_counted = updates_counted
        self.zero_debias = zero_debias
        self.biased = {}
        self.debias_steps = {}

    # Forward.

    def forward(self, x, training):
        """Normalise, scale and shift; the running statistics stay as they are."""
        by_batch = self.uses_batch(training)
        if by_batch:
            self.expect_something_counted(x)
        mean, variance = self.statistics(x, training)
        epsilon = self.epsilon_for(training)
        normalised = self.normalise(x, mean, variance, epsilon)
        correction = None
        if self.corrects(training):
            correction = self.correction(mean, self.deviation(variance, epsilon))
        output = self.scale_and_shift(self.correct(normalised, correction))
        given = (x, mean, variance, epsilon, by_batch, training, output)
        return Execution(*given, self.counting, correction)

    def statistics(self, x, training):
        """Return mean and variance that normalise the output."""
        if not self.uses_batch(training):
            return self.inference_statistics(x)
        return self.training_statistics(x) if training else self.batch_statistics(x)

    def uses_batch(self, training):
        """Tell whether the statistics of the batch normalise the output."""
        return training or self.running_mean is None

    def training_statistics(self, x):
        """Return mean and variance that normalise the output in training."""
        return self.batch_statistics(x)

    def batch_statistics(self, x):
        """Return mean and population variance of the batch."""
        mean = self.batch_mean(x)
        return mean, self.batch_variance(x, mean)

    def inference_statistics(self, x):  # noqa: ARG002 - a faulty layer looks at x
        """Return mean and variance that normalise the output in inference."""
        return self.running_mean, self.running_variance

    def batch_mean(self, x):
        """Return the mean of each channel."""
        weights = self.weights_for_mean()
        return self.sum_counted(x, weights) / self.number_of(x, weights)

    def batch_variance(self, x, mean):
        """Return the population variance of each channel, from the deviations."""
        weights = self.weights_for_variance()
        return self.sum_counted((x - mean) ** 2, weights) / self.number_of(x, weights)

    def epsilon_for(self, training):  # noqa: ARG002 - a faulty layer looks at the mode
        """Return the epsilon to use."""
        return self.epsilon

    def normalise(self, x, mean, variance, epsilon):
        """Return x̂."""
        return (x - mean) / self.deviation(variance, epsilon)

    def deviation(self, variance, epsilon):
        """Return what x̂ is divided by."""
        return np.sqrt(variance + epsilon)

    def scale_and_shift(self, normalised):
        """Return gamma · x̂ + beta."""
        output = normalised if self.gamma is None else normalised * self.gamma
        return output if self.beta is None else output + self.beta

    # Running statistics.

    def update(self, execution):
        """Move the running statistics towards those of the batch."""
        if self.running_mean is None:
            return
        self.count_update()
        if self.renorm:
            self.update_renormalised(execution)
            return
        mean, variance = self.fed(execution)
        self.move_mean(mean)
        self.move_variance(variance)

    def fed(self, execution):
        """Return what an execution feeds the running statistics: of groups, their mean."""
        if execution.parts:
            found = [self.fed(part) for part in execution.parts]
            return [sum(each) / len(found) for each in zip(*found, strict=True)]
        mean, variance = self.batch_statistics(execution.x)
        return mean, self.variance_for_running(variance, execution.x)

    def count_update(self):
        """Count one more update, where the layer counts them."""
        if self.updates_counted is not None:
            self.updates_counted += 1

    def variance_for_running(self, variance, x):  # noqa: ARG002 - the sample variance needs x
        """Return what the running variance is fed: here the population variance."""
        return variance

    def move_mean(self, new):
        """Update the running mean, corrected for its start at zero where that was asked for."""
        move = self.move_debiased if self.zero_debias else self.move
        move("running_mean", new)

    def move_variance(self, new):
        """Update the running variance."""
        self.move("running_variance", new)

    def move(self, name, new):
        """Let a running statistic decay towards the new value."""
        setattr(self, name, self.update_running(getattr(self, name), new, self.decay_of(name)))

    def decay_of(self, name):  # noqa: ARG002 - a faulty layer looks at the name
        """Return the weight kept on the old value of one running statistic in this update."""
        return self.decay_now()

    def decay_now(self):
        """Return the weight kept on the old value in this update."""
        return 1 - 1 / self.updates_counted if self.decay is None else self.decay

    def update_running(self, old, new, decay):
        """Return the exponential average's next value."""
        return old * decay + new * (1 - decay)

    def move_debiased(self, name, new):
        """Average from zero and divide by the weight collected so far (Kingma & Ba 2014, §3)."""
        old = self.biased.get(name, np.zeros_like(new))
        steps = self.debias_steps.get(name, 0) + 1
        self.biased[name] = self.update_running(old, new, self.decay)
        self.debias_steps[name] = steps
        setattr(self, name, self.biased[name] / (1 - self.decay**steps))

    # Backward: the chain rule as in section 3 of the paper.

    def gradients(self, execution, dy):
        """Return dx, and dgamma and dbeta where there are such parameters."""
        normalised = self.normalise(
            execution.x, execution.mean, execution.variance, execution.epsilon
        )
        seen = {"dx": self.gradient_of_x(execution, dy)}
        if "gamma" in self.learned():
            corrected = self.correct(normalised, execution.correction)
            seen["dgamma"] = self.gradient_of_gamma(corrected, execution.x, dy)
        if "beta" in self.learned():
            seen["dbeta"] = self.gradient_of_beta(dy)
        return seen

    def learned(self):
        """Return the names of the parameters that the layer learns."""
        return [name for name in ("gamma", "beta") if getattr(self, name) is not None]

    def gradient_of_x(self, execution, dy):
        """Return dx: through x̂, and in training also through the batch mean and variance."""
        weights = self.weights_for_gradient(execution) if execution.training else None
        n = self.number_of(execution.x, weights)
        dnormalised = dy if self.gamma is None else dy * self.gamma
        if execution.correction is not None:
            dnormalised = dnormalised * execution.correction[0]
        inverse = 1 / self.deviation(execution.variance, execution.epsilon)
        dx = dnormalised * inverse
        if not self.flows_through_statistics(execution):
            return dx
        centred = execution.x - execution.mean
        slope = self.slope_of_inverse(execution.variance, inverse)
        dvariance = self.gradient_of_variance(dnormalised, centred, slope)
        # The paper's dmean has a second term, a multiple of the sum of `centred`, which is 0.
        dmean = self.gradient_of_mean(dnormalised, inverse)
        inside = self.inside_the_variance(execution, centred)
        through = dvariance * 2 * inside / self.divisor(execution) + dmean / n
        return dx + (through if weights is None else column(weights) * through)

    def inside_the_variance(self, execution, centred):  # noqa: ARG002 - a faulty layer asks it
        """Return x less the mean as the variance has it, whose derivative is twice this over n."""
        return centred

    def flows_through_statistics(self, execution):
        """Tell whether the statistics depend on x."""
        return execution.by_batch

    def slope_of_inverse(self, variance, inverse):  # noqa: ARG002 - a faulty layer takes variance
        """Return the derivative of 1 / deviation with respect to the variance."""
        return inverse**3 / -2

    def divisor(self, execution):
        """Return what divided the squares in the variance that normalised."""
        weights = self.weights_for_gradient(execution) if execution.training else None
        return self.number_of(execution.x, weights)

    def gradient_of_variance(self, dnormalised, centred, slope):
        """Return the loss's gradient with respect to the batch variance."""
        return sum_per_channel(dnormalised * centred) * slope

    def gradient_of_mean(self, dnormalised, inverse):
        """Return the loss's gradient with respect to the batch mean."""
        return -sum_per_channel(dnormalised * inverse)

    def gradient_of_gamma(self, normalised, x, dy):  # noqa: ARG002 - a faulty layer takes x
        """Return dgamma."""
        return sum_per_channel(dy * normalised)

    def gradient_of_beta(self, dy):
        """Return dbeta."""
        return sum_per_channel(dy)

    def descend(self, gradients, learning_rate):
        """Move gamma and beta by one step of gradient descent."""
        for name in self.learned():
            setattr(self, name, getattr(self, name) - learning_rate * gradients[f"d{name}"])

    def second_gradient(self, execution, dy, weights):
        """Return the gradient of ``sum(weights·dx)`` with respect to x, dy held constant.

        The imaginary part of f(x + ih) is h·f'(x), with no difference that could lose digits
        (Squire & Trapp 1998, https://doi.org/10.1137/S003614459631241X).
        """
        second = np.zeros(execution.x.shape)
        for index in np.ndindex(execution.x.shape):
            x = execution.x.astype(complex)
            x[index] += 1j * TINY
            dx = self.gradient_of_x(self.moved(execution, x), dy)
            second[index] = (weights * dx).imag.sum() / TINY
        return second.astype(execution.x.dtype)

    def moved(self, execution, x):
        """Return the execution on x changed a little; its statistics follow if they are to."""
        if not self.flows_through_statistics(execution):
            return replace(execution, x=x)
        change = x - execution.x
        mean = sum_per_channel(change) / values_per_channel(x)
        squares = sum_per_channel(2 * (execution.x - execution.mean) * change)
        return replace(
            execution,
            x=x,
            mean=execution.mean + mean,
            variance=execution.variance + squares / self.divisor(execution),
        )


class SampleVarianceLayer(PlainLayer):
    """A layer that feeds its running variance the unbiased estimate (Algorithm 2, step 10)."""

    def variance_for_running(self, variance, x):
        """Return the sample variance; a single value has the population's."""
        n = self.number_of(x, self.weights_for_variance())
        return variance * n / (n - 1) if n > 1 else variance
