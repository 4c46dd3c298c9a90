"""A matrix measures what can be measured, whatever the rest does, and never anything twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import matrix_command, matrix_report, summaries
from harness.complaint import Complaint
from harness.implementations import registered
from harness.matrix import Matrix, cores
from harness.matrix_command import matrix as command
from harness.matrix_display import Display
from harness.matrix_plan import filtered, planned
from harness.pace import Pace, in_words
from harness.store import Store
from suites.catalogue import SCENARIOS
from tests.matrix_fakes import (
    ASKED,
    FAKES,
    SLOW,
    fake,
    killing,
    matrix_of,
    misbehaving,
    telling,
    unavailable,
)
from tests.test_workers import dies

ROOT = Path(__file__).parents[1]
VERSIONS = ROOT / "matrices" / "versions.toml"
SECONDS = 120
SLOW_CELLS = 3 * sum(SLOW in each.name for each in SCENARIOS)


class Watching:
    """Keeps what it is told, in the order it is told."""

    def __init__(self):
        self.told = []
        self.lock = threading.Lock()

    def __getattr__(self, name):
        return lambda *what: self.told.append((name, *what))

    def of(self, name):
        return [what for kind, *what in self.told if kind == name]


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Nothing is taken from the user's store and cache, nor put there."""
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BNCONFORM_STORE", str(tmp_path / "store.sqlite3"))


def run(matrix):
    watching = Watching()
    matrix.run(watching)
    return {name: outcome.state for name, outcome in matrix.outcomes.items()}, watching


def lines(folder, name):
    log = folder / f"{name}.log"
    return log.read_text("utf-8").splitlines() if log.exists() else []


# The file.


def plan_of(tmp_path, text):
    file = tmp_path / "some.toml"
    file.write_text(text, "utf-8")
    return [each.name for each in planned(file)]


def test_a_file_names_implementations_at_versions_each_once(tmp_path):
    text = """
        [[run]]
        implementation = "torch"
        versions = ["1.0", "1.4.0", "1.4.0"]
        [[run]]
        implementation = "keras-torch"
        versions = ["3.3.3"]
        with = { torch = "2.3.1" }
    """
    assert plan_of(tmp_path, text) == ["torch@1.0", "torch@1.4.0", "keras-torch@3.3.3,torch==2.3.1"]


