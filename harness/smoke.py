"""What is wrong with a first attempt at an adapter, in sentences that say what to do.

The checks go from the outside in: whether the module can be imported, what it has, what its steps
show, and at last what the values say. Where something is wrong the rest would only repeat it, so
the first check that fails is the last.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import smoke_programs as programs
from harness.complaint import Complaint
from harness.implementations import Implementation
from harness.respondent import answer_of
from harness.smoke_answers import (
    STATE,
    Asking,
    Fault,
    FrameworkRefused,
    Inexpressible,
    Shown,
    faults_of_shapes,
    faults_of_state,
)
from harness.smoke_form import (
    faults_of_import,
    faults_of_methods,
    faults_of_program,
    faults_of_reasons,
    faults_of_versions,
    listed,
    unsaid,
)
from harness.smoke_slips import Evidence
from harness.smoke_values import faults_of_values
from harness.workers import SECONDS_TO_IMPORT, Command, Worker, WorkerFailure
from suites.catalogue import scenario_named
from suites.inputs import TRAINED
from suites.vocabulary import ABSENT, Scenario

RIGHT, WRONG, ASIDE = "✓", "✗", "–"
SECONDS_TO_ANSWER = 20.0
GRADIENTS = ("dx", "dgamma", "dbeta", "second_dx")


@dataclass(frozen=True)
class Line:
    """One thing looked at: a mark, and a sentence about it."""

    mark: str
    text: str


@dataclass
class Smoke:
    """One look at an adapter. `lines` yields what there is to say; `wrong` counts the faults."""

    implementation: Implementation
    wrong: int = 0

    @property
    def adapter(self) -> str:
        """Return the adapter as a worker is told it: an absolute path, or a dotted module."""
        return self.implementation.adapter

    @property
    def name(self) -> str:
        """Return the adapter as a reader calls it."""
        return Path(self.adapter).name if self.adapter.endswith(".py") else self.adapter

    @property
    def python(self) -> Path:
        """Return the Python that runs the adapter."""
        return self.implementation.interpreter or Path(sys.executable)

    def lines(self) -> Iterator[Line]:
        """Yield what was found, check by check, until one fails. Raises Complaint, see `start`."""
        worker = self.start()
        try:
            about = worker.receive(SECONDS_TO_IMPORT)
            yield from self.all_of(about, Asking(worker, self.adapter))
        except WorkerFailure as failure:
            yield self.wrongly(f"{self.name} cannot be imported. {failure}")
        finally:
            worker.stop()

    def start(self) -> Worker:
        """Return the worker. Raises Complaint where the Python cannot be started."""
        isolated = self.implementation.interpreter is not None
        variables = self.implementation.variables
        command = Command(self.python, self.adapter, variables, isolated, ("--introduce",))
        try:
            return Worker(command, SECONDS_TO_ANSWER)
        except OSError as error:
            message = f"{self.python} cannot be started: {error.strerror}."
            raise Complaint(message) from error

    def wrongly(self, sentence: str) -> Line:
        """Count a fault and return its line."""
        self.wrong += 1
        return Line(WRONG, sentence)

    def all_of(self, about: Mapping[str, Any], asking: Asking) -> Iterator[Line]:
        """Yield everything about an adapter, until something is wrong."""
        yield from self.form(about)
        checks = (self.plain, self.sparing, self.layout, self.gradients, self.others, self.values)
        for check in checks:
            if self.wrong:
                return
            yield from check(asking)
        if noise := asking.worker.noise.decode("utf-8", errors="replace").splitlines():
            yield Line(ASIDE, f"What is printed ({noise[-1][:60]!r}, say) disturbs nothing.")

    def form(self, about: Mapping[str, Any]) -> Iterator[Line]:
        """Look at the module: its import, its versions, its class and the methods of that."""
        checks: tuple[tuple[Callable[[], Iterator[str]], str], ...] = (
            (
                lambda: faults_of_import(about, self.adapter, str(self.python)),
                f"{self.name} can be imported by CPython {about['python']}.",
            ),
            (lambda: faults_of_versions(about, self.adapter), "versions() tells {}."),
            (lambda: faults_of_program(about), "Program is made with a layer."),
            (lambda: faults_of_methods(about), "Its methods take what the steps pass."),
            (lambda: faults_of_reasons(about), ""),
        )
        for faults, good in checks:
            found = list(faults())
            yield from map(self.wrongly, found)
            if found:
                return
            if good:
                yield Line(RIGHT, good.format(versions_of(about)))
        if absent := unsaid(about):
            text = f"Not written: {listed(absent)}. What asks for them will be not expressible."
            yield Line(ASIDE, f"{text} Write them, or say why not in NOT_EXPRESSIBLE.")

    def plain(self, asking: Asking) -> Iterator[Line]:
        """Look at a layer of which everything is said: the state it has, what it puts out."""
        try:
            built, *calls = asking.shown(programs.PLAIN)
        except Inexpressible as reason:
            yield self.wrongly(
                f"The adapter says of a plain layer that it is not expressible: {reason} Every "
                f"other question would end there. What is written of it: {listed(WRITTEN)}."
            )
            return
        except Fault as fault:
            yield self.wrongly(str(fault))
            return
        yield from self.judged(faults_of_state(built, TRAINED), "A layer is built as it is told.")
        wanted = {**programs.OUTPUT, **dict.fromkeys(STATE, (3,))}
        for where, shown in zip(("A training call", "An inference call"), calls, strict=True):
            if self.wrong:
                return
            found = [*faults_of_shapes(shown, wanted, where, "float32"), *unasked(shown, where)]
            yield from self.judged(iter(found), f"{where} shows its output.")

    def sparing(self, asking: Asking) -> Iterator[Line]:
        """Look at a layer of which nothing is said, and at one that is not built yet."""
        good = "A layer of which nothing is said takes the framework's defaults."
        yield from self.one(asking, programs.SPARING, good, programs.OUTPUT)
        try:
            before = asking.shown(programs.BEFORE_BUILD)[0]
        except (Fault, Inexpressible):
            return
        if before:
            yield self.wrongly(
                f"Before `build`, `observe` shows {listed(sorted(before))}. Nothing is seen of a "
                "layer until then: let `observe` return {} until `build` was called."
            )

    def layout(self, asking: Asking) -> Iterator[Line]:
        """Look at images, whose channels are last on both sides, and at another dtype."""
        shape = {"output": programs.IMAGES.shape}
        yield from self.one(asking, programs.IMAGE, "Images come back channels last.", shape)
        try:
            yield from self.one(
                asking, programs.DOUBLE, "A float64 layer is one.", programs.OUTPUT, "float64"
            )
        except FrameworkRefused as refusal:
            yield Line(ASIDE, str(refusal))

    def gradients(self, asking: Asking) -> Iterator[Line]:
        """Look at the gradients, first and second."""
        good = "Gradients have the shape of what they belong to."
        yield from self.one(asking, programs.GRADIENTS, good, programs.FIRST)
        good = "So have those of the second order."
        yield from self.one(asking, programs.SECOND_ORDER, good, programs.SECOND)

    def others(self, asking: Asking) -> Iterator[Line]:
        """Run every other step once."""
        done = 0
        before = self.wrong
        for program, wanted in programs.OTHERS:
            try:
                shown = asking.shown(program)[-1]
            except (Inexpressible, FrameworkRefused):
                continue
            except Fault as fault:
                yield self.wrongly(str(fault))
                continue
            where = f"Asked for {program.question}, the adapter"
            yield from map(self.wrongly, faults_of_shapes(shown, wanted, where))
            done += 1
        if self.wrong == before:
            many = f"{done} of {len(programs.OTHERS)} other things that a user does"
            yield Line(RIGHT if done else ASIDE, f"The adapter can do {many}.")

    def values(self, asking: Asking) -> Iterator[Line]:
        """Hold the values of some scenarios against all that BatchNorm is known to do."""
        evidence: list[Evidence] = []
        left_out = 0
        for scenario in map(scenario_named, programs.TELLING):
            try:
                answer = answer_of([asking.worker.ask(scenario)])
            except WorkerFailure as failure:
                yield self.wrongly(f"{scenario.name} ended the adapter's process. {failure}")
                return
            if answer.verdict == "not expressible":
                left_out += 1
            elif answer.verdict is not None:
                yield self.wrongly(f"{scenario.name}: {answer.reason}")
            evidence += [(scenario, trace) for trace in answer.traces]
        wrong, strange = faults_of_values(evidence, self.implementation)
        good = f"Conventions of BatchNorm explain all values of {len(evidence)} scenarios."
        if left_out:
            good += f" Not expressible are {left_out} others that were tried."
        yield from self.judged(iter(wrong), good)
        yield from (Line(ASIDE, text) for text in strange)

    def one(
        self,
        asking: Asking,
        program: Scenario,
        good: str,
        wanted: programs.Shapes,
        dtype: str | None = None,
    ) -> Iterator[Line]:
        """Ask one program, and look at what its last step shows."""
        try:
            shown = asking.shown(program)[-1]
        except Inexpressible as reason:
            yield Line(ASIDE, f"Of {program.question}: not expressible. {reason}")
            return
        except Fault as fault:
            if isinstance(fault, FrameworkRefused) and dtype is not None:
                raise
            yield self.wrongly(str(fault))
            return
        where = f"Asked for {program.question}, `call`"
        yield from self.judged(faults_of_shapes(shown, wanted, where, dtype), good)

    def judged(self, faults: Iterator[str], good: str) -> Iterator[Line]:
        """Yield the faults, or what is right where there is none."""
        found = list(faults)
        yield from map(self.wrongly, found)
        if not found:
            yield Line(RIGHT, good)


WRITTEN = sorted(name for name, value in vars(TRAINED).items() if value is not ABSENT)


def versions_of(about: Mapping[str, Any]) -> str:
    """Return what `versions()` told."""
    entries = (about.get("versions") or {}).get("entries", [])
    return ", ".join(f"{name} {version}" for name, version, _ in entries)


def unasked(shown: Shown, where: str) -> Iterator[str]:
    """Yield what a call without a `dy` shows that nobody asked for."""
    if extra := [name for name in GRADIENTS if name in shown]:
        yield f"{where} shows {listed(extra)}. Return gradients only where a `dy` is given."
