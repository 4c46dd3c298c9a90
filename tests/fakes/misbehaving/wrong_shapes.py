"""Answers every call with the right numbers in the wrong shape."""

from __future__ import annotations

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Flattens each output."""

    def call(self, **arguments):
        """Return the output as one long row."""
        seen = super().call(**arguments)
        return dict(seen, output=seen["output"].reshape(-1))
