"""Which of our own files a worker executes, found by reading what each imports; nothing is run."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import adapters

ROOT = Path(adapters.__file__).parent.parent
WORKER = "adapters.worker"
OF_BNCONFORM = frozenset({"adapters", "harness", "reference", "reports", "suites"})
INSTALLED = ("site-packages", "dist-packages")
"""How the folders are called in which installed packages lie side by side."""
COMPILED = (".*.so", ".so", ".*.pyd", ".pyd")
BY_NAME = {"__import__", "import_module", "run_module", "run_path", "spec_from_file_location"}
"""Functions that import what they are told; what that is can be read where it is a literal."""


class Unknown(Exception):
    """It cannot be known what decides an answer; the text is a sentence that says why."""


@dataclass(frozen=True)
class Place:
    """A folder that modules are imported from; of one full of other things only `packages`."""

    label: str
    folder: Path
    packages: frozenset[str] | None = None

    def found(self, module: str) -> Path | None:
        """Return the file of a module by its dotted name, or None where it is not here."""
        parts = module.split(".")
        if not all(parts) or (self.packages is not None and parts[0] not in self.packages):
            return None
        stem = self.folder.joinpath(*parts)
        for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if file.is_file():
                return file
        built = (each for ending in COMPILED for each in stem.parent.glob(stem.name + ending))
        return next(built, None)


@dataclass(frozen=True)
class Source:
    """One file a worker executes: its place, its dotted name there, and whether of a package."""

    place: Place
    module: str
    file: Path

    @property
    def label(self) -> str:
        """Return the same name wherever the project lies."""
        return f"{self.place.label}:{self.module}"

    @property
    def package(self) -> str:
        """Return the dotted name that its relative imports start from."""
        if self.file.name == "__init__.py":
            return self.module
        return self.module.rpartition(".")[0]


def digests_of(adapter: str, *, isolated: bool, root: Path = ROOT) -> dict[str, str]:
    """Return the SHA-256 of each file that a worker with `adapter` executes, by label.

    These are the worker, the adapter (a file, or a dotted name), and what they import from `root`,
    the folder of the package `adapters`, or from the adapter's own folder; frameworks are not
    followed. A module that imports by a name it computes is taken to import all of its folder.

    Raises Unknown where the adapter or one of the files cannot be read.
    """
    places, first = start(adapter, root, isolated=isolated)
    sources = reached(places, [module(places, WORKER), first])
    try:
        return {each.label: hashlib.sha256(each.file.read_bytes()).hexdigest() for each in sources}
    except OSError as error:
        raise Unknown(f"{error.filename} cannot be read: {error.strerror}.") from error


def start(adapter: str, root: Path, *, isolated: bool) -> tuple[list[Place], Source]:
    """Return the places to look in, and the adapter. Raises Unknown where it is not there."""
    project = Place("bnconform", root, OF_BNCONFORM if root.name in INSTALLED else None)
    if adapter.endswith(".py"):
        file = Path(adapter).absolute()
        own = Place("own", file.parent, frozenset() if file.parent.name in INSTALLED else None)
        return [project, own], Source(own, file.stem, file)
    if project.found(adapter):
        return [project], module([project], adapter)
    top = adapter.partition(".")[0]
    folder = None if isolated else folder_of(top)
    if folder is None:
        raise Unknown(f"The file of the adapter {adapter} is not known.")
    places = [project, Place("own", folder, frozenset({top}))]
    return places, module(places, adapter)


def folder_of(package: str) -> Path | None:
    """Return the folder that a package, or a module without one, lies in; imports nothing."""
    with suppress(ImportError, ValueError):
        specification = importlib.util.find_spec(package)
        if specification and specification.submodule_search_locations:
            return Path(next(iter(specification.submodule_search_locations))).parent
        if specification and specification.origin:
            return Path(specification.origin).parent
    return None


def module(places: list[Place], name: str) -> Source:
    """Return a module that must be there. Raises Unknown where it is not."""
    for place in places:
        if file := place.found(name):
            return Source(place, name, file)
    raise Unknown(f"The file of the module {name} is not known.")


def reached(places: list[Place], begun: list[Source]) -> list[Source]:
    """Return these files and all they import, directly or not, that lie in one of the places."""
    found: dict[Path, Source] = {}
    waiting = begun
    while waiting:
        source = waiting.pop()
        if source.file not in found:
            found[source.file] = source
            waiting += packages_around(source)
            waiting += imported(places, source)
    return list(found.values())


def packages_around(source: Source) -> Iterator[Source]:
    """Yield the packages a module lies in, which are executed before it."""
    outer = source.module
    while outer := outer.rpartition(".")[0]:
        if file := source.place.found(outer):
            yield Source(source.place, outer, file)


def imported(places: list[Place], source: Source) -> Iterator[Source]:
    """Yield the files that one imports."""
    if source.file.suffix != ".py":
        return
    try:
        tree = ast.parse(source.file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return  # It imports nothing, since it cannot be executed.
    for name in named(tree, source.package):
        for place in places:
            if file := place.found(name):
                yield Source(place, name, file)
    if source.module != WORKER and imports_unseen(tree):
        prefix = f"{source.package}." if source.package else ""
        for file in source.file.parent.glob("*.py"):
            name = source.package if file.name == "__init__.py" else prefix + file.stem
            yield Source(source.place, name, file)


def named(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the dotted names of what may be modules among the imports of a program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}".removeprefix(".") for alias in node.names)
        elif isinstance(node, ast.Call) and (literal := told(node)):
            yield literal


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the dotted name of what is imported from."""
    parts = package.split(".") if node.level and package else []
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def told(call: ast.Call) -> str | None:
    """Return the literal absolute name a call imports; "" for another; None for other calls."""
    function = call.func
    name = getattr(function, "id", None) or getattr(function, "attr", None)
    if name not in BY_NAME:
        return None
    first = call.args[0] if call.args else None
    literal = first.value if isinstance(first, ast.Constant) else None
    if name not in ("__import__", "import_module") or not isinstance(literal, str):
        return ""
    return "" if literal.startswith(".") else literal


def imports_unseen(tree: ast.AST) -> bool:
    """Tell whether a program imports what cannot be read from its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if isinstance(node, ast.Call) and told(node) == "":
            return True
    return False
