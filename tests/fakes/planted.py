"""Every planted fault. A suite that cannot tell one of them from its clean base has a hole."""

from __future__ import annotations

from tests.fakes import (
    planted_argument,
    planted_arithmetic,
    planted_deeper,
    planted_deferred,
    planted_dtypes,
    planted_executions,
    planted_features,
    planted_habits,
    planted_input,
    planted_layout,
    planted_limits,
    planted_penalties,
    planted_state,
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
    planted_deeper,
    planted_limits,
    planted_features,
    planted_input,
    planted_layout,
    planted_dtypes,
    planted_state,
    planted_penalties,
    planted_executions,
)

FAULTS = {name: planted for part in PARTS for name, planted in part.FAULTS.items()}
