"""A release is checked from its name on an index to a sentence about what it changed."""

from __future__ import annotations

import json

import pytest

from harness import command_line
from harness.check import Check, compared_with, release_asked, resting_on
from harness.complaint import Complaint
from harness.session import Session
from harness.store import Store
from suites.catalogue import SCENARIOS
from tests import little_world
from tests.identifying import remembering


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory):
    """An index with the releases of `tinynorm`, and nothing stored."""
    folder = tmp_path_factory.mktemp("world")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in little_world.RELEASES:
        little_world.wheel(wheels, version)
    with (
        pytest.MonkeyPatch.context() as patch,
        little_world.index(wheels) as address,
        remembering(),
    ):
        little_world.settle(folder, patch, address)
        yield folder
    little_world.forget()


def bnconform(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        command_line.main(list(arguments))
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_a_release_that_changed_nothing_means_the_same(capsys):
    code, out, err = bnconform(capsys, "check", "tinynorm==1.1", "--against", "tinynorm==1.0")
    assert "tinynorm==1.1 against tinynorm==1.0: the same meaning: tiny." in out, err
    assert f"The same meaning in all {len(SCENARIOS)} scenarios." in out
    assert code == 0


def test_a_release_that_changed_a_convention_is_told_with_it(capsys):
    code, out, _ = bnconform(capsys, "check", "tinynorm==2.0", "--against", "tinynorm==1.1")
    assert code == 1
    assert "not the same meaning of BatchNorm: tiny" in out
    (line,) = [
        line for line in out.splitlines() if line.startswith("    running-variance-factor: ")
    ][:1]
    assert "‘1’ → ‘n/(n-1)’" in line
    assert "Verdicts that changed" in out


def test_what_changed_is_json_too(capsys):
    arguments = ("check", "tinynorm==2.0", "--against", "tinynorm==1.1", "--json")
    code, out, _ = bnconform(capsys, *arguments)
    (found,) = json.loads(out)["implementations"]
    assert code == 1
    assert found["same_meaning"] is False
    assert {each["axis"] for each in found["conventions"]} == {"running-variance-factor"}
    values = [(each["before"], each["after"]) for each in found["conventions"]]
    assert (["1"], ["n/(n-1)"]) in values
    assert found["before"]["versions"] == {"tinynorm": "1.1"}
    changed = {each["scenario"] for each in found["verdicts"]}
    assert changed == {each["scenario"] for each in found["failing"]}
    # In float16 and bfloat16 the two bounds together may be wider than the change.
    clear = {name for name in changed if "float16" not in name}
    assert clear
    assert clear <= {each["scenario"] for each in found["numbers"]}


def test_what_can_no_longer_be_said_is_a_change_and_what_newly_can_is_none(capsys):
    arguments = ("--json", "--against")
    _, out, _ = bnconform(capsys, "check", "tinynorm==3.0", *arguments, "tinynorm==2.0")
    (found,) = json.loads(out)["implementations"]
    kinds = {each["kind"] for each in found["verdicts"]}
    assert kinds == {"no longer expressible"}
    _, out, _ = bnconform(capsys, "check", "tinynorm==2.0", *arguments, "tinynorm==3.0")
    (found,) = json.loads(out)["implementations"]
    assert {each["kind"] for each in found["verdicts"]} == {"newly expressible"}


def test_what_changed_is_markdown_and_a_page(capsys, tmp_path):
    page = tmp_path / "page.html"
    arguments = ("check", "tinynorm==2.0", "--against", "tinynorm==1.1", "--markdown")
    _, out, _ = bnconform(capsys, *arguments, "--html", str(page))
    assert out.startswith("## BatchNorm: tinynorm==2.0 against tinynorm==1.1\n")
    assert "### ❌ tiny" in out
    assert "- `running-variance-factor`:" in out
    assert "running-variance-factor" in page.read_text("utf-8")


def test_the_newest_release_is_meant_without_a_version():
    assert str(release_asked("tinynorm")) == "tinynorm==3.0"


def test_without_a_version_in_use_the_newest_stored_is_compared_with(world, capsys):
    bnconform(capsys, "run", "tiny@1.0", "--output", str(world / "report"))
    release = release_asked("tinynorm==1.1")
    with Store() as store:
        (after,) = resting_on(release)
        before = compared_with(after, release, None, store)
    assert before.versions["tinynorm"] != "1.1"
    assert before.id


def test_with_nothing_stored_the_release_before_is_compared_with():
    release = release_asked("tinynorm==2.0")
    (after,) = resting_on(release)
    assert compared_with(after, release, None, None).asked == {"tinynorm": "1.1"}


def test_the_second_check_asks_and_judges_nothing(capsys, monkeypatch):
    arguments = ("check", "tinynorm==1.1", "--against", "tinynorm==1.0", "--json")
    first = bnconform(capsys, *arguments)
    monkeypatch.setattr(Session, "run", lambda *_: pytest.fail("somebody is asked"))
    monkeypatch.setattr(Check, "compare", lambda *_: pytest.fail("something is judged"))
    assert bnconform(capsys, *arguments)[:2] == first[:2]


def test_stored_runs_are_compared_without_asking_anybody(capsys, monkeypatch):
    bnconform(capsys, "check", "tinynorm==2.0", "--against", "tinynorm==1.1")
    monkeypatch.setattr(Session, "run", lambda *_: pytest.fail("somebody is asked"))
    code, out, _ = bnconform(capsys, "diff", "tiny@1.1", "tiny@2.0", "--json")
    (found,) = json.loads(out)["implementations"]
    assert {each["axis"] for each in found["conventions"]} == {"running-variance-factor"}
    assert code == 1
    assert bnconform(capsys, "diff", "tiny@1.1", "tiny@1.1")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("check", "tinynorm==1.7"), "has no tinynorm 1.7. The nearest are 1.0, 1.1, 2.0, 3.0"),
        (("check", "tinynrom==1.1"), "no package that is checked called 'tinynrom'. Did you mean"),
        (("check", "tinynorm>1"), "'tinynorm>1' names no exact version. Write it like tinynorm=="),
        (("check", "=="), "'==' is not a release. Write it like torch==2.15.0."),
        (("check", "tinynorm==1.0", "tyni"), "no implementation called 'tyni'. Did you mean 'tiny"),
        (("diff", "tiny@7", "tiny@1.0"), "Of tiny@7 no finished run is stored. "),
        (("diff", "tinny@7", "tiny@1.0"), "There is no implementation called 'tinny'."),
        (("run", "tiny@0.9"), "tiny can be asked at tinynorm>=1, not at 0.9."),
        (("run", "tiny@one"), "'one' is not a version. Write it like torch@1.4.0."),
        (("run", "tiny@numpy==1"), "tiny does not rest on numpy; it rests on tinynorm."),
    ],
)
def test_what_cannot_be_checked_is_told_in_a_sentence(capsys, arguments, sentence):
    code, _, err = bnconform(capsys, *arguments)
    assert sentence in err
    assert err.count("\n") == 1
    assert code == 2


def test_a_release_that_cannot_be_installed_is_not_checked(world, capsys, monkeypatch):
    wheels = world / "wheels"
    little_world.wheel(wheels, "1.5", requires=["no-such-package-anywhere-0123"])
    monkeypatch.setitem(little_world.RELEASES, "1.5", "2026-06-14T05:06:07Z")
    little_world.forget()
    code, out, _ = bnconform(capsys, "check", "tinynorm==1.5", "--against", "tinynorm==1.0")
    assert code == 2
    assert "tinynorm==1.5 against tinynorm==1.0: could not be checked: tiny." in out
    assert "no-such-package-anywhere-0123" in out


def test_a_release_no_adapter_can_drive_is_told():
    with pytest.raises(Complaint, match=r"No adapter can drive tinynorm==0\.5\. What can be asked"):
        resting_on(release_asked("tinynorm==1.0").__class__("tinynorm", "0.5"))
