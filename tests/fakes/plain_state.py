"""What a user does with the state and the configuration of a fake: saves, restores, copies.

Each decision is a method of its own, so that a planted fault overrides exactly one.
"""

from __future__ import annotations

import copy

from adapters.answers import NotExpressible, framework_call

VARIABLES = ("gamma", "beta", "running_mean", "running_variance")
EVERY_WAY = frozenset({"file", "copy", "weights-file", "memory", "config", "clone"})


class Stateful:
    """The steps about state, for a program with `layer` (its arguments), `bn` and `trainable`."""

    ways_to_restore = EVERY_WAY
    no_such_way = "This fake has no such way to make a layer from another."
    states_have_counters = False
    kept = None

    # A state: the arrays by name, the counter, and what an average keeps besides.

    def state(self):
        """Return a copy of all that is state, by name; what a layer has none of is left out."""
        names = (*VARIABLES, "updates_counted", *self.hidden())
        found = {name: copy.deepcopy(getattr(self.bn, name)) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def hidden(self):
        """Return the names of what the layer's averages keep besides their values."""
        return [name for kind in type(self.bn).__mro__ for name in vars(kind).get("hidden", ())]

    def saved(self):
        """Return the state as a file keeps it."""
        return self.state()

    def handed_out(self):
        """Return the state as the layer hands it out in memory: a snapshot."""
        return self.state()

    def load(self, state):
        """Take over a state. Raises ValueError unless it is one of a layer like this."""
        own = self.state()
        state = self.completed(state)
        for name in self.entries_checked(own):
            if name not in state or self.shape(state, name) != self.shape(own, name):
                message = f"the state does not fit: {name}"
                raise ValueError(message)
        for name in self.entries_checked(state):
            if name not in own:
                message = f"the layer has no {name}"
                raise ValueError(message)
        for name, value in state.items():
            setattr(self.bn, name, copy.deepcopy(value))

    def entries_checked(self, state):
        """Return the names of the entries of a state that strict loading looks at."""
        return [name for name in state if name not in self.hidden()]

    def shape(self, state, name):
        """Return the shape of an entry, none of the counter's."""
        return () if name == "updates_counted" else state[name].shape

    def completed(self, state):
        """Return a state with what older ones lack: the counter starts at zero."""
        if self.bn.updates_counted is None or "updates_counted" in state:
            return state
        return {**state, "updates_counted": self.count_without_one()}

    def count_without_one(self):
        """Return the count of a layer that loads a state without one."""
        return 0

    # Layers made from this one.

    def made_with(self, layer):
        """Return a program in the style of this one, as enclosed, that makes its own layer."""
        made = type(self)(layer)
        made.written_in_model, made.form = self.written_in_model, self.form
        made.build()
        return made

    def made_alike(self, decay=None, epsilon=None):
        """Return a program made with these arguments, perhaps with other hyperparameters."""
        layer = dict(self.layer)
        if decay is not None:
            layer["decay"] = decay
        if epsilon is not None:
            layer["epsilon"] = epsilon
        return self.made_with(layer)

    def configuration(self):
        """Return the arguments that a configuration holds: no arrays, but whether it is frozen."""
        written = {name: value for name, value in self.layer.items() if name not in VARIABLES}
        return {**written, "trainable": self.trainable}

    def made_from_configuration(self):
        """Return a program made from the configuration of this one."""
        return self.made_with(self.configuration())

    def copied(self):
        """Return a program that is this one once more, with a memory of its own."""
        return copy.deepcopy(self)

    def loaded_whole(self):
        """Return a program saved whole and loaded."""
        return self.copied()

    def handed_over(self, made, how):
        """Hand this layer's state to another program."""
        made.load(self.saved() if how == "weights-file" else self.handed_out())

    def receiver(self, into):
        """Put a fresh program in the mode that it is to be in when it receives a state."""
        if into == "evaluation":
            reason = "A layer that keeps no mode cannot be in evaluation."
            raise NotExpressible(reason)

    # The steps.

    def restore(self, how, into, decay=None, epsilon=None):
        """Go on with another layer, made from this one."""
        if how not in self.ways_to_restore:
            raise NotExpressible(self.no_such_way)
        if how == "copy":
            made = self.copied()
        elif how == "file":
            made = self.loaded_whole()
        elif how in {"config", "clone"}:
            made = self.made_from_configuration()
        else:
            made = self.made_alike(decay, epsilon)
            made.receiver(into)
            with framework_call():
                self.handed_over(made, how)
        self.__dict__.update(made.__dict__)

    def train_a_copy(self, x, how):
        """Make another layer and execute it in training."""
        if how not in self.ways_to_restore:
            raise NotExpressible(self.no_such_way)
        if how == "copy":
            other = self.copied()
        else:
            other = self.made_alike()
            self.handed_over(other, how)
        other.run(x, other.resolve("True"))

    def keep_state(self):
        """Take the state."""
        self.kept = self.handed_out()

    def put_back(self):
        """Load the state that was taken."""
        with framework_call():
            self.load(self.kept_now())

    def kept_now(self):
        """Return what has become of the state that was taken: a snapshot stays what it was."""
        return self.kept

    def load_changed(self, change, of):
        """Load the own state after a change to one entry."""
        state = self.state()
        if of == "updates_counted" and of not in state and not self.states_have_counters:
            reason = "The layer has no counter in its state."
            raise NotExpressible(reason)
        if change == "without":
            state.pop(of, None)
        elif change == "short":
            state[of] = state[of][:-1]
        else:
            state[of] = self.initial_value(of, 0)
        with framework_call():
            self.load(state)
