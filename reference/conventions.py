"""The registry of conventions: every choice on which implementations of BatchNorm differ.

Everything that speaks of semantics derives from this one list: declarations, the oracle,
explanations, agreement, translation and the report.
"""

from __future__ import annotations

from reference.axis import Axis, Kind, Value

__all__ = ["AXES", "REGISTRY", "Axis", "Kind", "Value", "axis_named"]

ARGUMENTS = (
    Axis(
        "momentum-sense",
        "choice",
        ("weighs the old running value", "weighs the new batch value"),
        "Whether the argument called momentum (or decay) is the weight kept on the old running "
        "value or the weight given to the new batch.",
        translation="Write 1 − momentum.",
    ),
    Axis(
        "momentum-none",
        "choice",
        ("cumulative average", "refused"),
        "Whether momentum=None asks for the plain average of all batches so far.",
        translation="Write a number for momentum; a cumulative average has no other spelling.",
        translation_from={"cumulative average": None},
    ),
    Axis(
        "default-decay",
        "number",
        (0.9, 0.99, 0.999),
        "The weight kept on the old running value when the user writes no momentum.",
        translation="Write the momentum out.",
    ),
    Axis(
        "default-epsilon",
        "number",
        (1e-5, 1e-3),
        "The epsilon used when the user writes none.",
        translation="Write epsilon out.",
    ),
    Axis(
        "default-gamma",
        "choice",
        ("learned", "absent"),
        "Whether the layer scales its output by a learned gamma when the user does not say.",
        paper="learned",
        translation="Say in both whether the layer has a gamma.",
    ),
    Axis(
        "default-channel-axis",
        "choice",
        ("last", "second"),
        "Which axis of the input holds the channels when the user does not say.",
        translation="Move the channel axis of the input, or name it where an argument does that.",
    ),
    Axis(
        "initial-running-mean",
        "number",
        (0.0, 1.0),
        "The running mean before the first update.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-running-variance",
        "number",
        (1.0, 0.0),
        "The running variance before the first update.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-gamma",
        "number",
        (1.0, 0.0),
        "Gamma before the first training step.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-beta",
        "number",
        (0.0, 1.0),
        "Beta before the first training step.",
        translation="Set the initial value.",
    ),
)

NORMALISATION = (
    Axis(
        "training-output-statistics",
        "choice",
        ("batch", "running before the update", "running after the update"),
        "Which statistics normalise the output in training.",
        paper="batch",
    ),
    Axis(
        "training-output-variance",
        "choice",
        ("population", "sample"),
        "Whether the training output divides by the population or the sample variance.",
        paper="population",
    ),
    Axis(
        "inference-output-statistics",
        "choice",
        ("running", "batch"),
        "Which statistics normalise the output in inference.",
        paper="running",
    ),
    Axis(
        "epsilon-placement",
        "choice",
        ("inside the root", "outside the root"),
        "Whether epsilon is added to the variance or to the standard deviation.",
        paper="inside the root",
    ),
    Axis(
        "epsilon-floor",
        "number",
        (0.0, 1.001e-5),
        "The least epsilon the implementation uses, whatever smaller value the user writes.",
        paper=0.0,
        translation="Write an epsilon no smaller than the floor, the same in both.",
    ),
    Axis(
        "training-gradient",
        "choice",
        ("through the batch statistics", "statistics held constant"),
        "Whether the gradient in training flows through the batch mean and variance.",
        paper="through the batch statistics",
    ),
    Axis(
        "float64-layer",
        "refusal",
        ("computed", "refused"),
        "Whether the layer can be made for float64 at all.",
        paper="computed",
    ),
    Axis(
        "variance-algorithm",
        "error model",
        ("two-pass", "one-pass", "Welford"),
        "Whether the variance is the mean squared deviation, E[x²] − E[x]² (which loses digits), "
        "or is updated value by value.",
        paper="two-pass",
    ),
)

ORDERS_OF_TWO_UPDATES = (
    "in call order",
    "in reverse order",
    "both from the value before",
    "last call only",
    "first call only",
    "in no fixed order",
)

STATISTICS = (
    Axis(
        "running-variance-factor",
        "choice",
        ("1", "n/(n-1)"),
        "Whether the running variance is fed the population or the sample variance of the batch.",
        paper="n/(n-1)",
    ),
    Axis(
        "one-value-per-channel",
        "refusal",
        ("refused", "fed as it is"),
        "Whether training on one value per channel is refused, or goes on with a variance of zero, "
        "which then feeds the running variance without any factor.",
    ),
    Axis(
        "debiasing",
        "choice",
        ("none", "zero-debias"),
        "Whether running statistics are corrected for their initial value without being asked.",
        paper="none",
    ),
    Axis(
        "zero-debias-argument",
        "choice",
        ("mean only", "mean and variance", "neither"),
        "Which running statistics the argument that asks for zero-debiasing corrects.",
        translation="Leave the argument out.",
    ),
    Axis(
        "update-timing",
        "timing",
        ("within the call", "when the update operations are run"),
        "Whether executing the layer in training is enough to move the running statistics.",
        translation_from={
            "when the update operations are run": "Nothing is left to run: the call updates. "
            "Keep the whole old running value (decay 1) where it must not move."
        },
        translation="Run the deferred update operations with every execution in training.",
    ),
    Axis(
        "updates-in-place-argument",
        "timing",
        ("updates within the call", "ignored"),
        "Whether asking for updates in place (updates_collections=None) makes executing the "
        "layer in training enough.",
        translation="Leave the argument out and run the update operations.",
    ),
    Axis(
        "inference-updates",
        "choice",
        ("never", "always"),
        "Whether executing the layer in inference moves the running statistics.",
        paper="never",
    ),
    Axis(
        "shared-layer-updates",
        "timing",
        ORDERS_OF_TWO_UPDATES,
        "What the running statistics become when one execution applies the layer twice.",
    ),
    Axis(
        "shared-layer-updates-in-a-functional-model",
        "timing",
        ORDERS_OF_TWO_UPDATES,
        "The same where the two applications are composed into a model of layers.",
        translation="Apply the layer twice in a forward pass of your own.",
    ),
    Axis(
        "update-counter",
        "choice",
        ("none", "counts training executions"),
        "Whether the layer keeps a count of its updates among its state.",
        paper="none",
    ),
    Axis(
        "no-running-statistics",
        "choice",
        ("batch statistics in both modes", "refused"),
        "How a layer told not to track running statistics behaves in inference.",
    ),
)

