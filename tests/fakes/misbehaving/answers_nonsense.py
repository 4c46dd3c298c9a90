"""Observes strings instead of arrays, where the layer has one channel."""

from __future__ import annotations

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Trigger: ``layer["channels"] == 1``."""

    def observe(self):
        """Put the state into words."""
        seen = super().observe()
        if self.layer["channels"] == 1:
            return dict.fromkeys(seen, "about zero")
        return seen
