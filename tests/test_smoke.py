"""`bnconform smoke` names what is wrong with a first attempt, each mistake by its own sentence."""

from __future__ import annotations

import json
import re
import shutil
import time
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.complaint import Complaint
from harness.implementations import registered
from harness.outside import implementation
from harness.smoke import ASIDE, RIGHT, WRONG, Smoke
from harness.smoke_command import smoke
from tests.first_attempt.mistakes import FORWARD, MISTAKES, SEEN

ATTEMPT = Path(__file__).parent / "first_attempt"
FAKES = Path(__file__).parent / "fakes"
OWN_SECONDS = 1.5
"""Of computing, with a margin for a slower machine than the one on which it takes 0.4."""


@pytest.fixture
def attempt(tmp_path):
    """Write the adapter of a first afternoon, with replacements, beside what it drives."""

    def write(changes=(), name="tiny_bn.py"):
        shutil.copy(ATTEMPT / "tiny_framework.py", tmp_path)
        text = (ATTEMPT / "tiny_bn.py").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def lines_on(path, python=None):
    return list(Smoke(implementation(str(path), python)).lines())


def wrong(lines):
    return [line.text for line in lines if line.mark == WRONG]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_a_first_attempt_is_named(attempt, mistake):
    changes, pattern = MISTAKES[mistake]
    lines = lines_on(attempt(changes))
    assert any(re.search(pattern, text) for text in wrong(lines)), lines


def test_every_mistake_has_a_sentence_of_its_own(attempt):
    right = [line.text for line in lines_on(attempt())]
    for mistake, (_, pattern) in MISTAKES.items():
        assert not any(re.search(pattern, text) for text in right), mistake
    assert len({pattern for _, pattern in MISTAKES.values()}) == len(MISTAKES)


@pytest.mark.parametrize("style", ["argument_style", "switch_style", "deferred_style"])
def test_an_adapter_without_a_mistake_is_fit_to_run(style):
    lines = lines_on(FAKES / f"{style}.py")
    assert wrong(lines) == []
    assert lines[-1].text.startswith("Conventions of BatchNorm explain all values of")


def test_pytorchs_own_adapter_is_fit_to_run():
    torch = registered()["torch"]
    assert wrong(Smoke(torch).lines()) == []


def test_a_first_attempt_is_fit_to_run_long_before_it_is_complete(attempt):
    lines = lines_on(attempt())
    assert wrong(lines) == []
    (absent, *_) = [line.text for line in lines if line.mark == ASIDE]
    assert absent.startswith("Not written: `call_twice`, `enclose`, `fit`, `evaluate`, `predict`")


def test_nothing_is_looked_at_after_a_check_that_failed(attempt):
    lines = lines_on(attempt([(SEEN, '        seen = {"y": output}\n')]))
    assert [line.mark for line in lines].index(WRONG) == len(lines) - 1
    assert all(line.mark != WRONG for line in lines[:-1])


def test_a_convention_that_exists_is_no_mistake_but_is_pointed_out(attempt):
    still_learns = ("            if not self.bn.frozen:\n", "            if True:\n")
    lines = lines_on(attempt([still_learns, ("0 if self.bn.frozen else 2", "2")]))
    assert wrong(lines) == []
    assert any("trainable-false-parameters ‘still learn’" in line.text for line in lines)


def test_what_an_adapter_prints_disturbs_nothing(attempt):
    lines = lines_on(attempt([(FORWARD, f'            print("hello")\n{FORWARD}')]))
    assert wrong(lines) == []
    assert lines[-1].text == "What is printed ('hello', say) disturbs nothing."


def test_an_adapter_that_never_answers_is_given_up(attempt, monkeypatch):
    monkeypatch.setattr("harness.smoke.SECONDS_TO_ANSWER", 1.0)
    lines = lines_on(attempt([(FORWARD, f"            import time; time.sleep(60)\n{FORWARD}")]))
    assert wrong(lines) == [
        "Asking for a plain layer ended the adapter's process. No answer came within 1 s."
    ]


def test_our_own_part_takes_less_than_a_second(attempt):
    path = attempt()
    lines_on(path)
    before = time.process_time()
    lines_on(path)
    assert time.process_time() - before < OWN_SECONDS


# The command.


def run(*arguments):
    return CliRunner().invoke(smoke, [str(each) for each in arguments], standalone_mode=False)


def test_the_command_ends_with_what_to_do_next(attempt):
    path = attempt()
    done = run("--adapter", path)
    assert done.return_value == 0
    assert done.output.splitlines()[-1] == (
        f"tiny_bn.py is fit to run: bnconform run --adapter {path}"
    )


def test_the_command_fails_where_something_is_wrong(attempt):
    done = run("--adapter", attempt(MISTAKES["no versions"][0]))
    assert done.return_value == 1
    assert done.output.splitlines()[-1] == "tiny_bn.py is not fit to run yet."


def test_the_command_tells_the_same_as_json(attempt):
    path = attempt(MISTAKES["no versions"][0])
    told = json.loads(run("--adapter", path, "--json").output)
    assert (told["adapter"], told["fit"]) == ("tiny_bn.py", False)
    assert [line["mark"] for line in told["lines"]] == [RIGHT, WRONG]
    assert told["lines"] == [vars(line) for line in lines_on(path)]


def test_an_adapter_that_is_not_there_is_a_misuse(tmp_path):
    with pytest.raises(Complaint, match=r"There is no adapter .*nothing\.py\."):
        smoke.main(["--adapter", str(tmp_path / "nothing.py")], standalone_mode=False)


def test_a_python_without_numpy_is_told_so(attempt, tmp_path):
    home = tmp_path / "bare"
    venv.create(home, with_pip=False)
    (fault,) = wrong(lines_on(attempt(), str(home)))
    assert fault.startswith(f"{home / 'bin' / 'python'} has no NumPy (No module named 'numpy')")
    assert fault.endswith("Install numpy into it.")


def test_an_adapter_in_a_module_is_looked_at_like_one_in_a_file(attempt, monkeypatch):
    path = attempt([("self.bn.train(VALUES_OF_TRAINING[training])", "self.bn.train(VALUES)")])
    monkeypatch.setenv("PYTHONPATH", str(path.parent))
    (fault,) = wrong(lines_on("tiny_bn"))
    assert fault.startswith("tiny_bn.py:")
    assert fault.endswith("raised NameError: name 'VALUES' is not defined.")
