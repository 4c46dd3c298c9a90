"""What an adapter does with its framework becomes a program that does the same, and reads well."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import adapters.recording
from adapters.recording.perform import answer
from adapters.worker import load_adapter
from harness.environments import Unavailable, find_interpreter
from harness.reproduction.expected import ASTRAY
from harness.reproduction.expressions import Unwritable
from harness.reproduction.instrumented import instrumented
from harness.reproduction.layout import laid_out
from harness.reproduction.recording import recording_of, sources_of
from harness.reproduction.steps import Whole, WrittenOut
from harness.wire import decode_array, scenario_to_json
from suites.inputs import batch
from suites.vocabulary import Build, Call, Layer, Scenario

X = batch("recording")
LAYER = Layer(channels=3, rank=2, epsilon=0.5)
SCENARIO = Scenario("recorded", "none", "?", LAYER, (Build(), Call(X)), (), (), (), ())
FILES = sorted(Path(adapters.recording.__file__).parent.glob("*.py"))

FRAMEWORK = '''
"""A framework that logs everything it is asked to do."""

import contextlib

log = []


class Tensor:
    def __init__(self, values):
        self.values = values
        self.frozen = False
        self.shape = tuple(values.shape)

    def plus(self, other):
        log.append(("plus", float(self.values.sum()), str(other)))
        return Tensor(self.values + other)

    def numpy(self):
        log.append("numpy")
        return self.values.copy()

    def halves(self):
        return [Tensor(self.values / 2), Tensor(self.values / 2)]

    def named(self):
        return {"one": Tensor(self.values * 1), "two": Tensor(self.values * 2)}

    def move(self):
        log.append("move")
        self.values = self.values + 1

    @property
    def fresh(self):
        return Tensor(self.values)


class Module:
    def __call__(self, x):
        log.append(type(self).__name__)
        return self.forward(x)


def tensor(values):
    return Tensor(values)


def apply(function, x):
    log.append("apply")
    function(x)
    return function(x)


def fail():
    raise RuntimeError("no")


@contextlib.contextmanager
def quiet():
    log.append("quiet")
    yield "hush"
    log.append("loud")


def parameters(*_):
    return iter([tensor_of(1), tensor_of(2)])


def tensor_of(number):
    import numpy

    return Tensor(numpy.full(3, float(number)))
'''

ADAPTER = '''
"""An adapter."""

import numpy as np
import toy
from toy import tensor

from adapters.answers import NotExpressible, framework_call

OFFSETS = {"half": 0.5}
QUIET = toy.quiet


def versions():
    return {"toy": "1"}


class Shifted(toy.Module):
    """Adds an offset."""

    def __init__(self, offset):
        self.offset = offset

    def forward(self, x):
        """Shift."""
        return x.plus(self.offset + OFFSETS["half"])


class Program:
    def __init__(self, layer):
        self.layer = layer
        self.model = None

    def build(self):
        pass

    def call(self, x, **others):
        x = tensor(x)
BODY

    def show(self, found):
        return {"output": found.numpy()}

    def twice(self, x):
        return x.plus(1).plus(1)

    def observe(self):
        return {}
'''


def native(adapter):
    """What the adapter itself does and shows."""
    import toy

    toy.log.clear()
    module = load_adapter(str(adapter))
    program = module.Program({"channels": 3, "rank": 2, "dtype": "float32", "epsilon": 0.5})
    program.build()
    step = scenario_to_json(SCENARIO)["steps"][1]
    seen = program.call(decode_array(step["x"]))
    return list(toy.log), {name: np.asarray(value) for name, value in seen.items()}


def executed(program):
    """What a written program does and shows."""
    import toy

    toy.log.clear()
    seen = {}
    statements = [*program.setting_up, *program.definitions, *program.arrays]
    source = laid_out([*statements, *(each for step in program.steps for each in step)])
    scope = {"np": np, "unjudged": lambda name, value: seen.update({name: np.asarray(value)})}
    exec(compile(source, "script", "exec"), scope)  # noqa: S102 - what was written for this test
    return list(toy.log), seen


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A function that records an adapter whose `call` has a given body."""
    framework = tmp_path / "framework"
    framework.mkdir()
    (framework / "toy.py").write_text(FRAMEWORK)
    monkeypatch.syspath_prepend(framework)
    monkeypatch.delitem(sys.modules, "toy", raising=False)

    def record(body):
        path = tmp_path / "adapter.py"
        indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
        path.write_text(ADAPTER.replace("BODY", indented))
        sources = sources_of(str(path))
        request = {
            "adapter": str(path),
            "sources": {name: instrumented(source) for name, source in sources.items()},
            "scenario": scenario_to_json(SCENARIO),
        }
        said = answer(request)
        return recording_of(str(path), sources, said), said, path

    monkeypatch.setattr(sys, "path", list(sys.path))
    yield record
    sys.modules.pop("toy", None)


