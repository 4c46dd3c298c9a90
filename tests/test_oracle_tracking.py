"""What the oracle says of tracking switched off on a layer that exists, worked by hand.

One channel, decay 3/4, running mean 0 and variance 1 to begin with. The batch of 1 and 3 has mean 2
and sample variance 2, so an update from it leaves a mean of 1/2 and a variance of 5/4.
"""

from __future__ import annotations

import pytest

from reference.chosen import Conventions
from reference.oracle import Oracle
from suites.vocabulary import Build, Call, Layer, SetTracking, Tensor, Training
from tests.fakes.declared import SWITCH

X = Tensor("float32", (2, 1), (1.0, 3.0))
LAYER = Layer(channels=1, rank=2, decay=0.75, epsilon=3.0)
TRAIN, INFER = Call(X, Training.TRUE), Call(X, Training.FALSE)
OFF, ON = SetTracking(value=False), SetTracking(value=True)
MOVING = {"updates-with-tracking-switched-off": "in every execution"}
BY_BATCH = {"inference-with-tracking-switched-off": "batch statistics"}


def after(*steps, **changes):
    """Return everything seen after the last of these steps, as lists."""
    oracle = Oracle(LAYER, Conventions({**SWITCH, **changes}))
    state = {}
    for step in (Build(), *steps):
        expected = oracle.expect(step, state)
        state = dict(expected.quantities)
    return {name: each.value.ravel().tolist() for name, each in state.items()}


def state_of(seen):
    return seen["running_mean"], seen["running_variance"], seen["updates_counted"]


def test_training_uses_the_batch_and_moves_nothing():
    seen = after(OFF, TRAIN)
    assert seen["output"] == pytest.approx([-0.5, 0.5])
    assert state_of(seen) == ([0], [1], [0])


def test_what_was_tracked_stays_and_inference_uses_it():
    seen = after(TRAIN, OFF, TRAIN, INFER)
    assert state_of(seen) == ([0.5], [1.25], [1])
    assert seen["output"] == pytest.approx([0.5 / 4.25**0.5, 2.5 / 4.25**0.5])


def test_tracking_goes_on_from_where_it_was():
    seen = after(TRAIN, OFF, TRAIN, ON, TRAIN)
    assert state_of(seen) == ([0.875], [1.4375], [2])


@pytest.mark.parametrize("step", [TRAIN, INFER])
def test_where_statistics_go_on_moving_they_do_so_uncounted(step):
    assert state_of(after(OFF, step, **MOVING)) == ([0.5], [1.25], [0])


def test_where_the_batch_normalises_inference_it_does_so_only_while_tracking_is_off():
    assert after(OFF, INFER, **BY_BATCH)["output"] == pytest.approx([-0.5, 0.5])
    assert after(OFF, ON, INFER, **BY_BATCH)["output"] == pytest.approx([0.5, 1.5])
