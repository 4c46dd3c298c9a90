"""What a Keras program says in TensorFlow's own words: tensors, and gradients from a tape."""

import os

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # after the line above, which it reads when it is imported

from adapters.answers import NotExpressible, framework_call

try:
    import keras
except ImportError:
    keras = tf.keras
KERAS_2 = not hasattr(keras, "ops")
if KERAS_2:
    keras = tf.keras  # The package of Keras 2 is the inside of tf.keras, or another framework's.

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def versions():
    """Return the versions that decide the behaviour."""
    if KERAS_2:
        return {"tensorflow": tf.__version__}  # which contains it
    return {"keras": keras.__version__, "tensorflow": tf.__version__}


def tensor(x, dtype):
    """Return an array as a tensor of a named dtype, which NumPy may lack."""
    return tf.cast(tf.constant(x), dtype)


def arranged(value, memory):
    """Return a tensor as it is; raises NotExpressible for another arrangement in memory."""
    if memory is not None:
        raise NotExpressible("The values of a TensorFlow tensor lie one after the other.")
    return value


def flag(value):
    """Return a mode as a tensor."""
    return tf.constant(value)


def assign(variable, value):
    """Assign an array; Keras 2 keeps float32 in a float16 layer and wants it from the caller."""
    variable.assign(tf.cast(value, variable.dtype))


def array(value):
    """Return a tensor or a variable as an array of its own."""
    return np.array(value.numpy())


def weighted_sum(dy, output):
    """Return the sum of ``dy * output`` of each sample."""
    return tf.reduce_sum(dy * output, axis=list(range(1, len(output.shape))))


def gradients(forward, x, variables, dy, dx_weights):
    """Return the output at x and the gradients of ``sum(dy * output)``, by name.

    `variables` are given by the names of their gradients. The outer tape sees how these come about,
    for the gradient of dx. Where dx does not depend on x, as in inference, TensorFlow is asked for
    the zeros that this gradient is.
    """
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = forward(x)
            loss = tf.reduce_sum(tf.cast(dy, output.dtype) * output)
        with framework_call():
            found = tape.gradient(loss, dict(variables, dx=x))
        if dx_weights is not None:
            weighted = tf.reduce_sum(dx_weights * found["dx"])
    if dx_weights is not None:
        with framework_call():
            zero = tf.UnconnectedGradients.ZERO
            found["second_dx"] = outer.gradient(weighted, x, unconnected_gradients=zero)
    return dict(found, output=output)


def gradients_of_both(forward, inputs, variables, weights):
    """Return both outputs and the gradients of the sum over both of ``sum(dy * output)``."""
    with tf.GradientTape() as tape:
        for x in inputs:
            tape.watch(x)
        outputs = forward(inputs)
        losses = [tf.reduce_sum(dy * output) for dy, output in zip(weights, outputs)]
        loss = losses[0] + losses[1]
    with framework_call():
        found = tape.gradient(loss, dict(variables, dx=inputs[0], dx_of_second=inputs[1]))
    return dict(found, output=outputs[0], second_output=outputs[1])
