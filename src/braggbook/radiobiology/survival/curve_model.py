"""The statistical model of one survival curve: what is random, what is fitted, what is held fixed.

    ln E[colonies] = ln cells + c_replicate - alpha D - beta D^2

``plating="fitted"`` makes each replicate's log plating efficiency c a parameter. ``plating="pooled"`` (the
``PEmethod="fix"`` of CFAssay) holds it at the pooled zero-dose count of that replicate, sum of colonies over
sum of cells, and leaves the zero-dose plates, now spent, out of the likelihood; the counting error of those
plates is then not in the standard errors, only in the dispersion that it causes.

``method="ml"`` is quasi-Poisson maximum likelihood. ``method="ls"`` is unweighted least squares on
ln(colonies / cells), kept to compare with older work; it cannot take a plate without colonies.

Source: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import FitError, Issue, unknown_name
from braggbook.radiobiology.survival.colony_counts import ColonyCounts
from braggbook.radiobiology.survival.count_regression import (
    Regression,
    has_finite_maximum,
    least_squares_regression,
    poisson_regression,
)

Floats = NDArray[np.float64]
Plating = Literal["fitted", "pooled"]
Method = Literal["ml", "ls"]

_PLATINGS = ("fitted", "pooled")
_METHODS = ("ml", "ls")


@dataclass(frozen=True, eq=False)
class CurveModel:
    """The plates of one curve as a regression problem; all arrays have one row per plate in the likelihood.

    Attributes:
        dose_gy: Dose in Gy, shape (n,).
        response: Colonies ("ml") or ln colonies ("ls"), shape (n,).
        intercepts: Indicator of each replicate, shape (n, replicates); shape (n, 0) when plating is pooled.
        offset: ln cells, plus the log plating efficiency when plating is pooled, shape (n,).
        used: Which plates of the table are in the likelihood, shape (plates,).
        plating: How plating efficiency is treated.
        method: How the curve is fitted.
    """

    dose_gy: Floats
    response: Floats
    intercepts: Floats
    offset: Floats
    used: NDArray[np.bool_]
    plating: Plating
    method: Method

    def regress(self, *covariates: Floats, offset: Floats | float = 0.0) -> Regression:
        """Fits the intercepts (first) and a coefficient per covariate (each of shape (n,))."""
        design = np.column_stack([self.intercepts, *covariates])
        fit = poisson_regression if self.method == "ml" else least_squares_regression
        return fit(design, self.response, offset=self.offset + offset)

    def fit(self) -> Regression:
        """Fits the curve: coefficients are the intercepts, then alpha and beta."""
        return self.regress(-self.dose_gy, -(self.dose_gy**2))


def curve_model(counts: ColonyCounts, *, plating: Plating, method: Method = "ml") -> CurveModel:
    """Returns the regression problem of one curve.

    Raises:
        UnknownName: ``plating`` or ``method`` is not known.
        FitError: The plates cannot determine the parameters; ``issues`` names all reasons.
    """
    check_choice(plating, method)
    issues = _design_issues(counts, plating, method=method)
    if issues:
        raise FitError("these plates do not determine a linear-quadratic curve", issues=issues)
    used = counts.dose_gy > 0 if plating == "pooled" else np.ones(len(counts.row), dtype=np.bool_)
    offset = np.log(counts.cells_seeded)
    if plating == "pooled":
        offset = offset + np.log(pooled_plating_efficiency(counts))[counts.replicate]
        intercepts = np.zeros((len(counts.row), 0))
    else:
        intercepts = (counts.replicate[:, None] == np.arange(len(counts.replicates))).astype(np.float64)
    response = counts.colonies if method == "ml" else np.log(np.where(used, counts.colonies, 1.0))
    model = CurveModel(
        dose_gy=counts.dose_gy[used],
        response=response[used],
        intercepts=intercepts[used],
        offset=offset[used],
        used=used,
        plating=plating,
        method=method,
    )
    _require_estimable(model)
    return model


def join(a: CurveModel, b: CurveModel) -> CurveModel:
    """Returns the plates of two curves as one problem; each replicate of each curve keeps its intercept."""
    rows, columns = a.intercepts.shape
    intercepts = np.zeros((rows + len(b.dose_gy), columns + b.intercepts.shape[1]))
    intercepts[:rows, :columns] = a.intercepts
    intercepts[rows:, columns:] = b.intercepts
    return CurveModel(
        dose_gy=np.concatenate([a.dose_gy, b.dose_gy]),
        response=np.concatenate([a.response, b.response]),
        intercepts=intercepts,
        offset=np.concatenate([a.offset, b.offset]),
        used=np.concatenate([a.used, b.used]),
        plating=a.plating,
        method=a.method,
    )


def pooled_plating_efficiency(counts: ColonyCounts) -> Floats:
    """Returns colonies / cells of each replicate's zero-dose plates, shape (replicates,); NaN without any."""
    zero = counts.dose_gy == 0
    size = len(counts.replicates)
    colonies = np.bincount(counts.replicate[zero], weights=counts.colonies[zero], minlength=size)
    cells = np.bincount(counts.replicate[zero], weights=counts.cells_seeded[zero], minlength=size)
    with np.errstate(invalid="ignore"):
        return np.asarray(colonies / cells)


