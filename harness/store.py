"""The store: what workers answered, and which runs rest on it, kept in one SQLite file.

Answers are the workers' own messages, never verdicts: those are judged anew whenever they are
wanted. They are kept as compressed strict JSON, and nothing that is read can execute. A run is one
implementation at its versions, asked some scenarios; a cell of it names the answer it rests on, or
says why there is none. Runs are ordered by their numbers, which only grow, whatever the clock says.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from harness.store_file import StoreError, faults, opened, store_path, written
from harness.store_rows import (
    CELL_COLUMNS,
    RUN_COLUMNS,
    Json,
    Run,
    StoredCell,
    canonical,
    kept_in,
    now,
    or_nothing,
    pack,
    put_answer,
    put_cell,
    put_run,
    run_of,
    spelled,
)

__all__ = ["Run", "Store", "StoreError", "StoredCell"]

SECONDS_OF_PATIENCE = 30.0
UNUSED_FOR = timedelta(days=1)


class Store:
    """The store at a path, by default the user's. Use as a context manager, from any threads.

    Any number of processes may use it at once. Every method raises harness.store_file.StoreError,
    a Complaint, where the file cannot be used; whatever had been stored before is then kept.
    """

    def __init__(self, path: Path | None = None, patience: float = SECONDS_OF_PATIENCE) -> None:
        self.path = path or store_path()
        self.lock = threading.RLock()
        self.connection = opened(self.path, patience)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; what was stored is in it."""
        with self.lock, faults(self.path):
            self.connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection."""
        with self.lock, faults(self.path):
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection; all that is written inside is stored, or nothing of it."""
        with self.lock, faults(self.path), written(self.connection):
            yield self.connection

    # Answers.

    def answer(self, key: str) -> list[Json] | None:
        """Return the messages kept under a key, one per repeat; None where none can be read."""
        with self.reading() as connection:
            return kept_in(connection, key)

    def keep(self, key: str, scenario: str, messages: Sequence[Mapping[str, Any]]) -> bool:
        """Keep a worker's messages, one per repeat, and tell whether there is an answer now.

        The first answer of a key stays, unless it cannot be read any more. What is no strict JSON
        is not kept.
        """
        packed = pack(messages)
        if packed is None:
            return False
        with self.writing() as connection:
            if kept_in(connection, key) is None:
                put_answer(connection, key, scenario, packed, now())
        return True

    def holds(self, keys: Sequence[str]) -> bool:
        """Tell whether something is kept under every one of some keys."""
        query = "SELECT count(*) FROM answers WHERE key IN (SELECT value FROM json_each(?))"
        with self.reading() as connection:
            (found,) = connection.execute(query, (json.dumps(keys),)).fetchone()
        return bool(found == len(set(keys)))

    def forget_unused(self, older_than: timedelta = UNUSED_FOR) -> int:
        """Remove the answers that no run rests on, and return how many they were.

        Those of a moment ago are spared: a run may be about to name them.
        """
        query = """
            DELETE FROM answers WHERE recorded_at < ?
            AND NOT EXISTS (SELECT 1 FROM cells WHERE cells.answer = answers.key)
        """
        with self.writing() as connection:
            gone = connection.execute(query, (now(older_than),)).rowcount
        with self.lock, suppress(sqlite3.OperationalError):  # there may be no room to make room
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    # Runs.

    def begin(self, run: Run) -> int:
        """Store the beginning of a run and return its number."""
        with self.writing() as connection:
            return put_run(connection, run)

    def introduce(self, run: int, header: Mapping[str, Any]) -> None:
        """Add what the worker of a run said of itself, known only once it has started.

        A run of which no versions were known beforehand is at those the worker names.
        """
        said = header.get("versions")
        versions = or_nothing(said if isinstance(said, Mapping) else {})
        update = "UPDATE runs SET header = ? WHERE id = ?"
        complete = "UPDATE runs SET versions = ? WHERE id = ? AND versions = '{}'"
        with self.writing() as connection:
            connection.execute(update, (or_nothing(header), run))
            connection.execute(complete, (versions, run))

    def note(
        self,
        run: int,
        scenario: str,
        key: str | None = None,
        verdict: str | None = None,
        reason: str = "",
    ) -> None:
        """Note one cell of a run: the key of an answer that is kept, or a verdict without one."""
        if (key is None) == (verdict is None):
            raise ValueError("a cell has either an answer or a verdict")
        with self.writing() as connection:
            try:
                put_cell(connection, run, StoredCell(scenario, key, verdict, reason))
            except sqlite3.IntegrityError as error:
                gone = f"no longer has the answer to {scenario}, or the run it belongs to"
                raise StoreError(f"The store {self.path} {gone}. Run it again.") from error

    def finish(self, run: int) -> None:
        """Say that all of a run is noted."""
        with self.writing() as connection:
            connection.execute("UPDATE runs SET finished = 1 WHERE id = ?", (run,))

    def runs(self, implementation: str | None = None) -> list[Run]:
        """Return the runs, of one implementation or of all, the newest first."""
        if implementation is None:
            return self.runs_where("1")
        return self.runs_where("implementation = ?", spelled(implementation))

    def newest(self, implementation: str, versions: Mapping[str, str] | None = None) -> Run | None:
        """Return the newest finished run of an implementation at these versions, if there is one.

        A run is at them where it has every one of them; it may have more.
        """
        wanted = dict(versions or {}).items()
        found = self.runs_where("finished AND implementation = ?", spelled(implementation))
        return next((run for run in found if wanted <= dict(run.versions).items()), None)

    def latest(self) -> list[Run]:
        """Return the newest finished run of each implementation at each of its versions."""
        newest = "SELECT max(id) FROM runs WHERE finished GROUP BY implementation, versions"
        return self.runs_where(f"id IN ({newest})")

    def header(self, implementation: str, environment: Mapping[str, Any]) -> Json | None:
        """Return what the newest worker of an implementation in an environment said of itself."""
        condition = "implementation = ? AND environment = ? AND header <> '{}'"
        found = self.runs_where(condition, spelled(implementation), canonical(environment))
        return dict(found[0].header) if found else None

    def runs_where(self, condition: str, *values: object) -> list[Run]:
        """Return the runs of which a condition in SQL holds, the newest first."""
        query = f"SELECT {RUN_COLUMNS} FROM runs WHERE {condition} ORDER BY id DESC"  # noqa: S608 - only this module's words
        with self.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return [run for run in map(run_of, rows) if run is not None]

    def cells(self, run: int) -> list[StoredCell]:
        """Return the cells of a run by the names of their scenarios."""
        query = f"SELECT {CELL_COLUMNS} FROM cells WHERE run = ? ORDER BY scenario"  # noqa: S608 - only this module's words
        with self.reading() as connection:
            return [StoredCell(*row) for row in connection.execute(query, (run,))]

    # The whole.

    @property
    def size(self) -> int:
        """Return how many bytes of the disk the store takes."""
        files = [Path(f"{self.path}{ending}") for ending in ("", "-wal", "-shm")]
        return sum(file.stat().st_size for file in files if file.exists())

    def counted(self) -> dict[str, int]:
        """Return how many answers, runs and finished runs there are."""
        queries = {
            "answers": "SELECT count(*) FROM answers",
            "runs": "SELECT count(*) FROM runs",
            "finished": "SELECT count(*) FROM runs WHERE finished",
        }
        with self.reading() as connection:
            return {name: connection.execute(q).fetchone()[0] for name, q in queries.items()}

    def problems(self) -> list[str]:
        """Return what is wrong inside the file, a sentence each; reads all of it."""
        with self.reading() as connection:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            found = [f"SQLite finds: {line}." for line in said if line != "ok"]
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                found.append(f"Row {row} of {table} names one of {parent} that is not there.")
            keys = [row[0] for row in connection.execute("SELECT key FROM answers ORDER BY key")]
            bad = [key for key in keys if kept_in(connection, key) is None]
        found += [f"The answer {key} cannot be read and will be asked for again." for key in bad]
        return found
