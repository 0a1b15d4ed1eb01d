"""The statistical model of one survival curve: what is random, what is fitted, what is held fixed.

    ln E[colonies] = ln cells + c_replicate - alpha D - beta D^2

``plating="fitted"`` makes each replicate's log plating efficiency c a parameter. ``plating="pooled"`` (the
``PEmethod="fix"`` of CFAssay) holds it at the pooled zero-dose count of that replicate, sum of colonies over
sum of cells, and leaves the zero-dose plates, now spent, out of the likelihood; the counting error of those
plates is then not in the standard errors, only in the dispersion that it causes.

``method="ml"`` is quasi-Poisson maximum likelihood. ``method="ls"`` is unweighted least squares on
ln(colonies / cells), kept to compare with older work; it cannot take a plate without colonies. ``method="franken"``
is the same with the weights C n / (n - C) of C colonies from n cells, the inverse of the binomial variance of
ln(C / n), and is for pooled plating efficiencies alone.

Source: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y; N. A. P. Franken et al.,
Nat Protoc 1 (2006) 2315-2319, doi:10.1038/nprot.2006.339 (the protocol that the weights are named after).
"""

from __future__ import annotations

from collections.abc import Sequence
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
Method = Literal["ml", "ls", "franken"]

_PLATINGS = ("fitted", "pooled")
_METHODS = ("ml", "ls", "franken")


@dataclass(frozen=True, eq=False)
class CurveModel:
    """The plates of one curve as a regression problem; all arrays have one row per plate in the likelihood.

    Attributes:
        dose_gy: Dose in Gy, shape (n,).
        response: Colonies ("ml") or ln colonies ("ls", "franken"), shape (n,).
        weights: Weight of each plate, shape (n,); 1 but for "franken".
        intercepts: Indicator of each replicate, shape (n, replicates); shape (n, 0) when plating is pooled.
        offset: ln cells, plus the log plating efficiency when plating is pooled, shape (n,).
        replicate: Index of each plate's replicate, shape (n,), also when plating is pooled.
        used: Which plates of the table are in the likelihood, shape (plates,).
        plating: How plating efficiency is treated.
        method: How the curve is fitted.
    """

    dose_gy: Floats
    response: Floats
    weights: Floats
    intercepts: Floats
    offset: Floats
    replicate: NDArray[np.int64]
    used: NDArray[np.bool_]
    plating: Plating
    method: Method

    def regress(self, *covariates: Floats, offset: Floats | float = 0.0) -> Regression:
        """Fits the intercepts (first) and a coefficient per covariate (each of shape (n,))."""
        design = np.column_stack([self.intercepts, *covariates])
        if self.method == "ml":
            return poisson_regression(design, self.response, offset=self.offset + offset)
        return least_squares_regression(design, self.response, offset=self.offset + offset, weights=self.weights)

    def fit(self) -> Regression:
        """Fits the curve: coefficients are the intercepts, then alpha and beta."""
        return self.regress(-self.dose_gy, -(self.dose_gy**2))


def curve_model(
    counts: ColonyCounts,
    *,
    plating: Plating,
    method: Method = "ml",
    curve: str = "a linear-quadratic curve",
    parameters: Sequence[str] = ("alpha", "beta"),
) -> CurveModel:
    """Returns the regression problem of one curve.

    Args:
        counts: The plates.
        plating: How plating efficiency is treated.
        method: How the curve is fitted.
        curve: What is to be fitted, for the messages.
        parameters: Names of its free parameters; each takes a dose of its own.

    Raises:
        UnknownName: ``plating`` or ``method`` is not known.
        FitError: The plates cannot determine the parameters; ``issues`` names all reasons.
    """
    check_choice(plating, method)
    issues = _design_issues(counts, plating, method=method, names=parameters)
    if issues:
        raise FitError(f"these plates do not determine {curve}", issues=issues)
    used = counts.dose_gy > 0 if plating == "pooled" else np.ones(len(counts.row), dtype=np.bool_)
    offset = np.log(counts.cells_seeded)
    if plating == "pooled":
        offset = offset + np.log(pooled_plating_efficiency(counts))[counts.replicate]
        intercepts = np.zeros((len(counts.row), 0))
    else:
        intercepts = (counts.replicate[:, None] == np.arange(len(counts.replicates))).astype(np.float64)
    response = counts.colonies if method == "ml" else np.log(np.where(used, counts.colonies, 1.0))
    weights = _franken_weights(counts, used) if method == "franken" else np.ones(len(counts.row))
    model = CurveModel(
        dose_gy=counts.dose_gy[used],
        response=response[used],
        weights=weights[used],
        intercepts=intercepts[used],
        offset=offset[used],
        replicate=counts.replicate[used],
        used=used,
        plating=plating,
        method=method,
    )
    _require_estimable(model, parameters)
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
        weights=np.concatenate([a.weights, b.weights]),
        intercepts=intercepts,
        offset=np.concatenate([a.offset, b.offset]),
        replicate=np.concatenate([a.replicate, b.replicate + a.replicate.max() + 1]),
        used=np.concatenate([a.used, b.used]),
        plating=a.plating,
        method=a.method,
    )


