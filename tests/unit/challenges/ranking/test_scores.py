"""Tables of scores, rankings of several of them, and groups."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.challenges.ranking import (
    METHODS,
    Ranking,
    Rules,
    Scores,
    absolute_from,
    by_method,
    consensus,
    footrule,
    groups,
    rank,
    scores_from,
    significance,
    weighted_footrule,
)
from braggbook.errors import InputError


def test_what_is_not_there_is_missing() -> None:
    scores = scores_from({"A": {"x": 1.0, "y": None}, "B": {"y": 2.0}}, better="smaller")
    assert scores.missing.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_score(value) -> None:
    with pytest.raises(InputError) as caught:
        scores_from({"A": {"x": 1.0}, "B": {"x": value}}, better="larger")
    assert [issue.where for issue in caught.value.issues] == ["B, x"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"algorithms": ("A", "A")}, "a name twice"),
        ({"cases": ("x", "x")}, "a name twice"),
        ({"values": np.ones((2, 3))}, "a table of another shape"),
        ({"algorithms": (), "values": np.ones((0, 2))}, "nothing to rank"),
        ({"values": np.array([[1, np.inf], [1, 1]])}, "an infinite score"),
        ({"better": "more"}, "which is better?"),
        ({"better": "target"}, "not a target"),
        ({"better": "target", "target": float("nan")}, "not a target"),
        ({"target": 1.0}, "not a target"),
    ],
)
def test_what_is_no_table_is_refused(change, what) -> None:
    good = {"algorithms": ("A", "B"), "cases": ("x", "y"), "values": np.ones((2, 2)), "better": "larger"}
    Scores(**good)
    with pytest.raises(InputError) as caught:
        Scores(**{**good, **change})
    assert caught.value.issues[0].what == what


def ranking(**ranks: float) -> Ranking:
    values = np.array(list(ranks.values()), float)
    return Ranking(tuple(ranks), values, values)


def test_consensus_is_by_name() -> None:
    found = consensus([ranking(A=1, B=2, C=3), ranking(C=1, A=1, B=3), ranking(B=1, C=2, A=1)])
    assert dict(zip(found.algorithms, found.values, strict=True)) == {"A": 1, "B": 2, "C": 2}
    assert list(found.ranks) == [1, 2, 2]


def test_consensus_of_three_tasks() -> None:
    """Mean ranks 1, 1.667, 3, 2.667, 3.333 of a published example (challengeR's own data)."""
    names = ("A1", "A2", "A3", "A4", "A5")
    tasks = [(1, 2, 3, 4, 5), (1, 2, 5, 3, 4), (1, 1, 1, 1, 1)]
    found = consensus([ranking(**dict(zip(names, task, strict=True))) for task in tasks])
    assert found.values == pytest.approx([1, 5 / 3, 3, 8 / 3, 10 / 3])
    assert [names[i] for i in np.argsort(found.ranks)] == ["A1", "A2", "A4", "A3", "A5"]


def test_a_consensus_of_one_is_that_one() -> None:
    shared_last = Ranking(("A", "B", "C"), np.array([5.0, 5.0, 7.0]), np.array([2.0, 2.0, 3.0]))
    found = consensus([shared_last], weights=np.array([7.0]))
    assert (list(found.ranks), list(found.values)) == ([2, 2, 3], [5, 5, 7])


def test_consensus_can_weigh_or_take_the_median() -> None:
    three = [ranking(A=1, B=2), ranking(A=1, B=2), ranking(A=2, B=1)]
    assert list(consensus(three, centre="median").values) == [1, 2]
    assert list(consensus(three, weights=np.array([0, 0, 1])).ranks) == [2, 1]


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [1, float("nan")]])
def test_weights_that_are_none_are_refused(weights) -> None:
    with pytest.raises(InputError, match="not weights of the rankings"):
        consensus([ranking(A=1), ranking(A=1)], weights=np.array(weights))


def test_rankings_of_others_are_refused() -> None:
    with pytest.raises(InputError, match="rankings of different algorithms"):
        consensus([ranking(A=1, B=2), ranking(A=1, C=2)])
    with pytest.raises(InputError, match="no ranking"):
        consensus([])


def test_absolute_numbers_are_ranked_as_the_scorer_states_them() -> None:
    stated = absolute_from({"A": 3.0, "B": 1.0, "C": 3.0}, better="larger")
    for method in METHODS:
        ranking = rank(stated, Rules(method))
        assert (list(ranking.values), list(ranking.ranks)) == ([3, 1, 3], [1, 3, 1])
    assert by_method(stated, Rules("mean_then_rank")) == {}
    with pytest.raises(InputError, match="not a table of scores"):
        absolute_from({"A": float("nan")}, better="larger")
    with pytest.raises(InputError, match="not a table of scores"):
        absolute_from({}, better="larger")


