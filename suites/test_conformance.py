"""One test item per (implementation, scenario): does it do what it is declared to do?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import IMPORTS
from harness.environments import Unavailable
from harness.known import is_expected, issues
from harness.respondent import Respondent
from harness.session import judged
from harness.words import block, layer_in_words, scenario_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.implementations import Implementation
    from harness.verdict import Cell
    from suites.vocabulary import Scenario


@pytest.fixture(scope="session")
def respondents(request: pytest.FixtureRequest) -> Iterator[dict[str, Respondent]]:
    """The running workers by implementation; stopped and counted when the session ends."""
    running: dict[str, Respondent] = {}
    yield running
    for name, respondent in running.items():
        respondent.replace()
        request.config.stash[IMPORTS][name] += respondent.started


def test_conforms(
    implementation: Implementation,
    scenario: Scenario,
    respondents: dict[str, Respondent],
    request: pytest.FixtureRequest,
) -> None:
    try:
        if implementation.name not in respondents:
            respondents[implementation.name] = Respondent(implementation)
        cell = judged(respondents[implementation.name], scenario)
    except Unavailable as reason:
        sentence = f"{implementation.name} is unavailable. {reason}"
        if request.config.getoption("implementation"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    if not is_expected(cell.implementation, scenario.name, cell.verdict):
        pytest.fail(message(cell), pytrace=False)
    if cell.verdict == "not expressible":
        pytest.skip(f"not expressible: {cell.reason}")


def message(cell: Cell) -> str:
    """Return what a stranger needs to understand an unexpected verdict."""
    scenario = cell.scenario
    issue = issues().get((cell.implementation, scenario.name))
    lines = [f"{cell.implementation}, scenario {scenario.name}: {cell.verdict}", scenario.question]
    lines += [cell.reason, *(found.sentence for found in cell.explanations)]
    if issue is not None:
        lines.append(f"The known issue says {issue.verdict!r} ({issue.link}); it no longer holds.")
    lines += [block("Layer", layer_in_words(scenario.layer))]
    lines += [block("Steps", scenario_in_words(scenario))]
    lines.append(f"Alone: pytest suites --implementation {cell.implementation} -k {scenario.name}")
    return "\n".join(lines)
