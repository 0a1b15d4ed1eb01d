"""Bootstrap and influence of the ratio of isoeffective doses: the replicates of both curves, drawn apart.

Source: A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, sections 3.2 (several
samples) and 5.3.2 (BCa).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.intervals import Interval, check_level
from braggbook.radiobiology.survival.bootstrap import (
    LimitMethod,
    SurvivalBootstrap,
    bootstrap_interval,
    bootstrap_limits,
)
from braggbook.radiobiology.survival.influence import shift_limit
from braggbook.radiobiology.survival.quantities import Quantity

Floats = NDArray[np.float64]

# Pairs of draws that are all combined; 16 MB an array.
_PAIRS = 2_000_000


@dataclass(frozen=True, eq=False)
class RatioBootstrap:
    """The ratio of isoeffective doses in all draws of the replicates of two curves.

    Attributes:
        ratio: Ratio in each draw, shape (draws,); infinite or 0 where one curve never comes down to the
            survival, NaN where a curve has no answer or neither comes down.
        probability: Probability of each draw, shape (draws,), sum 1.
        estimate: Ratio of the fits.
        left_out: Ratio without each replicate of the first curve, and of the second.
        distinct_draws: How many different draws the replicates of both curves allow.
        exact: Whether all of them were taken; nothing is random then.
        seed: Seed of the random draws; None when exact.
        failures: How many draws have no ratio; they are left out.
        level: Confidence level of the interval.
        label: How the draws were made, in words.
        warnings: What a reader must know, one sentence each.
    """

    ratio: Floats
    probability: Floats
    estimate: float
    left_out: tuple[Floats, Floats]
    distinct_draws: int
    exact: bool
    seed: int | None
    failures: int
    level: float
    label: str
    warnings: tuple[str, ...]

    def interval(self, *, method: LimitMethod = "bca", level: float | None = None) -> Interval:
        """Returns the "percentile" or "bca" interval of the ratio."""
        level = check_level(self.level if level is None else level)
        lower, upper = bootstrap_limits(
            self.ratio, self.probability, estimate=self.estimate, left_out=self.left_out, method=method, level=level
        )
        return bootstrap_interval(lower, upper, level=level, label=f"bootstrap {method}, {self.label}")


def combine_bootstraps(
    numerator: SurvivalBootstrap, denominator: SurvivalBootstrap, *, dose: Quantity, level: float
) -> RatioBootstrap:
    """Returns the bootstrap of dose(numerator) / dose(denominator), the two being independent.

    When both are exact and all pairs are few enough, every pair is taken with the product of the probabilities;
    otherwise as many random pairs as the longer of the two has draws.

    Raises:
        FitError: No pair of draws has a ratio.
    """
    doses = [dose.function(each.alpha_per_gy, each.beta_per_gy2) for each in (numerator, denominator)]
    exact = numerator.exact and denominator.exact and len(doses[0]) * len(doses[1]) <= _PAIRS
    seed = None
    if exact:
        pairs = [grid.ravel() for grid in np.meshgrid(*map(np.arange, map(len, doses)), indexing="ij")]
        probability = numerator.probability[pairs[0]] * denominator.probability[pairs[1]]
    else:
        seed = next((each.seed for each in (numerator, denominator) if each.seed is not None), 0)
        pairs = _random_pairs(numerator, denominator, seed=seed)
        probability = np.full(len(pairs[0]), 1.0 / len(pairs[0]))
    ratio = _ratio(doses[0][pairs[0]], doses[1][pairs[1]])
    failures = int(np.isnan(ratio).sum())
    if failures == len(ratio):
        raise FitError("no draw of the replicates has a dose ratio", wanted="curves that come down to this survival")
    whole = [float(dose.function(*(np.array([v]) for v in each.estimate))[0]) for each in (numerator, denominator)]
    without = [dose.function(each.left_out[:, 0], each.left_out[:, 1]) for each in (numerator, denominator)]
    distinct = numerator.distinct_draws * denominator.distinct_draws
    named = [
        f"{name}: {text}"
        for name, each in (("numerator", numerator), ("denominator", denominator))
        for text in each.warnings
    ]
    if failures:
        named.append(f"{failures} draw(s) have no ratio and are left out")
    sizes = f"{numerator.replicates} and {denominator.replicates} replicates"
    return RatioBootstrap(
        ratio=ratio,
        probability=probability,
        estimate=whole[0] / whole[1],
        left_out=(without[0] / whole[1], whole[0] / without[1]),
        distinct_draws=distinct,
        exact=exact,
        seed=seed,
        failures=failures,
        level=level,
        label=f"all {distinct} draws of {sizes}" if exact else f"{len(ratio)} draws of {sizes}, seed {seed}",
        warnings=tuple(named),
    )


def ratio_influence_table(
    doses: tuple[float, float],
    left_out: tuple[Floats, Floats],
    *,
    standard_error: float,
    labels: tuple[Sequence[str], Sequence[str]],
) -> pd.DataFrame:
    """Returns a row per replicate of either curve: curve, replicate, ratio, shift, changes_the_answer.

    ``ratio`` is that without the replicate (NaN where the rest determine no curve), ``shift`` its change in
    standard errors of the whole ratio; the limit is that of
    :func:`~braggbook.radiobiology.survival.influence.shift_limit`.

    Args:
        doses: Isoeffective dose of the first and of the second curve, Gy.
        left_out: The same without each replicate, shape (replicates,) each, Gy.
        standard_error: Standard error of the ratio.
        labels: Names of the replicates of each curve.

    Raises:
        ScienceError: A curve has one replicate only.
    """
    if min(map(len, labels)) < 2:
        raise ScienceError("one replicate cannot be left out", wanted="at least 2 replicates of each curve", got="1")
    ratios = {
        "numerator": _ratio(left_out[0], np.array(doses[1])),
        "denominator": _ratio(np.array(doses[0]), left_out[1]),
    }
    tables = []
    for (curve, ratio), names in zip(ratios.items(), labels, strict=True):
        change = ratio - doses[0] / doses[1]
        shift = (
            change / standard_error if standard_error > 0 else np.where(change == 0, 0.0, np.copysign(np.inf, change))
        )
        moved = np.isnan(ratio) | (np.abs(shift) > shift_limit(len(names)))
        columns = {"replicate": list(names), "ratio": ratio, "shift": shift, "changes_the_answer": moved}
        tables.append(pd.DataFrame({"curve": curve, **columns}))
    return pd.concat(tables, ignore_index=True)


def _random_pairs(
    numerator: SurvivalBootstrap, denominator: SurvivalBootstrap, *, seed: int
) -> list[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    size = max(numerator.draws, denominator.draws)
    return [
        generator.choice(each.draws, size=size, p=each.probability / each.probability.sum())
        for each in (numerator, denominator)
    ]


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(numerator / denominator)
