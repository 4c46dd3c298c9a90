"""Known issues: verdicts that are expected although they are not `conforms`.

``adapters/known_issues.toml`` holds ``[[issue]]`` tables with implementation, scenario, verdict,
axis and value (the change of convention that explains it), link (upstream, or a standalone
reproduction) and note. An entry that no longer holds, or no longer for that reason, makes the run
red, so the list neither rots nor hides another fault.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import adapters
from harness.complaint import Complaint
from reference.axis import Value
from reference.chosen import admit
from suites.catalogue import scenario_named

FILE = Path(adapters.__file__).parent / "known_issues.toml"
RECORD = Path(adapters.__file__).parent / "not_expressible.toml"


@dataclass(frozen=True)
class KnownIssue:
    """One expected verdict that is not `conforms`, what explains it, and who says so."""

    implementation: str
    scenario: str
    verdict: str
    axis: str
    value: str | float
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
    for issue in known:
        admit_issue(issue)
    return {(issue.implementation, issue.scenario): issue for issue in known}


def admit_issue(issue: KnownIssue) -> None:
    """Raise Complaint for an issue that names nothing there is, or expects what needs no issue."""
    where = f"{FILE.name}, {issue.implementation}, {issue.scenario}"
    try:
        admit(issue.axis, issue.value)
        scenario_named(issue.scenario)
    except (KeyError, ValueError) as error:
        raise Complaint(f"{where}: {error.args[0]} is not known.") from error
    if issue.verdict == "conforms":
        raise Complaint(f"{where}: a verdict `conforms` needs no known issue.")


@cache
def not_expressible() -> dict[str, frozenset[str]]:
    """Return, for each recorded implementation, the scenarios it has no way to say."""
    record = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    return {name: frozenset(scenarios) for name, scenarios in record.items()}


def is_expected(
    implementation: str, scenario: str, verdict: str, explained: Collection[tuple[str, Value]] = ()
) -> bool:
    """Tell whether a verdict is expected: a known issue strictly so, else a good verdict.

    `explained` are the changes of convention, axis and value, that explain the verdict; a known
    issue must be among them. An implementation that is recorded may lack no more answers than the
    record says.
    """
    issue = issues().get((implementation, scenario))
    if issue is not None:
        return verdict == issue.verdict and (issue.axis, issue.value) in explained
    if verdict == "not expressible":
        recorded = not_expressible().get(implementation)
        return recorded is None or scenario in recorded
    return verdict == "conforms"
