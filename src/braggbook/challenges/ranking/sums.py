"""Sums that are exact, for any number of weightings at once.

A plain sum of floats depends on the order of its terms, and algorithms with the very same scores in another order then
differ in the last digit: ranks 1, 2, 3, 3, 3 where all five are equal. Here each value is cut into pieces of few
enough bits that a matrix product of whole weights with them has no rounding; the pieces' sums, carried into each other,
are the exact sum. (The idea is Ogita, Rump and Oishi's splitting, SIAM J. Sci. Comput. 26, 1955 (2005),
doi:10.1137/030601818.)
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from braggbook.challenges.ranking.scores import Floats

_EXACT_BITS = 53  # whole numbers below 2**53 are exact


def weighted_means(values: Floats, weights: npt.NDArray[np.int64]) -> Floats:
    """Returns means of every row for every weighting; exact sums that are equal give equal means.

    Args:
        values: (rows, n), finite.
        weights: (weightings, n), whole and not negative.

    Returns:
        (weightings, rows); NaN where all weights are 0.
    """
    totals = weights.sum(axis=1)
    bits = _EXACT_BITS - 1 - max(int(totals.max()), 1).bit_length()  # of a piece
    pieces, scales = _cut(values, bits)
    sums = [weights.astype(float) @ piece.T for piece in pieces]
    return _carried(sums, scales, bits) / np.where(totals > 0, totals, np.nan)[:, None]


def _cut(values: Floats, bits: int) -> tuple[list[Floats], list[float]]:
    """Cuts values into whole numbers of few bits, times powers of two, the largest first."""
    largest = float(np.max(np.abs(values), initial=0.0))
    scale = 2.0 ** (math.frexp(largest)[1] - bits)
    pieces, scales = [], []
    rest = values
    while True:
        piece = np.trunc(rest / scale)
        pieces.append(piece)
        scales.append(scale)
        rest = rest - piece * scale  # exact: the leading bits are gone
        if not rest.any() or scale < 2.0**-1000:
            return pieces, scales
        scale *= 2.0**-bits


def _carried(sums: list[Floats], scales: list[float], bits: int) -> Floats:
    """Adds the pieces' sums up so that equal exact sums give equal floats."""
    step = 2.0**bits
    for place in range(len(sums) - 1, 0, -1):
        carry = np.floor(sums[place] / step + 0.5)
        sums[place] = sums[place] - carry * step
        sums[place - 1] = sums[place - 1] + carry
    total = np.zeros_like(sums[0])
    for part, scale in zip(reversed(sums), reversed(scales), strict=True):
        total = total + part * scale
    return total
