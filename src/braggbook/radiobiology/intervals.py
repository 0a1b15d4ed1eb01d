"""Confidence intervals: one small type, the cut-offs behind it, and the delta, Fieller and count intervals.

Two reference distributions are offered wherever a dispersion was estimated:

- ``"f"`` (the default): F(1, df), which is t(df) squared. It pays for not knowing the dispersion.
- ``"chi2"``: chi-squared(1), which is the normal deviate squared. It treats the dispersion as known.

An interval that has no finite end says so: ``bounded`` is False, the end is infinite and ``note`` tells why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from braggbook.errors import Issue, ScienceError, unknown_name

Floats = NDArray[np.float64]
Reference = Literal["f", "chi2"]

_REFERENCES = ("f", "chi2")
# The search for a profile's end doubles its step; after 40 doublings the end is a trillion first steps away.
_MAX_DOUBLINGS = 40
# A covariance may exceed the product of its standard errors by what rounding leaves of a correlation of 1.
_ROUNDING = 1e-9
_SHOWN = 60  # characters of an argument in a message


@dataclass(frozen=True)
class Interval:
    """A confidence interval and how it was made.

    Attributes:
        lower: Lower end, in the unit of the quantity; ``-inf`` when there is none.
        upper: Upper end, in the unit of the quantity; ``inf`` when there is none.
        level: Confidence level, between 0 and 1.
        method: How it was made, with the reference distribution, for example ``"profile, F(1, 38)"``.
        bounded: False when the data do not limit the quantity on at least one side.
        note: What a reader must know about an interval that is not bounded.
    """

    lower: float
    upper: float
    level: float
    method: str
    bounded: bool = True
    note: str = ""

    def __iter__(self) -> Iterator[float]:
        """Yields the lower and the upper end, so that ``low, high = interval`` works."""
        yield self.lower
        yield self.upper

    def __contains__(self, value: object) -> bool:
        """Tells whether a number lies between the ends, ends included."""
        return isinstance(value, int | float | np.number) and self.lower <= float(value) <= self.upper


def check_level(level: float) -> float:
    """Returns a confidence level, or raises ScienceError when it is not between 0 and 1."""
    if not (_is_number(level) and 0.0 < level < 1.0):
        raise ScienceError("not a confidence level", wanted="a number between 0 and 1", got=repr(level))
    return float(level)


def cutoff(level: float, *, df: float, reference: Reference = "f") -> float:
    """Returns the quantile that a squared standardised deviation is compared with.

    Raises:
        ScienceError: ``level`` is not between 0 and 1, or ``df`` is not above 0.
        UnknownName: ``reference`` is neither "f" nor "chi2".
    """
    check_level(level)
    if not isinstance(reference, str) or reference not in _REFERENCES:
        raise unknown_name("reference distribution", str(reference), _REFERENCES)
    if not (_is_number(df) and df > 0):
        raise ScienceError("not degrees of freedom", where="df", wanted="a number above 0", got=repr(df))
    return float(stats.f.ppf(level, 1, df) if reference == "f" else stats.chi2.ppf(level, 1))


def delta_interval(
    value: float, standard_error: float, *, level: float, df: float = math.inf, reference: Reference = "chi2"
) -> Interval:
    """Returns value -+ quantile * standard error (Wald); the quantile is t(df) for "f", z for "chi2".

    Raises:
        ScienceError: The value is not finite, or the standard error is not a finite number of 0 or more.
    """
    _require_finite(value=value)
    _require_variances(standard_error=standard_error)
    half = math.sqrt(cutoff(level, df=df, reference=reference)) * float(standard_error)
    value = float(value)
    return Interval(value - half, value + half, level, f"delta, {_deviate(df, reference)}")


def fieller_interval(
    numerator: float,
    denominator: float,
    *,
    variance_numerator: float,
    variance_denominator: float,
    covariance: float = 0.0,
    level: float,
    df: float = math.inf,
    reference: Reference = "chi2",
) -> Interval:
    """Returns Fieller's interval of numerator / denominator for two jointly normal estimates.

    The set holds every ratio r with (x - r y)^2 <= q (v_x - 2 r c + r^2 v_y). It is an interval only when the
    denominator differs from zero at this level (g = q v_y / y^2 < 1); otherwise it is unbounded, and the
    result says which ratios, if any, are excluded.

    Raises:
        ScienceError: An estimate is not finite, a variance is negative, or the covariance is larger than the
            variances allow.

    Source: E. C. Fieller, J R Stat Soc B 16 (1954) 175-185.
    """
    _require_finite(numerator=numerator, denominator=denominator, covariance=covariance)
    _require_variances(variance_numerator=variance_numerator, variance_denominator=variance_denominator)
    if float(covariance) * float(covariance) > variance_numerator * variance_denominator * (1.0 + _ROUNDING):
        raise ScienceError(
            "not a covariance of these two estimates",
            wanted=f"at most {math.sqrt(variance_numerator * variance_denominator):g} in size",
            got=f"{covariance:g}",
        )
    q = cutoff(level, df=df, reference=reference)
    method = f"Fieller, {_deviate(df, reference)}"
    x, y = float(numerator), float(denominator)  # products of floats that are too large are infinite, no error
    a = y * y - q * float(variance_denominator)
    b = x * y - q * float(covariance)
    c = x * x - q * float(variance_numerator)
    discriminant = b * b - a * c
    if not math.isfinite(discriminant):
        raise ScienceError("these estimates are too large to divide", wanted="usual units", got=f"{x:g} / {y:g}")
    if a > 0:
        root = math.sqrt(max(discriminant, 0.0))
        return Interval((b - root) / a, (b + root) / a, level, method)
    if a == 0 or discriminant <= 0:
        return unbounded_interval(level, method=method)
    root = math.sqrt(discriminant)
    return unbounded_interval(level, method=method, excluded=((b + root) / a, (b - root) / a))


def unbounded_interval(level: float, *, method: str, excluded: tuple[float, float] | None = None) -> Interval:
    """Returns the interval of a ratio whose denominator may be zero at this level.

    Args:
        level: Confidence level.
        method: How it was made.
        excluded: The ratios strictly between these two are excluded by the data; None when none is.
    """
    note = "the denominator may be zero at this level"
    if excluded is not None:
        note += f": every ratio except those between {excluded[0]:.6g} and {excluded[1]:.6g} is possible"
    return Interval(-math.inf, math.inf, level, method, bounded=False, note=note)


def poisson_count_intervals(counts: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Returns lower and upper limits of Poisson means, exact (central) and legal for zero counts.

    Args:
        counts: Counts, any shape.
        level: Confidence level.

    Returns:
        Two arrays of the shape of ``counts``. A zero count has the lower limit 0.

    Raises:
        ScienceError: A count is negative or not a finite number.

    Source: F. Garwood, Biometrika 28 (1936) 437-442.
    """
    tail = (1.0 - check_level(level)) / 2.0
    given = np.asarray(counts)
    if given.dtype.kind not in "iuf":
        raise ScienceError("not counts", wanted="finite numbers, 0 or more", got=repr(counts)[:_SHOWN])
    counts = given.astype(np.float64)
    bad = np.argwhere(~(np.isfinite(counts) & (counts >= 0)))
    if len(bad):
        raise ScienceError(
            "not counts",
            wanted="finite numbers, 0 or more",
            issues=[
                Issue("not a count", where=f"element {', '.join(map(str, place))}", got=f"{counts[tuple(place)]:g}")
                for place in bad
            ],
        )
    lower = stats.chi2.ppf(tail, 2.0 * np.where(counts > 0, counts, 1.0)) / 2.0
    upper = stats.chi2.ppf(1.0 - tail, 2.0 * counts + 2.0) / 2.0
    return np.where(counts > 0, lower, 0.0), np.asarray(upper, dtype=np.float64)


