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
from reference.normalisation import Normaliser, gradients, output
from reference.normalising import Normalising, Statistics
from reference.program import Execution, Refusal
from reference.second_order import second_gradient, uncentred
from reference.updating import Batch
from suites.vocabulary import Updates

T = TypeVar("T")
UNCENTRED = "without the mean inside the variance"


@dataclass(frozen=True)
class Gradient:
    """What flows back into an execution: dy, and the weights of dx for the second order.

    `of_input` tells whether that to the input is asked for, or only those to gamma and beta.
    """

    dy: Array
    dx_weights: Array | None = None
    of_input: bool = True


class Executor(Normalising):
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
        if gradient is not None and gradient.dx_weights is not None:
            self.admit_second_order()
        after = self.updated(
            batch,
            execution,
            state,
            updates,
            backward=gradient is not None,
            again=lambda: self.executed_again(gradient, execution),
        )
        if batch.count == 0:
            return self.of_nothing(batch, gradient, execution), after
        by = Later(lambda: self.normaliser(batch, execution, state, after))
        told = partial(self.told, batch, state)
        seen = Quantities({"output": lambda: told("output", output(x, by(), self.form))})
        if gradient is None:
            return seen, after
        statistics = partial(self.statistics, batch, execution, state, after)
        flowing = self.flowing_back(batch, gradient, execution, statistics, by, told)
        return seen.with_(flowing), after

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

    def told(self, batch: Batch, state: Quantities, name: str, value: Bounded) -> Bounded:
        """Return a quantity as it is stored, with a NaN only where one went in.

        Where the arithmetic itself leads to none, as 0/0 does, anything may come out.
        """
        value = self.shown(name, value)
        nan = np.isnan(value.value)
        if not nan.any():
            return value
        held = [each.value for name, each in state.items() if name != "updates_counted"]
        spoiled = batch.spoiled | np.isnan(sum(held, np.zeros_like(batch.x[0])))
        open_ = nan & ~spoiled
        return Bounded(np.where(open_, 0.0, value.value), np.where(open_, np.inf, value.bound))

    def admit(self, batch: Batch, execution: Execution) -> None:
        """Raise Refusal where such an execution is refused.

        Clauses BN-3.4, BN-3.5, BN-4.3, BN-4.9 and BN-10.1.
        """
        if self.meaning.low_precision and (
            self.conventions["low-precision-layer"] == "made but not executed"
        ):
            raise Refusal
        training = execution.run == "training"
        if training and batch.count == 1 and self.conventions["one-value-per-channel"] == "refused":
            raise Refusal
        if training and batch.count == 0 and self.conventions["empty-batch"] == "refused":
            raise Refusal
        averages = training and self.meaning.cumulative
        if averages and self.conventions["momentum-none"] == "refused in training":
            raise Refusal
        if not training and not self.meaning.tracks:
            self.by_running_statistics(execution)

    def executed_again(self, gradient: Gradient | None, execution: Execution) -> bool:
        """Tell whether a backward pass reaches an execution, and so could repeat it.

        A gradient of the gradient does not: it begins from what the first pass computed.
        """
        if gradient is None:
            return False
        return gradient.of_input or self.switches.parameters_move(execution)

    def admit_second_order(self) -> None:
        """Raise Refusal where a gradient cannot be differentiated again. Clause BN-7.5."""
        if self.conventions["second-order-gradient"] == "refused":
            raise Refusal

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
        told: Callable[[str, Bounded], Bounded],
    ) -> Quantities:
        """Return the gradients. Raises Refusal where they are refused."""
        running = self.by_running_statistics(execution)
        if running and self.conventions["inference-gradient"] == "refused":
            raise Refusal
        through = Later(lambda: replace(by(), flow=self.flow(statistics())))
        found = Later(lambda: gradients(batch.x, gradient.dy, through(), self.form))
        parameters = {
            "dgamma": lambda: told("dgamma", found().dgamma),
            "dbeta": lambda: told("dbeta", found().dbeta),
        }
        seen = Quantities({"dx": lambda: told("dx", found().dx)})
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
            return told("second_dx", value)

        return seen.with_({"second_dx": second})

    def learned(self, gradients: Mapping[str, T], execution: Execution) -> dict[str, T]:
        """Return those of dgamma and dbeta that this execution computes."""
        if not self.switches.parameters_move(execution):
            return {}
        present = {"dgamma": self.meaning.gamma == "learned", "dbeta": self.meaning.center}
        return {name: value for name, value in gradients.items() if present[name]}
