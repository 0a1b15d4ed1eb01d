"""Quasi-Poisson fits of many linear-quadratic curves at once.

Each step of the iteratively reweighted least squares is a weighted regression of all curves of a block together.
The intercepts are eliminated: within a replicate the normal equations say that the weighted mean residual is 0, so
that only the two columns dose and dose squared, less their weighted means in the replicate, are left. Their two by
two system is solved by hand.

``stopping="converged"`` goes on until the linear predictor moves by less than 1e-7, which the next digit-doubling
step makes 1e-14, and takes dispersion and covariance there. ``stopping="r"`` stops, and takes them, where R's
``glm`` and :func:`~braggbook.radiobiology.survival.fit_survival` do (see
:mod:`braggbook.radiobiology.survival.count_regression`).

Source: J. A. Nelder and R. W. M. Wedderburn, J R Stat Soc A 135 (1972) 370-384; the elimination is that of
the analysis of covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from braggbook.radiobiology.survival.batch_layout import Block

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Stopping = Literal["converged", "r"]

# R's glm.control(epsilon), as in count_regression.
_DEVIANCE_CHANGE = 1e-8
_MAX_STEPS = 100
_MAX_HALVINGS = 40
# A step of this size in the linear predictor leaves an error of its square.
_PREDICTOR_CHANGE = 1e-7
# A deviance is a difference of terms as large as the counts: its own rounding error is this share of their sum.
_ROUNDING = 1e-13
# exp() of this is the largest mean that still squares without overflow.
_LARGEST_PREDICTOR = 300.0
# R's glm.fit: a column of which less than this share is its own depends on the columns before it.
_RANK_TOLERANCE = 1e-11


class Coefficients(NamedTuple):
    """Intercepts, shape (replicates, curves), alpha and beta, shape (curves,)."""

    intercepts: Floats
    alpha: Floats
    beta: Floats


class Normal(NamedTuple):
    """A weighted regression on -dose and -dose squared, intercepts eliminated.

    Attributes:
        total: Sum of weights of each replicate, 1 where it is 0, shape (replicates, curves).
        means: Weighted means of both columns in each replicate, two arrays of that shape.
        columns: Both columns less those means, two arrays (depth, replicates, curves).
        s11: Weighted sum of squares of the first column, shape (curves,).
        s12: Weighted sum of products.
        s22: Weighted sum of squares of the second column.
    """

    total: Floats
    means: tuple[Floats, Floats]
    columns: tuple[Floats, Floats]
    s11: Floats
    s12: Floats
    s22: Floats


class BlockFit(NamedTuple):
    """What was found; arrays of shape (curves,) unless said otherwise. Nothing is scaled by the dispersion.

    Attributes:
        intercepts: Shape (replicates, curves); 0 when plating is pooled.
        alpha: alpha in 1/Gy.
        beta: beta in 1/Gy^2.
        alpha_variance: Unscaled variance of alpha.
        beta_variance: Unscaled variance of beta.
        covariance: Unscaled covariance of both.
        intercept_variance: Unscaled variances of the intercepts, shape (replicates, curves).
        chi2: Pearson chi-squared.
        deviance: Poisson deviance.
        converged: 1 where the iteration came to its end, 0 where it did not or the curve was left out.
    """

    intercepts: Floats
    alpha: Floats
    beta: Floats
    alpha_variance: Floats
    beta_variance: Floats
    covariance: Floats
    intercept_variance: Floats
    chi2: Floats
    deviance: Floats
    converged: Floats


@dataclass(eq=False)
class _State:
    """The curves of a block that still move."""

    block: Block
    curve: NDArray[np.intp]
    weights: Floats
    working: Floats
    coefficients: Coefficients
    mean: Floats
    deviance: Floats

    def take(self, chosen: Flags) -> _State:
        intercepts, alpha, beta = self.coefficients
        return _State(
            self.block.take(chosen),
            self.curve[chosen],
            self.weights[:, :, chosen],
            self.working[:, :, chosen],
            Coefficients(intercepts[:, chosen], alpha[chosen], beta[chosen]),
            self.mean[:, :, chosen],
            self.deviance[chosen],
        )


def fit_block(block: Block, *, chosen: Flags, stopping: Stopping) -> BlockFit:
    """Fits the chosen curves of a block, shape (curves,), which must be estimable; the others are NaN."""
    result = _empty(block)
    state = _start(block)
    if not chosen.all():
        state = state.take(chosen)
    for step in range(_MAX_STEPS if chosen.any() else 0):
        done = _advance(state, first=step == 0, stopping=stopping)
        if done.any():
            _finish(result, state if done.all() else state.take(done), stopping=stopping)
            if done.all():
                break
            state = state.take(~done)
    return result


def is_plainly_estimable(block: Block) -> Flags:
    """Tells of each curve whether its plates with colonies alone determine all coefficients, shape (curves,).

    If so, the design has full rank and the likelihood a maximum at finite coefficients. If not, either may still
    hold, and a closer look at that curve is due.
    """
    positive = (block.counts > 0).astype(np.float64)
    n = _normal(block, positive)
    first, second = n.columns
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = n.s12 / n.s11
        own = _sum(positive * (second - slope * first) ** 2)
    all_first = _sum(positive * block.dose_gy**2)
    all_second = _sum(positive * block.dose_gy**4)
    enough = (n.s11 > _RANK_TOLERANCE**2 * all_first) & (own > _RANK_TOLERANCE**2 * all_second)
    if block.pooled_log_efficiency is None:
        enough &= (positive.any(axis=0) | ~block.present).all(axis=0)
    return np.asarray(enough)


def _start(block: Block) -> _State:
    weights = np.where(block.plates, block.counts + 0.1, 0.0)  # R's starting means
    predictor = np.log(block.counts + 0.1)
    working = np.where(block.plates, weights * (predictor - block.offset) + block.counts - weights, 0.0)
    zero = np.zeros(block.curves)
    intercepts = np.zeros(block.present.shape)
    deviance = _deviance(block, predictor=predictor, mean=weights)
    return _State(
        block, np.arange(block.curves), weights, working, Coefficients(intercepts, zero, zero), weights, deviance
    )


def _advance(state: _State, *, first: bool, stopping: Stopping) -> Flags:
    """Makes one step in place and returns which curves are at their end."""
    block, before = state.block, state.coefficients
    if not first:
        state.weights = state.mean
        state.working = block.counts - state.mean
    step = _solve(block, state.weights, working=state.working)
    after = Coefficients(*(old + new for old, new in zip(before, step, strict=True)))
    mean, deviance = _evaluate(block, after)
    if not first:
        after, mean, deviance = _halved(state, after, mean=mean, deviance=deviance)
    change = np.abs(deviance - state.deviance)
    state.coefficients, state.mean, state.deviance = after, mean, deviance
    if stopping == "r":
        return np.asarray(change < _DEVIANCE_CHANGE * (np.abs(deviance) + 0.1))
    dose = block.dose_gy.max(axis=(0, 1))
    moved = np.abs(step.intercepts).max(axis=0) + np.abs(step.alpha) * dose + np.abs(step.beta) * dose**2
    return np.asarray(moved < _PREDICTOR_CHANGE)


def _halved(
    state: _State, after: Coefficients, *, mean: Floats, deviance: Floats
) -> tuple[Coefficients, Floats, Floats]:
    """Halves the steps of those curves whose deviance they raise, until they do not."""
    noise = _ROUNDING * _sum(state.block.counts)
    limit = state.deviance + _DEVIANCE_CHANGE * (np.abs(state.deviance) + 0.1) + noise
    for _ in range(_MAX_HALVINGS):
        worse = ~(deviance <= limit)
        if not worse.any():
            break
        after = Coefficients(
            *(np.where(worse, 0.5 * (new + old), new) for new, old in zip(after, state.coefficients, strict=True))
        )
        mean, deviance = _evaluate(state.block, after)
    return after, mean, deviance


def _normal(block: Block, weights: Floats) -> Normal:
    dose = block.dose_gy
    squared = dose**2
    if block.pooled_log_efficiency is not None:
        total, zero = np.ones(block.present.shape), np.zeros(block.present.shape)
        means, first, second = (
            (zero, zero),
            np.broadcast_to(-dose, weights.shape),
            np.broadcast_to(-squared, weights.shape),
        )
    else:
        total = weights.sum(axis=0)
        total[total == 0] = 1.0
        means = -(weights * dose).sum(axis=0) / total, -(weights * squared).sum(axis=0) / total
        first, second = -dose - means[0], -squared - means[1]
    weighted = weights * first
    return Normal(
        total,
        means,
        (first, second),
        _sum(weighted * first),
        _sum(weighted * second),
        _sum(weights * second * second),
    )


def _solve(block: Block, weights: Floats, *, working: Floats) -> Coefficients:
    """Returns the step of the coefficients; ``working`` is weights times working residuals."""
    n = _normal(block, weights)
    right1, right2 = _sum(n.columns[0] * working), _sum(n.columns[1] * working)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = n.s12 / n.s11
        beta = (right2 - slope * right1) / (n.s22 - slope * n.s12)
        alpha = (right1 - n.s12 * beta) / n.s11
    if block.pooled_log_efficiency is not None:
        return Coefficients(np.zeros(block.present.shape), alpha, beta)
    intercepts = working.sum(axis=0) / n.total - n.means[0] * alpha - n.means[1] * beta
    return Coefficients(np.where(block.present, intercepts, 0.0), alpha, beta)


def _evaluate(block: Block, coefficients: Coefficients) -> tuple[Floats, Floats]:
    """Returns the means and the deviances; a curve that went astray has the deviance infinity."""
    dose = block.dose_gy
    predictor = dose * (-coefficients.alpha - coefficients.beta * dose)
    predictor += coefficients.intercepts
    predictor += block.offset
    np.maximum(predictor, block.lowest, out=predictor)
    np.minimum(predictor, _LARGEST_PREDICTOR, out=predictor)
    mean = np.exp(predictor)
    deviance = _deviance(block, predictor=predictor, mean=mean)
    return mean, np.where(np.isnan(deviance), np.inf, deviance)


def _deviance(block: Block, *, predictor: Floats, mean: Floats) -> Floats:
    excess = block.log_counts - predictor
    excess *= block.counts
    excess -= block.counts
    excess += mean
    return np.asarray(2.0 * _sum(excess))


def _sum(values: Floats) -> Floats:
    """Sums over the plates of each curve."""
    return np.asarray(values.reshape(-1, values.shape[2]).sum(axis=0))


def _empty(block: Block) -> BlockFit:
    fit = BlockFit(*(np.full(block.curves, np.nan) for _ in BlockFit._fields))
    intercepts, variances = (np.full(block.present.shape, np.nan) for _ in range(2))
    return fit._replace(intercepts=intercepts, intercept_variance=variances, converged=np.zeros(block.curves))


def _finish(result: BlockFit, state: _State, *, stopping: Stopping) -> None:
    """Writes the curves of a state, which are at their end, into the result."""
    counts, mean = state.block.counts, state.mean
    weights = state.weights if stopping == "r" else mean
    n = _normal(state.block, weights)
    with np.errstate(divide="ignore", invalid="ignore"):  # a curve whose weights have left one dose has no errors
        slope = n.s12 / n.s11
        beta = 1.0 / _sum(weights * (n.columns[1] - slope * n.columns[0]) ** 2)
        alpha = 1.0 / n.s11 + slope**2 * beta
    covariance = -slope * beta
    m1, m2 = n.means
    inside = np.where(mean > 0, mean, 1.0)
    found = BlockFit(
        *state.coefficients,
        alpha_variance=alpha,
        beta_variance=beta,
        covariance=covariance,
        intercept_variance=1.0 / n.total + m1**2 * alpha + 2.0 * m1 * m2 * covariance + m2**2 * beta,
        chi2=_sum(weights * ((counts - mean) / inside) ** 2),
        deviance=2.0 * _sum(special.xlogy(counts, counts / inside) - (counts - mean)),
        converged=np.asarray(np.isfinite(alpha) & np.isfinite(beta), dtype=np.float64),
    )
    for whole, part in zip(result, found, strict=True):
        whole[..., state.curve] = part
