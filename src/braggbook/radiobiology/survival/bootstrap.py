"""Cluster bootstrap of a survival curve: whole replicates are drawn with replacement, never single plates.

Plates of one experiment share its cells, its dilutions and its day; drawing them one by one would treat as independent
what is not. The price is that few replicates allow few draws: n of them C(2n - 1, n), which is 35 for four and
6435 for eight. Up to 10,000 different draws are therefore all fitted, each with its multinomial probability, and the
distribution is exact; nothing is random then. Beyond that, draws are random, and their seed is reported.

Limits are percentiles or BCa (bias-corrected and accelerated, the acceleration from leaving out each replicate).

Sources: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 14 (limits);
A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, sections 2.4 (few distinct draws),
3.8 (clusters) and 5.3 (BCa with several samples).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from braggbook.errors import FitError, ScienceError, unknown_name
from braggbook.radiobiology.intervals import Interval, check_level, unbounded_interval
from braggbook.radiobiology.survival.curve_model import CurveModel
from braggbook.radiobiology.survival.quantities import Quantity, angle, dose_quantity, quantity
from braggbook.radiobiology.survival.weighted_fits import fit_weighted, leave_one_out

Floats = NDArray[np.float64]
LimitMethod = Literal["percentile", "bca"]

_LIMIT_METHODS = ("percentile", "bca")
# Up to this many different draws are all taken; it is also how many random ones are made beyond that.
DRAWS = 10_000
# Fewer different draws than this cannot fill the tails of a 95% interval: 1 / 0.025 = 40 are needed for one in each.
_FEW_DRAWS = 40
# A share of failed draws above which the limits are those of the draws that happened to work.
_MANY_FAILURES = 0.05
_LARGEST_DRAWS = 10_000_000


@dataclass(frozen=True, eq=False)
class SurvivalBootstrap:
    """The curves of all draws of the replicates of one fit.

    Attributes:
        alpha_per_gy: alpha of each draw, 1/Gy, shape (draws,); NaN for a draw that failed.
        beta_per_gy2: beta of each draw, 1/Gy^2, shape (draws,); NaN for a draw that failed.
        probability: Probability of each draw, shape (draws,), sum 1.
        estimate: alpha and beta of the fit itself.
        left_out: alpha and beta without each replicate in turn, shape (replicates, 2); NaN without an answer.
        replicates: How many replicates there are.
        distinct_draws: How many different draws they allow, C(2n - 1, n).
        exact: Whether all of them were taken; nothing is random then.
        seed: Seed of the random draws; None when exact.
        failures: How many draws have no answer; they are left out.
        failed_probability: Their probability, between 0 and 1.
        level: Confidence level of the intervals.
        largest_dose_gy: Largest dose of the data.
        warnings: What a reader must know, one sentence each.
    """

    alpha_per_gy: Floats
    beta_per_gy2: Floats
    probability: Floats
    estimate: tuple[float, float]
    left_out: Floats
    replicates: int
    distinct_draws: int
    exact: bool
    seed: int | None
    failures: int
    failed_probability: float
    level: float
    largest_dose_gy: float
    warnings: tuple[str, ...]

    @property
    def draws(self) -> int:
        """How many draws were taken."""
        return len(self.probability)

    @property
    def label(self) -> str:
        """How the draws were made, in words."""
        if self.exact:
            return f"all {self.distinct_draws} draws of {self.replicates} replicates"
        return f"{self.draws} draws of {self.replicates} replicates, seed {self.seed}"

    def interval(self, of: str | Quantity, *, method: LimitMethod = "bca", level: float | None = None) -> Interval:
        """Returns the "percentile" or "bca" interval of a quantity.

        Args:
            of: A name that :func:`~braggbook.radiobiology.survival.quantities.quantity` knows, or a quantity.
            method: How the limits are taken.
            level: Confidence level; that of the bootstrap unless given.

        Raises:
            UnknownName: No such quantity or method.
            ScienceError: The fitted curve itself does not have this quantity.
        """
        level = check_level(self.level if level is None else level)
        chosen = of if isinstance(of, Quantity) else quantity(of)
        if chosen.name == "alpha_beta_gy":
            return self._alpha_beta(_checked_method(method), level=level)
        alpha, beta = self.estimate
        value = _finite(chosen, alpha, beta)
        draws = chosen.function(self.alpha_per_gy, self.beta_per_gy2)
        without = chosen.function(self.left_out[:, 0], self.left_out[:, 1])
        lower, upper = bootstrap_limits(
            draws, self.probability, estimate=value, left_out=[without], method=method, level=level
        )
        return bootstrap_interval(lower, upper, level=level, label=f"bootstrap {method}, {self.label}")

    def dose(self, survival: float, *, method: LimitMethod = "bca", level: float | None = None) -> Interval:
        """Returns the interval of the dose in Gy at a survival level."""
        return self.interval(dose_quantity(survival), method=method, level=level)

    def standard_error(self, of: str | Quantity) -> float:
        """Returns the standard deviation of a quantity over the draws; infinite when a draw's value is."""
        chosen = of if isinstance(of, Quantity) else quantity(of)
        values = chosen.function(self.alpha_per_gy, self.beta_per_gy2)
        good = ~np.isnan(values)
        weights = self.probability[good] / self.probability[good].sum()
        if not np.all(np.isfinite(values[good])):
            return math.inf
        mean = float(weights @ values[good])
        return math.sqrt(float(weights @ (values[good] - mean) ** 2))

    def _alpha_beta(self, method: LimitMethod, *, level: float) -> Interval:
        """Takes the limits of the direction (alpha, beta), which knows no pole, and turns them into ratios."""
        centre, scale = self.estimate, self.largest_dose_gy
        draws = angle(self.alpha_per_gy, self.beta_per_gy2, centre=centre, scale_gy=scale)
        without = angle(self.left_out[:, 0], self.left_out[:, 1], centre=centre, scale_gy=scale)
        middle = math.atan2(centre[1] * scale, centre[0])
        low, high = bootstrap_limits(
            draws, self.probability, estimate=middle, left_out=[without], method=method, level=level
        )
        label = f"bootstrap {method}, {self.label}"
        poles = math.floor(high / math.pi) - math.floor(low / math.pi)
        ends = sorted(scale / math.tan(end) if math.tan(end) != 0 else math.inf for end in (low, high))
        if poles == 0 and math.isfinite(ends[1]):
            return Interval(ends[0], ends[1], level, label)
        return unbounded_interval(level, method=label, excluded=(ends[0], ends[1]) if poles == 1 else None)


