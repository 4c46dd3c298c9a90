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
}
if KERAS_2:
    RENAMED["fused"] = "fused"
# The channels are last in Keras's default layout, so `channel_axis` asks for nothing.
OTHERS = {"channels", "rank", "channel_axis"}


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
        known = set(RENAMED) | set(VARIABLES) | OTHERS | OBJECTS
        only(known, layer, "keras.layers.BatchNormalization")
        if layer.get("fused") and layer["rank"] < 4:
            raise NotExpressible("Keras 2 has the fused kernel for images; it refuses fused=True.")
        self.layer = layer
        self.shape = (None,) * (layer["rank"] - 1) + (layer["channels"],)
        arguments = {RENAMED[name]: layer[name] for name in RENAMED if name in layer}
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
        """
        if not self.bn.built:
            with framework_call():
                self.bn.build(self.shape)
        for name, own in VARIABLES.items():
            if name in self.layer:
                backend.assign(getattr(self.bn, own), self.layer[name])

    def call(self, x, training, dy, mode, updates, repeat, dx_weights):
        """Call the model, or the bare layer while there is none.

        Keras runs its updates in the call: a user who forgets them does what the documents ask.
        """
        if updates == "twice":
            raise NotExpressible("Keras has no deferred update operations to run twice.")
        keywords = self.mode_keyword(training, mode)
        for _ in range(repeat):
            seen = self.execute(self.tensor(x), keywords, dy, dx_weights)
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

    def tensor(self, x):
        """Return an array as a tensor of the layer's dtype, which NumPy may lack."""
        return backend.tensor(x, self.layer["dtype"])

    def execute(self, x, training, dy, dx_weights):
        """Call once and, where `dy` is given, ask the backend for the gradients of the sum."""

        def forward(tensor):
            return self.forward(tensor, training)

        if dy is None:
            return {"output": backend.array(forward(x))}
        weights = None if dx_weights is None else self.tensor(dx_weights)
        found = backend.gradients(forward, x, self.learning(), self.tensor(dy), weights)
        return {name: backend.array(value) for name, value in found.items() if value is not None}

    def learning(self):
        """Return those of gamma and beta that Keras counts as trainable, by their gradients."""
        trainable = {id(variable) for variable in self.bn.trainable_variables}
        variables = {"d" + name: own for name, own in self.variables().items()}
        return {name: own for name, own in variables.items() if id(own) in trainable}

    def variables(self):
        """Return the layer's variables by canonical name; Keras 3.5 was the first to set None."""
        found = {name: getattr(self.bn, own, None) for name, own in VARIABLES.items()}
        return {name: own for name, own in found.items() if own is not None}

    def forward(self, x, training):
        """Apply the model, or the bare layer while there is none."""
        with framework_call():
            return (self.model or self.bn)(x, **training)

    def call_twice(self, first, second, training, form):
        """Apply the shared layer twice: in a forward pass, or in a functional model called once.

        In a functional model Keras, not the user, orders the applications.
        """
        shared = self.model or self.bn
        keywords = training_keyword(training)
        with framework_call():
            if form == "functional":
                inputs = [self.input(), self.input()]
                siamese = keras.Model(inputs, [shared(each) for each in inputs])
                outputs = siamese([first, second], **keywords)
            else:
                outputs = [shared(self.tensor(x), **keywords) for x in (first, second)]
        return {"output": backend.array(outputs[0]), "second_output": backend.array(outputs[1])}

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
        seen = {name: backend.array(value) for name, value in self.variables().items()}
        seen["trainable_parameters"] = np.int64(len(self.bn.trainable_variables))
        return seen


SWITCH = "Keras says the mode per call, with the argument `training`; a layer keeps no mode."
NOT_EXPRESSIBLE = {
    "train_mode": SWITCH,
    "eval_mode": SWITCH,
    "reset_statistics": "Keras has no method that resets a layer's running statistics.",
}
