"""The Lyman-Kutcher-Burman model fitted to histograms and outcomes of patients, volume parameter included.

For each n the histograms become gEUDs, and the rest is a probit regression with one maximum. In n the likelihood may
have several, so it is looked at on a grid first and refined around the best point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import Floats, shortened
from braggbook.radiobiology.intervals import Interval, check_level, cutoff
from braggbook.radiobiology.outcome.binary_regression import BinaryData
from braggbook.radiobiology.outcome.dvh import Dvh
from braggbook.radiobiology.outcome.fit import ResponseFit, checked_events, gamma50_profile, response_fit

# n is looked for where organs have it: from serial (the largest dose counts) to beyond the mean dose.
_SMALLEST_N, _LARGEST_N = 0.01, 10.0
_GRID = np.linspace(math.log(_SMALLEST_N), math.log(_LARGEST_N), 41)
_TOLERANCE = 1e-7  # of ln n; the log-likelihood is flat there to 1e-13


def fit_lkb(dvhs: Sequence[Dvh], *, events: ArrayLike, level: float = 0.95) -> ResponseFit:
    """Fits n, m and TD50 to a histogram and an outcome of each patient.

    n is looked for from 0.01 to 10; a maximum at either end is a warning, and an end of its interval there is none. The
    intervals of TD50 and of the slope leave n free.

    Args:
        dvhs: Histogram of each patient, all in one kind of dose (EQD2, say).
        events: 1 or True where the event happened, else 0 or False, shape (patients,).
        level: Confidence level of the intervals.

    Raises:
        ScienceError: A histogram or event is not usable, with its row.
        FitError: As :func:`braggbook.radiobiology.outcome.fit_response`.
    """
    check_level(level)
    table = _DoseTable.of(dvhs)
    outcome = checked_events(events, patients=table.log_dose.shape[0])

    def regression(log_n: float) -> BinaryData:
        return BinaryData(table.eud(math.exp(log_n)), outcome, "probit")

    def profile_of_n(log_n: float) -> float:
        return regression(log_n).maximum()[1]

    log_n, best = _highest(profile_of_n)
    data = regression(log_n)
    fit = response_fit(
        "probit",
        data,
        coefficients=data.maximum()[0],
        best=best,
        profiles=(
            lambda d50: _highest(lambda v: regression(v).maximum_at(d50, predictor=0.0))[1],
            lambda gamma50: _highest(lambda v: gamma50_profile("probit", regression(v))(gamma50))[1],
        ),
        level=level,
    )
    at_end = min(log_n - _GRID[0], _GRID[-1] - log_n) < 10.0 * _TOLERANCE
    warning = (f"n = {math.exp(log_n):.3g} is an end of the search",) if at_end else ()
    interval = _n_interval(profile_of_n, best=best, start=log_n, level=level)
    return replace(fit, n=math.exp(log_n), n_interval=interval, warnings=(*fit.warnings, *warning))


@dataclass(frozen=True, eq=False)
class _DoseTable:
    """Histograms of all patients side by side.

    Attributes:
        log_dose: ln dose of each bin, shape (patients, bins); -inf without dose.
        log_volume: ln volume of each bin, shape (patients, bins); -inf beyond a patient's last bin.
    """

    log_dose: Floats
    log_volume: Floats

    @classmethod
    def of(cls, dvhs: Sequence[Dvh]) -> _DoseTable:
        items = list(dvhs) if isinstance(dvhs, Sequence) else []
        bad = [(i, item) for i, item in enumerate(items) if not isinstance(item, Dvh)]
        if bad or not items:
            raise ScienceError(
                "not histograms",
                wanted="one Dvh for each patient",
                got=shortened(dvhs) if not items else "",
                issues=[Issue("not a Dvh", where=f"dvhs, row {i + 1}", got=shortened(item)) for i, item in bad],
            )
        bins = max(item.dose_gy.size for item in items)
        dose, volume = np.zeros((len(items), bins)), np.zeros((len(items), bins))
        for row, item in enumerate(items):
            dose[row, : item.dose_gy.size] = item.dose_gy
            volume[row, : item.volume.size] = item.volume
        with np.errstate(divide="ignore"):
            return cls(np.log(dose), np.log(volume))

    def eud(self, n: float) -> Floats:
        """Returns gEUD of each patient in Gy, shape (patients,)."""
        return np.asarray(np.exp(special.logsumexp(self.log_dose / n + self.log_volume, axis=1) * n))


def _highest(value: Callable[[float], float]) -> tuple[float, float]:
    """Returns where a function of ln n is highest, and its value there."""
    heights = [value(float(x)) for x in _GRID]
    top = int(np.argmax(heights))
    low, high = float(_GRID[max(top - 1, 0)]), float(_GRID[min(top + 1, _GRID.size - 1)])
    found = optimize.minimize_scalar(
        lambda x: -value(float(x)), bounds=(low, high), method="bounded", options={"xatol": _TOLERANCE}
    )
    if -float(found.fun) > heights[top]:
        return float(found.x), -float(found.fun)
    return float(_GRID[top]), heights[top]


def _n_interval(profile: Callable[[float], float], *, best: float, start: float, level: float) -> Interval:
    limit = cutoff(level, df=math.inf, reference="chi2")

    def excess(log_n: float) -> float:
        return 2.0 * (best - profile(log_n)) - limit

    def end(edge: float) -> float | None:
        if excess(edge) <= 0:
            return None
        return math.exp(optimize.brentq(excess, start, edge, xtol=1e-9))

    low, high = end(float(_GRID[0])), end(float(_GRID[-1]))
    note = f"searched from {_SMALLEST_N:g} to {_LARGEST_N:g}; the data do not limit n on every side"
    bounded = low is not None and high is not None
    return Interval(
        0.0 if low is None else low,
        math.inf if high is None else high,
        level,
        "profile, chi2(1)",
        bounded=bounded,
        note="" if bounded else note,
    )
