"""Is colony yield proportional to the cells seeded? Plating efficiency means nothing where it is not.

    ln E[colonies] = c_replicate + b ln cells

at one dose, fitted to plates of several seeding densities by quasi-Poisson maximum likelihood, plates without
colonies included. b = 1 is what plating efficiency takes for granted; b > 1 means that cells help each other
(cooperation), b < 1 that they get in each other's way, or that dense plates are counted too low.

Source of the question: N. Brix et al., Radiat Oncol 15 (2020) 248, doi:10.1186/s13014-020-01697-y. They regress the
logarithms of mean counts; this test uses the counts themselves, as the survival fit does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.errors import FitError, Issue, ScienceError
from braggbook.radiobiology.intervals import Interval, check_level, cutoff, profile_end, profile_label
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts
from braggbook.radiobiology.survival.count_regression import has_finite_maximum, poisson_regression
from braggbook.radiobiology.survival.poisson_slope import group_deviance

Floats = NDArray[np.float64]

# A deviance per colony below this is a perfect fit: what is left is rounding.
_PERFECT = 1e-12
# A slope this near to 1 is 1 when the fit is perfect.
_EXACT = 1e-6


@dataclass(frozen=True)
class PlatingProportionality:
    """Slope of ln colonies against ln cells at one dose, and the test of slope 1.

    Attributes:
        b: The slope.
        standard_error: Its standard error, scaled by sqrt(dispersion).
        interval: Profile interval of b, cut off by F(1, df).
        f: F statistic of b = 1.
        p: Probability of an F this large or larger when b is 1.
        df: Residual degrees of freedom.
        dispersion: Pearson chi-squared / df.
        dose_gy: The dose of the plates.
        plates: Number of plates in the fit.
        replicates: Replicates in the fit, those with several seeding densities.
        cells_range: Fewest and most cells seeded.
        level: Confidence level of the interval and of the verdict.
    """

    b: float
    standard_error: float
    interval: Interval
    f: float
    p: float
    df: int
    dispersion: float
    dose_gy: float
    plates: int
    replicates: tuple[str, ...]
    cells_range: tuple[float, float]
    level: float

    @property
    def proportional(self) -> bool:
        """False when b = 1 is rejected at this level; True proves nothing where the interval is wide."""
        return self.p >= 1.0 - self.level

    @property
    def doubling_factor(self) -> float:
        """How plating efficiency changes when twice the cells are seeded: 2^(b - 1)."""
        return float(2.0 ** (self.b - 1.0))

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence when colony yield is not proportional to the cells seeded, else nothing."""
        if self.proportional:
            return ()
        kind = "cells help each other" if self.b > 1 else "dense plates yield too little"
        said = (
            f"colonies are not proportional to the cells seeded at {self.dose_gy:g} Gy ({kind}): b = {self.b:.3g} "
            f"({self.interval.lower:.3g} to {self.interval.upper:.3g}), p = {self.p:.2g}; seeding twice the cells "
            f"multiplies plating efficiency by {self.doubling_factor:.3g}, so that survival depends on the seeding; "
            "see fit_cooperativity"
        )
        return (said,)


def plating_proportionality(
    counts: pd.DataFrame | ColonyCounts, *, dose_gy: float = 0.0, level: float = 0.95
) -> PlatingProportionality:
    """Tests whether colonies are proportional to the cells seeded.

    Args:
        counts: Plates as for :func:`~braggbook.radiobiology.survival.fit_survival`; those of other doses are not
            looked at, and neither are replicates with one seeding density.
        dose_gy: Dose in Gy of the plates that are tested.
        level: Confidence level.

    Raises:
        ScienceError: The table is not usable.
        FitError: No replicate has several seeding densities at this dose, or too few plates do; ``issues`` says.
    """
    check_level(level)
    plates = counts if isinstance(counts, ColonyCounts) else read_colony_counts(counts)
    if not np.any(plates.dose_gy == dose_gy):
        known = ", ".join(f"{dose:g}" for dose in np.unique(plates.dose_gy))
        raise ScienceError("no plate has this dose", wanted=f"one of {known} Gy", got=repr(dose_gy))
    issues = _reasons_against(plates, dose_gy)
    if issues:
        raise FitError("proportionality cannot be tested", where=f"{dose_gy:g} Gy", issues=issues)
    return _tested(plates, dose_gy=float(dose_gy), level=level)


