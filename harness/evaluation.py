"""One implementation at its versions, judged: from a session just run, or from stored answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.complaint import Complaint
from harness.findings import Findings, findings
from harness.implementations import Implementation, registered
from harness.respondent import Answer, answer_of
from harness.session import Session
from harness.store import Run, Store
from harness.trace_key import answers
from harness.verdict import Cell, verdict_on
from suites.vocabulary import Scenario


@dataclass(frozen=True)
class Evaluation:
    """What is known of one implementation at its versions.

    `cells` are by scenario, those that were asked; `findings` the conventions measured from them.
    """

    implementation: Implementation
    cells: Mapping[str, Cell]
    findings: Findings
    environment: Mapping[str, Any] = field(default_factory=dict)
    caveats: Sequence[str] = ()

    @property
    def versions(self) -> Mapping[str, str]:
        """Return the exact versions of the packages it rests on."""
        return self.implementation.versions


def of_session(session: Session, name: str) -> Evaluation:
    """Return what a session found of one of its implementations.

    Raises Complaint where it found nothing, with the reason.
    """
    implementation = next(each for each in session.implementations if each.name == name)
    cells = {
        scenario.name: session.cells[name, scenario.name]
        for scenario in session.scenarios
        if session.cells[name, scenario.name].verdict not in ("unavailable", "did not run")
    }
    if reason := session.unavailable.get(name):
        raise Complaint(reason)
    if name not in session.findings or not any(cell.traces for cell in cells.values()):
        first = next(iter(cells.values()), None)
        why = session.unidentified.get(name) or (first.reason if first else "It was not asked.")
        raise Complaint(f"{name} answered nothing that can be judged. {why}")
    environment = session.environments.get(name, {})
    caveats = session.caveats.get(name, ())
    return Evaluation(implementation, cells, session.findings[name], environment, caveats)


def of_run(store: Store, run: Run, scenarios: Sequence[Scenario]) -> Evaluation:
    """Return a stored run, its answers judged anew.

    A scenario that has changed since is left out, as is one whose answer cannot be read. Raises
    Complaint where nothing is left, or where the implementation is not known here.
    """
    label = label_of(run)
    if run.implementation not in registered():
        message = f"{label} was stored with an adapter that is not known here."
        raise Complaint(message)
    known = registered()[run.implementation]
    implementation = replace(known, name=label, versions=dict(run.versions))
    stored = {cell.scenario: cell for cell in store.cells(run.id)}
    cells: dict[str, Cell] = {}
    for scenario in scenarios:
        if (cell := stored.get(scenario.name)) is None:
            continue
        if cell.key is None:
            answer = Answer(verdict=cell.verdict, reason=cell.reason)
        else:
            messages = store.answer(cell.key) if answers(cell.key, scenario) else None
            if messages is None:
                continue
            answer = answer_of(messages)
        conventions = implementation.conventions(scenario)
        expected = implementation.expectations
        cells[scenario.name] = verdict_on(label, scenario, conventions, answer, expected)
    if not any(cell.traces for cell in cells.values()):
        message = f"Of {label} nothing is stored that answers today's scenarios. Run it again."
        raise Complaint(message)
    evidence = [(cell.scenario, trace) for cell in cells.values() for trace in cell.traces]
    return Evaluation(implementation, cells, findings(implementation, evidence), run.environment)


def label_of(run: Run) -> str:
    """Return what a stored run is called: ``torch@1.4.0``."""
    if not run.versions:  # An adapter from outside, which rests on nothing that is known here.
        return run.implementation
    first, *others = run.versions.items()
    said = [first[1], *(f"{name}=={version}" for name, version in others)]
    return f"{run.implementation}@{','.join(said)}"
