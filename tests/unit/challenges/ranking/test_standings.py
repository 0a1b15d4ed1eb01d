"""Metrics and tasks together, against the plainest possible code."""

from __future__ import annotations

import dataclasses
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from braggbook.challenges.ranking import (
    METHODS,
    Absolute,
    RankedMetric,
    Rules,
    Scores,
    Standing,
    Task,
    absolute_from,
    bootstrap,
    by_method,
    groups,
    kendall_tau,
    rank,
    scores_from,
    significance,
    standings,
)
from braggbook.challenges.ranking.bootstrap import draw_cases
from braggbook.errors import InputError

NAMES = ("A", "B", "C", "D")
DRAWS = 60


def random_scores(seed: int, *, cases: int = 10, prefix: str = "c", better: str = "larger") -> Scores:
    values = np.random.default_rng(seed).uniform(size=(len(NAMES), cases)).round(1)
    return Scores(NAMES, tuple(f"{prefix}{i}" for i in range(cases)), values, better)


def ranked(scores: Scores | Absolute, method: str = "mean_then_rank", **more: Any) -> RankedMetric:
    return RankedMetric(scores, Rules(method), **more)


def one(metric: RankedMetric, **options: Any) -> Standing:
    return standings({"task": Task({"metric": metric})}, rng=np.random.default_rng(5), **options)


def same(got: Any, wanted: Any, *, but: tuple[str, ...] = ()) -> None:
    """Asserts that two dataclasses hold the very same numbers."""
    for field in dataclasses.fields(wanted):
        if field.name not in but:
            mine, theirs = getattr(got, field.name), getattr(wanted, field.name)
            if dataclasses.is_dataclass(theirs):
                same(mine, theirs, but=but)
            else:
                np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


@pytest.mark.parametrize("ties", ["min", "max", "mean"])
@pytest.mark.parametrize("method", METHODS)
def test_one_metric_gives_the_numbers_of_rank_and_bootstrap(method, ties) -> None:
    scores, rules = random_scores(1), Rules(method, ties)
    found = one(RankedMetric(scores, rules), draws=DRAWS)
    wanted = bootstrap(scores, rules, rng=np.random.default_rng(5), draws=DRAWS)
    metric = found.tasks["task"].metrics["metric"]
    same(metric.ranking, rank(scores, rules))
    same(metric.certainty, wanted)
    for together in (found, found.tasks["task"]):
        same(together.ranking, wanted.ranking)
        same(together.certainty, wanted)
        assert together.by_method.keys() == by_method(scores, rules).keys()
        for name, ranking in by_method(scores, rules).items():
            same(together.by_method[name], ranking)
    assert metric.groups == tuple(groups(rank(scores, rules), significance(scores)))
    assert bool(found.notes) == (method == "test_then_rank")


def plain_ranks(losses: list[float]) -> list[int]:
    return [1 + sum(other < mine - 1e-9 for other in losses) for mine in losses]


def plain_standing(tasks: dict[str, dict[str, tuple[Scores, float]]], weights: dict[str, dict[str, int]]) -> list[int]:
    """The consensus for how often each case of each task counts: a loop over tables written out."""
    by_task = []
    for name, metrics in tasks.items():
        mean_ranks = [0.0] * len(NAMES)
        for scores, share in metrics.values():
            columns = [i for i, case in enumerate(scores.cases) for _ in range(weights[name][case])]
            ranks = plain_ranks([-fmean(row[i] for i in columns) for row in scores.values.tolist()])
            total = sum(weight for _, weight in metrics.values())
            mean_ranks = [mean + share * rank / total for mean, rank in zip(mean_ranks, ranks, strict=True)]
        by_task.append(plain_ranks(mean_ranks))
    return plain_ranks([fmean(task[i] for task in by_task) for i in range(len(NAMES))])


