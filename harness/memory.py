"""What an implementation answered before, and what it answers now, in the store.

An unchanged scenario is not asked again of an unchanged implementation. A store that fails costs
the run nothing but that: from then on everything is asked and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from harness.placement import Place
from harness.store import Run, Store, StoreError
from harness.trace_key import TraceKeys, once
from suites.vocabulary import Scenario

Messages = Sequence[Mapping[str, Any]]


@contextmanager
def opened_store() -> Iterator[tuple[Store | None, str]]:
    """Open the user's store; where it cannot be used, yield none and the sentence that says why."""
    try:
        store = Store()
    except StoreError as failure:
        yield None, f"{failure} Until then nothing is kept."
        return
    with store:
        yield store, ""


class Memory:
    """One run of one implementation in the store.

    `complain` is given the sentence when the store fails; nothing is asked of it afterwards.
    With `fresh`, nothing that was answered before is used.
    """

    def __init__(
        self, store: Store, place: Place, complain: Callable[[str], None], *, fresh: bool = False
    ) -> None:
        self.store = store
        self.place = place
        self.complain = complain
        self.fresh = fresh
        self.works = True
        self.run = 0
        self.unnoted: dict[str, str] = {}
        self.unusable: set[str] = set()
        device = place.implementation.device
        self.keys = TraceKeys(place.command, place.environment, device)

    @contextmanager
    def using(self) -> Iterator[None]:
        """Use the store; where it fails, say so once."""
        try:
            yield
        except StoreError as failure:
            self.works = False
            self.complain(str(failure))

    def begin(self) -> None:
        """Store the beginning of the run."""
        about = self.place.implementation
        run = Run(
            about.entry,
            self.place.versions,
            self.place.environment,
            suite_version=metadata.version("bnconform"),
        )
        with self.using():
            self.run = self.store.begin(run)

    def recalled(self, scenario: Scenario) -> Messages | None:
        """Return what the worker said to a scenario before; None where it must be asked."""
        key = None if self.fresh else self.keys.of(scenario)
        if key is None or not self.works:
            return None
        with self.using():
            if (found := self.store.answer(key)) is not None:
                self.unnoted[scenario.name] = key
                return found
        return None

    def disregard(self, scenario: Scenario) -> None:
        """Take note that what was recalled cannot be used, and must be asked for again."""
        self.unusable.add(self.unnoted.pop(scenario.name))

    def keep(self, scenario: Scenario, messages: Messages) -> None:
        """Keep what the worker said; of an implementation that may change unseen, for this run."""
        if not self.works:
            return
        key = None if self.fresh else self.keys.of(scenario)
        if key is None or key in self.unusable:
            key = once(scenario)
        with self.using():
            if self.store.keep(key, scenario.name, messages):
                self.unnoted[scenario.name] = key

    def note(self, scenario: Scenario, verdict: str | None, reason: str) -> None:
        """Note a cell: what was answered, or the verdict that says why nothing was."""
        if not self.works or not self.run:
            return
        key = self.unnoted.pop(scenario.name, None)
        with self.using():
            if key is not None:
                self.store.note(self.run, scenario.name, key=key, reason=reason)
            else:
                said = verdict or "adapter error"
                self.store.note(self.run, scenario.name, verdict=said, reason=reason)

    def header(self) -> dict[str, Any] | None:
        """Return what a worker of this place said of itself before."""
        header = None
        if self.works:
            with self.using():
                header = self.store.header(self.place.implementation.entry, self.place.environment)
        return header

    def finish(self, header: Mapping[str, Any]) -> None:
        """Store the end of the run, and who answered."""
        if self.works and self.run:
            with self.using():
                self.store.introduce(self.run, header)
                self.store.finish(self.run)
