"""Isolated environments: made on first use with uv, then kept.

An environment is one folder of the cache, ``<name>-<key>``, where the key stands for everything
that decides what is inside. It is made under another name and renamed when it is complete, so a
folder of that name is a complete environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cache import DISTRIBUTION, cache_root
from harness.install import Unavailable, index_options, run_uv, wheel_options
from harness.interpreters import (
    Interpreter,
    find_interpreter,
    first_interpreter,
    inspect_interpreter,
)
from harness.stand_ins import make_importable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "Unavailable",
    "describe_environment",
    "environment_python",
    "find_interpreter",
    "make_environment",
    "pinned",
    "requirements_of",
]

RECORD = "bnconform.json"


def environment_python(
    extra: str, python_versions: Sequence[str], progress: Callable[[str], None]
) -> Path:
    """Return the Python of the environment that holds ``extra`` of this distribution.

    ``python_versions`` (``["3.11", "3.10"]``) are tried in order; ``progress`` is given sentences
    while the environment is made, which takes a minute the first time.

    Raises:
        Unavailable: there is no such extra or interpreter, or the environment cannot be made.
    """
    interpreter = first_interpreter(python_versions)
    requirements = requirements_of(extra, interpreter.version)
    return make_environment(extra, requirements, interpreter, progress)


def requirements_of(extra: str, python_version: str) -> tuple[str, ...]:
    """Return the requirements that ``extra`` has on ``python_version`` (``3.7.16``), sorted.

    Raises:
        Unavailable: this distribution is not installed or has no such extra.
    """
    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        message = f"{DISTRIBUTION} is not installed in this Python. Run 'make setup'."
        raise Unavailable(message) from None
    extras = sorted(canonicalize_name(name) for name in about.get_all("Provides-Extra") or [])
    if canonicalize_name(extra) not in extras:
        message = f"{DISTRIBUTION} has no extra '{extra}'; it has {', '.join(extras)}."
        raise Unavailable(message)
    requirements = map(Requirement, metadata.requires(DISTRIBUTION) or [])
    return tuple(sorted(_bare(each) for each in requirements if _adds(extra, each, python_version)))


def pinned(extra: str, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions that ``extra`` pins of these packages; none where it cannot be read."""
    try:
        about = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for requirement in map(Requirement, about):
        marker, name = requirement.marker, requirement.name.removesuffix("-cpu")
        if name in packages and marker is not None and marker.evaluate({"extra": extra}):
            for pin in requirement.specifier:
                found[name] = pin.version
    return found


def make_environment(
    name: str,
    requirements: Sequence[str],
    interpreter: Interpreter,
    progress: Callable[[str], None],
    *,
    resolved: Mapping[str, object] | None = None,
) -> Path:
    """Return the Python of an environment with ``requirements``, making it when it is not there.

    Any number of processes may ask at once: one makes it, the others wait for that; and no two
    install at the same time. ``resolved``, where given, says that the requirements are complete,
    so that nothing else is installed, and what is to be remembered of how they came about.

    Raises:
        Unavailable: the environment cannot be made; the sentence says why and what to do.
    """
    try:
        root = environments_root()
        root.mkdir(parents=True, exist_ok=True)
        home = root / f"{name}-{_key(requirements, interpreter, complete=resolved is not None)}"
        if not _works(home):
            with _held(home, lambda: progress(f"Waiting for another process to make {name}.")):
                if not _works(home):
                    waiting = f"Waiting for another installation before making {name}."
                    with _held(root / "installing", lambda: progress(waiting)):
                        _build(name, home, requirements, interpreter, progress, resolved)
    except OSError as error:
        seen = f"could not be made in {environments_root()}: {error.strerror or error}"
        hint = "Make room there, or set BNCONFORM_CACHE to a folder that can be written."
        message = f"The environment {name} {seen}. {hint}"
        raise Unavailable(message) from error
    return _python(home)


def describe_environment(python: Path) -> dict[str, object]:
    """Return what an environment is: ``python``, ``implementation``, ``machine``, ``packages``.

    ``packages`` maps each distribution's name to its version.

    Raises:
        Unavailable: the Python does not run, or uv cannot list what it has.
    """
    interpreter = inspect_interpreter(python)
    if interpreter is None:
        message = f"{python} does not run. Remove its environment, which is then made anew."
        raise Unavailable(message)
    arguments = ["pip", "list", "--format", "json", "--python", str(python)]
    doing = f"The packages of {python} could not be listed"
    listed = json.loads(run_uv(arguments, folder=python.parent, doing=doing))
    return {
        "python": interpreter.version,
        "implementation": interpreter.implementation,
        "system": interpreter.system,
        "machine": interpreter.machine,
        "packages": {package["name"]: package["version"] for package in listed},
    }


