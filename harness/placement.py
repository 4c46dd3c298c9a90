"""Where an implementation runs: its Python, its variables, and everything that is installed there.

Environments of releases are resolved and made here on first use.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import stand_ins
from harness.cache import cache_root
from harness.environments import (
    describe_environment,
    environment_python,
    make_environment,
    record_of,
)
from harness.implementations import RELEASE, THIS, Implementation
from harness.install import Unavailable
from harness.interpreters import find_interpreter, inspect_interpreter
from harness.releases import newest_of
from harness.resolution import Resolution, resolve
from harness.times import Times
from harness.workers import Command

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where one implementation runs.

    `versions` are those of the packages it rests on, `environment` is what is installed there:
    ``python``, ``implementation``, ``system``, ``machine`` and ``packages``; and, of an environment
    of a release, how it came about: ``as_of``, ``left_out`` and ``stand_ins``.
    """

    implementation: Implementation
    command: Command
    environment: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def caveats(self) -> list[str]:
        """Return what makes results obtained here unusual."""
        made = self.environment.get("stand_ins")
        return [f"{stand_ins.UNSUPPORTED} ({len(made)} of them)."] if made else []


def place_of(
    implementation: Implementation, progress: Callable[[str], None], times: Times | None = None
) -> Place:
    """Return where an implementation runs, making its environment where it is not there.

    Raises Unavailable where there is none to be had.
    """
    times = times or Times()
    if implementation.interpreter is not None:
        return of_the_user(implementation, implementation.interpreter)
    if implementation.environment == THIS:
        command = Command(Path(sys.executable), implementation.adapter, implementation.variables)
        return placed(implementation, command, this_environment())
    if implementation.environment == RELEASE:
        python = release_python(implementation, progress, times)
    else:
        with times.spent("install"):
            python = environment_python(implementation.environment, implementation.python, progress)
    return isolated(implementation, python)


def of_the_user(implementation: Implementation, python: Path) -> Place:
    """Return a place in an environment that the user made."""
    command = Command(python, implementation.adapter, implementation.variables, isolated=True)
    return placed(implementation, command, describe_environment(python))


def isolated(implementation: Implementation, python: Path) -> Place:
    """Return a place in an environment that was made here."""
    home = python.parent.parent
    loader = stand_ins.variables(home, os.environ)
    variables = {**loader, **implementation.variables}
    command = Command(python, implementation.adapter, variables, isolated=True)
    os.utime(home)  # `bnconform environments prune` goes by when it was used last.
    return placed(implementation, command, record_of(home) or describe_environment(python))


def placed(implementation: Implementation, command: Command, environment: Json) -> Place:
    """Return a place with the versions that are installed there."""
    packages = environment["packages"]
    versions = {
        name: packages[found]
        for name in implementation.packages
        for found in (name, f"{name}-cpu")
        if found in packages
    }
    known = replace(implementation, versions=versions) if versions else implementation
    return Place(known, command, environment, versions)


def this_environment() -> Json:
    """Return what the environment is in which this runs."""
    packages = {each.name: each.version for each in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "packages": packages,
    }


def release_python(
    implementation: Implementation, progress: Callable[[str], None], times: Times
) -> Path:
    """Return the Python of the environment of a release. Raises Unavailable."""
    with times.spent("resolve"):
        found = resolution_of(implementation, progress)
        interpreter = inspect_interpreter(find_interpreter(found.python))
    if interpreter is None:
        raise Unavailable(f"CPython {found.python} has gone. Install it again.")
    about = {"asked": implementation.asked, "as_of": found.as_of, "left_out": found.left_out}
    name = "-".join(f"{package}-{version}" for package, version in implementation.asked.items())
    with times.spent("install"):
        return make_environment(name, found.requirements, interpreter, progress, resolved=about)


def resolution_of(implementation: Implementation, progress: Callable[[str], None]) -> Resolution:
    """Return what the environment of a release holds. Raises Unavailable.

    Where no version was asked for, the newest is meant that the adapter can drive.
    """
    asked = dict(implementation.asked)
    if not asked:
        principal = implementation.principal
        newest = newest_of(principal, lambda each: implementation.drives(principal, str(each)))
        asked = {principal: str(newest)}
    others = {name: limit for name, limit in implementation.packages.items() if name not in asked}
    folder = cache_root() / "resolutions"
    used = implementation.used
    needs = implementation.needed_by({**used, **asked})
    return resolve(asked, others, used, folder, progress, needs)
