"""The commands `bnconform store …`: what the store holds, taken elsewhere and brought together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from harness.nearest_command import Commands
from harness.store import Store, StoreError
from harness.store_exchange import export, merge_document, read_document
from harness.store_file import StoreDamaged, store_path
from harness.store_rows import Run

SOUND, DAMAGED = 0, 1
FILE = click.Path(path_type=Path)


@click.group("store", cls=Commands)
def store() -> None:
    """Show, check, export and import what has been measured so far."""


@store.command("export")
@click.argument("file", type=FILE)
def export_(file: Path) -> int:
    """Write all answers and runs to FILE, as one JSON document."""
    with existing() as kept:
        export(kept, file)
        counted = kept.counted()
    click.echo(f"Wrote {amount(counted)} to {file}.", err=True)
    return SOUND


@store.command("import")
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
def import_(files: Sequence[Path]) -> int:
    """Add the answers and runs of exported FILEs; what is there already stays as it is."""
    documents = [(file, read_document(file)) for file in files]
    with Store() as kept:
        for file, document in documents:
            merged = merge_document(kept, document)
            new = amount({"answers": merged.answers, "runs": merged.runs})
            click.echo(f"{file}: {new} new.")
            if merged.differing:
                click.echo(
                    f"{file}: {merged.differing} of its answers differ from those stored for the"
                    " same circumstances; the stored ones were kept."
                )
    return SOUND


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json: bool) -> int:
    """Say where the store is, how large, and what it holds."""
    path = store_path()
    told: dict[str, object] = {"path": str(path), "bytes": 0, "answers": 0, "runs": 0}
    newest = None
    if path.exists():
        with Store() as kept:
            told.update({"bytes": kept.size, **kept.counted()})
            newest = next(iter(kept.runs()), None)
            told["newest"] = described(newest) if newest else None
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return SOUND
    click.echo(f"Store   {path}" + ("" if path.exists() else " (not made yet)"))
    click.echo(f"Size    {size_in_words(int(str(told['bytes'])))}")
    click.echo(f"Answers {told['answers']}")
    click.echo(f"Runs    {told['runs']}, {told.get('finished', 0)} of them finished")
    if newest:
        click.echo(f"Newest  {in_words(newest)}")
    return SOUND


@store.command()
def check() -> int:
    """Read all of the store and say what is damaged; exit status 1 where something is."""
    try:
        with existing() as kept:
            problems = kept.problems()
            counted = kept.counted()
    except StoreDamaged as damage:
        problems, counted = [str(damage)], {}
    for problem in problems:
        click.echo(problem)
    if problems:
        return DAMAGED
    click.echo(f"{store_path()} is sound: {amount(counted)} can be read.")
    return SOUND


def existing() -> Store:
    """Return the store. Raises StoreError where there is none yet."""
    path = store_path()
    if not path.exists():
        raise StoreError(f"There is no store at {path} yet. `bnconform run` makes one.")
    return Store(path)


def amount(counted: dict[str, int]) -> str:
    """Return how many answers and runs there are, in words."""
    answers, runs = counted["answers"], counted["runs"]
    return f"{answers} answer{'s' * (answers != 1)} and {runs} run{'s' * (runs != 1)}"


def described(run: Run) -> dict[str, object]:
    """Return a run as JSON, in brief."""
    names = ("implementation", "started_at", "finished")
    return {**{name: getattr(run, name) for name in names}, "versions": dict(run.versions)}


def in_words(run: Run) -> str:
    """Return a run as a line."""
    versions = "".join(f", {package} {version}" for package, version in run.versions.items())
    state = "" if run.finished else ", not finished"
    return f"{run.implementation}{versions}, begun {run.started_at}{state}"


def size_in_words(size: int) -> str:
    """Return a number of bytes with the unit that suits it."""
    if size < 1000:
        return f"{size} bytes"
    units = ("kB", "MB", "GB")
    power = min(len(units), (len(str(size)) - 1) // 3)
    return f"{size / 1000**power:.1f} {units[power - 1]}"
