"""Releases are found on an index, resolved as of their day, and told where they are not there."""

from __future__ import annotations

import json
import platform

import pytest

from harness import releases, resolution
from harness.install import Unavailable
from harness.releases import file_of, nearest, newest_of, release_of, versions_of
from harness.resolution import Resolution, resolve
from tests import little_world
from tests.little_world import HTML, JSON


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for version in little_world.RELEASES:
        little_world.wheel(folder, version, requires=())
    return folder


@pytest.fixture(params=[JSON, HTML])
def either_index(request, wheels, monkeypatch):
    """An index that speaks JSON, and one that speaks HTML."""
    with little_world.index(wheels, request.param) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        little_world.forget()
        yield address
    little_world.forget()


@pytest.mark.usefixtures("either_index")
def test_the_versions_of_a_package_are_read_with_the_day_of_each():
    assert [str(version) for version in versions_of("tinynorm")] == list(little_world.RELEASES)
    (file,) = release_of("tinynorm", "1.0")
    assert file.uploaded.isoformat() == "2026-05-04T05:06:07.000008+00:00"
    assert file.fits("3.11")
    assert not file.fits("3.6")


@pytest.mark.usefixtures("either_index")
def test_the_newest_release_is_no_pre_release_and_one_that_is_admitted():
    assert str(newest_of("tinynorm", lambda _: True)) == "3.0"
    assert str(newest_of("tinynorm", lambda version: version.major < 3)) == "2.0"
    with pytest.raises(Unavailable, match="no release of tinynorm that can be asked"):
        newest_of("tinynorm", lambda version: version.major > 3)


@pytest.mark.usefixtures("either_index")
def test_a_version_the_index_does_not_have_is_told_with_the_nearest():
    with pytest.raises(Unavailable) as told:
        release_of("tinynorm", "1.5")
    sentence = "The package index has no tinynorm 1.5. The nearest are 1.0, 1.1, 2.0, 3.0, 4.0a1."
    assert str(told.value) == sentence


def test_the_nearest_are_three_below_and_three_above():
    versions = [releases.Version(f"1.{minor}") for minor in range(10)]
    near = nearest(releases.Version("1.4.5"), versions)
    assert [str(version) for version in near] == ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"]


def test_a_package_the_index_does_not_know_is_told(either_index):
    with pytest.raises(Unavailable, match=r"The versions of no-such-thing could not be looked up"):
        versions_of("no-such-thing")
    assert either_index


