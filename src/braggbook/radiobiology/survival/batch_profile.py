"""Profile quasi-likelihood intervals of alpha and beta for many curves at once.

The interval of a coefficient ends where the best curve that has it is worse than the best of all by the dispersion
times the cut-off. Each end is a root of two equations: the other coefficient is at its best, and the deviance is at
its limit. Newton's method on both, all curves together, needs some six steps from the Wald interval (D. J. Venzon
and S. H. Moolgavkar, Appl Stat 37 (1988) 87-94). Curves on which it does not settle, and those whose data
do not limit the coefficient, are handed one by one to the search that
:func:`~braggbook.radiobiology.survival.fit_survival` uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from braggbook.radiobiology.intervals import profile_end
from braggbook.radiobiology.survival.batch import SurvivalBatch, quantiles
from braggbook.radiobiology.survival.batch_layout import Block
from braggbook.radiobiology.survival.poisson_slope import best_slope

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MAX_STEPS = 30
# A step of this size in the linear predictor leaves an error of its square.
_PREDICTOR_CHANGE = 1e-7
# Longest step in the linear predictor: beyond it the quadratic picture of the deviance is a poor guide.
_LONGEST = 1.0
# exp() of this is the largest mean that still squares without overflow.
_LARGEST_PREDICTOR = 300.0


@dataclass(frozen=True, eq=False)
class BatchProfileIntervals:
    """Profile intervals of many curves; shape (curves, 2), lower and upper end. NaN for curves not fitted.

    Attributes:
        alpha_per_gy: Intervals of alpha in 1/Gy; infinite where the data do not limit it.
        beta_per_gy2: Intervals of beta in 1/Gy^2.
        searched: How many ends Newton's method left to the slower search.
    """

    alpha_per_gy: Floats
    beta_per_gy2: Floats
    searched: int


def profile_intervals_batch(batch: SurvivalBatch) -> BatchProfileIntervals:
    """Returns the profile intervals of alpha and beta of every fitted curve, at the batch's level and reference."""
    ends = np.full((2, len(batch), 2), np.nan)
    searched = 0
    root = quantiles(batch.df, level=batch.level, reference=batch.reference)
    for part, block in batch.plates.blocks():
        chosen = np.flatnonzero(batch.fitted[part])
        if len(chosen) == 0:
            continue
        curves = chosen + part.start
        some = block.take(chosen)
        for which in range(2):
            for side in range(2):
                task = _Task(some, batch, curves=curves, root=root[curves], which=which, side=2 * side - 1)
                ends[which, curves, side], count = task.solve()
                searched += count
    return BatchProfileIntervals(ends[0], ends[1], searched)


class _Task:
    """One end of one coefficient's interval, for the curves of a block."""

    def __init__(
        self, block: Block, batch: SurvivalBatch, *, curves: NDArray[np.intp], root: Floats, which: int, side: int
    ) -> None:
        values = batch.alpha_per_gy[curves], batch.beta_per_gy2[curves]
        errors = batch.alpha_se_per_gy[curves], batch.beta_se_per_gy2[curves]
        columns = -block.dose_gy, -(block.dose_gy**2)
        self.block, self.which, self.side = block, which, side
        self.held, self.free = columns[which], columns[1 - which]
        self.centre, self.other = values[which], values[1 - which]
        self.width = root * errors[which]
        with np.errstate(invalid="ignore", divide="ignore"):  # a perfect fit has no errors: its interval is a point
            self.slope = np.where(self.width > 0, batch.alpha_beta_covariance[curves] / errors[which] ** 2, 0.0)
        self.rise = batch.dispersion[curves] * root**2
        self.limit = batch.deviance[curves] + self.rise
        self.total = block.counts.sum(axis=0)

    def solve(self) -> tuple[Floats, int]:
        """Returns the ends, and how many of them were searched one by one."""
        ends = self.centre + self.side * self.width
        free = self.other + self.slope * self.side * self.width
        settled = self.width == 0
        reach = np.abs(self.held).max(axis=(0, 1)), np.abs(self.free).max(axis=(0, 1))
        for _ in range(_MAX_STEPS):
            step, other, excess = self._step(ends, free)
            length = np.abs(step) * reach[0] + np.abs(other) * reach[1]
            shrink = np.where(settled, 0.0, np.minimum(1.0, _LONGEST / np.maximum(length, _LONGEST)))
            ends, free = ends + shrink * step, free + shrink * other
            on_limit = np.abs(excess) < _PREDICTOR_CHANGE * np.maximum(self.rise, 1.0)
            settled = settled | ((length < _PREDICTOR_CHANGE) & on_limit)
            if settled.all():
                break
        settled &= self.side * (ends - self.centre) >= 0
        for curve in np.flatnonzero(~settled):
            ends[curve] = self._search(int(curve))
        return ends, int(np.sum(~settled))

    def _step(self, held: Floats, free: Floats) -> tuple[Floats, Floats, Floats]:
        """Returns Newton's steps of both coefficients, and the deviance above its limit; 0 where there are none."""
        counts = self.block.counts
        predictor = self.block.offset + held * self.held + free * self.free
        if self.block.pooled_log_efficiency is None:
            predictor -= predictor.max(axis=0)
            weights = np.exp(predictor)
            with np.errstate(divide="ignore", invalid="ignore"):
                intercepts = np.where(self.total > 0, np.log(self.total / weights.sum(axis=0)), 0.0)
            predictor += intercepts
        predictor = np.minimum(predictor, _LARGEST_PREDICTOR)
        mean = np.exp(predictor)
        if self.block.pooled_log_efficiency is None:
            mean *= self.total > 0
        difference = counts - mean
        excess = 2.0 * _sum(counts * (self.block.log_counts - predictor) - difference) - self.limit
        score_held, score_free = _sum(difference * self.held), _sum(difference * self.free)
        weighted = mean * self.free
        own, cross = _sum(weighted * self.free), _sum(weighted * self.held)
        if self.block.pooled_log_efficiency is None:
            means = weighted.sum(axis=0) / np.where(self.total > 0, self.total, 1.0)
            own -= (means * weighted.sum(axis=0)).sum(axis=0)
            cross -= (means * (mean * self.held).sum(axis=0)).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            profile_excess = excess - score_free**2 / own
            slope = -2.0 * (score_held - score_free * cross / own)
            step = -profile_excess / slope
            other = (score_free - cross * step) / own
        good = np.isfinite(step) & np.isfinite(other)
        return np.where(good, step, 0.0), np.where(good, other, 0.0), np.where(good, excess, np.inf)

    def _search(self, curve: int) -> float:
        """Finds one end as fit_survival does."""
        plates = self.block.plates[:, :, curve]
        counts, offset = self.block.counts[:, :, curve][plates], self.block.offset[:, :, curve][plates]
        held, free = (column[:, :, curve % column.shape[2]][plates] for column in (self.held, self.free))
        replicate = np.broadcast_to(np.arange(plates.shape[1]), plates.shape)[plates]
        own = np.unique(replicate) if self.block.pooled_log_efficiency is None else np.zeros(0)
        groups = (replicate[:, None] == own).astype(np.float64)
        limit = float(self.limit[curve])

        def excess(value: float) -> float:
            return best_slope(free, counts, groups=groups, offset=offset + value * held)[1] - limit

        return profile_end(excess, start=float(self.centre[curve]), step=self.side * float(self.width[curve]))


def _sum(values: Floats) -> Floats:
    return np.asarray(values.reshape(-1, values.shape[2]).sum(axis=0))
