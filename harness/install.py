"""Calling uv: where it is, which options it gets and what its failures mean.

``make setup`` runs this module before anything is installed, so it needs only the standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROJECT = Path(__file__).resolve().parent.parent
_FOREIGN = ("CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "UV_PYTHON", "VIRTUAL_ENV")
_LONGEST_LINK = 300

# What uv's message says, what that means and what to do. The first that matches counts.
_MEANINGS = (
    (
        r"No space left on device|os error 28\b|Disk quota exceeded",
        "the disk is full",
        "Free some space, or set BNCONFORM_CACHE and UV_CACHE_DIR to folders on a larger disk.",
    ),
    (
        r"Permission denied|Read-only file system",
        "a folder cannot be written",
        "Set BNCONFORM_CACHE and UV_CACHE_DIR to folders that you may write.",
    ),
    (
        r"Failed to (fetch|download)|error sending request|dns error|network was disabled",
        "the package index could not be reached",
        "Check the network, or set PIP_INDEX_URL to an index that can be reached.",
    ),
    (
        r"Failed to build|build backend",
        "a package could not be built from its source",
        "Install a C compiler and the Python headers, or use an interpreter that has wheels.",
    ),
    (
        r"no wheels with a matching|does not satisfy Python",
        "a package has no build for this interpreter or machine",
        "Use another version of Python.",
    ),
    (
        r"No solution found|was not found in|no version of|Distribution not found",
        "the package index does not offer what is needed",
        "Set PIP_INDEX_URL to an index that has it, or PIP_FIND_LINKS to a folder of wheels.",
    ),
)
# How one link of uv's chain of causes begins, in the forms it has had.
_LINK = r"^\s*(?:error:|cause:|Caused by:|×|├─▶|╰─▶)"


class Unavailable(Exception):
    """Something needed from outside is not there; the text is a sentence for the user."""


def uv_executable() -> str:
    """Return the uv that is installed beside this Python, else the one on PATH.

    Raises:
        Unavailable: there is no uv.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - absent until `make setup` has installed it

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        message = "uv, which makes the environments, was not found. Run 'pip install uv'."
        raise Unavailable(message)
    return found


def wheel_options(environ: Mapping[str, str]) -> list[str]:
    """Return uv's options that decide which builds are taken.

    With ``PIP_FIND_LINKS`` (separated by spaces, as pip reads it) each entry is passed on, since uv
    does not read that variable. Without it, and unless uv is told otherwise, PyTorch is the CPU
    build, which needs no CUDA.
    """
    entries = environ.get("PIP_FIND_LINKS", "").split()
    if entries:
        return [option for entry in entries for option in ("--find-links", _absolute(entry))]
    return [] if environ.get("UV_TORCH_BACKEND") else ["--torch-backend", "cpu"]


def index_options(environ: Mapping[str, str]) -> list[str]:
    """Return uv's options for the package indexes that pip's own variables name.

    pip takes the best version that any index has; uv by default takes the first index that knows
    the name, so extra indexes come with the strategy that makes uv do as pip does.
    """
    options = []
    if index := environ.get("PIP_INDEX_URL", "").strip():
        options += ["--default-index", index]
    if extra := environ.get("PIP_EXTRA_INDEX_URL", "").split():
        options += [option for entry in extra for option in ("--index", entry)]
        if not environ.get("UV_INDEX_STRATEGY"):
            options += ["--index-strategy", "unsafe-best-match"]
    return options


def uv_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables uv runs under: all but those that point at some other Python."""
    return {name: value for name, value in environ.items() if name not in _FOREIGN}


def run_uv(arguments: Sequence[str], *, folder: Path, doing: str) -> str:
    """Run uv in ``folder``, whose parents hold no project that could configure it; return stdout.

    ``doing`` completes the sentence "... could not be ..." of the error.

    Raises:
        Unavailable: uv is missing or failed; the sentence has uv's cause and what to do.
    """
    command = [uv_executable(), "--color", "never", "--no-progress", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=uv_environ(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        message = f"{doing}: {explain_failure(done.stderr, done.returncode)}"
        raise Unavailable(message)
    return done.stdout


def explain_failure(stderr: str, status: int) -> str:
    """Return what a failure of uv means, uv's own cause in brief, and what to do."""
    cause = _cause(stderr)
    for pattern, meaning, hint in _MEANINGS:
        if re.search(pattern, stderr, re.IGNORECASE):
            return f"{meaning} (uv said: {cause}). {hint}"
    if status < 0:
        return f"uv was stopped by signal {-status}. Run it again."
    return f"uv failed with exit status {status} and said: {cause or 'nothing'}"


def _cause(stderr: str) -> str:
    """Return the ends of uv's chain of causes in one line, without passwords."""
    text = re.sub(r"://[^/@\s]+@", "://", stderr).split("hint:")[0]
    links = [" ".join(link.split()) for link in re.split(_LINK, text, flags=re.MULTILINE)]
    told = [link.rstrip(".:") for link in links[1:] or links if link]
    return "; ".join(_shortened(link) for link in dict.fromkeys([*told[:1], *told[-1:]]))


def _shortened(text: str) -> str:
    half = _LONGEST_LINK // 2
    return text if len(text) <= _LONGEST_LINK else f"{text[:half]} … {text[-half:]}"


def _absolute(entry: str) -> str:
    return entry if "://" in entry else str(Path(entry).expanduser().absolute())


def _pinned_uv(project: Path) -> str:
    with (project / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    return next(str(pin) for pin in extras["dev"] if re.match(r"uv\s*==", pin))


def set_up(project: Path) -> int:
    """Install uv, then the project with its frameworks and tools, into the running environment.

    Returns the exit status; what pip or uv has to say goes to the terminal as it comes.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if status := subprocess.run([*pip, _pinned_uv(project)], check=False).returncode:
        print("uv could not be installed with pip; its message above says why.", file=sys.stderr)  # noqa: T201
        return status
    options = [*wheel_options(os.environ), *index_options(os.environ)]
    install = ["pip", "install", "--python", sys.executable, *options]
    done = subprocess.run(
        [uv_executable(), *install, "--editable", f"{project}[frameworks,dev,mutation]"],
        check=False,
        env=uv_environ(os.environ),
    )
    if done.returncode:
        print("The project could not be installed; uv's message above says why.", file=sys.stderr)  # noqa: T201
    return done.returncode


if __name__ == "__main__":
    try:
        sys.exit(set_up(_PROJECT))
    except KeyboardInterrupt:
        sys.exit(130)
