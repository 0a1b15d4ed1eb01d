"""The metrics of segmentations that a challenge can name: each id fixes every rule.

Conventions are those of :mod:`braggbook.metrics.masks`. Functions take ``reference``, ``estimate`` and ``spacing_mm``,
and masks that are not empty; :func:`braggbook.metrics.definitions.score` sees to the empty ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from braggbook.metrics import overlap
from braggbook.metrics.definitions import define
from braggbook.metrics.masks import Floats, Mask
from braggbook.metrics.surfaces import Border, Percentile, surface_distances

_RELOADED = "Maier-Hein, Reinke et al., Nat. Methods 21, 195 (2024), doi:10.1038/s41592-023-02151-z; MetricsReloaded"
_NIKOLOV = "Nikolov et al., J. Med. Internet Res. 23, e26151 (2021), doi:10.2196/26151; surface-distance"
_MEDPY = "MedPy 0.5, medpy.metric.binary"
_ONE: dict[str, Any] = {"unit": "1", "better": "larger", "perfect": 1.0, "worst": 0.0}
_MM: dict[str, Any] = {"unit": "mm", "better": "smaller", "perfect": 0.0, "worst": "diagonal"}
_SURFACES: dict[Border, tuple[str, str]] = {
    "voxel": ("centres of the voxels that have a face to the outside, the image's edge included", _RELOADED),
    "surfel": ("marching-cubes triangles between voxel centres, weighted by area", _NIKOLOV),
}


@define(
    "dice@1",
    says="2 |A and B| / (|A| + |B|) of voxels",
    source="Dice, Ecology 26, 297 (1945), doi:10.2307/1932409",
    **_ONE,
)
def dice(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:  # noqa: ARG001 - one signature for all
    """Dice's coefficient."""
    return overlap.dice(reference, estimate)


@define("iou@1", says="|A and B| / |A or B| of voxels", source="Jaccard, New Phytol. 11, 37 (1912)", **_ONE)
def iou(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:  # noqa: ARG001 - the same
    """Intersection over union."""
    return overlap.iou(reference, estimate)


def _define_surface_metrics(border: Border) -> None:
    """Defines the metrics of one idea of a surface."""
    surface, source = _SURFACES[border]
    at = f"{surface}; "

    def measured(reference: Mask, estimate: Mask, spacing_mm: Floats) -> Any:
        return surface_distances(reference, estimate, spacing_mm=spacing_mm, border=border)

    @define(f"hd.{border}@1", says=at + "largest of all distances", source=source, **_MM)
    def hausdorff(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:
        return float(measured(reference, estimate, spacing_mm).hausdorff_mm())

    @define(f"assd.{border}@1", says=at + "mean over the elements of both surfaces", source=source, **_MM)
    def assd(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:
        return float(measured(reference, estimate, spacing_mm).assd_mm())

    @define(f"masd.{border}@1", says=at + "mean of the two directed means", source=source, **_MM)
    def masd(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:
        return float(measured(reference, estimate, spacing_mm).masd_mm())

    @define(
        f"nsd.{border}@1",
        says=at + "part of both surfaces within the tolerance of the other",
        source=source,
        options=("tolerance_mm",),
        **_ONE,
    )
    def nsd(reference: Mask, estimate: Mask, *, spacing_mm: Floats, tolerance_mm: float) -> float:
        return float(measured(reference, estimate, spacing_mm).nsd(tolerance_mm))


def _define_percentiles(border: Border, rule: Percentile, *, name: str, says: str, source: str) -> None:
    """Defines the 95th percentile, and any other."""

    def quantile(reference: Mask, estimate: Mask, *, spacing_mm: Floats, part: float) -> float:
        found = surface_distances(reference, estimate, spacing_mm=spacing_mm, border=border)
        return found.quantile_mm(part, rule=rule)

    def quantile_95(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:
        return quantile(reference, estimate, spacing_mm=spacing_mm, part=0.95)

    said = f"{_SURFACES[border][0]}; {says}"
    define(f"hd95.{border}.{name}@1", says=said, source=source, **_MM)(quantile_95)
    define(f"hdq.{border}.{name}@1", says=said, source=source, options=("part",), **_MM)(quantile)


for _border in _SURFACES:
    _define_surface_metrics(_border)
_define_percentiles(
    "voxel", "directed_max", name="directed_max.linear",
    says="the larger of the percentiles of both directions, linear between two distances", source=_RELOADED,
)  # fmt: skip
_define_percentiles(
    "voxel", "pooled", name="pooled.linear",
    says="the percentile of the distances of both directions together, linear between two", source=_MEDPY,
)  # fmt: skip
_define_percentiles(
    "surfel", "directed_max", name="directed_max.reached",
    says="the larger of the distances within which that part of each surface's area lies", source=_NIKOLOV,
)  # fmt: skip


@define(
    "volume_difference_cc@1",
    says="|volume of the estimate - volume of the reference|",
    unit="cm3",
    better="smaller",
    perfect=0.0,
    worst="image",
    source="its definition",
)
def volume_difference(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:
    """Size of the difference of the two volumes."""
    return abs(overlap.volume_difference_cc(reference, estimate, spacing_mm=[float(step) for step in spacing_mm]))


@define(
    "boundary_iou.voxel@1",
    says="intersection over union of the voxels that have a face to the outside",
    source=_RELOADED,
    **_ONE,
)
def boundary_iou(reference: Mask, estimate: Mask, *, spacing_mm: Floats) -> float:  # noqa: ARG001 - one signature
    """Intersection over union of the one-voxel borders."""
    return overlap.iou(*(_band(mask, np.ones(mask.ndim), 1.0) for mask in (reference, estimate)))


@define(
    "boundary_iou.band@1",
    says="intersection over union of the parts of the masks within a distance of the background",
    source="Cheng et al., CVPR 2021, 15334, doi:10.1109/CVPR46437.2021.01508",
    options=("distance_mm",),
    **_ONE,
)
def boundary_iou_band(reference: Mask, estimate: Mask, *, spacing_mm: Floats, distance_mm: float) -> float:
    """Intersection over union of bands inside the borders."""
    return overlap.iou(*(_band(mask, spacing_mm, distance_mm) for mask in (reference, estimate)))


def _band(mask: Mask, spacing_mm: Floats, distance_mm: float) -> Mask:
    """The voxels of a mask whose centres are no farther from a voxel outside than a distance."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)
    band: Mask = mask & (inside[(slice(1, -1),) * mask.ndim] <= distance_mm)
    return band
