"""Arrays and messages as strict JSON, one per line. The version below names the format.

NumPy has no bfloat16, so such an array travels as float32, which holds its values exactly, under
the dtype name "bfloat16". Adapters are handed float32 for it and answer with an array whose
framework taught NumPy the dtype, or with a `Bfloat16`.
"""

import base64
import json
from typing import Any, Dict, TextIO

import numpy as np

SCHEMA = 1
BFLOAT16 = "bfloat16"


class Bfloat16:
    """A bfloat16 array for a NumPy that has no such dtype: its values, widened to float32."""

    def __init__(self, widened: Any) -> None:
        self.widened = np.asarray(widened, dtype=np.float32)


def encode_array(array: Any) -> Dict[str, Any]:
    """Return the JSON form of an array: dtype name, shape, little-endian bytes in base64.

    Raises ValueError for a `Bfloat16` that holds more than bfloat16 can.
    """
    if isinstance(array, Bfloat16):
        array, name = array.widened, BFLOAT16
        expect_bfloat16(array)
    else:
        array = np.asarray(array)
        name = array.dtype.name
        if name == BFLOAT16:
            array = array.astype(np.float32)
    little = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", ndmin=array.ndim)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": name, "shape": list(array.shape), "data": data}


def decode_array(message: Any) -> Any:
    """Return the array of `encode_array`'s form, in the dtype it names.

    Raises ValueError, naming the fault, for a form that does not describe an array; and for
    bfloat16 where NumPy was not taught it, as `harness.wire` does for the process that judges.
    """
    array = decode_widened(message)
    if message["dtype"] != BFLOAT16:
        return array
    try:
        return array.astype(np.dtype(BFLOAT16))
    except TypeError as error:
        raise ValueError("NumPy knows no array of bfloat16 here: import ml_dtypes") from error


def decode_widened(message: Any) -> Any:
    """Return the array of `encode_array`'s form, in float32 where it is bfloat16.

    Raises ValueError, naming the fault, for a form that does not describe an array.
    """
    try:
        dtype = np.dtype("float32" if message["dtype"] == BFLOAT16 else message["dtype"])
        shape = tuple(int(size) for size in message["shape"])
        raw = base64.b64decode(message["data"].encode("ascii"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError("not an array on the wire: {!r}".format(error)) from error
    if dtype.kind not in "fiub":
        raise ValueError("an array on the wire must hold numbers, not {}".format(dtype))
    expected = dtype.itemsize
    for size in shape:
        expected *= size
    if min((*shape, 0)) < 0 or len(raw) != expected:
        raise ValueError(
            "{} bytes do not fill a {} array of shape {}".format(len(raw), dtype, shape)
        )
    values = np.frombuffer(raw, dtype=dtype.newbyteorder("<")).reshape(shape)
    if message["dtype"] == BFLOAT16:
        expect_bfloat16(values)
    return values.astype(dtype)


def expect_bfloat16(widened: Any) -> None:
    """Raise ValueError unless every float32 is the widened form of a bfloat16."""
    bits = np.array(widened, dtype=np.float32, order="C").view(np.uint32)
    if np.any(bits & 0xFFFF):
        raise ValueError("an array of bfloat16 holds digits that bfloat16 does not have")


def is_array(value: Any) -> bool:
    """Tell whether a JSON value is the form `encode_array` makes."""
    return isinstance(value, dict) and set(value) == {"dtype", "shape", "data"}


def decode_arguments(arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Return a copy of a JSON object in which every array form has become an array.

    These go to adapters, which are handed float32 for bfloat16.
    """
    return {
        name: decode_widened(value) if is_array(value) else value
        for name, value in arguments.items()
    }


def write_line(stream: TextIO, message: Dict[str, Any]) -> None:
    """Write one message as one line of strict JSON and flush."""
    stream.write(json.dumps(message, allow_nan=False, sort_keys=True) + "\n")
    stream.flush()
