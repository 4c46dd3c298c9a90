"""The adapters' own rules: what they may import, where they compile, what they send."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adapters.answers import NotExpressible, Refused, framework_call, only, training_keyword
from adapters.wire import decode_arguments, decode_array, encode_array
from harness.environments import Unavailable, find_interpreter
from suites.vocabulary import Training

FOLDER = Path(__file__).parent.parent / "adapters"
FILES = sorted(FOLDER.glob("*.py"))
FRAMEWORKS = {
    "contrib": {"tensorflow", "tf_slim"},
    "keras3": {"keras", "tensorflow"},
    "pytorch": {"torch"},
}
COMPILE = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def oldest_python():
    try:
        return find_interpreter("3.6")
    except Unavailable as reason:
        sys.stdout.write(f"Only the grammar is checked, with this Python's parser: {reason}\n")
        return None


@every_file
def test_adapter_compiles_on_cpython_3_6(path, oldest_python, tmp_path):
    if oldest_python is None:
        ast.parse(path.read_text(encoding="utf-8"), path.name, feature_version=(3, 6))
        return
    command = [oldest_python, "-c", COMPILE, path, tmp_path / "compiled"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import does not work in an adapter given as a file"
            yield node.module


@every_file
def test_adapter_imports_only_numpy_and_its_own_framework(path):
    roots = {name.split(".")[0] for name in imported_by(path)}
    ours = {"adapters", "numpy"} | FRAMEWORKS.get(path.stem, set())
    assert roots - ours - set(sys.stdlib_module_names) == set()


@every_file
def test_no_adapter_is_named_like_a_module_that_a_framework_may_import(path):
    frameworks = set().union(*FRAMEWORKS.values())
    assert path.stem not in frameworks | set(sys.stdlib_module_names)


def test_only_lets_supported_arguments_pass():
    only({"channels", "rank"}, {"channels": 2}, "a framework")


def test_only_names_the_argument_and_the_framework_that_lacks_it():
    with pytest.raises(NotExpressible, match=re.escape("torch has no argument for `fused`.")):
        only({"channels"}, {"channels": 2, "fused": None}, "torch")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (Training.ABSENT, "{}"),
        (Training.NONE, "{'training': None}"),
        (Training.FALSE, "{'training': False}"),
        (Training.ZERO, "{'training': 0}"),
        (Training.TRUE, "{'training': True}"),
        (Training.ONE, "{'training': 1}"),
    ],
)
def test_each_training_tag_becomes_the_value_written(tag, expected):
    assert repr(training_keyword(tag.value)) == expected  # as text, for 0 == False


def test_training_keyword_takes_the_frameworks_name():
    assert training_keyword("True", "is_training") == {"is_training": True}


def test_an_exception_inside_the_framework_is_its_refusal():
    message = "no such momentum"
    with pytest.raises(Refused) as caught, framework_call():
        raise TypeError(message)
    assert (caught.value.type, caught.value.message) == ("TypeError", message)


def test_a_reason_given_inside_a_framework_call_stays_a_reason():
    reason = "cannot be said"
    with pytest.raises(NotExpressible), framework_call():
        raise NotExpressible(reason)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(1, 2, 3),
        np.array([0.1, -0.0, np.inf, np.nan, 5e-324]),
        np.array([1.5, -2.0], dtype=np.float16),
        np.array([[1, 2], [3, 4]], dtype=">f4"),
        np.arange(6.0).reshape(2, 3).T,
        np.float32(0.25),
        np.int64(-3),
        np.zeros((0, 2), dtype=np.float32),
        np.array([True, False]),
    ],
    ids=lambda array: f"{array.dtype.str}{list(array.shape)}",
)
def test_array_survives_the_wire_bit_for_bit(array):
    back = decode_array(encode_array(array))
    native = np.ascontiguousarray(array, dtype=np.asarray(array).dtype.newbyteorder("="))
    assert (back.dtype, back.shape) == (native.dtype, np.shape(array))
    assert back.tobytes() == native.tobytes()


def test_decoded_array_may_be_written():
    decode_array(encode_array(np.zeros(2)))[0] = 1.0


GOOD = encode_array(np.zeros(2, dtype=np.float32))


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {},
        {"dtype": "float32", "shape": [2]},
        {**GOOD, "dtype": "no such dtype"},
        {**GOOD, "dtype": None, "shape": [2]},
        {**GOOD, "dtype": "object"},
        {**GOOD, "dtype": "str"},
        {**GOOD, "shape": [3]},
        {**GOOD, "shape": [-1, -2]},
        {**GOOD, "shape": ["two"]},
        {**GOOD, "shape": None},
        {**GOOD, "data": None},
        {**GOOD, "data": "AAA"},
        {**GOOD, "data": "é"},
        {**GOOD, "data": GOOD["data"][:-4]},
    ],
    ids=repr,
)
def test_malformed_array_is_a_value_error(message):
    with pytest.raises(ValueError, match=r"array|bytes"):
        decode_array(message)


def test_only_array_forms_among_arguments_are_decoded():
    decoded = decode_arguments({"x": GOOD, "training": "absent", "dy": None})
    assert decoded["x"].tolist() == [0.0, 0.0]
    assert (decoded["training"], decoded["dy"]) == ("absent", None)
