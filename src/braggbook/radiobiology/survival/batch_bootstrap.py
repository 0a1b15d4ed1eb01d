"""Bootstrap draws of a survival curve as a batch: every draw with its errors, dispersion, efficiencies and status.

``kind="parametric"`` draws new counts from the fitted curve: with a dispersion above 1 from a negative binomial
distribution with variance dispersion * mean, else from a Poisson distribution. Pooled zero-dose plates keep their
counts, because their error is already in the dispersion. ``kind="replicates"`` draws whole experiments with
replacement; for limits from those use :mod:`braggbook.radiobiology.survival.bootstrap`, which takes every different
draw there is, with its probability.

Sources: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13;
A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, sections 3.8 (clusters) and 7.2
(parametric draws of an overdispersed generalised linear model).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import FitError, ScienceError, unknown_name
from braggbook.radiobiology.intervals import Interval, check_level
from braggbook.radiobiology.survival.batch import FITTED, STATUSES, SurvivalBatch, fit_plates
from braggbook.radiobiology.survival.batch_layout import read_batch
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts
from braggbook.radiobiology.survival.curve_model import Plating, check_choice

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BootstrapKind = Literal["parametric", "replicates"]

_KINDS = ("parametric", "replicates")
# Fewer draws do not hold a 95% limit: its tail is then less than one draw.
_FEWEST_DRAWS = 40


@dataclass(frozen=True, eq=False)
class BatchBootstrap:
    """Bootstrap draws of a survival curve.

    Attributes:
        draws: The draws, one curve each.
        estimate: The curve itself, a batch of one.
        kind: "parametric" or "replicates".
        seed: Seed of the random numbers.
        distinct_draws: How many different draws the replicates allow, C(2 R - 1, R) for R of them; None for a
            parametric bootstrap.
        level: Confidence level of the intervals.
    """

    draws: SurvivalBatch
    estimate: SurvivalBatch
    kind: BootstrapKind
    seed: int
    distinct_draws: int | None
    level: float

    @property
    def failures(self) -> int:
        """How many draws could not be fitted; ``draws.status`` says why."""
        return int(np.sum(~self.draws.fitted))

    def interval(self, quantity: Callable[[SurvivalBatch], Floats]) -> Interval:
        """Returns the percentile interval of anything that follows from a fit.

        Args:
            quantity: Gives a number per curve of a batch, for example ``lambda b: b.alpha_per_gy / b.beta_per_gy2``.
                Draws for which it is not finite are left out, and the interval's note says how many.

        Raises:
            ScienceError: Too few draws have the quantity.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.asarray(quantity(self.draws), dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values) < _FEWEST_DRAWS:
            raise ScienceError("too few draws", wanted=f"{_FEWEST_DRAWS} with this number", got=str(len(values)))
        tail = 0.5 * (1.0 - self.level)
        lower, upper = np.quantile(values, [tail, 1.0 - tail])
        label = {"parametric": "parametric bootstrap", "replicates": "bootstrap of replicates"}[self.kind]
        label += f", percentile, {len(self.draws)} draws, seed {self.seed}"
        return Interval(float(lower), float(upper), self.level, label, note=self._note(len(values)))

    def _note(self, usable: int) -> str:
        said = []
        if usable < len(self.draws):
            said.append(f"{len(self.draws) - usable} of {len(self.draws)} draws have no such number and are left out")
        if self.distinct_draws is not None and self.distinct_draws < len(self.draws):
            said.append(f"the replicates allow only {self.distinct_draws} different draws")
        return "; ".join(said)


