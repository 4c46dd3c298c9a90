"""A key changes with everything that decides an answer, and with nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from harness import trace_key
from harness.adapter_sources import ROOT, Unknown, digests_of
from harness.implementations import registered
from harness.install import Unavailable
from harness.interpreters import find_interpreter
from harness.trace_environment import installed, keras_settings
from harness.trace_key import TraceKeys, answers, once
from harness.workers import Command
from suites.catalogue import SCENARIOS
from suites.vocabulary import Call, Layer, Scenario, Tensor

THERE = Path(sys.executable)
TORCH = Command(THERE, "adapters.pytorch", {})
X = Tensor("float32", (2, 1), (0.0, 1.0))
SCENARIO = Scenario(
    "name", "suite", "Does it?", Layer(1, rank=2, decay=0.75), (Call(X),), (), (), (), ()
)


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    """None of the user's settings."""
    for name in list(os.environ):
        if name.startswith(("PYTHON", "KERAS_", "TF_", "OMP_", "BNCONFORM_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BNCONFORM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    """A project of which the adapters are a copy to change."""
    shutil.copytree(ROOT / "adapters", tmp_path / "project" / "adapters")
    return tmp_path / "project"


@pytest.fixture
def still(monkeypatch):
    """An environment that need not be looked at, since it stays as it is."""
    monkeypatch.setattr(trace_key, "installed", lambda *_: {})


def key_of(command=TORCH, scenario=SCENARIO, **about):
    keys = TraceKeys(command, about.pop("environment", {}), **about)
    assert keys.obstacle is None, keys.obstacle
    return keys.of(scenario)


def obstacle_of(command, **about):
    keys = TraceKeys(command, {}, **about)
    assert keys.of(SCENARIO) is None
    return keys.obstacle


# --- the question -------------------------------------------------------------------------------


@pytest.mark.usefixtures("still")
def test_every_scenario_has_a_key_of_its_own():
    keys = TraceKeys(TORCH, {})
    assert len({keys.of(scenario) for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(
    "other",
    [
        replace(SCENARIO, repeats=2),
        replace(SCENARIO, layer=replace(SCENARIO.layer, decay=0.5)),
        replace(SCENARIO, layer=replace(SCENARIO.layer, epsilon=0.5)),
        replace(SCENARIO, steps=(*SCENARIO.steps, Call(X))),
        replace(SCENARIO, steps=(Call(replace(X, values=(-0.0, 1.0))),)),
        replace(SCENARIO, steps=(Call(replace(X, dtype="float64")),)),
    ],
)
def test_a_changed_question_is_another_key_under_the_same_circumstances(other):
    keys = TraceKeys(TORCH, {})
    before, after = keys.of(SCENARIO), keys.of(other)
    assert before != after
    assert before.partition("-")[0] == after.partition("-")[0] == keys.circumstances
    assert answers(before, SCENARIO)
    assert answers(after, other)
    assert not answers(before, other)


@pytest.mark.usefixtures("still")
def test_what_the_worker_is_not_told_changes_nothing():
    other = replace(SCENARIO, suite="other", question="Really?", clauses=("BN-1",), about=("dx",))
    keys = TraceKeys(TORCH, {})
    assert keys.of(other) == keys.of(SCENARIO)


def test_an_answer_that_may_not_be_reused_gets_a_key_that_tells_its_question():
    assert once(SCENARIO) != once(SCENARIO)
    assert answers(once(SCENARIO), SCENARIO)
    assert not answers(once(SCENARIO), replace(SCENARIO, repeats=2))


def test_another_process_finds_the_same_key():
    code = """
from pathlib import Path
import sys
from harness.trace_key import TraceKeys
from harness.workers import Command
from tests.test_trace_key import SCENARIO
print(TraceKeys(Command(Path(sys.executable), "adapters.pytorch", {}), {}).of(SCENARIO))
"""
    run = [sys.executable, "-c", code]
    assert subprocess.check_output(run, cwd=ROOT, text=True).strip() == key_of()


# --- the files a worker executes ----------------------------------------------------------------

AT_LEAST = {"adapters", "adapters.worker", "adapters.wire", "adapters.answers"}


@pytest.fixture
def always(tmp_path):
    """What every worker executes, by its name, beside its adapter."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "nothing.py").touch()
    found = modules(str(tmp_path / "empty" / "nothing.py")) - {"nothing"}
    assert found >= AT_LEAST
    return found


def modules(adapter, root=ROOT):
    return {label.partition(":")[2] for label in digests_of(adapter, isolated=False, root=root)}


def test_the_files_of_an_adapter_are_it_and_what_it_imports():
    torch, keras = modules("adapters.pytorch"), modules("adapters.keras_layers")
    assert torch >= AT_LEAST | {"adapters.pytorch"}
    assert keras >= AT_LEAST | {"adapters.keras_layers", "adapters.keras_on_torch"}
    assert "adapters.contrib" not in torch | keras
    assert "adapters.pytorch" not in keras


@pytest.mark.parametrize("adapter", sorted({each.adapter for each in registered().values()}))
def test_every_adapter_has_a_change_of_its_own_seen_and_that_of_another_not(adapter, root):
    own = adapter.rpartition(".")[2]
    needed = modules(adapter, root)
    before = digests_of(adapter, isolated=False, root=root)
    for file in sorted((root / "adapters").glob("*.py")):
        text = file.read_bytes()
        file.write_bytes(text + b"\n# changed\n")
        name = "adapters" if file.stem == "__init__" else f"adapters.{file.stem}"
        seen = digests_of(adapter, isolated=False, root=root) != before
        assert seen == (name in needed), f"{own} and {file.name}"
        file.write_bytes(text)


def test_a_change_of_the_wire_is_another_key_and_one_of_another_adapter_is_not(root):
    before = key_of(root=root)
    assert before == key_of(), "the key depends on where the project lies"
    with (root / "adapters" / "contrib.py").open("a") as file:
        file.write("# changed\n")
    assert key_of(root=root) == before
    with (root / "adapters" / "wire.py").open("a") as file:
        file.write("# changed\n")
    assert key_of(root=root) != before


def write(folder, **texts):
    for name, text in texts.items():
        file = folder / f"{name.replace('__in__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


FOLLOWED = {
    "import": ("import helper", {"helper"}),
    "dotted import": ("import package.inner", {"package", "package.inner"}),
    "import from": ("from package import inner", {"package", "package.inner"}),
    "a name of a module": ("from helper import name", {"helper"}),
    "indirect": ("import indirect", {"indirect", "helper"}),
    "circular": ("import circular", {"circular", "my_adapter"}),
    "relative": ("import package.sibling", {"package", "package.sibling", "package.inner"}),
    "from the package around": (
        "import package.deep.down",
        {"package", "package.deep", "package.deep.down", "package.inner"},
    ),
    "in a function": ("def later():\n    import helper", {"helper"}),
    "in a try": ("try:\n    import helper\nexcept ImportError:\n    pass", {"helper"}),
    "by a literal name": ("import importlib\nimportlib.import_module('helper')", {"helper"}),
    "the project's": ("from tests.fakes import fault", {"tests", "tests.fakes", "tests.fakes.fa"}),
    "nothing": ("import numpy, os.path", set()),
}


@pytest.mark.parametrize(("text", "expected"), FOLLOWED.values(), ids=FOLLOWED)
def test_imports_are_followed_into_the_folder_of_an_adapter_from_outside(
    tmp_path, always, text, expected
):
    folder = tmp_path / "mine"
    write(
        folder,
        my_adapter=text,
        helper="name = 1",
        indirect="import helper",
        circular="import my_adapter",
        unused="",
        package__in____init__="",
        package__in__inner="",
        package__in__sibling="from . import inner",
        package__in__deep__in____init__="",
        package__in__deep__in__down="from ..inner import name\nfrom .... import nothing",
    )
    write(tmp_path / "project", tests__in____init__="", tests__in__fakes__in____init__="")
    write(tmp_path / "project", tests__in__fakes__in__fa="")
    shutil.copytree(ROOT / "adapters", tmp_path / "project" / "adapters")
    text = text.replace("import fault", "import fa")
    (folder / "my_adapter.py").write_text(text)
    found = modules(str(folder / "my_adapter.py"), tmp_path / "project")
    assert found == always | {"my_adapter"} | expected


@pytest.mark.parametrize(
    "text",
    [
        "import importlib, sys\nimportlib.import_module('.'.join(sys.argv))",
        "__import__(input())",
        "from importlib import import_module\nimport_module('.helper', __package__)",
        "from helper import *",
        "import runpy\nrunpy.run_path('helper.py')",
    ],
)
def test_what_is_imported_by_a_name_nobody_can_read_is_all_of_the_folder(tmp_path, always, text):
    write(tmp_path / "mine", my_adapter=text, helper="", another="import runpy")
    found = modules(str(tmp_path / "mine" / "my_adapter.py"))
    assert found == always | {"my_adapter", "helper", "another"}


def test_a_compiled_module_counts_with_its_bytes(tmp_path):
    write(tmp_path, my_adapter="import fast")
    built = tmp_path / "fast.cpython-311-x86_64-linux-gnu.so"
    built.write_bytes(b"one")
    command = Command(THERE, str(tmp_path / "my_adapter.py"), {})
    before = key_of(command)
    built.write_bytes(b"two")
    assert key_of(command) != before


def test_an_adapter_that_cannot_be_compiled_has_a_key_that_its_repair_changes(tmp_path):
    write(tmp_path, my_adapter="def broken(")
    command = Command(THERE, str(tmp_path / "my_adapter.py"), {})
    before = key_of(command)
    write(tmp_path, my_adapter="def broken(): pass")
    assert key_of(command) != before


@pytest.mark.parametrize(
    "adapter", ["/nowhere/my_adapter.py", "adapters.nowhere", "nowhere.at_all"]
)
def test_an_adapter_that_is_not_there_has_no_key(adapter):
    assert "nowhere" in obstacle_of(Command(THERE, adapter, {}))


def test_an_adapter_in_a_package_from_outside_is_read_and_not_imported(
    tmp_path, always, monkeypatch
):
    write(tmp_path, their_package__in____init__="1 / 0", their_package__in__bn="import unrelated")
    write(tmp_path, unrelated="")
    monkeypatch.syspath_prepend(tmp_path)
    found = modules("their_package.bn")
    assert found == always | {"their_package", "their_package.bn"}
    with pytest.raises(Unknown, match=r"their_package\.bn is not known"):
        digests_of("their_package.bn", isolated=True)


def test_of_an_installed_project_only_its_own_packages_are_followed(tmp_path, always):
    root = tmp_path / "site-packages"
    shutil.copytree(ROOT / "adapters", root / "adapters")
    write(root, torch__in____init__="", numpy__in____init__="")
    torch = {"adapters.pytorch", "adapters.torch_memory"}
    assert modules("adapters.pytorch", root) == always | torch
    write(root, my_adapter="import torch, helper", helper="")
    assert modules(str(root / "my_adapter.py"), root) == always | {"my_adapter"}


# --- the environment ----------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path):
    """An environment with one distribution, made as bnconform makes them: where it keeps them."""
    return environment_at(tmp_path / "cache" / "environments" / "tiny-1234")


def environment_at(home):
    venv.create(home, symlinks=True)
    put(home, RECORD="tiny.py,sha256=aaaa,3\ntiny-1.0.dist-info/RECORD,,\n../../bin/x,sha256=b,1\n")
    return home


def put(home, name="tiny-1.0", **files):
    (folder,) = home.glob("lib/python*/site-packages")
    about = folder / f"{name}.dist-info"
    about.mkdir(exist_ok=True)
    for file, text in files.items():
        (about / file.replace("_json", ".json")).write_text(text)
    return about


def of(home, **changes):
    return Command(home / "bin" / "python", "adapters.pytorch", {}, **{"isolated": True, **changes})


def test_what_is_installed_is_known(environment):
    found = installed(of(environment))
    assert [(each["name"], each["version"]) for each in found["packages"]] == [("tiny", "1.0")]
    assert found["python"] == sys.version.split()[0]
    names = {each["name"] for each in installed(TORCH)["packages"]}
    assert {"torch", "numpy", "tensorflow"} <= names
    assert "bnconform" not in names


def test_another_package_version_or_build_is_another_key(environment):
    keys = [key_of(of(environment))]
    put(environment, RECORD="tiny.py,sha256=another-build,3\n")
    keys.append(key_of(of(environment)))
    put(environment, "more_things-1.0", RECORD="")
    keys.append(key_of(of(environment)))
    put(environment, "more_things-1.0").rename(
        put(environment).with_name("more_things-1.1.dist-info")
    )
    keys.append(key_of(of(environment)))
    assert len(set(keys)) == 4


def test_the_same_packages_elsewhere_have_the_same_key(environment, tmp_path, monkeypatch):
    other = environment_at(tmp_path / "cache" / "environments" / "tiny-5678")
    put(other, RECORD="tiny.py,sha256=aaaa,3\ntiny.pyc,,\n../../bin/x,sha256=other,1\n")
    variables = {"LD_LIBRARY_PATH": "{}/stand-ins"}
    found = []
    for home in (environment, other):
        monkeypatch.setenv("LD_LIBRARY_PATH", variables["LD_LIBRARY_PATH"].format(home))
        found.append(key_of(of(home)))
    assert found[0] == found[1]


def test_a_package_installed_again_is_another_key_where_the_user_keeps_the_environment(
    environment, tmp_path
):
    for home, seen in ((environment, False), (environment_at(tmp_path / "mine"), True)):
        before = key_of(of(home))
        assert key_of(of(home)) == before
        os.utime(put(home) / "RECORD", ns=(1, 1))
        assert (key_of(of(home)) != before) == seen


def origin(*, editable):
    return json.dumps({"url": "file:///home/me/tiny", "dir_info": {"editable": editable}})


def test_a_package_that_is_being_developed_leaves_no_key(environment):
    put(environment, direct_url_json=origin(editable=True))
    assert "tiny is installed in editable form" in obstacle_of(of(environment))
    put(environment, direct_url_json=origin(editable=False))
    assert key_of(of(environment))
    put(environment, direct_url_json="[nonsense")
    assert obstacle_of(of(environment))


def test_bnconform_itself_may_be_developed(environment):
    before = key_of(of(environment))
    put(environment, "bnconform-0.1.0", direct_url_json=origin(editable=True), RECORD="")
    assert key_of(of(environment)) == before


def test_a_folder_that_anyone_may_change_leaves_no_key(environment, tmp_path, monkeypatch):
    folder = tmp_path / "pytorch-checkout"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert str(folder) in obstacle_of(of(environment, isolated=False))
    assert key_of(of(environment)), "an isolated worker does not see it"
    put(environment).with_name("checkout.pth").write_text(f"{folder}\n")
    assert str(folder) in obstacle_of(of(environment))


def test_the_project_may_be_on_the_path(environment, monkeypatch):
    before = key_of(of(environment))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert key_of(of(environment, isolated=False)) == before


def test_an_old_distribution_without_a_record_is_known_by_its_time_of_change(environment):
    before = key_of(of(environment))
    (folder,) = environment.glob("lib/python*/site-packages")
    old = folder / "ancient-0.1-py3.egg-info"
    old.write_text("Name: ancient\n")
    keys = [before, key_of(of(environment))]
    os.utime(old, ns=(1, 1))
    keys.append(key_of(of(environment)))
    assert len(set(keys)) == 3


def test_what_conda_installed_counts(environment):
    before = key_of(of(environment))
    (environment / "conda-meta").mkdir()
    (environment / "conda-meta" / "mkl-2024.0-0.json").touch()
    assert key_of(of(environment)) != before


@pytest.mark.parametrize(
    "does", ["exit 1", "true", "echo hello", 'echo \'{"schema": 1, "header": true}\'', "echo []"]
)
def test_a_python_that_does_not_say_what_it_is_leaves_no_key(tmp_path, does):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{does}\n")
    python.chmod(0o755)
    assert "did not say what it is" in obstacle_of(replace(TORCH, python=python))
    assert "did not say what it is" in obstacle_of(replace(TORCH, python=tmp_path / "nothing"))


def test_the_oldest_python_can_be_asked(monkeypatch):
    monkeypatch.undo()  # It is looked for at home.
    try:
        python = find_interpreter("3.6")
    except Unavailable as reason:
        pytest.skip(str(reason))
    told = installed(Command(python, "adapters.pytorch", {}, isolated=True))
    assert told["python"].startswith("3.6")


# --- variables, settings, processor, device -----------------------------------------------------


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(
    "name",
    ["TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND", "MKL_CBWR", "ATEN_CPU_CAPABILITY", "LD_PRELOAD"],
)
def test_a_variable_that_decides_is_another_key(name, monkeypatch):
    before = key_of()
    monkeypatch.setenv(name, "")
    unlike = key_of()
    monkeypatch.setenv(name, "0" if name != "LD_PRELOAD" else "libm.so.6")
    assert len({before, unlike, key_of()}) == 3


@pytest.mark.usefixtures("still")
def test_a_variable_that_does_not_decide_is_the_same_key(monkeypatch):
    before = key_of()
    monkeypatch.setenv("LANG", "tlh_KX")
    monkeypatch.setenv("BNCONFORM_TRACEBACK", "1")
    assert key_of() == before


@pytest.mark.usefixtures("still")
def test_the_variables_of_an_implementation_count(monkeypatch):
    before = key_of()
    assert key_of(replace(TORCH, variables={"ANYTHING": "1"})) != before
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    assert key_of() == before, "a worker gets one thread whatever is set outside"
    assert key_of(replace(TORCH, variables={"OMP_NUM_THREADS": "16"})) != before


@pytest.mark.usefixtures("still")
def test_the_device_and_the_processor_and_stand_ins_count(monkeypatch):
    keys = [key_of(), key_of(device="cuda"), key_of(environment={"stand_ins": ["libcuda.so.1"]})]
    monkeypatch.setattr(trace_key, "processor", lambda: {"flags": "fma"})
    assert len({*keys, key_of()}) == 4


@pytest.mark.usefixtures("still")
def test_what_keras_is_set_to_counts_but_not_that_it_wrote_its_defaults_down(tmp_path):
    before = key_of()
    settings = tmp_path / ".keras" / "keras.json"
    settings.parent.mkdir()
    defaults = {
        "floatx": "float32",
        "epsilon": 1e-07,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
        "nnx_enabled": False,
    }
    settings.write_text(json.dumps(defaults))
    assert key_of() == before
    settings.write_text(json.dumps({**defaults, "floatx": "float64"}))
    assert key_of() != before
    settings.write_text(json.dumps({**defaults, "epsilon": 0}))
    assert key_of() != before


def test_keras_may_have_its_settings_elsewhere(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    assert keras_settings({"KERAS_HOME": str(tmp_path)}) == {"floatx": "float16"}
    assert keras_settings({"KERAS_HOME": str(tmp_path / "nowhere")}) == {}
    (tmp_path / "keras.json").write_text("{cut off")
    assert keras_settings({"KERAS_HOME": str(tmp_path)}) == "{cut off"
