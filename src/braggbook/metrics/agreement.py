"""How well two ways of measuring the same agree.

Conventions: lists (n) of finite numbers in one unit, the reference first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from braggbook.errors import NoValue
from braggbook.metrics.definitions import OF_DATA, Option, define
from braggbook.metrics.numbers import check_lists, check_part

_LIN = "Lin, Biometrics 45, 255 (1989), doi:10.2307/2532051"
_BLAND = "Bland and Altman, Stat. Methods Med. Res. 8, 135 (1999), doi:10.1177/096228029900800204"
_PART = Option("part", "of the differences that lie between the limits, such as 0.95", 0.95, above=0, below=1)
_LIMIT: dict[str, Any] = {
    "kind": "numbers", "scope": "all", "unit": OF_DATA, "better": "target", "bounds": (None, None), "source": _BLAND,
}  # fmt: skip


@define(
    "concordance@1",
    says="2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2) with moments divided by n; 1 where all values of both lists "
    "are one and the same",
    kind="numbers",
    scope="all",
    unit="1",
    better="larger",
    bounds=(-1.0, 1.0),
    perfect=1.0,
    worst=-1.0,
    symmetric=True,
    no_value="perfect",
    source=_LIN,
)
def concordance(reference: Any, estimate: Any) -> float:
    """Lin's concordance correlation coefficient, 2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2), from -1 to 1.

    With moments divided by n, as in Lin, Biometrics 45, 255 (1989), doi:10.2307/2532051.

    Raises:
        NoValue: All values of both lists are one and the same.
    """
    true, said = check_lists(2, reference=reference, estimate=estimate)
    below = true.var() + said.var() + (true.mean() - said.mean()) ** 2
    if below == 0 or (np.append(true, said) == true[0]).all():
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
    check_part("part", part)
    check_part("confidence", confidence)
    differences = said - true
    count, bias, sd = len(differences), float(differences.mean()), float(differences.std(ddof=1))
    z, t = special.ndtri((1 + part) / 2), special.stdtrit(count - 1, (1 + confidence) / 2)
    of_bias = float(t * sd * np.sqrt(1 / count))
    of_limit = float(t * sd * np.sqrt(1 / count + z**2 / (2 * (count - 1))))
    lower, upper = bias - float(z) * sd, bias + float(z) * sd
    around = (
        (middle - width, middle + width) for middle, width in ((bias, of_bias), (lower, of_limit), (upper, of_limit))
    )
    return Limits(bias, sd, lower, upper, *around)


@define("bland_altman.bias@1", says="mean of estimate - reference", **_LIMIT)
def bias(reference: Any, estimate: Any) -> float:
    """Bias of Bland and Altman, for three values or more."""
    return limits_of_agreement(reference, estimate).bias


@define("bland_altman.lower@1", says="mean - z sd of estimate - reference, sd with n - 1", options=(_PART,), **_LIMIT)
def lower_limit(reference: Any, estimate: Any, *, part: float) -> float:
    """Lower limit of agreement."""
    return limits_of_agreement(reference, estimate, part=part).lower


@define("bland_altman.upper@1", says="mean + z sd of estimate - reference, sd with n - 1", options=(_PART,), **_LIMIT)
def upper_limit(reference: Any, estimate: Any, *, part: float) -> float:
    """Upper limit of agreement."""
    return limits_of_agreement(reference, estimate, part=part).upper


@define(
    "bland_altman.half_width@1",
    says="z sd of estimate - reference, sd with n - 1: half the distance of the limits of agreement",
    options=(_PART,),
    **{**_LIMIT, "better": "smaller", "bounds": (0.0, None), "symmetric": True},
)
def half_width(reference: Any, estimate: Any, *, part: float) -> float:
    """Half the distance of the limits of agreement: how much estimates scatter, whatever their bias."""
    found = limits_of_agreement(reference, estimate, part=part)
    return (found.upper - found.lower) / 2
