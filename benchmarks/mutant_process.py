"""The process that answers as each of many mutants, seen from the side that judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from harness.workers import Command, Worker, WorkerFailure, told

SCRIPT = Path(__file__).parent / "mutant_worker.py"
SECONDS_TO_BECOME = 120.0

Json = dict[str, Any]


class Broken(Exception):
    """The mutated definitions cannot even be executed; the message says why."""


class MutantProcess(Worker):
    """One running `mutant_worker.py`. Use as a context manager."""

    def __init__(self, command: Command, questions: Path) -> None:
        super().__init__(replace(command, script=SCRIPT, options=(str(questions),)))

    def __enter__(self) -> Self:
        """Return the process, introduced."""
        self.introduce()
        return self

    @property
    def files(self) -> Mapping[str, str]:
        """Return where the framework has the modules that are mutated."""
        files: Mapping[str, str] = self.header["files"]
        return files

    def become(self, sources: Mapping[str, Path], digests: Mapping[str, str]) -> None:
        """Become the mutant with these sources, by module, and prove it by their digests.

        Raises Broken, and WorkerFailure where the process died or executes something else.
        """
        self.tell({"become": {module: str(path) for module, path in sources.items()}})
        answer = self.receive(SECONDS_TO_BECOME)
        if error := answer.get("broken"):
            self.ended()
            raise Broken(told(error))
        if answer.get("digests") != dict(digests):
            raise (
                died(answer)
                if "ended" in answer
                else WorkerFailure(
                    "adapter error", "The worker executes another source than it was given."
                )
            )

    def put(self, question: Mapping[str, str], seconds: float, *, trace: bool = False) -> Json:
        """Return the mutant's message about a question. Raises WorkerFailure."""
        self.asked += 1
        self.tell({**question, "id": self.asked, "trace": trace})
        answer = self.receive(seconds)
        if "ended" in answer:
            raise died(answer)
        if answer.get("id") != self.asked:
            raise WorkerFailure("adapter error", "The mutant answered another question.")
        return answer

    def leave(self) -> None:
        """Stop being that mutant."""
        self.tell({"stop": True})
        self.ended()

    def ended(self) -> None:
        """Wait for the end of a mutant."""
        if "ended" not in self.receive(SECONDS_TO_BECOME):
            raise WorkerFailure("adapter error", "The mutant did not end when told to.")

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises WorkerFailure where nobody is left to read it."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self.death() from None


def died(answer: Mapping[str, Any]) -> WorkerFailure:
    """Return what became of a mutant whose process ended."""
    return WorkerFailure("crashed", f"The mutant's process ended with status {answer['ended']}.")
