"""The form of a planted fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.fakes import argument_style, deferred_style, switch_style

CLEAN = {"argument": argument_style, "switch": switch_style, "deferred": deferred_style}

Style = Literal["argument", "switch", "deferred"]


@dataclass(frozen=True)
class PlantedFault:
    """One clean program with one thing changed.

    Attributes:
        name: what it does wrong, as a slug.
        style: the clean program it derives from.
        sentence: the fault as a maintainer would report it.
        Program: usable wherever an adapter's `Program` is.

    It has an adapter module's other names too, so that it can be run as one.
    """

    name: str
    style: Style
    sentence: str
    Program: type

    @property
    def NOT_EXPRESSIBLE(self):  # noqa: N802 - an adapter module's name for it
        """The reasons of the clean style."""
        return CLEAN[self.style].NOT_EXPRESSIBLE

    def versions(self):
        """Return the version of the clean style."""
        return CLEAN[self.style].versions()


def fault(faults, style, name, sentence):
    """Return a decorator that adds a Program to `faults`. Raises ValueError for a name in use."""

    def plant(program):
        if name in faults:
            message = f"there already is a planted fault {name!r}"
            raise ValueError(message)
        faults[name] = PlantedFault(name, style, sentence, program)
        return program

    return plant


def in_layer(faults, style, program, name, sentence):
    """Return a decorator that plants a layer class in a program like this one."""

    def plant(layer):
        faulty = type(layer.__name__, (program,), {"layer_class": layer})
        fault(faults, style, name, sentence)(faulty)
        return layer

    return plant
