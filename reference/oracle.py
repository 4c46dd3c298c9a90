"""Executes a scenario in NumPy under given conventions, one step at a time, from a given state.

The caller hands in the state before each step: the one an implementation was observed in, so that
each step is judged alone, or the oracle's own, for a free-running trajectory whose bounds grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.executor import Gradient, Rows
from reference.later import Later, Quantities
from reference.layer import LayerMeaning
from reference.normalisation import Normaliser, output
from reference.penalties import constrained, penalised, penalty, pulled
from reference.program import Execution, Refusal
from reference.rounding import Format, converted
from reference.running import Hidden, descended
from reference.state import Stateful
from reference.updating import Batch
from suites import vocabulary as say
from suites.vocabulary import ABSENT, Absent, Layer, Step, Tensor


@dataclass(frozen=True)
class Expected:
    """What must be seen after a step: every quantity by name, or a refusal.

    `others` are further outcomes that conform, where the conventions leave an order open.
    `meaning` knows the dtype of each quantity.
    """

    quantities: Quantities
    refused: bool = False
    others: tuple[Quantities, ...] = ()
    meaning: LayerMeaning | None = None

    def worked_out(self) -> Expected:
        """Return the same with every quantity worked out. Raises reference.chosen.Unspecified."""
        for outcome in (self.quantities, *self.others):
            dict(outcome)
        return self

    def dtype(self, quantity: str) -> str | None:
        """Return the dtype name a quantity must have; None where any will do."""
        form = self.meaning.format_of(quantity) if self.meaning is not None else None
        return None if form is None else form.name


NOTHING = Quantities({})
TYPED = ("gamma", "beta", "running_mean", "running_variance")
Outcome = tuple[Quantities, Quantities]


class Oracle(Stateful):
    """One program on one layer. Steps must be given in order, each with the state before it."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        super().__init__(layer, conventions)
        self.built = False

    def expect(self, step: Step, state: Mapping[str, Bounded]) -> Expected:
        """Return what a conforming implementation shows after `step`.

        Raises reference.chosen.Unspecified, here or when a quantity is looked at, where that needs
        a convention that is left open.
        """
        try:
            self.alternatives = []
            self.meaning.admit()
            seen, after = self.perform(step, Quantities(state))
        except Refusal:
            return Expected(NOTHING, refused=True)
        if not self.built:
            return Expected(NOTHING)
        seen = seen.with_({"trainable_parameters": self.trainable_parameters})
        others = tuple(other.with_(seen.entries) for other in self.alternatives)
        return Expected(after.with_(seen.entries), others=others, meaning=self.meaning)

    def trainable_parameters(self) -> Bounded:
        """Return how many of gamma and beta count as trainable now."""
        trainable = self.switches.counts_as_trainable(self.switches.trainable)
        return exact(self.meaning.parameters if trainable else 0)

    def perform(self, step: Step, state: Quantities) -> Outcome:  # noqa: C901, PLR0911, PLR0912
        """Return what the step shows of itself, and the state after it; a case for each step."""
        switches = self.switches
        match step:
            case say.Build():
                self.built = True
                switches.build()
                return NOTHING, self.meaning.initial_state()
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
            case say.SetTracking():
                switches.tracking = step.value
            case say.Cast():
                return NOTHING, self.cast(step.dtype, state)
            case say.ResetStatistics():
                self.hidden = Later(Hidden)
                return NOTHING, state.with_(self.meaning.reset_statistics().entries)
            case _:
                return NOTHING, self.of_state(step, state)
        return NOTHING, state

    def cast(self, dtype: say.Dtype, state: Quantities) -> Quantities:
        """Return the state of the layer cast to another dtype; its counter stays. BN-10.9."""
        self.hidden()
        self.meaning = meaning = self.meaning.cast(dtype)

        def one(name: str) -> Bounded:
            form = meaning.format_of(name)
            return state[name] if form is None else converted(state[name], form)

        return state.with_({name: partial(one, name) for name in state if name in TYPED})

    def call(self, step: say.Call, state: Quantities) -> Outcome:
        """Execute a `Call`, repeated as often as it says; where its values lie is no matter."""
        execution = self.switches.call(step.training, step.mode, step.x.shape)
        x = self.pooled(step.x)
        gradient = None
        if step.dy is not None:
            second = None if step.dx_weights is None else self.pooled(step.dx_weights)
            gradient = Gradient(self.pooled(step.dy), second)
        seen, state = self.execute_repeatedly(
            x, gradient, execution, state, step.updates, step.repeat, self.rows(step, len(x))
        )
        return self.all_shaped(seen, step.x), state

    def rows(self, step: say.Call, rows: int) -> Rows:
        """Return what a call says of so many rows of pooled x."""
        samples = step.x.shape[0]
        mask = weights = None
        if isinstance(step.mask, Tensor):
            mask = (np.array(step.mask.values) != 0).astype(np.float64)
        if isinstance(step.weights, Tensor):
            weights = np.repeat(np.array(step.weights.values), rows // max(samples, 1))
        return Rows(samples, mask, weights)

    def call_twice(self, step: say.CallTwice, state: Quantities) -> Outcome:
        """Execute the shared layer on two inputs at once."""
        tensors = (step.first, step.second)
        execution = self.switches.call(step.training, "python", *(x.shape for x in tensors))
        batches = [Batch(self.pooled(x), self) for x in tensors]
        for batch in batches:
            self.admit(batch, execution)
        axis = "shared-layer-updates"
        if step.form == "functional":
            axis += "-in-a-functional-model"
        hidden = self.hidden
        normalisers = Later(lambda: self.normalisers(axis, batches, execution, state, hidden))
        seen = NOTHING
        for index, name in enumerate(("output", "second_output")):
            shown = partial(self.shown_of_one, tensors, batches, normalisers, index)
            seen = seen.with_({name: shown})
        if step.first_dy is not ABSENT and step.second_dy is not ABSENT:
            weights = (self.pooled(step.first_dy), self.pooled(step.second_dy))
            found = self.flowing_back_from_both(batches, weights, execution, state, normalisers)
            seen = seen.with_(
                {
                    "dx": partial(self.shaped_one, found, "dx", step.first),
                    "dx_of_second": partial(self.shaped_one, found, "dx_of_second", step.second),
                    **{name: found.entries[name] for name in ("dgamma", "dbeta") if name in found},
                }
            )
        return seen, self.updated_twice(axis, batches, execution, state)

    def shown_of_one(
        self,
        tensors: Sequence[Tensor],
        batches: Sequence[Batch],
        normalisers: Callable[[], list[Normaliser | None]],
        index: int,
    ) -> Bounded:
        """Return the output of one of two applications; anything where their order is open."""
        by, x = normalisers()[index], batches[index].x
        if by is None:
            return self.shaped(Bounded(np.zeros_like(x), np.full_like(x, np.inf)), tensors[index])
        return self.shaped(self.shown("output", output(x, by, self.form)), tensors[index])

    def fit(self, step: say.Fit, state: Quantities) -> Outcome:
        """Train by plain gradient descent, batch after batch."""
        execution = self.switches.loop("training")
        samples = step.x.shape[0]
        size = step.batch_size or samples
        x, dy = self.array(step.x), self.array(step.dy)
        losses: list[Callable[[], Bounded]] = []
        for _ in range(step.epochs):
            losses = []
            for start in range(0, samples, size):
                part = slice(start, start + size)
                loss, state = self.descend(x[part], dy[part], execution, state, step)
                losses.append(loss)
        return Quantities({"loss": lambda: self.averaged(losses, samples)}), state

    def descend(
        self, x: Array, dy: Array, execution: Execution, state: Quantities, step: say.Fit
    ) -> tuple[Callable[[], Bounded], Quantities]:
        """Return the summed loss of one batch, and the state after training on it."""
        pooled, weight = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
        gradient, rows = Gradient(weight / len(x), of_input=False), Rows(len(x))
        seen, after = self.execute(pooled, gradient, execution, state, step.updates, rows)

        def moved(name: str) -> Bounded:
            found = self.stepped(name, state[name], seen[f"d{name}"], step)
            return self.shown(name, found)

        learning = [name for name in ("gamma", "beta") if f"d{name}" in seen]
        after = after.with_({name: partial(moved, name) for name in learning})
        trainable = execution.trainable

        def loss() -> Bounded:
            found = self.summed_loss(weight, seen["output"])
            return self.with_penalties(found, state, len(x), trainable=trainable)

        return Later(loss), after

    def stepped(self, name: str, parameter: Bounded, gradient: Bounded, step: say.Fit) -> Bounded:
        """Return gamma or beta after a step of training. Clauses BN-16.1, BN-16.2 and BN-16.4."""
        layer, rate = self.meaning.layer, step.learning_rate
        decay = 0.0 if isinstance(step.weight_decay, Absent) else step.weight_decay
        pulls = [pull for pull in (2 * penalty(layer, name), decay) if pull]
        if pulls:
            found = pulled(parameter, gradient, pulls, rate, self.form)
        else:
            found = descended(parameter, gradient, rate, self.form)
        kept = isinstance(getattr(layer, f"{name}_constraint"), Absent)
        return found if kept else constrained(found)

    def with_penalties(
        self, loss: Bounded, state: Quantities, samples: int, *, trainable: bool
    ) -> Bounded:
        """Return a loss summed over samples with the penalties. Clause BN-16.1."""
        for name in ("gamma", "beta"):
            coefficient = penalty(self.meaning.layer, name)
            if coefficient and name in state and self.penalises(trainable=trainable):
                loss = penalised(loss, state[name], coefficient, samples, self.form)
        return loss

    def penalises(self, *, trainable: bool) -> bool:
        """Tell whether penalties enter the loss. Clause BN-16.6."""
        learning = self.switches.counts_as_trainable(trainable)
        return learning or self.conventions["penalty-of-frozen-parameters"] == "in the loss"

    def summed_loss(self, dy: Array, result: Bounded) -> Bounded:
        """Return ``sum(dy·output)``."""
        error = (np.abs(dy) * result.bound).sum()
        error += self.form.accumulated(dy.size + 3) * (np.abs(dy) * result.magnitude).sum()
        return Bounded(np.asarray((dy * result.value).sum()), np.asarray(error))

    def averaged(self, parts: Sequence[Callable[[], Bounded]], samples: int) -> Bounded:
        """Return the mean over samples of summed losses."""
        losses = [part() for part in parts]
        value = sum(loss.value for loss in losses) / samples
        size = sum(loss.magnitude for loss in losses) / samples
        error = sum(loss.bound for loss in losses) / samples
        roundings = self.form.accumulated(2 * len(losses) + 4)
        return Bounded(np.asarray(value), np.asarray(error + roundings * size))

    def evaluate(self, step: say.Evaluate, state: Quantities) -> Outcome:
        """Return the loss: the mean over samples of ``sum(dy·output)``."""
        execution = self.switches.loop("inference")
        trainable, samples = execution.trainable, step.x.shape[0]
        seen, after = self.execute(
            self.pooled(step.x), None, execution, state, "forgotten", Rows(samples)
        )

        def loss() -> Bounded:
            found = self.loss_of(self.pooled(step.dy), seen)
            return self.with_penalties(found, state, samples, trainable=trainable)

        return Quantities({"loss": lambda: self.averaged([loss], samples)}), after

    def loss_of(self, dy: Array, seen: Quantities) -> Bounded:
        """Return ``sum(dy·output)`` of what an execution shows."""
        return self.summed_loss(dy, seen["output"])

    def predict(self, step: say.Predict, state: Quantities) -> Outcome:
        """Return the last prediction of as many as the step asks."""
        execution = self.switches.loop("inference")
        seen, state = self.execute_repeatedly(
            self.pooled(step.x),
            None,
            execution,
            state,
            "forgotten",
            step.repeat,
            Rows(step.x.shape[0]),
        )
        return self.all_shaped(seen, step.x), state

    def all_shaped(self, seen: Quantities, like: Tensor) -> Quantities:
        """Return pooled quantities in the shape of the tensor, parameters as they are."""
        return Quantities({name: partial(self.shaped_one, seen, name, like) for name in seen})

    def shaped_one(self, seen: Quantities, name: str, like: Tensor) -> Bounded:
        """Return one quantity in the shape of the tensor."""
        return self.shaped(seen[name], like)

    def array(self, tensor: Tensor) -> Array:
        """Return a tensor as float64 with the channel axis last, as the layer reads it.

        One channel may stand for all. Raises Refusal for an input that is not taken. Clauses
        BN-1.6, BN-3.9, BN-3.10 and BN-10.8.
        """
        meaning = self.meaning
        meaning.admit_input(tensor.shape)
        array = values_of(tensor, meaning.channel_axis, meaning.reads(tensor.dtype))
        if array.shape[-1] == 1 < meaning.layer.channels and meaning.broadcasts:
            return np.broadcast_to(array, (*array.shape[:-1], meaning.layer.channels))
        return array

    def pooled(self, tensor: Tensor) -> Array:
        """Return a tensor as ``(n, channels)``. Clause BN-3.1."""
        array = self.array(tensor)
        return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])

    def shaped(self, quantity: Bounded, like: Tensor) -> Bounded:
        """Return a pooled quantity in the shape of the tensor; parameters stay as they are."""
        if quantity.value.ndim < 2:
            return quantity
        moved = self.array(like).shape

        def back(array: Array) -> Array:
            return np.moveaxis(array.reshape(moved), -1, self.meaning.channel_axis)

        return Bounded(back(quantity.value), back(quantity.bound))


@lru_cache(maxsize=4096)
def values_of(tensor: Tensor, channel_axis: int, form: Format | None) -> Array:
    """Return the values of a tensor as float64, with the channel axis last, rounded to a format."""
    array = np.array(tensor.values, dtype=np.float64).reshape(tensor.shape)
    array = np.moveaxis(array if form is None else form.rounded(array), channel_axis, -1)
    array.setflags(write=False)
    return array
