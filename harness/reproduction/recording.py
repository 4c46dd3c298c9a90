"""Has a scenario performed where its implementation runs, and every operation written down."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adapters
from harness.adapter_sources import Place, folder_of
from harness.complaint import Complaint
from harness.reproduction.instrumented import instrumented
from harness.reproduction.liveness import Operation
from harness.wire import scenario_to_json
from harness.workers import Command, first_line
from suites.vocabulary import Scenario

SCRIPT = Path(adapters.__file__).parent / "recording" / "run.py"
SECONDS = 240


@dataclass(frozen=True)
class Recording:
    """What an adapter did: when it was imported (`prelude`) and in each step; None where unknown.

    `versions` is how it knows the versions that decide the behaviour. By the numbers of values,
    `names` are what the adapter calls them, `kept` those it called so anew, `tested` those it
    looked at to decide something, `steady` the attributes and items that were the same wherever
    they were used. `table` is what the names of its modules stand for, `sources` are those modules.
    """

    adapter: str
    sources: dict[str, str]
    prelude: list[Operation]
    versions: dict[str, Any]
    steps: list[dict[str, Any]] | None
    names: dict[int, str]
    kept: frozenset[int]
    tested: frozenset[int]
    steady: frozenset[int]
    table: dict[str, dict[str, Any]]


def recording(command: Command, scenario: Scenario) -> Recording:
    """Return what the adapter does in a scenario. Raises Complaint where that cannot be learnt."""
    sources = sources_of(command.adapter)
    request = {
        "adapter": command.adapter,
        "sources": {name: instrumented(source) for name, source in sources.items()},
        "scenario": scenario_to_json(scenario),
    }
    return recording_of(command.adapter, sources, answered(command, request))


def recording_of(adapter: str, sources: dict[str, str], said: dict[str, Any]) -> Recording:
    """Return what the recorder said. Raises Complaint where the adapter could not be imported."""
    if "table" not in said:
        message = f"What {adapter} does cannot be written down: {said.get('failed')}."
        raise Complaint(message)
    return Recording(
        adapter,
        sources,
        said["prelude"],
        said["versions"],
        said.get("steps"),
        {int(number): name for number, name in said["names"].items()},
        frozenset(said["kept"]),
        frozenset(said["tested"]),
        frozenset(said["steady"]),
        said["table"],
    )


def answered(command: Command, request: dict[str, Any]) -> dict[str, Any]:
    """Return the recorder's answer. Raises Complaint where there is none."""
    try:
        done = subprocess.run(
            [str(command.python), "-u", str(SCRIPT)],
            input=json.dumps(request) + "\n",
            env=command.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        message = f"{command.adapter} did not finish within {SECONDS} s while it was recorded."
        raise Complaint(message) from None
    except (OSError, ValueError):
        last = first_line(done.stderr[::-1].split("\n", 2)[1][::-1]) if done.stderr else "nothing"
        message = f"{command.adapter} could not be recorded; it last printed: {last}."
        raise Complaint(message) from None
    assert isinstance(said, dict)
    return said


def sources_of(adapter: str) -> dict[str, str]:
    """Return the source of an adapter and of the modules beside it that it imports, by name.

    Raises Complaint where it cannot be read.
    """
    found: dict[str, str] = {}
    waiting = [adapter]
    while waiting:
        name = waiting.pop()
        path = path_of(name, adapter)
        if name in found or path is None:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
            waiting += imported_by(found[name])
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            message = f"The adapter's source {path} cannot be read: {first_line(error)}."
            raise Complaint(message) from error
    if adapter not in found:
        message = f"The source of {adapter} is not here. Name the adapter's file."
        raise Complaint(message)
    return found


def path_of(name: str, adapter: str) -> Path | None:
    """Return where a module of the adapter is; None for a module that is not the adapter's."""
    if name.endswith(".py"):
        return Path(name)
    if adapter.endswith(".py"):
        beside = Path(adapter).parent / f"{name.replace('.', '/')}.py"
        if beside.is_file():
            return beside
    root = name.split(".", maxsplit=1)[0]
    if root not in ("adapters", adapter.split(".", maxsplit=1)[0]):
        return None
    folder = folder_of(root)
    file = Place(root, folder).found(name) if folder else None
    return file if file and file.suffix == ".py" else None


def imported_by(source: str) -> Iterator[str]:
    """Yield the names of modules that a source may import."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
