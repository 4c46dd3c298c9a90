"""What the adapter imports: its own modules, which are recorded, and everything else."""

import importlib
import sys
import types
from typing import Any, Callable, Dict

from adapters.recording.notes import OWN, Notes
from adapters.recording.traced import Traced, untraced

PLAIN = (
    "__future__",
    "abc",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "operator",
    "typing",
)
"""Modules of Python's that arrange things and do nothing with the framework themselves."""
FOLDING = ("math", "numpy")


class Modules(Notes):
    """Runs the adapter's modules from their instrumented `sources`.

    `real` imports one of them as it is, for the classes that the framework calls by itself.
    """

    def __init__(self, sources: Dict[str, str], real: Callable[[str], Any]) -> None:
        super().__init__()
        self.sources = sources
        self.real = real
        self.modules: Dict[str, types.ModuleType] = {}
        self.imports: Dict[str, Traced] = {}
        self.plain_imports: Dict[int, str] = {}

    def module(self, name: str) -> Any:
        """Return a module of the adapter, running its source the first time."""
        if name not in self.modules:
            module = self.modules[name] = types.ModuleType(OWN + name)
            module.__dict__["__recorder__"] = self
            module.__dict__["__file__"] = name
            with self.block(self.prelude):
                exec(compile(self.sources[name], name, "exec"), module.__dict__)  # noqa: S102
        return self.modules[name]

    def load(self, name: str, alias: Any) -> Any:
        """`import`."""
        if name in self.sources:
            return self.module(name)
        statement = "import {} as {}".format(name, alias) if alias else "import {}".format(name)
        module = importlib.import_module(name)
        root = name.partition(".")[0]
        return self.imported(statement, alias or root, module if alias else sys.modules[root], root)

    def load_from(self, origin: str, name: str, alias: Any) -> Any:
        """`from … import`."""
        if "{}.{}".format(origin, name) in self.sources:
            return self.module("{}.{}".format(origin, name))
        if origin in self.sources:
            return getattr(self.module(origin), name)
        bound = alias or name
        statement = "from {} import {}".format(origin, name)
        statement += " as {}".format(alias) if alias else ""
        scope: Dict[str, Any] = {}
        exec(statement, scope)  # noqa: S102 - the adapter's own import
        return self.imported(statement, bound, scope[bound], origin.partition(".")[0])

    def imported(self, statement: str, bound: str, value: Any, root: str) -> Any:
        """Return what an import gives, written down once where it can matter."""
        if root in PLAIN:
            self.plain_imports[id(value)] = statement
            return value
        if statement not in self.imports:
            number = self.number()
            self.prelude.append({"op": "import", "id": number, "statement": statement, "as": bound})
            self.imports[statement] = Traced(value, number, folds=root in FOLDING)
        return self.imports[statement]

    def extends_framework(self, *bases: Any) -> bool:
        """Tell whether a class is one that the framework calls by itself."""
        return any(isinstance(base, Traced) for base in bases)

    def taken(self, module: str, name: str) -> Traced:
        """Return a class as it is, for the framework to call; the script takes its source."""
        origin = module[len(OWN) :]
        number = self.number()
        about = {"op": "definition", "id": number, "module": origin, "name": name}
        self.prelude.append(about)
        return Traced(getattr(self.real(origin), name), number)

    def exception(self, value: Any) -> Any:
        """Return exceptions, or classes of them, as Python knows them."""
        return untraced(value)
