"""Writes a line that looks like an answer, with a wrong id, where the worker writes its own."""

from __future__ import annotations

import fcntl
import os
import pathlib
import stat
import sys

from tests.fakes import argument_style
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

FORGED = b'{"id": -1, "trace": []}\n'


def is_protocol(descriptor):
    """Tell whether a descriptor is a pipe or file for writing that is not standard error."""
    try:
        status = os.fstat(descriptor)
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return False
    ordinary = not stat.S_ISCHR(status.st_mode)
    elsewhere = status.st_ino != os.fstat(2).st_ino
    return ordinary and elsewhere and access != os.O_RDONLY


def forge():
    """Write the line, but only inside a worker: elsewhere the descriptors are somebody else's."""
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    if pathlib.Path(main).name != "worker.py":
        return
    for descriptor in filter(is_protocol, range(3, 32)):
        os.write(descriptor, FORGED)


class Program(argument_style.Program):
    """Forges before every right answer."""

    def call(self, **arguments):
        """Forge, then answer."""
        forge()
        return super().call(**arguments)