def bootstrap_curve(
    model: CurveModel, estimate: tuple[float, float], *, draws: int | None = None, seed: int = 0, level: float = 0.95
) -> SurvivalBootstrap:
    """Draws the replicates of a curve with replacement and fits each draw.

    Args:
        model: The plates as a regression problem.
        estimate: alpha (1/Gy) and beta (1/Gy^2) of the fit.
        draws: How many random draws; None for all different ones, or 10,000 random ones where there are more.
        seed: Seed of the random draws.
        level: Confidence level of the intervals.

    Raises:
        ScienceError: There is one replicate only, or ``draws`` or ``seed`` is not usable.
        FitError: No draw has an answer.
    """
    check_level(level)
    size = int(model.replicate.max()) + 1
    if size < 2:
        raise ScienceError("one replicate cannot be resampled", wanted="at least 2 replicates", got="1")
    if draws is not None and not (_is_whole(draws) and 1 <= draws <= _LARGEST_DRAWS):
        raise ScienceError(
            "not a number of draws", wanted=f"a whole number from 1 to {_LARGEST_DRAWS}", got=repr(draws)
        )
    if not (_is_whole(seed) and seed >= 0):
        raise ScienceError("not a seed", wanted="a whole number, 0 or more", got=repr(seed))
    distinct = math.comb(2 * size - 1, size)
    exact = draws is None and distinct <= DRAWS
    weights, probability = _all_draws(size) if exact else _random_draws(size, draws=draws or DRAWS, seed=seed)
    start = np.array(estimate, dtype=np.float64)
    if exact:
        found = fit_weighted(model, weights, start=start)
    else:  # few replicates come up in the same numbers again and again
        different, place = np.unique(weights, axis=0, return_inverse=True)
        found = fit_weighted(model, different, start=start)[place.ravel()]
    failed = np.isnan(found[:, 0])
    if np.all(failed):
        raise FitError("no draw of the replicates determines a curve", wanted="replicates with several doses each")
    lost = float(probability[failed].sum())
    return SurvivalBootstrap(
        alpha_per_gy=found[:, 0],
        beta_per_gy2=found[:, 1],
        probability=probability,
        estimate=(float(estimate[0]), float(estimate[1])),
        left_out=leave_one_out(model, estimate=estimate),
        replicates=size,
        distinct_draws=distinct,
        exact=exact,
        seed=None if exact else int(seed),
        failures=int(failed.sum()),
        failed_probability=lost,
        level=level,
        largest_dose_gy=float(model.dose_gy.max()),
        warnings=_warnings(size, distinct, failures=int(failed.sum()), lost=lost),
    )


