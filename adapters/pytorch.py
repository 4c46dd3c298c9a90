"""PyTorch's BatchNorm modules, driven the way PyTorch's own tutorials drive them."""

import numpy as np
import torch

from adapters.answers import VALUES_OF_TRAINING, NotExpressible, framework_call, only
from adapters.pytorch_state import Stateful
from adapters.torch_memory import arranged
from adapters.wire import Bfloat16

MODULES = {
    2: torch.nn.BatchNorm1d,
    3: torch.nn.BatchNorm1d,
    4: torch.nn.BatchNorm2d,
    5: torch.nn.BatchNorm3d,
}
ARGUMENTS = {
    "channels",
    "rank",
    "dtype",
    "decay",
    "momentum_argument",
    "epsilon",
    "center",
    "scale",
    "gamma",
    "beta",
    "running_mean",
    "running_variance",
    "track_running_statistics",
    "channel_axis",
    "input_dtype",
    "policy",
}

torch.set_num_threads(1)


def versions():
    """Return the versions that decide the behaviour."""
    return {"torch": torch.__version__}


def module_arguments(layer):
    """Translate canonical constructor arguments to those of `torch.nn.BatchNorm*d`."""
    arguments = {}
    if "decay" in layer:
        arguments["momentum"] = 1 - layer["decay"]
    if "momentum_argument" in layer:
        arguments["momentum"] = layer["momentum_argument"]
    if "epsilon" in layer:
        arguments["eps"] = layer["epsilon"]
    if "track_running_statistics" in layer:
        arguments["track_running_stats"] = layer["track_running_statistics"]
    if layer.get("center", True) != layer.get("scale", True):
        raise NotExpressible("PyTorch's `affine` switches gamma and beta only together.")
    if "scale" in layer or "center" in layer:
        arguments["affine"] = layer.get("scale", True)
    return arguments


def dtype_named(name):
    """Return a torch dtype by NumPy's name; PyTorch before 1.2 has no bfloat16."""
    if not hasattr(torch, name):
        raise NotExpressible("PyTorch {} has no {}.".format(torch.__version__, name))
    return getattr(torch, name)


def from_numpy(array):
    """Return a tensor over an array; PyTorch 1.0 takes none of those without channels."""
    if array.size:
        return torch.from_numpy(array)
    return torch.empty(array.shape, dtype=dtype_named(array.dtype.name))


def observed(tensor):
    """Return a tensor as an array of its own; NumPy has no bfloat16 to give a tensor of that."""
    tensor = tensor.detach()
    if tensor.dtype == getattr(torch, "bfloat16", None):
        return Bfloat16(tensor.float().numpy())
    return tensor.numpy().copy()


def autocast(policy):
    """Return the context of mixed precision on a CPU; PyTorch before 1.10 has none there."""
    name = policy.partition("_")[2]
    if hasattr(torch, "autocast"):
        context = torch.autocast("cpu", dtype=dtype_named(name))
        if getattr(context, "_enabled", True):  # It disables itself, with a warning.
            return context
    reason = "PyTorch {} has no autocast to {} on a CPU."
    raise NotExpressible(reason.format(torch.__version__, name))


class Enclosing(torch.nn.Module):
    """A model whose `forward` applies the module."""

    def __init__(self, bn):
        super().__init__()
        self.bn = bn

    def forward(self, x):
        """Apply the module."""
        return self.bn(x)


