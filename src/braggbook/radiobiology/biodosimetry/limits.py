"""From which count on is a sample exposed, and which dose is surely found? Characteristic limits for counts.

- Decision threshold: the smallest number of aberrations that the background makes with a probability below alpha.
- Detection limit: the expected number of aberrations that comes below the decision threshold with probability beta.

The background is either a known yield per cell (``control_cells`` not given), or itself a count: X0 aberrations in N0
control cells. Given the sum of both counts, the sample's is then binomial with the share N1 / (N1 + N0) of cells.

Sources: J. Przyborowski and H. Wilenski, Biometrika 31 (1940) 313-323 (comparison of two Poisson counts); the terms
are those of ISO 11929 and ISO 19238.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import stats

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, check_curve
from braggbook.radiobiology.biodosimetry.exposure import check_protraction
from braggbook.radiobiology.biodosimetry.projection import doses_of_yields

Sides = Literal["one-sided", "two-sided"]

# Cells beyond which nobody scores; the search for enough cells ends here.
_MOST_CELLS = 10_000_000
_BLOCK = 4096  # thresholds looked at in one call of SciPy


@dataclass(frozen=True)
class CharacteristicLimits:
    """Limits for a number of cells.

    Attributes:
        cells: Cells scored.
        decision_threshold: Smallest significant number of aberrations.
        detection_limit: Expected number of aberrations at which beta of all samples stay below the threshold.
        decision_dose_gy: Dose of the threshold's yield on the curve, the smallest dose that can be told from zero;
            None without a curve.
        detection_dose_gy: Dose of the detection limit's yield on the curve; None without a curve.
        alpha: Probability of calling an unexposed sample exposed.
        beta: Probability of missing an exposure at the detection limit.
        test: "one-sided" or "two-sided".
    """

    cells: float
    decision_threshold: int
    detection_limit: float
    decision_dose_gy: float | None
    detection_dose_gy: float | None
    alpha: float
    beta: float
    test: Sides


def characteristic_limits(
    cells: float,
    *,
    background: float,
    control_cells: float | None = None,
    curve: CalibrationCurve | None = None,
    alpha: float = 0.05,
    beta: float = 0.05,
    test: Sides = "one-sided",
    protraction: float = 1.0,
) -> CharacteristicLimits:
    """Returns decision threshold and detection limit for a number of cells.

    Args:
        cells: Cells (equivalents) to be scored.
        background: Known yield per cell of unexposed people; with ``control_cells``, the aberrations counted in them.
        control_cells: Control cells, when the background is a count.
        curve: Calibration curve, to say which doses these are.
        alpha: Probability of a false alarm.
        beta: Probability of missing an exposure at the detection limit.
        test: "one-sided" (only more aberrations than the background count), or "two-sided" (as R's ``poisson.test``).
        protraction: G of the exposure.

    Raises:
        ScienceError: An argument is not usable; all are named.
        UnknownName: ``test`` is not known.
    """
    _check(cells=cells, background=background, control_cells=control_cells, alpha=alpha, beta=beta)
    check_protraction(protraction)
    if test not in get_args(Sides):
        raise unknown_name("test", str(test), get_args(Sides))
    threshold = _threshold(cells, background, control_cells=control_cells, alpha=alpha, test=test)
    limit = float(stats.chi2.ppf(1.0 - beta, 2 * threshold) / 2.0)
    doses: list[float | None] = [None, None]
    if curve is not None:
        check_curve(curve)
        yields = np.array([threshold, limit]) / cells
        doses = [float(dose) for dose in doses_of_yields(yields, curve, protraction=protraction)]
    return CharacteristicLimits(
        cells=float(cells),
        decision_threshold=threshold,
        detection_limit=limit,
        decision_dose_gy=doses[0],
        detection_dose_gy=doses[1],
        alpha=float(alpha),
        beta=float(beta),
        test=test,
    )


def cells_needed(
    dose_gy: float,
    *,
    curve: CalibrationCurve,
    background: float | None = None,
    alpha: float = 0.05,
    beta: float = 0.05,
    protraction: float = 1.0,
) -> int:
    """Returns how many cells must be scored for the detection limit to come down to a dose.

    The smallest such number; a few larger ones may miss the dose again by the width of one aberration.

    Args:
        dose_gy: The dose to be found, above 0.
        curve: Calibration curve.
        background: Known yield per cell of unexposed people; that of the curve unless given.
        alpha: Probability of a false alarm.
        beta: Probability of missing the dose.
        protraction: G of the exposure.

    Raises:
        ScienceError: An argument is not usable.
        FitError: Ten million cells are not enough.
    """
    check_curve(curve)
    level = curve.background_per_cell if background is None else background
    _check(cells=1, background=level, control_cells=None, alpha=alpha, beta=beta)
    if not (isinstance(dose_gy, int | float | np.number) and math.isfinite(dose_gy) and dose_gy > 0):
        raise ScienceError(
            "not a dose to be found", where="dose_gy", wanted="a number of Gy above 0", got=repr(dose_gy)
        )
    rate = float(curve.yield_at(dose_gy, protraction=protraction))
    for first in range(1, _MOST_CELLS, _BLOCK):
        # With a decision threshold, at least `fewest` cells are needed to expect its detection limit, and at most
        # `most` are allowed before the background alone reaches it too often.
        thresholds = np.arange(first, first + _BLOCK)
        fewest = np.ceil(stats.chi2.ppf(1.0 - beta, 2 * thresholds) / 2.0 / rate)
        with np.errstate(divide="ignore"):
            most = stats.chi2.ppf(alpha, 2 * thresholds) / 2.0 / np.float64(level)
        enough = np.flatnonzero(fewest <= most)
        if len(enough) and fewest[enough[0]] <= _MOST_CELLS:
            return max(int(fewest[enough[0]]), 1)
        if len(enough) or fewest[-1] > _MOST_CELLS:
            break
    raise FitError(
        "no number of cells is enough", wanted="a yield above the background", got=f"{rate:.4g}, {level:.4g}"
    )


def compare_with_control(
    *, aberrations: float, cells: float, control_aberrations: float, control_cells: float, test: Sides = "two-sided"
) -> float:
    """Returns the probability of such a difference between two counts, or a larger one, if both have one yield.

    "two-sided" adds up every outcome that is not more probable than the one observed, as R's ``poisson.test`` does.

    Raises:
        ScienceError: A count is not usable; all are named.
        UnknownName: ``test`` is not known.
    """
    issues = _count_issues({"aberrations": aberrations, "control_aberrations": control_aberrations})
    issues += _number_issues({"cells": cells, "control_cells": control_cells})
    if issues:
        raise ScienceError("the counts are not usable", issues=issues)
    if test not in get_args(Sides):
        raise unknown_name("test", str(test), get_args(Sides))
    total, share = int(aberrations + control_aberrations), cells / (cells + control_cells)
    if total == 0:
        return 1.0
    if test == "one-sided":
        return float(stats.binom.sf(aberrations - 1, total, share))
    return float(stats.binomtest(int(aberrations), total, share).pvalue)


def _threshold(cells: float, background: float, *, control_cells: float | None, alpha: float, test: Sides) -> int:
    expected = background * cells if control_cells is None else background * cells / control_cells

    def significant(count: int) -> bool:
        if control_cells is None:
            return _poisson_p(count, expected, test=test) < alpha
        p = compare_with_control(
            aberrations=count, cells=cells, control_aberrations=background, control_cells=control_cells, test=test
        )
        return p < alpha

    # Above what is expected, p falls with the count: steps that double, then halves between the last two.
    below, step = math.floor(expected), 1
    while not significant(below + step):
        below, step = below + step, 2 * step
    above = below + step
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if significant(middle) else (middle, above)
    return above


def _poisson_p(count: int, expected: float, *, test: Sides) -> float:
    upper = float(stats.poisson.sf(count - 1, expected))
    if test == "one-sided" or expected == 0:
        return upper
    here = float(stats.poisson.pmf(count, expected)) * (1.0 + 1e-7)  # R counts ties that rounding has parted
    low, high = -1, math.floor(expected) + 1  # below what is expected, the probability of a count rises with it
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if float(stats.poisson.pmf(middle, expected)) <= here else (low, middle)
    return upper + float(stats.poisson.cdf(low, expected))


def _check(*, cells: float, background: float, control_cells: float | None, alpha: float, beta: float) -> None:
    issues = _number_issues({"cells": cells})
    if control_cells is None:
        if not _is_number(background) or background < 0:
            issues.append(Issue("not a yield", where="background", wanted="0 or more per cell", got=repr(background)))
        elif background >= 1:
            wanted = "a yield per cell; give control_cells with a count"
            issues.append(Issue("not a background", where="background", wanted=wanted, got=repr(background)))
    else:
        issues += _count_issues({"background": background}) + _number_issues({"control_cells": control_cells})
    issues += [
        Issue("not a probability of error", where=name, wanted="above 0 and below 0.5", got=repr(value))
        for name, value in (("alpha", alpha), ("beta", beta))
        if not (_is_number(value) and 0 < value < 0.5)
    ]
    if issues:
        raise ScienceError("the limits cannot be computed", issues=issues)


def _number_issues(values: dict[str, float]) -> list[Issue]:
    return [
        Issue("not a number of cells", where=name, wanted="a number above 0", got=repr(value))
        for name, value in values.items()
        if not (_is_number(value) and value > 0)
    ]


def _count_issues(values: dict[str, float]) -> list[Issue]:
    return [
        Issue("not a count", where=name, wanted="a whole number, 0 or more", got=repr(value))
        for name, value in values.items()
        if not (_is_number(value) and value >= 0 and float(value).is_integer())
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(float(value))
