"""The command answers every use and every misuse in sentences, and its exit status is true."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import listing
from harness.document import banners
from harness.environments import Unavailable
from harness.implementations import default, registered
from harness.interpreters import first_interpreter
from harness.session import Session
from reference.conventions import AXES
from reports.results import read_results, validate
from suites.catalogue import SCENARIOS, SUITES, scenario_named
from tests.test_workers import dies

BNCONFORM = shutil.which("bnconform", path=Path(sys.executable).parent)
ROOT = Path(__file__).parents[1]
SECONDS = 120
ONE = scenario_named("frozen-fit")

# A shell that was told to ignore the interrupt passes that on; a terminal does not.
AS_FROM_A_TERMINAL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def bnconform(*arguments, folder=ROOT, **variables):
    return subprocess.run(
        [BNCONFORM, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )


def complaint(done):
    """The one line in which a misuse is answered."""
    assert "Traceback" not in done.stderr + done.stdout
    assert "is a bug in bnconform" not in done.stderr
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "━" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bnconform: ")
    return lines[0]


# Misuse.


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["rum"], "'run'"),
        (["expalin", "frozen-fit"], "'explain'"),
        (["run", "troch"], "'torch'"),
        (["run", "torch", "keras-tensorflwo"], "'keras-tensorflow'"),
        (["run", "torch", "--suite", "freezin"], "'freezing'"),
        (["run", "torch", "-k", "frozen-fitt"], "'frozen-fit'"),
        (["run", "torch", "--outptu", "x"], "'--output'"),
        (["list", "scenaris"], "'scenarios'"),
        (["list", "scenarios", "--jsn"], "'--json'"),
        (["explain", "frozen-fot"], "'frozen-fit'"),
        (["explain", "momentum-sens"], "'momentum-sense'"),
        (["explain", "BN-3.99"], "'BN-3."),
    ],
    ids=" ".join,
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(arguments, nearest):
    assert nearest in complaint(bnconform(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["explain"], ["explain", "torch", "frozen-fit"], ["run", "torch", "--output"]],
    ids=" ".join,
)
def test_an_argument_too_few_or_too_many_is_one_sentence(arguments):
    complaint(bnconform(*arguments))


def test_no_arguments_are_answered_with_help():
    done = bnconform()
    assert done.stdout.startswith("Usage: bnconform")
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["run", "-h"], ["list", "-h"]])
def test_help_is_given_where_it_is_asked_for(arguments):
    done = bnconform(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: bnconform")


def test_a_name_given_twice_is_run_once(tmp_path):
    done = bnconform("run", "torch", "torch", "-k", ONE.name, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(read_results(tmp_path / "results.json")["implementations"]) == 1


# What there is.


@pytest.mark.parametrize("kind", listing.KINDS)
def test_lists_are_json_when_that_is_asked_for(kind):
    done = bnconform("list", kind, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == listing.KINDS[kind]()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("scenarios", [each.name for each in SCENARIOS]),
        ("implementations", list(registered())),
        ("conventions", [axis.id for axis in AXES]),
    ],
)
def test_lists_name_everything_one_a_line(kind, names):
    done = bnconform("list", kind)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (ONE.name, ["Scenario frozen-fit", "Layer:", "freeze the layer", "trainable-false-mode"]),
        ("tf-contrib", ["Implementation tf-contrib", "isolated environment", "momentum-sense"]),
        ("momentum-sense", ["Convention momentum-sense", "The paper", "torch: ‘weighs the new"]),
        (ONE.clauses[0], [ONE.clauses[0]]),
    ],
)
def test_what_is_explained_is_told(name, told):
    done = bnconform("explain", name)
    assert done.returncode == 0
    assert [text for text in told if text not in done.stdout] == []


def test_everything_that_has_a_name_is_explained():
    names = [each.name for each in SCENARIOS] + [axis.id for axis in AXES]
    names += [*registered(), *listing.clauses()]
    for name in names:
        text = listing.explained(name)
        assert name in text
        assert "ABSENT" not in text
        assert len(text) > len(name) + 20


def test_a_reader_that_has_seen_enough_ends_the_list_quietly():
    command = f"'{BNCONFORM}' list scenarios | true"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False, text=True)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="This system has no /dev/full.")
def test_a_full_disk_behind_the_output_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BNCONFORM, "list", "conventions"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
    assert "is a bug in bnconform" not in done.stderr
    assert done.stderr.startswith("bnconform: ")


# Runs.


def test_a_run_writes_valid_results_and_the_page(tmp_path):
    done = bnconform("run", "torch", "-k", ONE.name, "--output", tmp_path / "new" / "folder")
    assert done.returncode == 0, done.stderr
    results = read_results(tmp_path / "new" / "folder" / "results.json")
    assert results["complete"]
    assert [cell["verdict"] for cell in results["cells"]] == ["conforms"]
    page = (tmp_path / "new" / "folder" / "index.html").read_text("utf-8")
    assert page.rstrip().endswith("</html>")
    assert str(tmp_path / "new" / "folder" / "index.html") in done.stdout


def test_a_run_prints_one_valid_document_where_json_is_asked_for(tmp_path):
    done = bnconform("run", "torch", "-k", ONE.name, "--json", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    validate(results)
    assert results == read_results(tmp_path / "results.json")


def test_a_suite_and_a_pattern_choose_scenarios(tmp_path):
    asked = ["--suite", "gradients", "--suite", "momentum", "-k", "training"]
    done = bnconform("run", "torch", *asked, "--output", tmp_path)
    assert done.returncode == 0
    found = [each["name"] for each in read_results(tmp_path / "results.json")["scenarios"]]
    assert found == [
        each.name
        for each in SCENARIOS
        if each.suite in {"gradients", "momentum"} and "training" in each.name
    ]
    assert {"gradients", "momentum"} <= set(SUITES)


# Output that cannot be written.


@pytest.mark.parametrize("below", ["", "folder"])
def test_an_output_folder_that_is_a_file_is_one_sentence(below, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine", "utf-8")
    done = bnconform("run", "torch", "-k", ONE.name, "--output", file / below)
    assert str(file) in complaint(done)
    assert file.read_text("utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="Nothing keeps this user from writing.")
def test_an_output_folder_that_is_not_ours_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    done = bnconform("run", "torch", "-k", ONE.name, "--output", tmp_path)
    assert str(tmp_path) in complaint(done)


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_no_half_file(tmp_path):
    # The limit on the size of a file, here 4 KiB, fails a write as a full disk does.
    command = 'ulimit -f 8; exec "$@"'
    asked = ["run", "torch", "-k", ONE.name, "--output", tmp_path]
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", BNCONFORM, *asked],
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )
    assert "results.json" in complaint(done)
    assert list(tmp_path.iterdir()) == []


# Implementations that cannot be had.


@pytest.fixture
def interpreters(tmp_path, monkeypatch):
    """A function that has every CPython found, except the versions named."""

    def without(*missing):
        for version in ("3.7", "3.8", "3.9", "3.10", "3.11"):
            path = tmp_path / f"python{version}"
            if version not in missing:
                path.write_text(f"#!/bin/sh\necho CPython {version}.1 Linux x86_64\n", "utf-8")
                path.chmod(0o700)
            monkeypatch.setenv(f"BNCONFORM_PYTHON_{version.replace('.', '_')}", str(path))

    return without


def names(implementations):
    return [each.name for each in implementations]


def test_by_default_the_successor_stays_silent(interpreters):
    interpreters()
    assert names(default()) == ["keras-tensorflow", "tf-contrib", "torch"]


def test_by_default_the_successor_answers_where_the_original_cannot(interpreters):
    interpreters("3.7")
    assert "tf-slim" in names(default())
    (banner,) = banners(Session(default(), [ONE]))
    assert banner.startswith("tf-slim answers instead of tf-contrib. BNCONFORM_PYTHON_3_7 names")


def test_the_successor_is_content_with_any_of_its_pythons(interpreters):
    interpreters("3.7", "3.9", "3.10", "3.11")
    assert registered()["tf-slim"].obstacle() is None


def test_by_default_what_nobody_can_answer_is_said_to_be_unavailable(interpreters):
    interpreters("3.7", "3.8", "3.9", "3.10", "3.11")
    chosen = default()
    assert "tf-slim" not in names(chosen)
    session = Session([each for each in chosen if each.name == "tf-contrib"], [ONE])
    session.run(lambda *_: None)
    (banner,) = banners(session)
    assert banner.startswith("tf-contrib is unavailable. BNCONFORM_PYTHON_3_7 names")
    assert session.cells["tf-contrib", ONE.name].verdict == "unavailable"


@pytest.mark.parametrize("missing", [["3.11"], ["3.11", "3.10"], ["3.8"], []], ids=str)
def test_what_has_no_obstacle_finds_its_interpreter(missing, interpreters):
    interpreters(*missing)
    slim = registered()["tf-slim"]
    try:
        first_interpreter(slim.python)
    except Unavailable:
        assert slim.obstacle() is not None
    else:
        assert slim.obstacle() is None


def test_an_implementation_named_and_not_to_be_had_is_misuse(tmp_path):
    nowhere = str(tmp_path / "nowhere")
    asked = ["run", "tf-contrib", "-k", ONE.name, "--output", tmp_path]
    done = bnconform(*asked, BNCONFORM_PYTHON_3_7=nowhere)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    said = " ".join(done.stdout.split())
    assert "tf-contrib is unavailable. BNCONFORM_PYTHON_3_7 names" in said
    assert "which does not exist" in said


# Interrupts.


def children(pid):
    """The processes a process has started, zombies aside."""
    done = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, check=True, text=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


@contextlib.contextmanager
def on_a_terminal(*arguments):
    """Start the command with standard error on a terminal: yield the process and that."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", AS_FROM_A_TERMINAL, BNCONFORM, *arguments]
    run = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    try:
        yield run, ours
    finally:
        run.kill()
        run.wait()
        os.close(ours)


