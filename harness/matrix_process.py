"""A process of its own for the tasks of a matrix, so that none can harm another.

One process performs one task after another. One that dies is replaced; none outlives the process
that started it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

from harness.complaint import Complaint
from harness.workers import first_line

SECONDS_TO_STOP = 15.0
STOPPED = "It was stopped."
DONE, FAILED, HEARD = "done", "failed", "heard"
SPAWNED = multiprocessing.get_context("spawn")


class Task(Protocol):
    """What a process can perform."""

    def perform(self, hear: Callable[[Any], None]) -> Any:
        """Perform it, telling `hear` of progress, and return what came of it."""


class Failed(Exception):
    """A task was not completed; the text is a sentence that says why."""


class Died(Failed):
    """The process died of its task, or of something else."""


class Helper:
    """A process that performs tasks, started with the first; used by one thread.

    `stop` may be called from any thread, and is final.
    """

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None
        self.pipe: Connection | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def ask(self, task: Task, hear: Callable[[Any], None]) -> Any:
        """Return what came of a task. Raises Failed, or Died."""
        try:
            pipe = self.start()
            pipe.send(task)
            while True:
                kind, told = pipe.recv()
                if kind == DONE:
                    return told
                if kind == FAILED:
                    raise Failed(told)
                hear(told)
        except (EOFError, OSError):
            raise Died(self.end()) from None

    def start(self) -> Connection:
        """Return the pipe to the process, starting one where none runs. Raises Failed."""
        with self.lock:
            if self.stopped:
                raise Failed(STOPPED)
            if self.pipe is None:
                self.pipe, other = SPAWNED.Pipe()
                self.process = SPAWNED.Process(target=serve, args=(other,), daemon=True)
                with uninterrupted():
                    self.process.start()
                other.close()
            return self.pipe

    def end(self) -> str:
        """Let go of a process that died; return what became of it, as a sentence."""
        with self.lock:
            process, self.process = self.process, None
            pipe, self.pipe = self.pipe, None
        if pipe is not None:
            pipe.close()
        if process is None:
            return STOPPED
        process.join(SECONDS_TO_STOP)
        process.kill()
        process.join()
        status = process.exitcode or 0
        if status < 0:
            return f"The process that judged died of signal {signal.Signals(-status).name}."
        return f"The process that judged ended with status {status}."

    def stop(self) -> None:
        """End the process, politely at first, with whatever it started."""
        with self.lock:
            self.stopped = True
            process = self.process
        if process is not None and process.is_alive():
            process.terminate()
            process.join(SECONDS_TO_STOP)
            process.kill()
            process.join()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep the terminal's interrupt from a process started inside until it can answer it.

    The signal is blocked in this thread, from which the process inherits that.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Connection) -> None:
    """Perform tasks until there are no more, or whoever gives them has gone."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, leave_to_the_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(performed(pipe.recv(), lambda told: pipe.send((HEARD, told))))


def performed(task: Task, hear: Callable[[Any], None]) -> tuple[str, Any]:
    """Return what came of a task; a bug of ours costs one task, not the matrix."""
    try:
        return DONE, task.perform(hear)
    except ConnectionError:
        raise  # Nobody listens any more.
    except Complaint as complaint:
        return FAILED, str(complaint)
    except Exception as error:  # noqa: BLE001
        return FAILED, f"The suite itself failed: {type(error).__name__}: {first_line(error)}."


def leave_to_the_parent(*_: object) -> None:
    """Ignore the terminal's interrupt, unlike the programs started from here."""


def end_with_the_parent() -> None:
    """Stop as if told to when the process that started this one is gone."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
