"""What the instrumented source of an adapter knows as ``__recorder__``."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional

from adapters.recording.operations import Operations
from adapters.recording.traced import Json, Traced, form_of

CONTAINERS: Dict[str, Any] = {"list": list, "set": set, "dict": dict}
IN_EXPRESSIONS = ("attribute", "item", "call", "binary", "unary", "compare", "unpack")


class Recorder(Operations):
    """Does and writes down everything, loops and contexts too."""

    @contextmanager
    def enter(self, context: Any, name: Optional[str]) -> Iterator[Any]:
        """`with`."""
        if not isinstance(context, Traced):
            with context as value:
                yield value
            return
        number = self.number()
        body: List[Json] = []
        about = {"op": "with", "of": self.reference(context), "id": number, "body": body}
        self.blocks[-1].append(about)
        if name is not None:
            self.names[number] = name
        with self.block(body), context.value as value:
            yield Traced(value, number)

    def loop(self, over: Any, target: str) -> Iterator[Any]:
        """`for`: what each round does is written once where all rounds do the same."""
        block, start = self.blocks[-1], len(self.blocks[-1])
        listed = None
        if isinstance(over, Traced) and not isinstance(over.value, dict):
            listed = self.write_call(list, {"literal": "list"}, [over], {})
        begins = []
        for i, element in enumerate(self.each(over) if listed is None else listed.value):
            begins.append(len(block))
            yield element if listed is None else self.name(target, self.item(listed, i))
        rounds = [block[a:b] for a, b in zip(begins, [*begins[1:], len(block)])]
        if block is self.blocks[-1] and rounds:
            block[start:] = rerolled(rounds, over, listed is not None) or block[start:]

    def comprehension(
        self,
        kind: str,
        target: str,
        over: Any,
        kept: Optional[Callable[[Any], Any]],
        made: Callable[[Any], Any],
    ) -> Any:
        """Make a list, a set or a dictionary from a loop."""
        if isinstance(over, Traced) and not isinstance(over.value, dict):
            values = list(over.value)
            if not values:
                return self.write_call(CONTAINERS[kind], {"literal": kind}, [over], {})
            found = self.uniform(kind, target, over, values, kept, made)
            if found is not None:
                return found
            over = self.write_call(lambda _: values, {"literal": "list"}, [over], {})
        parts = [made(each) for each in self.each(over) if kept is None or self.test(kept(each))]
        if kind == "dict":
            parts = [(k, self.name(k, v, False) if isinstance(k, str) else v) for k, v in parts]
        return CONTAINERS[kind](parts)

    def uniform(
        self,
        kind: str,
        target: str,
        over: Traced,
        values: List[Any],
        kept: Optional[Callable[[Any], Any]],
        made: Callable[[Any], Any],
    ) -> Any:
        """Return what a loop over a traced value makes, if it treats all elements alike."""
        element = self.number()
        results, forms = [], set()
        about: Json = {"of": self.reference(over), "element": element, "target": target}
        for value in values:
            with self.block() as operations:
                each = Traced(value, element)
                condition = True if kept is None else kept(each)
                result = made(each)
            holds = condition.value if isinstance(condition, Traced) else condition
            references = [self.reference(condition), self.reference(result)]
            forms.add(form_of(operations, *references))
            about.update(body=operations, condition=references[0], made=references[1])
            if holds:
                results.append(self.plain(result))
        if len(forms) > 1 or any(each["op"] not in IN_EXPRESSIONS for each in about["body"]):
            return None
        if about["condition"] == {"literal": "False"}:
            self.look(over)
            return CONTAINERS[kind]()
        return self.write("comprehension", lambda: CONTAINERS[kind](results), kind=kind, **about)


def rerolled(rounds: List[List[Json]], over: Any, traced: bool) -> Optional[List[Json]]:
    """Return the loop whose rounds these are; None where they do different things.

    Where it is `traced`, what it is over comes from the framework, and each round begins by taking
    an element of it.
    """
    forms = set()
    for each in rounds:
        element = [{"op": "element", "id": each[0]["id"]}] if traced else []
        forms.add(form_of([*element, *each[traced:]]))
    body = rounds[-1][traced:]
    if len(forms) > 1 or not body or not (traced or len(rounds) > 1):
        return None
    about: Json = {"op": "loop", "count": len(rounds), "body": body}
    if traced:
        about.update(of={"node": over.number}, element=rounds[-1][0]["id"])
    return [about]
