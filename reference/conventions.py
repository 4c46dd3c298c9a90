"""The registry of conventions: every choice on which implementations of BatchNorm differ.

Everything that speaks of semantics derives from this one list: declarations, the oracle,
explanations, agreement, translation and the report.
"""

from __future__ import annotations

from reference.axis import Axis, Kind, Value

__all__ = [
    "AXES",
    "DRAWN",
    "GROUPS",
    "ONLY_FALSE",
    "OPEN",
    "OPEN_ORDER",
    "REGISTRY",
    "Axis",
    "Kind",
    "Value",
    "axis_named",
]

DRAWN = "drawn between 0 and 1"
ONLY_FALSE = "taken where false, refused where true"
OPEN_ORDER = "in no fixed order"
OPEN = frozenset({DRAWN, OPEN_ORDER})
"""Values that admit what definite ones do; measured only where none of those explains what is seen,
in every repetition."""

WHERE_EPSILON_IS_REFUSED = (
    "used as written",
    "refused when made",
    "refused in training",
    "refused when executed",
)

ARGUMENTS = (
    Axis(
        "momentum-sense",
        "choice",
        ("weighs the old running value", "weighs the new batch value"),
        question="Does momentum weigh the old running value or the new batch?",
        meaning="Whether the argument called momentum (or decay) is the weight kept on the "
        "old running value or the weight given to the new batch.",
        consequence="Copied unchanged from Keras to PyTorch, 0.99 makes the running statistics "
        "follow almost only the last batch.",
        translation="Write 1 − momentum.",
    ),
    Axis(
        "momentum-none",
        "choice",
        ("cumulative average", "refused", "refused in training"),
        question="Does momentum=None average all batches equally?",
        meaning="Whether momentum=None asks for the plain average of all batches so far, is "
        "refused when the layer is made, or only by its executions in training.",
        consequence="Where None is refused, no single number gives every batch the same weight, "
        "because that weight shrinks with each batch; where training alone refuses it, the layer "
        "is made and infers, and the error comes with the first batch to learn from.",
        translation_from={"cumulative average": None},
        translation="Write a number for momentum; a cumulative average has no other spelling.",
    ),
    Axis(
        "default-decay",
        "number",
        (0.9, 0.99, 0.999),
        question="How fast do the running statistics follow by default?",
        meaning="The weight kept on the old running value when the user writes no momentum.",
        consequence="After one hundred batches a default of 0.9 has all but forgotten the "
        "initial statistics, 0.99 still holds 37 % of them and 0.999 holds 90 %.",
        translation="Write the momentum out.",
    ),
    Axis(
        "default-epsilon",
        "number",
        (1e-5, 1e-3),
        question="How large is epsilon when nobody writes it?",
        meaning="The epsilon used when the user writes none.",
        consequence="A channel whose variance is near 10⁻³ comes out about 1.4 times smaller "
        "under 10⁻³ than under 10⁻⁵.",
        translation="Write epsilon out.",
    ),
    Axis(
        "default-gamma",
        "choice",
        ("learned", "absent", "fixed at one"),
        question="Does the layer learn a scale when nobody asks?",
        meaning="Whether the layer scales its output by a learned gamma when the user does "
        "not say, has none, or has one that is held at 1.",
        consequence="Where gamma is absent a checkpoint holds none to copy, and where it is "
        "fixed at one a gamma the user sets is silently replaced by 1.",
        paper="learned",
        translation="Say in both whether the layer has a gamma.",
    ),
    Axis(
        "default-channel-axis",
        "choice",
        ("last", "second"),
        question="Which axis holds the channels when nobody says?",
        meaning="Which axis of the input holds the channels when the user does not say.",
        consequence="An image batch in the other layout is normalised per row or per column "
        "instead of per channel, without an error where the sizes fit.",
        translation="Move the channel axis of the input, or name it where an argument does that.",
    ),
    Axis(
        "channel-axis-argument",
        "refusal",
        ("computed", "refused unless last"),
        question="May the channel axis be said to be another than the last?",
        meaning="Whether a layer told by an argument that its channels are not on the last axis "
        "executes, or is refused.",
        consequence="A model written for channels in front of the positions, as graphics cards "
        "like them, is built but cannot be executed on a CPU.",
        translation="Move the channel axis of the input to the end.",
    ),
    Axis(
        "wrong-channels",
        "refusal",
        ("refused", "one stands for all"),
        question="Is an input with another number of channels refused?",
        meaning="Whether an input with one channel to a layer of several, or with several to a "
        "layer of one, is refused, or the one is taken to stand for all.",
        consequence="Grey images given to a layer for colours, or a layer made for one channel by "
        "mistake, raise an error here and come out normalised by the wrong numbers there.",
        translation="Check the number of channels before the layer.",
    ),
    Axis(
        "no-channels",
        "refusal",
        ("computed", "refused when executed", "refused when made"),
        question="Is a layer without channels refused?",
        meaning="Whether a layer of zero channels is refused, when it is made or when it is "
        "executed, or gives an output that has no values.",
        consequence="A network pruned until nothing is left of one layer raises an error here and "
        "runs on there.",
        translation="Leave the layer out where it has no channels.",
    ),
    Axis(
        "wrong-rank",
        "refusal",
        ("refused", "2 and 3 taken", "taken"),
        question="Is an input of another rank than the layer's refused?",
        meaning="Whether a layer takes an input with more or fewer axes than it was made for: "
        "none, a sequence where it has seen single vectors and the other way round, or any.",
        consequence="Images that reach a layer made for vectors are pooled over all their "
        "positions, or raise an error.",
        translation="Check the rank before the layer, or give each rank a layer of its own.",
    ),
    Axis(
        "initial-running-mean",
        "number",
        (0.0, 1.0),
        question="What is the running mean before any training?",
        meaning="The running mean before the first update.",
        consequence="It decides what an untrained layer subtracts in inference, and fades from "
        "the average only as fast as the momentum lets it.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-running-variance",
        "number",
        (1.0, 0.0),
        question="What is the running variance before any training?",
        meaning="The running variance before the first update.",
        consequence="A start of 0 makes inference before training divide by √ε alone, which "
        "multiplies the input by 316 at ε = 10⁻⁵.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-gamma",
        "number",
        (1.0, 0.0, DRAWN),
        question="What is gamma before the first training step?",
        meaning="Gamma before the first training step; a number, or drawn at random for each "
        "channel, uniformly between 0 and 1.",
        consequence="A start of 0 makes the layer put out beta alone, whatever its input, until "
        "gamma has moved, and one drawn at random halves what each such layer puts out on average.",
        translation="Set the initial value.",
    ),
    Axis(
        "initial-beta",
        "number",
        (0.0, 1.0),
        question="What is beta before the first training step?",
        meaning="Beta before the first training step.",
        consequence="It shifts every output of the untrained layer, and so what a ReLU after it "
        "lets through.",
        translation="Set the initial value.",
    ),
    Axis(
        "epsilon-of-zero",
        "refusal",
        WHERE_EPSILON_IS_REFUSED,
        question="May epsilon be zero?",
        meaning="Whether an epsilon of zero is used as written, refused when the layer is made, by "
        "its executions in training alone, or by every execution.",
        consequence="A converted or fused layer whose epsilon is zero runs here and stops with "
        "an error there.",
        translation="Write the least positive epsilon that does not show, such as 10⁻¹².",
    ),
    Axis(
        "epsilon-below-zero",
        "refusal",
        WHERE_EPSILON_IS_REFUSED,
        question="May epsilon be negative?",
        meaning="Whether an epsilon below zero is used as written, refused when the layer is made, "
        "by its executions in training alone, or by every execution.",
        consequence="Where it is used, a sign lost in a configuration shows only once "
        "some variance is small enough to turn outputs into NaN.",
        translation="Write a positive epsilon.",
    ),
    Axis(
        "momentum-out-of-range",
        "refusal",
        ("used as written", "refused when made", "refused in training", "cut to 0 and 1"),
        question="May momentum lie outside 0 and 1?",
        meaning="Whether a momentum argument below 0 or above 1 is used as written, refused when "
        "the layer is made or by its executions in training, or cut to the nearer of 0 and 1.",
        consequence="Used as written, running statistics overshoot or run away from the batch's, "
        "and a running variance can become negative, which makes inference NaN.",
        translation="Write a momentum between 0 and 1.",
    ),
)