MODES = (
    Axis(
        "bare-call",
        "choice",
        ("training", "inference"),
        "The mode of a call on a fresh layer that does not say which.",
        translation="Say the mode with every call: by the argument, or by a switch just before.",
    ),
    Axis(
        "mode-memory",
        "choice",
        ("none", "remembers the last switch"),
        "Whether a layer stays in the mode that train(), eval() or the last training loop set.",
        translation="Say the mode with every call: by the argument, or by a switch just before.",
    ),
    Axis(
        "training-none",
        "choice",
        ("as a bare call", "training", "inference", "refused"),
        "What training=None means.",
        translation="Say True or False.",
    ),
    Axis(
        "training-integer",
        "choice",
        ("as True and False", "training", "inference", "refused"),
        "What training=0 and training=1 mean.",
        translation="Say True or False.",
    ),
    Axis(
        "explicit-training-in-a-functional-model",
        "choice",
        ("wins", "loses to the caller"),
        "Whether a training argument written where layers are composed into a model outlasts "
        "what fit, evaluate, predict or the model's caller say.",
        translation="Write the model as a class that passes the argument in its forward pass.",
    ),
    Axis(
        "explicit-training-in-a-subclassed-model",
        "choice",
        ("wins", "loses to the caller"),
        "Whether a training argument written in a model's own forward pass outlasts what fit, "
        "evaluate, predict or the model's caller say.",
    ),
    Axis(
        "explicit-none-in-a-model",
        "choice",
        ("as a bare call", "follows fit, evaluate and predict"),
        "What a layer does in a loop when the model's forward pass hands it training=None.",
        translation="Leave the argument out, or hand on what the model was given.",
    ),
    Axis(
        "model-without-a-training-argument",
        "choice",
        ("follows fit, evaluate and predict", "every execution is a bare call"),
        "Whether the layer learns the loop's mode in a model whose forward pass takes no "
        "training argument.",
        translation="Give the model's forward pass a training argument and hand it on.",
        translation_from={
            "every execution is a bare call": "Before each loop switch the layer to the mode of a "
            "bare call yourself.",
        },
    ),
)

FREEZING = (
    Axis(
        "trainable-false-mode",
        "choice",
        (
            "no effect",
            "inference even with training=True",
            "inference unless training=True",
        ),
        "Whether freezing the layer also makes it normalise with the running statistics.",
        translation="Switch the layer to inference too, or, the other way round, freeze gamma and "
        "beta instead of the layer.",
        translation_from={
            "no effect": "Freeze gamma and beta themselves instead of the layer; keep the whole "
            "old running value (decay 1) where the statistics must stop.",
            "inference even with training=True": "Also switch the layer to inference.",
            "inference unless training=True": "Also switch the layer to inference.",
        },
    ),
    Axis(
        "trainable-false-statistics",
        "choice",
        ("still move in training", "stop"),
        "Whether freezing the layer stops the running statistics of a training execution.",
        translation="Keep the whole old running value (decay 1) where the statistics must stop.",
        translation_from={
            "still move in training": "Freeze gamma and beta themselves instead of the layer."
        },
    ),
    Axis(
        "trainable-false-parameters",
        "choice",
        ("stop", "still learn"),
        "Whether freezing the layer stops gamma and beta.",
    ),
    Axis(
        "trainable-read-by-fit",
        "timing",
        ("at every fit", "when the model was compiled", "at the first fit after compiling"),
        "When a training loop looks at whether the layer is frozen.",
        translation="Compile the model again after freezing or unfreezing.",
        translation_from={
            "when the model was compiled": "Freeze only where you would compile again.",
            "at the first fit after compiling": "Freeze only where you would compile again.",
        },
    ),
    Axis(
        "model-trainable-reaches-the-layer",
        "choice",
        ("always", "only when the model's own flag changes"),
        "Whether freezing or unfreezing a model always does so to the layers inside.",
        translation="Set the flag on the layer itself.",
    ),
    Axis(
        "eval-mode-parameters",
        "choice",
        ("still learn", "stop"),
        "Whether gamma and beta still receive gradients in evaluation mode.",
    ),
)

AXES: tuple[Axis, ...] = ARGUMENTS + NORMALISATION + STATISTICS + MODES + FREEZING
REGISTRY: dict[str, Axis] = {axis.id: axis for axis in AXES}


def axis_named(name: str) -> Axis:
    """Return the axis with this id. Raises KeyError with a sentence when there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise KeyError(f"there is no convention called {name!r}") from None
