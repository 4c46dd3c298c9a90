"""`batch_norm` of tf.contrib.layers, or of its successor tf_slim.layers, as TF1 programs use it.

A graph is built once and then executed. The layer is a function that is applied: the first
application makes the variables under a scope, later ones use them with ``reuse=True``.
"""

import os

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    import tensorflow as tf
    from tensorflow.contrib.layers import batch_norm

    VERSIONS = {"tensorflow": tf.__version__}
except ImportError:
    # TensorFlow 2 has no contrib. Its migration guide has TF1 programs begin like this.
    from importlib.metadata import version

    import tensorflow.compat.v1 as tf
    from tf_slim.layers import batch_norm

    tf.disable_v2_behavior()
    VERSIONS = {"tensorflow": tf.__version__, "tf-slim": version("tf-slim")}

from adapters.answers import (
    VALUES_OF_TRAINING,
    NotExpressible,
    framework_call,
    only,
    training_keyword,
)
from adapters.contrib_state import (
    INITIALIZERS,
    PENALTIES,
    VARIABLES,
    Stateful,
    parameter_arguments,
    with_penalties,
)

tf.logging.set_verbosity(tf.logging.ERROR)

RENAMED = {
    "decay": "decay",
    "momentum_argument": "decay",
    "epsilon": "epsilon",
    "center": "center",
    "scale": "scale",
    "trainable": "trainable",
    "fused": "fused",
    "zero_debias": "zero_debias_moving_mean",
    "renorm": "renorm",
    "renorm_decay": "renorm_decay",
}
# What a renormalising layer keeps besides. Before 1.15 the pair was kept divided by a weight of its
# own, which makes it no average to look at.
RENORMALISING = {
    "renorm_mean": "renorm_mean",
    "renorm_deviation": "renorm_stddev",
    "running_deviation": "moving_stddev",
}
WEIGHT_OF_A_PAIR = "bn/renorm_mean_weight"
# The channels are last in contrib's default layout, so `channel_axis` asks for nothing.
OTHERS = {
    "channels",
    "rank",
    "dtype",
    "updates_in_place",
    "channel_axis",
    "channel_axis_argument",
    "input_dtype",
    "renorm_clipping",
}
OTHERS |= set(INITIALIZERS) | set(PENALTIES)
ONE_THREAD = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def versions():
    """Return the versions that decide the behaviour."""
    return VERSIONS


def batch_norm_arguments(layer):
    """Translate canonical constructor arguments to those of `batch_norm`."""
    arguments = {RENAMED[name]: layer[name] for name in RENAMED if name in layer}
    if layer.get("updates_in_place", False):
        arguments["updates_collections"] = None
    if "renorm_clipping" in layer:
        arguments["renorm_clipping"] = dict(layer["renorm_clipping"])
    return dict(arguments, **parameter_arguments(layer))


def data_format(layer):
    """Return the argument that names the channel axis, where the user names one.

    The channels are last in contrib's default layout, so otherwise nothing needs to be said.
    """
    if "channel_axis_argument" not in layer:
        return {}
    axis = layer["channel_axis_argument"]
    if axis not in (1, layer["rank"] - 1):
        raise NotExpressible("data_format names the second axis (NCHW) or the last (NHWC).")
    return {"data_format": "NHWC" if axis == layer["rank"] - 1 else "NCHW"}


class Application:
    """One place in the graph where the layer is applied, and the operations that belong to it."""

    def __init__(self, x, output, updates):
        self.x = x
        self.output = output
        self.updates = updates
        self.dy = tf.placeholder(output.dtype, x.shape)
        self.dx_weights = tf.placeholder(x.dtype, x.shape)
        axes = list(range(1, len(x.shape)))
        self.loss = tf.reduce_mean(tf.reduce_sum(self.dy * output, axis=axes))


