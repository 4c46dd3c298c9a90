"""Executes a scenario in NumPy under given conventions, one step at a time, from a given state.

The caller hands in the state before each step: the one an implementation was observed in, so that
each step is judged alone, or the oracle's own, for a free-running trajectory whose bounds grow.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.layer import LayerMeaning
from reference.moments import Moments, batch_moments, inverse_deviation, scaled, steepness
from reference.normalisation import Flow, Normaliser, gradients, output
from reference.program import Execution, Refusal, Switches
from reference.running import Hidden, Weights, blended, debiased, descended, fresh
from suites import vocabulary as say
from suites.vocabulary import Layer, Step, Tensor

State = Mapping[str, Bounded]
STATISTICS = ("running_mean", "running_variance")


@dataclass(frozen=True)
class Expected:
    """What must be seen after a step: every quantity by name, or a refusal.

    `others` are further outcomes that conform, where the conventions leave an order open.
    """

    quantities: dict[str, Bounded]
    refused: bool = False
    others: tuple[dict[str, Bounded], ...] = ()


class Oracle:
    """One program on one layer. Steps must be given in order, each with the state before it."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        self.meaning = LayerMeaning(layer, conventions)
        self.conventions = conventions
        self.switches = Switches(layer, conventions)
        self.hidden = Hidden()
        self.alternatives: list[dict[str, Bounded]] = []
        self.built = False

    def expect(self, step: Step, state: State) -> Expected:
        """Return what a conforming implementation shows after `step`.

        Raises reference.chosen.Unspecified where the step needs a convention that is left open.
        """
        try:
            self.alternatives = []
            self.meaning.admit()
            seen, after = self.perform(step, dict(state))
        except Refusal:
            return Expected({}, refused=True)
        if not self.built:
            return Expected({})
        trainable = self.switches.counts_as_trainable(self.switches.trainable)
        seen["trainable_parameters"] = exact(self.meaning.parameters if trainable else 0)
        others = tuple({**other, **seen} for other in self.alternatives)
        return Expected({**after, **seen}, others=others)

    def perform(  # noqa: C901, PLR0911 - one case for each kind of step
        self, step: Step, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Return what the step shows of itself, and the state after it."""
        switches = self.switches
        match step:
            case say.Build():
                self.built = True
                return {}, self.meaning.initial_state()
            case say.Call():
                return self.call(step, state)
            case say.CallTwice():
                return self.call_twice(step, state)
            case say.Fit():
                return self.fit(step, state)
            case say.Evaluate():
                return self.evaluate(step, state)
            case say.Predict():
                return self.predict(step, state)
            case say.Enclose():
                switches.enclosed = step
            case say.Compile():
                switches.compile()
            case say.TrainMode():
                switches.switch("training")
            case say.EvalMode():
                switches.switch("inference")
            case say.SetTrainable():
                switches.set_trainable(step.value, step.target)
            case say.ResetStatistics():
                self.hidden = Hidden()
                return {}, {**state, **self.meaning.reset_statistics()}
        return {}, state

    def call(
        self, step: say.Call, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Execute a `Call`, repeated as often as it says."""
        execution = self.switches.call(step.training, step.mode)
        x = self.pooled(step.x)
        dy = None if step.dy is None else self.pooled(step.dy)
        seen: dict[str, Bounded] = {}
        for turn in range(step.repeat):
            last = turn == step.repeat - 1
            seen, state = self.execute(x, dy if last else None, execution, state, step.updates)
        return {name: self.shaped(value, step.x) for name, value in seen.items()}, state

    def execute(
        self,
        x: Array,
        dy: Array | None,
        execution: Execution,
        state: dict[str, Bounded],
        updates: say.Updates,
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
        updates: say.Updates,
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

    def times(self, updates: say.Updates) -> int:
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

    def call_twice(
        self, step: say.CallTwice, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Execute the shared layer on two inputs at once."""
        execution = self.switches.call(step.training, "python")
        batches = [self.moments(self.pooled(x)) for x in (step.first, step.second)]
        seen = {}
        for name, x, batch in zip(
            ("output", "second_output"), (step.first, step.second), batches, strict=True
        ):
            by = self.normaliser(batch, execution, state, state)
            seen[name] = self.shaped(output(self.pooled(x), by, self.meaning.form), x)
        axis = "shared-layer-updates"
        if step.form == "functional":
            axis += "-in-a-functional-model"
        return seen, self.updated_twice(axis, batches, execution, state)

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

    def fit(
        self, step: say.Fit, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Train by plain gradient descent, batch after batch."""
        execution = self.switches.loop("training")
        samples = step.x.shape[0]
        size = step.batch_size or samples
        x, dy = self.array(step.x), self.array(step.dy)
        losses: list[Bounded] = []
        for _ in range(step.epochs):
            losses = []
            for start in range(0, samples, size):
                part = slice(start, start + size)
                loss, state = self.descend(x[part], dy[part], execution, state, step)
                losses.append(loss)
        return {"loss": self.averaged(losses, samples)}, state

    def descend(
        self,
        x: Array,
        dy: Array,
        execution: Execution,
        state: dict[str, Bounded],
        step: say.Fit,
    ) -> tuple[Bounded, dict[str, Bounded]]:
        """Return the summed loss of one batch, and the state after training on it."""
        pooled, weight = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
        seen, after = self.execute(pooled, weight / len(x), execution, state, step.updates)
        for name, gradient in (("gamma", "dgamma"), ("beta", "dbeta")):
            if gradient in seen:
                moved = descended(
                    state[name], seen[gradient], step.learning_rate, self.meaning.form
                )
                after = {**after, name: moved}
        return self.summed_loss(weight, seen["output"]), after

    def summed_loss(self, dy: Array, result: Bounded) -> Bounded:
        """Return ``sum(dy·output)``."""
        error = (np.abs(dy) * result.bound).sum()
        error += self.meaning.form.accumulated(dy.size + 3) * (np.abs(dy) * result.magnitude).sum()
        return Bounded(np.asarray((dy * result.value).sum()), np.asarray(error))

    def averaged(self, losses: list[Bounded], samples: int) -> Bounded:
        """Return the mean over samples of summed losses."""
        value = sum(loss.value for loss in losses) / samples
        size = sum(loss.magnitude for loss in losses) / samples
        error = sum(loss.bound for loss in losses) / samples
        roundings = self.meaning.form.accumulated(2 * len(losses) + 4)
        return Bounded(np.asarray(value), np.asarray(error + roundings * size))

    def evaluate(
        self, step: say.Evaluate, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Return the loss: the mean over samples of ``sum(dy·output)``."""
        execution = self.switches.loop("inference")
        seen, after = self.execute(self.pooled(step.x), None, execution, state, "forgotten")
        loss = self.summed_loss(self.pooled(step.dy), seen["output"])
        return {"loss": self.averaged([loss], step.x.shape[0])}, after

    def predict(
        self, step: say.Predict, state: dict[str, Bounded]
    ) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
        """Return the last prediction of as many as the step asks."""
        execution = self.switches.loop("inference")
        seen: dict[str, Bounded] = {}
        for _ in range(step.repeat):
            seen, state = self.execute(self.pooled(step.x), None, execution, state, "forgotten")
        return {"output": self.shaped(seen["output"], step.x)}, state

    def array(self, tensor: Tensor) -> Array:
        """Return a tensor as float64 with the channel axis last."""
        array = np.array(tensor.values, dtype=np.float64).reshape(tensor.shape)
        return np.moveaxis(array, self.meaning.channel_axis, -1)

    def pooled(self, tensor: Tensor) -> Array:
        """Return a tensor as ``(n, channels)``. Clause BN-3.1."""
        array = self.array(tensor)
        return array.reshape(-1, array.shape[-1])

    def shaped(self, quantity: Bounded, like: Tensor) -> Bounded:
        """Return a pooled quantity in the shape of the tensor; parameters stay as they are."""
        if quantity.value.ndim < 2:
            return quantity
        moved = self.array(like).shape

        def back(array: Array) -> Array:
            return np.moveaxis(array.reshape(moved), -1, self.meaning.channel_axis)

        return Bounded(back(quantity.value), back(quantity.bound))
