"""Scenarios as JSON: the one form workers, results and reports share.

Importing this module teaches NumPy bfloat16, for the process that judges; see adapters/wire.py.
"""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

import ml_dtypes  # noqa: F401 - registers bfloat16 with NumPy
import numpy as np

from adapters.wire import SCHEMA, decode_array, encode_array
from suites.vocabulary import ABSENT, Layer, Scenario, Step, Tensor

__all__ = [
    "SCHEMA",
    "array_of",
    "decode_array",
    "layer_to_json",
    "scenario_to_json",
    "step_to_json",
]

Json = dict[str, Any]


def array_of(tensor: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a tensor's exact values in its own dtype and shape."""
    return np.array(tensor.values, dtype=tensor.dtype).reshape(tensor.shape)


def value_to_json(value: object) -> object:
    """Return the JSON form of one field of a layer or step."""
    if isinstance(value, Tensor):
        return encode_array(array_of(value))
    if isinstance(value, Enum):
        return value.value
    return value


def layer_to_json(layer: Layer) -> Json:
    """Return a layer's arguments; those the user did not write are left out."""
    return arguments_to_json(layer)


def step_to_json(step: Step) -> Json:
    """Return a step's name under `step`, and all its arguments.

    Those that most scenarios leave absent are written under `further`, where there are any.
    """
    said = arguments_to_json(step)
    optional = {field.name for field in fields(step) if field.default is ABSENT}
    further = {name: said.pop(name) for name in optional & set(said)}
    return {"step": type(step).__name__, **said, **({"further": further} if further else {})}


def arguments_to_json(said: Layer | Step) -> Json:
    """Return what a layer or step says; what the user did not write is left out."""
    return {
        field.name: value_to_json(getattr(said, field.name))
        for field in fields(said)
        if getattr(said, field.name) is not ABSENT
    }


def scenario_to_json(scenario: Scenario) -> Json:
    """Return what a worker needs to perform a scenario: its layer and its steps."""
    return {
        "name": scenario.name,
        "layer": layer_to_json(scenario.layer),
        "steps": [step_to_json(step) for step in scenario.steps],
    }
