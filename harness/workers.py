"""Worker processes: started once per implementation, spoken to in JSON lines, always reaped.

A worker that dies, hangs, prints, floods or answers nonsense costs the scenario it was given; the
scenario is tried once more alone in a fresh worker and then recorded.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import adapters
from harness.wire import SCHEMA, scenario_to_json
from suites.vocabulary import Scenario

SCRIPT = Path(adapters.__file__).parent / "worker.py"
LONGEST_LINE = 64 * 2**20
MOST_UNREAD = 4
KEPT_NOISE = 4096
SECONDS_TO_IMPORT = 180.0
SECONDS_TO_ANSWER = 60.0
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}


class WorkerFailure(Exception):
    """A worker did not answer. `kind` is the verdict it earns, the message a sentence."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class Command:
    """How to start a worker: its Python, its adapter and extra environment variables.

    An isolated one is kept from the Python settings of the environment that starts it. `options`
    are those of the worker's `script`.
    """

    python: Path
    adapter: str
    variables: Mapping[str, str]
    isolated: bool = False
    options: tuple[str, ...] = ()
    script: Path = SCRIPT

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables of the worker."""
        foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV") if self.isolated else ()
        own = {name: value for name, value in os.environ.items() if name not in foreign}
        return {**own, **ONE_THREAD, **QUIET, **self.variables}


class Worker:
    """One running worker. Use as a context manager; leaving it kills whatever is left."""

    def __init__(self, command: Command, seconds_to_answer: float = SECONDS_TO_ANSWER) -> None:
        self.seconds_to_answer = seconds_to_answer
        self.lines: queue.Queue[str | None] = queue.Queue(maxsize=MOST_UNREAD)
        self.noise = b""
        self.asked = 0
        self.process = subprocess.Popen(
            [str(command.python), "-u", str(command.script), command.adapter, *command.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.environment,
            start_new_session=True,
        )
        self.readers = [
            threading.Thread(target=self.read_lines, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self.read_noise, args=(self.process.stderr,), daemon=True),
        ]
        for reader in self.readers:
            reader.start()
        self.header: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Return the worker, introduced."""
        self.introduce()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the worker, however it is."""
        self.stop()

    def read_lines(self, stream: IO[bytes]) -> None:
        """Collect answers; an overlong line ends the collecting."""
        while line := stream.readline(LONGEST_LINE):
            if len(line) >= LONGEST_LINE:
                break
            self.lines.put(line.decode("utf-8", errors="replace"))
        self.lines.put(None)

    def read_noise(self, stream: IO[bytes]) -> None:
        """Drain what the framework prints, keeping the last of it for an error message."""
        while chunk := os.read(stream.fileno(), 65536):
            self.noise = (self.noise + chunk)[-KEPT_NOISE:]

    def introduce(self) -> None:
        """Receive the header, which comes once the framework is imported.

        Raises WorkerFailure unless it is one of this version and without an error.
        """
        header = self.receive(SECONDS_TO_IMPORT)
        if header.get("schema") != SCHEMA or not header.get("header"):
            raise WorkerFailure("adapter error", "The worker did not introduce itself.")
        if error := header.get("error"):
            raise WorkerFailure("adapter error", f"The adapter cannot be imported: {told(error)}.")
        self.header = header

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next message. Raises WorkerFailure when there is none worth the name."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            self.kill()
            raise WorkerFailure("timed out", f"No answer came within {seconds:g} s.") from None
        if line is None:
            raise self.death()
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise WorkerFailure(
                "adapter error", "The worker answered something not JSON."
            ) from None
        if not isinstance(message, dict):
            raise WorkerFailure("adapter error", "The worker answered something not an object.")
        return message

    def death(self) -> WorkerFailure:
        """Return what became of a worker that stopped answering."""
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            return WorkerFailure("adapter error", "The worker closed its answers or flooded them.")
        self.readers[1].join(timeout=1)
        if status < 0:
            name = signal.Signals(-status).name
            return WorkerFailure("crashed", f"The process died of signal {name}.{self.said()}")
        return WorkerFailure("crashed", f"The process ended with status {status}.{self.said()}")

    def said(self) -> str:
        """Return the last line the framework printed, as a sentence to append."""
        lines = self.noise.decode("utf-8", errors="replace").strip().splitlines()
        return f" It last printed: {lines[-1][:200]!r}." if lines else ""

    def ask(self, scenario: Scenario) -> dict[str, Any]:
        """Return the answer to a scenario. Raises WorkerFailure when the worker fails at it."""
        self.asked += 1
        request = json.dumps({"id": self.asked, "scenario": scenario_to_json(scenario)})
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self.death() from None
        answer = self.receive(self.seconds_to_answer)
        if answer.get("id") != self.asked:
            raise WorkerFailure("adapter error", "The worker answered a question nobody asked.")
        return answer

    def stop(self) -> None:
        """End the worker politely, then firmly; nothing it started is left behind."""
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.write(b'{"command": "stop"}\n')
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self.kill()

    def kill(self) -> None:
        """Kill the worker's whole process group and close its pipes."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for reader in self.readers:
            reader.join(timeout=5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()


def told(error: object) -> str:
    """Return an error a worker described, as the end of a sentence."""
    if not isinstance(error, dict):
        return first_line(error)
    where = f" at {error['where']}" if "where" in error else ""
    return f"{error.get('type')}{where}: {first_line(error.get('message'))}"


def first_line(message: object) -> str:
    """Return the first line of a message, without a final full stop."""
    lines = str(message).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else "no message"
