"""PyTorch's BatchNorm modules exported to ONNX in evaluation mode, and run by ONNX Runtime.

Exported with the default exporter, which rests on `torch.export`, or with the one before it, which
rests on TorchScript, as the variable BNCONFORM_EXECUTION tells.
"""

import contextlib
import io
import os

import onnx
import onnxruntime
import torch

from adapters import pytorch
from adapters.answers import framework_call
from adapters.pytorch_inference import Inference

NOT_EXPRESSIBLE = pytorch.NOT_EXPRESSIBLE
DYNAMO = {"export-onnx": True, "export-onnx-torchscript": False}[os.environ["BNCONFORM_EXECUTION"]]


def versions():
    """Return the versions that decide the behaviour."""
    own = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    return dict(pytorch.versions(), **own)


class Program(Inference):
    """The module exported anew for each call, since a user exports what is trained."""

    what = "An exported program"

    def infer(self, x):
        """Export the model, or the bare layer while there is none, and run that."""
        with framework_call():
            session = onnxruntime.InferenceSession(
                exported(self.model or self.bn, x), options(), providers=["CPUExecutionProvider"]
            )
            (name,) = [each.name for each in session.get_inputs()]
            (output,) = session.run(None, {name: x.numpy()})
        return torch.from_numpy(output)


def exported(module, x):
    """Return a module as an ONNX model, in bytes."""
    written = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()):
        if DYNAMO:
            torch.onnx.export(module, (x,), dynamo=True, verbose=False).save(written)
        else:
            torch.onnx.export(module, (x,), written, dynamo=False)
    return written.getvalue()


def options():
    """Return the options of a session that runs in one thread."""
    found = onnxruntime.SessionOptions()
    found.intra_op_num_threads = found.inter_op_num_threads = 1
    return found
