"""BatchNorm in the style of tf.contrib: updates are operations that the user runs.

Source: https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/contrib/layers/python/layers/layers.py
(`batch_norm`: its docstring on `updates_collections`, `is_training`, `scale` and `fused`).
"""

from __future__ import annotations

from tests.fakes.plain_features import StartsWithTheFirstBatch
from tests.fakes.plain_layer import SampleVarianceLayer
from tests.fakes.plain_penalties import INITIALIZERS, PENALTIES
from tests.fakes.plain_program import EVERYWHERE, PlainProgram, fed

RUNS = {"forgotten": 0, "documented": 1, "twice": 2}


def versions():
    """Return the version of this fake."""
    return {"deferred-style-fake": "1"}


class Layer(StartsWithTheFirstBatch, SampleVarianceLayer):
    """Moves an average by a fraction of its distance to the new value, if there is one."""

    fused = True
    keeps_masked_out = False
    interleaves = True
    groups_in_turn = smaller_last_group = False

    def update(self, execution):
        """Move the running statistics; a batch without samples has nothing to say about them."""
        if execution.x.size:
            super().update(execution)

    def update_running(self, old, new, decay):
        """Return the exponential average's next value."""
        return old - (old - new) * (1 - decay)

    def variance_for_running(self, variance, x):
        """Return the sample variance where the fused kernel runs: ranks 2 and 4."""
        if self.counting is None and self.fused and x.ndim in {2, 4}:
            return super().variance_for_running(variance, x)
        return variance


class Program(PlainProgram):
    """A bare call trains, and nothing moves the statistics but the update operations."""

    layer_class = Layer
    framework = "The deferred-style fake"
    arguments = (
        EVERYWHERE
        | {"trainable", "fused", "zero_debias", "updates_in_place", "channel_axis_argument"}
        | PENALTIES
        | INITIALIZERS
    )
    ways_to_restore = frozenset({"weights-file", "memory"})
    default_decay = 0.999
    default_scale = False
    another_dtype = "refused"
    meanings = {  # noqa: RUF012 - a constant that a fault overrides
        "absent": True,
        "None": True,
        "False": False,
        "0": False,
        "True": True,
        "1": True,
    }

    def construct(self, layer):
        """Return the layer, on the fused kernel unless the user declined it."""
        bn = super().construct(layer)
        bn.fused = layer.get("fused", True)
        return bn

    def takes_rank(self, rank):  # noqa: ARG002 - any
        """The function is applied anew each time, to whatever has as many channels."""
        return True

    def resolve(self, tag, mode="python"):
        """Return what is written in the model function, else what it is given and hands on."""
        said = self.written_in_model
        if said == "absent" and self.form != "without-training":
            said = fed(tag, mode)
        return self.meanings[said]

    def penalised(self):
        """Return every parameter: a penalty is in the loss since its variable was made."""
        return self.bn.learned()

    def run_updates(self, execution, updates):
        """Run the update operations as often as the user does, or in place once."""
        for _ in range(self.runs(updates)):
            self.bn.update_by(execution)

    def runs(self, updates):
        """Return how often the update operations run."""
        return 1 if self.layer.get("updates_in_place", False) else RUNS[updates]

    def accept_updates(self, updates):
        """Everything can be done about deferred updates here."""


NOT_EXPRESSIBLE = {
    "compile": "No step prepares a model for training.",
    "train_mode": "The mode is an argument of each call, not a switch.",
    "eval_mode": "The mode is an argument of each call, not a switch.",
    "set_trainable": "`trainable` is said once, when the layer is constructed.",
    "set_tracking": "The layer always keeps its statistics.",
    "reset_statistics": "The layer has no method that resets its statistics.",
    "cast": "The dtype of a layer is that of its first input.",
}