NORMALISATION = (
    Axis(
        "training-output-statistics",
        "choice",
        ("batch", "running before the update", "running after the update"),
        question="Whose mean and variance normalise a training batch?",
        meaning="Which statistics normalise the output in training.",
        consequence="With running statistics the training output of a batch depends on the "
        "batches before it and, early on, on the initial values.",
        paper="batch",
    ),
    Axis(
        "training-output-variance",
        "choice",
        ("population", "sample"),
        question="Does training divide the variance by n or n − 1?",
        meaning="Whether the training output divides by the population or the sample variance.",
        consequence="With four values per channel the outputs differ by 15 % where epsilon is "
        "small, with a thousand by 0.05 %.",
        paper="population",
    ),
    Axis(
        "inference-output-statistics",
        "choice",
        ("running", "batch"),
        question="Whose mean and variance normalise in inference?",
        meaning="Which statistics normalise the output in inference.",
        consequence="With batch statistics the prediction for one sample changes with the other "
        "samples in its batch.",
        paper="running",
    ),
    Axis(
        "epsilon-placement",
        "choice",
        ("inside the root", "outside the root"),
        question="Is epsilon added to the variance or to the standard deviation?",
        meaning="Whether epsilon is added to the variance or to the standard deviation.",
        consequence="Where the variance is zero, ε = 10⁻⁵ divides by 0.003 inside the root and "
        "by 0.00001 outside it.",
        paper="inside the root",
    ),
    Axis(
        "epsilon-floor",
        "number",
        (0.0, 1.001e-5),
        question="Is a very small epsilon used as written?",
        meaning="The least epsilon the implementation uses, whatever smaller value the user "
        "writes.",
        consequence="Below the floor a smaller epsilon changes nothing here and something "
        "elsewhere, seen in channels of hardly any variance.",
        paper=0.0,
        translation="Write an epsilon no smaller than the floor, the same in both.",
    ),
    Axis(
        "training-gradient",
        "choice",
        ("through the batch statistics", "statistics held constant"),
        question="Does the training gradient flow through the batch statistics?",
        meaning="Whether the gradient in training flows through the batch mean and variance.",
        consequence="With the statistics held constant a gradient step can change the mean and "
        "variance that the forward pass then removes again, so the same loss trains "
        "differently.",
        paper="through the batch statistics",
    ),
    Axis(
        "inference-gradient",
        "choice",
        ("statistics held constant", "through the batch statistics", "refused"),
        question="What is the gradient where running statistics normalise?",
        meaning="Whether the gradient in inference treats the running statistics as "
        "constants, flows as if they came from the batch, or is refused.",
        consequence="Fine-tuning with frozen statistics, saliency maps and adversarial examples "
        "get another gradient, or an error, from the same outputs.",
        paper="statistics held constant",
    ),
    Axis(
        "second-order-gradient",
        "choice",
        ("complete", "without the mean inside the variance", "refused"),
        question="Is the gradient of a gradient right?",
        meaning="Whether differentiating the gradient to the input once more follows the mean "
        "inside the variance too, holds it constant, which the first gradient does not show, or "
        "is refused.",
        consequence="A penalty on gradients, as in WGAN-GP, or a Hessian comes out wrong where it "
        "is held constant, while every ordinary gradient check passes; where it is refused, it "
        "stops with an error.",
        paper="complete",
    ),
    Axis(
        "float64-layer",
        "refusal",
        ("computed", "refused", "made but not executed"),
        question="Can the layer be made for float64?",
        meaning="Whether the layer can be made for float64 at all, and whether one that was made "
        "can be executed.",
        consequence="Where it cannot, a float64 model needs a cast around each of these layers, "
        "and a gradient check by small differences is limited to float32.",
        paper="computed",
    ),
    Axis(
        "float64-arithmetic",
        "error model",
        ("float64", "float32"),
        question="In which dtype does a float64 layer compute?",
        meaning="In which dtype a float64 layer computes, whatever dtype its variables have.",
        consequence="Computed in float32, the outputs of a float64 layer are off in the seventh "
        "digit, and a gradient check by small differences fails.",
        paper="float64",
    ),
    Axis(
        "variance-algorithm",
        "error model",
        ("two-pass", "Welford", "one-pass clamped at zero", "one-pass"),
        question="How is the variance computed?",
        meaning="Whether the variance is the mean squared deviation, or E[x²] − E[x]² cut "
        "off at zero or not, or is updated value by value.",
        consequence="For values around 1000 with a deviation of 0.1 the one-pass form in float32 "
        "loses every digit, and without the cut-off a negative result makes the "
        "output NaN.",
        paper="two-pass",
    ),
)