def _franken_weights(counts: ColonyCounts, used: NDArray[np.bool_]) -> Floats:
    failed = np.where(used, counts.cells_seeded - counts.colonies, 1.0)
    return np.asarray(counts.colonies * counts.cells_seeded / failed)


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
        raise unknown_name("treatment of plating efficiency", str(plating), _PLATINGS)
    if method not in _METHODS:
        raise unknown_name("fit method", str(method), _METHODS)


def _design_issues(counts: ColonyCounts, plating: Plating, *, method: Method, names: Sequence[str]) -> list[Issue]:
    issues = _dose_issues(counts, plating, names=names)
    size = len(counts.replicates)
    used = counts.dose_gy > 0 if plating == "pooled" else counts.dose_gy >= 0
    parameters = len(names) + (size if plating == "fitted" else 0)
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
    if method == "franken" and plating == "fitted":
        issues.append(Issue("Franken's weights are for a given plating efficiency", wanted='plating="pooled"'))
    if method == "franken":
        issues += [
            Issue("every cell made a colony, which has no finite weight", where=f"row {row}", wanted='method="ml"')
            for row in counts.row[used & (counts.colonies >= counts.cells_seeded)]
        ]
    if method != "ml":
        issues += [
            Issue(
                "least squares on ln S cannot take a plate without colonies",
                where=f"row {row}",
                wanted='colonies, or method="ml"',
            )
            for row in counts.row[used & (counts.colonies == 0)]
        ]
    return issues


def _dose_issues(counts: ColonyCounts, plating: Plating, *, names: Sequence[str]) -> list[Issue]:
    """Each parameter takes a dose of its own; the plating efficiencies, when they are fitted, one more."""
    doses, size = np.unique(counts.dose_gy), len(names)
    if len(doses) == 1:
        return [Issue("one dose only", wanted=f"at least {size + 1} doses", got=f"{doses[0]:g} Gy")]
    wanted = f"at least {size + 1} different doses" if plating == "fitted" else f"at least {size} doses above 0 Gy"
    enough = len(doses) >= size + 1 if plating == "fitted" else np.sum(doses > 0) >= size
    if enough:
        return []
    return [
        Issue(
            f"too few doses for {_spoken(names)}",
            wanted=wanted,
            got=", ".join(f"{dose:g}" for dose in doses) + " Gy",
        )
    ]


def _spoken(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _require_estimable(model: CurveModel, names: Sequence[str]) -> None:
    """A polynomial of the dose with as many terms stands for a curve that is not one: it bends as often."""
    dose = model.dose_gy / model.dose_gy.max()
    design = np.column_stack([model.intercepts, *(dose ** (power + 1) for power in range(len(names)))])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise FitError(
            f"these plates do not tell {', '.join(names)} and the plating efficiencies apart",
            wanted="replicates that share doses and have several of them each",
        )
    # Two terms are enough here: a curve that stays straight or bends back cannot dive as a cubic does.
    steep = design[:, : model.intercepts.shape[1] + 2]
    if model.method == "ml" and not has_finite_maximum(steep, model.response):
        raise FitError(
            "the fit has no answer: too many plates are empty, so that a steeper curve always fits better",
            wanted="colonies at more doses",
        )
