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
EXPECTED = ("conforms", "not expressible")


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


def is_expected(implementation: str, scenario: str, verdict: str) -> bool:
    """Tell whether a verdict is expected: a known issue strictly so, else a good verdict."""
    issue = issues().get((implementation, scenario))
    return verdict == issue.verdict if issue is not None else verdict in EXPECTED
