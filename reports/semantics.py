"""The page docs/semantics.md: each convention, what it means for a user, and who does what.

Written from a results file and nothing else; what it says of an implementation was measured in that
run. Run as ``python -m reports.semantics RESULTS FOLDER``; it writes ``measured.json``, the part of
the results the page rests on, and ``semantics.md`` beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.page_conventions import MEASURED, NOT_APPLICABLE
from reports.page_words import (
    address_words,
    circumstances,
    few,
    headline_versions,
    value_words,
)
from reports.results import ReportError, read_results, write_text_whole

HERE = Path(__file__).parent
MOST_SCENARIOS = 2
Json = dict[str, Any]


def measured(results: Json) -> Json:
    """Return what the page rests on: the registry, and what was declared and measured of whom."""
    found = {each["implementation"]: each for each in results["identified"]}
    return {
        "groups": list(dict.fromkeys(axis["group"] for axis in results["conventions"])),
        "conventions": results["conventions"],
        "implementations": [
            {
                "name": each["name"],
                "title": each["title"],
                "versions": headline_versions(each["versions"]),
                "declared": declared(each),
                "measured": [
                    finding
                    for finding in found[each["name"]]["conventions"]
                    if finding["status"] != "not reached"
                ],
            }
            for each in results["implementations"]
            if each["name"] in found
        ],
    }


def declared(implementation: Json) -> Json:
    """Return by axis the addresses cited, and the reasons given."""
    found: Json = {}
    for each in implementation["conventions"]:
        entry = found.setdefault(each["axis"], {"cite": [], "why": []})
        entry["cite"] += [link for link in each["cite"] if link not in entry["cite"]]
        if each["why"]:
            when = f" ({circumstances(each['when'])})" if each["when"] else ""
            entry["why"].append(each["why"].removesuffix(".") + when + ".")
    return found


def page(data: Json) -> str:
    """Return the page as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown; the values are the project's own words
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        words=value_words, address=address_words, anchor=anchor, circumstances=circumstances
    )
    return environment.get_template("semantics.md.j2").render(
        data=data, rows={axis["id"]: rows_of(axis["id"], data) for axis in data["conventions"]}
    )


def rows_of(axis: str, data: Json) -> list[Json]:
    """Return one row for each implementation: what it does, how that is known, who says so."""
    return [row(axis, each) for each in data["implementations"]]


def row(axis: str, implementation: Json) -> Json:
    """Return what one implementation does on one axis."""
    said = implementation["declared"].get(axis, {"cite": [], "why": []})
    found = [each for each in implementation["measured"] if each["axis"] == axis]
    known = [each for each in found if each["status"] in MEASURED]
    doing = does(known, found, said)
    scenarios = list(dict.fromkeys(name for each in known for name in each["decided_by"]))
    return {
        "name": implementation["name"],
        "does": doing,
        "scenarios": scenarios[:MOST_SCENARIOS],
        "more": max(len(scenarios) - MOST_SCENARIOS, 0),
        "cite": said["cite"][:1],
        "notes": [why for why in said["why"] if why != doing] if found else [],
    }


def does(known: Sequence[Json], found: Sequence[Json], said: Json) -> str:
    """Return in words what was measured; where nothing was, why."""
    values = list(dict.fromkeys(options(each) for each in known))
    if len(values) == 1:
        return f"**{values[0]}**"
    if values:
        return "; ".join(f"**{options(each)}** ({few(each['contexts'], '; ')})" for each in known)
    if found:
        return unsettled(found, said)
    return said["why"][0] if said["why"] else "not asked"


def unsettled(found: Sequence[Json], said: Json) -> str:
    """Return in words what is left where several values are."""
    left = dict.fromkeys(value_words(value) for each in found for value in each["measured"])
    if any(each["status"] == "in doubt" for each in found):
        return f"in doubt: {', '.join(left)}"
    chosen = found[0]["declared"]
    if chosen == NOT_APPLICABLE and said["why"]:
        return str(said["why"][0])
    if chosen is None or value_words(chosen) not in left:
        return f"not told apart: {', '.join(left)}"
    others = [value for value in left if value != value_words(chosen)]
    return f"{value_words(chosen)} as declared; not excluded: {', '.join(others)}"


def options(finding: Json) -> str:
    """Return the values left of a finding."""
    return " or ".join(value_words(value) for value in finding["measured"])


def anchor(heading: str) -> str:
    """Return the address of a heading within a Markdown page, as GitHub makes it."""
    kept = (character for character in heading.lower() if character.isalnum() or character in " -_")
    return "".join(kept).replace(" ", "-")


def write(results: Json, folder: Path) -> None:
    """Write the page and what it rests on. Raises ReportError where they cannot be written."""
    data = measured(results)
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)
    write_text_whole(text + "\n", folder / "measured.json")
    write_text_whole(page(data), folder / "semantics.md")


def main(arguments: Sequence[str]) -> int:
    """Write the page for a results file; return the exit status."""
    if len(arguments) != len(("RESULTS", "FOLDER")):
        usage = "Say which results and which folder: python -m reports.semantics RESULTS FOLDER"
        sys.stderr.write(usage + "\n")
        return 2
    try:
        write(read_results(Path(arguments[0])), Path(arguments[1]))
    except ReportError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
