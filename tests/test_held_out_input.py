"""Each departure about what a layer is given, and each dtype it answers in, worked by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from adapters import worker
from adapters.wire import decode_array
from harness.wire import scenario_to_json
from suites.vocabulary import Call, Cast, Training
from tests.fakes import planted_input
from tests.fakes.fault import CLEAN
from tests.test_fakes import DY, HAND, X, scenario, tensor
from tests.test_held_out import HELD_OUT, REFUSED, narrow

TRUE, FALSE = Training.TRUE, Training.FALSE
FLAT = {"channel_axis_argument": 0}
SIDEWAYS = tensor([[1, 3]])
GREY_FOR_TWO = {
    "channels": 2,
    **{name: tensor([value, value]) for name, value in (("gamma", 2), ("beta", 1))},
}
WITHOUT_CHANNELS = {"channels": 0, "gamma": tensor([]), "beta": tensor([])}
NO_CHANNELS = tensor([[], []])
ROWS = tensor([[[1], [3]]])
IMAGE = tensor([[[[1], [3]]]])
HALF = tensor([[1], [3]], "float16")
TRAINED = [[0], [2]]
HALF_INPUT = {"input_dtype": "float16"}
MIXED = {"policy": "mixed_float16", "input_dtype": "float16"}


def train(x, dy=None):
    return (Call(x, TRUE, dy),)


def last(name, changes, steps):
    """What is seen after the last step of a departure or of a clean style, or that it refused."""
    asked = scenario_to_json(scenario(replace(HAND, **changes), *steps))
    fake = CLEAN[name] if name in CLEAN else HELD_OUT[name]
    step = worker.run(fake, json.loads(json.dumps(asked)))["trace"][-1]
    if "refusal" in step:
        return REFUSED
    return {quantity: decode_array(value) for quantity, value in step["observed"].items()}


# A fake, changes to the layer worked by hand in test_fakes, the steps, and what is to be seen.

EXAMPLES = [
    *(
        (f"channel-axis-refused-unless-last-{s}", FLAT, train(SIDEWAYS), REFUSED)
        for s in ("argument", "deferred")
    ),
    *(
        (f"one-channel-stands-for-all-{s}", GREY_FOR_TWO, train(X), {"output": [[0, 0], [2, 2]]})
        for s in CLEAN
    ),
    *((f"no-channels-refused-{s}", WITHOUT_CHANNELS, train(NO_CHANNELS), REFUSED) for s in CLEAN),
    ("no-channels-not-made", WITHOUT_CHANNELS, (), REFUSED),
    ("no-channels-not-made", {}, train(X), {"output": TRAINED}),
    *((f"other-ranks-refused-{s}", {}, train(ROWS), REFUSED) for s in ("switch", "deferred")),
    *(
        (f"ranks-2-and-3-taken-{s}", {}, train(ROWS), {"output": [TRAINED]})
        for s in ("argument", "deferred")
    ),
    *((f"ranks-2-and-3-taken-{s}", {}, train(IMAGE), REFUSED) for s in ("argument", "deferred")),
    *(
        (f"other-ranks-taken-{s}", {}, train(IMAGE), {"output": [[TRAINED]]})
        for s in ("argument", "switch")
    ),
    *(
        (f"another-dtype-cast-{s}", HALF_INPUT, train(HALF), {"output": "float32"})
        for s in ("switch", "deferred")
    ),
    *(
        (f"another-dtype-answered-{s}", HALF_INPUT, train(HALF), {"output": "float16"})
        for s in ("argument", "deferred")
    ),
    *(
        (f"another-dtype-refused-{s}", HALF_INPUT, train(HALF), REFUSED)
        for s in ("argument", "switch")
    ),
    (
        "mixed-output-like-the-input",
        {"policy": "mixed_float16"},
        train(X, DY),
        {"output": "float32", "dx": "float32"},
    ),
    (
        "mixed-output-like-the-parameters",
        MIXED,
        train(HALF, DY),
        {"output": "float32", "dx": "float16", "dgamma": "float32"},
    ),
    (
        "statistics-stay-when-cast",
        {},
        (*train(X), Cast("float64")),
        {"running_mean": "float32", "running_variance": "float32", "gamma": "float64"},
    ),
    # The clean styles.
    (
        "argument",
        FLAT,
        train(SIDEWAYS, tensor([[1, 0]])),
        {"output": [[0, 2]], "dx": [[0.375, -0.375]]},
    ),
    ("argument", HALF_INPUT, train(HALF, DY), {"output": "float32", "dx": "float16"}),
    (
        "argument",
        MIXED,
        train(HALF, DY),
        {"output": "float16", "dx": "float16", "dgamma": "float32"},
    ),
    ("switch", HALF_INPUT, train(HALF, DY), {"output": "float16", "dgamma": "float32"}),
    ("switch", {}, (*train(X), Cast("float64")), {"updates_counted": 1, "running_mean": "float64"}),
    ("deferred", HALF_INPUT, train(HALF), REFUSED),
    *((s, {}, train(tensor([[1, 3]])), REFUSED) for s in CLEAN),
    ("argument", {}, train(ROWS), REFUSED),
    ("switch", {}, train(IMAGE), REFUSED),
    ("switch", {}, train(ROWS), {"output": [TRAINED]}),
    ("deferred", {}, train(IMAGE), {"output": [[TRAINED]]}),
    *(
        (
            s,
            {},
            (Call(X, TRUE, DY, memory="strided"),),
            {"output": TRAINED, "dx": [[0.375], [-0.375]]},
        )
        for s in CLEAN
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "steps", "expected"),
    [pytest.param(*each, id=f"{i}-{each[0]}") for i, each in enumerate(EXAMPLES)],
)
def test_by_hand(name, changes, steps, expected):
    seen = last(name, changes, steps)
    if REFUSED in (seen, expected):
        assert seen == expected
        return
    for quantity, value in expected.items():
        if isinstance(value, str):
            assert seen[quantity].dtype == value, quantity
        else:
            assert seen[quantity].tolist() == value, quantity


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mean_alone_is_rounded(dtype):
    seen = narrow("low-precision-mean", dtype)
    mean = np.float32(7 / 3).astype(dtype).astype(np.float32)
    variance = ((np.array([1, 2, 4], np.float32) - mean) ** 2).sum() / np.float32(3)
    assert seen["running_mean"].tolist() == [float(mean)]
    assert seen["running_variance"].tolist() == [float(variance.astype(dtype))]


def test_every_departure_about_the_input_is_worked_by_hand():
    worked = {name for name, *_ in EXAMPLES} | {"low-precision-mean"}
    assert planted_input.DEPARTURES.all.keys() <= worked
