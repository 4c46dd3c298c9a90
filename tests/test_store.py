"""What is stored stays, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness import store_exchange, store_file, store_rows
from harness.complaint import Complaint
from harness.store import Run, Store, StoredCell, StoreError
from harness.store_commands import store as commands
from harness.store_exchange import Merged, export, merge
from harness.store_file import (
    StoreBusy,
    StoreDamaged,
    StoreForeign,
    StoreFull,
    StoreUnwritable,
    store_path,
)

PROJECT = Path(__file__).resolve().parent.parent
MESSAGES = [{"trace": [{"step": "Build", "observed": {}}]}, {"not_expressible": "No “word”."}]
BEGIN = """
import os, random, resource, signal, sys, time
from pathlib import Path
from harness import store_file
from harness.store import Run, Store
from harness.store_file import StoreError, StoreFull, StoreUnwritable

path = Path(sys.argv[1])

def large(seed, size):
    return [{"trace": random.Random(seed).randbytes(size // 2).hex()}]

def say(*words):
    print(*words, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.sqlite3"


@pytest.fixture
def store(path):
    with Store(path) as opened:
        yield opened


@pytest.fixture
def chosen(path, monkeypatch):
    """The store that commands use."""
    monkeypatch.setenv("BNCONFORM_STORE", str(path))
    return path


def run_of(implementation="torch", version="2.3.0", **changes):
    return Run(implementation, {"torch": version}, **changes)


def a_run(store, *, implementation="torch", version="2.3.0", messages=MESSAGES, finished=True):
    """Store a run of two scenarios, one answered and one that crashed; return its number."""
    number = store.begin(run_of(implementation, version, header={"python": "3.11.7"}))
    key = f"{implementation}-{version}"
    assert store.keep(key, "one", messages)
    store.note(number, "one", key=key)
    store.note(number, "two", verdict="crashed", reason="The process died of signal SIGSEGV.")
    if finished:
        store.finish(number)
    return number


def start(code, *arguments):
    """Run a program in another process; it has BEGIN before it."""
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, *map(str, arguments)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(code, *arguments):
    process = start(code, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()


def large(seed, size):
    return [{"trace": random.Random(seed).randbytes(size // 2).hex()}]  # noqa: S311 - to be the same again


def files_beside(path):
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


# --- answers and runs ---------------------------------------------------------------------------


def test_an_answer_is_there_again_when_the_store_is_opened_again(path):
    with Store(path) as store:
        assert store.answer("key") is None
        assert store.keep("key", "one", MESSAGES)
    with Store(path) as store:
        assert store.answer("key") == MESSAGES
        assert store.answer("another") is None


def test_the_number_of_the_question_is_not_part_of_the_answer(store):
    store.keep("key", "one", [{"id": 7, "trace": []}])
    assert store.answer("key") == [{"trace": []}]


def test_the_first_answer_of_a_key_stays(store):
    store.keep("key", "one", [{"trace": [1]}])
    assert store.keep("key", "one", [{"trace": [2]}])
    assert store.answer("key") == [{"trace": [1]}]


def test_words_that_no_encoding_has_are_kept_as_they_were_said(store):
    messages = [{"not_expressible": "a lone \ud800, a nul \0 and an é"}]
    store.keep("key", "one", messages)
    assert store.answer("key") == messages
    number = store.begin(run_of("my\udcff"))
    store.note(number, "two", verdict="crashed", reason="It printed \udcff.")
    assert store.cells(number)[0].reason == r"It printed \udcff."
    assert [run.id for run in store.runs("my\udcff")] == [number]


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    "messages",
    [[], [{"trace": float("nan")}], [{"trace": float("inf")}], [{"trace": nested(900)}]],
    ids=["none", "nan", "infinity", "nested"],
)
def test_what_is_no_strict_json_of_an_answer_is_not_kept(store, messages):
    assert not store.keep("key", "one", messages)
    assert store.answer("key") is None


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


MALFORMED = {
    "not compressed": b"[{}]",
    "cut off": zlib.compress(json.dumps(MESSAGES).encode())[:-3],
    "altered": zlib.compress(json.dumps(MESSAGES).encode())[:-1] + b"\0",
    "not JSON": zlib.compress(b"[{]"),
    "not strict JSON": zlib.compress(b'[{"trace": NaN}]'),
    "an infinite number": zlib.compress(b'[{"trace": 1e999}]'),
    "not text": zlib.compress(b'[{"\xff": 1}]'),
    "no list": zlib.compress(b'{"trace": []}'),
    "no message": zlib.compress(b"[]"),
    "no object": zlib.compress(b"[1]"),
    "nested too deeply": zlib.compress(b"[" * 100_000),
    "text": "[{}]",
    "a number": 7,
}


def put(store, key, blob):
    query = "INSERT INTO answers VALUES (?, 'one', ?, '2026-01-01T00:00:00Z')"
    store.connection.execute(query, (key, blob))


@pytest.mark.parametrize("blob", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_that_cannot_be_read_counts_as_none_and_is_left_until_there_is_another(
    store, blob
):
    put(store, "key", blob)
    assert store.answer("key") is None
    ((found,),) = store.connection.execute("SELECT messages FROM answers").fetchall()
    assert found == blob
    assert store.keep("key", "one", MESSAGES)
    assert store.answer("key") == MESSAGES


@pytest.mark.parametrize("form", [bytes, zlib.compress])
def test_nothing_in_a_store_is_ever_executed(store, tmp_path, form):
    made = tmp_path / "made"
    pickled = pickle.dumps(Touch(made))
    put(store, "key", form(pickled))
    assert store.answer("key") is None
    assert not made.exists()
    pickle.loads(pickled)  # noqa: S301 - to see that it could have been
    assert made.exists()


def test_an_answer_that_unpacks_to_more_than_any_worker_says_is_not_read(store, monkeypatch):
    store.keep("key", "one", [{"trace": "0" * 10_000}])
    assert store.answer("key") is not None
    monkeypatch.setattr(store_rows, "LONGEST", 9_000)
    assert store.answer("key") is None
    assert not store.keep("other", "one", [{"trace": "0" * 10_000}])


def test_a_run_is_told_with_all_its_cells(store):
    environment = {"python": "3.11.7", "packages": {"torch": "2.3.0"}}
    run = run_of(environment=environment, suite_version="0.1.0")
    number = store.begin(run)
    store.keep("key", "one", MESSAGES)
    store.note(number, "one", key="key", reason="The first try failed.")
    store.note(number, "two", verdict="timed out", reason="No answer came within 60 s.")
    (found,) = store.runs()
    assert found == Run(**{**vars(run), "id": number})
    assert not found.finished
    assert store.cells(number) == [
        StoredCell("one", "key", None, "The first try failed."),
        StoredCell("two", None, "timed out", "No answer came within 60 s."),
    ]
    store.introduce(number, {"numpy": "2.4.6"})
    store.finish(number)
    (found,) = store.runs("torch")
    assert found.finished
    assert found.header == {"numpy": "2.4.6"}
    assert store.runs("keras") == []


def test_a_cell_noted_again_is_the_later_one(store):
    number = store.begin(run_of())
    store.note(number, "one", verdict="crashed", reason="Once.")
    store.note(number, "one", verdict="timed out", reason="Twice.")
    assert store.cells(number) == [StoredCell("one", None, "timed out", "Twice.")]


@pytest.mark.parametrize("said", [{}, {"key": "key", "verdict": "crashed"}])
def test_a_cell_has_an_answer_or_a_verdict_and_never_both(store, said):
    with pytest.raises(ValueError, match="either an answer or a verdict"):
        store.note(store.begin(run_of()), "one", **said)


def test_a_cell_cannot_rest_on_an_answer_that_is_not_there(store):
    number = store.begin(run_of())
    with pytest.raises(StoreError, match=r"no longer has the answer to one.*Run it again"):
        store.note(number, "one", key="gone")
    assert store.cells(number) == []


def test_runs_are_ordered_by_number_when_the_clock_goes_backwards(store, monkeypatch):
    clock = datetime(2026, 3, 1, tzinfo=UTC)

    class Backwards(datetime):
        @classmethod
        def now(cls, zone):
            nonlocal clock
            clock -= timedelta(days=1)
            return clock.astimezone(zone)

    monkeypatch.setattr(store_rows, "datetime", Backwards)
    numbers = [a_run(store) for _ in range(3)]
    assert [run.id for run in store.runs()] == numbers[::-1]
    started = [run.started_at for run in store.runs()]
    assert started == sorted(started), "the clock did not go backwards"
    assert store.newest("torch").id == numbers[-1]
    assert [run.id for run in store.latest()] == numbers[-1:]


def test_the_newest_run_is_the_newest_that_was_finished_at_these_versions(store):
    old, new = a_run(store, version="2.0.0"), a_run(store, version="2.3.0")
    again = a_run(store, version="2.0.0")
    a_run(store, version="2.3.0", finished=False)
    a_run(store, implementation="keras-torch", version="2.3.0")
    assert store.newest("torch").id == again
    assert store.newest("torch", {"torch": "2.0.0"}).id == again
    assert store.newest("torch", {"torch": "2.3.0"}).id == new
    assert store.newest("torch", {"torch": "2.1.0"}) is None
    assert store.newest("torch", {"torch": "2.3.0", "numpy": "2.0"}) is None
    assert old not in [run.id for run in store.latest()]
    latest = [(run.implementation, run.versions["torch"]) for run in store.latest()]
    assert latest == [("keras-torch", "2.3.0"), ("torch", "2.0.0"), ("torch", "2.3.0")]


def test_a_run_at_more_versions_than_are_asked_for_is_at_those(store):
    number = store.begin(Run("keras-torch", {"keras": "3.3.3", "torch": "2.3.0"}))
    store.finish(number)
    assert store.newest("keras-torch", {"keras": "3.3.3"}).id == number


def test_who_answered_before_in_an_environment_is_known(store):
    here, there = {"packages": {"torch": "2.3.0"}}, {"packages": {"torch": "2.0.0"}}
    store.begin(run_of(environment=here, header={"numpy": "1"}))
    store.begin(run_of(environment=here, header={"numpy": "2"}))
    store.begin(run_of(environment=here))
    assert store.header("torch", here) == {"numpy": "2"}
    assert store.header("torch", there) is None
    assert store.header("keras", here) is None


def test_what_a_worker_says_of_itself_need_not_be_strict_json(store):
    number = store.begin(run_of())
    store.introduce(number, {"versions": float("nan")})
    assert store.runs()[0].header == {}


def test_a_run_that_cannot_be_read_is_left_out(store):
    a_run(store)
    number = a_run(store)
    store.connection.execute("UPDATE runs SET versions = '[NaN]' WHERE id = ?", (number,))
    assert [run.id for run in store.runs()] == [number - 1]


def test_only_what_no_run_rests_on_is_forgotten(store):
    a_run(store)
    for number in range(20):
        store.keep(f"unused {number}", "one", large(number, 100_000))
    assert store.forget_unused() == 0, "a run may be about to name them"
    before = store.size
    assert store.forget_unused(timedelta(0)) == 20
    assert store.size < before / 2
    assert store.answer("torch-2.3.0") == MESSAGES
    assert store.answer("unused 3") is None
    assert store.problems() == []


# --- where it is --------------------------------------------------------------------------------


def test_the_store_is_where_the_variables_say(tmp_path, monkeypatch):
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BNCONFORM_STORE", raising=False)
    assert store_path() == tmp_path / "cache" / "store.sqlite3"
    monkeypatch.setenv("BNCONFORM_STORE", str(tmp_path / "mine"))
    assert store_path() == tmp_path / "mine"
    with Store() as store:
        a_run(store)
    assert (tmp_path / "mine").is_file()


# --- several at once ----------------------------------------------------------------------------


def test_threads_share_a_store(store):
    failures = []

    def work(name):
        try:
            number = store.begin(run_of(name))
            for each in range(30):
                store.keep(f"{name} {each}", "one", [{"trace": [name, each]}])
                store.note(number, str(each), key=f"{name} {each}")
                assert store.answer(f"{name} {each}") == [{"trace": [name, each]}]
            store.finish(number)
        except BaseException as failure:  # noqa: BLE001 - told below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(f"thread {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.counted() == {"answers": 180, "runs": 6, "finished": 6}
    assert all(len(store.cells(run.id)) == 30 for run in store.runs())


def test_processes_that_make_one_store_and_write_the_same_keys_agree(path):
    code = """
say("ready")
sys.stdin.readline()
with Store(path) as store:
    for number in range(40):
        assert store.keep(str(number), "one", [{"trace": sys.argv[2]}])
        say(store.answer(str(number))[0]["trace"])
"""
    command = [sys.executable, "-c", BEGIN + code, str(path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    writers = [
        subprocess.Popen([*command, name], cwd=PROJECT, text=True, **pipes) for name in "abcde"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 5, told
    with Store(path) as store:
        kept = [store.answer(str(number))[0]["trace"] for number in range(40)]
        assert store.counted()["answers"] == 40
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert all(out.split() == kept for out, _ in told), "a writer was told of another answer"


def test_a_store_that_another_makes_at_the_same_moment_is_made_once(path, monkeypatch):
    is_blank = store_file.is_blank

    def seen_blank_just_before_another_makes_it(connection):
        monkeypatch.setattr(store_file, "is_blank", is_blank)
        blank = is_blank(connection)
        with Store(path) as other:
            a_run(other)
        return blank

    monkeypatch.setattr(store_file, "is_blank", seen_blank_just_before_another_makes_it)
    with Store(path) as store:
        assert store.counted()["runs"] == 1


@contextlib.contextmanager
def locked(path, seconds):
    """Another process has the store to itself meanwhile."""
    code = """
import sqlite3
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
say("locked")
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""
    with start(code, path, seconds) as process:
        try:
            assert process.stdout.readline() == "locked\n", process.stderr.read()
            yield
        finally:
            process.kill()


def test_a_store_that_is_locked_for_long_is_told_and_can_still_be_read(path):
    with Store(path, patience=0.2) as store:
        store.keep("key", "one", MESSAGES)
        with locked(path, 60):
            with pytest.raises(StoreBusy, match=r"locked by another process\. Run it again"):
                store.keep("other", "one", MESSAGES)
            assert store.answer("key") == MESSAGES
        assert store.keep("other", "one", MESSAGES)
    assert issubclass(StoreBusy, Complaint)


def test_a_store_that_is_locked_for_a_moment_is_waited_for(store):
    with locked(store.path, 0.5):
        begun = time.monotonic()
        assert store.keep("key", "one", MESSAGES)
        assert time.monotonic() - begun > 0.2
    assert store.answer("key") == MESSAGES


# --- kill -9 ------------------------------------------------------------------------------------


def test_what_was_stored_survives_a_process_that_is_killed_in_the_middle_of_writing(path):
    code = """
with Store(path) as store:
    run = store.begin(Run("torch", {"torch": sys.argv[2]}))
    for number in range(10_000):
        key = f"{sys.argv[2]} {number}"
        store.keep(key, "one", large(number, 300_000))
        store.note(run, str(number), key=key)
        say(key)
"""
    announced = []
    for turn in range(4):
        with start(code, path, turn) as process:
            announced += [process.stdout.readline().strip() for _ in range(3)]
            time.sleep(0.007 * turn)
            process.send_signal(signal.SIGKILL)
            announced += [line.strip() for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -signal.SIGKILL
        with Store(path) as store:
            assert store.problems() == []
            assert all(store.answer(key) is not None for key in announced)
            noted = [cell.key for run in store.runs() for cell in store.cells(run.id)]
            assert set(announced) <= set(noted)
            assert [run.finished for run in store.runs()] == [False] * (turn + 1)
    assert len(announced) >= 12
    assert store_answer(path, "0 2") == large(2, 300_000)


def store_answer(path, key):
    with Store(path) as store:
        return store.answer(key)


def test_a_store_whose_maker_was_killed_is_made_by_the_next(path):
    code = """
tables = store_file.TABLES
def cut_short():
    yield from tables
    yield "CREATE TABLE filler AS SELECT zeroblob(40000000) AS much"
    os.kill(os.getpid(), signal.SIGKILL)
store_file.TABLES = cut_short()
Store(path)
"""
    with start(code, path) as process:
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert Path(f"{path}-journal").stat().st_size > 0, "it was killed too early to tell"
    assert path.stat().st_size > 0
    with Store(path) as store:
        a_run(store)
        assert store.problems() == []


# --- a full disk --------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_that_was_stored_and_writing_goes_on_when_there_is_room(path):
    code = """
with Store(path) as store:
    run = store.begin(Run("torch", {}))
    for number in range(20):
        store.keep(str(number), "one", large(number, 10_000))
    room = max(path.stat().st_size, Path(f"{path}-wal").stat().st_size) + 50_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    for write in (
        lambda: store.keep("large", "one", large(1, 1_000_000)),
        lambda: store.note(run, "one", verdict="crashed", reason="long " * 100_000),
    ):
        try:
            write()
            say("written")
        except StoreFull as full:
            say("full:", full)
    say(all(store.answer(str(number)) == large(number, 10_000) for number in range(20)))
    say(store.answer("large"), store.cells(run))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    say(store.keep("large", "one", large(1, 1_000_000)))
"""
    first, second, *rest = said(code, path)
    sentence = f"full: The store {path} takes no more, what it held is kept ("
    assert first.startswith(sentence)
    assert second.startswith(sentence)
    assert "Free some space, or set BNCONFORM_STORE" in first
    assert rest == ["True", "None []", "True"]
    with Store(path) as store:
        assert store.answer("large") == large(1, 1_000_000)
        assert store.counted()["answers"] == 21
        assert store.problems() == []


def test_a_database_that_may_not_grow_is_told_as_a_full_disk(store):
    store.keep("key", "one", MESSAGES)
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFull, match=r"takes no more.*disk is full"):
        store.keep("large", "one", large(1, 1_000_000))
    assert store.answer("key") == MESSAGES
    assert store.answer("large") is None


def test_a_store_that_cannot_even_be_begun_is_told(path):
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    Store(path)
except StoreFull as full:
    say(full)
"""
    (sentence,) = said(code, path)
    assert sentence.startswith(f"The store {path} takes no more")


# --- files that are no store of ours ------------------------------------------------------------


@pytest.mark.parametrize("left", [1, 99, 512, 4096, 20_000, -4096, -1])
def test_a_store_that_was_cut_off_is_told_and_left_as_it_is(path, left):
    with Store(path) as store:
        for number in range(10):
            store.keep(str(number), "one", large(number, 20_000))
    whole = path.read_bytes()
    cut = whole[:left]
    path.write_bytes(cut)
    with pytest.raises(StoreDamaged, match=r"Move it away.* or set BNCONFORM_STORE"):
        Store(path)
    assert path.read_bytes() == cut
    path.write_bytes(whole)
    assert store_answer(path, "3") == large(3, 20_000)


def test_a_store_that_was_emptied_is_made_anew(path):
    path.parent.mkdir()
    path.touch()
    with Store(path) as store:
        a_run(store)
        assert store.counted()["runs"] == 1


def test_a_store_that_is_damaged_inside_says_so_when_that_is_read(path, chosen, capsys):
    with Store(path) as store:
        for number in range(50):
            store.keep(str(number), "one", large(number, 20_000))
    content = bytearray(path.read_bytes())
    content[8192:-8192] = b"\xff" * len(content[8192:-8192])
    chosen.write_bytes(content)
    with Store(path) as store, pytest.raises(StoreDamaged, match=r"is damaged \(database disk"):
        [store.answer(str(number)) for number in range(50)]
    assert call("check") == 1
    assert capsys.readouterr().out != ""


@pytest.mark.parametrize("content", [b"Dear diary,\n", b"\0" * 5000, bytes(range(256)) * 40])
def test_a_file_that_is_no_database_is_told_and_left_as_it_is(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="not a database"):
        Store(path)
    assert files_beside(path) == {path.name: content}


def test_a_diary_with_a_journal_beside_it_is_left_as_it_is(path):
    path.parent.mkdir()
    path.write_bytes(b"Dear diary,\n")
    Path(f"{path}-journal").write_bytes(b"Dear journal,\n" * 100)
    before = files_beside(path)
    with pytest.raises(StoreDamaged):
        Store(path)
    assert files_beside(path) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_database_of_another_program_is_told_and_left_as_it_is(path, mode):
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("CREATE TABLE answers (key, letter)")
        other.commit()
    before = files_beside(path)
    with pytest.raises(StoreForeign, match=r"another program.* set BNCONFORM_STORE"):
        Store(path)
    assert files_beside(path) == before


def test_a_store_of_a_later_form_is_told_and_left_as_it_is(path):
    with Store(path) as store:
        a_run(store)
        store.connection.execute("PRAGMA user_version = 2")
    before = files_beside(path)
    with pytest.raises(StoreForeign, match=r"in form 2 where this one knows 1.* Use that bnconf"):
        Store(path)
    assert files_beside(path) == before


def test_a_later_form_that_is_only_in_the_log_yet_is_seen_too(path):
    with Store(path) as other:
        other.connection.execute("PRAGMA user_version = 2")
        with pytest.raises(StoreForeign, match="in form 2"):
            Store(path)


# --- folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("below", "why"), [("file", "File exists"), ("file/deeper", "Not a directory")]
)
def test_a_folder_that_cannot_be_made_is_told(tmp_path, below, why):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable, match=rf"\({why}\)\. Set BNCONFORM_STORE"):
        Store(tmp_path / below / "store.sqlite3")


def test_a_folder_in_the_place_of_the_file_is_told(path):
    path.mkdir(parents=True)
    with pytest.raises(StoreUnwritable, match="Is a directory"):
        Store(path)


def test_a_folder_that_may_not_be_written_is_told():
    code = """
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
for action in (lambda: Store(path), lambda: Store(path.with_name("new"))):
    try:
        with action() as store:
            store.keep("key", "one", [{}])
    except StoreUnwritable as told:
        say(told)
"""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders cannot be entered by others
    try:
        path = folder / "store.sqlite3"
        with Store(path) as store:
            a_run(store)
        path.chmod(0o444)
        folder.chmod(0o555)
        sentences = said(code, path)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
    assert len(sentences) == 2
    for sentence in sentences:
        assert "cannot be opened or written" in sentence
        assert "Set BNCONFORM_STORE to a file in a folder that you may write." in sentence


# --- export and import --------------------------------------------------------------------------


def exported(store, folder, name="exported.json"):
    export(store, folder / name)
    return (folder / name).read_text("ascii")


def test_a_store_is_the_same_after_export_and_import(store, tmp_path):
    a_run(store, version="2.0.0")
    a_run(store, messages=[{"not_expressible": "no \ud800 word"}], finished=False)
    text = exported(store, tmp_path)
    document = json.loads(text)
    assert document["format"] == "bnconform store"
    assert document["version"] == 1
    assert len(text.splitlines()) == 2 + 4 + 3, "not a line per answer and run"
    with Store(tmp_path / "other.sqlite3") as other:
        assert merge(other, tmp_path / "exported.json") == Merged(2, 2, 0)
        assert exported(other, tmp_path, "again.json") == text
        assert other.answer("torch-2.0.0") == MESSAGES


def test_an_empty_store_can_be_exported_and_imported(store, tmp_path):
    exported(store, tmp_path)
    assert merge(store, tmp_path / "exported.json") == Merged(0, 0, 0)


def test_importing_again_or_at_home_changes_nothing(store, tmp_path):
    a_run(store)
    text = exported(store, tmp_path)
    assert merge(store, tmp_path / "exported.json") == Merged(0, 0, 0)
    with Store(tmp_path / "other.sqlite3") as other:
        merge(other, tmp_path / "exported.json")
        assert merge(other, tmp_path / "exported.json") == Merged(0, 0, 0)
        assert exported(other, tmp_path, "again.json") == text
    assert exported(store, tmp_path) == text


def test_the_exports_of_two_machines_unite_in_either_order(tmp_path):
    names = ("torch", "keras")
    for name in names:
        with Store(tmp_path / name) as store:
            a_run(store, implementation=name)
            a_run(store, implementation="both")
            exported(store, tmp_path, f"{name}.json")
    found = []
    for order in (names, names[::-1]):
        with Store(tmp_path / "-".join(order)) as store:
            for name in order:
                merge(store, tmp_path / f"{name}.json")
            assert store.counted() == {"answers": 3, "runs": 4, "finished": 4}
            assert all(len(store.cells(run.id)) == 2 for run in store.runs())
            found.append({run.uid for run in store.runs()})
    assert found[0] == found[1]


def test_of_answers_that_differ_the_first_is_kept_and_they_are_counted(tmp_path):
    for name, value in {"a": 1, "b": 2}.items():
        with Store(tmp_path / name) as store:
            a_run(store, messages=[{"id": value + 10, "trace": [value]}])
            exported(store, tmp_path, f"{name}.json")
    with Store(tmp_path / "a") as store:
        assert merge(store, tmp_path / "b.json") == Merged(0, 1, 1)
        assert store.answer("torch-2.3.0") == [{"trace": [1]}]


def test_the_number_of_a_question_makes_no_answer_differ(store, tmp_path):
    a_run(store)
    document = json.loads(exported(store, tmp_path))
    document["answers"][0]["messages"][0]["id"] = 7
    (tmp_path / "numbered.json").write_text(json.dumps(document))
    assert merge(store, tmp_path / "numbered.json") == Merged(0, 0, 0)


def test_an_export_is_of_one_moment_whatever_is_stored_meanwhile(store, tmp_path, monkeypatch):
    a_run(store)
    before = exported(store, tmp_path)
    runs_in = store_exchange.runs_in

    def runs_after_another(connection):
        with Store(store.path) as another:
            a_run(another, implementation="keras")
        return runs_in(connection)

    monkeypatch.setattr(store_exchange, "runs_in", runs_after_another)
    assert exported(store, tmp_path) == before
    assert store.counted()["runs"] == 2


def test_a_run_exported_before_its_end_is_completed_by_a_later_export(store, tmp_path):
    number = store.begin(run_of())
    store.keep("key", "one", MESSAGES)
    store.note(number, "one", key="key")
    exported(store, tmp_path, "early.json")
    store.note(number, "two", verdict="crashed", reason="Later.")
    store.introduce(number, {"numpy": "2"})
    store.finish(number)
    text = exported(store, tmp_path, "late.json")
    with Store(tmp_path / "other") as other:
        assert merge(other, tmp_path / "early.json").runs == 1
        assert merge(other, tmp_path / "late.json").runs == 0
        merge(other, tmp_path / "early.json")
        assert exported(other, tmp_path) == text


def test_an_answer_that_cannot_be_read_is_not_exported_and_is_replaced_by_one_that_can(
    store, tmp_path
):
    a_run(store)
    exported(store, tmp_path, "good.json")
    store.connection.execute("UPDATE answers SET messages = x'00'")
    document = json.loads(exported(store, tmp_path))
    assert document["answers"] == []
    assert [cell["scenario"] for cell in document["runs"][0]["cells"]] == ["two"]
    assert merge(store, tmp_path / "good.json") == Merged(1, 0, 0)
    assert store.answer("torch-2.3.0") == MESSAGES


def changed(**parts):
    def change(document):
        document.update(parts)
        return document

    return change


def without(*place):
    def change(document):
        *outer, last = place
        part = document
        for each in outer:
            part = part[each]
        del part[last]
        return document

    return change


def with_cell(**cell):
    def change(document):
        document["runs"][0]["cells"][0] = {"scenario": "one", "reason": "", **cell}
        return document

    return change


WRONG = {
    "cut off": (lambda document: json.dumps(document)[:-40], "is not JSON"),
    "not strict": (with_cell(answer="torch-2.3.0", reason=float("nan")), "NaN is no number"),
    "nothing": (lambda _: "", "is not JSON"),
    "a list": (lambda document: [document], "is not what `bnconform store export` writes"),
    "results": (changed(format="results"), "is not what `bnconform store export` writes"),
    "a later version": (changed(version=2), "its version is 2, and this bnconform reads version 1"),
    "no runs": (without("runs"), "'runs' is a required property"),
    "no messages": (without("answers", 0, "messages"), "'messages' is a required property"),
    "an answer that is missing": (changed(answers=[]), "1 of the answers its runs rest on are not"),
    "a cell without either": (with_cell(), r"\['cells'\]\[0\]"),
    "a cell with both": (with_cell(answer="torch-2.3.0", verdict="crashed"), r"\['cells'\]\[0\]"),
    "a key of odd characters": (
        changed(answers=[{"key": "\ud800", "scenario": "", "recorded_at": "", "messages": [{}]}]),
        r"half a character|\['answers'\]\[0\]",
    ),
    "deep nesting": (changed(more=nested(500)), "nested too deeply"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_of_a_file_that_is_wrong_nothing_is_imported(store, tmp_path, change, told):
    a_run(store)
    document = change(json.loads(exported(store, tmp_path)))
    wrong = tmp_path / "wrong.json"
    wrong.write_text(document if isinstance(document, str) else json.dumps(document))
    with Store(tmp_path / "other") as other:
        with pytest.raises(StoreError, match=told) as failure:
            merge(other, wrong)
        assert str(wrong) in str(failure.value)
        assert other.counted() == {"answers": 0, "runs": 0, "finished": 0}


def test_a_file_that_is_not_there_is_told(store, tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        merge(store, tmp_path / "nothing.json")


def test_an_import_that_does_not_fit_on_the_disk_adds_nothing(store, tmp_path):
    for number in range(50):
        a_run(store, version=str(number), messages=large(number, 20_000))
    exported(store, tmp_path)
    with Store(tmp_path / "other") as other:
        (pages,) = other.connection.execute("PRAGMA page_count").fetchone()
        other.connection.execute(f"PRAGMA max_page_count = {pages + 40}")
        with pytest.raises(StoreFull):
            merge(other, tmp_path / "exported.json")
        assert other.counted() == {"answers": 0, "runs": 0, "finished": 0}
        other.connection.execute("PRAGMA max_page_count = 1000000")
        assert merge(other, tmp_path / "exported.json") == Merged(50, 50, 0)


def test_an_export_that_cannot_be_written_leaves_what_was_there(store, tmp_path, monkeypatch):
    a_run(store)
    before = exported(store, tmp_path)
    a_run(store)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device. What was there is unchanged"):
        export(store, tmp_path / "exported.json")
    assert (tmp_path / "exported.json").read_text("ascii") == before
    assert [each.name for each in tmp_path.glob("*.json*")] == ["exported.json"]
    assert list(tmp_path.glob(".*")) == []
    with pytest.raises(StoreError, match=r"Could not write .*No such file"):
        export(store, tmp_path / "nowhere" / "exported.json")
    assert store.keep("more", "one", MESSAGES), "the store was left in the middle of reading"


def test_a_device_is_written_to_and_not_replaced(store, tmp_path):
    a_run(store)
    device = tmp_path / "full"
    device.symlink_to("/dev/full")  # What would be replaced is this.
    with pytest.raises(StoreError, match="No space left on device"):
        export(store, device)
    assert device.is_symlink()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(json.loads(pipe.read_text())), daemon=True)
    reader.start()
    export(store, pipe)
    reader.join(10)
    assert pipe.is_fifo()
    assert read[0]["format"] == "bnconform store"


# --- commands -----------------------------------------------------------------------------------


def call(*arguments):
    return commands.main(list(arguments), prog_name="bnconform store", standalone_mode=False)


def test_the_commands_take_a_store_elsewhere(chosen, tmp_path, capsys, monkeypatch):
    with Store(chosen) as store:
        a_run(store)
    assert call("export", str(tmp_path / "out.json")) == 0
    assert capsys.readouterr().err == f"Wrote 1 answer and 1 run to {tmp_path / 'out.json'}.\n"
    monkeypatch.setenv("BNCONFORM_STORE", str(tmp_path / "other"))
    assert call("import", str(tmp_path / "out.json"), str(tmp_path / "out.json")) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("out.json: 1 answer and 1 run new.")
    assert second.endswith("out.json: 0 answers and 0 runs new.")
    assert call("check") == 0
    assert capsys.readouterr().out.endswith("is sound: 1 answer and 1 run can be read.\n")


def test_importing_says_how_many_answers_differ(chosen, tmp_path, capsys):
    with Store(tmp_path / "other") as other:
        a_run(other, messages=[{"trace": ["other"]}])
        exported(other, tmp_path)
    with Store(chosen) as store:
        a_run(store)
    assert call("import", str(tmp_path / "exported.json")) == 0
    assert "1 of its answers differ from those stored" in capsys.readouterr().out


@pytest.mark.usefixtures("chosen")
def test_no_file_is_imported_where_one_is_wrong(tmp_path):
    with Store(tmp_path / "other") as other:
        a_run(other)
        exported(other, tmp_path)
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(Complaint, match=r"wrong\.json cannot be imported"):
        call("import", str(tmp_path / "exported.json"), str(tmp_path / "wrong.json"))
    with Store() as store:
        assert store.counted()["answers"] == 0


def test_info_tells_what_there_is(chosen, capsys):
    assert call("info") == 0
    assert f"{chosen} (not made yet)" in capsys.readouterr().out
    assert not chosen.exists()
    with Store(chosen) as store:
        a_run(store, version="2.0.0")
        a_run(store, finished=False)
    assert call("info") == 0
    out = capsys.readouterr().out
    assert "Answers 2" in out
    assert "Runs    2, 1 of them finished" in out
    assert "Newest  torch, torch 2.3.0, begun 20" in out
    assert "not finished" in out
    assert call("info", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(chosen)
    assert told["answers"] == 2
    assert told["newest"]["versions"] == {"torch": "2.3.0"}
    assert told["bytes"] >= chosen.stat().st_size


@pytest.mark.parametrize("command", [("check",), ("export", "out.json")])
@pytest.mark.usefixtures("chosen")
def test_what_needs_a_store_says_that_there_is_none(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Complaint, match=r"There is no store at .* yet"):
        call(*command)
    assert list(tmp_path.iterdir()) == []


def test_check_names_every_answer_that_cannot_be_read(chosen, capsys):
    with Store(chosen) as store:
        a_run(store)
        put(store, "bad", b"\0")
        store.connection.execute("PRAGMA foreign_keys = OFF")
        store.connection.execute("INSERT INTO cells VALUES (1, 'three', 'gone', NULL, '')")
    assert call("check") == 1
    out = capsys.readouterr().out
    assert "The answer bad cannot be read" in out
    assert "of cells names one of answers that is not there" in out
    chosen.write_bytes(b"Dear diary")
    assert call("check") == 1
    assert "not a database" in capsys.readouterr().out