def _build(
    name: str,
    home: Path,
    requirements: Sequence[str],
    interpreter: Interpreter,
    progress: Callable[[str], None],
    resolved: Mapping[str, object] | None,
) -> None:
    """Make the environment beside ``home``, then give it that name; the lock is held."""
    progress(f"Making the environment {name} on CPython {interpreter.version}.")
    started = time.monotonic()
    _clear(home)
    partial = Path(tempfile.mkdtemp(prefix=_partial_prefix(home), dir=home.parent))
    try:
        complete = resolved is not None
        _install(name, partial, requirements, interpreter, complete=complete)
        stand_ins = _make_importable(partial, requirements)
        record = {"name": name, "stand_ins": stand_ins, **(resolved or {})}
        size = bytes_in(partial)
        record |= {"requirements": sorted(requirements), "bytes": size}
        record |= describe_environment(_python(partial))
        (partial / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if not _works(home):
        message = f"The environment {name} was made at {home}, but its Python does not run."
        raise Unavailable(message)
    took = f"{time.monotonic() - started:.0f} s, {megabytes(size)}"
    progress(f"Made the environment {name} in {took}.")


def record_of(home: Path) -> dict[str, Any]:
    """Return what is remembered of an environment; nothing where that cannot be read."""
    try:
        record = json.loads((home / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def megabytes(size: int) -> str:
    """Return a size in bytes as text."""
    return f"{size / 1e6:.0f} MB"


def bytes_in(folder: Path) -> int:
    """Return the size of all files in a folder, those shared with uv's cache included."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _make_importable(folder: Path, requirements: Sequence[str]) -> list[str]:
    """Return the stand-ins made so that PyTorch can be imported, where it is installed."""
    names = {canonicalize_name(Requirement(each).name) for each in requirements}
    return make_importable(_python(folder), "torch", folder) if "torch" in names else []


def _install(
    name: str,
    folder: Path,
    requirements: Sequence[str],
    interpreter: Interpreter,
    *,
    complete: bool,
) -> None:
    python = ["--python", str(interpreter.path)]
    # Scripts of an environment that will be renamed must not name its folder.
    venv = ["venv", "--relocatable", "--no-project", "--no-python-downloads", "--prompt", name]
    doing = f"The environment {name} could not be made"
    run_uv([*venv, *python, str(folder)], folder=folder, doing=doing)
    if requirements:
        options = [*wheel_options(os.environ), *index_options(os.environ)]
        options += ["--no-deps"] if complete else []
        install = ["pip", "install", "--python", str(_python(folder)), *options, "--"]
        run_uv([*install, *requirements], folder=folder, doing=doing)


def _clear(home: Path) -> None:
    """Remove what runs that were killed left, and an environment whose Python has gone."""
    for leftover in home.parent.glob(_partial_prefix(home) + "*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if home.exists():
        broken = Path(tempfile.mkdtemp(prefix=_partial_prefix(home), dir=home.parent))
        shutil.rmtree(home.rename(broken / home.name).parent, ignore_errors=True)


def _key(requirements: Sequence[str], interpreter: Interpreter, *, complete: bool) -> str:
    """Return what tells environments apart; not the index, which says only where packages lie."""
    about = [interpreter.implementation, interpreter.version, interpreter.system]
    about += [interpreter.machine, *wheel_options(os.environ)]
    text = json.dumps(
        [sorted(requirements), about, os.environ.get("UV_TORCH_BACKEND", ""), complete]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _held(home: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of one environment; ``waiting`` is called when another process has it."""
    lock = FileLock(f"{home}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _adds(extra: str, requirement: Requirement, python_version: str) -> bool:
    """Say whether it is ``extra`` that brings in ``requirement`` on that version of Python."""
    short = ".".join(python_version.split(".")[:2])
    python = {"python_version": short, "python_full_version": python_version}
    marker = requirement.marker
    return (
        marker is not None
        and marker.evaluate({**python, "extra": extra})
        and not marker.evaluate({**python, "extra": ""})
    )


def _bare(requirement: Requirement) -> str:
    requirement.marker = None
    return str(requirement)


def environments_root() -> Path:
    """Return the folder that holds the environments."""
    return cache_root() / "environments"


def _partial_prefix(home: Path) -> str:
    return f".{home.name}.partial-"


def _python(home: Path) -> Path:
    return home / "bin" / "python"


def _works(home: Path) -> bool:
    return home.exists() and inspect_interpreter(_python(home)) is not None
