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
from reference.layer import RENORMALISING, STATISTICS
from reference.normalisation import Gradients, Normaliser, gradients, output
from reference.normalising import Normalising, Statistics
from reference.program import Execution, Refusal
from reference.renormalisation import Correction, renormalised_gradients
from reference.running import Hidden
from reference.second_order import second_gradient, uncentred
from reference.updating import Batch
from reference.virtual_batch import groups, joined, scattered
from reference.weighted import weighted_gradients
from suites.vocabulary import Updates

T = TypeVar("T")
UNCENTRED = "without the mean inside the variance"
FEW = 9
"""So many executions are followed one by one; of more, the last alone is looked at."""


@dataclass(frozen=True)
class Gradient:
    """What flows back into an execution: dy, and the weights of dx for the second order.

    `of_input` tells whether that to the input is asked for, or only those to gamma and beta.
    """

    dy: Array
    dx_weights: Array | None = None
    of_input: bool = True


@dataclass(frozen=True)
class Rows:
    """What is known of the rows of pooled input.

    Attributes:
        samples: how many samples they come from; None where each row is one.
        mask: which count in batch statistics, ones and zeros of shape (n,); None where all do.
        weights: how much each counts, shape (n,); None where all count alike.
    """

    samples: int | None = None
    mask: Array | None = None
    weights: Array | None = None


PLAIN = Rows()


@dataclass(frozen=True)
class Part:
    """Rows that are normalised together, and by what."""

    batch: Batch
    statistics: Callable[[], Statistics]
    by: Later[Normaliser]
    correct: Later[Correction] | None