LOW_PRECISION = (
    Axis(
        "low-precision-layer",
        "refusal",
        ("computed", "refused", "made but not executed"),
        question="Can the layer be made for float16 or bfloat16?",
        meaning="Whether the layer can be made for float16 or bfloat16 at all, and whether one "
        "that was made can be executed.",
        consequence="Where it cannot, a half-precision model must keep this layer in float32 and "
        "cast around it.",
        translation="Make the layer for float32 and cast its input and output.",
    ),
    Axis(
        "low-precision-arithmetic",
        "error model",
        ("float32", "the layer's dtype"),
        question="In which dtype does a half-precision layer compute?",
        meaning="In which dtype a float16 or bfloat16 layer computes.",
        consequence="Computed in bfloat16 the outputs are off by a per cent or more, computed in "
        "float32 by no more than the last rounding, 0.2 %.",
        translation="Make the layer for float32 and cast its input and output.",
    ),
    Axis(
        "low-precision-batch-moments",
        "error model",
        ("float32", "the layer's dtype but for the variance", "the layer's dtype"),
        question="Are the batch statistics of a half-precision layer rounded?",
        meaning="To which dtype a float16 or bfloat16 layer rounds the mean and inverse deviation "
        "of a batch, and whether the variance before that too.",
        consequence="With the variance rounded to float16, one beyond 65504 overflows, and the "
        "training output can collapse to beta alone.",
        translation="Make the layer for float32 and cast its input and output.",
    ),
    Axis(
        "low-precision-statistics",
        "choice",
        ("the layer's dtype", "float32"),
        question="In which dtype are half-precision running statistics kept?",
        meaning="In which dtype a float16 or bfloat16 layer keeps its running statistics.",
        consequence="Kept in bfloat16 with a decay of 0.999 they soon stop following, because a "
        "thousandth of the difference is rounded away.",
        translation="Make the layer for float32 and cast its input and output.",
    ),
    Axis(
        "low-precision-parameters",
        "choice",
        ("the layer's dtype", "float32"),
        question="In which dtype are half-precision gamma and beta kept?",
        meaning="In which dtype a float16 or bfloat16 layer keeps gamma and beta.",
        consequence="Kept in the layer's dtype a small gradient step is rounded away, and a "
        "checkpoint loads into the other kind only after a cast.",
        translation="Make the layer for float32 and cast its input and output.",
    ),
    Axis(
        "input-of-another-dtype",
        "refusal",
        ("cast to the layer's dtype", "output in the input's dtype", "refused"),
        question="What if the input has another dtype than the layer?",
        meaning="Whether an input of another dtype than the layer's is cast to that, is taken as "
        "it is and answered in its own, or is refused.",
        consequence="Half-precision activations come out of the layer as float32 here and as half "
        "precision there, and a float64 array from NumPy may end with an error.",
        translation="Cast the input to the layer's dtype, and the output to the one wanted.",
    ),
    Axis(
        "mixed-precision-output",
        "choice",
        ("the policy's dtype", "the input's dtype", "the layer's dtype"),
        question="Which dtype comes out under mixed precision?",
        meaning="Which dtype the output has where mixed precision asks for half precision outside "
        "the parameters: the one asked for, that of the input, or that of the parameters.",
        consequence="The next layer is handed half precision here and float32 there, which costs "
        "twice the memory, or a cast that the author did not plan for.",
        translation="Cast the output to the dtype wanted.",
    ),
    Axis(
        "statistics-of-a-cast-layer",
        "choice",
        ("cast like the parameters", "stay as they are"),
        question="Does casting a layer cast its running statistics?",
        meaning="Whether casting a layer that exists to another dtype casts its running statistics "
        "along with gamma and beta.",
        consequence="Cast to float16, a running variance beyond 65504 becomes infinite, and that "
        "channel puts out beta alone in inference.",
        translation="Cast gamma and beta themselves, or the statistics too.",
    ),
)

