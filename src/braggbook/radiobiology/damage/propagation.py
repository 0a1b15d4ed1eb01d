"""Carries the uncertainty of damage and of a reference survival curve through repair to alpha, beta and RBE.

Every draw takes a photon curve (alpha, beta jointly normal with their covariance), a photon and an ion DSB yield
(normal with their standard errors), finds the constants of the cell line from the photons
(:func:`~braggbook.radiobiology.damage.repair.fixation_from_survival`), and from them the ion's alpha and beta. A draw
without an answer (a yield or coefficient that is not above 0, a survival level that is never reached) is counted, not
replaced. Intervals are percentiles of the other draws; an interval of draws of which many failed says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import Interval, check_level
from braggbook.radiobiology.linear_quadratic import LqParameters

Floats = NDArray[np.float64]

_FEWEST_DRAWS = 100
# Percentiles of draws of which more than this failed describe something else than the draws.
_TOO_MANY_FAILED = 0.05


@dataclass(frozen=True)
class RepairUncertainty:
    """What is uncertain.

    Attributes:
        reference: Photon alpha and beta with their standard errors and covariance.
        dsb_reference_per_gy: Photon DSBs per Gy and cell.
        dsb_reference_se_per_gy: Its standard error; 0 when it is taken as known.
        dsb_per_gy: The ion's DSBs per Gy and cell.
        dsb_se_per_gy: Its standard error.
        specific_energy_gy: The ion's frequency-mean specific energy per track, z_F, Gy.
        specific_energy_reference_gy: The photons' z_F, Gy.
    """

    reference: LqParameters
    dsb_reference_per_gy: float
    dsb_reference_se_per_gy: float
    dsb_per_gy: float
    dsb_se_per_gy: float
    specific_energy_gy: float = 0.0
    specific_energy_reference_gy: float = 0.0

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when the numbers cannot be drawn from."""
        issues = []
        for name in ("dsb_reference_per_gy", "dsb_per_gy"):
            if not _at_least(getattr(self, name), above=0.0):
                issues.append(Issue("not usable", where=name, wanted="above 0", got=repr(getattr(self, name))))
        others = ("dsb_reference_se_per_gy", "dsb_se_per_gy", "specific_energy_gy", "specific_energy_reference_gy")
        for name in others:
            if not _at_least(getattr(self, name)):
                issues.append(Issue("not usable", where=name, wanted="0 or more", got=repr(getattr(self, name))))
        if self.reference.covariance is None:
            issues.append(Issue("no standard errors", where="reference", wanted="of alpha and beta"))
        if issues:
            raise ScienceError("the uncertainty of repair cannot be carried through", issues=issues)


@dataclass(frozen=True, eq=False)
class LethalityEstimate:
    """Alpha, beta and RBE of an ion from its DSB yield.

    Attributes:
        best: Best values by name: alpha_per_gy, beta_per_gy2, rbe_dsb (ratio of DSB yields), rbe_max, rbe_min,
            and rbe_at_survival.
        standard_errors: Standard deviations of the draws, by name.
        intervals: Percentile intervals, by name.
        lq: Alpha and beta with standard errors and covariance, for what goes on from here.
        draws: Draws made.
        failed: Draws without an answer.
        seed: Of the draws.
        survival: Level of rbe_at_survival.
        warnings: What a reader must know.
    """

    best: Mapping[str, float]
    standard_errors: Mapping[str, float]
    intervals: Mapping[str, Interval]
    lq: LqParameters
    draws: int
    failed: int
    seed: int
    survival: float
    warnings: tuple[str, ...]


def propagate_yields(
    uncertain: RepairUncertainty,
    *,
    seed: int,
    draws: int = 20_000,
    survival: float = 0.1,
    level: float = 0.95,
    tied: bool = False,
) -> LethalityEstimate:
    """Draws from everything that is uncertain and returns alpha, beta and RBE with their intervals.

    Args:
        uncertain: What is uncertain.
        seed: Of the draws.
        draws: Number of draws, 100 or more.
        survival: Survival at which RBE is given.
        level: Confidence level.
        tied: Whether the ion's yield is the photon yield times a number without error (the ratio of two runs of one
            simulation): then both are drawn together, and their common error leaves the RBE.

    Raises:
        ScienceError: An argument is not usable, the best values have no RBE, or nearly every draw failed.
    """
    _check_options(seed=seed, draws=draws, survival=survival)
    check_level(level)
    best = _chain(
        np.array([uncertain.reference.alpha_per_gy]),
        np.array([uncertain.reference.beta_per_gy2]),
        reference=np.array([uncertain.dsb_reference_per_gy]),
        dsb=np.array([uncertain.dsb_per_gy]),
        uncertain=uncertain,
        survival=survival,
    )
    if not all(np.isfinite(value).all() for value in best.values()):
        wanted = "alpha and beta of the photons above 0, and a survival level that is reached"
        got = f"alpha {uncertain.reference.alpha_per_gy:g}/Gy, beta {uncertain.reference.beta_per_gy2:g}/Gy^2"
        raise ScienceError("the best values have no RBE", wanted=wanted, got=got)
    rng = np.random.default_rng(seed)
    drawn = _chain(*_draw(uncertain, rng, draws=draws, tied=tied), uncertain=uncertain, survival=survival)
    good = np.all([np.isfinite(value) for value in drawn.values()], axis=0)
    failed = int(draws - good.sum())
    if good.sum() < _FEWEST_DRAWS:
        raise ScienceError("nearly every draw failed", wanted=f"{_FEWEST_DRAWS} that have an RBE", got=str(good.sum()))
    kept = {name: value[good] for name, value in drawn.items()}
    return _estimate(best, kept, draws=draws, failed=failed, seed=seed, survival=survival, level=level)


