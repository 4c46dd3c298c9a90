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
    return {
        field.name: value_to_json(getattr(layer, field.name))
        for field in fields(layer)
        if getattr(layer, field.name) is not ABSENT
    }


def step_to_json(step: Step) -> Json:
    """Return a step's name under `step`, and all its arguments."""
    arguments = {field.name: value_to_json(getattr(step, field.name)) for field in fields(step)}
    return {"step": type(step).__name__, **arguments}


def scenario_to_json(scenario: Scenario) -> Json:
    """Return what a worker needs to perform a scenario: its layer and its steps."""
    return {
        "name": scenario.name,
        "layer": layer_to_json(scenario.layer),
        "steps": [step_to_json(step) for step in scenario.steps],
    }
