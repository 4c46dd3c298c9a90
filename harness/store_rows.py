"""How answers, runs and cells are written down in the store, and read back with suspicion."""

from __future__ import annotations

import json
import math
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
LONGEST = 2**29
"""The most bytes that the messages of one answer take; a worker's line is an eighth of it."""
DEEPEST = 32
RUN_COLUMNS = (
    "id, uid, implementation, versions, environment, header, suite_version, started_at, finished"
)
CELL_COLUMNS = "scenario, answer, verdict, reason"


def now(before: timedelta = timedelta(0)) -> str:
    """Return the clock's time, or one before it, as text that sorts by it."""
    return (datetime.now(UTC) - before).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Run:
    """One implementation, asked at one time.

    `versions` maps packages to exact versions; `environment` is whatever else tells where it ran,
    and `header` its worker's introduction, both JSON. `started_at` is for people to read.
    """

    implementation: str
    versions: Mapping[str, str]
    environment: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    suite_version: str = ""
    started_at: str = field(default_factory=now)
    finished: bool = False
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    id: int = 0


@dataclass(frozen=True)
class StoredCell:
    """One scenario of a run: the key of its answer, or the verdict that tells why it has none.

    `reason` is a sentence that goes with either.
    """

    scenario: str
    key: str | None
    verdict: str | None
    reason: str


def canonical(value: object) -> str:
    """Return the one JSON text of a value; a mapping may be any mapping."""
    plain = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def or_nothing(value: Mapping[str, Any]) -> str:
    """Return the one JSON text of what a worker said, or of an empty object where it has none."""
    try:
        return canonical(value if is_shallow(value) else {})
    except (ValueError, TypeError):
        return canonical({})


def spelled(text: str | None) -> str | None:
    """Return text with what UTF-8 cannot hold spelt out; paths and frameworks may say such."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def strict(text: str | bytes) -> Any:
    """Return the value of strict JSON. Raises ValueError for anything else."""
    try:
        return json.loads(text, parse_constant=finite, parse_float=finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def finite(word: str) -> float:
    """Return the number a word of JSON means. Raises ValueError for what strict JSON has not."""
    number = float(word)
    if not math.isfinite(number):
        message = f"{word} is no number of strict JSON"
        raise ValueError(message)
    return number


def pack(messages: Sequence[Mapping[str, Any]]) -> bytes | None:
    """Return the compressed form of messages, or None where they have no strict JSON.

    The number of the question, `id`, counts what one worker was asked and is left out.
    """
    plain = unnumbered(messages)
    if not are_messages(plain):
        return None
    try:
        text = json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError):
        return None
    return zlib.compress(text) if len(text) <= LONGEST else None


def unnumbered(messages: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return messages without the number of the question they answer."""
    return [{name: value for name, value in each.items() if name != "id"} for each in messages]


def unpack(packed: object) -> list[Json] | None:
    """Return the messages of the compressed form, or None where it is not one."""
    if not isinstance(packed, bytes):
        return None
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(packed, LONGEST)
        messages = strict(text) if reader.eof else None
    except (zlib.error, ValueError):
        return None
    return messages if are_messages(messages) else None


def are_messages(value: object) -> bool:
    """Tell whether a value is what a worker could have answered."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(each, dict) for each in value) and is_shallow(value)


def is_shallow(value: object) -> bool:
    """Tell whether JSON is nested no deeper than anything honest is."""
    level = [value]
    for _ in range(DEEPEST):
        level = [part for each in level for part in parts_of(each)]
        if not level:
            return True
    return False


def parts_of(value: object) -> Iterable[object]:
    """Return what a JSON value is made of."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def kept_in(connection: sqlite3.Connection, key: str) -> list[Json] | None:
    """Return the messages kept under a key, or None where none can be read."""
    row = connection.execute("SELECT messages FROM answers WHERE key = ?", (key,)).fetchone()
    return unpack(row[0]) if row else None


def put_answer(
    connection: sqlite3.Connection, key: str, scenario: str, packed: bytes, recorded_at: str
) -> None:
    """Put an answer in, in the place of any other of its key."""
    connection.execute(
        """
        INSERT INTO answers (key, scenario, messages, recorded_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE
        SET scenario = excluded.scenario, messages = excluded.messages,
            recorded_at = excluded.recorded_at
        """,
        (key, spelled(scenario), packed, recorded_at),
    )


def put_run(connection: sqlite3.Connection, run: Run) -> int:
    """Put a run in and return its number."""
    added = connection.execute(
        f"INSERT INTO runs ({RUN_COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - only this module's words
        (
            run.uid,
            spelled(run.implementation),
            canonical(run.versions),
            canonical(run.environment),
            or_nothing(run.header),
            spelled(run.suite_version),
            run.started_at,
            run.finished,
        ),
    )
    assert added.lastrowid is not None
    return added.lastrowid


def put_cell(connection: sqlite3.Connection, run: int, cell: StoredCell) -> None:
    """Put a cell in, in the place of any other of its run and scenario."""
    connection.execute(
        f"INSERT OR REPLACE INTO cells (run, {CELL_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - only this module's words
        (run, *map(spelled, (cell.scenario, cell.key, cell.verdict, cell.reason))),
    )


def run_of(row: Sequence[Any]) -> Run | None:
    """Return a row as a run, or None where it cannot be read."""
    number, *texts, done = row
    if not all(isinstance(text, str) for text in texts):
        return None
    uid, implementation, versions, environment, header, suite_version, started = texts
    try:
        packages, where, said = (strict(each) for each in (versions, environment, header))
    except ValueError:
        return None
    if not all(isinstance(each, dict) for each in (packages, where, said)):
        return None
    run = Run(implementation, packages, where, said, suite_version, started)
    return replace(run, finished=bool(done), uid=uid, id=number)
