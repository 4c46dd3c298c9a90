"""The results file: everything one run found, in one JSON document of a versioned form.

The page, comparisons and summaries are made from this file alone. Its form is
``results.schema.json``; here it is checked, written and read.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.schemas import first_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SCHEMA_VERSION", "ReportError", "read_results", "validate", "write_results"]

SCHEMA_VERSION = 1
PAPER = "paper"
"""The oracle under the original paper's conventions; it takes part in agreement and pairs."""

SHOWN_OF_MESSAGE = 150
Place = tuple[str | int, ...]


class ReportError(Exception):
    """A report could not be written or read; the message is one sentence for the user."""


def validate(results: dict[str, Any]) -> None:
    """Check that `results` has the form of the schema and refers only to what it contains.

    Raises ValueError with one sentence that names the first wrong place.
    """
    if problem := next(_problems(results), None):
        place, message = problem
        sentence = f"The results are wrong at {_spelled(place)}: {message}."
        raise ValueError(sentence)


def write_results(results: dict[str, Any], path: str | Path) -> None:
    """Check `results` and write them to `path`, which is replaced as a whole or left untouched.

    Raises ValueError where the results are wrong, ReportError where the file cannot be written.
    """
    validate(results)
    write_text_whole(as_text(results), Path(path))


def as_text(results: dict[str, Any]) -> str:
    """Return results as strict JSON, a line for each entry of each list at the top."""
    parts = [f"{_json(key)}: {_lines(value)}" for key, value in results.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: object) -> str:
    if not value or not isinstance(value, list):
        return _json(value)
    return "[\n" + ",\n".join(map(_json, value)) + "\n]"


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def read_results(path: str | Path) -> dict[str, Any]:
    """Return the checked contents of a results file, or raise ReportError saying what is wrong."""
    text = _read_text(Path(path))
    try:
        results = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        message = f"{path} is not JSON ({error}). Was the run that wrote it cut off?"
        raise ReportError(message) from error
    _check_version(results, path)
    try:
        validate(results)
    except ValueError as error:
        message = f"{path} is not a results file of bnconform. {error}"
        raise ReportError(message) from error
    return dict(results)


def write_text_whole(text: str, path: Path) -> None:
    """Write `text` beside `path`, then put it in place at once; raises ReportError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_to_disk(text, beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        message = f"Could not write {path}: {error.strerror or error}. What was there is unchanged."
        raise ReportError(message) from error


def _write_to_disk(text: str, path: Path) -> None:
    # What a framework said may hold characters that UTF-8 cannot; they are spelt out.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"There is no results file at {path}. `bnconform run` writes one."
        raise ReportError(message) from error
    except OSError as error:
        message = f"Could not read {path}: {error.strerror or error}."
        raise ReportError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path} is not a results file: it is not UTF-8 text."
        raise ReportError(message) from error


def _refuse_constant(name: str) -> None:
    message = f"{name} is not strict JSON; results write it as a string"
    raise ValueError(message)


def _check_version(results: object, path: str | Path) -> None:
    version = results.get("schema") if isinstance(results, dict) else None
    if version is None or version == SCHEMA_VERSION:
        return
    message = (
        f"{path} has results schema version {version!r}; this bnconform reads version "
        f"{SCHEMA_VERSION}. Use the bnconform that wrote it, or run again."
    )
    raise ReportError(message)


def _problems(results: object) -> Iterator[tuple[Place, str]]:
    """Yield the places that are wrong, the plainest mistakes first."""
    if problem := first_problem(results, "results.schema.json"):
        place, message = problem
        yield place, _shortened(message)
        return
    assert isinstance(results, dict)
    try:
        _json(results)
    except ValueError:
        yield from _not_finite((), results)
    yield from _repeated(results)
    yield from _dangling(results)


def _not_finite(place: Place, value: object) -> Iterator[tuple[Place, str]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield place, f"{value} is not strict JSON; write it as a string"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite((*place, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_finite((*place, index), item)


def _repeated(results: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield what is there twice although it names something."""
    named = {
        "implementations": ("name",),
        "conventions": ("id",),
        "scenarios": ("name",),
        "cells": ("implementation", "scenario"),
        "agreement": ("scenario",),
        "pairs": ("from", "to"),
        "identified": ("implementation",),
    }
    for part, keys in named.items():
        seen = set()
        for index, entry in enumerate(results.get(part, ())):
            name = tuple(entry[key] for key in keys)
            if name in seen:
                yield (part, index), f"{' and '.join(map(repr, name))} occurs twice"
            seen.add(name)


def _dangling(results: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the names that refer to no implementation, scenario or convention of these results."""
    known = {
        "implementation": {entry["name"] for entry in results["implementations"]},
        "scenario": {entry["name"] for entry in results["scenarios"]},
        "convention": {entry["id"] for entry in results["conventions"]},
    }
    for place, kind, name in _references(results):
        if name not in known[kind] and not (kind == "implementation" and name == PAPER):
            yield place, f"there is no {kind} called {name!r} in these results"


def _references(results: dict[str, Any]) -> Iterator[tuple[Place, str, str]]:
    for part in ("implementations", "scenarios", "cells", "agreement", "pairs", "identified"):
        for index, entry in enumerate(results.get(part, ())):  # older results identify nothing
            yield from _names_in((part, index), entry)


NAMES = {
    "implementation": "implementation",
    "scenario": "scenario",
    "axis": "convention",
    "axes": "convention",
    "settles": "convention",
    "groups": "implementation",
    "odd_one_out": "implementation",
    "left": "implementation",
    "right": "implementation",
    "from": "implementation",
    "to": "implementation",
    "same": "scenario",
    "decided_by": "scenario",
    "contradicted_by": "scenario",
}
"""What kind of thing is named under each key of the results."""

KEYS_NAME = {"closest": "convention"}
"""What kind of thing the keys of an object name, by the key it is found under."""


def _names_in(place: Place, value: object, kind: str | None = None) -> Iterator[Any]:
    if isinstance(value, str) and kind:
        yield place, kind, value
    for key, item in _entries(value):
        if key == "steps":  # the bulk of the results; they name nothing
            continue
        named = kind if isinstance(key, int) else NAMES.get(key)
        yield from _names_in((*place, key), item, named)
        if key in KEYS_NAME:
            yield from (((*place, key), KEYS_NAME[key], name) for name in item)


def _entries(value: object) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _spelled(place: Place) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".") or "the top level"


def _shortened(message: str) -> str:
    """Leave out the middle: a message begins with the value, and ends with what is wrong."""
    if len(message) <= 2 * SHOWN_OF_MESSAGE:
        return message
    return message[:SHOWN_OF_MESSAGE] + " … " + message[-SHOWN_OF_MESSAGE:]
