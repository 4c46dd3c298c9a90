"""Recorded operations as the statements of a program that reads as if written by hand.

What is used once, right after it was worked out, is written where it is used; what is used more
often, or later, gets a name. The order in which things happen never changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, Protocol

from harness.reproduction.expressions import Expressions, Unwritable, wish_of
from harness.reproduction.literals import expression
from harness.reproduction.liveness import Liveness, Operation, nodes_in, operands
from harness.reproduction.names import Names
from harness.reproduction.recording import Recording

PRESENT = ("import os", "import sys", "import numpy as np")
LONGEST_INSIDE = 72


class Definitions(Protocol):
    """What knows the classes and functions that the framework calls by itself."""

    def name_of(self, module: str, name: str) -> str:
        """Return the name a definition has in the script."""


class Block:
    """The statements written so far, and the expressions that wait to be used, oldest first.

    `place` tells it from other blocks, as in `Liveness`.
    """

    def __init__(self, place: int = 0) -> None:
        self.place = place
        self.statements: list[ast.stmt] = []
        self.waiting: dict[int, ast.expr] = {}


class Writer(Expressions):
    """Writes operations into blocks; `hints` are names that suit values, by their numbers."""

    def __init__(
        self,
        liveness: Liveness,
        recording: Recording,
        names: Names,
        definitions: Definitions,
    ) -> None:
        super().__init__(names)
        self.liveness = liveness
        self.kept = recording.kept
        self.steady = recording.steady
        self.hints = dict(recording.names)
        self.names = names
        self.definitions = definitions
        self.imported: set[int] = set()

    def write(self, operations: Iterable[Operation], block: Block) -> None:
        """Write the operations that are needed at the end of a block."""
        for operation in operations:
            if id(operation) in self.liveness.needed:
                kind = operation["op"].replace(" ", "_")
                getattr(self, f"write_{kind}", self.write_value)(operation, block)

    def body(self, operations: list[Operation], returns: Any = None) -> list[ast.stmt]:
        """Return the statements of a block inside another."""
        block = Block(id(operations))
        self.write(operations, block)
        if returns is not None:
            self.take(nodes_in(returns), block)
            value = self.of(returns)
            self.flush(block)
            block.statements.append(ast.Return(value))
        self.flush(block)
        return merged(block.statements) or [ast.Pass()]

    def flush(self, block: Block) -> None:
        """Give a name to everything that waits."""
        for number, value in block.waiting.items():
            self.assign(number, value, block)
        block.waiting = {}

    def assign(self, number: int, value: ast.expr, block: Block) -> None:
        """Write an assignment to a new name."""
        name = self.name(number, wish_of(value))
        block.statements.append(ast.Assign([ast.Name(name, ast.Store())], value))

    def name(self, number: int, otherwise: str) -> str:
        """Give a value a name."""
        self.called[number] = self.names.new(self.hints.get(number, otherwise))
        return self.called[number]

    def take(self, numbers: Iterable[int], block: Block) -> None:
        """Let what waits be written where it is used, if that keeps the order; else name it."""
        wanted = [number for number in numbers if number in block.waiting]
        newest = list(block.waiting)[len(block.waiting) - len(wanted) :]
        if wanted != newest:
            self.flush(block)
            return
        for number in wanted:
            self.inside[number] = block.waiting.pop(number)

    def prepare(self, operation: Operation, block: Block) -> None:
        """Make ready for a statement: what it does not use itself comes before it."""
        self.take(operands(operation), block)
        self.flush(block)

    def write_import(self, operation: Operation, block: Block) -> None:
        """Write an import, unless every script has it."""
        name = operation["as"]
        if operation["statement"] not in PRESENT:
            (statement,) = ast.parse(operation["statement"]).body
            assert isinstance(statement, ast.Import | ast.ImportFrom)
            name = self.names.new(name)
            if name != operation["as"]:
                statement.names[0].asname = name
            self.flush(block)
            block.statements.append(statement)
        self.fixed[operation["id"]] = ast.Name(name, ast.Load())
        self.imported.add(operation["id"])

    def write_definition(self, operation: Operation, _: Block) -> None:
        """Refer to a class defined before the program."""
        name = self.definitions.name_of(operation["module"], operation["name"])
        self.fixed[operation["id"]] = ast.Name(name, ast.Load())

    def write_put(self, operation: Operation, block: Block) -> None:
        """Write the assignment of an attribute."""
        self.prepare(operation, block)
        target = ast.Attribute(self.of(operation["of"]), operation["name"], ast.Store())
        block.statements.append(ast.Assign([target], self.of(operation["value"])))

    def write_put_item(self, operation: Operation, block: Block) -> None:
        """Write the assignment of an item."""
        self.prepare(operation, block)
        target = ast.Subscript(self.of(operation["of"]), self.key(operation), ast.Store())
        block.statements.append(ast.Assign([target], self.of(operation["value"])))

    def write_unpack(self, operation: Operation, block: Block) -> None:
        """Write the taking apart of a value."""
        self.prepare(operation, block)
        targets: list[ast.expr] = []
        for place, number in enumerate(operation["ids"]):
            name = self.name(number, "part") if self.liveness.uses[number] else "_"
            target = ast.Name(name, ast.Store())
            starred = place == operation["star"]
            targets.append(ast.Starred(target, ast.Store()) if starred else target)
        value = self.of(operation["of"])
        block.statements.append(ast.Assign([ast.Tuple(targets, ast.Store())], value))

    def write_with(self, operation: Operation, block: Block) -> None:
        """Write a context and what happens in it."""
        self.prepare(operation, block)
        item = ast.withitem(self.of(operation["of"]))
        if self.liveness.uses[operation["id"]]:
            item.optional_vars = ast.Name(self.name(operation["id"], "context"), ast.Store())
        block.statements.append(ast.With([item], self.body(operation["body"])))

    def write_loop(self, operation: Operation, block: Block) -> None:
        """Write a loop of which every round does the same."""
        self.prepare(operation, block)
        if "of" in operation:
            over, name = self.of(operation["of"]), self.name(operation["element"], "each")
        else:
            over, name = expression(f"range({operation['count']})"), "_"
        body = self.body(operation["body"])
        block.statements.append(ast.For(ast.Name(name, ast.Store()), over, body, []))

    def write_define(self, operation: Operation, block: Block) -> None:
        """Write a function that the framework calls, by what its first call did."""
        if operation["parameters"] is None:
            raise Unwritable("A function handed to the framework was never called.")
        self.flush(block)
        name = self.name(operation["id"], "function")
        parameters = [self.name(each, "argument") for each in operation["parameters"]]
        (function,) = ast.parse(f"def {name}({', '.join(parameters)}): pass").body
        assert isinstance(function, ast.FunctionDef)
        function.body = self.body(operation["body"], operation["returns"])
        block.statements.append(function)

    def write_value(self, operation: Operation, block: Block) -> None:
        """Write an operation that gives a value, or let it wait for its use."""
        number = operation["id"]
        if operation["op"] in ("attribute", "item") and self.stays(operation):
            self.fixed[number] = self.value_of(operation)
            return
        self.take(operands(operation), block)
        value = self.value_of(operation)
        if self.waits(operation, value, block):
            block.waiting[number] = value
            return
        self.flush(block)
        if self.liveness.uses[number] or number in self.kept:
            self.assign(number, value, block)
        else:
            block.statements.append(ast.Expr(value))

    def stays(self, operation: Operation) -> bool:
        """Tell whether an attribute or item can be read wherever it is used.

        So it is with what a module holds, with a method, and with what was still the same in the
        recording.
        """
        number, owners = operation["id"], list(nodes_in(operation["of"]))
        if operation["op"] == "attribute" and self.imported.issuperset(owners):
            self.imported.add(number)
            return True
        known = all(owner in self.called or owner in self.fixed for owner in owners)
        method = number in self.liveness.called and self.liveness.uses[number] == 1
        return known and bool(owners) and (method or number in self.steady)

    def waits(self, operation: Operation, value: ast.expr, block: Block) -> bool:
        """Tell whether a value is best written where it is used."""
        number = operation["id"]
        if self.liveness.uses[number] != 1 or self.liveness.places[number] != {block.place}:
            return False
        if operation["op"] == "attribute" or number in self.liveness.taken_apart:
            return True
        named = number in self.kept and operation["op"] != "comprehension"
        return not named and len(ast.unparse(value)) <= LONGEST_INSIDE


def merged(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements with neighbouring blocks in the same nameless context made one."""
    found: list[ast.stmt] = []
    for statement in statements:
        before = found[-1] if found else None
        if (
            isinstance(statement, ast.With)
            and isinstance(before, ast.With)
            and statement.items[0].optional_vars is None
            and ast.dump(statement.items[0]) == ast.dump(before.items[0])
        ):
            before.body = merged([*before.body, *statement.body])
        else:
            found.append(statement)
    return found
