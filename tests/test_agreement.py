"""Who behaves like whom, what separates the others, and what to write to bring two together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.agreement import changes, compare, parties
from harness.implementations import Implementation
from harness.pairs import pairs
from harness.verdict import Cell
from suites.catalogue import SCENARIOS, scenario_named
from tests.asking import DECLARATIONS, clean_cell
from tests.fakes.fault import CLEAN

RUNNING_VARIANCE = "running-variance-of-3-values"
MOMENTUM = "momentum-argument-0.9"
FAKES = [
    Implementation(style, style, module.__name__, declared=DECLARATIONS[style])
    for style, module in CLEAN.items()
]


def row(name, styles=CLEAN, **changes):
    asked = replace(scenario_named(name), **changes)
    return [clean_cell(style, asked) for style in styles]


def agreement(name, styles=CLEAN, **changes):
    return compared(row(name, styles, **changes))


def compared(cells):
    return compare(cells, parties(cells, {}))


def all_pairs(rows):
    return pairs([(cells, parties(cells, {})) for cells in rows], FAKES)


def groups(found):
    return {frozenset(group) for group in found.groups}


def pair(left, right, *names):
    found = all_pairs([row(name) for name in names])
    return next(each for each in found if (each.left, each.right) == (left, right))


@pytest.mark.parametrize(
    ("scenario", "axis"),
    [
        (RUNNING_VARIANCE, "running-variance-factor"),
        (MOMENTUM, "momentum-sense"),
        ("bare-call", "bare-call"),
    ],
)
def test_two_that_conform_and_disagree_are_separated_by_their_convention(scenario, axis):
    cells = row(scenario, ["argument", "switch"])
    found = compared(cells)
    (separation,) = found.separations
    assert [cell.verdict for cell in cells] == ["conforms", "conforms"]
    assert not any({"argument", "switch"} <= set(group) for group in found.groups)
    assert separation.axes == (axis,)


def test_separation_is_said_in_a_sentence():
    (separation,) = agreement(RUNNING_VARIANCE, ["argument", "switch"]).separations
    left, right = separation.left, separation.right
    values = {"argument": "‘1’", "switch": "‘n/(n-1)’"}
    assert separation.sentence == (
        "They differ in running variance by running-variance-factor "
        f"({left}: {values[left]}, {right}: {values[right]})."
    )


def test_all_who_behave_alike_are_one_group():
    found = agreement("training-output")
    assert groups(found) == {frozenset({*CLEAN, "paper"})}
    assert (found.separations, found.odd_one_out, found.absent) == ((), None, {})


def test_paper_joins_those_it_agrees_with():
    assert groups(agreement(RUNNING_VARIANCE)) == {
        frozenset({"switch", "deferred", "paper"}),
        frozenset({"argument"}),
    }


@pytest.mark.parametrize("scenario", [MOMENTUM, "bare-call", "default-epsilon"])
def test_paper_is_silent_where_it_leaves_an_axis_open(scenario):
    assert not any("paper" in group for group in agreement(scenario).groups)


@pytest.mark.parametrize(
    ("scenario", "odd"), [(RUNNING_VARIANCE, "argument"), (MOMENTUM, "switch")]
)
def test_one_against_several_is_the_odd_one_out(scenario, odd):
    assert agreement(scenario).odd_one_out == odd


def test_nobody_is_odd_among_two_or_among_three_of_three_kinds():
    both = ("running_mean", "running_variance")
    assert agreement(MOMENTUM, ["argument", "switch"]).odd_one_out is None
    assert len(agreement(MOMENTUM, about=both).groups) == len(CLEAN)
    assert agreement(MOMENTUM, about=both).odd_one_out is None


def test_paper_makes_nobody_odd():
    found = agreement(RUNNING_VARIANCE, ["argument", "switch"])
    assert ("switch", "paper") in found.groups
    assert found.odd_one_out is None


def test_two_axes_are_named_where_no_single_one_separates():
    found = agreement(MOMENTUM, ["argument", "switch"], about=("running_mean", "running_variance"))
    (separation,) = found.separations
    assert separation.axes == ("momentum-sense", "running-variance-factor")
    assert " and running-variance-factor (" in separation.sentence


def test_axis_that_makes_no_difference_is_not_named():
    (separation,) = agreement("momentum-argument-none", ["argument", "switch"]).separations
    assert separation.axes == ("momentum-none",)


def test_only_what_the_question_is_about_is_compared():
    found = agreement(RUNNING_VARIANCE, about=("output", "running_mean"))
    assert groups(found) == {frozenset({*CLEAN, "paper"})}


def test_one_that_refuses_differs_from_one_that_answers():
    found = agreement("training-none", ["argument", "switch"])
    assert groups(found) == {frozenset({"argument"}), frozenset({"switch"})}
    assert "whether an error is raised" in found.separations[0].sentence


def test_one_that_cannot_be_asked_is_absent_with_its_reason():
    found = agreement("zero-debias")
    assert groups(found) == {frozenset({"argument", "deferred"})}
    assert found.absent == {"switch": "The switch-style fake has no argument for `zero_debias`."}


def test_paper_does_not_answer_for_nobody():
    cell = Cell("absent", scenario_named("training-output"), "unavailable", "There is no Python.")
    assert compared([cell]).groups == ()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_every_difference_of_the_clean_fakes_has_an_axis(scenario):
    found = compared([clean_cell(style, scenario) for style in CLEAN])
    assert [each.sentence for each in found.separations if not each.axes] == []


def test_groups_do_not_depend_on_who_is_named_first():
    for scenario in (RUNNING_VARIANCE, MOMENTUM, "bare-call", "training-none"):
        assert groups(agreement(scenario)) == groups(agreement(scenario, [*CLEAN][::-1]))


@pytest.mark.parametrize(("left", "right"), [("argument", "switch"), ("switch", "argument")])
def test_pair_tells_same_translated_and_unmatched_in_both_directions(left, right):
    found = pair(left, right, "training-output", MOMENTUM, RUNNING_VARIANCE, "zero-debias")
    translated, unmatched = found.different
    assert found.same == ["training-output"]
    assert (translated.scenario, unmatched.scenario) == (MOMENTUM, RUNNING_VARIANCE)
    assert translated.advice["momentum-sense"].startswith("Write 1 − momentum. (")
    assert translated.translatable
    assert unmatched.unmatched == ["running-variance-factor"]
    assert not unmatched.translatable
    assert found.not_comparable == {
        "zero-debias": "switch: The switch-style fake has no argument for `zero_debias`."
    }


def test_argument_that_only_one_of_two_has_is_advice_in_one_direction():
    (there,) = pair("argument", "deferred", RUNNING_VARIANCE).different
    (back,) = pair("deferred", "argument", RUNNING_VARIANCE).different
    assert there.advice == {
        "running-variance-factor": "Write fused=False in deferred. "
        "(argument: ‘1’; deferred: ‘n/(n-1)’.)"
    }
    assert back.unmatched == ["running-variance-factor"]


@pytest.mark.parametrize(("left", "right"), [("argument", "paper"), ("paper", "argument")])
def test_paper_takes_part_in_pairs_and_says_what_it_leaves_open(left, right):
    found = pair(left, right, "training-output", RUNNING_VARIANCE, MOMENTUM)
    assert found.same == ["training-output"]
    assert [each.scenario for each in found.different] == [RUNNING_VARIANCE]
    assert found.not_comparable == {MOMENTUM: "paper: The paper leaves this open."}


def test_every_scenario_is_told_once_in_every_pair():
    cells = [[clean_cell(style, each) for style in CLEAN] for each in SCENARIOS]
    for found in all_pairs(cells):
        different = [each.scenario for each in found.different]
        told = [*found.same, *different, *found.not_comparable]
        assert sorted(told) == sorted(each.name for each in SCENARIOS)


def test_pairs_are_the_same_in_both_directions():
    cells = [[clean_cell(style, each) for style in CLEAN] for each in SCENARIOS]
    found = {(each.left, each.right): each for each in all_pairs(cells)}
    for (left, right), there in found.items():
        back = found[right, left]
        assert there.same == back.same
        assert there.not_comparable.keys() == back.not_comparable.keys()


def test_a_party_that_its_own_conventions_do_not_explain_explains_nothing():
    cells = row(RUNNING_VARIANCE, ["argument", "switch"])
    argument, switch, _ = parties(cells, {})
    unexplained = replace(argument, explained=False)
    assert changes(argument, switch) == ("running-variance-factor",)
    assert changes(unexplained, switch) is None
    (told,) = next(iter(pairs([(cells, [unexplained, switch])], FAKES[:2]))).different
    assert told.sentence.endswith("which no declared convention explains.")
    assert not told.translatable
