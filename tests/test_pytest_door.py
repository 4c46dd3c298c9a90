"""Through pytest the suite gives the same answers, imports each framework once and explains."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from adapters import worker
from harness.respondent import parsed
from harness.scheduling import ByImplementation
from harness.verdict import verdict_on
from harness.wire import scenario_to_json
from reference.chosen import Conventions
from suites.catalogue import SCENARIOS, scenario_named
from suites.test_conformance import message
from tests.fakes.declared import ARGUMENT
from tests.fakes.planted import FAULTS

ROOT = Path(__file__).parents[1]
SECONDS = 180
USAGE_ERROR = 4


def run_pytest(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("flags", [["-n", "2"], []], ids=["spread", "alone"])
def test_a_framework_is_counted_when_one_scenario_runs(flags):
    done = run_pytest("suites", "--implementation", "torch", "-k", "frozen-fit", *flags)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "Framework imports: torch 1\n" in done.stdout


def test_two_workers_import_a_framework_once_for_every_scenario():
    done = run_pytest("suites", "--implementation", "torch", "-n", "2", "-q")
    assert done.returncode == 0, done.stdout
    assert "Framework imports: torch 1\n" in done.stdout


def test_an_unknown_implementation_is_a_usage_error_with_the_nearest_name():
    done = run_pytest("suites", "--implementation", "torhc", "--collect-only")
    assert done.returncode == USAGE_ERROR
    assert "There is no implementation called 'torhc'. Did you mean 'torch'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_items_are_named_by_implementation_suite_and_scenario():
    asked = [flag for name in ("torch", "keras-tensorflow") for flag in ("--implementation", name)]
    done = run_pytest("suites", *asked, "--collect-only", "-q")
    assert done.returncode == 0, done.stdout
    named = [line.partition("[")[2][:-1] for line in done.stdout.splitlines() if "::" in line]
    assert named == [
        f"{name}/{each.suite}/{each.name}"
        for name in ("torch", "keras-tensorflow")
        for each in SCENARIOS
    ]


def test_collecting_starts_no_worker():
    done = run_pytest("suites", "--implementation", "torch", "--collect-only", "-q")
    assert "Framework imports" not in done.stdout


def test_every_scenario_of_an_implementation_goes_to_the_same_worker():
    scope = ByImplementation._split_scope
    module = "suites/test_conformance.py::test_conforms"
    torch = {scope(None, f"{module}[torch/{each.suite}/{each.name}]") for each in SCENARIOS}
    assert torch == {"torch"}
    assert scope(None, f"{module}[torch/a/b]") != scope(None, f"{module}[tf-slim/a/b]")
    assert scope(None, "tests/test_a.py::test[x/y]") == scope(None, "tests/test_a.py::test[z]")


def cell_of(fault, name):
    """What the suite says of a planted fault when it is asked one scenario."""
    scenario = scenario_named(name)
    answer = worker.run(FAULTS[fault], json.loads(json.dumps(scenario_to_json(scenario))))
    return verdict_on(fault, scenario, Conventions(ARGUMENT), parsed(answer))


def test_a_failure_can_be_understood_by_a_stranger():
    cell = cell_of("sample-variance-in-the-average", "running-variance-of-2-values")
    told = message(cell)
    for part in (
        "sample-variance-in-the-average, scenario running-variance-of-2-values: differs",
        cell.scenario.question,
        "Step 2 (call on 2×3 values, training=True): the running variance at index",
        "is expected; the error",
        "exceeds the rounding bound",
        "The oracle would agree if running-variance-factor were ‘n/(n-1)’ instead of ‘1’.",
        "Layer:\n  channels: 3",
        "Steps:\n  1. create the layer's variables\n  2. call on 2×3 values",
        f"pytest suites --implementation {cell.implementation} -k '/{cell.scenario.name}]'",
    ):
        assert part in told


def test_a_failure_shows_no_object_of_this_program():
    told = message(cell_of("sample-variance-in-the-average", "running-variance-of-2-values"))
    assert [word for word in ("Tensor(", "ABSENT", "<", "array(", "dtype=") if word in told] == []


def test_a_refusal_quotes_the_framework():
    told = message(cell_of("float64-refused", "float64"))
    assert "float64-refused, scenario float64: refused" in told
    assert "raised" in told
    assert "The oracle would agree if float64-layer were ‘refused’" in told


def test_the_command_that_is_given_runs_the_one_item():
    cell = cell_of("sample-variance-in-the-average", "running-variance-of-2-values")
    command = shlex.split(message(cell).splitlines()[-1].partition("pytest ")[2])
    asked = [word if word != cell.implementation else "torch" for word in command]
    done = run_pytest(*asked, "--collect-only", "-q")
    assert f"torch/running-statistics/{cell.scenario.name}" in done.stdout