def read_until(pattern, terminal):
    """What a terminal shows until something matches, or until nobody writes to it any more."""
    shown = ""
    while not re.search(pattern, shown):
        assert select.select([terminal], [], [], SECONDS)[0], f"nothing more came after: {shown}"
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # how Linux says that the other side is closed
            break
    return shown


NEVER = "(?!)"
PREPARING, MEASURING = r"0/\d+", r"[1-9]\d*/\d+"


@pytest.mark.parametrize("moment", [PREPARING, MEASURING], ids=["preparing", "measuring"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_ends_a_run_with_what_was_measured(number, moment, tmp_path):
    with on_a_terminal("run", "torch", "--fresh", "--output", tmp_path) as (run, terminal):
        read_until(moment, terminal)
        workers = children(run.pid)
        run.send_signal(number)
        said = read_until(NEVER, terminal)
        assert run.wait(SECONDS) == 130
    assert "Traceback" not in said
    assert said.rstrip().endswith("Interrupted; what was measured until then is in the report.")
    results = read_results(tmp_path / "results.json")
    assert not results["complete"]
    assert 0 <= results["run_cells"] < results["expected_cells"]
    assert moment == PREPARING or results["run_cells"] > 0
    assert all(dies(worker) for worker in workers)
    assert workers or moment == PREPARING


def test_a_run_that_is_killed_leaves_no_worker(tmp_path):
    with on_a_terminal("run", "torch", "--fresh", "--output", tmp_path) as (run, terminal):
        read_until(MEASURING, terminal)
        (worker,) = children(run.pid)
        run.kill()
        assert dies(worker)
