"""Arrays and messages as strict JSON, one per line. The version below names the format."""

import base64
import json
from typing import Any, Dict, TextIO

import numpy as np

SCHEMA = 1


def encode_array(array: Any) -> Dict[str, Any]:
    """Return the JSON form of an array: dtype name, shape, little-endian bytes in base64."""
    array = np.asarray(array)
    little = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", ndmin=array.ndim)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def decode_array(message: Any) -> Any:
    """Return the array of `encode_array`'s form.

    Raises ValueError, naming the fault, for a form that does not describe an array.
    """
    try:
        dtype = np.dtype(message["dtype"])
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
    return values.astype(dtype)


def is_array(value: Any) -> bool:
    """Tell whether a JSON value is the form `encode_array` makes."""
    return isinstance(value, dict) and set(value) == {"dtype", "shape", "data"}


def decode_arguments(arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Return a copy of a JSON object in which every array form has become an array."""
    return {
        name: decode_array(value) if is_array(value) else value for name, value in arguments.items()
    }


def write_line(stream: TextIO, message: Dict[str, Any]) -> None:
    """Write one message as one line of strict JSON and flush."""
    stream.write(json.dumps(message, allow_nan=False, sort_keys=True) + "\n")
    stream.flush()
