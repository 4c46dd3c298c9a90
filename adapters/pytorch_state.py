"""What a PyTorch program does with a module's state: saves it, hands it on, copies the module."""

import copy
import os
import tempfile
from collections import OrderedDict

import torch

from adapters.answers import NotExpressible, framework_call

ENTRIES = {
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_variance": "running_var",
    "updates_counted": "num_batches_tracked",
}


def whole_from(path):
    """Return a module from a file of the whole; by default newer PyTorch loads only states."""
    try:
        return torch.load(path, weights_only=False)
    except TypeError:  # Before 1.13 there is no such argument.
        return torch.load(path)


class Stateful:
    """The steps about state, for a program with `layer`, `bn` and `model`."""

    kept = None

    def restore(self, how, into, decay=None, epsilon=None):
        """Go on with another module, and with the model around it."""
        if how in ("config", "clone"):
            raise NotExpressible("A PyTorch module has no configuration to make another from.")
        if how in ("file", "copy"):
            self.go_on_with(self.whole(how))
            return
        made = self.made_alike(decay, epsilon)
        if into == "evaluation":
            made.applied().eval()
        self.hand_over(how, made)
        self.bn, self.model, self.layer = made.bn, made.model, made.layer

    def applied(self):
        """Return the model, or the bare module while there is none."""
        return self.bn if self.model is None else self.model

    def whole(self, how):
        """Return what is applied once more: a deep copy, or saved as a whole and loaded."""
        with framework_call():
            if how == "copy":
                return copy.deepcopy(self.applied())
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.pt")
                torch.save(self.applied(), path)
                return whole_from(path)

    def go_on_with(self, whole):
        """Take another model, or another bare module, in the place of this one."""
        if self.model is None:
            self.bn = whole
            return
        self.model = whole
        self.bn = whole[0] if isinstance(whole, torch.nn.Sequential) else whole.bn

    def made_alike(self, decay=None, epsilon=None):
        """Return a program made by the same code, perhaps with other hyperparameters."""
        layer = dict(self.layer)
        if decay is not None:
            layer["decay"] = decay
        if epsilon is not None:
            layer["epsilon"] = epsilon
        made = type(self)(layer)
        if self.model is not None:
            composed = isinstance(self.model, torch.nn.Sequential)
            made.enclose("absent", "functional" if composed else "without-training")
        return made

    def hand_over(self, how, made):
        """Load this module's state into another program's."""
        with framework_call():
            if how == "memory":
                made.applied().load_state_dict(self.applied().state_dict())
                return
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "state.pt")
                torch.save(self.applied().state_dict(), path)
                made.applied().load_state_dict(torch.load(path))

    def train_a_copy(self, x, how):
        """Make another module and execute that in training."""
        if how == "copy":
            other = self.whole("copy")
        else:
            made = self.made_alike()
            self.hand_over("memory", made)
            other = made.applied()
        with framework_call():
            other.train()
            other(self.tensor(x))

    def keep_state(self):
        """Take the state dictionary."""
        self.kept = self.applied().state_dict()

    def put_back(self):
        """Load the state dictionary that was taken."""
        with framework_call():
            self.applied().load_state_dict(self.kept)

    def load_changed(self, change, of):
        """Load the module's own state dictionary after a change to one entry."""
        state, name = self.bn.state_dict(), ENTRIES[of]
        if of == "updates_counted":
            # Without the version that goes with it, a state is one saved before there were counts.
            state = OrderedDict(state)
        if change == "without":
            del state[name]
        elif change == "short":
            state[name] = state[name][:-1]
        elif name in state:
            raise NotExpressible("This module keeps all that a state may hold.")
        else:
            state[name] = torch.zeros(self.layer["channels"])
        with framework_call():
            self.bn.load_state_dict(state)
