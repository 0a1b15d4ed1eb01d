"""The loops of :mod:`~braggbook.challenges.ranking.compiled` in NumPy, with the same arguments and the same results.

For small tables they are done before the compiler is loaded, let alone has compiled anything.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from braggbook.challenges.ranking.ranks import begins_of_groups
from braggbook.challenges.ranking.scores import Floats

Integers = npt.NDArray[np.int64]


def weighted_medians(values: Floats, order: Integers, weights: Integers, out: Floats) -> None:
    """Writes medians of lists in which each value stands as often as its weight says.

    Args:
        values: (rows, n).
        order: (rows, n), which sorts each row.
        weights: (weightings, n), whole, from 0.
        out: (weightings, rows); NaN where all weights are 0.
    """
    totals = weights.sum(axis=1)
    empty = totals == 0
    middle = ((totals + 1) // 2, totals // 2 + 1)  # places, from 1
    last = values.shape[1] - 1
    for row in range(len(values)):
        reached = np.cumsum(weights[:, order[row]], axis=1)
        low, high = (
            np.minimum(np.count_nonzero(reached < place[:, None], axis=1), last)  # beyond it only where all are 0
            for place in middle
        )
        ordered = values[row, order[row]]
        out[:, row] = np.where(empty, np.nan, (ordered[low] + ordered[high]) / 2)


def signed_rank_p(differences: Floats, order: Integers, weights: Floats, tolerance: float, out: Floats) -> None:
    """Writes one-sided p-values of Wilcoxon's signed-rank test, as the compiled loop does.

    Args:
        differences: (pairs, n).
        order: (pairs, n), which sorts their absolute values.
        weights: (n, weightings), how often each stands in the list.
        tolerance: In the unit of the differences.
        out: (pairs, weightings, 2): p that they lie above 0, and that they lie below.
    """
    ordered = np.take_along_axis(differences, order, axis=1)
    sizes = np.abs(ordered)
    begins = begins_of_groups(sizes, tolerance).astype(np.int64)
    if len(differences) > weights.shape[1]:
        counted = np.take_along_axis(sizes, begins, axis=1) > tolerance
        for weighting, weight in enumerate(weights.T):
            drawn = np.where(counted, weight[order], 0.0)
            out[:, weighting] = _tails(*_sums(drawn, ordered > 0, begins))
        return
    for pair in range(len(differences)):
        first = np.unique(begins[pair])
        first = first[sizes[pair, first] > tolerance]  # without the group of zeros
        if not len(first):
            out[pair] = np.nan
            continue
        drawn = weights[order[pair, first[0] :]]
        above = drawn * (ordered[pair, first[0] :] > 0)[:, None]
        together = np.add.reduceat(drawn, first - first[0], axis=0)
        before = np.cumsum(together, axis=0) - together
        positive = (np.add.reduceat(above, first - first[0], axis=0) * (before + (together + 1) / 2)).sum(axis=0)
        ties = (together * (together * together - 1)).sum(axis=0)
        out[pair] = _tails(together.sum(axis=0), positive, ties)


def _sums(drawn: Floats, above: npt.NDArray[np.bool_], begins: Integers) -> tuple[Floats, Floats, Floats]:
    """(pairs) each: how many are counted, the sum of the ranks of those above 0, and that of the ties; all exact.

    Args:
        drawn: (pairs, n), how often each is counted, by size.
        above: (pairs, n), whether it lies above 0.
        begins: (pairs, n), where the group of equals of each begins.
    """
    reached = np.cumsum(drawn, axis=1)
    is_first = begins == np.arange(begins.shape[1])
    is_last = np.ones(begins.shape, bool)
    is_last[:, :-1] = is_first[:, 1:]
    before = np.maximum.accumulate(np.where(is_first, reached - drawn, 0.0), axis=1)
    behind = np.where(is_last, reached, np.inf)
    through = np.minimum.accumulate(behind[:, ::-1], axis=1)[:, ::-1]
    positive = (np.where(above, drawn, 0.0) * ((before + through + 1) / 2)).sum(axis=1)
    together = np.where(is_first, through - before, 0.0)
    return reached[:, -1], positive, (together * (together * together - 1)).sum(axis=1)


def _tails(count: Floats, positive: Floats, ties: Floats) -> Floats:
    """(weightings, 2): both one-sided p-values of sums of ranks."""
    variance = count * (count + 1) * (2 * count + 1) / 24 - ties / 48
    middle = count * (count + 1) / 4
    spread = np.sqrt(2 * np.where(variance > 0, variance, np.nan))
    above, below = (positive - middle - 0.5) / spread, (middle - positive - 0.5) / spread
    values, places = np.unique(np.stack([above, below], axis=-1), return_inverse=True)  # they repeat: sums of ranks
    return 0.5 * np.array([math.erfc(value) for value in values])[places.reshape(-1, 2)]
