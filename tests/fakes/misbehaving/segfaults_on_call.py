"""Dies of a segmentation fault on a call, where the layer has one channel."""

from __future__ import annotations

import os
import signal

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program(argument_style.Program):
    """Trigger: ``layer["channels"] == 1``."""

    def call(self, **arguments):
        """Die as native code would."""
        if self.layer["channels"] == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().call(**arguments)
