"""`bnconform reproduce`: scripts show what the suite saw, bit for bit, and stand on their own."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from functools import cache

import ml_dtypes
import numpy as np
import pytest

from adapters import worker
from harness import implementations, reproduce
from harness.complaint import Complaint
from harness.judge import Refused, Seen, judge
from harness.judge import check as judged_check
from harness.reproduce_command import reproduce as command
from harness.reproduction import checking
from harness.reproduction.expected import expectations
from harness.reproduction.recording import recording
from harness.reproduction.script import script
from harness.reproduction.steps import Whole, WrittenOut
from harness.respondent import parsed
from harness.wire import scenario_to_json
from reference.bounded import Bounded
from suites.catalogue import SCENARIOS, scenario_named
from tests.asking import declared
from tests.fakes.fault import CLEAN

GRAPH = ("training-gradients", "updates-run-twice")
CHOSEN = {
    "keras-tensorflow": ("training-gradients", "functional-model-with-explicit-false-in-fit"),
    "tf-contrib": GRAPH,
    "tf-slim": GRAPH,
    "torch": ("second-order-in-training", "one-value-per-channel", "fit-in-batches"),
}
FRAMEWORKS = {"keras", "tensorflow", "tf_slim", "torch"}
LONGEST = 500

each_script = pytest.mark.parametrize(
    ("name", "scenario"),
    [(each.name, name) for each in implementations.default() for name in CHOSEN[each.entry]],
)


@cache
def asked(name):
    """What the worker of an implementation showed of its scenarios; it is started once."""
    scenarios = [scenario_named(each) for each in CHOSEN[name]]
    try:
        found = reproduce.ask(scenarios, implementations.one_named(name))
    except Complaint as reason:
        return str(reason)
    return {each.scenario.name: each for each in found}


@pytest.fixture
def shown(name, scenario):
    """What the worker showed of a scenario."""
    found = asked(name)
    if isinstance(found, str):
        pytest.skip(found)
    return found[scenario]


@each_script
def test_a_script_shows_what_the_suite_saw(shown):
    found = recording(shown.command, shown.scenario)
    written = script(shown.subject, WrittenOut(found, shown.expected).compose())
    outcome = reproduce.outcome_of(written, shown.command)
    assert reproduce.same(outcome, shown.trace)
    assert outcome.status == (0 if shown.subject.cell.verdict == "conforms" else 1)
    assert_stands_alone(written)


def assert_stands_alone(written):
    tree = ast.parse(written, feature_version=(3, 6))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.partition(".")[0])
    assert roots <= FRAMEWORKS | {"numpy"} | set(sys.stdlib_module_names)
    assert len(written.splitlines()) < LONGEST
    assert ast.get_docstring(tree).splitlines()[0].endswith("?")
    assert all(line.isascii() for line in written.partition('"""\n\nimport')[2].splitlines())


def test_the_whole_adapter_shows_the_same():
    found = asked("torch")
    if isinstance(found, str):
        pytest.skip(found)
    shown = found["fit-in-batches"]
    recorded = replace(recording(shown.command, shown.scenario), steps=None)
    (composer,) = reproduce.composers(recorded, shown)
    assert isinstance(composer, Whole)
    written = script(shown.subject, composer.compose())
    assert reproduce.shows(reproduce.outcome_of(written, shown.command), shown)
    assert_stands_alone(written)


# What is expected.


@pytest.mark.parametrize("style", CLEAN)
def test_what_is_expected_of_each_step_is_what_judging_expects(style):
    for scenario in SCENARIOS:
        answer = parsed(worker.run(CLEAN[style], scenario_to_json(scenario)))
        for trace in (each for found in answer.traces for each in (found, astray(found))):
            conventions = declared(style, scenario)
            judged = judge(scenario, conventions, trace).steps
            expected = expectations(scenario, conventions, trace)
            assert len(expected) == len(trace)
            for step, expectation in zip(judged, expected, strict=False):
                assert (step.agrees, step.refusal_expected) == (
                    expectation.agrees,
                    expectation.refused,
                )
                for check in step.checks:
                    wanted = expectation.of(check.quantity).bounded
                    assert (wanted is None) == (check.expected is None)
                    assert wanted is None or np.array_equal(wanted.value, check.expected, True)
            assert not any(each.judged for each in expected[len(judged) :])


def astray(trace):
    """The same with another number in the first step, one quantity less and one more."""
    if not trace or not trace[0].observed:
        return [*trace[:-1], Seen({}, Refused("ValueError", "no"))]
    (name, array), *others = trace[0].observed.items()
    seen = {name: array + 1, **dict(others[:-1]), "surprise": array}
    return [Seen(seen), *trace[1:]]


INF, NAN = np.inf, np.nan
NUMBERS = {
    "met": ([1.5, 2.0], [0.0, 0.0], [1.5, 2.0]),
    "within": ([1.0], [0.25], [1.25]),
    "beyond": ([1.0], [0.25], [1.25 + 2**-20]),
    "one beyond": ([1.0, 1.0], [0.25, 0.0], [1.0, 1.25]),
    "NaN met": ([NAN, 1.0], [0.0, 0.0], [NAN, 1.0]),
    "NaN expected": ([NAN], [1.0], [1.0]),
    "NaN observed": ([1.0], [1.0], [NAN]),
    "infinity met": ([INF, -INF], [0.0, 0.0], [INF, -INF]),
    "infinity of the other sign": ([INF], [INF], [-INF]),
    "infinity observed": ([1.0], [1.0], [INF]),
    "anything": ([1.0], [INF], [NAN]),
    "any number": ([1.0], [INF], [1e4]),
    "infinity with any bound": ([INF], [INF], [1.0]),
    "no values": ([], [], []),
    "another shape": ([1.0], [0.0], [[1.0]]),
    "no dimensions": (1.0, 0.0, 1.0),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ml_dtypes.bfloat16])
