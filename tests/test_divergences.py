"""What was reported in public is what was measured, and the page says so."""

from __future__ import annotations

import pytest

from reference.conventions import REGISTRY
from reports.compatibility import read_compatibility
from reports.divergences import main, page, reported, unconfirmed
from suites.catalogue import scenario_named

DOCUMENT = read_compatibility()
DIVERGENCES = reported()
PAGE = "docs/divergences.md"


@pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda each: each["title"])
def test_every_divergence_was_measured(divergence):
    assert list(unconfirmed(divergence, DOCUMENT)) == []


@pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda each: each["title"])
def test_every_divergence_is_said_of_something(divergence):
    assert divergence["links"]
    assert divergence["seen"]
    for seen in divergence["seen"]:
        assert seen.get("axis") in REGISTRY or scenario_named(seen["scenario"])
    assert all(seen["versions"] for seen in divergence["seen"])


def test_what_was_not_measured_is_not_confirmed():
    seen = {**DIVERGENCES[0]["seen"][0], "value": "no such value"}
    assert list(unconfirmed({"title": "Something else", "seen": [seen]}, DOCUMENT))


def test_page_is_what_would_be_written(request):
    text = (request.config.rootpath / PAGE).read_text(encoding="utf-8")
    assert text == page(DIVERGENCES, DOCUMENT), f"run `python -m reports.divergences {PAGE}`"


def test_wrong_arguments_are_one_sentence(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Say where to write the page")
