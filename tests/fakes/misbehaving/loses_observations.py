"""Never tells the running variance."""

from __future__ import annotations

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Observes everything else."""

    def observe(self):
        """Return the state without the running variance."""
        seen = super().observe()
        del seen["running_variance"]
        return seen
