"""The entry point: an interrupt is answered quietly even while the command is still loading."""

from __future__ import annotations

import sys


def main() -> None:
    """Load and run the command."""
    try:
        from harness.command_line import main as run  # noqa: PLC0415 - that is what may take long

        run()
    except KeyboardInterrupt:
        sys.exit(130)
