"""The command `history`: since which version each implementation does what."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from harness import history as stored
from harness.complaint import Complaint
from harness.implementations import known
from harness.store import Store
from harness.store_file import store_path
from harness.terminal import Output, escape
from reference.conventions import REGISTRY
from reports.compatibility import COMMITTED, as_text, read_compatibility, write_compatibility
from reports.page_words import circumstances, few, value_words
from reports.results import ReportError

Json = dict[str, Any]
HOW_TO_HAVE_SOME = "`bnconform matrix matrices/versions.toml` measures and stores them"
WIDTH_OF_A_FILE = 140
PUBLISHED = f"reports/{COMMITTED.name}"


@click.command("history")
@click.argument("axis", required=False, metavar="[CONVENTION]")
@click.option("--all", "every", is_flag=True, help="Show every convention.")
@click.option(
    "--published",
    is_flag=True,
    help=f"Show what {PUBLISHED} of this bnconform says, whatever is stored.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all of it to this file, as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history(
    axis: str | None, *, every: bool, published: bool, output: Path | None, as_json: bool
) -> int:
    """Tell since which version each implementation does what, by the versions that were run.

    What is stored is judged by today's suite. `bnconform list conventions` names all conventions.
    Nothing is said of versions that were not run: a change is after one version and by another.
    """
    if axis is None and not (every or output):
        raise Complaint("Name a convention, or write --all. `bnconform list conventions` has them.")
    axes = list(REGISTRY) if axis is None else [known(axis, REGISTRY, "convention")]
    found = read_published() if published else from_store() or instead_of_the_store()
    if output is not None:
        write(found, output)
    elif as_json:
        parts = {name: found["conventions"].get(name, {}) for name in axes}
        click.echo(as_text({**found, "conventions": parts}), nl=False)
    else:
        console = Output(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
        for name in axes:
            console.print(table(name, found))
    return 0


def from_store() -> Json | None:
    """Return what the store knows; None where no finished run is in it."""
    if not store_path().exists():
        return None
    with Store() as store:
        found = stored.history(store, lambda text: click.echo(text, err=True))
    for sentence in found.left_out:
        click.echo(sentence, err=True)
    return stored.document(found) if found.runs else None


def instead_of_the_store() -> Json:
    """Return what was published, and say so. Raises Complaint where nothing was."""
    nothing = f"No finished run is stored in {store_path()}; {HOW_TO_HAVE_SOME}."
    if not COMMITTED.exists():
        raise Complaint(nothing)
    click.echo(f"{nothing} This is what {PUBLISHED} says.", err=True)
    return read_published()


def read_published() -> Json:
    """Return what was published. Raises Complaint."""
    try:
        return read_compatibility()
    except ReportError as error:
        raise Complaint(str(error)) from error


def write(found: Json, file: Path) -> None:
    """Write all of it. Raises Complaint."""
    try:
        write_compatibility(found, file)
    except ReportError as error:
        raise Complaint(str(error)) from error
    click.echo(f"Wrote {file}.", err=True)


def table(axis: str, found: Json) -> Table:
    """Return a row for each value an implementation had, with the versions that showed it."""
    told = Table(title=f"{axis}: {REGISTRY[axis].question}", title_justify="left")
    for heading in ("implementation", "versions run", "where", "value", "changed", "decided by"):
        told.add_column(heading, no_wrap=heading == "implementation", overflow="fold")
    for name, about in found["conventions"].get(axis, {}).items():
        shown = name
        for cells in (*map(measured, about["measured"]), *map(left_open, about["open"])):
            told.add_row(shown, *map(escape, cells))
            shown = ""
    return told


def measured(row: Mapping[str, Any]) -> Sequence[str]:
    """Return the cells of a value that was measured."""
    before = row["changed_after"]
    return (
        versions(row["runs"]),
        "; ".join(map(circumstances, row["when"])),
        value_words(row["value"]),
        f"after {before}, by {row['first']}" if before else "",
        few(row["decided_by"]),
    )


def left_open(row: Mapping[str, Any]) -> Sequence[str]:
    """Return the cells of runs in which nothing was measured."""
    left = " or ".join(map(value_words, row["values"]))
    return versions(row["runs"]), "", f"{row['why']}: {left}" if left else row["why"], "", ""


def versions(runs: Sequence[str]) -> str:
    """Return runs by the first and the last, and how many they are."""
    if len(runs) == 1:
        return runs[0]
    return f"{runs[0]} – {runs[-1]} (run: {len(runs)} versions)"
