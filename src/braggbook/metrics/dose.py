"""How alike two doses are.

Conventions: volumes are those of :mod:`braggbook.imaging`, in Gy; a histogram is a
:class:`braggbook.imaging.dose.Histogram`. The reference comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from braggbook.imaging.dose import Histogram, gamma_index, pass_rate

_PERCENT = 100.0


def gamma_pass_rate(reference: xr.DataArray, estimate: xr.DataArray, **criteria: Any) -> float:
    """Part of the points whose gamma is 1 or less, from 0 to 1.

    Args:
        reference: Dose in Gy.
        estimate: Dose in Gy.
        criteria: Of :func:`braggbook.imaging.gamma_index`.

    Raises:
        ImagingError: As that function does.
    """
    return pass_rate(gamma_index(reference, estimate, **criteria)).percent / _PERCENT


def dvh_point_error(reference: Histogram, estimate: Histogram, *, metric: str) -> float:
    """Estimate less reference of one metric of a histogram, such as ``"D95%"`` or ``"V20Gy"``, in the metric's unit.

    Raises:
        ImagingError: No such metric.
    """
    return float(estimate.metric(metric) - reference.metric(metric))


def dvh_score(
    reference: Histogram, estimate: Histogram, *, metrics: Sequence[str], norm: Literal["mean", "maximum"] = "mean"
) -> float:
    """Mean or largest absolute error of several metrics of one unit.

    Raises:
        ImagingError: No such metric.
    """
    errors = np.abs([dvh_point_error(reference, estimate, metric=metric) for metric in metrics])
    return float(errors.mean() if norm == "mean" else errors.max())
