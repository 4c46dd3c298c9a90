"""Whatever a worker does costs the scenario it was asked, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import adapters
from harness.declarations import Declaration, Declarations
from harness.document import document
from harness.implementations import Implementation
from harness.respondent import Respondent
from harness.session import Session, judged
from harness.workers import SCRIPT, Command, Worker, WorkerFailure
from reports.page import write_page
from reports.results import read_results, write_results
from suites.vocabulary import Call, Layer, Scenario, Tensor, Training
from tests.fakes.declared import DECLARED

FAKES = Path(__file__).parent / "fakes"
MISBEHAVING = FAKES / "misbehaving"
SECONDS_TO_DIE = 10


def scenario(name, channels, **changes):
    rows = np.arange(4 * channels).reshape(4, channels) ** 2 / 8
    x = Tensor("float32", rows.shape, tuple(rows.ravel().tolist()))
    layer = Layer(channels, rank=2, decay=0.75, epsilon=0.5)
    steps = (Call(x, training=Training.TRUE),)
    return Scenario(name, "fakes", "Does it?", layer, steps, (), (), (), (), **changes)


BEFORE, TRIGGER, AFTER = scenario("before", 2), scenario("trigger", 1), scenario("after", 2)
ALL = (BEFORE, TRIGGER, AFTER)


def declarations(style):
    """What a fake's author declares, in the form that a registered implementation has."""
    entries = []
    for axis, declared in DECLARED[style].items():
        for each in declared if isinstance(declared, list) else [{"value": declared}]:
            when = {key: tuple(values) for key, values in each.get("when", {}).items()}
            entries.append(Declaration(axis, each["value"], when, ("https://example.org/",)))
    return Declarations(tuple(entries), {})


def implementation(path, style="argument_style", **variables):
    declared = declarations(style)
    name = path.stem
    return Implementation(name, name, adapter=str(path), variables=variables, declared=declared)


def misbehaving(name, **variables):
    return implementation(MISBEHAVING / f"{name}.py", **variables)


def ask(respondent, scenarios=ALL):
    return [judged(respondent, each) for each in scenarios]


def cells_of(each, scenarios=ALL, **options):
    with Respondent(each, **options) as respondent:
        return ask(respondent, scenarios)


def verdicts(cells):
    return [cell.verdict for cell in cells]


