"""BatchNorm in the style of Keras 3: the mode is an argument of each call, inference by default.

Sources: https://keras.io/api/layers/normalization_layers/batch_normalization/ and
https://keras.io/guides/transfer_learning/ (what `trainable` means).
"""

from __future__ import annotations

import ml_dtypes  # noqa: F401 - registers bfloat16 with NumPy
import numpy as np

from tests.fakes.plain_penalties import CONSTRAINTS, INITIALIZERS, PENALTIES
from tests.fakes.plain_program import EVERYWHERE, PlainProgram, fed


def versions():
    """Return the version of this fake."""
    return {"argument-style-fake": "1"}


class Program(PlainProgram):
    """Freezing the layer puts it in inference mode; what is written inside a model wins."""

    framework = "The argument-style fake"
    arguments = (
        EVERYWHERE
        | {"trainable", "zero_debias", "updates_in_place", "policy", "channel_axis_argument"}
        | PENALTIES
        | CONSTRAINTS
        | INITIALIZERS
    )
    dtypes = ("float16", "bfloat16", "float32", "float64")
    meanings = {  # noqa: RUF012 - a constant that a fault overrides; None is "not said"
        "absent": None,
        "None": None,
        "False": False,
        "0": False,
        "True": True,
        "1": True,
    }
    bare_call = False

    def resolve(self, tag, mode="python"):
        """Return what the model's own words say, else the call's, else inference."""
        for said in (self.written_in_model, fed(tag, mode)):
            meaning = self.meanings[said]
            if meaning is not None:
                return meaning
        return self.bare_call

    def dtype_of_output(self):
        """Return the dtype a mixed policy names, or the layer's."""
        policy = self.layer.get("policy")
        return np.dtype(policy[len("mixed_") :]) if policy else super().dtype_of_output()

    def trains(self, requested):
        """A frozen layer runs in inference mode, even with training=True."""
        return requested and self.trainable

    def compile(self, learning_rate):
        """Nothing to prepare: `fit` reads `trainable` and its learning rate itself."""

    def set_trainable(self, value, target):  # noqa: ARG002 - a model hands it to its one layer
        """Freeze or unfreeze the layer."""
        self.trainable = value


NOT_EXPRESSIBLE = {
    "train_mode": "The mode is an argument of each call, not a switch.",
    "eval_mode": "The mode is an argument of each call, not a switch.",
    "set_tracking": "The layer always keeps its statistics.",
    "reset_statistics": "The layer has no method that resets its statistics.",
    "cast": "The dtype of a layer is said once, when it is constructed.",
}
