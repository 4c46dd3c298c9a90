"""Penalties, constraints, weight decay and initializers of a fake.

Each decision is a method of its own, so that a planted fault overrides exactly one.
"""

from __future__ import annotations

import numpy as np

PARAMETERS = ("gamma", "beta")
PENALTIES = frozenset({"gamma_penalty", "beta_penalty"})
CONSTRAINTS = frozenset({"gamma_constraint", "beta_constraint"})
INITIALIZERS = frozenset(
    {
        "gamma_initializer",
        "beta_initializer",
        "running_mean_initializer",
        "running_variance_initializer",
    }
)
SEED = 2


class Penalised:
    """What is added to the loss and to the step, for a program with `layer` and `bn`."""

    def initialized(self, name, value):
        """Return the initial value of a variable by its initializer, `value` where it has none."""
        written = self.layer.get(f"{name}_initializer")
        if written is None:
            return np.full(self.layer["channels"], value, float)
        channels = self.layer["channels"]
        if written == "uniform":
            return np.random.default_rng(SEED).uniform(0.25, 0.75, channels)
        return np.full(channels, {"ones": 1, "zeros": 0}.get(written, written), float)

    def penalty_on(self, name):
        """Return the coefficient of a parameter's penalty in the loss."""
        return self.layer.get(f"{name}_penalty", 0)

    def penalties(self):
        """Return what the penalties add to the loss."""
        total = 0.0
        for name in self.penalised():
            total += self.penalty_on(name) * float((getattr(self.bn, name) ** 2).sum())
        return total

    def penalised(self):
        """Return the parameters whose penalties enter the loss: those that learn."""
        return self.bn.learned() if self.learns() else []

    def slope_of_penalty(self, name):
        """Return what a penalty adds to the gradient of its parameter."""
        return 2 * self.layer.get(f"{name}_penalty", 0) * getattr(self.bn, name)

    def decayed(self, name, weight_decay):
        """Return what weight decay adds to the gradient of a parameter."""
        return weight_decay * getattr(self.bn, name)

    def pulled(self, gradients, weight_decay):
        """Return the gradients with what penalties and weight decay add to them."""
        found = dict(gradients)
        for name in self.bn.learned():
            added = self.slope_of_penalty(name) + self.decayed(name, weight_decay)
            if np.any(added):
                found[f"d{name}"] = found[f"d{name}"] + added
        return found

    def step(self, gradients, learning_rate, weight_decay):
        """Move the parameters, then constrain them."""
        self.bn.descend(self.pulled(gradients, weight_decay), learning_rate)
        self.constrain()

    def constrain(self):
        """Keep those parameters from being negative that are constrained so."""
        for name in self.bn.learned():
            if f"{name}_constraint" in self.layer:
                setattr(self.bn, name, self.projected(getattr(self.bn, name)))

    def projected(self, value):
        """Return the nearest value that the constraint admits."""
        return np.maximum(value, 0).astype(value.dtype)
