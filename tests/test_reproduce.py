"""`bnconform reproduce`: the scripts show what the suite saw, and stand on their own."""

from __future__ import annotations

import ast
import contextlib
import io
import subprocess
import sys
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from adapters.worker import run as perform
from harness import reproduce, undeclared
from harness.complaint import Complaint
from harness.environments import Unavailable, find_interpreter
from harness.implementations import Implementation, default, named
from harness.judge import check as judged_check
from harness.judge import judge
from harness.reproduce_command import reproduce as command
from harness.reproduction import checking
from harness.reproduction.checks import FUNCTIONS
from harness.reproduction.description import Subject, description
from harness.reproduction.expected import expectations
from harness.reproduction.expressions import Unwritable
from harness.reproduction.recording import recording
from harness.reproduction.script import script
from harness.respondent import parsed
from harness.verdict import verdict_on
from harness.wire import scenario_to_json
from reference.bounded import Bounded
from suites.catalogue import SCENARIOS, scenario_named
from tests.asking import declared
from tests.fakes.fault import CLEAN

CHOSEN = {
    "keras-tensorflow": (
        "training-gradients",
        "functional-model-with-explicit-false-in-fit",
        "layer-frozen-model-thawed",
    ),
    "tf-contrib": ("training-gradients", "updates-run-twice", "fit-in-batches"),
    "tf-slim": ("training-gradients", "updates-run-twice", "fit-in-batches"),
    "torch": ("second-order-in-training", "one-value-per-channel", "fit-in-batches"),
}
IMPORTABLE = {"keras", "tensorflow", "tf_slim", "torch", "numpy", *sys.stdlib_module_names}


@pytest.fixture(scope="module", params=default(), ids=lambda each: each.name)
def asked(request):
    """What an implementation's worker showed of three scenarios, started once."""
    implementation = request.param
    try:
        return reproduce.ask_all(
            [scenario_named(name) for name in CHOSEN[implementation.entry]], implementation
        )
    except Complaint as reason:
        pytest.skip(str(reason))
