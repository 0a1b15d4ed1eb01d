"""The contract of metrics: every id, every check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from braggbook.metrics.definitions import Definition, EmptyPolicy, Option, definition, definitions
from braggbook.testing.metrics import CHECKS, check_metric

SLOW = {"doses"}  # kinds whose loops are compiled first
IDS = [
    pytest.param(id, marks=[pytest.mark.full] if metric.kind in SLOW else []) for id, metric in definitions().items()
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("id", IDS)
def test_metric(id: str, check: str) -> None:
    CHECKS[check](definition(id))


def flawed(of: str, **parts: object) -> Definition:
    return replace(definition(of), **parts)


@pytest.mark.parametrize(
    ("metric", "found_by"),
    [
        (flawed("dice@1", id="Dice 1"), "is_well_formed"),
        (flawed("dice@1", source=" "), "is_well_formed"),
        (flawed("absolute_error@1", options=(Option("case", "a name that is taken", 1.0),)), "is_well_formed"),
        (flawed("part_within@1", options=(Option("tolerance", "below its least", -1.0, least=0),)), "is_well_formed"),
        (flawed("relative_volume_difference@1", empty=EmptyPolicy()), "is_well_formed"),
        (flawed("dice@1", perfect=0.9), "a_perfect_answer_gets_the_perfect_score"),
        (flawed("dice@1", better="smaller"), "a_better_answer_gets_a_better_score"),
        (flawed("absolute_error@1", function=lambda true, said: 0.0), "a_better_answer_gets_a_better_score"),
        (flawed("hd.voxel@1", bounds=(0.0, 1.0)), "no_score_is_out_of_bounds_or_worse_than_the_worst"),
        (flawed("iou@1", worst=0.5), "no_score_is_out_of_bounds_or_worse_than_the_worst"),
        (flawed("relative_error@1", symmetric=True), "it_is_symmetric_if_it_says_so"),
        (flawed("dice@1", symmetric=False), "it_is_symmetric_if_it_says_so"),
        (flawed("matthews_correlation@1", symmetric=True), "it_is_symmetric_if_it_says_so"),
        (flawed("hd.voxel@1", unit="cm3"), "it_grows_with_the_voxels_as_its_unit_says"),
        (flawed("dice@1", value_where_empty=("both",)), "empty_masks_count_as_the_policy_says"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_the_suite_finds_flaws(metric: Definition, found_by: str) -> None:
    with pytest.raises(AssertionError):
        CHECKS[found_by](metric)


def test_all_that_fails_is_said_at_once() -> None:
    with pytest.raises(AssertionError) as caught:
        check_metric(flawed("dice@1", id="Dice 1", better="smaller", symmetric=False))
    lines = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert {"is_well_formed", "a_better_answer_gets_a_better_score", "it_is_symmetric_if_it_says_so"} <= set(lines)
    check_metric(definition("dice@1"))
