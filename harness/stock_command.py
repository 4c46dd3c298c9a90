"""The command `environments`: what was made here, what it takes, and removing it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from harness.environments import environments_root, megabytes
from harness.nearest_command import Commands
from harness.stock import UNUSED_FOR_DAYS, prune, stocked


@click.group(cls=Commands)
def environments() -> None:
    """List and remove the isolated environments that were made."""


@environments.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> int:
    """List the environments with their sizes, largest first."""
    found = stocked()
    if as_json:
        click.echo(json.dumps([each.as_entry() for each in found], indent=1, ensure_ascii=False))
        return 0
    table = Table()
    for heading in ("environment", "CPython", "as of", "last used", "size"):
        table.add_column(heading, justify="right" if heading == "size" else "left")
    for each in found:
        entry = each.as_entry()
        day = (entry["as_of"] or "").partition("T")[0]
        size = megabytes(entry["bytes"])
        table.add_row(entry["name"], entry["python"] or "", day, entry["used"], size)
    Console(soft_wrap=True).print(table)
    total = megabytes(sum(each.size for each in found))
    click.echo(f"{len(found)} environments in {environments_root()}, {total} in all.")
    return 0


@environments.command("prune")
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--all", "everything", is_flag=True, help="Remove every environment.")
def prune_(names: Sequence[str], *, everything: bool) -> int:
    """Remove environments: those named, or those that nothing has used for a month."""
    sizes = []
    for each in prune(names, everything=everything):
        click.echo(f"Removed {each.name}.")
        sizes.append(each.size)
    if not sizes:
        click.echo(f"Nothing to remove: everything was used within {UNUSED_FOR_DAYS} days.")
    else:
        click.echo(f"Removed {len(sizes)}, {megabytes(sum(sizes))} in all.")
    return 0
