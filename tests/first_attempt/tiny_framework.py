"""A framework of one layer: channels second, the mode a switch, gradients on request."""

from __future__ import annotations

import numpy as np

__version__ = "0.3"


class BatchNorm:
    """Batch normalisation over all axes but the second."""

    def __init__(self, features, momentum=0.1, eps=1e-5, dtype="float32"):
        if momentum is None:
            message = "momentum must be a number"
            raise TypeError(message)
        self.momentum, self.eps, self.dtype = momentum, eps, np.dtype(dtype)
        self.weight, self.bias = np.ones(features, dtype), np.zeros(features, dtype)
        self.mean, self.var = np.zeros(features, dtype), np.ones(features, dtype)
        self.frozen = False
        self.training = True

    def train(self, mode=True):  # noqa: FBT002 - as frameworks have it
        """Switch to training."""
        self.training = bool(mode)

    def eval(self):
        """Switch to inference."""
        self.train(mode=False)

    def __call__(self, x):
        """Normalise; in training move the running statistics."""
        if x.ndim < 2 or x.shape[1] != self.weight.size:
            message = f"expected {self.weight.size} channels, got shape {x.shape}"
            raise ValueError(message)
        x = np.moveaxis(np.asarray(x, self.dtype), 1, -1)
        axes = tuple(range(x.ndim - 1))
        mean, var = (x.mean(axes), x.var(axes)) if self.training else (self.mean, self.var)
        if self.training:
            kept, new = self.dtype.type(1 - self.momentum), self.dtype.type(self.momentum)
            self.mean, self.var = kept * self.mean + new * mean, kept * self.var + new * var
        inverse = 1 / np.sqrt(var + self.dtype.type(self.eps))
        self.normal, self.inverse = (x - mean) * inverse, inverse
        return np.moveaxis(self.weight * self.normal + self.bias, -1, 1)

    def backward(self, dy):
        """Return the gradients of ``sum(dy * output)`` to the last input, weight and bias."""
        dy = np.moveaxis(np.asarray(dy, self.dtype), 1, -1)
        axes = tuple(range(dy.ndim - 1))
        dweight, dbias = (dy * self.normal).sum(axes), dy.sum(axes)
        dx = dy * self.weight
        if self.training:
            dx = dx - dx.mean(axes) - self.normal * (dx * self.normal).mean(axes)
        return np.moveaxis(dx * self.inverse, -1, 1), dweight, dbias
