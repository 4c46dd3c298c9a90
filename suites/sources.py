"""Public addresses that several scenarios rest on."""

from __future__ import annotations

PAPER = "https://arxiv.org/abs/1502.03167"
KERAS = "https://keras.io/api/layers/normalization_layers/batch_normalization/"
TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html"
TORCH_MODULE = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html"
CONTRIB = (
    "https://github.com/tensorflow/tensorflow/blob/v1.15.5/"
    "tensorflow/contrib/layers/python/layers/layers.py"
)
MOVING_AVERAGES = (
    "https://github.com/tensorflow/tensorflow/blob/v1.15.5/"
    "tensorflow/python/training/moving_averages.py"
)
KERAS_TRANSFER_LEARNING = "https://keras.io/guides/transfer_learning/"
KERAS_FAQ = "https://keras.io/getting_started/faq/"
FUSED_BATCH_NORM = (
    "https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/ops/nn_impl.py"
)

RENORM_PAPER = "https://arxiv.org/abs/1702.03275"
GHOST_PAPER = "https://arxiv.org/abs/1705.08741"
TF_LAYER = (
    "https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/keras/layers/"
    "normalization.py"
)
KERAS_SAVING = "https://keras.io/guides/serialization_and_saving/"
TORCH_SAVING = "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html"
TORCH_BATCHNORM = "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/nn/modules/batchnorm.py"
SAVER = "https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/training/saver.py"
DEEP_COPY = "https://docs.python.org/3/library/copy.html"
KERAS_REGULARIZERS = "https://keras.io/api/layers/regularizers/"
KERAS_CONSTRAINTS = "https://keras.io/api/layers/constraints/"
KERAS_INITIALIZERS = "https://keras.io/api/layers/initializers/"
SGD = "https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html"
