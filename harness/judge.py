"""Holds what an implementation showed against what the oracle expects, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.bounded import Bounded, exact
from reference.chosen import Conventions, Unspecified
from reference.oracle import Expected, Oracle
from suites.vocabulary import Scenario, Step

STATE = (
    "gamma",
    "beta",
    "running_mean",
    "running_variance",
    "updates_counted",
    "renorm_mean",
    "renorm_deviation",
    "running_deviation",
)

IMPOSSIBLE = (Unspecified, ZeroDivisionError)
"""What the oracle raises under conventions that cannot execute a scenario at all."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Refused:
    """An exception the framework raised: its type's name and its message."""

    type: str
    message: str


@dataclass(frozen=True)
class Seen:
    """What was observed after one step: arrays by quantity, or the framework's refusal."""

    observed: Mapping[str, Array]
    refusal: Refused | None = None


Trace = Sequence[Seen]


@dataclass(frozen=True)
class Check:
    """One quantity after one step, expected against observed.

    `error` and `bound` are those of the element at `index`, where the error takes up the greatest
    part (`fraction`) of its bound. `observed` is None for a quantity that is missing, `expected`
    None for one that should not be there; `note` says so in words. `vague` tells whether some
    element's bound is infinite or as wide as the quantity itself, so that agreeing says nothing.
    """

    quantity: str
    expected: Array | None
    observed: Array | None
    error: float
    bound: float
    fraction: float
    index: tuple[int, ...]
    agrees: bool
    note: str = ""
    vague: bool = False


@dataclass(frozen=True)
class StepJudgement:
    """One step: its checks, or how refusing went. `refusal_expected` is the oracle's view."""

    step: Step
    checks: tuple[Check, ...]
    refusal: Refused | None
    refusal_expected: bool
    performed: bool = True

    @property
    def agrees(self) -> bool:
        """Return whether implementation and oracle tell the same story about this step."""
        if not self.performed or (self.refusal is not None) != self.refusal_expected:
            return False
        return all(check.agrees for check in self.checks)


@dataclass(frozen=True)
class Judgement:
    """A whole trace against the oracle; `read` are the axes the oracle consulted."""

    steps: tuple[StepJudgement, ...]
    read: frozenset[str]

    @property
    def agrees(self) -> bool:
        """Return whether every step agrees."""
        return all(step.agrees for step in self.steps)

    @property
    def predictions(self) -> list[bytes | bool]:
        """Return everything the oracle predicted, in a form that can be compared."""
        values = [c.expected for step in self.steps for c in step.checks if c.expected is not None]
        return [v.tobytes() for v in values] + [step.refusal_expected for step in self.steps]

    @property
    def first_disagreement(self) -> tuple[int, StepJudgement] | None:
        """Return the first step that disagrees, with its index."""
        return next(((i, s) for i, s in enumerate(self.steps) if not s.agrees), None)


def judge(
    scenario: Scenario, conventions: Conventions, trace: Trace, *, to_the_end: bool = True
) -> Judgement:
    """Judge each step from the state observed before it; or only up to the first disagreement.

    Raises reference.chosen.Unspecified where the scenario needs a convention left open.
    """
    chosen = conventions.unread()
    oracle = Oracle(scenario.layer, chosen)
    state: dict[str, Bounded] = {}
    steps = []
    for index, step in enumerate(scenario.steps):
        with np.errstate(all="ignore"):
            expected = oracle.expect(step, state)
        if index >= len(trace):
            steps.append(StepJudgement(step, (), None, expected.refused, performed=False))
            break
        seen = trace[index]
        steps.append(judge_step(step, expected, seen))
        if seen.refusal is not None or expected.refused:
            break
        if any(check.note for check in steps[-1].checks):
            break
        if not (to_the_end or steps[-1].agrees):
            break
        state = observed_state(seen)
    return Judgement(tuple(steps), frozenset(chosen.read))


def observed_state(seen: Seen) -> dict[str, Bounded]:
    """Return the state a step left, as observed."""
    return {name: exact(seen.observed[name]) for name in STATE if name in seen.observed}


def agrees(scenario: Scenario, conventions: Conventions, trace: Trace) -> bool:
    """Tell whether a trace is what these conventions produce; False where they are silent."""
    try:
        return judge(scenario, conventions, trace, to_the_end=False).agrees
    except IMPOSSIBLE:
        return False


