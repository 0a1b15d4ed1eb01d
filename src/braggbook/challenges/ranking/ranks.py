"""From numbers to ranks, for any number of lists at once."""

from __future__ import annotations

from typing import Literal

import numpy as np

from braggbook.challenges.ranking.scores import Floats

Ties = Literal["min", "max", "mean"]
TIES: tuple[Ties, ...] = ("min", "max", "mean")
TIE_TOLERANCE = 1e-9
"""Values as near as this to the best of their group share its rank: the noise of floating point is no difference."""


def ranks_of(losses: Floats, *, ties: Ties = "min", tolerance: float = TIE_TOLERANCE) -> Floats:
    """Ranks along the last axis, 1 for the smallest.

    A group of equals begins with the best that is left and takes in all that are within ``tolerance`` of it, so that a
    chain of small steps does not become one large group.

    Args:
        losses: (..., n), smaller is better; NaN is worse than everything, and equal to NaN.
        ties: The rank that equals share: the first of their places, the last, or the mean.
        tolerance: In the unit of ``losses``.

    Returns:
        (..., n).
    """
    order = np.argsort(losses, axis=-1, kind="stable")
    ordered = np.take_along_axis(losses, order, axis=-1)
    places = _shared(begins_of_groups(ordered, tolerance), ties)
    ranks = np.empty_like(places)
    np.put_along_axis(ranks, order, places, axis=-1)
    return ranks


def begins_of_groups(ordered: Floats, tolerance: float) -> Floats:
    """Says where the group of equals of each value begins.

    Args:
        ordered: (..., n), rising, NaN last.
        tolerance: As for :func:`ranks_of`.

    Returns:
        (..., n): places, from 0.
    """
    begins = np.zeros(ordered.shape)
    leader = ordered[..., 0]
    for place in range(1, ordered.shape[-1]):
        value = ordered[..., place]
        apart = np.where(np.isnan(value), ~np.isnan(leader), value - leader > tolerance)
        begins[..., place] = np.where(apart, place, begins[..., place - 1])
        leader = np.where(apart, value, leader)
    return begins


def _shared(begins: Floats, ties: Ties) -> Floats:
    """The rank of each place."""
    if ties == "min":
        return begins + 1
    ends = np.empty_like(begins)
    size = begins.shape[-1]
    ends[..., -1] = size
    for place in range(size - 2, -1, -1):
        same = begins[..., place] == begins[..., place + 1]
        ends[..., place] = np.where(same, ends[..., place + 1], place + 1)
    return ends if ties == "max" else (begins + 1 + ends) / 2
