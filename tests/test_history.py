"""What is said of versions follows from the runs there are, and says nothing of any other."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import history, history_command, summaries
from harness.complaint import Complaint
from harness.declarations import CONTEXT
from harness.evaluation import Evaluation
from harness.history_command import history as command
from harness.history_rows import KEYS, open_questions, rows
from harness.matrix import Matrix
from harness.matrix_plan import planned
from harness.store import Run, Store
from reports.compatibility import validate
from suites.catalogue import SCENARIOS
from tests import little_world
from tests.test_matrix import Watching

AXIS = "running-variance-factor"
PATTERN = "running-variance"
ORDINARY = {
    "rank": 2,
    "fused": "absent",
    "updates_in_place": "absent",
    "zero_debias": "absent",
    "dtype": "float32",
    "input": "absent",
    "layout": "last",
    "execution": "eager",
    "device": "cpu",
}


def context(**changes):
    return {**ORDINARY, **changes}


def summary(*findings):
    """A summary in which this is known: (context, values left, status) each."""
    return {
        "contexts": [each for each, *_ in findings],
        "conventions": [
            {
                "axis": AXIS,
                "status": status,
                "values": list(values),
                "contexts": [place],
                "decided_by": ["training-output"],
            }
            for place, (_, values, status) in enumerate(findings)
        ],
    }


def shows(**by_context):
    """A version that shows one value in each context, named like rank_4 or fused_true."""
    return summary(
        *(
            (context(**parsed(name)), [value], "as declared")
            for name, value in by_context.items()
            if value is not None
        )
    )


def parsed(name):
    key, _, value = name.rpartition("_")
    return {key: int(value) if value.isdigit() else value}


def at(runs):
    return list(runs.items())


def found(runs):
    return [
        (row["when"], row["value"], row["runs"], row["changed_after"])
        for row in rows(AXIS, at(runs))
    ]


# Rows.


def test_a_value_that_never_changed_is_one_row():
    runs = {version: shows(rank_2="1", rank_4="1") for version in ("1.0", "1.4", "2.0")}
    (row,) = rows(AXIS, at(runs))
    assert row == {
        "when": [],
        "value": "1",
        "first": "1.0",
        "last": "2.0",
        "runs": ["1.0", "1.4", "2.0"],
        "changed_after": None,
        "decided_by": ["training-output"],
    }


def test_a_change_is_after_one_run_and_by_another():
    runs = {"1.0": shows(rank_2="1"), "1.4": shows(rank_2="1"), "1.7": shows(rank_2="n/(n-1)")}
    assert found(runs) == [
        ([], "1", ["1.0", "1.4"], None),
        ([], "n/(n-1)", ["1.7"], "1.4"),
    ]


def test_what_changed_and_changed_back_is_three_rows():
    runs = {"1": shows(rank_2="a"), "2": shows(rank_2="b"), "3": shows(rank_2="a")}
    assert found(runs) == [([], "a", ["1"], None), ([], "b", ["2"], "1"), ([], "a", ["3"], "2")]


def test_a_run_that_measured_nothing_is_not_spoken_of():
    runs = {"1": shows(rank_2="a"), "2": summary(), "3": shows(rank_2="a"), "4": shows(rank_2="b")}
    assert found(runs) == [([], "a", ["1", "3"], None), ([], "b", ["4"], "3")]


def test_only_what_makes_a_difference_is_named():
    runs = {
        "1": shows(rank_2="1", rank_3="1", rank_4="n/(n-1)"),
        "2": shows(rank_2="1", rank_3="1", rank_4="1"),
    }
    assert found(runs) == [
        ([{"rank": [2, 3]}], "1", ["1", "2"], None),
        ([{"rank": [4]}], "n/(n-1)", ["1"], None),
        ([{"rank": [4]}], "1", ["2"], "1"),
    ]


def test_where_one_condition_does_not_do_there_are_several():
    places = [(rank, fused) for rank in (2, 3, 4) for fused in ("absent", "false")]
    version = summary(
        *(
            (
                context(rank=rank, fused=fused),
                ["n/(n-1)" if rank != 3 and fused == "absent" else "1"],
                "as declared",
            )
            for rank, fused in places
        )
    )
    assert found({"1.15": version}) == [
        ([{"rank": [2, 4], "fused": ["absent"]}], "n/(n-1)", ["1.15"], None),
        ([{"fused": ["false"]}, {"rank": [3]}], "1", ["1.15"], None),
    ]


def test_a_row_names_the_scenarios_that_asked_where_it_holds():
    version = {
        "contexts": [context(), context(rank=4)],
        "conventions": [
            {
                "axis": AXIS,
                "status": "as declared",
                "values": [value],
                "contexts": [place],
                "decided_by": ["rank-4-training", "training-output", "no-longer-asked"],
            }
            for place, value in enumerate(["1", "n/(n-1)"])
        ],
    }
    told = [(row["value"], row["decided_by"]) for row in rows(AXIS, at({"1": version}))]
    assert told == [("1", ["training-output"]), ("n/(n-1)", ["rank-4-training"])]


def test_several_values_left_decide_nothing():
    version = summary(
        (context(), ["1"], "as declared"),
        (context(rank=4), ["1", "n/(n-1)"], "not told apart"),
        (context(rank=3), ["0", "2"], "otherwise"),
    )
    assert found({"1": version}) == [([], "1", ["1"], None)]


def test_runs_in_which_nothing_was_measured_say_why():
    runs = {
        "1": summary((context(), ["1", "n/(n-1)"], "not told apart")),
        "2": summary((context(), ["1"], "not reached")),
        "3": summary(),
        "4": shows(rank_2="1"),
        "5": summary((context(), ["1"], "in doubt")),
    }
    assert [
        (each["why"], each["values"], each["runs"]) for each in open_questions(AXIS, at(runs))
    ] == [
        ("not told apart", ["1", "n/(n-1)"], ["1"]),
        ("not reached", [], ["2"]),
        ("not applicable", [], ["3"]),
        ("in doubt", ["1"], ["5"]),
    ]


VALUES = st.sampled_from(["1", "n/(n-1)", None])
PLACES = [
    context(rank=rank, fused=fused, dtype=dtype)
    for rank in (2, 4)
    for fused in ("absent", "true", "false")
    for dtype in ("float16", "float32")
]


@given(st.lists(st.lists(VALUES, min_size=12, max_size=12), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_the_rows_say_all_that_was_measured_and_nothing_else(table):
    runs = {
        f"{number}.0": summary(
            *(
                (place, [value], "as declared")
                for place, value in zip(PLACES, shown, strict=True)
                if value is not None
            )
        )
        for number, shown in enumerate(table, 1)
    }
    told = rows(AXIS, at(runs))
    for version, shown in zip(runs, table, strict=True):
        for place, value in zip(PLACES, shown, strict=True):
            said = {
                row["value"] for row in told if version in row["runs"] and holds(row["when"], place)
            }
            assert value is None or said == {value}
    for row in told:
        for version in row["runs"]:
            shown = table[list(runs).index(version)]
            assert row["value"] in {
                value
                for place, value in zip(PLACES, shown, strict=True)
                if holds(row["when"], place)
            }


def holds(when, place):
    return not when or any(
        all(place[key] in values for key, values in condition.items()) for condition in when
    )


def test_every_part_of_a_context_can_be_told():
    assert set(KEYS) == set(CONTEXT) == set(ORDINARY)


# From real runs of a framework that changes.

VERSIONS = ("1.0", "1.1", "2.0", "3.0")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four releases of `tinynorm`, of which a matrix has measured three."""
    folder = tmp_path_factory.mktemp("world")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in VERSIONS:
        little_world.wheel(wheels, version)
    file = folder / "tiny.toml"
    file.write_text(
        '[[run]]\nimplementation = "tiny"\nversions = ["1.0", "1.1", "2.0", "7.0"]\n', "utf-8"
    )
    scenarios = [each for each in SCENARIOS if PATTERN in each.name]
    with pytest.MonkeyPatch.context() as patch, little_world.index(wheels) as address:
        little_world.settle(folder, patch, address)
        patch.setattr(history, "WORTH_PROCESSES", 99)  # Others have the registry they always had.
        matrix = Matrix(planned(file), scenarios, folder / "store.sqlite3", at_once=2)
        watching = Watching()
        matrix.run(watching)
        yield matrix, watching
    little_world.forget()


