# ruff: noqa: N802 - a visitor's methods are called like what they visit
"""An adapter's source with every operation made visible to `adapters.recording`.

Control flow, functions, classes and closures stay Python's own. What may touch the framework, such
as a call, an attribute or a sum, becomes a call of the recorder, which the rewritten source knows
as ``__recorder__``: ``layer.weight`` becomes ``__recorder__.attribute(layer, 'weight')``. The
result runs where the adapter runs, on CPython 3.6 too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.reproduction.instrumented_expressions import (
    SIGNS,
    Expressions,
    load,
    recorded,
    text,
)

PLAIN_DECORATORS = ("property", "staticmethod", "classmethod")


def instrumented(source: str) -> str:
    """Return a module's source with its operations made visible."""
    return ast.unparse(ast.fix_missing_locations(Instrument().visit(ast.parse(source))))


class Instrument(Expressions):
    """Rewrites one module.

    `parameters` are names given to the function at hand; `in_class` tells that a class is at hand.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parameters: list[str] = []
        self.in_class = False

    def statements(self, nodes: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements rewritten."""
        return [each for node in nodes for each in as_list(self.visit(node))]

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        """Rewrite an assignment to one target or several."""
        value = self.expression(node.value)
        if len(node.targets) == 1:
            return self.assigned(node.targets[0], value)
        kept = self.temporary()
        statements: list[ast.stmt] = [ast.Assign([ast.Name(kept, ast.Store())], value)]
        for target in node.targets:
            statements += self.assigned(target, load(kept))
        return statements

    def assigned(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        """Return the statements that assign a rewritten value to a target."""
        if isinstance(target, ast.Name):
            anew = text(target.id not in self.parameters)
            return [ast.Assign([target], recorded("name", text(target.id), value, anew))]
        if isinstance(target, ast.Attribute):
            owner = self.expression(target.value)
            return [ast.Expr(recorded("put", owner, text(target.attr), value))]
        if isinstance(target, ast.Subscript):
            owner, key = self.expression(target.value), self.expression(target.slice)
            return [ast.Expr(recorded("put_item", owner, key, value))]
        if isinstance(target, ast.Tuple | ast.List):
            return self.taken_apart(target, value)
        return [ast.Assign([target], value)]

    def taken_apart(self, target: ast.Tuple | ast.List, value: ast.expr) -> list[ast.stmt]:
        """Return the statements that assign the parts of a value."""
        parts: list[ast.expr] = []
        names: list[ast.expr] = []
        later: list[ast.stmt] = []
        for each in target.elts:
            star = isinstance(each, ast.Starred)
            inner = each.value if isinstance(each, ast.Starred) else each
            if isinstance(inner, ast.Name):
                name = inner.id
            else:
                name = self.temporary()
                later += self.assigned(inner, load(name))
            store = ast.Name(name, ast.Store())
            parts.append(ast.Starred(store, ast.Store()) if star else store)
            names.append(text("*" * star + name))
        together = ast.Assign([ast.Tuple(parts, ast.Store())], recorded("unpack", value, *names))
        return [together, *later]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        """Rewrite an annotated assignment; only in a class can the annotation matter."""
        if self.in_class:
            node.annotation = text(ast.unparse(node.annotation))
            node.value = node.value and self.expression(node.value)
            return [node]
        if node.value is None:
            return [ast.Pass()]
        return self.assigned(node.target, self.expression(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        """Rewrite ``a += b`` as ``a = a + b``."""
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        operands = (self.expression(read), self.expression(node.value))
        value = recorded("binary", text(SIGNS[type(node.op)]), *operands)
        return self.assigned(node.target, value)

    def visit_If(self, node: ast.If) -> ast.stmt:
        """Rewrite the test."""
        return self.tested(node)

    def visit_While(self, node: ast.While) -> ast.stmt:
        """Rewrite the test."""
        return self.tested(node)

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        """Rewrite the test."""
        return self.tested(node)

    def tested(self, node: ast.If | ast.While | ast.Assert) -> ast.stmt:
        """Return a statement whose test the recorder sees."""
        self.generic_visit(node)
        node.test = recorded("test", node.test)
        return node

    def visit_For(self, node: ast.For) -> ast.stmt:
        """Rewrite what is looped over, and take the element apart inside."""
        target = text(ast.unparse(node.target))
        element = self.temporary()
        own, self.parameters = self.parameters, [*self.parameters, ast.unparse(node.target)]
        body = self.assigned(node.target, load(element)) + self.statements(node.body)
        self.parameters = own
        orelse = self.statements(node.orelse)
        over = recorded("loop", self.expression(node.iter), target)
        return ast.For(ast.Name(element, ast.Store()), over, body, orelse)

    def visit_With(self, node: ast.With) -> ast.stmt:
        """Rewrite the contexts that are entered."""
        for item in node.items:
            target = item.optional_vars
            name = text(None if target is None else ast.unparse(target))
            item.context_expr = recorded("enter", self.expression(item.context_expr), name)
        node.body = self.statements(node.body)
        return node

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        """Rewrite the exceptions that are caught."""
        self.generic_visit(node)
        for handler in node.handlers:
            if handler.type is not None:
                handler.type = recorded("exception", handler.type)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        """Rewrite the exception that is raised."""
        self.generic_visit(node)
        if node.exc is not None:
            node.exc = recorded("exception", node.exc)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        """Rewrite a function: its body, its defaults and its decorators; it loses annotations."""
        outside = self.parameters, self.in_class
        self.parameters, self.in_class = list(parameters(node.args)), False
        node.returns = None
        node.decorator_list = [self.decorator(each) for each in node.decorator_list]
        self.visit(node.args)
        documented = ast.get_docstring(node) is not None
        body = self.statements(node.body)
        given = [name for name in self.parameters if name not in ("self", "cls")]
        named = [each for name in given for each in self.named(name)]
        node.body = [*body[:documented], *named, *body[documented:]]
        self.parameters, self.in_class = outside
        return node

    def named(self, name: str) -> list[ast.stmt]:
        """Return the statement that tells the recorder what a parameter is called."""
        return self.assigned(ast.Name(name, ast.Store()), load(name))

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Drop an annotation."""
        return ast.arg(node.arg)

    def decorator(self, node: ast.expr) -> ast.expr:
        """Return a decorator whose application the recorder sees."""
        if isinstance(node, ast.Name) and node.id in PLAIN_DECORATORS:
            return node
        return recorded("decorator", self.expression(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt | list[ast.stmt]:
        """Rewrite a class; one that extends a framework's is taken as it is, whole."""
        outside, self.in_class = self.in_class, True
        body = self.statements(node.body)
        self.in_class = outside
        if not node.bases:
            node.body = body
            return node
        bases = [self.expression(base) for base in node.bases]
        names = [self.temporary() for _ in bases]
        statements: list[ast.stmt] = [
            ast.Assign([ast.Name(name, ast.Store())], base)
            for name, base in zip(names, bases, strict=True)
        ]
        node.bases, node.body = [load(name) for name in names], body
        taken = recorded("taken", load("__name__"), text(node.name))
        foreign = recorded("extends_framework", *(load(name) for name in names))
        whole = ast.Assign([ast.Name(node.name, ast.Store())], taken)
        return [*statements, ast.If(foreign, [whole], [node])]

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        """Rewrite an import of modules."""
        statements: list[ast.stmt] = []
        for alias in node.names:
            bound = alias.asname or alias.name.split(".")[0]
            value = recorded("load", text(alias.name), text(alias.asname))
            statements.append(ast.Assign([ast.Name(bound, ast.Store())], value))
        return statements

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        """Rewrite an import from a module."""
        if node.level or node.names[0].name == "*":
            return [node]
        statements: list[ast.stmt] = []
        for alias in node.names:
            value = recorded("load_from", text(node.module), text(alias.name), text(alias.asname))
            target = ast.Name(alias.asname or alias.name, ast.Store())
            statements.append(ast.Assign([target], value))
        return statements


def parameters(arguments: ast.arguments) -> Iterator[str]:
    """Yield the names of a function's parameters."""
    single = [arguments.vararg, arguments.kwarg]
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *single):
        if each is not None:
            yield each.arg


def as_list(found: object) -> list[ast.stmt]:
    """Return the statements that one statement became."""
    nodes = found if isinstance(found, list) else [found]
    return [node for node in nodes if isinstance(node, ast.stmt)]
