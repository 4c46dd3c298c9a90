"""Keras's BatchNormalization, driven the way Keras's own guides drive a layer.

What is written in the words of the backend is in `keras_on_tensorflow` and `keras_on_torch`.
"""

import inspect
import os

import numpy as np

from adapters.answers import (
    VALUES_OF_TRAINING,
    NotExpressible,
    framework_call,
    only,
    training_keyword,
)
from adapters.keras_state import OBJECTS, VARIABLES, Stateful, object_arguments

if os.environ.get("KERAS_BACKEND") == "torch":
    from adapters import keras_on_torch as backend
else:
    from adapters import keras_on_tensorflow as backend

keras = backend.keras
versions = backend.versions
KERAS_2 = "keras" not in versions()  # It has no version but TensorFlow's.

RENAMED = {
    "decay": "momentum",
    "momentum_argument": "momentum",
    "epsilon": "epsilon",
    "center": "center",
    "scale": "scale",
    "trainable": "trainable",
    "dtype": "dtype",
    "policy": "dtype",
    "channel_axis_argument": "axis",
}
if KERAS_2:
    RENAMED.update(fused="fused", virtual_batch_size="virtual_batch_size")
# Keras 2 takes it among the other keywords; Keras 3 left it out until 3.14.
CLASS = keras.layers.BatchNormalization
RENORMALISES = KERAS_2 or "renorm" in inspect.signature(CLASS.__init__).parameters
if RENORMALISES:
    RENAMED.update(renorm="renorm", renorm_decay="renorm_momentum")
MASKS = "mask" in inspect.signature(CLASS.call).parameters
# What a renormalising layer keeps besides; all of it is among its weights.
RENORMALISING = {
    "renorm_mean": "renorm_mean",
    "renorm_deviation": "renorm_stddev",
    "running_deviation": "moving_stddev",
}
OTHERS = {"channels", "rank", "channel_axis", "input_dtype"}


class WeightedSum(keras.losses.Loss):
    """The sum of ``dy * output`` of each sample; Keras takes the mean over the samples."""

    def call(self, dy, output):
        """Return one number per sample, whatever the rank: Keras averages all it is given."""
        return backend.weighted_sum(dy, output)


class WithoutTraining(keras.Model):
    """A model whose `call` knows nothing of `training`; it may pass a fixed one, `written`."""

    def __init__(self, bn, written):
        super().__init__()
        self.bn = bn
        self.written = written

    def call(self, x):
        """Apply the layer."""
        return self.bn(x, **self.written)


class Subclassed(WithoutTraining):
    """A model whose `call` takes `training` and hands it on, unless a fixed one is `written`."""

    def call(self, x, training=None):
        """Apply the layer."""
        return self.bn(x, **(self.written or {"training": training}))


