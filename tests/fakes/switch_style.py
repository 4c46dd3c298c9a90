"""BatchNorm in the style of PyTorch: the mode is a switch that the layer remembers.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
"""

from __future__ import annotations

import ml_dtypes  # noqa: F401 - registers bfloat16 with NumPy
import numpy as np

from adapters.answers import VALUES_OF_TRAINING, NotExpressible, framework_call
from tests.fakes.plain_layer import SampleVarianceLayer, values_per_channel
from tests.fakes.plain_program import EVERYWHERE, PlainProgram


def versions():
    """Return the version of this fake."""
    return {"switch-style-fake": "1"}


class Layer(SampleVarianceLayer):
    """Refuses to train on less than two values per channel; can put its statistics back."""

    least_values = 2
    when_all_is_masked = "refused"
    keeps_masked_out = False
    own_averages = averages_deviation = raises_deviation = False
    least_ratio_from_rmax = True
    reset_to = (0, 1)
    tracking = True

    def forward(self, x, training):
        """Normalise, scale and shift. Raises ValueError for too few values to train on."""
        by_batch = training or self.running_mean is None
        if by_batch and values_per_channel(x) < self.least_values:
            message = "expected more than 1 value per channel when training"
            raise ValueError(message)
        return super().forward(x, training)

    def update(self, execution):
        """Move the running statistics, unless they are to stand still."""
        if self.tracking:
            super().update(execution)

    def reset_statistics(self):
        """Return to mean 0, variance 1 and no updates."""
        if self.running_mean is None:
            return
        mean, variance = self.reset_to
        self.running_mean = np.full_like(self.running_mean, mean)
        self.running_variance = np.full_like(self.running_variance, variance)
        if self.updates_counted is not None:
            self.updates_counted = 0


class Program(PlainProgram):
    """Freezing stops the parameters and nothing else; momentum weighs the new value."""

    layer_class = Layer
    framework = "The switch-style fake"
    arguments = EVERYWHERE | {"track_running_statistics"}
    ways_to_restore = frozenset({"file", "copy", "weights-file", "memory"})
    default_decay = 0.9
    default_epsilon = 1e-5
    default_channel_axis = 1
    counts_updates = states_have_counters = True
    starts_training = True
    dtypes = ("float16", "bfloat16", "float32", "float64")
    another_dtype = "output"

    def __init__(self, layer):
        if layer.get("center", True) != layer.get("scale", True):
            reason = "`affine` switches gamma and beta only together."
            raise NotExpressible(reason)
        super().__init__(layer)
        self.training = self.starts_training

    def takes_rank(self, rank):
        """One class serves vectors and sequences of them."""
        return {rank, self.layer["rank"]} == {2, 3}

    def set_tracking(self, value):
        """Have the running statistics stand still, or move again."""
        self.bn.tracking = value

    def cast(self, dtype):
        """Cast the parameters and the running statistics, not the counter."""
        self.dtype = np.dtype(dtype)
        self.arithmetic = self.dtype_of_arithmetic()
        for name, _ in self.initial:
            value = getattr(self.bn, name)
            if value is not None:
                with np.errstate(all="ignore"):
                    kept = value.astype(self.storage(name))
                setattr(self.bn, name, kept.astype(self.arithmetic))

    def decay(self):
        """Return what is left for the old value; None asks for the cumulative average."""
        momentum = self.momentum(1 - self.layer.get("decay", self.default_decay))
        return None if momentum is None else 1 - momentum

    def momentum(self, default):
        """Return the weight given to the new batch."""
        return self.layer.get("momentum_argument", default)

    def resolve(self, tag, mode="python"):
        """Switch to what the call says, if it says something, and return the mode."""
        if mode != "python":
            reason = "No tensor can say which mode the layer is in."
            raise NotExpressible(reason)
        if tag != "absent":
            with framework_call():
                self.train(VALUES_OF_TRAINING[tag])
        return self.training

    def train(self, mode):
        """Switch the mode. Raises ValueError for anything but True and False."""
        if not isinstance(mode, bool):
            message = "training mode is expected to be boolean"
            raise ValueError(message)  # noqa: TRY004 - it is what the framework raises
        self.training = mode

    def enclose(self, training, form):
        """Put the layer in a model, whose mode is the layer's."""
        if training != "absent" or form == "subclassed":
            reason = "The mode cannot be written into a model's forward pass."
            raise NotExpressible(reason)

    def kept_now(self):
        """Return what the layer holds now: it hands out its own memory."""
        return self.state()

    def receiver(self, into):
        """Switch a fresh layer to evaluation, if it is to be in that."""
        if into == "evaluation":
            self.train(False)

    def train_mode(self, target):  # noqa: ARG002 - a model hands it to its one layer
        """Switch to training."""
        self.train(True)

    def eval_mode(self, target):  # noqa: ARG002 - a model hands it to its one layer
        """Switch to evaluation."""
        self.train(False)

    def set_trainable(self, value, target):  # noqa: ARG002 - a model hands it to its one layer
        """Freeze or unfreeze gamma and beta."""
        self.trainable = value

    def reset_statistics(self):
        """Put the running statistics back."""
        self.bn.reset_statistics()


NOT_EXPRESSIBLE = {"compile": "No step prepares a model for training."}
