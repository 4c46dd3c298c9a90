"""A run: every implementation asked every scenario, side by side, nothing measured ever lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.environments import Unavailable
from harness.findings import Findings, findings
from harness.implementations import Implementation
from harness.memory import Memory
from harness.respondent import Respondent
from harness.store import Store
from harness.times import Times
from harness.undeclared import judged_as_measured
from harness.verdict import Cell, verdict_on
from harness.workers import first_line
from suites.vocabulary import Scenario

Report = Callable[[str, Cell | None], None]


IMPLEMENTATIONS_AT_ONCE = 4


@dataclass
class Session:
    """What a run has found so far.

    `cells` are by implementation and scenario name; `headers` are the workers' introductions;
    `findings` the conventions measured of each implementation that was asked everything, and
    `unidentified` says why there are none;
    `unavailable` says why an implementation has no environment, which is unexpected only where
    the user named it (`demanded`); `environments` what it was, and
    `caveats` what is unusual about it.
    With a `store`, what was answered before is not asked again unless `fresh`, and what is answered
    is kept; a run that asks only a part of what there is (`partial`) stays unfinished there, since
    it says little about a version. `complaints` are the sentences of a store that failed.
    """

    implementations: list[Implementation]
    scenarios: Sequence[Scenario]
    demanded: bool = False
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)
    unidentified: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    respondents: list[Respondent] = field(default_factory=list)
    caveats: dict[str, list[str]] = field(default_factory=dict)
    environments: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    store: Store | None = None
    fresh: bool = False
    partial: bool = False
    times: Times = field(default_factory=Times)
    complaints: dict[str, None] = field(default_factory=dict)

    def run(self, report: Report) -> None:
        """Ask everything. On an interrupt stop the workers, keep the cells, and raise it again.

        `report` is told of each cell, and with None of progress in words, from several threads.
        """
        with ThreadPoolExecutor(IMPLEMENTATIONS_AT_ONCE) as pool:
            asked = [
                pool.submit(self.question, each, report) for each in list(self.implementations)
            ]
            try:
                for future in asked:
                    future.result()
            except BaseException:
                self.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for respondent in self.respondents:
                    respondent.abandon()
                raise
        self.fill()

    def question(self, implementation: Implementation, report: Report) -> None:
        """Ask one implementation every scenario."""
        try:
            with Respondent(
                implementation, lambda text: report(text, None), times=self.times
            ) as respondent:
                self.respondents.append(respondent)
                implementation = self.place(respondent)
                for scenario in self.scenarios:
                    if self.stopping.is_set():
                        break
                    cell = judged(respondent, scenario)
                    self.cells[implementation.name, scenario.name] = cell
                    report(implementation.name, cell)
                self.headers[implementation.name] = respondent.introduction()
                if respondent.memory and not (self.partial or self.stopping.is_set()):
                    respondent.memory.finish(respondent.header)
            if not self.stopping.is_set():
                self.identify(implementation)
                self.judge_as_measured(implementation)
        except Unavailable as reason:
            self.unavailable[implementation.name] = str(reason)

    def place(self, respondent: Respondent) -> Implementation:
        """Take note of where an implementation runs; return it with its exact versions."""
        found = respondent.implementation
        names = [each.name for each in self.implementations]
        self.implementations[names.index(found.name)] = found
        self.caveats[found.name] = respondent.place.caveats
        self.environments[found.name] = respondent.place.environment
        if self.store is not None:
            memory = Memory(self.store, respondent.place, self.complain, fresh=self.fresh)
            respondent.remember(memory)
        return found

    def complain(self, sentence: str) -> None:
        """Take note that the store failed."""
        self.complaints[sentence] = None

    def identify(self, implementation: Implementation) -> None:
        """Measure the conventions of an implementation from all it answered."""
        evidence = [
            (cell.scenario, trace)
            for (name, _), cell in list(self.cells.items())
            if name == implementation.name
            for trace in cell.traces
        ]
        try:
            with self.times.spent("judge"):
                self.findings[implementation.name] = findings(implementation, evidence)
        except Exception as error:  # noqa: BLE001 - a bug of ours costs no verdict
            reason = f"The suite itself failed: {type(error).__name__}: {first_line(error)}."
            self.unidentified[implementation.name] = reason

    def judge_as_measured(self, implementation: Implementation) -> None:
        """Judge an implementation by what was measured of it where nothing is declared."""
        if (found := self.findings.get(implementation.name)) is None:
            return
        for scenario in self.scenarios:
            key = (implementation.name, scenario.name)
            try:
                self.cells[key] = judged_as_measured(implementation, self.cells[key], found)
            except Exception as error:  # noqa: BLE001 - a bug of ours costs one cell, not the run
                reason = f"The suite itself failed: {type(error).__name__}: {first_line(error)}."
                self.cells[key] = Cell(implementation.name, scenario, "adapter error", reason)

    def fill(self) -> None:
        """Give every cell that was not measured the verdict that says so."""
        for implementation in self.implementations:
            reason = self.unavailable.get(implementation.name)
            for scenario in self.scenarios:
                key = (implementation.name, scenario.name)
                if key not in self.cells:
                    verdict = "unavailable" if reason else "did not run"
                    text = reason or "The run ended before this scenario."
                    self.cells[key] = Cell(implementation.name, scenario, verdict, text)

    @property
    def measured(self) -> int:
        """Return how many cells were really asked."""
        skipped = ("unavailable", "did not run")
        return sum(cell.verdict not in skipped for cell in self.cells.values())

    @property
    def unjudged(self) -> list[str]:
        """Return the implementations of which no answer at all could be judged."""
        judged = {cell.implementation for cell in self.cells.values() if cell.judgement is not None}
        names = [each.name for each in self.implementations if each.name not in self.unavailable]
        return [name for name in names if name not in judged]


def judged(respondent: Respondent, scenario: Scenario) -> Cell:
    """Ask and judge one scenario."""
    implementation = respondent.implementation
    try:
        answer = respondent.answer(scenario)
        with respondent.times.spent("judge"):
            conventions = implementation.conventions(scenario)
            expected = implementation.expectations
            return verdict_on(implementation.name, scenario, conventions, answer, expected)
    except Exception as error:  # noqa: BLE001 - a bug of ours costs one cell, not the run
        reason = f"The suite itself failed: {type(error).__name__}: {first_line(error)}."
        return Cell(implementation.name, scenario, "adapter error", reason)
