"""What a Keras program does with a layer's state and configuration: saves, loads, copies, clones.

Also what a layer is made with beside plain values: regularizers, constraints and initializers.
"""

import copy
import os
import tempfile

from adapters.answers import NotExpressible, framework_call

if os.environ.get("KERAS_BACKEND") == "torch":
    from adapters import keras_on_torch as backend
else:
    from adapters import keras_on_tensorflow as backend

keras = backend.keras
PENALTIES = {"gamma_penalty": "gamma_regularizer", "beta_penalty": "beta_regularizer"}
CONSTRAINTS = {"gamma_constraint": "gamma_constraint", "beta_constraint": "beta_constraint"}
INITIALIZERS = {
    "gamma_initializer": "gamma_initializer",
    "beta_initializer": "beta_initializer",
    "running_mean_initializer": "moving_mean_initializer",
    "running_variance_initializer": "moving_variance_initializer",
}
OBJECTS = set(PENALTIES) | set(CONSTRAINTS) | set(INITIALIZERS)
VARIABLES = {
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_variance": "moving_variance",
}


def object_arguments(layer):
    """Return the arguments of the constructor that are Keras's own objects."""
    arguments = {}
    for name in OBJECTS & set(layer):
        written = layer[name]
        if name in PENALTIES:
            arguments[PENALTIES[name]] = keras.regularizers.l2(written)
        elif name in CONSTRAINTS:
            arguments[CONSTRAINTS[name]] = keras.constraints.NonNeg()
        else:
            arguments[INITIALIZERS[name]] = initializer(written)
    return arguments


def initializer(written):
    """Return an initializer: by name, of a constant, or one that draws."""
    if written == "uniform":
        return keras.initializers.RandomUniform(0.25, 0.75, seed=0)
    return written if isinstance(written, str) else keras.initializers.Constant(written)


def model_file():
    """Return the name of a file for a whole model, in the newest format of this Keras."""
    versions = backend.versions()
    major, minor = versions.get("keras", versions.get("tensorflow")).split(".")[:2]
    return "model.keras" if (int(major), int(minor)) >= (2, 12) else "model.h5"


class Stateful:
    """The steps about state, for a program with `layer`, `bn`, `model` and how that is written.

    `own_classes` are those of the program's own that its models know, by name.
    """

    kept = None

    def restore(self, how, into, decay=None, epsilon=None):
        """Go on with another layer, and with the model around it."""
        if into == "evaluation":
            raise NotExpressible("A Keras layer keeps no mode that could be switched before.")
        if how in ("weights-file", "memory"):
            made = self.made_alike(decay, epsilon)
            self.hand_over(how, made)
            self.bn, self.model, self.layer = made.bn, made.model, made.layer
        else:
            whole = self.made_from_this(how)
            if self.model is None:
                self.bn = whole
            else:
                self.model = whole
                self.bn = next(each for each in whole.layers if each.name == self.bn.name)
        self.compiled = self.ready_to_fit = False

    def applied(self):
        """Return the model, or the bare layer while there is none."""
        return self.bn if self.model is None else self.model

    def made_from_this(self, how):
        """Return what is applied once more: copied, saved and loaded, or by its configuration."""
        if self.model is None and how in ("file", "clone"):
            raise NotExpressible("Keras saves and clones models; a bare layer it does not.")
        file = model_file()
        with framework_call(), keras.utils.custom_object_scope(self.own_classes):
            if how == "copy":
                return copy.deepcopy(self.applied())
            if how == "clone":
                return keras.models.clone_model(self.model)
            if how == "config":
                made = type(self.applied()).from_config(self.applied().get_config())
                if not made.built:
                    made.build(self.shape)
                return made
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, file)
                self.model.save(path)
                return keras.models.load_model(path, compile=False)

    def made_alike(self, decay=None, epsilon=None):
        """Return a program made by the same code, perhaps with other hyperparameters."""
        layer = dict(self.layer)
        if decay is not None:
            layer["decay"] = decay
        if epsilon is not None:
            layer["epsilon"] = epsilon
        made = type(self)(layer)
        made.build()
        if self.model is not None:
            made.enclose(*self.written)
        return made

    def hand_over(self, how, made):
        """Load this layer's weights into another program's."""
        if how == "weights-file" and self.model is None:
            raise NotExpressible("Keras saves the weights of models; those of a bare layer not.")
        with framework_call():
            if how == "memory":
                made.applied().set_weights(self.applied().get_weights())
                return
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.weights.h5")
                self.model.save_weights(path)
                made.model.load_weights(path)

    def train_a_copy(self, x, how):
        """Make another layer and execute that in training."""
        if how == "copy":
            other = self.made_from_this("copy")
        else:
            made = self.made_alike()
            self.hand_over("memory", made)
            other = made.applied()
        with framework_call():
            other(self.tensor(x), training=True)

    def keep_state(self):
        """Take the list of weights."""
        self.kept = self.applied().get_weights()

    def put_back(self):
        """Load the list of weights that was taken."""
        with framework_call():
            self.applied().set_weights(self.kept)

    def load_changed(self, change, of):
        """Load the layer's own list of weights after a change to one of them."""
        if of == "updates_counted":
            raise NotExpressible("A Keras layer does not count its updates.")
        if change == "beyond":
            raise NotExpressible("A Keras layer keeps both running statistics, always.")
        own = getattr(self.bn, VARIABLES[of])
        (index,) = [i for i, each in enumerate(self.bn.weights) if each is own]
        weights = self.bn.get_weights()
        if change == "without":
            weights.pop(index)
        else:
            weights[index] = weights[index][:-1]
        with framework_call():
            self.bn.set_weights(weights)
