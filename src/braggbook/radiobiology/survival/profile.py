"""Profile deviances of a survival curve: how badly the best curve fits that has a given property.

Each property is a straight line in the (alpha, beta) plane, so that each profile is itself a regression with
one covariate less and an offset. All functions return a deviance (see
:class:`~braggbook.radiobiology.count_regression.Regression`).

Source: P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, section 7.2; profile
quasi-likelihood: the same deviance divided by the dispersion.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from braggbook.radiobiology.survival.curve_model import CurveModel
from braggbook.radiobiology.survival.poisson_slope import best_slope, group_deviance

Floats = NDArray[np.float64]

# arsinh of alpha / (2 sqrt(beta)): from a pure shoulder that first rises to beta = 0 in all but name.
_SHAPES = (-2.2, 17.0)
_SHAPE_POINTS = 32
# The deviance is flat to the square of this.
_SHAPE_ACCURACY = 1e-7


def deviance_with_alpha(model: CurveModel, alpha_per_gy: float) -> float:
    """Returns the deviance of the best curve with this alpha."""
    return _best(model, -(model.dose_gy**2), offset=-alpha_per_gy * model.dose_gy)[1]


def deviance_with_beta(model: CurveModel, beta_per_gy2: float) -> float:
    """Returns the deviance of the best curve with this beta."""
    return _best(model, -model.dose_gy, offset=-beta_per_gy2 * model.dose_gy**2)[1]


def deviance_with_angle(model: CurveModel, angle: float, *, scale_gy: float) -> float:
    """Returns the deviance of the best curve with alpha : beta * scale_gy = cos(angle) : sin(angle).

    The angle is alpha/beta in a form that has no pole: alpha/beta = scale_gy / tan(angle), and an angle of
    0 is beta = 0.
    """
    dose = model.dose_gy
    covariate = -(math.cos(angle) * dose + math.sin(angle) * dose**2 / scale_gy)
    return _best(model, covariate, offset=np.zeros_like(dose))[1]


def deviance_with_effect(model: CurveModel, effect: float, *, dose_gy: float) -> float:
    """Returns the deviance of the best curve with -ln S = ``effect`` at one dose."""
    dose = model.dose_gy
    return _best(model, dose * dose_gy - dose**2, offset=-effect * dose / dose_gy)[1]


def deviance_with_dose(model: CurveModel, dose_gy: float, *, survival: float) -> float:
    """Returns the deviance of the best curve that first comes down to ``survival`` at ``dose_gy``.

    Among the curves through that point those that pass it on their way up again (beta below -L / D^2, with
    L = -ln S) are left out: the deviance is convex along the line, so the limit is then the best of the rest.
    """
    effect = -math.log(survival)
    dose = model.dose_gy
    beta, deviance = _best(model, dose * dose_gy - dose**2, offset=-effect * dose / dose_gy)
    turning = -effect / dose_gy**2
    if beta >= turning:
        return deviance
    alpha = 2.0 * effect / dose_gy
    return _deviance(model, offset=-alpha * dose - turning * dose**2)


def deviance_with_mean_inactivation_dose(model: CurveModel, mean_gy: float) -> float:
    """Returns the deviance of the best curve with beta > 0 that has this mean inactivation dose.

    With u = alpha / (2 sqrt(beta)) the mean is sqrt(pi) erfcx(u) / (2 sqrt(beta)), so that u alone gives both
    coefficients. It is looked for on a grid first, because the curves of one mean are no convex set.
    """

    def deviance(scaled: float) -> float:
        u = math.sinh(scaled)
        root = 0.5 * math.sqrt(math.pi) * float(special.erfcx(u)) / mean_gy
        return _deviance(model, offset=-(2.0 * u + root * model.dose_gy) * root * model.dose_gy)

    grid = np.linspace(*_SHAPES, _SHAPE_POINTS)
    found = [deviance(scaled) for scaled in grid]
    place = int(np.clip(np.argmin(found), 1, len(grid) - 2))
    best = optimize.minimize_scalar(
        deviance, bounds=(grid[place - 1], grid[place + 1]), method="bounded", options={"xatol": _SHAPE_ACCURACY}
    )
    return min(float(best.fun), found[int(np.argmin(found))])


def _best(model: CurveModel, covariate: Floats, *, offset: Floats) -> tuple[float, float]:
    """Returns the best coefficient of one covariate, the intercepts being free, and the deviance there."""
    if model.method == "ml":
        return best_slope(covariate, model.response, groups=model.intercepts, offset=model.offset + offset)
    found = model.regress(covariate, offset=offset)
    return float(found.coefficients[-1]), found.deviance


def _deviance(model: CurveModel, *, offset: Floats) -> float:
    if model.method == "ml":
        return group_deviance(model.response, groups=model.intercepts, offset=model.offset + offset)
    return model.regress(offset=offset).deviance
