"""The registry of implementations, read from ``adapters/implementations.toml``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

import adapters
from harness import declarations
from harness.complaint import Complaint
from harness.declarations import Declaration, Declarations
from harness.environments import Unavailable, pinned
from harness.interpreters import first_interpreter
from harness.known import Expectations, expectations
from harness.versions import Versions, condition
from reference.chosen import Conventions
from suites.vocabulary import Scenario

FOLDER = Path(adapters.__file__).parent
THIS = "this"
RELEASE = "release"
FEW = 8
UNDER = "+"
"""Between the name of an implementation and that of another execution."""
EXECUTION = "BNCONFORM_EXECUTION"
"""The variable that tells an adapter which execution it is asked under."""
NOTHING = Declarations((), {})


@dataclass(frozen=True)
class Implementation:
    """One way to get BatchNorm, and where it runs; at exact versions, where those are known.

    `entry` is its name in the registry, `name` what tells it from the same at other versions.
    `packages` are what it rests on, the principal one first, each with the versions that its
    adapter can drive; `versions` are the exact ones, and `used` those of an ordinary run.
    `environment` is "this", an extra of pyproject.toml to isolate, or "release": made for the
    versions in `asked`, with what these import and do not ask for (`needs`). `python` are the
    interpreters of an extra, best first.
    `interpreter`, where given, is the Python of an environment the user made.
    `instead_of` names the implementation this one stands in for where that one has no interpreter;
    one that is not `default` answers only where it is named. `succeeds` names the one that users of
    earlier versions had in its place.
    `transformation` names what the framework makes of the layer before it is executed, such as a
    compiled or an exported program; empty where that is nothing.
    """

    name: str
    title: str
    adapter: str
    environment: str = THIS
    python: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    execution: str = "eager"
    transformation: str = ""
    device: str = "cpu"
    instead_of: str | None = None
    succeeds: str | None = None
    default: bool = True
    packages: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    declared: Declarations = NOTHING
    entry: str = ""
    versions: Versions = field(default_factory=dict)
    asked: Versions = field(default_factory=dict)
    used: Versions = field(default_factory=dict)
    interpreter: Path | None = None

    def __post_init__(self) -> None:
        """Let `entry` be the name where nothing else is said."""
        object.__setattr__(self, "entry", self.entry or self.name)

    @cached_property
    def in_force(self) -> Declarations:
        """Return what is declared of its versions; of those measured last where none is known."""
        return self.declared.of(self.versions or self.declared.measured)

    @property
    def own(self) -> tuple[Declaration, ...]:
        """Return what is declared of it; of another execution, only what its base does not."""
        if not self.transformation:
            return self.in_force.entries
        base = registered()[self.entry.partition(UNDER)[0]].declared.entries
        return tuple(entry for entry in self.in_force.entries if entry not in base)

    @cached_property
    def expectations(self) -> Expectations:
        """Return what is recorded of it besides declarations."""
        return expectations(self.entry, self.versions or self.declared.measured)

    @property
    def principal(self) -> str:
        """Return the package whose version is meant where none is named."""
        return next(iter(self.packages))

    def needed_by(self, versions: Versions) -> list[str]:
        """Return what these versions import and do not ask for, as requirements."""
        return [
            requirement
            for when, requirements in self.needs.items()
            if condition(when).holds(versions)
            for requirement in requirements
        ]

    def conventions(self, scenario: Scenario) -> Conventions:
        """Return what is declared in the context of a scenario."""
        context = declarations.context_of(scenario, self.execution, self.device)
        return self.in_force.at(context)

    def drives(self, package: str, version: str) -> bool:
        """Tell whether the adapter can drive this version of a package it rests on."""
        limit = self.packages.get(package)
        return limit is not None and SpecifierSet(limit).contains(version, prereleases=True)

    def at(self, asked: Versions) -> Implementation:
        """Return it at these versions of packages it rests on; itself where it has them already.

        Raises Complaint for a package it does not rest on, or a version it cannot drive.
        """
        for package, version in asked.items():
            if package not in self.packages:
                rests = ", ".join(self.packages) or "nothing that has versions"
                message = f"{self.entry} does not rest on {package}; it rests on {rests}."
                raise Complaint(message)
            if not self.drives(package, version):
                limit = self.packages[package]
                message = f"{self.entry} can be asked at {package}{limit}, not at {version}."
                raise Complaint(message)
        if self.environment != RELEASE and all(
            package in self.versions and Version(public(self.versions[package])) == Version(version)
            for package, version in asked.items()
        ):
            return self
        said = [
            version if package == self.principal else f"{package}=={version}"
            for package, version in asked.items()
        ]
        name = f"{self.entry}@{','.join(said)}"
        known_versions = {**self.used, **asked}
        return replace(
            self, name=name, environment=RELEASE, asked=dict(asked), versions=known_versions
        )

    def obstacle(self) -> str | None:
        """Return why no environment can be had, as a sentence; None where nothing stands against.

        Looks for interpreters only; makes nothing.
        """
        if self.environment in (THIS, RELEASE):
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
    under = {name: entry.pop("executions", {}) for name, entry in entries.items()}
    found = {name: read(name, entry) for name, entry in entries.items()}
    for name, executions in under.items():
        for execution, changes in executions.items():
            other = transformed(entries[name], found[name], execution, changes)
            found[other.name] = other
    return found


def untransformed() -> dict[str, Implementation]:
    """Return the implementations that execute the layer as it is, by name."""
    return {name: each for name, each in registered().items() if not each.transformation}


def transformed(
    entry: Mapping[str, Any], base: Implementation, execution: str, changes: Mapping[str, Any]
) -> Implementation:
    """Return an implementation under another execution, such as ``torch+compile``.

    `changes` are what its entry in the registry has otherwise. It declares what its base declares,
    but on the axes that are in a file of its own; it never answers unless it is named.
    """
    name = f"{base.name}{UNDER}{execution}"
    variables = {**base.variables, EXECUTION: execution}
    title = f"{base.title}, {changes['title']}"
    own = FOLDER / "declared" / f"{name}.toml"
    declared = base.declared.changed(declarations.load(own)) if own.exists() else base.declared
    taken = {**entry, "default": False, "instead_of": None, **changes}
    told = {"title": title, "variables": variables, "python": tuple(changes.get("python", ()))}
    found = Implementation(
        name=name,
        declared=declared,
        transformation=execution,
        **{**taken, **told},
    )
    used = in_use(found)
    return replace(found, versions=used, used=used)


def read(name: str, entry: dict[str, object]) -> Implementation:
    """Return one entry of the registry with its declarations, at the versions in use."""
    declared = declarations.load(FOLDER / "declared" / f"{entry.pop('declared', name)}.toml")
    entry["python"] = tuple(entry.get("python", ()))  # type: ignore[arg-type]
    found = Implementation(name=name, declared=declared, **entry)  # type: ignore[arg-type]
    used = in_use(found)
    return replace(found, versions=used, used=used)


def in_use(implementation: Implementation) -> dict[str, str]:
    """Return the versions an ordinary run has; none where they are not known beforehand."""
    if implementation.environment == THIS:
        return {name: text for name in implementation.packages if (text := installed(name))}
    if implementation.environment == RELEASE:
        return {}
    return pinned(implementation.environment, implementation.packages)


def public(version: str) -> str:
    """Return a version without what a builder added: ``2.13.0`` of ``2.13.0+cpu``."""
    return Version(version).public


def installed(package: str) -> str | None:
    """Return the version of a package in this environment; None where it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def named(names: Iterable[str]) -> list[Implementation]:
    """Return the implementations asked for, each once. Raises Complaint, see `one_named`."""
    found = {each.name: each for each in map(one_named, names)}
    return list(found.values())


def one_named(text: str) -> Implementation:
    """Return the implementation of ``torch``, ``torch@1.4.0`` or ``keras-torch@3.3.3,torch==2.3``.

    Raises Complaint with the nearest right name, or for versions it cannot be asked at.
    """
    name, at, versions = text.partition("@")
    found = registered()[known(name, registered(), "implementation")]
    if not at:
        return found
    asked: dict[str, str] = {}
    for each in versions.split(","):
        package, pinned_to, version = each.rpartition("==")
        asked[package if pinned_to else found.principal] = expect_version(version)
    return found.at(asked)


def expect_version(text: str) -> str:
    """Return a version as the index spells it. Raises Complaint for what is none."""
    try:
        return str(Version(text))
    except InvalidVersion:
        message = f"{text!r} is not a version. Write it like torch@1.4.0."
        raise Complaint(message) from None


def default() -> list[Implementation]:
    """Return the implementations of an ordinary run.

    One that stands in for another takes part only where that other has no interpreter and it has.
    """
    chosen = []
    for implementation in registered().values():
        if not implementation.default:
            continue
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
