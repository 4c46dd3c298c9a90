"""The key of a stored answer: it stands for everything that decides what a worker answers.

A key has two halves, both SHA-256: the circumstances (the worker's and adapter's files, the
environment, its variables, the processor, the device) and the question (the scenario as it is
sent, and its repeats). Equal keys mean that the answer need not be asked for again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.adapter_sources import ROOT, Unknown, digests_of
from harness.trace_environment import (
    deciding_variables,
    digest,
    installed,
    keras_settings,
    processor,
)
from harness.wire import scenario_to_json
from harness.workers import Command
from suites.vocabulary import Scenario

DECIDING_FACTS = ("python", "implementation", "system", "machine", "packages", "stand_ins")
FORM = 1
"""Changed whenever something else comes to decide a key."""


class TraceKeys:
    """The keys under which the answers of one worker are stored; the costly half is found once.

    `environment` is what was known when it was made (harness.placement); what is installed by now
    is looked up here. `device` names what it computes on, with model and driver where that is not
    the processor. `obstacle` is a sentence where the circumstances cannot be known; there are no
    keys then.
    """

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, Any],
        device: str = "cpu",
        root: Path = ROOT,
    ) -> None:
        self.obstacle: str | None = None
        self.circumstances = ""
        try:
            self.circumstances = digest(
                {
                    "form": FORM,
                    "sources": digests_of(command.adapter, isolated=command.isolated, root=root),
                    "made": {name: environment.get(name) for name in DECIDING_FACTS},
                    "installed": installed(command, root),
                    "variables": deciding_variables(command),
                    "keras": keras_settings(command.environment),
                    "processor": processor(),
                    "device": device,
                }
            )
        except Unknown as unknown:
            self.obstacle = str(unknown)

    def of(self, scenario: Scenario) -> str | None:
        """Return the key of the answer to a scenario; None where an answer may not be reused."""
        if self.obstacle is not None:
            return None
        return f"{self.circumstances}-{question_of(scenario)}"


def once(scenario: Scenario) -> str:
    """Return a key that nothing else has, for an answer that may not be reused."""
    return f"once-{uuid.uuid4().hex}-{question_of(scenario)}"


def question_of(scenario: Scenario) -> str:
    """Return what stands for the program that a scenario asks for, and how often."""
    return digest({**scenario_to_json(scenario), "repeats": scenario.repeats})


def answers(key: str, scenario: Scenario) -> bool:
    """Tell whether the answer of a key was given to the scenario as it is today."""
    return key.rpartition("-")[2] == question_of(scenario)
