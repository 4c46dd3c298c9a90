"""Python statements laid out for people: within a width, arrays and long calls on several lines."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from copy import copy

WIDTH = 100
INDENT = "    "
BRACKETS: dict[type[ast.AST], tuple[str, str]] = {
    ast.List: ("[", "]"),
    ast.Tuple: ("(", ")"),
    ast.Set: ("{", "}"),
    ast.Dict: ("{", "}"),
}

OPERATORS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda)


def laid_out(statements: Iterable[ast.stmt]) -> str:
    """Return the source of statements, each on as many lines as it takes."""
    placed = ast.fix_missing_locations(ast.Module(list(statements), []))
    lines = [line for statement in placed.body for line in lines_of(statement, "")]
    return double_quoted("\n".join(lines))


def double_quoted(source: str) -> str:
    """Return source with double quotes around text that holds neither quotes nor backslashes."""
    lines = source.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    for token in reversed(list(tokens)):
        plain = token.type == tokenize.STRING and re.fullmatch(r"'[^'\"\\]*'", token.string)
        if plain and token.string != "''" * 3:
            row, start, end = token.start[0] - 1, token.start[1], token.end[1]
            lines[row] = f'{lines[row][:start]}"{token.string[1:-1]}"{lines[row][end:]}'
    return "\n".join(lines)


def lines_of(statement: ast.stmt, indent: str) -> list[str]:
    """Return the lines of a statement."""
    if hasattr(statement, "body"):
        return list(compound(statement, indent))
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = map(bare, (statement.targets[0], statement.value))
        if len(line := f"{indent}{target} = {value}") <= WIDTH:
            return [line]
        return wrapped(statement.value, indent, f"{target} = ", "")
    if isinstance(statement, ast.Return) and statement.value is not None:
        return wrapped(statement.value, indent, "return ", "")
    if isinstance(statement, ast.Expr):
        return wrapped(statement.value, indent, "", "")
    return textwrap.indent(ast.unparse(statement), indent).splitlines()


def bare(node: ast.expr) -> str:
    """Return an expression; a tuple of several elements without its brackets."""
    source = ast.unparse(node)
    several = isinstance(node, ast.Tuple) and len(node.elts) > 1
    return source[1:-1] if several and source.startswith("(") else source


def compound(statement: ast.stmt, indent: str) -> Iterator[str]:
    """Yield the lines of a statement that holds others."""
    yield from head(statement, indent)
    yield from inner(getattr(statement, "body", []), indent)
    for handler in getattr(statement, "handlers", []):
        yield from head(handler, indent)
        yield from inner(handler.body, indent)
    orelse = getattr(statement, "orelse", [])
    if isinstance(statement, ast.If) and len(orelse) == 1 and isinstance(orelse[0], ast.If):
        first, *others = compound(orelse[0], indent)
        yield from (first.replace("if", "elif", 1), *others)
    elif orelse:
        yield from (f"{indent}else:", *inner(orelse, indent))
    if final := getattr(statement, "finalbody", []):
        yield from (f"{indent}finally:", *inner(final, indent))


def head(statement: ast.stmt | ast.excepthandler, indent: str) -> list[str]:
    """Return the lines before the body of a compound statement."""
    empty = copy(statement)
    for field in ("body", "orelse", "handlers", "finalbody"):
        if hasattr(empty, field):
            setattr(empty, field, [ast.Pass()] if field == "body" else [])
    if isinstance(statement, ast.Try):
        return [f"{indent}try:"]
    if isinstance(empty, ast.ExceptHandler):
        source = ast.unparse(ast.Try([ast.Pass()], [empty], [], [])).split("\n", 2)[2]
    else:
        source = ast.unparse(empty)
    lines = source.splitlines()
    return [indent + line for line in lines[: lines.index(f"{INDENT}pass")] if line]


def inner(body: Sequence[ast.stmt], indent: str) -> Iterator[str]:
    """Yield the lines of a body; a blank line stands around functions."""
    for i, statement in enumerate(body):
        if i and isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield ""
        if i == 0 and is_text(statement):
            yield from docstring(ast.literal_eval(ast.unparse(statement)), indent + INDENT)
        else:
            yield from lines_of(statement, indent + INDENT)
        if isinstance(statement, ast.FunctionDef) and i + 1 < len(body):
            follower = body[i + 1]
            if not isinstance(follower, ast.FunctionDef | ast.ClassDef):
                yield ""


def is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def docstring(text: str, indent: str) -> list[str]:
    """Return the lines of a docstring."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    first, *others = text.strip().splitlines()
    others = textwrap.dedent("\n".join(others)).splitlines()
    if not others:
        return [f'{indent}"""{first}"""']
    body = [indent + line if line else "" for line in others]
    return [f'{indent}"""{first}', *body, f'{indent}"""']


def wrapped(node: ast.expr, indent: str, before: str, after: str) -> list[str]:
    """Return an expression on one line, or with its parts on lines of their own."""
    line = f"{indent}{before}{ast.unparse(node)}{after}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(node, ast.List | ast.Tuple) and node.elts and all(map(is_number, node.elts)):
        return filled(node, indent, before, after)
    if isinstance(node, ast.BinOp) and not any(
        isinstance(each, OPERATORS) for each in (node.left, node.right)
    ):
        parts = operands(node)
        opening, closing, end = "(", ")", ""
    elif isinstance(node, ast.Call) and node.args + node.keywords:
        parts = list(arguments(node))
        opening, closing, end = f"{ast.unparse(node.func)}(", ")", ","
    elif type(node) in BRACKETS:
        parts = list(elements(node))
        (opening, closing), end = BRACKETS[type(node)], ","
    else:
        return [line]
    lines = [f"{indent}{before}{opening}"]
    for name, part in parts:
        lines += wrapped(part, indent + INDENT, name, end)
    return [*lines, f"{indent}{closing}{after}"]


def operands(node: ast.BinOp) -> list[tuple[str, ast.expr]]:
    """Return the operands of an operator, each with what is written before it."""
    x = ast.Name("x", ast.Load())
    sign = ast.unparse(ast.BinOp(x, node.op, x))[2:-1]
    return [("", node.left), (sign, node.right)]


def arguments(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments of a call, each with what is written before it."""
    for each in node.args:
        if isinstance(each, ast.Starred):
            yield "*", each.value
        else:
            yield "", each
    for keyword in node.keywords:
        yield f"{keyword.arg}=" if keyword.arg else "**", keyword.value


def elements(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the elements of a container, each with what is written before it."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield "**" if key is None else f"{ast.unparse(key)}: ", value
    for each in getattr(node, "elts", []):
        if isinstance(each, ast.Starred):
            yield "*", each.value
        else:
            yield "", each


def is_number(node: ast.expr) -> bool:
    """Tell whether an element is a number or a name, which share lines."""
    if isinstance(node, ast.UnaryOp):
        return is_number(node.operand)
    return isinstance(node, ast.Constant | ast.Name | ast.Attribute)


def filled(node: ast.List | ast.Tuple, indent: str, before: str, after: str) -> list[str]:
    """Return a list of numbers, as many on each line as fit."""
    opening, closing = BRACKETS[type(node)]
    numbers = ", ".join(map(ast.unparse, node.elts)) + ","
    width = WIDTH - len(indent + INDENT)
    body = textwrap.wrap(numbers, width, break_long_words=False, break_on_hyphens=False)
    head = f"{indent}{before}{opening}"
    return [head, *(indent + INDENT + line for line in body), f"{indent}{closing}{after}"]
