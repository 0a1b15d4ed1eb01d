"""The optional refit of an LQ curve with alpha >= 0 and beta >= 0.

A negative coefficient is what the plates say, and stays in the fit; the refit stands beside it, with the price in
deviance. The deviance is convex in (alpha, beta), so that the best curve within the bounds is the fit itself or
lies on a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from braggbook.radiobiology.linear_quadratic import LqParameters
from braggbook.radiobiology.survival.curve_model import CurveModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoundedSurvivalFit:
    """The best LQ curve with no negative coefficient, beside the fit as it came.

    Attributes:
        alpha_per_gy: alpha, 0 or more, 1/Gy.
        beta_per_gy2: beta, 0 or more, 1/Gy^2.
        alpha_se_per_gy: Standard error of alpha with the other held, 1/Gy; None when alpha is held at 0.
        beta_se_per_gy2: Standard error of beta with the other held, 1/Gy^2; None when beta is held at 0.
        held: Names of the coefficients that are held at 0; empty when the fit had no negative one.
        as_estimated: alpha and beta of the fit without bounds.
        deviance: Deviance of this curve.
        deviance_rise: By how much it is above that of the fit without bounds.
        p: Probability of so large a rise if the bounds were true, two-sided, by F(held, df); 1 when none is held.
        dispersion: Dispersion of the fit without bounds; it scales the standard errors.
        df: Residual degrees of freedom of the fit without bounds.
        warnings: What a reader must know, one sentence each; never empty when a coefficient is held.
    """

    alpha_per_gy: float
    beta_per_gy2: float
    alpha_se_per_gy: float | None
    beta_se_per_gy2: float | None
    held: tuple[str, ...]
    as_estimated: LqParameters
    deviance: float
    deviance_rise: float
    p: float
    dispersion: float
    df: int
    warnings: tuple[str, ...]


def refit_bounded(
    model: CurveModel, parameters: LqParameters, *, deviance: float, dispersion: float, df: int
) -> BoundedSurvivalFit:
    """Returns the best curve with alpha >= 0 and beta >= 0.

    Args:
        model: The plates as a regression problem.
        parameters: The fit without bounds.
        deviance: Its deviance.
        dispersion: Its dispersion.
        df: Its residual degrees of freedom.
    """
    free = (parameters.alpha_per_gy, parameters.beta_per_gy2)
    if min(free) >= 0:
        return BoundedSurvivalFit(
            *free,
            alpha_se_per_gy=parameters.alpha_se_per_gy,
            beta_se_per_gy2=parameters.beta_se_per_gy2,
            held=(),
            as_estimated=parameters,
            deviance=deviance,
            deviance_rise=0.0,
            p=1.0,
            dispersion=dispersion,
            df=df,
            warnings=(),
        )
    reached, values, errors, held = min(_edges(model, dispersion=dispersion), key=lambda edge: edge[0])
    rise = max(reached - deviance, 0.0)
    p = float(stats.f.sf(rise / len(held) / dispersion, len(held), df)) if dispersion > 0 else float(rise == 0)
    return BoundedSurvivalFit(
        *values,
        alpha_se_per_gy=errors[0],
        beta_se_per_gy2=errors[1],
        held=held,
        as_estimated=parameters,
        deviance=reached,
        deviance_rise=rise,
        p=p,
        dispersion=dispersion,
        df=df,
        warnings=_warnings(free, held, p=p),
    )


_Edge = tuple[float, tuple[float, float], tuple[float | None, float | None], tuple[str, ...]]


def _edges(model: CurveModel, *, dispersion: float) -> list[_Edge]:
    """Returns the best curve of each edge that has one: beta = 0, alpha = 0, and both."""
    flat = model.regress()
    found: list[_Edge] = [(flat.deviance, (0.0, 0.0), (None, None), ("alpha", "beta"))]
    for place, covariate in enumerate((-model.dose_gy, -(model.dose_gy**2))):
        fit = model.regress(covariate)
        value = float(fit.coefficients[-1])
        if value < 0:
            continue
        error = math.sqrt(dispersion * fit.covariance_unscaled[-1, -1])
        values, errors, held = (
            ((value, 0.0), (error, None), ("beta",)) if place == 0 else ((0.0, value), (None, error), ("alpha",))
        )
        found.append((fit.deviance, values, errors, held))
    return found


def _warnings(free: tuple[float, float], held: tuple[str, ...], *, p: float) -> tuple[str, ...]:
    found = [
        f"{name} is held at 0 in this refit; the plates say {value:.4g}"
        for name, value in zip(("alpha", "beta"), free, strict=True)
        if name in held
    ]
    if p < 0.05:
        found.append(f"the plates contradict the bound (p = {p:.2g}): look for another curve, or for what went wrong")
    else:
        found.append("the standard error is that with the held coefficient known to be 0, so it is too small")
    return tuple(found)
