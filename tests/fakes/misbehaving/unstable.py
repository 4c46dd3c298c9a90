"""Answers each scenario differently from the one before: the output grows by a counter."""

from __future__ import annotations

import itertools

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

RUNS = itertools.count()


class Program(argument_style.Program):
    """The first program of a process is right; each later one is further off by one."""

    def __init__(self, layer):
        super().__init__(layer)
        self.offset = next(RUNS)

    def call(self, **arguments):
        """Return the output moved by how many programs ran before."""
        seen = super().call(**arguments)
        return dict(seen, output=seen["output"] + self.offset)
