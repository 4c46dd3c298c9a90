"""The command `bnconform`. Exit status: 0 as expected, 1 an unexpected verdict, 2 misuse."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harness import listing, outside
from harness.check_command import check, diff
from harness.complaint import Complaint
from harness.document import document, identified, surprises, unexpected
from harness.history_command import history
from harness.implementations import default, known, named
from harness.matrix_command import matrix
from harness.memory import opened_store
from harness.nearest_command import Commands
from harness.reproduce_command import reproduce
from harness.selection import selected
from harness.session import Session
from harness.smoke_command import smoke
from harness.stock_command import environments
from harness.store_commands import store
from harness.terminal import Display
from reports.page import write_page
from reports.results import ReportError, write_results
from suites.catalogue import SCENARIOS

AS_EXPECTED, UNEXPECTED, MISUSE, INTERRUPTED = 0, 1, 2, 130
OUTPUT = Path("build/report")
SHOW_TRACEBACK = "BNCONFORM_TRACEBACK"
HOW_TO_REPORT = f"Set {SHOW_TRACEBACK}=1 to see where, and report it."


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bnconform")
def commands() -> None:
    """Measure what BatchNorm does in each framework, and hold it against a NumPy oracle."""


@commands.command()
@click.argument("implementations", nargs=-1, metavar="[IMPLEMENTATION]...")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="FILE|MODULE|NAME",
    help="Run an adapter from outside; may be repeated.",
)
@click.option("--python", metavar="PATH", help="The Python, or environment, of those adapters.")
@click.option("--suite", "suites", multiple=True, help="Run only this suite; may be repeated.")
@click.option("-k", "pattern", default="", help="Run only scenarios whose name contains this.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUTPUT,
    show_default=True,
    help="Folder for results.json and index.html.",
)
@click.option("--fresh", is_flag=True, help="Ask everything anew, whatever is stored.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(
    implementations: Sequence[str],
    adapters: Sequence[str],
    python: str | None,
    suites: Sequence[str],
    pattern: str,
    output: Path,
    *,
    fresh: bool,
    as_json: bool,
) -> int:
    """Run the scenarios on implementations and write the report.

    Without a name, the default implementations run. `bnconform list implementations` names all;
    `torch@1.4.0` is one at another version, in an environment made for it. What was answered before
    and has not changed since is not asked again.
    """
    scenarios = selected(suites, pattern)
    outsiders = outside.implementations(adapters, python)
    chosen = [*named(implementations), *outsiders] or default()
    prepare(output)
    started = datetime.now(UTC)
    interrupted = False
    with opened_store() as (opened, complaint):
        demanded = bool(implementations or outsiders)
        session = Session(chosen, scenarios, demanded=demanded, store=opened, fresh=fresh)
        session.partial = len(scenarios) < len(SCENARIOS)
        if complaint:
            session.complain(complaint)
        with Display(session, quiet=as_json) as display:
            try:
                session.run(display.report)
            except KeyboardInterrupt:
                interrupted = True
    if interrupted and (output / "results.json").exists():
        output /= "interrupted"  # A report that is there is worth more than a part of a new one.
    with uninterrupted():
        results = document(session, started, complete=not interrupted)
        save(results, output)
    if as_json:
        click.echo(json.dumps(results, allow_nan=False, indent=1, ensure_ascii=False))
    else:
        display.matrix(results, output)
    if interrupted:
        click.echo("Interrupted; what was measured until then is in the report.", err=True)
        return INTERRUPTED
    return status(results, session)


@commands.command()
@click.argument("implementation", metavar="IMPLEMENTATION|ADAPTER.py")
@click.option("--python", metavar="PATH", help="The Python, or environment, of an adapter.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def identify(implementation: str, python: str | None, as_json: bool) -> int:
    """Measure every convention of an implementation, and hold it against what is declared.

    Nothing declared takes part in the measurement; an adapter's file, which need declare nothing,
    will do.
    """
    if outside.is_file_name(implementation) or python is not None:
        asked = outside.implementation(implementation, python)
    else:
        asked = named([implementation])[0]
    session = Session([asked], SCENARIOS, demanded=True)
    with Display(session, quiet=as_json) as display:
        session.run(display.report)
    if reason := session.unavailable.get(asked.name):
        raise Complaint(reason)
    answered = [cell for cell in session.cells.values() if cell.traces]
    if not answered:
        first = next(iter(session.cells.values()))
        message = f"{asked.name} answered nothing, so nothing is known of it. {first.reason}"
        raise Complaint(message)
    if reason := session.unidentified.get(asked.name):
        raise Complaint(reason)
    found = identified(session.findings[asked.name])
    if as_json:
        header = session.headers[asked.name]
        versions = {"versions": header["versions"], "python": header["python"]}
        click.echo(json.dumps({**versions, **found}, allow_nan=False, indent=1, ensure_ascii=False))
    else:
        display.conventions(found)
    return UNEXPECTED if any(surprises({"identified": [found]}).values()) else AS_EXPECTED


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the report be finished once it is begun; it takes seconds."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def status(results: dict[str, Any], session: Session) -> int:
    """Return the exit status of a finished run; one that measured nothing is never good."""
    if session.demanded and session.unavailable:
        return MISUSE
    for name in session.unjudged:
        click.echo(f"Nothing {name} answered could be judged, so nothing is known of it.", err=True)
    for name, reason in session.unidentified.items():
        click.echo(f"The conventions of {name} could not be measured. {reason}", err=True)
    learned = session.measured and not session.unjudged and not session.unidentified
    surprising = unexpected(results) or any(surprises(results).values())
    return UNEXPECTED if surprising or not learned else AS_EXPECTED


def prepare(output: Path) -> None:
    """Make the output folder before anything is measured. Raises Complaint where it cannot be."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        problem = f"The folder {output} cannot be made or written to: {error.strerror}."
        message = f"{problem} Choose another --output."
        raise Complaint(message) from error


