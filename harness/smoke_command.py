"""The command `bnconform smoke`: what is wrong with an adapter, within a second."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from harness import outside
from harness.smoke import WRONG, Line, Smoke

FIT, UNFIT = 0, 1
COLOURS = {"✓": "green", "✗": "red", "–": "yellow"}


@click.command()
@click.option(
    "--adapter",
    required=True,
    metavar="FILE|MODULE|NAME",
    help="The adapter: a file, a dotted module, or what a package offers by name.",
)
@click.option("--python", metavar="PATH", help="The Python, or environment, that runs it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def smoke(adapter: str, python: str | None, as_json: bool) -> int:
    """Say what is wrong with an adapter, one line for each thing looked at."""
    look = Smoke(outside.implementation(adapter, python))
    lines = []
    for line in look.lines():
        lines.append(line)
        if not as_json:
            click.echo(in_colour(line))
    fit = not look.wrong
    if as_json:
        told = {"adapter": look.name, "fit": fit, "lines": [asdict(line) for line in lines]}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        click.echo(closing(look, adapter, python, lines))
    return FIT if fit else UNFIT


def in_colour(line: Line) -> str:
    """Return a line as it is printed."""
    return f"{click.style(line.mark, fg=COLOURS[line.mark])} {line.text}"


def closing(look: Smoke, adapter: str, python: str | None, lines: list[Line]) -> str:
    """Return what comes after the lines: what to do next."""
    if any(line.mark == WRONG for line in lines):
        return f"{look.name} is not fit to run yet."
    others = f" --python {python}" if python else ""
    return f"{look.name} is fit to run: bnconform run --adapter {adapter}{others}"
