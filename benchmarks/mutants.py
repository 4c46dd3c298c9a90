"""Which mutants there are of chosen definitions of a Python source, by a public mutation tool.

The tool is Cosmic Ray; what it would change in annotations is left out, since nothing reads these.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

NEED_ARGUMENTS = ("core/VariableReplacer", "core/VariableInserter")
"""Operators of the tool that must be told a variable, and put random numbers in its place."""

Span = tuple[int, int, int, int]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function


@dataclass(frozen=True)
class Mutant:
    """One change to one module.

    `function` is the innermost definition it is in, with the names around it; `line` the first line
    that changed, counted from one; `before` and `after` what stands there, without indentation.
    `executed_by` are the lines of which one must be executed for the change to matter; None where
    that cannot be said.
    """

    module: str
    operator: str
    function: str
    line: int
    before: str
    after: str
    source: str
    executed_by: frozenset[int] | None = None

    @property
    def digest(self) -> str:
        """Return the digest of the mutated module."""
        return digest_of(self.source)


def digest_of(source: str) -> str:
    """Return the digest of a source."""
    return hashlib.sha256(source.encode()).hexdigest()


def mutants_of(module: str, source: str, definitions: Sequence[str]) -> Iterator[Mutant]:
    """Yield every mutant of these top-level definitions that is Python, each once.

    Raises KeyError for a definition that the source does not have.
    """
    tree = ast.parse(source)
    found = {node.name: node for node in tree.body if isinstance(node, Definition)}
    lines = source.splitlines(keepends=True)
    for name in definitions:
        left_out = list(annotated(found[name]))
        for piece in pieces(found[name]):
            first, last = piece.start, piece.stop
            for operator, changed in changes("".join(lines[first:last]), first, left_out):
                at, before, after = difference(lines[first:last], changed.splitlines(True))
                mutated = "".join([*lines[:first], changed, *lines[last:]])
                function, executed_by = place_of(source, first + at)
                yield Mutant(
                    module, operator, function, first + at, before, after, mutated, executed_by
                )


def pieces(definition: Definition) -> Iterator[range]:
    """Yield the lines, counted from zero, of a function, or of each statement of a class."""
    for each in definition.body if isinstance(definition, ast.ClassDef) else [definition]:
        begin = first_line(each) if isinstance(each, Definition) else each.lineno
        yield range(begin - 1, each.end_lineno or begin)


def changes(piece: str, above: int, left_out: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """Yield each change the tool makes in a piece that is Python: its operator and the new piece.

    So many lines are above the piece in the source where the spans that are left out are. What is
    indented is mutated within a class, which is small and therefore quick.
    """
    around = "class Around:\n" if piece[:1].isspace() else ""
    nodes = list(ast_nodes(get_ast(around + piece)))
    known = {ast.dump(ast.parse(around + piece))}
    above -= around.count("\n")
    for name in operators():
        operator = cosmic_ray.plugins.get_operator(name)()
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (row, column) in enumerate(positions):
            if any(inside(row + above, column, span) for span in left_out):
                continue
            changed = mutate_code(around + piece, operator, occurrence)
            if (dumped := dump_of(changed)) is not None and dumped not in known:
                known.add(dumped)
                yield name, changed[len(around) :]


def dump_of(source: str) -> str | None:
    """Return a source's tree as text; None where it is not Python."""
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return None


def operators() -> list[str]:
    """Return the names of the tool's operators that change one place in one known way."""
    return [each for each in cosmic_ray.plugins.operator_names() if each not in NEED_ARGUMENTS]


def first_line(definition: Definition) -> int:
    """Return the line where a definition begins, with its decorators."""
    return min([definition.lineno, *(each.lineno for each in definition.decorator_list)])


def annotated(definition: Definition) -> Iterator[Span]:
    """Yield where the annotations in a definition are."""
    for node in ast.walk(definition):
        for each in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(each, ast.expr):
                assert each.end_lineno is not None
                assert each.end_col_offset is not None
                yield each.lineno, each.col_offset, each.end_lineno, each.end_col_offset


def inside(row: int, column: int, span: Span) -> bool:
    """Tell whether a place is in a span."""
    return span[:2] <= (row, column) < span[2:]


def difference(old: Sequence[str], new: Sequence[str]) -> tuple[int, str, str]:
    """Return the first line that differs, counted from one, and all that do, before and after."""
    first = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    same = next(
        (i for i, (a, b) in enumerate(zip(reversed(old), reversed(new), strict=False)) if a != b),
        0,
    )
    before = " ".join(line.strip() for line in old[first : len(old) - same])
    after = " ".join(line.strip() for line in new[first : len(new) - same])
    return first + 1, before, after


def place_of(source: str, line: int) -> tuple[str, frozenset[int] | None]:
    """Return the names of the definitions around a line, and the lines that execute what it says.

    The names are joined by dots, outermost first. The lines are those of its statement; of the body
    for the head of a function, where its defaults are; None for a class's own body, on which
    everything may depend.
    """
    names = []
    lines: frozenset[int] | None = None
    node: ast.AST = parsed(source)
    while (inner := statement_around(node, line)) is not None:
        if isinstance(inner, Definition):
            names.append(inner.name)
        if isinstance(inner, Function):
            lines = body(inner)
        elif lines is not None:
            lines = head(inner)
        node = inner
    return ".".join(names), lines


@lru_cache
def parsed(source: str) -> ast.Module:
    """Return the tree of a source."""
    return ast.parse(source)


def statement_around(node: ast.AST, line: int) -> ast.stmt | None:
    """Return the statement directly within a node that has this line, or None."""
    for each in statements_in(node):
        begin = first_line(each) if isinstance(each, Definition) else each.lineno
        if begin <= line <= (each.end_lineno or begin):
            return each
    return None


def statements_in(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements directly within a node, those of its handlers and cases too."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.stmt):
            yield each
        elif not isinstance(each, ast.expr):
            yield from statements_in(each)


def head(node: ast.stmt) -> frozenset[int]:
    """Return the lines of a statement up to the first one within it."""
    inner = [each.lineno for each in statements_in(node)]
    last = min(inner) - 1 if inner else node.end_lineno
    return frozenset(range(node.lineno, max(last or 0, node.lineno) + 1))


def body(node: Function) -> frozenset[int]:
    """Return the lines of a function's body."""
    last = node.end_lineno or node.lineno
    return frozenset(range(node.body[0].lineno, last + 1))
