"""The words a scenario is written in: a layer, steps, and the values they carry.

A scenario is pure data. It names no framework, computes nothing and carries no expected value;
`harness.wire` turns it into JSON for a worker, `reference.oracle` executes it in NumPy.

Arrays are in canonical order: samples first, spatial axes next, channels last, shape
``(n, *spatial, channels)``. Adapters move the channel axis to where their framework wants it and
move it back in what they observe. Exempt are layers that name no axis (``channel_axis="default"``)
or say it (``channel_axis_argument``): what these are given has that layout already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Absent(Enum):
    """The type of `ABSENT`: an argument the user did not write, so the framework's default rules.

    A type of its own because every ordinary stand-in (None, False, a string) is a value some
    framework gives a meaning to.
    """

    ABSENT = "absent"


ABSENT = Absent.ABSENT


class Training(Enum):
    """The six different things a user can write for the `training` argument.

    They are tagged because Python cannot tell them apart by comparison: ``0 == False`` and
    ``1 == True``, yet frameworks do tell them apart.
    """

    ABSENT = "absent"
    NONE = "None"
    FALSE = "False"
    ZERO = "0"
    TRUE = "True"
    ONE = "1"


Dtype = Literal["float16", "bfloat16", "float32", "float64"]
Policy = Literal["mixed_float16", "mixed_bfloat16"]

LEARNING_RATE = 0.125
"""Learning rate of the plain stochastic gradient descent in `Fit`; dyadic, so it costs no bound."""


@dataclass(frozen=True)
class Tensor:
    """An exact array: dtype name, shape, and the values in row-major order as Python floats."""

    dtype: str
    shape: tuple[int, ...]
    values: tuple[float, ...]


ClippingBound = Literal["rmax", "rmin", "dmax"]
Constraint = Literal["non-negative"]
Initializer = float | Literal["ones", "zeros", "uniform"]


@dataclass(frozen=True)
class Layer:
    """Canonical constructor arguments of a BatchNorm layer. Absent: the framework's default.

    `dtype` is that of the whole layer, parameters and running statistics as far as the framework
    lets it: float16, bfloat16, float32 or float64.
    `decay` is the weight kept on the OLD running value, in [0, 1]; adapters translate it.
    `momentum_argument` is handed over untranslated, for the questions about the argument itself.
    `gamma`, `beta`, `running_mean` and `running_variance` are initial values of shape
    ``(channels,)``. `fused`, `zero_debias`, `updates_in_place` (``updates_collections=None``) and
    `track_running_statistics` exist in some frameworks only.
    `renorm` asks for batch renormalisation: `renorm_clipping` names its bounds, some of rmax, rmin
    and dmax, each with its value; `renorm_decay` is the weight kept on the old values of the
    averages it corrects by, which start like the running statistics.
    `virtual_batch_size` is the number of samples that are normalised together in training.
    `channel_axis` is "last" where the channels of inputs are, and adapters move them, and "default"
    where inputs are handed on as they are and no axis is named. `channel_axis_argument` is handed
    to the framework as its axis argument, with inputs that have the channels there; negative ones
    count from the last axis.
    `input_dtype` is the dtype of all that the layer is given, where that is not its own; a dy has
    the dtype of the output. `policy` asks for mixed precision: parameters and statistics of
    `dtype`, the rest of the model in the dtype it names.
    A penalty is the λ of a loss of λ·Σγ² or λ·Σβ²; a constraint holds after each step of training.
    An initializer is the framework's own: of a constant, of `ones` or `zeros`, or one that draws
    from the uniform distribution between 0.25 and 0.75.
    """

    channels: int
    rank: int
    dtype: str = "float32"
    decay: float | Absent = ABSENT
    momentum_argument: float | Absent | None = ABSENT
    epsilon: float | Absent = ABSENT
    center: bool | Absent = ABSENT
    scale: bool | Absent = ABSENT
    trainable: bool | Absent = ABSENT
    gamma: Tensor | Absent = ABSENT
    beta: Tensor | Absent = ABSENT
    running_mean: Tensor | Absent = ABSENT
    running_variance: Tensor | Absent = ABSENT
    fused: bool | Absent = ABSENT
    zero_debias: bool | Absent = ABSENT
    updates_in_place: bool | Absent = ABSENT
    track_running_statistics: bool | Absent = ABSENT
    channel_axis: Literal["last", "default"] = "last"
    channel_axis_argument: int | Absent = ABSENT
    input_dtype: Dtype | Absent = ABSENT
    policy: Policy | Absent = ABSENT
    renorm: bool | Absent = ABSENT
    renorm_clipping: tuple[tuple[ClippingBound, float], ...] | Absent = ABSENT
    renorm_decay: float | Absent = ABSENT
    virtual_batch_size: int | Absent = ABSENT
    gamma_penalty: float | Absent = ABSENT
    beta_penalty: float | Absent = ABSENT
    gamma_constraint: Constraint | Absent = ABSENT
    beta_constraint: Constraint | Absent = ABSENT
    gamma_initializer: Initializer | Absent = ABSENT
    beta_initializer: Initializer | Absent = ABSENT
    running_mean_initializer: Initializer | Absent = ABSENT
    running_variance_initializer: Initializer | Absent = ABSENT


Target = Literal["layer", "model"]
Mode = Literal["python", "fed", "is-true-test"]
Form = Literal["functional", "subclassed", "without-training"]
Updates = Literal["documented", "forgotten", "twice"]
Memory = Literal["transposed", "channels-last", "strided", "expanded"]


@dataclass(frozen=True)
class Build:
    """Create the layer's variables for its input shape. Put first when a scenario omits it.

    Nothing is observed of a layer before this step, even where its variables exist already.
    """


@dataclass(frozen=True)
class Call:
    """Execute the layer once on `x`; through the enclosing model once there is one.

    `training` is said the framework's own way: as an argument, or, where the mode is a switch, by
    `train(mode)` right before the call. `dy` asks for the gradients of ``sum(dy * output)`` with
    respect to x and to those of gamma and beta that are trainable, computed in this same execution.
    `dx_weights`, of the shape of x, asks further for the gradient of ``sum(dx_weights * dx)`` with
    respect to x, with dy held constant; it is observed as `second_dx`.
    `mode` says how `training` is passed: as the Python value written; as a tensor fed at execution
    time (`fed`); or as such a tensor which the user's model function tests with ``is True`` to
    choose between two calls (`is-true-test`). `updates` says what the user does about the
    framework's deferred update operations: what its documentation asks; nothing; or runs them
    twice. `repeat` executes the identical call that many times and observes the last.
    `mask`, of ones and zeros of shape ``(n, *spatial)``, says which positions count in the batch
    statistics; `weights`, of shape ``(n,)``, how much each sample does.
    `memory` says how x, dy and dx_weights lie in memory where that is not one value after the
    other: axes in reverse order (`transposed`); channels innermost where the framework has them
    second (`channels-last`); every other value of a larger array (`strided`); or one value that
    stands for all along the first spatial axis, where these are equal (`expanded`).
    """

    x: Tensor
    training: Training = Training.ABSENT
    dy: Tensor | None = None
    mode: Mode = "python"
    updates: Updates = "documented"
    repeat: int = 1
    dx_weights: Tensor | None = None
    mask: Tensor | Absent = ABSENT
    weights: Tensor | Absent = ABSENT
    memory: Memory | Absent = ABSENT


@dataclass(frozen=True)
class CallTwice:
    """One execution that applies the one (shared) layer to `first` and then to `second`.

    `form` says how that is written: one after the other in a forward pass (`subclassed`), or
    composed into a model of two inputs and two outputs (`functional`).
    `first_dy` and `second_dy`, given together, ask for the gradients of ``sum(first_dy * output) +
    sum(second_dy * second_output)``: to gamma and beta those of both applications, to the inputs
    `dx` and `dx_of_second`.
    """

    first: Tensor
    second: Tensor
    training: Training = Training.ABSENT
    form: Form = "subclassed"
    first_dy: Tensor | Absent = ABSENT
    second_dy: Tensor | Absent = ABSENT


@dataclass(frozen=True)
class Enclose:
    """Put the layer in a model of its own; later calls go through the model.

    `form` says how the model is written: as a composition of layers (`functional`); as a class
    whose forward pass takes `training` and hands it on (`subclassed`); or as a class whose forward
    pass knows nothing of `training` (`without-training`). `training`, where written, is what the
    model passes to the layer explicitly instead.
    """

    training: Training = Training.ABSENT
    form: Form = "functional"


@dataclass(frozen=True)
class Compile:
    """Prepare the model for training with plain SGD, where the framework has such a step."""

    learning_rate: float = LEARNING_RATE


@dataclass(frozen=True)
class Fit:
    """Train the model the documented way, in order, without shuffling.

    The loss of a batch is the mean over its samples of ``sum(dy * output)``, so the gradient
    reaching the output is ``dy / samples``. Parameters move by plain SGD. `batch_size` None is
    one batch of everything. `updates` as in `Call`. Observed as `loss`: the mean over the samples
    of the last epoch, each with the output it was trained on. `weight_decay` is the argument of
    that name of the framework's own SGD, which is given everything that counts as trainable.
    """

    x: Tensor
    dy: Tensor
    batch_size: int | None = None
    epochs: int = 1
    learning_rate: float = LEARNING_RATE
    updates: Literal["documented", "forgotten"] = "documented"
    weight_decay: float | Absent = ABSENT


@dataclass(frozen=True)
class Evaluate:
    """Evaluate the model's loss (as in `Fit`) the documented way; observed as `loss`."""

    x: Tensor
    dy: Tensor