def test_metrics_and_tasks_are_drawn_and_brought_together_as_a_plain_loop_does() -> None:
    tables = {
        "liver": {"dice": (random_scores(1, prefix="l"), 1.0), "distance": (random_scores(2, prefix="l"), 2.0)},
        "spleen": {"dice": (random_scores(3, cases=7, prefix="s"), 1.0)},
    }
    tasks = {
        name: Task({k: ranked(scores, weight=weight) for k, (scores, weight) in metrics.items()})
        for name, metrics in tables.items()
    }
    found = standings(tasks, rng=np.random.default_rng(11), draws=DRAWS)
    rng = np.random.default_rng(11)
    drawn = {name: draw_cases(len(metrics["dice"][0].cases), draws=DRAWS, rng=rng) for name, metrics in tables.items()}
    as_they_are = {name: dict.fromkeys(metrics["dice"][0].cases, 1) for name, metrics in tables.items()}
    assert list(found.ranking.ranks) == plain_standing(tables, as_they_are)
    ranks = []
    for draw in range(DRAWS):
        weights = {name: dict(zip(as_they_are[name], drawn[name][draw].tolist(), strict=True)) for name in tables}
        ranks.append(plain_standing(tables, weights))
    certainty = found.certainty
    assert certainty.mean_ranks == pytest.approx(np.mean(ranks, axis=0))
    assert certainty.counts.tolist() == [[column.count(k + 1) for k in range(4)] for column in zip(*ranks, strict=True)]
    first = [[rank == min(row) for rank in row] for row in ranks]
    assert certainty.first == pytest.approx(np.mean(first, axis=0))
    assert certainty.sole == pytest.approx(np.mean([[x and sum(row) == 1 for x in row] for row in first], axis=0))
    taus = [kendall_tau(found.ranking.ranks, np.array(row, float)) for row in ranks]
    defined = [tau for tau in taus if tau is not None]
    assert (certainty.tau, certainty.undefined) == (pytest.approx(fmean(defined)), DRAWS - len(defined))


def test_a_metric_beside_its_own_copy_changes_nothing() -> None:
    """Were the two drawn apart, their mean rank would be surer than either."""
    scores = random_scores(4)
    alone = one(ranked(scores), draws=DRAWS).certainty
    task = Task({"one": ranked(scores), "other": ranked(scores, weight=3.0)})
    same(standings({"t": task}, rng=np.random.default_rng(5), draws=DRAWS).certainty, alone, but=("values",))
    two_tasks = {"one": Task({"m": ranked(scores)}), "other": Task({"m": ranked(scores)}, weight=0.5)}
    same(standings(two_tasks, rng=np.random.default_rng(5), draws=DRAWS).certainty, alone, but=("values",))


def test_a_case_is_known_by_its_name_in_whatever_order() -> None:
    scores = random_scores(4)
    turned = Scores(NAMES[::-1], scores.cases[::-1], scores.values[::-1, ::-1].copy(), "larger")
    task = Task({"one": ranked(scores), "other": ranked(turned)})
    found = standings({"t": task}, rng=np.random.default_rng(5), draws=DRAWS)
    same(found.certainty, one(ranked(scores), draws=DRAWS).certainty, but=("values",))
    assert found.algorithms == NAMES


