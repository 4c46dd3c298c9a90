"""Asks the oracle about layers given as arrays; what holds it against other truths shares this."""

from __future__ import annotations

import numpy as np

from reference.chosen import Conventions
from reference.conventions import REGISTRY
from reference.oracle import Oracle
from suites.vocabulary import ABSENT, Build, Layer, Tensor

USUAL = {
    axis.id: axis.values[0] if axis.paper is None else axis.paper for axis in REGISTRY.values()
}
DEBIASING = ("running-mean-debiasing", "running-variance-debiasing")
"""The axes that say whether running statistics are corrected unasked."""


def debiasing(value):
    """Return the conventions that correct every running statistic so, unasked."""
    return dict.fromkeys(DEBIASING, value)


def tensor(values):
    array = np.asarray(values, dtype=np.float64)
    return Tensor("float64", array.shape, tuple(array.ravel().tolist()))


def layer_of(channels, **said):
    """Return a float64 layer with gamma and beta; initial values are numbers or one per channel."""
    for name in ("gamma", "beta", "running_mean", "running_variance"):
        if said.get(name, ABSENT) is not ABSENT:
            said[name] = tensor(np.broadcast_to(said[name], (channels,)))
    usual = {"rank": 2, "dtype": "float64", "center": True, "scale": True}
    return Layer(channels=channels, **{**usual, **said})


def run(layer, *steps, **changed):
    """Return what is expected after the last step; a convention's dashes may be written as _."""
    changes = {axis.replace("_", "-"): value for axis, value in changed.items()}
    oracle = Oracle(layer, Conventions({**USUAL, **changes}))
    found = oracle.expect(Build(), {}).quantities
    for step in steps:
        found = oracle.expect(step, found).quantities
    return found
