"""What is mutated: the frameworks' own definitions of BatchNorm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Module:
    """Definitions of one module that are mutated, and the public names that must lead to them."""

    definitions: Sequence[str]
    public: Sequence[str]


@dataclass(frozen=True)
class Target:
    """One framework's BatchNorm: the implementation that is asked, and what of it is mutated.

    `left_out` says what else is there and why it is not mutated. `test_module` holds the
    framework's own tests of it, where it ships them; `imports` is imported once, before
    any mutant, to save time.
    """

    name: str
    implementation: str
    modules: Mapping[str, Module]
    left_out: str = ""
    test_module: str | None = None
    imports: Sequence[str] = field(default=())


KERAS = "keras.src.layers.normalization.batch_normalization"
TORCH = "torch.nn.modules.batchnorm"
CONTRIB = "tensorflow.contrib.layers.python.layers.layers"
CONTRIB_LAYER = "tensorflow.python.layers.normalization"
CONTRIB_BASE = "tensorflow.python.keras.layers.normalization"

TARGETS = (
    Target(
        "keras",
        "keras-tensorflow",
        {KERAS: Module(["BatchNormalization"], ["keras.layers.BatchNormalization"])},
        "_clone_initializer, which the layer calls for the initial values of renormalisation",
        test_module="keras.src.layers.normalization.batch_normalization_test",
        imports=["keras.src.testing"],
    ),
    Target(
        "torch",
        "torch",
        {
            TORCH: Module(
                ["_NormBase", "_BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"],
                ["torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d"],
            )
        },
        "SyncBatchNorm, which needs several devices, and the Lazy classes, which become the others "
        "before they normalise anything; the arithmetic, which is in C++",
        imports=["torch._dynamo"],
    ),
    Target(
        "tf-contrib",
        "tf-contrib",
        {
            CONTRIB: Module(
                ["batch_norm", "_fused_batch_norm"], ["tensorflow.contrib.layers.batch_norm"]
            ),
            CONTRIB_LAYER: Module(["BatchNormalization"], ["tensorflow.layers.BatchNormalization"]),
            CONTRIB_BASE: Module(
                ["BatchNormalizationBase"], ["tensorflow.layers.BatchNormalization"]
            ),
        },
        "the functions that apply other layers' arguments (arg_scope)",
    ),
)


def target_named(name: str) -> Target:
    """Return a target. Raises KeyError where there is none of that name."""
    return {target.name: target for target in TARGETS}[name]
