"""One scenario on one implementation as a standalone script, seen to show what the suite saw."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.complaint import Complaint
from harness.implementations import Implementation
from harness.judge import Array, Trace
from harness.reproduction.description import Subject
from harness.reproduction.expected import StepExpectation, expectations
from harness.reproduction.expressions import Unwritable
from harness.reproduction.recording import Recording, recording
from harness.reproduction.script import script
from harness.reproduction.steps import Composer, Whole, WrittenOut
from harness.respondent import Progress, silent
from harness.session import Session
from harness.undeclared import banner
from harness.words import quantity_in_words
from harness.workers import Command
from suites.catalogue import SCENARIOS
from suites.vocabulary import Scenario

SECONDS = 240
STEP = re.compile(r"\d+\. ")
QUANTITY = re.compile(r"  (?P<name>\S.*?)(?: agrees| DIFFERS)?")
OBSERVED = re.compile(r"    observed: (?P<numbers>-?(?:\[|\d|nan|inf).*) \w+")


@dataclass(frozen=True)
class Asked:
    """What the suite's own worker showed, what is expected of it, and how that worker starts."""

    subject: Subject
    trace: Trace
    expected: Sequence[StepExpectation]
    command: Command

    @property
    def scenario(self) -> Scenario:
        """Return the scenario that was asked."""
        return self.subject.cell.scenario

    @property
    def agrees(self) -> bool:
        """Return whether everything was as expected."""
        return all(each.agrees for each in self.expected)


@dataclass(frozen=True)
class Outcome:
    """What running a script came to: its exit status, and the numbers it printed as observed.

    They are by step and quantity, as text.
    """

    status: int
    observed: Sequence[dict[str, str]]


def reproduction(
    scenario: Scenario, implementation: Implementation, progress: Progress = silent
) -> str:
    """Return a standalone script that shows what an implementation does in a scenario.

    It has been run where the implementation runs, and showed bit for bit what the suite's own
    worker had shown. Raises Complaint where there is nothing to show, or no such script.
    """
    progress(f"Asking {implementation.name}.")
    (asked,) = ask([scenario], implementation, progress)
    progress("Writing down what it does with its framework.")
    found = recording(asked.command, scenario)
    for composer in composers(found, asked):
        progress("Running the script.")
        try:
            written = script(asked.subject, composer.compose())
        except Unwritable:
            continue
        if shows(outcome_of(written, asked.command), asked):
            return written
    message = (
        f"No script showed in {scenario.name} what the suite saw of {implementation.name}. "
        "Does it give the same answer each time?"
    )
    raise Complaint(message)


def ask(
    scenarios: Sequence[Scenario], implementation: Implementation, progress: Progress = silent
) -> list[Asked]:
    """Have the suite's own worker perform scenarios, and judge them.

    What does not declare everything is asked everything, to be judged by what was measured of it.
    Raises Complaint where one shows nothing.
    """
    everything = SCENARIOS if banner(implementation) else scenarios
    session = Session([implementation], everything, demanded=True)
    session.run(lambda text, cell: progress(text) if cell is None else None)
    return [answered(session, scenario) for scenario in scenarios]


def answered(session: Session, scenario: Scenario) -> Asked:
    """Return what a session found of a scenario. Raises Complaint where that is nothing."""
    (implementation,) = session.implementations
    cell = session.cells[implementation.name, scenario.name]
    if cell.verdict == "unavailable":
        raise Complaint(cell.reason)
    if not cell.traces:
        problem = "cannot express" if cell.verdict == "not expressible" else "gave no answer to"
        raise Complaint(f"{implementation.name} {problem} {scenario.name}. {cell.reason}")
    trace = cell.trace or cell.traces[0]
    conventions = cell.conventions or implementation.conventions(scenario)
    return Asked(
        Subject(implementation, cell, session.headers[implementation.name]),
        trace,
        expectations(scenario, conventions, trace),
        session.respondents[0].place.command,
    )


def composers(found: Recording, asked: Asked) -> Iterator[Composer]:
    """Yield the ways of writing a program, the most readable first."""
    if found.steps is not None and len(found.steps) == len(asked.trace):
        yield WrittenOut(found, asked.expected)
    yield Whole(found, asked.expected, asked.scenario, asked.trace)


def outcome_of(written: str, command: Command) -> Outcome:
    """Run a script where the implementation runs; a status of -1 says that it could not be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reproduction.py"
        path.write_text(written, encoding="utf-8")
        try:
            done = subprocess.run(
                [command.python, path],
                capture_output=True,
                check=False,
                cwd=folder,
                env=command.environment,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return Outcome(-1, [])
    return Outcome(done.returncode, observed_in(done.stdout))


def observed_in(printed: str) -> list[dict[str, str]]:
    """Return the numbers a script printed as observed, by step and quantity."""
    steps: list[dict[str, str]] = []
    name = ""
    for line in printed.splitlines():
        if STEP.match(line):
            steps.append({})
        elif found := QUANTITY.fullmatch(line):
            name = found["name"]
        elif (found := OBSERVED.fullmatch(line)) and steps:
            steps[-1][name] = found["numbers"]
    return steps


def shows(outcome: Outcome, asked: Asked) -> bool:
    """Tell whether a script showed what the worker did, bit for bit, and judged it alike."""
    traces = asked.subject.cell.traces
    return outcome.status == (0 if asked.agrees else 1) and any(
        same(outcome, trace) for trace in traces
    )


def same(outcome: Outcome, trace: Trace) -> bool:
    """Tell whether a script showed a trace, bit for bit."""
    wanted = [
        {quantity_in_words(name): array for name, array in seen.observed.items()} for seen in trace
    ]
    return len(wanted) == len(outcome.observed) and all(
        arrays.keys() == shown.keys()
        and all(same_bits(array, shown[name]) for name, array in arrays.items())
        for arrays, shown in zip(wanted, outcome.observed, strict=True)
    )


def same_bits(array: Array, numbers: str) -> bool:
    """Tell whether printed numbers are an array, bit for bit; one NaN is as good as another."""
    printed = json.loads(numbers.replace("nan", "NaN").replace("inf", "Infinity"))
    found = np.array(printed, dtype=array.dtype)
    if found.size != array.size:
        return False
    pair = (found.reshape(array.shape), array)
    bits = [np.where(np.isnan(each), np.nan, each).tobytes() for each in pair]
    return bits[0] == bits[1]
