"""Asks the fakes every scenario in this process, and judges them by what they declare."""

from __future__ import annotations

import json
from functools import cache
from unittest.mock import patch

from adapters import worker
from harness.declarations import Declaration, Declarations, context_of
from harness.respondent import Answer, parsed
from harness.verdict import verdict_on
from harness.wire import scenario_to_json
from suites.catalogue import SCENARIOS
from tests.fakes.declared import DECLARED
from tests.fakes.fault import CLEAN


def declarations_of(style):
    return Declarations(
        tuple(
            Declaration(axis, each["value"], each.get("when", {}), ())
            for axis, value in DECLARED[f"{style}_style"].items()
            for each in (value if isinstance(value, list) else [{"value": value}])
        ),
        {},
    )


DECLARATIONS = {style: declarations_of(style) for style in CLEAN}


def declared(style, scenario):
    return DECLARATIONS[style].at(context_of(scenario, "eager", "cpu"))


def said(adapter, scenario):
    """The worker's messages, one for each repeat the scenario wants."""
    asked = scenario_to_json(scenario)
    return json.dumps([worker.run(adapter, asked) for _ in range(scenario.repeats)])


def answered(messages):
    answers = [parsed(message) for message in json.loads(messages)]
    refusing = [answer for answer in answers if answer.verdict is not None]
    return refusing[0] if refusing else Answer(tuple(each.traces[0] for each in answers))


@cache
def judged(style, scenario, messages):
    """The verdict on what was said. Many faults say what the clean program says; it is kept."""
    return verdict_on(style, scenario, declared(style, scenario), answered(messages))


@cache
def judged_unexplained(style, scenario, messages):
    """The verdict without what would explain it, which is most of the work where it is wrong."""
    with patch("harness.verdict.explanations", return_value=()):
        return verdict_on(style, scenario, declared(style, scenario), answered(messages))


def clean_cell(style, scenario):
    return judged(style, scenario, said(CLEAN[style], scenario))


@cache
def expressible(style):
    cells = (clean_cell(style, scenario) for scenario in SCENARIOS)
    return [cell.scenario for cell in cells if cell.verdict != "not expressible"]