ORDERS_OF_TWO_UPDATES = (
    "in call order",
    "in reverse order",
    "both from the value before",
    "last call only",
    "first call only",
    OPEN_ORDER,
)

DEBIASING = ("none", "zero-debias", "warm-up by number of updates")

STATISTICS = (
    Axis(
        "running-variance-factor",
        "choice",
        ("1", "n/(n-1)", "n/(n-1-epsilon)"),
        question="Is the running variance fed the population or the sample variance?",
        meaning="Whether the running variance is fed the population variance of the batch, "
        "the sample variance, or one with epsilon in its divisor too.",
        consequence="Trained on batches of two values per channel, one layer keeps twice the "
        "variance of the other, and on large images nobody sees a difference.",
        paper="n/(n-1)",
    ),
    Axis(
        "one-value-per-channel",
        "refusal",
        ("refused", "fed as it is"),
        question="May a training batch hold one value per channel?",
        meaning="Whether training on one value per channel is refused, or goes on with a "
        "variance of zero, which then feeds the running variance without any factor.",
        consequence="A last batch of one sample ends the training with an error here, and there "
        "puts out beta alone and pulls the running variance towards zero.",
    ),
    Axis(
        "empty-batch",
        "refusal",
        ("refused", "statistics stay", "statistics become NaN", "mean becomes NaN"),
        question="What does training on a batch without samples do?",
        meaning="Whether training on a batch without samples is refused, ignored, or ruins "
        "the running statistics: both, or the mean, while the variance takes in a zero.",
        consequence="One empty batch, as a detector without a detection makes it, turns every "
        "later prediction into NaN, or passes unnoticed.",
        translation="Skip the layer, or the whole step, where the batch is empty.",
    ),
    Axis(
        "empty-batch-gradients",
        "choice",
        ("zero", "NaN to gamma", "none"),
        question="Which gradients does a batch without samples give?",
        meaning="Whether training on a batch without samples gives gamma and beta gradients of "
        "zero, gamma one of NaN, or neither of them any.",
        consequence="One optimiser step on an empty batch turns gamma into NaN for good, or stops "
        "with an error where a gradient is missing, or passes unnoticed.",
        translation="Skip the layer, or the whole step, where the batch is empty.",
    ),
    Axis(
        "non-finite-input",
        "choice",
        ("reaches the running statistics", "kept out"),
        question="Does one NaN ruin the running statistics?",
        meaning="Whether a NaN in a training batch ruins the running statistics of its channel.",
        consequence="Where it does, one bad sample leaves that channel NaN in inference for "
        "good, though training on later batches looks healthy.",
        translation="Keep batches that are not finite away from the layer.",
    ),
    Axis(
        "running-mean-debiasing",
        "choice",
        DEBIASING,
        question="Is the running mean corrected for where it started?",
        meaning="Whether the running mean is corrected for its initial value without being asked.",
        consequence="After one batch with a decay of 0.99 a plain average still holds 99 % of "
        "its start, a debiased one none of it, and one that warms up a tenth.",
        paper="none",
    ),
    Axis(
        "running-variance-debiasing",
        "choice",
        DEBIASING,
        question="Is the running variance corrected for where it started?",
        meaning="Whether the running variance is corrected for its initial value without "
        "being asked.",
        consequence="A model trained for few steps is normalised in inference by a variance near "
        "the initial 1, or by that of its data.",
        paper="none",
    ),
    Axis(
        "zero-debias-argument",
        "choice",
        ("mean only", "mean and variance", "neither"),
        question="Which statistics does asking for zero-debiasing correct?",
        meaning="Which running statistics the argument that asks for zero-debiasing corrects.",
        consequence="Where it corrects the mean only, early inference subtracts the mean of the "
        "data but still divides by a variance near the initial one.",
        translation="Leave the argument out.",
    ),
    Axis(
        "update-timing",
        "timing",
        (
            "within the call",
            "when the update operations are run",
            "when the returned state is adopted",
            "in the backward pass",
            "within the call and again in the backward pass",
        ),
        question="When do the running statistics move?",
        meaning="Whether a training execution moves the running statistics by itself, or "
        "only its deferred operations, the state it returns, or its backward pass "
        "does; or both it and each backward pass, which computes the layer once more.",
        consequence="A loop that leaves out that last step trains without an error and then "
        "predicts with the initial mean and variance; where the backward pass repeats the update, "
        "every batch counts twice.",
        translation_from={
            "when the update operations are run": "Nothing is left to run: the call updates. "
            "Keep the whole old running value (decay 1) "
            "where it must not move.",
            "when the returned state is adopted": "Nothing is left to adopt: restore the "
            "statistics you had where an execution must "
            "not count.",
            "in the backward pass": "Restore the statistics you had after forward "
            "passes that compute no gradients.",
            "within the call and again in the backward pass": None,
        },
        translation="Run the deferred update operations with every execution in training.",
    ),
    Axis(
        "updates-in-place-argument",
        "timing",
        ("updates within the call", "ignored"),
        question="Does asking for updates in place make the call update?",
        meaning="Whether asking for updates in place (updates_collections=None) makes "
        "executing the layer in training enough.",
        consequence="Where the argument is ignored, the statistics stay at their initial values "
        "unless the update operations are run as well.",
        translation="Leave the argument out and run the update operations.",
    ),
    Axis(
        "inference-updates",
        "choice",
        ("never", "always"),
        question="Do running statistics move in inference?",
        meaning="Whether executing the layer in inference moves the running statistics.",
        consequence="Where they do, predicting twice gives two answers, and evaluating a model "
        "changes it.",
        paper="never",
    ),
    Axis(
        "shared-layer-updates",
        "timing",
        ORDERS_OF_TWO_UPDATES,
        question="What if one execution applies the layer twice?",
        meaning="What the running statistics become when one execution applies the layer twice.",
        consequence="A siamese network ends with statistics that favour its first or its second "
        "input, or with those of one input alone.",
    ),
    Axis(
        "shared-layer-updates-in-a-functional-model",
        "timing",
        ORDERS_OF_TWO_UPDATES,
        question="What if a composed model applies the layer twice?",
        meaning="What the running statistics become when a model composed of layers applies "
        "the layer to two inputs in one execution.",
        consequence="The same two-input network, composed from layers instead of written as a "
        "forward pass, may end with other statistics.",
        translation="Apply the layer twice in a forward pass of your own.",
    ),
    Axis(
        "update-counter",
        "choice",
        ("none", "counts training executions"),
        question="Does the layer count its updates?",
        meaning="Whether the layer keeps a count of its updates among its state.",
        consequence="A checkpoint has one entry more than the other side expects, and a strict "
        "load of it fails.",
        paper="none",
    ),
    Axis(
        "no-running-statistics",
        "choice",
        ("batch statistics in both modes", "refused"),
        question="What does a layer without running statistics do in inference?",
        meaning="How a layer told not to track running statistics behaves in inference.",
        consequence="Where it uses the batch, a prediction depends on the other samples in the "
        "batch, and where it refuses, the layer can only train.",
    ),
    Axis(
        "updates-with-tracking-switched-off",
        "choice",
        ("none", "in every execution"),
        question="When do the running statistics of a layer move whose tracking was switched off?",
        meaning="Whether the running statistics of a layer that has some still move after it was "
        "told to track none.",
        consequence="Statistics that someone thought to have frozen go on moving, uncounted, even "
        "in inference.",
        translation="Put the layer in evaluation mode instead, or save the statistics and write "
        "them back.",
    ),
    Axis(
        "inference-with-tracking-switched-off",
        "choice",
        ("running statistics", "batch statistics"),
        question="What normalises inference after the tracking was switched off?",
        meaning="Which statistics a layer that has some normalises with in inference after it was "
        "told to track none.",
        consequence="The same line makes a prediction depend on the other samples of the batch in "
        "one version, and changes nothing in another.",
        translation="Make the layer without running statistics, or leave tracking on.",
    ),
)

