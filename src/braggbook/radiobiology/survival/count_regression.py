"""Regression of counts: quasi-Poisson with a log link by iteratively reweighted least squares.

The iteration, its stopping rule and the weights behind dispersion and covariance are those of R's ``glm``
(family ``quasipoisson``), so that the numbers equal R's, and so CFAssay's, in every digit that they print.
R stops when the deviance changes by less than 1e-8 of itself, and takes dispersion and covariance with the
weights of the step before the last. Iterating on would change neither the coefficients nor the deviance in
ten digits, but it would change the dispersion by a few 1e-5 of itself.

Sources: J. A. Nelder and R. W. M. Wedderburn, J R Stat Soc A 135 (1972) 370-384 (iteration);
R. W. M. Wedderburn, Biometrika 61 (1974) 439-447 (quasi-likelihood); P. McCullagh and J. A. Nelder,
Generalized Linear Models, 2nd ed. 1989, chapters 2, 6 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from braggbook.errors import FitError

Floats = NDArray[np.float64]

# R's glm.control(epsilon): relative change of the deviance at which the iteration stops.
_DEVIANCE_CHANGE = 1e-8
# The deviance is a sum of terms as large as the counts: below this share of them a change is rounding. Only
# counts above a million or so feel it, which R's rule would never let settle on a perfect fit.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)
# R allows 25 steps; sparse counts far from their model may need more before the quadratic convergence begins.
_MAX_STEPS = 100
_MAX_HALVINGS = 40
# R's poisson()$linkinv: a mean below this does not occur, which keeps 1/mean finite.
_SMALLEST_MEAN = float(np.finfo(np.float64).eps)
# exp() of this is the largest mean that still squares without overflow.
_LARGEST_PREDICTOR = 300.0
# R's glm.fit: a column of which less than this share is its own depends on the columns before it.
_RANK_TOLERANCE = 1e-11
# Feasibility tolerance of SciPy's linear program (HiGHS): a gain below it is none.
_LP_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Regression:
    """What a regression found.

    Attributes:
        coefficients: Shape (p,), in the order of the design's columns.
        covariance_unscaled: Shape (p, p); times ``dispersion`` it is the covariance of the coefficients.
        fitted: Expected response of each row, shape (n,).
        residuals: Pearson residual of each row, shape (n,): (y - mu) / sqrt(mu) for counts, y - mu for logs.
        deviance: Twice the log-likelihood ratio to the saturated model; residual sum of squares for logs.
        dispersion: Pearson chi-squared / df; residual variance for logs; NaN when df is 0.
        df: Residual degrees of freedom, n - p.
    """

    coefficients: Floats
    covariance_unscaled: Floats
    fitted: Floats
    residuals: Floats
    deviance: float
    dispersion: float
    df: int

    @property
    def covariance(self) -> Floats:
        """Covariance of the coefficients, shape (p, p)."""
        return np.asarray(self.dispersion * self.covariance_unscaled)


def poisson_regression(design: Floats, counts: Floats, *, offset: Floats) -> Regression:
    """Fits ln E[counts] = offset + design @ coefficients by maximum (quasi-)likelihood.

    A step that raises the deviance is halved until it does not, so that zero counts do not make it diverge.

    Args:
        design: Covariates, shape (n, p); p may be 0.
        counts: Counts, shape (n,), zeros allowed.
        offset: Known part of the linear predictor, shape (n,).

    Raises:
        FitError: A column depends on the others, or the iteration does not converge.
    """
    weights = counts + 0.1  # R's starting means
    predictor = np.log(weights)
    mean, deviance = weights, _poisson_deviance(counts, weights)
    rounding = _ROUNDING * float(counts.sum())
    previous: Floats | None = None
    for _ in range(_MAX_STEPS):
        weights = mean
        working = predictor - offset + (counts - mean) / mean
        coefficients, inverse = _weighted_least_squares(design, working, root_weights=np.sqrt(weights))
        predictor, mean, new = _evaluate(design, coefficients, counts=counts, offset=offset)
        if previous is not None:
            for _ in range(_MAX_HALVINGS):
                if new <= deviance + _DEVIANCE_CHANGE * (abs(deviance) + 0.1):
                    break
                coefficients = 0.5 * (coefficients + previous)
                predictor, mean, new = _evaluate(design, coefficients, counts=counts, offset=offset)
        if abs(new - deviance) < max(_DEVIANCE_CHANGE * (abs(new) + 0.1), rounding):
            df = len(counts) - design.shape[1]
            chi2 = float(np.sum(weights * ((counts - mean) / mean) ** 2))
            residuals = (counts - mean) / np.sqrt(mean)
            dispersion = chi2 / df if df > 0 else float("nan")
            return Regression(coefficients, inverse, mean, residuals, new, dispersion, df)
        previous, deviance = coefficients, new
    raise FitError(
        "the fit does not converge",
        wanted=f"a deviance that settles within {_MAX_STEPS} steps",
        got=f"deviance {deviance:g} and still moving",
    )


def least_squares_regression(
    design: Floats, response: Floats, *, offset: Floats, weights: Floats | None = None
) -> Regression:
    """Fits response = offset + design @ coefficients by least squares; arguments as for the Poisson fit.

    With ``weights``, shape (n,), the residuals are those times the root of the weight, and the deviance is the
    weighted sum of squares.

    Raises:
        FitError: A column depends on the others.
    """
    root = np.ones_like(response) if weights is None else np.sqrt(weights)
    coefficients, inverse = _weighted_least_squares(design, response - offset, root_weights=root)
    fitted = offset + design @ coefficients
    residuals = root * (response - fitted)
    df = len(response) - design.shape[1]
    rss = float(residuals @ residuals)
    return Regression(coefficients, inverse, fitted, residuals, rss, rss / df if df > 0 else float("nan"), df)


def has_finite_maximum(design: Floats, counts: Floats) -> bool:
    """Tells whether the Poisson likelihood has its maximum at finite coefficients.

    It has none when some change of the coefficients lowers the means of rows without counts and leaves every
    row with counts as it is: the likelihood then rises for ever. A linear program looks for such a change.

    Source: S. J. Haberman, The Analysis of Frequency Data, 1974; R. W. M. Wedderburn,
    Biometrika 63 (1976) 27-32.
    """
    positive, empty = design[counts > 0], design[counts == 0]
    if len(empty) == 0 or np.linalg.matrix_rank(positive) == design.shape[1]:
        return True
    scale = np.abs(design).max(axis=0)
    found = optimize.linprog(
        (empty / scale).sum(axis=0),
        A_ub=empty / scale,
        b_ub=np.zeros(len(empty)),
        A_eq=positive / scale,
        b_eq=np.zeros(len(positive)),
        bounds=(-1.0, 1.0),
    )
    return bool(found.fun > -_LP_TOLERANCE)


def _evaluate(design: Floats, coefficients: Floats, *, counts: Floats, offset: Floats) -> tuple[Floats, Floats, float]:
    predictor = np.minimum(offset + design @ coefficients, _LARGEST_PREDICTOR)
    mean = np.maximum(np.exp(predictor), _SMALLEST_MEAN)
    return predictor, mean, _poisson_deviance(counts, mean)


def _poisson_deviance(counts: Floats, mean: Floats) -> float:
    return float(2.0 * np.sum(special.xlogy(counts, counts / mean) - (counts - mean)))


def _weighted_least_squares(design: Floats, response: Floats, *, root_weights: Floats) -> tuple[Floats, Floats]:
    """Returns the coefficients and the inverse of X'WX by a QR decomposition of the weighted design."""
    if design.shape[1] == 0:
        return np.zeros(0), np.zeros((0, 0))
    weighted = root_weights[:, None] * design
    q, r = np.linalg.qr(weighted)
    if np.any(np.abs(np.diag(r)) <= _RANK_TOLERANCE * np.linalg.norm(weighted, axis=0)):
        raise FitError(
            "the data cannot tell the coefficients apart",
            wanted="columns that do not depend on each other",
            got=f"a design of {design.shape[0]} rows whose {design.shape[1]} columns do",
        )
    inverse_r = np.linalg.inv(r)
    return inverse_r @ (q.T @ (root_weights * response)), inverse_r @ inverse_r.T
