"""Which algorithms are better than which beyond chance, and which cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from braggbook.challenges.ranking.methods import ALPHA, PairedTests, Ranking
from braggbook.challenges.ranking.ranks import TIE_TOLERANCE
from braggbook.challenges.ranking.scores import Floats, Scores
from braggbook.errors import InputError, Issue


@dataclass(frozen=True, eq=False)
class Significance:
    """Paired tests of every algorithm against every other.

    Attributes:
        p: (algorithms, algorithms): one-sided Wilcoxon signed-rank p-value that the row is better than the column; NaN
            on the diagonal and where the two nowhere differ.
        adjusted: The same after Holm's correction over all ordered pairs.
        better: (algorithms, algorithms): whether the row is significantly better than the column.
    """

    p: Floats
    adjusted: Floats
    better: npt.NDArray[np.bool_]


def significance(scores: Scores, *, alpha: float = ALPHA, tolerance: float = TIE_TOLERANCE) -> Significance:
    """Tests every pair of algorithms, one-sided in both directions, with Holm's correction over all of these tests.

    Args:
        scores: Complete.
        alpha: Level of the whole family of tests.
        tolerance: Differences as small as this are none.

    Raises:
        InputError: A score is missing.
    """
    if scores.missing.any():
        raise InputError("scores are missing", wanted="scores that were filled by a rule")
    size = len(scores.algorithms)
    p = np.full((size, size), np.nan)
    tests = PairedTests(scores, tolerance=tolerance)
    for pairs in tests.parts():
        both = pairs.p(np.ones((1, len(scores.cases)), np.int64))[:, 0]
        p[pairs.one, pairs.other], p[pairs.other, pairs.one] = both[:, 0], both[:, 1]
    adjusted = holm(p)
    return Significance(p, adjusted, adjusted <= alpha)


def holm(p: Floats) -> Floats:
    """Returns p-values after Holm's step-down correction (Scand. J. Stat. 6, 65 (1979)); NaN stays and is not counted.

    Args:
        p: Of any shape.
    """
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")[: np.count_nonzero(~np.isnan(flat))]
    left = np.arange(len(order), 0, -1)
    adjusted = np.full_like(flat, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(flat[order] * left))
    return adjusted.reshape(p.shape)


def groups(ranking: Ranking, found: Significance) -> list[tuple[str, ...]]:
    """Returns groups of algorithms that stand together in a ranking and cannot be told apart: no two in a group differ.

    Groups may overlap, as letters in a compact letter display do; one that lies in another is left out.

    Args:
        ranking: The order that the groups follow.
        found: Between the same algorithms.

    Raises:
        InputError: They are not as many.
    """
    size = len(ranking.algorithms)
    if found.better.shape != (size, size):
        raise InputError("of other algorithms", issues=[Issue("sizes", "", str(size), str(len(found.better)))])
    order = np.argsort(ranking.ranks, kind="stable")
    apart = (found.better | found.better.T)[np.ix_(order, order)]
    made: list[tuple[int, int]] = []
    end = 0
    for begin in range(size):
        end = max(end, begin + 1)  # what could not be told apart one place before cannot be here
        while end < size and not apart[begin:end, end].any():
            end += 1
        if not made or end > made[-1][1]:
            made.append((begin, end))
    return [tuple(ranking.algorithms[i] for i in order[begin:end]) for begin, end in made]