def bootstrap_batch(
    counts: pd.DataFrame | ColonyCounts,
    *,
    seed: int,
    draws: int = 2000,
    kind: BootstrapKind = "parametric",
    plating: Plating = "fitted",
    level: float = 0.95,
) -> BatchBootstrap:
    """Makes bootstrap draws of a survival curve and fits them all at once.

    Args:
        counts: Plates as for :func:`~braggbook.radiobiology.survival.fit_survival`.
        seed: Seed of the random numbers; the same seed gives the same draws.
        draws: How many.
        kind: "parametric" or "replicates", see above.
        plating: How plating efficiency is treated.
        level: Confidence level of the intervals.

    Raises:
        ScienceError: The table is not usable, ``draws`` or ``seed`` is not a usable number, or there is one
            replicate only to draw from.
        FitError: The curve itself cannot be fitted.
        UnknownName: ``kind`` or ``plating`` is not known.
    """
    check_choice(plating, "ml")
    if kind not in _KINDS:
        raise unknown_name("bootstrap", str(kind), _KINDS)
    for name, value, least in (("draws", draws, _FEWEST_DRAWS), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ScienceError(f"{name} is not usable", wanted=f"a whole number, {least} or more", got=repr(value))
    check_level(level)
    plates = counts if isinstance(counts, ColonyCounts) else read_colony_counts(counts)
    rows = np.arange(len(plates.row))[None, :]
    estimate = _fitted(plates, rows, replicate=plates.replicate[None, :], plating=plating, level=level)
    if estimate.status[0] != FITTED:
        raise FitError("the curve itself cannot be fitted", got=STATUSES[str(estimate.status[0])])
    random = np.random.default_rng(int(seed))
    if kind == "parametric":
        found = _parametric(plates, estimate, random=random, draws=int(draws))
        return BatchBootstrap(found, estimate, kind, int(seed), None, level)
    size = len(plates.replicates)
    if size < 2:
        raise ScienceError("one replicate only: nothing to draw from", wanted='two or more, or kind="parametric"')
    drawn, replicate = _rows(plates, random.integers(size, size=(int(draws), size)))
    found = _fitted(plates, drawn, replicate=replicate, plating=plating, level=level)
    return BatchBootstrap(found, estimate, kind, int(seed), math.comb(2 * size - 1, size), level)


def _rows(plates: ColonyCounts, drawn: Integers) -> tuple[Integers, Integers]:
    """Returns the rows of drawn replicates, -1 where there is none, and the number of the draw each belongs to."""
    own = [np.flatnonzero(plates.replicate == index) for index in range(len(plates.replicates))]
    depth = max(map(len, own))
    table = np.full((len(own), depth), -1)
    for index, rows in enumerate(own):
        table[index, : len(rows)] = rows
    replicate = np.repeat(np.arange(drawn.shape[1]), depth)
    return table[drawn].reshape(len(drawn), -1), np.broadcast_to(replicate, (len(drawn), len(replicate)))


def _fitted(
    plates: ColonyCounts, rows: Integers, *, replicate: Integers, plating: Plating, level: float
) -> SurvivalBatch:
    batch = read_batch(
        np.where(rows >= 0, plates.colonies[rows], np.nan),
        dose_gy=plates.dose_gy[rows],
        cells_seeded=plates.cells_seeded[rows],
        replicate=replicate,
        plating=plating,
    )
    return fit_plates(batch, level=level, reference="f", stopping="converged")


def _parametric(
    plates: ColonyCounts, estimate: SurvivalBatch, *, random: np.random.Generator, draws: int
) -> SurvivalBatch:
    log_mean = np.log(plates.cells_seeded) + estimate.log_plating_efficiency[0][plates.replicate]
    log_mean -= estimate.alpha_per_gy[0] * plates.dose_gy + estimate.beta_per_gy2[0] * plates.dose_gy**2
    mean, dispersion = np.exp(log_mean), float(estimate.dispersion[0])
    shape = (draws, len(mean))
    if dispersion > 1:
        mean = random.gamma(mean / (dispersion - 1.0), dispersion - 1.0, size=shape)
    colonies = random.poisson(mean, size=shape).astype(np.float64)
    if estimate.plating == "pooled":
        colonies = np.where(plates.dose_gy == 0, plates.colonies, colonies)
    batch = read_batch(
        colonies,
        dose_gy=plates.dose_gy,
        cells_seeded=plates.cells_seeded,
        replicate=plates.replicate,
        plating=estimate.plating,
        simulated=True,
    )
    return fit_plates(batch, level=estimate.level, reference="f", stopping="converged")
