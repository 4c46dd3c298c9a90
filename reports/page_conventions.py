"""The page's section on conventions: what each implementation does, and how that is known.

What was measured comes first. What is declared stands in only where nothing was measured, and says
so; in results of an older kind, which hold no measured conventions, it is all there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from reports.page_words import circumstances
from reports.verdicts import Appearance

NOT_APPLICABLE = "not applicable"
MARKS = {
    "otherwise": Appearance(
        "≠", "bad", "Measured, and not what is declared; the declared value stands below it."
    ),
    "undeclared": Appearance("!", "doubt", "Measured, where nothing is declared."),
    "as declared": Appearance(
        "✓",
        "good",
        "Measured: of all values on record only the declared one explains what was seen.",
    ),
    "not told apart": Appearance(
        "?", "none", "Several values explain what was seen; all of them are listed."
    ),
    "in doubt": Appearance(
        "~",
        "doubt",
        "What fits best; but only observations tell in which something has no name.",
    ),
    "declared, not measured": Appearance(
        "·", "none", "No scenario asks this implementation; what is shown is only declared."
    ),
    NOT_APPLICABLE: Appearance(
        "–", "none", "The question does not arise here; the reason is given."
    ),
    "not declared": Appearance("–", "none", "Neither measured nor declared."),
}
"""How each standing of an implementation on a convention is shown, what matters most first."""

WORDS = {"otherwise": "otherwise than declared", "undeclared": "measured, not declared"}
MEASURED = ("otherwise", "undeclared", "as declared")
Json = dict[str, Any]


def convention_groups(results: Json) -> list[Json]:
    """Return the conventions by group, each with what every implementation does about it."""
    groups: dict[str, list[Json]] = {}
    for axis in results["conventions"]:
        cells = {
            implementation["name"]: _cell(axis["id"], implementation, results)
            for implementation in results["implementations"]
        }
        row = {"axis": axis, "cells": cells}
        groups.setdefault(axis.get("group", "All conventions"), []).append(row)
    return [{"name": name, "rows": rows, "alarms": _alarms(rows)} for name, rows in groups.items()]


def standings(groups: Sequence[Json]) -> dict[str, dict[str, int]]:
    """Return, for each implementation, on how many conventions it has each standing."""
    counts: dict[str, Counter[str]] = {}
    for group in groups:
        for row in group["rows"]:
            for name, cell in row["cells"].items():
                counts.setdefault(name, Counter())[cell["standing"]] += 1
    return {
        name: {standing: count[standing] for standing in MARKS if count[standing]}
        for name, count in counts.items()
    }


def _alarms(rows: Sequence[Json]) -> dict[str, int]:
    """Return how often something in a group asks for attention."""
    found = Counter(cell["standing"] for row in rows for cell in row["cells"].values())
    return {
        standing: found[standing] for standing in ("otherwise", "undeclared") if found[standing]
    }


def _cell(axis: str, implementation: Json, results: Json) -> Json:
    """Return what one implementation does about one convention.

    `lines` are what is shown at once, `elsewhere` the contexts that add nothing to it.
    """
    declared = [each for each in implementation["conventions"] if each["axis"] == axis]
    found = _findings(axis, implementation["name"], results)
    lines = _telling(found) if found else [_declared_line(each, results) for each in declared]
    if not lines:
        lines = [_line("not declared")]
    order = list(MARKS)
    cell = {
        "standing": min((line["mark"] for line in lines), key=order.index),
        "lines": lines,
        "elsewhere": [line for line in found if line not in lines],
        "parted": len(lines) > 1,
        "cite": list(dict.fromkeys(link for each in declared for link in each["cite"])),
        "why": list(dict.fromkeys(each["why"] for each in declared if each["why"])),
        "assumed": any(each["assumed"] for each in declared),
    }
    return {**cell, "evidence": _evidence(cell)}


def _evidence(cell: Json) -> str:
    """Return what there is to look at behind an answer."""
    scenarios = {name for line in cell["lines"] for name in line["decided_by"]}
    sizes = (("scenario", len(scenarios)), ("source", len(cell["cite"])))
    counts = [f"{size} {word}{'' if size == 1 else 's'}" for word, size in sizes if size]
    explained = cell["why"] and cell["standing"] != NOT_APPLICABLE
    return ", ".join(counts) or ("more" if cell["elsewhere"] or explained else "")


def _findings(axis: str, implementation: str, results: Json) -> list[Json]:
    """Return what identification says, what reads the same in several contexts as one."""
    merged: list[Json] = []
    for found in results.get("identified", []):
        for each in found["conventions"]:
            if found["implementation"] == implementation and each["axis"] == axis:
                _merge(_measured_line(each), merged)
    return merged


def _merge(line: Json, lines: list[Json]) -> None:
    same = ("mark", "values", "declared", "expected")
    for other in lines:
        if all(line[key] == other[key] for key in same):
            for key in ("contexts", "decided_by", "contradicted_by"):
                other[key] += [name for name in line[key] if name not in other[key]]
            return
    lines.append(line)


def _telling(found: Sequence[Json]) -> list[Json]:
    """Return what is measured, and what is declared elsewhere if that is something else.

    Where nothing is measured: what could not be told apart; failing that what is declared.
    """
    for marks in (MEASURED, ("not told apart",), tuple(MARKS)):
        lines = [line for line in found if line["mark"] in marks]
        if lines:
            break
    values = {line["declared"] for line in lines}.union(*(line["values"] for line in lines))
    others = [line for line in found if line["mark"] not in marks]
    return lines + [line for line in others if line["declared"] not in values]


def _measured_line(each: Json) -> Json:
    declared, values, mark = each["declared"], list(each["measured"]), each["status"]
    if mark != "otherwise" and declared == NOT_APPLICABLE:
        mark, values = NOT_APPLICABLE, []
    elif mark == "not reached":
        mark = "not declared" if declared is None else "declared, not measured"
        values = [] if declared is None else [declared]
    return _line(
        mark,
        values=values,
        declared=declared,
        contexts=list(each["contexts"]),
        decided_by=list(each["decided_by"]),
        contradicted_by=list(each["contradicted_by"]),
        expected=each["expected"],
    )


def _declared_line(each: Json, results: Json) -> Json:
    """Return a declaration where nothing was identified, or nothing is identified at all."""
    value = each["value"]
    if value == NOT_APPLICABLE:
        return _line(NOT_APPLICABLE, declared=value)
    contexts = [circumstances(each["when"])] if each["when"] else []
    known = "identified" in results
    return _line(
        "declared, not measured", values=[value], declared=value, contexts=contexts, marked=known
    )


def _line(mark: str, **more: Any) -> Json:
    """Return one thing to say about an implementation, with its mark."""
    empty: Json = {"declared": None, "expected": True, "marked": True}
    lists: Json = {"values": [], "contexts": [], "decided_by": [], "contradicted_by": []}
    return {"mark": mark, "measured": mark in MEASURED, **empty, **lists, **more}
