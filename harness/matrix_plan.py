"""What a matrix is asked to run: implementations at exact versions, listed in a TOML file.

Such a file holds tables like this::

    [[run]]
    implementation = "keras-torch"
    versions = ["3.3.3", "3.8.0"]
    with = { torch = "2.13.0" }

`versions` are those of the first package the implementation rests on; `with`, which may be left
out, fixes others it rests on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from harness.complaint import Complaint
from harness.implementations import Implementation, known, registered

KEYS = ("implementation", "versions", "with")


class Wrong(Exception):
    """What is wrong at a place of the file, as the end of a sentence without its full stop."""


def planned(file: Path) -> list[Implementation]:
    """Return what a file asks to run, each once, in its order.

    Raises Complaint, naming the file and the place, for one that cannot be read or is no matrix,
    and for an implementation or version that cannot be asked.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Complaint(f"The matrix {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Complaint(f"The matrix {file} is not valid TOML: {error}.") from error
    try:
        found = {each.name: each for each in all_runs(document)}
    except Wrong as wrong:
        raise Complaint(f"The matrix {file}: {wrong}.") from wrong
    return list(found.values())


def all_runs(document: Mapping[str, Any]) -> Iterator[Implementation]:
    """Yield what a parsed file asks to run. Raises Wrong."""
    expect_keys(document, ("run",), "the file")
    tables = document.get("run", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise Wrong("it asks for nothing; write [[run]] for each implementation")
    for number, table in enumerate(tables, 1):
        yield from runs_of(table, f"run {number}")


def runs_of(table: Mapping[str, Any], where: str) -> Iterator[Implementation]:
    """Yield what one table asks to run. Raises Wrong."""
    expect_keys(table, KEYS, where)
    name = table.get("implementation")
    if not isinstance(name, str):
        raise Wrong(f"{where} needs implementation, the name of one")
    try:
        base = registered()[known(name, registered(), "implementation")]
    except Complaint as complaint:
        raise Wrong(f"implementation of {where}: {bare(complaint)}") from complaint
    where = f"{where} ({name})"
    others = fixed(table.get("with", {}), f"with of {where}")
    if base.principal in others:
        raise Wrong(f"with of {where} names {base.principal}, of which versions speaks")
    for version in listed(table.get("versions"), f"versions of {where}"):
        try:
            yield base.at({base.principal: version, **others})
        except Complaint as complaint:
            raise Wrong(f"{where}: {bare(complaint)}") from complaint


def listed(versions: object, where: str) -> list[str]:
    """Return a list of versions as the index spells them. Raises Wrong."""
    if not isinstance(versions, list) or not versions:
        raise Wrong(f'{where} must be a list like ["1.4.0"]')
    return [spelled(each, where) for each in versions]


def fixed(versions: object, where: str) -> dict[str, str]:
    """Return the versions of other packages as the index spells them. Raises Wrong."""
    if not isinstance(versions, dict):
        raise Wrong(f'{where} must be a table like {{ torch = "2.13.0" }}')
    return {package: spelled(each, where) for package, each in versions.items()}


def spelled(version: object, where: str) -> str:
    """Return a version as the index spells it. Raises Wrong."""
    try:
        if isinstance(version, str):
            return str(Version(version))
    except InvalidVersion:
        pass
    raise Wrong(f'{where} has {version!r}, which is no version in quotes like "1.4.0"')


def expect_keys(table: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    """Raise Wrong for a key that means nothing."""
    for key in table:
        try:
            known(key, keys, "key")
        except Complaint as complaint:
            raise Wrong(f"{where}: {bare(complaint)}") from complaint


def bare(complaint: Complaint) -> str:
    """Return a sentence without its full stop."""
    return str(complaint).removesuffix(".")


def filtered(plan: Sequence[Implementation], names: Iterable[str]) -> list[Implementation]:
    """Return the part of a plan that is named, by implementation or with its versions.

    Raises Complaint, with the nearest, for a name that is not there.
    """
    there = dict.fromkeys((*(each.entry for each in plan), *(each.name for each in plan)))
    wanted = {known(name, there, "run in this matrix") for name in names}
    return [each for each in plan if not wanted or {each.entry, each.name} & wanted]