def _draw(
    uncertain: RepairUncertainty, rng: np.random.Generator, *, draws: int, tied: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    reference = uncertain.reference
    covariance = reference.covariance
    if covariance is None:
        raise AssertionError("checked when it was made")
    means = [reference.alpha_per_gy, reference.beta_per_gy2]
    alpha, beta = rng.multivariate_normal(means, covariance, size=draws, method="eigh").T
    photons = rng.normal(uncertain.dsb_reference_per_gy, uncertain.dsb_reference_se_per_gy, size=draws)
    if tied:
        return alpha, beta, photons, photons * (uncertain.dsb_per_gy / uncertain.dsb_reference_per_gy)
    return alpha, beta, photons, rng.normal(uncertain.dsb_per_gy, uncertain.dsb_se_per_gy, size=draws)


def _chain(
    alpha_photon: Floats,
    beta_photon: Floats,
    reference: Floats,
    dsb: Floats,
    *,
    uncertain: RepairUncertainty,
    survival: float,
) -> dict[str, Floats]:
    """Returns every quantity of every draw; NaN marks a draw without an answer, and never leaves this module."""
    usable = (alpha_photon > 0) & (beta_photon > 0) & (reference > 0) & (dsb > 0)
    safe = [np.where(usable, value, 1.0) for value in (alpha_photon, beta_photon, reference, dsb)]
    alpha_x, beta_x, photons, ions = safe
    kappa = 2.0 * beta_x / photons**2
    theta = (alpha_x - 2.0 * beta_x * uncertain.specific_energy_reference_gy) / photons
    alpha = theta * ions + kappa * uncertain.specific_energy_gy * ions**2
    beta = 0.5 * kappa * ions**2
    usable &= alpha > 0
    alpha = np.where(usable, alpha, 1.0)
    doses = [
        lq.dose_at_survival(survival, alpha_per_gy=a, beta_per_gy2=b) for a, b in ((alpha_x, beta_x), (alpha, beta))
    ]
    found = {
        "alpha_per_gy": alpha,
        "beta_per_gy2": beta,
        "rbe_dsb": ions / photons,
        "rbe_max": alpha / alpha_x,
        "rbe_min": np.sqrt(beta / beta_x),
        "rbe_at_survival": doses[0] / doses[1],
    }
    return {name: np.where(usable, value, np.nan) for name, value in found.items()}


def _estimate(
    best: dict[str, Floats],
    kept: dict[str, Floats],
    *,
    draws: int,
    failed: int,
    seed: int,
    survival: float,
    level: float,
) -> LethalityEstimate:
    values = {name: float(value[0]) for name, value in best.items()}
    errors = {name: float(value.std(ddof=1)) for name, value in kept.items()}
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    method = f"percentiles of {draws - failed} draws, seed {seed}"
    note = f"{failed} of {draws} draws have no answer" if failed else ""
    intervals = {}
    for name, value in kept.items():
        low, high = np.quantile(value, tails)
        intervals[name] = Interval(float(low), float(high), level, method, note=note)
    covariance = float(np.cov(kept["alpha_per_gy"], kept["beta_per_gy2"])[0, 1])
    pair = LqParameters(
        values["alpha_per_gy"], values["beta_per_gy2"], errors["alpha_per_gy"], errors["beta_per_gy2"], covariance
    )
    warnings = []
    if failed > _TOO_MANY_FAILED * draws:
        warnings.append(f"{failed} of {draws} draws have no answer: the intervals are those of the others")
    return LethalityEstimate(values, errors, intervals, pair, draws, failed, seed, survival, tuple(warnings))


def _check_options(*, seed: object, draws: object, survival: object) -> None:
    issues = []
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        issues.append(Issue("not a seed", wanted="a whole number, 0 or more", got=repr(seed)))
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < _FEWEST_DRAWS:
        issues.append(Issue("too few draws", wanted=f"{_FEWEST_DRAWS} or more", got=repr(draws)))
    if not isinstance(survival, int | float | np.number) or not 0.0 < float(survival) < 1.0:
        issues.append(Issue("not a survival level", wanted="between 0 and 1", got=repr(survival)))
    if issues:
        raise ScienceError("the uncertainty of repair cannot be carried through", issues=issues)


def _at_least(value: object, *, above: float | None = None) -> bool:
    number = isinstance(value, int | float | np.number) and math.isfinite(float(value))
    return number and (float(value) > above if above is not None else float(value) >= 0)  # type: ignore[arg-type]
