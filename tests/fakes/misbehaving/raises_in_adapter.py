"""Has a bug of its own in every call: a KeyError outside any framework call."""

from __future__ import annotations

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Looks up an argument that no scenario writes."""

    def call(self, **arguments):
        """Fail before the framework is asked."""
        return super().call(**arguments["no such argument"])
