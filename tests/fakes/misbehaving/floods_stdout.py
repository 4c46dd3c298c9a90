"""Writes 50 MB to each of standard output and error on its first call; answers rightly."""

from __future__ import annotations

import os

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

LINE = b"a warning that nobody reads\n" * 1024
FLOOD = 50_000_000


def flood(descriptor):
    """Write `FLOOD` bytes or a little more."""
    written = 0
    while written < FLOOD:
        written += os.write(descriptor, LINE)


class Program(argument_style.Program):
    """Floods once per process, so that a run of many scenarios still ends."""

    flooded = False

    def call(self, **arguments):
        """Flood both streams, then answer."""
        if not Program.flooded:
            Program.flooded = True
            flood(1)
            flood(2)
        return super().call(**arguments)