def test_an_index_that_cannot_be_reached_is_told(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    little_world.forget()
    with pytest.raises(Unavailable, match="Check the network, or set PIP_INDEX_URL"):
        versions_of("tinynorm-unreachable")


@pytest.mark.parametrize(
    "name", ["notes.txt", "tiny-1.0.exe", "tiny-one-py3-none-any.whl", "tiny.tar.gz"]
)
def test_what_is_no_release_is_passed_over(name):
    assert file_of({"filename": name}) is None


def test_a_file_without_a_day_has_none():
    assert file_of({"filename": "tiny-1.0.tar.gz"}).uploaded is None


# Resolving.


@pytest.mark.usefixtures("either_index")
def test_a_release_is_resolved_as_of_the_day_after_its_own_and_then_remembered(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(resolution, "compiled", only_what_is_wanted)
    said = []
    found = resolve({"tinynorm": "1.1"}, {}, {}, tmp_path, said.append)
    assert found.as_of == "2026-06-05T00:00:00Z"
    assert found.requirements == ("tinynorm==1.1", "numpy==1")
    assert found.versions == {"tinynorm": "1.1", "numpy": "1"}
    assert said == ["Resolving tinynorm 1.1."]
    monkeypatch.setattr(resolution, "attempted", lambda *_: pytest.fail("resolved again"))
    again = resolve({"tinynorm": "1.1"}, {}, {}, tmp_path, said.append)
    assert again == found
    assert len(said) == 1


def only_what_is_wanted(wanted, _, __):
    return [each if "==" in each else f"{each.partition('>')[0]}==1" for each in wanted]


@pytest.mark.usefixtures("either_index")
def test_what_is_remembered_badly_is_resolved_again(tmp_path, monkeypatch):
    monkeypatch.setattr(resolution, "compiled", only_what_is_wanted)
    resolve({"tinynorm": "1.1"}, {}, {}, tmp_path, lambda _: None)
    (kept,) = tmp_path.glob("*.json")
    for text in ("", "{", "[]", '{"requirements": 1}', '{"requirements": ["="]}'):
        kept.write_text(text, "utf-8")
        found = resolve({"tinynorm": "1.1"}, {}, {}, tmp_path, lambda _: None)
        assert found.requirements[0] == "tinynorm==1.1"
        assert json.loads(kept.read_text("utf-8"))["python"] == found.python


def test_other_packages_keep_the_versions_in_use_else_those_of_the_day_else_the_newest(
    tmp_path, monkeypatch
):
    asked = []

    def attempted(_, attempt, *__):
        asked.append((dict(attempt.others), attempt.dated))
        if len(asked) < 3:
            raise Unavailable("They cannot be together.")
        return Resolution(("tinynorm==1.0",), platform.python_version(), None, ())

    monkeypatch.setattr(resolution, "attempted", attempted)
    monkeypatch.setattr(resolution, "interpreter_for", lambda _: interpreter())
    resolve({"tinynorm": "1.0"}, {"o": ">=1"}, {"o": "2.0+cpu"}, tmp_path, lambda _: None)
    assert asked == [({"o": "==2.0"}, True), ({"o": ">=1"}, True), ({"o": ">=1"}, False)]


def test_what_cannot_be_together_is_told(tmp_path, monkeypatch):
    def attempted(*_):
        raise Unavailable("They cannot be together.")

    monkeypatch.setattr(resolution, "attempted", attempted)
    monkeypatch.setattr(resolution, "interpreter_for", lambda _: interpreter())
    with pytest.raises(Unavailable, match=r"They cannot be together\."):
        resolve({"tinynorm": "1.0"}, {"o": ">=1"}, {}, tmp_path, lambda _: None)


@pytest.mark.usefixtures("either_index")
def test_a_release_without_a_build_for_this_machine_is_told(wheels, tmp_path):
    alien = wheels / "tinynorm-1.2-cp311-cp311-win_amd64.whl"
    alien.write_bytes(little_world.wheel(tmp_path, "1.2").read_bytes())
    little_world.RELEASES["1.2"] = "2026-06-10T05:06:07Z"
    little_world.forget()
    try:
        with pytest.raises(Unavailable, match=r"no build of tinynorm 1\.2 for CPython on"):
            resolve({"tinynorm": "1.2"}, {}, {}, tmp_path, lambda _: None)
    finally:
        alien.unlink()
        del little_world.RELEASES["1.2"]


def interpreter():
    from harness.interpreters import Interpreter

    here = platform.python_version()
    return Interpreter("python", "CPython", here, platform.system(), platform.machine())


def test_cuda_is_left_out_and_told(tmp_path, monkeypatch):
    pins = ["torch==9.0", "nvidia-cublas-cu12==1", "triton==3.0", "cuda-bindings==1", "numpy==2.0"]
    monkeypatch.setattr(resolution, "compiled", lambda *_: pins)
    monkeypatch.setattr(resolution, "as_of", lambda *_: None)
    monkeypatch.setattr(resolution, "interpreter_for", lambda _: interpreter())
    found = resolve({"torch": "9.0"}, {}, {}, tmp_path, lambda _: None)
    assert found.requirements == ("torch==9.0", "numpy==2.0")
    assert found.left_out == ("nvidia-cublas-cu12==1", "triton==3.0", "cuda-bindings==1")
    monkeypatch.setenv("BNCONFORM_CUDA", "install")
    whole = resolve({"torch": "9.0"}, {}, {}, tmp_path, lambda _: None)
    assert whole.left_out == ()
    assert len(whole.requirements) == len(pins)
