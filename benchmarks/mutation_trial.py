"""Asks mutants questions until one gives a mutant away: an answer judged otherwise than the clean.

A question that cannot tell, because it never executes the statement that was mutated, is not put.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.mutant_process import Broken, Json, MutantProcess
from benchmarks.mutants import Mutant, digest_of
from harness.implementations import Implementation
from harness.respondent import answer_of
from harness.verdict import verdict_on
from harness.workers import Command, WorkerFailure
from suites.vocabulary import Scenario

AT_ONCE = 2
SECONDS_BESIDES = 20.0
TIMES_AS_SLOW = 20
LONGEST_CLEAN = 600.0


class Question(Protocol):
    """Something to ask a mutant: a scenario of the suite, or a test of the framework's own."""

    @property
    def name(self) -> str:
        """Return what it is called."""

    @property
    def requests(self) -> Sequence[Mapping[str, str]]:
        """Return what is put to the mutant, one after the other."""

    def outcome(self, messages: Sequence[Json]) -> Hashable:
        """Return what the answers come to; a mutant with another is given away."""


@dataclass(frozen=True)
class Asked:
    """A scenario: its outcome is the verdict and what would explain it."""

    scenario: Scenario
    implementation: Implementation

    @property
    def name(self) -> str:
        """Return the scenario's name."""
        return self.scenario.name

    @property
    def requests(self) -> Sequence[Mapping[str, str]]:
        """Return the scenario as often as it is to be repeated."""
        return [{"scenario": self.name}] * self.scenario.repeats

    def outcome(self, messages: Sequence[Json]) -> Hashable:
        """Return the verdict and its explanations."""
        conventions = self.implementation.conventions(self.scenario)
        name = self.implementation.name
        cell = verdict_on(name, self.scenario, conventions, answer_of(messages))
        return cell.verdict, tuple((each.axis, each.would_agree) for each in cell.explanations)


@dataclass(frozen=True)
class OwnTest:
    """A test of the framework's own: its outcome is whether it passed."""

    name: str

    @property
    def requests(self) -> Sequence[Mapping[str, str]]:
        """Return the test."""
        return [{"test": self.name}]

    def outcome(self, messages: Sequence[Json]) -> Hashable:
        """Return whether it passed, or was skipped."""
        return bool(messages[0]["passed"]), bool(messages[0]["skipped"])


