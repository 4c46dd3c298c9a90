"""Empty stand-ins for CUDA's libraries, where a build of PyTorch needs those merely to be imported.

On a machine without a GPU nothing in them is ever called. PyTorch does not support this: results
obtained so say it. ``BNCONFORM_CUDA=install`` has the real libraries installed instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.install import Unavailable

FOLDER = "stand-ins"
MISSING = re.compile(r"((?:lib)[\w.+-]+\.so[\d.]*): cannot open shared object file")
OF_CUDA = re.compile(r"lib(cu|nv|nccl|cudnn|cufile)")
MOST = 60
UNSUPPORTED = "CUDA's libraries are empty stand-ins, which PyTorch does not support"


def make_importable(python: Path, module: str, folder: Path) -> list[str]:
    """Make the stand-ins without which a module cannot be imported; return their names.

    `folder` is the environment's own. Raises Unavailable where the module cannot be imported for
    another reason, or no stand-in can be made.
    """
    made: list[str] = []
    for _ in range(MOST):
        failure = importing(python, module, folder)
        if failure is None:
            return made
        missing = MISSING.search(failure)
        if missing is None or not OF_CUDA.match(missing[1]) or missing[1] in made:
            said = failure.strip().splitlines()[-1:] or ["nothing"]
            raise Unavailable(f"{module} was installed but cannot be imported: {said[0]}")
        make(missing[1], folder / FOLDER, module)
        made.append(missing[1])
    raise Unavailable(f"{module} needs more than {MOST} libraries that are not there.")


def variables(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what puts the stand-ins of an environment on the loader's path; nothing without."""
    if not (folder / FOLDER).is_dir():
        return {}
    paths = [str(folder / FOLDER), environ.get("LD_LIBRARY_PATH", "")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(path for path in paths if path)}


def importing(python: Path, module: str, folder: Path) -> str | None:
    """Import a module; return what that printed where it failed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-c", f"import {module}"],
        env={**own, **variables(folder, own)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return done.stderr if done.returncode else None


def make(name: str, folder: Path, module: str) -> None:
    """Make one empty library. Raises Unavailable where there is nothing to make it with."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", "gcc"))), None)
    if compiler is None:
        message = (
            f"{module} from this package index needs {name}, a library of CUDA, to be imported."
            " Install a C compiler, so that an empty stand-in can be made, or set"
            " BNCONFORM_CUDA=install to have CUDA's libraries installed, which takes gigabytes."
        )
        raise Unavailable(message)
    folder.mkdir(exist_ok=True)
    options = ["-shared", "-nostdlib", f"-Wl,-soname,{name}", "-x", "c", os.devnull]
    done = subprocess.run(
        [compiler, *options, "-o", str(folder / name)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise Unavailable(f"The C compiler could not make a stand-in for {name}: {said[0]}")
