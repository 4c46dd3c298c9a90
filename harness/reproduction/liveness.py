"""Which recorded operations a script needs: those that act, and those whose results are used.

What the adapter looked at only to decide what to do is not needed, because the script takes the
same way without looking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Operation = dict[str, Any]
Reference = Mapping[str, Any]
BLOCKS = ("with", "loop", "define")
ALWAYS = ("put", "put item")
ORDER = {
    "put": ("value", "of"),
    "put item": ("value", "of", "key"),
}
FIELDS = ("of", "arguments", "keywords", "key", "operands", "value", "condition", "made")


def nodes_in(reference: Any) -> Iterator[int]:
    """Yield the numbers a reference rests on, in the order in which they are evaluated."""
    if isinstance(reference, dict):
        if "array" in reference:
            return
        for key, value in reference.items():
            if key == "node":
                yield value
            else:
                yield from nodes_in(value)
    elif isinstance(reference, list):
        for each in reference:
            yield from nodes_in(each)


def operands(operation: Operation) -> list[int]:
    """Return the numbers an operation itself rests on, in the order of evaluation."""
    fields = ORDER.get(operation["op"], FIELDS)
    return [number for field in fields for number in nodes_in(operation.get(field))]


def without_caught(operations: list[Operation], raising: Operation | None) -> list[Operation]:
    """Return operations without those whose exceptions the adapter caught, all but `raising`."""
    found = []
    for each in operations:
        if "raised" not in each or each is raising:
            body = each.get("body")
            found.append({**each, "body": without_caught(body, raising)} if body else each)
    return found


def last_raising(operations: list[Operation]) -> Operation | None:
    """Return the operation whose exception ended a program; None where there is none."""
    for each in reversed(operations):
        if "raised" in each:
            return each
        if (inside := last_raising(each.get("body") or [])) is not None:
            return inside
    return None


def given(operation: Operation) -> list[int]:
    """Return the numbers of what an operation gives."""
    own = [operation[key] for key in ("id", "element") if key in operation]
    return [*own, *operation.get("ids", [])]


class Liveness:
    """The operations needed, and how often what they give is used.

    What the adapter only `looked` at to decide something is not needed; what it called and gave a
    name, one of the numbers `named`, is, even where the name is never used.
    `uses` counts the uses of each number; `places` are the blocks in which it is used, by identity;
    `called` are the numbers of what is called, `taken_apart` of what is assigned in parts.
    """

    def __init__(self, looked: Iterable[int], named: Iterable[int]) -> None:
        self.looked = set(looked)
        self.named = set(named)
        self.uses: Counter[int] = Counter()
        self.places: dict[int, set[int]] = {}
        self.called: set[int] = set()
        self.taken_apart: set[int] = set()
        self.needed: set[int] = set()
        self.kept: set[int] = set()

    def use(self, numbers: Iterable[int], block: int) -> None:
        """Count uses in a block."""
        for number in numbers:
            self.uses[number] += 1
            self.places.setdefault(number, set()).add(block)

    def mark(self, operations: list[Operation], block: int = 0) -> None:
        """Mark a block from its end to its beginning, after everything that follows it."""
        for operation in reversed(operations):
            if self.needs(operation):
                self.needed.add(id(operation))
                if operation["op"] == "comprehension":
                    self.mark_expression(operation, block)
                else:
                    self.use(operands(operation), block)
                if operation["op"] in ("call", "unpack"):
                    into = self.called if operation["op"] == "call" else self.taken_apart
                    into.update(nodes_in(operation["of"]))
            else:
                self.pass_on(operation)

    def needs(self, operation: Operation) -> bool:
        """Tell whether an operation is needed, marking the block inside it."""
        used = any(self.uses[number] for number in given(operation))
        kind = operation["op"]
        if kind == "define" and not used:
            return False
        if kind in BLOCKS:
            inside = id(operation["body"])
            self.use(nodes_in(operation.get("returns")), inside)
            before = len(self.needed)
            self.mark(operation["body"], inside)
            return used or len(self.needed) > before
        if used or kind in ALWAYS or "raised" in operation:
            return True
        if self.only_looked(operation) and not self.kept.intersection(given(operation)):
            return False
        if self.named.intersection(given(operation)):
            return kind not in ("attribute", "definition", "import")
        return kind == "call" and "literal" not in operation["of"]

    def mark_expression(self, operation: Operation, block: int) -> None:
        """Count the uses of a comprehension: of what it loops over, and inside it."""
        self.use(nodes_in(operation["of"]), block)
        for key in ("condition", "made"):
            self.use(nodes_in(operation[key]), id(operation))
        for each in operation["body"]:
            self.use(operands(each), id(operation))

    def only_looked(self, operation: Operation) -> bool:
        """Tell whether what an operation gives served only to decide something."""
        return any(number in self.looked for number in given(operation))

    def pass_on(self, operation: Operation) -> None:
        """Let what an operation that is not needed rests on know why."""
        to = self.looked if self.only_looked(operation) else self.kept
        to.update(operands(operation))
