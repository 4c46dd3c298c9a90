"""Matrices of fakes, some of which go wrong; run as a script, one that can be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from harness import command_line, matrix_command
from harness.implementations import Implementation
from harness.matrix import Matrix
from suites.catalogue import SCENARIOS
from tests.asking import DECLARATIONS

FAKES = Path(__file__).parent / "fakes"
ASKED = [each for each in SCENARIOS if each.repeats == 1 and "rank-" in each.name][:6]
SLOW = "rank-3"
TELLS_WHEN_IT_IS_ASKED = """
import os, time

from tests.fakes import argument_style
from tests.fakes.argument_style import NOT_EXPRESSIBLE, versions

class Program(argument_style.Program):
    def __init__(self, layer):
        with open(os.environ["ASKED"], "a") as log:
            log.write("{} {}\\n".format(os.getpid(), os.getppid()))
        time.sleep(float(os.environ["SECONDS"]))
        super().__init__(layer)
"""
KILLS_WHO_ASKS = """
import os, signal

from tests.fakes import argument_style
from tests.fakes.argument_style import NOT_EXPRESSIBLE, versions

class Program(argument_style.Program):
    def __init__(self, layer):
        times = int(os.environ["TIMES"])
        with open(os.environ["ASKED"], "a+") as log:
            log.seek(0)
            if len(log.readlines()) < times:
                log.write("killed\\n")
                log.flush()
                os.kill(os.getppid(), signal.SIGKILL)
        super().__init__(layer)
"""


def fake(name, adapter, **changes):
    declared = DECLARATIONS["argument"]
    return Implementation(name, name, adapter=str(adapter), declared=declared, **changes)


def written(folder, name, source, **variables):
    """A fake whose adapter is written to a folder, where it notes what it is asked."""
    adapter = folder / f"{name}.py"
    if not adapter.exists():
        adapter.write_text(source, "utf-8")
    return fake(name, adapter, variables={"ASKED": str(folder / f"{name}.log"), **variables})


def telling(folder, name, seconds="0"):
    return written(folder, name, TELLS_WHEN_IT_IS_ASKED, SECONDS=seconds)


def killing(folder, name, times):
    return written(folder, name, KILLS_WHO_ASKS, TIMES=times)


def misbehaving(name):
    return fake(name, FAKES / "misbehaving" / f"{name}.py")


def unavailable(name):
    return fake(name, FAKES / "argument_style.py", environment="no-such-extra", python=("3.11",))


def matrix_of(folder, *plan, at_once=2):
    return Matrix(plan, ASKED, folder / "store.sqlite3", at_once=at_once)


def slow(folder):
    return [telling(folder, name, seconds="0.5") for name in ("first", "second", "third")]


def main(folder):
    """Run the command on slow fakes, whatever the file says."""
    matrix_command.planned = lambda _: slow(folder)
    if "matrix" not in command_line.commands.commands:
        command_line.commands.add_command(matrix_command.matrix)
    command_line.main(["matrix", "fakes.toml", "-k", SLOW, "--json"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
