"""Never returns from a call, where the layer has one channel."""

from __future__ import annotations

import time

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Trigger: ``layer["channels"] == 1``."""

    def call(self, **arguments):
        """Sleep for ever."""
        while self.layer["channels"] == 1:
            time.sleep(3600)
        return super().call(**arguments)