def test_an_absolute_number_that_is_missing_follows_the_rules() -> None:
    stated = absolute_from({"A": None, "B": 1.0}, better="larger")
    assert list(rank(stated, Rules("mean_then_rank", worst=2)).ranks) == [1, 2]
    assert list(rank(stated, Rules("rank_then_mean")).ranks) == [2, 1]
    with pytest.raises(InputError, match="scores are missing"):
        rank(stated, Rules("mean_then_rank"))


# Nearer to a target


def coverage(*, covered: dict[str, int], cases: int = 20) -> Scores:
    """Whether an interval covers the truth, 0 or 1 by case; 0.95 is wanted."""
    rows = {name: {str(i): float(i < count) for i in range(cases)} for name, count in covered.items()}
    return scores_from(rows, better="target", target=0.95)


def test_the_mean_is_to_be_near_the_target_and_not_the_cases() -> None:
    scores = coverage(covered={"all": 20, "right": 19, "few": 12, "less": 18})
    ranking = rank(scores, Rules("mean_then_rank"))
    assert list(ranking.values) == [1.0, 0.95, 0.6, 0.9]
    assert list(ranking.ranks) == [2, 1, 4, 2], "0.9 and 1.0 are as far from 0.95, but for the noise of floats"
    by_case = rank(scores, Rules("rank_then_mean"))
    assert by_case.ranks[0] == 1, "who always covers is nearest in each case: the wrong question for coverage"


def test_near_from_both_sides_is_as_near() -> None:
    scores = scores_from({"A": {"x": 9.0, "y": 9.0}, "B": {"x": 11.0, "y": 12.0}}, better="target", target=10.0)
    assert scores.losses.tolist() == [[1, 1], [1, 2]]
    assert list(rank(scores, Rules("median_then_rank")).ranks) == [1, 2]
    assert list(rank(scores, Rules("rank_then_mean")).values) == [1, 1.5]
    assert list(
        rank(absolute_from({"A": 9.0, "B": 12.0}, better="target", target=10.0), Rules("mean_then_rank")).ranks
    ) == [1, 2]


def test_methods_that_ask_another_question_are_not_shown() -> None:
    scores = coverage(covered={"all": 20, "right": 19})
    assert set(by_method(scores, Rules("mean_then_rank"))) == {"mean_then_rank", "median_then_rank"}
    assert set(by_method(scores, Rules("rank_then_mean"))) == set(METHODS) - {"mean_then_rank", "median_then_rank"}


def test_every_method_is_shown() -> None:
    scores = scores_from({"A": {"x": 1.0, "y": None}, "B": {"x": 2.0, "y": 1.0}}, better="larger")
    found = by_method(scores, Rules("mean_then_rank", worst=0))
    assert tuple(found) == METHODS
    assert all(list(one.ranks) in ([2, 1], [1, 1]) for one in found.values())
    ranked_by_case = by_method(scores, Rules("rank_then_mean"))
    assert set(ranked_by_case) == {"rank_then_mean", "rank_then_median"}, "the others need a value for what is missing"
    assert set(by_method(scores, Rules("rank_then_mean"), worst=0)) == set(METHODS)


def overlapping() -> Scores:
    """A and B alike, B and C alike, A and C not."""
    rng = np.random.default_rng(4)
    base = rng.uniform(size=40)
    rows = {"A": base + 0.04, "B": base + 0.02 + rng.normal(0, 0.09, 40), "C": base}
    return scores_from({n: dict(zip(map(str, range(40)), r, strict=True)) for n, r in rows.items()}, better="larger")


def test_groups_may_overlap() -> None:
    scores = overlapping()
    found = significance(scores)
    assert found.better[0, 2]
    assert not (found.better | found.better.T)[1].any()
    assert groups(rank(scores, Rules("mean_then_rank")), found) == [("A", "B"), ("B", "C")]


def test_all_different_are_groups_of_one() -> None:
    rows = {name: {str(i): k + i / 1000 for i in range(30)} for k, name in enumerate("ABC")}
    scores = scores_from(rows, better="larger")
    assert groups(rank(scores, Rules("mean_then_rank")), significance(scores)) == [("C",), ("B",), ("A",)]


def test_footrules() -> None:
    one, other = np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])
    assert footrule(one, other) == 4
    assert weighted_footrule(one, other) == 4
    assert weighted_footrule(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == 2
