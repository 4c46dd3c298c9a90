"""The same program gives the same bytes, whatever ran before it and however often it runs."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.implementations import registered
from harness.placement import place_of
from harness.respondent import silent
from harness.workers import Worker
from reference.conventions import OPEN_ORDER
from suites.catalogue import SCENARIOS, SUITES

BNCONFORM = shutil.which("bnconform", path=Path(sys.executable).parent)
SEED = 1
SUITES_OF_BOTH = ("--suite", "modes", "--suite", "freezing", "--suite", "state")
FIRST = {each.suite: each for each in reversed(SCENARIOS)}
SOME = list(dict.fromkeys((*FIRST.values(), *SCENARIOS[::20])))


def answers(worker, scenarios):
    """Each scenario's whole answer as text, by the scenario's name."""
    found = {}
    for each in scenarios:
        answer = worker.ask(each)
        del answer["id"]
        found[each.name] = json.dumps(answer)
    return found


def shuffled(scenarios):
    return random.Random(SEED).sample(scenarios, len(scenarios))  # noqa: S311 - an order, no secret


def settled(implementation, scenario):
    """Tell whether an implementation is declared to do one thing in a scenario, and survives it."""
    declared = implementation.conventions(scenario).values
    issue = implementation.expectations.issues.get(scenario.name)
    if issue is not None and issue.verdict == "crashed":
        return False
    return OPEN_ORDER not in {declared.get(axis) for axis in scenario.settles}


def different(one, other):
    return [name for name in one if one[name] != other[name]]


def test_some_scenarios_cover_every_suite():
    assert {each.suite for each in SOME} == set(SUITES)


def test_order_does_not_change_a_byte_of_torch():
    command = place_of(registered()["torch"], silent).command
    with Worker(command) as worker:
        in_order = answers(worker, SCENARIOS)
    with Worker(command) as worker:
        assert different(in_order, answers(worker, shuffled(SCENARIOS))) == []


@pytest.mark.parametrize("name", ["keras-tensorflow", "tf-contrib"])
def test_order_does_not_change_a_byte(name):
    implementation = registered()[name]
    if obstacle := implementation.obstacle():
        pytest.skip(obstacle)
    scenarios = [each for each in SOME if settled(implementation, each)]
    with Worker(place_of(implementation, silent).command) as worker:
        first = answers(worker, scenarios)
        again = answers(worker, shuffled(scenarios))
    assert different(first, again) == []


def test_two_runs_side_by_side_find_the_same(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    runs = [
        subprocess.Popen(
            [BNCONFORM, "run", "torch", *SUITES_OF_BOTH, "--output", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for folder in folders
    ]
    assert [run.wait() for run in runs] == [0, 0]
    one, other = (json.loads((each / "results.json").read_text("utf-8")) for each in folders)
    clock = {"started", "seconds"}
    assert {key for key in one if one[key] != other[key]} <= clock < one.keys() == other.keys()
