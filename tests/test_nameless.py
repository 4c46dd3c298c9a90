"""What no convention knows is reported as such, with its closest fit, and forced into no value."""

from __future__ import annotations

import pytest

from tests.fakes.held_out import UNNAMED
from tests.identifying import declared, found, unexplained

LOOKS_LIKE = {
    "freezing-the-model-misses-the-layer": {"model-trainable-reaches-the-layer"},
    "trainable-false-moves-statistics": {"trainable-false-statistics"},
}
"""Values a fake without a name follows as well, in a scenario in which all it does has a name."""


@pytest.mark.parametrize("name", UNNAMED)
def test_a_behaviour_no_convention_knows_is_reported_and_not_forced_into_a_value(name):
    fake = UNNAMED[name]
    assert unexplained(fake) & fake.quantities, fake.sentence
    forced = {
        axis
        for each in found(fake)
        for axis, measured in each.axes.items()
        if measured.removed and declared(fake, each.context)[axis] not in measured.values
    }
    assert forced <= LOOKS_LIKE.get(name, set())


def test_what_has_no_name_is_reported_with_its_closest_fit():
    fake = UNNAMED[min(UNNAMED)]
    unnamed = [one for each in found(fake) for one in each.unnamed]
    assert unnamed
    assert all(one.fit.fraction > 1 for one in unnamed)
    assert any(one.closest for one in unnamed)
