"""What came of a check before: nothing is judged twice that has not changed.

The outcome of a check is kept under the digest of this project's code and the keys of all the
answers it rests on. Where one answer is not stored, or would be another, there is no such outcome.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cache import cache_root, keep
from harness.check import Check
from harness.code_digest import code_digest
from harness.implementations import Implementation
from harness.install import Unavailable
from harness.placement import place_of
from harness.store import Run, Store
from harness.trace_key import TraceKeys

Json = dict[str, Any]


def outcome_key(check: Check, store: Store) -> str | None:
    """Return what stands for a check and everything it rests on.

    None where something would have to be asked first.
    """
    code = code_digest()  # read before anything is judged, lest it change meanwhile
    sides = list(dict.fromkeys(keys_of_sides(check, store)))
    if any(keys is None for _, keys in sides):
        return None
    text = json.dumps([code, str(check.release), sides])
    return hashlib.sha256(text.encode()).hexdigest()


def keys_of_sides(check: Check, store: Store) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield who is compared, each with the keys of its answers; None where one is not stored."""
    for pair in check.pairs:
        for side in pair:
            if isinstance(side, Implementation):
                yield side.name, keys_of(side, check, store)
            elif isinstance(side, Run):
                cells = store.cells(side.id)
                yield f"run {side.uid}", tuple(cell.key or cell.reason for cell in cells)
            else:
                yield "nothing", ()


def keys_of(implementation: Implementation, check: Check, store: Store) -> tuple[str, ...] | None:
    """Return the keys under which all answers of an implementation are stored, else None."""
    try:
        with check.times.spent("resolve"):
            place = place_of(implementation, not_there)
    except Unavailable:
        return None
    named = TraceKeys(place.command, place.environment, implementation.device)
    keys = [named.of(scenario) for scenario in check.scenarios]
    known = [key for key in keys if key is not None]
    return tuple(known) if len(known) == len(keys) and store.holds(known) else None


def not_there(announced: str) -> None:
    """Stop what would take long: whatever is announced would have to be made first."""
    raise Unavailable(announced)


def recall(key: str) -> Json | None:
    """Return the outcome kept under a key; None where there is none that can be read."""
    try:
        found = json.loads(file_of(key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"status", "document"} <= found.keys() else None


def remember(key: str, status: int, document: Json) -> None:
    """Keep the outcome of a check, whole or not at all."""
    keep({"status": status, "document": document}, file_of(key))


def file_of(key: str) -> Path:
    """Return the file of an outcome."""
    return cache_root() / "checks" / f"{key}.json"
