"""The command `matrix`: many implementations at many versions."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from harness import matrix_report
from harness.matrix import Matrix
from harness.matrix_display import Display
from harness.matrix_plan import filtered, planned
from harness.selection import selected
from harness.store import Store
from harness.terminal import Output

INTERRUPTED = 130
WIDTH_OF_A_FILE = 140


@click.command("matrix")
@click.argument("file", metavar="FILE.toml", type=click.Path(path_type=Path))
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Run only this implementation, or this one at its versions; may be repeated.",
)
@click.option("-k", "pattern", default="", help="Run only scenarios whose name contains this.")
@click.option("--fresh", is_flag=True, help="Ask everything anew, whatever is stored.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def matrix(file: Path, only: Sequence[str], pattern: str, *, fresh: bool, as_json: bool) -> int:
    """Measure many implementations at many versions, as FILE.toml lists them.

    As many are measured at once as there are cores; environments that are not there are made one
    after another meanwhile. Everything answered is stored at once: the same command goes on where
    it was stopped. What has not changed since is neither asked nor judged again.

    Exit status: 0 everything as expected, 1 something unexpected was measured, 2 something could
    not be run, 130 interrupted.
    """
    plan = filtered(planned(file), only)
    with Store() as store:  # Said before anything runs where it cannot be used.
        asked = Matrix(plan, selected((), pattern), store.path, fresh)
    interrupted = False
    with Display(asked) as display:
        try:
            asked.run(display)
        except KeyboardInterrupt:
            interrupted = True
    result = matrix_report.document(asked, interrupted=interrupted)
    if as_json:
        click.echo(json.dumps(result, allow_nan=False, indent=1, ensure_ascii=False))
    else:
        show(result)
    if interrupted:
        click.echo("Interrupted; the same command goes on from here.", err=True)
        return INTERRUPTED
    return int(result["status"])


def show(result: matrix_report.Json) -> None:
    """Print what came of a matrix."""
    console = Output(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(matrix_report.table(result))
    for line in (*matrix_report.lines(result), matrix_report.closing(result)):
        console.print(line, highlight=False)