def is_alive(pid):
    """Tell whether a process runs; one that is dead and not yet reaped by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def dies(pid):
    end = time.monotonic() + SECONDS_TO_DIE
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_alive(pid)


# Adapters that misbehave.


@pytest.mark.parametrize("style", DECLARED)
def test_a_clean_fake_conforms_in_one_worker(style):
    with Respondent(implementation(FAKES / f"{style}.py", style)) as respondent:
        assert verdicts(ask(respondent)) == ["conforms"] * 3
        assert respondent.started == 1


def test_a_segmentation_fault_costs_its_scenario_and_names_the_signal():
    before, trigger, after = cells_of(misbehaving("segfaults_on_call"))
    assert verdicts([before, trigger, after]) == ["conforms", "crashed", "conforms"]
    assert "SIGSEGV" in trigger.reason


def test_a_hang_costs_its_scenario_and_says_how_long_it_was_given():
    before, trigger, after = cells_of(misbehaving("hangs_on_call"), seconds_to_answer=1)
    assert verdicts([before, trigger, after]) == ["conforms", "timed out", "conforms"]
    assert trigger.reason == "No answer came within 1 s."


def test_nonsense_observations_cost_their_scenario():
    before, trigger, after = cells_of(misbehaving("answers_nonsense"))
    assert verdicts([before, trigger, after]) == ["conforms", "adapter error", "conforms"]
    assert "cannot be read: not an array on the wire" in trigger.reason


def test_a_scenario_that_kills_its_worker_is_asked_twice_and_the_next_is_asked_of_another():
    with Respondent(misbehaving("segfaults_on_call")) as respondent:
        ask(respondent)
        assert respondent.started == 3


def test_a_bug_of_the_adapter_is_its_own_and_names_the_line():
    cells = cells_of(misbehaving("raises_in_adapter"))
    assert verdicts(cells) == ["adapter error"] * 3
    assert "KeyError at raises_in_adapter.py:" in cells[0].reason


def test_a_bug_of_the_adapter_does_not_cost_the_worker():
    with Respondent(misbehaving("raises_in_adapter")) as respondent:
        ask(respondent)
        assert respondent.started == 1


def test_a_wrong_shape_differs_and_says_both_shapes():
    cells = cells_of(misbehaving("wrong_shapes"))
    assert verdicts(cells) == ["differs"] * 3
    assert "the output has shape (8,) instead of (4, 2)" in cells[0].reason


def test_a_lost_observation_never_conforms():
    cells = cells_of(misbehaving("loses_observations"))
    assert verdicts(cells) == ["differs"] * 3
    assert "the running variance is missing" in cells[0].reason


def test_a_line_forged_between_question_and_answer_is_an_adapter_error():
    cells = cells_of(misbehaving("writes_raw_protocol"))
    assert verdicts(cells) == ["adapter error"] * 3
    assert {cell.reason for cell in cells} == {"The worker answered a question nobody asked."}


def test_a_refusal_is_the_frameworks_and_its_message_is_one_line():
    cells = cells_of(misbehaving("refuses_everything"))
    assert verdicts(cells) == ["refused"] * 3
    assert cells[0].reason.endswith("raised ValueError: this layer cannot be made:.")


def test_what_cannot_be_said_is_not_expressible_with_the_adapters_reason():
    cells = cells_of(misbehaving("not_expressible"))
    assert verdicts(cells) == ["not expressible"] * 3
    assert cells[0].reason == "This fake has no words for any layer."


def test_repeats_that_disagree_are_unstable():
    (cell,) = cells_of(misbehaving("unstable"), [scenario("repeated", 2, repeats=3)])
    assert cell.verdict == "unstable"


def test_what_one_scenario_leaves_behind_shows_in_the_next():
    assert verdicts(cells_of(misbehaving("unstable"))) == ["conforms", "differs", "differs"]


@pytest.mark.parametrize("name", ["prints_to_stdout", "floods_stdout"])
def test_printing_costs_nothing_and_reaches_nobody(name, capfd):
    with Respondent(misbehaving(name)) as respondent:
        assert verdicts(ask(respondent)) == ["conforms"] * 3
        assert respondent.started == 1
        assert len(respondent.worker.noise) <= 4096
    assert capfd.readouterr() == ("", "")


def test_state_of_a_wrong_shape_differs(tmp_path):
    adapter = tmp_path / "state_of_a_wrong_shape.py"
    adapter.write_text(
        "from tests.fakes import argument_style\n"
        "from tests.fakes.argument_style import versions\n"
        "class Program(argument_style.Program):\n"
        "    def observe(self):\n"
        "        seen = super().observe()\n"
        "        return dict(seen, running_mean=[0.0] * 5)\n",
        "utf-8",
    )
    assert verdicts(cells_of(implementation(adapter), [BEFORE])) == ["differs"]


@pytest.mark.parametrize("count", ["float('nan')", "-1", "2 ** 62", "[1, 2]"])
def test_a_counter_beyond_reason_differs(count, tmp_path):
    adapter = tmp_path / "counts_beyond_reason.py"
    adapter.write_text(
        "from tests.fakes import switch_style\n"
        "from tests.fakes.switch_style import versions\n"
        "class Program(switch_style.Program):\n"
        "    def observe(self):\n"
        f"        return dict(super().observe(), updates_counted={count})\n",
        "utf-8",
    )
    assert verdicts(cells_of(implementation(adapter, "switch_style"), [BEFORE])) == ["differs"]


# Adapters that cannot be imported.


@pytest.mark.parametrize(
    ("name", "verdict", "said"),
    [
        ("fails_to_import", "adapter error", "libframework.so.12: cannot open shared object file"),
        ("exits_on_import", "crashed", "status 3"),
    ],
)
def test_a_failing_import_is_one_reason_for_every_scenario(name, verdict, said):
    cells = cells_of(misbehaving(name))
    assert verdicts(cells) == [verdict] * 3
    assert len({cell.reason for cell in cells}) == 1
    assert said in cells[0].reason


@pytest.mark.parametrize("name", ["fails_to_import", "exits_on_import"])
def test_a_failing_import_is_not_tried_again_for_every_scenario(name):
    scenarios = [scenario(f"scenario-{index}", 2) for index in range(8)]
    with Respondent(misbehaving(name)) as respondent:
        ask(respondent, scenarios)
        assert respondent.started <= 3


def test_an_adapter_that_is_not_there_is_named():
    (cell,) = cells_of(implementation(MISBEHAVING / "nowhere.py"), [BEFORE])
    assert cell.verdict == "adapter error"
    assert "nowhere.py" in cell.reason


# Adapters that say something odd.

ODD = {
    "no version": "def versions():\n    return {'fake': None}",
    "a version that is a number": "def versions():\n    return {'fake': 3}",
    "a version that is a word": "def versions():\n    return {'fake': 'nightly build'}",
    "a refusal with half a character": "REFUSAL = 'no such file: \\udcff'",
    "a refusal with markup": "REFUSAL = '[/red] <script> \\x1b[31m \\x00'",
    "a refusal without a message": "REFUSAL = ''",
    "a reason with half a character": "REASON = 'no such file: \\udcff'",
    "a reason that is empty": "REASON = ''",
    "a quantity with half a character": "EXTRA = {'\\udcff': [1.0]}",
    "a quantity that nobody knows": "EXTRA = {'momentum': 1}",
    "a quantity that is no number": "EXTRA = {'gamma': [float('nan')] * 2}",
    "a quantity that is infinite": "EXTRA = {'gamma': [float('inf'), -float('inf')]}",
    "a quantity that is yes or no": "EXTRA = {'gamma': [True, False]}",
    "a quantity of nothing": "EXTRA = {'gamma': []}",
    "an integer beyond float64": "EXTRA = {'updates_counted': 2 ** 63 - 1}",
}
SAYS_SOMETHING_ODD = """
from adapters.answers import NotExpressible, framework_call
from tests.fakes import argument_style
from tests.fakes.argument_style import versions

