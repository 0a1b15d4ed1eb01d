"""The ways from scores to ranks: for the cases as they are, and for any number of weightings of them.

A weighting says how often each case counts. All ones is the ranking itself; a draw of a bootstrap has whole numbers
that add up to as many. The statistic of every method but the tests is linear in the weights, or a median of values that
stand as often as they are drawn, so that a case that was drawn k times counts k times. For ``test_then_rank`` that
argument does not hold: the copies of a case are ties in the test, which takes them for further evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Literal

import numpy as np
import numpy.typing as npt

from braggbook.challenges.ranking import plain
from braggbook.challenges.ranking.ranks import TIE_TOLERANCE, TIES, Ties, ranks_of
from braggbook.challenges.ranking.scores import Absolute, Floats, Scores
from braggbook.challenges.ranking.sums import weighted_means
from braggbook.errors import InputError, Issue

Weights = npt.NDArray[np.int64]
Method = Literal["mean_then_rank", "median_then_rank", "rank_then_mean", "rank_then_median", "test_then_rank"]
METHODS: tuple[Method, ...] = (
    "mean_then_rank", "median_then_rank", "rank_then_mean", "rank_then_median", "test_then_rank",
)  # fmt: skip
RANKED_BY_VALUE: tuple[Method, ...] = ("mean_then_rank", "median_then_rank")
RANKED_BY_CASE: tuple[Method, ...] = ("rank_then_mean", "rank_then_median")
ALPHA = 0.05
_CHUNK = 64  # weightings that a thread takes at a time
_PAIRS_WORK = 200_000  # differences that are held at a time: 1.6 MB, and as much a few times over; more is no faster
_PLAIN_WORK = 4_000_000  # scores, or differences, times weightings: NumPy has done as many when numba is only loaded


@dataclass(frozen=True)
class Rules:
    """How scores become ranks.

    Attributes:
        method: Which way.
        ties: The rank that equals share.
        tolerance: Differences as small as this are none, in the metric's unit: of means or medians, or of the scores of
            a case. Mean ranks and parts of wins have no unit, and are equal within ``TIE_TOLERANCE``.
        worst: The value that a missing score counts as, for the methods that do not rank the cases; those give it the
            last rank of its case. None says that there must be no missing score.
        alpha: Level of a test, for ``test_then_rank``.
    """

    method: Method
    ties: Ties = "min"
    tolerance: float = TIE_TOLERANCE
    worst: float | None = None
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        issues = []
        if self.method not in METHODS:
            issues.append(Issue("no such method", "method", ", ".join(METHODS), repr(self.method)))
        if self.ties not in TIES:
            issues.append(Issue("no such rule for ties", "ties", ", ".join(TIES), repr(self.ties)))
        if not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            issues.append(Issue("not a tolerance", "tolerance", "0 or more", repr(self.tolerance)))
        if self.worst is not None and not np.isfinite(self.worst):
            issues.append(Issue("not a value", "worst", "a finite number, or none", repr(self.worst)))
        if self.worst is not None and self.method in RANKED_BY_CASE:
            wanted = "none: a missing score has the last rank of its case"
            issues.append(Issue("a value for missing scores that is not used", "worst", wanted, repr(self.worst)))
        if not 0 < self.alpha < 1:
            issues.append(Issue("not a level", "alpha", "between 0 and 1", repr(self.alpha)))
        if issues:
            raise InputError("not rules of a ranking", issues=issues)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranks, and what they were made of.

    Attributes:
        algorithms: Names, in the order of the scores.
        values: (algorithms): mean or median in the metric's unit, mean or median rank, or the part of the other
            algorithms that it is significantly better than. NaN where there is none: an absolute number that is missing
            and is last for it, or a weighting in which no case counts.
        ranks: (algorithms): 1 for the best.
    """

    algorithms: tuple[str, ...]
    values: Floats
    ranks: Floats


def rank(scores: Scores | Absolute, rules: Rules) -> Ranking:
    """Ranks algorithms; of absolute numbers only the ties, their tolerance and what is missing follow the rules.

    Raises:
        InputError: A score is missing, and the rules do not say what that means.
    """
    if isinstance(scores, Absolute):
        values = _complete(scores.table, rules).values[:, 0]
        losses = scores.table.loss(values)
        return Ranking(scores.algorithms, values, ranks_of(losses, ties=rules.ties, tolerance=rules.tolerance))
    weights = np.ones((1, len(scores.cases)), np.int64)
    found, ranks = rank_weighted(scores, rules, weights)
    return Ranking(scores.algorithms, found[0], ranks[0])


def rank_by_tests(algorithms: tuple[str, ...], p: Floats, rules: Rules) -> Ranking:
    """Ranks as :func:`rank` does by ``test_then_rank``, where the tests were made before.

    Args:
        algorithms: Names.
        p: (algorithms, algorithms): that the row is better than the column; NaN where there is none.
        rules: Level and ties.
    """
    values = (p <= rules.alpha).sum(axis=1) / max(len(algorithms) - 1, 1)
    return Ranking(algorithms, values, ranks_of(-values, ties=rules.ties))


def rank_weighted(scores: Scores, rules: Rules, weights: Weights) -> tuple[Floats, Floats]:
    """Ranks algorithms once for each weighting of the cases.

    Args:
        scores: What is ranked.
        rules: How.
        weights: (weightings, cases), whole, from 0. Where all are 0, all algorithms are equal.

    Returns:
        Values and ranks as in :class:`Ranking`, (weightings, algorithms) each.

    Raises:
        InputError: As for :func:`rank`.
    """
    values = _STATISTICS[rules.method](_complete(scores, rules), rules, weights)
    if rules.method in RANKED_BY_VALUE:
        return values, ranks_of(scores.loss(values), ties=rules.ties, tolerance=rules.tolerance)
    return values, ranks_of(-values if rules.method == "test_then_rank" else values, ties=rules.ties)


