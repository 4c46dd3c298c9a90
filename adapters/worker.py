"""Runs inside a framework's environment: reads scenarios, answers with traces, as JSON lines.

    python adapters/worker.py MODULE_OR_FILE [--introduce]

The first line out is a header, then one answer per request, then a footer, so that the reader
notices when something is missing. Whatever the framework prints goes to standard error. Told to
introduce the adapter, it begins with what `adapters/introduction.py` has to say instead.
"""

import gc
import importlib
import importlib.util
import inspect
import json
import os
import platform
import re
import sys
import traceback
from typing import Any, Dict, Iterable, List, TextIO, Tuple

INTRODUCE = "--introduce"
LONGEST_TRACE = 40


def take_standard_streams() -> Tuple[TextIO, TextIO]:
    """Return (requests, answers); from here on the framework's prints go to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    return requests, answers


def put_root_last() -> None:
    """Make this package importable without shadowing anything the framework imports.

    The package itself is imported first of all: there is another `adapters` on PyPI.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(here)
    sys.path[:] = [root] + [each for each in sys.path if os.path.abspath(each or ".") != here]
    importlib.import_module("adapters")
    sys.path.append(sys.path.pop(0))


def load_adapter(name: str) -> Any:
    """Import an adapter by dotted module name or by file path."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    specification = importlib.util.spec_from_file_location("adapter_under_test", name)
    if specification is None or specification.loader is None:
        raise ImportError("{} is not a Python file".format(name))
    module = importlib.util.module_from_spec(specification)
    sys.modules["adapter_under_test"] = module
    sys.path.append(os.path.dirname(os.path.abspath(name)))
    specification.loader.exec_module(module)
    return module


def method_name(step: str) -> str:
    """Return the adapter's method for a step's name: `SetTrainable` is `set_trainable`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", step).lower()


def perform(program: Any, step: Dict[str, Any], adapter: Any) -> Dict[str, Any]:
    """Perform one step and return what could be seen after it."""
    from adapters.answers import NotExpressible
    from adapters.wire import decode_arguments

    arguments = decode_arguments(step)
    name = method_name(arguments.pop("step"))
    reasons = getattr(adapter, "NOT_EXPRESSIBLE", {})
    if not hasattr(program, name):
        raise NotExpressible(reasons.get(name, "The adapter has no step `{}`.".format(name)))
    method = getattr(program, name)
    further = decode_arguments(arguments.pop("further", {}))
    taken = inspect.signature(method).parameters if further else {}
    for argument in sorted(set(further) - set(taken)):
        reason = "The adapter's step `{}` has no argument `{}`.".format(name, argument)
        raise NotExpressible(reasons.get(name + "." + argument, reason))
    seen = dict(method(**dict(arguments, **further)) or {})
    seen.update(program.observe())
    return seen


def run(adapter: Any, scenario: Dict[str, Any]) -> Dict[str, Any]:
    """Run one scenario and return its answer: a trace, or why there is none."""
    from adapters.answers import NotExpressible, Refused
    from adapters.wire import decode_arguments, encode_array

    steps: List[Dict[str, Any]] = []
    program: Any = None
    try:
        program = adapter.Program(decode_arguments(scenario["layer"]))
        for step in scenario["steps"]:
            seen = perform(program, step, adapter)
            observed = {name: encode_array(value) for name, value in seen.items()}
            steps.append({"step": step["step"], "observed": observed})
    except NotExpressible as reason:
        return {"not_expressible": str(reason)}
    except Refused as refusal:
        said = {"type": refusal.type, "message": refusal.message}
        step = scenario["steps"][len(steps)]["step"]
        steps.append({"step": step, "observed": {}, "refusal": said})
    except Exception as error:
        return {"adapter_error": described(error)}
    finally:
        close = getattr(program, "close", None)
        if close is not None:
            close()
    return {"trace": steps}


def described(error: BaseException) -> Dict[str, Any]:
    """Return an error as type, message, innermost place and the innermost of the whole trace.

    Each entry of the trace is a file, a line number, a function and the text of that line.
    """
    places = [list(place)[:4] for place in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append([error.filename, error.lineno or 0, "<module>", (error.text or "").strip()])
    where = "{}:{}".format(os.path.basename(places[-1][0]), places[-1][1])
    about = {"type": type(error).__name__, "message": str(error), "where": where}
    return dict(about, trace=places[-LONGEST_TRACE:])


def header(adapter: Any, name: str) -> Dict[str, Any]:
    """Return the first line: who answers, with exact versions."""
    import numpy

    return {
        "header": True,
        "adapter": name,
        "versions": {str(each): str(version) for each, version in adapter.versions().items()},
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "platform": "{}-{}".format(platform.system(), platform.machine()),
    }


def serve(requests: Iterable[str], answers: TextIO, name: str) -> None:
    """Answer requests until told to stop or the requests end."""
    from adapters.wire import SCHEMA, write_line

    try:
        adapter = load_adapter(name)
        first = header(adapter, name)
    except Exception as error:
        write_line(answers, {"schema": SCHEMA, "header": True, "error": described(error)})
        return
    write_line(answers, dict(first, schema=SCHEMA))
    answer_all(requests, answers, adapter)


def answer_all(requests: Iterable[str], answers: TextIO, adapter: Any) -> None:
    """Answer requests until told to stop or they end, then say how many there were."""
    from adapters.wire import write_line

    if hasattr(gc, "freeze"):  # CPython 3.7 and later
        gc.freeze()  # What was imported is never garbage, and a framework is long to look through.
    answered = 0
    for line in requests:
        request = json.loads(line)
        if request.get("command") == "stop":
            break
        answer = run(adapter, request["scenario"])
        write_line(answers, dict(answer, id=request["id"]))
        answered += 1
    write_line(answers, {"footer": True, "answered": answered})


if __name__ == "__main__":
    streams = take_standard_streams()
    put_root_last()
    if INTRODUCE in sys.argv:
        from adapters.introduction import introduce

        introduce(streams[0], streams[1], sys.argv[1])
    else:
        serve(streams[0], streams[1], sys.argv[1])
