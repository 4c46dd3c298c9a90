"""What no convention knows is reported as such, with its closest fit, and forced into no value."""

from __future__ import annotations

import pytest

from tests.fakes.held_out import UNNAMED
from tests.identifying import forced, found, unexplained

ASKED = list(UNNAMED)[::5]
"""`make proof` asks all."""


@pytest.mark.parametrize("name", ASKED)
def test_a_behaviour_no_convention_knows_is_reported_and_not_forced_into_a_value(name):
    fake = UNNAMED[name]
    assert unexplained(fake) & fake.quantities, fake.sentence
    assert forced(name, fake) == set()


def test_what_has_no_name_is_reported_with_its_closest_fit():
    fake = UNNAMED[ASKED[0]]
    unnamed = [one for each in found(fake) for one in each.unnamed]
    assert unnamed
    assert all(one.fit.fraction > 1 for one in unnamed)
    assert any(one.closest for one in unnamed)
