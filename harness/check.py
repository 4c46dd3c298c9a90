"""What a version of a package changed in the meaning of BatchNorm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.changes import Changes, changes
from harness.complaint import Complaint
from harness.evaluation import Evaluation, of_run, of_session
from harness.implementations import Implementation, known, public, registered, untransformed
from harness.install import Unavailable
from harness.releases import newest_of, release_of
from harness.resolution import SMALLER
from harness.session import Report, Session
from harness.store import Run, Store
from harness.times import Times
from suites.vocabulary import Scenario

SAME, CHANGED, COULD_NOT = 0, 1, 2


@dataclass(frozen=True)
class Release:
    """A package at an exact version."""

    package: str
    version: str

    def __str__(self) -> str:
        """Return it as a requirement."""
        return f"{self.package}=={self.version}"


@dataclass
class Check:
    """A check: what is compared with what, and what came of it.

    `pairs` are the implementations at the version checked, each with what it is compared with: the
    implementation at another version, a stored run, or nothing. `found` are the changes, by the
    name of the implementation, `not_checked` the reasons why there are none.
    """

    release: Release
    scenarios: Sequence[Scenario]
    pairs: list[tuple[Implementation, Implementation | Run | None]]
    found: dict[str, Changes] = field(default_factory=dict)
    alone: dict[str, Evaluation] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    times: Times = field(default_factory=Times)

    def run(self, session: Session, store: Store | None, report: Report) -> None:
        """Ask whoever must be asked, in a session of this check, and compare."""
        session.run(report)
        with self.times.spent("judge"):
            for after, before in self.pairs:
                try:
                    self.compare(session, after, before, store)
                except Complaint as reason:
                    self.not_checked[after.entry] = str(reason)

    def session(self, store: Store | None, *, fresh: bool = False) -> Session:
        """Return the session that asks everyone who is asked, each once."""
        asked = [each for pair in self.pairs for each in pair if isinstance(each, Implementation)]
        once = {each.name: each for each in asked}
        return Session(
            list(once.values()), self.scenarios, True, store=store, fresh=fresh, times=self.times
        )

    def compare(
        self,
        session: Session,
        after: Implementation,
        before: Implementation | Run | None,
        store: Store | None,
    ) -> None:
        """Compare one implementation with what it was. Raises Complaint."""
        new = of_session(session, after.name)
        if before is None:
            self.alone[after.entry] = new
            return
        if isinstance(before, Run):
            assert store is not None
            old = of_run(store, before, self.scenarios)
        else:
            old = of_session(session, before.name)
        self.found[after.entry] = changes(old, new)

    @property
    def status(self) -> int:
        """Return the exit status: 1 for a change, else 2 for what could not be checked, else 0."""
        if any(not each.same_meaning for each in self.found.values()):
            return CHANGED
        if any(not cell.expected for each in self.alone.values() for cell in each.cells.values()):
            return CHANGED
        return COULD_NOT if self.not_checked or self.alone or not self.found else SAME


def release_asked(text: str) -> Release:
    """Return the release of ``torch==2.15.0``; of ``torch``, its newest.

    Raises Complaint for what is none, names no package that an implementation rests on, or is not
    on the index.
    """
    try:
        asked = Requirement(text)
    except InvalidRequirement:
        raise Complaint(f"{text!r} is not a release. Write it like torch==2.15.0.") from None
    larger = {smaller: name for name, smaller in SMALLER.items()}
    name = canonicalize_name(asked.name)
    packages = {package for each in registered().values() for package in each.packages}
    package = known(larger.get(name, name), sorted(packages), "package that is checked")
    pins = [each for each in asked.specifier if each.operator == "=="]
    if asked.specifier and (len(asked.specifier) > 1 or not pins):
        raise Complaint(f"{text!r} names no exact version. Write it like {package}==2.15.0.")
    try:
        if not pins:
            return Release(package, str(newest_of(package, lambda _: True)))
        version = str(Version(pins[0].version))
        return Release(package, str(release_of(package, version)[0].version))
    except InvalidVersion:
        raise Complaint(f"{text!r} names no exact version.") from None
    except Unavailable as reason:
        raise Complaint(str(reason)) from reason


def resting_on(release: Release, names: Sequence[str] = ()) -> list[Implementation]:
    """Return the implementations that rest on a release, at that release; of those named, if any.

    Raises Complaint where no adapter can drive it.
    """
    asked = [known(name, registered(), "implementation") for name in names]
    found = [
        registered()[name].at({release.package: release.version})
        for name in asked or untransformed()
        if registered()[name].drives(release.package, release.version)
    ]
    if not found:
        limits = [
            f"{each.name} {package}{limit}"
            for each in registered().values()
            for package, limit in each.packages.items()
            if package == release.package
        ]
        driven = "; ".join(limits)
        raise Complaint(f"No adapter can drive {release}. What can be asked: {driven}.")
    return found


def compared_with(
    after: Implementation, release: Release, against: Release | None, store: Store | None
) -> Implementation | Run | None:
    """Return what an implementation at a release is compared with.

    That is, where nothing is named, the version in use, else the newest that is stored, else the
    release before it. Raises Complaint where the one that is named cannot be asked.
    """
    base = registered()[after.entry]
    package = release.package
    if against is not None:
        if base.succeeds is not None and not base.drives(package, against.version):
            base = registered()[base.succeeds]
        return base.at({package: against.version})
    used = base.used.get(package)
    if used is not None and public(used) != public(release.version):
        return base
    stored = [] if store is None else store.latest()
    for run in stored:
        version = run.versions.get(package)
        if run.implementation == after.entry and version and public(version) != release.version:
            return run
    try:
        earlier = newest_of(
            package,
            lambda each: each < Version(release.version) and base.drives(package, str(each)),
        )
    except Unavailable:
        return None
    return base.at({package: str(earlier)})
