"""Many implementations at many versions: as many at once as there are cores, one install at a time.

Each is measured in a session of its own, in a process that performs one after another; what it
answered is in the store at once, so a matrix that was stopped in any way goes on where it was.
Environments are made by a process beside those, one ahead of the other; a run whose environment is
there already, or of which nothing has changed, waits for none of them.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.implementations import Implementation
from harness.install import Unavailable
from harness.matrix_process import Died, Failed, Helper, Task
from harness.matrix_work import FAILED, Measuring, Outcome, Preparing
from harness.placement import place_of
from suites.vocabulary import Scenario


class Watcher(Protocol):
    """Whoever is told how a matrix goes on, from several threads."""

    def missing(self, count: int) -> None:
        """Take note of how many environments must be made."""

    def preparing(self, name: str) -> None:
        """Take note that one of them is being made."""

    def prepared(self, name: str) -> None:
        """Take note that it is made, or cannot be."""

    def started(self, name: str) -> None:
        """Take note that questions begin."""

    def scenario(self, name: str) -> None:
        """Take note that another scenario is done."""

    def said(self, name: str, text: str) -> None:
        """Take note of progress in words."""

    def ended(self, outcome: Outcome) -> None:
        """Take note of what came of a run."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class Matrix:
    """A matrix: what is run, and what has come of it so far, by name."""

    plan: Sequence[Implementation]
    scenarios: Sequence[Scenario]
    store: Path
    fresh: bool = False
    at_once: int = field(default_factory=cores)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    helpers: list[Helper] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    ready: queue.SimpleQueue[Implementation | None] = field(default_factory=queue.SimpleQueue)

    def run(self, watcher: Watcher) -> None:
        """Run everything. On an interrupt stop, keep what was stored, and raise it again."""
        with ThreadPoolExecutor(1 + self.at_once) as pool:
            try:
                begun = [pool.submit(self.prepare, watcher)]
                begun += [pool.submit(self.measure, watcher) for _ in range(self.at_once)]
                for future in as_completed(begun):
                    future.result()
            finally:
                self.stop()

    def stop(self) -> None:
        """End every process, side by side, since each may take a while."""
        self.stopping.set()
        ending = [threading.Thread(target=helper.stop) for helper in list(self.helpers)]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()

    def prepare(self, watcher: Watcher) -> None:
        """Hand on what can be measured: first what has its environment, then the others in turn."""
        try:
            missing = list(self.without_environment())
            watcher.missing(len(missing))
            helper = self.helper()
            for each in missing:
                if self.stopping.is_set():
                    break
                watcher.preparing(each.name)
                outcome = self.asked(helper, Preparing(each), each, watcher)
                watcher.prepared(each.name)
                if outcome is None:
                    self.ready.put(each)
                else:
                    self.end(outcome, watcher)
            helper.stop()
        finally:
            for _ in range(self.at_once):
                self.ready.put(None)

    def without_environment(self) -> Iterator[Implementation]:
        """Hand on what has its environment, and yield what has none."""
        for each in self.plan:
            if self.stopping.is_set():
                return
            if is_there(each):
                self.ready.put(each)
            else:
                yield each

    def measure(self, watcher: Watcher) -> None:
        """Measure what is handed on, one after another."""
        helper = self.helper()
        names = tuple(scenario.name for scenario in self.scenarios)
        while (each := self.ready.get()) is not None and not self.stopping.is_set():
            watcher.started(each.name)
            task = Measuring(each, names, self.store, self.fresh)
            outcome = self.asked(helper, task, each, watcher)
            self.end(outcome, watcher)
        helper.stop()

    def helper(self) -> Helper:
        """Return a process of which this matrix takes care."""
        self.helpers.append(helper := Helper())
        return helper

    def asked(self, helper: Helper, task: Task, each: Implementation, watcher: Watcher) -> Any:
        """Return what came of a task; one that kills its process is tried once more."""

        def hear(text: str | None) -> None:
            if text is None:
                watcher.scenario(each.name)
            else:
                watcher.said(each.name, text)

        try:
            try:
                return helper.ask(task, hear)
            except Died as death:
                if self.stopping.is_set():
                    raise
                watcher.said(each.name, f"{death} It is tried once more.")
                return helper.ask(task, hear)
        except Failed as failure:
            return Outcome(each, FAILED, str(failure))

    def end(self, outcome: Outcome, watcher: Watcher) -> None:
        """Take note of what came of a run; nothing came of one that is being stopped."""
        if not self.stopping.is_set():
            self.outcomes[outcome.implementation.name] = outcome
            watcher.ended(outcome)


def is_there(implementation: Implementation) -> bool:
    """Tell whether the environment of an implementation is there; makes nothing."""

    def make_nothing(announced: str) -> None:
        raise Unavailable(announced)

    try:
        place_of(implementation, make_nothing)
    except (Unavailable, OSError, ValueError):
        return False  # Whoever tries to make it is told the reason.
    return True
