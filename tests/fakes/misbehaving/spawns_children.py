"""Starts a child process on its first call that ignores SIGTERM, and answers rightly.

The child holds standard error open and sleeps ten minutes. Its process id is said on standard
error and, where the environment variable FAKE_CHILD_PID_FILE names a file, written there.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def start_child():
    """Start the child and wait until it ignores SIGTERM."""
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    child.stdout.readline()
    sys.stderr.write(f"spawned child {child.pid}\n")
    if "FAKE_CHILD_PID_FILE" in os.environ:
        pathlib.Path(os.environ["FAKE_CHILD_PID_FILE"]).write_text(str(child.pid), "ascii")
    return child


class Program(argument_style.Program):
    """One child per process."""

    child = None

    def call(self, **arguments):
        """Leave a child behind, then answer."""
        if Program.child is None:
            Program.child = start_child()
        return super().call(**arguments)
