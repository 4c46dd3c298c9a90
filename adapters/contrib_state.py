"""What a TF1 program does with the variables of a graph: saves, restores and hands them on."""

import os
import tempfile

try:
    import tensorflow as tf
    from tensorflow.contrib.layers import l2_regularizer
except ImportError:
    import tensorflow.compat.v1 as tf
    from tf_slim.layers import l2_regularizer

from adapters.answers import NotExpressible, framework_call

VARIABLES = {
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_variance": "moving_variance",
}
INITIALIZERS = {name + "_initializer": own for name, own in VARIABLES.items()}
PENALTIES = {"gamma_penalty": "gamma", "beta_penalty": "beta"}
WHOLE = "The adapter saves the variables of a graph; a graph with its operations it does not."
PROGRAM = "A TF1 graph is written by a program; its layers have no configuration to go on from."


def initializer(written):
    """Return an initializer by what it is to do."""
    if written == "uniform":
        return tf.random_uniform_initializer(0.25, 0.75, seed=0)
    named = {"ones": tf.ones_initializer, "zeros": tf.zeros_initializer}
    return named[written]() if written in named else tf.constant_initializer(written)


def parameter_arguments(layer):
    """Return the arguments that say how gamma, beta and the statistics start, and penalties.

    The penalty of contrib's own regularizer is half the sum of squares, times what it is given.
    """
    initial = {VARIABLES[n]: tf.constant_initializer(layer[n]) for n in VARIABLES if n in layer}
    initial.update({INITIALIZERS[n]: initializer(layer[n]) for n in INITIALIZERS if n in layer})
    penalties = {PENALTIES[n]: l2_regularizer(2 * layer[n]) for n in PENALTIES if n in layer}
    arguments = {"param_initializers": initial, "param_regularizers": penalties}
    return {name: value for name, value in arguments.items() if value}


def with_penalties(loss, layer):
    """Return a loss with the penalties of the graph, where the layer has some."""
    return loss + tf.losses.get_regularization_loss() if set(PENALTIES) & set(layer) else loss


class Stateful:
    """The steps about state, for a program with `layer`, `graph` and `session`."""

    kept = None

    def restore(self, how, into, decay=None, epsilon=None):
        """Go on with another graph, whose variables are restored."""
        if into == "evaluation":
            raise NotExpressible("An application is made for a mode; there is none to switch.")
        if how in ("file", "copy"):
            raise NotExpressible(WHOLE)
        if how in ("config", "clone"):
            raise NotExpressible(PROGRAM)
        made = self.made_alike(decay, epsilon)
        self.hand_over(how, made)
        self.close()
        self.__dict__.update(made.__dict__)

    def made_alike(self, decay=None, epsilon=None):
        """Return a program made by the same code, perhaps with other hyperparameters."""
        layer = dict(self.layer)
        if decay is not None:
            layer["decay"] = decay
        if epsilon is not None:
            layer["epsilon"] = epsilon
        made = type(self)(layer)
        made.enclosed, made.form = self.enclosed, self.form
        made.build()
        return made

    def hand_over(self, how, made):
        """Load the variables of this graph into another program's."""
        if how == "memory":
            made.assign(self.values())
            return
        with tempfile.TemporaryDirectory() as folder, framework_call():
            path = os.path.join(folder, "model")
            with self.graph.as_default():
                tf.train.Saver().save(self.session, path, write_meta_graph=False)
            made.restore_from(path)

    def restore_from(self, path):
        """Restore every variable of the graph from a checkpoint."""
        with self.graph.as_default():
            tf.train.Saver().restore(self.session, path)

    def values(self):
        """Return the values of all variables by name."""
        with self.graph.as_default():
            return self.session.run({each.op.name: each for each in tf.global_variables()})

    def assign(self, values):
        """Assign all variables by name."""
        with self.graph.as_default(), framework_call():
            for each in tf.global_variables():
                each.load(values[each.op.name], self.session)

    def train_a_copy(self, x, how):
        """Hand the variables to another graph and execute its training application."""
        if how == "copy":
            raise NotExpressible(WHOLE)
        made = self.made_alike()
        self.hand_over("memory", made)
        application = made.application("True")
        made.run({"output": application.output}, application.updates, {made.x: x})
        made.close()

    def keep_state(self):
        """Take the values of all variables."""
        self.kept = self.values()

    def put_back(self):
        """Assign the values that were taken."""
        self.assign(self.kept)

    def load_changed(self, change, of):
        """Restore a checkpoint in which one variable of the layer is changed."""
        if of == "updates_counted":
            raise NotExpressible("batch_norm does not count its updates.")
        if change == "beyond":
            raise NotExpressible("batch_norm keeps both running statistics, always.")
        values, name = self.values(), self.variables()[of].op.name
        if change == "without":
            del values[name]
        else:
            values[name] = values[name][:-1]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            save(values, path)
            with framework_call():
                self.restore_from(path)


def save(values, path):
    """Save arrays by name as a checkpoint."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        variables = {name: tf.Variable(value) for name, value in values.items()}
        session.run(tf.global_variables_initializer())
        tf.train.Saver(variables).save(session, path, write_meta_graph=False)
