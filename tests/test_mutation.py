"""What `python -m benchmarks.mutation` does, on a framework of a few lines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="the extra `mutation` of pyproject.toml is not installed")

from benchmarks import mutation_page, mutation_trial
from benchmarks.mutant_process import MutantProcess
from benchmarks.mutants import Mutant, digest_of, mutants_of, place_of
from benchmarks.mutation_excluded import FILE, exclusions
from benchmarks.mutation_targets import TARGETS
from benchmarks.mutation_trial import Asked, OwnTest, Trial
from harness.implementations import named
from harness.workers import Command, WorkerFailure
from suites.catalogue import SCENARIOS

SOURCE = '''\
class Base:
    """Keeps a running mean."""

    def __init__(self, momentum: int = 1 - 1):
        self.momentum = momentum
        self.mean = 0.0

    def update(self, x, rounds=1):
        while rounds > 0:
            self.mean = self.mean * (1 - self.momentum) + x * self.momentum
            rounds = rounds - 1
        return self.mean

    def unused(self):
        return 2


class Norm(Base):
    def sized(self):
        return 1 + 1


def other():
    return 5 + 5
'''
INIT = (
    "from tiny.norm import Base, Norm\n\nclass Heir(Norm):\n    pass\n\nKNOWN = {'norm': [Norm]}\n"
)
ADAPTER = """\
import numpy as np
import tiny
from tiny import Heir, Norm

def versions():
    return {"tiny": "1"}

class Program:
    def __init__(self, layer):
        classes = {"norm": Norm, "heir": Heir, "known": tiny.KNOWN["norm"][0]}
        self.norm = classes[layer["which"]](layer["momentum"])

    def call(self, x):
        return {"output": np.float64(self.norm.update(x))}

    def size(self):
        return {"output": np.float64(self.norm.sized())}

    def observe(self):
        return {}
"""
TESTS = """\
import unittest
from tiny import Norm

class TestNorm(unittest.TestCase):
    def test_update(self):
        self.assertEqual(Norm(1).update(3.0), 3.0)

    def test_without_a_question(self):
        self.assertTrue(True)