def check_choice(plating: str, method: str) -> None:
    """Raises UnknownName when ``plating`` or ``method`` is not one of those that exist."""
    if plating not in _PLATINGS:
        raise unknown_name("treatment of plating efficiency", plating, _PLATINGS)
    if method not in _METHODS:
        raise unknown_name("fit method", method, _METHODS)


def _design_issues(counts: ColonyCounts, plating: Plating, *, method: Method) -> list[Issue]:
    issues = _dose_issues(counts, plating)
    size = len(counts.replicates)
    used = counts.dose_gy > 0 if plating == "pooled" else counts.dose_gy >= 0
    parameters = 2 + (size if plating == "fitted" else 0)
    if used.sum() <= parameters:
        issues.append(
            Issue(
                "too few plates",
                wanted=f"more than {parameters}, the parameters",
                got=f"{used.sum()} in the likelihood",
            )
        )
    if plating == "pooled":
        issues += [
            Issue("no plating efficiency", where=f"replicate {label}", wanted="zero-dose plates with colonies")
            for label, efficiency in zip(counts.replicates, pooled_plating_efficiency(counts), strict=True)
            if not efficiency > 0
        ]
    else:
        total = np.bincount(counts.replicate, weights=counts.colonies, minlength=size)
        issues += [
            Issue("no colony on any plate", where=f"replicate {counts.replicates[index]}")
            for index in np.flatnonzero(total == 0)
        ]
    if method == "ls":
        issues += [
            Issue(
                "least squares on ln S cannot take a plate without colonies",
                where=f"row {row}",
                wanted='colonies, or method="ml"',
            )
            for row in counts.row[used & (counts.colonies == 0)]
        ]
    return issues


def _dose_issues(counts: ColonyCounts, plating: Plating) -> list[Issue]:
    doses = np.unique(counts.dose_gy)
    if len(doses) == 1:
        return [Issue("one dose only", wanted="at least 3 doses", got=f"{doses[0]:g} Gy")]
    wanted = "at least 3 different doses" if plating == "fitted" else "at least 2 doses above 0 Gy"
    enough = len(doses) >= 3 if plating == "fitted" else np.sum(doses > 0) >= 2
    if enough:
        return []
    return [
        Issue(
            "too few doses for alpha and beta",
            wanted=wanted,
            got=", ".join(f"{dose:g}" for dose in doses) + " Gy",
        )
    ]


def _require_estimable(model: CurveModel) -> None:
    design = np.column_stack([model.intercepts, model.dose_gy, model.dose_gy**2])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise FitError(
            "these plates do not tell alpha, beta and the plating efficiencies apart",
            wanted="replicates that share doses and have several of them each",
        )
    if model.method == "ml" and not has_finite_maximum(design, model.response):
        raise FitError(
            "the fit has no answer: too many plates are empty, so that a steeper curve always fits better",
            wanted="colonies at more doses",
        )