MODES = (
    Axis(
        "bare-call",
        "choice",
        ("training", "inference"),
        question="Does a call that names no mode train or infer?",
        meaning="The mode of a call on a fresh layer that does not say which.",
        consequence="The same line, layer(x), normalises by the batch and moves the statistics "
        "here, and there uses the running statistics and moves nothing.",
        translation="Say the mode with every call: by the argument, or by a switch just before.",
    ),
    Axis(
        "mode-memory",
        "choice",
        ("none", "remembers the last switch"),
        question="Does the layer remember the mode it was put in?",
        meaning="Whether a layer stays in the mode that train(), eval() or the last training "
        "loop set.",
        consequence="Where it does, a forgotten eval() makes predictions depend on the batch and "
        "moves the statistics, and a forgotten train() stops them.",
        translation="Say the mode with every call: by the argument, or by a switch just before.",
    ),
    Axis(
        "training-none",
        "choice",
        ("as a bare call", "training", "inference", "refused"),
        question="What does training=None mean?",
        meaning="What training=None means.",
        consequence="Code that hands on an unset training argument trains here, infers there, "
        "and stops with an error elsewhere.",
        translation="Say True or False.",
    ),
    Axis(
        "training-integer",
        "choice",
        ("as True and False", "training", "inference", "refused", ONLY_FALSE),
        question="Do 0 and 1 mean False and True?",
        meaning="What training=0 and training=1 mean; 0 may be taken for False and 1 refused.",
        consequence="A flag read from a command line or a configuration as 0 or 1 works here and "
        "is refused there.",
        translation="Say True or False.",
    ),
    Axis(
        "training-tensor",
        "choice",
        ("as its value", "training", "inference", "refused", ONLY_FALSE),
        question="Can the mode be a tensor?",
        meaning="Whether a mode fed as a tensor at execution time is followed by its value, "
        "stands for one mode whatever it holds, or is refused, always or where it holds True.",
        consequence="One graph that serves training and inference through a fed flag needs its "
        "mode written in Python where tensors are not followed.",
        translation="Say True or False in Python, in a program of its own for each mode.",
    ),
    Axis(
        "explicit-training-in-a-functional-model",
        "choice",
        ("wins", "loses to the caller"),
        question="Does a mode written in a composed model last?",
        meaning="Whether a training argument written where layers are composed into a model "
        "outlasts what fit, evaluate, predict or the model's caller say.",
        consequence="A base model put in inference for fine-tuning by training=False may be "
        "trained by fit all the same, and its statistics drift to the new data.",
        translation="Write the model as a class that passes the argument in its forward pass.",
    ),
    Axis(
        "explicit-training-in-a-subclassed-model",
        "choice",
        ("wins", "loses to the caller"),
        question="Does a mode written in a forward pass last?",
        meaning="Whether a training argument written in a model's own forward pass outlasts "
        "what fit, evaluate, predict or the model's caller say.",
        consequence="Where training=True lasts, evaluating and predicting normalise by the batch "
        "and move the statistics as well.",
    ),
    Axis(
        "explicit-none-in-a-model",
        "choice",
        ("as a bare call", "follows fit, evaluate and predict"),
        question="Does training=None in a forward pass follow the loop?",
        meaning="What a layer does in a loop when the model's forward pass hands it training=None.",
        consequence="Where None counts as a bare call that infers, fit teaches gamma and beta "
        "but never moves the running statistics.",
        translation="Leave the argument out, or hand on what the model was given.",
    ),
    Axis(
        "model-without-a-training-argument",
        "choice",
        ("follows fit, evaluate and predict", "every execution is a bare call"),
        question="Must a model's forward pass take a training argument?",
        meaning="Whether the layer learns the loop's mode in a model whose forward pass "
        "takes no training argument.",
        consequence="Where it does not, fit runs the layer as a bare call, and if that infers, "
        "the running statistics keep their initial values.",
        translation_from={
            "every execution is a bare call": "Before each loop switch the layer to the mode of a "
            "bare call yourself.",
        },
        translation="Give the model's forward pass a training argument and hand it on.",
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
        question="Does freezing the layer also switch it to inference?",
        meaning="Whether freezing the layer also makes it normalise with the running statistics.",
        consequence="A frozen layer of a pretrained network gives its pretrained outputs here, "
        "and there outputs that change with every new batch.",
        translation_from={
            "no effect": "Freeze gamma and beta themselves instead of the layer; keep the whole "
            "old running value (decay 1) where the statistics must stop.",
            "inference even with training=True": "Also switch the layer to inference.",
            "inference unless training=True": "Also switch the layer to inference.",
        },
        translation="Switch the layer to inference too, or, the other way round, freeze gamma "
        "and beta instead of the layer.",
    ),
    Axis(
        "trainable-false-statistics",
        "choice",
        ("still move in training", "stop"),
        question="Does freezing stop the running statistics?",
        meaning="Whether freezing the layer stops the running statistics of a training execution.",
        consequence="Where they still move, a layer frozen for fine-tuning loses its pretrained "
        "statistics though gamma and beta stay.",
        translation_from={
            "still move in training": "Freeze gamma and beta themselves instead of the layer."
        },
        translation="Keep the whole old running value (decay 1) where the statistics must stop.",
    ),
    Axis(
        "trainable-false-parameters",
        "choice",
        ("stop", "still learn"),
        question="Does freezing stop gamma and beta?",
        meaning="Whether freezing the layer stops gamma and beta.",
        consequence="Where they still learn, the frozen layer drifts with every optimiser step "
        "that is given its parameters.",
    ),
    Axis(
        "trainable-false-before-build",
        "choice",
        ("as later", "forgotten by training loops"),
        question="Does freezing a layer before its variables exist hold?",
        meaning="Whether gamma and beta of a layer frozen in the constructor, or before its "
        "variables exist, stop in a training loop as if it had been frozen later.",
        consequence="Where a loop forgets it, trainable=False in the constructor freezes the "
        "running statistics, yet gamma and beta learn.",
        translation="Freeze the layer after its variables exist.",
    ),
    Axis(
        "trainable-read-by-call",
        "timing",
        ("at every call", "when the layer was built", "when such a call was first traced"),
        question="Does freezing a layer that exists already count?",
        meaning="Whether freezing a layer that exists already changes how later calls execute it; "
        "a traced function may go on with what it found when it was traced.",
        consequence="Where the flag is read when the layer is built, or when a function that "
        "calls it is traced, freezing it later leaves its calls as they were, without a warning.",
        translation="Freeze before the layer is built, or build it again, or trace it again.",
    ),
    Axis(
        "trainable-read-by-fit",
        "timing",
        ("at every fit", "when the model was compiled", "at the first fit after compiling"),
        question="When does a training loop look at what is frozen?",
        meaning="When a training loop looks at whether the layer is frozen.",
        consequence="A layer frozen between two runs of the loop may go on learning until the "
        "model is compiled again.",
        translation_from={
            "when the model was compiled": "Freeze only where you would compile again.",
            "at the first fit after compiling": "Freeze only where you would compile again.",
        },
        translation="Compile the model again after freezing or unfreezing.",
    ),
    Axis(
        "model-trainable-reaches-the-layer",
        "choice",
        ("always", "only when the model's own flag changes"),
        question="Does freezing a model always reach the layers inside?",
        meaning="Whether freezing or unfreezing a model always does so to the layers inside.",
        consequence="Unfreezing a whole model can leave a layer that was frozen by itself still "
        "frozen.",
        translation="Set the flag on the layer itself.",
    ),
    Axis(
        "statistics-inside-a-frozen-model",
        "choice",
        ("move with the layer", "stop"),
        question="Do statistics move in a layer thawed inside a frozen model?",
        meaning="Whether a frozen model stops the running statistics of every layer inside, even "
        "of one that was thawed by itself.",
        consequence="Where it does, a layer thawed by itself to adapt a frozen model to new data "
        "is trained by the batch, but the model goes on predicting with the old statistics.",
        translation_from={
            "stop": "Keep the whole old running value (decay 1) where the statistics must stop.",
        },
        translation="Thaw the model too, and freeze its other layers one by one.",
    ),
    Axis(
        "eval-mode-parameters",
        "choice",
        ("still learn", "stop"),
        question="Do gamma and beta learn in evaluation mode?",
        meaning="Whether gamma and beta still receive gradients in evaluation mode.",
        consequence="Evaluation mode alone does not freeze a layer where they do, since an "
        "optimiser step still changes gamma and beta.",
    ),
)

