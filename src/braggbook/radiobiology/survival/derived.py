"""Every derived quantity of an LQ curve with every interval, side by side in one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pandas as pd

from braggbook.errors import ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import Interval, Reference
from braggbook.radiobiology.survival.bootstrap import SurvivalBootstrap
from braggbook.radiobiology.survival.intervals import CurveIntervals

_D37 = math.exp(-1.0)
_Row = dict[str, float | str | bool]


def standard_errors(intervals: CurveIntervals) -> dict[str, float]:
    """Returns the delta-method standard error of each quantity that the curve has, by name with its unit."""
    found = {}
    for name, (_, _, error) in _quantities(intervals).items():
        try:
            found[name] = error()
        except ScienceError:
            continue
    return found


def derived_table(
    intervals: CurveIntervals, bootstrap: SurvivalBootstrap | str, *, reference: Reference = "f"
) -> pd.DataFrame:
    """Returns a row per quantity and kind of interval.

    Quantities: alpha_per_gy, beta_per_gy2, alpha_beta_gy, sf2, d10_gy, d37_gy, mean_inactivation_dose_gy. Kinds:
    "profile", "delta", "fieller" (alpha/beta, the one ratio), "bootstrap percentile", "bootstrap bca". Columns:
    quantity, unit, estimate, standard_error (delta method, or the bootstrap's own), kind, lower, upper, bounded,
    method (with the reference distribution, or the draws), note. Where the curve has no such quantity, or there
    is no bootstrap, the numbers are NaN and the note says why.

    Args:
        intervals: The fitted curve.
        bootstrap: Its bootstrap, or the reason why there is none.
        reference: "f" or "chi2", see :mod:`braggbook.radiobiology.intervals`.
    """
    rows: list[_Row] = []
    for name, (unit, value, error) in _quantities(intervals).items():
        row: _Row = {"quantity": name, "unit": unit}
        try:
            row |= {"estimate": value(), "standard_error": error()}
        except ScienceError as problem:
            rows.append(row | _nothing("none", problem.what, estimate=math.nan))
            continue
        for kind in ("profile", "delta", *(("fieller",) if name == "alpha_beta_gy" else ())):
            rows.append(row | _ends(kind, partial(_interval, intervals, name, kind, reference)))
        for kind in ("percentile", "bca"):
            rows.append(row | _resampled(bootstrap, name, kind=kind, level=intervals.level))
    columns = ["quantity", "unit", "estimate", "standard_error", "kind", "lower", "upper", "bounded", "method", "note"]
    return pd.DataFrame(rows, columns=columns)


def _quantities(
    intervals: CurveIntervals,
) -> dict[str, tuple[str, Callable[[], float], Callable[[], float]]]:
    """Unit, value and standard error of each; the last two raise ScienceError where the curve has none."""
    p = intervals.parameters
    ab = {"alpha_per_gy": p.alpha_per_gy, "beta_per_gy2": p.beta_per_gy2}
    return {
        "alpha_per_gy": ("1/Gy", lambda: p.alpha_per_gy, lambda: math.sqrt(intervals.covariance[0, 0])),
        "beta_per_gy2": ("1/Gy^2", lambda: p.beta_per_gy2, lambda: math.sqrt(intervals.covariance[1, 1])),
        "alpha_beta_gy": ("Gy", lambda: float(lq.alpha_beta_ratio(**ab)), intervals.alpha_beta_se),
        "sf2": ("1", lambda: float(lq.surviving_fraction(2.0, **ab)), lambda: intervals.survival_se(2.0)),
        "d10_gy": ("Gy", lambda: float(lq.dose_at_survival(0.1, **ab)), lambda: intervals.dose_se(0.1)),
        "d37_gy": ("Gy", lambda: float(lq.dose_at_survival(_D37, **ab)), lambda: intervals.dose_se(_D37)),
        "mean_inactivation_dose_gy": (
            "Gy",
            lambda: float(lq.mean_inactivation_dose(**ab)),
            intervals.mean_inactivation_dose_se,
        ),
    }


def _interval(intervals: CurveIntervals, name: str, kind: str, reference: Reference) -> Interval:
    made: dict[str, Callable[..., Interval]] = {
        "alpha_per_gy": intervals.alpha,
        "beta_per_gy2": intervals.beta,
        "alpha_beta_gy": intervals.alpha_beta,
        "sf2": partial(intervals.survival, 2.0),
        "d10_gy": partial(intervals.dose, 0.1),
        "d37_gy": partial(intervals.dose, _D37),
        "mean_inactivation_dose_gy": intervals.mean_inactivation_dose,
    }
    return made[name](method=kind, reference=reference)


def _resampled(bootstrap: SurvivalBootstrap | str, name: str, *, kind: str, level: float) -> _Row:
    label = f"bootstrap {kind}"
    if isinstance(bootstrap, str):
        return _nothing(label, bootstrap)
    make = partial(bootstrap.interval, name, method=kind, level=level)  # type: ignore[arg-type]
    return _ends(label, make) | {"standard_error": bootstrap.standard_error(name)}


def _ends(kind: str, make: Callable[[], Interval]) -> _Row:
    try:
        found = make()
    except ScienceError as problem:
        return _nothing(kind, problem.what)
    return {
        "kind": kind,
        "lower": found.lower,
        "upper": found.upper,
        "bounded": found.bounded,
        "method": found.method,
        "note": found.note,
    }


def _nothing(kind: str, reason: str, **other: float) -> _Row:
    missing: _Row = {"lower": math.nan, "upper": math.nan, "standard_error": math.nan, **other}
    return {**missing, "kind": kind, "bounded": False, "method": "", "note": reason}
