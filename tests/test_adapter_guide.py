"""The guide to adapters does what it says: its code runs, and what it quotes is what is printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from adapters.answers import VALUES_OF_TRAINING
from harness.environments import make_environment
from harness.interpreters import Interpreter, inspect_interpreter
from harness.smoke_form import STEPS
from harness.words import QUANTITIES
from suites.vocabulary import Layer

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
BNCONFORM = shutil.which("bnconform", path=Path(sys.executable).parent)
PACKAGES = ("mlx[cpu]==0.31.2", "numpy==2.4.6")
MOST_LINES = 65
SECONDS = 240

BLOCK = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks():
    """The guide's blocks in order: the file one goes into, its language, its text."""
    return [(found["file"], found["language"], found["text"]) for found in BLOCK.finditer(GUIDE)]


def patched(text, patch):
    """The text with a patch applied, each hunk of which must fit in one place."""
    for hunk in patch.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] or line for line in lines if line[0] != "+")
        new = "".join(line[1:] or line for line in lines if line[0] != "-")
        assert text.count(old) == 1, hunk
        text = text.replace(old, new)
    return text


def pattern_of(quoted):
    """A pattern of what is quoted: … alone is any lines, elsewhere any characters of one line."""
    lines = [
        r"(?:[^\n]*\n)*?" if line == "…" else re.escape(line).replace("…", r"[^\n]*") + r"\n"
        for line in quoted.splitlines()
    ]
    return "".join(lines)


def run(command, folder):
    words = shlex.split(command)
    program = {"bnconform": BNCONFORM}.get(words[0], folder / words[0])
    done = subprocess.run(
        [program, *words[1:]],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=SECONDS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def framework():
    """The environment that the guide makes with pip."""
    found = inspect_interpreter(Path(sys.executable))
    assert isinstance(found, Interpreter)
    return make_environment("adapter-guide", PACKAGES, found, lambda _: None).parent.parent


def test_the_guide_does_what_it_says(framework, tmp_path):
    (tmp_path / "framework").symlink_to(framework)
    current = None
    for file, language, text in blocks():
        if file is not None:
            current = tmp_path / file
            current.write_text(text, encoding="utf-8")
        elif language == "diff":
            current.write_text(patched(current.read_text(encoding="utf-8"), text), encoding="utf-8")
        elif language == "console":
            command, quoted = text.removeprefix("$ ").split("\n", 1)
            printed = run(command, tmp_path)
            assert re.fullmatch(pattern_of(quoted), printed), f"{command}\n{printed}"


def test_the_guide_installs_what_it_is_tested_with():
    name = PACKAGES[0]
    assert f'pip install "{name}" numpy' in GUIDE


def test_a_whole_adapter_fits_in_about_sixty_lines():
    *_, whole = [text for file, _, text in blocks() if file == "mlx_bn.py"]
    code = [line for line in whole.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= MOST_LINES


def rows(heading):
    """What the first column of the table under a heading holds, as code."""
    section = GUIDE.split(f"### {heading}\n")[1].split("\n#")[0]
    return [
        name for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for name in codes(row)
    ]


def codes(text):
    return re.findall(r"`([^`]*)`", text)


def test_the_guide_names_every_argument_of_a_layer():
    assert rows("The layer") == [each.name for each in fields(Layer)]


def test_the_guide_names_every_step_with_its_parameters():
    written = [f"{step}({', '.join(parameters)})" for step, parameters in STEPS.items()]
    assert rows("The steps") == [*written, "observe()", "close()"]


def test_the_guide_names_everything_that_can_be_shown():
    assert sorted(rows("What is shown")) == sorted(set(QUANTITIES) - {"refusal"})


def test_the_guide_names_every_value_of_training():
    assert codes(re.search(r"One of the texts (.*?)\.", GUIDE, re.DOTALL)[1]) == [
        "absent",
        *VALUES_OF_TRAINING,
    ]
