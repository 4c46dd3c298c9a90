"""Performs a scenario as `worker` does, and writes down every operation on the framework.

The adapter comes as source in which every operation is a call of the `Recorder`. Values that come
from the framework are carried about together with the number of the operation that gave them; what
the adapter works out from the scenario alone, such as which branch to take, leaves no trace.
"""

import importlib
import os
import sys
import types
from typing import Any, Dict, List, Optional

from adapters.recording.notes import OWN, is_own
from adapters.recording.recorder import Recorder
from adapters.recording.traced import Json, Traced, Unwritable
from adapters.wire import decode_arguments
from adapters.worker import described, load_adapter, method_name


def answer(request: Json) -> Json:
    """Return what a scenario does, or why that cannot be written down."""
    name = request["adapter"]

    def real(module: str) -> Any:
        return load_adapter(name) if module == name else importlib.import_module(module)

    if name.endswith(".py"):
        sys.path.append(os.path.dirname(name))
    recorder = Recorder(request["sources"], real)
    said: Json = {}
    try:
        adapter = recorder.module(name)
        said["versions"] = versions(recorder, adapter)
        said["table"] = table(recorder)
        said["steps"] = steps(recorder, adapter, request["scenario"])
    except Unwritable as reason:
        said["failed"] = str(reason)
    except Exception as error:
        said["failed"] = "{type} at {where}: {message}".format(**described(error))
    return dict(
        said,
        prelude=recorder.prelude,
        names={str(number): name for number, name in recorder.names.items()},
        kept=sorted(recorder.kept),
        tested=sorted(recorder.tested),
        steady=sorted(set(recorder.read) - recorder.unsteady),
    )


def versions(recorder: Recorder, adapter: Any) -> Json:
    """Return how the adapter knows the versions that decide the behaviour."""
    with recorder.block() as body:
        found = recorder.mapping(recorder.call(adapter.versions))
        seen = {name: recorder.reference(value) for name, value in found.items()}
    return {"body": body, "seen": seen}


def steps(recorder: Recorder, adapter: Any, scenario: Json) -> List[Json]:
    """Perform a scenario and return what each step did, up to a refusal."""
    found: List[Json] = []
    program: Any = None
    for step in scenario["steps"]:
        done: Json = {"body": [], "seen": {}, "observing": [], "state": {}}
        found.append(done)
        try:
            with recorder.block(done["body"]):
                if program is None:
                    layer = named(recorder, scenario["layer"])
                    program = recorder.call(adapter.Program, layer)
                arguments = named(recorder, step)
                method = recorder.attribute(program, method_name(arguments.pop("step")))
                arguments.update(named(recorder, arguments.pop("further", {})))
                done["seen"] = observed(recorder, recorder.call(method, **arguments))
            with recorder.block(done["observing"]):
                method = recorder.attribute(program, "observe")
                done["state"] = observed(recorder, recorder.call(method))
        except Exception as error:
            if type(error).__name__ != "Refused" or not is_own(type(error)):
                raise
            done["refused"] = True
            break
    return found


def named(recorder: Recorder, message: Json) -> Json:
    """Return the arguments of a layer or a step, whose names their arrays have in the script."""
    arguments = dict(decode_arguments(message))
    for name, value in arguments.items():
        recorder.name(name, value)
    return arguments


def observed(recorder: Recorder, seen: Any) -> Dict[str, Json]:
    """Return references to what is observed; a bfloat16 array is known by its widened values.

    Raises Unwritable for what does not come from the framework.
    """
    found = {}
    for name, value in ({} if seen is None else recorder.mapping(seen)).items():
        widened = is_own(type(value)) and hasattr(value, "widened")
        array = value.widened if widened else value
        if not isinstance(array, Traced):
            raise Unwritable("The {} does not come from the framework alone.".format(name))
        found[name] = dict(recorder.reference(array), widened=widened)
    return found


def table(recorder: Recorder) -> Dict[str, Dict[str, Json]]:
    """Return what the names of the adapter's modules stand for, where that can be said."""
    found: Dict[str, Dict[str, Json]] = {}
    for module_name, module in recorder.modules.items():
        found[module_name] = {}
        for name, value in vars(module).items():
            meaning = None if name.startswith("__") else stood_for(recorder, value)
            if meaning is not None:
                found[module_name][name] = meaning
    return found


def stood_for(recorder: Recorder, value: Any) -> Optional[Json]:
    """Return what a value of a module is: a module, a definition, an import or a reference."""
    if isinstance(value, types.ModuleType) and value.__name__.startswith(OWN):
        return {"module": value.__name__[len(OWN) :]}
    if is_own(value) and hasattr(value, "__qualname__"):
        return {"definition": [value.__module__[len(OWN) :], value.__qualname__]}
    if id(value) in recorder.plain_imports:
        return {"import": recorder.plain_imports[id(value)]}
    try:
        return recorder.reference(value)
    except (Unwritable, ValueError):
        return None
