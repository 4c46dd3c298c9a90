"""Faults in what is saved, restored and copied, and conventions of it that are departed from."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from tests.fakes import argument_style, deferred_style, switch_style
from tests.fakes.departure import Departures
from tests.fakes.fault import fault

DEPARTURES = Departures()
OTHERS = {}
departure = partial(DEPARTURES.program, planted=True)
argument = partial(fault, OTHERS, "argument")
switch = partial(fault, OTHERS, "switch")
deferred = partial(fault, OTHERS, "deferred")


# What is left out of a state.


def without(*names):
    """Return the part of a program whose layer does not load these entries of a state."""

    class Without:
        def load(self, state):
            own = {name: copy.deepcopy(getattr(self.bn, name)) for name in names}
            super().load(state)
            for name, value in own.items():
                setattr(self.bn, name, value)

    return Without


@argument("running-variance-not-restored", "Loading a state leaves the running variance.")
class RunningVarianceNotRestored(without("running_variance"), argument_style.Program):
    pass


@argument("running-mean-not-restored", "Loading a state leaves the running mean.")
class RunningMeanNotRestored(without("running_mean"), argument_style.Program):
    pass


@switch("gamma-not-in-a-deep-copy", "A deep copy has the gamma that the layer was made with.")
class GammaNotInADeepCopy(switch_style.Program):
    def copied(self):
        made = super().copied()
        if made.bn.gamma is not None:
            made.bn.gamma = self.initial_value("gamma", 1)
        return made


@deferred("beta-not-restored", "Loading a state leaves beta.")
class BetaNotRestored(without("beta"), deferred_style.Program):
    pass


@switch("counter-not-restored", "Loading a state leaves the counter of updates.")
class CounterNotRestored(without("updates_counted"), switch_style.Program):
    pass


@deferred("zero-debias-lost-when-saved", "A file does not hold what a debiased average hides.")
class ZeroDebiasLostWhenSaved(deferred_style.Program):
    def saved(self):
        return {name: value for name, value in self.state().items() if name not in self.hidden()}


@argument("zero-debias-lost-in-memory", "The state in memory lacks what a debiased average hides.")
class ZeroDebiasLostInMemory(argument_style.Program):
    def handed_out(self):
        return {name: value for name, value in self.state().items() if name not in self.hidden()}


@argument("debias-steps-not-restored", "A debiased average forgets its count of steps.")
class DebiasStepsNotRestored(without("debias_steps"), argument_style.Program):
    pass


@argument("mean-restored-into-beta", "Loading a state puts the running mean in the place of beta.")
class MeanRestoredIntoBeta(argument_style.Program):
    def load(self, state):
        super().load(state)
        if self.bn.beta is not None:
            self.bn.beta = self.bn.running_mean.copy()


@switch("statistics-restored-swapped", "Loading a state swaps gamma and the running variance.")
class StatisticsRestoredSwapped(switch_style.Program):
    def load(self, state):
        super().load(state)
        if self.bn.gamma is not None and self.bn.running_variance is not None:
            variance = self.bn.running_variance
            self.bn.gamma, self.bn.running_variance = variance, self.bn.gamma


@argument("float64-saved-as-float32", "A file holds float32, whatever the layer is.")
class Float64SavedAsFloat32(argument_style.Program):
    def loaded_whole(self):
        made = super().loaded_whole()
        for name, _ in self.initial:
            value = getattr(made.bn, name)
            if value is not None:
                setattr(made.bn, name, value.astype("float32").astype(value.dtype))
        return made


@switch("file-forgets-the-statistics", "A model loaded whole starts with fresh statistics.")
class FileForgetsTheStatistics(switch_style.Program):
    def loaded_whole(self):
        made = super().loaded_whole()
        made.bn.reset_statistics()
        return made


@switch("copy-loses-the-counter", "A deep copy starts to count its updates anew.")
class CopyLosesTheCounter(switch_style.Program):
    def copied(self):
        made = super().copied()
        if made.bn.updates_counted is not None:
            made.bn.updates_counted = 0
        return made

    def loaded_whole(self):
        return super().copied()


# What is shared.


@argument("copy-shares-its-statistics", "A deep copy shares the running statistics.")
class CopySharesItsStatistics(argument_style.Program):
    def copied(self):
        return copy.copy(self)


@switch("handed-over-state-is-shared", "A layer that is handed a state shares it with its giver.")
class HandedOverStateIsShared(switch_style.Program):
    def handed_over(self, made, how):
        super().handed_over(made, how)
        if how == "memory":
            made.bn = self.bn


# What a configuration loses.


def forgetting(*names):
    """Return the part of a program whose configuration lacks these arguments."""

    class Forgetting:
        def configuration(self):
            written = super().configuration().items()
            return {name: value for name, value in written if name not in names}

    return Forgetting


@argument("configuration-loses-epsilon", "A configuration does not hold epsilon.")
class ConfigurationLosesEpsilon(forgetting("epsilon"), argument_style.Program):
    pass


@argument("configuration-loses-momentum", "A configuration does not hold the momentum.")
class ConfigurationLosesMomentum(forgetting("decay"), argument_style.Program):
    pass


@argument("configuration-loses-center", "A configuration does not say that there is no beta.")
class ConfigurationLosesCenter(forgetting("center"), argument_style.Program):
    pass


@argument("configuration-loses-scale", "A configuration does not say that there is no gamma.")
class ConfigurationLosesScale(forgetting("scale"), argument_style.Program):
    pass


@argument("configuration-loses-initializers", "A configuration does not hold the initializers.")
class ConfigurationLosesInitializers(
    forgetting("running_mean_initializer", "running_variance_initializer"), argument_style.Program
):
    pass


@argument("configuration-thaws", "A configuration does not say that a layer is frozen.")
class ConfigurationThaws(forgetting("trainable"), argument_style.Program):
    pass


@argument("configuration-keeps-what-is-learned", "A clone starts with what the layer has learned.")
class ConfigurationKeepsWhatIsLearned(argument_style.Program):
    def made_from_configuration(self):
        made = super().made_from_configuration()
        made.load(self.state())
        return made


# What a state brings along, and what a copy loses.


@argument("state-brings-epsilon-along", "Loading a state brings epsilon along.")
class StateBringsEpsilonAlong(argument_style.Program):
    def handed_over(self, made, how):
        super().handed_over(made, how)
        made.bn.epsilon = self.bn.epsilon


@switch("state-brings-momentum-along", "Loading a state brings the momentum along.")
class StateBringsMomentumAlong(switch_style.Program):
    def handed_over(self, made, how):
        super().handed_over(made, how)
        made.bn.decay = self.bn.decay


@switch("state-brings-the-mode-along", "Loading a state brings the mode along.")
class StateBringsTheModeAlong(switch_style.Program):
    def handed_over(self, made, how):
        super().handed_over(made, how)
        made.training = self.training


@switch("loading-switches-to-training", "Loading a state switches the layer to training.")
class LoadingSwitchesToTraining(switch_style.Program):
    def load(self, state):
        super().load(state)
        self.training = True


@switch("copy-starts-in-training", "A deep copy is in training, whatever the layer is in.")
class CopyStartsInTraining(switch_style.Program):
    def copied(self):
        made = super().copied()
        made.training = True
        return made


@argument("copy-is-thawed", "A deep copy of a frozen layer is not frozen.")
class CopyIsThawed(argument_style.Program):
    def restore(self, how, into, decay=None, epsilon=None):
        super().restore(how, into, decay, epsilon)
        self.trainable = self.trainable or how == "copy"


@switch("file-is-thawed", "A frozen layer is not frozen once it is loaded in a whole model.")
class FileIsThawed(switch_style.Program):
    def loaded_whole(self):
        made = super().loaded_whole()
        made.trainable = True
        return made


# What strict loading lets pass.


def admitting(*names):
    """Return the part of a program whose strict loading does not look at these entries."""

    class Admitting:
        def entries_checked(self, state):
            return [name for name in super().entries_checked(state) if name not in names]

    return Admitting


@argument("state-without-a-mean-accepted", "A state that lacks the running mean is accepted.")
class StateWithoutAMeanAccepted(admitting("running_mean"), argument_style.Program):
    pass


@deferred("state-without-a-variance-accepted", "A state without the running variance is accepted.")
class StateWithoutAVarianceAccepted(deferred_style.Program):
    def entries_checked(self, state):
        own = super().entries_checked(state)
        return own if "running_variance" in self.given else own[:-1]

    def load(self, state):
        self.given = state
        super().load(state)


@switch("short-statistic-accepted", "A running variance with a channel fewer is spread out.")
class ShortStatisticAccepted(switch_style.Program):
    def load(self, state):
        variance = state.get("running_variance")
        if variance is not None:
            spread = np.resize(variance, self.layer["channels"])
            state = {**state, "running_variance": spread}
        super().load(state)


@switch("unknown-statistic-accepted", "A layer without statistics accepts a state that has some.")
class UnknownStatisticAccepted(switch_style.Program):
    def load(self, state):
        own = self.state()
        super().load({name: value for name, value in state.items() if name in own})


# Conventions.


@departure(
    "kept-state-follows-the-layer",
    "argument deferred",
    "The state that is handed out in memory is the layer's own.",
    {"kept-state": "follows the layer"},
    # No layer of these styles shows a counter.
    alike={"kept-state": ("follows the layer, its counter aside",)},
)
class KeptStateFollowsTheLayer:
    def kept_now(self):
        return self.state()


@departure(
    "kept-state-is-a-snapshot",
    "switch",
    "The state that is handed out in memory is a copy.",
    {"kept-state": "a snapshot"},
)
class KeptStateIsASnapshot:
    def kept_now(self):
        return self.kept


@departure(
    "kept-counter-is-a-snapshot",
    "switch",
    "The state that is handed out in memory is the layer's own, but for the counter.",
    {"kept-state": "follows the layer, its counter aside"},
)
class KeptCounterIsASnapshot:
    def kept_now(self):
        kept = {name: value for name, value in self.kept.items() if name == "updates_counted"}
        return {**self.state(), **kept}


@departure(
    "missing-counter-stays",
    "switch",
    "Loading a state without a counter leaves the layer's own.",
    {"counter-missing-from-a-state": "stays as it is"},
)
class MissingCounterStays:
    def count_without_one(self):
        return self.bn.updates_counted


@departure(
    "missing-counter-refused",
    "switch",
    "A state without a counter is refused.",
    {"counter-missing-from-a-state": "refused"},
)
class MissingCounterRefused:
    def completed(self, state):
        return state


@departure(
    "penalty-of-a-frozen-layer",
    "argument",
    "The penalties of a frozen layer stay in the loss.",
    {"penalty-of-frozen-parameters": "in the loss"},
)
class PenaltyOfAFrozenLayer:
    def penalised(self):
        return self.bn.learned()


@departure(
    "no-penalty-of-a-frozen-layer",
    "deferred",
    "The penalties of a frozen layer leave the loss.",
    {"penalty-of-frozen-parameters": "left out"},
)
class NoPenaltyOfAFrozenLayer:
    def penalised(self):
        return self.bn.learned() if self.learns() else []


FAULTS = {**OTHERS, **DEPARTURES.planted}