def bootstrap_limits(
    draws: Floats,
    probability: Floats,
    *,
    estimate: float,
    left_out: Sequence[Floats],
    method: LimitMethod,
    level: float,
) -> tuple[float, float]:
    """Returns the limits of a bootstrap distribution; draws may be infinite, those that are NaN are left out.

    Args:
        draws: Value in each draw, shape (draws,).
        probability: Probability of each draw, shape (draws,).
        estimate: Value of the fit.
        left_out: Per sample that is drawn from, the values without each of its replicates.
        method: "percentile" or "bca".
        level: Confidence level.
    """
    good = ~np.isnan(draws)
    order = np.argsort(draws[good], kind="stable")
    values, weights = draws[good][order], probability[good][order]
    share = np.cumsum(weights) / weights.sum()
    tails = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    if _checked_method(method) == "bca":
        below = float(weights[values < estimate].sum() + 0.5 * weights[values == estimate].sum()) / weights.sum()
        tails = _bca_tails(tails, below=below, acceleration=_acceleration(left_out))
    places = np.minimum(np.searchsorted(share, tails - 1e-12), len(values) - 1)
    return float(values[places[0]]), float(values[places[1]])


def bootstrap_interval(lower: float, upper: float, *, level: float, label: str) -> Interval:
    """Returns the interval, marked where draws without a finite value reach its end."""
    bounded = math.isfinite(lower) and math.isfinite(upper)
    note = "" if bounded else "curves of some draws do not have this quantity"
    return Interval(lower, upper, level, label, bounded=bounded, note=note)


def _bca_tails(tails: Floats, *, below: float, acceleration: float) -> Floats:
    edge = 1e-12  # a bias of all draws on one side has no finite normal deviate
    bias = float(special.ndtri(min(max(below, edge), 1.0 - edge)))
    shifted = bias + special.ndtri(tails)
    return np.asarray(stats.norm.cdf(bias + shifted / (1.0 - acceleration * shifted)))


def _acceleration(left_out: Sequence[Floats]) -> float:
    """Jackknife acceleration; with several samples their influences add up, each by its size.

    With influence l = (n - 1)(mean - value without one), a = sum(l^3 / n^3) / (6 sum(l^2 / n^2)^{3/2}).
    """
    cubes = squares = 0.0
    for values in left_out:
        finite = values[np.isfinite(values)]
        if len(finite) < len(values) or len(values) < 2:
            continue  # a curve that needs every replicate has no jackknife: no acceleration
        influence = (len(values) - 1.0) / len(values) * (finite.mean() - finite)
        cubes += float(np.sum(influence**3))
        squares += float(np.sum(influence**2))
    return cubes / (6.0 * squares**1.5) if squares > 0 else 0.0


def _all_draws(size: int) -> tuple[Floats, Floats]:
    """Returns every multiset of ``size`` replicates as weights, with its multinomial probability."""
    bars = np.array(list(itertools.combinations(range(2 * size - 1), size - 1)), dtype=np.int64)
    ends = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), 2 * size - 1)])
    weights = (np.diff(ends, axis=1) - 1).astype(np.float64)
    logs = special.gammaln(size + 1.0) - special.gammaln(weights + 1.0).sum(axis=1) - size * math.log(size)
    return weights, np.exp(logs)


def _random_draws(size: int, *, draws: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(size, np.full(size, 1.0 / size), size=draws).astype(np.float64)
    return weights, np.full(draws, 1.0 / draws)


def _warnings(size: int, distinct: int, *, failures: int, lost: float) -> tuple[str, ...]:
    found = []
    if distinct <= _FEW_DRAWS:
        found.append(
            f"{size} replicates allow only {distinct} distinct draws: bootstrap limits are coarse and too narrow; "
            "prefer the profile interval"
        )
    if failures:
        text = f"{failures} draw(s) have no answer and are left out ({100 * lost:.2g}% of all draws)"
        found.append(
            text + (": the limits are those of the rest and cannot be trusted" if lost > _MANY_FAILURES else "")
        )
    return tuple(found)


def _finite(chosen: Quantity, alpha: float, beta: float) -> float:
    value = float(chosen.function(np.array([alpha]), np.array([beta]))[0])
    if not math.isfinite(value):
        raise ScienceError(f"the fitted curve has no {chosen.name}", wanted="a quantity that it has")
    return value


def _checked_method(method: LimitMethod) -> LimitMethod:
    if method not in _LIMIT_METHODS:
        raise unknown_name("kind of bootstrap limits", str(method), _LIMIT_METHODS)
    return method


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
