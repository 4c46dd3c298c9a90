"""One implementation answering scenarios: its worker is started once and replaced when it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from adapters.wire import decode_array
from harness.implementations import Implementation
from harness.judge import Refused, Seen, Trace
from harness.memory import Memory
from harness.placement import place_of
from harness.times import Times
from harness.workers import SECONDS_TO_ANSWER, Worker, WorkerFailure, first_line, told
from suites.vocabulary import Scenario

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Answer:
    """What came of asking one scenario: traces, one per repeat, or a verdict and its reason.

    `failed` says that the worker died, hung or broke the protocol rather than answered.
    """

    traces: tuple[Trace, ...] = ()
    verdict: str | None = None
    reason: str = ""
    failed: bool = False


class Respondent:
    """Answers scenarios in a worker, or from memory. Use as a context manager.

    Raises harness.environments.Unavailable on entering when there is no environment.
    """

    def __init__(
        self,
        implementation: Implementation,
        progress: Progress = silent,
        seconds_to_answer: float = SECONDS_TO_ANSWER,
        times: Times | None = None,
    ) -> None:
        self.times = times or Times()
        self.place = place_of(implementation, progress, self.times)
        self.implementation = self.place.implementation
        self.command = self.place.command
        self.seconds_to_answer = seconds_to_answer
        self.memory: Memory | None = None
        self.worker: Worker | None = None
        self.header: dict[str, Any] = {}
        self.started = 0
        self.abandoned = False
        self.unable: Answer | None = None

    def remember(self, memory: Memory) -> None:
        """Answer from memory what was answered before, and keep there what is answered now."""
        self.memory = memory
        memory.begin()

    def __enter__(self) -> Self:
        """Return the respondent; its worker starts with the first question."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the worker."""
        self.replace()

    def replace(self) -> None:
        """Stop the worker; the next question starts another."""
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.stop()

    def abandon(self) -> None:
        """Kill the worker now, from whatever thread, and start no other."""
        self.abandoned = True
        if (worker := self.worker) is not None:
            worker.kill()

    def start(self) -> Worker:
        """Return the running worker, starting one where there is none.

        Raises WorkerFailure where it cannot be started or cannot import its adapter.
        """
        if self.worker is None:
            self.started += 1
            try:
                self.worker = Worker(self.command, self.seconds_to_answer)
            except OSError as error:
                sentence = f"The worker could not be started: {error.strerror}."
                raise WorkerFailure("crashed", sentence) from error
            if self.abandoned:
                self.worker.kill()
            with self.times.spent("import"):
                self.worker.introduce()
            self.header = self.worker.header
        return self.worker

    def answer(self, scenario: Scenario) -> Answer:
        """Return the answer to a scenario, from memory where it is there."""
        answer = self.remembered(scenario) or self.asked(scenario)
        if self.memory is not None:
            self.memory.note(scenario, answer.verdict, answer.reason)
        return answer

    def remembered(self, scenario: Scenario) -> Answer | None:
        """Return what was answered before; None where that is not known or cannot be read."""
        messages = None if self.memory is None else self.memory.recalled(scenario)
        if messages is None:
            return None
        answer = answer_of(messages)
        if answer.verdict != "adapter error":
            return answer
        assert self.memory is not None
        self.memory.disregard(scenario)
        return None

    def asked(self, scenario: Scenario) -> Answer:
        """Ask the worker; a scenario that kills it is asked once more, alone.

        Where no worker has ever come up, two tries are enough for all scenarios.
        """
        if self.unable is not None:
            return self.unable
        answer = self.attempt(scenario)
        if answer.failed and not self.abandoned:
            first, answer = answer, self.attempt(scenario)
            if not answer.failed:
                reason = f"{answer.reason} The first try failed: {first.reason}".strip()
                answer = replace(answer, reason=reason)
            self.replace()
            if answer.failed and not self.header:
                self.unable = answer
        return answer

    def attempt(self, scenario: Scenario) -> Answer:
        """Ask once; a worker that fails is replaced."""
        if self.abandoned:
            return Answer(verdict="did not run", reason="The run was stopped before this scenario.")
        try:
            return self.ask(scenario)
        except WorkerFailure as failure:
            self.replace()
            return Answer(verdict=failure.kind, reason=str(failure), failed=True)

    def ask(self, scenario: Scenario) -> Answer:
        """Ask as often as the scenario wants. Raises WorkerFailure when the worker fails."""
        messages: list[dict[str, Any]] = []
        for _ in range(scenario.repeats):
            worker = self.start()
            with self.times.spent("run"):
                messages.append(worker.ask(scenario))
            if answer_of(messages).verdict is not None:
                break
        answer = answer_of(messages)
        if self.memory is not None and answer.verdict != "adapter error":
            self.memory.keep(scenario, messages)
        return answer

    def introduction(self) -> dict[str, Any]:
        """Return who answers: the worker's header, or one from memory where none was started."""
        if not self.header and self.memory is not None:
            self.header = self.memory.header() or {}
        return self.header


def answer_of(messages: Iterable[Mapping[str, Any]]) -> Answer:
    """Return what a worker's messages say, one for each repeat."""
    traces: list[Trace] = []
    for message in messages:
        answer = parsed(message)
        if answer.verdict is not None:
            return answer
        traces.extend(answer.traces)
    return Answer(tuple(traces))


def parsed(answer: Mapping[str, Any]) -> Answer:
    """Return what a worker's message says."""
    if reason := answer.get("not_expressible"):
        return Answer(verdict="not expressible", reason=str(reason))
    if error := answer.get("adapter_error"):
        return Answer(verdict="adapter error", reason=f"The adapter itself failed: {told(error)}.")
    try:
        return Answer((tuple(seen(step) for step in answer["trace"]),))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"The worker's trace cannot be read: {first_line(error)}."
        return Answer(verdict="adapter error", reason=reason)


def seen(step: dict[str, Any]) -> Seen:
    """Return what was observed after one step of a trace. Raises ValueError and its like."""
    observed = {name: decode_array(array) for name, array in step["observed"].items()}
    refusal = step.get("refusal")
    if refusal is None:
        return Seen(observed)
    kind, message = refusal["type"], refusal["message"]
    if not isinstance(kind, str) or not isinstance(message, str):
        raise TypeError("a refusal must be described in text")
    return Seen(observed, Refused(kind, message))
