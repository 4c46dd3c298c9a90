"""The specification, the registry of conventions and the scenarios speak of the same things."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

import reference
from reference.conventions import REGISTRY
from suites.catalogue import SCENARIOS, SUITES

TEXT = (Path(reference.__file__).parent / "SPEC.md").read_text(encoding="utf-8")
PARAGRAPHS = [part for part in TEXT.strip().split("\n\n") if part.startswith("**BN-")]
CLAUSES = {re.match(r"\*\*(BN-\d+\.\d+)\*\* ", part).group(1): part for part in PARAGRAPHS}
NOT_ASKED_YET = "\nNot asked yet: "
UNASKED = {clause for clause, text in CLAUSES.items() if NOT_ASKED_YET in text}
CITED = {clause for scenario in SCENARIOS for clause in scenario.clauses}
SLUG = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
HTTPS = re.compile(r"https://[\w.-]+\.[a-z]+/\S*")

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
every_clause = pytest.mark.parametrize("clause", sorted(CLAUSES))


def axes_of(clause):
    """Return the axes a clause names after `Convention:`; the list may run over several lines."""
    _, _, named = clause.partition(NOT_ASKED_YET)[0].partition("\nConvention: ")
    return re.split(r",\s+", named) if named else []


def test_every_clause_cited_by_a_scenario_exists():
    assert CITED - set(CLAUSES) == set()


def test_every_clause_has_a_scenario_or_says_why_not_yet():
    assert set(CLAUSES) - CITED - UNASKED == set()


def test_no_clause_that_is_asked_says_why_it_is_not():
    assert set() == UNASKED & CITED


@pytest.mark.parametrize("clause", sorted(UNASKED))
def test_reason_for_not_asking_yet_is_a_sentence(clause):
    _, _, reason = CLAUSES[clause].partition(NOT_ASKED_YET)
    assert re.fullmatch(r"[a-z][^.]+\.", reason.replace("\n", " ").strip())


@every_scenario
def test_every_scenario_rests_on_a_clause(scenario):
    assert scenario.clauses


def test_no_clause_has_two_statements_under_one_number():
    assert len(CLAUSES) == len(PARAGRAPHS)


@every_clause
def test_clause_says_must_or_may_and_names_a_source(clause):
    statement, _, source = CLAUSES[clause].partition("\nSource: ")
    assert re.search(r"\b(MUST|MAY)\b", statement)
    assert source


@every_clause
def test_every_axis_a_clause_names_is_in_the_registry(clause):
    assert set(axes_of(CLAUSES[clause])) - set(REGISTRY) == set()


def test_every_axis_of_the_registry_is_named_in_a_clause():
    named = {axis for clause in CLAUSES.values() for axis in axes_of(clause)}
    assert set(REGISTRY) - named == set()


@every_scenario
def test_every_axis_a_scenario_settles_is_in_the_registry(scenario):
    assert scenario.settles
    assert set(scenario.settles) - set(REGISTRY) == set()


def test_scenario_names_are_unique():
    repeated = [n for n, times in Counter(s.name for s in SCENARIOS).items() if times > 1]
    assert repeated == []


@every_scenario
def test_scenario_name_reads_like_an_address(scenario):
    assert SLUG.fullmatch(scenario.name)


@pytest.mark.parametrize("suite", SUITES)
def test_suite_is_called_like_the_module_its_scenarios_are_in(suite):
    module = importlib.import_module(f"suites.{suite.replace('-', '_')}")
    assert tuple(s for s in SCENARIOS if s.suite == suite) == module.SCENARIOS


@every_scenario
def test_every_scenario_rests_on_public_sources(scenario):
    assert scenario.sources
    assert [source for source in scenario.sources if not HTTPS.fullmatch(source)] == []
