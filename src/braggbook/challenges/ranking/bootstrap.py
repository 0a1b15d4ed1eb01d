"""How sure a ranking is: the same rules on cases drawn anew, many times.

A draw is a list of as many cases as there are, with repetitions, held as how often each case is in it. For means,
medians and ranks by case that is the same as a table in which the repeated cases stand as cases of their own
(:mod:`braggbook.challenges.ranking.methods` says for which method it is not).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from braggbook.challenges.ranking.agreement import kendall_taus
from braggbook.challenges.ranking.methods import Ranking, Rules, Weights, rank, rank_weighted
from braggbook.challenges.ranking.scores import Floats, Scores
from braggbook.errors import InputError

DRAWS = 1000
LEVEL = 0.95
COPIES_NOTE = (
    "The copies of a case are ties in the paired tests of test_then_rank, which takes them for further evidence: a "
    "draw calls one of two that are alike the better one more often than new cases would (at alpha = 0.05 in 12 draws "
    "of a hundred, and not in 5)."
)  # the statistic varies by 1 between data and by 1 more between draws: 1 - Phi(1.645 / sqrt(2)) = 0.122


@dataclass(frozen=True, eq=False)
class Certainty:
    """A ranking, and what the bootstrap says of it.

    Attributes:
        ranking: Of the cases as they are.
        intervals: (algorithms, 2): ranks between which the middle ``level`` of the draws lie, or a little more of them:
            both are ranks that it had in a draw.
        first: (algorithms): part of the draws in which it has rank 1, also together with others.
        sole: (algorithms): part of the draws in which it has rank 1 alone.
        mean_ranks: (algorithms): over the draws.
        counts: (algorithms, algorithms): in how many draws it had rank 1, 2, ...; a rank between two, where ties share
            their mean, counts for the lower number.
        tau: Mean of Kendall's tau-b between the ranking and those of the draws; None where it is never defined.
        undefined: Draws, of all, in which tau has no value because all are equal in one of the two.
        draws: How many.
        level: Of the intervals.
        note: What a reader must know.
    """

    ranking: Ranking
    intervals: Floats
    first: Floats
    sole: Floats
    mean_ranks: Floats
    counts: Weights
    tau: float | None
    undefined: int
    draws: int
    level: float
    note: str


def draw_cases(count: int, *, draws: int, rng: np.random.Generator) -> Weights:
    """Draws cases with repetition.

    Args:
        count: Cases.
        draws: How many lists of cases.
        rng: Where chance comes from.

    Returns:
        (draws, count): how often each case was drawn.
    """
    return rng.multinomial(count, np.full(count, 1 / count), size=draws)


def bootstrap(
    scores: Scores, rules: Rules, *, rng: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> Certainty:
    """Says how sure a ranking is.

    Args:
        scores: What is ranked.
        rules: How.
        rng: Where chance comes from; the same one gives the same draws to every method.
        draws: How many.
        level: Of the intervals.

    Raises:
        InputError: Fewer than two cases or no draw; a level that is none; a missing score without a rule.
    """
    check_draws(draws, level=level)
    if len(scores.cases) < 2:
        raise InputError("nothing to draw", wanted="two cases at least", got=str(len(scores.cases)))
    _, ranks = rank_weighted(scores, rules, draw_cases(len(scores.cases), draws=draws, rng=rng))
    note = COPIES_NOTE if rules.method == "test_then_rank" else ""
    return certainty_of(rank(scores, rules), ranks, level=level, note=note)


def check_draws(draws: int, *, level: float) -> None:
    """Refuses to draw nothing, and a level that is none.

    Raises:
        InputError: No draw, or a level outside of 0 to 1.
    """
    if draws < 1 or not 0 < level < 1:
        wanted = "one draw at least, a level between 0 and 1"
        raise InputError("nothing to draw", wanted=wanted, got=f"{draws} draws, level {level}")


def certainty_of(ranking: Ranking, ranks: Floats, *, level: float, note: str = "") -> Certainty:
    """Says what the ranks of many draws say of a ranking.

    Args:
        ranking: Of the cases as they are.
        ranks: (draws, algorithms).
        level: Of the intervals.
        note: What a reader must know.
    """
    taus = kendall_taus(ranking.ranks, ranks)
    defined = taus[~np.isnan(taus)]
    outside = (1 - level) / 2
    return Certainty(
        ranking=ranking,
        intervals=np.stack(
            [
                np.quantile(ranks, outside, axis=0, method="lower"),
                np.quantile(ranks, 1 - outside, axis=0, method="higher"),
            ],
            axis=1,
        ),
        first=np.mean(ranks == ranks.min(axis=1, keepdims=True), axis=0),
        sole=_sole(ranks),
        mean_ranks=ranks.mean(axis=0),
        counts=_counts(ranks),
        tau=float(defined.mean()) if len(defined) else None,
        undefined=len(taus) - len(defined),
        draws=len(ranks),
        level=level,
        note=note,
    )


def _sole(ranks: Floats) -> Floats:
    first = ranks == ranks.min(axis=1, keepdims=True)
    alone: Floats = np.mean(first & (first.sum(axis=1, keepdims=True) == 1), axis=0)
    return alone


def _counts(ranks: Floats) -> Weights:
    size = ranks.shape[1]
    whole = np.floor(ranks).astype(np.int64)
    return np.stack([np.bincount(column, minlength=size + 1)[1:] for column in whole.T])
