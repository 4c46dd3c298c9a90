"""What came of a run in brief, as JSON: verdicts counted, conventions measured, and no traces.

A summary follows from the answers of a run and from the source that judges them, so it is kept
under a key that stands for both, and nothing is judged again while neither changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import cache
from harness.code_digest import code_digest
from harness.finding_words import unnamed_in_words
from harness.findings import Finding, Findings
from harness.implementations import Implementation
from harness.store import StoredCell
from harness.verdict import Cell

Json = dict[str, Any]
FORM = 1
"""Changed whenever summaries come to hold something else."""
DAYS_KEPT_UNUSED = 30.0
SECONDS_IN_A_DAY = 86400.0


def summary_of(cells: Iterable[Cell], found: Findings) -> Json:
    """Return what came of a run.

    ``asked`` counts its cells and ``judged`` those with a trace; ``verdicts`` counts them by
    verdict; ``unexpected`` and ``known`` are cells in brief; ``contexts`` are the contexts that
    ``conventions`` speaks of by their position; ``unnamed`` are the behaviours without a name.
    """
    cells = list(cells)
    contexts: dict[str, Mapping[str, Any]] = {}
    for finding in found.axes:
        contexts.update({json.dumps(each): each for each in map(dict, finding.contexts)})
    surprising, places = found.surprises, list(contexts)
    told = {
        "form": FORM,
        "asked": len(cells),
        "judged": sum(cell.judgement is not None for cell in cells),
        "verdicts": dict(sorted(Counter(cell.verdict for cell in cells).items())),
        "unexpected": [in_brief(cell) for cell in cells if not cell.expected],
        "known": [known_in_brief(cell) for cell in cells if is_known(cell)],
        "contexts": list(contexts.values()),
        "conventions": [
            convention(each, places, expected=each not in surprising) for each in found.axes
        ],
        "unnamed": [
            {"scenario": each.question.scenario.name, "sentence": unnamed_in_words(each)}
            for _, each in found.mysteries
        ],
    }
    return dict(json.loads(json.dumps(told)))  # The same as when it is read again.


def in_brief(cell: Cell) -> Json:
    """Return a cell without what led to it."""
    return {"scenario": cell.scenario.name, "verdict": cell.verdict, "reason": cell.reason}


def is_known(cell: Cell) -> bool:
    """Tell whether a cell is a known issue that holds."""
    return cell.expected and cell.scenario.name in cell.expectations.issues


def known_in_brief(cell: Cell) -> Json:
    """Return a known issue."""
    issue = cell.expectations.issues[cell.scenario.name]
    return {"scenario": issue.scenario, "verdict": cell.verdict, "link": issue.link}


def convention(found: Finding, contexts: Sequence[str], *, expected: bool) -> Json:
    """Return one finding."""
    return {
        "axis": found.axis,
        "status": found.status,
        "expected": expected,
        "declared": found.declared,
        "values": list(found.values),
        "contexts": [contexts.index(json.dumps(dict(each))) for each in found.contexts],
        "decided_by": list(found.decided_by),
    }


def as_expected(summary: Json) -> bool:
    """Tell whether nothing in a run surprises, and something was judged."""
    surprising = summary["unexpected"] or summary["unnamed"] or otherwise(summary)
    return bool(summary["judged"]) and not surprising


def otherwise(summary: Json) -> list[Json]:
    """Return the conventions that were measured otherwise than declared."""
    return [each for each in summary["conventions"] if not each["expected"]]


def key_of(implementation: Implementation, cells: Iterable[StoredCell]) -> str:
    """Return what decides the summary of an implementation's stored cells."""
    about = implementation.declared.entries, implementation.execution, implementation.device
    named = sorted((name, str(version)) for name, version in implementation.versions.items())
    noted = sorted((cell.scenario, cell.key, cell.verdict, cell.reason) for cell in cells)
    parts = [FORM, code_digest(), implementation.entry, repr(about), named, noted]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def recalled(key: str) -> Json | None:
    """Return the summary kept under a key; None where there is none that can be read."""
    file = file_of(key)
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        os.utime(file)
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and kept.get("form") == FORM else None


def keep(key: str, summary: Json) -> None:
    """Keep a summary, whole or not at all; one that cannot be kept is worked out again."""
    file = file_of(key)
    with suppress(OSError):
        remove_unused(file.parent)
    cache.keep(summary, file)


def remove_unused(folder: Path) -> None:
    """Remove what nobody has used for long, such as summaries by source that has changed since."""
    oldest = time.time() - DAYS_KEPT_UNUSED * SECONDS_IN_A_DAY
    for file in folder.iterdir():
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()


def file_of(key: str) -> Path:
    """Return where the summary of a key is kept."""
    return cache.cache_root() / "summaries" / f"{key}.json"
