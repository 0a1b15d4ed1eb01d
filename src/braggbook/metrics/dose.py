"""How alike two doses are.

Conventions: volumes are those of :mod:`braggbook.imaging`, in Gy; a histogram is a
:class:`braggbook.imaging.dose.Histogram`. The reference comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from braggbook.errors import InputError
from braggbook.metrics.definitions import OF_DATA, Option, define

if TYPE_CHECKING:
    import xarray as xr

    from braggbook.imaging.dose import Histogram

_PERCENT = 100.0
_LOW = "Low et al., Med. Phys. 25, 656 (1998), doi:10.1118/1.598248; Miften et al., Med. Phys. 45, e53 (2018), "
_GAMMA: dict[str, Any] = {
    "kind": "doses", "unit": "1", "better": "larger", "bounds": (0.0, 1.0), "perfect": 1.0, "worst": 0.0,
    "source": _LOW + "doi:10.1002/mp.12810",
    "options": (
        Option("dose_percent", "dose criterion in %", 3.0, above=0),
        Option("distance_mm", "distance criterion in mm", 2.0, above=0),
        Option("cutoff_percent", "points with less than this part of the largest reference dose do not count, in %",
               10.0, least=0, below=100),
    ),
}  # fmt: skip
_POINTS: dict[str, Any] = {
    "kind": "histograms", "unit": OF_DATA, "source": "its definition",
    "options": (Option("point", "what is read off the histogram, such as D95% (Gy) or V20Gy (%)", "D95%"),),
}  # fmt: skip


def gamma_pass_rate(reference: xr.DataArray, estimate: xr.DataArray, **criteria: Any) -> float:
    """Part of the points whose gamma is 1 or less, from 0 to 1.

    Args:
        reference: Dose in Gy.
        estimate: Dose in Gy.
        criteria: Of :func:`braggbook.imaging.gamma_index`.

    Raises:
        InputError: Not volumes, or a dose that is not finite.
        ImagingError: As that function does.
    """
    from braggbook.imaging.dose import gamma_index, pass_rate  # noqa: PLC0415 - compiled loops, slow to import

    for name, given in (("reference", reference), ("estimate", estimate)):
        if not hasattr(given, "dims"):
            raise InputError("not a dose", where=name, wanted="a volume in Gy", got=type(given).__name__)
        if not np.isfinite(given.values).all():
            raise InputError(
                "not a dose", where=name, wanted="a finite dose at every point", got="NaN or infinite ones"
            )
    return pass_rate(gamma_index(reference, estimate, **criteria)).percent / _PERCENT


def _gamma_of(*, local: bool) -> Any:
    def pass_rate_of(reference: Any, estimate: Any, **criteria: float) -> float:
        return gamma_pass_rate(reference, estimate, local=local, **criteria)

    return pass_rate_of


_SAID = "part of the reference's points whose gamma is 1 or less, trilinear and minimised in every cell; dose "
define("gamma_pass_rate.global@1", says=_SAID + "criterion in % of the largest reference dose", **_GAMMA)(
    _gamma_of(local=False)
)
define("gamma_pass_rate.local@1", says=_SAID + "criterion in % of the reference dose at each point", **_GAMMA)(
    _gamma_of(local=True)
)


@define(
    "dvh_point_error@1",
    says="estimate - reference of one point of the dose-volume histogram, in the point's unit",
    better="target",
    bounds=(None, None),
    **_POINTS,
)
def dvh_point_error(reference: Histogram, estimate: Histogram, *, point: str) -> float:
    """Estimate less reference of one point of a histogram, such as ``"D95%"`` or ``"V20Gy"``, in the point's unit.

    Raises:
        InputError: Not histograms.
        ImagingError: No such point.
    """
    for name, given in (("reference", reference), ("estimate", estimate)):
        if not callable(getattr(given, "metric", None)):
            raise InputError("not a histogram", where=name, wanted="a Histogram", got=type(given).__name__)
    return float(estimate.metric(point) - reference.metric(point))


@define(
    "dvh_point_absolute_error@1",
    says="|estimate - reference| of one point of the dose-volume histogram, in the point's unit",
    better="smaller",
    bounds=(0.0, None),
    symmetric=True,
    **_POINTS,
)
def dvh_point_absolute_error(reference: Histogram, estimate: Histogram, *, point: str) -> float:
    """Size of :func:`dvh_point_error`."""
    return abs(dvh_point_error(reference, estimate, point=point))


def dvh_score(
    reference: Histogram, estimate: Histogram, *, metrics: Sequence[str], norm: Literal["mean", "maximum"] = "mean"
) -> float:
    """Mean or largest absolute error of several metrics of one unit.

    Raises:
        ImagingError: No such metric.
    """
    errors = np.abs([dvh_point_error(reference, estimate, point=metric) for metric in metrics])
    return float(errors.mean() if norm == "mean" else errors.max())
