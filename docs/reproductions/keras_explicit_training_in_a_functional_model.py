"""Keras: training=False written into a functional model does not hold in fit().

The FAQ and the transfer-learning guide of Keras write the argument so that it holds.
Needs Keras 3 with a backend, and NumPy. Seen with Keras 3.15.1 on TensorFlow 2.21.0.
"""

import keras
import numpy as np

x = np.array([[0.0], [4.0]], dtype="float32")
layer = keras.layers.BatchNormalization(momentum=0.5)
inputs = keras.Input((1,))
model = keras.Model(inputs, layer(inputs, training=False))
model.compile("sgd", "mse")
model.fit(x, x, verbose=0)

print("keras", keras.__version__)
print("moving mean after fit, expected: [0.]")
print("moving mean after fit, observed:", np.array(layer.moving_mean))
