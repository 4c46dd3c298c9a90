"""What an implementation is declared to do: one value per convention and context, with citations.

Declarations live in ``adapters/declared/NAME.toml`` as a list of tables::

    [[convention]]
    axis = "running-variance-factor"
    value = "n/(n-1)"
    when = { rank = [2, 4], fused = ["absent", "true"] }
    cite = ["https://…"]

`when` may name what selects an implementation's code path: rank, fused, updates_in_place,
zero_debias, dtype, input, layout, execution and device; never a scenario. Its ``version`` limits
the declaration to versions of a package the implementation rests on: ``version = "torch>=1.5"``, or
a list of such of which all must hold.
``[measured]`` names the versions the values were measured at; for later ones they are `assumed`.
A file of another execution, such as ``torch+compile.toml``, has only the axes on which it differs.
An axis the implementation has no occasion to choose on has ``value = "not applicable"`` and `why`.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from harness.complaint import Complaint
from harness.versions import ALWAYS, Condition, Versions, condition, telling
from reference.axis import NOT_APPLICABLE, Value
from reference.chosen import Conventions, admit
from reference.conventions import REGISTRY
from suites.vocabulary import ABSENT, Absent, Cast, Layer, Scenario

CONTEXT: dict[str, tuple[Any, ...]] = {
    "rank": (2, 3, 4, 5),
    "fused": ("absent", "true", "false"),
    "updates_in_place": ("absent", "true", "false"),
    "zero_debias": ("absent", "true", "false"),
    "dtype": ("float16", "bfloat16", "float32", "float64"),
    "input": ("absent", "float16", "bfloat16", "float32", "float64"),
    "layout": ("last", "default", "channels-second", "other"),
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
    version: Condition = ALWAYS

    def holds(self, context: Context) -> bool:
        """Tell whether this declaration speaks of a context."""
        return all(context.get(key) in admitted for key, admitted in self.when.items())

    def meets(self, other: Declaration) -> bool:
        """Tell whether there is a context and a version of which both declarations speak."""
        shared = self.when.keys() & other.when.keys()
        return all(set(self.when[key]) & set(other.when[key]) for key in shared) and any(
            self.version.holds(versions) and other.version.holds(versions)
            for versions in telling((self.version, other.version))
        )


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

    def changed(self, own: Declarations) -> Declarations:
        """Return these declarations with others on the axes of which `own` speaks."""
        axes = {entry.axis for entry in own.entries}
        kept = tuple(entry for entry in self.entries if entry.axis not in axes)
        return Declarations((*kept, *own.entries), {**self.measured, **own.measured})

    def of(self, versions: Versions) -> Declarations:
        """Return what is declared of these versions."""
        held = (entry for entry in self.entries if entry.version.holds(versions))
        return Declarations(tuple(held), self.measured)

    def at(self, context: Context) -> Conventions:
        """Return the conventions in force in a context; of some versions, where those matter."""
        return Conventions(
            {entry.axis: entry.value for entry in self.entries if entry.holds(context)}
        )

    def by_axis(self) -> dict[str, list[Declaration]]:
        """Return the declarations of each axis of the registry."""
        found: dict[str, list[Declaration]] = {axis: [] for axis in REGISTRY}
        for entry in self.entries:
            found[entry.axis].append(entry)
        return found

    def expect_no_overlap(self) -> None:
        """Raise ValueError where two declarations of one axis speak of the same."""
        for axis, entries in self.by_axis().items():
            for one, other in itertools.combinations(entries, 2):
                if one.meets(other):
                    raise ValueError(f"{axis} is declared twice for {what_both_say(one, other)}")

    def gaps(self, admitted: Callable[[Versions], bool]) -> list[tuple[str, dict[str, Any]]]:
        """Return the axes, each with a context and versions, about which nothing is declared.

        `admitted` tells which versions there are.
        """
        found: dict[str, dict[str, Any]] = {}
        for axis, entries in self.by_axis().items():
            keys = [key for key in CONTEXT if any(key in entry.when for entry in entries)]
            points = [at for at in telling(entry.version for entry in entries) if admitted(at)]
            products = itertools.product(points, *(CONTEXT[key] for key in keys))
            for versions, *values in products:
                context = dict(zip(keys, values, strict=True))
                if not any(e.holds(context) and e.version.holds(versions) for e in entries):
                    found.setdefault(axis, {**context, **versions})
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
    declared.expect_no_overlap()
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
    when = dict(entry.get("when", {}))
    try:
        version = condition(when.pop("version")) if "version" in when else ALWAYS
    except ValueError as error:
        raise ValueError(f"when of {axis}: {error}") from error
    limits = conditions(axis, when)
    note = entry.get("note")
    return Declaration(axis, entry["value"], limits, tuple(cite), why, note, version)


def conditions(axis: str, when: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the conditions of a declaration. Raises ValueError with what is wrong."""
    expect_keys(when, {*CONTEXT, "version"}, f"when of {axis}")
    for key, values in when.items():
        if not isinstance(values, list) or not values or set(values) - set(CONTEXT[key]):
            known = ", ".join(str(value) for value in CONTEXT[key])
            raise ValueError(f"{key} of {axis} must be a list of some of {known}")
    return {key: tuple(values) for key, values in when.items()}


def expect_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise ValueError for a key that means nothing in a table."""
    if unknown := sorted(set(table) - known):
        raise ValueError(f"{where} has no key {unknown[0]!r}; it has {', '.join(sorted(known))}")


def what_both_say(one: Declaration, other: Declaration) -> str:
    """Return circumstances of which two declarations that meet both speak."""
    parts = [
        f"{key} {value}"
        for key, values in CONTEXT.items()
        if key in one.when or key in other.when
        for value in values
        if value in one.when.get(key, values) and value in other.when.get(key, values)
    ]
    texts = dict.fromkeys((*one.version.texts, *other.version.texts))
    return ", ".join([*parts, *texts]) or "all circumstances"


def contexts() -> Iterator[dict[str, Any]]:
    """Yield every combination of context values that a scenario can have."""
    for values in itertools.product(*CONTEXT.values()):
        yield dict(zip(CONTEXT, values, strict=True))


def written(argument: bool | Absent) -> str:
    """Return how an argument that is true, false or absent is written in `when`."""
    return "absent" if argument is ABSENT else str(argument).lower()


def layout_of(layer: Layer) -> str:
    """Return where a layer's channels are said to be; named last is the same as last."""
    axis = layer.channel_axis_argument
    if isinstance(axis, Absent):
        return layer.channel_axis
    axis %= layer.rank
    return "last" if axis == layer.rank - 1 else "channels-second" if axis == 1 else "other"


def cast_layer(scenario: Scenario) -> Layer:
    """Return a scenario's layer with the dtype it has in the end."""
    casts = [step.dtype for step in scenario.steps if isinstance(step, Cast)]
    return replace(scenario.layer, dtype=casts[-1]) if casts else scenario.layer


def context_of(asked: Layer | Scenario, execution: str, device: str) -> dict[str, Any]:
    """Return the context a layer puts an implementation in; in a scenario, as it is cast last."""
    layer = asked if isinstance(asked, Layer) else cast_layer(asked)
    return {
        "rank": layer.rank,
        "fused": written(layer.fused),
        "updates_in_place": written(layer.updates_in_place),
        "zero_debias": written(layer.zero_debias),
        "dtype": layer.dtype,
        "input": "absent" if layer.input_dtype is ABSENT else layer.input_dtype,
        "layout": layout_of(layer),
        "execution": execution,
        "device": device,
    }
