"""How executions move the running statistics: when, how often, by what, and in which order.

States hold running statistics, gamma, beta and the counter by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from reference.bounded import Array, Bounded, exact
from reference.chosen import Conventions
from reference.later import Later, Quantities
from reference.layer import RENORMALISING, STATISTICS, WARM_UP, ZERO_DEBIAS, LayerMeaning
from reference.moments import Moments, batch_moments, scaled
from reference.program import Execution, Switches
from reference.repeated import blended_often
from reference.rounding import Format, stored
from reference.running import Debiased, Hidden, Weights, blended, corrected, debiased, fresh
from reference.virtual_batch import mean_of
from reference.weighted import Weighting, of_nothing, weighted_moments
from suites.vocabulary import Layer, Updates

AGAIN = "within the call and again in the backward pass"


@dataclass(frozen=True)
class Batch:
    """One pooled input, shape ``(n, channels)``; its statistics are worked out when wanted.

    `weights`, shape ``(n,)``, say how much each row counts, where that is not the same; `groups`
    which rows are normalised together, where not all are.
    """

    x: Array
    layer: Updating
    weights: Array | None = None
    groups: tuple[Array, ...] = ()

    @property
    def count(self) -> int:
        """Return n, the number of values per channel."""
        return len(self.x)

    @property
    def spoiled(self) -> Any:
        """Return which channels a NaN or an infinity gets into, shape ``(channels,)``."""
        return self.spoiled_by_nan | ~np.isfinite(self.x).all(axis=0)

    @property
    def spoiled_by_nan(self) -> Any:
        """Return which channels a NaN gets into, shape ``(channels,)``.

        All do that have statistics of NaN because nothing weighs. Clause BN-11.6.
        """
        nan = np.isnan(self.x).any(axis=0)
        if self.weighting is None or self.weighting.total:
            return nan
        return nan | np.isnan(self.moments.mean.value)

    @cached_property
    def parts(self) -> list[Batch]:
        """Return the groups as batches of their own; a batch without groups is one."""
        if not self.groups:
            return [self]
        return [Batch(self.x[rows], self.layer) for rows in self.groups]

    @property
    def spoiling(self) -> Any:
        """Return which channels hold a NaN or an infinity that reaches the batch statistics."""
        by = self.weighting
        return self.spoiled if by is None else ~np.isfinite(by.counted(self.x)).all(axis=0)

    @cached_property
    def weighting(self) -> Weighting | None:
        """Return how much the rows count, where that is not the same. Clause BN-11.1."""
        if self.weights is None:
            return None
        conventions = self.layer.conventions
        zero = bool((self.weights == 0).any())
        keeps_out = zero and conventions["masked-non-finite"] == "kept out"
        return Weighting(self.weights, conventions.number("mask-weight-guard"), keeps_out)

    @cached_property
    def moments(self) -> Moments:
        """Return the batch statistics."""
        return self.layer.moments(self)


def the_same(average: Debiased | None) -> Debiased | None:
    """Return what it is given."""
    return average


class Updating:
    """A layer under conventions, with the switches and the hidden state of its program."""

    def __init__(self, layer: Layer, conventions: Conventions) -> None:
        self.meaning = LayerMeaning(layer, conventions)
        self.conventions = conventions
        self.switches = Switches(layer, conventions)
        self.hidden: Later[Hidden] = Later(Hidden)

    @property
    def form(self) -> Format:
        """Return the format of the arithmetic."""
        return self.meaning.form

    def shown(self, name: str, value: Bounded) -> Bounded:
        """Return a quantity as it is stored."""
        return self.meaning.stored(name, value)

    def moments_are_rounded(self) -> bool:
        """Tell whether batch statistics are rounded to a low-precision dtype. Clause BN-10.3."""
        return self.meaning.narrow is not None and (
            self.conventions["low-precision-batch-moments"] != "float32"
        )

    def moments(self, batch: Batch) -> Moments:
        """Return the batch statistics under the conventions' variance algorithm."""
        if batch.weighting is not None:
            found = self.weighted_moments(batch.x, batch.weighting)
        else:
            algorithm = str(self.conventions["variance-algorithm"])
            found = batch_moments(batch.x, self.form, algorithm)
        form = self.meaning.narrow
        if form is not None and self.moments_are_rounded():
            found = replace(found, mean=stored(found.mean, form))
            if self.conventions["low-precision-batch-moments"] == "the layer's dtype":
                found = replace(found, variance=stored(found.variance, form))
        return found

    def weighted_moments(self, x: Array, by: Weighting) -> Moments:
        """Return the statistics of a weighted batch. Clauses BN-11.1 and BN-11.6."""
        if by.total:
            return weighted_moments(x, by, self.form)
        nothing = self.conventions["mask-of-everything"]
        return of_nothing(x, np.nan if nothing == "statistics become NaN" else 0.0)

    def updated(
        self,
        batch: Batch,
        execution: Execution,
        state: Quantities,
        updates: Updates,
        *,
        backward: bool,
        again: Callable[[], bool] = bool,
    ) -> Quantities:
        """Return the state after the running statistics took in a batch as often as they do.

        `backward` and `again` are as in `times`.
        """
        start = self.hidden

        def moved() -> tuple[Quantities, Hidden]:
            found = state, start()
            if self.moves(execution):
                for _ in range(self.times(updates, backward=backward, again=again)):
                    for part in self.taken_in_at_once(batch):
                        found = self.taken_in(part, *found)
            return found

        result = Later(moved)
        self.hidden = Later(lambda: result()[1])
        moving = (*STATISTICS, *RENORMALISING, "updates_counted")
        changing = [name for name in moving if name in state]
        return state.with_({name: partial(lambda key: result()[0][key], name) for name in changing})

    def taken_in_at_once(self, batch: Batch) -> list[Batch]:
        """Return what each update takes in: the batch, or its groups in turn. Clause BN-13.4."""
        if batch.groups and self.conventions["virtual-batch-updates"] == "by each group in turn":
            return batch.parts
        return [batch]

    def moves(self, execution: Execution) -> bool:
        """Return whether an execution moves the running statistics.

        Clauses BN-4.12, BN-5.1 and BN-5.2.
        """
        if not self.meaning.tracks:
            return False
        if not self.switches.tracking:
            return self.conventions["updates-with-tracking-switched-off"] == "in every execution"
        if execution.run == "training":
            return execution.statistics_move
        return self.conventions["inference-updates"] == "always"

    def times(self, updates: Updates, *, backward: bool, again: Callable[[], bool]) -> int:
        """Return how often one execution's update is applied. Clause BN-5.3.

        `backward` tells whether the user asks for the gradients of the execution; whoever does all
        that is documented runs the backward pass too, where that is what updates. `again` tells
        whether that pass reaches the layer, and so may execute it once more.
        """
        if backward and self.conventions.has("update-timing", AGAIN):
            return 1 + again()
        if updates == "documented":
            return 1
        if self.meaning.layer.updates_in_place is True:
            immediate = self.conventions["updates-in-place-argument"] == "updates within the call"
            timing = "within the call" if immediate else "when the update operations are run"
        else:
            timing = str(self.conventions["update-timing"])
        if updates == "twice":
            return 1 if timing == "when the returned state is adopted" else 2
        within = timing in ("within the call", AGAIN)
        return int(within or (timing == "in the backward pass" and backward))

    def taken_in(
        self, batch: Batch, state: Quantities, hidden: Hidden
    ) -> tuple[Quantities, Hidden]:
        """Return state and hidden state after one update of the running statistics."""
        before, after = hidden.updates, state
        if "updates_counted" in state and self.switches.tracking:
            after = after.with_(
                {"updates_counted": lambda: exact(state["updates_counted"].value + 1)}
            )

        def average(name: str) -> tuple[Bounded, Debiased | None]:
            counted = after["updates_counted"].value if "updates_counted" in after else before + 1
            weights = self.meaning.weights(name, float(counted), before)
            new = self.fed(name, batch)
            if self.meaning.correction(name) != ZERO_DEBIAS:
                return blended(state[name], new, weights, self.form), None
            earlier = hidden.averages.get(name)
            biased = earlier() if earlier is not None else None
            return debiased(biased or fresh(state[name]), new, weights, self.form)

        averages = {name: Later(partial(average, name)) for name in STATISTICS}

        def running(name: str) -> Bounded:
            if batch.count == 0 and not self.fed_zero(name):
                return self.fed_nothing(state[name])
            return self.shown(name, self.kept_out(batch, state[name], averages[name]))

        def kept_average(name: str) -> Debiased | None:
            if batch.count or self.conventions["empty-batch"] != "statistics stay":
                return averages[name]()[1]
            earlier = hidden.averages.get(name)
            return None if earlier is None else earlier()

        kept = {name: partial(kept_average, name) for name in STATISTICS}
        taken = after.with_({name: partial(running, name) for name in STATISTICS})
        return taken, Hidden(kept, before + 1)

    def taken_in_often(
        self, batch: Batch, state: Quantities, hidden: Hidden, times: int
    ) -> tuple[Quantities, Hidden] | None:
        """Return the same after many updates by one batch; None where each must be followed.

        Those are the ones that round what they keep, or meet numbers that are not finite.
        """
        if not times:
            return state, hidden
        special = batch.weighting is not None or batch.groups or self.meaning.renormalises
        if self.meaning.low_precision or special or not batch.count or batch.spoiled.any():
            return None
        counted = state["updates_counted"].value if "updates_counted" in state else hidden.updates
        after = state
        if "updates_counted" in state and self.switches.tracking:
            after = after.with_({"updates_counted": exact(counted + times)})
        averages = {}
        for name in STATISTICS:
            weights = self.weights_often(name, float(counted), hidden.updates, times)
            zero_debias = self.meaning.correction(name) == ZERO_DEBIAS
            earlier = hidden.averages[name]() if name in hidden.averages else None
            biased = earlier or fresh(state[name])
            old = biased.biased if zero_debias else state[name]
            found = blended_often(old, self.fed(name, batch), weights, self.form)
            if found is None:
                return None
            average = None
            if zero_debias:
                average = Debiased(found, biased.updates + times)
                found = corrected(found, average.updates, weights[-1], self.form)
            averages[name] = Later(partial(the_same, average))
            after = after.with_({name: found})
        return after, Hidden(averages, hidden.updates + times)

    def weights_often(self, name: str, counted: float, before: int, times: int) -> list[Weights]:
        """Return the weights of so many updates of a statistic, in their order."""
        if not self.meaning.cumulative and self.meaning.correction(name) != WARM_UP:
            return [self.meaning.weights(name, counted + 1, before)] * times
        return [
            self.meaning.weights(name, counted + turn + 1, before + turn) for turn in range(times)
        ]

    def fed(self, statistic: str, batch: Batch) -> Bounded:
        """Return what a running statistic is fed from a batch; zeros from an empty one."""
        if batch.count == 0:
            return exact(np.zeros(batch.x.shape[1]))
        if batch.groups:
            return mean_of([self.fed(statistic, part) for part in batch.parts], self.form)
        if statistic == "running_mean":
            return batch.moments.mean
        if batch.weighting is None:
            factor = self.meaning.variance_factor(batch.count)
        else:
            factor = self.meaning.weighted_variance_factor(batch.weighting.total)
        variance = batch.moments.variance
        return variance if factor == 1 else scaled(variance, factor, self.form)

    def fed_zero(self, statistic: str) -> bool:
        """Tell whether a batch of no samples counts as one of variance zero. Clause BN-3.5."""
        return statistic == "running_variance" and (
            self.conventions["empty-batch"] == "mean becomes NaN"
        )

    def fed_nothing(self, old: Bounded) -> Bounded:
        """Return a running statistic after a batch of no samples. Clause BN-3.5."""
        if self.conventions["empty-batch"] == "statistics stay":
            return old
        return exact(np.full_like(old.value, np.nan))

    def kept_out(
        self, batch: Batch, old: Bounded, new: Later[tuple[Bounded, Debiased | None]]
    ) -> Bounded:
        """Return a running statistic, with its old value where a NaN is kept out.

        Clauses BN-9.2 and BN-9.6.
        """
        value, _ = new()
        if not batch.spoiling.any() or (
            self.conventions["non-finite-input"] == "reaches the running statistics"
        ):
            return self.ruined(batch, old, value)
        return Bounded(
            np.where(batch.spoiling, old.value, value.value),
            np.where(batch.spoiling, old.bound, value.bound),
        )

    def ruined(self, batch: Batch, old: Bounded, new: Bounded) -> Bounded:
        """Return a running statistic: NaN where a NaN went in, not finite where an infinity did."""
        nan = batch.spoiled_by_nan | old.is_nan
        ruined = (batch.spoiled | ~np.isfinite(old.value)) & ~np.isfinite(new.value)
        if not ruined.any():
            return new
        return Bounded(
            np.where(ruined, np.nan, new.value),
            np.where(ruined, np.where(nan, 0.0, np.inf), new.bound),
        )
