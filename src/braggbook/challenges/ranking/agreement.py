"""How alike two rankings are."""

from __future__ import annotations

import numpy as np

from braggbook.challenges.ranking.scores import Floats

_CHUNK = 256  # rankings whose pairs are held at a time: 2.5 MB for 50 algorithms


def kendall_tau(one: Floats, other: Floats) -> float | None:
    """Kendall's tau-b of two lists of ranks (Biometrika 33, 239 (1945), doi:10.1093/biomet/33.3.239).

    Args:
        one: (n).
        other: (n).

    Returns:
        From -1 to 1; None where all are equal in one of the two, for which tau-b has no value.
    """
    tau = float(kendall_taus(one, other[None])[0])
    return None if np.isnan(tau) else tau


def kendall_taus(one: Floats, many: Floats) -> Floats:
    """Kendall's tau-b of one list of ranks with each of many.

    Args:
        one: (n).
        many: (lists, n).

    Returns:
        (lists); NaN where it has no value.
    """
    first, second = np.triu_indices(len(one), 1)
    reference = np.sign(one[first] - one[second])
    taus = np.full(len(many), np.nan)
    for begin in range(0, len(many), _CHUNK):
        part = many[begin : begin + _CHUNK]
        signs = np.sign(part[:, first] - part[:, second])
        scale = np.sqrt(np.count_nonzero(reference) * np.count_nonzero(signs, axis=1).astype(float))
        np.divide(signs @ reference, scale, out=taus[begin : begin + _CHUNK], where=scale > 0)
    return taus


def footrule(one: Floats, other: Floats) -> float:
    """Spearman's footrule: the sum of differences of ranks (Am. J. Psychol. 15, 72 (1904), doi:10.2307/1412159).

    Args:
        one: (n).
        other: (n).
    """
    return float(np.abs(one - other).sum())


def weighted_footrule(one: Floats, other: Floats) -> float:
    """Spearman's footrule with differences divided by the better of the two ranks, so that the top counts most.

    Args:
        one: (n).
        other: (n).
    """
    return float((np.abs(one - other) / np.minimum(one, other)).sum())
