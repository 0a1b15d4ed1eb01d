"""Fits many survival curves at once: simulations, bootstrap replicates, screens of many lines.

>>> batch = fit_survival_batch(colonies, dose_gy=dose, cells_seeded=cells, replicate=replicate)  # doctest: +SKIP
>>> batch.alpha_per_gy, batch.alpha_interval_per_gy, batch.status                                # doctest: +SKIP

The model is that of :func:`~braggbook.radiobiology.survival.fit_survival`, curve by curve. With
``stopping="converged"`` (the default) every number is that of the converged fit. With ``stopping="r"`` the iteration
stops by the rule of R's ``glm``, as ``fit_survival`` does: coefficients then agree in some nine digits, dispersion
and standard errors in some five, with the converged ones.

Faulty plates are an error, as everywhere. A curve that its plates do not determine is not: it is told by its
``status``, and only then are its numbers NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import Reference, check_level, cutoff
from braggbook.radiobiology.survival.batch_layout import BatchPlates, Block, read_batch
from braggbook.radiobiology.survival.batch_regression import BlockFit, Stopping, fit_block, is_plainly_estimable
from braggbook.radiobiology.survival.colony_counts import SUSPICIOUS_DOSE_GY
from braggbook.radiobiology.survival.count_regression import has_finite_maximum
from braggbook.radiobiology.survival.curve_model import Plating, check_choice
from braggbook.radiobiology.survival.judgement import DISPERSION_LIMITS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FITTED = "fitted"
STATUSES = {
    FITTED: "the curve was fitted",
    "no colonies": "no plate has a colony",
    "no plating efficiency": "plating is pooled, and a replicate has no zero-dose plates with colonies",
    "too few plates": "there are no more plates than parameters",
    "empty replicate": "plating is fitted, and a replicate has no colony on any plate",
    "too few doses": "fewer than 3 doses, or than 2 above 0 Gy when plating is pooled",
    "not estimable": "the plates do not tell alpha, beta and the plating efficiencies apart",
    "no finite maximum": "too many plates are empty, so that a steeper curve always fits better",
    "not converged": "the iteration did not settle",
}
_STOPPINGS = ("converged", "r")


@dataclass(frozen=True, eq=False)
class SurvivalBatch:
    """Fitted curves; arrays have one row per curve. Numbers of curves that were not fitted are NaN.

    Attributes:
        status: What became of each curve, a key of :data:`STATUSES`, shape (curves,).
        alpha_per_gy: alpha in 1/Gy, shape (curves,). Negative coefficients are reported as estimated.
        beta_per_gy2: beta in 1/Gy^2, shape (curves,).
        alpha_se_per_gy: Standard error of alpha, scaled by sqrt(dispersion), shape (curves,).
        beta_se_per_gy2: Standard error of beta, shape (curves,).
        alpha_beta_covariance: Covariance of both in 1/Gy^3, shape (curves,).
        alpha_interval_per_gy: Wald interval of alpha, lower and upper end, shape (curves, 2).
        beta_interval_per_gy2: Wald interval of beta, shape (curves, 2).
        log_plating_efficiency: Shape (curves, replicates); NaN where ``replicates`` has no label.
        log_plating_efficiency_se: Standard errors, likewise; NaN when plating is pooled, where none is estimated.
        replicates: Label of each curve's replicates in the order of its plates, shape (curves, replicates); None
            where a curve has fewer.
        dispersion: Pearson chi-squared / df, shape (curves,).
        dispersion_limit: Dispersion above which a curve is suspicious (CFAssay's rule).
        df: Residual degrees of freedom, shape (curves,); below 1 where there are too few plates.
        deviance: Poisson deviance, shape (curves,).
        level: Confidence level of the intervals.
        reference: "f": the Wald intervals take the quantile of t(df); "chi2": that of the normal distribution.
        plating: How plating efficiency was treated.
        stopping: Where the iteration stopped.
        warnings: What a reader must know, one sentence each.
        plates: The checked plates.
    """

    status: NDArray[Any]
    alpha_per_gy: Floats
    beta_per_gy2: Floats
    alpha_se_per_gy: Floats
    beta_se_per_gy2: Floats
    alpha_beta_covariance: Floats
    alpha_interval_per_gy: Floats
    beta_interval_per_gy2: Floats
    log_plating_efficiency: Floats
    log_plating_efficiency_se: Floats
    replicates: NDArray[Any]
    dispersion: Floats
    dispersion_limit: float
    df: NDArray[np.int64]
    deviance: Floats
    level: float
    reference: Reference
    plating: Plating
    stopping: Stopping
    warnings: tuple[str, ...]
    plates: BatchPlates

    def __len__(self) -> int:
        """Number of curves, fitted or not."""
        return len(self.status)

    @property
    def fitted(self) -> Flags:
        """Which curves were fitted, shape (curves,)."""
        return np.asarray(self.status == FITTED)

    def parameters(self, curve: int) -> lq.LqParameters:
        """Returns alpha and beta of one curve (the first is 0) with their errors.

        Raises:
            ScienceError: There is no such curve, or it was not fitted.
        """
        if not -len(self) <= curve < len(self):
            raise ScienceError("no such curve", wanted=f"0 to {len(self) - 1}", got=str(curve))
        status = str(self.status[curve])
        if status != FITTED:
            raise ScienceError("this curve was not fitted", where=f"curve {curve}", got=STATUSES[status])
        return lq.LqParameters(
            alpha_per_gy=float(self.alpha_per_gy[curve]),
            beta_per_gy2=float(self.beta_per_gy2[curve]),
            alpha_se_per_gy=float(self.alpha_se_per_gy[curve]),
            beta_se_per_gy2=float(self.beta_se_per_gy2[curve]),
            alpha_beta_covariance=float(self.alpha_beta_covariance[curve]),
        )

    def to_dataset(self) -> xr.Dataset:
        """Returns everything as a dataset with the dimensions curve, replicate and end; units are attributes."""
        units = {
            "alpha_per_gy": "1/Gy",
            "beta_per_gy2": "1/Gy^2",
            "alpha_se_per_gy": "1/Gy",
            "beta_se_per_gy2": "1/Gy^2",
            "alpha_beta_covariance": "1/Gy^3",
            "dispersion": "1",
            "df": "1",
            "deviance": "1",
        }
        found = xr.Dataset({name: ("curve", getattr(self, name), {"units": unit}) for name, unit in units.items()})
        found["status"] = ("curve", self.status)
        for name, unit in (("alpha_interval_per_gy", "1/Gy"), ("beta_interval_per_gy2", "1/Gy^2")):
            found[name] = (("curve", "end"), getattr(self, name), {"units": unit})
        for name in ("log_plating_efficiency", "log_plating_efficiency_se"):
            found[name] = (("curve", "replicate"), getattr(self, name), {"units": "1"})
        found["replicate_label"] = (("curve", "replicate"), self.replicates)
        found = found.assign_coords(end=["lower", "upper"])
        found.attrs = {"plating": self.plating, "level": self.level, "reference": self.reference}
        found.attrs["stopping"] = self.stopping
        return found


def fit_survival_batch(
    colonies: ArrayLike,
    *,
    dose_gy: ArrayLike,
    cells_seeded: ArrayLike,
    replicate: ArrayLike,
    plating: Plating = "fitted",
    level: float = 0.95,
    reference: Reference = "f",
    stopping: Stopping = "converged",
) -> SurvivalBatch:
    """Fits ln S = -(alpha D + beta D^2) to the plates of each of many survival curves.

    Curves of different lengths are filled up with plates whose ``colonies`` are NaN, which also stands for a plate
    without a count; whatever the other arrays hold there does not matter.

    Args:
        colonies: Colonies counted, shape (curves, plates).
        dose_gy: Dose in Gy, shape (curves, plates), or (plates,) when all curves share it.
        cells_seeded: Cells seeded, likewise.
        replicate: Label of the plate's replicate within its curve, likewise; numbers or texts.
        plating: "fitted" or "pooled", see :mod:`braggbook.radiobiology.survival.curve_model`.
        level: Confidence level of the intervals.
        reference: "f" or "chi2", see :mod:`braggbook.radiobiology.intervals`.
        stopping: "converged" or "r", see above.

    Raises:
        ScienceError: An array is not usable; all faulty plates are named (the first curve and plate are 1).
        UnknownName: ``plating``, ``reference`` or ``stopping`` is not known.
    """
    check_choice(plating, "ml")
    plates = read_batch(colonies, dose_gy=dose_gy, cells_seeded=cells_seeded, replicate=replicate, plating=plating)
    return fit_plates(plates, level=level, reference=reference, stopping=stopping)


def fit_plates(plates: BatchPlates, *, level: float, reference: Reference, stopping: Stopping) -> SurvivalBatch:
    """Fits the curves of checked plates; arguments and errors as above."""
    if stopping not in _STOPPINGS:
        raise unknown_name("stopping rule", str(stopping), _STOPPINGS)
    cutoff(check_level(level), df=1, reference=reference)
    parts = [_fit(block, stopping=stopping) for _, block in plates.blocks()]
    found = BlockFit(*(np.concatenate(values, axis=-1) for values in zip(*(part[0] for part in parts), strict=True)))
    status = np.concatenate([part[1] for part in parts])
    df = np.concatenate([part[2] for part in parts])
    with np.errstate(divide="ignore", invalid="ignore"):
        dispersion = found.chi2 / df
    alpha_se, beta_se = np.sqrt(dispersion * found.alpha_variance), np.sqrt(dispersion * found.beta_variance)
    quantile = quantiles(df, level=level, reference=reference)
    return SurvivalBatch(
        status=status,
        alpha_per_gy=found.alpha,
        beta_per_gy2=found.beta,
        alpha_se_per_gy=alpha_se,
        beta_se_per_gy2=beta_se,
        alpha_beta_covariance=dispersion * found.covariance,
        alpha_interval_per_gy=_wald(found.alpha, quantile * alpha_se),
        beta_interval_per_gy2=_wald(found.beta, quantile * beta_se),
        log_plating_efficiency=found.intercepts.T,
        log_plating_efficiency_se=np.sqrt(dispersion * found.intercept_variance).T,
        replicates=plates.labels,
        dispersion=dispersion,
        dispersion_limit=DISPERSION_LIMITS[plates.plating],
        df=df,
        deviance=found.deviance,
        level=level,
        reference=reference,
        plating=plates.plating,
        stopping=stopping,
        warnings=_warnings(plates, status, found=found, dispersion=dispersion),
        plates=plates,
    )


def _wald(values: Floats, half: Floats) -> Floats:
    return np.column_stack([values - half, values + half])


def quantiles(df: NDArray[np.int64], *, level: float, reference: Reference) -> Floats:
    """Returns the root of the cut-off for each number of degrees of freedom, NaN where it is below 1."""
    values, place = np.unique(df, return_inverse=True)
    roots = [np.sqrt(cutoff(level, df=float(v), reference=reference)) if v > 0 else np.nan for v in values]
    return np.array(roots)[place]


def _fit(block: Block, *, stopping: Stopping) -> tuple[BlockFit, NDArray[np.str_], NDArray[np.int64]]:
    """Returns the fits of a block, the status of its curves and their degrees of freedom."""
    status, df = _status(block)
    found = fit_block(block, chosen=status == FITTED, stopping=stopping)
    status[(status == FITTED) & (found.converged == 0)] = "not converged"
    if block.pooled_log_efficiency is not None:
        found.intercepts[:] = np.where(status == FITTED, block.pooled_log_efficiency, np.nan)
        found.intercept_variance[:] = np.nan
    for values in found:
        values[..., status != FITTED] = np.nan
    found.intercepts[~block.present] = np.nan
    found.intercept_variance[~block.present] = np.nan
    return found, status, df


def _status(block: Block) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Says of each curve whether it can be fitted, and returns its degrees of freedom."""
    fitted = block.pooled_log_efficiency is None
    count = block.plates.sum(axis=(0, 1))
    df = count - 2 - (block.present.sum(axis=0) if fitted else 0)
    status = np.full(block.curves, FITTED, dtype=f"<U{max(map(len, STATUSES))}")
    total = block.counts.sum(axis=0)
    status[df < 1] = "too few plates"
    if block.pooled_log_efficiency is None:
        status[((total == 0) & block.present).any(axis=0)] = "empty replicate"
        status[total.sum(axis=0) == 0] = "no colonies"
    else:
        status[(np.isnan(block.pooled_log_efficiency) & block.present).any(axis=0)] = "no plating efficiency"
    for curve in np.flatnonzero((status == FITTED) & ~is_plainly_estimable(block)):
        status[curve] = _closer_look(block, int(curve))
    return status, df.astype(np.int64)


def _closer_look(block: Block, curve: int) -> str:
    """Says of one curve whether its design has full rank and its likelihood a finite maximum."""
    plates = block.plates[:, :, curve]
    shared = block.dose_gy.shape[2] == 1
    dose = block.dose_gy[:, :, 0 if shared else curve][plates]
    columns = [-dose, -(dose**2)]
    if block.pooled_log_efficiency is None:
        replicate = np.broadcast_to(np.arange(plates.shape[1]), plates.shape)[plates]
        columns = [*(1.0 * (replicate == index) for index in np.unique(replicate)), *columns]
    design = np.column_stack(columns)
    if len(np.unique(dose)) < (3 if block.pooled_log_efficiency is None else 2):
        return "too few doses"
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "not estimable"
    return FITTED if has_finite_maximum(design, block.counts[:, :, curve][plates]) else "no finite maximum"


def _warnings(plates: BatchPlates, status: NDArray[np.str_], *, found: BlockFit, dispersion: Floats) -> tuple[str, ...]:
    limit = DISPERSION_LIMITS[plates.plating]
    single = np.isfinite(found.intercepts).sum(axis=0) == 1
    dose = np.broadcast_to(plates.dose_gy, plates.used.shape).max(axis=1, where=plates.used, initial=0.0)
    said = [
        (np.sum(status != FITTED), f"could not be fitted, see status: {_counted(status)}"),
        (np.sum(dose > SUSPICIOUS_DOSE_GY), f"have a dose above {SUSPICIOUS_DOSE_GY:g} Gy: is it in cGy?"),
        (np.sum(single), "have one replicate: their intervals do not hold the variation between experiments"),
        (np.sum(found.alpha < 0), "have a negative alpha; it is reported as estimated, not clipped"),
        (np.sum(found.beta < 0), "have a negative beta; it is reported as estimated, not clipped"),
        (np.sum(dispersion > limit), f"have a dispersion above {limit:g}: their plates scatter suspiciously"),
        (np.sum(dispersion < 1), "have a dispersion below 1, with which their standard errors are scaled down"),
    ]
    return tuple(f"{count} of {len(status)} curves {text}" for count, text in said if count)


def _counted(status: NDArray[np.str_]) -> str:
    names, counts = np.unique(status[status != FITTED], return_counts=True)
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
