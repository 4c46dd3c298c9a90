"""The statements of a script: setting up the framework, then each step with its checks."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.wire import decode_widened, encode_array, is_array
from adapters.worker import method_name
from harness.judge import Trace
from harness.reproduction.checks import RESERVED, check, guarded, lacking, statement
from harness.reproduction.definitions import Definitions, Refer
from harness.reproduction.expected import StepExpectation
from harness.reproduction.liveness import (
    Liveness,
    Operation,
    last_raising,
    nodes_in,
    without_caught,
)
from harness.reproduction.names import Names
from harness.reproduction.program import Block, Writer, merged
from harness.reproduction.recording import Recording
from harness.wire import layer_to_json, step_to_json
from suites.vocabulary import Scenario

EVERYWHERE = -1


@dataclass(frozen=True)
class Program:
    """A script's statements: those before the program, and a list for each step."""

    setting_up: Sequence[ast.stmt]
    versions: Sequence[ast.stmt]
    definitions: Sequence[ast.stmt]
    arrays: Sequence[ast.stmt]
    steps: Sequence[Sequence[ast.stmt]]


class Composer(ABC):
    """Writes the program of one scenario, with what is expected of each step."""

    def __init__(self, recording: Recording, expected: Sequence[StepExpectation]) -> None:
        self.recording = recording
        self.expected = expected
        self.names = Names(RESERVED)
        self.methods: dict[tuple[str, str], set[str]] = {}
        self.writer: Writer
        self.definitions: Definitions

    @abstractmethod
    def compose(self) -> Program:
        """Return the program. Raises Unwritable where it cannot be written so."""

    def set_up(self, steps: Sequence[Mapping[str, Any]], roots: set[int]) -> list[ast.stmt]:
        """Return the statements that set up the framework for what the steps need."""
        prelude = without_caught(self.recording.prelude, None)
        liveness = self.liveness(prelude, steps, roots)
        about = self.recording
        self.definitions = self.fresh_definitions(self.names, self.refer)
        self.writer = Writer(liveness, about, self.names, self.definitions)
        block = Block()
        self.writer.write((each for each in prelude if each["op"] != "definition"), block)
        self.writer.flush(block)
        self.writer.write((each for each in prelude if each["op"] == "definition"), block)
        return block.statements

    def versions(self) -> list[ast.stmt]:
        """Return the statements that print the versions a script meets."""
        block = Block()
        self.writer.write(self.recording.versions["body"], block)
        self.writer.flush(block)
        found = self.recording.versions["seen"].items()
        printed = (
            statement("print", ast.Constant(name), self.writer.of(each)) for name, each in found
        )
        return [*block.statements, *printed]

    def refer(self, reference: Mapping[str, Any]) -> ast.expr:
        """Return the expression of something that setting up made."""
        return self.writer.of(reference)

    def fresh_definitions(self, names: Names, refer: Refer) -> Definitions:
        """Return definitions of which none has been asked for."""
        about = self.recording
        return Definitions(about.sources, about.table, names, refer, self.methods)

    def liveness(
        self,
        prelude: list[Operation],
        steps: Sequence[Mapping[str, Any]],
        roots: set[int],
    ) -> Liveness:
        """Return which operations are needed, also by the definitions that are."""
        needed = set(roots)
        while True:
            found = Liveness(self.recording.tested, self.recording.kept)
            found.use(needed, EVERYWHERE)
            for done in reversed(steps):
                found.use(nodes_in(done["state"]), 0)
                found.mark(done["observing"])
                found.use(nodes_in(done["seen"]), 0)
                found.mark(done["body"])
            found.use(nodes_in(self.recording.versions["seen"]), 0)
            found.mark(self.recording.versions["body"])
            found.mark(prelude)
            trial = self.fresh_definitions(Names(set()), nothing)
            for each in prelude:
                if each["op"] == "definition" and id(each) in found.needed:
                    trial.name_of(each["module"], each["name"])
            if trial.needed <= needed:
                return found
            needed |= trial.needed

    def program(self, setting_up: list[ast.stmt], steps: list[list[ast.stmt]]) -> Program:
        """Return everything written so far as a program."""
        imports = [ast.parse(each).body[0] for each in self.definitions.imports]
        return Program(
            [*imports, *setting_up],
            self.versions(),
            self.definitions.statements,
            self.writer.constants.statements,
            steps,
        )


