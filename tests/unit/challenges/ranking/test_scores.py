"""Tables of scores, rankings of several of them, and groups."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.challenges.ranking import (
    METHODS,
    Ranking,
    Rules,
    Scores,
    absolute,
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


def test_absolute_ranks_what_the_scorer_states() -> None:
    assert list(absolute({"A": 3.0, "B": 1.0, "C": 3.0}, better="larger").ranks) == [1, 3, 1]
    with pytest.raises(InputError, match="nothing to rank"):
        absolute({"A": float("nan")}, better="larger")


def test_every_method_is_shown() -> None:
    scores = scores_from({"A": {"x": 1.0, "y": None}, "B": {"x": 2.0, "y": 1.0}}, better="larger")
    found = by_method(scores, Rules("mean_then_rank", worst=0))
    assert tuple(found) == METHODS
    assert all(list(one.ranks) in ([2, 1], [1, 1]) for one in found.values())


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
