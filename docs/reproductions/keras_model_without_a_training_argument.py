"""Keras: fit() runs BatchNormalization in inference mode when the model's call() takes no training.

The layer's documentation says that it normalizes with the batch's statistics "when using fit()".
Needs Keras 3 with a backend, and NumPy. Seen with Keras 3.15.1 on TensorFlow 2.21.0.
"""

import keras
import numpy as np


class Model(keras.Model):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.layer = keras.layers.BatchNormalization(momentum=0.5)

    def call(self, x):
        """Apply the layer without saying the mode."""
        return self.layer(x)


x = np.array([[0.0], [4.0]], dtype="float32")
model = Model()
model.compile("sgd", "mse")
model.fit(x, x, verbose=0)

print("keras", keras.__version__)
print("moving mean after fit, expected: [1.]")
print("moving mean after fit, observed:", np.array(model.layer.moving_mean))
