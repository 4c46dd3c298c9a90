"""Tensors of PyTorch that hold the same values otherwise than one after the other in memory."""

import torch

from adapters.answers import NotExpressible

FORMATS = {4: "channels_last", 5: "channels_last_3d"}


def arranged(tensor, memory):
    """Return a tensor of the same values; `memory` is what the vocabulary calls it, or None.

    The channels are second, as everywhere in PyTorch. Raises NotExpressible for a memory format
    that this rank or version of PyTorch does not have.
    """
    if memory is None:
        return tensor
    if memory == "transposed":
        axes = tuple(reversed(range(tensor.dim())))
        return tensor.permute(*axes).contiguous().permute(*axes)
    if memory == "channels-last":
        name = FORMATS.get(tensor.dim(), "")
        if not hasattr(torch, name):
            reason = "PyTorch {} has no memory format of channels last for rank {}."
            raise NotExpressible(reason.format(torch.__version__, tensor.dim()))
        return tensor.contiguous(memory_format=getattr(torch, name))
    if memory == "strided":
        shape = (*tensor.shape[:-1], 2 * tensor.shape[-1])
        wide = torch.full(shape, float("nan"), dtype=torch.float64).to(tensor.dtype)
        wide[..., ::2] = tensor
        return wide[..., ::2]
    assert memory == "expanded"
    return tensor[:, :, :1].contiguous().expand_as(tensor)
