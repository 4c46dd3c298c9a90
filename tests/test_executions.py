"""Implementations under other executions: compiled, traced, recomputed, folded, exported."""

from __future__ import annotations

import pytest

from harness import known
from harness.complaint import Complaint
from harness.implementations import EXECUTION, default, named, registered, untransformed
from harness.placement import place_of
from harness.respondent import Respondent, silent
from harness.session import judged
from harness.trace_key import TraceKeys
from suites.catalogue import scenario_named

OTHERS = {name: each for name, each in registered().items() if each.transformation}
IN_THIS_ENVIRONMENT = [name for name, each in OTHERS.items() if each.environment == "this"]
TOO_SLOW = {"torch+compile-inductor"}
"""Its first program takes half a minute of generating and compiling C++."""

ASKED = (
    "training-gradients",
    "second-order-in-inference",
    "inference-output",
    "frozen-after-training",
    "predict-uses-running-statistics",
    "untracked-inference",
)
REFUSED = {
    "torch+folded-transposed-groups": {"inference-output", "predict-uses-running-statistics"},
    "keras-tensorflow+checkpoint": {"predict-uses-running-statistics"},
}
"""What is a known issue: everything else conforms or cannot be said."""


@pytest.mark.parametrize("name", [each for each in IN_THIS_ENVIRONMENT if each not in TOO_SLOW])
def test_every_execution_is_as_declared(name):
    verdicts = {}
    with Respondent(registered()[name], seconds_to_answer=120) as respondent:
        for each in ASKED:
            cell = judged(respondent, scenario_named(each))
            assert cell.expected, f"{each}: {cell.verdict}. {cell.reason}"
            verdicts[each] = cell.verdict
    refused = REFUSED.get(name, set())
    assert {each for each, verdict in verdicts.items() if verdict == "refused"} == refused
    assert set(verdicts.values()) <= {"conforms", "not expressible", "refused"}
    assert "conforms" in verdicts.values()


def test_no_other_execution_answers_unless_it_is_named():
    assert not [each.name for each in default() if each.transformation]
    assert [each.name for each in named(["torch+compile"])] == ["torch+compile"]
    assert "torch+compile" not in untransformed()


def test_an_execution_there_is_none_of_is_a_complaint_with_the_nearest():
    with pytest.raises(Complaint, match=r"Did you mean 'torch\+compile'"):
        named(["torch+compiled"])


@pytest.mark.parametrize("name", OTHERS)
def test_an_adapter_is_told_the_execution_it_is_asked_under(name):
    other = registered()[name]
    assert other.variables[EXECUTION] == other.transformation == name.partition("+")[2]


def test_an_answer_under_another_execution_is_stored_under_another_key():
    scenario, keys = scenario_named("inference-output"), set()
    for name in ("torch", "torch+checkpoint", "torch+checkpoint-reentrant", "torch+vmap"):
        place = place_of(registered()[name], silent)
        keys.add(TraceKeys(place.command, place.environment).of(scenario))
    assert len(keys) == 4


def declared(name, scenario, axis):
    return registered()[name].conventions(scenario_named(scenario))[axis]


def test_another_execution_declares_what_its_base_does_but_on_the_axes_of_its_own_file():
    again = "within the call and again in the backward pass"
    assert declared("torch", "training-gradients", "update-timing") == "within the call"
    assert declared("torch+checkpoint", "training-gradients", "update-timing") == again
    for axis in ("running-variance-factor", "default-decay"):
        values = {declared(n, "fit-trains", axis) for n in ("torch", "torch+checkpoint")}
        assert len(values) == 1
    assert [entry.axis for entry in registered()["torch+checkpoint"].own] == ["update-timing"]


def test_what_an_implementation_cannot_say_it_cannot_say_under_another_execution():
    base, other, folded = (
        known.expectations(name, {}).inexpressible
        for name in ("torch", "torch+compile", "torch+folded")
    )
    assert base == other
    assert "training-output" in folded
    assert "inference-output" not in folded


def test_a_refusal_is_known_by_what_it_says_in_every_scenario_with_such_a_step():
    found = known.expectations("keras-tensorflow+checkpoint", {})
    said = "\x1b[1mThe custom_gradient decorator currently supports keywords arguments only when "
    said += "eager execution is enabled.\x1b[0m"
    assert found.admit("fit-trains", "refused", (), said)
    assert not found.admit("fit-trains", "refused", (), "out of memory")
    assert not found.admit("fit-trains", "conforms")
    assert found.admit("training-output", "conforms")


def test_a_crash_is_known_by_the_signal_that_killed():
    found = known.expectations("tf-contrib", {"tensorflow": "1.15.5"})
    assert found.admit("no-channels-training", "crashed", (), "The process died of signal SIGFPE.")
    assert not found.admit("no-channels-training", "crashed", (), "It died of signal SIGSEGV.")
    assert not found.admit("no-channels-training", "refused", (), "signal SIGFPE")
