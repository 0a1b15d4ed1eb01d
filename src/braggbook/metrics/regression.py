"""How far estimated numbers are from the true ones, and how honest their intervals are.

Conventions: lists (n) of finite numbers in one unit, the reference first. An interval is two lists, its lower and upper
ends, and the confidence that it claims.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from braggbook.errors import InputError, Issue
from braggbook.metrics.masks import NoValue
from braggbook.metrics.numbers import Floats, check_lists


def mean_absolute_error(reference: Any, estimate: Any) -> float:
    """Mean of |estimate - reference|, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.abs(said - true).mean())


def median_absolute_error(reference: Any, estimate: Any) -> float:
    """Median of |estimate - reference|, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.median(np.abs(said - true)))


def root_mean_square_error(reference: Any, estimate: Any) -> float:
    """Root of the mean of (estimate - reference)^2, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.sqrt(np.square(said - true).mean()))


def mean_error(reference: Any, estimate: Any) -> float:
    """Mean of estimate - reference, in their unit: positive where too much is said."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float((said - true).mean())


def coefficient_of_determination(reference: Any, estimate: Any) -> float:
    """R^2 = 1 - sum (estimate - reference)^2 / sum (reference - its mean)^2; below 0 for worse than the mean.

    Raises:
        NoValue: All reference values are equal.
    """
    true, said = check_lists(2, reference=reference, estimate=estimate)
    spread = float(np.square(true - true.mean()).sum())
    if spread == 0:
        raise NoValue("R^2 has no value", where="reference", wanted="values that differ")
    return 1 - float(np.square(said - true).sum()) / spread


def interval_score(reference: Any, lower: Any, upper: Any, *, confidence: float) -> float:
    """Mean interval score: width, and 2 / (1 - confidence) times how far the truth lies outside; smaller is better.

    It is least in the mean for intervals whose ends are the true quantiles, so that neither caution nor boldness pays
    (Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), doi:10.1198/016214506000001437, equation 43).

    Args:
        reference: (n).
        lower: (n).
        upper: (n), nowhere below ``lower``.
        confidence: That the intervals claim, such as 0.95.

    Raises:
        InputError: Ends in the wrong order; no confidence.
    """
    true, low, high = _intervals(reference, lower, upper)
    if not 0 < confidence < 1:
        raise InputError("not a confidence", where="confidence", wanted="between 0 and 1", got=str(confidence))
    outside = np.maximum(low - true, 0) + np.maximum(true - high, 0)
    return float((high - low + 2 / (1 - confidence) * outside).mean())


def coverage(reference: Any, lower: Any, upper: Any) -> float:
    """Part of the true values that lie in their interval, its ends included.

    Raises:
        InputError: Ends in the wrong order.
    """
    true, low, high = _intervals(reference, lower, upper)
    return float(((low <= true) & (true <= high)).mean())


def coverage_error(reference: Any, lower: Any, upper: Any, *, confidence: float) -> float:
    """|coverage - confidence|: 0 where intervals hold what they claim."""
    if not 0 < confidence < 1:
        raise InputError("not a confidence", where="confidence", wanted="between 0 and 1", got=str(confidence))
    return abs(coverage(reference, lower, upper) - confidence)


def _intervals(reference: Any, lower: Any, upper: Any) -> tuple[Floats, Floats, Floats]:
    true, low, high = check_lists(reference=reference, lower=lower, upper=upper)
    issues = [
        Issue("ends in the wrong order", f"interval {i}", got=f"{low[i]}, {high[i]}")
        for i in np.flatnonzero(low > high)
    ]
    if issues:
        raise InputError("not intervals", issues=issues)
    return true, low, high
