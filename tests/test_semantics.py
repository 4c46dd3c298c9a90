"""The page docs/semantics.md says what the registry says, and what is measured here and now."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.document import document
from harness.implementations import registered
from harness.session import Session
from reference.conventions import AXES, REGISTRY
from reports.semantics import anchor, main, measured, page
from suites.catalogue import SCENARIOS

DOCS = Path(__file__).parents[1] / "docs"
RECORD = json.loads((DOCS / "measured.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "semantics.md").read_text(encoding="utf-8")
RECORDED = {each["name"]: each for each in RECORD["implementations"]}
MAY_CHANGE = [name for name in RECORDED if registered()[name].environment == "this"]
"""The others are pinned to one version for good; `make semantics` measures them, too."""


def asked(name):
    """Return a results document of an implementation, asked everything."""
    session = Session([registered()[name]], SCENARIOS, demanded=True)
    session.run(lambda *_: None)
    return document(session, datetime.now(UTC), complete=True)


def test_page_is_what_its_record_makes():
    assert page(RECORD) == PAGE, "run `make semantics`"


def test_page_has_every_convention_as_the_registry_has_it():
    texts = {each["id"]: each for each in RECORD["conventions"]}
    assert list(texts) == list(REGISTRY), "run `make semantics`"
    for axis in AXES:
        for part in ("question", "meaning", "consequence", "translation", "paper"):
            assert texts[axis.id][part] == getattr(axis, part), "run `make semantics`"


def test_every_link_to_a_question_leads_to_its_heading():
    headings = {anchor(heading) for heading in re.findall(r"^### (.*)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) == headings


def test_questions_are_told_apart():
    assert len({anchor(axis.question) for axis in AXES}) == len(AXES)


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_page_says_what_is_measured_now(name):
    if obstacle := registered()[name].obstacle():
        pytest.skip(obstacle)
    (now,) = measured(asked(name))["implementations"]
    if now["versions"] != RECORDED[name]["versions"]:
        pytest.skip(f"Recorded at {RECORDED[name]['versions']}, here is {now['versions']}.")
    assert now == RECORDED[name], "run `make semantics`"


def test_wrong_arguments_and_files_are_one_sentence(tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path / "none.json"), str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("Say which results and which folder")
