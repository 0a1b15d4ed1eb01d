"""Poisson regression with one slope and an intercept per group, for likelihood profiles.

A profile asks for the best fit hundreds of times, also far from the data, where reweighted least squares may
fail. With a log link the intercepts have a closed form, exp(c_g) = sum of y / sum of exp(offset + slope x)
over the group, so that one concave function of one slope is left. Newton's steps find its maximum in a few
steps from near, and bisection of its gradient finds it from anywhere.

Source: J. Palmgren, Biometrika 68 (1981) 563-566 (the group totals carry the intercepts, conditioning on them
loses nothing on the slope).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from braggbook.errors import FitError

Floats = NDArray[np.float64]

# Change of the linear predictor at which the search ends; the deviance is flat there to the square of it.
_ACCURACY = 1e-10
# Newton's method needs some 6 steps from near; from far above it crawls by 1 in the predictor: bisect then.
_NEWTON_STEPS = 20
_MAX_STEPS = 200
# Longest first step, as a change of the linear predictor; it doubles whenever it is too short.
_FIRST_LIMIT = 2.0
# exp() of this is the largest mean that still squares without overflow.
_LARGEST_PREDICTOR = 300.0


def best_slope(covariate: Floats, counts: Floats, *, groups: Floats, offset: Floats) -> tuple[float, float]:
    """Returns the maximum-likelihood slope of ln E[counts] = offset + c_group + slope * covariate.

    Args:
        covariate: Shape (n,), not all zero.
        counts: Counts, shape (n,).
        groups: Indicator of each group, shape (n, g); g may be 0 (no intercepts). No group is without counts.
        offset: Known part of the predictor, shape (n,).

    Returns:
        The slope and the deviance there. Without a maximum at a finite slope: a slope so large that the
        deviance has reached its limit.

    Raises:
        FitError: The search does not settle.
    """
    scale = float(np.abs(covariate).max())
    slope, lower, upper, limit = 0.0, -math.inf, math.inf, _FIRST_LIMIT / scale
    for count in range(_MAX_STEPS):
        mean = np.exp(log_means(offset + slope * covariate, counts, groups=groups))
        gradient = float((counts - mean) @ covariate)
        if gradient == 0:
            break
        lower, upper = (slope, upper) if gradient > 0 else (lower, slope)
        step = math.copysign(math.inf, gradient)
        if count < _NEWTON_STEPS:
            step = _newton_step(gradient, covariate, mean=mean, groups=groups)
        if not lower < slope + step < upper and math.isfinite(upper - lower):
            step = 0.5 * (lower + upper) - slope
        if abs(step) > limit:
            step, limit = math.copysign(limit, step), 2.0 * limit
        slope += step
        if abs(step) * scale < _ACCURACY:
            break
    else:
        raise FitError(
            "a likelihood profile does not settle",
            wanted=f"a maximum within {_MAX_STEPS} steps",
            got=f"slope {slope:g} and still moving",
        )
    return slope, group_deviance(counts, groups=groups, offset=offset + slope * covariate)


def group_deviance(counts: Floats, *, groups: Floats, offset: Floats) -> float:
    """Returns the Poisson deviance of ln E[counts] = offset + c_group at the best intercepts."""
    log_mean = log_means(offset, counts, groups=groups)
    return float(2.0 * np.sum(special.xlogy(counts, counts) - counts * log_mean - (counts - np.exp(log_mean))))


def log_means(predictor: Floats, counts: Floats, *, groups: Floats) -> Floats:
    """Returns ln E[counts], shape (n,), at the intercepts that fit best, which have a closed form."""
    if groups.shape[1] == 0:
        return np.minimum(predictor, _LARGEST_PREDICTOR)
    highest = np.where(groups > 0, predictor[:, None], -np.inf).max(axis=0)
    shifted = predictor - groups @ highest
    return np.asarray(shifted + groups @ np.log((counts @ groups) / (np.exp(shifted) @ groups)))


def _newton_step(gradient: float, covariate: Floats, *, mean: Floats, groups: Floats) -> float:
    """Returns gradient / curvature; the curvature is the within-group sum of squares of the covariate."""
    curvature = float(mean @ covariate**2)
    if groups.shape[1]:
        curvature -= float(np.sum((mean * covariate @ groups) ** 2 / (mean @ groups)))
    if curvature <= 0:
        return math.copysign(math.inf, gradient)
    return gradient / curvature
