"""What is wrong in a trace is found, named and counted; what cannot be decided is not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adapters import worker
from harness.judge import Refused, Seen, judge
from harness.respondent import Answer, parsed
from harness.verdict import verdict_on
from harness.wire import scenario_to_json
from reference.chosen import Conventions
from suites.vocabulary import Call, CallTwice, Layer, Scenario, Tensor, Training
from tests.fakes import argument_style
from tests.fakes.declared import ARGUMENT
from tests.fakes.planted import FAULTS

STATE = (("gamma", 2), ("beta", 1), ("running_mean", 1), ("running_variance", 1))


def tensor(*values):
    array = np.array(values, dtype="float32")
    return Tensor("float32", array.shape, tuple(array.ravel().tolist()))


def scenario(layer, *steps, settles=()):
    return Scenario("by-hand", "tests", "?", layer, steps, settles, (), (), about=("output",))


# One channel, worked by hand: the root of variance 1 and epsilon 3 is 2, so x̂ of 1 and 3 is
# (1 - 1/2) / 2 = 1/4 and (3 - 1/2) / 2 = 5/4, and the output 2 x̂ + 1 = 3/2 and 7/2.
LAYER = Layer(
    channels=1,
    rank=2,
    decay=0.75,
    epsilon=3.0,
    center=True,
    scale=True,
    gamma=tensor(2),
    beta=tensor(1),
    running_mean=tensor(0.5),
    running_variance=tensor(1),
)
X = tensor([1], [3])
INFERENCE = scenario(LAYER, Call(X, Training.FALSE), settles=("inference-output-statistics",))
TWICE = scenario(LAYER, Call(X, Training.FALSE), Call(X, Training.FALSE))
NONE = scenario(LAYER, Call(X, Training.NONE))
SHARED = scenario(
    LAYER, CallTwice(X, tensor([2], [7]), Training.TRUE), settles=("shared-layer-updates",)
)
ORDER_OPEN = {"shared-layer-updates": "in no fixed order"}

DECLARED = Conventions(ARGUMENT)
REFUSAL = Refused("TypeError", "that is not a mode")


def after(**changes):
    """What is seen of LAYER after a step; None takes a quantity away."""
    state = {
        "gamma": [2],
        "beta": [1],
        "running_mean": [0.5],
        "running_variance": [1],
        "trainable_parameters": 2,
        **changes,
    }
    return Seen({name: written(value) for name, value in state.items() if value is not None})


def written(value):
    """A count as it is, anything else in the dtype of LAYER."""
    return np.array(value) if isinstance(value, int) else np.array(value, dtype=LAYER.dtype)


RIGHT = (after(), after(output=[[1.5], [3.5]]))
WRONG = (after(), after(output=[[1.5], [3.75]]))
REFUSED = (after(), Seen({}, REFUSAL))


def verdict(*traces, of=INFERENCE, under=DECLARED):
    return verdict_on("by hand", of, under, Answer(traces))


def performed(adapter, asked):
    (trace,) = parsed(worker.run(adapter, scenario_to_json(asked))).traces
    return trace


def wrong_check(cell):
    (check,) = [check for step in cell.judgement.steps for check in step.checks if not check.agrees]
    return check


def test_right_trace_conforms():
    cell = verdict(RIGHT)
    assert (cell.verdict, cell.reason) == ("conforms", "Every step agrees with the oracle.")
    assert cell.explanations == ()


def test_wrong_element_is_named_with_its_error_and_bound():
    cell = verdict(WRONG)
    check = wrong_check(cell)
    assert cell.verdict == "differs"
    assert cell.judgement.first_disagreement[0] == 1
    assert (check.quantity, check.index, check.error) == ("output", (1, 0), 0.25)
    assert 0 < check.bound < check.error
    assert check.fraction == check.error / check.bound
    assert cell.reason == (
        "Step 2 (call on 2×1 values, training=False): the output at index [1, 0] is 3.75, but 3.5 "
        f"is expected; the error 0.25 exceeds the rounding bound {check.bound:.3g}."
    )


def test_element_that_uses_most_of_its_bound_is_named_not_the_greatest_error():
    layer = replace(LAYER, channels=2, **{name: tensor(v, v * 2.0**-20) for name, v in STATE})
    asked = scenario(layer, Call(tensor([2.0**20, 1]), Training.FALSE))
    trace = performed(argument_style, asked)
    trace[1].observed["output"][0] += [0.5, 0.25]
    check = wrong_check(verdict(trace, of=asked))
    assert (check.index, check.error < 0.5) == ((0, 1), True)


def test_missing_quantity_differs():
    cell = verdict((after(), after(output=[[1.5], [3.5]], running_mean=None)))
    assert cell.verdict == "differs"
    assert cell.reason.endswith("the running mean is missing.")


def test_extra_quantity_differs():
    cell = verdict((after(), after(output=[[1.5], [3.5]], updates_counted=0)))
    assert cell.verdict == "differs"
    assert cell.reason.endswith("the count of updates should not exist.")


def test_wrong_shape_differs():
    cell = verdict((after(), after(output=[1.5, 3.5])))
    assert cell.verdict == "differs"
    assert cell.reason.endswith("the output has shape (2,) instead of (2, 1).")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_where_one_is_expected_differs(value):
    cell = verdict((after(), after(output=[[1.5], [value]])))
    assert cell.verdict == "differs"
    assert (wrong_check(cell).index, wrong_check(cell).fraction) == ((1, 0), math.inf)


def test_number_where_none_is_expected_differs():
    layer = replace(LAYER, gamma=tensor(math.nan))
    cell = verdict(RIGHT, of=scenario(layer, *INFERENCE.steps[1:]))
    assert cell.verdict == "differs"
    assert cell.reason.startswith("Step 1 (create the layer's variables): the gamma at index [0]")


def test_nan_agrees_with_nan():
    layer = replace(LAYER, beta=tensor(math.nan))
    nan = {"beta": [math.nan]}
    trace = (after(**nan), after(output=[[math.nan], [math.nan]], **nan))
    assert judge(scenario(layer, *INFERENCE.steps[1:]), DECLARED, trace).agrees


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_trace_differs(length):
    cell = verdict((*RIGHT, RIGHT[1])[:length], of=TWICE)
    assert cell.verdict == "differs"
    assert cell.reason.startswith(f"Step {length + 1} ")
    assert cell.reason.endswith(" was not performed: the trace ends before it.")


@pytest.mark.parametrize("more", [RIGHT[1], REFUSED[1]])
def test_long_trace_does_not_conform(more):
    assert verdict((*RIGHT, more)).verdict != "conforms"


def test_empty_observation_differs():
    assert verdict((after(), Seen({}))).verdict == "differs"


def test_each_step_is_judged_from_the_state_seen_before_it():
    moved = after(output=[[1.5], [3.5]], running_mean=[1])
    cell = verdict((after(), moved, after(output=[[1], [3]], running_mean=[1])), of=TWICE)
    assert [step.agrees for step in cell.judgement.steps] == [True, False, True]


def test_unexpected_refusal_is_refused():
    cell = verdict(REFUSED)
    assert cell.verdict == "refused"
    assert cell.reason.endswith(" raised TypeError: that is not a mode.")


def test_refusal_that_is_declared_conforms():
    assert verdict(REFUSED, of=NONE, under=refusing_none()).verdict == "conforms"


def test_answer_where_a_refusal_is_declared_should_have_refused():
    cell = verdict(RIGHT, of=NONE, under=refusing_none())
    assert cell.verdict == "should have refused"
    assert cell.reason.endswith(" was answered, though it should have raised an error.")
    assert [found.axis for found in cell.explanations] == ["training-none"] * 2


def test_trace_that_ends_before_a_declared_refusal_differs():
    assert verdict(RIGHT[:1], of=NONE, under=refusing_none()).verdict == "differs"


def refusing_none():
    return DECLARED.replace({"training-none": "refused"})


@pytest.mark.parametrize("traces", [(RIGHT, WRONG), (WRONG, RIGHT), (RIGHT, RIGHT, REFUSED)])
def test_repeats_of_which_some_are_wrong_are_unstable(traces):
    assert verdict(*traces).verdict == "unstable"


def test_repeats_that_are_all_wrong_differ():
    assert verdict(WRONG, WRONG).verdict == "differs"


def test_repeats_that_are_all_right_conform():
    assert verdict(RIGHT, RIGHT).verdict == "conforms"


@pytest.mark.parametrize("offset", [2.0**23, 2.0**30])
def test_bound_wider_than_the_quantity_is_undetermined(offset):
    asked = scenario(LAYER, Call(tensor([offset], [offset + 1], [offset + 3]), Training.TRUE))
    cell = verdict(performed(argument_style, asked), of=asked)
    assert cell.judgement.agrees
    assert cell.verdict == "undetermined"
    assert "could make the" in cell.reason


def test_bound_wider_than_one_channel_is_undetermined():
    offset = 2.0**30
    layer = Layer(channels=2, rank=2, decay=0.75, epsilon=3.0)
    x = tensor([1 / 3, offset], [5, offset + 64], [9, offset + 192])
    asked = scenario(layer, Call(x, Training.TRUE))
    trace = performed(argument_style, asked)
    for check in judge(asked, DECLARED, trace).steps[1].checks:
        if check.quantity.startswith("running"):
            observed = check.observed.copy()
            observed[1] = check.expected[1]
            trace[1].observed[check.quantity] = observed
    trace[1].observed["output"][:, 1] = [-9, 0, 9]
    assert judge(asked, DECLARED, trace).agrees
    assert verdict(trace, of=asked).verdict == "undetermined"


def test_nan_that_is_expected_and_seen_conforms():
    layer = replace(LAYER, beta=tensor(math.nan))
    nan = {"beta": [math.nan]}
    trace = (after(**nan), after(output=[[math.nan], [math.nan]], **nan))
    cell = verdict(trace, of=scenario(layer, *INFERENCE.steps[1:]))
    assert cell.verdict == "conforms", cell.reason


def test_rival_of_a_settled_axis_that_is_not_refuted_is_undetermined():
    layer = replace(LAYER, epsilon=1e-5)
    asked = scenario(layer, Call(X, Training.FALSE), settles=("epsilon-floor",))
    cell = verdict(performed(argument_style, asked), of=asked)
    assert cell.verdict == "undetermined"
    assert cell.reason == "The bounds are too wide to exclude that epsilon-floor is 1.001e-05."


def test_rival_that_predicts_the_same_needs_no_refuting():
    asked = scenario(LAYER, Call(X, Training.FALSE), settles=("epsilon-floor",))
    assert verdict(RIGHT, of=asked).verdict == "conforms"


def test_undeclared_axis_is_an_adapter_error():
    silent = Conventions({k: v for k, v in ARGUMENT.items() if k != "epsilon-placement"})
    cell = verdict(RIGHT, under=silent)
    assert cell.verdict == "adapter error"
    assert cell.reason == (
        "The declaration says nothing about epsilon-placement, which this scenario needs."
    )


@pytest.mark.parametrize(
    "adapter",
    [
        argument_style,
        FAULTS["shared-layer-updates-in-reverse"],
        FAULTS["shared-layer-updates-from-the-value-before"],
    ],
)
def test_no_fixed_order_accepts_each_order(adapter):
    under = DECLARED.replace(ORDER_OPEN)
    assert judge(SHARED, under, performed(adapter, SHARED)).agrees


@pytest.mark.parametrize("lost", ["first", "second"])
def test_no_fixed_order_does_not_accept_a_lost_update(lost):
    trace = performed(FAULTS[f"shared-layer-loses-the-{lost}-call"], SHARED)
    assert verdict(trace, of=SHARED, under=DECLARED.replace(ORDER_OPEN)).verdict == "differs"


def test_no_fixed_order_leaves_each_statistic_its_own():
    under = DECLARED.replace(ORDER_OPEN)
    forward = performed(argument_style, SHARED)
    reverse = performed(FAULTS["shared-layer-updates-in-reverse"], SHARED)
    mixed = {
        **forward[1].observed,
        "running_variance": reverse[1].observed["running_variance"],
    }
    assert judge(SHARED, under, (forward[0], Seen(mixed))).agrees


def test_repeats_in_different_orders_conform_where_the_order_is_open():
    traces = [
        performed(adapter, SHARED)
        for adapter in (argument_style, FAULTS["shared-layer-updates-in-reverse"])
    ]
    asked = replace(SHARED, settles=())
    assert verdict(*traces, of=asked, under=DECLARED.replace(ORDER_OPEN)).verdict == "conforms"
    assert verdict(*traces, of=asked).verdict == "unstable"


def test_answer_that_is_a_verdict_is_passed_on():
    cell = verdict_on("by hand", INFERENCE, DECLARED, Answer((), "not expressible", "No such."))
    assert (cell.verdict, cell.reason, cell.judgement) == ("not expressible", "No such.", None)


def test_explanation_says_what_would_agree():
    # Normalised by the batch's own mean 2 and variance 1: x̂ = ∓1/2, output 0 and 2.
    cell = verdict((after(), after(output=[[0], [2]])))
    assert [found.sentence for found in cell.explanations] == [
        "The oracle would agree if inference-output-statistics were ‘batch’ instead of ‘running’."
    ]


def test_what_no_single_convention_explains_has_no_explanation():
    assert verdict(WRONG).explanations == ()


def test_difference_is_explained_without_a_warning_where_nothing_new_is_taken_in():
    asked = scenario(replace(LAYER, decay=1.0), Call(X, Training.TRUE))
    assert verdict(WRONG, of=asked).verdict == "differs"


def test_a_quantity_of_another_dtype_differs():
    wide = {name: value.astype("float64") for name, value in RIGHT[1].observed.items()}
    cell = verdict((RIGHT[0], Seen({**wide, "trainable_parameters": np.array(2)})))
    assert cell.verdict == "differs"
    assert "is float64 instead of float32" in cell.reason


def test_a_rival_of_zero_that_is_not_refuted_is_undetermined():
    layer = replace(LAYER, epsilon=2.0**-20, running_variance=tensor(2.0**20))
    asked = scenario(layer, Call(X, Training.FALSE), settles=("epsilon-floor",))
    floored = DECLARED.replace({"epsilon-floor": 1.001e-5})
    cell = verdict(performed(argument_style, asked), of=asked, under=floored)
    assert cell.judgement.agrees
    assert cell.verdict == "undetermined"
