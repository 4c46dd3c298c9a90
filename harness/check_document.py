"""Turns what changed between versions into a document that reports are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from harness.changes import Changes
from harness.evaluation import Evaluation
from harness.finding_words import finding_in_words, unnamed_in_words
from harness.verdict import Cell
from reference.conventions import REGISTRY
from suites.catalogue import scenario_named

Json = dict[str, Any]
SCHEMA_VERSION = 1


def document(
    asked: str,
    found: Iterable[tuple[str, Changes]],
    alone: Mapping[str, Evaluation],
    not_checked: Mapping[str, str],
    seconds: Mapping[str, float],
) -> Json:
    """Return all that came of a comparison.

    `asked` says what was checked; `found` are the changes by implementation, `alone` those that
    there was nothing to compare with, `not_checked` why others were not checked at all.
    """
    return {
        "schema": SCHEMA_VERSION,
        "suite": {"name": "bnconform", "version": metadata.version("bnconform")},
        "asked": asked,
        "implementations": [implementation(name, each) for name, each in found]
        + [by_itself(name, each) for name, each in alone.items()],
        "not_checked": [{"name": name, "reason": why} for name, why in not_checked.items()],
        "seconds": {part: round(spent, 2) for part, spent in seconds.items()},
    }


def implementation(name: str, found: Changes) -> Json:
    """Return what changed about one implementation."""
    return {
        "name": name,
        "title": found.after.implementation.title,
        "before": side(found.before),
        "after": side(found.after),
        "same_meaning": found.same_meaning,
        "compared": found.compared,
        "conventions": [
            {
                "axis": each.axis,
                "question": REGISTRY[each.axis].question,
                "consequence": REGISTRY[each.axis].consequence,
                "before": list(each.before),
                "after": list(each.after),
                "sentence": each.sentence,
                "contexts": list(each.contexts),
                "decided_by": list(each.decided_by),
            }
            for each in found.conventions
        ],
        "verdicts": [
            {
                "scenario": each.scenario,
                "question": scenario_named(each.scenario).question,
                "kind": each.kind,
                "before": each.before,
                "after": each.after,
                "reason": each.reason,
            }
            for each in found.verdicts
        ],
        "numbers": [
            {
                "scenario": each.scenario,
                "question": scenario_named(each.scenario).question,
                "quantities": list(each.quantities),
                "sentence": each.sentence,
            }
            for each in found.numbers
        ],
        **failing(found.after),
    }


def by_itself(name: str, found: Evaluation) -> Json:
    """Return what is known of an implementation that there was nothing to compare with."""
    lists: Json = {"conventions": [], "verdicts": [], "numbers": []}
    return {
        "name": name,
        "title": found.implementation.title,
        "before": None,
        "after": side(found),
        "same_meaning": None,
        "compared": 0,
        **lists,
        **failing(found),
    }


def side(found: Evaluation) -> Json:
    """Return who was asked: name, exact versions and what is unusual."""
    return {
        "name": found.implementation.name,
        "versions": dict(found.versions),
        "python": found.environment.get("python"),
        "cells": len(found.cells),
        "judged": sum(cell.judgement is not None for cell in found.cells.values()),
        "caveats": list(found.caveats),
        "assumed": found.implementation.declared.assumed(found.versions),
    }


def failing(found: Evaluation) -> Json:
    """Return the cells nobody expected, and what was measured that nobody declared."""
    return {
        "failing": [cell_in_brief(cell) for cell in found.cells.values() if not cell.expected],
        "otherwise": [
            {"axis": each.axis, "sentence": finding_in_words(each)}
            for each in found.findings.surprises
        ],
        "unnamed": [
            {"scenario": each.question.scenario.name, "sentence": unnamed_in_words(each)}
            for _, each in found.findings.mysteries
        ],
    }


def cell_in_brief(cell: Cell) -> Json:
    """Return one verdict with its reason."""
    sentences = [cell.reason, *(each.sentence for each in cell.explanations)]
    name = cell.scenario.name
    return {"scenario": name, "verdict": cell.verdict, "reason": " ".join(sentences)}