def told(*arguments):
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.stdout, done.stderr


def test_a_matrix_makes_its_environments_and_goes_on_without_one_that_cannot_be(world):
    matrix, watching = world
    outcomes = {name: outcome.state for name, outcome in matrix.outcomes.items()}
    assert outcomes == {
        "tiny@1.0": "measured",
        "tiny@1.1": "measured",
        "tiny@2.0": "measured",
        "tiny@7.0": "unavailable",
    }
    assert "The nearest are 1.1, 2.0, 3.0" in matrix.outcomes["tiny@7.0"].reason
    assert watching.of("missing") == [[4]]
    made = [text for _, text in watching.of("said") if text.startswith("Made the environment")]
    assert len(made) == 3
    assert matrix.outcomes["tiny@2.0"].versions == {"tinynorm": "2.0"}
    assert not matrix.outcomes["tiny@2.0"].as_expected


def test_the_history_of_a_convention_names_the_versions_run(world):
    out, err = told(AXIS)
    assert err == ""
    lines = [line for line in out.splitlines() if line.startswith("│")]
    assert "1.0 – 1.1 (run: 2 versions)" in lines[0]
    (changed,) = [line for line in lines if "n/(n-1)" in line]
    assert "after 1.1, by 2.0" in changed
    assert world


def test_the_history_is_data_of_the_committed_form(world, monkeypatch):
    monkeypatch.setattr(
        history, "of_run", lambda *_: pytest.fail("what the matrix judged is judged again")
    )
    document = json.loads(told(AXIS, "--json")[0])
    validate(document)
    (about,) = document["conventions"][AXIS].values()
    assert [(row["value"], row["first"], row["last"]) for row in about["measured"]] == [
        ("1", "1.0", "1.1"),
        ("n/(n-1)", "2.0", "2.0"),
    ]
    runs = document["implementations"]["tiny"]["runs"]
    assert [run["label"] for run in runs] == ["1.0", "1.1", "2.0"]
    assert runs[2]["otherwise"] == [AXIS]
    assert {each["verdict"] for each in runs[2]["unexpected"]} == {"differs"}
    assert runs[0]["as_of"] == "2026-05-05T00:00:00Z"
    assert runs[0]["asked"] == len(world[0].scenarios)


