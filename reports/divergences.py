"""The page docs/divergences.md: what was reported in public, and what the suite measured of it.

``python -m reports.divergences docs/divergences.md`` writes it from reports/divergences.toml, which
says what to look for, and reports/compatibility.json, which says what was found at which versions.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reports.compatibility import COMMITTED, read_compatibility
from reports.page_words import circumstances, few, quoted
from reports.results import ReportError, write_text_whole

REPORTED = Path(__file__).with_name("divergences.toml")
HEADING = """\
# Known divergences, as measured

<!-- Written by `python -m reports.divergences`. -->

Each of these was reported in public. No scenario was made to fit one: each asks a general question
of every implementation, and what it answers at which version is read from `compatibility.json`.
"""
UNREACHED = "nothing: it cannot be said there"
Json = dict[str, Any]


def reported(path: Path = REPORTED) -> list[Json]:
    """Return the divergences to look for. Raises ReportError where the file cannot be read."""
    try:
        return list(tomllib.loads(path.read_text("utf-8"))["divergence"])
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise ReportError(f"{path} is not a list of divergences: {error}.") from error


def findings(seen: Json, document: Json) -> list[Json]:
    """Return what was found of one subject of one implementation, in order of versions.

    The subject is a convention, with its measured values, or a scenario, with its verdicts where
    these are not simply that it conforms.
    """
    if "scenario" in seen:
        return verdicts(seen, document)
    found = document["conventions"].get(seen["axis"], {}).get(seen["implementation"], {})
    if seen["value"] != UNREACHED:
        return list(found.get("measured", ()))
    return [
        {**each, "value": UNREACHED, "when": [], "decided_by": []}
        | {"first": each["runs"][0], "last": each["runs"][-1]}
        for each in found.get("open", ())
        if each["why"] == "not reached"
    ]


def verdicts(seen: Json, document: Json) -> list[Json]:
    """Return the verdicts on one scenario that are known issues, with the runs that have them."""
    runs: dict[str, list[str]] = {}
    for run in document["implementations"].get(seen["implementation"], {}).get("runs", ()):
        for each in run["known"]:
            if each["scenario"] == seen["scenario"]:
                runs.setdefault(each["verdict"], []).append(run["label"])
    return [
        {"value": verdict, "when": [], "first": labels[0], "last": labels[-1], "runs": labels}
        | {"decided_by": [seen["scenario"]]}
        for verdict, labels in runs.items()
    ]


def unconfirmed(divergence: Json, document: Json) -> Iterator[str]:
    """Yield what a divergence says was seen and no measurement confirms, as sentences."""
    for seen in divergence["seen"]:
        runs = {
            label
            for each in findings(seen, document)
            if each["value"] == seen["value"]
            for label in each["runs"]
        }
        for label in seen["versions"]:
            if label not in runs:
                yield (
                    f"{divergence['title']}: {subject(seen)} of {seen['implementation']} {label} "
                    f"was not measured to be {seen['value']!r}."
                )


def page(divergences: Sequence[Json], document: Json) -> str:
    """Return the page as Markdown."""
    parts = [HEADING]
    for each in divergences:
        links = " ".join(f"[{number}]({link})" for number, link in enumerate(each["links"], 1))
        parts.append(f"## {each['title']}\n\nReported: {links}\n")
        parts.append(
            "| asked | of | versions run | measured | by scenarios |\n|---|---|---|---|---|"
        )
        rows = (row(seen, found) for seen in each["seen"] for found in findings(seen, document))
        parts += dict.fromkeys(rows)  # Several values seen of one convention have the same rows.
        parts.append("")
    return "\n".join(parts)


def subject(seen: Json) -> str:
    """Return what was asked about: a convention or a scenario."""
    return str(seen.get("axis") or seen["scenario"])


def row(seen: Json, found: Json) -> str:
    """Return one row of a table."""
    span = found["first"] if len(found["runs"]) == 1 else f"{found['first']} – {found['last']}"
    where = "; ".join(filter(None, (circumstances(when) for when in found["when"])))
    value = quoted(found["value"]) + (f" ({where})" if where else "")
    asked = f"| `{subject(seen)}` | {seen['implementation']} |"
    return f"{asked} {span} | {value} | {few(found['decided_by'])} |"


def main(arguments: Sequence[str]) -> int:
    """Write the page; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("Say where to write the page: python -m reports.divergences FILE\n")
        return 2
    try:
        document, divergences = read_compatibility(COMMITTED), reported()
        wrong = [text for each in divergences for text in unconfirmed(each, document)]
        sys.stderr.writelines(f"{text}\n" for text in wrong)
        if not wrong:
            write_text_whole(page(divergences, document), Path(arguments[0]))
    except ReportError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
