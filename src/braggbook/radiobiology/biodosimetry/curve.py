"""The calibration curve: yield from dose, dose from yield, and the curve's own uncertainty.

    Y = C + alpha D + beta G D^2

with the background C per cell, D in Gy, and the protraction factor G (1 for an acute exposure). The curve knows the
covariance of its coefficients, and where it came from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.biodosimetry.exposure import check_protraction, number_array
from braggbook.radiobiology.intervals import check_level

Floats = NDArray[np.float64]

NOT_STATED = "not stated"
# An eigenvalue of a correlation matrix below minus this is not rounding of printed digits.
_NOT_POSITIVE = 1e-3


@dataclass(frozen=True, kw_only=True)
class CurveRecord:
    """What a calibration curve is of, as a report of the laboratory must say it (ISO 19238).

    Attributes:
        aberration: "dicentrics", "translocations", "micronuclei" ...
        radiation: Radiation quality, for example "60Co gamma rays".
        dose_rate: Dose rate of the calibration.
        laboratory: Who made it.
        scorer: Who, or what program, scored it.
        criteria: Scoring criteria, for example "46 centromeres, dicentric with its fragment".
        reference: Publication or file.
    """

    aberration: str = NOT_STATED
    radiation: str = NOT_STATED
    dose_rate: str = NOT_STATED
    laboratory: str = NOT_STATED
    scorer: str = NOT_STATED
    criteria: str = NOT_STATED
    reference: str = NOT_STATED


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """A calibration curve with the covariance of its coefficients.

    Attributes:
        background_per_cell: C, aberrations per cell at dose 0.
        alpha_per_gy: Linear coefficient, aberrations per cell and Gy.
        beta_per_gy2: Quadratic coefficient, aberrations per cell and Gy^2; 0 for a linear curve.
        covariance: Covariance of (C, alpha, beta), shape (3, 3); zero where a coefficient is taken as exact.
        dose_range_gy: Doses of the calibration, lowest and highest; None when not known.
        record: What the curve is of.
        warnings: What a reader must know, one sentence each.
    """

    background_per_cell: float
    alpha_per_gy: float
    beta_per_gy2: float
    covariance: Floats
    dose_range_gy: tuple[float, float] | None = None
    record: CurveRecord = field(default_factory=CurveRecord)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when no dose could be read from such a curve."""
        issues = _coefficient_issues(self.background_per_cell, self.alpha_per_gy, self.beta_per_gy2)
        issues += _covariance_issues(self.covariance)
        if issues:
            raise ScienceError("not a calibration curve", issues=issues)

    @property
    def coefficients(self) -> Floats:
        """(C, alpha, beta), shape (3,)."""
        return np.array([self.background_per_cell, self.alpha_per_gy, self.beta_per_gy2])

    @property
    def standard_errors(self) -> Floats:
        """Standard errors of (C, alpha, beta), shape (3,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def estimated(self) -> int:
        """Number of coefficients that have an uncertainty."""
        return int(np.sum(np.diag(self.covariance) > 0))

    def yield_at(self, dose_gy: ArrayLike, *, protraction: float = 1.0) -> Floats:
        """Returns the yield per cell at doses in Gy, in their shape."""
        dose = _doses(dose_gy)
        return np.asarray(_powers(dose, check_protraction(protraction)) @ self.coefficients)[()]

    def yield_se_at(self, dose_gy: ArrayLike, *, protraction: float = 1.0) -> Floats:
        """Returns the standard error of the curve at doses in Gy, in their shape."""
        powers = _powers(_doses(dose_gy), check_protraction(protraction))
        variance = np.einsum("...i,ij,...j->...", powers, self.covariance, powers)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))[()]

    def band_factor(self, level: float) -> float:
        """Returns R, the multiple of the standard error that a band for the whole curve takes.

        R^2 is the chi-squared quantile with as many degrees of freedom as coefficients were estimated (Scheffe's
        argument, as Merkle 1983 uses it); 0 for a curve without uncertainty.
        """
        check_level(level)
        return math.sqrt(stats.chi2.ppf(level, self.estimated)) if self.estimated else 0.0

    def band(self, dose_gy: ArrayLike, *, level: float = 0.95, protraction: float = 1.0) -> tuple[Floats, Floats]:
        """Returns lower and upper limit of the yield for the curve as a whole, at doses in Gy.

        The lower limit may be negative, as the normal approximation has it.
        """
        middle = self.yield_at(dose_gy, protraction=protraction)
        half = self.band_factor(level) * self.yield_se_at(dose_gy, protraction=protraction)
        return middle - half, middle + half

    def dose_at(self, yield_per_cell: ArrayLike, *, protraction: float = 1.0) -> Floats:
        """Returns the dose in Gy at which the curve has a yield.

        It is 2 (Y - C) / (alpha + sqrt(alpha^2 + 4 beta G (Y - C))), the smaller root.

        Raises:
            ScienceError: A yield lies below the background, or above all that the curve (with beta < 0) reaches.
        """
        values = number_array(yield_per_cell, name="yield_per_cell")
        excess = values - self.background_per_cell
        curvature = self.beta_per_gy2 * check_protraction(protraction)
        if not np.all(excess >= 0):
            raise ScienceError(
                "a yield is below the background of the curve",
                wanted=f"at least {self.background_per_cell:.6g} per cell",
                got=f"{np.min(values):.6g}",
            )
        root = self.alpha_per_gy**2 + 4.0 * curvature * excess
        rising = (root >= 0) & (self.alpha_per_gy + np.sqrt(np.maximum(root, 0.0)) > 0) & np.isfinite(excess)
        if not np.all(rising | (excess == 0)):
            raise ScienceError(
                "the curve never comes up to a yield", wanted="a yield that it reaches", got=f"{np.max(values):.6g}"
            )
        with np.errstate(invalid="ignore", divide="ignore"):
            dose = 2.0 * excess / (self.alpha_per_gy + np.sqrt(np.maximum(root, 0.0)))
        return np.asarray(np.where(excess == 0, 0.0, dose))[()]

    def slope_at(self, dose_gy: float, *, protraction: float = 1.0) -> float:
        """Returns dY/dD at a dose, per Gy."""
        return self.alpha_per_gy + 2.0 * self.beta_per_gy2 * check_protraction(protraction) * float(dose_gy)

    def with_background(self, background_per_cell: float, *, standard_error: float = 0.0) -> CalibrationCurve:
        """Returns the curve with another background, for example the one expected at a person's age.

        The curve's own background is replaced, not added to; its covariance with the other coefficients goes.
        """
        if not (isinstance(standard_error, int | float | np.number) and 0 <= float(standard_error) < math.inf):
            raise ScienceError("not a standard error", wanted="a number, 0 or more", got=repr(standard_error))
        covariance = self.covariance.copy()
        covariance[0, :] = covariance[:, 0] = 0.0
        covariance[0, 0] = float(standard_error) ** 2
        return replace(self, background_per_cell=background_per_cell, covariance=covariance)


def calibration_curve(
    *,
    background_per_cell: float,
    alpha_per_gy: float,
    beta_per_gy2: float = 0.0,
    standard_errors: Sequence[float] | None = None,
    covariance: ArrayLike | None = None,
    dose_range_gy: tuple[float, float] | None = None,
    record: CurveRecord | None = None,
) -> CalibrationCurve:
    """Returns a curve from published coefficients.

    Args:
        background_per_cell: C, 0 or more.
        alpha_per_gy: Linear coefficient, 1/Gy.
        beta_per_gy2: Quadratic coefficient, 1/Gy^2; 0 for a linear curve.
        standard_errors: Of (C, alpha, beta), or (C, alpha) of a linear curve, when the covariance is not published.
        covariance: Of (C, alpha, beta), shape (3, 3), or (2, 2) for a linear curve.
        dose_range_gy: Lowest and highest dose of the calibration in Gy.
        record: What the curve is of.

    Raises:
        ScienceError: These are not the coefficients of a calibration curve; all issues are named.
    """
    warnings = []
    full = np.zeros((3, 3))
    if covariance is not None:
        given = number_array(covariance, name="covariance")
        if given.shape not in ((2, 2), (3, 3)):
            raise ScienceError("not a covariance", wanted="shape (3, 3), or (2, 2)", got=f"shape {given.shape}")
        full[: len(given), : len(given)] = given
    elif standard_errors is not None:
        errors = number_array(standard_errors, name="standard_errors")
        if errors.shape not in ((2,), (3,)) or not np.all(errors >= 0):
            raise ScienceError("not standard errors", wanted="2 or 3 numbers, none negative", got=repr(standard_errors))
        full[np.arange(len(errors)), np.arange(len(errors))] = errors**2
        warnings.append("the covariances of the curve are not known and taken as zero, which widens dose intervals")
    else:
        warnings.append("the uncertainty of the curve is not known: dose intervals hold that of the case alone")
    return CalibrationCurve(
        background_per_cell=background_per_cell,
        alpha_per_gy=alpha_per_gy,
        beta_per_gy2=beta_per_gy2,
        covariance=full,
        dose_range_gy=dose_range_gy,
        record=record or CurveRecord(),
        warnings=tuple(warnings),
    )


def check_curve(curve: object) -> None:
    """Raises ScienceError when this is not a calibration curve; a fit has one as its ``curve``."""
    if not isinstance(curve, CalibrationCurve):
        raise ScienceError("not a calibration curve", wanted="fit.curve, or calibration_curve(...)", got=_kind(curve))


def _kind(value: object) -> str:
    return type(value).__name__


def _coefficient_issues(background: float, alpha: float, beta: float) -> list[Issue]:
    values = {"background_per_cell": background, "alpha_per_gy": alpha, "beta_per_gy2": beta}
    issues = [
        Issue("not a finite number", where=name, got=repr(value))
        for name, value in values.items()
        if isinstance(value, bool) or not (isinstance(value, int | float | np.number) and math.isfinite(value))
    ]
    if issues:
        return issues
    if background < 0:
        issues.append(Issue("a negative yield at dose 0", where="background_per_cell", got=f"{background:g}"))
    if alpha < 0:
        wanted = "0 or more; a curve that falls at low dose gives one yield two doses"
        issues.append(Issue("negative", where="alpha_per_gy", wanted=wanted, got=f"{alpha:g}"))
    if beta < 0:
        wanted = "0 or more; fit a linear curve instead"
        issues.append(Issue("negative", where="beta_per_gy2", wanted=wanted, got=f"{beta:g}"))
    if alpha == 0 and beta == 0:
        issues.append(Issue("the yield does not depend on dose", wanted="alpha or beta above 0"))
    return issues


def _covariance_issues(covariance: Floats) -> list[Issue]:
    if np.shape(covariance) != (3, 3) or not np.all(np.isfinite(covariance)):
        return [Issue("not a covariance", where="covariance", wanted="finite numbers, shape (3, 3)")]
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=0.0):
        return [Issue("the covariance is not symmetric", where="covariance")]
    variances = np.diag(covariance)
    if np.any(variances < 0):
        return [Issue("a variance is negative", where="covariance")]
    known = variances > 0
    if np.any(covariance[~known] != 0):
        return [Issue("a covariance without its variances", where="covariance")]
    errors = np.sqrt(variances[known])
    correlation = covariance[np.ix_(known, known)] / np.outer(errors, errors)
    if known.any() and np.linalg.eigvalsh(correlation).min() < -_NOT_POSITIVE:
        return [Issue("not a covariance: some combination would have a negative variance", where="covariance")]
    return []


def _powers(dose: Floats, protraction: float) -> Floats:
    return np.stack([np.ones_like(dose), dose, protraction * dose**2], axis=-1)


def _doses(dose_gy: ArrayLike) -> Floats:
    dose = number_array(dose_gy, name="dose_gy")
    if not np.all(np.isfinite(dose) & (dose >= 0)):
        raise ScienceError("a dose is not usable", wanted="doses in Gy, 0 or more", got=str(dose))
    return dose
