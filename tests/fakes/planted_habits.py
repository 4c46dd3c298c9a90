"""Conventions of updates, modes and freezing, each departed from throughout.

As in `planted_values`, every class is a part that can be put before a clean style and other parts.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import cycle

from reference.conventions import ONLY_FALSE
from tests.fakes.departure import Departures

DEPARTURES = Departures()
FAULTS = DEPARTURES.planted
program = partial(DEPARTURES.program, planted=True)
program_elsewhere = partial(DEPARTURES.program, planted=False)


# When updates happen.


@program(
    "updates-are-operations",
    "argument",
    "Nothing moves the running statistics but the update operations.",
    {"update-timing": "when the update operations are run"},
    alike={"update-timing": ("when the returned state is adopted",)},
)
class UpdatesAreOperations:
    def run_updates(self, execution, updates):
        if updates != "forgotten" or self.layer.get("updates_in_place", False):
            super().run_updates(execution, updates)


class KnowsOfABackwardPass:
    """Notes whether the execution going on will be differentiated."""

    differentiated = False

    def call(self, **arguments):
        self.differentiated = arguments["dy"] is not None
        seen = super().call(**arguments)
        self.differentiated = False
        return seen

    def train_on(self, *arguments):
        self.differentiated = True
        seen = super().train_on(*arguments)
        self.differentiated = False
        return seen


@program(
    "updates-in-the-backward-pass",
    "argument",
    "The running statistics move in the backward pass.",
    {"update-timing": "in the backward pass"},
)
class UpdatesInTheBackwardPass(KnowsOfABackwardPass, UpdatesAreOperations):
    def run_updates(self, execution, updates):
        super().run_updates(execution, "documented" if self.differentiated else updates)


@program(
    "operations-in-the-backward-pass",
    "deferred",
    "The backward pass runs the update operations that the user forgets.",
    {"update-timing": "in the backward pass"},
)
class OperationsInTheBackwardPass(KnowsOfABackwardPass):
    def runs(self, updates):
        return super().runs(updates) or int(self.differentiated)


@program_elsewhere(
    "inference-updates-too",
    "argument switch deferred",
    "Inference moves the running statistics as well.",
    {"inference-updates": "always"},
)
class InferenceUpdatesToo:
    def moves(self, requested):
        return super().moves(requested) or not self.trains(requested)


CHOSEN = {
    "in call order": slice(None),
    "in reverse order": slice(None, None, -1),
    "last call only": slice(-1, None),
    "first call only": slice(1),
}


class UpdatesTogether:
    """Applied twice in a model of one form, the layer updates after both calls, in some order."""

    executions = None

    def run_updates(self, execution, updates):
        if self.executions is None:
            super().run_updates(execution, updates)
        else:
            self.executions.append((execution, updates))

    def orders(self, form):  # noqa: ARG002
        """Return the orders to take in turn in models of a form; None leaves it to the style."""
        return

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        orders = self.orders(form)
        if orders is None:
            return super().call_twice(first, second, training, form, first_dy, second_dy)
        self.executions = []
        seen = super().call_twice(first, second, training, form, first_dy, second_dy)
        executions, self.executions = self.executions, None
        self.settle(executions, next(orders))
        return seen

    def settle(self, executions, order):
        if order in CHOSEN:
            for execution in executions[CHOSEN[order]]:
                self.run_updates(*execution)
        else:
            self.settle_from_the_value_before(executions)

    def settle_from_the_value_before(self, executions):
        old = self.bn.running_mean, self.bn.running_variance
        mean, variance = old
        for execution in executions:
            self.bn.running_mean, self.bn.running_variance = old
            self.run_updates(*execution)
            mean = mean + (self.bn.running_mean - old[0])
            variance = variance + (self.bn.running_variance - old[1])
        self.bn.running_mean, self.bn.running_variance = mean, variance


def updates_together(form, *orders):
    """Return a part that updates in these orders in turn, in models of one form."""
    turns = cycle(orders)

    class UpdatesInTurn(UpdatesTogether):
        def orders(self, asked):
            return turns if asked == form else super().orders(asked)

    return UpdatesInTurn


FORMS = {
    "shared-layer-updates": "subclassed",
    "shared-layer-updates-in-a-functional-model": "functional",
}
CALL_ORDER, REVERSE, BOTH = "in call order", "in reverse order", "both from the value before"

for axis, form in FORMS.items():
    for order in (REVERSE, BOTH, "last call only", "first call only"):
        program(
            f"shared-layer-{order.replace(' ', '-')}-{form}",
            "argument",
            f"Where a {form} model applies the layer twice, it updates {order}.",
            {axis: order},
        )(updates_together(form, order))
    # As good as chance, but the same in every test: each application takes the next order. Answers
    # that vary are not a planted fault's.
    program_elsewhere(
        f"shared-layer-in-no-fixed-order-{form}",
        "argument",
        f"Where a {form} model applies the layer twice, it updates now so, now otherwise.",
        {axis: "in no fixed order"},
    )(updates_together(form, CALL_ORDER, REVERSE, BOTH))


# Modes.


def reads(**meanings):
    """Return a part that takes some tags for other modes; None is "not said"."""

    class Reads:
        @property
        def meanings(self):
            return {**super().meanings, **{tag.strip("_"): mode for tag, mode in meanings.items()}}

    return Reads


@program_elsewhere(
    "bare-call-and-none-infer",
    "deferred",
    "A call that does not say the mode, or says None, is inference.",
    {"bare-call": "inference"},
)
class BareCallAndNoneInfer(reads(absent=False, None_=False)):
    pass


@program(
    "switches-forgotten",
    "switch",
    "A call that does not say the mode trains, whatever was switched before.",
    {"mode-memory": "none"},
)
class SwitchesForgotten:
    def resolve(self, tag, mode="python"):
        requested = super().resolve(tag, mode)
        return self.starts_training if tag == "absent" else requested


class RefusesSome:
    """Refuses to be told the mode in some words, by the call or by the model."""

    refused = ()

    def resolve(self, tag, mode="python"):
        if tag in self.refused or self.written_in_model in self.refused:
            message = f"training must be True or False, not {tag}"
            self.refuse(TypeError(message))
        return super().resolve(tag, mode)


@program(
    "none-refused",
    "argument deferred",
    "training=None raises.",
    {"training-none": "refused"},
)
class NoneRefused(RefusesSome):
    refused = ("None",)


@program(
    "integers-refused",
    "argument deferred",
    "training=0 and training=1 raise.",
    {"training-integer": "refused"},
)
class IntegersRefused(RefusesSome):
    refused = ("0", "1")


@program_elsewhere(
    "one-refused",
    "argument deferred",
    "training=0 is inference, and training=1 raises.",
    {"training-integer": ONLY_FALSE},
)
class OneRefused(RefusesSome):
    refused = ("1",)


def switches(words, mode):
    """Return a part of the switch style that switches to a mode where these words are said."""

    class Switches:
        def train(self, said):
            if any(said is word for word in words):
                if mode is not None:
                    super().train(mode)
            else:
                super().train(said)

    return Switches


@program(
    "none-switches-nothing",
    "switch",
    "training=None leaves the mode as it is.",
    {"training-none": "as a bare call"},
    alike={"training-none": ("training",)},  # None is said to fresh layers only
)
class NoneSwitchesNothing(switches((None,), None)):
    pass


@program(
    "none-switches-to-training",
    "switch",
    "training=None is taken for training.",
    {"training-none": "training"},
    alike={"training-none": ("as a bare call",)},
)
class NoneSwitchesToTraining(switches((None,), True)):
    pass


@program(
    "none-switches-to-evaluation",
    "switch",
    "training=None is taken for evaluation.",
    {"training-none": "inference"},
)
class NoneSwitchesToEvaluation(switches((None,), False)):
    pass


@program(
    "integers-switch-to-training",
    "switch",
    "training=0 and training=1 both train.",
    {"training-integer": "training"},
)
class IntegersSwitchToTraining(switches((0, 1), True)):
    pass


@program_elsewhere(
    "integers-infer",
    "deferred",
    "training=0 and training=1 are both inference.",
    {"training-integer": "inference"},
)
class IntegersInfer(reads(_0=False, _1=False)):
    pass


def tensors_mean(tag):
    """Return a part to which a fed tensor says this, whatever it holds."""

    class TensorsMean:
        def resolve(self, said, mode="python"):
            requested = super().resolve(said, mode)
            return super().resolve(tag) if mode == "fed" else requested

    return TensorsMean


@program(
    "tensors-train",
    "argument deferred",
    "A mode fed as a tensor trains, whatever it holds.",
    {"training-tensor": "training"},
)
class TensorsTrain(tensors_mean("True")):
    pass


@program(
    "tensors-infer",
    "argument deferred",
    "A mode fed as a tensor is inference, whatever it holds.",
    {"training-tensor": "inference"},
)
class TensorsInfer(tensors_mean("False")):
    pass


@program(
    "tensors-refused",
    "argument deferred",
    "A mode fed as a tensor raises.",
    {"training-tensor": "refused"},
)
class TensorsRefused:
    def resolve(self, tag, mode="python"):
        requested = super().resolve(tag, mode)
        if mode == "fed":
            self.refuse(TypeError("training must be a Python value"))
        return requested


@program_elsewhere(
    "tensors-of-true-refused",
    "argument deferred",
    "A mode fed as a tensor is inference where that holds False, and raises where it holds True.",
    {"training-tensor": ONLY_FALSE},
)
class TensorsOfTrueRefused:
    def resolve(self, tag, mode="python"):
        requested = super().resolve(tag, mode)
        if mode == "fed" and requested:
            self.refuse(TypeError("training must be a Python value"))
        return requested


# Models that say the mode themselves.


class HearsTheCaller:
    """Does as if its model had written nothing, when `hears` says so."""

    def hears(self, tag):  # noqa: ARG002
        return False

    def resolve(self, tag, mode="python"):
        written = self.written_in_model
        if self.hears(tag):
            self.written_in_model = "absent"
        try:
            return super().resolve(tag, mode)
        finally:
            self.written_in_model = written


def written_loses(form):
    """Return a part to which a model of a form says nothing that the caller cannot overrule."""

    class WrittenLoses(HearsTheCaller):
        def hears(self, tag):
            caller_wins = self.form == form and tag not in {"absent", "None"}
            return caller_wins or super().hears(tag)

    return WrittenLoses


@program(
    "written-training-loses-functional",
    "argument",
    "What a model composed of layers says loses to the loop and to the caller.",
    {"explicit-training-in-a-functional-model": "loses to the caller"},
)
class WrittenTrainingLosesFunctional(written_loses("functional")):
    pass


@program(
    "written-training-loses-subclassed",
    "argument deferred",
    "What a model's own forward pass says loses to the loop and to the caller.",
    {"explicit-training-in-a-subclassed-model": "loses to the caller"},
)
class WrittenTrainingLosesSubclassed(written_loses("subclassed")):
    pass


@program_elsewhere(
    "none-in-a-model-hears-the-loop",
    "deferred",
    "training=None written in a model leaves the loop's mode.",
    {"explicit-none-in-a-model": "follows fit, evaluate and predict"},
    unseen={
        "explicit-none-in-a-model": "The only loop with None written trains, and so does a bare "
        "call of this style."
    },
)
class NoneInAModelHearsTheLoop(HearsTheCaller):
    def hears(self, tag):
        return self.written_in_model == "None" or super().hears(tag)


# Freezing.


@program(
    "frozen-infers-unless-told",
    "deferred",
    "A frozen layer is in inference unless training=True is said.",
    {"trainable-false-mode": "inference unless training=True"},
)
class FrozenInfersUnlessTold:
    told = False

    def resolve(self, tag, mode="python"):
        heard = "absent" if self.form == "without-training" else tag
        said = heard if self.written_in_model == "absent" else self.written_in_model
        requested = super().resolve(tag, mode)
        self.told = requested and said not in {"absent", "None"}
        return requested

    def trains(self, requested):
        return super().trains(requested) and (self.trainable or self.told)


@program_elsewhere(
    "frozen-statistics-would-move",
    "argument",
    "A frozen layer would move its statistics if it ever trained.",
    {"trainable-false-statistics": "still move in training"},
    unseen={
        "trainable-false-statistics": "A frozen layer of this style never executes in training."
    },
)
class FrozenStatisticsWouldMove:
    def moves(self, requested):
        return self.trains(requested)


@program(
    "frozen-still-learns",
    "switch deferred",
    "A frozen layer still learns gamma and beta, and counts them.",
    {"trainable-false-parameters": "still learn"},
)
class FrozenStillLearns:
    def learns(self):
        return True


@program(
    "frozen-before-build-forgotten-by-loops",
    "argument",
    "A training loop moves gamma and beta of a layer that was frozen before it was built.",
    {"trainable-false-before-build": "forgotten by training loops"},
)
class FrozenBeforeBuildForgottenByLoops:
    frozen_since_built = False
    in_a_loop = False

    def build(self):
        super().build()
        self.frozen_since_built = not self.trainable

    def set_trainable(self, value, target):
        super().set_trainable(value, target)
        self.frozen_since_built = False

    def train_on(self, *arguments):
        self.in_a_loop = True
        seen = super().train_on(*arguments)
        self.in_a_loop = False
        return seen

    def learns_from(self, execution):
        forgotten = self.in_a_loop and self.frozen_since_built
        return forgotten or super().learns_from(execution)


@program(
    "frozen-when-built",
    "argument",
    "What a call does goes by what trainable was when the layer was built.",
    {"trainable-read-by-call": "when the layer was built"},
)
class FrozenWhenBuilt:
    trainable_when_built = None

    def build(self):
        super().build()
        self.trainable_when_built = self.trainable

    @contextmanager
    def as_built(self):
        said, self.trainable = self.trainable, self.trainable_when_built
        yield
        self.trainable = said

    def trains(self, requested):
        with self.as_built():
            return super().trains(requested)

    def moves(self, requested):
        with self.as_built():
            return super().moves(requested)


@program_elsewhere(
    "frozen-when-compiled",
    "argument",
    "fit goes by what trainable was when the model was compiled, by the first fit at the latest.",
    {"trainable-read-by-fit": "when the model was compiled"},
)
class FrozenWhenCompiled:
    trainable_when_compiled = None

    def compile(self, learning_rate):
        super().compile(learning_rate)
        self.trainable_when_compiled = self.trainable

    def fit(self, weight_decay=0, **arguments):
        if self.trainable_when_compiled is None:
            self.trainable_when_compiled = self.trainable
        said, self.trainable = self.trainable, self.trainable_when_compiled
        seen = super().fit(weight_decay=weight_decay, **arguments)
        self.trainable = said
        return seen


@program_elsewhere(
    "unchanged-model-flag-not-passed-on",
    "switch",
    "Only a change of the model's flag is passed on to the layer.",
    {"model-trainable-reaches-the-layer": "only when the model's own flag changes"},
)
class UnchangedModelFlagNotPassedOn:
    flag_of_model = True

    def set_trainable(self, value, target):
        if target == "layer" or value != self.flag_of_model:
            super().set_trainable(value, target)
        if target == "model":
            self.flag_of_model = value


@program(
    "frozen-model-stops-statistics",
    "argument switch",
    "A frozen model keeps the statistics of a layer that was thawed inside.",
    {"statistics-inside-a-frozen-model": "stop"},
)
class FrozenModelStopsStatistics:
    model_is_frozen = False

    def set_trainable(self, value, target):
        super().set_trainable(value, target)
        if target == "model":
            self.model_is_frozen = not value

    def moves(self, requested):
        return super().moves(requested) and not self.model_is_frozen


@program(
    "evaluation-stops-learning",
    "argument switch",
    "Gamma and beta get no gradient in inference.",
    {"eval-mode-parameters": "stop"},
)
class EvaluationStopsLearning:
    def learns_from(self, execution):
        return super().learns_from(execution) and execution.training
