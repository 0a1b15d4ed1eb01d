"""How far estimated numbers are from the true ones, and how honest their intervals are.

Conventions: lists (n) of finite numbers in one unit, the reference first; metrics of one case take a number each. An
interval is two lists, its lower and upper ends, and the confidence that it claims; its ends belong to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from braggbook.errors import InputError, Issue, NoValue
from braggbook.metrics.definitions import OF_DATA, OF_DATA_SQUARED, Option, define
from braggbook.metrics.numbers import Floats, check_lists, check_part

_GNEITING = "Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), doi:10.1198/016214506000001437, equation 43"
_WILLMOTT = "Willmott and Matsuura, Clim. Res. 30, 79 (2005), doi:10.3354/cr030079"
_ITS_OWN = "its definition"
_CONFIDENCE = Option("confidence", "what the intervals claim, such as 0.95", 0.95, above=0, below=1)
_TOLERANCE = Option("tolerance", "how large an error may be, in the unit of the data", 0.5, least=0)
_ERROR: dict[str, Any] = {
    "kind": "numbers",
    "unit": OF_DATA,
    "better": "smaller",
    "bounds": (0.0, None),
    "symmetric": True,
}
_SIGNED: dict[str, Any] = {"kind": "numbers", "unit": OF_DATA, "better": "target", "bounds": (None, None)}
_INTERVALS: dict[str, Any] = {"kind": "intervals", "unit": OF_DATA, "better": "smaller", "bounds": (0.0, None)}
_COVERAGE: dict[str, Any] = {
    "kind": "intervals", "scope": "all", "unit": "1", "bounds": (0.0, 1.0), "worst": "farthest",
    "options": (_CONFIDENCE,),
}  # fmt: skip


@define("absolute_error@1", says="|estimate - reference|", source=_ITS_OWN, **_ERROR)
def absolute_error(reference: float, estimate: float) -> float:
    """Size of the error, in the unit of the numbers."""
    return abs(estimate - reference)


@define(
    "squared_error@1",
    says="(estimate - reference)^2",
    source=_ITS_OWN,
    **{**_ERROR, "unit": OF_DATA_SQUARED},
)
def squared_error(reference: float, estimate: float) -> float:
    """Square of the error."""
    return (estimate - reference) * (estimate - reference)


@define("signed_error@1", says="estimate - reference: positive where too much is said", source=_ITS_OWN, **_SIGNED)
def signed_error(reference: float, estimate: float) -> float:
    """The error with its sign."""
    return estimate - reference


@define(
    "relative_error@1",
    says="|estimate - reference| / |reference|; does not apply to a reference of 0",
    source=_ITS_OWN,
    **{**_ERROR, "unit": "1", "symmetric": False, "no_value": "not_applicable"},
)
def relative_error(reference: float, estimate: float) -> float:
    """Size of the error as a part of the reference's.

    Raises:
        NoValue: The reference is 0.
    """
    if reference == 0:
        raise NoValue("a relative error has no value", where="reference", wanted="other than 0")
    return abs(estimate - reference) / abs(reference)


@define("mean_absolute_error@1", says="mean of |estimate - reference|", source=_WILLMOTT, scope="all", **_ERROR)
def mean_absolute_error(reference: Any, estimate: Any) -> float:
    """Mean of |estimate - reference|, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.abs(said - true).mean())


@define(
    "median_absolute_error@1",
    says="median of |estimate - reference|",
    source=_ITS_OWN,
    scope="all",
    **_ERROR,
)
def median_absolute_error(reference: Any, estimate: Any) -> float:
    """Median of |estimate - reference|, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.median(np.abs(said - true)))


@define(
    "root_mean_square_error@1",
    says="root of the mean of (estimate - reference)^2",
    source=_WILLMOTT,
    scope="all",
    **_ERROR,
)
def root_mean_square_error(reference: Any, estimate: Any) -> float:
    """Root of the mean of (estimate - reference)^2, in their unit."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float(np.sqrt(np.square(said - true).mean()))