class Program(Stateful):
    """One graph, its session, and the applications of `batch_norm` made so far."""

    def __init__(self, layer):
        only(set(RENAMED) | set(VARIABLES) | OTHERS, layer, "batch_norm")
        self.layer = layer
        self.enclosed = "absent"
        self.form = "functional"
        self.made = {}
        self.initialized = set()
        self.graph = tf.Graph()
        self.session = tf.Session(graph=self.graph, config=ONE_THREAD)
        self.arguments = data_format(layer)
        self.axis = 1 if self.arguments.get("data_format") == "NCHW" else -1
        shape = [None] * layer["rank"]
        shape[self.axis] = layer["channels"]
        with self.graph.as_default():
            self.arguments.update(batch_norm_arguments(layer))
            self.first = self.x = tf.placeholder(layer["dtype"], shape)
            if "input_dtype" in layer:
                self.x = tf.placeholder(layer["input_dtype"], shape)
            self.second = tf.placeholder(layer["dtype"], shape)
            self.is_training = tf.placeholder(tf.bool, [])
            self.weights = tf.placeholder(layer["dtype"], [None])

    def close(self):
        """Release the session; the graph goes with the program."""
        self.session.close()

    def build(self):
        """Make the variables by making the first application, which is not executed.

        It is the training one, as in every TF1 program: only that one makes the variables of
        zero-debiasing, which later applications then reuse. Its update operations do nothing until
        a call that uses this very application asks for them. An input of another dtype than the
        layer's finds the variables made.
        """
        key = ("apply", "absent", "python", self.first.name, False)
        self.once(key, lambda: self.apply(self.first, "absent", "python"))

    def application(self, training, mode="python", x=None, weighted=False):  # noqa: FBT002 - as `mode`
        """Return the one application for this way of saying the mode, to this placeholder.

        With weights of the samples or without.
        """
        x = self.x if x is None else x
        keywords = {"batch_weights": self.weights} if weighted else {}
        key = ("apply", training, mode, x.name, weighted)
        return self.once(key, lambda: self.apply(x, training, mode, **keywords))

    def fitting(self, x):
        """Return the placeholder for an input; one of its own for what is not of the shape said."""
        axis = self.axis % x.ndim
        if (x.ndim, x.shape[axis]) == (self.layer["rank"], self.layer["channels"]):
            return self.x
        shape = [size if i == axis else None for i, size in enumerate(x.shape)]
        key = ("placeholder", x.ndim, x.shape[axis])
        return self.once(key, lambda: tf.placeholder(self.x.dtype, shape))

    def once(self, key, make):
        """Extend the graph the first time `key` is asked for, and initialize new variables."""
        if key not in self.made:
            with self.graph.as_default(), framework_call():
                self.made[key] = make()
                new = [v for v in tf.global_variables() if v.name not in self.initialized]
                self.session.run(tf.variables_initializer(new))
            self.initialized.update(v.name for v in new)
        return self.made[key]

    def apply(self, x, training, mode, **keywords):
        """Apply the layer once more; remember which update operations this application added."""
        earlier = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        if mode == "fed":
            output = self.batch_norm(x, is_training=self.is_training, **keywords)
        elif mode == "is-true-test":
            output = self.network(x, self.is_training)
        else:
            keywords.update(training_keyword(training, "is_training"))
            output = self.batch_norm(x, **keywords)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)[earlier:]
        return Application(x, output, updates)

    def network(self, x, is_training):
        """A model function that chooses between two calls, as articles print it."""
        if is_training is True:
            return self.batch_norm(x, is_training=True)
        return self.batch_norm(x, is_training=False)

    def batch_norm(self, x, **keywords):
        """Call the framework's function, under the one scope."""
        reuse = True if self.initialized else None
        return batch_norm(x, scope="bn", reuse=reuse, **dict(self.arguments, **keywords))

    def call(self, x, training, dy, mode, updates, repeat, dx_weights, weights=None):
        """Execute one application; its update operations are fetched in the same run."""
        training = self.said(training)
        weighted = weights is not None
        if updates == "twice" and self.layer.get("updates_in_place", False):
            raise NotExpressible("With updates_collections=None nothing is left to run twice.")
        placeholder = self.fitting(x)
        feed = {placeholder: x}
        if mode != "python":
            if training in ("absent", "None"):
                raise NotExpressible("A placeholder for the mode must be fed true or false.")
            feed[self.is_training] = VALUES_OF_TRAINING[training]
            training = "fed"
        if weighted:
            feed[self.weights] = weights
        application = self.application(training, mode, placeholder, weighted)
        fetches = {"output": application.output}
        if dy is not None:
            feed[application.dy] = dy
            fetches.update(self.gradients(application))
        if dx_weights is not None:
            feed[application.dx_weights] = dx_weights
            fetches["second_dx"] = self.second_gradient(application, fetches["dx"])
        for _ in range(repeat):
            seen = self.run(fetches, [] if updates == "forgotten" else application.updates, feed)
            if updates == "twice":
                self.run({}, application.updates, feed)
        return seen

    def said(self, training, otherwise="absent"):
        """Return what the model function passes as `is_training`, given what its caller said."""
        if self.enclosed != "absent":
            return self.enclosed
        if self.form == "without-training":
            if training != "absent":
                raise NotExpressible("This model function takes no argument for the mode.")
            return "absent"
        return otherwise if training == "absent" else training

    def gradients(self, application):
        """Return the gradients of ``sum(dy * output)``; a parameter that is not there has none."""
        sources = dict(self.learning(), dx=application.x)

        def make():
            total = tf.reduce_sum(application.dy * application.output)
            tensors = tf.gradients(total, list(sources.values()))
            return {name: tensor for name, tensor in zip(sources, tensors) if tensor is not None}

        return self.once(("gradients", application), make)

    def learning(self):
        """Return those of gamma and beta that are trainable, by their gradients."""
        own = self.variables()
        with self.graph.as_default():
            trainable = {variable.op.name for variable in tf.trainable_variables()}
        return {
            "d" + name: own[name]
            for name in ("gamma", "beta")
            if name in own and own[name].op.name in trainable
        }

    def second_gradient(self, application, dx):
        """Return the gradient of ``sum(dx_weights * dx)``.

        Where dx does not depend on x, as in inference, TensorFlow answers None; the zeros that this
        gradient is are then written out, which before 1.13 was the only way to have them.
        """

        def make():
            x = application.x
            second_dx = tf.gradients(tf.reduce_sum(application.dx_weights * dx), x)[0]
            return tf.zeros_like(x) if second_dx is None else second_dx

        return self.once(("second gradient", application), make)

    def run(self, fetches, updates, feed):
        """Execute once: what is asked for, together with the update operations."""
        with framework_call():
            return self.session.run([fetches, updates], feed)[0]

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        """Two applications with shared variables, executed in one run with all their updates."""
        if form == "functional":
            raise NotExpressible("A TF1 graph is built by functions; it has no functional models.")
        training = self.said(training)
        one = self.application(training)
        two = self.once(("second", training), lambda: self.apply(self.second, training, "python"))
        fetches = {"output": one.output, "second_output": two.output}
        feed = {one.x: first, two.x: second}
        if first_dy is not None:
            feed.update({one.dy: first_dy, two.dy: second_dy})
            fetches.update(self.gradients_of_both(one, two))
        return self.run(fetches, one.updates + two.updates, feed)

    def gradients_of_both(self, one, two):
        """Return the gradients of the sum over two applications."""
        sources = dict(self.learning(), dx=one.x, dx_of_second=two.x)

        def make():
            total = sum(tf.reduce_sum(each.dy * each.output) for each in (one, two))
            return dict(zip(sources, tf.gradients(total, list(sources.values()))))

        return self.once(("gradients of both", one, two), make)

    def enclose(self, training, form):
        """The graph is the model; its model function hands `is_training` on, fixes or omits it."""
        if form == "functional" and training != "absent":
            raise NotExpressible("A TF1 graph is built by functions; it has no functional models.")
        self.enclosed = training
        self.form = form

    def fit(self, x, dy, batch_size, epochs, learning_rate, updates):
        """The documented loop: a train operation that depends on the update operations."""
        training = self.said("absent", otherwise="True")
        train = self.train_operation(training, learning_rate, updates)
        application = self.application(training)
        fetches = {"loss": self.loss(training)}
        size = batch_size or len(x)
        for _ in range(epochs):
            total = 0.0
            for start in range(0, len(x), size):
                batch = slice(start, start + size)
                feed = {self.x: x[batch], application.dy: dy[batch]}
                total += float(self.run(fetches, train, feed)["loss"]) * len(x[batch])
        return {"loss": np.array(total / len(x))}

    def loss(self, training):
        """Return the loss of an application, with the penalties."""
        loss = self.application(training).loss
        return self.once(("loss", training), lambda: with_penalties(loss, self.layer))

    def train_operation(self, training, learning_rate, updates):
        """Return what the training loop runs; without trainable variables, the updates alone."""
        application, loss = self.application(training), self.loss(training)
        update_operations = [] if updates == "forgotten" else application.updates

        def make():
            if not tf.trainable_variables():
                return update_operations
            with tf.control_dependencies(update_operations):
                return tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)

        return self.once(("train", training, learning_rate, updates), make)

    def evaluate(self, x, dy):
        """Run the loss of the inference application."""
        training = self.said("absent", otherwise="False")
        feed = {self.x: x, self.application(training).dy: dy}
        return self.run({"loss": self.loss(training)}, [], feed)

    def predict(self, x, repeat):
        """Run the inference application."""
        output = self.application(self.said("absent", otherwise="False")).output
        for _ in range(repeat):
            seen = self.run({"output": output}, [], {self.x: x})
        return seen

    def variables(self):
        """Return the layer's variables, looked up by name in its scope."""
        with self.graph.as_default():
            by_name = {variable.op.name: variable for variable in tf.global_variables()}
        names = VARIABLES
        if WEIGHT_OF_A_PAIR not in by_name:
            names = dict(names, **RENORMALISING)
        scoped = {name: by_name.get("bn/" + own) for name, own in names.items()}
        return {name: variable for name, variable in scoped.items() if variable is not None}

    def observe(self):
        """Return the state a user can see; before the first application there is none."""
        if not self.initialized:
            return {}
        seen = self.session.run(self.variables())
        with self.graph.as_default():
            seen["trainable_parameters"] = np.int64(len(tf.trainable_variables()))
        return seen


SWITCH = "batch_norm has no mode to switch: each application is made for a mode."
NOT_EXPRESSIBLE = {
    "call.memory": "What a TF1 graph is fed is copied into tensors whose values lie in a row.",
    "cast": "A TF1 variable keeps the dtype it was made with.",
    "compile": "A TF1 graph has no compile step.",
    "train_mode": SWITCH,
    "eval_mode": SWITCH,
    "set_trainable": "`trainable` is an argument of batch_norm; nothing changes it afterwards.",
    "fit.weight_decay": "tf.train.GradientDescentOptimizer takes no weight decay.",
    "set_tracking": "The function always keeps moving statistics.",
    "reset_statistics": "TF1 has no operation that puts the running statistics back.",
    "call.mask": "batch_norm takes weights of the samples, and no mask of positions.",
}