class Executor(Normalising):
    """Executes a layer: its output, its gradients and the state after it."""

    def execute(
        self,
        x: Array,
        gradient: Gradient | None,
        execution: Execution,
        state: Quantities,
        updates: Updates,
        rows: Rows = PLAIN,
    ) -> tuple[Quantities, Quantities]:
        """Execute the layer once on pooled x, shape ``(n, channels)``."""
        batch = self.batch(x, execution, rows)
        self.admit(batch, execution)
        if gradient is not None and gradient.dx_weights is not None:
            self.admit_second_order()
        hidden = self.hidden
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
        parts = [self.part(each, execution, (state, after), hidden) for each in batch.parts]
        told = partial(self.told, batch, state)
        seen = Quantities({"output": lambda: told("output", self.put_out(batch, parts))})
        if gradient is None:
            return seen, after
        flowing = self.flowing_back(batch, gradient, execution, parts, told)
        return seen.with_(flowing), after

    def batch(self, x: Array, execution: Execution, rows: Rows) -> Batch:
        """Return the batch of an execution; weights and groups count in training only.

        Raises Refusal where the virtual batch size must divide it and does not. Clauses BN-11.5,
        BN-13.2, BN-13.3 and BN-13.6.
        """
        size = self.meaning.layer.virtual_batch_size
        training = execution.run == "training"
        together: tuple[Array, ...] = ()
        if isinstance(size, int):
            samples = len(x) if rows.samples is None else rows.samples
            axis = "virtual-batch-remainder" + ("" if training else "-in-inference")
            if samples % size and self.conventions[axis] == "refused":
                raise Refusal
            if training and samples > size:
                rule = str(self.conventions["virtual-batch-groups"])
                together = tuple(groups(len(x), samples, size, rule))
        return Batch(x, self, self.weights_of(rows) if training else None, together)

    def weights_of(self, rows: Rows) -> Array | None:
        """Return how much each row counts in training; None where all count alike."""
        if rows.mask is None or self.conventions["mask-in-training"] == "ignored":
            return rows.weights
        return rows.mask if rows.weights is None else rows.mask * rows.weights

    def part(
        self,
        batch: Batch,
        execution: Execution,
        states: tuple[Quantities, Quantities],
        hidden: Later[Hidden],
    ) -> Part:
        """Return how rows are normalised together; `states` are those before and after."""
        correct = None
        if self.corrects(execution):
            correct = Later(lambda: self.correction(batch, states[0], hidden))
        return Part(
            batch,
            partial(self.statistics, batch, execution, *states),
            Later(lambda: self.normaliser(batch, execution, *states, correct)),
            correct,
        )

    def put_out(self, batch: Batch, parts: list[Part]) -> Bounded:
        """Return the output of all rows."""
        found = [output(part.batch.x, part.by(), self.form) for part in parts]
        return scattered(found, batch.groups) if batch.groups else found[0]

    def execute_repeatedly(
        self,
        x: Array,
        gradient: Gradient | None,
        execution: Execution,
        state: Quantities,
        updates: Updates,
        repeat: int,
        rows: Rows = PLAIN,
    ) -> tuple[Quantities, Quantities]:
        """Execute the layer so often on the same x; return what the last shows, and the state."""
        if repeat > FEW:
            batch = self.batch(x, execution, rows)
            before = self.advanced(batch, execution, state, updates, repeat - 1)
            return self.execute(x, gradient, execution, before, updates, rows)
        seen, states, hidden = Quantities({}), [state], []
        for turn in range(repeat):
            last = turn == repeat - 1
            wanted = gradient if last else None
            seen, state = self.execute(x, wanted, execution, states[-1], updates, rows)
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
                times = turns * self.times(updates, backward=False, again=lambda: False)
                quick = self.taken_in_often(batch, *found, times)
                if quick is not None:
                    return quick
                for _ in range(times):
                    found = self.taken_in(batch, *found)
                    dict(found[0])  # Worked out now, lest the last recurse through them all.
            return found

        result = Later(moved)
        self.hidden = Later(lambda: result()[1])
        moving = (*STATISTICS, *RENORMALISING, "updates_counted")
        changing = [name for name in moving if name in state]
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
        given = [] if dy is None else [*dy]
        spoiled, by_nan = batch.spoiled, batch.spoiled_by_nan
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

        Clauses BN-1.1, BN-1.5, BN-3.4, BN-3.5, BN-3.12, BN-4.3, BN-4.9, BN-4.11, BN-10.1 and
        BN-11.6.
        """
        if self.meaning.rule_of_dtype == "made but not executed":
            raise Refusal
        training = execution.run == "training"
        by_batch = training or not self.meaning.tracks
        alone = any(part.count == 1 for part in batch.parts)
        if by_batch and alone and self.conventions["one-value-per-channel"] == "refused":
            raise Refusal
        weightless = batch.weighting is not None and not batch.weighting.total
        if weightless and self.conventions["mask-of-everything"] == "refused":
            raise Refusal
        if training and batch.count == 0 and self.conventions["empty-batch"] == "refused":
            raise Refusal
        averages = training and self.meaning.cumulative
        if averages and self.conventions["momentum-none"] == "refused in training":
            raise Refusal
        meaning = self.meaning
        rules = {meaning.rule_of_channels, meaning.rule_of_epsilon, meaning.rule_of_momentum}
        if "refused when executed" in rules or (training and "refused in training" in rules):
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
        if self.conventions.has("second-order-gradient", "refused"):
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
        parts: list[Part],
        told: Callable[..., Bounded],
    ) -> Quantities:
        """Return the gradients. Raises Refusal where they are refused."""
        running = self.by_running_statistics(execution)
        if running and self.conventions.has("inference-gradient", "refused"):
            raise Refusal
        told = partial(told, dy=gradient.dy)
        first = parts[0]
        through = Later(lambda: self.through(first))
        found = Later(lambda: self.differentiated(batch, gradient.dy, parts))
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
            special = batch.groups or batch.weighting is not None or first.correct is not None
            if special or (
                running and through().flow is not None
            ):  # No convention says what this would be.
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

    def through(self, part: Part) -> Normaliser:
        """Return what normalises some rows, with how it follows them."""
        return replace(part.by(), flow=self.flow(part.statistics()))

    def differentiated(self, batch: Batch, dy: Array, parts: list[Part]) -> Gradients:
        """Return the gradients of all rows."""
        if not batch.groups:
            return self.gradients_of(parts[0], dy)
        pairs = zip(parts, batch.groups, strict=True)
        found = [self.gradients_of(part, dy[rows]) for part, rows in pairs]
        by = [part.by() for part in parts]
        return joined(found, batch.groups, (batch.x, dy), by, self.form)

    def gradients_of(self, part: Part, dy: Array) -> Gradients:
        """Return the gradients of rows that are normalised together."""
        by, x, weighting = self.through(part), part.batch.x, part.batch.weighting
        if weighting is None:
            found = gradients(x, dy, by, self.form)
        else:
            found = weighted_gradients(x, dy, by, weighting, self.form)
        if part.correct is None:
            return found
        return renormalised_gradients(found, (x, dy), by, part.correct(), self.form)

    def learned(self, gradients: Mapping[str, T], execution: Execution) -> dict[str, T]:
        """Return those of dgamma and dbeta that this execution computes."""
        if not self.switches.parameters_move(execution):
            return {}
        present = {"dgamma": self.meaning.gamma == "learned", "dbeta": self.meaning.center}
        return {name: value for name, value in gradients.items() if present[name]}
