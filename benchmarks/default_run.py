"""What a run costs beside the frameworks themselves: `python -m benchmarks.default_run [NAME]...`.

Runs `bnconform run` with nothing stored and prints the CPU seconds of its workers, which is
framework imports and framework computation, those of everything else, and the ratio of all to the
workers'. What the run asks its interpreters before their workers start is not the frameworks'
either; it is asked once more here to be told apart.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.implementations import default, named
from harness.placement import place_of

RUN = """
import resource, sys
from harness.command_line import main
try:
    main()
finally:
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(whose)
        print(usage.ru_utime + usage.ru_stime, file=sys.stderr)
"""


def questions_of_places(names: Sequence[str]) -> float:
    """Return the CPU seconds of the processes that tell where implementations can run."""
    for implementation in named(names) if names else default():
        place_of(implementation, lambda text: print(text, file=sys.stderr))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def whole_run(names: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds of `bnconform run` itself, and of all processes it started."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", RUN, "run", *names, "--fresh", "--output", folder]
        ended = subprocess.run(
            command, cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True
        )
    own, started = ended.stderr.split()[-2:]
    return float(own), float(started)


def main(names: Sequence[str]) -> None:
    """Print what the workers took, what the rest took, and the ratio."""
    places = questions_of_places(names)
    own, started = whole_run(names)
    workers = started - places
    print(f"workers                 {workers:8.1f} s of CPU")
    print(f"everything else         {own + places:8.1f} s of CPU")
    print(f"ratio                   {(own + started) / workers:8.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