@dataclass(frozen=True)
class Clean:
    """What comes of a question without a mutation, in how long, and the lines it executes."""

    messages: Sequence[Any]
    outcome: Hashable
    seconds: float
    executed: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: ``killed``, ``timed out`` or ``survived``.

    `by` is the question that gave it away, or how it failed before any; `noticed` are the questions
    it answered otherwise than the clean one does, without being judged otherwise.
    """

    mutant: Mutant
    what: str
    by: str = ""
    noticed: tuple[str, ...] = ()


@dataclass
class Trial:
    """The questions put to every mutant of one implementation, those that killed most first."""

    command: Command
    contents: Mapping[str, Any]
    folder: Path
    questions: Sequence[Question] = ()
    originals: Mapping[str, str] = field(default_factory=dict)
    clean: dict[str, Clean] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    own: threading.local = field(default_factory=threading.local)
    running: list[MutantProcess] = field(default_factory=list)

    def process(self) -> MutantProcess:
        """Return this thread's process, starting one where there is none."""
        if getattr(self.own, "process", None) is None:
            path = self.folder / "questions.json"
            if not path.exists():
                path.write_text(json.dumps(self.contents))
            started = MutantProcess(self.command, path)
            self.running.append(started)
            started.introduce()
            self.own.process = started
        process: MutantProcess = self.own.process
        return process

    def discard(self) -> None:
        """Kill this thread's process; the next mutant gets another."""
        self.running.remove(self.own.process)  # Its number may be another process's from now on.
        self.own.process.kill()
        self.own.process = None

    def close(self) -> None:
        """Kill every process."""
        for process in self.running:
            process.kill()

    @contextmanager
    def being(self, sources: Mapping[str, str]) -> Iterator[MutantProcess]:
        """Be the mutant whose modules have these sources; the others are executed as they are."""
        process = self.process()
        texts = {**self.originals, **sources}
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            paths = {}
            for module, text in texts.items():
                paths[module] = Path(folder) / f"{module}.py"
                paths[module].write_text(text, encoding="utf-8")
            process.become(paths, {each: digest_of(text) for each, text in texts.items()})
            yield process
            process.leave()

    def read_originals(self) -> Mapping[str, str]:
        """Return the framework's own source of the modules that are mutated."""
        files = self.process().files
        self.originals = {
            module: Path(file).read_text(encoding="utf-8") for module, file in files.items()
        }
        return self.originals

    def tests(self, module: str) -> list[str]:
        """Return the names of the tests in a module of the framework's own."""
        with self.being({}) as process:
            names: list[str] = process.put({"tests": module}, LONGEST_CLEAN)["answer"]
        return names

    def learn(self, questions: Sequence[Question]) -> None:
        """Ask the unmutated source these questions; then once more, as if it were a mutant.

        Raises RuntimeError where its own second answers would give it away.
        """
        self.questions, self.clean, self.kills = questions, {}, {}
        with self.being({}) as process:
            for question in questions:
                started = time.perf_counter()
                found = [
                    process.put(request, LONGEST_CLEAN, trace=True) for request in question.requests
                ]
                messages = [each["answer"] for each in found]
                executed = frozenset((at, line) for each in found for at, line in each["executed"])
                seconds = time.perf_counter() - started
                outcome = question.outcome(messages)
                self.clean[question.name] = Clean(messages, outcome, seconds, executed)
        again = Mutant("", "", "", 0, "", "", "")
        fate = self.tried(again, {}, self.questions)
        if fate.what != "survived":
            message = f"Without any mutation, {fate.by!r} is not answered the same way twice."
            raise RuntimeError(message)

    def run(self, mutants: Sequence[Mutant], report: Callable[[Fate], None]) -> list[Fate]:
        """Return what becomes of each mutant, in their order."""

        def one(mutant: Mutant) -> Fate:
            fate = self.tried(mutant, {mutant.module: mutant.source}, self.telling(mutant))
            report(fate)
            return fate

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, mutants))

    def telling(self, mutant: Mutant) -> list[Question]:
        """Return the questions that can tell, those that killed most first, then the quickest."""
        telling = [
            question
            for question in self.questions
            if executes(self.clean[question.name].executed, mutant)
        ]
        return sorted(
            telling,
            key=lambda q: (-self.kills.get(q.name, 0), self.clean[q.name].seconds),
        )

    def tried(
        self, mutant: Mutant, sources: Mapping[str, str], questions: Sequence[Question]
    ) -> Fate:
        """Return what becomes of one mutant that is asked these questions in this order."""
        process = self.process()
        noticed = []
        asked = ""
        try:
            with self.being(sources):
                for question in questions:
                    asked = question.name
                    clean = self.clean[asked]
                    messages = self.put(process, question)
                    if messages == clean.messages:
                        continue
                    if question.outcome(messages) != clean.outcome:
                        self.kills[asked] = self.kills.get(asked, 0) + 1
                        return Fate(mutant, "killed", asked)
                    noticed.append(asked)
        except Broken as error:
            return Fate(mutant, "killed", f"cannot be defined: {error}")
        except WorkerFailure as failure:
            if failure.kind == "timed out" or process.process.poll() is not None:
                self.discard()
            what = "timed out" if failure.kind == "timed out" else "killed"
            return Fate(mutant, what, f"{asked}: {failure}")
        return Fate(mutant, "survived", noticed=tuple(noticed))

    def put(self, process: MutantProcess, question: Question) -> list[Any]:
        """Return a mutant's answers to a question, each within a multiple of the clean one's time.

        Raises WorkerFailure.
        """
        seconds = SECONDS_BESIDES + TIMES_AS_SLOW * self.clean[question.name].seconds
        return [process.put(request, seconds)["answer"] for request in question.requests]


def executes(lines: frozenset[tuple[str, int]], mutant: Mutant) -> bool:
    """Tell whether executing these lines, by module, may show a mutant."""
    if mutant.executed_by is None:
        return True
    return any((mutant.module, line) in lines for line in mutant.executed_by)
