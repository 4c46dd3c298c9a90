"""Many updates of a running statistic by one and the same batch, in one go.

`blended_often` returns what `reference.running.blended` does when it is applied again and again,
value and bound alike, in a time that ten thousand updates can afford: the value of each turn has a
closed form, or is a short sum, and the bound obeys a recurrence in plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from reference.bounded import Array, Bounded
from reference.rounding import Format
from reference.running import Weights


def blended_often(
    old: Bounded, batch: Bounded, weights: Sequence[Weights], form: Format
) -> Bounded | None:
    """Return the average after one update for each of `weights`, in their order.

    None where an intermediate may overflow, or is not a number: then each turn must be asked for.
    """
    shape = np.shape(old.value)
    numbers = (old.value, old.bound, batch.value, batch.bound)
    data = tuple(np.broadcast_to(each, shape).tobytes() for each in numbers)
    values, bounds = blended_bytes(data, tuple(weights), form)
    if not np.all(np.abs(values) + bounds < form.largest / 4):
        return None
    return Bounded(values.reshape(shape), bounds.reshape(shape))


@lru_cache(maxsize=1024)
def blended_bytes(
    data: tuple[bytes, ...], weights: tuple[Weights, ...], form: Format
) -> tuple[Array, Array]:
    """Return values and bounds, flat; one long run is judged under many conventions."""
    known = {each: Step.of(each, form) for each in set(weights)}
    steps = [known[each] for each in weights]
    channels = zip(*(np.frombuffer(each).tolist() for each in data), strict=True)
    found = [channel_blended(tuple(numbers), steps, form) for numbers in channels]
    values, bounds = zip(*found, strict=True)
    return np.array(values), np.array(bounds)


class Step:
    """The numbers that one update's bound is made of, apart from what it is applied to."""

    __slots__ = ("give", "keep", "of_give", "of_keep")

    def __init__(self, keep: float, give: float, of_keep: float, of_give: float) -> None:
        self.keep, self.give, self.of_keep, self.of_give = keep, give, of_keep, of_give

    @classmethod
    def of(cls, weights: Weights, form: Format) -> Step:
        """Return the numbers of one pair of weights."""
        return cls(weights.keep, weights.give, *weights.misread(form))


def channel_blended(
    numbers: tuple[float, ...], steps: Sequence[Step], form: Format
) -> tuple[float, float]:
    """Return value and bound of one channel after every step; see `reference.running.blended`.

    `numbers` are value and bound of the average, and of what it is fed.
    """
    value, error, new, new_error = numbers
    two, three, unit = form.accumulated(2), form.accumulated(3), form.roundoff
    loss = 3 * form.loss + 6 * form.flush
    size_of_new = abs(new) + new_error
    for step in steps:
        keep, give, of_keep, of_give = abs(step.keep), abs(step.give), step.of_keep, step.of_give
        size = abs(value) + error
        apart = abs(value - new) + error + new_error
        carried = keep * error + give * new_error
        value = step.keep * value + step.give * new
        summed = of_keep * size + of_give * size_of_new
        summed += two * ((keep + of_keep) * size + (give + of_give) * size_of_new)
        moved = of_give * apart + unit * (abs(value) + of_give * apart)
        moved += three * (give + of_give) * apart
        error = carried + max(summed, moved) + unit * carried + loss
    return value, error
