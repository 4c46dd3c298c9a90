"""The file of the store: made whole or not at all, known by its mark, its faults told in words.

Nothing is written to a file before it is known to be a store of a form this bnconform knows.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.cache import cache_root
from harness.complaint import Complaint

APPLICATION = 0x626E636F
"""The mark of a store among SQLite files: "bnco" in ASCII."""
FORM = 1
"""The version of the tables below. Later ones extend; a file of a later one is left alone."""

TABLES = (
    """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY NOT NULL,
        scenario TEXT NOT NULL,
        messages BLOB NOT NULL,
        recorded_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL UNIQUE,
        implementation TEXT NOT NULL,
        versions TEXT NOT NULL,
        environment TEXT NOT NULL,
        header TEXT NOT NULL,
        suite_version TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished INTEGER NOT NULL CHECK (finished IN (0, 1))
    )
    """,
    """
    CREATE TABLE cells (
        run INTEGER NOT NULL REFERENCES runs (id),
        scenario TEXT NOT NULL,
        answer TEXT REFERENCES answers (key),
        verdict TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (run, scenario),
        CHECK ((answer IS NULL) <> (verdict IS NULL))
    )
    """,
    "CREATE INDEX runs_of_an_implementation ON runs (implementation, versions)",
    "CREATE INDEX cells_of_an_answer ON cells (answer)",
)

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
PAGE_AT, FORM_AT, APPLICATION_AT = slice(16, 18), slice(60, 64), slice(68, 72)
SECONDS_BETWEEN_TRIES = 0.02
ELSEWHERE = "set BNCONFORM_STORE to another file"

FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG}
WRITING_FAILED = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class StoreError(Complaint):
    """The store cannot be used as asked; the text says why and what to do."""


class StoreFull(StoreError):
    """The disk takes no more; what was stored before is still there."""


class StoreBusy(StoreError):
    """Another process has kept the store to itself for longer than is worth waiting."""


class StoreUnwritable(StoreError):
    """The file or its folder cannot be made, opened or written."""


class StoreDamaged(StoreError):
    """The file is not, or no longer, a database."""


class StoreForeign(StoreError):
    """The file is somebody else's, or of a later form; it was not touched."""


def store_path() -> Path:
    """Return where the store is: BNCONFORM_STORE, else in the folder of the cache."""
    if chosen := os.environ.get("BNCONFORM_STORE"):
        return Path(chosen).expanduser().absolute()
    return cache_root() / "store.sqlite3"


def opened(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection to the store at `path`, which is made where there is none.

    `patience` is how many seconds to wait for a process that has locked it. Raises StoreError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        expect_ours(path)
    except OSError as error:
        raise unwritable(path, str(error.strerror or error)) from error
    with faults(path):
        connection = sqlite3.connect(
            path, timeout=patience, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            make_tables(connection, path)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
            begin_log(connection, patience)
        except BaseException:
            connection.close()
            raise
    return connection


def expect_ours(path: Path) -> None:
    """Raise StoreError unless the file begins and ends as a store does, or is still to be made."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return
    # A process that was killed has left a journal or log, from which SQLite will set things right.
    begun = header.startswith(MAGIC) or not any(header)
    if not header or (begun and Path(f"{path}-journal").exists()):
        return
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise damaged(path, "it is not a database, or what is left of one")
    expect_form(path, int.from_bytes(header[APPLICATION_AT]), int.from_bytes(header[FORM_AT]))
    page = int.from_bytes(header[PAGE_AT])
    if page and size % page and not Path(f"{path}-wal").exists():
        raise damaged(path, "its end is missing")


def expect_form(path: Path, application: int, form: int) -> None:
    """Raise StoreForeign unless this is the mark and the form of a store that is known."""
    if application != APPLICATION:
        seen = "is a database of another program, and was left as it is"
        raise StoreForeign(f"The store {path} {seen}. Please {ELSEWHERE}.")
    if form != FORM:
        seen = f"was written by another bnconform, in form {form} where this one knows {FORM}"
        raise StoreForeign(f"The store {path} {seen}. Use that bnconform, or {ELSEWHERE}.")


def make_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of an empty file in one step, whoever else is doing the same."""
    if is_blank(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if is_blank(connection):
                for each in TABLES:
                    connection.execute(each)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORM}")
            connection.execute("COMMIT")
        except BaseException:
            undo(connection)
            raise
    expect_form(path, number(connection, "application_id"), number(connection, "user_version"))


def is_blank(connection: sqlite3.Connection) -> bool:
    """Tell whether nothing at all is in the file."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables and not number(connection, "application_id")


def number(connection: sqlite3.Connection, pragma: str) -> int:
    """Return what SQLite says of the file."""
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def begin_log(connection: sqlite3.Connection, patience: float) -> None:
    """Have the file written by way of a log (WAL), which lets others read meanwhile.

    SQLite does not wait for a lock here, so this does. Where the file system has no such log,
    the store works without.
    """
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if primary(error) not in BUSY or time.monotonic() > end:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
        else:
            return


@contextmanager
def written(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of what is written inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        undo(connection)
        raise


def undo(connection: sqlite3.Connection) -> None:
    """Give up what was begun, where SQLite has not done so itself."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Tell what SQLite finds wrong with the file at `path` as a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        if not hasattr(error, "sqlite_errorcode"):
            raise  # It was not SQLite that complained: a mistake of ours.
        raise fault(path, error) from error


def fault(path: Path, error: sqlite3.Error) -> StoreError:
    """Return what an error of SQLite means, as something to act on."""
    said = str(error)
    if primary(error) in FULL or error.sqlite_errorcode in WRITING_FAILED:
        return full(path, said)
    if primary(error) in BUSY:
        again = "Run it again when that one is done"
        return StoreBusy(f"The store {path} is locked by another process. {again}.")
    if primary(error) in DAMAGED:
        return damaged(path, said)
    return unwritable(path, said)


def damaged(path: Path, said: str) -> StoreDamaged:
    """Return the complaint about a file that is not, or no longer, a database."""
    moved = f"Move it away, which loses what it holds, or {ELSEWHERE}"
    return StoreDamaged(f"The store {path} is damaged ({said}). {moved}.")


def full(path: Path, said: str) -> StoreFull:
    """Return the complaint about a disk that takes no more."""
    room = "Free some space, or set BNCONFORM_STORE to a file on a larger disk"
    seen = f"takes no more, what it held is kept ({said})"
    return StoreFull(f"The store {path} {seen}. {room}.")


def unwritable(path: Path, said: str) -> StoreUnwritable:
    """Return the complaint about a file that cannot be had."""
    hint = "Set BNCONFORM_STORE to a file in a folder that you may write"
    return StoreUnwritable(f"The store {path} cannot be opened or written ({said}). {hint}.")


def primary(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error without its finer distinctions."""
    return error.sqlite_errorcode & 0xFF
