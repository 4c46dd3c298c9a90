"""What `bnconform smoke` says of an adapter's module before anything is asked of it.

Each function takes the description a worker gave (`adapters/introduction.py`) and yields faults:
sentences that say what is wrong and what to write instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from adapters.worker import method_name
from harness.workers import first_line
from suites.vocabulary import ABSENT, Step

Json = Mapping[str, Any]

STEPS: dict[str, tuple[str, ...]] = {
    method_name(kind.__name__): tuple(
        field.name for field in fields(kind) if field.default is not ABSENT
    )
    for kind in get_args(Step)
}
"""The parameters each step needs, by the name of the adapter's method."""
MAY_BE_LACKING = {
    f"{method_name(kind.__name__)}.{field.name}"
    for kind in get_args(Step)
    for field in fields(kind)
    if field.default is ABSENT
}
"""Parameters that a method need not have, as ``call.mask``: what passes them is not expressible."""
NEEDED = ("build", "call", "observe")
OTHERS = ("observe", "close")
CALLED_OTHERWISE = {
    "forward": "call",
    "run": "call",
    "execute": "call",
    "state": "observe",
    "get_state": "observe",
    "init": "build",
    "initialize": "build",
    "freeze": "set_trainable",
    "train": "train_mode",
    "eval": "eval_mode",
    "is_training": "training",
    "train_mode": "training",
    "grad": "dy",
    "inputs": "x",
    "input": "x",
    "lr": "learning_rate",
    "model": "Program",
    "Layer": "Program",
    "Adapter": "Program",
    "program": "Program",
    "version": "versions",
    "__version__": "versions",
}
"""What first attempts call a thing, and what it is called here."""
KEYWORDS = {"POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"}
FEWEST_WORDS = 3


def faults_of_import(about: Json, file: str, python: str) -> Iterator[str]:
    """Yield why the adapter cannot be imported."""
    if about.get("numpy") is None:
        yield (
            f"{python} has no NumPy ({first_line(about.get('missing'))}), which every adapter "
            "needs. Install numpy into it."
        )
    elif error := about.get("error"):
        yield f"{raised(error, file)}{hint_on_import(error, python)}"


def hint_on_import(error: Json, python: str) -> str:
    """Return what to do about an import that failed, as a further sentence or nothing."""
    if error["type"] not in ("ModuleNotFoundError", "ImportError"):
        return ""
    found = re.search(r"No module named '([\w.]+)'", error["message"])
    if found is None:
        return ""
    name = found[1]
    if name.startswith("adapters."):
        return " Adapters import adapters.answers, adapters.switched and adapters.wire."
    return f" Install {name} for {python}, or name the Python that has it with --python."


def raised(error: Json, file: str) -> str:
    """Return an error as a sentence that begins with the adapter's own line, where it has one."""
    place = own_line(error, file)
    said = f"{error['type']}: {first_line(error['message'])}"
    if place is None:
        return f"{said}."
    name, line, text = place
    return f"{name}:{line} `{text}` raised {said}." if text else f"{name}:{line} raised {said}."


def own_line(error: Json, file: str) -> tuple[str, int, str] | None:
    """Return the innermost line of the adapter that an error passed: file name, number, text."""
    for path, line, _, text in reversed(error.get("trace", [])):
        if same_file(path, file):
            return Path(path).name, line, text or ""
    return None


def same_file(path: str, file: str) -> bool:
    """Tell whether a path in a trace is the adapter, given as a file or a dotted module."""
    if file.endswith(".py"):
        return Path(path) == Path(file)
    parts = Path(path).with_suffix("").as_posix().removesuffix("/__init__")
    return parts.endswith(file.replace(".", "/"))


def faults_of_versions(about: Json, file: str) -> Iterator[str]:
    """Yield what is wrong with `versions()`."""
    example = 'return {"framework": framework.__version__}'
    versions = about["versions"]
    if versions is None:
        named = hint(("versions",), about["names"])
        yield f"The module has no function `versions`.{named} Write def versions(): {example}"
    elif error := versions.get("error"):
        yield f"{raised(error, file)} It is called as versions(). Write: {example}"
    elif versions["type"] != "dict":
        yield f"versions() returned {a(versions['type'])} instead of a dict. Write: {example}"
    elif not versions["entries"]:
        yield f"versions() returned an empty dict, which tells nobody what answered: {example}"
    else:
        for name, version, is_text in versions["entries"]:
            if not is_text:
                yield (
                    f"versions() holds {name}: {version}, which is not text. Names and versions "
                    f"are strings: {example}"
                )


def faults_of_program(about: Json) -> Iterator[str]:
    """Yield what is wrong with `Program` itself."""
    if "Program" not in about["names"]:
        named = hint(("Program",), about["names"])
        yield (
            f"The module has no class `Program`.{named} It is made once for each scenario: "
            "class Program: def __init__(self, layer)"
        )
        return
    constructor = about["constructor"]
    if constructor is None:
        return
    free = [p for p in constructor if p[1] != "KEYWORD_ONLY" and not p[1].startswith("VAR_")]
    needed = [name for name, kind, default in constructor if not default and "VAR" not in kind]
    if not free and not any(kind == "VAR_POSITIONAL" for _, kind, _ in constructor):
        yield "Program takes no argument. It is made with the layer: def __init__(self, layer)"
    elif len(needed) > 1 or (needed and needed[0] != free[0][0]):
        yield (
            f"Program wants {listed(needed)}. It is made with one argument, the layer, a dict of "
            "what the user wrote: def __init__(self, layer)"
        )