def save(results: dict[str, Any], output: Path) -> None:
    """Write the results and the page. Raises Complaint where they cannot be written."""
    try:
        write_results(results, output / "results.json")
        write_page(results, output / "index.html")
    except ReportError as error:
        raise Complaint(str(error)) from error


commands.add_command(check)
commands.add_command(diff)
commands.add_command(environments)
commands.add_command(history)
commands.add_command(matrix)
commands.add_command(reproduce)
commands.add_command(smoke)
commands.add_command(store)


@commands.command("list")
@click.argument("kind", metavar="scenarios|implementations|conventions")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(kind: str, as_json: bool) -> int:
    """List what there is."""
    entries = listing.KINDS[known(kind, listing.KINDS, "list")]()
    click.echo(listing.as_json(entries) if as_json else listing.as_text(entries))
    return AS_EXPECTED


@commands.command()
@click.argument("name")
def explain(name: str) -> int:
    """Explain a scenario, an implementation, a convention or a clause of the specification."""
    click.echo(listing.explained(name))
    return AS_EXPECTED


def spell_what_cannot_be_printed() -> None:
    """Let a terminal that lacks a character show a stand-in instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; every misuse ends as one sentence and status 2."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spell_what_cannot_be_printed()
    try:
        result = commands.main(arguments, prog_name="bnconform", standalone_mode=False)
    except Complaint as complaint:
        click.echo(f"bnconform: {complaint}", err=True)
        sys.exit(MISUSE)
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        click.echo(help_wanted.format_message())
        sys.exit(MISUSE)
    except click.ClickException as misuse:
        click.echo(f"bnconform: {misuse.format_message().rstrip('.')}.", err=True)
        sys.exit(MISUSE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("bnconform: interrupted before anything was measured.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(AS_EXPECTED)
    except OSError as error:
        click.echo(f"bnconform: what was asked for cannot be printed: {error.strerror}.", err=True)
        sys.exit(MISUSE)
    except Exception as error:
        if os.environ.get(SHOW_TRACEBACK):
            raise
        said = f"{type(error).__name__}: {error}"
        click.echo(f"bnconform: this is a bug in bnconform: {said}. {HOW_TO_REPORT}", err=True)
        sys.exit(MISUSE)
    sys.exit(result if isinstance(result, int) else AS_EXPECTED)