"""


@dataclass(frozen=True)
class Exactly:
    """Any other answer gives a mutant away, unless all answers are the same."""

    name: str
    blind: bool = False

    @property
    def requests(self):
        return [{"scenario": self.name}]

    def outcome(self, messages):
        return None if self.blind else json.dumps(messages)


def asking(which="norm", steps=("Call",)):
    arguments = {"Call": {"step": "Call", "x": 3.0}, "Size": {"step": "Size"}}
    layer = {"which": which, "momentum": 0.5}
    return {"layer": layer, "steps": [arguments[step] for step in steps]}


@pytest.fixture
def trial(tmp_path):
    package = tmp_path / "site" / "tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(INIT)
    (package / "norm.py").write_text(SOURCE)
    (package / "norm_test.py").write_text(TESTS)
    adapter = tmp_path / "tiny_adapter.py"
    adapter.write_text(ADAPTER)
    contents = {
        "modules": {"tiny.norm": {"definitions": ["Base", "Norm"], "public": ["tiny.Norm"]}},
        "scenarios": {
            "update": asking(),
            "heir": asking("heir"),
            "known": asking("known"),
            "size": asking(steps=("Size",)),
        },
        "test_module": "tiny.norm_test",
    }
    variables = {"PYTHONPATH": str(package.parent)}
    command = Command(Path(sys.executable), str(adapter), variables)
    trial = Trial(command, contents, tmp_path)
    trial.read_originals()
    yield trial
    trial.close()


def by_hand(before, after, line=None):
    """Return a mutant of the source in which this text is replaced."""
    assert SOURCE.count(before) == 1
    mutated = SOURCE.replace(before, after)
    line = line or SOURCE[: SOURCE.index(before)].count("\n") + 1
    function, lines = place_of(SOURCE, line)
    return Mutant("tiny.norm", "by hand", function, line, before, after, mutated, lines)


def fate_of(trial, mutant, *questions):
    trial.learn([Exactly(name) for name in questions])
    return trial.run([mutant], lambda _: None)[0]


def test_mutants_are_of_the_chosen_definitions_alone_and_each_is_another():
    mutants = list(mutants_of("tiny.norm", SOURCE, ["Base"]))
    assert {each.function for each in mutants} == {"Base.__init__", "Base.update", "Base.unused"}
    assert len({each.digest for each in mutants}) == len(mutants)
    changes = [(each.function, each.line, each.before, each.after) for each in mutants]
    before = "self.mean = self.mean * (1 - self.momentum) + x * self.momentum"
    assert ("Base.update", 10, before, before.replace("1 -", "1 +")) in changes


def test_no_mutant_is_of_an_annotation():
    source = "def norm(x: int | None = 1) -> int | None:\n    y: int | None = x\n    return y\n"
    mutants = list(mutants_of("m", source, ["norm"]))
    assert {each.after for each in mutants} == {
        f"def norm(x: int | None ={value}) -> int | None:" for value in (" 0", " 2")
    }


def test_a_definition_that_is_not_there_is_an_error():
    with pytest.raises(KeyError, match="Missing"):
        list(mutants_of("tiny.norm", SOURCE, ["Missing"]))


@pytest.mark.parametrize(
    ("line", "function", "executed_by"),
    [
        (1, "Base", None),  # the class itself
        (4, "Base.__init__", {5, 6}),  # a default
        (9, "Base.update", {9}),  # the head of a loop
        (10, "Base.update", {10}),
    ],
)
def test_a_place_has_a_function_and_the_lines_that_execute_it(line, function, executed_by):
    assert place_of(SOURCE, line) == (function, executed_by)


def test_everything_may_depend_on_what_a_class_itself_says():
    assert place_of("class Norm:\n    size = 2\n    if size:\n        more = 3\n", 4) == (
        "Norm",
        None,
    )


def test_a_statement_of_several_lines_is_executed_by_any_of_them():
    source = (
        "def norm(x):\n    if x:\n        return (\n            x\n            + 1\n        )\n"
    )
    assert place_of(source, 5) == ("norm", {3, 4, 5, 6})


@pytest.mark.parametrize("question", ["update", "heir", "known"])
def test_a_mutant_is_reached_wherever_the_definition_was_kept(trial, question):
    mutant = by_hand("1 - self.momentum) +", "1 + self.momentum) + 1 +")
    assert fate_of(trial, mutant, "size", question).by == question


def test_a_question_that_does_not_execute_the_mutated_line_is_not_put(trial):
    fate = fate_of(trial, by_hand("return 2", "return 3"), "update", "size")
    assert (fate.what, trial.telling(fate.mutant)) == ("survived", [])
    size = by_hand("return 1 + 1", "return 1 - 1")
    assert [each.name for each in trial.telling(size)] == ["size"]


def test_an_answer_that_is_judged_the_same_is_noticed_and_kills_nothing(trial):
    trial.learn([Exactly("update", blind=True)])
    [fate] = trial.run([by_hand("x * self.momentum", "x - self.momentum")], lambda _: None)
    assert (fate.what, fate.noticed) == ("survived", ("update",))


def test_what_killed_most_is_asked_first(trial):
    questions = [Exactly(name) for name in ("update", "heir")]
    trial.learn(questions)
    mutant = by_hand("x * self.momentum", "x - self.momentum")
    for first in ("heir", "update"):
        trial.kills.clear()
        trial.kills[first] = 2
        assert trial.telling(mutant)[0].name == first


def test_a_mutant_that_hangs_is_timed_out_and_the_next_is_asked(trial, monkeypatch):
    monkeypatch.setattr(mutation_trial, "SECONDS_BESIDES", 0.5)
    trial.learn([Exactly("update")])
    endless = by_hand("rounds - 1", "rounds - 0")
    fine = by_hand("return 2", "return 3")
    fates = trial.run([endless, fine, endless], lambda _: None)
    assert [fate.what for fate in fates] == ["timed out", "survived", "timed out"]


def test_a_mutant_that_dies_is_killed_and_the_next_is_asked(trial):
    trial.learn([Exactly("update"), Exactly("heir")])
    dying = by_hand("return self.mean", "import os; os.kill(os.getpid(), 9)")
    fates = trial.run([dying] * 3 + [by_hand("return 2", "return 3")], lambda _: None)
    assert Counter(fate.what for fate in fates) == {"killed": 3, "survived": 1}
    assert "ended with status 9" in fates[0].by


def test_a_mutant_that_cannot_be_defined_is_killed(trial):
    fate = fate_of(trial, by_hand("1 - 1", "1 - 'one'", line=1), "update")
    assert fate.what == "killed"
    assert "cannot be defined: TypeError" in fate.by


def test_a_worker_that_executes_another_source_is_not_believed(trial, tmp_path):
    path = tmp_path / "norm.py"
    path.write_text(SOURCE)
    with (
        MutantProcess(trial.command, tmp_path / "questions.json") as process,
        pytest.raises(WorkerFailure, match="another source"),
    ):
        process.become({"tiny.norm": path}, {"tiny.norm": digest_of(SOURCE + "\n")})


def test_a_public_name_that_leads_elsewhere_is_found(trial, tmp_path):
    trial.contents["modules"]["tiny.norm"]["public"] = ["tiny.norm.other"]
    (tmp_path / "questions.json").unlink()
    trial.own.process = None
    fate = trial.tried(by_hand("return 2", "return 3"), {}, [])
    assert "does not lead to the mutant" in fate.by


def test_no_file_of_the_framework_is_written(trial, tmp_path):
    fate_of(trial, by_hand("return 1 + 1", "return 1 - 1"), "size")
    package = tmp_path / "site" / "tiny"
    assert sorted(each.name for each in package.iterdir()) == [
        "__init__.py",
        "norm.py",
        "norm_test.py",
    ]
    assert (package / "norm.py").read_text() == SOURCE


def test_the_tests_of_the_framework_are_asked_in_the_same_way(trial):
    names = trial.tests("tiny.norm_test")
    assert names == ["TestNorm.test_update", "TestNorm.test_without_a_question"]
    trial.learn([OwnTest(name) for name in names])
    mutants = [by_hand("x * self.momentum", "x - self.momentum"), by_hand("return 2", "return 3")]
    fates = trial.run(mutants, lambda _: None)
    assert [fate.by for fate in fates] == ["TestNorm.test_update", ""]


def test_a_change_of_verdict_gives_a_mutant_away():
    asked = Asked(SCENARIOS[0], named(["torch"])[0])
    wrong = {"adapter_error": {"type": "TypeError", "message": "no"}}
    silent = {"not_expressible": "It cannot be said."}
    assert asked.outcome([wrong]) == ("adapter error", ())
    assert asked.outcome([silent]) == ("not expressible", ())


def test_an_exclusion_covers_a_line_whatever_becomes_of_it_or_one_change(tmp_path):
    file = tmp_path / "excluded.toml"
    mutant = by_hand("return 2", "return 3")
    same = 'function = "Base.unused", before = "return 2", kind = "outside", reason = "unused"'
    file.write_text(f'tiny = [\n  {{ {same} }},\n  {{ {same}, after = "return 1" }},\n]\n')
    whatever, one = exclusions("tiny", file)
    assert (whatever.covers(mutant), one.covers(mutant)) == (True, False)


@pytest.mark.parametrize("entry", ['kind = "dull", reason = "it is"', 'kind = "outside"'])
def test_an_exclusion_says_its_kind_and_why(tmp_path, entry):
    file = tmp_path / "excluded.toml"
    file.write_text(f'tiny = [{{ function = "f", before = "b", {entry} }}]\n')
    with pytest.raises(ValueError, match="xclusion"):
        exclusions("tiny", file)


def test_what_is_excluded_is_of_a_target_and_well_formed():
    for target in TARGETS:
        exclusions(target.name)
    listed = {line.split(" = [")[0] for line in FILE.read_text().splitlines() if " = [" in line}
    assert listed == {target.name for target in TARGETS}


@pytest.mark.skipif(not mutation_page.RESULTS.exists(), reason="nothing was measured yet")
def test_the_page_is_made_from_the_results():
    results = json.loads(mutation_page.RESULTS.read_text())
    assert mutation_page.PAGE.read_text() == mutation_page.page(results)
