"""From the versions asked for to everything an environment will hold, as of their release.

An old release is resolved as of the day it was uploaded, so that it gets the NumPy and the protobuf
of its time. What is resolved once is kept: a release that is out does not change.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cache import keep
from harness.install import Unavailable, index_options, run_uv, wheel_options
from harness.interpreters import Interpreter, first_interpreter
from harness.releases import File, files_of, release_of
from harness.versions import Versions

PYTHONS = ("3.11", "3.10", "3.9", "3.8", "3.7", "3.6", "3.12", "3.13", "3.14")
"""Interpreters in the order they are tried, of those that the release has a build for."""
SMALLER = {"tensorflow": "tensorflow-cpu"}
"""Builds without CUDA under a name of their own, on Linux on x86_64."""
CUDA = re.compile(r"(nvidia|cuda|triton|pytorch-triton)(-|$)")
CUDA_VARIABLE = "BNCONFORM_CUDA"
SETUPTOOLS_BUILDS_ALONE = "2019-03-01"
"""Source distributions resolved as of an earlier day build only with a later setuptools."""


@dataclass(frozen=True)
class Resolution:
    """What an environment will hold.

    `requirements` are exact, as ``torch==1.4.0``; `python` is like ``3.7``; `as_of` the day the
    rest was resolved for, if any; `left_out` are CUDA's packages, which are not installed.
    """

    requirements: tuple[str, ...]
    python: str
    as_of: str | None
    left_out: tuple[str, ...]

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions by package; a build without CUDA counts as the package itself."""
        plain = {smaller: name for name, smaller in SMALLER.items()}
        pins = [line.partition("==") for line in self.requirements]
        return {plain.get(name, name): version for name, _, version in pins}


@dataclass(frozen=True)
class Attempt:
    """One way to choose the versions nobody named: exactly, or within limits; up to a day."""

    others: Mapping[str, str]
    dated: bool


def resolve(
    asked: Versions,
    others: Mapping[str, str],
    in_use: Versions,
    folder: Path,
    progress: Callable[[str], None],
    needs: Sequence[str] = (),
) -> Resolution:
    """Return what an environment with the versions asked for holds.

    `others` are the other packages needed, with the limits within which they may be chosen. They
    keep the versions `in_use` where that can be had, so that nothing changes besides what was asked
    for; else they are of the day of what was asked for; else the newest. `needs` are what a
    package forgets to ask for. `folder` is where resolutions are kept.

    Raises Unavailable, with what to do, where there is no such version, no interpreter or no
    network, or where the versions cannot be together.
    """
    kept = folder / f"{key(asked, others, in_use, needs)}.json"
    if (found := read(kept)) is not None:
        return found
    progress(f"Resolving {', '.join(f'{name} {version}' for name, version in asked.items())}.")
    interpreter = interpreter_for(asked)
    failures = []
    for attempt in attempts(others, in_use):
        try:
            found = attempted(asked, attempt, interpreter, needs)
        except Unavailable as failure:
            failures.append(failure)
            continue
        keep(asdict(found), kept)
        return found
    raise failures[-1]


def attempts(others: Mapping[str, str], in_use: Versions) -> Iterator[Attempt]:
    """Yield how to choose the versions nobody named, best first."""
    used = {name: f"=={in_use[name].partition('+')[0]}" for name in others if name in in_use}
    if used.keys() == others.keys():
        yield Attempt(used, dated=True)
    if others:
        yield Attempt(others, dated=True)
        yield Attempt(others, dated=False)


def attempted(
    asked: Versions, attempt: Attempt, interpreter: Interpreter, needs: Sequence[str]
) -> Resolution:
    """Return a resolution. Raises Unavailable."""
    exact = {
        **asked,
        **{name: limit[2:] for name, limit in attempt.others.items() if limit.startswith("==")},
    }
    limited = {name: limit for name, limit in attempt.others.items() if name not in exact}
    python = short(interpreter)
    wanted = [f"{build_of(name, version, python)}=={version}" for name, version in exact.items()]
    wanted += [f"{build_of(name, None, python)}{limit}" for name, limit in limited.items()]
    day = as_of(exact, python) if attempt.dated else None
    pins = compiled([*wanted, *needs, "numpy"], interpreter, day)
    kept = [pin for pin in pins if installs_cuda() or not CUDA.match(pin.partition("==")[0])]
    left_out = tuple(pin for pin in pins if pin not in kept)
    return Resolution(tuple(kept), interpreter.version, day, left_out)


