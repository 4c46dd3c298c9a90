"""Faults in the modes, freezing and updates of the argument style."""

from __future__ import annotations

from functools import partial

from tests.fakes.argument_style import Program
from tests.fakes.fault import fault

FAULTS = {}
program = partial(fault, FAULTS, "argument")


@program("statistics-updated-in-inference", "Inference moves the running statistics as well.")
class StatisticsUpdatedInInference(Program):
    def moves(self, requested):  # noqa: ARG002
        return True


@program("trainable-false-has-no-effect-on-mode", "A frozen layer runs in training mode.")
class TrainableFalseHasNoEffectOnMode(Program):
    def trains(self, requested):
        return requested


@program("trainable-false-ignored", "Freezing the layer changes nothing at all.")
class TrainableFalseIgnored(Program):
    def trains(self, requested):
        return requested

    def learns(self):
        return True


@program("trainable-false-moves-statistics", "A frozen layer still moves its statistics.")
class TrainableFalseMovesStatistics(Program):
    def moves(self, requested):
        return requested


@program("trainable-false-normalises-with-the-batch", "Frozen statistics are not used in training.")
class TrainableFalseNormalisesWithTheBatch(Program):
    def trains(self, requested):
        return requested

    def moves(self, requested):
        return requested and self.trainable


@program("trainable-false-still-learns", "A frozen layer still learns gamma and beta.")
class TrainableFalseStillLearns(Program):
    def learns(self):
        return True


@program("unfreezing-does-nothing", "SetTrainable(True) does not undo SetTrainable(False).")
class UnfreezingDoesNothing(Program):
    def set_trainable(self, value, target):
        super().set_trainable(value=value and self.trainable, target=target)


@program("freezing-the-model-misses-the-layer", "The model's trainable never reaches the layer.")
class FreezingTheModelMissesTheLayer(Program):
    def set_trainable(self, value, target):
        if target == "layer":
            super().set_trainable(value, target)


@program("unchanged-model-flag-misses-the-layer", "Only a change of the model's flag is passed on.")
class UnchangedModelFlagMissesTheLayer(Program):
    flag_of_model = True

    def set_trainable(self, value, target):
        if target == "layer" or value != self.flag_of_model:
            super().set_trainable(value, target)
        if target == "model":
            self.flag_of_model = value


@program("trainable-read-at-compile", "fit goes by what trainable was when the model was compiled.")
class TrainableReadAtCompile(Program):
    compiled = None

    def compile(self, learning_rate):
        super().compile(learning_rate)
        self.compiled = self.trainable

    def fit(self, weight_decay=0, **arguments):
        said = self.trainable
        self.trainable = said if self.compiled is None else self.compiled
        seen = super().fit(weight_decay=weight_decay, **arguments)
        self.trainable = said
        return seen


@program("trainable-read-at-the-first-fit", "fit goes by what trainable was at the first fit.")
class TrainableReadAtTheFirstFit(Program):
    traced = None

    def compile(self, learning_rate):
        super().compile(learning_rate)
        self.traced = None

    def fit(self, weight_decay=0, **arguments):
        said = self.trainable
        self.traced = said if self.traced is None else self.traced
        self.trainable = self.traced
        seen = super().fit(weight_decay=weight_decay, **arguments)
        self.trainable = said
        return seen


@program("fit-uses-inference-mode", "fit runs the layer in inference mode.")
class FitUsesInferenceMode(Program):
    def mode_of_fit(self):
        return self.resolve("False")


@program("evaluate-uses-batch-statistics", "evaluate runs the layer in training mode.")
class EvaluateUsesBatchStatistics(Program):
    def mode_of_evaluation(self):
        return self.resolve("True")


@program("predict-uses-batch-statistics", "predict runs the layer in training mode.")
class PredictUsesBatchStatistics(Program):
    def mode_of_prediction(self):
        return self.resolve("True")


