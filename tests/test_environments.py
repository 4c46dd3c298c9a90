"""Interpreters are found and environments made as the sentences say, whatever goes wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from harness.environments import (
    Unavailable,
    describe_environment,
    environment_python,
    make_environment,
    requirements_of,
)
from harness.install import explain_failure, index_options, wheel_options
from harness.interpreters import find_interpreter, first_interpreter, inspect_interpreter

PROJECT = Path(__file__).resolve().parent.parent
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MAKE = """
import sys
from pathlib import Path
from harness.environments import Unavailable, make_environment
from harness.interpreters import inspect_interpreter

say = lambda sentence: print(sentence, flush=True)
print(make_environment("tiny", sys.argv[1:], inspect_interpreter(Path(sys.executable)), say))
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A home, PATH and cache with nothing in them, and none of the user's settings."""
    for name in list(os.environ):
        if name.startswith(("BNCONFORM_", "CONDA_", "PIP_", "PYENV_", "UV_")):
            monkeypatch.delenv(name)
    for name, folder in {"HOME": "home", "BNCONFORM_CACHE": "cache", "PATH": "bin"}.items():
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return tmp_path


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def wheel(tmp_path):
    """The smallest distribution there can be, in an index of its own."""
    folder = tmp_path / "index" / "tiny"
    folder.mkdir(parents=True)
    file = folder / "tiny-1.0-py3-none-any.whl"
    about = "tiny-1.0.dist-info"
    contents = {
        "tiny.py": "ANSWER = 42\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    (folder / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')
    return file


def python_that(path, does):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def python_saying(path, version, implementation="CPython"):
    return python_that(path, f"echo {implementation} {version} Linux x86_64")


def this_python():
    return inspect_interpreter(Path(sys.executable))


def environments(root):
    folder = root / "cache" / "environments"
    return sorted(path.name for path in folder.glob("*") if path.is_dir())


def start_making(*requirements, index=None):
    """Make the environment `tiny` in another process, which leads a process group."""
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, *requirements],
        cwd=PROJECT,
        env={**os.environ, **({"PIP_INDEX_URL": index} if index else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# --- interpreters -------------------------------------------------------------------------------


def test_an_interpreter_on_path_is_found(bare):
    python = python_saying(bare / "bin" / "python3.7", "3.7.9")
    assert find_interpreter("3.7") == python


def test_the_newest_matching_patch_of_pyenv_is_found(bare):
    versions = bare / "home" / ".pyenv" / "versions"
    for version in ("3.7.9", "3.7.16", "3.70.1", "2.7.18"):
        python_saying(versions / version / "bin" / "python", version)
    assert find_interpreter("3.7") == versions / "3.7.16" / "bin" / "python"


def test_pyenv_root_moves_pyenv(bare, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(bare / "elsewhere"))
    python = python_saying(bare / "elsewhere" / "versions" / "3.6.15" / "bin" / "python", "3.6.15")
    assert find_interpreter("3.6") == python


def test_the_environments_conda_lists_are_searched(bare):
    python = python_saying(bare / "miniconda" / "envs" / "old" / "bin" / "python3.7", "3.7.12")
    listed = bare / "home" / ".conda" / "environments.txt"
    listed.parent.mkdir()
    listed.write_text(f"{bare / 'gone'}\n{python.parent.parent}\n")
    assert find_interpreter("3.7") == python


@pytest.mark.parametrize(
    "shim",
    [
        "echo 'python3.7: command not found' >&2; exit 127",
        "echo CPython 3.9.1 Linux x86_64",
        "echo PyPy 3.7.13 Linux x86_64",
        "true",
    ],
)
def test_what_does_not_run_as_that_cpython_is_passed_over(bare, shim):
    python_that(bare / "bin" / "python3.7", shim)
    versions = bare / "home" / ".pyenv" / "versions"
    python = python_saying(versions / "3.7.16" / "bin" / "python", "3.7.16")
    assert find_interpreter("3.7") == python


@pytest.mark.usefixtures("bare")
def test_the_running_python_serves_when_no_other_does():
    assert inspect_interpreter(find_interpreter(HERE)).version == sys.version.split()[0]


def test_a_missing_interpreter_is_told_with_what_was_tried_and_what_to_do(bare):
    shim = python_that(bare / "bin" / "python3.7", "exit 127")
    with pytest.raises(Unavailable) as failure:
        find_interpreter("3.7")
    sentence = str(failure.value)
    assert "CPython 3.7 was not found on PATH, in pyenv" in sentence
    assert f"{shim} did not run as CPython 3.7" in sentence
    assert "Run 'pyenv install 3.7', or set BNCONFORM_PYTHON_3_7" in sentence


def test_the_variable_goes_before_every_other_place(bare, monkeypatch):
    python_saying(bare / "bin" / "python3.7", "3.7.9")
    chosen = python_saying(bare / "mine" / "python", "3.7.1")
    monkeypatch.setenv("BNCONFORM_PYTHON_3_7", str(chosen))
    assert find_interpreter("3.7") == chosen


@pytest.mark.parametrize(
    ("does", "seen"),
    [
        (None, "which does not exist"),
        ("exit 1", "which does not run"),
        ("echo CPython 3.8.2 Linux x86_64", "which is CPython 3.8.2"),
    ],
)
def test_a_variable_that_names_something_else_is_told(bare, monkeypatch, does, seen):
    python_saying(bare / "bin" / "python3.7", "3.7.9")
    path = bare / "mine" / "python"
    if does:
        python_that(path, does)
    monkeypatch.setenv("BNCONFORM_PYTHON_3_7", str(path))
    with pytest.raises(Unavailable, match=f"BNCONFORM_PYTHON_3_7 names {path}, {seen}"):
        find_interpreter("3.7")


def test_a_wrong_variable_does_not_keep_another_version_from_answering(bare, monkeypatch):
    monkeypatch.setenv("BNCONFORM_PYTHON_3_7", str(bare / "nothing"))
    monkeypatch.setenv(f"BNCONFORM_PYTHON_{HERE.replace('.', '_')}", sys.executable)
    assert first_interpreter(["3.7", HERE]).provides(HERE)


def test_a_wrong_variable_is_told_where_no_other_version_answers(bare, monkeypatch):
    monkeypatch.setenv("BNCONFORM_PYTHON_3_7", str(bare / "nothing"))
    with pytest.raises(Unavailable, match="BNCONFORM_PYTHON_3_7 names"):
        first_interpreter(["3.7"])


# --- requirements and options -------------------------------------------------------------------


def test_an_extra_is_read_with_its_pins_and_without_the_core_dependencies():
    requirements = requirements_of("tf-contrib", "3.7.16")
    assert "tensorflow==1.15.5" in requirements
    assert not any(requirement.startswith(("click", "torch")) for requirement in requirements)
    assert all("==" in requirement and ";" not in requirement for requirement in requirements)


@pytest.mark.usefixtures("bare")
def test_an_unknown_extra_is_told_with_the_extras_there_are():
    with pytest.raises(Unavailable, match=r"no extra 'tf-contirb'; it has .*tf-contrib, tf-slim"):
        environment_python("tf-contirb", [HERE], print)


def test_pytorch_is_the_cpu_build_unless_wheels_are_at_hand():
    assert wheel_options({}) == ["--torch-backend", "cpu"]
    assert wheel_options({"PIP_FIND_LINKS": " "}) == ["--torch-backend", "cpu"]
    assert wheel_options({"UV_TORCH_BACKEND": "cu128"}) == []
    assert wheel_options({"PIP_FIND_LINKS": "/a https://b/c"}) == [
        *("--find-links", "/a"),
        *("--find-links", "https://b/c"),
    ]


def test_the_indexes_pip_is_told_of_are_passed_on():
    assert index_options({}) == []
    environ = {"PIP_INDEX_URL": "https://a", "PIP_EXTRA_INDEX_URL": "https://b https://c"}
    assert index_options(environ) == [
        *("--default-index", "https://a", "--index", "https://b", "--index", "https://c"),
        *("--index-strategy", "unsafe-best-match"),
    ]


# --- environments -------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_an_environment_is_made_once_and_then_found(wheel):
    said = []
    requirement = f"tiny @ {wheel.as_uri()}"
    python = make_environment("tiny", [requirement], this_python(), said.append)
    answer = subprocess.check_output([python, "-c", "import tiny; print(tiny.ANSWER)"], text=True)
    assert answer.strip() == "42"
    assert describe_environment(python)["packages"] == {"tiny": "1.0"}
    assert len(said) == 2
    assert make_environment("tiny", [requirement], this_python(), said.append) == python
    assert len(said) == 2


@pytest.mark.usefixtures("bare")
def test_other_requirements_are_another_environment(wheel):
    one = make_environment("tiny", [], this_python(), print)
    other = make_environment("tiny", [f"tiny @ {wheel.as_uri()}"], this_python(), print)
    assert one != other


@pytest.mark.usefixtures("bare")
def test_an_environment_whose_python_has_gone_is_made_anew():
    python = make_environment("tiny", [], this_python(), print)
    python.unlink()
    assert make_environment("tiny", [], this_python(), print) == python
    assert inspect_interpreter(python) is not None


def test_processes_that_race_make_one_environment(bare, wheel):
    racers = [start_making(f"tiny @ {wheel.as_uri()}") for _ in range(3)]
    said = [racer.communicate(timeout=120) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], said
    assert len({out.splitlines()[-1] for out, _ in said}) == 1
    assert sum("Made the environment tiny" in out for out, _ in said) == 1
    assert len(environments(bare)) == 1


@pytest.mark.parametrize(
    ("kill", "left"),
    [
        pytest.param(lambda process: os.killpg(process.pid, signal.SIGKILL), 1, id="killed"),
        pytest.param(lambda process: os.killpg(process.pid, signal.SIGINT), 0, id="ctrl-c"),
    ],
)
def test_an_interrupted_installation_leaves_nothing_that_counts(bare, wheel, kill, left):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        making = start_making("tiny==1.0", index=f"http://127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()  # uv is now asking an index that will not answer
        with contextlib.closing(connection):
            kill(making)
            making.communicate(timeout=60)
    assert making.returncode != 0
    assert len(environments(bare)) == left
    assert all(name.startswith(".") and ".partial-" in name for name in environments(bare))
    again = start_making("tiny==1.0", index=wheel.parent.parent.as_uri())
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert environments(bare) == [Path(out.splitlines()[-1]).parent.parent.name]


def test_an_index_that_cannot_be_reached_is_told(bare, closed_port, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@127.0.0.1:{closed_port}/simple")
    with pytest.raises(Unavailable) as failure:
        make_environment("tiny", ["tiny==1.0"], this_python(), print)
    sentence = str(failure.value)
    assert "The environment tiny could not be made: the package index could not be" in sentence
    assert f"127.0.0.1:{closed_port}" in sentence
    assert "secret" not in sentence
    assert "PIP_INDEX_URL" in sentence
    assert environments(bare) == []


@pytest.mark.usefixtures("bare")
def test_a_package_the_index_does_not_have_is_told(wheel, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", wheel.parent.parent.as_uri())
    with pytest.raises(Unavailable, match=r"does not offer .*there is no version of tiny==2\.0"):
        make_environment("tiny", ["tiny==2.0"], this_python(), print)


def test_a_package_that_does_not_build_is_told(bare):
    source = bare / "broken"
    source.mkdir()
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (source / "pyproject.toml").write_text(backend)
    (source / "backend.py").write_text("raise SystemExit('no compiler here')\n")
    with pytest.raises(Unavailable, match=r"could not be built from its source .*no compiler here"):
        make_environment("broken", [f"broken @ {source.as_uri()}"], this_python(), print)


def test_a_cache_that_cannot_be_written_is_told(bare, monkeypatch):
    (bare / "file").touch()
    monkeypatch.setenv("BNCONFORM_CACHE", str(bare / "file"))
    with pytest.raises(Unavailable, match=r"Not a directory.* set BNCONFORM_CACHE"):
        make_environment("tiny", [], this_python(), print)


def test_a_full_disk_is_told_as_such():
    stderr = "error: Failed to fetch: x\n  cause: No space left on device (os error 28)\n"
    told = explain_failure(stderr, 2)
    assert told.startswith("the disk is full (uv said: Failed to fetch: x; No space left")


def test_the_boxes_that_older_uv_draws_are_read_too():
    stderr = """Using Python 3.7.16
  × No solution found when resolving dependencies:
  ╰─▶ Because tiny==1.0 has no wheels with a matching Python
      implementation tag (e.g., `cp37`), it cannot be used.

      hint: You require CPython 3.7
"""
    assert explain_failure(stderr, 1) == (
        "a package has no build for this interpreter or machine (uv said: No solution found when"
        " resolving dependencies; Because tiny==1.0 has no wheels with a matching Python"
        " implementation tag (e.g., `cp37`), it cannot be used). Use another version of Python."
    )


def test_no_cuda_package_came_along():
    names = {distribution.name.lower() for distribution in metadata.distributions()}
    assert sorted(name for name in names if name.startswith("nvidia")) == []