def installs_cuda() -> bool:
    """Tell whether the user asked for CUDA's libraries to be installed."""
    return os.environ.get(CUDA_VARIABLE) == "install"


def compiled(wanted: Sequence[str], interpreter: Interpreter, day: str | None) -> list[str]:
    """Return exact requirements for everything that is needed. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.in"
        file.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        options = [*wheel_options(os.environ), *index_options(os.environ)]
        options += ["--exclude-newer", day] if day else []
        if day and day < SETUPTOOLS_BUILDS_ALONE:
            options += ["--exclude-newer-package", "setuptools=false"]
        compile_ = ["pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        command = [*compile_, *options, "--python", str(interpreter.path), str(file)]
        doing = f"{', '.join(wanted[:-1])} could not be resolved"
        said = run_uv(command, folder=Path(folder), doing=doing)
    return [line.strip() for line in said.splitlines() if "==" in line]


def interpreter_for(asked: Versions) -> Interpreter:
    """Return the first interpreter there is of those that all these releases are built for.

    Raises Unavailable where there is none; the sentence says how to get one.
    """
    fitting = [
        python
        for python in PYTHONS
        if all(build_for(name, version, python) for name, version in asked.items())
    ]
    if not fitting:
        said = " and ".join(f"{name} {version}" for name, version in asked.items())
        machine = f"{platform.system()} on {platform.machine()}"
        raise Unavailable(f"The package index has no build of {said} for CPython on {machine}.")
    return first_interpreter(fitting)


def build_for(name: str, version: str, python: str) -> list[File]:
    """Return the files of a release that install on CPython ``python``; wheels where there are."""
    files = [file for file in release_of(name, version) if file.fits(python)]
    return [file for file in files if file.tags] or files


def build_of(name: str, version: str | None, python: str) -> str:
    """Return the name of the build that is taken of a package; without CUDA where there is one."""
    smaller = SMALLER.get(canonicalize_name(name))
    if smaller is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return name
    files = files_of(smaller)
    if version is None:
        return smaller
    fits = any(str(file.version) == version and file.fits(python) for file in files)
    return smaller if fits else name


def as_of(exact: Versions, python: str) -> str | None:
    """Return the end of the day on which the last of these releases was uploaded.

    None where the index does not say when that was.
    """
    times: list[datetime] = []
    for name, version in exact.items():
        files = build_for(build_of(name, version, python), version, python)
        if not files or any(file.uploaded is None for file in files):
            return None
        times.append(min(file.uploaded for file in files if file.uploaded is not None))
    day = max(times).astimezone(UTC) + timedelta(days=1)
    return day.strftime("%Y-%m-%dT00:00:00Z")


def short(interpreter: Interpreter) -> str:
    """Return an interpreter's version as ``3.7``."""
    return ".".join(interpreter.version.split(".")[:2])


def key(asked: Versions, others: Mapping[str, str], in_use: Versions, needs: Sequence[str]) -> str:
    """Return what tells questions to `resolve` apart, on this machine."""
    used = {name: in_use[name] for name in others if name in in_use}
    machine = [platform.system(), platform.machine(), installs_cuda()]
    options = [*wheel_options(os.environ), *index_options(os.environ)]
    asking = [sorted(asked.items()), sorted(others.items()), used, sorted(needs)]
    text = json.dumps([asking, machine, options])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(file: Path) -> Resolution | None:
    """Return a resolution kept earlier, if its interpreter is still there."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        found = Resolution(
            tuple(str(Requirement(each)) for each in kept["requirements"]),
            str(kept["python"]),
            kept["as_of"],
            tuple(kept["left_out"]),
        )
        first_interpreter([found.python])
    except (OSError, ValueError, KeyError, TypeError, Unavailable):
        return None
    return found
