"""What PyTorch makes of a BatchNorm module for inference only."""

import torch

from adapters import pytorch
from adapters.answers import NotExpressible


class Inference(pytorch.Program):
    """What becomes of the module in inference; the other executions there are none of."""

    what = "An exported program"

    def execute(self, x, dy, dx_weights, memory):
        """Run forward once; there is no backward."""
        if dy is not None:
            raise NotExpressible("{} has no gradients of the layer.".format(self.what))
        return super().execute(x, dy, dx_weights, memory)

    def fit(self, x, dy, batch_size, epochs, learning_rate, updates):  # noqa: ARG002
        """Refuse to train."""
        raise NotExpressible("{} is not trained.".format(self.what))

    def forward(self, x):
        """Apply what was made of the model, or of the bare layer while there is none."""
        if self.bn.training:
            raise NotExpressible("{} is made of a layer in evaluation mode.".format(self.what))
        with torch.no_grad():
            return self.infer(x)

    def infer(self, x):
        """Return the output of what was made of the module."""
        raise NotImplementedError
