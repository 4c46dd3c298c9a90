"""What is done for one run of a matrix: its environment made, everything asked, and summed up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import summaries
from harness.code_digest import code_digest
from harness.environments import Unavailable
from harness.findings import Findings
from harness.implementations import Implementation
from harness.placement import Place, place_of
from harness.session import Session
from harness.store import Store
from harness.summaries import Json, as_expected
from harness.trace_key import TraceKeys
from harness.verdict import Cell
from suites.catalogue import scenario_named
from suites.vocabulary import Scenario

Hear = Callable[[str | None], None]
"""Told of progress in words, and with None of each scenario that is done."""
MEASURED, UNAVAILABLE, FAILED = "measured", "unavailable", "failed"


@dataclass(frozen=True)
class Outcome:
    """What came of one run of a matrix.

    `state` is "measured", "unavailable" (no environment can be had) or "failed" (its process
    died, or the suite itself failed); `reason` says why in a sentence where nothing was measured.
    `summary` is that of harness.summaries. `recalled` tells that nothing had changed since it
    was measured, so that nothing was asked or judged. `seconds` leave out making the environment.
    """

    implementation: Implementation
    state: str
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    summary: Json = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    recalled: bool = False
    seconds: float = 0.0

    @property
    def as_expected(self) -> bool:
        """Tell whether it was measured and nothing surprises."""
        return self.state == MEASURED and not self.reason and as_expected(self.summary)


@dataclass(frozen=True)
class Preparing:
    """The task of making the environment of an implementation."""

    implementation: Implementation

    def perform(self, hear: Hear) -> Outcome | None:
        """Make it where it is not there; return an outcome only where there is none to be had."""
        try:
            place_of(self.implementation, hear)
        except Unavailable as reason:
            return Outcome(self.implementation, UNAVAILABLE, str(reason))
        return None


@dataclass(frozen=True)
class Measuring:
    """The task of asking an implementation the scenarios of these names. Returns the outcome."""

    implementation: Implementation
    scenarios: tuple[str, ...]
    store: Path
    fresh: bool = False

    def perform(self, hear: Hear) -> Outcome:
        """Ask and judge, or recall where nothing has changed."""
        started = time.monotonic()
        code_digest()  # of the source as it was loaded, whoever edits it while this goes on
        scenarios = [scenario_named(name) for name in self.scenarios]
        try:
            place = place_of(self.implementation, hear)
        except Unavailable as reason:
            return Outcome(self.implementation, UNAVAILABLE, str(reason))
        with Store(self.store) as store:
            kept = None if self.fresh else remembered(place, scenarios, store)
            if kept is None:
                found = measured(self.implementation, scenarios, store, hear, fresh=self.fresh)
            else:
                found = Outcome(self.implementation, MEASURED, summary=kept, recalled=True)
        return replace(
            found,
            versions=dict(place.versions),
            caveats=tuple(place.caveats),
            seconds=time.monotonic() - started,
        )


def remembered(place: Place, scenarios: Sequence[Scenario], store: Store) -> Json | None:
    """Return the summary of a run that today's would equal; None where there is none.

    That is one of the same implementation under the same circumstances, asked the same, with an
    answer to everything, and judged by the same source.
    """
    about = place.implementation
    keys = TraceKeys(place.command, place.environment, about.device)
    wanted = {scenario.name: keys.of(scenario) for scenario in scenarios}
    if None in wanted.values():
        return None
    for run in store.runs(about.entry):
        cells = store.cells(run.id) if run.finished else []
        if {cell.scenario: cell.key for cell in cells} == wanted:
            return summaries.recalled(summaries.key_of(about, cells))
    return None


def measured(
    implementation: Implementation,
    scenarios: Sequence[Scenario],
    store: Store,
    hear: Hear,
    *,
    fresh: bool,
) -> Outcome:
    """Ask in a session of its own, keep the summary, and let go of the traces."""

    def report(text: str, cell: Cell | None) -> None:
        hear(text if cell is None else None)

    session = Session([implementation], scenarios, demanded=True, store=store, fresh=fresh)
    session.run(report)
    (about,) = session.implementations
    complaints = tuple(session.complaints)
    if reason := session.unavailable.get(about.name):
        return Outcome(implementation, UNAVAILABLE, reason, complaints=complaints)
    cells = list(session.cells.values())
    found = session.findings.get(about.name, Findings(about.name, (), ()))
    summary = summaries.summary_of(cells, found)
    reason = session.unidentified.get(about.name, "")
    memory = session.respondents[0].memory
    if not (reason or complaints) and memory is not None:
        summaries.keep(summaries.key_of(about, store.cells(memory.run)), summary)
    said = f"Its conventions could not be measured. {reason}" if reason else ""
    return Outcome(implementation, MEASURED, said, summary=summary, complaints=complaints)
