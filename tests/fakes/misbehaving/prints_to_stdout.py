"""Prints text and binary noise to standard output at every step, and answers rightly."""

from __future__ import annotations

import os

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

NOISE = bytes(range(256)) + b'\n{"id": 0}\n'


class Program(argument_style.Program):
    """Noisy at every step, through Python and past it."""

    def observe(self):
        """Make noise, then look."""
        print('{"header": true}', flush=True)  # noqa: T201 - the misbehaviour itself
        os.write(1, NOISE)
        return super().observe()