def test_a_metric_of_few_of_the_cases_may_be_without_any_in_a_draw() -> None:
    """Then all are equal in it, and the others decide."""
    few = Scores(NAMES, ("c0", "c1"), np.array([[0.0, 0.0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]), "larger")
    task = Task({"all": ranked(random_scores(6)), "few": ranked(few)})
    found = standings({"t": task}, rng=np.random.default_rng(5), draws=DRAWS)
    weights = draw_cases(10, draws=DRAWS, rng=np.random.default_rng(5))
    empty = int((weights[:, :2].sum(axis=1) == 0).sum())
    assert 0 < empty < DRAWS
    assert found.notes == (f"t, few: In {empty} of {DRAWS} draws it had no case, and all were equal.",)
    assert found.tasks["t"].metrics["few"].certainty.first.tolist() == pytest.approx(
        [empty / DRAWS, empty / DRAWS, empty / DRAWS, 1]
    )


@pytest.mark.parametrize("method", METHODS)
def test_without_a_case_all_are_equal_by_every_method(method) -> None:
    few = Scores(NAMES, ("c0",), np.array([[0.0], [0.1], [0.2], [0.3]]), "larger")
    task = Task({"all": ranked(random_scores(6), method), "few": ranked(few, method)})
    found = standings({"t": task}, rng=np.random.default_rng(5), draws=DRAWS).tasks["t"].metrics["few"]
    assert (found.certainty.mean_ranks[:3] < found.ranking.ranks[:3]).all() or method == "test_then_rank"


def test_absolute_numbers_stay_as_they_are() -> None:
    stated = absolute_from({"D": 4.0, "C": 3.0, "B": 2.0, "A": 1.0}, better="smaller")
    scores = random_scores(7)
    task = Task({"dice": ranked(scores), "calibration": ranked(stated, weight=0.001)})
    found = standings({"t": task}, rng=np.random.default_rng(5), draws=DRAWS)
    metric = found.tasks["t"].metrics["calibration"]
    assert (metric.certainty, metric.groups, dict(metric.by_method)) == (None, None, {})
    assert [(name, rank) for name, rank in zip(found.algorithms, metric.ranking.ranks, strict=True)] == [
        ("A", 1), ("B", 2), ("C", 3), ("D", 4),
    ]  # fmt: skip
    assert found.notes == ("t, calibration: It is one number for all cases, and stays as it is in every draw.",)
    assert found.certainty.tau is not None
    alone = one(ranked(stated), draws=DRAWS)
    assert (alone.certainty, list(alone.ranking.ranks)) == (None, [1, 2, 3, 4][::-1])


def test_one_case_is_ranked_and_not_drawn() -> None:
    found = one(ranked(random_scores(1, cases=1)), draws=DRAWS)
    assert found.certainty is None
    assert found.notes == (
        "task, metric: It has a single case, which cannot be drawn anew, and stays as it is in every draw.",
    )


def test_what_has_no_paired_test_has_no_groups_and_says_so() -> None:
    near = Scores(NAMES, tuple("xyz"), random_scores(2, cases=3).values, "target", 0.5)
    found = one(ranked(near), draws=DRAWS).tasks["task"].metrics["metric"]
    assert (found.groups, found.significance, set(found.by_method)) == (
        None, None, {"mean_then_rank", "median_then_rank"},
    )  # fmt: skip
    assert found.notes[0].startswith("There is no paired test")
    assert one(ranked(near, "rank_then_mean"), draws=DRAWS).tasks["task"].metrics["metric"].groups is not None


def test_missing_scores_need_a_value_for_tests_and_other_methods() -> None:
    scores = scores_from({"A": {"x": 1.0, "y": None}, "B": {"x": 2.0, "y": 1.0}}, better="larger")
    without = one(ranked(scores, "rank_then_mean"), draws=DRAWS).tasks["task"].metrics["metric"]
    assert without.groups is None
    assert without.notes[0].startswith("Scores are missing")
    told = one(ranked(scores, "rank_then_mean", worst=0.0), draws=DRAWS).tasks["task"].metrics["metric"]
    assert told.groups == (("B", "A"),)
    assert set(told.by_method) == set(METHODS)
    assert list(told.ranking.ranks) == list(without.ranking.ranks)


def test_each_method_is_brought_together_by_itself() -> None:
    skewed = scores_from({"A": {"x": 0.0, "y": 0.9, "z": 0.9}, "B": {"x": 0.8, "y": 0.8, "z": 0.8}}, better="larger")
    stated = absolute_from({"A": 2.0, "B": 1.0}, better="larger")
    tasks = {
        "one": Task({"m": ranked(skewed), "stated": ranked(stated, weight=0.5)}),
        "other": Task({"m": ranked(skewed)}),
    }
    found = standings(tasks, rng=np.random.default_rng(0), draws=DRAWS)
    assert set(found.by_method) == set(METHODS)
    assert list(found.by_method["mean_then_rank"].ranks) == list(found.ranking.ranks) == [2, 1]
    assert list(found.by_method["median_then_rank"].ranks) == [1, 2]


@pytest.mark.parametrize(
    ("tasks", "issues"),
    [
        ({}, []),
        ({"t": Task({})}, ["a task without a metric"]),
        ({"t": Task({"m": ranked(random_scores(1), weight=0.0)}, weight=float("nan"))}, ["not a weight"] * 2),
        (
            {"t": Task({"m": ranked(random_scores(1)), "n": ranked(absolute_from({"A": 1.0}, better="larger"))})},
            ["other algorithms"],
        ),
        (
            {"t": Task({"m": ranked(scores_from({"A": {"x": None, "y": 1.0}}, better="larger"))})},
            ["scores are missing, and no rule says what that means"],
        ),
    ],
)
def test_what_cannot_be_ranked_is_refused_all_at_once(tasks, issues) -> None:
    with pytest.raises(InputError, match="nothing that can be ranked") as caught:
        standings(tasks, rng=np.random.default_rng(0))
    assert [issue.what for issue in caught.value.issues] == issues


@pytest.mark.parametrize("options", [{"draws": 0}, {"level": 1.0}])
def test_no_draw_is_no_bootstrap(options) -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        one(ranked(random_scores(1)), **options)
