"""What is alike in all frameworks whose models have `train()` and `eval()`."""

from typing import Any, ClassVar, Dict

import numpy as np

from adapters.answers import VALUES_OF_TRAINING, NotExpressible, framework_call, only, renamed


class Switched:
    """A program in a framework of PyTorch's kind, for an adapter's `Program` to inherit.

    There the user switches the mode before a call, composes models of layers and writes the
    training loop. An adapter is left with what differs:

    - `framework`, its name for a reader; `layer` and `bn`, the layer as written and as made, which
      `__init__` sets;
    - `tensor(array)` and `array(tensor)`, which translate, moving the channels where they must be;
    - `execute(x, dy, dx_weights)`: call `self.apply(x)` once, return tensors by name;
    - `compose()`: a model of `self.bn`, made of the framework's own parts;
    - `loss(x, dy)`: ``sum(dy * output) / samples``; `descend(x, dy, learning_rate)`: one step of
      gradient descent on it, which returns it;
    - `set_trainable(value, target)`, and `trainable()`, how many of gamma and beta are.

    Where names are not PyTorch's, it sets `variables` and writes `arguments` too.
    """

    framework = "The framework"
    variables: ClassVar[Dict[str, str]] = {
        "gamma": "weight",
        "beta": "bias",
        "running_mean": "running_mean",
        "running_variance": "running_var",
    }
    layer: Any = None
    bn: Any = None
    model: Any = None
    built = False

    # What an adapter writes.

    def tensor(self, array: Any) -> Any:
        """Return an array as a tensor of the layer's dtype, the channels where they must be."""
        raise NotImplementedError

    def array(self, tensor: Any) -> Any:
        """Return a tensor as an array of its own, the channels last."""
        raise NotImplementedError

    def execute(self, x: Any, dy: Any, dx_weights: Any) -> Dict[str, Any]:
        """Apply once; with `dy` return the gradients too. All in tensors."""
        raise NotImplementedError

    def compose(self) -> Any:
        """Return a model of `self.bn`."""
        raise NotImplementedError

    def loss(self, x: Any, dy: Any) -> Any:
        """Return ``sum(dy * output) / samples``, of tensors."""
        raise NotImplementedError

    def descend(self, x: Any, dy: Any, learning_rate: float) -> Any:
        """Do one step of gradient descent on `loss`, and return it."""
        raise NotImplementedError

    def trainable(self) -> int:
        """Return how many of gamma and beta are trainable."""
        raise NotImplementedError

    def fed(self, value: Any) -> Any:  # noqa: ARG002 - for an adapter that can
        """Return a tensor that holds a mode."""
        raise NotExpressible(self.framework + " takes no tensor for the mode.")

    def arguments(self) -> Dict[str, Any]:
        """Return the arguments of the constructor, for one that takes PyTorch's.

        Its momentum is the weight of the new batch, its affine stands for gamma and beta.
        """
        names = {
            "epsilon": "eps",
            "momentum_argument": "momentum",
            "scale": "affine",
            "track_running_statistics": "track_running_stats",
        }
        others = {"channels", "rank", "dtype", "channel_axis", "decay", "center"}
        only({*names, *others, *self.variables}, self.layer, self.framework)
        if self.layer.get("center", True) != self.layer.get("scale", True):
            raise NotExpressible(self.framework + " has gamma and beta only together.")
        arguments = renamed(self.layer, names)
        if "decay" in self.layer:
            arguments["momentum"] = 1 - self.layer["decay"]
        return arguments

    def read(self, name: str) -> Any:
        """Return a variable by the framework's name; None where there is none."""
        return getattr(self.bn, name, None)

    def write(self, name: str, value: Any) -> None:
        """Assign a variable by the framework's name."""
        setattr(self.bn, name, value)

    # What it makes use of.

    def apply(self, x: Any) -> Any:
        """Apply the model, or the bare layer; what that raises is the framework's refusal."""
        with framework_call():
            return (self.bn if self.model is None else self.model)(x)

    def named(self, target: str) -> Any:
        """Return what a step speaks of."""
        return self.bn if target == "layer" else self.model

    # The steps.

    def build(self) -> None:
        """Assign the initial values; the variables exist since the constructor."""
        for name, own in self.variables.items():
            if name in self.layer:
                self.write(own, self.tensor(self.layer[name]))
        self.built = True

    def observe(self) -> Dict[str, Any]:
        """Return the state a user can see."""
        if not self.built:
            return {}
        state = {name: self.read(own) for name, own in self.variables.items()}
        seen = {name: self.array(value) for name, value in state.items() if value is not None}
        return dict(seen, trainable_parameters=np.int64(self.trainable()))

    def call(
        self, x: Any, training: str, dy: Any, mode: str, updates: str, repeat: int, dx_weights: Any
    ) -> Dict[str, Any]:
        """Switch the mode, then execute."""
        if updates == "twice":
            raise NotExpressible(self.framework + " has no deferred updates to run twice.")
        self.switch(training, mode)
        tensors = [each if each is None else self.tensor(each) for each in (x, dy, dx_weights)]
        for _ in range(repeat):
            seen = self.execute(*tensors)
        return {name: self.array(each) for name, each in seen.items()}

    def switch(self, training: str, mode: str = "python") -> None:
        """Switch what is applied to training or inference, unless the user says nothing."""
        if mode == "is-true-test":
            raise NotExpressible(self.framework + " has no placeholder that a model could test.")
        if training != "absent":
            value = VALUES_OF_TRAINING[training]
            value = self.fed(value) if mode == "fed" else value
            with framework_call():
                (self.bn if self.model is None else self.model).train(value)

    def call_twice(self, first: Any, second: Any, training: str, form: str) -> Dict[str, Any]:
        """Apply the one layer to two inputs, one after the other."""
        if form == "functional":
            raise NotExpressible(self.framework + " composes no model of several inputs.")
        self.switch(training)
        outputs = [self.array(self.apply(self.tensor(x))) for x in (first, second)]
        return {"output": outputs[0], "second_output": outputs[1]}

    def enclose(self, training: str, form: str) -> None:
        """Make a model of the layer; it has no way to say a mode of its own."""
        if training != "absent" or form == "subclassed":
            reason = "The forward pass of a model in {} is not told the mode."
            raise NotExpressible(reason.format(self.framework))
        with framework_call():
            self.model = self.compose()

    def fit(
        self,
        x: Any,
        dy: Any,
        batch_size: Any,
        epochs: int,
        learning_rate: float,
        updates: str,  # noqa: ARG002 - they happen in the call
    ) -> Dict[str, Any]:
        """Train batch by batch."""
        size = batch_size or len(x)
        self.train_mode("model")
        for _ in range(epochs):
            total = 0.0
            for start in range(0, len(x), size):
                part = slice(start, start + size)
                loss = self.descend(self.tensor(x[part]), self.tensor(dy[part]), learning_rate)
                total += float(loss) * len(x[part])
        return {"loss": np.array(total / len(x))}

    def evaluate(self, x: Any, dy: Any) -> Dict[str, Any]:
        """Switch to evaluation and compute the loss."""
        self.eval_mode("model")
        return {"loss": self.array(self.loss(self.tensor(x), self.tensor(dy)))}

    def predict(self, x: Any, repeat: int) -> Dict[str, Any]:
        """Switch to evaluation and apply the model."""
        self.eval_mode("model")
        for _ in range(repeat):
            output = self.apply(self.tensor(x))
        return {"output": self.array(output)}

    def train_mode(self, target: str) -> None:
        """Switch the layer or the model to training."""
        with framework_call():
            self.named(target).train()

    def eval_mode(self, target: str) -> None:
        """Switch the layer or the model to evaluation."""
        with framework_call():
            self.named(target).eval()
