"""How well a survival curve was recovered.

Conventions: linear-quadratic curves by alpha in 1/Gy and beta in 1/Gy2, the reference first; doses in Gy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from braggbook.errors import InputError, ScienceError
from braggbook.metrics.definitions import Option, define

if TYPE_CHECKING:
    from braggbook.radiobiology.linear_quadratic import LqParameters

_ITS_OWN = "its definition"
_CURVE: dict[str, Any] = {
    "kind": "curves", "better": "smaller", "bounds": (0.0, None), "source": _ITS_OWN,
    "symmetric": True,
}  # fmt: skip
_UP_TO = Option("up_to_gy", "the largest dose in Gy", 6.0, above=0)
_LEVEL = Option("level", "part of the cells that is alive, such as 0.1", 0.1, above=0, below=1)
_LARGEST = 1.0  # of a relative error of a dose, which has no end of its own


@define(
    "log_survival_error@1",
    says="root mean square over the doses from 0 of the difference of log10 survival, in decades",
    unit="1",
    options=(_UP_TO,),
    **_CURVE,
)
def log_survival_error(reference: LqParameters, estimate: LqParameters, *, up_to_gy: float) -> float:
    """Root mean square of the difference of log10 survival over the doses from 0, in decades.

    Args:
        reference: The true curve.
        estimate: The recovered one.
        up_to_gy: Largest dose.

    Raises:
        InputError: No dose.
    """
    _check_curves(reference, estimate)
    if not (np.isfinite(up_to_gy) and up_to_gy > 0):
        raise InputError("not a dose", where="up_to_gy", wanted="above 0 Gy", got=str(up_to_gy))
    alpha = estimate.alpha_per_gy - reference.alpha_per_gy
    beta = estimate.beta_per_gy2 - reference.beta_per_gy2
    # the mean of (alpha D + beta D^2)^2 over 0 to d, in closed form
    mean = up_to_gy**2 * (alpha**2 / 3 + alpha * beta * up_to_gy / 2 + beta**2 * up_to_gy**2 / 5)
    return float(np.sqrt(max(mean, 0.0)) / np.log(10))


@define(
    "isoeffective_dose_error@1",
    says="|error| of the dose that leaves a part of the cells alive, as a part of the true dose; at most 1, and 1 "
    "where the estimated curve never comes down so far",
    options=(_LEVEL,),
    **{**_CURVE, "unit": "1", "bounds": (0.0, _LARGEST), "worst": _LARGEST, "symmetric": False},
)
def limited_isoeffective_dose_error(reference: LqParameters, estimate: LqParameters, *, level: float) -> float:
    """Size of :func:`isoeffective_dose_error`, at most 1.

    Raises:
        ScienceError: The reference's curve never comes down to that level.
    """
    _check_curves(reference, estimate)
    isoeffective_dose_error(reference, reference, level=level)
    try:
        return min(abs(isoeffective_dose_error(reference, estimate, level=level)), _LARGEST)
    except ScienceError:
        return _LARGEST


def isoeffective_dose_error(reference: LqParameters, estimate: LqParameters, *, level: float = 0.1) -> float:
    """Dose that leaves ``level`` of the cells alive: the estimate's less the reference's, as a part of the latter.

    Raises:
        ScienceError: A curve never comes down to that level.
    """
    from braggbook.radiobiology.linear_quadratic import dose_at_survival  # noqa: PLC0415 - SciPy's statistics

    true, said = (
        float(dose_at_survival(level, alpha_per_gy=one.alpha_per_gy, beta_per_gy2=one.beta_per_gy2))
        for one in (reference, estimate)
    )
    return (said - true) / true


@define("alpha_error@1", says="|error of alpha|", unit="1/Gy", **_CURVE)
def alpha_error(reference: LqParameters, estimate: LqParameters) -> float:
    """Size of the error of alpha, 1/Gy."""
    return abs(parameter_error(reference, estimate)[0])


@define("beta_error@1", says="|error of beta|", unit="1/Gy2", **_CURVE)
def beta_error(reference: LqParameters, estimate: LqParameters) -> float:
    """Size of the error of beta, 1/Gy2."""
    return abs(parameter_error(reference, estimate)[1])


def parameter_error(reference: LqParameters, estimate: LqParameters) -> tuple[float, float]:
    """Errors of alpha (1/Gy) and beta (1/Gy2)."""
    _check_curves(reference, estimate)
    return (
        float(estimate.alpha_per_gy - reference.alpha_per_gy),
        float(estimate.beta_per_gy2 - reference.beta_per_gy2),
    )


def _check_curves(reference: Any, estimate: Any) -> None:
    from braggbook.radiobiology.linear_quadratic import LqParameters  # noqa: PLC0415 - the same

    for name, given in (("reference", reference), ("estimate", estimate)):
        if not isinstance(given, LqParameters):
            raise InputError("not a survival curve", where=name, wanted="LqParameters", got=type(given).__name__)
