"""What came of a matrix: as JSON, as a table of implementations and versions, and as a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from harness.matrix import Matrix
from harness.matrix_work import MEASURED, Outcome
from harness.summaries import otherwise
from harness.terminal import COLOURS, escape
from reports.page_words import few, value_words
from reports.verdicts import VERDICTS

Json = dict[str, Any]
AS_EXPECTED, UNEXPECTED, COULD_NOT = 0, 1, 2
NOT_REACHED = "not reached"
MOST_LINES = 20


def document(matrix: Matrix, *, interrupted: bool) -> Json:
    """Return what came of a matrix, its runs in their order."""
    runs = [run(matrix.outcomes.get(each.name, Outcome(each, NOT_REACHED))) for each in matrix.plan]
    return {
        "scenarios": len(matrix.scenarios),
        "interrupted": interrupted,
        "runs": runs,
        "status": status(runs),
    }


def run(outcome: Outcome) -> Json:
    """Return what came of one run."""
    summary, asked = outcome.summary, outcome.implementation
    return {
        "name": asked.name,
        "implementation": asked.entry,
        "asked": dict(asked.asked or asked.versions),
        "versions": dict(outcome.versions),
        "state": outcome.state,
        "reason": outcome.reason,
        "as_expected": outcome.as_expected,
        "recalled": outcome.recalled,
        "seconds": round(outcome.seconds, 1),
        "caveats": list(outcome.caveats),
        "complaints": list(outcome.complaints),
        "judged": summary.get("judged", 0),
        "verdicts": summary.get("verdicts", {}),
        "unexpected": summary.get("unexpected", []),
        "known": summary.get("known", []),
        "conventions": otherwise(summary) if summary else [],
        "unnamed": summary.get("unnamed", []),
    }


def status(runs: Sequence[Json]) -> int:
    """Return the exit status: 1 for a surprise, else 2 for what could not be run, else 0."""
    if any(each["state"] == MEASURED and not each["as_expected"] for each in runs):
        return UNEXPECTED
    return AS_EXPECTED if all(each["state"] == MEASURED for each in runs) else COULD_NOT


def table(result: Json) -> Table:
    """Return a row for each implementation at its versions."""
    found = Table(title="BatchNorm conformance by version", title_justify="left")
    for heading in ("implementation", "version", "verdicts", "unexpected", "notes"):
        found.add_column(heading, justify="right" if heading == "unexpected" else "left")
    before = None
    for each in result["runs"]:
        name = "" if each["implementation"] == before else each["implementation"]
        before = each["implementation"]
        cells = (verdicts(each["verdicts"]), surprises(each), notes(each))
        found.add_row(name, versions(each["versions"] or each["asked"]), *cells)
    return found


def versions(found: Mapping[str, str]) -> str:
    """Return versions, the principal one without its package."""
    told = [f"{package} {version}" for package, version in found.items()]
    return "\n".join([told[0].partition(" ")[2], *told[1:]] if told else [])


def verdicts(counted: Mapping[str, int]) -> str:
    """Return how often each verdict was given, most frequent first."""
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return "\n".join(
        f"[{COLOURS[VERDICTS[verdict].tone]}]{VERDICTS[verdict].symbol} {count} {verdict}[/]"
        for verdict, count in ordered
    )


def surprises(each: Json) -> str:
    """Return how much of a run nobody expected."""
    if each["state"] != MEASURED:
        return ""
    count = len(each["unexpected"]) + len(each["conventions"]) + len(each["unnamed"])
    return f"[red]{count}[/]" if count else "0"


def notes(each: Json) -> str:
    """Return what else is to be said of a run."""
    said = [f"[red]{each['state']}[/]"] if each["state"] != MEASURED else []
    said += [escape(each["reason"])] if each["reason"] else []
    said += [f"{len(each['known'])} known"] if each["known"] else []
    said += [escape(text) for text in (*each["caveats"], *each["complaints"])]
    return "\n".join(said)


def lines(result: Json) -> list[str]:
    """Return every surprise in words, the first of them only where they are many."""
    found = [line for each in result["runs"] for line in lines_of(each)]
    more = len(found) - MOST_LINES
    return found[:MOST_LINES] + ([f"… and {more} more; --json has all."] if more > 0 else [])


def lines_of(each: Json) -> list[str]:
    """Return the surprises of one run in words."""
    name = f"[bold]{escape(each['name'])}"
    found = [
        f"{name} · {cell['scenario']}: {cell['verdict']}.[/] {escape(cell['reason'])}"
        for cell in each["unexpected"]
    ]
    for finding in each["conventions"]:
        measured = " or ".join(map(value_words, finding["values"]))
        said = f"declared {value_words(finding['declared'])}, measured {measured}"
        by = few(finding["decided_by"])
        found.append(f"{name} · {finding['axis']}:[/] {escape(f'{said}, by {by}.')}")
    found += [
        f"{name} · {unnamed['scenario']}:[/] {escape(unnamed['sentence'])}"
        for unnamed in each["unnamed"]
    ]
    if each["state"] == MEASURED and not each["judged"]:
        found.append(f"{name}:[/] nothing it answered could be judged, so nothing is known of it.")
    return found


def closing(result: Json) -> str:
    """Return how many runs there are and what became of them, in a sentence."""
    runs = result["runs"]
    measured = [each for each in runs if each["state"] == MEASURED]
    good = sum(each["as_expected"] for each in measured)
    text = f"{len(measured)} of {len(runs)} runs measured, {good} of them as expected"
    unchanged = sum(each["recalled"] for each in measured)
    return f"{text}; {unchanged} had not changed." if unchanged else f"{text}."
