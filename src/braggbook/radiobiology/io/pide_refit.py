"""Fits the linear-quadratic model to raw survival points the way PIDE does, to compare with its own coefficients.

-ln S = alpha D + beta D^2 + c by unweighted least squares, with both terms, the linear or the quadratic one alone;
the one with the smallest reduced chi-squared (residual sum of squares over degrees of freedom) is taken. For a fit
that knows about counts and replicates use :func:`braggbook.radiobiology.fit_survival`; PIDE has no counts.

Source: T. Friedrich, T. Pfuhl and M. Scholz, J Radiat Res 62 (2021) 645-655, PMC8273790.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import FitError, ScienceError

Floats = NDArray[np.float64]
Form = Literal["linear-quadratic", "linear", "quadratic"]

_POWERS: dict[Form, tuple[int, ...]] = {"linear-quadratic": (1, 2), "linear": (1,), "quadratic": (2,)}
_EXACT = 1e-12  # relative to the spread of ln S: below it two residual variances are both rounding


@dataclass(frozen=True)
class UnweightedFit:
    """An unweighted fit of ln S.

    Attributes:
        form: Which terms it has.
        alpha_per_gy: Linear coefficient, 1/Gy; 0 where the form has none.
        beta_per_gy2: Quadratic coefficient, 1/Gy^2; 0 where the form has none.
        intercept: c, which is -ln S at dose 0.
        reduced_chi2: Residual sum of squares of ln S over the degrees of freedom.
        points: Points in the fit.
        left_out: Points with survival 0, whose logarithm does not exist.
    """

    form: Form
    alpha_per_gy: float
    beta_per_gy2: float
    intercept: float
    reduced_chi2: float
    points: int
    left_out: int


def fit_unweighted(dose_gy: ArrayLike, survival: ArrayLike) -> UnweightedFit:
    """Fits ln S of one curve without weights and takes the best of three forms.

    Args:
        dose_gy: Doses in Gy, shape (n,), 0 or more.
        survival: Surviving fractions, shape (n,), 0 or more; zeros are left out and counted.

    Raises:
        ScienceError: The arrays are not of one shape (n,), or hold what is no dose or survival.
        FitError: There are too few different doses for any form.
    """
    dose, fraction = (np.asarray(values, dtype=np.float64) for values in (dose_gy, survival))
    if dose.ndim != 1 or dose.shape != fraction.shape:
        raise ScienceError(
            "not a survival curve", wanted="one dose per survival", got=f"{dose.shape}, {fraction.shape}"
        )
    if not np.all(np.isfinite(dose) & (dose >= 0) & np.isfinite(fraction) & (fraction >= 0)):
        raise ScienceError("not a survival curve", wanted="finite doses and survival, 0 or more")
    used = fraction > 0
    effect = -np.log(fraction[used])
    found = [fit for form in _POWERS if (fit := _fit(form, dose[used], effect, left_out=int(np.sum(~used))))]
    if not found:
        raise FitError(
            "too few points for a curve",
            wanted="more points than parameters, at different doses",
            got=f"{int(np.sum(used))} with survival above 0",
        )
    scale = _EXACT * float(np.ptp(effect)) ** 2
    return min(found, key=lambda fit: (max(fit.reduced_chi2, scale), len(_POWERS[fit.form])))


def _fit(form: Form, dose: Floats, effect: Floats, *, left_out: int) -> UnweightedFit | None:
    design = np.stack([dose**power for power in (*_POWERS[form], 0)], axis=1)
    freedom = len(dose) - design.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    found = np.linalg.lstsq(design, effect, rcond=None)[0]
    terms = dict(zip(_POWERS[form], found[:-1], strict=True))
    return UnweightedFit(
        form=form,
        alpha_per_gy=float(terms.get(1, 0.0)),
        beta_per_gy2=float(terms.get(2, 0.0)),
        intercept=float(found[-1]),
        reduced_chi2=float(np.sum((effect - design @ found) ** 2) / freedom),
        points=len(dose),
        left_out=left_out,
    )