WEIGHTING = (
    Axis(
        "mask-in-training",
        "choice",
        ("counts", "ignored"),
        question="Does the layer heed a mask?",
        meaning="Whether a mask leaves values out of the statistics of a training batch or is "
        "accepted and ignored.",
        consequence="Where it is ignored, the more of a batch is padding the further its mean and "
        "variance are from those of the data.",
    ),
    Axis(
        "mask-weight-guard",
        "number",
        (0.0, 1e-7),
        question="Is something added to the weights of a masked batch?",
        meaning="What is added to the sum of the weights of a masked or weighted batch before it "
        "divides.",
        consequence="Masked statistics in float64 are off in the seventh digit, and weights that "
        "add up to a millionth give a mean a tenth too small.",
        paper=0.0,
    ),
    Axis(
        "mask-of-everything",
        "refusal",
        ("refused", "mean and variance are zero", "statistics become NaN"),
        question="What does training on a batch masked altogether do?",
        meaning="Whether training on a batch that is masked altogether is refused, goes on with a "
        "mean and variance of zero, or makes the running statistics NaN.",
        consequence="One batch of padding alone turns every later prediction into NaN, or pulls "
        "the running statistics towards zero.",
        translation="Skip the layer where everything is masked.",
    ),
    Axis(
        "masked-non-finite",
        "choice",
        ("kept out", "reaches the statistics"),
        question="Does a NaN under the mask spoil the batch?",
        meaning="Whether a NaN at a masked position, or in a sample of weight zero, spoils the "
        "batch statistics.",
        consequence="Padding with NaN is harmless where the values are selected, and ruins the "
        "channel where they are multiplied by zero.",
        translation="Replace what is masked by a finite number.",
    ),
    Axis(
        "weighted-running-variance-factor",
        "choice",
        ("1", "W/(W-1)"),
        question="Is the running variance of a masked batch fed the sample variance?",
        meaning="Whether the running variance is fed the weighted variance as it is or times "
        "W/(W − 1), W the sum of the weights.",
        consequence="Where all but two positions are masked, one layer keeps twice the variance "
        "of the other.",
    ),
)