class Program(Stateful):
    """One layer and, once enclosed, the model around it."""

    def __init__(self, layer):
        others = OTHERS | OBJECTS | ({"renorm_clipping"} if RENORMALISES else set())
        only(set(RENAMED) | set(VARIABLES) | others, layer, "keras.layers.BatchNormalization")
        if layer.get("fused") and layer["rank"] < 4:
            raise NotExpressible("Keras 2 has the fused kernel for images; it refuses fused=True.")
        if "policy" in layer and KERAS_2 and not hasattr(keras.mixed_precision, "Policy"):
            raise NotExpressible("This Keras has mixed precision as an experiment only.")
        self.layer = layer
        # The channels are last in Keras's default layout, so `channel_axis` asks for nothing.
        axis = layer.get("channel_axis_argument", -1)
        arguments = {RENAMED[name]: layer[name] for name in RENAMED if name in layer}
        if "renorm_clipping" in layer:
            arguments["renorm_clipping"] = dict(layer["renorm_clipping"])
        shape = [None] * layer["rank"]
        shape[axis] = layer["channels"]
        self.shape = tuple(shape)
        self.dtype = layer.get("input_dtype", layer["dtype"])
        with framework_call():
            arguments.update(object_arguments(layer))
            self.bn = keras.layers.BatchNormalization(**arguments)
        self.model = None
        self.written = ("absent", "functional")
        self.own_classes = {"WeightedSum": WeightedSum}
        self.compiled = self.ready_to_fit = False

    def close(self):
        """Forget Keras's global state, such as the counters of layer names."""
        keras.backend.clear_session()

    def build(self):
        """Make the variables, unless a model has made them, and assign the initial values.

        Assigned rather than initialized: Keras documents its `Constant` initializer for scalars.
        The averages of a renormalising layer are given what the initializers of the running
        statistics would give them too: the mean, and the root of the variance.
        """
        if not self.bn.built:
            with framework_call():
                self.bn.build(self.shape)
        for name, variable in self.variables().items():
            if name in self.layer:
                self.assign(variable, self.layer[name])
            elif name == "renorm_mean" and "running_mean" in self.layer:
                self.assign(variable, self.layer["running_mean"])
            elif name in RENORMALISING and "running_variance" in self.layer:
                self.assign(variable, np.sqrt(self.layer["running_variance"]))

    def assign(self, variable, value):
        """Assign a value per channel; with virtual batches Keras 2 gives variables more axes."""
        if "virtual_batch_size" in self.layer:
            value = np.reshape(value, tuple(variable.shape))
        backend.assign(variable, value)

    def call(  # noqa: PLR0913, PLR0917 - each argument of the step
        self, x, training, dy, mode, updates, repeat, dx_weights, mask=None, memory=None
    ):
        """Call the model, or the bare layer while there is none.

        Keras runs its updates in the call: a user who forgets them does what the documents ask.
        """
        if updates == "twice":
            raise NotExpressible("Keras has no deferred update operations to run twice.")
        keywords = self.mode_keyword(training, mode)
        if mask is not None:
            if not MASKS:
                raise NotExpressible("The layer's `call` takes no mask before Keras 2.12.")
            keywords["mask"] = backend.tensor(mask, "bool")
        given = [None if each is None else self.tensor(each, memory) for each in (dy, dx_weights)]
        for _ in range(repeat):
            seen = self.execute(self.tensor(x, memory), keywords, *given)
        return seen

    def mode_keyword(self, training, mode):
        """Return the keyword for the mode: a Python value, or a tensor where it is fed as one."""
        if mode == "is-true-test":
            raise NotExpressible("Keras has no placeholder that a model could test.")
        if mode == "python":
            return training_keyword(training)
        if training in ("absent", "None"):
            raise NotExpressible("A tensor for the mode must hold true or false.")
        return {"training": backend.flag(VALUES_OF_TRAINING[training])}

    def tensor(self, x, memory=None):
        """Return an array as a tensor of the input's dtype, which NumPy may lack."""
        return backend.arranged(backend.tensor(x, self.dtype), memory)

    def execute(self, x, training, dy, dx_weights):
        """Call once and, where `dy` is given, ask the backend for the gradients of the sum."""

        def forward(tensor):
            return self.forward(tensor, training)

        if dy is None:
            return {"output": backend.array(forward(x))}
        found = backend.gradients(forward, x, self.learning(), dy, dx_weights)
        arrays = {name: backend.array(each) for name, each in found.items() if each is not None}
        parameters = {name: arrays[name] for name in ("dgamma", "dbeta") if name in arrays}
        return dict(arrays, **self.per_channel(parameters))

    def per_channel(self, arrays):
        """Return arrays of variables without the axes that virtual batches add to them."""
        if "virtual_batch_size" not in self.layer:
            return arrays
        return {name: array.reshape(-1) for name, array in arrays.items()}

    def learning(self):
        """Return those of gamma and beta that Keras counts as trainable, by their gradients."""
        trainable = {id(variable) for variable in self.bn.trainable_variables}
        variables = {"d" + name: own for name, own in self.variables().items()}
        return {name: own for name, own in variables.items() if id(own) in trainable}

    def variables(self):
        """Return the layer's variables by canonical name; Keras 3.5 was the first to set None."""
        names = dict(VARIABLES, **(RENORMALISING if self.layer.get("renorm") else {}))
        found = {name: getattr(self.bn, own, None) for name, own in names.items()}
        return {name: own for name, own in found.items() if own is not None}

    def forward(self, x, training):
        """Apply the model, or the bare layer while there is none."""
        with framework_call():
            return (self.model or self.bn)(x, **training)

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        """Apply the shared layer twice: in a forward pass, or in a functional model called once.

        In a functional model Keras, not the user, orders the applications.
        """
        shared = self.model or self.bn
        keywords = training_keyword(training)
        if form == "functional":
            with framework_call():
                inputs = [self.input(), self.input()]
                siamese = keras.Model(inputs, [shared(each) for each in inputs])

        def forward(tensors):
            with framework_call():
                if form == "functional":
                    return siamese(tensors, **keywords)
                return [shared(x, **keywords) for x in tensors]

        tensors = [self.tensor(x) for x in (first, second)]
        if first_dy is None:
            outputs = forward(tensors)
            return {"output": backend.array(outputs[0]), "second_output": backend.array(outputs[1])}
        weights = [self.tensor(dy) for dy in (first_dy, second_dy)]
        found = backend.gradients_of_both(forward, tensors, self.learning(), weights)
        return {name: backend.array(value) for name, value in found.items()}

    def input(self):
        """Return the symbolic input of a functional model."""
        return keras.Input(self.shape[1:], dtype=self.layer["dtype"])

    def enclose(self, training, form):
        """Make a model of the one layer, functional or as a subclass."""
        self.written = (training, form)
        written = training_keyword(training)
        with framework_call():
            if form == "functional":
                inputs = self.input()
                self.model = keras.Model(inputs, self.bn(inputs, **written))
            else:
                subclass = {"subclassed": Subclassed, "without-training": WithoutTraining}[form]
                self.model = subclass(self.bn, written)

    def compile(self, learning_rate, **decay):
        """Compile with plain SGD; execution stays Keras's default, a graph without XLA on a CPU."""
        with framework_call():
            optimizer = keras.optimizers.SGD(learning_rate, **decay)
            self.model.compile(optimizer, loss=self.loss())
        self.compiled = self.ready_to_fit = True

    def loss(self):
        """Return the loss, in the layer's dtype: Keras 3 computes it in float32 otherwise."""
        return WeightedSum(**({} if KERAS_2 else {"dtype": self.layer["dtype"]}))

    def fit(
        self,
        x,
        dy,
        batch_size,
        epochs,
        learning_rate,
        updates,  # noqa: ARG002 - see `call`
        weight_decay=None,
    ):
        """Train with `fit`, compiling first where the user has not."""
        if weight_decay is not None:
            if "weight_decay" not in inspect.signature(keras.optimizers.SGD).parameters:
                raise NotExpressible("The SGD of this Keras takes no weight decay.")
            self.compile(learning_rate, weight_decay=weight_decay)
        elif not self.ready_to_fit:
            self.compile(learning_rate)
        size = batch_size or len(x)
        with framework_call():
            history = self.model.fit(
                x, dy, batch_size=size, epochs=epochs, shuffle=False, verbose=0
            )
        return {"loss": np.array(history.history["loss"][-1])}

    def evaluate(self, x, dy):
        """Evaluate the loss; a model never compiled needs at least the loss for that."""
        with framework_call():
            if not self.compiled:
                self.model.compile(loss=self.loss())
                self.compiled = True
            loss = self.model.evaluate(x, dy, batch_size=len(x), verbose=0)
        return {"loss": np.array(loss)}

    def predict(self, x, repeat):
        """Ask `predict` that many times."""
        with framework_call():
            for _ in range(repeat):
                output = self.model.predict(x, batch_size=len(x), verbose=0)
        return {"output": output}

    def set_trainable(self, value, target):
        """Assign `trainable` on the layer or the model."""
        (self.bn if target == "layer" else self.model).trainable = value

    def observe(self):
        """Return the state a user can see; before the layer is built there is none."""
        if not self.bn.built:
            return {}
        variables = self.variables().items()
        seen = self.per_channel({name: backend.array(value) for name, value in variables})
        seen["trainable_parameters"] = np.int64(len(self.bn.trainable_variables))
        return seen


SWITCH = "Keras says the mode per call, with the argument `training`; a layer keeps no mode."
NOT_EXPRESSIBLE = {
    "train_mode": SWITCH,
    "eval_mode": SWITCH,
    "cast": "A Keras layer keeps the dtype it was made with.",
    "set_tracking": "A Keras layer always keeps moving statistics.",
    "reset_statistics": "Keras has no method that resets a layer's running statistics.",
    "call.weights": "The layer takes a mask, and no weights of the samples.",
}
