"""One execution that applies the layer to two inputs: what each sees, what the statistics become.

Clause BN-5.4 names the orders.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.conventions import OPEN_ORDER
from reference.executor import Executor, Gradient, Part
from reference.later import Later, Quantities
from reference.layer import STATISTICS
from reference.normalisation import Normaliser
from reference.program import Execution, Refusal
from reference.running import Hidden
from reference.updating import Batch
from suites.vocabulary import Layer


class SharedExecutor(Executor):
    """An executor of two applications at once; `alternatives` are further states that conform."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        super().__init__(layer, conventions)
        self.alternatives: list[Quantities] = []

    def normalisers(
        self,
        axis: str,
        batches: list[Batch],
        execution: Execution,
        state: Quantities,
        start: Later[Hidden],
    ) -> list[Normaliser | None]:
        """Return what each of two applications normalises with; None where their order is open.

        Where running statistics normalise, an application that comes later finds them as the
        earlier one left them, unless both start from the same. `start` is the hidden state before.
        """
        if self.corrects(execution):  # No convention says by what each is corrected.
            return [None, None]
        if not self.by_running_statistics(execution):
            return [self.normaliser(batch, execution, state, state) for batch in batches]
        rule = self.conventions[axis] if self.moves(execution) else "both from the value before"
        if rule == OPEN_ORDER:
            return [None, None]
        order = [1, 0] if rule == "in reverse order" else [0, 1]
        found: list[Normaliser | None] = [None, None]
        before, present = state, self.hidden
        self.hidden = start
        for index in order:
            batch = batches[index]
            after = self.updated(batch, execution, before, "documented", backward=False)
            found[index] = self.normaliser(batch, execution, before, after)
            if rule in {"in call order", "in reverse order"}:
                before = after
            else:
                self.hidden = start
        self.hidden = present
        return found

    def flowing_back_from_both(
        self,
        batches: list[Batch],
        weights: tuple[Array, Array],
        execution: Execution,
        state: Quantities,
        normalisers: Callable[[], list[Normaliser | None]],
    ) -> Quantities:
        """Return the gradients of two applications: one to each input, sums to the parameters.

        Anything where the order of the applications is open. Clause BN-7.6.
        """

        def parts(index: int) -> Quantities:
            by = normalisers()[index]
            batch, gradient = batches[index], Gradient(weights[index])
            statistics = partial(self.statistics, batch, execution, state, state)
            if by is not None:
                told = partial(self.told, batch, state)
                part = Part(batch, statistics, Later(lambda: by), None)
                return self.flowing_back(batch, gradient, execution, [part], told)
            zero = np.zeros_like(batch.x)
            open_ = {"dx": Bounded(zero, np.full_like(zero, np.inf))}
            channel = Bounded(zero.sum(axis=0), np.full(zero.shape[1], np.inf))
            open_.update(self.learned({"dgamma": channel, "dbeta": channel}, execution))
            return Quantities(open_)

        if self.by_running_statistics(execution) and (
            self.conventions.has("inference-gradient", "refused")
        ):
            raise Refusal
        both = [Later(partial(parts, index)) for index in (0, 1)]
        found = {"dx": lambda: both[0]()["dx"], "dx_of_second": lambda: both[1]()["dx"]}
        names = self.learned(dict.fromkeys(("dgamma", "dbeta")), execution)
        sums = {name: partial(self.sum_of_both, both, name) for name in names}
        return Quantities({**found, **sums})

    def sum_of_both(self, both: list[Later[Quantities]], name: str) -> Bounded:
        """Return the sum of one gradient over two applications: one rounding more."""
        one, other = (each()[name] for each in both)
        size = one.magnitude + other.magnitude
        bound = one.bound + other.bound + self.form.accumulated(1) * size + self.form.flush
        return self.shown(name, Bounded(one.value + other.value, bound))

    def updated_twice(
        self, axis: str, batches: list[Batch], execution: Execution, state: Quantities
    ) -> Quantities:
        """Return the state after one execution updated the running statistics from two batches.

        Where the order is open, it is open for each statistic by itself.
        """
        if not self.moves(execution):
            return state
        rule = str(self.conventions[axis])
        if rule == OPEN_ORDER:
            orders = ("in call order", "in reverse order", "both from the value before")
            start, outcomes = self.hidden, []
            for order in orders:
                self.hidden = start
                outcomes.append(self.in_order(order, batches, execution, state))
            first, *self.alternatives = (
                mean.with_({"running_variance": partial(variance.__getitem__, "running_variance")})
                for mean, variance in itertools.product(outcomes, repeat=2)
            )
            return first
        return self.in_order(rule, batches, execution, state)

    def in_order(
        self, rule: str, batches: list[Batch], execution: Execution, state: Quantities
    ) -> Quantities:
        """Return the state after two updates under one value of `shared-layer-updates`."""
        orders = {
            "in call order": batches,
            "in reverse order": batches[::-1],
            "last call only": batches[1:],
            "first call only": batches[:1],
        }
        start = self.hidden
        if rule in orders:
            after = state
            for batch in orders[rule]:
                after = self.updated(batch, execution, after, "documented", backward=False)
            return after
        changes = []
        for batch in batches:
            self.hidden = start
            changes.append(self.updated(batch, execution, state, "documented", backward=False))
        last = self.hidden
        self.hidden = Later(lambda: replace(last(), updates=start().updates + len(batches)))
        after = state.with_(
            {name: partial(self.summed, name, state, changes) for name in STATISTICS}
        )
        if "updates_counted" in state:
            total = exact(state["updates_counted"].value + len(batches))
            after = after.with_({"updates_counted": total})
        return after

    def summed(self, name: str, state: Quantities, changes: list[Quantities]) -> Bounded:
        """Return a statistic after adding the changes two updates made to the same value."""
        old = state[name]
        value = sum((change[name].value - old.value for change in changes), old.value)
        bound = sum((change[name].bound for change in changes), old.bound)
        size = sum((change[name].magnitude for change in changes), old.magnitude)
        return Bounded(value, bound + self.form.accumulated(3) * size)
