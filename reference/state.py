"""What is carried over when a layer is saved, restored, copied or made from a configuration.

Section 15 of the specification.
"""

from __future__ import annotations

from dataclasses import replace

from reference.bounded import exact
from reference.later import Later, Quantities
from reference.layer import LayerMeaning
from reference.program import Refusal, Switches
from reference.running import Hidden
from reference.shared import SharedExecutor
from suites import vocabulary as say
from suites.vocabulary import Absent, Layer, Step

WHOLE = ("file", "copy")
CONFIGURED = ("config", "clone")


class Stateful(SharedExecutor):
    """An executor whose layer can be replaced by one made from it."""

    kept: tuple[Quantities, Later[Hidden]] | None = None

    def of_state(self, step: Step, state: Quantities) -> Quantities:
        """Return the state after a step that saves, restores or copies.

        Training a copy leaves all as it is: clause BN-15.7.
        """
        match step:
            case say.Restore():
                return self.restored(step, state)
            case say.KeepState():
                self.kept = state, self.hidden
            case say.PutBack():
                return self.put_back(state)
            case say.LoadChanged():
                return self.load_changed(step, state)
        return state

    def restored(self, step: say.Restore, state: Quantities) -> Quantities:
        """Go on with a layer made from this one; return its state. Clauses BN-15.1 to BN-15.11.

        The whole brings everything along, a state what it holds, a configuration no state at all.
        """
        if step.how in WHOLE:
            self.switches.compiled_anew()
            return state
        layer = made_with(self.meaning.layer, step)
        if layer != self.meaning.layer:
            self.work_out(state)
        trainable = self.switches.trainable if step.how in CONFIGURED else None
        enclosed = self.switches.enclosed
        self.meaning = LayerMeaning(layer, self.conventions)
        self.switches = Switches(layer, self.conventions)
        self.switches.enclosed = enclosed
        if trainable is not None:
            self.switches.trainable = trainable
        self.switches.build()
        if step.into == "evaluation":
            self.switches.switch("inference")
        if step.how not in CONFIGURED:
            return state
        self.hidden = Later(Hidden)
        return self.meaning.configured_state()

    def work_out(self, state: Quantities) -> None:
        """Work out all that is left for later, while the layer is what it was."""
        dict(state)
        for average in self.hidden().averages.values():
            average()

    def put_back(self, state: Quantities) -> Quantities:
        """Return the state after the one that was kept is loaded. Clause BN-15.12.

        Raises ValueError where none was kept.
        """
        if self.kept is None:
            raise ValueError("PutBack needs a KeepState before it")
        kept, hidden = self.kept
        rule = self.conventions["kept-state"]
        if rule == "a snapshot":
            self.hidden = hidden
            return kept
        if rule == "follows the layer" or "updates_counted" not in kept:
            return state
        return state.with_({"updates_counted": kept["updates_counted"]})

    def load_changed(self, step: say.LoadChanged, state: Quantities) -> Quantities:
        """Return the state after loading a changed one; most are refused.

        Clauses BN-15.3 and BN-15.4. Raises Refusal where it is.
        """
        if step.of != "updates_counted" or step.change != "without":
            raise Refusal
        rule = self.conventions["counter-missing-from-a-state"]
        if rule == "refused":
            raise Refusal
        if rule == "stays as it is" or not self.meaning.counts:
            return state
        return state.with_({"updates_counted": exact(0)})


def made_with(layer: Layer, step: say.Restore) -> Layer:
    """Return a layer with the arguments that a `Restore` writes otherwise."""
    decay = layer.decay if isinstance(step.decay, Absent) else step.decay
    epsilon = layer.epsilon if isinstance(step.epsilon, Absent) else step.epsilon
    return replace(layer, decay=decay, epsilon=epsilon)