def profile_end(excess: Callable[[float], float], *, start: float, step: float, furthest: float = math.inf) -> float:
    """Returns where a profile crosses its cut-off on one side of the estimate, or +-inf if it never does.

    Args:
        excess: Profile deviance minus its limit: negative inside the interval, positive outside.
        start: The estimate, where ``excess`` is negative. Where it is not, because a perfect fit leaves no width but
            rounding, the end is the estimate itself.
        step: First step; its sign is the side that is searched. Each further step is twice the last.
        furthest: Distance from the estimate beyond which the end counts as infinite.
    """
    inside = start
    for _ in range(_MAX_DOUBLINGS):
        outside = inside + step
        if abs(outside - start) > furthest:
            break
        if excess(outside) > 0:
            if inside == start and not excess(start) < 0:
                return float(start)
            return float(optimize.brentq(excess, inside, outside, xtol=1e-13, rtol=1e-11))
        inside, step = outside, 2.0 * step
    return math.copysign(math.inf, step)


def profile_label(df: float, reference: Reference) -> str:
    """Returns the method text of a profile interval."""
    return f"profile, F(1, {df:g})" if reference == "f" else "profile, chi2(1)"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.complexfloating)


def _require_finite(**values: float) -> None:
    issues = [
        Issue("not a finite number", where=name, got=repr(value))
        for name, value in values.items()
        if not (_is_number(value) and math.isfinite(value))
    ]
    if issues:
        raise ScienceError("an interval cannot be made of these", issues=issues)


def _require_variances(**values: float) -> None:
    issues = [
        Issue("not a measure of spread", where=name, wanted="a finite number, 0 or more", got=repr(value))
        for name, value in values.items()
        if not (_is_number(value) and math.isfinite(value) and value >= 0)
    ]
    if issues:
        raise ScienceError("an interval cannot be made of these", issues=issues)


def _deviate(df: float, reference: Reference) -> str:
    return f"t({df:g})" if reference == "f" and math.isfinite(df) else "z"
