"""The adapters' own rules: what they may import, where they compile, what they send."""

from __future__ import annotations

import ast
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from adapters.answers import NotExpressible, Refused, framework_call, only, training_keyword
from adapters.wire import Bfloat16, decode_arguments, decode_array, encode_array
from harness.environments import Unavailable, find_interpreter
from harness.implementations import named
from harness.respondent import Respondent
from harness.wire import value_to_json
from suites.inputs import RUNNING_MEAN, TRAINED, batch, of_dtype, weights
from suites.vocabulary import Build, Call, Scenario, Tensor, Training

FOLDER = Path(__file__).parent.parent / "adapters"
FILES = sorted(FOLDER.glob("*.py"))
FRAMEWORKS = {
    "contrib": {"tensorflow", "tf_slim"},
    "contrib_state": {"tensorflow", "tf_slim"},
    "keras_executions": {"keras", "tensorflow"},
    "keras_layers": {"keras", "tensorflow"},
    "keras_on_tensorflow": {"keras", "tensorflow"},
    "keras_on_torch": {"keras", "torch"},
    "keras_state": {"keras"},
    "pytorch": {"torch"},
    "torch_memory": {"torch"},
    "pytorch_state": {"torch"},
    "pytorch_executions": {"torch"},
    "pytorch_inference": {"torch"},
    "pytorch_onnx": {"onnx", "onnxruntime", "torch"},
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


BFLOAT16 = np.array([[1.5, -0.0, np.inf], [np.nan, 3e38, 1e-40]], dtype=ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    "array",
    [BFLOAT16, BFLOAT16.T, BFLOAT16[:0], BFLOAT16[0, 0], Bfloat16(BFLOAT16.astype(np.float32))],
    ids=["plain", "transposed", "empty", "a number", "marked"],
)
def test_bfloat16_survives_the_wire_bit_for_bit(array):
    sent = np.asarray(getattr(array, "widened", array)).astype(ml_dtypes.bfloat16)
    message = encode_array(array)
    assert message["dtype"] == "bfloat16"
    back = decode_array(message)
    assert (back.dtype.name, back.shape) == ("bfloat16", sent.shape)
    assert back.view(np.uint16).tolist() == sent.view(np.uint16).tolist()


def test_an_adapter_is_handed_float32_for_bfloat16():
    handed = decode_arguments({"x": encode_array(BFLOAT16)})["x"]
    assert handed.dtype == np.float32
    assert np.array_equal(handed, BFLOAT16.astype(np.float32), equal_nan=True)


def test_more_digits_than_bfloat16_has_are_a_value_error_wherever_they_come_from():
    with pytest.raises(ValueError, match="array of bfloat16 holds digits"):
        encode_array(Bfloat16([0.1]))
    with pytest.raises(ValueError, match="array of bfloat16 holds digits"):
        decode_array({**encode_array(np.array([0.1], dtype=np.float32)), "dtype": "bfloat16"})


def test_a_worker_without_ml_dtypes_reads_and_writes_bfloat16():
    program = (
        "import json, sys; from adapters.wire import *; message = json.loads(sys.argv[1]);"
        "values = decode_arguments({'x': message})['x'];"
        "assert 'ml_dtypes' not in sys.modules;"
        "assert encode_array(Bfloat16(values)) == message;"
        "decode_array(message)"
    )
    message = value_to_json(Tensor("bfloat16", (2,), (1.5, math.nan)))
    command = [sys.executable, "-c", program, str(message).replace("'", '"')]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, check=False, text=True)
    assert done.stderr.splitlines()[-1].startswith("ValueError: NumPy knows no array of bfloat16")


def test_a_nan_in_a_tensor_survives_the_wire():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        back = decode_array(value_to_json(Tensor(dtype, (3,), (1.0, math.nan, -2.0))))
        assert back.dtype.name == dtype
        assert np.array_equal(np.asarray(back, dtype=np.float64), [1, np.nan, -2], equal_nan=True)


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
        {**GOOD, "dtype": "bfloat16", "shape": [1]},
        {**GOOD, "dtype": ["bfloat16"]},
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


@pytest.fixture(scope="module", params=["keras-tensorflow", "torch"])
def framework(request):
    (implementation,) = named([request.param])
    with Respondent(implementation) as respondent:
        yield respondent


def shown(respondent, layer, *steps):
    """What a real framework shows after each of the steps."""
    scenario = Scenario("program", "adapters", "What?", layer, steps, (), (), (), ())
    answer = respondent.answer(scenario)
    assert answer.verdict is None, answer.reason
    assert [seen.refusal for seen in answer.traces[0]] == [None] * len(scenario.steps)
    return [seen.observed for seen in answer.traces[0]]


IMAGES = replace(TRAINED, rank=4, epsilon=0.25)
TRUE, FALSE = Training.TRUE, Training.FALSE


def given(key, dtype, make=batch):
    return make(f"adapters/{key}", 2, 4, dtype)


def moved(x, along, step):
    """`x` a step along a direction."""
    values = np.add(x.values, np.multiply(step, along))
    return replace(x, values=tuple(values.tolist()))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_seen_as_what_it_is(framework, dtype):
    x, dy, dx_weights = (
        given("x", dtype),
        given("dy", dtype, weights),
        given("dy 2", dtype, weights),
    )
    layer = of_dtype(IMAGES, dtype)
    built, called = shown(framework, layer, Build(), Call(x, TRUE, dy, dx_weights=dx_weights))
    assert built["running_mean"].astype(np.float64).tolist() == list(RUNNING_MEAN.values)
    counts = {"updates_counted", "trainable_parameters"}
    assert {called[name].dtype.name for name in set(called) - counts} == {dtype}
    assert {called[name].shape for name in ("output", "dx", "second_dx")} == {x.shape}


def test_second_gradient_is_zero_where_dx_does_not_depend_on_x(framework):
    x, dy = given("x", "float32"), given("dy", "float32", weights)
    (*_, called) = shown(framework, IMAGES, Call(x, FALSE, dy, dx_weights=dy))
    assert called["dx"].any()
    assert called["second_dx"].shape == x.shape
    assert not called["second_dx"].any()


def test_second_gradient_is_how_the_weighted_dx_changes(framework):
    x, dy = given("x", "float64"), given("dy", "float64", weights)
    # Weights that add up to nothing in each channel: TensorFlow's variance holds its mean constant
    # (tf.nn.moments), so with others its second gradient is not the derivative of its first.
    drawn = np.array(given("dy 2", "float64", weights).values).reshape(-1, 3)
    dx_weights = replace(dy, values=tuple((drawn - drawn.mean(axis=0)).ravel().tolist()))
    along, step = np.array(given("along", "float64", weights).values), 2.0**-12
    _, called, above, below = shown(
        framework,
        of_dtype(IMAGES, "float64"),
        Call(x, TRUE, dy, dx_weights=dx_weights),
        Call(moved(x, along, step), TRUE, dy),
        Call(moved(x, along, -step), TRUE, dy),
    )
    weighted = [np.dot(dx_weights.values, each["dx"].ravel()) for each in (above, below)]
    expected = (weighted[0] - weighted[1]) / (2 * step)
    assert np.dot(along, called["second_dx"].ravel()) == pytest.approx(expected, rel=1e-5)
