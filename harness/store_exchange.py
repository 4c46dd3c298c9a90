"""What a store holds as one JSON document, for another machine; its form is `store.schema.json`.

The document has a line per answer and per run. What is imported is checked first and stored whole
or not at all; importing it again changes nothing, and importing those of two machines unites them.
Runs that an import brings are newer, by their numbers, than those that were there.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.store import Store, StoreError
from harness.store_file import undo
from harness.store_rows import (
    CELL_COLUMNS,
    RUN_COLUMNS,
    Json,
    Run,
    StoredCell,
    canonical,
    is_shallow,
    kept_in,
    pack,
    put_answer,
    put_cell,
    put_run,
    run_of,
    spelled,
    strict,
    unnumbered,
)
from reports.schemas import first_problem

FORMAT = "bnconform store"
VERSION = 1
SCHEMA = "store.schema.json"
SHOWN_OF_MESSAGE = 150


@dataclass(frozen=True)
class Merged:
    """What an import did: answers and runs that are new, and answers that differ from those kept.

    The same circumstances gave another answer there: the framework is not deterministic, or they
    are not all known. The first answer is kept.
    """

    answers: int
    runs: int
    differing: int


def export(store: Store, file: Path) -> None:
    """Write all that a store holds to `file`, which is replaced as a whole or left untouched.

    Raises StoreError.
    """
    try:
        if file.exists() and not file.is_file():
            write_to(store, file)  # A pipe or a terminal is not to be replaced.
        else:
            write_whole(store, file)
    except OSError as error:
        message = f"Could not write {file}: {error.strerror or error}. What was there is unchanged."
        raise StoreError(message) from error


def write_whole(store: Store, file: Path) -> None:
    """Write the document beside `file`, then put it in place at once."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        write_to(store, beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def write_to(store: Store, file: Path) -> None:
    """Write the document to `file`, all the way to the disk where it is on one."""
    with file.open("w", encoding="ascii", newline="\n") as stream:
        write_document(store, stream)
        stream.flush()
        if file.is_file():
            os.fsync(stream.fileno())


def write_document(store: Store, stream: IO[str]) -> None:
    """Write the document, an item a line; nothing is held in memory but one item."""
    with store.reading() as connection:
        connection.execute("BEGIN")  # All of it as it is now, whatever others write meanwhile.
        try:
            stream.write(f'{{"format": {json.dumps(FORMAT)}, "version": {VERSION},\n')
            for part, items in (("answers", answers_in), ("runs", runs_in)):
                stream.write(f'"{part}": [')
                for index, item in enumerate(items(connection)):
                    stream.write(("," if index else "") + "\n" + canonical(item))
                stream.write("\n]" + (",\n" if part == "answers" else "}\n"))
        finally:
            undo(connection)


def answers_in(connection: sqlite3.Connection) -> Iterator[Json]:
    """Yield the answers by key; one that cannot be read is left out."""
    query = "SELECT key, scenario, recorded_at FROM answers ORDER BY key"
    for key, scenario, recorded_at in connection.execute(query):
        messages = kept_in(connection, key)
        if messages is not None:
            about = {"key": key, "scenario": scenario, "recorded_at": recorded_at}
            yield {**about, "messages": messages}


def runs_in(connection: sqlite3.Connection) -> Iterator[Json]:
    """Yield the runs, the oldest first; a cell whose answer cannot be read is left out."""
    rows = connection.execute(f"SELECT {RUN_COLUMNS} FROM runs ORDER BY id")  # noqa: S608 - this project's words
    for run in filter(None, map(run_of, rows)):
        about = {name: getattr(run, name) for name in run.__dict__ if name != "id"}
        yield {**about, "cells": list(cells_in(connection, run.id))}


def cells_in(connection: sqlite3.Connection, run: int) -> Iterator[Json]:
    """Yield the cells of a run."""
    query = f"SELECT {CELL_COLUMNS} FROM cells WHERE run = ? ORDER BY scenario"  # noqa: S608 - this project's words
    for scenario, key, verdict, reason in connection.execute(query, (run,)):
        if key is None:
            yield {"scenario": scenario, "verdict": verdict, "reason": reason}
        elif kept_in(connection, key) is not None:
            yield {"scenario": scenario, "answer": key, "reason": reason}