def test_the_whole_is_the_same_byte_for_byte_from_the_same_store(world, tmp_path):
    files = [tmp_path / "one.json", tmp_path / "deeper" / "other.json"]
    for file in files:
        told("--output", str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    for file in (world[0].store.parent / "cache" / "summaries").iterdir():
        file.unlink()
    told("--output", str(files[1]))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_was_judged_before_is_kept_until_the_source_changes(world, monkeypatch):
    judged = []
    monkeypatch.setattr(history, "of_run", judging(judged))
    told(AXIS)
    assert judged == []
    monkeypatch.setattr(summaries, "code_digest", lambda: "another")
    _, err = told(AXIS)
    assert len(judged) == 3
    assert err == "Judging 3 stored runs anew.\n"
    told(AXIS)
    assert len(judged) == 3
    assert world


def judging(judged):
    original = history.of_run

    def of_run(store, run, scenarios) -> Evaluation:
        judged.append(run)
        return original(store, run, scenarios)

    return of_run


def test_a_run_that_was_asked_less_does_not_hide_one_that_was_asked_more(world):
    with Store() as store:
        before = list(history.newest_runs(store))
        less = store.begin(Run("tiny", {"tinynorm": "2.0"}))
        (cell, *_) = store.cells(before[2].id)
        store.note(less, cell.scenario, key=cell.key)
        store.finish(less)
        assert list(history.newest_runs(store)) == before
        again = store.begin(Run("tiny", {"tinynorm": "2.0"}))
        for cell in store.cells(before[2].id):
            store.note(again, cell.scenario, key=cell.key, verdict=cell.verdict)
        assert list(history.newest_runs(store)) == before, "it is not finished"
        store.finish(again)
        assert [run.id for run in history.newest_runs(store)][2] == again
    assert world


def test_versions_are_in_their_order_and_told_in_full_where_one_is_there_twice(tmp_path, world):
    assert world
    with Store(tmp_path / "store.sqlite3") as store:
        for versions in (
            {"tinynorm": "1.10"},
            {"tinynorm": "1.9", "other": "2.0"},
            {"tinynorm": "1.9", "other": "1.0"},
        ):
            number = store.begin(Run("tiny", versions))
            store.note(number, SCENARIOS[0].name, verdict="crashed", reason="It died.")
            store.finish(number)
        runs = list(history.newest_runs(store))
    found = history.History([(run, {}) for run in runs])
    labels = [label for label, *_ in history.labelled("tiny", found)]
    assert labels == ["1.9 (other 1.0)", "1.9 (other 2.0)", "1.10"]


def test_a_run_of_which_nothing_can_be_judged_is_left_out_with_a_sentence(tmp_path, world):
    assert world
    with Store(tmp_path / "store.sqlite3") as store:
        number = store.begin(Run("tiny", {"tinynorm": "1.0"}))
        store.note(number, SCENARIOS[0].name, verdict="crashed", reason="It died.")
        store.finish(number)
        found = history.history(store, lambda _: None)
    assert found.runs == []
    assert "Of tiny@1.0 nothing is stored that answers today's scenarios." in found.left_out[0]


# Without a store, and misuse.


@pytest.fixture
def nothing_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("BNCONFORM_STORE", str(tmp_path / "none.sqlite3"))
    return tmp_path


@pytest.mark.usefixtures("nothing_stored")
def test_without_a_store_the_published_file_is_shown_and_that_is_said():
    out, err = told(AXIS)
    assert "torch" in out
    assert "`bnconform matrix matrices/versions.toml` measures and stores them" in err
    assert "This is what reports/compatibility.json says." in err
    assert told(AXIS, "--published") == (out, "")


def test_without_either_that_is_the_complaint(nothing_stored, monkeypatch):
    monkeypatch.setattr(history_command, "COMMITTED", nothing_stored / "none.json")
    with pytest.raises(
        Complaint, match=r"No finished run is stored in .*none\.sqlite3; `bnconform"
    ):
        told(AXIS)
    assert not (nothing_stored / "none.sqlite3").exists()


def test_an_unknown_convention_is_answered_with_the_nearest():
    with pytest.raises(Complaint, match=r"no convention called 'momentum-sens'.*'momentum-sense'"):
        told("momentum-sens")


def test_no_convention_is_a_misuse():
    with pytest.raises(Complaint, match="Name a convention, or write --all"):
        told()


@pytest.mark.usefixtures("nothing_stored")
def test_all_conventions_can_be_shown_at_once():
    out, _ = told("--all")
    assert out.count("implementation ") == len(history_command.REGISTRY)
