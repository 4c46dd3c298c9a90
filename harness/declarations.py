"""What an implementation is declared to do: one value per convention and context, with citations.

Declarations live in ``adapters/declared/NAME.toml`` as a list of tables::

    [[convention]]
    axis = "running-variance-factor"
    value = "n/(n-1)"
    when = { rank = [2, 4], fused = ["absent", "true"] }
    cite = ["https://…"]

`when` may name what selects an implementation's code path: rank, fused, updates_in_place,
zero_debias, dtype, layout, execution and device; never a scenario.
``[measured]`` names the versions the values were measured at; for later ones they are `assumed`.
An axis the implementation has no occasion to choose on has ``value = "not applicable"`` and `why`.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from harness.complaint import Complaint
from reference.axis import NOT_APPLICABLE, Value
from reference.chosen import Conventions, admit
from reference.conventions import REGISTRY
from suites.vocabulary import ABSENT, Absent, Layer

CONTEXT: dict[str, tuple[Any, ...]] = {
    "rank": (2, 3, 4, 5),
    "fused": ("absent", "true", "false"),
    "updates_in_place": ("absent", "true", "false"),
    "zero_debias": ("absent", "true", "false"),
    "dtype": ("float16", "bfloat16", "float32", "float64"),
    "layout": ("last", "default"),
    "execution": ("eager", "graph"),
    "device": ("cpu",),
}
Context = Mapping[str, Any]


@dataclass(frozen=True)
class Declaration:
    """One declared value: where it holds (`when`), and what says so (`cite`, or `why` not).

    `note` tells a reader what else to know, such as documentation that says otherwise.
    """

    axis: str
    value: Value
    when: Mapping[str, tuple[Any, ...]]
    cite: tuple[str, ...]
    why: str | None = None
    note: str | None = None

    def holds(self, context: Context) -> bool:
        """Tell whether this declaration speaks of a context."""
        return all(context.get(key) in admitted for key, admitted in self.when.items())


@dataclass(frozen=True)
class Declarations:
    """All that is declared of one implementation, and the versions it was measured at."""

    entries: tuple[Declaration, ...]
    measured: Mapping[str, str]

    def assumed(self, versions: Mapping[str, str]) -> bool:
        """Tell whether any of these versions is later than the one measured."""
        return any(
            Version(Version(versions[name]).public) > Version(at)
            for name, at in self.measured.items()
            if name in versions
        )

    def at(self, context: Context) -> Conventions:
        """Return the conventions in force in a context.

        Raises ValueError where two declarations of one axis hold.
        """
        values: dict[str, Value] = {}
        for declaration in self.entries:
            if not declaration.holds(context):
                continue
            if declaration.axis in values:
                raise ValueError(f"{declaration.axis} is declared twice for {dict(context)}")
            values[declaration.axis] = declaration.value
        return Conventions(values)

    def gaps(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the axes, each with a context, about which nothing is declared."""
        found: dict[str, dict[str, Any]] = {}
        for context in contexts():
            for axis in set(REGISTRY) - set(self.at(context).values):
                found.setdefault(axis, context)
        return sorted(found.items(), key=lambda gap: gap[0])


def load(path: Path) -> Declarations:
    """Return the declarations of a file.

    Raises Complaint, naming the file, where it cannot be read, is not TOML, says something
    inadmissible, or declares an axis twice for one context.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Complaint(f"The declarations {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Complaint(f"The declarations {path} are not valid TOML: {error}.") from error
    try:
        return declarations(document)
    except ValueError as error:
        raise Complaint(f"{path.name}: {error}.") from error


def declarations(document: Mapping[str, Any]) -> Declarations:
    """Return what a parsed file declares. Raises ValueError with what is wrong."""
    expect_keys(document, {"measured", "convention"}, "the file")
    entries, measured = document.get("convention", []), document.get("measured", {})
    if not isinstance(entries, list) or not isinstance(measured, dict):
        message = "write [measured] once and [[convention]] for each declaration"
        raise ValueError(message)  # noqa: TRY004 - one kind of exception for a bad file
    declared = Declarations(tuple(parsed(entry) for entry in entries), measured)
    for context in contexts():
        declared.at(context)
    return declared


def parsed(entry: Mapping[str, Any]) -> Declaration:
    """Return one declaration. Raises ValueError with what is wrong."""
    axis = entry.get("axis", "")
    expect_keys(entry, {"axis", "value", "when", "cite", "why", "note"}, axis or "a convention")
    if "value" not in entry:
        raise ValueError(f"{axis} is declared without a value")
    try:
        admit(axis, entry["value"])
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    cite, why = entry.get("cite", []), entry.get("why")
    if not isinstance(cite, list) or not all(str(link).startswith("https://") for link in cite):
        raise ValueError(f"cite of {axis} must be a list of https addresses")
    if not cite and not (entry["value"] == NOT_APPLICABLE and why):
        raise ValueError(f"{axis} is declared without a citation")
    when = conditions(axis, entry.get("when", {}))
    return Declaration(axis, entry["value"], when, tuple(cite), why, entry.get("note"))


def conditions(axis: str, when: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the conditions of a declaration. Raises ValueError with what is wrong."""
    expect_keys(when, set(CONTEXT), f"when of {axis}")
    for key, values in when.items():
        if not isinstance(values, list) or not values or set(values) - set(CONTEXT[key]):
            known = ", ".join(str(value) for value in CONTEXT[key])
            raise ValueError(f"{key} of {axis} must be a list of some of {known}")
    return {key: tuple(values) for key, values in when.items()}


def expect_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise ValueError for a key that means nothing in a table."""
    if unknown := sorted(set(table) - known):
        raise ValueError(f"{where} has no key {unknown[0]!r}; it has {', '.join(sorted(known))}")


def contexts() -> Iterator[dict[str, Any]]:
    """Yield every combination of context values that a scenario can have."""
    for values in itertools.product(*CONTEXT.values()):
        yield dict(zip(CONTEXT, values, strict=True))


def written(argument: bool | Absent) -> str:
    """Return how an argument that is true, false or absent is written in `when`."""
    return "absent" if argument is ABSENT else str(argument).lower()


def context_of(layer: Layer, execution: str, device: str) -> dict[str, Any]:
    """Return the context a scenario's layer puts an implementation in."""
    return {
        "rank": layer.rank,
        "fused": written(layer.fused),
        "updates_in_place": written(layer.updates_in_place),
        "zero_debias": written(layer.zero_debias),
        "dtype": layer.dtype,
        "layout": layer.channel_axis,
        "execution": execution,
        "device": device,
    }
