"""What a run shows on a terminal: a progress bar, then the matrix and the unexpected verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.document import surprises, unexpected
from harness.session import Session
from harness.verdict import Cell
from reference.conventions import REGISTRY
from reports.page_conventions import MEASURED
from reports.page_words import few
from reports.verdicts import VERDICTS

COLOURS = {"good": "green", "bad": "red", "doubt": "yellow", "none": "dim"}
MOST_LINES = 20


class Output(Console):
    """A console that leaves a reader who has gone to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise instead of exiting with a status that means something else."""
        raise BrokenPipeError


class Bars:
    """Bars that are shown from entering to leaving, and stay as they are then."""

    progress: Progress

    def __enter__(self) -> Self:
        """Show the bars."""
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bars as they are."""
        self.progress.stop()


class Display(Bars):
    """The progress of a session; a context manager around the run."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self.console = Output(stderr=quiet, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        total = len(session.scenarios)
        self.tasks = {
            each.name: self.progress.add_task(each.name, total=total)
            for each in session.implementations
        }

    def report(self, text: str, cell: Cell | None) -> None:
        """Take note of a verdict, or print what is being prepared."""
        if cell is None:
            self.progress.console.print(text, highlight=False)
        else:
            self.progress.advance(self.tasks[cell.implementation])

    def matrix(self, results: dict[str, Any], output: Path) -> None:
        """Print suites against implementations, then everything unexpected."""
        for banner in results["banners"]:
            self.console.print(f"[bold yellow]![/] {banner}", highlight=False)
        self.console.print(table_of(results))
        silent = ("unavailable", "did not run")
        telling = [cell for cell in unexpected(results) if cell["verdict"] not in silent]
        for cell in telling[:MOST_LINES]:
            self.console.print(line_of(cell), highlight=False)
        if len(telling) > MOST_LINES:
            self.console.print(f"… and {len(telling) - MOST_LINES} more; see the report.")
        for line in lines_of_surprises(surprises(results))[:MOST_LINES]:
            self.console.print(line, highlight=False)
        judged = sum(bool(cell["steps"]) for cell in results["cells"])
        words = f"{results['run_cells']} of {results['expected_cells']} cells ran, {judged} judged"
        counted = "1 verdict is" if len(telling) == 1 else f"{len(telling)} verdicts are"
        self.console.print(f"{words}; {counted} unexpected.", highlight=False)
        if not results["complete"]:
            self.console.print("[bold red]The run is incomplete.[/]")
        self.console.print(f"Report: {output / 'index.html'}", highlight=False)

    def conventions(self, found: dict[str, Any]) -> None:
        """Print declared against measured, then what is otherwise and what has no name."""
        self.console.print(f"[bold]Conventions of {found['implementation']}[/]", highlight=False)
        for line in lines_of_findings(found):
            self.console.print(line, highlight=False)
        for line in lines_of_surprises(surprises({"identified": [found]})):
            self.console.print(line, highlight=False)
        self.console.print(summary_of_findings(found), highlight=False)


def table_of(results: dict[str, Any]) -> Table:
    """Return the matrix: one row a suite, one column an implementation."""
    table = Table(title="BatchNorm conformance", title_justify="left")
    table.add_column("suite")
    for each in results["implementations"]:
        version = next(iter(each["versions"].values()), "unavailable")
        table.add_column(f"{each['name']}\n{version}")
    for suite in dict.fromkeys(cell["suite"] for cell in results["cells"]):
        table.add_row(
            suite,
            *(counts(results, suite, each["name"]) for each in results["implementations"]),
        )
    return table


def counts(results: dict[str, Any], suite: str, name: str) -> str:
    """Return how often each verdict was given, most frequent first."""
    found = Counter(
        (cell["verdict"], " (known)" if cell["known"] and cell["expected"] else "")
        for cell in results["cells"]
        if cell["suite"] == suite and cell["implementation"] == name
    )
    return "\n".join(
        f"[{COLOURS[VERDICTS[verdict].tone]}]{VERDICTS[verdict].symbol} {count} {verdict}{known}[/]"
        for (verdict, known), count in found.most_common()
    )


def line_of(cell: dict[str, Any]) -> str:
    """Return an unexpected verdict in words."""
    sentences = [cell["reason"], *(each["sentence"] for each in cell["explanations"])]
    text = escape(" ".join(sentences))
    return f"[bold]{cell['implementation']} · {cell['scenario']}: {cell['verdict']}.[/] {text}"


def lines_of_surprises(found: dict[str, Any]) -> list[str]:
    """Return in words what identification found that nobody declared."""
    return [
        f"[bold]{each['implementation']} · {each['axis']}:[/] {escape(text_of(each))}."
        for each in found["conventions"]
    ] + [
        f"[bold]{each['implementation']} · {each['scenario']}:[/] {escape(each['sentence'])}"
        for each in found["unnamed"]
    ]


def text_of(each: dict[str, Any]) -> str:
    """Return one finding: what was measured, how that compares, where, and what settled it."""
    by = f"; by {few(each['decided_by'])}" if each["decided_by"] else ""
    return f"{each['sentence']} ({few(each['contexts'], '; ')}{by})"


def escape(text: str) -> str:
    """Return text in which nothing is markup."""
    return text.replace("[", "\\[")


def lines_of_findings(found: dict[str, Any]) -> list[str]:
    """Return a line for each convention and group of contexts in which something asked about it."""
    return [
        line_of_finding(each) for each in found["conventions"] if each["status"] != "not reached"
    ]


def line_of_finding(each: dict[str, Any]) -> str:
    """Return one finding in words."""
    colour = {"as declared": "green", "otherwise": "red"}.get(each["status"], "yellow")
    return f"[{colour}]{each['axis']}[/]: {escape(text_of(each))}"


def summary_of_findings(found: dict[str, Any]) -> str:
    """Return how many conventions were measured and how many were not, in two sentences."""
    conventions = found["conventions"]
    measured = {each["axis"] for each in conventions if each["status"] in MEASURED}
    reached = {each["axis"] for each in conventions if each["status"] != "not reached"}
    never = [axis for axis in REGISTRY if axis not in reached]
    text = f"{len(measured)} of {len(REGISTRY)} conventions are measured in some context, "
    text += f"{len(reached - measured)} are asked about but not told apart anywhere, "
    text += f"{len(never)} are never reached"
    text += f" ({', '.join(never)})." if never else "."
    otherwise = len({each["axis"] for each in conventions if each["status"] == "otherwise"})
    unnamed = len(found["unnamed"])
    return f"{text} {otherwise} are otherwise than declared; {unnamed} observations have no name."