@dataclass(frozen=True)
class Predict:
    """Ask the model for predictions the documented way, `repeat` times; the last is observed."""

    x: Tensor
    repeat: int = 1


@dataclass(frozen=True)
class TrainMode:
    """Switch the layer or the enclosing model to training mode (``train()``)."""

    target: Target = "layer"


@dataclass(frozen=True)
class EvalMode:
    """Switch the layer or the enclosing model to evaluation mode (``eval()``)."""

    target: Target = "layer"


@dataclass(frozen=True)
class SetTrainable:
    """Freeze or unfreeze: ``trainable = value``, in PyTorch ``requires_grad_(value)``."""

    value: bool
    target: Target = "layer"


@dataclass(frozen=True)
class ResetStatistics:
    """Put the running statistics back to their initial values with the framework's own method."""


@dataclass(frozen=True)
class Cast:
    """Cast the layer that exists to another dtype: ``half()``, ``double()``; inputs follow it."""

    dtype: Dtype


Whole = Literal["file", "copy"]
State = Literal["weights-file", "memory"]
Configuration = Literal["config", "clone"]


@dataclass(frozen=True)
class Restore:
    """Go on with another layer, and another model around it where there is one, made from this one.

    `how` says what that is made from: the whole of it, saved in the framework's own `file` format
    and loaded, or a deep `copy`; its state, handed over in a `weights-file` or in `memory` to a
    layer made with the arguments of this one; or its configuration alone, by `config` and back or
    with the framework's `clone` of a model.
    Where a state is handed over, the new layer may be made with another `decay` or `epsilon`, and
    be switched to evaluation before (`into`).
    """

    how: Whole | State | Configuration
    into: Literal["fresh", "evaluation"] = "fresh"
    decay: float | Absent = ABSENT
    epsilon: float | Absent = ABSENT


