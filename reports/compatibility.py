"""The file compatibility.json: since which version each implementation does what.

In the manner of browser-compat-data: a value, the versions run that showed it, and after which
version it changed; nothing is said of versions that were not run. Its form is
``compatibility.schema.json``; here it is checked, written and read. `bnconform history --all` makes
it from the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports.results import ReportError, write_text_whole
from reports.schemas import first_problem

SCHEMA_VERSION = 1
COMMITTED = Path(__file__).with_name("compatibility.json")
SHOWN_OF_MESSAGE = 150
Json = dict[str, Any]


def validate(document: Json) -> None:
    """Check that a document has the form of the schema and that its parts speak of one another.

    Raises ValueError with one sentence that names the first wrong place.
    """
    if problem := next(problems(document), None):
        message = f"The compatibility data are wrong at {problem}."
        raise ValueError(message)


def problems(document: Json) -> Iterator[str]:
    """Yield the places that are wrong, each with what is wrong there."""
    if (problem := first_problem(document, "compatibility.schema.json")) is not None:
        path, message = problem
        yield f"{'/'.join(map(str, path)) or 'the whole'}: {message[:SHOWN_OF_MESSAGE]}"
        return
    labels = {
        name: [run["label"] for run in about["runs"]]
        for name, about in document["implementations"].items()
    }
    for name, there in labels.items():
        if len(set(there)) < len(there):
            yield f"implementations/{name}: a version occurs twice"
    for axis, by_name in document["conventions"].items():
        if by_name.keys() != labels.keys():
            yield f"conventions/{axis}: it does not speak of the implementations of this file"
            return
        for name, about in by_name.items():
            for row in (*about["measured"], *about["open"]):
                for wrong in wrong_with(row, labels[name]):
                    yield f"conventions/{axis}/{name}: {wrong}"


def wrong_with(row: Json, labels: list[str]) -> Iterator[str]:
    """Yield what is wrong with a row, given the versions run, in their order."""
    if any(each not in labels for each in row["runs"]):
        yield "it names a version that was not run"
        return
    if sorted(row["runs"], key=labels.index) != row["runs"]:
        yield "its versions are not in their order"
    if "first" not in row:
        return
    if (row["first"], row["last"]) != (row["runs"][0], row["runs"][-1]):
        yield "its first or last version is not that of its runs"
    before = row["changed_after"]
    if before is not None and before not in labels[: labels.index(row["first"])]:
        yield "it changed after a version that was not run before"


def as_text(document: Json) -> str:
    """Return a document as it is written: the same for the same document, byte for byte."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_compatibility(document: Json, path: Path) -> None:
    """Check a document and write it, as a whole or not at all.

    Raises ValueError where it is wrong, ReportError where the file cannot be written.
    """
    validate(document)
    write_text_whole(as_text(document), path)


def read_compatibility(path: Path = COMMITTED) -> Json:
    """Return the checked contents of a file, or raise ReportError saying what is wrong."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document.get("schema") if isinstance(document, dict) else None
        if found is not None and found != SCHEMA_VERSION:
            seen = f"has schema version {found!r}; this bnconform reads {SCHEMA_VERSION}"
            raise ReportError(f"{path} {seen}. Use the bnconform that wrote it.")
        validate(document)
    except OSError as error:
        raise ReportError(f"Could not read {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise ReportError(f"{path} is not compatibility data of bnconform. {error}") from error
    return dict(document)
