"""What is installed where a worker runs, and the settings it finds there, as far as they decide."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from harness.adapter_sources import INSTALLED, ROOT, Unknown
from harness.cache import cache_root
from harness.workers import ONE_THREAD, QUIET, Command

Json = dict[str, Any]
SECONDS_TO_ANSWER = 30
# Runs on CPython 3.6 too.
ASK = """
import json, os, platform, sys, sysconfig

try:
    library = os.confstr("CS_GNU_LIBC_VERSION")
except (ValueError, OSError):
    library = platform.mac_ver()[0] or " ".join(platform.libc_ver())
paths = sysconfig.get_paths()
print(json.dumps({
    "python": platform.python_version(),
    "implementation": platform.python_implementation(),
    "system": platform.system(),
    "machine": platform.machine(),
    "library": library,
    "prefix": sys.prefix,
    "path": sys.path,
    "standard": [paths["stdlib"], paths["platstdlib"]],
}))
"""
DECIDING = (
    *("TF_", "TF2_", "KERAS_", "TORCH", "PYTORCH", "ATEN", "XLA_", "JAX_", "AUTOGRAPH_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "DNNL_", "ONEDNN_"),
    *("CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "LD_", "DYLD_", "MALLOC_", "GLIBC_TUNABLES"),
    *("NPY_", "PYTHONHASHSEED", "PYTHONOPTIMIZE"),
)
"""How the variables begin that decide what frameworks, their libraries and the loader do."""
KERAS_DEFAULTS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "backend": "tensorflow",
    "image_data_format": "channels_last",
}
OF_THE_PROCESSOR = ("vendor_id", "flags", "CPU implementer", "CPU part", "Features")


def installed(command: Command, root: Path = ROOT) -> Json:
    """Return all that is known of what a worker's Python is and has installed; starts it once.

    An installed package counts with the hashes of its files that its RECORD names, the same
    wherever it is installed. In an environment that was not made here, which is anyone's to change,
    the size and the time of change of RECORD count too.

    Raises Unknown, with a sentence, where it cannot be known.
    """
    told = introduced(command)
    try:
        here = Path(told.pop("prefix"))
        ours = here.resolve().is_relative_to((cache_root() / "environments").resolve())
        standard = [Path(folder).resolve() for folder in told.pop("standard")]
        folders = installed_in(told.pop("path"), standard, root)
        packages = [each for folder in folders for each in distributions(folder, ours=ours)]
        system = sorted(file.name for file in (here / "conda-meta").glob("*.json"))
    except OSError as error:
        message = f"What is installed cannot be read: {error.strerror or error}."
        raise Unknown(message) from error
    return {**told, "packages": packages, "system packages": system}


def introduced(command: Command) -> Json:
    """Return what the worker's Python says of itself. Raises Unknown where it says nothing."""
    wordless = Unknown(f"{command.python} did not say what it is.")
    try:
        done = subprocess.run(
            [command.python, "-c", ASK],
            capture_output=True,
            check=True,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS_TO_ANSWER,
        )
        told = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        raise wordless from None
    if not isinstance(told, dict) or not {"prefix", "path", "standard"} <= told.keys():
        raise wordless
    return told


def installed_in(path: Iterable[str], standard: Sequence[Path], root: Path) -> Iterator[Path]:
    """Yield the folders of installed packages among those that a Python imports from.

    Raises Unknown for a folder of which nobody can know whether it has changed.
    """
    for entry in dict.fromkeys(path):
        folder = Path(entry)
        if not entry or not folder.exists():
            continue
        if folder.name in INSTALLED:
            yield folder
            continue
        known = folder.resolve() == root.resolve()  # What is imported from it is followed.
        if not known and not any(folder.resolve().is_relative_to(each) for each in standard):
            seen = "from which its Python imports too, may change unnoticed"
            raise Unknown(f"What is in {folder}, {seen}.")


def distributions(folder: Path, *, ours: bool) -> list[Json]:
    """Return what is installed in a folder; all of it but bnconform itself.

    Raises Unknown for a package whose files lie where its developer changes them.
    """
    found = []
    for about in sorted((*folder.glob("*.dist-info"), *folder.glob("*.egg-info"))):
        name, _, version = about.stem.partition("-")
        if canonicalize_name(name) == "bnconform":
            continue  # What a worker executes of it is known file by file.
        if is_editable(about):
            message = f"{name} is installed in editable form, so it may change unnoticed."
            raise Unknown(message)
        seen = changed(about)
        entry = {"name": canonicalize_name(name), "version": version, "files": files(about, *seen)}
        certain = ours and entry["files"]
        found.append(entry if certain else {**entry, "changed": seen})
    return found


def is_editable(about: Path) -> bool:
    """Tell whether a distribution's files are those its developer edits."""
    try:
        origin = json.loads((about / "direct_url.json").read_text("utf-8"))
        return bool(origin.get("dir_info", {}).get("editable"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (ValueError, AttributeError):
        return True  # Whoever wrote this may have installed it any way.


@cache
def files(about: Path, *_: int) -> str:
    """Return what stands for the installed files: their hashes in RECORD.

    Those of scripts and of the installer's notes, which name folders, are left out. Found once for
    each time that RECORD was changed.
    """
    try:
        lines = (about / "RECORD").read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    inside = about.name + "/"
    kept = [
        line
        for line in lines
        if not line.startswith(("..", inside)) and ".pyc," not in line and "sha" in line
    ]
    return hashlib.sha256("\n".join(sorted(kept)).encode()).hexdigest()


def changed(about: Path) -> tuple[int, ...]:
    """Return the size and time of change of what an installer writes for a distribution."""
    for file in (about / "RECORD", about / "PKG-INFO", about):
        if file.exists():
            seen = file.stat()
            return (seen.st_size, seen.st_mtime_ns)
    return ()


def deciding_variables(command: Command) -> dict[str, str]:
    """Return the variables a worker gets that decide what it does, with their values."""
    own = {*command.variables, *ONE_THREAD, *QUIET}
    home = str(command.python.parent.parent)
    return {
        name: value.replace(home, "{environment}")  # the same wherever it lies
        for name, value in command.environment.items()
        if name in own or name.startswith(DECIDING)
    }


def keras_settings(variables: Mapping[str, str]) -> Any:
    """Return what the user's file of settings for Keras says, but for what holds without it.

    Keras writes the file with its defaults where there is none.
    """
    home = variables.get("KERAS_HOME")
    if home is None:
        base = Path(variables.get("HOME", "~")).expanduser()
        home = str((base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras")  # noqa: S108 - where Keras looks
    try:
        text = Path(home, "keras.json").expanduser().read_text("utf-8")
    except (OSError, ValueError):
        return {}
    try:
        settings = json.loads(text).items()
    except (ValueError, AttributeError):
        return text
    return {
        name: value
        for name, value in settings
        if value is not None and value is not False and KERAS_DEFAULTS.get(name) != value
    }


@cache
def processor() -> dict[str, str]:
    """Return what the processor can do, which decides the kernels that libraries choose."""
    seen = {"name": platform.processor(), "machine": platform.machine()}
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return seen
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(":"))
        if name in OF_THE_PROCESSOR and name not in seen:
            seen[name] = " ".join(sorted(value.split()))
    return seen


def digest(value: object) -> str:
    """Return the SHA-256 of the one JSON text of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
