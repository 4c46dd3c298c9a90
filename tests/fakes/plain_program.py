"""What the three clean programs share: one layer, and what a user does with it step by step."""

from __future__ import annotations

import numpy as np

from adapters.answers import NotExpressible, framework_call, only
from tests.fakes.plain_layer import PlainLayer
from tests.fakes.plain_penalties import Penalised
from tests.fakes.plain_state import Stateful

EVERYWHERE = frozenset(
    {
        "channels",
        "rank",
        "dtype",
        "decay",
        "momentum_argument",
        "epsilon",
        "center",
        "scale",
        "gamma",
        "beta",
        "running_mean",
        "running_variance",
        "channel_axis",
        "renorm",
        "renorm_clipping",
        "renorm_decay",
        "virtual_batch_size",
        "input_dtype",
    }
)
RENORMALISING = ("renorm_mean", "renorm_deviation", "running_deviation")


class PlainProgram(Stateful, Penalised):
    """The steps of a user's program; a style says what its modes, freezing and updates mean."""

    layer_class = PlainLayer
    framework = "a plain fake"
    arguments = EVERYWHERE
    dtypes = ("float32", "float64")
    default_decay = 0.99
    default_epsilon = 1e-3
    default_scale = True
    default_channel_axis = -1
    counts_updates = False
    initial = (("gamma", 1), ("beta", 0), ("running_mean", 0), ("running_variance", 1))

    def __init__(self, layer):
        only(self.arguments, layer, self.framework)
        if layer["dtype"] not in self.dtypes:
            reason = f"This fake computes in {' and '.join(self.dtypes)} only."
            raise NotExpressible(reason)
        self.layer = layer
        self.dtype = np.dtype(layer["dtype"])
        self.arithmetic = self.dtype_of_arithmetic()
        self.trainable = layer.get("trainable", True)
        self.written_in_model = "absent"
        self.form = None
        self.built = False
        with framework_call():
            self.bn = self.construct(layer)
        self.bn.group_size = layer.get("virtual_batch_size")
        if layer.get("renorm", False):
            clipping = dict(layer.get("renorm_clipping", ()))
            self.bn.start_renormalising(clipping, layer.get("renorm_decay", 0.99))

    def construct(self, layer):
        """Return the layer the canonical arguments describe."""
        values = {name: self.initial_value(name, value) for name, value in self.initial}
        gamma = values["gamma"] if self.scales() else None
        beta = values["beta"] if self.centres() else None
        statistics = (values["running_mean"], values["running_variance"])
        tracks = layer.get("track_running_statistics", True)
        return self.layer_class(
            decay=self.decay(),
            epsilon=layer.get("epsilon", self.default_epsilon),
            parameters=(gamma, beta),
            statistics=statistics if tracks else (None, None),
            updates_counted=0 if self.counts_updates and tracks else None,
            zero_debias=layer.get("zero_debias", False),
        )

    def initial_value(self, name, value):
        """Return the user's initial value of a variable, or else the layer's own."""
        given = self.layer.get(name)
        given = self.initialized(name, value) if given is None else given
        return np.array(given, self.storage(name)).astype(self.arithmetic)

    # A layer narrower than float32 is kept in its own dtype and computed in float32.

    def dtype_of_arithmetic(self):
        """Return the dtype the layer computes in."""
        return np.result_type(self.dtype, "float32")

    def storage(self, name):  # noqa: ARG002 - a faulty program looks at the name
        """Return the dtype a variable, or its gradient, is kept in."""
        return self.dtype

    def store(self):
        """Round the variables to the dtypes they are kept in."""
        for name, _ in self.initial:
            value = getattr(self.bn, name)
            if value is not None:
                setattr(self.bn, name, value.astype(self.storage(name)).astype(self.arithmetic))

    def scales(self):
        """Tell whether the layer has a gamma."""
        return self.layer.get("scale", self.default_scale)

    def centres(self):
        """Tell whether the layer has a beta."""
        return self.layer.get("center", True)

    def decay(self):
        """Return the weight kept on the old value; here that is what momentum means."""
        return self.momentum(self.layer.get("decay", self.default_decay))

    def momentum(self, default):
        """Return the momentum the user wrote, or the default. Raises TypeError for None."""
        momentum = self.layer.get("momentum_argument", default)
        if momentum is None:
            message = "momentum must be a number, not None"
            raise TypeError(message)
        return momentum

    def channel_axis(self, rank):  # noqa: ARG002 - a faulty program looks at the rank
        """Return the axis of the user's arrays that holds the channels."""
        if "channel_axis_argument" in self.layer:
            return self.layer["channel_axis_argument"]
        default = self.layer.get("channel_axis", "last") == "default"
        return self.default_channel_axis if default else -1

    def canonical(self, x):
        """Return the user's array as the layer reads it, with the channels last."""
        x = np.moveaxis(x, self.channel_axis(x.ndim), -1)
        x = x.astype(self.dtype_read())
        wide = self.another_dtype == "output" and self.dtype_given() != self.dtype
        return x.astype(np.result_type(self.arithmetic, x.dtype) if wide else self.arithmetic)

    def as_given(self, x):
        """Return a canonical array in the output's dtype, the channels where the user has them."""
        return np.moveaxis(x.astype(self.dtype_of_output()), -1, self.channel_axis(x.ndim))

    def as_gradient(self, x):
        """Return the same in the input's dtype, by way of the dtype the input was cast to."""
        x = x.astype(self.dtype_read()).astype(self.dtype_given())
        return np.moveaxis(x, -1, self.channel_axis(x.ndim))

    # Input of another dtype than the layer's.

    another_dtype = "cast"

    def dtype_given(self):
        """Return the dtype of the input."""
        return np.dtype(self.layer.get("input_dtype", self.dtype))

    def dtype_read(self):
        """Return the dtype the input is cast to before anything is computed from it."""
        return self.dtype_of_output()

    def dtype_of_output(self):
        """Return the dtype of the output."""
        return self.dtype if self.another_dtype == "cast" else self.dtype_given()

    def check(self, x, training):  # noqa: ARG002 - a faulty program looks at the mode
        """Raise an error for an input the layer does not take."""
        if x.ndim != self.layer["rank"] and not self.takes_rank(x.ndim):
            message = f"expected rank {self.layer['rank']}, found {x.ndim}"
            raise ValueError(message)
        channels = x.shape[self.channel_axis(x.ndim)]
        if not self.takes_channels(channels):
            message = f"expected {self.layer['channels']} channels, found {channels}"
            raise ValueError(message)
        if self.dtype_given() != self.dtype and not self.takes_dtype():
            message = f"expected {self.dtype}, found {self.dtype_given()}"
            raise TypeError(message)

    def takes_channels(self, channels):
        """Tell whether so many channels are taken."""
        return channels == self.layer["channels"]

    def takes_dtype(self):
        """Tell whether another dtype than the layer's is taken; what a policy casts always is."""
        return self.another_dtype != "refused" or "policy" in self.layer

    def takes_rank(self, rank):  # noqa: ARG002 - a style may look at it
        """Tell whether another rank than the layer's is taken."""
        return False

    def refuse(self, error):
        """Raise an error as the framework's own."""
        with framework_call():
            raise error

    # What a style decides.

    def resolve(self, tag, mode="python"):
        """Return the mode, True for training, that a `training` tag asks for."""
        raise NotImplementedError

    def trains(self, requested):
        """Tell whether the layer normalises with the batch when this mode is requested."""
        return requested

    def moves(self, requested):
        """Tell whether the running statistics are updated when this mode is requested."""
        return self.trains(requested)

    def learns(self):
        """Tell whether gamma and beta count as trainable."""
        return self.trainable

    def learns_from(self, execution):  # noqa: ARG002 - a faulty program looks at its mode
        """Tell whether gamma and beta receive gradients in an execution."""
        return self.learns()

    def run_updates(self, execution, updates):  # noqa: ARG002 - only deferred updates ask
        """Update the running statistics within the call."""
        self.bn.update_by(execution)

    def accept_updates(self, updates):
        """Raise NotExpressible for what a user cannot do about deferred updates here."""
        if updates == "twice":
            reason = "There are no deferred update operations to run twice."
            raise NotExpressible(reason)

    # The steps.

    def build(self):
        """Let the variables be seen; they exist since the layer was constructed."""
        self.built = True

    def run(self, x, requested, updates="documented"):
        """Execute the layer once."""
        with framework_call(), np.errstate(all="ignore"):
            self.check(x, self.trains(requested))
            execution = self.bn.execute(self.canonical(x), self.trains(requested))
            if self.moves(requested):
                self.run_updates(execution, updates)
            self.store()
        return execution

    def call(  # noqa: PLR0913, PLR0917 - each argument of the step
        self,
        x,
        training,
        dy,
        mode,
        updates,
        repeat,
        dx_weights,
        mask=None,
        weights=None,
        memory=None,
    ):
        """Execute the layer, with its gradients where `dy` is given, twice for `dx_weights`."""
        self.accept_updates(updates)
        x, dy, dx_weights = (
            each if each is None else arranged(each, memory) for each in (x, dy, dx_weights)
        )
        requested = self.resolve(training, mode)
        self.bn.counting = self.counting(x, mask, weights)
        for _ in range(repeat):
            execution = self.run(x, requested, updates)
        self.bn.counting = None
        seen = {"output": self.as_given(execution.output)}
        if dy is not None:
            seen.update(self.gradients(execution, dy))
        if dx_weights is not None:
            seen["second_dx"] = self.second_gradient(execution, dy, dx_weights)
        return seen

    def counting(self, x, mask, weights):
        """Return how much each position of each sample counts; None where all count alike."""
        if mask is None and weights is None:
            return None
        counting = np.ones(x.shape[:-1], self.arithmetic)
        if mask is not None:
            counting = counting * (np.asarray(mask) != 0)
        if weights is not None:
            counting = counting * np.reshape(weights, (-1,) + (1,) * (counting.ndim - 1))
        return counting.astype(self.arithmetic)

    def gradients(self, execution, dy):
        """Return dx, and the gradients of the parameters that are not frozen."""
        gradients = self.backward(execution, self.canonical(dy))
        seen = {"dx": self.as_gradient(gradients.pop("dx"))}
        if self.learns_from(execution):
            for name, value in gradients.items():
                seen[name] = np.asarray(value, self.storage(name[1:]))
        return seen

    def backward(self, execution, dy):
        """Return every gradient of a canonical dy."""
        with framework_call(), np.errstate(all="ignore"):
            return self.bn.differentiate(execution, dy)

    def second_gradient(self, execution, dy, dx_weights):
        """Return the gradient of ``sum(dx_weights·dx)`` with respect to x."""
        given = self.canonical(dy), self.canonical(dx_weights)
        with framework_call(), np.errstate(all="ignore"):
            return self.as_gradient(self.bn.second_gradient(execution, *given))

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):  # noqa: ARG002 - both forms are alike
        """Apply the one layer to two inputs."""
        requested = self.resolve(training)
        executions = [self.run(x, requested) for x in (first, second)]
        outputs = [self.as_given(execution.output) for execution in executions]
        seen = {"output": outputs[0], "second_output": outputs[1]}
        if first_dy is not None:
            pairs = zip(executions, (first_dy, second_dy), strict=True)
            one, other = (self.gradients(execution, dy) for execution, dy in pairs)
            seen.update(self.added_up(one, other))
        return seen

    def added_up(self, one, other):
        """Return the gradients of two applications: one to each input, sums to the parameters."""
        found = {name: one[name] + other[name] for name in one if name != "dx"}
        return {**found, "dx": one["dx"], "dx_of_second": other["dx"]}

    def enclose(self, training, form):
        """Put the layer in a model, which may say the mode itself."""
        self.written_in_model = training
        self.form = form

    def fit(self, x, dy, batch_size, epochs, learning_rate, updates, weight_decay=0):
        """Train batch by batch."""
        self.accept_updates(updates)
        requested = self.mode_of_fit()
        size = batch_size or len(x)
        for _ in range(epochs):
            total = 0.0
            for start in range(0, len(x), size):
                batch = slice(start, start + size)
                rates = learning_rate, weight_decay
                total += self.train_on(x[batch], dy[batch], rates, requested, updates)
        return {"loss": np.array(total / len(x))}

    def train_on(self, x, dy, rates, requested, updates):
        """Train on one batch, by the mean of the loss over its samples; return its sum.

        `rates` are the learning rate and the weight decay.
        """
        penalties = self.penalties()
        execution = self.run(x, requested, updates)
        gradients = self.backward(execution, self.canonical(dy) / len(x))
        if self.learns_from(execution):
            self.step(gradients, *rates)
            self.store()
        return float((execution.output * self.canonical(dy)).sum()) + len(x) * penalties

    def evaluate(self, x, dy):
        """Return the loss, the mean over the samples of the weighted sum."""
        output = self.run(x, self.mode_of_evaluation(), "forgotten").output
        return {"loss": (output * self.canonical(dy)).sum() / len(x) + self.penalties()}

    def predict(self, x, repeat):
        """Return the output of the last of some predictions."""
        for _ in range(repeat):
            execution = self.run(x, self.mode_of_prediction(), "forgotten")
        return {"output": self.as_given(execution.output)}

    def mode_of_fit(self):
        """Return the mode a training loop asks for."""
        return self.resolve("True")

    def mode_of_evaluation(self):
        """Return the mode an evaluation asks for."""
        return self.resolve("False")

    def mode_of_prediction(self):
        """Return the mode a prediction asks for."""
        return self.resolve("False")

    def observe(self):
        """Return the state a user can see; before the layer is built there is none."""
        if not self.built:
            return {}
        names = (*(name for name, _ in self.initial), *RENORMALISING)
        variables = {name: getattr(self.bn, name) for name in names}
        seen = {
            name: np.array(value, self.storage(name))
            for name, value in variables.items()
            if value is not None
        }
        if self.bn.updates_counted is not None:
            seen["updates_counted"] = np.array(self.bn.updates_counted)
        seen["trainable_parameters"] = np.int64(len(self.bn.learned()) if self.learns() else 0)
        return seen


def arranged(x, memory):
    """Return an array of the same values that lie in memory otherwise than one after the other."""
    if memory in {"strided", None}:
        wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, x.dtype)
        wide[..., ::2] = x
        return x if memory is None else wide[..., ::2]
    if memory == "channels-last":
        return np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)
    if memory == "transposed":
        return x.T.copy().T
    assert memory == "expanded"
    return np.broadcast_to(x[:, :1].copy(), x.shape)


def fed(tag, mode):
    """Return the tag that a fed tensor's value amounts to.

    A tensor `is True` never, whatever it holds, so such a test always takes the inference branch.
    Raises NotExpressible where there is no value to feed.
    """
    if mode == "python":
        return tag
    if tag in {"absent", "None"}:
        reason = "A tensor that says the mode must hold True or False."
        raise NotExpressible(reason)
    return "False" if mode == "is-true-test" else tag