class WrittenOut(Composer):
    """Writes the operations that were recorded, one after the other."""

    def compose(self) -> Program:
        """Return the program."""
        assert self.recording.steps is not None
        steps = list(map(uncaught, self.recording.steps))
        setting_up = self.set_up(steps, set())
        written = [
            self.step(done, expectation)
            for done, expectation in zip(steps, self.expected, strict=True)
        ]
        return self.program(setting_up, written)

    def step(self, done: Mapping[str, Any], expectation: StepExpectation) -> list[ast.stmt]:
        """Return the statements of one step, with its checks."""
        block = Block()
        for quantity, reference in (*done["seen"].items(), *done["state"].items()):
            if reference["node"] not in self.recording.kept:
                self.writer.hints[reference["node"]] = quantity
        for operations, seen in (("body", "seen"), ("observing", "state")):
            self.writer.write(done[operations], block)
            for quantity, reference in done[seen].items():
                observed = self.observed(reference, block)
                widened = reference["widened"]
                block.statements.append(check(quantity, observed, expectation, widened=widened))
        self.writer.flush(block)
        block.statements += lacking(expectation, {*done["seen"], *done["state"]})
        return guarded(merged(block.statements), expectation, refused=done.get("refused", False))

    def observed(self, reference: Mapping[str, Any], block: Block) -> ast.expr:
        """Return what is observed, worked out in place where it is next to be worked out."""
        number = reference["node"]
        if next(iter(block.waiting), None) == number:
            return block.waiting.pop(number)
        self.writer.flush(block)
        return self.writer.value(number)


def uncaught(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded step without operations whose exceptions the adapter caught."""
    raising = None
    if done.get("refused"):
        raising = last_raising([*done["body"], *done["observing"]])
    kept = {key: without_caught(done[key], raising) for key in ("body", "observing")}
    return {**done, **kept}


class Whole(Composer):
    """Keeps the adapter's `Program` as it is and performs the steps with it."""

    def __init__(
        self,
        recording: Recording,
        expected: Sequence[StepExpectation],
        scenario: Scenario,
        trace: Trace,
    ) -> None:
        super().__init__(recording, expected)
        self.scenario = scenario
        self.trace = trace

    def compose(self) -> Program:
        """Return the program."""
        key = (self.recording.adapter, "Program")
        asked = {method_name(type(step).__name__) for step in self.scenario.steps}
        self.methods[key] = {*asked, "observe"}
        trial = self.fresh_definitions(Names(set()), nothing)
        trial.name_of(*key)
        setting_up = self.set_up([], trial.needed)
        made = self.definitions.name_of(*key)
        self.variable, self.seen = self.names.new("program"), self.names.new("seen")
        layer = self.arguments(layer_to_json(self.scenario.layer))
        pairs = ast.Dict([ast.Constant(name) for name in layer], list(layer.values()))
        call = ast.Call(ast.Name(made, ast.Load()), [pairs], [])
        first = ast.Assign([ast.Name(self.variable, ast.Store())], call)
        written = [self.step(i, [first] if i == 0 else []) for i in range(len(self.trace))]
        return self.program(setting_up, written)

    def arguments(self, message: Mapping[str, Any]) -> dict[str, ast.expr]:
        """Return a layer's or step's arguments as expressions."""
        found: dict[str, ast.expr] = {}
        for name, value in message.items():
            if is_array(value):
                array = encode_array(decode_widened(value))
                found[name] = self.writer.constants.of({"array": array, "name": name})
            else:
                found[name] = ast.Constant(value)
        return found

    def step(self, index: int, before: list[ast.stmt]) -> list[ast.stmt]:
        """Return the statements of one step, with its checks."""
        message = step_to_json(self.scenario.steps[index])
        method = method_name(message.pop("step"))
        message |= message.pop("further", {})
        keywords = [ast.keyword(n, value) for n, value in self.arguments(message).items()]
        own = ast.Call(attribute(self.variable, method), [], keywords)
        state = ast.Call(attribute(self.variable, "observe"), [], [])
        seen = ast.Name(self.seen, ast.Load())
        both = ast.Call(
            ast.Name("dict", ast.Load()),
            [ast.BoolOp(ast.Or(), [seen, ast.Dict([], [])])],
            [ast.keyword(None, state)],
        )
        target = ast.Name(self.seen, ast.Store())
        statements = [*before, ast.Assign([target], own), ast.Assign([target], both)]
        statements += self.checks(index)
        refused = self.trace[index].refusal is not None
        inner = "error.__cause__ or error"
        return guarded(statements, self.expected[index], refused=refused, error=inner)

    def checks(self, index: int) -> Iterator[ast.stmt]:
        """Yield the checks of one step."""
        expectation = self.expected[index]
        for quantity, array in self.trace[index].observed.items():
            observed: ast.expr = ast.Subscript(
                ast.Name(self.seen, ast.Load()), ast.Constant(quantity), ast.Load()
            )
            widened = array.dtype.name == "bfloat16"
            if widened:
                arguments = [observed, ast.Constant("widened"), observed]
                observed = ast.Call(ast.Name("getattr", ast.Load()), arguments, [])
            yield check(quantity, observed, expectation, widened=widened)
        yield from lacking(expectation, self.trace[index].observed)


def nothing(_: Mapping[str, Any]) -> ast.expr:
    """Return an expression for a reference that only has to be noticed."""
    return ast.Constant(None)


def attribute(owner: str, name: str) -> ast.expr:
    """Return the attribute of a variable."""
    return ast.Attribute(ast.Name(owner, ast.Load()), name, ast.Load())


def names_of(statements: Iterable[ast.stmt]) -> set[str]:
    """Return every name that statements read."""
    return {
        node.id
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
