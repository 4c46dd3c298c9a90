"""Keras's BatchNormalization on TensorFlow under what is made of a layer before it is executed.

Which of these it is, the variable BNCONFORM_EXECUTION tells.
"""

import os

import tensorflow as tf

from adapters import keras_layers
from adapters.answers import framework_call, training_keyword

keras, versions = keras_layers.keras, keras_layers.versions
NOT_EXPRESSIBLE = keras_layers.NOT_EXPRESSIBLE


class Traced(keras_layers.Program):
    """Called in a `tf.function`, traced once for each mode and shape; loops are Keras's own."""

    jit_compile = False

    def __init__(self, layer):
        super().__init__(layer)
        self.functions = {}

    def traced(self, called, name):
        """Return what calls a layer or a model as a function that was traced before."""
        if name not in self.functions:
            self.functions[name] = tf.function(called, jit_compile=self.jit_compile)
        return self.functions[name]

    def forward(self, x, training):
        """Apply the model, or the bare layer while there is none."""
        module = self.model or self.bn

        def apply(x, **keywords):
            return module(x, **keywords)

        with framework_call():
            return self.traced(apply, id(module))(x, **training)

    def call_twice(self, first, second, training, form):
        """Apply the shared layer twice in one function, or a functional model that does."""
        shared = self.model or self.bn

        def apply(one, other, **keywords):
            return [shared(each, **keywords) for each in (one, other)]

        def siamese(one, other, **keywords):
            return model([one, other], **keywords)

        called = apply
        with framework_call():
            if form == "functional":
                inputs = [self.input(), self.input()]
                model = keras.Model(inputs, [shared(each) for each in inputs])
                called = siamese
            tensors = [self.tensor(x) for x in (first, second)]
            outputs = self.traced(called, (form, id(shared)))(
                *tensors, **training_keyword(training)
            )
        output, second_output = [keras_layers.backend.array(each) for each in outputs]
        return {"output": output, "second_output": second_output}


class CompiledToMachineCode(Traced):
    """Called in a `tf.function` that XLA compiles; loops are Keras's with the same switched on."""

    jit_compile = True

    def compile(self, learning_rate):
        """Compile with plain SGD."""
        with framework_call():
            optimizer = keras.optimizers.SGD(learning_rate)
            self.model.compile(optimizer, loss=self.loss(), jit_compile=True)
        self.compiled = self.ready_to_fit = True

    def evaluate(self, x, dy):
        """Evaluate the loss; a model never compiled needs at least the loss for that."""
        if not self.compiled:
            with framework_call():
                self.model.compile(loss=self.loss(), jit_compile=True)
            self.compiled = True
        return super().evaluate(x, dy)

    def predict(self, x, repeat):
        """Ask `predict` that many times; what it executes is compiled where the model says so."""
        if not self.compiled:
            with framework_call():
                self.model.compile(jit_compile=True)
        return super().predict(x, repeat)


class Rematerialised(keras_layers.Program):
    """Made in a scope whose layers are executed again for the gradients."""

    def __init__(self, layer):
        with keras.RematScope(mode="full"):
            super().__init__(layer)


EXECUTIONS = {
    "function": Traced,
    "jit": CompiledToMachineCode,
    "checkpoint": Rematerialised,
}
Program = EXECUTIONS[os.environ["BNCONFORM_EXECUTION"]]
