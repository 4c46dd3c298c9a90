"""Keras: trainable=False set after compile() takes effect in the first fit() without compiling.

The documentation says that the new value does not take effect until compile() is called again.
Needs Keras 3 with a backend, and NumPy. Seen with Keras 3.15.1 on TensorFlow 2.21.0.
"""

import keras
import numpy as np

x = np.array([[0.0], [4.0]], dtype="float32")
layer = keras.layers.BatchNormalization(momentum=0.5)
model = keras.Sequential([keras.Input((1,)), layer])
model.compile("sgd", "mse")
layer.trainable = False
model.fit(x, x, verbose=0)

print("keras", keras.__version__)
print("moving mean after fit, expected: [1.]")
print("moving mean after fit, observed:", np.array(layer.moving_mean))
