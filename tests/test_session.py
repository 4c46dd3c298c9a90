"""A run as a whole: what it must not call good, and what it must not lose."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.implementations import Implementation
from harness.session import Session
from suites.catalogue import scenario_named
from tests.asking import DECLARATIONS

MISBEHAVING = Path(__file__).parent / "fakes" / "misbehaving"


def finished(name):
    """The session of one misbehaving fake over two scenarios."""
    adapter = str(MISBEHAVING / f"{name}.py")
    declared = DECLARATIONS["argument"]
    implementation = Implementation(name, name, adapter=adapter, declared=declared)
    scenarios = [scenario_named("training-output"), scenario_named("bare-call")]
    session = Session([implementation], scenarios)
    session.run(lambda *_: None)
    return session


@pytest.mark.parametrize("name", ["not_expressible", "raises_in_adapter", "fails_to_import"])
def test_an_implementation_of_which_nothing_could_be_judged_is_told(name):
    assert finished(name).unjudged == [name]


def test_one_that_answers_is_judged():
    assert finished("prints_to_stdout").unjudged == []
