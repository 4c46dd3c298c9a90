"""The environments that were made are listed, and removed when the user says so."""

from __future__ import annotations

import json
import os
import time

import pytest
from filelock import FileLock

from harness import command_line
from harness.stock import stocked


@pytest.fixture
def stock(tmp_path, monkeypatch):
    """Two environments, of which one has not been used for long, and a killed installation."""
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path))
    root = tmp_path / "environments"
    for name, record in {
        "torch-1.4.0-0123": {"python": "3.8.18", "as_of": "2020-01-16T00:00:00Z", "bytes": 7e6},
        "keras-3.3.3-4567": {"python": "3.11.7", "bytes": 10_000_000},
        ".torch-1.0.0-89.partial-x": {},
    }.items():
        (root / name / "bin").mkdir(parents=True)
        (root / name / "bonus").write_bytes(b"x" * 1000)
        (root / name / "bnconform.json").write_text(json.dumps(record), "utf-8")
    old = time.time() - 40 * 86400
    os.utime(root / "torch-1.4.0-0123", (old, old))
    return root


def bnconform(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        command_line.main(["environments", *arguments])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def names(root):
    return sorted(path.name for path in root.iterdir() if path.is_dir())


@pytest.mark.usefixtures("stock")
def test_environments_are_listed_with_what_they_take(capsys):
    code, out, _ = bnconform(capsys, "list")
    assert code == 0
    assert "keras-3.3.3-4567" in out
    assert "10 MB" in out
    assert "2020-01-16" in out
    assert "partial" not in out
    assert "2 environments in " in out


@pytest.mark.usefixtures("stock")
def test_the_list_is_json_too(capsys):
    _, out, _ = bnconform(capsys, "list", "--json")
    assert [each["name"] for each in json.loads(out)] == ["keras-3.3.3-4567", "torch-1.4.0-0123"]


def test_a_size_nobody_remembers_is_measured(stock):
    for name in names(stock):
        (stock / name / "bnconform.json").write_text("not JSON", "utf-8")
    assert {each.size for each in stocked()} == {1000 + len("not JSON")}


def test_what_was_not_used_for_a_month_is_removed_and_what_was_killed(stock, capsys):
    code, out, _ = bnconform(capsys, "prune")
    assert code == 0
    assert names(stock) == ["keras-3.3.3-4567"]
    assert out.startswith("Removed torch-1.4.0-0123.\n")
    assert "Nothing to remove" in bnconform(capsys, "prune")[1]


def test_one_is_removed_by_name(stock, capsys):
    bnconform(capsys, "prune", "keras-3.3.3-4567")
    assert names(stock) == ["torch-1.4.0-0123"]


def test_all_are_removed(stock, capsys):
    bnconform(capsys, "prune", "--all")
    assert names(stock) == []


def test_an_unknown_name_removes_nothing_and_is_told_with_the_nearest(stock, capsys):
    before = names(stock)
    code, _, err = bnconform(capsys, "prune", "keras-3.3.3-4568")
    assert code == 2
    assert "Did you mean 'keras-3.3.3-4567'?" in err
    assert names(stock) == before


def test_one_that_is_just_being_made_is_left_alone(stock, capsys):
    with FileLock(stock / "keras-3.3.3-4567.lock"):
        code, _, err = bnconform(capsys, "prune", "keras-3.3.3-4567")
    assert code == 2
    assert "keras-3.3.3-4567 is just being made." in err
    assert "keras-3.3.3-4567" in names(stock)


def test_an_installation_that_is_running_is_not_swept_away(stock, capsys):
    with FileLock(stock / "installing.lock"):
        bnconform(capsys, "prune")
    assert ".torch-1.0.0-89.partial-x" in names(stock)


def test_nothing_to_list_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path / "nowhere"))
    assert bnconform(capsys, "list")[0] == 0
    assert bnconform(capsys, "prune")[0] == 0
