"""An adapter as its author would write it on the first afternoon, without a mistake."""

from __future__ import annotations

import numpy as np
import tiny_framework as tf

from adapters.answers import VALUES_OF_TRAINING, NotExpressible, framework_call, only, renamed

RENAMED = {"momentum_argument": "momentum", "epsilon": "eps", "dtype": "dtype"}
VARIABLES = {"gamma": "weight", "beta": "bias", "running_mean": "mean", "running_variance": "var"}
OTHERS = {"channels", "rank", "decay", "center", "scale", "channel_axis"}


def versions():
    return {"tiny_framework": tf.__version__}


class Program:
    def __init__(self, layer):
        only({*RENAMED, *VARIABLES, *OTHERS}, layer, "tiny_framework.BatchNorm")
        if not (layer.get("center", True) and layer.get("scale", True)):
            raise NotExpressible("tiny_framework.BatchNorm always has a weight and a bias.")
        arguments = renamed(layer, RENAMED)
        if "decay" in layer:
            arguments["momentum"] = 1 - layer["decay"]
        with framework_call():
            self.bn = tf.BatchNorm(layer["channels"], **arguments)
        self.layer = layer
        self.built = False

    def build(self):
        for name, own in VARIABLES.items():
            if name in self.layer:
                setattr(self.bn, own, np.array(self.layer[name]))
        self.built = True

    def call(self, x, training, dy, mode, updates, repeat, dx_weights):
        if mode != "python" or updates == "twice" or dx_weights is not None:
            raise NotExpressible("tiny_framework has no such thing.")
        if training != "absent":
            self.bn.train(VALUES_OF_TRAINING[training])
        for _ in range(repeat):
            output = self.forward(x)
        seen = {"output": output}
        if dy is not None:
            dx, dgamma, dbeta = self.bn.backward(self.moved(dy))
            seen["dx"] = self.back(dx)
            if not self.bn.frozen:
                seen.update(dgamma=dgamma, dbeta=dbeta)
        return seen

    def forward(self, x):
        with framework_call():
            return self.back(self.bn(self.moved(x)))

    def moved(self, x):
        return np.moveaxis(x, -1, 1)

    def back(self, x):
        return np.moveaxis(x, 1, -1)

    def set_trainable(self, value, target):  # noqa: ARG002 - there is only the layer
        self.bn.frozen = not value

    def observe(self):
        if not self.built:
            return {}
        seen = {name: getattr(self.bn, own) for name, own in VARIABLES.items()}
        return {**seen, "trainable_parameters": 0 if self.bn.frozen else 2}


NOT_EXPRESSIBLE = {
    "compile": "tiny_framework has no step that prepares a model for training.",
}
