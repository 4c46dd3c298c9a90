"""One test item per (implementation, scenario): does it do what it is declared to do?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import IMPORTS
from harness.environments import Unavailable
from harness.respondent import Respondent
from harness.session import judged
from harness.words import block, layer_in_words, scenario_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.implementations import Implementation
    from harness.verdict import Cell
    from suites.vocabulary import Scenario


@pytest.fixture(scope="session")
def respondents(request: pytest.FixtureRequest) -> Iterator[dict[str, Respondent | Unavailable]]:
    """The running workers by implementation; stopped and counted when the session ends."""
    running: dict[str, Respondent | Unavailable] = {}
    yield running
    for name, respondent in running.items():
        if isinstance(respondent, Respondent):
            respondent.replace()
            request.config.stash[IMPORTS][name] += respondent.started


def test_conforms(
    implementation: Implementation,
    scenario: Scenario,
    respondents: dict[str, Respondent | Unavailable],
    request: pytest.FixtureRequest,
) -> None:
    respondent = respondents.get(implementation.name) or respond(implementation)
    respondents[implementation.name] = respondent
    if isinstance(respondent, Unavailable):
        sentence = f"{implementation.name} is unavailable. {respondent}"
        if request.config.getoption("implementation"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    cell = judged(respondent, scenario)
    if not cell.expected:
        pytest.fail(message(cell), pytrace=False)
    if cell.verdict == "not expressible":
        pytest.skip(f"not expressible: {cell.reason}")


def respond(implementation: Implementation) -> Respondent | Unavailable:
    """Return the respondent, or why there is none; asked once for an implementation."""
    try:
        return Respondent(implementation)
    except Unavailable as reason:
        return reason


def message(cell: Cell) -> str:
    """Return what a stranger needs to understand an unexpected verdict."""
    scenario = cell.scenario
    issue = cell.expectations.issues.get(scenario.name)
    lines = [f"{cell.implementation}, scenario {scenario.name}: {cell.verdict}", scenario.question]
    lines += [cell.reason, *(found.sentence for found in cell.explanations)]
    if issue is not None:
        said = f"{issue.verdict!r} because {issue.axis} is {issue.value!r} ({issue.link})"
        lines.append(f"The known issue says {said}; that no longer holds.")
    lines += [block("Layer", layer_in_words(scenario.layer))]
    lines += [block("Steps", scenario_in_words(scenario))]
    lines.append(
        f"Alone: pytest suites --implementation {cell.implementation} -k '/{scenario.name}]'"
    )
    return "\n".join(lines)