class Program(Stateful):
    """One layer and, once enclosed, the model around it."""

    def __init__(self, layer):
        only(ARGUMENTS, layer, "torch.nn.BatchNorm")
        torch.manual_seed(0)  # PyTorch before 1.2 draws gamma
        self.layer = layer
        self.dtype = dtype_named(layer["dtype"])
        self.canonical = layer.get("channel_axis", "last") == "last"
        with framework_call():
            self.bn = MODULES[layer["rank"]](layer["channels"], **module_arguments(layer))
            self.bn.to(self.dtype)
        self.model = None
        self.built = False

    def build(self):
        """Give the variables their initial values; PyTorch makes them in the constructor."""
        initial = {
            "gamma": self.bn.weight,
            "beta": self.bn.bias,
            "running_mean": self.bn.running_mean,
            "running_variance": self.bn.running_var,
        }
        self.built = True
        with torch.no_grad():
            for name, variable in initial.items():
                if name in self.layer:
                    variable.copy_(torch.from_numpy(self.layer[name]))

    def tensor(self, x, dtype=None, memory=None):
        """Return canonical input as a tensor of the input's dtype with the channels second."""
        array = np.array(np.moveaxis(x, -1, 1) if self.canonical else x, order="C")
        given = dtype_named(self.layer["input_dtype"]) if "input_dtype" in self.layer else None
        return arranged(from_numpy(array).to(dtype or given or self.dtype), memory)

    def array(self, tensor):
        """Return a tensor of the input's shape as a canonical array."""
        if self.canonical:
            tensor = tensor.permute(0, *range(2, tensor.dim()), 1)
        return observed(tensor)

    def forward(self, x):
        """Apply the model, or the bare layer while there is none; with mixed precision if asked."""
        if "policy" in self.layer:
            with framework_call(), autocast(self.layer["policy"]):
                return (self.model or self.bn)(x)
        with framework_call():
            return (self.model or self.bn)(x)

    def call(self, x, training, dy, mode, updates, repeat, dx_weights, memory=None):
        """Execute the module, and ask for the gradients of the weighted sum."""
        if updates == "twice":
            raise NotExpressible("PyTorch has no deferred update operations to run twice.")
        self.switch(training, mode)
        for _ in range(repeat):
            seen = self.execute(x, dy, dx_weights, memory)
        return seen

    def switch(self, training, mode="python"):
        """Say the mode the way PyTorch has it said: `train(mode)` before the call."""
        if mode == "is-true-test":
            raise NotExpressible("PyTorch has no placeholder that a model could test.")
        if training == "absent":
            return
        value = VALUES_OF_TRAINING[training]
        with framework_call():
            (self.model or self.bn).train(torch.tensor(value) if mode == "fed" else value)

    def execute(self, x, dy, dx_weights, memory):
        """Run forward once and, where `dy` is given, backward."""
        x = self.tensor(x, memory=memory).requires_grad_(dy is not None)
        output = self.forward(x)
        seen = {"output": self.array(output)}
        if dy is not None:
            dy = self.tensor(dy, output.dtype, memory)
            seen.update(self.gradients(x, output, dy, dx_weights, memory))
        return seen

    def gradients(self, x, output, dy, dx_weights, memory):
        """Return the gradients of ``sum(dy * output)``; a frozen parameter has none."""
        parameters = {"dgamma": self.bn.weight, "dbeta": self.bn.bias}
        sources = {n: p for n, p in parameters.items() if p is not None and p.requires_grad}
        second = dx_weights is not None
        with framework_call():
            dx, *found = torch.autograd.grad(
                output, [x, *sources.values()], dy, create_graph=second, allow_unused=True
            )
        seen = {name: observed(each) for name, each in zip(sources, found) if each is not None}
        if dx is not None:
            seen["dx"] = self.array(dx)
        if second:
            seen["second_dx"] = self.array(
                self.second_gradient(x, dx, self.tensor(dx_weights, memory=memory))
            )
        return seen

    def second_gradient(self, x, dx, weights):
        """Return the gradient of ``sum(weights * dx)``; zeros where dx does not depend on x."""
        if not dx.requires_grad:
            return torch.zeros_like(x)
        with framework_call():
            (second,) = torch.autograd.grad(dx, x, weights, allow_unused=True)
        return torch.zeros_like(x) if second is None else second

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        """Apply the one module to two inputs within one forward pass; autograd adds up."""
        if form == "functional":
            raise NotExpressible("PyTorch composes no model of several inputs from its layers.")
        self.switch(training)
        inputs = [self.tensor(x).requires_grad_(first_dy is not None) for x in (first, second)]
        outputs = [self.forward(x) for x in inputs]
        seen = {"output": self.array(outputs[0]), "second_output": self.array(outputs[1])}
        if first_dy is not None:
            weights = [self.tensor(dy) for dy in (first_dy, second_dy)]
            seen.update(self.gradients_of_both(inputs, outputs, weights))
        return seen

    def gradients_of_both(self, inputs, outputs, weights):
        """Return the gradients of the sum over both outputs of ``sum(dy * output)``."""
        parameters = {"dgamma": self.bn.weight, "dbeta": self.bn.bias}
        sources = {n: p for n, p in parameters.items() if p is not None and p.requires_grad}
        with framework_call():
            found = torch.autograd.grad(outputs, [*inputs, *sources.values()], weights)
        seen = {name: observed(each) for name, each in zip(sources, found[2:])}
        seen.update(dx=self.array(found[0]), dx_of_second=self.array(found[1]))
        return seen

    def enclose(self, training, form):
        """Put the module in a `Sequential`, or in a module whose `forward` applies it."""
        if training != "absent":
            raise NotExpressible("The mode cannot be written into a PyTorch model's forward pass.")
        if form == "subclassed":
            raise NotExpressible("A PyTorch model's forward pass has no `training` to hand on.")
        self.model = torch.nn.Sequential(self.bn) if form == "functional" else Enclosing(self.bn)

    def fit(
        self,
        x,
        dy,
        batch_size,
        epochs,
        learning_rate,
        updates,  # noqa: ARG002 - see `call`
        weight_decay=0,
    ):
        """The training loop of the PyTorch tutorials."""
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = None
        if parameters:
            optimizer = torch.optim.SGD(parameters, lr=learning_rate, weight_decay=weight_decay)
        self.model.train()
        size = batch_size or len(x)
        for _ in range(epochs):
            total = 0.0
            for start in range(0, len(x), size):
                batch = slice(start, start + size)
                total += self.train_on(x[batch], dy[batch], optimizer) * len(x[batch])
        return {"loss": np.array(total / len(x))}

    def train_on(self, x, dy, optimizer):
        """One training step; with every parameter frozen only the forward pass remains."""
        loss = (self.forward(self.tensor(x)) * self.tensor(dy)).sum() / len(x)
        if optimizer is not None:
            optimizer.zero_grad()
            with framework_call():
                loss.backward()
                optimizer.step()
        return loss.item()

    def evaluate(self, x, dy):
        """Switch to evaluation mode and compute the loss without gradients."""
        self.model.eval()
        with torch.no_grad():
            output = self.forward(self.tensor(x))
            loss = (output * self.tensor(dy)).sum() / len(x)
        return {"loss": observed(loss)}

    def predict(self, x, repeat):
        """Switch to evaluation mode and run the model without gradients."""
        self.model.eval()
        with torch.no_grad():
            for _ in range(repeat):
                output = self.forward(self.tensor(x))
        return {"output": self.array(output)}

    def train_mode(self, target):
        """`train()` on the layer or the model."""
        self.named(target).train()

    def eval_mode(self, target):
        """`eval()` on the layer or the model."""
        self.named(target).eval()

    def set_trainable(self, value, target):
        """`requires_grad` of every parameter inside: what PyTorch's tutorials call freezing."""
        for parameter in self.named(target).parameters():
            parameter.requires_grad = value

    def named(self, target):
        """Return the module a step speaks of."""
        return self.bn if target == "layer" else self.model

    def cast(self, dtype):
        """Cast the module as `half()`, `double()` and their like do."""
        self.dtype = dtype_named(dtype)
        with framework_call():
            self.bn.to(self.dtype)

    def set_tracking(self, value):
        """Assign `track_running_stats` on the module that exists."""
        self.bn.track_running_stats = value

    def reset_statistics(self):
        """Use the module's own `reset_running_stats`."""
        with framework_call():
            self.bn.reset_running_stats()

    def observe(self):
        """Return the state a user can see."""
        if not self.built:
            return {}
        state = {
            "running_mean": self.bn.running_mean,
            "running_variance": self.bn.running_var,
            "updates_counted": self.bn.num_batches_tracked,
            "gamma": self.bn.weight,
            "beta": self.bn.bias,
        }
        seen = {name: observed(value) for name, value in state.items() if value is not None}
        trainable = [p for p in self.bn.parameters() if p.requires_grad]
        seen["trainable_parameters"] = np.int64(len(trainable))
        return seen


NOT_EXPRESSIBLE = {
    "compile": "PyTorch has no step that prepares a model for training.",
    "call.mask": "The modules take no mask.",
    "call.weights": "The modules take no weights of the samples.",
}
