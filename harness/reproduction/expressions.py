"""Recorded operations and references as Python expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from adapters.wire import decode_array
from harness.reproduction.literals import array_expression, expression
from harness.reproduction.liveness import Operation, nodes_in
from harness.reproduction.names import Names

NAMELESS = ("numpy", "copy", "value", "detach")


class Unwritable(Exception):
    """The recording cannot be written as a script; the message says why."""


class Constants:
    """The script's arrays, each defined once, under upper-case names."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.known: dict[str, str] = {}
        self.statements: list[ast.stmt] = []

    def of(self, reference: Mapping[str, Any]) -> ast.expr:
        """Return the expression of an array: its name, or itself where it is one number."""
        found = array_expression(decode_array(reference["array"]))
        if not reference["array"]["shape"]:
            return found
        source = ast.unparse(found)
        if source not in self.known:
            self.known[source] = self.names.new((reference["name"] or "array").upper())
            target = ast.Name(self.known[source], ast.Store())
            self.statements.append(ast.Assign([target], found))
        return ast.Name(self.known[source], ast.Load())


class Expressions:
    """Knows how each value is written.

    By their numbers, `fixed` holds what is written wherever it is used, `called` the names of
    values, `inside` what is written in the one place where it is used.
    """

    def __init__(self, names: Names) -> None:
        self.constants = Constants(names)
        self.fixed: dict[int, ast.expr] = {}
        self.called: dict[int, str] = {}
        self.inside: dict[int, ast.expr] = {}

    def value(self, number: int) -> ast.expr:
        """Return the expression of a value: itself, or its name. Raises Unwritable."""
        if number in self.inside:
            return self.inside[number]
        if number in self.fixed:
            return self.fixed[number]
        if number in self.called:
            return ast.Name(self.called[number], ast.Load())
        raise Unwritable("A value is used that is not to be had at that place of a script.")

    def of(self, reference: Mapping[str, Any]) -> ast.expr:  # noqa: C901, PLR0911 - a case for each
        """Return the expression of a reference."""
        match dict(reference):
            case {"node": number}:
                return self.value(number)
            case {"literal": source}:
                return expression(source)
            case {"array": _}:
                return self.constants.of(reference)
            case {"starred": inner}:
                return ast.Starred(self.of(inner), ast.Load())
            case {"attribute": [inner, name]}:
                return ast.Attribute(self.of(inner), name, ast.Load())
            case {"slice": parts}:
                return ast.Call(ast.Name("slice", ast.Load()), list(map(self.of, parts)), [])
            case {"dict": pairs}:
                keys, values = [key for key, _ in pairs], [value for _, value in pairs]
                return ast.Dict(list(map(self.of, keys)), list(map(self.of, values)))
            case {"list": parts}:
                return ast.List(list(map(self.of, parts)), ast.Load())
            case {"tuple": parts}:
                return ast.Tuple(list(map(self.of, parts)), ast.Load())
            case {"set": []} | {"frozenset": []}:
                return expression("set()")
            case {"set": parts} | {"frozenset": parts}:
                return ast.Set(list(map(self.of, parts)))
        raise Unwritable(f"There is no way to refer to {sorted(reference)}.")

    def value_of(self, operation: Operation) -> ast.expr:
        """Return the expression of an operation."""
        match operation["op"]:
            case "attribute":
                return ast.Attribute(self.of(operation["of"]), operation["name"], ast.Load())
            case "item":
                return ast.Subscript(self.of(operation["of"]), self.key(operation), ast.Load())
            case "call":
                positional = list(map(self.of, operation["arguments"]))
                keywords = [ast.keyword(name, self.of(x)) for name, x in operation["keywords"]]
                return ast.Call(self.of(operation["of"]), positional, keywords)
            case "binary" | "compare":
                left, right = map(self.of, operation["operands"])
                return operated(f"left {operation['sign']} right", left=left, right=right)
            case "unary":
                return operated(f"{operation['sign']}left", left=self.of(operation["operands"][0]))
            case "comprehension":
                return self.comprehension(operation)
        raise Unwritable(f"There is no way to write {operation['op']} in an expression.")

    def key(self, operation: Operation) -> ast.expr:
        """Return the expression of a key; a slice is written with colons."""
        reference = operation["key"]
        if "slice" not in reference:
            return self.of(reference)
        parts = [None if is_none(part) else self.of(part) for part in reference["slice"]]
        return ast.Slice(*parts)

    def comprehension(self, operation: Operation) -> ast.expr:
        """Return the expression that makes a container from a loop."""
        over, outside = self.of(operation["of"]), self.inside
        self.inside = dict(outside)
        target = target_of(operation["target"])
        if isinstance(target, ast.Name):
            self.inside[operation["element"]] = ast.Name(target.id, ast.Load())
        for each in operation["body"]:
            if each["op"] != "unpack":
                self.inside[each["id"]] = self.value_of(each)
            elif isinstance(target, ast.Tuple) and element_of(each) == operation["element"]:
                for number, part in zip(each["ids"], target.elts, strict=True):
                    self.inside[number] = expression(ast.unparse(part))
        made, condition = self.of(operation["made"]), self.of(operation["condition"])
        self.inside = outside
        ifs = [] if isinstance(condition, ast.Constant) else [condition]
        return comprehended(operation["kind"], made, ast.comprehension(target, over, ifs, 0))


def element_of(unpacked: Operation) -> int | None:
    """Return the number of what is taken apart."""
    return next(nodes_in(unpacked["of"]), None)


def target_of(source: str) -> ast.expr:
    """Return the target of an assignment or a loop."""
    (assignment,) = ast.parse(f"{source} = 0").body
    assert isinstance(assignment, ast.Assign)
    return assignment.targets[0]


def comprehended(kind: str, made: ast.expr, loop: ast.comprehension) -> ast.expr:
    """Return what makes a container of a kind; of all elements as they are, without a loop."""
    if kind == "dict":
        assert isinstance(made, ast.Tuple)
        return ast.DictComp(made.elts[0], made.elts[1], [loop])
    if not loop.ifs and ast.unparse(made) == ast.unparse(loop.target):
        return ast.Call(ast.Name(kind, ast.Load()), [loop.iter], [])
    return ast.SetComp(made, [loop]) if kind == "set" else ast.ListComp(made, [loop])


def is_none(reference: Mapping[str, Any]) -> bool:
    """Tell whether a reference is to None."""
    return reference.get("literal") == "None"


class Operands(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, parts: Mapping[str, ast.expr]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the expression that stands for a name."""
        return self.parts[node.id]


def operated(pattern: str, **parts: ast.expr) -> ast.expr:
    """Return an operation written with names, with expressions in their places."""
    found = Operands(parts).visit(expression(pattern))
    assert isinstance(found, ast.expr)
    return found


def wish_of(value: ast.expr) -> str:
    """Return a name that suits an expression."""
    match value:
        case ast.Call(func=inner):
            return wish_of(inner)
        case ast.Attribute(value=inner, attr=name):
            return wish_of(inner) if name in NAMELESS else snake_case(name)
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Subscript(value=inner):
            return wish_of(inner)
        case ast.Name(id=name):
            return snake_case(name)
    return "value"


def snake_case(name: str) -> str:
    """Return the name of a class as that of a variable."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
