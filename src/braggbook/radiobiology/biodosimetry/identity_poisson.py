"""Poisson regression with an identity link: counts X with means mu = design @ coefficients, all mu >= 0.

The log-likelihood is concave in the coefficients, so that there is one maximum: inside the region where every mean
is positive, or on its edge. Newton's method with the observed information finds it; a step is cut so that it stays
inside, and halved while it lowers the likelihood. R's ``glm`` scores with the expected information and no safeguard,
which ends at the same maximum where it converges, and in an error where the background is zero.

Coefficients that are bounded below by zero are handled exactly: the best of the fits with each subset of them held
at zero is the constrained maximum, as the problem is concave.

Sources: E. L. Frome, Biometrics 39 (1983) 665-674 (Poisson regression); P. McCullagh and J. A. Nelder, Generalized
Linear Models, 2nd ed. 1989, chapters 2 and 9 (quasi-likelihood).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

Floats = NDArray[np.float64]

# Relative change of the coefficients below which they have settled; Newton's last step squares what is left.
_SETTLED = 1e-12
_MAX_STEPS = 200
_MAX_HALVINGS = 60
# A step goes at most this share of the way to the edge of the region where the means are positive.
_TO_THE_EDGE = 0.9
# A mean this far below the largest is at the edge: the maximum is not inside.
_AT_THE_EDGE = 1e-13
# Relative loss of likelihood that is only rounding.
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class IdentityRegression:
    """What a regression found.

    Attributes:
        coefficients: Shape (p,).
        covariance_unscaled: Inverse of the expected information, shape (p, p); zero for coefficients held at zero.
        held: Which coefficients are held at zero, shape (p,).
        means: Expected counts, shape (n,).
        log_likelihood: Weighted kernel, sum of w (x ln mu - mu).
    """

    coefficients: Floats
    covariance_unscaled: Floats
    held: NDArray[np.bool_]
    means: Floats
    log_likelihood: float


def identity_poisson(
    design: Floats, counts: Floats, *, weights: Floats, bounded: Sequence[int]
) -> IdentityRegression | None:
    """Returns the maximum of the (quasi-)likelihood, or None when it lies on the edge of the positive region.

    Args:
        design: Cells times covariates, shape (n, p), of full rank.
        counts: Aberrations, shape (n,), not all zero.
        weights: Weight of each row, shape (n,), above 0; 1 for a Poisson likelihood.
        bounded: Columns whose coefficient must not be negative.
    """
    best: IdentityRegression | None = None
    for size in range(len(bounded) + 1):
        for held in itertools.combinations(bounded, size):
            found = _with_held(design, counts, weights=weights, held=held)
            if found is None or np.any(found.coefficients[list(bounded)] < 0):
                continue
            if best is None or found.log_likelihood > best.log_likelihood + _ROUNDING * abs(best.log_likelihood):
                best = found
    return best


def _with_held(design: Floats, counts: Floats, *, weights: Floats, held: tuple[int, ...]) -> IdentityRegression | None:
    """Fits with some coefficients at zero; None when a count then has no mean or no maximum is inside."""
    free = np.array([column not in held for column in range(design.shape[1])])
    part = design[:, free]
    empty = ~np.any(part > 0, axis=1)
    if np.any(counts[empty] > 0) or not np.any(free):
        return None
    used, x, w = part[~empty], counts[~empty], weights[~empty]
    if np.linalg.matrix_rank(used / used.max(axis=0)) < used.shape[1]:
        return None
    theta = _newton(used, x, w)
    if theta is None:
        return None
    means = used @ theta
    coefficients, covariance, fitted = np.zeros(len(free)), np.zeros((len(free),) * 2), np.zeros(len(counts))
    coefficients[free], fitted[~empty] = theta, means
    covariance[np.ix_(free, free)] = _inverse(used.T @ ((w / means)[:, None] * used))
    return IdentityRegression(coefficients, covariance, ~free, fitted, _kernel(means, x, w))


def _newton(design: Floats, counts: Floats, weights: Floats) -> Floats | None:
    scale = design.max(axis=0)
    scaled = design / scale
    theta = counts.sum() / (scaled.shape[1] * scaled.sum(axis=0))  # positive, and so are the means
    value = _kernel(scaled @ theta, counts, weights)
    for _ in range(_MAX_STEPS):
        means = scaled @ theta
        if means.min() <= _AT_THE_EDGE * means.max():
            return None
        gradient = scaled.T @ (weights * (counts / means - 1.0))
        step = _solve(scaled.T @ ((weights * counts / means**2)[:, None] * scaled), gradient)
        if step is None:
            step = _solve(scaled.T @ ((weights / means)[:, None] * scaled), gradient)
        if step is None:
            return None
        change = scaled @ step
        falling = change < 0
        room = float(np.min(-means[falling] / change[falling])) if np.any(falling) else np.inf
        size = min(1.0, _TO_THE_EDGE * room)
        for _ in range(_MAX_HALVINGS):
            new = _kernel(scaled @ (theta + size * step), counts, weights)
            if new >= value - _ROUNDING * abs(value):
                break
            size /= 2.0
        theta, value = theta + size * step, new
        if size == 1.0 and np.all(np.abs(step) <= _SETTLED * np.max(np.abs(theta))):
            return np.asarray(theta / scale)
    return None


def _kernel(means: Floats, counts: Floats, weights: Floats) -> float:
    if np.any(means < 0) or np.any((means == 0) & (counts > 0)):
        return -np.inf
    return float(np.sum(weights * (special.xlogy(counts, means) - means)))


def _solve(matrix: Floats, right: Floats) -> Floats | None:
    """Solves with a positive definite matrix; None when it is not, or barely."""
    diagonal = np.sqrt(np.diag(matrix))
    if not (np.all(np.isfinite(diagonal)) and np.all(diagonal > 0)):
        return None
    scaled = matrix / np.outer(diagonal, diagonal)
    if np.linalg.cond(scaled) > 1.0 / np.finfo(np.float64).eps:
        return None
    try:
        factor = linalg.cho_factor(scaled)
    except linalg.LinAlgError:
        return None
    return np.asarray(linalg.cho_solve(factor, right / diagonal) / diagonal)


def _inverse(matrix: Floats) -> Floats:
    diagonal = np.sqrt(np.diag(matrix))
    return np.asarray(np.linalg.inv(matrix / np.outer(diagonal, diagonal)) / np.outer(diagonal, diagonal))