RENORMALISATION = (
    Axis(
        "renormalisation-averages",
        "choice",
        ("a pair of their own", "the running statistics"),
        question="By which averages does renormalisation correct?",
        meaning="Whether renormalisation corrects by averages of its own, with a momentum of "
        "their own, or by the running statistics.",
        consequence="With a pair of their own training and inference agree less, and a checkpoint "
        "has two more entries.",
    ),
    Axis(
        "renormalised-running-variance",
        "choice",
        (
            "from an average of the deviation",
            "an average of the variance",
            "from the averages that correct",
        ),
        question="What does a renormalising layer average for inference?",
        meaning="Whether the running variance is the square of an average of the deviation, less "
        "epsilon, an average of the variance itself, or an average of what the averages that "
        "correct come to.",
        consequence="Over batches of different spread an average of the deviation gives a smaller "
        "variance than an average of the variance.",
    ),
    Axis(
        "renormalisation-start",
        "choice",
        ("the initial running statistics", "the first batch"),
        question="From where do the averages of renormalisation start?",
        meaning="Whether the averages that correct start from the initial running mean and the "
        "root of the initial running variance, or as if from the first batch.",
        consequence="From mean 0 and deviation 1 the first step leaves its input as it is, from "
        "the first batch it normalises like a layer that does not renormalise.",
    ),
    Axis(
        "renormalisation-deviation-floor",
        "choice",
        ("root of epsilon", "none"),
        question="How small may the deviation that corrects be?",
        meaning="Whether a deviation below the root of epsilon is raised to it before it divides.",
        consequence="A channel whose average deviation starts at zero divides by zero where there "
        "is no floor.",
    ),
    Axis(
        "renormalisation-least-ratio",
        "choice",
        ("0", "1/rmax"),
        question="How far down may renormalisation scale where only rmax is written?",
        meaning="The least ratio of deviations where rmax is written and rmin is not.",
        consequence="A batch that varies much less than the average is scaled down without limit, "
        "or by 1/rmax at most.",
        paper="1/rmax",
        translation="Write rmin.",
    ),
    Axis(
        "default-renormalisation-decay",
        "number",
        (0.99, 0.9),
        question="How fast do the averages of renormalisation follow by default?",
        meaning="The weight kept on their old values when the user writes no momentum for the "
        "averages that correct.",
        consequence="The larger it is, the longer training is corrected by stale averages.",
        translation="Write it out.",
    ),
)

