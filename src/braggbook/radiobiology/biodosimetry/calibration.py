"""Fits a dose-effect calibration curve to counts of dicentrics, translocations or micronuclei.

The aberrations X in N cells at dose D are Poisson with mean N g (C + alpha D + beta G D^2), fitted by maximum
likelihood with an identity link; g is the genome factor (1 except for painted chromosomes) and G the protraction
factor (1 for acute exposures). Where the doses scatter more than that, Pearson's chi-squared over its degrees of
freedom exceeds 1 and multiplies the covariance (quasi-Poisson).

Sources: E. L. Frome and R. J. DuFrain, Radiat Res 107 (1986) 78-102; IAEA, EPR-Biodosimetry 2011, Vienna 2011.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from braggbook.errors import FitError, ScienceError, unknown_name
from braggbook.radiobiology.biodosimetry.counts import AberrationCounts, read_calibration_counts
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, CurveRecord
from braggbook.radiobiology.biodosimetry.dispersion import dispersion_indices, dispersion_table
from braggbook.radiobiology.biodosimetry.exposure import number_array
from braggbook.radiobiology.biodosimetry.identity_poisson import IdentityRegression, identity_poisson
from braggbook.radiobiology.intervals import Interval, delta_interval, poisson_count_intervals

Floats = NDArray[np.float64]
Model = Literal["linear-quadratic", "linear", "quadratic"]
Family = Literal["automatic", "poisson", "quasi-poisson"]
Bounds = Literal["background", "all"]

_COLUMNS = {"linear-quadratic": (0, 1, 2), "linear": (0, 1), "quadratic": (0, 2)}
_NAMES = ("C", "alpha", "beta")
_UNITS = ("1/cell", "1/Gy", "1/Gy^2")
# A p value below this is called significant in the warnings.
_SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class CalibrationFit:
    """A fitted calibration. Negative alpha or beta are reported as estimated; such a fit has no ``curve``.

    Attributes:
        coefficients: (C, alpha, beta) per cell, 1/Gy, 1/Gy^2, shape (3,); 0 for one that is not in the model.
        covariance: Their covariance, shape (3, 3), times ``scale``; zero for a coefficient that is not estimated.
        model: "linear-quadratic", "linear" or "quadratic".
        family: "poisson" or "quasi-poisson", whichever was used.
        scale: What multiplies the Poisson covariance: 1, or the dispersion for "quasi-poisson".
        log_likelihood: Poisson log-likelihood of the totals, factorials included.
        deviance: Twice the log-likelihood ratio to the saturated model.
        pearson_chi2: Sum of squared Pearson residuals (weighted, if weights were given).
        df: Residual degrees of freedom; a row with mean 0 (dose 0 when C is held at 0) is not counted.
        doses: Table with a row per row of the counts: row, dose_gy, cells, aberrations, yield_per_cell with its exact
            95 % limits (lower, upper), fitted_yield, pearson_residual, weight, dispersion_index, u, verdict.
        dose_range_gy: Lowest and highest dose.
        record: What the curve is of.
        warnings: What a reader must know, one sentence each.
    """

    coefficients: Floats
    covariance: Floats
    model: Model
    family: Family
    scale: float
    log_likelihood: float
    deviance: float
    pearson_chi2: float
    df: int
    doses: pd.DataFrame
    dose_range_gy: tuple[float, float]
    record: CurveRecord
    warnings: tuple[str, ...]

    @property
    def background_per_cell(self) -> float:
        """C, aberrations per cell at dose 0."""
        return float(self.coefficients[0])

    @property
    def alpha_per_gy(self) -> float:
        """Linear coefficient, aberrations per cell and Gy."""
        return float(self.coefficients[1])

    @property
    def beta_per_gy2(self) -> float:
        """Quadratic coefficient, aberrations per cell and Gy^2."""
        return float(self.coefficients[2])

    @property
    def standard_errors(self) -> Floats:
        """Standard errors of (C, alpha, beta), shape (3,); 0 for one that is not estimated."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def dispersion(self) -> float:
        """Pearson's chi-squared over its degrees of freedom; FitError when there are none left."""
        if self.df <= 0:
            raise FitError("the fit has no dispersion", wanted="more doses than coefficients")
        return self.pearson_chi2 / self.df

    @property
    def pearson_p(self) -> float:
        """Probability of such a Pearson chi-squared or a larger one, if counts are Poisson and the model holds."""
        return float(stats.chi2.sf(self.pearson_chi2, self.df)) if self.df > 0 else 1.0

    @property
    def aic(self) -> float:
        """Akaike's criterion of the Poisson likelihood."""
        return 2.0 * self._size - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion of the Poisson likelihood, with the number of rows as sample size."""
        return math.log(len(self.doses)) * self._size - 2.0 * self.log_likelihood

    @property
    def _size(self) -> int:
        return int(np.sum(np.diag(self.covariance) > 0))

    @property
    def curve(self) -> CalibrationCurve:
        """The curve, to read doses from; ScienceError when alpha or beta is negative."""
        c, alpha, beta = (float(value) for value in self.coefficients)
        return CalibrationCurve(c, alpha, beta, self.covariance, self.dose_range_gy, self.record, self.warnings)

    def interval(self, name: Literal["C", "alpha", "beta"], *, level: float = 0.95) -> Interval:
        """Returns estimate -+ quantile * standard error: t(df) for "quasi-poisson", normal for "poisson".

        Raises:
            ScienceError: The coefficient is not estimated (not in the model, or held at zero).
        """
        if name not in _NAMES:
            raise unknown_name("coefficient", str(name), _NAMES)
        index = _NAMES.index(name)
        error = float(self.standard_errors[index])
        if error == 0:
            raise ScienceError(f"{name} is not estimated and has no interval", where=self.model)
        quasi = self.family == "quasi-poisson"
        df = float(self.df) if quasi else math.inf
        return delta_interval(self.coefficients[index], error, level=level, df=df, reference="f" if quasi else "chi2")

    def table(self) -> pd.DataFrame:
        """Returns the estimated coefficients: coefficient, unit, estimate, standard_error, statistic, p.

        The statistic is referred to t(df) for "quasi-poisson" and to the normal distribution for "poisson".
        """
        kept = np.diag(self.covariance) > 0
        estimate, error = self.coefficients[kept], self.standard_errors[kept]
        statistic = estimate / error
        tail = stats.t(self.df) if self.family == "quasi-poisson" else stats.norm()
        return pd.DataFrame(
            {
                "coefficient": np.array(_NAMES)[kept],
                "unit": np.array(_UNITS)[kept],
                "estimate": estimate,
                "standard_error": error,
                "statistic": statistic,
                "p": 2.0 * tail.sf(np.abs(statistic)),
            }
        )


def fit_calibration(
    counts: pd.DataFrame,
    *,
    model: Model = "linear-quadratic",
    family: Family = "automatic",
    bounds: Bounds = "background",
    weights: Literal["equal", "dispersion"] | ArrayLike = "equal",
    protraction: ArrayLike = 1.0,
    genome_factor: float = 1.0,
    record: CurveRecord | None = None,
) -> CalibrationFit:
    """Fits a calibration curve.

    Args:
        counts: One row per dose and culture, columns ``dose_gy`` and ``c0``, ``c1`` ... and/or ``cells``,
            ``aberrations`` (see :mod:`braggbook.radiobiology.biodosimetry.counts`).
        model: "linear-quadratic"; "linear" (beta = 0, high LET); "quadratic" (alpha = 0).
        family: "poisson"; "quasi-poisson": covariance times chi2/df, also where that is below 1; "automatic":
            quasi-Poisson when chi2/df exceeds 1, else Poisson.
        bounds: "background": C must not be negative, nor any fitted yield; "all": nor alpha, nor beta.
        weights: "equal"; "dispersion": each row is divided by its own dispersion index where that exceeds 1, which
            needs the distributions; or a weight above 0 for each row.
        protraction: G of each row (or of all), from 0 to 1.
        genome_factor: Cells count as this many cell equivalents each; above 0, at most 1.
        record: What the curve is of.

    Raises:
        ScienceError: The table or an argument is not usable; every row at fault is named.
        FitError: The counts cannot determine the coefficients.
        UnknownName: ``model``, ``family``, ``bounds`` or ``weights`` is not known.
    """
    for kind, value, known in (("model", model, Model), ("family", family, Family), ("bounds", bounds, Bounds)):
        if value not in get_args(known):
            raise unknown_name(kind, str(value), get_args(known))
    data = read_calibration_counts(counts)
    assert data.dose_gy is not None
    weight = _weights(weights, data)
    design = _design(data, protraction=protraction, genome_factor=genome_factor)[:, _COLUMNS[model]]
    _require_information(data, design, model=model)
    found, notes = _maximise(design, data, weight=weight, bounds=bounds)
    return _result(found, data, weight=weight, model=model, family=family, record=record or CurveRecord(), notes=notes)


def _maximise(
    design: Floats, data: AberrationCounts, *, weight: Floats, bounds: Bounds
) -> tuple[IdentityRegression, list[str]]:
    everything = list(range(design.shape[1]))
    found = identity_poisson(
        design, data.aberrations, weights=weight, bounded=[0] if bounds == "background" else everything
    )
    if found is not None:
        return found, []
    found = identity_poisson(design, data.aberrations, weights=weight, bounded=everything)
    if found is None:
        raise FitError(
            "the counts cannot determine a calibration curve", wanted="aberrations at as many doses as coefficients"
        )
    return found, ["without bounds the yield would be negative at a dose: no coefficient was let below 0"]


def _result(
    found: IdentityRegression,
    data: AberrationCounts,
    *,
    weight: Floats,
    model: Model,
    family: Family,
    record: CurveRecord,
    notes: list[str],
) -> CalibrationFit:
    columns = list(_COLUMNS[model])
    coefficients, covariance, held = np.zeros(3), np.zeros((3, 3)), np.zeros(3, dtype=np.bool_)
    coefficients[columns], held[columns] = found.coefficients, found.held
    covariance[np.ix_(columns, columns)] = found.covariance_unscaled
    means, counts = found.means, data.aberrations
    seen = means > 0  # a mean of 0 has no count, and adds nothing
    residuals = np.zeros(len(counts))
    residuals[seen] = np.sqrt(weight[seen]) * (counts[seen] - means[seen]) / np.sqrt(means[seen])
    chi2, df = float(residuals @ residuals), int(np.sum(seen)) - int(np.sum(~found.held))
    quasi = family == "quasi-poisson" or (family == "automatic" and df > 0 and chi2 > df)
    if quasi and df <= 0:
        raise FitError("no dispersion to scale the errors with", wanted="more doses than coefficients, or 'poisson'")
    scale = chi2 / df if quasi else 1.0
    ratio = np.where(counts > 0, counts, 1.0) / np.where(counts > 0, means, 1.0)
    assert data.dose_gy is not None
    used: Family = "quasi-poisson" if quasi else "poisson"
    return CalibrationFit(
        coefficients=coefficients,
        covariance=covariance * scale,
        model=model,
        family=used,
        scale=scale,
        log_likelihood=float(np.sum(special.xlogy(counts, means) - means - special.gammaln(counts + 1.0))),
        deviance=float(2.0 * np.sum(weight * (counts * np.log(ratio) - (counts - means)))),
        pearson_chi2=chi2,
        df=df,
        doses=_dose_table(data, means=means, residuals=residuals, weight=weight),
        dose_range_gy=(float(data.dose_gy.min()), float(data.dose_gy.max())),
        record=record,
        warnings=(*notes, *_warnings(data, coefficients, held=held, chi2=chi2, df=df, family=used)),
    )


def _dose_table(data: AberrationCounts, *, means: Floats, residuals: Floats, weight: Floats) -> pd.DataFrame:
    spread = dispersion_table(data)
    lower, upper = poisson_count_intervals(data.aberrations)
    return pd.DataFrame(
        {
            "row": np.arange(1, len(means) + 1),
            "dose_gy": data.dose_gy,
            "cells": data.cells,
            "aberrations": data.aberrations,
            "yield_per_cell": data.aberrations / data.cells,
            "lower": lower / data.cells,
            "upper": upper / data.cells,
            "fitted_yield": means / data.cells,
            "pearson_residual": residuals,
            "weight": weight,
            "dispersion_index": spread["dispersion_index"],
            "u": spread["u"],
            "verdict": spread["verdict"],
        }
    )


def _warnings(
    data: AberrationCounts, coefficients: Floats, *, held: NDArray[np.bool_], chi2: float, df: int, family: Family
) -> list[str]:
    found = []
    for name, value, fixed in zip(_NAMES, coefficients, held, strict=True):
        if fixed:
            found.append(f"{name} is held at 0, its lower bound, and has no standard error")
        if value < 0:
            found.append(f"{name} is negative ({value:.4g}); it is reported as estimated, not clipped")
    if df <= 0:
        found.append("as many coefficients as doses: nothing is left to test the fit with")
    elif family == "quasi-poisson" and chi2 < df:
        found.append(f"chi2/df {chi2 / df:.4g} is below 1, and the standard errors are scaled down with it")
    elif stats.chi2.sf(chi2, df) < _SIGNIFICANT:
        p = stats.chi2.sf(chi2, df)
        found.append(f"the doses scatter more than Poisson counts (chi2/df {chi2 / df:.4g}, p {p:.2g})")
    table = dispersion_table(data)
    for verdict, meaning in (
        ("overdispersed", "u above 1.96: high LET, or doses that were not uniform"),
        ("underdispersed", "u below -1.96: cells or aberrations were missed, or chosen"),
    ):
        rows = [str(row + 1) for row in np.flatnonzero(table["verdict"] == verdict)]
        if rows:
            found.append(f"{verdict} in row {', '.join(rows)} ({meaning})")
    return found


def _weights(weights: object, data: AberrationCounts) -> Floats:
    if isinstance(weights, str):
        if weights not in ("equal", "dispersion"):
            raise unknown_name("weights", weights, ("equal", "dispersion"))
        if weights == "equal":
            return np.ones(len(data.cells))
        if data.distribution is None:
            raise ScienceError("no dispersion without distributions", wanted="columns c0, c1, c2 ...")
        index = dispersion_indices(data)
        return 1.0 / np.where(index > 1.0, index, 1.0)  # an index that cannot be told (NaN) counts as 1
    given = number_array(weights, name="weights")  # type: ignore[arg-type]
    if given.shape != data.cells.shape or not np.all(np.isfinite(given) & (given > 0)):
        raise ScienceError("not weights", wanted=f"{len(data.cells)} numbers above 0", got=repr(weights))
    return given


def _design(data: AberrationCounts, *, protraction: ArrayLike, genome_factor: float) -> Floats:
    factor = number_array(protraction, name="protraction")
    if factor.shape not in ((), data.cells.shape) or not np.all((factor >= 0) & (factor <= 1)):
        raise ScienceError("not protraction factors", wanted="numbers from 0 to 1, one or one per row", got=str(factor))
    share = number_array(genome_factor, name="genome_factor")
    if share.shape != () or not 0 < share <= 1:
        raise ScienceError("not a genome factor", wanted="a number above 0, at most 1", got=repr(genome_factor))
    assert data.dose_gy is not None
    dose = data.dose_gy
    return (data.cells * share)[:, None] * np.column_stack([np.ones_like(dose), dose, factor * dose**2])


def _require_information(data: AberrationCounts, design: Floats, *, model: Model) -> None:
    assert data.dose_gy is not None
    if not np.any(data.aberrations > 0):
        raise FitError("no aberration in any row", where="column aberrations", wanted="some")
    levels = len(np.unique(data.dose_gy))
    if levels < design.shape[1]:
        raise FitError(
            f"too few doses for a {model} curve", wanted=f"{design.shape[1]} different doses or more", got=str(levels)
        )
    scale = design.max(axis=0)
    if not np.all(scale > 0) or np.linalg.matrix_rank(design / scale) < design.shape[1]:
        raise FitError("the rows cannot tell the coefficients apart", wanted="a protraction above 0 at some doses")