@define(
    "mean_error@1",
    says="mean of estimate - reference: positive where too much is said",
    source=_WILLMOTT,
    scope="all",
    **_SIGNED,
)
def mean_error(reference: Any, estimate: Any) -> float:
    """Mean of estimate - reference, in their unit: positive where too much is said."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float((said - true).mean())


@define(
    "part_within@1",
    says="part of the cases with |estimate - reference| of the tolerance or less",
    kind="numbers",
    scope="all",
    unit="1",
    better="larger",
    bounds=(0.0, 1.0),
    perfect=1.0,
    worst=0.0,
    options=(_TOLERANCE,),
    symmetric=True,
    source=_ITS_OWN,
)
def part_within(reference: Any, estimate: Any, *, tolerance: float) -> float:
    """Part of the cases whose error is no larger than a tolerance in the unit of the numbers."""
    true, said = check_lists(reference=reference, estimate=estimate)
    return float((np.abs(said - true) <= tolerance).mean())


@define(
    "r_squared@1",
    says="1 - sum (estimate - reference)^2 / sum (reference - its mean)^2, below 0 for worse than the mean; does not "
    "apply to references that are all the same",
    kind="numbers",
    scope="all",
    unit="1",
    better="larger",
    bounds=(None, 1.0),
    perfect=1.0,
    no_value="not_applicable",
    source="Kvalseth, Am. Stat. 39, 279 (1985), doi:10.1080/00031305.1985.10479448, equation 1",
)
def coefficient_of_determination(reference: Any, estimate: Any) -> float:
    """R^2 = 1 - sum (estimate - reference)^2 / sum (reference - its mean)^2; below 0 for worse than the mean.

    Raises:
        NoValue: All reference values are equal.
    """
    true, said = check_lists(2, reference=reference, estimate=estimate)
    spread = float(np.square(true - true.mean()).sum())
    if (true == true[0]).all() or spread == 0:
        raise NoValue("R^2 has no value", where="reference", wanted="values that differ")
    return 1 - float(np.square(said - true).sum()) / spread


@define(
    "mean_interval_score@1",
    says="mean over the cases of the interval's width plus 2 / (1 - confidence) times how far the truth lies outside",
    source=_GNEITING,
    scope="all",
    options=(_CONFIDENCE,),
    **_INTERVALS,
)
@define(
    "interval_score@1",
    says="width of the interval plus 2 / (1 - confidence) times how far the truth lies outside",
    source=_GNEITING,
    options=(_CONFIDENCE,),
    **_INTERVALS,
)
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
    outside = np.maximum(low - true, 0) + np.maximum(true - high, 0)
    return float((high - low + 2 / (1 - check_part("confidence", confidence)) * outside).mean())


@define(
    "mean_interval_width@1",
    says="mean width of the intervals: how sharp they are, whatever they hold",
    source=_GNEITING,
    scope="all",
    **_INTERVALS,
)
def mean_interval_width(reference: Any, lower: Any, upper: Any) -> float:
    """Mean of upper - lower, in their unit.

    Raises:
        InputError: Ends in the wrong order.
    """
    _, low, high = _intervals(reference, lower, upper)
    return float((high - low).mean())


@define(
    "coverage@1",
    says="part of the true values that lie in their interval, ends included; best at the confidence that is claimed",
    better="target",
    perfect="confidence",
    source=_GNEITING,
    **_COVERAGE,
)
def _claimed_coverage(reference: Any, lower: Any, upper: Any, *, confidence: float) -> float:
    """Coverage; the confidence says what is best, and changes nothing."""
    check_part("confidence", confidence)
    return coverage(reference, lower, upper)


def coverage(reference: Any, lower: Any, upper: Any) -> float:
    """Part of the true values that lie in their interval, its ends included.

    Raises:
        InputError: Ends in the wrong order.
    """
    true, low, high = _intervals(reference, lower, upper)
    return float(((low <= true) & (true <= high)).mean())


@define(
    "coverage_error@1",
    says="|coverage - confidence|: 0 where intervals hold what they claim",
    better="smaller",
    source=_GNEITING,
    **_COVERAGE,
)
def coverage_error(reference: Any, lower: Any, upper: Any, *, confidence: float) -> float:
    """|coverage - confidence|: 0 where intervals hold what they claim.

    Raises:
        InputError: Ends in the wrong order; no confidence.
    """
    return abs(coverage(reference, lower, upper) - check_part("confidence", confidence))


def _intervals(reference: Any, lower: Any, upper: Any) -> tuple[Floats, Floats, Floats]:
    true, low, high = check_lists(reference=reference, lower=lower, upper=upper)
    issues = [
        Issue("ends in the wrong order", f"interval {i}", got=f"{low[i]}, {high[i]}")
        for i in np.flatnonzero(low > high)
    ]
    if issues:
        raise InputError("not intervals", issues=issues)
    return true, low, high
