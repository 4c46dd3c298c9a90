"""How a renormalising layer corrects what it puts out, and what its averages take in.

Clauses BN-12.1 and BN-12.6 to BN-12.8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from reference.bounded import Bounded, exact
from reference.later import Later, Quantities
from reference.renormalisation import (
    Clipping,
    Correction,
    correction,
    deviation,
    mixed,
    raised,
    root_of,
    squared_less,
)
from reference.running import Debiased, Hidden, Weights, blended, debiased, fresh
from reference.updating import Batch, Updating

PAIR = ("renorm_mean", "renorm_deviation")
Kept = tuple[Bounded, Debiased | None]


class Renormalising(Updating):
    """A layer that may correct its batch statistics by averages of earlier ones."""

    def spread(self, variance: Bounded, *, nonnegative: bool = True) -> Bounded:
        """Return the deviation of a variance, epsilon counted in."""
        placement = str(self.conventions["epsilon-placement"])
        epsilon = self.meaning.epsilon
        return deviation(variance, epsilon, placement, self.form, nonnegative=nonnegative)

    def of_batch(self, batch: Batch) -> tuple[Bounded, Bounded]:
        """Return the mean of a batch and its deviation."""
        found = batch.moments
        return found.mean, self.spread(found.variance, nonnegative=found.nonnegative)

    def correction(self, batch: Batch, before: Quantities, hidden: Later[Hidden]) -> Correction:
        """Return ρ and δ of a batch, from the state before it. Clauses BN-12.1 and BN-12.2."""
        mean, spread = self.of_batch(batch)
        centre, scale = self.averages(mean, spread, before, hidden)
        least = root_of(self.meaning.epsilon, scale, self.form)
        near = bool((scale.lower < least.upper).any())
        if near and self.conventions["renormalisation-deviation-floor"] == "root of epsilon":
            scale = raised(scale, least)
        written = dict(self.meaning.clipping)
        rule = "0"
        if "rmax" in written and "rmin" not in written:
            rule = str(self.conventions["renormalisation-least-ratio"])
        clipping = Clipping.written(written, rule)
        return correction(mean, spread, (centre, scale), clipping, self.form)

    def averages(
        self, mean: Bounded, spread: Bounded, before: Quantities, hidden: Later[Hidden]
    ) -> tuple[Bounded, Bounded]:
        """Return μ and σ. Clause BN-12.6."""
        if not self.meaning.corrects_by_a_pair:
            if self.meaning.averages_deviation:
                return before["running_mean"], held(before, "running_deviation", mean)
            return before["running_mean"], self.spread(before["running_variance"])
        if self.meaning.pair_is_seen:
            return held(before, PAIR[0], mean), held(before, PAIR[1], mean)
        found = []
        for name, batch in zip(PAIR, (mean, spread), strict=True):
            kept = self.kept_apart(hidden(), name, batch)
            weight = exact(np.zeros_like(batch.value))
            for _ in range(kept.updates):
                one = exact(np.ones_like(batch.value))
                weight = blended(weight, one, self.meaning.renormalising_weights, self.form)
            found.append(mixed(kept.biased, weight, batch, self.form))
        return found[0], found[1]

    def kept_apart(self, hidden: Hidden, name: str, like: Bounded) -> Debiased:
        """Return the hidden state of an average."""
        earlier = hidden.averages.get(name)
        return (earlier() if earlier is not None else None) or fresh(like)

    def taken_in(
        self, batch: Batch, state: Quantities, hidden: Hidden
    ) -> tuple[Quantities, Hidden]:
        """Return state and hidden state after one update of all averages of the layer."""
        if not self.meaning.renormalises or not batch.count:
            return super().taken_in(batch, state, hidden)
        weights = self.meaning.renormalising_weights
        moments = Later(lambda: self.of_batch(batch))
        new: dict[str, Callable[[], Bounded]] = {
            "renorm_mean": lambda: moments()[0],
            "renorm_deviation": lambda: moments()[1],
        }

        def averaged(name: str) -> Kept:
            if self.meaning.pair_is_seen:
                old = held(state, name, new[name]())
                return blended(old, new[name](), weights, self.form), None
            kept = self.kept_apart(hidden, name, new[name]())
            return debiased(kept, new[name](), weights, self.form)

        pair = {name: Later(partial(averaged, name)) for name in PAIR}
        changes: dict[str, Callable[[], Bounded]] = {}
        if self.meaning.corrects_by_a_pair and self.meaning.pair_is_seen:
            changes = {name: partial(self.first, name, pair[name]) for name in PAIR}
        changes |= self.for_inference(batch, state, hidden, pair, new)
        if "updates_counted" in state:
            changes["updates_counted"] = lambda: exact(state["updates_counted"].value + 1)
        hides = self.meaning.corrects_by_a_pair and not self.meaning.pair_is_seen
        averages = {name: partial(second_of, pair[name]) for name in PAIR} if hides else {}
        return state.with_(changes), Hidden(averages, hidden.updates + 1)

    def first(self, name: str, pair: Later[Kept]) -> Bounded:
        """Return the average of a pair, as it is stored."""
        return self.shown(name, pair()[0])

    def for_inference(
        self,
        batch: Batch,
        state: Quantities,
        hidden: Hidden,
        pair: dict[str, Later[Kept]],
        new: dict[str, Callable[[], Bounded]],
    ) -> dict[str, Callable[[], Bounded]]:
        """Return the running statistics after one update. Clause BN-12.7."""
        rule = self.conventions["renormalised-running-variance"]

        def weights(name: str) -> Weights:
            return self.meaning.weights(name, hidden.updates + 1, hidden.updates)

        def blend(name: str, value: Bounded) -> Bounded:
            like = "running_variance" if name == "running_deviation" else name
            old = held(state, name, value)
            return self.shown(name, blended(old, value, weights(like), self.form))

        if rule == "from the averages that correct":
            if not self.meaning.corrects_by_a_pair:
                # The running statistics themselves correct: nothing is there to come from.
                raise ZeroDivisionError
            epsilon = self.meaning.epsilon
            return {
                "running_mean": lambda: blend("running_mean", pair["renorm_mean"]()[0]),
                "running_variance": lambda: blend(
                    "running_variance",
                    squared_less(pair["renorm_deviation"]()[0], epsilon, self.form),
                ),
            }
        found = {"running_mean": lambda: blend("running_mean", new["renorm_mean"]())}
        if rule == "an average of the variance":
            found["running_variance"] = lambda: blend(
                "running_variance", self.fed("running_variance", batch)
            )
            return found
        average = Later(lambda: blend("running_deviation", new["renorm_deviation"]()))
        found["running_deviation"] = average
        found["running_variance"] = lambda: self.shown(
            "running_variance", squared_less(average(), self.meaning.epsilon, self.form)
        )
        return found


def held(state: Quantities, name: str, like: Bounded) -> Bounded:
    """Return a quantity of a state, or anything where whoever was observed has none such."""
    if name in state:
        return state[name]
    return Bounded(np.zeros_like(like.value), np.full_like(like.value, np.inf))


def second_of(pair: Later[Kept]) -> Debiased | None:
    """Return the hidden part of an average."""
    return pair()[1]
