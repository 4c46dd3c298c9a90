"""The standalone reproductions behind the known issues still show what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from harness.known import issues

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reproductions"
ALL_IN_ONE_IMPORT = "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path)"
MENTIONED = re.compile(r"docs/reproductions/\w+\.py")


def test_every_reproduction_named_by_a_known_issue_exists():
    named = {found for issue in issues() for found in MENTIONED.findall(issue.note)}
    assert named == {f"docs/reproductions/{path.name}" for path in FOLDER.glob("*.py")}


def test_every_reproduction_observes_otherwise_than_expected():
    scripts = sorted(FOLDER.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", ALL_IN_ONE_IMPORT, *scripts],
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = re.findall(r"expected: (.*)", done.stdout)
    observed = re.findall(r"observed: (.*)", done.stdout)
    assert len(expected) == len(observed) == len(scripts)
    for script, wanted, seen in zip(scripts, expected, observed, strict=True):
        assert wanted != seen, f"{script.name} no longer shows what it says"
