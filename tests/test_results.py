"""The results file is strict about what goes in, and whole or untouched on disk."""

from __future__ import annotations

import json
import resource
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from reference.axis import Kind
from reports.results import ReportError, read_results, validate, write_results
from reports.schemas import validator
from reports.verdicts import VERDICTS
from tests.sample_results import older_results, sample_results


def complaint(results):
    with pytest.raises(ValueError, match=r"^The results are wrong at .*\.$") as caught:
        validate(results)
    return str(caught.value)


def test_a_true_document_is_accepted():
    validate(sample_results())


def test_a_document_from_before_conventions_were_measured_is_accepted():
    validate(older_results())


def test_the_sample_has_every_standing_of_a_convention():
    definition = validator("results.schema.json").schema["$defs"]["identified"]["properties"][
        "conventions"
    ]
    found = sample_results()["identified"]
    present = {each["status"] for part in found for each in part["conventions"]}
    assert present == set(definition["items"]["properties"]["status"]["enum"])


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(validator("results.schema.json").schema)


def test_the_schema_knows_every_kind_of_convention_and_every_verdict():
    definitions = validator("results.schema.json").schema["$defs"]
    assert definitions["convention"]["properties"]["kind"]["enum"] == list(get_args(Kind))
    assert definitions["verdict"]["enum"] == list(VERDICTS)


def test_nothing_at_all_is_refused():
    assert "the top level" in complaint([])


@pytest.mark.parametrize("part", sorted(older_results()))
def test_a_missing_part_is_named(part):
    results = sample_results()
    del results[part]
    assert repr(part) in complaint(results)


def test_an_unknown_part_is_named():
    results = {**sample_results(), "extra": 1}
    assert "'extra'" in complaint(results)


def test_an_unknown_verdict_is_placed():
    results = sample_results()
    results["cells"][3]["verdict"] = "passes"
    sentence = complaint(results)
    assert "cells[3].verdict" in sentence
    assert "'passes'" in sentence


def test_an_unknown_field_deep_inside_is_placed():
    results = sample_results()
    results["cells"][1]["steps"][0]["checks"][0]["rtol"] = 1e-5
    assert "cells[1].steps[0].checks[0]: " in complaint(results)


def test_a_value_that_is_no_number_is_placed():
    results = sample_results()
    results["cells"][1]["steps"][0]["checks"][0]["observed"][2] = "nan"
    assert "cells[1].steps[0].checks[0].observed[2]: 'nan'" in complaint(results)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_strict_json_lacks_is_placed(value):
    results = sample_results()
    results["cells"][1]["steps"][0]["checks"][0]["error"] = value
    sentence = complaint(results)
    assert "cells[1].steps[0].checks[0].error" in sentence
    assert "write it as a string" in sentence


def test_more_values_than_a_page_needs_are_refused():
    results = sample_results()
    results["cells"][1]["steps"][0]["checks"][0]["expected"] = [0.0] * 65
    sentence = complaint(results)
    assert "too long" in sentence
    assert len(sentence) < 500


def test_a_source_that_is_no_web_address_is_placed():
    results = sample_results()
    results["scenarios"][0]["sources"] = ["javascript:alert(1)"]
    assert "scenarios[0].sources[0]" in complaint(results)


def test_a_circumstance_outside_the_vocabulary_is_refused():
    results = sample_results()
    results["implementations"][0]["conventions"][0]["when"] = {"scenario": "x"}
    assert "'scenario' is not one of" in complaint(results)


@pytest.mark.parametrize(
    ("place", "key", "kind"),
    [
        (("cells", 0), "implementation", "implementation"),
        (("cells", 0), "scenario", "scenario"),
        (("scenarios", 0, "settles"), 0, "convention"),
        (("implementations", 0, "conventions", 0), "axis", "convention"),
        (("agreement", 0, "groups", 0), 1, "implementation"),
        (("agreement", 0, "separated_by", 0, "axes"), 0, "convention"),
        (("pairs", 0, "same"), 0, "scenario"),
        (("pairs", 0, "translated", 0), "scenario", "scenario"),
        (("identified", 0), "implementation", "implementation"),
        (("identified", 0, "conventions", 0), "axis", "convention"),
        (("identified", 0, "conventions", 0, "decided_by"), 0, "scenario"),
        (("identified", 1, "conventions", 4, "contradicted_by"), 0, "scenario"),
        (("identified", 0, "unnamed", 0), "scenario", "scenario"),
        (("identified", 0, "unnamed", 0, "closest"), "nobody", "convention"),
        (("identified", 0, "unnamed", 0, "instead", 0), "axis", "convention"),
    ],
)
def test_a_name_that_refers_to_nothing_is_placed(place, key, kind):
    results = sample_results()
    entry = results
    for part in place:
        entry = entry[part]
    entry[key] = "nobody"
    sentence = complaint(results)
    assert f"there is no {kind} called 'nobody'" in sentence
    assert f"at {place[0]}[{place[1]}]" in sentence


def test_a_second_answer_to_the_same_question_is_refused():
    results = sample_results()
    results["cells"].append(results["cells"][0])
    assert "occurs twice" in complaint(results)


def test_an_implementation_identified_twice_is_refused():
    results = sample_results()
    results["identified"].append(results["identified"][0])
    assert "identified[3]: 'keras-tensorflow' occurs twice" in complaint(results)


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "results.json"
    write_results(sample_results(), path)
    assert read_results(path) == sample_results()


def test_wrong_results_leave_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="wrong at"):
        write_results({**sample_results(), "cells": None}, path)
    assert path.read_text() == "old"


def test_a_full_disk_leaves_the_old_file_and_no_part_of_the_new(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ReportError, match=r"Could not write .*results\.json: File too large"):
            write_results(sample_results(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_path_is_a_clear_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"Could not write .*: (Not a directory|File exists)"):
        write_results(sample_results(), tmp_path / "file" / "results.json")


def test_a_folder_in_the_place_of_the_file_is_a_clear_sentence(tmp_path):
    with pytest.raises(ReportError, match=r"Could not write .*: Is a directory"):
        write_results(sample_results(), tmp_path)


def test_a_missing_file_is_a_clear_sentence(tmp_path):
    with pytest.raises(ReportError, match=r"There is no results file at .* writes one"):
        read_results(tmp_path / "results.json")


def test_a_folder_is_not_a_results_file(tmp_path):
    with pytest.raises(ReportError, match="Could not read"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"schema": 1, "sui', "is not JSON"),
        ('{"schema": 1, "seconds": NaN}', "NaN is not strict JSON"),
        ("[1]", "the top level"),
        ("{}", "the top level: .* is a required property"),
        ('{"schema": 2}', "schema version 2; this bnconform reads version 1"),
        ('{"schema": "1"}', "schema version '1'"),
    ],
)
def test_a_file_that_holds_no_results_is_a_clear_sentence(tmp_path, text, sentence):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=sentence):
        read_results(path)


def test_bytes_that_are_no_text_are_a_clear_sentence(tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ReportError, match="not UTF-8"):
        read_results(path)


def test_the_file_is_strict_json_and_the_same_each_time(tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    write_results(sample_results(), first)
    write_results(sample_results(), second)
    assert first.read_bytes() == second.read_bytes()
    json.loads(first.read_text(), parse_constant=pytest.fail)
