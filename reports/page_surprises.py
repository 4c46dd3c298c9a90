"""What nobody expected, in sentences: verdicts, conventions, and behaviours without a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from reports.page_words import few, value_words

SHOWN = 5
SILENT = ("unavailable", "did not run")
Json = dict[str, Any]


def surprises(results: Json) -> list[Json]:
    """Return what is unexpected by kind, kinds without any left out.

    Each kind has a title and entries; each entry an implementation, the scenario or the convention
    it is about, and a sentence. A kind ends with a note where something is counted only.
    """
    kinds = [
        _kind("Conventions measured otherwise than declared", _conventions(results)),
        _kind("Behaviours that no combination of conventions explains", _unnamed(results)),
        _kind("Verdicts", _verdicts(results), _unmeasured(results)),
    ]
    return [kind for kind in kinds if kind["entries"] or kind["note"]]


def counted(results: Json) -> str:
    """Return in words how much is unexpected; nothing where nothing is."""
    counts = {
        "verdict": sum(not cell["expected"] for cell in results["cells"]),
        "convention": len(_conventions(results)),
        "unnamed behaviour": len(_unnamed(results)),
    }
    words = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items() if n]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def unnamed_behaviours(results: Json) -> list[Json]:
    """Return every behaviour without a name, expected or not, with its sentence and closest fit."""
    return [
        {
            "implementation": found["implementation"],
            "scenario": each["scenario"],
            "expected": each["expected"],
            "sentence": each["sentence"],
            "context": each["context"],
            "closest": [
                {"axis": axis, "value": value_words(value)}
                for axis, value in each["closest"].items()
            ],
        }
        for found in results.get("identified", [])
        for each in found["unnamed"]
    ]


def _kind(title: str, entries: Sequence[Json], note: str = "") -> Json:
    """Return one kind; `first` entries are shown at once, the rest, if it is worth it, folded."""
    first = len(entries) if len(entries) <= SHOWN + 1 else SHOWN
    return {"title": title, "entries": entries, "first": first, "note": note}


def _conventions(results: Json) -> list[Json]:
    questions = {axis["id"]: axis.get("question", "") for axis in results["conventions"]}
    return [
        {
            "implementation": found["implementation"],
            "axis": each["axis"],
            "question": questions[each["axis"]],
            "sentence": f"{each['sentence']} ({few(each['contexts'], '; ')})",
            "scenarios": each["decided_by"],
        }
        for found in results.get("identified", [])
        for each in found["conventions"]
        if not each["expected"]
    ]


def _unnamed(results: Json) -> list[Json]:
    return [each for each in unnamed_behaviours(results) if not each["expected"]]


def _verdicts(results: Json) -> list[Json]:
    return [
        {
            "implementation": cell["implementation"],
            "scenario": cell["scenario"],
            "verdict": cell["verdict"],
            "sentence": " ".join(
                [cell["reason"], *(each["sentence"] for each in cell["explanations"])]
            ),
        }
        for cell in results["cells"]
        if not cell["expected"] and cell["verdict"] not in SILENT
    ]


def _unmeasured(results: Json) -> str:
    silent = Counter(
        cell["verdict"]
        for cell in results["cells"]
        if not cell["expected"] and cell["verdict"] in SILENT
    )
    words = [f"{count} {verdict}" for verdict, count in silent.items()]
    return f"Besides, {' and '.join(words)}: see the matrix." if words else ""
