"""The whole text of a script."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator, Sequence

from harness.implementations import Implementation
from harness.reproduction import checking
from harness.reproduction.checks import statement
from harness.reproduction.description import AT_START, Subject, description
from harness.reproduction.layout import double_quoted, laid_out
from harness.reproduction.steps import Program, names_of
from harness.words import step_in_words

ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": ""}
ASCII = str.maketrans({"×": "x", "‘": "'", "’": "'", "–": "-", "−": "-"})


def script(subject: Subject, program: Program) -> str:
    """Return the text of a script."""
    steps = list(steps_of(subject, program))
    before = [
        f'"""{description(subject)}"""',
        "import os\nimport sys\n\nimport numpy as np",
        environment(subject.implementation),
        *grouped(program.setting_up),
    ]
    functions = [*(laid_out([each]) for each in program.definitions), *own_functions(steps)]
    after = [laid_out(program.arrays), laid_out(program.versions), *map(laid_out, steps)]
    parts = ["\n\n".join(filter(None, each)) for each in (before, after)]
    return parts[0] + spaced(functions) + parts[1] + "\n"


def spaced(definitions: Sequence[str]) -> str:
    """Return definitions with blank lines around them."""
    return "".join(f"\n\n\n{each}" for each in definitions) + "\n\n\n"


def environment(implementation: Implementation) -> str:
    """Return the statements that set what the framework reads from the environment."""
    variables = {**ON_THE_CPU, **implementation.variables}
    lines = [
        f"os.environ[{name!r}] = {value!r}"
        for name, value in variables.items()
        if not name.startswith(AT_START)
    ]
    return double_quoted("\n".join(lines))


def grouped(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield statements in groups of imports and others."""
    for _, group in itertools.groupby(statements, is_an_import):
        yield laid_out(group)


def is_an_import(written: ast.stmt) -> bool:
    """Tell whether a statement is an import."""
    return isinstance(written, ast.Import | ast.ImportFrom)


def steps_of(subject: Subject, program: Program) -> Iterator[list[ast.stmt]]:
    """Yield the statements of each step, and at last those of the end."""
    for i, statements in enumerate(program.steps):
        words = step_in_words(subject.cell.scenario.steps[i]).translate(ASCII)
        title = f"{i + 1}. {words}".encode("ascii", "backslashreplace").decode("ascii")
        yield [statement("step", ast.Constant(title)), *statements]
    yield [statement("finish")]


def own_functions(steps: Sequence[Sequence[ast.stmt]]) -> Iterator[str]:
    """Yield the sources of those of the script's own functions that its steps need."""
    source = inspect.getsource(checking).split("# ----\n")[1]
    found = ast.parse(source).body
    functions = {each.name: each for each in found if isinstance(each, ast.FunctionDef)}
    waiting = [name for statements in steps for name in names_of(statements)]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in functions and name not in needed:
            needed.add(name)
            waiting += names_of([functions[name]])
    yield "\n".join(ast.unparse(each) for each in found if not isinstance(each, ast.FunctionDef))
    for name, function in functions.items():
        if name in needed:
            yield ast.get_source_segment(source, function) or ""
