"""How well a survival curve was recovered.

Conventions: linear-quadratic curves by alpha in 1/Gy and beta in 1/Gy2, the reference first; doses in Gy.
"""

from __future__ import annotations

import numpy as np

from braggbook.errors import InputError
from braggbook.metrics.numbers import check_lists
from braggbook.radiobiology.linear_quadratic import LqParameters, dose_at_survival


def log_survival_error(reference: LqParameters, estimate: LqParameters, *, up_to_gy: float) -> float:
    """Root mean square of the difference of log10 survival over the doses from 0, in decades.

    Args:
        reference: The true curve.
        estimate: The recovered one.
        up_to_gy: Largest dose.

    Raises:
        InputError: No dose.
    """
    if not (np.isfinite(up_to_gy) and up_to_gy > 0):
        raise InputError("not a dose", where="up_to_gy", wanted="above 0 Gy", got=str(up_to_gy))
    alpha = estimate.alpha_per_gy - reference.alpha_per_gy
    beta = estimate.beta_per_gy2 - reference.beta_per_gy2
    # the mean of (alpha D + beta D^2)^2 over 0 to d, in closed form
    mean = up_to_gy**2 * (alpha**2 / 3 + alpha * beta * up_to_gy / 2 + beta**2 * up_to_gy**2 / 5)
    return float(np.sqrt(mean) / np.log(10))


def isoeffective_dose_error(reference: LqParameters, estimate: LqParameters, *, level: float = 0.1) -> float:
    """Dose that leaves ``level`` of the cells alive: the estimate's less the reference's, as a part of the latter.

    Raises:
        ScienceError: A curve never comes down to that level.
    """
    true, said = (
        float(dose_at_survival(level, alpha_per_gy=one.alpha_per_gy, beta_per_gy2=one.beta_per_gy2))
        for one in (reference, estimate)
    )
    return (said - true) / true


def parameter_error(reference: LqParameters, estimate: LqParameters) -> tuple[float, float]:
    """Errors of alpha (1/Gy) and beta (1/Gy2)."""
    true, said = check_lists(
        reference=[reference.alpha_per_gy, reference.beta_per_gy2],
        estimate=[estimate.alpha_per_gy, estimate.beta_per_gy2],
    )
    return float(said[0] - true[0]), float(said[1] - true[1])
