"""Tiny: tiny_framework.BatchNorm, with what `Switched` knows of frameworks of its kind."""

from __future__ import annotations

import numpy as np
import tiny_framework as tf

from adapters.answers import NotExpressible, framework_call
from adapters.switched import Switched


def versions():
    return {"tiny_framework": tf.__version__}


class Model:
    def __init__(self, bn):
        self.bn = bn

    def __call__(self, x):
        return self.bn(x)

    def train(self, mode=True):  # noqa: FBT002 - as frameworks have it
        self.bn.train(mode)

    def eval(self):
        self.bn.eval()


class Program(Switched):
    framework = "tiny_framework"
    variables = {  # noqa: RUF012 - as an adapter is written
        "gamma": "weight",
        "beta": "bias",
        "running_mean": "mean",
        "running_variance": "var",
    }

    def __init__(self, layer):
        self.layer = layer
        if layer.get("track_running_statistics") is False or layer.get("scale") is False:
            raise NotExpressible("tiny_framework.BatchNorm always has all of its variables.")
        if layer["dtype"].endswith("float16"):
            raise NotExpressible("tiny_framework computes in float32 and float64 only.")
        arguments = self.arguments()
        arguments = {name: arguments[name] for name in ("momentum", "eps") if name in arguments}
        with framework_call():
            self.bn = tf.BatchNorm(layer["channels"], dtype=layer["dtype"], **arguments)

    @property
    def moves(self):
        return self.layer.get("channel_axis", "last") == "last"

    def tensor(self, array):
        array = np.asarray(array, self.layer["dtype"])
        return np.moveaxis(array, -1, 1) if self.moves and array.ndim > 1 else array.copy()

    def array(self, tensor):
        tensor = np.array(tensor)
        return np.moveaxis(tensor, 1, -1) if self.moves and tensor.ndim > 1 else tensor

    def execute(self, x, dy, dx_weights):
        if dx_weights is not None:
            raise NotExpressible("tiny_framework has no second-order gradients.")
        seen = {"output": self.apply(x)}
        if dy is None:
            return seen
        dx, dgamma, dbeta = self.bn.backward(dy)
        parameters = {} if self.bn.frozen else {"dgamma": dgamma, "dbeta": dbeta}
        return {**seen, "dx": dx, **parameters}

    def compose(self):
        return Model(self.bn)

    def loss(self, x, dy):
        return (dy * self.apply(x)).sum() / np.asarray(len(x), x.dtype)

    def descend(self, x, dy, learning_rate):
        loss = self.loss(x, dy)
        if not self.bn.frozen:
            _, dweight, dbias = self.bn.backward(dy / np.asarray(len(x), x.dtype))
            rate = np.asarray(learning_rate, x.dtype)
            self.bn.weight, self.bn.bias = (
                self.bn.weight - rate * dweight,
                self.bn.bias - rate * dbias,
            )
        return loss

    def set_trainable(self, value, target):  # noqa: ARG002 - a model is its layer
        self.bn.frozen = not value

    def trainable(self):
        return 0 if self.bn.frozen else 2


NOT_EXPRESSIBLE = {
    "compile": "tiny_framework has no step that prepares a model for training.",
    "reset_statistics": "tiny_framework has no method that resets the running statistics.",
}