@program("predict-updates-the-second-time", "The second prediction moves the statistics.")
class PredictUpdatesTheSecondTime(Program):
    predictions = 0

    def mode_of_prediction(self):
        self.predictions += 1
        return super().mode_of_prediction()

    def moves(self, requested):
        return super().moves(requested) or self.predictions == 2


@program("written-training-loses-to-fit", "training=False in a model is overruled by fit.")
class WrittenTrainingLosesToFit(Program):
    def mode_of_fit(self):
        return True


@program("none-in-a-model-is-a-bare-call", "training=None in a model hides the loop's mode.")
class NoneInAModelIsABareCall(Program):
    def resolve(self, tag, mode="python"):
        hidden = self.written_in_model == "None"
        return self.bare_call if hidden else super().resolve(tag, mode)


@program("model-without-training-hides-the-loop", "Its layers do not learn the loop's mode.")
class ModelWithoutTrainingHidesTheLoop(Program):
    def resolve(self, tag, mode="python"):
        hidden = self.form == "without-training" and self.written_in_model == "absent"
        return self.bare_call if hidden else super().resolve(tag, mode)


@program("one-is-inference", "training=1 is taken for inference.")
class OneIsInference(Program):
    meanings = {**Program.meanings, "1": False}  # noqa: RUF012


@program("zero-is-training", "training=0 is taken for training.")
class ZeroIsTraining(Program):
    meanings = {**Program.meanings, "0": True}  # noqa: RUF012


@program("none-is-training", "training=None is taken for training.")
class NoneIsTraining(Program):
    meanings = {**Program.meanings, "None": True}  # noqa: RUF012


@program("bare-call-trains", "A call that does not say the mode trains.")
class BareCallTrains(Program):
    bare_call = True


@program("mode-remembered", "A call that does not say the mode repeats the last one said.")
class ModeRemembered(Program):
    def resolve(self, tag, mode="python"):
        self.bare_call = super().resolve(tag, mode)
        return self.bare_call


class SharedLayer(Program):
    """Records the executions of one `CallTwice`, and updates from some of them afterwards."""

    together = None

    def run_updates(self, execution, updates):
        if self.together is None:
            super().run_updates(execution, updates)
        else:
            self.together.append(execution)

    def call_twice(self, first, second, training, form, first_dy=None, second_dy=None):
        self.together = []
        seen = super().call_twice(first, second, training, form, first_dy, second_dy)
        self.settle(self.together)
        self.together = None
        return seen

    def settle(self, executions):
        for execution in self.chosen(executions):
            self.bn.update(execution)


@program("shared-layer-loses-the-second-call", "Only the first use of a shared layer updates.")
class SharedLayerLosesTheSecondCall(SharedLayer):
    def chosen(self, executions):
        return executions[:1]


@program("shared-layer-loses-the-first-call", "Only the last use of a shared layer updates.")
class SharedLayerLosesTheFirstCall(SharedLayer):
    def chosen(self, executions):
        return executions[1:]


@program("shared-layer-updates-in-reverse", "The uses of a shared layer update last first.")
class SharedLayerUpdatesInReverse(SharedLayer):
    def chosen(self, executions):
        return executions[::-1]


@program("shared-layer-updates-from-the-value-before", "Both uses start from the same average.")
class SharedLayerUpdatesFromTheValueBefore(SharedLayer):
    def settle(self, executions):
        before = self.bn.running_mean, self.bn.running_variance
        moves = []
        for execution in executions:
            self.bn.running_mean, self.bn.running_variance = before
            self.bn.update(execution)
            moves.append((self.bn.running_mean - before[0], self.bn.running_variance - before[1]))
        self.bn.running_mean = before[0] + sum(mean for mean, _ in moves)
        self.bn.running_variance = before[1] + sum(variance for _, variance in moves)


@program("repeats-update-once", "The second of two equal calls on the same array does not update.")
class RepeatsUpdateOnce(Program):
    last = None

    def run_updates(self, execution, updates):
        if self.last is None or self.last.tobytes() != execution.x.tobytes():
            super().run_updates(execution, updates)
        self.last = execution.x