VIRTUAL_BATCH = (
    Axis(
        "virtual-batch-remainder",
        "refusal",
        ("refused", "a smaller last group"),
        question="Must the virtual batch size divide the batch?",
        meaning="Whether training on a batch that the virtual batch size does not divide is "
        "refused or leaves a smaller last group.",
        consequence="The last batch of an epoch ends the training with an error, or is normalised "
        "by fewer samples than the others.",
        translation="Drop the remainder of the data.",
    ),
    Axis(
        "virtual-batch-groups",
        "choice",
        ("consecutive", "every G-th sample"),
        question="Which samples form a virtual batch?",
        meaning="Whether the samples of a group are consecutive or, of G groups, every G-th of "
        "the batch.",
        consequence="Where samples are ordered, the groups differ, and so does every output.",
        translation="Reorder the samples.",
    ),
    Axis(
        "virtual-batch-updates",
        "choice",
        ("once, from the mean over the groups", "by each group in turn"),
        question="How often does a batch of virtual batches update the statistics?",
        meaning="Whether the running statistics take in the mean over the groups of their means "
        "and variances, once, or each group in turn.",
        consequence="In turn a batch of eight groups keeps the eighth power of the momentum of "
        "the old value.",
    ),
    Axis(
        "virtual-batch-remainder-in-inference",
        "refusal",
        ("computed", "refused"),
        question="Must the virtual batch size divide the batch in inference too?",
        meaning="Whether inference on a batch that the virtual batch size does not divide is "
        "computed or refused.",
        consequence="A model trained with virtual batches cannot predict for one sample.",
    ),
)

STATE = (
    Axis(
        "kept-state",
        "choice",
        ("a snapshot", "follows the layer", "follows the layer, its counter aside"),
        question="Is a state kept in memory a snapshot?",
        meaning="Whether the state that a layer hands out in memory stays what it was, or is the "
        "layer's own memory and follows it; the counter of updates may be a snapshot alone.",
        consequence="Where it follows the layer, the best state kept in memory during training is "
        "the last one when it is put back.",
        translation="Copy each array of the state when you take it.",
    ),
    Axis(
        "counter-missing-from-a-state",
        "choice",
        ("starts at zero", "stays as it is", "refused"),
        question="Which count has a layer that loads a state without one?",
        meaning="What becomes of the counter of updates when a state is loaded that was saved "
        "before layers had one.",
        consequence="A cumulative average goes on from such a state as if no batch had gone before "
        "where the counter starts at zero, and with the weight of its own earlier batches where "
        "it stays.",
        translation="Set the counter after loading.",
    ),
    Axis(
        "penalty-of-frozen-parameters",
        "choice",
        ("in the loss", "left out"),
        question="Does the penalty of a frozen gamma stay in the loss?",
        meaning="Whether the penalty on gamma or beta enters the loss while the layer is frozen.",
        consequence="The loss drops by the penalty at the moment a layer is frozen where it is "
        "left out, although no output changed.",
        translation="Compare losses without the penalties.",
    ),
)

GROUPS: dict[str, tuple[Axis, ...]] = {
    "Arguments, defaults and initial values": ARGUMENTS,
    "Normalisation and gradients": NORMALISATION,
    "Low precision": LOW_PRECISION,
    "Running statistics": STATISTICS,
    "Training and inference": MODES,
    "Freezing": FREEZING,
    "Masks and sample weights": WEIGHTING,
    "Batch renormalisation": RENORMALISATION,
    "Virtual batch": VIRTUAL_BATCH,
    "State and penalties": STATE,
}
AXES: tuple[Axis, ...] = tuple(axis for group in GROUPS.values() for axis in group)
REGISTRY: dict[str, Axis] = {axis.id: axis for axis in AXES}


def axis_named(name: str) -> Axis:
    """Return the axis with this id. Raises KeyError with a sentence when there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise KeyError(f"there is no convention called {name!r}") from None
