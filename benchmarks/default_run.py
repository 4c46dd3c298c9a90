"""Where the time of a run goes: `python -m benchmarks.default_run [IMPLEMENTATION]...`.

For each implementation one after the other: seconds to import the framework, to answer every
scenario in the worker, and to judge, and the ratio of everything to importing and answering.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from harness.implementations import Implementation, default, named
from harness.respondent import Respondent
from harness.verdict import verdict_on
from suites.catalogue import SCENARIOS


def measure(implementation: Implementation) -> tuple[float, float, float]:
    """Return the seconds of importing, answering and judging."""
    importing = time.perf_counter()
    with Respondent(implementation) as respondent:
        respondent.start()
        answering = time.perf_counter()
        answers = [respondent.answer(scenario) for scenario in SCENARIOS]
        judging = time.perf_counter()
        for scenario, answer in zip(SCENARIOS, answers, strict=True):
            conventions = implementation.conventions(scenario)
            verdict_on(implementation.name, scenario, conventions, answer)
    end = time.perf_counter()
    return answering - importing, judging - answering, end - judging


def main(names: Sequence[str]) -> None:
    """Print a line for each implementation."""
    print(f"{'':20}{'import':>9}{'answer':>9}{'judge':>9}{'all ÷ (import + answer)':>26}")
    for implementation in named(names) if names else default():
        imported, answered, judged = measure(implementation)
        ratio = (imported + answered + judged) / (imported + answered)
        seconds = f"{imported:9.2f}{answered:9.2f}{judged:9.2f}"
        print(f"{implementation.name:20}{seconds}{ratio:26.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
