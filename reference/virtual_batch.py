"""Which samples a virtual batch size puts together, and what joins the groups again.

Clauses BN-13.1 to BN-13.5; derivations in `reference/ERROR_BOUNDS.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reference.bounded import Array, Bounded
from reference.normalisation import Gradients, Normaliser, Sizes, beta_gradient
from reference.rounding import Format


def groups(rows: int, samples: int, size: int, rule: str) -> list[Any]:
    """Return the rows of pooled input that each group holds.

    `rows` are those of all `samples`, sample by sample; `size` is the number of samples of a group.
    """
    positions = rows // samples if samples else 0
    number = -(-samples // size)
    order = np.arange(samples)
    kin = order % number if rule == "every G-th sample" and samples % size == 0 else order // size
    of_row = np.repeat(kin, positions)
    return [np.flatnonzero(of_row == group) for group in range(number)]


def scattered(parts: Sequence[Bounded], rows: Sequence[Array]) -> Bounded:
    """Return the values of all groups in the order of the rows."""
    count = sum(len(each) for each in rows)
    value = np.empty((count, parts[0].value.shape[1]))
    bound = np.empty_like(value)
    for part, where in zip(parts, rows, strict=True):
        value[where], bound[where] = part.value, part.bound
    return Bounded(value, bound)


def joined(
    parts: Sequence[Gradients],
    rows: Sequence[Array],
    of: tuple[Array, Array],
    by: Sequence[Normaliser],
    form: Format,
) -> Gradients:
    """Return the gradients of all groups: dx side by side, those of gamma and beta summed.

    Terms may be added group by group or all at once: n + 2 roundings of each over the whole batch
    are granted besides those of the groups. `of` are x and dy of the batch. Clause BN-13.5.
    """
    x, dy = of
    with np.errstate(all="ignore"):
        value = sum((part.dgamma.value for part in parts), np.zeros(x.shape[1]))
        error = sum((part.dgamma.bound for part in parts), np.zeros(x.shape[1]))
        size = np.zeros(x.shape[1])
        for where, each in zip(rows, by, strict=True):
            at = Sizes.of(x[where], each, form)
            size = size + (np.abs(dy[where]) * at.offset).sum(axis=0) * at.inverse
        error = error + form.accumulated(len(x) + 2) * (size + error)
        dgamma = form.settled(value, error + len(parts) * 2 * form.flush, size)
    dx = scattered([part.dx for part in parts], rows)
    return Gradients(dx, dgamma, beta_gradient(dy, form))


def mean_of(parts: Sequence[Bounded], form: Format) -> Bounded:
    """Return the mean of some quantities: n − 1 additions and a division of two roundings."""
    number = len(parts)
    total = np.zeros_like(parts[0].value)
    value = sum((part.value for part in parts), total) / number
    size = sum((part.magnitude for part in parts), total) / number
    error = sum((part.bound for part in parts), total) / number
    error = error + form.accumulated(number + 1) * size + 2 * form.flush + form.loss
    return form.settled(value, error, size * number)