@dataclass(frozen=True)
class TrainACopy:
    """Make another layer from this one, as `Restore` does; execute that once in training on `x`.

    What is observed is this layer, which goes on.
    """

    x: Tensor
    how: Literal["copy", "memory"] = "copy"


@dataclass(frozen=True)
class KeepState:
    """Take the layer's state as the framework hands it out, in memory, and hold on to it."""


@dataclass(frozen=True)
class PutBack:
    """Load the state that `KeepState` took into the layer it came from."""


@dataclass(frozen=True)
class LoadChanged:
    """Hand the layer its own state, strictly, after a change to one entry of it.

    The entry `of` is left out (`without`), has a channel fewer (`short`), or is put in although the
    layer keeps no such thing (`beyond`). A state without the count of updates is one saved before
    layers had such a count.
    """

    change: Literal["without", "short", "beyond"]
    of: Literal["gamma", "beta", "running_mean", "running_variance", "updates_counted"]


@dataclass(frozen=True)
class SetTracking:
    """Have a layer that exists, with running statistics, keep them as they are, or move again.

    In PyTorch: ``track_running_stats = value``.
    """

    value: bool


Step = (
    Build
    | Call
    | CallTwice
    | Enclose
    | Compile
    | Fit
    | Evaluate
    | Predict
    | TrainMode
    | EvalMode
    | SetTrainable
    | ResetStatistics
    | Cast
    | Restore
    | TrainACopy
    | KeepState
    | PutBack
    | LoadChanged
    | SetTracking
)


@dataclass(frozen=True)
class Scenario:
    """One question about BatchNorm and the program that settles it.

    `settles` names the convention axes (`reference.conventions`) whose rivals this program tells
    apart; `clauses` the clauses of ``reference/SPEC.md`` it rests on; `sources` public addresses.
    `repeats` runs the whole program that often in fresh layers; answers of which only some agree
    are `unstable`.
    `about` names the quantities the question is about; implementations are said to behave alike
    in a scenario by these alone. A verdict judges everything observed.
    """

    name: str
    suite: str
    question: str
    layer: Layer
    steps: tuple[Step, ...]
    settles: tuple[str, ...]
    clauses: tuple[str, ...]
    sources: tuple[str, ...]
    about: tuple[str, ...]
    repeats: int = 1

    def __post_init__(self) -> None:
        """Put the implicit `Build` first, so that every reader of `steps` sees it.

        Raises ValueError for learning rates that contradict each other.
        """
        if not any(isinstance(step, Build) for step in self.steps):
            object.__setattr__(self, "steps", (Build(), *self.steps))
        rates = {step.learning_rate for step in self.steps if isinstance(step, Compile | Fit)}
        if len(rates) > 1:
            raise ValueError(f"{self.name}: Compile and every Fit must have one learning rate")
