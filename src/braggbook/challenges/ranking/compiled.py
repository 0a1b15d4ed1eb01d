"""The loops of rankings that numpy has no name for: weighted medians, and Wilcoxon's test for many weightings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def weighted_medians(values: Any, order: Any, weights: Any, out: Any) -> None:
    """Writes medians of lists in which each value stands as often as its weight says.

    Args:
        values: (rows, n).
        order: (rows, n), which sorts each row.
        weights: (weightings, n), whole, from 0.
        out: (weightings, rows); NaN where all weights are 0.
    """
    for draw in range(weights.shape[0]):
        total = 0
        for case in range(weights.shape[1]):
            total += weights[draw, case]
        if total == 0:
            out[draw] = np.nan
            continue
        low, high = (total + 1) // 2, total // 2 + 1  # the middle places, from 1
        for row in range(values.shape[0]):
            count, place, first = 0, -1, 0.0
            while count < low:
                place += 1
                count += weights[draw, order[row, place]]
            first = values[row, order[row, place]]
            while count < high:
                place += 1
                count += weights[draw, order[row, place]]
            out[draw, row] = (first + values[row, order[row, place]]) / 2


@njit(cache=True, nogil=True)
def signed_rank_p(differences: Any, order: Any, weights: Any, tolerance: Any, out: Any) -> None:
    """Writes one-sided p-values of Wilcoxon's signed-rank test, that the differences lie above 0.

    Zeros are left out; sizes within ``tolerance`` of the smallest of their group are ties. The normal approximation has
    the corrections for ties and for continuity, as R's ``wilcox.test(exact = FALSE)`` and SciPy's
    ``wilcoxon(method="asymptotic", correction=True)`` have. Without any difference there is no p-value: NaN.

    Args:
        differences: (pairs, n).
        order: (pairs, n), which sorts their absolute values.
        weights: (n, weightings), how often each stands in the list; contiguous, for the innermost loop runs along it.
        tolerance: In the unit of the differences.
        out: (pairs, weightings, 2): p that they lie above 0, and that they lie below.
    """
    draws = weights.shape[1]
    count, positive, ties = np.empty(draws), np.empty(draws), np.empty(draws)
    together, above = np.empty(draws), np.empty(draws)
    for pair in range(len(differences)):
        count[:] = positive[:] = ties[:] = 0.0
        place = 0
        while place < order.shape[1]:
            size = abs(differences[pair, order[pair, place]])
            together[:] = above[:] = 0.0
            while place < order.shape[1]:
                case = order[pair, place]
                if abs(differences[pair, case]) - size > tolerance:
                    break
                together += weights[case]
                if differences[pair, case] > 0:
                    above += weights[case]
                place += 1
            if size > tolerance:
                for draw in range(draws):
                    positive[draw] += above[draw] * (count[draw] + (together[draw] + 1) / 2)
                    ties[draw] += together[draw] * (together[draw] * together[draw] - 1)
                    count[draw] += together[draw]
        for draw in range(draws):
            both = _tails(count[draw], positive[draw], ties[draw])
            out[pair, draw, 0], out[pair, draw, 1] = both


@njit(cache=True, nogil=True)
def _tails(count: Any, positive: Any, ties: Any) -> tuple[float, float]:
    """Returns both one-sided p-values of a sum of ranks."""
    variance = count * (count + 1) * (2 * count + 1) / 24 - ties / 48
    if variance <= 0:
        return np.nan, np.nan
    middle, spread = count * (count + 1) / 4, math.sqrt(2 * variance)
    return 0.5 * math.erfc((positive - middle - 0.5) / spread), 0.5 * math.erfc((middle - positive - 0.5) / spread)
