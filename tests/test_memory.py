"""What was answered before is not asked again; whatever fails or changes, nothing is lost."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.session import Session
from harness.store import Store
from harness.store_rows import pack
from tests.test_workers import AFTER, ALL, BEFORE, FAKES, TRIGGER, implementation, misbehaving

PROJECT = Path(__file__).parent.parent
NOTING = """
import os, time
from tests.fakes.argument_style import NOT_EXPRESSIBLE, Program as Clean, versions

class Program(Clean):
    def call(self, *arguments, **keywords):
        with open({notes!r}, "a") as notes:
            notes.write("called\\n")
        time.sleep({seconds})
        return super().call(*arguments, **keywords)
"""
RUN = """
import sys
from harness.session import Session
from harness.store import Store
from harness.store_rows import pack
from tests.test_workers import ALL, implementation
from pathlib import Path

with Store(Path(sys.argv[1])) as store:
    session = Session([implementation(Path(sys.argv[2]))], ALL, store=store)
    session.run(lambda *said: print(*said, flush=True))
"""


@pytest.fixture
def noting(tmp_path):
    """An adapter that notes its calls; a function that makes it, and one that counts them."""
    notes = tmp_path / "notes"
    adapter = tmp_path / "noting.py"

    def make(seconds=0):
        adapter.write_text(NOTING.format(notes=str(notes), seconds=seconds), "utf-8")
        return adapter

    make.calls = lambda: notes.read_text("utf-8").count("called") if notes.exists() else 0
    return make


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite3") as opened:
        yield opened


def run(each, store, scenarios=ALL, **options):
    session = Session([each], scenarios, store=store, **options)
    session.run(lambda *_: None)
    return session


def found(session):
    return [(cell.verdict, cell.reason, str(cell.traces)) for cell in session.cells.values()]


def test_an_unchanged_cell_is_not_asked_twice(noting, store):
    first = run(implementation(noting()), store)
    assert noting.calls() == len(ALL)
    again = run(implementation(noting()), store)
    assert noting.calls() == len(ALL)
    assert [each.started for each in again.respondents] == [0]
    assert found(again) == found(first)
    assert again.headers == first.headers


def test_a_changed_scenario_is_asked_again_and_no_other(noting, store):
    run(implementation(noting()), store)
    changed = replace(TRIGGER, layer=replace(TRIGGER.layer, epsilon=0.25))
    run(implementation(noting()), store, (BEFORE, changed, AFTER))
    assert noting.calls() == len(ALL) + 1


def test_a_changed_adapter_is_asked_everything_again(noting, store):
    run(implementation(noting()), store)
    adapter = noting()
    adapter.write_text(adapter.read_text("utf-8") + "# Changed.\n", "utf-8")
    run(implementation(adapter), store)
    assert noting.calls() == 2 * len(ALL)


def test_other_variables_are_another_question(noting, store):
    run(implementation(noting()), store)
    run(implementation(noting(), TF_WHATEVER="1"), store)
    assert noting.calls() == 2 * len(ALL)


def test_fresh_asks_everything_whatever_is_stored(noting, store):
    run(implementation(noting()), store)
    run(implementation(noting()), store, fresh=True)
    assert noting.calls() == 2 * len(ALL)


def test_a_crash_is_noted_but_asked_again(store):
    each = misbehaving("segfaults_on_call")
    first, again = run(each, store), run(each, store)
    verdicts = [cell.verdict for cell in again.cells.values()]
    assert verdicts == [cell.verdict for cell in first.cells.values()]
    assert "crashed" in verdicts
    assert [each.started > 0 for each in again.respondents] == [True]
    noted = {cell.scenario: cell.verdict for cell in store.cells(store.runs()[0].id)}
    assert noted == {"before": None, "trigger": "crashed", "after": None}


def test_a_kept_answer_that_makes_no_sense_is_asked_again(noting, store):
    first = run(implementation(noting()), store)
    with store.writing() as connection:
        connection.execute("UPDATE answers SET messages = ?", (pack([{"trace": [1]}]),))
    again = run(implementation(noting()), store)
    assert noting.calls() == 2 * len(ALL)
    assert found(again) == found(first)


def test_a_run_of_a_part_is_not_taken_for_a_whole_one(store):
    run(implementation(FAKES / "argument_style.py"), store, (BEFORE,), partial=True)
    assert store.latest() == []
    assert len(store.runs()) == 1


def test_a_run_is_stored_with_who_answered(store):
    session = run(implementation(FAKES / "argument_style.py"), store)
    (stored,) = store.latest()
    assert stored.implementation == "argument_style"
    assert stored.header == session.headers["argument_style"]
    assert stored.versions == {"argument-style-fake": "1"}
    assert {cell.scenario for cell in store.cells(stored.id)} == {each.name for each in ALL}


def fill(connection):
    """Let the file of a store take no more than it has, and leave no room in that."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    add = "INSERT INTO answers VALUES (hex(randomblob(8)), 'x', randomblob({}), 'now')"
    for size in (3000, 300, 30, 3):
        with contextlib.suppress(sqlite3.OperationalError):
            for _ in range(1000):
                connection.execute(add.format(size))


def test_a_full_disk_costs_the_store_and_nothing_else(noting, store):
    run(implementation(noting()), store, (BEFORE,))
    fill(store.connection)
    session = run(implementation(noting()), store, (TRIGGER, AFTER))
    assert [cell.verdict for cell in session.cells.values()] == ["conforms"] * 2
    (sentence,) = session.complaints
    assert "takes no more" in sentence
    assert len(run(implementation(noting()), store, (BEFORE,)).cells) == 1


def test_a_judge_that_is_killed_loses_nothing_it_was_told(noting, store):
    adapter = noting(seconds=0.3)
    arguments = [sys.executable, "-c", RUN, str(store.path), str(adapter)]
    judge = subprocess.Popen(arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    judge.stdout.readline()
    judge.send_signal(signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    time.sleep(0.5)  # the worker answers what it was asked, finds nobody there, and ends
    before = noting.calls()
    session = run(implementation(adapter), store)
    assert [cell.verdict for cell in session.cells.values()] == ["conforms"] * len(ALL)
    assert before + len(ALL) - 1 >= noting.calls()
