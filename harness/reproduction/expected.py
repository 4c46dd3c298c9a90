"""What is expected of each step: the oracle's numbers, from the state observed before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge import Check, Seen, Trace, checks, observed_state
from reference.bounded import Bounded
from reference.chosen import Conventions, Unspecified
from reference.oracle import Expected, Oracle
from suites.vocabulary import Scenario, Step


@dataclass(frozen=True)
class Quantity:
    """What is expected of one quantity: `bounded`, or None where there should be none.

    `judged` is false where nothing is known of it; `dtype` None is any.
    """

    bounded: Bounded | None = None
    dtype: str | None = None
    judged: bool = True


@dataclass(frozen=True)
class StepExpectation:
    """What is expected of a step: quantities by name, or a refusal; `agrees` is the judgement.

    Where a step is not `judged`, the program had gone astray before it, or too little is declared.
    After the `last` nothing can be expected.
    """

    quantities: Mapping[str, Quantity]
    refused: bool = False
    judged: bool = True
    agrees: bool = True
    last: bool = False

    def of(self, quantity: str) -> Quantity:
        """Return what is expected of a quantity that was observed."""
        if not self.judged:
            return UNKNOWN
        return self.quantities.get(quantity, Quantity())


UNKNOWN = Quantity(judged=False)
ASTRAY = StepExpectation({}, judged=False)


def expectations(
    scenario: Scenario, conventions: Conventions, trace: Trace
) -> list[StepExpectation]:
    """Return what is expected of each step of a trace, judged as `harness.judge.judge` does."""
    found = list(judged_steps(scenario, conventions, trace))
    return found + [ASTRAY] * (len(trace) - len(found))


def judged_steps(
    scenario: Scenario, conventions: Conventions, trace: Trace
) -> Iterator[StepExpectation]:
    """Yield the expectations of the steps up to one after which nothing can be expected."""
    oracle = Oracle(scenario.layer, conventions.unread())
    state: Mapping[str, Bounded] = {}
    for step, seen in zip(scenario.steps, trace, strict=False):
        expectation = expected_of(oracle, step, state, seen)
        yield expectation
        if expectation.last:
            return
        state = observed_state(seen)


def expected_of(
    oracle: Oracle, step: Step, state: Mapping[str, Bounded], seen: Seen
) -> StepExpectation:
    """Return what is expected of one step."""
    with np.errstate(all="ignore"):
        try:
            expected = oracle.expect(step, state)
            if seen.refusal is not None or expected.refused:
                same = expected.refused == (seen.refusal is not None)
                return StepExpectation({}, refused=expected.refused, agrees=same, last=True)
            outcome, found = nearest(expected, seen)
        except Unspecified:
            return ASTRAY
    quantities = {
        check.quantity: Quantity(outcome.get(check.quantity), expected.dtype(check.quantity))
        for check in found
    }
    agrees = all(check.agrees for check in found)
    return StepExpectation(quantities, agrees=agrees, last=any(check.note for check in found))


def nearest(expected: Expected, seen: Seen) -> tuple[Mapping[str, Bounded], Sequence[Check]]:
    """Return the admissible outcome that is nearest to what was seen, and how it compares."""
    possible = (expected.quantities, *expected.others)
    compared = [(outcome, checks(outcome, seen, expected.dtype)) for outcome in possible]
    return min(compared, key=lambda each: max((c.fraction for c in each[1]), default=0.0))
