"""Several rankings made one, and how the order depends on the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from braggbook.challenges.ranking.methods import (
    METHODS,
    RANKED_BY_CASE,
    RANKED_BY_VALUE,
    Method,
    Ranking,
    Rules,
    rank,
    rank_by_tests,
)
from braggbook.challenges.ranking.ranks import Ties, ranks_of
from braggbook.challenges.ranking.scores import Absolute, Floats, Scores
from braggbook.errors import InputError, Issue

Centre = Literal["mean", "median"]


def consensus(
    rankings: Sequence[Ranking], *, centre: Centre = "mean", ties: Ties = "min", weights: Floats | None = None
) -> Ranking:
    """Ranks algorithms by the mean or median of their ranks in several rankings: of tasks, or of metrics.

    The consensus of a single ranking is that ranking, with its values.

    Args:
        rankings: Each of the same algorithms, in any order.
        centre: Of the ranks.
        ties: The rank that equals share.
        weights: (rankings), for the mean; all 1 by default.

    Raises:
        InputError: Of other algorithms, or there is none; weights that are none.
    """
    _same(rankings)
    names = rankings[0].algorithms
    ranks = np.array([[one.ranks[one.algorithms.index(name)] for name in names] for one in rankings])
    share = np.ones(len(ranks)) if weights is None else np.asarray(weights, float)
    if share.shape != (len(ranks),) or not (np.isfinite(share).all() and (share >= 0).all() and share.any()):
        raise InputError("not weights of the rankings", wanted=f"{len(ranks)} numbers from 0", got=str(weights))
    if centre == "median" and weights is not None:
        raise InputError("a median has no weights here", wanted='centre="mean"')
    if len(rankings) == 1:
        return rankings[0]
    if centre == "median":
        values: Floats = np.median(ranks, axis=0)
    else:
        values = share @ ranks / share.sum()
    return Ranking(names, values, ranks_of(values, ties=ties))


def consensus_of_draws(ranks: Floats, *, weights: Floats, ties: Ties) -> Floats:
    """Ranks algorithms as :func:`consensus` does, by weighted means, in many draws at once.

    Args:
        ranks: (rankings, draws, algorithms).
        weights: (rankings), with a sum above 0.
        ties: The rank that equals share, where there is more than one ranking.

    Returns:
        (draws, algorithms).
    """
    return ranks[0] if len(ranks) == 1 else ranks_of(np.tensordot(weights, ranks, 1) / weights.sum(), ties=ties)


def by_method(
    scores: Scores | Absolute, rules: Rules, *, worst: float | None = None, p: Floats | None = None
) -> dict[Method, Ranking]:
    """Ranks the same scores by every method that answers the same question, to show how the order depends on it.

    That is none for absolute numbers. For scores with a target it is either the methods that compare a mean or median
    with the target, or those that compare each case with it, as the method of the rules does: that the mean is near is
    one question, and that each case is near another. A method that needs a value for missing scores is left out where
    there is none.

    Args:
        scores: What is ranked.
        rules: All but the method; for the methods that rank cases, a missing score has the last rank.
        worst: What a missing score counts as for the other methods; by default what the rules say.
        p: (algorithms, algorithms): of the paired tests of the same scores, where they were made before.
    """
    if isinstance(scores, Absolute):
        return {}
    value = rules.worst if worst is None else worst
    return {
        method: rank_by_tests(scores.algorithms, p, rules)
        if method == "test_then_rank" and p is not None
        else rank(scores, replace(rules, method=method, worst=None if method in RANKED_BY_CASE else value))
        for method in METHODS
        if scores.better != "target" or (method in RANKED_BY_VALUE) == (rules.method in RANKED_BY_VALUE)
        if method in RANKED_BY_CASE or value is not None or not scores.missing.any()
    }


def _same(rankings: Sequence[Ranking]) -> None:
    if not rankings:
        raise InputError("no ranking to bring together", wanted="one at least")
    wanted = sorted(rankings[0].algorithms)
    issues = [
        Issue("other algorithms", f"ranking {number}", ", ".join(wanted), ", ".join(sorted(one.algorithms)))
        for number, one in enumerate(rankings, 1)
        if sorted(one.algorithms) != wanted
    ]
    if issues:
        raise InputError("rankings of different algorithms", issues=issues)
