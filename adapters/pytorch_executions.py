"""PyTorch's BatchNorm modules under what PyTorch makes of a module before it is executed.

Which of these it is, the variable BNCONFORM_EXECUTION tells.
"""

import os

import torch
from torch.utils.checkpoint import checkpoint

from adapters import pytorch
from adapters.answers import NotExpressible, Refused, framework_call
from adapters.pytorch_inference import Inference

versions = pytorch.versions
NOT_EXPRESSIBLE = dict(pytorch.NOT_EXPRESSIBLE)


class Compiled(pytorch.Program):
    """The module compiled whole; with "aot_eager" its graph is executed without generated code.

    A part that cannot be compiled is an error, lest it run as it is and be taken for compiled.
    """

    backend = "aot_eager"

    def __init__(self, layer):
        torch.compiler.reset()  # lest programs before this one use up the recompilations
        super().__init__(layer)
        self.compiled = {}

    def forward(self, x):
        """Apply the compiled model, or bare layer while there is no model."""
        module = self.model or self.bn
        with framework_call():
            if module not in self.compiled:
                self.compiled[module] = torch.compile(module, backend=self.backend, fullgraph=True)
            return self.compiled[module](x)


class CompiledToCode(Compiled):
    """The module compiled whole by the default backend, which generates C++."""

    backend = "inductor"


class Checkpointed(pytorch.Program):
    """The module inside a checkpoint: its forward pass is executed again for the gradients."""

    def forward(self, x):
        """Apply the model, or the bare layer while there is none, inside a checkpoint."""
        with framework_call():
            return checkpoint(self.model or self.bn, x, use_reentrant=False)


class CheckpointedReentrantly(pytorch.Program):
    """The same with the older implementation, which wants `backward` and inputs with gradients."""

    def forward(self, x):
        """Apply the model, or the bare layer while there is none, inside a checkpoint."""
        if torch.is_grad_enabled():
            x.requires_grad_()
        with framework_call():
            return checkpoint(self.model or self.bn, x, use_reentrant=True)

    def gradients(self, x, output, dy, dx_weights, memory):  # noqa: ARG002
        """Return the gradients that `backward` accumulates."""
        if dx_weights is not None:
            raise NotExpressible("A reentrant checkpoint has no gradients of gradients.")
        parameters = {"dgamma": self.bn.weight, "dbeta": self.bn.bias}
        for parameter in self.bn.parameters():
            parameter.grad = None
        with framework_call():
            output.backward(dy)
        found = {name: p.grad for name, p in parameters.items() if p is not None}
        seen = {name: pytorch.observed(each) for name, each in found.items() if each is not None}
        return dict(seen, dx=self.array(x.grad))


class Vectorised(pytorch.Program):
    """The module mapped over a stack of two inputs, of which the first is the one asked about."""

    def forward(self, x):
        """Apply the model, or the bare layer while there is none, to a stack.

        Training with running statistics is refused, as the documentation says; no step of it is
        executed before the error is raised.
        """
        try:
            with framework_call():
                return torch.func.vmap(self.model or self.bn)(torch.stack((x, 1 - x)))[0]
        except Refused as refusal:
            if "running_mean or running_var" not in refusal.message:
                raise
            said = refusal.message.splitlines()[0].rstrip(".")
            message = "torch.func.vmap refuses it: {} ({}).".format(said, PATCHING)
            raise NotExpressible(message) from refusal


PATCHING = "https://docs.pytorch.org/docs/stable/func.batch_norm.html"


class Folded(Inference):
    """The module folded into a convolution before it that hands on its input, of kernel size one.

    It has a group for each channel; or, `transposed`, is a transposed one, of one group.
    """

    what = "A folded layer"
    grouped, transposed = True, False

    def infer(self, x):
        """Apply the folded convolution; a table is a sequence of length one."""
        table = x.dim() == 2
        with framework_call():
            more = {"transpose": True} if self.transposed else {}
            before = self.convolution(x.shape[1], max(x.dim() - 2, 1))
            folded = torch.nn.utils.fusion.fuse_conv_bn_eval(before, self.bn, **more)
            output = folded(x[..., None] if table else x)
        return output[..., 0] if table else output

    def convolution(self, channels, dimensions):
        """Return a convolution that hands on its input."""
        kind = ("ConvTranspose{}d" if self.transposed else "Conv{}d").format(dimensions)
        groups = channels if self.grouped else 1
        found = getattr(torch.nn, kind)(channels, channels, 1, groups=groups).to(self.dtype).eval()
        weight = torch.ones(channels, 1) if self.grouped else torch.eye(channels)
        found.weight.data.copy_(weight.reshape(weight.shape + (1,) * dimensions))
        found.bias.data.zero_()
        return found


class FoldedIntoTransposed(Folded):
    """The same with a transposed convolution."""

    grouped, transposed = False, True


class FoldedIntoTransposedGroups(Folded):
    """The same with a transposed convolution that has a group for each channel."""

    transposed = True


EXECUTIONS = {
    "compile": Compiled,
    "compile-inductor": CompiledToCode,
    "checkpoint": Checkpointed,
    "checkpoint-reentrant": CheckpointedReentrantly,
    "vmap": Vectorised,
    "folded": Folded,
    "folded-transposed": FoldedIntoTransposed,
    "folded-transposed-groups": FoldedIntoTransposedGroups,
}
Program = EXECUTIONS[os.environ["BNCONFORM_EXECUTION"]]