REFUSAL = REASON = None
EXTRA = {{}}

{odd}

class Program(argument_style.Program):
    def observe(self):
        if REASON is not None:
            raise NotExpressible(REASON)
        with framework_call():
            if REFUSAL is not None:
                raise ValueError(REFUSAL)
        return dict(super().observe(), **EXTRA)
"""


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_whatever_an_adapter_says_the_run_ends_in_a_report(odd, tmp_path):
    adapter = tmp_path / "says_something_odd.py"
    adapter.write_text(SAYS_SOMETHING_ODD.format(odd=odd), "utf-8")
    session = Session([implementation(adapter)], [BEFORE, AFTER])
    session.run(lambda *_: None)
    results = document(session, datetime.now(UTC), complete=True)
    write_results(results, tmp_path / "results.json")
    write_page(results, tmp_path / "index.html")
    assert read_results(tmp_path / "results.json")["run_cells"] == 2
    assert "version" in odd or "conforms" not in {each["verdict"] for each in results["cells"]}


# Processes.


def test_nothing_is_left_after_a_worker_is_stopped():
    respondent = Respondent(misbehaving("prints_to_stdout"))
    ask(respondent, [BEFORE])
    process = respondent.worker.process
    respondent.replace()
    assert process.returncode is not None
    assert dies(process.pid)


@pytest.mark.parametrize("how", ["replace", "abandon"])
def test_a_child_of_the_worker_dies_with_it(how, tmp_path):
    note = tmp_path / "pid"
    respondent = Respondent(misbehaving("spawns_children", FAKE_CHILD_PID_FILE=str(note)))
    assert verdicts(ask(respondent, [BEFORE])) == ["conforms"]
    child = int(note.read_text())
    assert is_alive(child)
    getattr(respondent, how)()
    assert dies(child)


def test_a_hanging_worker_can_be_abandoned_from_another_thread():
    respondent = Respondent(misbehaving("hangs_on_call"))
    ask(respondent, [BEFORE])
    process = respondent.worker.process
    asking = threading.Thread(target=ask, args=(respondent, [TRIGGER]), daemon=True)
    asking.start()
    respondent.abandon()
    asking.join(SECONDS_TO_DIE)
    assert not asking.is_alive()
    assert dies(process.pid)
    assert verdicts(ask(respondent, [AFTER])) == ["did not run"]


def test_a_worker_that_is_still_importing_can_be_abandoned(tmp_path):
    adapter = tmp_path / "imports_for_long.py"
    adapter.write_text("import time\ntime.sleep(3 * 10)\n", "utf-8")
    respondent = Respondent(implementation(adapter))
    asking = threading.Thread(target=ask, args=(respondent, [BEFORE]), daemon=True)
    asking.start()
    while respondent.started == 0:
        time.sleep(0.01)
    respondent.abandon()
    asking.join(SECONDS_TO_DIE / 2)
    assert not asking.is_alive()


def test_a_session_keeps_every_other_implementation_from_one_that_misbehaves():
    names = ["segfaults_on_call", "exits_on_import", "prints_to_stdout", "raises_in_adapter"]
    session = Session([misbehaving(name) for name in names], ALL)
    session.run(lambda *_: None)
    found = {name: verdicts(session.cells[name, each.name] for each in ALL) for name in names}
    assert found == {
        "segfaults_on_call": ["conforms", "crashed", "conforms"],
        "exits_on_import": ["crashed"] * 3,
        "prints_to_stdout": ["conforms"] * 3,
        "raises_in_adapter": ["adapter error"] * 3,
    }


def test_an_interrupted_session_keeps_what_it_measured_and_leaves_no_worker():
    session = Session([misbehaving("prints_to_stdout"), misbehaving("hangs_on_call")], ALL)

    def interrupt(name, cell):  # noqa: ARG001 - it is told of the cell
        if name == "prints_to_stdout":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.run(interrupt)
    assert session.cells["prints_to_stdout", "before"].verdict == "conforms"
    assert all(respondent.worker is None for respondent in session.respondents)


def test_an_interrupted_session_starts_no_implementation_that_was_waiting():
    hanging = [misbehaving("hangs_on_call")] * 3
    waiting = [misbehaving("prints_to_stdout")] * 6
    session = Session([misbehaving("raises_in_adapter"), *hanging, *waiting], [TRIGGER])

    def interrupt(name, cell):  # noqa: ARG001 - it is told of the cell
        while name == "raises_in_adapter":
            if sum(respondent.worker is not None for respondent in session.respondents) == 4:
                raise KeyboardInterrupt
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        session.run(interrupt)
    # The thread that was interrupted may have taken up one more before the others were told.
    assert sum(respondent.started for respondent in session.respondents) <= 5


# Something else in the worker's place.

HEADER = '{"schema": 1, "header": true, "versions": {}}'
OTHER_PROGRAM = """
import json, sys

