"""The commands `check` and `diff`: what changed in meaning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.changes import changes
from harness.check import CHANGED, SAME, Check, compared_with, release_asked, resting_on
from harness.check_document import document
from harness.checked_before import outcome_key, recall, remember
from harness.complaint import Complaint
from harness.evaluation import of_run
from harness.implementations import known, registered
from harness.memory import opened_store
from harness.store import Run, Store
from harness.terminal import Display
from reports.changes import as_lines, as_markdown, write_html
from reports.results import ReportError
from suites.catalogue import SCENARIOS

FORMS = (
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    click.option("--markdown", "as_text", is_flag=True, help="Print Markdown."),
    click.option(
        "--html",
        "page",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write a page to this file too.",
    ),
)


def in_all_forms(command: Any) -> Any:
    """Add the options that say how to show what changed."""
    for option in reversed(FORMS):
        command = option(command)
    return command


@click.command()
@click.argument("release", metavar="PACKAGE==VERSION")
@click.argument("implementations", nargs=-1, metavar="[IMPLEMENTATION]...")
@click.option("--against", metavar="PACKAGE==VERSION", help="Compare with this release.")
@click.option("--fresh", is_flag=True, help="Ask everything anew, whatever is stored.")
@in_all_forms
def check(
    release: str,
    implementations: Sequence[str],
    *,
    against: str | None,
    fresh: bool,
    as_json: bool,
    as_text: bool,
    page: Path | None,
) -> int:
    """Measure what a release changed in the meaning of BatchNorm.

    Every implementation that rests on the package, or those named, is asked at that release in an
    environment of its own, and compared with the version in use, else with the newest stored.
    Without a version the newest release is checked.

    Exit status: 0 the same meaning, 1 the meaning changed or a verdict is unexpected, 2 it could
    not be checked.
    """
    asked = release_asked(release)
    base = None if against is None else release_asked(against)
    if base is not None and base.package != asked.package:
        raise Complaint(f"{asked} cannot be compared with {base}, which is another package.")
    with opened_store() as (store, complaint):
        pairs = [
            (each, compared_with(each, asked, base, store))
            for each in resting_on(asked, implementations)
        ]
        asking = Check(asked, SCENARIOS, pairs)
        about = f"{asked} against {base}" if base else str(asked)
        quiet = as_json or as_text
        status, result = outcome(asking, about, store, fresh=fresh, quiet=quiet)
    if complaint:
        click.echo(f"bnconform: {complaint}", err=True)
    show(result, as_json=as_json, as_text=as_text, page=page)
    return status


def outcome(
    asking: Check, about: str, store: Store | None, *, fresh: bool, quiet: bool
) -> tuple[int, dict[str, Any]]:
    """Return the exit status of a check and its document; from before, where nothing changed."""
    key = None if store is None or fresh else outcome_key(asking, store)
    if key is not None and (before := recall(key)) is not None:
        return before["status"], before["document"]
    session = asking.session(store, fresh=fresh)
    with Display(session, quiet=quiet) as display:
        asking.run(session, store, display.report)
    for sentence in session.complaints:
        click.echo(f"bnconform: {sentence}", err=True)
    result = document(
        about, asking.found.items(), asking.alone, asking.not_checked, asking.times.seconds
    )
    if store is not None and (key or (key := outcome_key(asking, store))):
        remember(key, asking.status, result)
    return asking.status, result


@click.command()
@click.argument("before", metavar="IMPLEMENTATION@VERSION")
@click.argument("after", metavar="IMPLEMENTATION@VERSION")
@in_all_forms
def diff(before: str, after: str, *, as_json: bool, as_text: bool, page: Path | None) -> int:
    """Compare two stored runs, of one implementation or of two, and ask nobody.

    Write `torch@1.4.0`, or `torch` for its newest stored run.
    """
    with Store() as store:
        old, new = (of_run(store, stored(store, text), SCENARIOS) for text in (before, after))
    found = changes(old, new)
    result = document(f"{before} → {after}", [(new.implementation.entry, found)], {}, {}, {})
    show(result, as_json=as_json, as_text=as_text, page=page)
    return SAME if found.same_meaning else CHANGED


def stored(store: Store, text: str) -> Run:
    """Return the newest stored run of ``torch@1.4.0``. Raises Complaint where there is none."""
    name, _, version = text.partition("@")
    implementation = registered()[known(name, registered(), "implementation")]
    versions: dict[str, str] = {}
    for each in filter(None, version.split(",")):
        package, pinned, exact = each.rpartition("==")
        versions[package if pinned else implementation.principal] = exact
    runs = [run for run in store.latest() if run.implementation == implementation.entry]
    for run in runs:
        if all(same(run.versions.get(package), at) for package, at in versions.items()):
            return run
    principal = implementation.principal
    there = ", ".join(dict.fromkeys(run.versions.get(principal, "?") for run in runs))
    have = f"Stored are {there}" if there else "No version of it is stored"
    message = f"Of {text} no finished run is stored. {have}; 'bnconform run {text}' makes one."
    raise Complaint(message)


def same(stored_version: str | None, asked: str) -> bool:
    """Tell whether a stored version is the one asked for, whatever a builder added to it."""
    return (
        stored_version is not None and stored_version.partition("+")[0] == asked.partition("+")[0]
    )


def show(result: dict[str, Any], *, as_json: bool, as_text: bool, page: Path | None) -> None:
    """Print what changed in the form asked for, and write the page if one is."""
    if page is not None:
        try:
            write_html(result, page)
        except ReportError as error:
            raise Complaint(str(error)) from error
    if as_json:
        click.echo(json.dumps(result, allow_nan=False, indent=1, ensure_ascii=False))
    elif as_text:
        click.echo(as_markdown(result), nl=False)
    else:
        click.echo("\n".join(as_lines(result)))
