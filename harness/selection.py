"""Choosing scenarios by suite and by a part of their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from harness.complaint import Complaint
from harness.implementations import known
from suites.catalogue import SCENARIOS, SUITES
from suites.vocabulary import Scenario


def selected(suites: Sequence[str], pattern: str) -> list[Scenario]:
    """Return the scenarios asked for. Raises Complaint where there are none."""
    wanted = {known(suite, SUITES, "suite") for suite in suites} or set(SUITES)
    found = [each for each in SCENARIOS if each.suite in wanted and pattern in each.name]
    if not found:
        near = difflib.get_close_matches(pattern, [each.name for each in SCENARIOS], n=1, cutoff=0)
        hint = f" The nearest is {near[0]!r}." if near else ""
        message = f"No scenario of these suites has {pattern!r} in its name.{hint}"
        raise Complaint(message)
    return found
