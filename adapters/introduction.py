"""What a worker tells of an adapter before it answers, for `bnconform smoke`.

The first line out describes the adapter, or says why it cannot be imported; no fault of the adapter
keeps it from coming.
"""

import inspect
import json
import platform
import time
from typing import Any, Dict, Iterable, List, Optional, TextIO, Tuple

MOST_CHARACTERS = 200


def introduced(name: str) -> Tuple[Any, Dict[str, Any]]:
    """Return the adapter, None where it cannot be imported, and what is to be told of it."""
    from adapters.worker import described, load_adapter

    started = time.time()
    try:
        adapter = load_adapter(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return None, {"error": described(error)}
    told = described_adapter(adapter)
    return adapter, dict(told, seconds=time.time() - started)


def described_adapter(adapter: Any) -> Dict[str, Any]:
    """Return what the module has, with how each of its methods wants to be called."""
    program = getattr(adapter, "Program", None)
    return {
        "names": sorted(name for name in vars(adapter) if not name.startswith("_")),
        "versions": described_versions(adapter),
        "constructor": parameters(program) if callable(program) else None,
        "methods": described_methods(program) if inspect.isclass(program) else None,
        "not_expressible": described_reasons(adapter),
    }


def described_versions(adapter: Any) -> Optional[Dict[str, Any]]:
    """Return what `versions()` gave: a type, the text of a dict's entries; or how it failed."""
    from adapters.worker import described

    if not hasattr(adapter, "versions"):
        return None
    try:
        versions = adapter.versions()
    except Exception as error:
        return {"error": described(error)}
    about: Dict[str, Any] = {"type": type(versions).__name__, "entries": []}
    if isinstance(versions, dict):
        about["entries"] = [
            [short(name), short(version), isinstance(name, str) and isinstance(version, str)]
            for name, version in versions.items()
        ]
    return about


def described_methods(program: Any) -> Dict[str, Any]:
    """Return the parameters of every public method of a class; None for what cannot be told."""
    about: Dict[str, Any] = {}
    for name in dir(program):
        own = inspect.getattr_static(program, name)
        if not name.startswith("_") and callable(getattr(program, name)):
            found = parameters(getattr(program, name))
            bound = isinstance(own, (staticmethod, classmethod))
            about[name] = found if bound or not found else found[1:]
    return about


def parameters(function: Any) -> Optional[List[List[Any]]]:
    """Return for each parameter its name, its kind and whether it has a default."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return [
        [each.name, each.kind.name, each.default is not inspect.Parameter.empty]
        for each in signature.parameters.values()
    ]


def described_reasons(adapter: Any) -> Optional[Dict[str, Any]]:
    """Return what `NOT_EXPRESSIBLE` holds: its type, and each entry with the type of its reason."""
    if not hasattr(adapter, "NOT_EXPRESSIBLE"):
        return None
    reasons = adapter.NOT_EXPRESSIBLE
    about: Dict[str, Any] = {"type": type(reasons).__name__, "entries": []}
    if isinstance(reasons, dict):
        about["entries"] = [
            [short(step), short(reason) if isinstance(reason, str) else None]
            for step, reason in reasons.items()
        ]
    return about


def short(value: Any) -> str:
    """Return a value as text of no great length."""
    return str(value)[:MOST_CHARACTERS]


def introduce(requests: Iterable[str], answers: TextIO, name: str) -> None:
    """Introduce the adapter, then answer as any worker does."""
    about = {"python": platform.python_version(), "numpy": None}
    try:
        import numpy
    except ImportError as error:
        answers.write(json.dumps(dict(about, missing=str(error))) + "\n")
        return
    from adapters.wire import write_line
    from adapters.worker import answer_all

    adapter, told = introduced(name)
    write_line(answers, dict(about, numpy=numpy.__version__, **told))
    if adapter is not None:
        answer_all(requests, answers, adapter)
