"""What a matrix shows while it goes on: bars on a terminal, else a line for each run."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from harness.matrix import Matrix
from harness.matrix_work import MEASURED, Outcome
from harness.pace import Pace, in_words
from harness.terminal import Bars, escape


class Display(Bars):
    """The progress of a matrix; a context manager around the run. Told from several threads."""

    def __init__(self, matrix: Matrix) -> None:
        self.console = Console(stderr=True, soft_wrap=True)
        self.pace = Pace(len(matrix.plan), matrix.at_once)
        self.scenarios = len(matrix.scenarios)
        self.lock = threading.RLock()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.whole = self.progress.add_task("all runs", total=self.pace.runs, note="")
        self.bars: dict[str, TaskID] = {}

    def missing(self, count: int) -> None:
        """Take note of how many environments must be made."""
        with self.lock:
            self.pace.to_make = count
            if count:
                plural = "s" * (count != 1)
                self.say(f"{count} environment{plural} must be made first, one after another.")

    def preparing(self, name: str) -> None:
        """Take note that one of them is being made."""
        with self.lock:
            self.pace.making[name] = self.pace.clock()

    def prepared(self, name: str) -> None:
        """Take note that it is made, or cannot be."""
        with self.lock:
            self.pace.make(name)
            self.show_time_left()

    def started(self, name: str) -> None:
        """Show a bar for a run."""
        with self.lock:
            self.pace.measuring[name] = self.pace.clock()
            self.bars[name] = self.progress.add_task(escape(name), total=self.scenarios, note="")

    def scenario(self, name: str) -> None:
        """Advance the bar of a run."""
        with self.lock:
            if name in self.bars:
                self.progress.advance(self.bars[name])
            self.show_time_left()

    def said(self, name: str, text: str) -> None:
        """Print progress in words."""
        self.say(f"{name}: {text}")

    def ended(self, outcome: Outcome) -> None:
        """Print what came of a run."""
        name = outcome.implementation.name
        with self.lock:
            if name in self.bars:
                self.progress.remove_task(self.bars.pop(name))
            worked = outcome.state == MEASURED and not outcome.recalled
            self.pace.end(name, informative=worked)
            self.progress.advance(self.whole)
            self.show_time_left()
            so_far = f"{self.pace.ended} of {self.pace.runs}"
            if self.pace.ended < self.pace.runs:
                so_far += f", {in_words(self.pace.seconds_left)}"
            self.say(f"{so_far}. {name}: {self.in_words(outcome)}")

    def in_words(self, outcome: Outcome) -> str:
        """Return what came of a run in a sentence."""
        if outcome.state != MEASURED:
            return f"{outcome.state}. {outcome.reason}"
        verdicts = outcome.summary["verdicts"].items()
        found = ", ".join(f"{count} {verdict}" for verdict, count in verdicts)
        judged = "as expected" if outcome.as_expected else "not as expected"
        return f"{found}; {judged}{', nothing had changed' * outcome.recalled}."

    def show_time_left(self) -> None:
        """Show how long the whole will still take."""
        self.progress.update(self.whole, note=in_words(self.pace.seconds_left))

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(escape(text), highlight=False)