def faults_of_methods(about: Json) -> Iterator[str]:
    """Yield what is wrong with the steps that `Program` has."""
    methods = about["methods"]
    if methods is None:
        return
    absent = [name for name in (*STEPS, "observe") if name not in methods]
    for name in NEEDED:
        if name in absent:
            yield f"Program has no method `{name}`.{hint((name,), methods)} {WHY[name]}"
    for name in methods:
        if name in STEPS or name in OTHERS:
            continue
        near = difflib.get_close_matches(name, [n for n in absent if n not in NEEDED], 1, 0.8)
        if near:
            yield f"Program has a method `{name}`, but the step is called `{near[0]}`. Rename it."
    for name, parameters in (("observe", ()), ("close", ()), *STEPS.items()):
        if methods.get(name) is not None:
            yield from faults_of_parameters(name, parameters, methods[name])


WHY = {
    "build": "It gives the variables the initial values that the layer holds: def build(self)",
    "call": f"It executes the layer once: def call(self, {', '.join(STEPS['call'])})",
    "observe": "It returns the state a user can see, as a dict: def observe(self)",
}


def faults_of_parameters(
    name: str, wanted: Sequence[str], given: Sequence[Sequence[Any]]
) -> Iterator[str]:
    """Yield what is wrong with a method's parameters: all are passed, by name."""
    if any(kind == "VAR_KEYWORD" for _, kind, _ in given):
        return
    by_name = [each for each, kind, _ in given if kind in KEYWORDS]
    lacking = [each for each in wanted if each not in by_name]
    strange = [each for each, kind, default in given if not default and "VAR" not in kind]
    strange = [each for each in strange if each not in wanted or each not in by_name]
    if not lacking and not strange:
        return
    parts = []
    if lacking:
        parts.append(f"does not take {listed(lacking)}")
    if strange:
        parts.append(f"wants {listed(strange)}, which the step does not have")
    signature = ", ".join(("self", *wanted))
    yield f"`{name}` {' and '.join(parts)}. All are passed by name: def {name}({signature})"


def faults_of_reasons(about: Json) -> Iterator[str]:
    """Yield what is wrong with `NOT_EXPRESSIBLE`."""
    reasons = about["not_expressible"]
    if reasons is None:
        return
    example = 'NOT_EXPRESSIBLE = {"compile": "Ours has no step that prepares a model."}'
    if reasons["type"] != "dict":
        yield f"NOT_EXPRESSIBLE is {a(reasons['type'])} instead of a dict: {example}"
    for step, reason in reasons["entries"]:
        if "." in step and step not in MAY_BE_LACKING:
            known = ", ".join(sorted(MAY_BE_LACKING))
            yield f"NOT_EXPRESSIBLE names {step!r}, which no method may lack. Those are {known}."
        elif "." not in step and step not in STEPS:
            yield (
                f"NOT_EXPRESSIBLE names {step!r}, which is no step."
                f"{hint((step,), STEPS, of=True)} The steps are {', '.join(STEPS)}."
            )
        elif about["methods"] and step in about["methods"]:
            yield (
                f"`{step}` is a method and in NOT_EXPRESSIBLE too, which nobody would read. "
                "Remove one of them."
            )
        elif reason is None or len(reason.split()) < FEWEST_WORDS:
            yield (
                f"NOT_EXPRESSIBLE gives {step!r} no reason that a reader would understand. Say in "
                f"one sentence what the framework lacks: {example}"
            )


def unsaid(about: Json) -> list[str]:
    """Return the steps that are neither written nor excused."""
    reasons = {step for step, _ in (about["not_expressible"] or {"entries": []})["entries"]}
    return [
        step for step in STEPS if step not in (about["methods"] or STEPS) and step not in reasons
    ]


def hint(names: Iterable[str], there: Iterable[str], *, of: bool = False) -> str:
    """Return which of the things that are there was probably meant, as a further sentence.

    With `of`, `there` are the right names, and the one meant is looked for among them.
    """
    there = list(there)
    for name in names:
        if of:
            near = CALLED_OTHERWISE.get(name)
            near = near if near in there else nearest(name, there)
            return f" Did you mean {near!r}?" if near else ""
        same = [each for each in there if CALLED_OTHERWISE.get(each) == name]
        near = same[0] if same else nearest(name, there)
        if near:
            return f" Is it `{near}`? Rename that."
    return ""


def nearest(name: str, there: Sequence[str]) -> str | None:
    """Return the most similar name, if one is similar."""
    by_lower = {each.lower(): each for each in there}
    near = difflib.get_close_matches(name.lower(), by_lower, 1, 0.7)
    return by_lower[near[0]] if near else None


def listed(names: Sequence[str]) -> str:
    """Return names in a sentence: ``a, b and c``, each as code."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def a(type_name: str) -> str:
    """Return the name of a type with its article."""
    if type_name == "NoneType":
        return "None"
    return f"an {type_name}" if type_name[0] in "aeiou" else f"a {type_name}"
