"""Adapters from outside this repository: a file, a module, or what a package offers by name.

A package offers an adapter as an entry point of the group ``bnconform.adapters``, whose value is
the adapter's module. None of it is imported here: the process that judges imports no framework.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import declarations
from harness.complaint import Complaint
from harness.implementations import NOTHING, Implementation, registered
from harness.interpreters import inspect_interpreter
from harness.workers import Command

GROUP = "bnconform.adapters"
SECONDS_TO_LOOK = 60
OLDEST = (3, 6)

# Runs in the Python that will run the adapter. A package is looked for, never imported.
LOOK = """
import json, sys
del sys.path[0]  # the current folder, which a worker does not import from
from importlib.machinery import PathFinder
try:
    from importlib.metadata import entry_points
    found = entry_points()
    if hasattr(found, "select"):
        found = found.select(group=sys.argv[2])
    else:
        found = found.get(sys.argv[2], [])
    offered = {each.name: each.value for each in found}
except ImportError:
    offered = {}
module, path, origin = offered.get(sys.argv[1], sys.argv[1]).partition(":")[0].strip(), None, None
for part in module.split("."):
    spec = PathFinder.find_spec(part, path)
    if spec is None:
        break
    path, origin = spec.submodule_search_locations or [], spec.origin
print(json.dumps([offered, module, spec is not None, origin]))
"""


@dataclass(frozen=True)
class Place:
    """Where an adapter was found: what a worker is told to import, and its file, if it has one."""

    name: str
    adapter: str
    file: Path | None


def implementations(texts: Sequence[str], python: str | None = None) -> list[Implementation]:
    """Return the implementations of several adapters. Raises Complaint, see `implementation`."""
    found = [implementation(text, python) for text in dict.fromkeys(texts)]
    for name, times in Counter(each.name for each in found).items():
        if times > 1:
            message = f"{times} adapters are called {name}. Give their files different names."
            raise Complaint(message)
    return found


def implementation(text: str, python: str | None = None) -> Implementation:
    """Return the implementation of an adapter: a file, a dotted module or an entry point's name.

    `python` is the Python that runs it, or the folder of its environment; without it that is the
    one that runs this. What is declared of it is read from a TOML file beside the adapter, of the
    same name, where there is one.

    Raises Complaint where there is no such adapter or Python, where its name is taken, or where its
    declarations are not valid.
    """
    interpreter = None if python is None else interpreter_at(python)
    place = file_at(text) if is_file_name(text) else module_at(text, interpreter)
    expect_new(place.name, text)
    return Implementation(
        place.name,
        title_of(place),
        adapter=place.adapter,
        declared=declared_beside(place.file),
        interpreter=interpreter,
    )


def is_file_name(text: str) -> bool:
    """Tell whether a file is meant, not a module or an entry point."""
    return text.endswith(".py") or os.sep in text or Path(text).is_file()


def file_at(text: str) -> Place:
    """Return the adapter in a file. Raises Complaint where there is none."""
    path = Path(text).expanduser()
    if path.is_dir():
        message = f"{text} is a folder. Name the adapter's file, which ends in .py."
        raise Complaint(message)
    if not path.is_file():
        nearest = known_file(path)
        raise Complaint(f"There is no adapter {text}.{nearest} Name a file that exists.")
    if path.suffix != ".py":
        message = f"{text} is no Python file. The name of an adapter's file ends in .py."
        raise Complaint(message)
    if "@" in path.stem:
        message = f"{text} has an @ in its name, which stands before a version. Rename the file."
        raise Complaint(message)
    return Place(path.stem, str(path.absolute()), path.absolute())


def known_file(path: Path) -> str:
    """Return a hint at the Python files that are where this one is not, as a sentence."""
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    there = sorted(each.name for each in path.parent.glob("*.py"))
    return f" There is {', '.join(there[:5])}." if there else ""


def module_at(text: str, interpreter: Path | None) -> Place:
    """Return the adapter in a module, or offered by an entry point. Raises Complaint."""
    offered, module, found, origin = look(text, interpreter)
    file = None if origin is None else Path(origin)
    if text in offered:
        if not found:
            message = f"The entry point {text!r} names {module}, which cannot be found."
            raise Complaint(f"{message} Install the package that offers it once more.")
        return Place(text, module, file)
    if not found:
        raise Complaint(missing(text, offered, interpreter))
    return Place(text, module, file)


def missing(text: str, offered: dict[str, str], interpreter: Path | None) -> str:
    """Return that there is no such adapter, and which there are."""
    where = "this Python" if interpreter is None else str(interpreter)
    if offered:
        there = f"{where} offers {', '.join(sorted(offered))}"
    else:
        there = f"no package of {where} offers one in the group {GROUP}"
    return (
        f"There is no adapter {text!r}: it is neither a module that {where} finds nor an entry "
        f"point, for {there}. To name a file, write it with its ending .py."
    )


def look(text: str, interpreter: Path | None) -> tuple[dict[str, str], str, bool, str | None]:
    """Return what a Python offers, the module that is meant, whether it is there, and its file.

    Raises Complaint where the Python cannot be asked.
    """
    python = interpreter or Path(sys.executable)
    environment = Command(python, text, {}, isolated=interpreter is not None).environment
    try:
        done = subprocess.run(
            [python, "-c", LOOK, text, GROUP],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS_TO_LOOK,
        )
        answer: list[Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        message = f"{python} could not be asked for the adapter {text!r}. Does it run?"
        raise Complaint(message) from error
    return answer[0], answer[1], answer[2], answer[3]


def interpreter_at(text: str) -> Path:
    """Return the Python of a path, of an environment's folder or on PATH.

    A link is not followed: that is how the Python of an environment knows its environment. Raises
    Complaint where there is none that can run an adapter.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        path /= "bin/python"
    elif os.sep not in text and (found := shutil.which(text)):
        path = Path(found)
    path = path.absolute()
    if not path.exists():
        message = f"There is no Python {text}. Name its executable, or its environment's folder."
        raise Complaint(message)
    seen = inspect_interpreter(path)
    if seen is None:
        raise Complaint(f"{text} does not run as a Python. Name its executable.")
    if tuple(map(int, seen.version.split(".")[:2])) < OLDEST:
        message = f"{text} is CPython {seen.version}; an adapter runs on 3.6 or newer."
        raise Complaint(message)
    return path


def expect_new(name: str, text: str) -> None:
    """Raise Complaint where the repository has an implementation of that name."""
    if name in registered():
        message = f"{name} is an implementation that bnconform has. Give {text} another name."
        raise Complaint(message)


def title_of(place: Place) -> str:
    """Return the first line of the adapter's docstring, else what it is."""
    plain = f"the adapter {place.file.name if place.file else place.adapter}"
    if place.file is None:
        return plain
    try:
        docstring = ast.get_docstring(ast.parse(place.file.read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return plain
    return docstring.splitlines()[0].rstrip(".") if docstring else plain


def declared_beside(file: Path | None) -> declarations.Declarations:
    """Return what the TOML file beside an adapter declares, or nothing. Raises Complaint."""
    beside = file.with_suffix(".toml") if file is not None else None
    return declarations.load(beside) if beside is not None and beside.is_file() else NOTHING
