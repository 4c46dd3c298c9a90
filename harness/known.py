"""Known issues: verdicts that are expected although they are not `conforms`.

``adapters/known_issues.toml`` holds ``[[issue]]`` tables with implementation, scenario, verdict,
axis and value (the change of convention that explains it; or, of a refusal, of one that is missing
or of a crash, words of what is said of it, ``says``), link (upstream, or a standalone reproduction)
and note; and where it is of some versions only, version (``"torch>=1.5"``). In place of a scenario
may stand ``steps``, which means every scenario that has one of them, ``but`` those named. An entry
that no longer holds, or no longer for that reason, makes the run red, so the list neither rots nor
hides another fault.

``adapters/not_expressible.toml`` holds for each implementation a list of scenarios, and of tables
with version and scenarios for those that only some versions have no way to say. What holds of an
implementation holds of it under another execution, such as ``torch+compile``, too; which may have
more of both, or, as a table, the ``only`` scenarios that it has a way to say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import adapters
from harness.complaint import Complaint
from harness.versions import ALWAYS, Condition, Versions, condition
from reference.axis import Value
from reference.chosen import admit
from suites.catalogue import SCENARIOS, scenario_named

FILE = Path(adapters.__file__).parent / "known_issues.toml"
RECORD = Path(adapters.__file__).parent / "not_expressible.toml"
KNOWN_BY_WORDS = ("refused", "should have refused", "differs", "crashed")


@dataclass(frozen=True)
class KnownIssue:
    """One expected verdict that is not `conforms`, what explains it, and who says so."""

    implementation: str
    scenario: str
    verdict: str
    link: str
    note: str
    axis: str = ""
    value: str | float = ""
    says: str = ""
    version: Condition = ALWAYS

    def explains(self, explained: Collection[tuple[str, Value]], said: str) -> bool:
        """Tell whether a verdict so explained, or of which this is said, is this issue's."""
        return self.says in said if self.says else (self.axis, self.value) in explained


@dataclass(frozen=True)
class Expectations:
    """What is expected of one implementation, at some versions, besides `conforms`.

    `issues` are the known issues by scenario, `inexpressible` the scenarios it is recorded to have
    no way to say; None for an implementation that is not recorded, which may lack any.
    """

    issues: Mapping[str, KnownIssue] = field(default_factory=dict)
    inexpressible: frozenset[str] | None = None

    def admit(
        self,
        scenario: str,
        verdict: str,
        explained: Collection[tuple[str, Value]] = (),
        said: str = "",
    ) -> bool:
        """Tell whether a verdict is expected: a known issue strictly so, else a good verdict.

        `explained` are the changes of convention, axis and value, that explain the verdict; a known
        issue must be among them, or else in what is `said` of the verdict.
        """
        issue = self.issues.get(scenario)
        if verdict == "not expressible":
            recorded = self.inexpressible or ()
            return scenario in recorded or (issue is None and self.inexpressible is None)
        if issue is not None:
            return verdict == issue.verdict and issue.explains(explained, said)
        return verdict == "conforms"


NOTHING_RECORDED = Expectations()


def expectations(implementation: str, versions: Versions) -> Expectations:
    """Return what is recorded of an implementation at these versions."""
    base = implementation.partition("+")[0]
    held = {
        name: {
            issue.scenario: issue
            for issue in issues()
            if issue.implementation == name and issue.version.holds(versions)
        }
        for name in (base, implementation)
    }
    lacking = not_expressible(implementation, versions)
    return Expectations({**held[base], **held[implementation]}, lacking)


@cache
def issues() -> tuple[KnownIssue, ...]:
    """Return the known issues of all versions. Raises Complaint for a bad file."""
    if not FILE.exists():
        return ()
    try:
        entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("issue", [])
        known = tuple(issue for entry in entries for issue in read_issues(entry))
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise Complaint(f"{FILE.name} is not a list of known issues: {error}.") from error
    for issue in known:
        admit_issue(issue)
    return known


def read_issues(entry: dict[str, Any]) -> list[KnownIssue]:
    """Return the issues of one entry of the file. Raises TypeError or ValueError for a bad one."""
    entry = dict(entry)
    if "version" in entry:
        entry["version"] = condition(entry["version"])
    steps, but = set(entry.pop("steps", ())), set(entry.pop("but", ()))
    if not steps:
        return [KnownIssue(**entry)]
    shown = [each.name for each in SCENARIOS if any(type(s).__name__ in steps for s in each.steps)]
    return [KnownIssue(scenario=name, **entry) for name in shown if name not in but]


def admit_issue(issue: KnownIssue) -> None:
    """Raise Complaint for an issue that names nothing there is, or expects what needs no issue."""
    where = f"{FILE.name}, {issue.implementation}, {issue.scenario}"
    if issue.says and issue.verdict not in KNOWN_BY_WORDS:
        words = ", ".join(f"`{verdict}`" for verdict in KNOWN_BY_WORDS)
        raise Complaint(f"{where}: only {words} can be known by what is said of it.")
    try:
        if not issue.says:
            admit(issue.axis, issue.value)
        scenario_named(issue.scenario)
    except (KeyError, ValueError) as error:
        raise Complaint(f"{where}: {error.args[0]} is not known.") from error
    if issue.verdict == "conforms":
        raise Complaint(f"{where}: a verdict `conforms` needs no known issue.")


def not_expressible(implementation: str, versions: Versions) -> frozenset[str] | None:
    """Return the scenarios an implementation is recorded to have no way to say at these versions.

    None for an implementation that is not recorded.
    """
    base, under, _ = implementation.partition("+")
    entries = record().get(implementation)
    if isinstance(entries, dict):
        return frozenset(each.name for each in SCENARIOS) - set(entries["only"])
    if under:
        entries = [*record().get(base, ()), *(entries or ())]
    if entries is None:
        return None
    found = [entry for entry in entries if isinstance(entry, str)]
    for entry in entries:
        if isinstance(entry, dict) and condition(entry["version"]).holds(versions):
            found += entry["scenarios"]
    return frozenset(found)


@cache
def record() -> dict[str, Any]:
    """Return what ``adapters/not_expressible.toml`` says."""
    return tomllib.loads(RECORD.read_text(encoding="utf-8"))
