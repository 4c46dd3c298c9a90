"""The page: one self-contained HTML file made from the results file and nothing else.

What can be read at once (matrix, agreement, conventions, versions) is written here as plain HTML;
the scripts filter it and add scenario details and pairs, from the results embedded in the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.page_conventions import MARKS, WORDS, convention_groups, standings
from reports.page_surprises import counted, surprises, unnamed_behaviours
from reports.page_words import address_words, few, headline_versions, quoted, value_words
from reports.results import PAPER, write_text_whole
from reports.verdicts import VERDICTS

__all__ = ["environment", "page_style", "render_page", "write_page"]

HERE = Path(__file__).parent
SCRIPTS = (
    "page_elements.js",
    "page_address.js",
    "page_filters.js",
    "page_steps.js",
    "page_scenario.js",
    "page_pairs.js",
    "page.js",
)
Json = dict[str, Any]


def write_page(results: Json, path: str | Path) -> None:
    """Write the page for checked `results`; raises ReportError where it cannot be written."""
    write_text_whole(render_page(results), Path(path))


def render_page(results: Json) -> str:
    """Return the HTML of the page for results that `reports.results.validate` accepts."""
    style, style_hash = page_style()
    conventions = convention_groups(results)
    script = "(() => {\n'use strict';\n" + "\n".join(map(_asset, SCRIPTS)) + "\n})();\n"
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            results=results,
            style=style,
            style_hash=style_hash,
            script=script,
            script_hash=_content_hash(script),
            verdicts=VERDICTS,
            appearances={name: asdict(shown) for name, shown in VERDICTS.items()},
            counts=_verdict_counts(results["cells"]),
            known=sum(bool(cell["known"]) and cell["expected"] for cell in results["cells"]),
            unexpected=counted(results),
            surprises=surprises(results),
            unnamed=unnamed_behaviours(results),
            suites=_suites(results),
            agreement=_agreement(results),
            conventions=conventions,
            standings=standings(conventions),
            marks=MARKS,
            mark_words=WORDS,
        )
    )


def environment() -> Environment:
    """Return what templates are rendered with."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "separators": (",", ":"),
    }
    made.filters.update(
        address_words=address_words,
        few=few,
        headline_versions=headline_versions,
        quoted=quoted,
        value_words=value_words,
    )
    made.tests["address"] = lambda text: str(text).startswith(("https://", "http://"))
    return made


def page_style() -> tuple[str, str]:
    """Return the style of every page, and the hash by which a policy allows it."""
    style = _asset("page.css")
    return style, _content_hash(style)


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _content_hash(text: str) -> str:
    """Return the hash by which a content security policy allows exactly this inline text."""
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _verdict_counts(cells: list[Json]) -> dict[str, int]:
    """Return how many cells got each verdict that occurs, in the order of the verdicts."""
    count = Counter(cell["verdict"] for cell in cells)
    return {verdict: count[verdict] for verdict in VERDICTS if count[verdict]}


def _suites(results: Json) -> list[Json]:
    """Return the matrix: suites in order of first appearance, each with its scenarios' cells."""
    cells = {(cell["scenario"], cell["implementation"]): cell for cell in results["cells"]}
    names = [implementation["name"] for implementation in results["implementations"]]
    suites: dict[str, list[Json]] = {}
    for scenario in results["scenarios"]:
        row = {
            "scenario": scenario,
            "cells": {name: cells.get((scenario["name"], name)) for name in names},
        }
        suites.setdefault(scenario["suite"], []).append(row)
    return [_suite(name, rows, names) for name, rows in suites.items()]


def _suite(suite: str, rows: list[Json], names: list[str]) -> Json:
    present = {name: [row["cells"][name] for row in rows if row["cells"][name]] for name in names}
    counts = {name: _verdict_counts(cells) for name, cells in present.items()}
    return {"name": suite, "rows": rows, "counts": counts}


DISAGREE = "Implementations disagree"
PAPER_DIFFERS = "Implementations agree, the paper differs"
ALONE = "Only one could be compared"
AGREE = "All behave alike"
STANDINGS = (DISAGREE, PAPER_DIFFERS, AGREE, ALONE)
"""How the groups of a scenario can stand to each other, in the order in which they are shown."""


def _agreement(results: Json) -> list[tuple[str, list[Json]]]:
    """Return the scenarios' groups by how they stand to each other, disagreements first."""
    suite_of = {scenario["name"]: scenario["suite"] for scenario in results["scenarios"]}
    rows = [{**entry, "suite": suite_of[entry["scenario"]]} for entry in results["agreement"]]
    rows.sort(key=_standing_rank)
    return [(STANDINGS[rank], list(some)) for rank, some in groupby(rows, _standing_rank)]


def _standing_rank(entry: Json) -> int:
    return STANDINGS.index(_standing(entry["groups"]))


def _standing(groups: list[list[str]]) -> str:
    inhabited = [group for group in groups if set(group) != {PAPER}]
    if len(inhabited) > 1:
        return DISAGREE
    if sum(map(len, inhabited)) < 2 and len(groups) < 2:
        return ALONE
    return AGREE if len(groups) == 1 else PAPER_DIFFERS