def judge_step(step: Step, expected: Expected, seen: Seen) -> StepJudgement:
    """Compare everything expected and everything observed after one step."""
    if seen.refusal is not None or expected.refused:
        return StepJudgement(step, (), seen.refusal, expected.refused)
    possible = (expected.quantities, *expected.others)
    outcomes = [checks(outcome, seen, expected.dtype) for outcome in possible]
    nearest = min(outcomes, key=lambda found: max((c.fraction for c in found), default=0.0))
    return StepJudgement(step, nearest, None, refusal_expected=False)


def checks(
    quantities: Mapping[str, Bounded], seen: Seen, dtype: Callable[[str], str | None]
) -> tuple[Check, ...]:
    """Compare one admissible outcome with everything observed."""
    names = list(quantities) + [name for name in seen.observed if name not in quantities]
    return tuple(check(n, quantities.get(n), seen.observed.get(n), dtype(n)) for n in names)


def check(
    quantity: str, expected: Bounded | None, observed: Array | None, dtype: str | None
) -> Check:
    """Compare one quantity with its bound, element by element; `dtype` None is any."""
    wanted = None if expected is None else expected.value
    if expected is None or observed is None:
        note = "should not exist" if expected is None else "is missing"
        return Check(quantity, wanted, observed, np.inf, 0.0, np.inf, (), False, note)
    if observed.shape != expected.value.shape:
        note = f"has shape {observed.shape} instead of {expected.value.shape}"
        return Check(quantity, wanted, observed, np.inf, 0.0, np.inf, (), False, note)
    if dtype is not None and observed.dtype.name != dtype:
        note = f"is {observed.dtype} instead of {dtype}"
        return Check(quantity, wanted, observed, np.inf, 0.0, np.inf, (), False, note)
    if quantity == "updates_counted" and observed.dtype.kind not in "iu":
        note = f"is {observed.dtype} instead of an integer"
        return Check(quantity, wanted, observed, np.inf, 0.0, np.inf, (), False, note)
    if observed.size == 0:
        return Check(quantity, wanted, observed, 0.0, 0.0, 0.0, (), True)
    error, fraction = used(expected, np.asarray(observed, dtype=np.float64))
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(fraction), fraction.shape))
    return Check(
        quantity,
        wanted,
        observed,
        float(error[worst]),
        float(expected.bound[worst]),
        float(fraction[worst]),
        worst,
        bool(fraction[worst] <= 1),
        vague=vague(expected),
    )


def vague(expected: Bounded) -> bool:
    """Tell whether some element's bound reaches the size of its channel, or of itself.

    An array of the input's shape is sized by channel, because single elements may pass near zero;
    one value per channel is sized by itself. What is expected to be zero, NaN or infinite has no
    size to compare.
    """
    size = np.abs(expected.value)
    if (expected.bound < size).all():
        return False
    if size.ndim > 1:
        size = np.broadcast_to(
            size.max(axis=tuple(range(size.ndim - 1)), keepdims=True), size.shape
        )
    telling = np.isfinite(expected.value) & (expected.bound > 0)
    return bool(np.any(telling & ~(expected.bound < np.where(size > 0, size, np.inf))))


def used(expected: Bounded, observed: Array) -> tuple[Array, Array]:
    """Return the absolute error and the part of the bound it takes up, element by element.

    NaN agrees with NaN and an infinity with itself; otherwise neither agrees with anything. But
    where the bound of a number is infinite, as where it may overflow, anything agrees, and where
    that of a NaN is, an infinity agrees too.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.abs(observed - expected.value)
        if not error.any():
            return error, error
        if (error < np.inf).all() and ((expected.bound > 0) & (expected.bound < np.inf)).all():
            return error, error / expected.bound
        same = (observed == expected.value) | (np.isnan(observed) & np.isnan(expected.value))
        same = same | (np.isinf(observed) & np.isnan(expected.value) & np.isinf(expected.bound))
        error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
        fraction = np.where(error == 0, 0.0, error / expected.bound)
    fraction = np.where(~np.isfinite(error) | np.isnan(fraction), np.inf, fraction)
    return error, np.where(unbounded(expected), 0.0, fraction)


def unbounded(expected: Bounded) -> Array:
    """Return where a number may be anything, element by element."""
    return np.isposinf(expected.bound) & np.isfinite(expected.value)
