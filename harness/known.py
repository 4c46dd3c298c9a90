"""Known issues: verdicts that are expected although they are not `conforms`.

``adapters/known_issues.toml`` holds ``[[issue]]`` tables with implementation, scenario, verdict,
link (upstream, or a standalone reproduction) and note. An entry that no longer holds makes the run
red, so the list cannot rot.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import adapters
from harness.complaint import Complaint

FILE = Path(adapters.__file__).parent / "known_issues.toml"
RECORD = Path(adapters.__file__).parent / "not_expressible.toml"


@dataclass(frozen=True)
class KnownIssue:
    """One expected verdict that is not `conforms`, and who says so."""

    implementation: str
    scenario: str
    verdict: str
    link: str
    note: str


@cache
def issues() -> dict[tuple[str, str], KnownIssue]:
    """Return the known issues by implementation and scenario. Raises Complaint for a bad file."""
    if not FILE.exists():
        return {}
    try:
        entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("issue", [])
        known = [KnownIssue(**entry) for entry in entries]
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise Complaint(f"{FILE.name} is not a list of known issues: {error}.") from error
    return {(issue.implementation, issue.scenario): issue for issue in known}


@cache
def not_expressible() -> dict[str, frozenset[str]]:
    """Return, for each recorded implementation, the scenarios it has no way to say."""
    record = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    return {name: frozenset(scenarios) for name, scenarios in record.items()}


def is_expected(implementation: str, scenario: str, verdict: str) -> bool:
    """Tell whether a verdict is expected: a known issue strictly so, else a good verdict.

    An implementation that is recorded may lack no more answers than the record says.
    """
    issue = issues().get((implementation, scenario))
    if issue is not None:
        return verdict == issue.verdict
    if verdict == "not expressible":
        recorded = not_expressible().get(implementation)
        return recorded is None or scenario in recorded
    return verdict == "conforms"
