"""Executes a scenario in NumPy under given conventions, one step at a time, from a given state.

The caller hands in the state before each step: the one an implementation was observed in, so that
each step is judged alone, or the oracle's own, for a free-running trajectory whose bounds grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.executor import Executor, State
from reference.normalisation import output
from reference.program import Execution, Refusal
from reference.running import Hidden, descended
from suites import vocabulary as say
from suites.vocabulary import Layer, Step, Tensor


@dataclass(frozen=True)
class Expected:
    """What must be seen after a step: every quantity by name, or a refusal.

    `others` are further outcomes that conform, where the conventions leave an order open.
    """

    quantities: dict[str, Bounded]
    refused: bool = False
    others: tuple[dict[str, Bounded], ...] = ()


class Oracle(Executor):
    """One program on one layer. Steps must be given in order, each with the state before it."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        super().__init__(layer, conventions)
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
