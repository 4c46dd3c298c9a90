"""Classes and functions of the adapter that a script needs whole, with all they rest on.

These are the ones the framework calls by itself, such as a model's class; and, where the program
cannot be written out, the adapter's `Program`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.reproduction.liveness import nodes_in
from harness.reproduction.names import Names

Table = Mapping[str, Mapping[str, Mapping[str, Any]]]
Refer = Callable[[Mapping[str, Any]], ast.expr]


class Definitions:
    """The definitions asked for so far, in an order in which they can stand.

    `table` says for each module what its names stand for; `refer` turns a reference to what the
    framework gave into an expression. `methods` are, for some classes, those that will be called;
    others are left out, of the classes they extend too, unless these need them.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        table: Table,
        names: Names,
        refer: Refer,
        methods: Mapping[tuple[str, str], set[str]],
    ) -> None:
        self.trees = {name: ast.parse(source) for name, source in sources.items()}
        self.table = table
        self.names = names
        self.refer = refer
        self.known: dict[tuple[str, str], str] = {}
        self.methods = dict(methods)
        self.statements: list[ast.stmt] = []
        self.imports: dict[str, None] = {}
        self.needed: set[int] = set()

    def name_of(self, module: str, name: str) -> str:
        """Return the name a definition has in the script; adds it where it is new."""
        if (module, name) not in self.known:
            self.known[module, name] = self.names.new(name)
            node = copy.deepcopy(defined(self.trees[module], name))
            if isinstance(node, ast.ClassDef):
                node.body = list(self.kept(module, node))
            node.name = self.known[module, name]
            self.statements.append(Resolver(self, module).visit(node))
        return self.known[module, name]

    def kept(self, module: str, node: ast.ClassDef) -> Iterator[ast.stmt]:
        """Yield what the script needs of a class."""
        called = self.methods.get((module, node.name))
        if called is not None:
            family = dict(self.family(module, node))
            called = reachable(list(family.values()), called)
            self.methods |= dict.fromkeys(family, called)
        for each in node.body:
            if called is None or not isinstance(each, ast.FunctionDef) or each.name in called:
                yield each

    def family(
        self, module: str, node: ast.ClassDef
    ) -> Iterator[tuple[tuple[str, str], ast.ClassDef]]:
        """Yield a class of the adapter's and those of its own that it extends."""
        yield (module, node.name), node
        for base in node.bases:
            found = self.table.get(module, {}).get(ast.unparse(base), {})
            if "definition" in found:
                origin, name = found["definition"]
                extended = defined(self.trees[origin], name)
                if isinstance(extended, ast.ClassDef):
                    yield from self.family(origin, extended)

    def stands_for(self, module: str, name: str) -> ast.expr | None:
        """Return what a name of a module is in the script; None where it is Python's own."""
        found = self.table.get(module, {}).get(name)
        if found is None:
            return None
        match dict(found):
            case {"definition": [origin, own]}:
                return ast.Name(self.name_of(origin, own), ast.Load())
            case {"import": statement}:
                self.imports[statement] = None
                return ast.Name(name, ast.Load())
            case {"module": _}:
                return None
        self.needed.update(nodes_in(found))
        if "node" in found or "literal" in found:
            return self.refer(found)
        if (module, name) not in self.known:
            self.known[module, name] = self.names.new(name)
            target = ast.Name(self.known[module, name], ast.Store())
            self.statements.append(ast.Assign([target], self.refer(found)))
        return ast.Name(self.known[module, name], ast.Load())

    def module_at(self, module: str, name: str) -> str | None:
        """Return the module of the adapter that a name stands for; None where it is none."""
        found = self.table.get(module, {}).get(name, {})
        return found.get("module")


class Resolver(ast.NodeTransformer):
    """Puts what a module's names stand for in their place, and drops annotations."""

    def __init__(self, definitions: Definitions, module: str) -> None:
        self.definitions = definitions
        self.module = module
        self.local: list[set[str]] = []
        self.annotated = False

    def is_local(self, name: str) -> bool:
        """Tell whether a name is a function's own."""
        return any(name in names for names in self.local)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Resolve a name."""
        if not isinstance(node.ctx, ast.Load) or self.is_local(node.id):
            return node
        return self.definitions.stands_for(self.module, node.id) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Resolve a name of another module of the adapter."""
        if isinstance(node.value, ast.Name) and not self.is_local(node.value.id):
            other = self.definitions.module_at(self.module, node.value.id)
            if other is not None:
                found = self.definitions.stands_for(other, node.attr)
                return found or ast.Name(node.attr, ast.Load())
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        """Resolve a function, whose own names come first."""
        node.returns = None
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        self.visit(node.args)
        self.local.append(set(names_bound(node)))
        body = [self.visit(each) for each in node.body]
        node.body = [each for each in body if each is not None]
        self.local.pop()
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Drop an annotation."""
        return ast.arg(node.arg)

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        """Resolve a lambda."""
        self.local.append({each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)})
        self.generic_visit(node)
        self.local.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        """Drop an annotation, unless a decorated class may read it."""
        if self.annotated and not self.local:
            self.generic_visit(node)
            return node
        return ast.Assign([node.target], self.visit(node.value)) if node.value else None

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        """Resolve a class."""
        self.annotated = bool(node.decorator_list)
        self.generic_visit(node)
        return node


def names_bound(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the names that a function binds, or a loop inside it; not those of functions inside."""
    waiting: list[ast.AST] = [function.args, *function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            yield node.name
            continue
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler):
            yield node.name or ""
        if not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def defined(tree: ast.Module, name: str) -> ast.FunctionDef | ast.ClassDef:
    """Return the definition of a name anywhere at the level of a module."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if node.name == name:
                return node
        else:
            waiting += ast.iter_child_nodes(node)
    raise LookupError(name)


def reachable(family: Sequence[ast.ClassDef], called: set[str]) -> set[str]:
    """Return the names of the methods of some classes that those called need, with them."""
    methods: dict[str, list[ast.FunctionDef]] = {}
    for node in family:
        for each in node.body:
            if isinstance(each, ast.FunctionDef):
                methods.setdefault(each.name, []).append(each)
    found: set[str] = set()
    waiting = {name for name in methods if name.startswith("__")} | (called & set(methods))
    while waiting:
        name = waiting.pop()
        found.add(name)
        inside = (node for method in methods[name] for node in ast.walk(method))
        waiting |= {node.attr for node in inside if isinstance(node, ast.Attribute)} & set(methods)
        waiting -= found
    return found
