"""Executes a layer on pooled inputs: what comes out, what flows back, what the statistics become.

Inputs are pooled, shape ``(n, channels)``; states hold running statistics, gamma, beta and the
counter by name. `reference.oracle` makes programs of such executions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.layer import STATISTICS, LayerMeaning
from reference.moments import Moments, batch_moments, inverse_deviation, scaled, steepness
from reference.normalisation import Flow, Normaliser, gradients, output
from reference.program import Execution, Refusal, Switches
from reference.running import Hidden, Weights, blended, debiased, fresh
from suites.vocabulary import Layer, Updates

State = Mapping[str, Bounded]


class Executor:
    """One layer under conventions, with the switches and the hidden state of its program."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        self.meaning = LayerMeaning(layer, conventions)
        self.conventions = conventions
        self.switches = Switches(layer, conventions)
        self.hidden = Hidden()
        self.alternatives: list[dict[str, Bounded]] = []

    def execute(
        self,
        x: Array,
        dy: Array | None,
        execution: Execution,
        state: dict[str, Bounded],
        updates: Updates,
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Execute the layer once on pooled x, shape ``(n, channels)``."""
        batch = self.moments(x)
        if execution.run == "training" and batch.count == 1:
            self.admit_one_value()
        after = self.updated(batch, execution, state, updates)
        by = self.normaliser(batch, execution, state, after)
        form = self.meaning.form
        seen = {"output": output(x, by, form)}
        if dy is not None:
            found = gradients(x, dy, by, form)
            seen["dx"] = found.dx
            if self.switches.parameters_move(execution):
                seen.update(self.parameter_gradients(found.dgamma, found.dbeta))
        return seen, after

    def admit_one_value(self) -> None:
        """Raise Refusal where training on one value per channel is refused. Clause BN-3.4."""
        if self.conventions["one-value-per-channel"] == "refused":
            raise Refusal

    def parameter_gradients(self, dgamma: Bounded, dbeta: Bounded) -> dict[str, Bounded]:
        """Return the gradients of those parameters the layer has."""
        known = {"dgamma": (self.meaning.scale, dgamma), "dbeta": (self.meaning.center, dbeta)}
        return {name: value for name, (present, value) in known.items() if present}

    def moments(self, x: Array) -> Moments:
        """Return the batch statistics under the conventions' variance algorithm."""
        algorithm = str(self.conventions["variance-algorithm"])
        return batch_moments(x, self.meaning.form, algorithm)

    def normaliser(
        self, batch: Moments, execution: Execution, before: State, after: State
    ) -> Normaliser:
        """Return what this execution normalises with, and how gradients flow through it."""
        if execution.run == "training":
            kind = str(self.conventions["training-output-statistics"])
        else:
            kind = str(self.conventions["inference-output-statistics"])
        if kind == "batch" or not self.has_running_statistics():
            return self.by_batch(batch, execution, before)
        source = after if kind == "running after the update" else before
        mean, variance = source["running_mean"], source["running_variance"]
        return self.normaliser_of(mean, variance, before, None)

    def has_running_statistics(self) -> bool:
        """Return whether there are running statistics to use; raise Refusal where there must be."""
        if not self.meaning.tracks and self.conventions["no-running-statistics"] == "refused":
            raise Refusal
        return self.meaning.tracks

    def by_batch(self, batch: Moments, execution: Execution, state: State) -> Normaliser:
        """Return a normaliser by batch statistics."""
        form, variance, divisor = self.meaning.form, batch.variance, float(batch.count)
        if execution.run == "training" and (
            self.conventions["training-output-variance"] == "sample"
        ):
            divisor = batch.count - 1.0
            variance = scaled(variance, batch.count / divisor, form)
        if self.conventions["training-gradient"] == "statistics held constant":
            return self.normaliser_of(batch.mean, variance, state, None)
        return self.normaliser_of(batch.mean, variance, state, divisor)

    def normaliser_of(
        self, mean: Bounded, variance: Bounded, state: State, divisor: float | None
    ) -> Normaliser:
        """Return the normaliser by these statistics and the layer's parameters."""
        placement = str(self.conventions["epsilon-placement"])
        epsilon = self.meaning.epsilon
        inverse = inverse_deviation(variance, epsilon, placement, self.meaning.form)
        flow = None
        if divisor is not None:
            outside = placement == "outside the root"
            steep = steepness(variance, epsilon, self.meaning.form) if outside else None
            flow = Flow(divisor, steep)
        return Normaliser(mean, inverse, state.get("gamma"), state.get("beta"), flow)

    def updated(
        self,
        batch: Moments,
        execution: Execution,
        state: dict[str, Bounded],
        updates: Updates,
    ) -> dict[str, Bounded]:
        """Return the state after the running statistics took in a batch as often as they do."""
        if not self.moves(execution):
            return state
        for _ in range(self.times(updates)):
            state = self.taken_in(batch, state)
        return state

    def moves(self, execution: Execution) -> bool:
        """Return whether an execution moves the running statistics. Clauses BN-5.1 and BN-5.2."""
        if not self.meaning.tracks:
            return False
        if execution.statistics_move and execution.run == "training":
            return True
        return self.conventions["inference-updates"] == "always"

    def times(self, updates: Updates) -> int:
        """Return how often one execution's update is applied. Clause BN-5.3."""
        if updates == "documented":
            return 1
        if self.meaning.layer.updates_in_place is True:
            immediate = self.conventions["updates-in-place-argument"] == "updates within the call"
        else:
            immediate = self.conventions["update-timing"] == "within the call"
        return {"forgotten": 1 if immediate else 0, "twice": 2}[updates]

    def taken_in(self, batch: Moments, state: dict[str, Bounded]) -> dict[str, Bounded]:
        """Return the state after one update of the running statistics."""
        factor = 1.0
        if batch.count > 1 and self.conventions["running-variance-factor"] == "n/(n-1)":
            factor = batch.count / (batch.count - 1)
        variance = batch.variance
        if factor != 1:
            variance = scaled(variance, factor, self.meaning.form)
        after = dict(state)
        self.hidden.updates += 1
        if self.meaning.counts:
            after["updates_counted"] = exact(state["updates_counted"].value + 1)
        count = after.get("updates_counted", exact(self.hidden.updates))
        weights = self.meaning.weights(float(count.value))
        for name, value in zip(STATISTICS, (batch.mean, variance), strict=True):
            after[name] = self.average(name, state[name], value, weights)
        return after

    def average(self, name: str, old: Bounded, batch: Bounded, weights: Weights) -> Bounded:
        """Return one running statistic after taking in the batch's."""
        if not self.meaning.debiases(name):
            return blended(old, batch, weights, self.meaning.form)
        before = self.hidden.averages.get(name) or fresh(old)
        value, self.hidden.averages[name] = debiased(before, batch, weights, self.meaning.form)
        return value

    def updated_twice(
        self, axis: str, batches: list[Moments], execution: Execution, state: dict[str, Bounded]
    ) -> dict[str, Bounded]:
        """Return the state after one execution updated the running statistics from two batches.

        Where the order is open, it is open for each statistic by itself.
        """
        if not self.moves(execution):
            return state
        rule = str(self.conventions[axis])
        if rule == "in no fixed order":
            orders = ("in call order", "in reverse order", "both from the value before")
            start, outcomes = self.hidden, []
            for order in orders:
                self.hidden = start.copy()
                outcomes.append(self.in_order(order, batches, execution, state))
            first, *self.alternatives = (
                {**mean, "running_variance": variance["running_variance"]}
                for mean, variance in itertools.product(outcomes, repeat=2)
            )
            return first
        return self.in_order(rule, batches, execution, state)

    def in_order(
        self, rule: str, batches: list[Moments], execution: Execution, state: dict[str, Bounded]
    ) -> dict[str, Bounded]:
        """Return the state after two updates under one value of `shared-layer-updates`."""
        orders = {
            "in call order": batches,
            "in reverse order": batches[::-1],
            "last call only": batches[1:],
            "first call only": batches[:1],
        }
        before = self.hidden.copy()
        if rule in orders:
            after = state
            for batch in orders[rule]:
                after = self.updated(batch, execution, after, "documented")
        else:
            changes = []
            for batch in batches:
                self.hidden = before.copy()
                changes.append(self.updated(batch, execution, state, "documented"))
            after = {**state, **self.summed(state, changes)}
            if self.meaning.counts:
                after["updates_counted"] = exact(state["updates_counted"].value + len(batches))
        return after

    def summed(self, state: State, changes: list[dict[str, Bounded]]) -> dict[str, Bounded]:
        """Return the statistics after adding the changes two updates made to the same values."""
        total = {}
        for name in STATISTICS:
            old = state[name]
            value = sum((change[name].value - old.value for change in changes), old.value)
            bound = sum((change[name].bound for change in changes), old.bound)
            size = sum((change[name].magnitude for change in changes), old.magnitude)
            total[name] = Bounded(value, bound + self.meaning.form.accumulated(3) * size)
        return total