def say(line):
    sys.stdout.buffer.write(line + b"\\n")
    sys.stdout.flush()

say({header!r})
for line in sys.stdin:
    if "id" not in json.loads(line):
        break
    say({answer})
"""


def other_program(folder, answer, header=HEADER):
    """A command that speaks for itself, whatever worker and adapter it is told to be."""
    script, python = folder / "other_program.py", folder / "python"
    script.write_text(OTHER_PROGRAM.format(header=header.encode(), answer=answer), "utf-8")
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}'\n", "utf-8")
    python.chmod(0o700)
    return Command(python, "no adapter", {})


def asked_of(command):
    with Respondent(implementation(FAKES / "argument_style.py")) as respondent:
        respondent.command = command
        return judged(respondent, BEFORE)


def observing(dtype="float32", shape="[2]", data="AAAAAAAAAAA="):
    array = f'{{"dtype": "{dtype}", "shape": {shape}, "data": "{data}"}}'
    return f'"trace": [{{"observed": {{"gamma": {array}}}}}]'


NONSENSE = {
    "a bare answer": "",
    "a null trace": '"trace": null',
    "a trace of words": '"trace": ["one", "two"]',
    "a number for a trace": '"trace": 1',
    "an array of another size": observing(shape="[3]"),
    "an array of negative size": observing(shape="[-2]"),
    "an array of infinite size": observing(shape="[Infinity]"),
    "an array of more than 64 bits": observing(shape="[1180591620717411303424]"),
    "an array whose size wraps around": observing(shape="[4294967296, 4294967296]", data=""),
    "an array of objects": observing(dtype="O"),
    "an array of complex numbers": observing(dtype="complex64"),
    "an array of no known dtype": observing(dtype="bfloat17"),
    "an array that is not base64": observing(data="é"),
    "an array of deep shape": observing(shape="[" + "1, " * 99 + "2]"),
    "a refusal in a word": '"trace": [{"observed": {}, "refusal": "no"}]',
    "a refusal without a message": '"trace": [{"observed": {}, "refusal": {"type": "E"}}]',
    "a refusal of no type": '"trace": [{"observed": {}, "refusal": {"type": 1, "message": 2}}]',
    "an error in a word": '"adapter_error": "no"',
}


@pytest.mark.parametrize("words", NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_means_nothing_is_an_adapter_error(words, tmp_path):
    rest = f", {words}}}" if words else "}"
    answer = f"b'{{\"id\": 1' + {rest!r}.encode()"
    assert asked_of(other_program(tmp_path, answer)).verdict == "adapter error"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("b'Segmentation fault'", "not JSON"),
        ("bytes(range(128, 256))", "not JSON"),
        ("b''", "not JSON"),
        ("b'[1, 2]'", "not an object"),
        ("b'[' * 100_000", "The worker answered"),
        ('b\'{"id": 99, "trace": []}\'', "nobody asked"),
        ('b\'{"footer": true, "answered": 0}\'', "nobody asked"),
    ],
)
def test_a_line_that_is_no_answer_is_an_adapter_error(answer, said, tmp_path):
    cell = asked_of(other_program(tmp_path, answer))
    assert cell.verdict == "adapter error"
    assert said in cell.reason


@pytest.mark.parametrize("size", [10**8, 2**30])
def test_a_line_without_end_is_an_adapter_error(size, tmp_path):
    command = other_program(tmp_path, f"b'x' * {size}")
    with Worker(command) as worker, pytest.raises(WorkerFailure) as caught:
        worker.ask(BEFORE)
    assert caught.value.kind == "adapter error"
    assert dies(worker.process.pid)


def test_a_trace_that_ends_early_never_conforms(tmp_path):
    cell = asked_of(other_program(tmp_path, 'b\'{"id": 1, "trace": []}\''))
    assert cell.verdict == "differs"
    assert "the trace ends before it" in cell.reason


@pytest.mark.parametrize(
    "header",
    [
        "{}",
        "hello",
        '{"header": true}',
        '{"schema": 2, "header": true, "versions": {}}',
        '{"footer": true, "answered": 0}',
        '{"schema": 1, "header": true, "error": "no"}',
    ],
)
def test_a_worker_that_does_not_introduce_itself_is_an_adapter_error(header, tmp_path):
    assert asked_of(other_program(tmp_path, "b'{}'", header)).verdict == "adapter error"


def test_a_worker_that_ends_at_once_crashed(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such library >&2\nexit 7\n", "utf-8")
    python.chmod(0o700)
    cells = [asked_of(Command(python, "no adapter", {})) for _ in range(8)]
    assert set(verdicts(cells)) == {"crashed"}
    assert {cell.reason for cell in cells} == {
        "The process ended with status 7. It last printed: 'no such library'."
    }


# What a worker can import.

WHO_IS_IMPORTED = """
import sys
import numpy

def versions():
    return {"numpy": numpy.__file__, "path": "\\n".join(sys.path)}
"""


def test_files_named_like_a_framework_do_not_shadow_it(tmp_path):
    package = tmp_path / "adapters"
    shutil.copytree(Path(adapters.__file__).parent, package)
    for folder in (package, tmp_path):
        for name in ("numpy", "torch"):
            (folder / f"{name}.py").write_text("raise ImportError('the wrong one')\n", "utf-8")
    beside = tmp_path / "adapter.py"
    beside.write_text(WHO_IS_IMPORTED, "utf-8")
    done = subprocess.run(
        [sys.executable, package / SCRIPT.name, beside],
        cwd=tmp_path,
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[0])["versions"]
    assert said["numpy"] == np.__file__
    path = [Path(entry) for entry in said["path"].splitlines()]
    assert package not in path
    assert path[-2:] == [tmp_path, tmp_path]
