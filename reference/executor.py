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
from reference.layer import STATISTICS
from reference.normalisation import Normaliser, gradients, output
from reference.normalising import Normalising, Statistics
from reference.program import Execution, Refusal
from reference.running import Hidden
from reference.second_order import second_gradient, uncentred
from reference.updating import Batch
from suites.vocabulary import Updates

T = TypeVar("T")
UNCENTRED = "without the mean inside the variance"
FEW = 9
"""So many executions are followed one by one; of more, the last alone is looked at."""


@dataclass(frozen=True)
class Gradient:
    """What flows back into an execution: dy, and the weights of dx for the second order."""

    dy: Array
    dx_weights: Array | None = None


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
        after = self.updated(batch, execution, state, updates, backward=gradient is not None)
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
        if repeat > FEW:
            before = self.advanced(Batch(x, self), execution, state, updates, repeat - 1)
            return self.execute(x, gradient, execution, before, updates)
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

    def advanced(
        self, batch: Batch, execution: Execution, state: Quantities, updates: Updates, turns: int
    ) -> Quantities:
        """Return the state after so many executions of which nothing is looked at."""
        self.admit(batch, execution)
        start = self.hidden

        def moved() -> tuple[Quantities, Hidden]:
            found = state, start()
            if self.moves(execution):
                times = turns * self.times(updates, backward=False)
                quick = self.taken_in_often(batch, *found, times)
                if quick is not None:
                    return quick
                for _ in range(times):
                    found = self.taken_in(batch, *found)
                    dict(found[0])  # Worked out now, lest the last recurse through them all.
            return found

        result = Later(moved)
        self.hidden = Later(lambda: result()[1])
        changing = [name for name in (*STATISTICS, "updates_counted") if name in state]
        return state.with_({name: partial(lambda key: result()[0][key], name) for name in changing})

    def told(
        self,
        batch: Batch,
        state: Quantities,
        name: str,
        value: Bounded,
        dy: Array | None = None,
    ) -> Bounded:
        """Return a quantity as it is stored, with a NaN only where one went in.

        Where an infinity went in, it need only not be finite; where the arithmetic itself leads to
        a NaN, as 0/0 does, anything may come out.
        """
        value = self.shown(name, value)
        nan = np.isnan(value.value)
        if not nan.any():
            return value
        given = [*batch.x] if dy is None else [*batch.x, *dy]
        spoiled, by_nan = np.zeros((2, batch.x.shape[1]), bool)
        for each in given:
            spoiled, by_nan = spoiled | ~np.isfinite(each), by_nan | np.isnan(each)
        for held, each in state.items():
            if held != "updates_counted":
                spoiled, by_nan = spoiled | ~np.isfinite(each.value), by_nan | each.is_nan
        bound = np.where(by_nan, 0.0, np.inf)
        return Bounded(
            np.where(nan & ~spoiled, 0.0, value.value), np.where(nan, bound, value.bound)
        )

    def admit(self, batch: Batch, execution: Execution) -> None:
        """Raise Refusal where such an execution is refused.

        Clauses BN-1.5, BN-3.4, BN-3.5, BN-4.3, BN-4.9, BN-4.11 and BN-10.1.
        """
        if self.meaning.low_precision and (
            self.conventions["low-precision-layer"] == "made but not executed"
        ):
            raise Refusal
        training = execution.run == "training"
        by_batch = training or not self.meaning.tracks
        if by_batch and batch.count == 1 and self.conventions["one-value-per-channel"] == "refused":
            raise Refusal
        if training and batch.count == 0 and self.conventions["empty-batch"] == "refused":
            raise Refusal
        averages = training and self.meaning.cumulative
        if averages and self.conventions["momentum-none"] == "refused in training":
            raise Refusal
        rules = {self.meaning.rule_of_epsilon, self.meaning.rule_of_momentum}
        if "refused when executed" in rules or (training and "refused in training" in rules):
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
        if found and not self.by_running_statistics(execution):  # Clause BN-3.8
            rule = self.conventions["empty-batch-gradients"]
            if rule == "none":
                found = {}
            elif rule == "NaN to gamma" and "dgamma" in found:
                found["dgamma"] = exact(zero.value * np.nan)
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
        told: Callable[..., Bounded],
    ) -> Quantities:
        """Return the gradients. Raises Refusal where they are refused."""
        running = self.by_running_statistics(execution)
        if running and self.conventions["inference-gradient"] == "refused":
            raise Refusal
        told = partial(told, dy=gradient.dy)
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
