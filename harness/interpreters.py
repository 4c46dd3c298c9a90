"""Finding an installed CPython of a given version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.install import Unavailable, run_uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ASK = (
    "import platform as p;"
    "print(p.python_implementation(), p.python_version(), p.system(), p.machine())"
)
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Interpreter:
    """A Python that ran and said what it is: ``CPython``, ``3.7.16``, ``Linux``, ``x86_64``."""

    path: Path
    implementation: str
    version: str
    system: str
    machine: str

    def provides(self, version: str) -> bool:
        """Say whether this is a CPython of ``version``, given as ``3.7`` or ``3.7.16``."""
        return self.implementation == "CPython" and f"{self.version}.".startswith(f"{version}.")


def inspect_interpreter(path: Path) -> Interpreter | None:
    """Run the Python at ``path`` and return what it says it is; None when it does not run."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _ASK],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS_TO_ANSWER,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = done.stdout.split()
    return Interpreter(path, *answer) if done.returncode == 0 and len(answer) == 4 else None


def override_variable(version: str) -> str:
    """Return the environment variable that names the interpreter of ``version``."""
    return "BNCONFORM_PYTHON_" + "_".join(version.split(".")[:2])


def find_interpreter(version: str) -> Path:
    """Return a CPython of ``version`` (``3.7``) that runs.

    Looked at in this order: the variable ``BNCONFORM_PYTHON_3_7``, PATH, pyenv, conda, the running
    Python and what uv manages. The variable, when set, is the only place looked at.

    Raises:
        Unavailable: there is none, or the variable names something else.
    """
    variable = override_variable(version)
    if override := os.environ.get(variable):
        return _overriding(variable, Path(override).expanduser().absolute(), version)
    silent: list[Path] = []
    for candidate in _candidates(version):
        interpreter = inspect_interpreter(candidate)
        if interpreter is not None and interpreter.provides(version):
            return candidate
        silent.append(candidate)
    raise Unavailable(_missing(version, variable, silent))


def first_interpreter(versions: Sequence[str]) -> Interpreter:
    """Return the first of ``versions`` that is found.

    Raises:
        Unavailable: none is; the sentences say why not, version by version.
    """
    failures = []
    for version in versions:
        try:
            path = find_interpreter(version)
        except Unavailable as failure:
            failures.append(str(failure))
            continue
        if interpreter := inspect_interpreter(path):
            return interpreter
    message = " ".join(failures) or "No version of Python was asked for."
    raise Unavailable(message)


def _overriding(variable: str, path: Path, version: str) -> Path:
    interpreter = inspect_interpreter(path)
    if interpreter is not None and interpreter.provides(version):
        return path
    if interpreter is not None:
        seen = f"which is {interpreter.implementation} {interpreter.version}"
    else:
        seen = "which does not run" if path.exists() else "which does not exist"
    message = (
        f"{variable} names {path}, {seen}. Set it to the executable of a CPython {version},"
        " or unset it to have one looked for."
    )
    raise Unavailable(message)


def _missing(version: str, variable: str, silent: list[Path]) -> str:
    places = "on PATH, in pyenv, in conda's environments or among the Pythons uv manages"
    seen = f"CPython {version} was not found {places}"
    if silent:
        tried = ", ".join(str(path) for path in silent[:3])
        seen += f" ({tried}{', …' if silent[3:] else ''} did not run as CPython {version})"
    # uv offers CPython 3.8 and later.
    tool = "uv python" if _numbers(version) >= (3, 8) else "pyenv"
    return f"{seen}. Run '{tool} install {version}', or set {variable} to its executable."


def _candidates(version: str) -> Iterator[Path]:
    """Yield what may be the interpreter, each once, dear sources last."""
    seen = set()
    for source in (_on_path, _in_pyenv, _in_conda, _running, _managed_by_uv):
        for path in source(version):
            if path not in seen and os.access(path, os.X_OK):
                seen.add(path)
                yield path


def _on_path(version: str) -> Iterator[Path]:
    name = "python" + ".".join(version.split(".")[:2])
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder:
            yield (Path(folder) / name).absolute()


def _in_pyenv(version: str) -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = (root / "versions").glob(f"{version}*")
    exact = [folder for folder in folders if f"{folder.name}.".startswith(f"{version}.")]
    for folder in sorted(exact, key=lambda folder: _numbers(folder.name), reverse=True):
        yield folder / "bin" / "python"


def _in_conda(version: str) -> Iterator[Path]:
    """Yield the Pythons of the environments conda lists and of the active one."""
    name = "python" + ".".join(version.split(".")[:2])
    listed = Path.home() / ".conda" / "environments.txt"
    prefixes = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    for prefix in [os.environ.get("CONDA_PREFIX", ""), *prefixes]:
        if prefix.strip():
            yield Path(prefix.strip()) / "bin" / name


def _running(version: str) -> Iterator[Path]:
    if f"{sys.version.split()[0]}.".startswith(f"{version}."):
        yield Path(sys.executable)


def _managed_by_uv(version: str) -> Iterator[Path]:
    find = ["python", "find", "--managed-python", "--no-python-downloads", "--no-project"]
    try:
        found = run_uv([*find, version], folder=Path.home(), doing="uv has no such Python")
    except (Unavailable, OSError):
        return
    yield Path(found.strip())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
