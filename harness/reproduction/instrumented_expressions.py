"""An adapter's expressions with every operation made visible to `adapters.recording`."""

from __future__ import annotations

import ast

RECORDER = "__recorder__"
SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.UAdd: "+",
    ast.USub: "-",
    ast.Invert: "~",
    ast.Not: "not ",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
COMPREHENSIONS: dict[type[ast.AST], str] = {
    ast.ListComp: "list",
    ast.GeneratorExp: "list",
    ast.SetComp: "set",
    ast.DictComp: "dict",
}


def load(name: str) -> ast.Name:
    """Return the reading of a name."""
    return ast.Name(name, ast.Load())


def recorded(operation: str, *arguments: ast.expr) -> ast.Call:
    """Return the recorder's call for an operation."""
    function = ast.Attribute(load(RECORDER), operation, ast.Load())
    return ast.Call(function, list(arguments), [])


def text(value: str | bool | None) -> ast.Constant:
    """Return a constant."""
    return ast.Constant(value)


def function_of(names: list[str], body: ast.expr) -> ast.Lambda:
    """Return a lambda of positional parameters."""
    parameters = [ast.arg(name) for name in names]
    arguments = ast.arguments([], parameters, None, [], [], None, [])
    return ast.Lambda(arguments, body)


class Expressions(ast.NodeTransformer):
    """Rewrites the expressions of one module."""

    def __init__(self) -> None:
        self.temporaries = 0

    def temporary(self) -> str:
        """Return a name the source does not use."""
        self.temporaries += 1
        return f"__value_{self.temporaries}__"

    def expression(self, node: ast.expr) -> ast.expr:
        """Return an expression rewritten."""
        found = self.visit(node)
        assert isinstance(found, ast.expr)
        return found

    def as_it_is(self, node: ast.expr) -> ast.expr:
        """Return an expression of which only the parts are rewritten."""
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Rewrite the reading of an attribute."""
        return recorded("attribute", self.expression(node.value), text(node.attr))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Rewrite the reading of an item."""
        return recorded("item", self.expression(node.value), self.expression(node.slice))

    def visit_Slice(self, node: ast.Slice) -> ast.expr:
        """Rewrite ``a:b`` as a slice object."""
        parts = [text(None) if p is None else self.expression(p) for p in (node.lower, node.upper)]
        step = [] if node.step is None else [self.expression(node.step)]
        return ast.Call(load("slice"), [*parts, *step], [])

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Rewrite a call; ``super()`` finds its class only where it is written."""
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return node
        call = recorded("call", self.expression(node.func))
        for each in node.args:
            if isinstance(each, ast.Starred):
                call.args.append(self.starred(each, "spread"))
            else:
                call.args.append(self.expression(each))
        for keyword in node.keywords:
            value = self.expression(keyword.value)
            value = value if keyword.arg else recorded("mapping", value)
            call.keywords.append(ast.keyword(keyword.arg, value))
        return call

    def visit_Starred(self, node: ast.Starred) -> ast.expr:
        """Rewrite ``*values`` inside a list, a tuple or a set."""
        return self.starred(node, "each") if isinstance(node.ctx, ast.Load) else node

    def starred(self, node: ast.Starred, operation: str) -> ast.expr:
        """Return ``*values`` with the values made iterable."""
        return ast.Starred(recorded(operation, self.expression(node.value)), ast.Load())

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        """Rewrite a dictionary; what has a key is called like it."""
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        for key, value in zip(node.keys, node.values, strict=True):
            found = self.expression(value)
            if key is None:
                found = recorded("mapping", found)
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                found = recorded("name", key, found, text(False))
            keys.append(None if key is None else self.expression(key))
            values.append(found)
        return ast.Dict(keys, values)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Rewrite an operation of two operands."""
        left, right = self.expression(node.left), self.expression(node.right)
        return recorded("binary", text(SIGNS[type(node.op)]), left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Rewrite an operation of one operand."""
        sign = text(SIGNS[type(node.op)])
        return recorded("unary", sign, self.expression(node.operand))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Rewrite `and` and `or`, whose later operands are worked out only where they count."""
        operation = "both" if isinstance(node.op, ast.And) else "either"
        *others, last = (self.expression(value) for value in node.values)
        for each in reversed(others):
            last = recorded(operation, each, function_of([], last))
        return last

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Rewrite a comparison of two."""
        if len(node.ops) > 1:
            return self.as_it_is(node)
        left, right = self.expression(node.left), self.expression(node.comparators[0])
        return recorded("compare", text(SIGNS[type(node.ops[0])]), left, right)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Rewrite the test of a conditional expression."""
        body, orelse = self.expression(node.body), self.expression(node.orelse)
        return ast.IfExp(recorded("test", self.expression(node.test)), body, orelse)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """Rewrite a formatted string as a call of `format`."""
        pattern, values = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                pattern += str(part.value).replace("{", "{{").replace("}", "}}")
            elif isinstance(part, ast.FormattedValue):
                conversion = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
                form = "" if part.format_spec is None else ast.unparse(part.format_spec)[2:-1]
                pattern += "{" + conversion + (form and f":{form}") + "}"
                values.append(self.expression(part.value))
        return recorded("call", recorded("attribute", text(pattern), text("format")), *values)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        """Rewrite an assignment inside an expression."""
        value = recorded("name", text(node.target.id), self.expression(node.value))
        return ast.NamedExpr(node.target, value)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        """Rewrite a list made from a loop."""
        return self.comprehension(node, node.generators, node.elt)

    def visit_SetComp(self, node: ast.SetComp) -> ast.expr:
        """Rewrite a set made from a loop."""
        return self.comprehension(node, node.generators, node.elt)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        """Rewrite a generator as the list of what it yields."""
        return self.comprehension(node, node.generators, node.elt)

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        """Rewrite a dictionary made from a loop."""
        made = ast.Tuple([node.key, node.value], ast.Load())
        return self.comprehension(node, node.generators, made)

    def comprehension(
        self, node: ast.expr, generators: list[ast.comprehension], made: ast.expr
    ) -> ast.expr:
        """Return the recorder's loop: over what, which are kept, and what is made of each."""
        loop = generators[0]
        if len(generators) > 1 or not is_flat(loop.target):
            return self.as_it_is(node)
        kept: ast.expr = text(None)
        if loop.ifs:
            condition = loop.ifs[0] if len(loop.ifs) == 1 else ast.BoolOp(ast.And(), loop.ifs)
            kept = self.of_each(loop.target, condition)
        kind = text(COMPREHENSIONS[type(node)])
        target = text(ast.unparse(loop.target))
        over = self.expression(loop.iter)
        return recorded("comprehension", kind, target, over, kept, self.of_each(loop.target, made))

    def of_each(self, target: ast.expr, body: ast.expr) -> ast.expr:
        """Return a function of one element, whatever names it is taken apart into."""
        if isinstance(target, ast.Name):
            return function_of([target.id], self.expression(body))
        names = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
        inner = function_of(names, self.expression(body))
        element = self.temporary()
        parts = recorded("unpack", load(element), *map(text, names))
        return function_of([element], ast.Call(inner, [ast.Starred(parts, ast.Load())], []))


def is_flat(target: ast.expr) -> bool:
    """Tell whether a target is a name, or a tuple of names."""
    if isinstance(target, ast.Tuple):
        return all(isinstance(each, ast.Name) for each in target.elts)
    return isinstance(target, ast.Name)
