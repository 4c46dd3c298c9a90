"""The action for CI does what it says, and the documents use it as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
GUIDE = (PROJECT / "docs" / "continuous-integration.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
GITHUB, GITLAB = map(yaml.safe_load, EXAMPLES)
(CHECK,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "check"]
REAL = f"""#!/bin/sh
exec '{sys.executable}' -c 'from harness.command_line import main; main()' "$@"
"""
SAYING = '#!/bin/sh\necho "## BatchNorm: $*"\nexit {}\n'


def step(folder, program, release, against="", fail="true"):
    """Run the step that checks as GitHub does; return its status, summary and outputs."""
    command = folder / ".venv" / "bin" / "bnconform"
    command.parent.mkdir(parents=True)
    command.write_text(program, "utf-8")
    command.chmod(0o700)
    summary, output = folder / "summary.md", folder / "output"
    environ = {
        **os.environ,
        "GITHUB_ACTION_PATH": str(folder),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(output),
        "RELEASE": release,
        "AGAINST": against,
        "FAIL": fail,
    }
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", CHECK["run"]]
    done = subprocess.run(bash, cwd=PROJECT, env=environ, check=False, capture_output=True)
    said = summary.read_text("utf-8") if summary.exists() else ""
    return done.returncode, said, output.read_text("utf-8") if output.exists() else ""


@pytest.mark.parametrize(
    ("status", "fail", "ends"),
    [(0, "true", 0), (1, "true", 1), (1, "false", 0), (2, "true", 2), (2, "false", 2)],
)
def test_a_change_fails_the_step_unless_it_is_only_to_be_told(status, fail, ends, tmp_path):
    code, summary, output = step(tmp_path, SAYING.format(status), "torch==2.15.0", fail=fail)
    assert code == ends
    assert summary == "## BatchNorm: check torch==2.15.0 --markdown\n"
    assert output == f"status={status}\n"


def test_what_to_compare_with_is_handed_on(tmp_path):
    _, summary, _ = step(tmp_path, SAYING.format(0), "torch", against="torch==2.13.0")
    assert summary == "## BatchNorm: check torch --against torch==2.13.0 --markdown\n"


def test_the_command_itself_understands_the_step(tmp_path):
    code, summary, output = step(tmp_path, REAL, "no-such-framework==1")
    assert (code, summary, output) == (2, "", "status=2\n")


def test_the_workflow_uses_the_action_as_it_is():
    (job,) = GITHUB["jobs"].values()
    (use,) = job["steps"]
    assert set(use["with"]) <= set(ACTION["inputs"])
    needed = {name for name, each in ACTION["inputs"].items() if each["required"]}
    assert needed <= set(use["with"])
    assert "schedule" in GITHUB[True]  # YAML takes the key `on` for a truth value.


def test_every_input_reaches_the_step():
    said = " ".join(str(value) for value in CHECK["env"].values())
    assert {name for name in ACTION["inputs"] if f"inputs.{name} " in f"{said} "} == set(
        ACTION["inputs"]
    )


def test_the_job_for_gitlab_checks_a_package():
    (job,) = GITLAB.values()
    assert any("bnconform check torch --markdown" in line for line in job["script"])
