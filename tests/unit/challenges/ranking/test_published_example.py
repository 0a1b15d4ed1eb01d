"""The three example tasks of challengeR, drawn anew, and the bootstrap as the plainest loop that one can write.

The published table is not ours to ship: its c_worstcase is made again exactly, its c_ideal and c_random by their idea.
"""

from __future__ import annotations

from itertools import permutations
from statistics import fmean, median

import numpy as np
import pytest
from scipy.stats import wilcoxon

from braggbook.challenges.ranking import (
    METHODS,
    RankedMetric,
    Rules,
    Scores,
    Task,
    bootstrap,
    by_method,
    kendall_tau,
    rank,
    significance,
    standings,
)
from braggbook.challenges.ranking.bootstrap import draw_cases

NAMES = ("A1", "A2", "A3", "A4", "A5")
Table = dict[str, list[float]]


def ideal(*, cases: int = 50) -> Scores:
    """Uniform scores that do not overlap: A1 in 0.9 to 1, A2 in 0.8 to 0.9, and so on to 0.5."""
    low = np.array([0.9, 0.8, 0.7, 0.6, 0.5])[:, None]
    values = low + np.random.default_rng(1).uniform(0, 0.1, size=(5, cases))
    return Scores(NAMES, tuple(f"ideal {k}" for k in range(cases)), values, "larger")


def random(*, cases: int = 50, digits: int = 15) -> Scores:
    """Scores of one distribution: nobody is better, though the sample has an order."""
    values = np.random.default_rng(7).beta(5, 1.4, size=(5, cases)).round(digits)
    return Scores(NAMES, tuple(f"random {k}" for k in range(cases)), values, "larger")


def worst_case() -> Scores:
    """Each order of five equally spaced values once, the identity last."""
    orders = sorted(permutations(range(5)), key=lambda order: order == (0, 1, 2, 3, 4))
    levels = (0.8, 0.85, 0.9, 0.95, 1.0)
    values = np.empty((5, 120))
    for column, order in enumerate(orders):
        values[list(order), column] = levels
    return Scores(NAMES, tuple(f"worst {k}" for k in range(120)), values, "larger")


def shared(losses: list[float]) -> list[int]:
    return [1 + sum(other < mine - 1e-9 for other in losses) for mine in losses]


def by_case(table: Table) -> list[list[int]]:
    """Each algorithm's ranks."""
    columns = [shared([-value for value in column]) for column in zip(*table.values(), strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def wins(table: Table) -> list[int]:
    """How many others each is significantly better than."""
    count = dict.fromkeys(table, 0)
    for one in table:
        for other in table:
            differences = np.subtract(table[one], table[other]).round(9)
            if differences.any():
                found = wilcoxon(differences, alternative="greater", method="asymptotic", correction=True)
                count[one] += found.pvalue <= 0.05
    return list(count.values())


PLAIN = {
    "mean_then_rank": lambda table: shared([-fmean(row) for row in table.values()]),
    "median_then_rank": lambda table: shared([-median(row) for row in table.values()]),
    "rank_then_mean": lambda table: shared([fmean(row) for row in by_case(table)]),
    "rank_then_median": lambda table: shared([median(row) for row in by_case(table)]),
    "test_then_rank": lambda table: shared([-count for count in wins(table)]),
}


def rows(scores: Scores) -> Table:
    return dict(zip(scores.algorithms, scores.values.tolist(), strict=True))


@pytest.mark.parametrize("scores", [ideal(), random(), random(cases=31, digits=1), worst_case()])
@pytest.mark.parametrize("method", METHODS)
def test_ranks_are_those_of_plain_code(method, scores) -> None:
    assert list(rank(scores, Rules(method)).ranks) == PLAIN[method](rows(scores))


@pytest.mark.parametrize("scores", [random(), random(cases=12, digits=1), worst_case()])
@pytest.mark.parametrize("method", METHODS)
def test_the_bootstrap_is_that_of_a_plain_loop(method, scores) -> None:
    """A case that was drawn twice stands in the loop's table as two cases."""
    draws = 12
    count = len(scores.cases)
    ranks = []
    for weights in draw_cases(count, draws=draws, rng=np.random.default_rng(3)).tolist():
        drawn = [case for case in range(count) for _ in range(weights[case])]
        ranks.append(PLAIN[method]({name: [row[case] for case in drawn] for name, row in rows(scores).items()}))
    found = bootstrap(scores, Rules(method), rng=np.random.default_rng(3), draws=draws)
    assert found.counts.tolist() == [[column.count(k) for k in range(1, 6)] for column in zip(*ranks, strict=True)]
    assert found.mean_ranks.tolist() == pytest.approx([fmean(column) for column in zip(*ranks, strict=True)])
    assert found.first.tolist() == pytest.approx([fmean(rank == 1 for rank in c) for c in zip(*ranks, strict=True)])
    taus = [kendall_tau(found.ranking.ranks, np.array(row, float)) for row in ranks]
    defined = [tau for tau in taus if tau is not None]
    assert found.undefined == draws - len(defined)
    assert found.tau == (pytest.approx(fmean(defined)) if defined else None)


@pytest.mark.parametrize("method", METHODS)
def test_the_clear_case(method) -> None:
    ranking = rank(ideal(), Rules(method))
    assert list(ranking.ranks) == [1, 2, 3, 4, 5]
    if method == "test_then_rank":
        assert list(ranking.values) == [1, 0.75, 0.5, 0.25, 0]


def test_the_clear_case_stays_clear_after_holm() -> None:
    assert (significance(ideal()).better.sum(axis=1) / 4).tolist() == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize(
    ("method", "value"), [("mean_then_rank", 0.9), ("median_then_rank", 0.9), ("rank_then_mean", 3.0)]
)
def test_the_worst_case_is_a_tie_of_five(method, value) -> None:
    """A column mean of NumPy gives three different means here, and the ranks 1, 2, 3, 3, 3."""
    scores = worst_case()
    assert len({float(mean) for mean in scores.values.T.copy().mean(axis=0)}) == 3
    ranking = rank(scores, Rules(method, tolerance=0))
    assert (list(ranking.values), list(ranking.ranks)) == ([value] * 5, [1] * 5)


def test_the_worst_case_is_a_tie_by_every_method() -> None:
    assert {tuple(ranking.ranks) for ranking in by_method(worst_case(), Rules("mean_then_rank")).values()} == {(1,) * 5}


def test_three_tasks_together() -> None:
    """The tie of the worst case adds the same rank to all, so that the others decide."""
    tasks = {
        name: Task({"score": RankedMetric(scores, Rules("mean_then_rank"))})
        for name, scores in {"ideal": ideal(), "random": random(), "worst": worst_case()}.items()
    }
    found = standings(tasks, rng=np.random.default_rng(2), draws=200)
    middle = found.tasks["random"].ranking.ranks
    assert found.ranking.values == pytest.approx((np.arange(1, 6) + middle + 1) / 3)
    assert found.tasks["ideal"].metrics["score"].groups == tuple((name,) for name in NAMES)
    assert found.tasks["worst"].metrics["score"].groups == (NAMES,)
    assert (found.tasks["worst"].certainty.tau, found.tasks["ideal"].certainty.tau) == (None, 1.0)
    assert found.certainty.undefined == 0
