"""Rankings of several metrics or tasks together, and how the order depends on the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from braggbook.challenges.ranking.methods import METHODS, Method, Ranking, Rules, rank
from braggbook.challenges.ranking.ranks import TIE_TOLERANCE, Ties, ranks_of
from braggbook.challenges.ranking.scores import Floats, Scores
from braggbook.errors import InputError, Issue

Centre = Literal["mean", "median"]


def consensus(
    rankings: Sequence[Ranking], *, centre: Centre = "mean", ties: Ties = "min", weights: Floats | None = None
) -> Ranking:
    """Ranks algorithms by the mean or median of their ranks in several rankings: of tasks, or of metrics.

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
    values = np.median(ranks, axis=0) if centre == "median" else share @ ranks / share.sum()
    return Ranking(names, values, ranks_of(values, ties=ties))


def absolute(values: Mapping[str, float], *, better: Literal["larger", "smaller"], ties: Ties = "min",
             tolerance: float = TIE_TOLERANCE) -> Ranking:  # fmt: skip
    """Ranks algorithms by one number each, which the scorer states for all cases together.

    Args:
        values: By algorithm.
        better: Which of two is the better one.
        ties: The rank that equals share.
        tolerance: Differences as small as this are none.

    Raises:
        InputError: A number is not finite, or there is none.
    """
    issues = [
        Issue("not a score", name, "a finite number", repr(v)) for name, v in values.items() if not np.isfinite(v)
    ]
    if issues or not values:
        raise InputError("nothing to rank", issues=issues)
    numbers = np.array(list(values.values()), float)
    losses = -numbers if better == "larger" else numbers
    return Ranking(tuple(values), numbers, ranks_of(losses, ties=ties, tolerance=tolerance))


def by_method(scores: Scores, rules: Rules) -> dict[Method, Ranking]:
    """Ranks the same scores by every method, so that one sees how much the order depends on it.

    Args:
        scores: What is ranked.
        rules: All but the method; for the methods that rank cases, a missing score has the last rank.
    """
    made = {}
    for method in METHODS:
        worst = None if method.startswith("rank_") else rules.worst
        made[method] = rank(scores, Rules(method, rules.ties, rules.tolerance, worst, rules.alpha))
    return made


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