def proportionality_warnings(plates: ColonyCounts, *, level: float = 0.95) -> tuple[str, ...]:
    """Returns a sentence when the zero-dose plates contradict proportionality; nothing when they cannot tell."""
    if not np.any(plates.dose_gy == 0) or _reasons_against(plates, 0.0):
        return ()
    return _tested(plates, dose_gy=0.0, level=level).warnings


def _chosen(plates: ColonyCounts, dose_gy: float) -> NDArray[np.bool_]:
    """Returns the plates of this dose whose replicate has colonies and several seeding densities at it."""
    chosen = np.zeros(len(plates.row), dtype=np.bool_)
    for index in range(len(plates.replicates)):
        own = (plates.replicate == index) & (plates.dose_gy == dose_gy)
        if len(np.unique(plates.cells_seeded[own])) > 1 and plates.colonies[own].sum() > 0:
            chosen |= own
    return chosen


def _groups(plates: ColonyCounts, chosen: NDArray[np.bool_]) -> Floats:
    replicate = plates.replicate[chosen]
    return np.asarray(replicate[:, None] == np.unique(replicate), dtype=np.float64)


def _reasons_against(plates: ColonyCounts, dose_gy: float) -> list[Issue]:
    chosen = _chosen(plates, dose_gy)
    if not chosen.any():
        return [Issue("no replicate has colonies at several seeding densities", wanted="two or more")]
    groups = _groups(plates, chosen)
    needed = groups.shape[1] + 2
    if chosen.sum() < needed:
        return [Issue("too few plates", wanted=f"{needed} or more", got=str(chosen.sum()))]
    design = np.column_stack([groups, np.log(plates.cells_seeded[chosen])])
    if not has_finite_maximum(design, plates.colonies[chosen]):
        return [Issue("only the densest plates have colonies", wanted="colonies at two seeding densities")]
    return []


def _tested(plates: ColonyCounts, *, dose_gy: float, level: float) -> PlatingProportionality:
    chosen = _chosen(plates, dose_gy)
    groups, colonies = _groups(plates, chosen), plates.colonies[chosen]
    log_cells = np.log(plates.cells_seeded[chosen])
    found = poisson_regression(np.column_stack([groups, log_cells]), colonies, offset=np.zeros(len(colonies)))
    b, error = float(found.coefficients[-1]), float(np.sqrt(found.covariance[-1, -1]))

    def deviance(slope: float) -> float:
        return group_deviance(colonies, groups=groups, offset=slope * log_cells)

    if found.deviance <= _PERFECT * colonies.sum():
        f = 0.0 if abs(b - 1.0) < _EXACT else np.inf
        ends = (b, b)
    else:
        f = max(0.0, (deviance(1.0) - found.deviance) / found.dispersion)
        limit = found.deviance + found.dispersion * cutoff(level, df=found.df)
        step = error * float(np.sqrt(cutoff(level, df=found.df)))
        low, high = (profile_end(lambda s: deviance(s) - limit, start=b, step=side * step) for side in (-1, 1))
        ends = (low, high)
    return PlatingProportionality(
        b=b,
        standard_error=error,
        interval=Interval(*ends, level, profile_label(found.df, "f"), bounded=bool(np.isfinite(ends).all())),
        f=float(f),
        p=float(stats.f.sf(f, 1, found.df)),
        df=found.df,
        dispersion=found.dispersion,
        dose_gy=dose_gy,
        plates=int(chosen.sum()),
        replicates=tuple(plates.replicates[index] for index in np.unique(plates.replicate[chosen])),
        cells_range=(float(plates.cells_seeded[chosen].min()), float(plates.cells_seeded[chosen].max())),
        level=level,
    )
