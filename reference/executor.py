"""Executes a layer on pooled inputs: what comes out, and what flows back.

Inputs are pooled, shape ``(n, channels)``. `reference.oracle` makes programs of such executions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.later import Later, Quantities
from reference.moments import inverse_deviation, scaled, steepness
from reference.normalisation import (
    Flow,
    Normaliser,
    gradients,
    output,
    second_gradient,
    uncentred,
)
from reference.program import Execution, Refusal
from reference.rounding import format_named, stored
from reference.updating import Batch, Updating
from suites.vocabulary import Updates

T = TypeVar("T")
UNCENTRED = "without the mean inside the variance"


@dataclass(frozen=True)
class Gradient:
    """What flows back into an execution: dy, and the weights of dx for the second order."""

    dy: Array
    dx_weights: Array | None = None


@dataclass(frozen=True)
class Statistics:
    """The mean and variance that normalise an execution, and the divisor of that variance.

    `of_batch` tells whether they are the batch's; `nonnegative` whether the computed variance
    cannot be negative.
    """

    mean: Bounded
    variance: Bounded
    divisor: float
    of_batch: bool = True
    nonnegative: bool = True


class Executor(Updating):
    """Executes a layer: its output, its gradients and the state after it."""

    def execute(
        self,
        x: Array,
        gradient: Gradient | None,
        execution: Execution,
        state: Quantities,
        updates: Updates,
    ) -> tuple[Quantities, Quantities]:
        """Execute the layer once on pooled x, shape ``(n, channels)``."""
        batch = Batch(x, self)
        self.admit(batch, execution)
        after = self.updated(batch, execution, state, updates, backward=gradient is not None)
        if batch.count == 0:
            return self.of_nothing(batch, gradient, execution), after
        by = Later(lambda: self.normaliser(batch, execution, state, after))
        seen = Quantities({"output": lambda: self.shown("output", output(x, by(), self.form))})
        if gradient is None:
            return seen, after
        statistics = partial(self.statistics, batch, execution, state, after)
        return seen.with_(self.flowing_back(batch, gradient, execution, statistics, by)), after

    def execute_repeatedly(
        self,
        x: Array,
        gradient: Gradient | None,
        execution: Execution,
        state: Quantities,
        updates: Updates,
        repeat: int,
    ) -> tuple[Quantities, Quantities]:
        """Execute the layer so often on the same x; return what the last shows, and the state."""
        seen, states, hidden = Quantities({}), [state], []
        for turn in range(repeat):
            last = turn == repeat - 1
            wanted = gradient if last else None
            seen, state = self.execute(x, wanted, execution, states[-1], updates)
            states.append(state)
            hidden.append(self.hidden)

        # Each value is worked out from the first on, lest the last recurse through them all.
        def at_last(name: str) -> Bounded:
            return [state[name] for state in states][-1]

        self.hidden = Later(lambda: [found() for found in hidden][-1])
        return seen, Quantities({name: partial(at_last, name) for name in states[-1]})

    def admit(self, batch: Batch, execution: Execution) -> None:
        """Raise Refusal where such a batch is refused. Clauses BN-3.4, BN-3.5 and BN-4.9."""
        training = execution.run == "training"
        if training and batch.count == 1 and self.conventions["one-value-per-channel"] == "refused":
            raise Refusal
        if training and batch.count == 0 and self.conventions["empty-batch"] == "refused":
            raise Refusal
        if not training and not self.meaning.tracks:
            self.by_running_statistics(execution)

    def of_nothing(
        self, batch: Batch, gradient: Gradient | None, execution: Execution
    ) -> Quantities:
        """Return what an execution on no samples shows: empty arrays, sums of nothing."""
        seen = Quantities({"output": exact(batch.x)})
        if gradient is None:
            return seen
        zero = exact(np.zeros(batch.x.shape[1]))
        found = self.learned({"dgamma": zero, "dbeta": zero}, execution)
        found["dx"] = exact(batch.x)
        if gradient.dx_weights is not None:
            found["second_dx"] = exact(batch.x)
        return seen.with_(found)

    def flowing_back(
        self,
        batch: Batch,
        gradient: Gradient,
        execution: Execution,
        statistics: Callable[[], Statistics],
        by: Later[Normaliser],
    ) -> Quantities:
        """Return the gradients. Raises Refusal where they are refused."""
        running = self.by_running_statistics(execution)
        if running and self.conventions["inference-gradient"] == "refused":
            raise Refusal
        through = Later(lambda: replace(by(), flow=self.flow(statistics())))
        found = Later(lambda: gradients(batch.x, gradient.dy, through(), self.form))
        parameters = {
            "dgamma": lambda: self.shown("dgamma", found().dgamma),
            "dbeta": lambda: self.shown("dbeta", found().dbeta),
        }
        seen = Quantities({"dx": lambda: self.shown("dx", found().dx)})
        seen = seen.with_(self.learned(parameters, execution))
        weights = gradient.dx_weights
        if weights is None:
            return seen

        def second() -> Bounded:
            if running and through().flow is not None:  # No convention says what this would be.
                return Bounded(np.zeros_like(batch.x), np.full_like(batch.x, np.inf))
            arguments = (batch.x, gradient.dy, weights, through(), self.form)
            value = second_gradient(*arguments)
            if (
                through().flow is not None
                and self.conventions["second-order-gradient"] == UNCENTRED
            ):
                value = uncentred(value, *arguments)
            return self.shown("second_dx", value)

        return seen.with_({"second_dx": second})

    def learned(self, gradients: Mapping[str, T], execution: Execution) -> dict[str, T]:
        """Return those of dgamma and dbeta that this execution computes."""
        if not self.switches.parameters_move(execution):
            return {}
        present = {"dgamma": self.meaning.gamma == "learned", "dbeta": self.meaning.center}
        return {name: value for name, value in gradients.items() if present[name]}

    def by_running_statistics(self, execution: Execution) -> bool:
        """Tell whether running statistics normalise. Raises Refusal where there must be some."""
        return self.source(execution) != "batch"

    def source(self, execution: Execution) -> str:
        """Return which statistics normalise: the batch's, or running ones from when.

        Raises Refusal where inference without running statistics is refused. Clause BN-4.9.
        """
        training = execution.run == "training"
        if training and self.meaning.tracks:
            return str(self.conventions["training-output-statistics"])
        if training:
            return "batch"
        kind = str(self.conventions["inference-output-statistics"])
        if kind == "batch" or self.meaning.tracks:
            return kind
        if self.conventions["no-running-statistics"] == "refused":
            raise Refusal
        return "batch"

    def normaliser(
        self, batch: Batch, execution: Execution, before: Quantities, after: Quantities
    ) -> Normaliser:
        """Return what this execution normalises with, its gradient left open."""
        found = self.statistics(batch, execution, before, after)
        placement = str(self.conventions["epsilon-placement"])
        inverse = inverse_deviation(
            found.variance,
            self.meaning.epsilon,
            placement,
            self.form,
            nonnegative=found.nonnegative,
        )
        if found.of_batch and self.moments_are_rounded():
            inverse = stored(inverse, format_named(self.meaning.layer.dtype))
        return Normaliser(found.mean, inverse, before.get("gamma"), before.get("beta"))

    def statistics(
        self, batch: Batch, execution: Execution, before: Quantities, after: Quantities
    ) -> Statistics:
        """Return the mean and variance that normalise. Clauses BN-6.1, BN-6.2 and BN-3.2."""
        kind = self.source(execution)
        if kind != "batch":
            source = after if kind == "running after the update" else before
            return Statistics(
                source["running_mean"], source["running_variance"], batch.count, of_batch=False
            )
        moments, divisor = batch.moments, float(batch.count)
        variance = moments.variance
        if execution.run == "training" and (
            self.conventions["training-output-variance"] == "sample"
        ):
            divisor -= 1
            variance = scaled(variance, batch.count / divisor, self.form)
        return Statistics(moments.mean, variance, divisor, nonnegative=moments.nonnegative)

    def flow(self, found: Statistics) -> Flow | None:
        """Return how the gradient depends on the statistics; None where they are constants."""
        axis = "training-gradient" if found.of_batch else "inference-gradient"
        if self.conventions[axis] != "through the batch statistics":
            return None
        if self.conventions["epsilon-placement"] != "outside the root":
            return Flow(found.divisor)
        steep = steepness(found.variance, self.meaning.epsilon, self.form)
        return Flow(found.divisor, steep)
