"""What a run costs beside the frameworks themselves: `python -m benchmarks.default_run [NAME]...`.

Asks the implementations everything twice, in the same environments and with nothing stored: once
in their workers alone, which is framework imports and framework computation, and once as `bnconform
run`. Prints the CPU seconds of both, and of all that is left to this project, and the ratio.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.implementations import Implementation, default, named
from harness.placement import place_of
from harness.workers import Worker
from suites.catalogue import SCENARIOS


def spent_by_children() -> float:
    """Return the CPU seconds of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def frameworks(implementation: Implementation) -> float:
    """Return the CPU seconds of one worker that answers every scenario and is not judged."""
    place = place_of(implementation, lambda text: print(text, file=sys.stderr))
    before = spent_by_children()
    with Worker(place.command) as worker:
        for scenario in SCENARIOS:
            for _ in range(scenario.repeats):
                worker.ask(scenario)
    return spent_by_children() - before


def whole_run(names: Sequence[str]) -> float:
    """Return the CPU seconds of `bnconform run`, its workers included."""
    before = spent_by_children()
    with tempfile.TemporaryDirectory() as folder:
        code = "from harness.command_line import main; main()"
        command = [sys.executable, "-c", code, "run", *names, "--fresh", "--output", folder]
        subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True)
    return spent_by_children() - before


def main(names: Sequence[str]) -> None:
    """Print a line for each implementation's worker, and one for the whole."""
    chosen = named(names) if names else default()
    total = 0.0
    for implementation in chosen:
        alone = frameworks(implementation)
        total += alone
        print(f"{implementation.name:24}{alone:8.1f} s of CPU in its worker")
    whole = whole_run([each.name for each in chosen])
    print(f"{'bnconform run':24}{whole:8.1f} s of CPU, {whole - total:.1f} s beside the workers")
    print(f"{'ratio':24}{whole / total:8.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
