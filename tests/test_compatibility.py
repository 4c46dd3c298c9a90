"""The committed compatibility data are of their form, complete, and what is measured today."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest

from harness import history
from harness.implementations import public, registered
from harness.matrix_plan import planned
from harness.session import Session
from harness.store import Run, Store
from harness.summaries import summary_of
from harness.trace_key import once
from reference.conventions import REGISTRY
from reports.compatibility import (
    COMMITTED,
    SCHEMA_VERSION,
    as_text,
    read_compatibility,
    validate,
    write_compatibility,
)
from reports.results import ReportError
from suites.catalogue import SCENARIOS
from tests.asking import said
from tests.fakes.fault import CLEAN

ROOT = Path(__file__).parents[1]
HOW = "Make it again: bnconform matrix matrices/versions.toml, then bnconform history --output it."


@pytest.fixture(scope="module")
def committed():
    return read_compatibility()


# The committed file.


def test_it_is_written_as_it_would_be_written_today(committed):
    assert COMMITTED.read_text("utf-8") == as_text(committed)
    assert committed["schema"] == SCHEMA_VERSION


def test_it_speaks_of_every_convention_and_of_no_other(committed):
    assert list(committed["conventions"]) == list(REGISTRY), HOW


def test_every_value_is_one_that_its_convention_has(committed):
    for axis, by_name in committed["conventions"].items():
        for about in by_name.values():
            said = [row["value"] for row in about["measured"]]
            said += [value for row in about["open"] for value in row["values"]]
            if REGISTRY[axis].kind != "number":
                assert set(said) <= set(REGISTRY[axis].values), axis
            else:
                words = {each for each in said if isinstance(each, str)}
                assert words <= {"Infinity", *REGISTRY[axis].values}, axis


def test_every_implementation_is_one_there_is(committed):
    for name, about in committed["implementations"].items():
        assert name in registered()
        assert about["package"] == registered()[name].principal


def test_every_scenario_is_one_there_is(committed):
    names = {scenario.name for scenario in SCENARIOS}
    rows = [
        row
        for by_name in committed["conventions"].values()
        for about in by_name.values()
        for row in about["measured"]
    ]
    assert {name for row in rows for name in row["decided_by"]} <= names


def test_every_version_of_the_committed_matrix_was_run_and_asked_everything(committed):
    there = [
        (name, {**run["versions"]}, run["asked"])
        for name, about in committed["implementations"].items()
        for run in about["runs"]
    ]
    for each in planned(ROOT / "matrices" / "versions.toml"):
        wanted = {
            package: public(version)
            for package, version in (each.asked or {each.principal: version_of(each)}).items()
        }
        asked = [
            count
            for name, versions, count in there
            if name == each.entry and wanted.items() <= versions.items()
        ]
        assert set(asked) == {len(SCENARIOS)}, f"{each.name}: {HOW}"


def version_of(implementation):
    return implementation.versions[implementation.principal]


def test_nothing_in_it_is_unexpected(committed):
    assert [
        (name, run["label"], run["unexpected"], run["otherwise"], run["unnamed"])
        for name, about in committed["implementations"].items()
        for run in about["runs"]
        if run["unexpected"] or run["otherwise"] or run["unnamed"]
    ] == []


SOME_SUITES = {"forward", "momentum", "modes", "hyperparameters"}


def test_the_version_in_use_still_does_what_it_says(committed):
    asked = [each for each in SCENARIOS if each.suite in SOME_SUITES]
    session = Session([registered()["torch"]], asked, demanded=True)
    session.run(lambda *_: None)
    (torch,) = session.implementations
    label = public(torch.versions["torch"])
    today = summary_of(session.cells.values(), session.findings["torch"])
    run = Run("torch", torch.versions, session.environments["torch"])
    measured = history.document(history.History([(run, today)]))
    found = {axis: shown(label, measured, axis) for axis in REGISTRY}
    assert sum(map(bool, found.values())) > len(REGISTRY) / 4
    for axis, values in found.items():
        assert values <= shown(label, committed, axis), f"{axis}: {HOW}"


def shown(label, document, axis):
    """The values that a document says torch showed at a version."""
    about = document["conventions"].get(axis, {"torch": {"measured": []}})["torch"]
    return {row["value"] for row in about["measured"] if label in row["runs"]}


# Made from many runs.


def test_many_runs_are_judged_in_several_processes_with_the_same_result(tmp_path, monkeypatch):
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path / "cache"))
    scenarios = [each for each in SCENARIOS if "rank-" in each.name and each.repeats == 1]
    with Store(tmp_path / "store.sqlite3") as store:
        for version in ("1.0", "1.1", "2.0"):
            number = store.begin(Run("torch", {"torch": version}))
            for scenario in scenarios:
                key = once(scenario)
                store.keep(key, scenario.name, json.loads(said(CLEAN["switch"], scenario)))
                store.note(number, scenario.name, key=key)
            store.finish(number)
        together = history.history(store, lambda _: None, at_once=2)
        shutil.rmtree(tmp_path / "cache")
        monkeypatch.setattr(history, "WORTH_PROCESSES", 99)
        alone = history.history(store, lambda _: None)
    assert together == alone
    assert len(together.runs) == 3
    assert all(found["judged"] for _, found in together.runs)


# The form.


def spoiled(committed, change):
    document = copy.deepcopy(committed)
    change(document)
    return document


def torch(document):
    return document["implementations"]["torch"]["runs"]


def row(document):
    return document["conventions"]["momentum-sense"]["torch"]["measured"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.pop("suite"), "the whole: 'suite' is a required property"),
        (lambda found: found.update(schema=2), "schema: 1 was expected"),
        (lambda found: found.update(more=1), "the whole: Additional properties"),
        (lambda found: torch(found)[0].pop("python"), "implementations/torch/runs/0: 'python'"),
        (lambda found: torch(found).append(torch(found)[0]), "torch: a version occurs twice"),
        (lambda found: row(found)["runs"].append("9.9"), "names a version that was not run"),
        (lambda found: row(found)["runs"].reverse(), "its versions are not in their order"),
        (lambda found: row(found).update(first=row(found)["last"]), "its first or last version is"),
        (lambda found: row(found).update(changed_after="2.15.0"), "that was not run before"),
        (lambda found: row(found).update(value=None), "momentum-sense/torch/measured/0/value"),
        (
            lambda found: found["conventions"]["momentum-sense"].pop("torch"),
            "conventions/momentum-sense: it does not speak of the implementations",
        ),
    ],
)
def test_what_is_not_of_the_form_is_told_with_its_place(committed, change, said):
    with pytest.raises(ValueError, match="The compatibility data are wrong at ") as error:
        validate(spoiled(committed, change))
    assert said in str(error.value)


def test_nothing_wrong_is_written(committed, tmp_path):
    file = tmp_path / "compatibility.json"
    with pytest.raises(ValueError, match="wrong at schema"):
        write_compatibility(spoiled(committed, lambda found: found.update(schema=2)), file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not compatibility data of bnconform"),
        ("[]", "is not compatibility data of bnconform"),
        (json.dumps({"schema": 99}), "has schema version 99; this bnconform reads 1"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, said):
    file = tmp_path / "compatibility.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ReportError, match="compatibility") as error:
        read_compatibility(file)
    assert said in str(error.value)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(ReportError, match=r"Could not read .*: No such file"):
        read_compatibility(tmp_path / "none.json")
