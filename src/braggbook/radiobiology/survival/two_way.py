"""Two-way designs: does one treatment change what the other does?

Cells get one of several levels of a factor A (a drug, say) and one of several levels of a factor B (a transfection, a
dose), in several independent experiments. Colonies are counts, and effects multiply:

    ln E[colonies] = ln cells + c_experiment + A_i + B_j + (AB)_ij

with A, B and AB zero at the first levels. Without interaction, AB = 0: the surviving fraction after both is the
product of those after each. The test compares the two fits by F = (difference of deviances / difference of df) /
dispersion, with the dispersion of the fit with interaction.

Source: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y (``cfa2way`` of the R package
CFAssay, whose numbers these are).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.intervals import Interval, check_level, delta_interval
from braggbook.radiobiology.survival.colony_counts import ColonyCounts
from braggbook.radiobiology.survival.count_regression import (
    Regression,
    has_finite_maximum,
    least_squares_regression,
    poisson_regression,
)
from braggbook.radiobiology.survival.judgement import DISPERSION_LIMITS
from braggbook.radiobiology.survival.two_way_table import Factor, read_two_way

Floats = NDArray[np.float64]
TwoWayMethod = Literal["ml", "ls"]

_METHODS = ("ml", "ls")
# A deviance per colony (of logarithms: a share of their squares) below this is a perfect fit: the rest is rounding.
_PERFECT = 1e-12


@dataclass(frozen=True, eq=False)
class TwoWayFit:
    """A two-way design, fitted with and without interaction.

    Attributes:
        factor_a: Name of the first factor.
        factor_b: Name of the second factor.
        levels_a: Its levels, the reference first.
        levels_b: Its levels, the reference first.
        effects: Table with a row per effect of the fit with interaction: effect, kind ("a", "b" or
            "interaction"), estimate (natural logarithm), standard_error, t, p (by t(df)), lower, upper (by
            t(df)), ratio (exp of the estimate), ratio_lower, ratio_upper. The effects of one factor are those
            at the reference level of the other.
        nested: Table of the same fit told in another way, as CFAssay's "A/B": the effect of each level of B at
            each level of A, against the reference level of B; columns as above with level_a and level_b.
        main_effects: Table of the fit without interaction, columns as in ``effects``.
        replicates: Table: replicate, plates, log_plating_efficiency (at both reference levels), standard_error.
        cells: Table with a row per pair of levels: level_a, level_b, plates, colonies, fitted_survival (against
            both reference levels).
        plates: Table with a row per plate: row, replicate, level_a, level_b, cells_seeded, colonies,
            fitted_colonies, pearson_residual (residual of ln S for "ls").
        f: F statistic of the interaction.
        df_numerator: Number of interaction coefficients.
        df: Residual degrees of freedom of the fit with interaction.
        p: Probability of an F this large or larger without interaction.
        dispersion: Pearson chi-squared / df of the fit with interaction; residual variance of ln S for "ls".
        deviance: Deviance of the fit with interaction; residual sum of squares for "ls".
        main_dispersion: Dispersion of the fit without interaction.
        main_deviance: Deviance of the fit without interaction.
        dispersion_limit: Dispersion above which the plates scatter suspiciously (CFAssay's rule for fitted
            plating efficiencies); None for "ls".
        method: "ml" or "ls".
        level: Confidence level of the intervals.
        warnings: What a reader must know, one sentence each.
    """

    factor_a: str
    factor_b: str
    levels_a: tuple[str, ...]
    levels_b: tuple[str, ...]
    effects: pd.DataFrame
    nested: pd.DataFrame
    main_effects: pd.DataFrame
    replicates: pd.DataFrame
    cells: pd.DataFrame
    plates: pd.DataFrame
    f: float
    df_numerator: int
    df: int
    p: float
    dispersion: float
    deviance: float
    main_dispersion: float
    main_deviance: float
    dispersion_limit: float | None
    method: TwoWayMethod
    level: float
    warnings: tuple[str, ...]

    def interaction(self, level_a: str | None = None, level_b: str | None = None) -> Interval:
        """Returns the Wald interval, by t(df), of exp of an interaction: observed / expected survival after both.

        Below 1 the treatments do more together than independence lets expect (sensitisation), above 1 less.

        Args:
            level_a: Level of A; may be left out when there is one besides the reference.
            level_b: Level of B, likewise.

        Raises:
            ScienceError: There is no such pair of levels, or more than one and none was named.
        """
        found = self.effects[self.effects["kind"] == "interaction"]
        for name, value in (("level_a", level_a), ("level_b", level_b)):
            if value is not None:
                found = found[found[name] == str(value)]
        if len(found) != 1:
            pairs = self.effects[self.effects["kind"] == "interaction"]
            known = ", ".join(f"({a}, {b})" for a, b in zip(pairs["level_a"], pairs["level_b"], strict=True))
            raise ScienceError("not one interaction", wanted=f"one of {known}", got=f"({level_a}, {level_b})")
        row = found.iloc[0]
        return Interval(float(row["ratio_lower"]), float(row["ratio_upper"]), self.level, f"delta on ln, t({self.df})")


def fit_two_way(
    counts: pd.DataFrame,
    *,
    factor_a: str,
    factor_b: str,
    reference: tuple[object, object] | None = None,
    method: TwoWayMethod = "ml",
    level: float = 0.95,
) -> TwoWayFit:
    """Fits a two-way design and tests its interaction.

    Args:
        counts: One row per plate: ``cells_seeded``, ``colonies``, ``replicate`` and the columns of both factors,
            whose values are taken as labels; ``dose_gy`` may be one of them. Rows without a count are left out.
        factor_a: Name of the first factor's column.
        factor_b: Name of the second factor's column.
        reference: The untreated level of each; by default the smallest number, or the first label in the table.
        method: "ml": quasi-Poisson maximum likelihood; "ls": least squares on ln S, for comparison.
        level: Confidence level of the intervals.

    Raises:
        ScienceError: The table is not usable; all issues are named with their rows (the first row is 1).
        FitError: The design cannot tell the effects apart; ``issues`` names every empty cell and every replicate
            that stands alone.
        UnknownName: ``method`` is not known.
    """
    if method not in _METHODS:
        raise unknown_name("fit method", str(method), _METHODS)
    check_level(level)
    plates, a, b = read_two_way(counts, factor_a=factor_a, factor_b=factor_b, reference=reference)
    design = _Design(plates, a, b, method=method)
    design.require_estimable()
    full, main = design.fit(interaction=True), design.fit(interaction=False)
    df_numerator = main.df - full.df
    size = (
        plates.colonies.sum() if method == "ml" else float(np.sum(np.log(plates.colonies / plates.cells_seeded) ** 2))
    )
    if not full.deviance > _PERFECT * size:
        raise FitError("the interaction cannot be tested", wanted="plates that scatter", got="a perfect fit")
    f = (main.deviance - full.deviance) / df_numerator / full.dispersion
    return TwoWayFit(
        factor_a=factor_a,
        factor_b=factor_b,
        levels_a=a.levels,
        levels_b=b.levels,
        effects=design.effects(full, level=level),
        nested=design.nested(full, level=level),
        main_effects=design.effects(main, level=level, interaction=False),
        replicates=design.replicate_table(full),
        cells=design.cell_table(full),
        plates=design.plate_table(full),
        f=f,
        df_numerator=df_numerator,
        df=full.df,
        p=float(stats.f.sf(f, df_numerator, full.df)),
        dispersion=full.dispersion,
        deviance=full.deviance,
        main_dispersion=main.dispersion,
        main_deviance=main.deviance,
        dispersion_limit=DISPERSION_LIMITS["fitted"] if method == "ml" else None,
        method=method,
        level=level,
        warnings=_warnings(plates, design, dispersion=full.dispersion),
    )


class _Design:
    """Columns: replicates, levels of A, levels of B, pairs of levels; reference levels have none."""

    def __init__(self, plates: ColonyCounts, a: Factor, b: Factor, *, method: TwoWayMethod) -> None:
        self.plates, self.a, self.b, self.method = plates, a, b, method
        self.replicates = 1.0 * (plates.replicate[:, None] == np.arange(len(plates.replicates)))
        self.columns_a = 1.0 * (a.index[:, None] == np.arange(1, len(a.levels)))
        self.columns_b = 1.0 * (b.index[:, None] == np.arange(1, len(b.levels)))
        pairs = self.columns_a[:, :, None] * self.columns_b[:, None, :]
        self.columns_ab = pairs.reshape(len(pairs), -1)
        self.first = len(plates.replicates)

    def matrix(self, *, interaction: bool) -> Floats:
        parts = [self.replicates, self.columns_a, self.columns_b]
        return np.column_stack([*parts, self.columns_ab] if interaction else parts)

    def fit(self, *, interaction: bool) -> Regression:
        design, offset = self.matrix(interaction=interaction), np.log(self.plates.cells_seeded)
        if self.method == "ls":
            return least_squares_regression(design, np.log(self.plates.colonies), offset=offset)
        return poisson_regression(design, self.plates.colonies, offset=offset)

    def require_estimable(self) -> None:
        """Raises FitError with every reason why the effects cannot be told apart."""
        issues = [*self._cell_issues(), *self._replicate_issues()]
        design = self.matrix(interaction=True)
        if not issues and np.linalg.matrix_rank(design) < design.shape[1]:
            issues.append(
                Issue(
                    "the effects are aliased with the replicates",
                    wanted="replicates that share pairs of levels, so that each effect shows within a replicate",
                )
            )
        if not issues and len(design) <= design.shape[1]:
            got = f"{len(design)} in the likelihood"
            issues.append(Issue("too few plates", wanted=f"more than {design.shape[1]}, the parameters", got=got))
        if not issues and self.method == "ml" and not has_finite_maximum(design, self.plates.colonies):
            issues.append(Issue("too many plates are empty: some effect is without bound"))
        if issues:
            raise FitError("this two-way design cannot be fitted", issues=issues)

    def _cell_issues(self) -> list[Issue]:
        plates, colonies = self._cell_sums()
        issues = []
        for (i, j), count in np.ndenumerate(plates):
            where = f"{self.a.name} {self.a.levels[i]}, {self.b.name} {self.b.levels[j]}"
            if count == 0:
                issues.append(Issue("no plate of this pair of levels", where=where))
            elif colonies[i, j] == 0:
                issues.append(Issue("no colony on any plate of this pair of levels", where=where))
        if self.method == "ls":
            issues += [
                Issue(
                    "least squares on ln S cannot take a plate without colonies",
                    where=f"row {row}",
                    wanted='colonies, or method="ml"',
                )
                for row in self.plates.row[self.plates.colonies == 0]
            ]
        return issues

    def _replicate_issues(self) -> list[Issue]:
        total = self.plates.colonies @ self.replicates
        return [
            Issue("no colony on any plate", where=f"replicate {self.plates.replicates[index]}")
            for index in np.flatnonzero(total == 0)
        ]

    def _cell_sums(self) -> tuple[Floats, Floats]:
        shape = len(self.a.levels), len(self.b.levels)
        place = self.a.index * shape[1] + self.b.index
        size = shape[0] * shape[1]
        plates = np.bincount(place, weights=np.ones(len(place)), minlength=size)
        colonies = np.bincount(place, weights=self.plates.colonies, minlength=size)
        return np.asarray(plates.reshape(shape)), np.asarray(colonies.reshape(shape))

    def effects(self, found: Regression, *, level: float, interaction: bool = True) -> pd.DataFrame:
        """Tables the coefficients of the factors as they were fitted."""
        rows: list[tuple[str, str, str]] = [("a", label, "") for label in self.a.levels[1:]]
        rows += [("b", "", label) for label in self.b.levels[1:]]
        if interaction:
            rows += [("interaction", one, other) for one in self.a.levels[1:] for other in self.b.levels[1:]]
        return self._table(rows, np.eye(len(rows)), found=found, level=level)

    def nested(self, found: Regression, *, level: float) -> pd.DataFrame:
        """Tables the effect of each level of B within each level of A."""
        size_a, size_b = len(self.a.levels), len(self.b.levels) - 1
        rows, weights = [], []
        for i, label in enumerate(self.a.levels):
            for j in range(size_b):
                weight = np.zeros(size_a - 1 + size_b + (size_a - 1) * size_b)
                weight[size_a - 1 + j] = 1.0
                if i > 0:
                    weight[size_a - 1 + size_b + (i - 1) * size_b + j] = 1.0
                rows.append(("b within a", label, self.b.levels[j + 1]))
                weights.append(weight)
        return self._table(rows, np.array(weights), found=found, level=level)

    def _table(
        self, rows: Sequence[tuple[str, str, str]], weights: Floats, *, found: Regression, level: float
    ) -> pd.DataFrame:
        covariance = found.covariance[self.first :, self.first :]
        estimates = weights @ found.coefficients[self.first :]
        errors = np.sqrt(np.einsum("ij,jk,ik->i", weights, covariance, weights))
        ends = [
            delta_interval(float(value), float(error), level=level, df=found.df, reference="f")
            for value, error in zip(estimates, errors, strict=True)
        ]
        lower, upper = np.array([[end.lower, end.upper] for end in ends]).T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = estimates / errors
            ratios = np.exp([estimates, lower, upper])  # an upper limit beyond all numbers is infinite
        return pd.DataFrame(
            {
                "effect": [self._name(one, other) for _, one, other in rows],
                "kind": [kind for kind, _, _ in rows],
                "level_a": [one for _, one, _ in rows],
                "level_b": [other for _, _, other in rows],
                "estimate": estimates,
                "standard_error": errors,
                "t": t,
                "p": 2.0 * stats.t.sf(np.abs(t), found.df),
                "lower": lower,
                "upper": upper,
                "ratio": ratios[0],
                "ratio_lower": ratios[1],
                "ratio_upper": ratios[2],
            }
        )

    def _name(self, level_a: str, level_b: str) -> str:
        parts = [(self.a.name, level_a), (self.b.name, level_b)]
        return " : ".join(f"{name}={label}" for name, label in parts if label)

    def replicate_table(self, found: Regression) -> pd.DataFrame:
        """Tables the plating efficiencies."""
        return pd.DataFrame(
            {
                "replicate": list(self.plates.replicates),
                "plates": self.replicates.sum(axis=0).astype(np.int64),
                "log_plating_efficiency": found.coefficients[: self.first],
                "standard_error": np.sqrt(np.diag(found.covariance))[: self.first],
            }
        )

    def cell_table(self, found: Regression) -> pd.DataFrame:
        """Tables the pairs of levels."""
        plates, colonies = self._cell_sums()
        size_a, size_b = len(self.a.levels) - 1, len(self.b.levels) - 1
        effects = found.coefficients[self.first :]
        log_survival = np.zeros(plates.shape)
        log_survival[1:, :] += effects[:size_a, None]
        log_survival[:, 1:] += effects[size_a : size_a + size_b]
        log_survival[1:, 1:] += effects[size_a + size_b :].reshape(size_a, size_b)
        return pd.DataFrame(
            {
                "level_a": np.repeat(self.a.levels, size_b + 1),
                "level_b": np.tile(self.b.levels, size_a + 1),
                "plates": plates.ravel().astype(np.int64),
                "colonies": colonies.ravel(),
                "fitted_survival": np.exp(log_survival).ravel(),
            }
        )

    def plate_table(self, found: Regression) -> pd.DataFrame:
        """Tables the plates with their residuals."""
        plates = self.plates
        return pd.DataFrame(
            {
                "row": plates.row,
                "replicate": np.array(plates.replicates, dtype=object)[plates.replicate],
                "level_a": np.array(self.a.levels, dtype=object)[self.a.index],
                "level_b": np.array(self.b.levels, dtype=object)[self.b.index],
                "cells_seeded": plates.cells_seeded,
                "colonies": plates.colonies,
                "fitted_colonies": found.fitted if self.method == "ml" else np.exp(found.fitted),
                "pearson_residual": found.residuals,
            }
        )


def _warnings(plates: ColonyCounts, design: _Design, *, dispersion: float) -> tuple[str, ...]:
    found = list(plates.warnings)
    if len(plates.replicates) == 1:
        found.append("one replicate only: the test does not hold the variation between experiments")
    pairs = {(r, i, j) for r, i, j in zip(plates.replicate, design.a.index, design.b.index, strict=True)}
    missing = len(plates.replicates) * len(design.a.levels) * len(design.b.levels) - len(pairs)
    if missing:
        found.append(
            f"unbalanced: {missing} pair(s) of levels are missing in a replicate; the effects are adjusted for the "
            "replicates by the fit"
        )
    limit = DISPERSION_LIMITS["fitted"]
    if design.method == "ml" and dispersion > limit:
        found.append(f"dispersion {dispersion:.4g} is above {limit:g}: the plates scatter suspiciously")
    if design.method == "ml" and dispersion < 1:
        found.append(
            f"dispersion {dispersion:.4g} is below 1: the plates scatter less than counting error allows, "
            "and the standard errors are scaled down with it, as R's quasi-Poisson does"
        )
    return tuple(found)
