"""How well two ways of measuring the same agree.

Conventions: lists (n) of finite numbers in one unit, the reference first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from braggbook.errors import InputError
from braggbook.metrics.masks import NoValue
from braggbook.metrics.numbers import check_lists


def concordance(reference: Any, estimate: Any) -> float:
    """Lin's concordance correlation coefficient, 2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2), from -1 to 1.

    With moments divided by n, as in Lin, Biometrics 45, 255 (1989), doi:10.2307/2532051.

    Raises:
        NoValue: All values of both lists are one and the same.
    """
    true, said = check_lists(2, reference=reference, estimate=estimate)
    below = true.var() + said.var() + (true.mean() - said.mean()) ** 2
    if below == 0:
        raise NoValue("concordance has no value", wanted="values that differ")
    return float(2 * np.mean((true - true.mean()) * (said - said.mean())) / below)


@dataclass(frozen=True)
class Limits:
    """Bland and Altman's limits of agreement, in the unit of the values.

    Attributes:
        bias: Mean of estimate - reference.
        sd: Standard deviation of these differences (n - 1).
        lower: Below which few differences lie.
        upper: Above which few do.
        bias_interval: Confidence interval of the bias.
        lower_interval: Of the lower limit.
        upper_interval: Of the upper limit.
    """

    bias: float
    sd: float
    lower: float
    upper: float
    bias_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]


def limits_of_agreement(reference: Any, estimate: Any, *, part: float = 0.95, confidence: float = 0.95) -> Limits:
    """Limits between which a part of the differences lies, if they are normal, with approximate intervals.

    The limits are bias -+ z sd. The variance of the bias is sd^2 / n, that of a limit sd^2 (1 / n + z^2 / (2 (n - 1))),
    with Student's t (Bland and Altman, Stat. Methods Med. Res. 8, 135 (1999), doi:10.1177/096228029900800204).

    Args:
        reference: (n), three or more.
        estimate: (n).
        part: Of the differences, between the limits.
        confidence: Of the intervals.

    Raises:
        InputError: Fewer than three; not a part or confidence.
    """
    true, said = check_lists(3, reference=reference, estimate=estimate)
    if not (0 < part < 1 and 0 < confidence < 1):
        raise InputError("not parts", wanted="part and confidence between 0 and 1", got=f"{part}, {confidence}")
    differences = said - true
    count, bias, sd = len(differences), float(differences.mean()), float(differences.std(ddof=1))
    z, t = stats.norm.ppf((1 + part) / 2), stats.t.ppf((1 + confidence) / 2, count - 1)
    of_bias = float(t * sd * np.sqrt(1 / count))
    of_limit = float(t * sd * np.sqrt(1 / count + z**2 / (2 * (count - 1))))
    lower, upper = bias - float(z) * sd, bias + float(z) * sd
    around = (
        (middle - width, middle + width) for middle, width in ((bias, of_bias), (lower, of_limit), (upper, of_limit))
    )
    return Limits(bias, sd, lower, upper, *around)
