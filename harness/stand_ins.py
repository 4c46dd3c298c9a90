"""Stand-ins for CUDA's libraries, where a build of PyTorch needs those merely to be imported.

Each function in them only says that there is no device, and on a machine without a GPU nothing else
is asked. PyTorch does not support this: results obtained so say it. ``BNCONFORM_CUDA=install`` has
the real libraries installed instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.install import Unavailable

FOLDER = "stand-ins"
OF_CUDA = re.compile(r"lib(cu|nv|nccl)")
MISSING = re.compile(r"lib(?:cu|nv|nccl)[\w.+-]*\.so[\d.]*: cannot open shared object file")
NO_DEVICE = 100
"""What CUDA's functions return where there is no device."""
UNSUPPORTED = "CUDA's libraries are empty stand-ins, which PyTorch does not support"
ASK = """
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
"""


def make_importable(python: Path, module: str, folder: Path) -> list[str]:
    """Make the stand-ins without which a module cannot be imported; return their names.

    `folder` is the environment's own. Raises Unavailable where the module cannot be imported for
    another reason, or no stand-in can be made.
    """
    failure = importing(python, module, folder)
    made: list[str] = []
    if failure is not None and MISSING.search(failure):
        made = make_all(python, module, folder)
        failure = importing(python, module, folder)
    if failure is not None:
        said = failure.strip().splitlines()[-1:] or ["nothing"]
        raise Unavailable(f"{module} was installed but cannot be imported: {said[0]}")
    return made


def make_all(python: Path, module: str, folder: Path) -> list[str]:
    """Make a stand-in for each of CUDA's libraries that a module needs and the loader lacks."""
    from harness.shared_objects import Needs, Unreadable  # noqa: PLC0415 - rarely needed, slow

    needs = Needs()
    for package in folder.glob(f"lib/python*/site-packages/{module}"):
        for file in [*package.glob("lib/*.so*"), *package.glob("*.so")]:
            try:
                needs.add(file)
            except Unreadable as error:
                raise Unavailable(f"{file.name} of {module} cannot be read: {error}.") from error
        own = {file.name for file in package.glob("lib/*")}
        needs.libraries -= own
    asked = sorted(name for name in needs.libraries if OF_CUDA.match(name))
    missing = lacking(python, asked)
    plain = needs.plain - needs.defined
    for name in missing:
        make(name, {**needs.wanted.get(name, {})}, plain, folder / FOLDER, module)
        plain = set()
    return missing


def lacking(python: Path, names: Iterable[str]) -> list[str]:
    """Return those libraries that the loader does not find."""
    done = subprocess.run(
        [python, "-c", ASK, *names],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    return done.stdout.split()


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
    return (done.stderr or "it ended without a word") if done.returncode else None


def make(
    name: str, wanted: Mapping[str, set[bytes]], plain: set[bytes], folder: Path, module: str
) -> None:
    """Make one stand-in with the functions that are wanted of it, by version, and of no version.

    Raises Unavailable where there is nothing to make it with.
    """
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", "gcc"))), None)
    if compiler is None:
        message = (
            f"{module} from this package index needs {name}, a library of CUDA, to be imported."
            " Install a C compiler, so that an empty stand-in can be made, or set"
            " BNCONFORM_CUDA=install to have CUDA's libraries installed, which takes gigabytes."
        )
        raise Unavailable(message)
    folder.mkdir(exist_ok=True)
    functions = sorted(plain.union(*wanted.values()))
    source = "".join(f"int {each.decode()}(void) {{ return {NO_DEVICE}; }}\n" for each in functions)
    script = folder / f"{name}.versions"
    script.write_text("".join(version_of(*each) for each in wanted.items()), "utf-8")
    options = ["-w", "-shared", "-nostdlib", "-fPIC", "-fno-builtin", f"-Wl,-soname,{name}"]
    options += [f"-Wl,--version-script={script}"] if wanted else []
    done = subprocess.run(
        [compiler, *options, "-o", str(folder / name), "-x", "c", "-"],
        input=source,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    script.unlink()
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise Unavailable(f"The C compiler could not make a stand-in for {name}: {said[0]}")


def version_of(version: str, symbols: set[bytes]) -> str:
    """Return the lines of a linker's version script that put symbols under a version."""
    listed = "".join(f" {symbol.decode()};" for symbol in sorted(symbols))
    return f"{version} {{ global:{listed} }};\n" if symbols else f"{version} {{ }};\n"
