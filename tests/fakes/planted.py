"""Every planted fault. A suite that cannot tell one of them from its clean base has a hole."""

from __future__ import annotations

from tests.fakes import (
    planted_argument,
    planted_arithmetic,
    planted_deferred,
    planted_executions,
    planted_habits,
    planted_switch,
    planted_values,
)

PARTS = (
    planted_arithmetic,
    planted_argument,
    planted_switch,
    planted_deferred,
    planted_values,
    planted_habits,
    planted_executions,
)

FAULTS = {name: planted for part in PARTS for name, planted in part.FAULTS.items()}
