"""The command `bnconform reproduce`: a script for an upstream bug report."""

from __future__ import annotations

from pathlib import Path

import click

from harness import outside
from harness.complaint import Complaint
from harness.implementations import Implementation, known, named
from harness.reproduce import reproduction
from suites.catalogue import SCENARIOS, scenario_named

WRITTEN = 0


@click.command()
@click.argument("scenario")
@click.argument("implementation", metavar="IMPLEMENTATION|ADAPTER.py")
@click.option("--python", metavar="PATH", help="The Python, or environment, of an adapter.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the script to this file instead of printing it.",
)
def reproduce(scenario: str, implementation: str, python: str | None, output: Path | None) -> int:
    """Write a standalone script that shows a scenario, for an upstream bug report.

    The script uses the framework and NumPy only. For each step it prints what is expected and what
    is observed, and it ends with status 0 where all agrees and 1 where something differs. It is
    run once here, to see that it shows the same numbers as the suite.
    """
    asked = scenario_named(known(scenario, [each.name for each in SCENARIOS], "scenario"))
    one = one_to_reproduce(implementation, python)
    if output is not None:
        expect_writable(output)
    text = reproduction(asked, one, lambda sentence: click.echo(sentence, err=True))
    if output is None:
        click.echo(text, nl=False)
    else:
        write(text, output)
        click.echo(f"Wrote {output}.", err=True)
    return WRITTEN


def one_to_reproduce(name: str, python: str | None) -> Implementation:
    """Return an implementation by its name, or by its adapter. Raises Complaint."""
    if outside.is_file_name(name) or python is not None:
        return outside.implementation(name, python)
    return named([name])[0]


def expect_writable(output: Path) -> None:
    """Raise Complaint where a file cannot be made, before anything is measured."""
    if not output.absolute().parent.is_dir():
        message = f"There is no folder {output.parent}. Make it, or choose another --output."
        raise Complaint(message)


def write(text: str, output: Path) -> None:
    """Write a script to a file. Raises Complaint where it cannot be written."""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{output} cannot be written: {error.strerror}. Choose another --output."
        raise Complaint(message) from error