def written(recorded, body):
    """The lines of the second step; what they do has been seen to be what the adapter does."""
    found, said, path = recorded(body)
    assert "failed" not in said
    program = WrittenOut(found, [ASTRAY, ASTRAY]).compose()
    assert_alike(executed(program), native(path))
    return laid_out(program.steps[1]).splitlines()


def assert_alike(one, other):
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        np.testing.assert_array_equal(value, other[1][name])


CASES = {
    "what the scenario decides leaves no trace": (
        """
        if self.layer.get("epsilon", 0) < 1 and "decay" not in self.layer:
            return self.show(x.plus(self.layer["epsilon"]))
        raise NotExpressible("This is not about that.")
        """,
        ['unjudged("output", tensor(X).plus(0.5).numpy())'],
    ),
    "what the framework decides leaves no trace": (
        """
        return self.show(x if x.frozen or x.shape[0] > 99 else x.plus(2))
        """,
        ['unjudged("output", tensor(X).plus(2).numpy())'],
    ),
    "methods of the adapter are written out": (
        """
        with framework_call():
            found = self.twice(x)
        return self.show(found)
        """,
        ["found = tensor(X).plus(1).plus(1)", 'unjudged("output", found.numpy())'],
    ),
    "what is used twice has the adapter's name": (
        """
        both = x.plus(1)
        both.move()
        return self.show(both)
        """,
        ["both = tensor(X).plus(1)", "both.move()", 'unjudged("output", both.numpy())'],
    ),
    "the order of what happens stays": (
        """
        first, second = x.plus(1), x.plus(2)
        return self.show(second.plus(first.numpy()))
        """,
        [
            "x = tensor(X)",
            "first = x.plus(1)",
            "second = x.plus(2)",
            'unjudged("output", second.plus(first.numpy()).numpy())',
        ],
    ),
    "rounds of a loop that are alike are written once": (
        """
        for _ in range(3):
            x.move()
            found = x.plus(1)
        return self.show(found)
        """,
        [
            "x = tensor(X)",
            "for _ in range(3):",
            "    x.move()",
            "    found = x.plus(1)",
            'unjudged("output", found.numpy())',
        ],
    ),
    "rounds that differ are written out": (
        """
        for offset in (1, 2):
            x = x.plus(offset)
        return self.show(x)
        """,
        ['unjudged("output", tensor(X).plus(1).plus(2).numpy())'],
    ),
    "a loop over the framework's is a loop": (
        """
        for parameter in toy.parameters(x):
            parameter.frozen = True
        return self.show(x)
        """,
        [
            "x = tensor(X)",
            "for parameter in toy.parameters(x):",
            "    parameter.frozen = True",
            'unjudged("output", x.numpy())',
        ],
    ),
    "a comprehension over the framework's is one": (
        """
        free = [p for p in toy.parameters(x) if not p.frozen]
        return {"output": np.int64(len([p.shape for p in toy.parameters() if p.shape]))}
        """,
        [
            "free = [p for p in toy.parameters(tensor(X)) if not p.frozen]",
            'unjudged("output", np.int64(len([p.shape for p in toy.parameters() if p.shape])))',
        ],
    ),
    "a star takes the rest": (
        """
        first, *others = x.halves()
        return self.show(others[0].plus(first.values))
        """,
        [
            "first, *others = tensor(X).halves()",
            'unjudged("output", others[0].plus(first.values).numpy())',
        ],
    ),
    "a dictionary of the framework's is looked up": (
        """
        found = {name: value.numpy() for name, value in x.named().items() if value is not None}
        return {"output": found["two"]}
        """,
        [
            "named = tensor(X).named()",
            'named["one"].numpy()',
            'unjudged("output", named["two"].numpy())',
        ],
    ),
    "a context is a block": (
        """
        with QUIET() as word:
            found = x.plus(len(word))
        with QUIET():
            found.move()
        return self.show(found)
        """,
        [
            "x = tensor(X)",
            "with toy.quiet() as word:",
            "    found = x.plus(len(word))",
            "with toy.quiet():",
            "    found.move()",
            'unjudged("output", found.numpy())',
        ],
    ),
    "an attribute that has changed is kept by name": (
        """
        before = x.values
        x.move()
        return {"output": before + x.values}
        """,
        [
            "x = tensor(X)",
            "before = x.values",
            "x.move()",
            'unjudged("output", before + x.values)',
        ],
    ),
    "an attribute that is another each time is read once": (
        """
        fresh = x.fresh
        fresh.move()
        return self.show(fresh)
        """,
        [
            "fresh = tensor(X).fresh",
            "fresh.move()",
            'unjudged("output", fresh.numpy())',
        ],
    ),
    "what was tried in vain is left out": (
        """
        try:
            found = toy.fail()
        except RuntimeError:
            found = x.plus(3)
        return self.show(found)
        """,
        [
            "found = tensor(X).plus(3)",
            'unjudged("output", found.numpy())',
        ],
    ),
    "a function that the framework calls is defined": (
        """
        def shifted(tensor):
            return self.twice(tensor) if self.layer["rank"] == 2 else tensor

        return self.show(toy.apply(shifted, x))
        """,
        [
            "x = tensor(X)",
            "def shifted(tensor_2):",
            "    return tensor_2.plus(1).plus(1)",
            'unjudged("output", toy.apply(shifted, x).numpy())',
        ],
    ),
    "a class that the framework calls is taken whole": (
        """
        self.model = Shifted(self.layer["epsilon"])
        return self.show(self.model(x))
        """,
        [
            "x = tensor(X)",
            "model = Shifted(0.5)",
            'unjudged("output", model(x).numpy())',
        ],
    ),
    "what NumPy makes of plain numbers is plain": (
        """
        offset = np.arange(3, dtype=np.float32)[::-1] * 2
        return self.show(x.plus(np.sqrt(4.0)).plus(offset))
        """,
        ['unjudged("output", tensor(X).plus(np.float64(2.0)).plus(OFFSET).numpy())'],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_program(name, recorded):
    body, lines = CASES[name]
    assert written(recorded, body) == lines


def test_a_refusal_ends_the_program_with_what_was_refused(recorded):
    found, said, _ = recorded("with framework_call():\n    x.plus(toy.fail())\n")
    assert said["steps"][1]["refused"]
    (guarded,) = WrittenOut(found, [ASTRAY, ASTRAY]).compose().steps[1]
    assert laid_out([guarded]).splitlines()[:3] == ["try:", "    tensor(X)", "    toy.fail()"]


LEAKS = {
    "a comparison of three": "return self.show(x.plus(1 < len(x.shape) < 3))",
    "an object of the adapter's": "return self.show(toy.apply(lambda y: y, Program({})).plus(x))",
    "a number that is not the framework's": "return {'output': np.float32(x.shape[0] and 2)}",
}


@pytest.mark.parametrize("name", LEAKS)
def test_what_cannot_be_followed_is_said(name, recorded):
    _, said, _ = recorded(LEAKS[name])
    assert said["failed"]
    assert "steps" not in said


@pytest.mark.parametrize("name", CASES)
def test_the_whole_adapter_does_the_same(name, recorded):
    found, _, path = recorded(CASES[name][0])
    log, seen = native(path)
    trace = [type("Seen", (), {"observed": each, "refusal": None}) for each in ({}, seen)]
    program = Whole(found, [ASTRAY, ASTRAY], SCENARIO, trace).compose()
    assert_alike(executed(program), (log, seen))


def test_a_value_of_a_single_round_is_unwritable(recorded):
    body = """
    kept = []
    for _ in range(3):
        kept.append(x.plus(1))
    return self.show(kept[0])
    """
    found, said, _ = recorded(body)
    assert "failed" not in said
    with pytest.raises(Unwritable):
        WrittenOut(found, [ASTRAY, ASTRAY]).compose()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorder_compiles_on_cpython_3_6(path, tmp_path):
    try:
        python = find_interpreter("3.6")
    except Unavailable as reason:
        pytest.skip(str(reason))
    code = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"
    command = [python, "-c", code, path, tmp_path / "compiled"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