def test_the_versions_in_use_are_the_implementation_itself(tmp_path):
    used = registered()["torch"].used["torch"].partition("+")[0]
    text = f'[[run]]\nimplementation = "torch"\nversions = ["{used}"]\n'
    assert plan_of(tmp_path, text) == ["torch"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it asks for nothing; write [[run]]"),
        ("run = 3", "it asks for nothing; write [[run]]"),
        ("[[runs]]", "the file: There is no key called 'runs'. Did you mean 'run'?"),
        ("[[run]]", "run 1 needs implementation"),
        (
            '[[run]]\nimplementation = "troch"',
            "implementation of run 1: There is no implementation",
        ),
        ('[[run]]\nimplementation = "troch"', "Did you mean 'torch'?"),
        ('[[run]]\nimplementation = "torch"', 'versions of run 1 (torch) must be a list like ["1.'),
        (
            '[[run]]\nimplementation = "torch"\nversion = ["1.4"]',
            "no key called 'version'. Did you",
        ),
        ('[[run]]\nimplementation = "torch"\nversions = "1.4.0"', "versions of run 1 (torch) must"),
        ('[[run]]\nimplementation = "torch"\nversions = []', "versions of run 1 (torch) must"),
        ('[[run]]\nimplementation = "torch"\nversions = [1.4]', "has 1.4, which is no version in"),
        ('[[run]]\nimplementation = "torch"\nversions = ["new"]', "has 'new', which is no version"),
        (
            '[[run]]\nimplementation = "torch"\nversions = ["0.4.1"]',
            "run 1 (torch): torch can be asked at torch>=1, not at 0.4.1.",
        ),
        (
            '[[run]]\nimplementation = "torch"\nversions = ["1.4.0"]\nwith = { jax = "1.0" }',
            "run 1 (torch): torch does not rest on jax; it rests on torch.",
        ),
        (
            '[[run]]\nimplementation = "torch"\nversions = ["1.4.0"]\nwith = { torch = "1.0" }',
            "with of run 1 (torch) names torch, of which versions speaks",
        ),
        (
            '[[run]]\nimplementation = "torch"\nversions = ["1.4.0"]\nwith = ["torch"]',
            "with of run 1 (torch) must be a table",
        ),
        ("[[run]", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_answered_with_a_sentence_that_names_the_place(tmp_path, text, said):
    with pytest.raises(Complaint) as complaint:
        plan_of(tmp_path, text)
    assert said in str(complaint.value)
    assert str(tmp_path / "some.toml") in str(complaint.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Complaint, match=r"nowhere\.toml cannot be read: No such file"):
        planned(tmp_path / "nowhere.toml")


def test_the_committed_matrix_has_every_version_that_was_asked_for():
    found = {}
    for each in planned(VERSIONS):
        principal = (each.asked or each.versions)[each.principal]
        found.setdefault(each.entry, []).append(principal.partition("+")[0])
    minor = {
        name: [".".join(each.split(".")[:2]) for each in versions]
        for name, versions in found.items()
    }
    keras = ["3.0", "3.0", "3.3", "3.8", "3.9", "3.12", "3.15"]
    assert minor == {
        "torch": ["1.0", "1.1", "1.4", "1.7", "1.10", "1.13", "2.0", "2.3", "2.13", "2.15"],
        "tf-contrib": ["1.3", "1.10", "1.12", "1.15"],
        "tf-keras": ["2.0", "2.1", "2.3", "2.8", "2.12", "2.15"],
        "keras-tensorflow": keras,
        "keras-torch": keras,
    }


def test_a_part_is_named_by_implementation_or_with_its_versions():
    plan = planned(VERSIONS)
    assert {each.entry for each in filtered(plan, ["tf-keras"])} == {"tf-keras"}
    assert [each.name for each in filtered(plan, ["torch@1.4.0"])] == ["torch@1.4.0"]
    assert filtered(plan, []) == plan
    with pytest.raises(Complaint, match=r"no run in this matrix called 'torch@1\.4\.1'\. Did you"):
        filtered(plan, ["torch@1.4.1"])


# Running.


def test_what_goes_wrong_stops_nothing_else(tmp_path):
    matrix = matrix_of(
        tmp_path,
        unavailable("nowhere"),
        misbehaving("exits_on_import"),
        killing(tmp_path, "kills-always", times="9"),
        killing(tmp_path, "kills-once", times="1"),
        misbehaving("not_expressible"),
        fake("good", FAKES / "argument_style.py"),
    )
    states, watching = run(matrix)
    assert states == {
        "nowhere": "unavailable",
        "exits_on_import": "measured",
        "kills-always": "failed",
        "kills-once": "measured",
        "not_expressible": "measured",
        "good": "measured",
    }
    outcomes = matrix.outcomes
    assert "'no-such-extra'" in outcomes["nowhere"].reason
    assert outcomes["kills-always"].reason == "The process that judged died of signal SIGKILL."
    assert outcomes["good"].summary["verdicts"] == {"conforms": len(ASKED)}
    assert outcomes["kills-once"].summary["verdicts"] == {"conforms": len(ASKED)}
    assert outcomes["exits_on_import"].summary["verdicts"] == {"crashed": len(ASKED)}
    good = {name for name, outcome in outcomes.items() if outcome.as_expected}
    assert good == {"good", "kills-once"}, "one that answered nothing is never good"
    assert sorted(outcome.implementation.name for (outcome,) in watching.of("ended")) == sorted(
        states
    )
    assert not any(is_running(helper) for helper in matrix.helpers)
    result = matrix_report.document(matrix, interrupted=False)
    assert [each["name"] for each in result["runs"]] == [each.name for each in matrix.plan]
    assert result["status"] == 1
    assert matrix_report.closing(result) == "4 of 6 runs measured, 2 of them as expected."
    told = "\n".join(matrix_report.lines(result))
    assert "not_expressible:[/] nothing it answered could be judged" in told


def is_running(helper):
    return helper.process is not None and helper.process.is_alive()


def test_what_has_not_changed_is_neither_asked_nor_judged(tmp_path):
    plan = [telling(tmp_path, "one"), telling(tmp_path, "other")]
    first, second = matrix_of(tmp_path, *plan), matrix_of(tmp_path, *plan)
    run(first)
    asked = {name: len(lines(tmp_path, name)) for name in ("one", "other")}
    _, watching = run(second)
    assert {name: len(lines(tmp_path, name)) for name in ("one", "other")} == asked
    assert not watching.of("scenario")
    for name, before in first.outcomes.items():
        again = second.outcomes[name]
        assert (before.recalled, again.recalled) == (False, True)
        assert again.summary == before.summary
        assert again.versions == before.versions
    with Store(tmp_path / "store.sqlite3") as store:
        assert store.counted() == {"answers": 2 * len(ASKED), "runs": 2, "finished": 2}


def test_what_nobody_judged_since_the_source_changed_is_judged_without_asking(tmp_path):
    plan = [telling(tmp_path, "one")]
    run(matrix_of(tmp_path, *plan, at_once=1))
    asked = lines(tmp_path, "one")
    for file in (tmp_path / "cache" / "summaries").iterdir():
        file.write_text("what was kept, cut o", "utf-8")
    again = matrix_of(tmp_path, *plan, at_once=1)
    _, watching = run(again)
    assert lines(tmp_path, "one") == asked
    assert len(watching.of("scenario")) == len(ASKED)
    assert again.outcomes["one"].as_expected


def test_more_questions_than_before_are_the_only_ones_asked(tmp_path):
    plan = (telling(tmp_path, "one"),)
    store = tmp_path / "store.sqlite3"
    run(Matrix(plan, ASKED[:2], store, at_once=1))
    before = len(lines(tmp_path, "one"))
    run(Matrix(plan, ASKED, store, at_once=1))
    assert (before, len(lines(tmp_path, "one"))) == (2, len(ASKED))


def test_asking_anew_asks_everything(tmp_path):
    plan = (telling(tmp_path, "one"),)
    store = tmp_path / "store.sqlite3"
    for _ in range(2):
        run(Matrix(plan, ASKED[:2], store, fresh=True, at_once=1))
    assert len(lines(tmp_path, "one")) == 4


def test_an_interrupt_ends_every_process_and_keeps_what_was_measured(tmp_path):
    plan = [fake("quick", FAKES / "argument_style.py"), telling(tmp_path, "slow", seconds="30")]
    matrix = matrix_of(tmp_path, *plan)

    class Interrupting(Watching):
        def ended(self, _):
            while not lines(tmp_path, "slow"):
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matrix.run(Interrupting())
    assert list(matrix.outcomes) == ["quick"]
    assert not any(is_running(helper) for helper in matrix.helpers)
    worker, _ = map(int, lines(tmp_path, "slow")[0].split())
    assert dies(worker)
    result = matrix_report.document(matrix, interrupted=True)
    assert [each["state"] for each in result["runs"]] == ["measured", "not reached"]
    assert result["status"] == 2


# One environment after another.


class InThisThread:
    """Performs the tasks of a matrix at once; those of environments are only noted."""

    making = 0
    most = 0
    made = None

    def ask(self, task, hear):
        if hasattr(task, "store"):
            return task.perform(hear)
        cls = type(self)
        cls.making += 1
        cls.most = max(cls.most, cls.making)
        time.sleep(0.05)
        cls.making -= 1
        cls.made.append(task.implementation.name)
        return None

    def stop(self):
        """Nothing runs."""


def test_environments_are_made_one_after_another_and_only_where_they_are_missing(
    tmp_path, monkeypatch
):
    names = ["a", "b", "c", "d"]
    there = {"b", "d"}
    plan = [fake(name, FAKES / "argument_style.py") for name in names]
    monkeypatch.setattr("harness.matrix.is_there", lambda each: each.name in there)
    monkeypatch.setattr(InThisThread, "made", [])
    monkeypatch.setattr("harness.matrix.Helper", InThisThread)
    matrix = Matrix(plan, ASKED[:1], tmp_path / "store.sqlite3", at_once=1)
    states, watching = run(matrix)
    assert set(states.values()) == {"measured"}
    assert InThisThread.made == ["a", "c"]
    assert InThisThread.most == 1
    assert watching.of("missing") == [[2]]
    begun = [name for (name,) in watching.of("started")]
    assert begun == ["b", "d", "a", "c"], "what has its environment waits for none"


# Killed and interrupted.


def begun(folder):
    script = Path(__file__).with_name("matrix_fakes.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        start_new_session=True,
    )


def asked_so_far(folder):
    return [line for name in ("first", "second", "third") for line in lines(folder, name)]


def wait_for(folder, count):
    end = time.monotonic() + SECONDS
    while len(asked_so_far(folder)) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_matrix_that_was_killed_goes_on_where_it_was(tmp_path):
    process = begun(tmp_path)
    wait_for(tmp_path, 3)
    process.kill()
    process.communicate()
    before = asked_so_far(tmp_path)
    left = {int(number) for line in before for number in line.split()}
    assert all(dies(each) for each in left), "who asked and who answered end with it"
    out, _ = begun(tmp_path).communicate(timeout=SECONDS)
    result = json.loads(out)
    assert {each["state"] for each in result["runs"]} == {"measured"}
    after = asked_so_far(tmp_path)
    assert len(before) < len(after)
    repeated = len(after) - SLOW_CELLS
    assert repeated <= min(cores(), 3), "only what nobody had answered yet is asked again"


def test_an_interrupted_matrix_says_how_to_go_on(tmp_path):
    process = begun(tmp_path)
    wait_for(tmp_path, 2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Interrupted; the same command goes on from here."
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["interrupted"]
    assert "not reached" in {each["state"] for each in result["runs"]}


# The command.


def invoked(monkeypatch, plan, *arguments):
    monkeypatch.setattr(matrix_command, "planned", lambda _: plan)
    done = CliRunner().invoke(
        command, ["some.toml", "-k", "rank-4-training", *arguments], standalone_mode=False
    )
    assert done.exception is None, done.exception
    return done.return_value, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("names", "status"),
    [(["good"], 0), (["good", "nowhere"], 2), (["good", "nowhere", "bad"], 1)],
)
def test_the_status_says_what_came_of_it(monkeypatch, names, status):
    every = {
        "good": fake("good", FAKES / "argument_style.py"),
        "nowhere": unavailable("nowhere"),
        "bad": misbehaving("wrong_shapes"),
    }
    found, out, err = invoked(monkeypatch, [every[name] for name in names])
    assert found == status
    assert "BatchNorm conformance by version" in out
    assert ("'no-such-extra'" in out) == ("nowhere" in names)
    assert ("wrong_shapes · rank-4-training: differs." in out) == ("bad" in names)
    assert out.splitlines()[-1].startswith(f"{len(names) - ('nowhere' in names)} of {len(names)}")
    told = [re.match(rf"\d of {len(names)}[,.] ", line) for line in err.splitlines()]
    assert sum(map(bool, told)) == len(names), "a line for each run, where no terminal shows bars"


def test_the_same_is_json(monkeypatch):
    good = fake("good", FAKES / "argument_style.py")
    status, out, _ = invoked(monkeypatch, [good], "--json")
    result = json.loads(out)
    (found,) = result["runs"]
    assert (status, result["status"], result["interrupted"]) == (0, 0, False)
    assert found["verdicts"] == {"conforms": result["scenarios"]}
    assert found["as_expected"]


def test_a_display_shows_nothing_that_it_was_not_told(tmp_path, capsys):
    matrix = matrix_of(tmp_path, misbehaving("not_expressible"), at_once=1)
    with Display(matrix) as display:
        display.missing(1)
        display.preparing("not_expressible")
        display.said("not_expressible", "Making [it].")
        display.prepared("not_expressible")
        matrix.run(display)
    said = capsys.readouterr().err
    assert "1 environment must be made first" in said
    assert "not_expressible: Making [it]." in said
    assert "1 of 1. not_expressible: 6 not expressible; not as expected." in said


# The time left.


def test_the_time_left_follows_from_what_has_ended():
    now = [0.0]
    pace = Pace(4, 2, clock=lambda: now[0])
    assert in_words(pace.seconds_left) == "time left not known yet"
    pace.measuring.update(a=0.0, b=0.0)
    now[0] = 60.0
    pace.end("a", informative=True)
    pace.measuring["c"] = 60.0
    assert pace.seconds_left == (0 + 60 + 60) / 2
    now[0] = 90.0
    assert pace.seconds_left == (0 + 30 + 60) / 2
    for name in "bcd":
        pace.end(name, informative=False)
    assert pace.seconds_left == 0


def test_environments_that_take_longer_than_the_rest_decide_the_time_left():
    now = [0.0]
    pace = Pace(4, 2, clock=lambda: now[0], to_make=3)
    pace.measuring["a"] = 0.0
    pace.making["b"] = 0.0
    now[0] = 10.0
    pace.end("a", informative=True)
    assert pace.seconds_left is None
    now[0] = 100.0
    pace.make("b")
    pace.making["c"] = 100.0
    assert pace.seconds_left == 100 + 100 + 10


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.4, "about 4 s left"), (90, "about 2 min left"), (9000, "about 2.5 h left")],
)
def test_the_time_left_is_told_in_the_unit_that_suits_it(seconds, words):
    assert in_words(seconds) == words


# Summaries.


def test_summaries_nobody_has_used_for_long_are_removed():
    old, new = summaries.file_of("old"), summaries.file_of("new")
    summaries.keep("old", {"form": summaries.FORM})
    os.utime(old, (0, 0))
    summaries.keep("new", {"form": summaries.FORM})
    assert (old.exists(), new.exists()) == (False, True)
    assert summaries.recalled("new") == {"form": summaries.FORM}
    assert summaries.recalled("old") is None