def _complete(scores: Scores, rules: Rules) -> Scores:
    """Returns scores in which missing ones have become what the rules say."""
    missing = scores.missing
    if rules.method in RANKED_BY_CASE or not missing.any():
        return scores
    if rules.worst is not None:
        return scores.filled(rules.worst)
    issues = [
        Issue("no score", f"{scores.algorithms[row]}, {scores.cases[column]}") for row, column in np.argwhere(missing)
    ]
    raise InputError("scores are missing, and no rule says what that means", wanted="worst = a value", issues=issues)


def _mean(scores: Scores, rules: Rules, weights: Weights) -> Floats:  # noqa: ARG001 - one signature for all
    return weighted_means(scores.values, weights)


def _median(scores: Scores, rules: Rules, weights: Weights) -> Floats:  # noqa: ARG001 - the same
    return _medians(scores.values, weights)


def _mean_rank(scores: Scores, rules: Rules, weights: Weights) -> Floats:
    return weighted_means(case_ranks(scores, rules), weights)


def _median_rank(scores: Scores, rules: Rules, weights: Weights) -> Floats:
    return _medians(case_ranks(scores, rules), weights)


def case_ranks(scores: Scores, rules: Rules) -> Floats:
    """(algorithms, cases): the rank in each case; a missing score shares the last."""
    return ranks_of(scores.losses.T, ties=rules.ties, tolerance=rules.tolerance).T


def _medians(values: Floats, weights: Weights) -> Floats:
    values, weights = np.ascontiguousarray(values), np.ascontiguousarray(weights)  # one layout is compiled, not four
    order = np.argsort(values, axis=1, kind="stable")
    out = np.empty((len(weights), len(values)))
    loops = _loops(values.size * len(weights))
    _in_threads(lambda part: loops.weighted_medians(values, order, weights[part], out[part]), len(weights))
    return out


def _wins(scores: Scores, rules: Rules, weights: Weights) -> Floats:
    """(weightings, algorithms): part of the others that it is significantly better than, by pairs of cases."""
    count = len(scores.algorithms)
    wins = np.zeros((len(weights), count))

    def count_wins(pairs: Pairs, part: slice) -> None:
        won = pairs.p(weights[part]) <= rules.alpha
        wins[part] += [
            np.bincount(pairs.one, both[0], count) + np.bincount(pairs.other, both[1], count)
            for both in won.transpose(1, 2, 0)
        ]

    for pairs in PairedTests(scores, tolerance=rules.tolerance, weightings=len(weights)).parts():
        _in_threads(partial(count_wins, pairs), len(weights))
    return wins / max(count - 1, 1)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Some pairs of algorithms, with their differences sorted.

    Attributes:
        one, other: (pairs): which; one < other.
        differences, order: (pairs, cases): of losses, and what sorts their sizes.
        tolerance: Differences as small as this are none.
        loops: What the tests are made by.
    """

    one: Weights
    other: Weights
    differences: Floats
    order: Weights
    tolerance: float
    loops: ModuleType

    def p(self, weights: Weights) -> Floats:
        """Tests all pairs once for each weighting of the cases.

        Args:
            weights: As in :func:`rank_weighted`.

        Returns:
            One-sided p-values (pairs, weightings, 2), that one is better and that the other is; NaN where they nowhere
            differ.
        """
        out = np.empty((len(self.one), len(weights), 2))
        by_case = np.ascontiguousarray(weights.T, dtype=float)
        self.loops.signed_rank_p(self.differences, self.order, by_case, self.tolerance, out)
        return out


class PairedTests:
    """Wilcoxon's signed-rank test of every pair of algorithms."""

    def __init__(self, scores: Scores, *, tolerance: float, weightings: int = 1) -> None:
        """Takes complete scores, for so many weightings in all; differences as small as ``tolerance`` are none."""
        self._losses = np.ascontiguousarray(scores.losses)
        self._tolerance = tolerance
        count, cases = self._losses.shape
        self._loops = _loops(count * (count - 1) // 2 * cases * weightings if weightings > 1 else 0)

    def parts(self) -> Iterator[Pairs]:
        """Returns all pairs, as many at a time as memory bears: a thousand algorithms have half a million."""
        count, cases = self._losses.shape
        one, other = np.triu_indices(count, 1)
        size = max(_PAIRS_WORK // max(cases, 1), 1)
        for begin in range(0, len(one), size):
            first, second = one[begin : begin + size], other[begin : begin + size]
            differences = self._losses[second] - self._losses[first]
            order = np.argsort(np.abs(differences), axis=1, kind="stable")
            yield Pairs(first, second, differences, order, self._tolerance, self._loops)


def _loops(work: int) -> ModuleType:
    """The loops in NumPy, or the compiled ones where there is so much to do that they repay being loaded."""
    return plain if work <= _PLAIN_WORK else import_module("braggbook.challenges.ranking.compiled")


def _in_threads(work: Callable[[slice], None], count: int) -> None:
    """Does some work in parts, on all cores when there is enough of it."""
    parts = [slice(begin, begin + _CHUNK) for begin in range(0, count, _CHUNK)]
    if len(parts) < 2:
        work(slice(0, count))
        return
    with ThreadPoolExecutor() as pool:
        list(pool.map(work, parts))


_STATISTICS: dict[Method, Callable[[Scores, Rules, Weights], Floats]] = {
    "mean_then_rank": _mean,
    "median_then_rank": _median,
    "rank_then_mean": _mean_rank,
    "rank_then_median": _median_rank,
    "test_then_rank": _wins,
}
