"""Survival of cells that help each other to grow, where plating efficiency depends on the seeding.

At each dose colonies C and cells seeded S are related by a power law, ln C = a + b ln S. Survival is the ratio of the
cells that must be seeded to get the same number of colonies without and with the dose:

    ln S_D(C) = (ln C - a_0) / b_0 - (ln C - a_D) / b_D

With b = 1 at both doses this is the ratio of the plating efficiencies, whatever C. Otherwise plating efficiency, and
survival normalised by it, depends on the cells seeded.

``method="ls"`` is that of the R package CFAcoop: the colonies of all plates of one seeding density are averaged,
plates without colonies included, and ln of the mean is regressed on ln S without weights. A density at which no
plate has a colony has no logarithm and is left out, with a warning, because leaving it out flattens the line.
``method="ml"`` regresses the counts themselves, quasi-Poisson with logarithmic link, and takes every zero.

The standard error of ln survival is the first-order (delta) one from the covariances of both regressions, which is
what CFAcoop calls a first-order Taylor series approximation.

Source: N. Brix et al., Radiat Oncol 15 (2020) 248, doi:10.1186/s13014-020-01697-y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.intervals import Interval, Reference, check_level, cutoff, delta_interval
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts
from braggbook.radiobiology.survival.count_regression import (
    has_finite_maximum,
    least_squares_regression,
    poisson_regression,
)

Floats = NDArray[np.float64]
CooperativityMethod = Literal["ls", "ml"]

_METHODS = ("ls", "ml")
# CFAcoop's default and Brix et al.'s choice of the number of colonies at which doses are compared.
REFERENCE_COLONIES = 20.0
# A slope that far from 1 changes plating efficiency by a quarter when ten times the cells are seeded (10^0.1 = 1.26).
FAR_FROM_PROPORTIONAL = 0.1
# Two points lie on any line: its slope has no error.
_FEWEST_DENSITIES = 3
# Above this logarithm a number is more than a double can hold.
_LARGEST_LOG = 700.0


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """ln C = a + b ln S at one dose.

    Attributes:
        dose_gy: The dose in Gy.
        a: Intercept, ln colonies at one cell.
        b: Slope; above 1 cells cooperate.
        covariance: Covariance of (a, b), shape (2, 2).
        df: Residual degrees of freedom.
        dispersion: Residual variance of ln C ("ls"), Pearson chi-squared / df ("ml").
        cells_seeded: Seeding densities in the regression, shape (points,).
        colonies: Their mean colonies, shape (points,); with "ml" also those that are 0.
        b_interval: Interval of b by t(df).
        p: Two-sided probability of a b as far from 1 when it is 1, by t(df).
        p_cooperative: One-sided, against b above 1 (the test of CFAcoop's vignette).
    """

    dose_gy: float
    a: float
    b: float
    covariance: Floats
    df: int
    dispersion: float
    cells_seeded: Floats
    colonies: Floats
    b_interval: Interval
    p: float
    p_cooperative: float

    @property
    def b_se(self) -> float:
        """Standard error of b."""
        return math.sqrt(self.covariance[1, 1])

    @property
    def colonies_range(self) -> tuple[float, float]:
        """Fewest and most mean colonies above 0 in the regression."""
        positive = self.colonies[self.colonies > 0]
        return float(positive.min()), float(positive.max())

    def log_cells(self, colonies: float) -> float:
        """Returns ln of the cells that give this number of colonies."""
        return (math.log(colonies) - self.a) / self.b

    def log_cells_variance(self, colonies: float) -> float:
        """Returns the first-order variance of :meth:`log_cells`."""
        gradient = np.array([1.0, self.log_cells(colonies)]) / self.b
        return float(gradient @ self.covariance @ gradient)


@dataclass(frozen=True)
class MatchedSurvival:
    """Survival at one dose at a matched number of colonies, beside that from plating efficiencies.

    Attributes:
        dose_gy: The dose in Gy.
        value: Cells for C colonies without the dose / cells for C colonies with it.
        log_standard_error: First-order standard error of its natural logarithm.
        interval: exp of the delta interval of ln survival.
        extrapolated: Whether C lies outside the mean colonies of one of the regressions.
        pe_value: Pooled colonies / cells at the dose over that without dose, whatever the densities.
        pe_range: Smallest and largest ratio of plating efficiencies of one seeding density each.
    """

    dose_gy: float
    value: float
    log_standard_error: float
    interval: Interval
    extrapolated: bool
    pe_value: float
    pe_range: tuple[float, float]

    @property
    def pe_ratio(self) -> float:
        """Survival from pooled plating efficiencies / survival at matched colonies."""
        return self.pe_value / self.value


@dataclass(frozen=True, eq=False)
class CooperativityFit:
    """Power laws at every dose, and what survival follows from them.

    Attributes:
        laws: A power law per dose, the zero dose first.
        reference_colonies: C, at which the doses are compared.
        method: "ls" or "ml".
        level: Confidence level of the intervals.
        reference: "f": quantiles of t, with Welch's degrees of freedom for survival; "chi2": of the normal
            distribution, as CFAcoop.
        plates: The plates.
        warnings: What a reader must know, one sentence each.
    """

    laws: tuple[PowerLaw, ...]
    reference_colonies: float
    method: CooperativityMethod
    level: float
    reference: Reference
    plates: ColonyCounts
    warnings: tuple[str, ...]

    @property
    def b0(self) -> float:
        """Slope of the zero-dose plates."""
        return self.laws[0].b

    @property
    def survival(self) -> tuple[MatchedSurvival, ...]:
        """Survival at every dose above 0, at the reference number of colonies."""
        return self.survival_at(self.reference_colonies)

    def survival_at(self, colonies: float) -> tuple[MatchedSurvival, ...]:
        """Returns survival at every dose above 0 at another number of colonies.

        Raises:
            ScienceError: The number is not above 0.
        """
        colonies = _check_colonies(colonies)
        return tuple(self._matched(law, colonies) for law in self.laws[1:])

    def table(self) -> pd.DataFrame:
        """Returns a row per dose: the law, and survival at the reference number of colonies (1 without dose)."""
        rows = []
        matched: Sequence[MatchedSurvival | None] = (None, *self.survival)
        for law, found in zip(self.laws, matched, strict=True):
            low, high = law.colonies_range
            row = {"dose_gy": law.dose_gy, "densities": len(law.cells_seeded), "a": law.a, "b": law.b}
            row |= {"b_se": law.b_se, "p_proportional": law.p, "fewest_colonies": low, "most_colonies": high}
            row |= {"survival": 1.0, "lower": 1.0, "upper": 1.0, "extrapolated": False, "pe_survival": 1.0}
            if found is not None:
                row |= {"survival": found.value, "lower": found.interval.lower, "upper": found.interval.upper}
                row |= {"extrapolated": found.extrapolated, "pe_survival": found.pe_value}
            rows.append(row)
        return pd.DataFrame(rows)

    def _matched(self, law: PowerLaw, colonies: float) -> MatchedSurvival:
        control = self.laws[0]
        log_survival = control.log_cells(colonies) - law.log_cells(colonies)
        parts = control.log_cells_variance(colonies), law.log_cells_variance(colonies)
        error = math.sqrt(sum(parts))
        df = _welch(parts, (control.df, law.df))
        log_interval = delta_interval(log_survival, error, level=self.level, df=df, reference=self.reference)
        if abs(log_survival) > _LARGEST_LOG:
            raise FitError(
                "survival at matched colonies is more than a number can hold, or less",
                where=f"{law.dose_gy:g} Gy",
                wanted="colonies that rise with the cells seeded",
                got=f"b = {control.b:.3g} at 0 Gy, {law.b:.3g} here",
            )
        limited = log_interval.upper <= _LARGEST_LOG
        ranges = control.colonies_range, law.colonies_range
        efficiency, control_efficiency = (_efficiencies(self.plates, each.dose_gy) for each in (law, control))
        return MatchedSurvival(
            dose_gy=law.dose_gy,
            value=math.exp(log_survival),
            log_standard_error=error,
            interval=Interval(
                math.exp(log_interval.lower),
                math.exp(log_interval.upper) if limited else math.inf,
                self.level,
                log_interval.method.replace("delta", "delta on ln"),
                bounded=limited,
                note="" if limited else "the plates do not limit survival at matched colonies",
            ),
            extrapolated=any(not low <= colonies <= high for low, high in ranges),
            pe_value=_pooled_efficiency(self.plates, law.dose_gy) / _pooled_efficiency(self.plates, 0.0),
            pe_range=(
                float(efficiency.min() / control_efficiency.max()),
                float(efficiency.max() / control_efficiency[control_efficiency > 0].min()),
            ),
        )


def fit_cooperativity(
    counts: pd.DataFrame,
    *,
    reference_colonies: float = REFERENCE_COLONIES,
    method: CooperativityMethod = "ls",
    level: float = 0.95,
    reference: Reference = "f",
) -> CooperativityFit:
    """Fits a power law of colonies against cells seeded at every dose, and survival at matched colonies.

    Args:
        counts: One row per plate, columns ``dose_gy``, ``cells_seeded``, ``colonies``; a column ``replicate`` is
            not used (Brix et al. average over experiments). Rows without a count are left out. More colonies than
            cells seeded are a warning here, since the fewest cells of a dilution series are a nominal number.
        reference_colonies: Number of colonies at which doses are compared.
        method: "ls" (CFAcoop) or "ml", see above.
        level: Confidence level of the intervals and of the verdict on b.
        reference: "f" or "chi2"; "chi2" gives CFAcoop's intervals (which round 1.95996 to 1.96).

    Raises:
        ScienceError: The table is not usable; all issues are named with their rows (the first row is 1).
        FitError: There is no zero dose, or a dose has no power law: ``issues`` names each; or colonies hardly follow
            the cells seeded, so that no number holds the survival at matched colonies.
        UnknownName: ``method`` or ``reference`` is not known.
    """
    if method not in _METHODS:
        raise unknown_name("fit method", str(method), _METHODS)
    cutoff(check_level(level), df=1, reference=reference)
    colonies = _check_colonies(reference_colonies)
    plates = _read(counts)
    doses = np.unique(plates.dose_gy)
    issues = [issue for dose in doses for issue in _dose_issues(plates, float(dose), method=method)]
    if doses[0] != 0:
        issues.insert(0, Issue("no zero-dose plate", wanted="controls at three or more seeding densities"))
    if len(doses) == 1 and doses[0] == 0:
        issues.append(Issue("no dose above 0 Gy", wanted="one or more; plating_proportionality tests controls alone"))
    if issues:
        raise FitError("these plates do not determine cooperativity", issues=issues)
    laws = tuple(_law(plates, float(dose), method=method, level=level) for dose in doses)
    issues = [
        Issue("more cells give fewer colonies", where=f"{law.dose_gy:g} Gy", wanted="b above 0", got=f"b = {law.b:.3g}")
        for law in laws
        if not law.b > 0
    ]
    if issues:
        raise FitError("these plates do not determine cooperativity", issues=issues)
    fit = CooperativityFit(laws, colonies, method, level, reference, plates, ())
    warnings = (*_plate_warnings(plates, method=method), *_law_warnings(fit), *_range_warnings(fit))
    return CooperativityFit(laws, colonies, method, level, reference, plates, warnings)


def _check_colonies(colonies: float) -> float:
    if isinstance(colonies, bool) or not isinstance(colonies, int | float | np.number) or not 0 < colonies < math.inf:
        raise ScienceError("not a number of colonies", wanted="a number above 0", got=repr(colonies))
    return float(colonies)


def _read(counts: pd.DataFrame) -> ColonyCounts:
    """Checks the table; plates with more colonies than cells pass."""
    if not isinstance(counts, pd.DataFrame):
        raise ScienceError("not a table of counts", wanted="a pandas DataFrame", got=type(counts).__name__)
    table = counts.reset_index(drop=True)
    if "replicate" not in table.columns:
        table = table.assign(replicate="all")
    if not {"cells_seeded", "colonies"} <= set(table.columns) or not table.columns.is_unique:
        return read_colony_counts(table)  # says what is missing
    cells = pd.to_numeric(table["cells_seeded"], errors="coerce")
    colonies = pd.to_numeric(table["colonies"], errors="coerce")
    more = (colonies > cells) & (cells > 0) & np.isfinite(colonies)
    found = read_colony_counts(table.assign(cells_seeded=table["cells_seeded"].where(~more, colonies)))
    seeded = cells.to_numpy(dtype=np.float64)[found.row - 1]
    return ColonyCounts(**{**vars(found), "cells_seeded": seeded})


def _means(plates: ColonyCounts, dose_gy: float) -> tuple[Floats, Floats]:
    """Returns the seeding densities at one dose and their mean colonies, zeros included."""
    own = plates.dose_gy == dose_gy
    cells, place = np.unique(plates.cells_seeded[own], return_inverse=True)
    counts = np.bincount(place)
    return cells, np.bincount(place, weights=plates.colonies[own]) / counts


def _efficiencies(plates: ColonyCounts, dose_gy: float) -> Floats:
    cells, colonies = _means(plates, dose_gy)
    return np.asarray(colonies / cells)


def _pooled_efficiency(plates: ColonyCounts, dose_gy: float) -> float:
    own = plates.dose_gy == dose_gy
    return float(plates.colonies[own].sum() / plates.cells_seeded[own].sum())


def _dose_issues(plates: ColonyCounts, dose_gy: float, *, method: CooperativityMethod) -> list[Issue]:
    cells, colonies = _means(plates, dose_gy)
    positive = int(np.sum(colonies > 0))
    where = f"{dose_gy:g} Gy"
    usable = len(cells) if method == "ml" else positive
    if usable < _FEWEST_DENSITIES or positive == 0:
        what = "too few seeding densities" + ("" if method == "ml" else " with colonies")
        return [Issue(what, where=where, wanted=f"{_FEWEST_DENSITIES} or more", got=str(usable if positive else 0))]
    if method == "ml":
        own = plates.dose_gy == dose_gy
        design = np.column_stack([np.ones(own.sum()), np.log(plates.cells_seeded[own])])
        if not has_finite_maximum(design, plates.colonies[own]):
            return [Issue("colonies at the densest plates only", where=where, wanted="colonies at two densities")]
    return []


def _law(plates: ColonyCounts, dose_gy: float, *, method: CooperativityMethod, level: float) -> PowerLaw:
    cells, colonies = _means(plates, dose_gy)
    if method == "ls":
        cells, colonies = cells[colonies > 0], colonies[colonies > 0]
        log_cells, response = np.log(cells), np.log(colonies)
    else:
        own = plates.dose_gy == dose_gy
        log_cells, response = np.log(plates.cells_seeded[own]), plates.colonies[own]
    regression = least_squares_regression if method == "ls" else poisson_regression
    centre = float(log_cells.mean())  # regressing on ln cells less their mean keeps the digits of the intercept
    design = np.column_stack([np.ones(len(log_cells)), log_cells - centre])
    found = regression(design, response, offset=np.zeros(len(response)))
    shift = np.array([[1.0, -centre], [0.0, 1.0]])
    a, b = shift @ found.coefficients
    covariance = shift @ found.covariance @ shift.T
    error = math.sqrt(covariance[1, 1])
    t = (b - 1.0) / error if error > 0 else math.copysign(math.inf, b - 1.0)
    return PowerLaw(
        dose_gy=dose_gy,
        a=float(a),
        b=float(b),
        covariance=covariance,
        df=found.df,
        dispersion=found.dispersion,
        cells_seeded=cells,
        colonies=colonies,
        b_interval=delta_interval(float(b), error, level=level, df=found.df, reference="f"),
        p=float(2.0 * stats.t.sf(abs(t), found.df)),
        p_cooperative=float(stats.t.sf(t, found.df)),
    )


def _welch(variances: tuple[float, float], dfs: tuple[int, int]) -> float:
    """Returns the degrees of freedom of a sum of two variances (Satterthwaite 1946, Welch 1947)."""
    total = sum(variances) ** 2
    parts = sum(variance**2 / df for variance, df in zip(variances, dfs, strict=True))
    return total / parts if parts > 0 else float(sum(dfs))


def _plate_warnings(plates: ColonyCounts, *, method: CooperativityMethod) -> list[str]:
    found = list(plates.warnings)
    more = plates.row[plates.colonies > plates.cells_seeded]
    if len(more):
        rows = ", ".join(map(str, more))
        found.append(f"more colonies than cells seeded in row {rows}; kept, since the cells seeded are nominal")
    for dose in np.unique(plates.dose_gy) if method == "ls" else ():
        cells, colonies = _means(plates, float(dose))
        empty = ", ".join(f"{value:g}" for value in cells[colonies == 0])
        if empty:
            found.append(
                f"no plate of {empty} cells has a colony at {dose:g} Gy: left out, which flattens the line; "
                'method="ml" takes them'
            )
    return found


def _law_warnings(fit: CooperativityFit) -> list[str]:
    found = []
    for law in fit.laws:
        interval = f"b = {law.b:.3g} ({law.b_interval.lower:.3g} to {law.b_interval.upper:.3g})"
        factor = f"seeding twice the cells multiplies plating efficiency by {2.0 ** (law.b - 1.0):.3g}"
        if law.p < 1.0 - fit.level:
            found.append(f"not proportional at {law.dose_gy:g} Gy: {interval}, p = {law.p:.2g}; {factor}")
        elif abs(law.b - 1.0) > FAR_FROM_PROPORTIONAL:
            found.append(f"perhaps not proportional at {law.dose_gy:g} Gy: {interval} is far from 1; {factor}")
    return found


def _range_warnings(fit: CooperativityFit) -> list[str]:
    found = []
    for law in fit.laws:
        low, high = law.colonies_range
        if not low <= fit.reference_colonies <= high:
            found.append(
                f"extrapolated at {law.dose_gy:g} Gy: {fit.reference_colonies:g} colonies lie outside the mean "
                f"counts, {low:g} to {high:g}"
            )
    return found