def merge(store: Store, file: Path) -> Merged:
    """Add what `file` holds to a store. Raises StoreError, and then nothing of it was added."""
    return merge_document(store, read_document(file))


def read_document(file: Path) -> Json:
    """Return the checked contents of an exported file. Raises StoreError."""
    try:
        document = strict(file.read_text("utf-8"))
    except OSError as error:
        message = f"Could not read {file}: {error.strerror or error}."
        raise StoreError(message) from error
    except ValueError as error:
        hint = "Was the export that wrote it, or its download, cut off?"
        raise StoreError(f"{file} is not JSON ({error}). {hint}") from error
    if problem := problem_of(document):
        raise StoreError(f"{file} cannot be imported: {problem}. Nothing of it was.")
    return dict(document)


def problem_of(document: Any) -> str | None:
    """Return what is wrong with a document, as the end of a sentence."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return "it is not what `bnconform store export` writes"
    if document.get("version") != VERSION:
        version = document.get("version")
        return f"its version is {version!r}, and this bnconform reads version {VERSION}"
    try:
        problem = first_problem(document, SCHEMA)
    except UnicodeEncodeError:
        return "one of its names holds half a character"
    if problem:
        place = "".join(f"[{part!r}]" for part in problem[0])
        return f"at {place} {shortened(problem[1])}"
    if not is_shallow(document):
        return "it is nested too deeply"
    keys = {answer["key"] for answer in document["answers"]}
    cells = [cell for run in document["runs"] for cell in run["cells"]]
    missing = {cell["answer"] for cell in cells if "answer" in cell} - keys
    return f"{len(missing)} of the answers its runs rest on are not in it" if missing else None


def shortened(message: str) -> str:
    """Leave out the middle: a message begins with the value, and ends with what is wrong."""
    if len(message) <= 2 * SHOWN_OF_MESSAGE:
        return message
    return f"{message[:SHOWN_OF_MESSAGE]} … {message[-SHOWN_OF_MESSAGE:]}"


def merge_document(store: Store, document: Json) -> Merged:
    """Add a checked document to a store, all of it or nothing."""
    with store.writing() as connection:
        kinds = [merge_answer(connection, answer) for answer in document["answers"]]
        runs = sum(merge_run(connection, run) for run in document["runs"])
    return Merged(kinds.count("new"), runs, kinds.count("differing"))


def merge_answer(connection: sqlite3.Connection, answer: Json) -> str:
    """Add an answer unless its key has one; say whether it is new, the same or differing."""
    key, messages = answer["key"], unnumbered(answer["messages"])
    kept = kept_in(connection, key)
    if kept is not None:
        return "same" if canonical(kept) == canonical(messages) else "differing"
    packed = pack(messages)
    if packed is None:
        message = f"The answer {key} is too long to be stored. Nothing of its file was."
        raise StoreError(message)
    put_answer(connection, key, answer["scenario"], packed, answer["recorded_at"])
    return "new"


def merge_run(connection: sqlite3.Connection, run: Json) -> bool:
    """Add a run, or what is new of it; say whether it was not there at all."""
    query = "SELECT id FROM runs WHERE uid = ?"
    row = connection.execute(query, (run["uid"],)).fetchone()
    about = {name: value for name, value in run.items() if name in Run.__dataclass_fields__}
    number = row[0] if row else put_run(connection, Run(**about))
    query = "SELECT 1 FROM cells WHERE run = ? AND scenario = ?"
    for cell in run["cells"]:
        if not connection.execute(query, (number, spelled(cell["scenario"]))).fetchone():
            put_cell(connection, number, cell_of(cell))
    if row and run["header"]:
        query = "UPDATE runs SET header = ? WHERE id = ? AND header = '{}'"
        connection.execute(query, (canonical(run["header"]), number))
    if run["finished"]:
        connection.execute("UPDATE runs SET finished = 1 WHERE id = ?", (number,))
    return row is None


def cell_of(cell: Json) -> StoredCell:
    """Return a cell of a document as it is stored."""
    return StoredCell(cell["scenario"], cell.get("answer"), cell.get("verdict"), cell["reason"])
