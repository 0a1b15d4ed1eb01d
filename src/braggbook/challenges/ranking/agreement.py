"""How alike two rankings are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from braggbook.challenges.ranking.scores import Floats

Integers = npt.NDArray[np.int64]
_CHUNK = 256  # rankings that are sorted at a time: 2 MB for 1,000 algorithms


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

    Pairs are counted by sorting, as W. R. Knight does (J. Am. Stat. Assoc. 61, 436 (1966),
    doi:10.1080/01621459.1966.10480879), and all counts are whole numbers: a thousand algorithms have half a million
    pairs, which nobody needs to look at.

    Args:
        one: (n).
        many: (lists, n).

    Returns:
        (lists); NaN where it has no value.
    """
    size = len(one)
    pairs = size * (size - 1) // 2
    order = np.argsort(one, kind="stable")
    group = np.unique(one[order], return_inverse=True)[1]
    apart = pairs - int(_tied(group[None])[0])
    taus = np.full(len(many), np.nan)
    for begin in range(0, len(many), _CHUNK):
        part = many[begin : begin + _CHUNK, order]
        values, places = np.unique(part, return_inverse=True)
        both = np.sort(group * len(values) + places.reshape(part.shape), axis=1)  # by the one, then by the other
        against, places = _inversions(both % max(len(values), 1))
        tied = _tied(places)
        differing = apart - tied + _tied(both)  # pairs that are apart in both
        scale = np.sqrt(apart * (pairs - tied).astype(float))
        np.divide(differing - 2 * against, scale, out=taus[begin : begin + _CHUNK], where=scale > 0)
    return taus


def _tied(ordered: Integers) -> Integers:
    """(lists): how many pairs are equal in lists that rise."""
    places = np.arange(ordered.shape[1])
    begins = np.ones(ordered.shape, bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    since = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    tied: Integers = (places - since).sum(axis=1)
    return tied


def _inversions(lists: Integers) -> tuple[Integers, Integers]:
    """Counts the pairs of which the larger comes first, while all lists are merged from halves.

    Args:
        lists: (lists, n), from 0.

    Returns:
        (lists), and the lists sorted.
    """
    count, size = lists.shape
    whole = 1 << max(size - 1, 0).bit_length()
    merged = np.full((count, whole), lists.max(initial=0), np.int64)  # what is added is behind all, and before none
    merged[:, :size] = lists
    found = np.zeros(count, np.int64)
    half = 1
    while half < whole:
        marked = merged.reshape(count, -1, 2 * half) * 2
        marked[..., half:] += 1  # of equals the one from the first half stays before the other
        marked.sort(axis=-1)
        # The places of the second half's, less their own order, is how many of the first half came before them.
        before = (marked & 1) @ np.arange(2 * half) - half * (half - 1) // 2
        found += (half * half - before).sum(axis=1)
        merged = (marked >> 1).reshape(count, whole)
        half *= 2
    return found, merged[:, :size]


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
