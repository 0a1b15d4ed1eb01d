"""Fits one curve many times, its replicates carrying other weights each time: resampling, and leaving one out.

A replicate that is drawn twice counts twice. Its plating efficiency, profiled out, is the same in both copies, so
that a draw is a vector of weights and no plate needs to be copied. All draws are fitted at once by Newton's method
on the two coefficients; the likelihood is concave, so there is one answer or none.

Source of the profiled likelihood: J. Palmgren, Biometrika 68 (1981) 563-566.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import FitError
from braggbook.radiobiology.survival.curve_model import CurveModel

Floats = NDArray[np.float64]

# Change of ln S at the largest dose at which the search ends: the answer is then good to the square of it.
_ACCURACY = 1e-9
_MAX_STEPS = 60
# Longest step, as a change of ln S at the largest dose.
_LONGEST = 2.0
# Plates times draws worked on at once: some 30 MB an array.
_CHUNK = 4_000_000
# A curvature matrix of this smallness against its diagonal does not tell alpha and beta apart.
_SINGULAR = 1e-10
# A curve that falls by more than this (natural logarithm) before the lowest dose is on its way to infinity.
_STEEPEST = 60.0


def fit_weighted(model: CurveModel, weights: Floats, *, start: Floats) -> Floats:
    """Returns alpha and beta for each vector of weights.

    Args:
        model: The plates as a regression problem.
        weights: Weight of each replicate, shape (fits, replicates), 0 or more.
        start: alpha (1/Gy) and beta (1/Gy^2) of the fit with equal weights, shape (2,).

    Returns:
        Shape (fits, 2), in 1/Gy and 1/Gy^2; both NaN where the weighted plates have no answer.

    Raises:
        FitError: The weights do not belong to these replicates.
    """
    size = int(model.replicate.max()) + 1
    if weights.ndim != 2 or weights.shape[1] < size:
        raise FitError(
            "not weights of these replicates",
            wanted=f"one for each of {size} in every fit",
            got=f"shape {weights.shape}",
        )
    step = max(1, _CHUNK // max(len(model.dose_gy), 1))
    fit = _fit_counts if model.method == "ml" else _fit_logs
    parts = [fit(model, weights[at : at + step], start=start) for at in range(0, len(weights), step)]
    return np.concatenate(parts) if parts else np.empty((0, 2))


def leave_one_out(model: CurveModel, *, estimate: tuple[float, float]) -> Floats:
    """Returns alpha and beta without each replicate in turn, shape (replicates, 2); NaN where there is no answer."""
    size = int(model.replicate.max()) + 1
    return fit_weighted(model, 1.0 - np.eye(size), start=np.array(estimate, dtype=np.float64))


def _indicators(model: CurveModel, size: int) -> Floats:
    return np.asarray(model.replicate[:, None] == np.arange(size), dtype=np.float64)


def _fit_counts(model: CurveModel, weights: Floats, *, start: Floats) -> Floats:
    top = float(model.dose_gy.max())
    scale = np.array([1.0 / top, 1.0 / top**2])  # coefficients are searched for as effects at the largest dose
    covariates = -np.column_stack([model.dose_gy / top, (model.dose_gy / top) ** 2])
    groups = _indicators(model, weights.shape[1])
    totals = model.response @ groups
    inner = np.tile(start / scale, (len(weights), 1))
    active = np.arange(len(weights))
    done = np.zeros(len(weights), dtype=np.bool_)
    for _ in range(_MAX_STEPS):
        change, good = _newton(model, covariates, inner[active], weights=weights[active], groups=groups, totals=totals)
        length = np.abs(change).max(axis=1)
        change *= np.minimum(1.0, _LONGEST / np.maximum(length, _LONGEST))[:, None]
        inner[active] += np.where(good[:, None], change, np.nan)
        done[active[good & (length < _ACCURACY)]] = True
        lowest = model.dose_gy[model.dose_gy > 0].min() / top
        lost = ~good | (np.abs(inner[active] @ np.array([lowest, lowest**2])) > _STEEPEST)
        active = active[~(done[active] | lost)]
        if len(active) == 0:
            break
    return np.where(done[:, None], inner * scale, np.nan)


def _newton(
    model: CurveModel, covariates: Floats, inner: Floats, *, weights: Floats, groups: Floats, totals: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the Newton step of each fit, shape (fits, 2), and whether it has one."""
    with np.errstate(all="ignore"):
        predictor = model.offset + inner @ covariates.T
        if model.intercepts.shape[1]:
            predictor -= _group_maximum(predictor, model.replicate, size=groups.shape[1])[:, model.replicate]
            mean = np.exp(predictor)
            mean *= (totals / (mean @ groups))[:, model.replicate]
        else:
            mean = np.exp(np.minimum(predictor, 300.0))
        moments = np.stack([(mean * x) @ groups for x in covariates.T], axis=2)  # (fits, replicates, 2)
        target = np.stack([(model.response * x) @ groups for x in covariates.T], axis=1)  # (replicates, 2)
        gradient = np.einsum("br,brk->bk", weights, target - moments)
        squares = np.stack([(mean * x * y) @ groups for x in covariates.T for y in covariates.T], axis=2)
        if model.intercepts.shape[1]:
            products = (moments[:, :, :, None] * moments[:, :, None, :]).reshape(squares.shape)
            squares = squares - products / totals[:, None]
        curvature = np.einsum("br,brk->bk", weights, squares)
    return _solve(curvature, gradient)


def _solve(curvature: Floats, gradient: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Solves each 2 x 2 system; curvature has shape (fits, 4)."""
    a, b, _, d = curvature.T
    determinant = a * d - b * b
    with np.errstate(all="ignore"):
        good = np.isfinite(determinant) & (a > 0) & (d > 0) & (determinant > _SINGULAR * a * d)
        safe = np.where(good, determinant, 1.0)
        step = np.column_stack([d * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]])
        step = step / safe[:, None]
    good &= np.all(np.isfinite(step), axis=1)
    return np.where(good[:, None], step, 0.0), good


def _group_maximum(predictor: Floats, replicate: NDArray[np.int64], *, size: int) -> Floats:
    highest = np.full((len(predictor), size), -np.inf)
    for index in range(size):
        highest[:, index] = predictor[:, replicate == index].max(axis=1)
    return highest


def _fit_logs(model: CurveModel, weights: Floats, *, start: Floats) -> Floats:
    """Weighted least squares on ln S in closed form; ``start`` is not needed."""
    del start
    covariates = -np.column_stack([model.dose_gy, model.dose_gy**2])
    response = model.response - model.offset
    groups = _indicators(model, weights.shape[1])
    if model.intercepts.shape[1]:  # weights are equal within a replicate, so its plain means centre it
        size = groups.sum(axis=0)
        covariates = covariates - (groups @ ((groups.T @ covariates) / size[:, None]))
        response = response - groups @ ((groups.T @ response) / size)
    of_plate = model.weights  # other than 1 only without intercepts
    gradient = np.stack([(of_plate * x * response) @ groups for x in covariates.T], axis=1)
    squares = np.stack([(of_plate * x * y) @ groups for x in covariates.T for y in covariates.T], axis=1)
    step, good = _solve(weights @ squares, weights @ gradient)
    return np.where(good[:, None], step, np.nan)
