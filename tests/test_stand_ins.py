"""Stand-ins for CUDA's libraries let a module be imported that only wants them to be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import stand_ins
from harness.install import Unavailable
from harness.stand_ins import make_importable

MODULE = r"""
#include <Python.h>
extern int cudaOnlyOne(void);
extern int cublasNoVersion(void);
static PyObject *call(PyObject *self, PyObject *none)
{ return PyLong_FromLong(cudaOnlyOne() + 1000 * cublasNoVersion()); }
static PyMethodDef methods[] = {{"call", call, METH_NOARGS, ""}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "lonely", "", -1, methods};
PyMODINIT_FUNC PyInit_lonely(void) { return PyModule_Create(&definition); }
"""
pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform != "linux",
    reason="Stand-ins are made with a C compiler on Linux.",
)


def compiled(folder, source, name, *options):
    """Compile a shared object."""
    include = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    command = ["cc", "-shared", "-fPIC", f"-I{include}", "-x", "c", "-", "-o", str(folder / name)]
    subprocess.run([*command, "-x", "none", *options], input=source, text=True, check=True)
    return folder / name


@pytest.fixture
def environment(tmp_path):
    """An environment with a module whose two libraries of CUDA are not there any more."""
    site = tmp_path / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    package, gone = site / "lonely", tmp_path / "gone"
    (package / "lib").mkdir(parents=True)
    gone.mkdir()
    (gone / "map").write_text("libcuda_little.so.1 { global: cudaOnlyOne; };\n")
    versioned = "int cudaOnlyOne(void) { return 0; }\n"
    script = f"-Wl,--version-script={gone / 'map'}"
    one = compiled(gone, versioned, "libcudalittle.so.1", script, "-Wl,-soname,libcudalittle.so.1")
    plain = "int cublasNoVersion(void) { return 0; }\n"
    two = compiled(gone, plain, "libcublasbig.so.2", "-Wl,-soname,libcublasbig.so.2")
    compiled(package, MODULE, "lonely.so", "-Wl,--no-as-needed", str(one), str(two))
    (package / "__init__.py").write_text("from .lonely import call\n")
    shutil.rmtree(gone)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    paths = os.pathsep.join([str(site), *filter(None, sys.path)])
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{paths}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(0o700)
    return tmp_path


def test_a_module_that_lacks_libraries_of_cuda_gets_stand_ins_that_see_no_device(environment):
    python = environment / "bin" / "python"
    made = make_importable(python, "lonely", environment)
    assert sorted(made) == ["libcublasbig.so.2", "libcudalittle.so.1"]
    variables = {**os.environ, **stand_ins.variables(environment, {})}
    ask = [python, "-c", "import lonely; print(lonely.call())"]
    done = subprocess.run(ask, env=variables, capture_output=True, check=True, text=True)
    assert int(done.stdout) == stand_ins.NO_DEVICE * 1001


def test_a_module_that_lacks_nothing_gets_none():
    python = Path(sys.executable)
    assert make_importable(python, "json", python.parent) == []


def test_a_module_that_fails_otherwise_is_told_with_its_own_words():
    python = Path(sys.executable)
    with pytest.raises(Unavailable, match=r"no_such was installed but cannot be imported: .*named"):
        make_importable(python, "no_such", python.parent)


def test_without_a_compiler_the_user_is_told_of_both_ways_out(environment, monkeypatch):
    monkeypatch.setattr(stand_ins.shutil, "which", lambda _: None)
    with pytest.raises(Unavailable, match=r"Install a C compiler.*BNCONFORM_CUDA=install"):
        make_importable(environment / "bin" / "python", "lonely", environment)


def test_an_environment_without_stand_ins_changes_no_variable(tmp_path):
    assert stand_ins.variables(tmp_path, {"LD_LIBRARY_PATH": "/somewhere"}) == {}
