"""What a Keras program says in PyTorch's own words: tensors, and gradients from autograd."""

import keras
import numpy as np
import torch

from adapters.answers import NotExpressible, framework_call
from adapters.torch_memory import arranged as arranged_in_torch
from adapters.wire import Bfloat16

torch.set_num_threads(1)


def versions():
    """Return the versions that decide the behaviour."""
    return {"keras": keras.__version__, "torch": torch.__version__}


def tensor(x, dtype):
    """Return an array as a tensor of a named dtype, which NumPy may lack."""
    return torch.from_numpy(np.array(x)).to(getattr(torch, dtype))


def arranged(value, memory):
    """Return a tensor that holds the same values otherwise in memory."""
    if memory == "channels-last":
        raise NotExpressible("Keras's channels are innermost already.")
    if memory == "expanded":
        return value[:, :1].contiguous().expand_as(value)
    return arranged_in_torch(value, memory)


def flag(value):
    """Return a mode as a tensor."""
    return torch.tensor(value)


def assign(variable, value):
    """Assign an array to a variable."""
    variable.assign(value)


def array(value):
    """Return a tensor or a variable as an array of its own; NumPy has no bfloat16."""
    found = getattr(value, "value", value).detach()
    if found.dtype == torch.bfloat16:
        return Bfloat16(found.float().numpy())
    return np.array(found)


def weighted_sum(dy, output):
    """Return the sum of ``dy * output`` of each sample."""
    return torch.sum(dy * output, dim=tuple(range(1, output.dim())))


def gradients(forward, x, variables, dy, dx_weights):
    """Return the output at x and the gradients of ``sum(dy * output)``, by name.

    `variables` are given by the names of their gradients. The graph of the gradients is kept for
    the gradient of dx.
    """
    x.requires_grad_()
    output = forward(x)
    second = dx_weights is not None
    with framework_call():
        dx, *others = torch.autograd.grad(
            output,
            [x, *(variable.value for variable in variables.values())],
            dy.to(output.dtype),
            create_graph=second,
            allow_unused=True,
        )
    found = dict(zip(variables, others), dx=dx, output=output)
    if second:
        found["second_dx"] = second_gradient(x, dx, dx_weights)
    return found


def second_gradient(x, dx, weights):
    """Return the gradient of ``sum(weights * dx)``; zeros where dx does not depend on x."""
    if not dx.requires_grad:
        return torch.zeros_like(x)
    with framework_call():
        (second,) = torch.autograd.grad(dx, x, weights, allow_unused=True)
    return torch.zeros_like(x) if second is None else second


def gradients_of_both(forward, inputs, variables, weights):
    """Return both outputs and the gradients of the sum over both of ``sum(dy * output)``."""
    for x in inputs:
        x.requires_grad_()
    outputs = forward(inputs)
    names = ["dx", "dx_of_second", *variables]
    sources = [*inputs, *(variable.value for variable in variables.values())]
    with framework_call():
        found = torch.autograd.grad(outputs, sources, weights, allow_unused=True)
    return dict(zip(names, found), output=outputs[0], second_output=outputs[1])
