"""Keras on TensorFlow: model.trainable = True leaves a layer frozen that was frozen by itself.

The documentation says that setting trainable on a model sets it recursively on all inner layers.
Needs Keras 3 on TensorFlow, and NumPy. Seen with Keras 3.15.1 on TensorFlow 2.21.0.
"""

import keras

layer = keras.layers.BatchNormalization()
model = keras.Sequential([keras.Input((1,)), layer])
layer.trainable = False
model.trainable = True

print("keras", keras.__version__, "on", keras.backend.backend())
print("layer.trainable, expected: True")
print("layer.trainable, observed:", layer.trainable)