def test_a_script_judges_as_the_suite_does(name, dtype, monkeypatch, capsys):
    value, bound, seen = NUMBERS[name]
    bounded = Bounded(np.array(value, dtype=np.float64), np.array(bound, dtype=np.float64))
    observed = np.array(seen, dtype=dtype)
    differing = []
    monkeypatch.setattr(checking, "differing", differing)
    for wanted in (None, "float32"):
        differing.clear()
        checking.check("output", observed, bounded.value, bounded.bound, wanted)
        judged = judged_check("output", bounded, observed, wanted)
        assert bool(differing) != judged.agrees
    assert "observed:" in capsys.readouterr().out


# What is printed can be read back.


def test_numbers_are_compared_bit_for_bit():
    array = np.array([[0.1, -0.0], [NAN, INF]], dtype=np.float32)
    assert reproduce.same_bits(array, str(array.astype(float).tolist()))
    assert not reproduce.same_bits(array, "[[0.1, 0.0], [nan, inf]]")
    assert not reproduce.same_bits(array, "[[0.1, -0.0], [nan, -inf]]")
    assert not reproduce.same_bits(array, "[[0.10000001, -0.0], [nan, inf]]")
    assert not reproduce.same_bits(array, "[[0.1, -0.0]]")
    assert reproduce.same_bits(np.int64(3), "3")


def test_what_a_script_prints_is_read_by_step():
    printed = (
        "torch 1.0\n\n1. build\n  gamma agrees\n    expected: [2.0] float32\n    within:   0\n"
        "    observed: [1.0] float32\n  beta DIFFERS\n    observed: nothing of the kind\n"
        "\n2. call\n  output\n    observed: [[nan, -inf]] float16\n\nDiffering: the beta\n"
    )
    assert reproduce.observed_in(printed) == [{"gamma": "[1.0]"}, {"output": "[[nan, -inf]]"}]


# The command.


def ran(*arguments):
    return command.main([str(each) for each in arguments], standalone_mode=False)


def complaint(*arguments):
    with pytest.raises(Complaint) as caught:
        ran(*arguments)
    return str(caught.value)


def test_an_unknown_scenario_is_answered_with_the_nearest():
    assert "'zero-debias'" in complaint("zero-debia", "torch")


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(tmp_path):
    assert "There is no folder" in complaint(
        "zero-debias", "torch", "--output", tmp_path / "no" / "script.py"
    )


def test_a_scenario_that_cannot_be_said_is_one_sentence():
    text = complaint("zero-debias", "torch")
    assert text.startswith("torch cannot express zero-debias. torch.nn.BatchNorm has no argument")


NUMPYS_OWN = '''
"""NumPy's own: a layer that only infers."""

import numpy as np

from adapters.answers import NotExpressible


def versions():
    """Return the versions."""
    return {"numpy": np.__version__}


class Program:
    """One layer."""

    def __init__(self, layer):
        self.layer = layer

    def build(self):
        """Nothing to make."""

    def call(self, x, training, **others):
        """Normalise."""
        if training != "False" or others["dy"] is not None:
            raise NotExpressible("This layer only infers.")
        layer = self.layer
        root = np.sqrt(layer["running_variance"] + layer["epsilon"])
        return {"output": (x - layer["running_mean"]) / root * layer["gamma"] + layer["beta"]}

    def predict(self, x):
        """Never asked, so never in a script."""

    def observe(self):
        """Return the state."""
        names = ("gamma", "beta", "running_mean", "running_variance")
        seen = {name: self.layer[name] for name in names}
        return dict(seen, trainable_parameters=np.int64(2))
'''


@pytest.fixture
def only_asked(monkeypatch):
    """Ask an adapter from outside no more than the scenario."""
    monkeypatch.setattr(reproduce, "SCENARIOS", [scenario_named("inference-output")])


@pytest.mark.usefixtures("only_asked")
def test_an_adapter_from_outside_is_written_to_a_file(tmp_path, capsys):
    adapter, output = tmp_path / "own.py", tmp_path / "script.py"
    adapter.write_text(NUMPYS_OWN)
    assert ran("inference-output", adapter, "--output", output) == 0
    assert f"Wrote {output}." in capsys.readouterr().err
    written = output.read_text()
    assert_stands_alone(written)
    assert "def call(" in written
    assert "def predict(" not in written
    assert str(tmp_path) not in written
    done = subprocess.run(
        [sys.executable, output], capture_output=True, check=False, cwd=tmp_path, text=True
    )
    assert "  output " in done.stdout
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.usefixtures("only_asked")
def test_an_adapter_that_crashes_is_one_sentence(tmp_path):
    adapter = tmp_path / "crashing.py"
    adapter.write_text(NUMPYS_OWN.replace("layer = self.layer\n", "import os; os._exit(3)\n", 1))
    text = complaint("inference-output", adapter)
    assert text.startswith("crashing gave no answer to inference-output.")
    assert "status 3" in text
