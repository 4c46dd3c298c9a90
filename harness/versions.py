"""Conditions on versions, as declarations and known issues write them: ``torch>=1.5``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

Versions = Mapping[str, str]
"""Exact versions by package."""


@dataclass(frozen=True)
class Condition:
    """Versions of packages that are spoken of; all of them where none is named."""

    texts: tuple[str, ...]
    limits: Mapping[str, SpecifierSet]

    def holds(self, versions: Versions) -> bool:
        """Tell whether all these versions are spoken of; a package that is not there is not."""
        return all(
            name in versions and limit.contains(versions[name], prereleases=True)
            for name, limit in self.limits.items()
        )


ALWAYS = Condition((), {})


def condition(written: object) -> Condition:
    """Return the condition of a string, or of a list of strings that all must hold.

    Raises ValueError with what is wrong.
    """
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list) or not texts:
        raise ValueError("version must be like 'torch>=1.5', or a list of such")
    limits: dict[str, SpecifierSet] = {}
    for text in texts:
        name, limit = parsed(text)
        if name in limits:
            raise ValueError(f"version names {name} twice; write 'torch>=1.5,<2' instead")
        limits[name] = limit
    return Condition(tuple(texts), limits)


def parsed(text: object) -> tuple[str, SpecifierSet]:
    """Return the package and the limit of ``torch>=1.5``. Raises ValueError otherwise."""
    try:
        found = Requirement(str(text))
    except InvalidRequirement:
        found = None
    if found is None or found.marker or found.url or found.extras or not found.specifier:
        raise ValueError(f"version must be like 'torch>=1.5', not {text!r}")
    return canonicalize_name(found.name), found.specifier


def telling(conditions: Iterable[Condition]) -> Iterator[dict[str, str]]:
    """Yield versions such that conditions which hold nowhere among them hold nowhere at all.

    For each package below every version that is named, at each of them and just above each.
    """
    named: dict[str, set[Version]] = {}
    for each in conditions:
        for name, limit in each.limits.items():
            found = named.setdefault(name, {Version("0")})
            found.update(Version(one.version.removesuffix(".*")) for one in limit)
    points = [
        sorted(at for each in found for at in (each, above(each))) for found in named.values()
    ]
    for versions in itertools.product(*points):
        yield dict(zip(named, map(str, versions), strict=True))


def above(version: Version) -> Version:
    """Return a version just above: later, yet below whatever is likely to be released."""
    release = (*version.release, 0, 0)[: max(3, len(version.release))]
    return Version(".".join(map(str, (*release, 0, 1))))
