"""The registry of implementations, read from ``adapters/implementations.toml``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import adapters
from harness import declarations
from harness.complaint import Complaint
from harness.declarations import Declarations
from harness.environments import Unavailable
from harness.interpreters import first_interpreter
from reference.chosen import Conventions
from suites.vocabulary import Scenario

FOLDER = Path(adapters.__file__).parent
THIS = "this"
FEW = 8
NOTHING = Declarations((), {})


@dataclass(frozen=True)
class Implementation:
    """One way to get BatchNorm, and where it runs.

    `environment` is "this" or an extra of pyproject.toml to isolate; `instead_of` names the
    implementation this one stands in for where that one has no interpreter.
    """

    name: str
    title: str
    adapter: str
    environment: str = THIS
    python: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    execution: str = "eager"
    device: str = "cpu"
    instead_of: str | None = None
    declared: Declarations = NOTHING

    def conventions(self, scenario: Scenario) -> Conventions:
        """Return what is declared in the context of a scenario."""
        context = declarations.context_of(scenario.layer, self.execution, self.device)
        return self.declared.at(context)

    def obstacle(self) -> str | None:
        """Return why no environment can be had, as a sentence; None where nothing stands against.

        Looks for interpreters only; makes nothing.
        """
        if self.environment == THIS:
            return None
        try:
            first_interpreter(self.python)
        except Unavailable as reason:
            return str(reason)
        return None


@cache
def registered() -> dict[str, Implementation]:
    """Return every implementation by name, slowest import first."""
    entries = tomllib.loads((FOLDER / "implementations.toml").read_text(encoding="utf-8"))
    return {name: read(name, entry) for name, entry in entries.items()}


def read(name: str, entry: dict[str, object]) -> Implementation:
    """Return one entry of the registry with its declarations."""
    declared = declarations.load(FOLDER / "declared" / f"{entry.pop('declared', name)}.toml")
    entry["python"] = tuple(entry.get("python", ()))  # type: ignore[arg-type]
    return Implementation(name=name, declared=declared, **entry)  # type: ignore[arg-type]


def named(names: Iterable[str]) -> list[Implementation]:
    """Return the implementations asked for. Raises Complaint with the nearest right name."""
    known_names = (known(name, registered(), "implementation") for name in names)
    return [registered()[name] for name in dict.fromkeys(known_names)]


def default() -> list[Implementation]:
    """Return the implementations of an ordinary run.

    One that stands in for another takes part only where that other has no interpreter and it has.
    """
    chosen = []
    for implementation in registered().values():
        principal = implementation.instead_of
        if principal is None or (
            registered()[principal].obstacle() and not implementation.obstacle()
        ):
            chosen.append(implementation)
    return chosen


def known(name: str, names: Iterable[str], kind: str) -> str:
    """Return the name if it is one of `names`. Raises Complaint with the nearest otherwise."""
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if len(names) <= FEW:
        hint += f" There is {', '.join(names)}."
    raise Complaint(f"There is no {kind} called {name!r}.{hint}")
