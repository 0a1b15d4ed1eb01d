"""The metrics of segmentations that a challenge can name: each id fixes every rule.

Conventions are those of :mod:`braggbook.metrics.masks`. Functions take a
:class:`~braggbook.metrics.mask_pair.MaskPair` whose masks are not empty, unless the definition has a value there;
:mod:`braggbook.metrics.scoring` sees to the empty ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from braggbook.metrics import overlap
from braggbook.metrics.definitions import EmptyPolicy, Option, define
from braggbook.metrics.mask_pair import MaskPair
from braggbook.metrics.masks import Floats, Mask
from braggbook.metrics.skeletons import centreline_dice
from braggbook.metrics.surfaces import Border, Percentile, border_voxels

_RELOADED = "Maier-Hein, Reinke et al., Nat. Methods 21, 195 (2024), doi:10.1038/s41592-023-02151-z; MetricsReloaded"
_NIKOLOV = "Nikolov et al., J. Med. Internet Res. 23, e26151 (2021), doi:10.2196/26151; surface-distance"
_MEDPY = "MedPy 0.5, medpy.metric.binary"
_ONE: dict[str, Any] = {
    "kind": "masks", "unit": "1", "better": "larger", "bounds": (0.0, 1.0), "perfect": 1.0, "worst": 0.0,
    "symmetric": True,
}  # fmt: skip
_OVERLAP: dict[str, Any] = {**_ONE, "value_where_empty": ("only_reference", "only_estimate")}
_MM: dict[str, Any] = {
    "kind": "masks", "unit": "mm", "better": "smaller", "bounds": (0.0, None), "worst": "diagonal",
    "symmetric": True, "needs_spacing": True,
}  # fmt: skip
_TOLERANCE = Option("tolerance_mm", "distance in mm that counts as none", 2.0, least=0)
_PART_OF_ALL = Option("part", "of the distances that are no larger, such as 0.9", 0.9, above=0, most=1)
_SURFACES: dict[Border, tuple[str, str]] = {
    "voxel": ("centres of the voxels that have a face to the outside, the image's edge included", _RELOADED),
    "surfel": ("marching-cubes triangles (marching-squares lines) between voxel centres, weighted by size", _NIKOLOV),
}


@define(
    "dice@1",
    says="2 |A and B| / (|A| + |B|) of voxels",
    source="Dice, Ecology 26, 297 (1945), doi:10.2307/1932409",
    **_OVERLAP,
)
def dice(pair: MaskPair) -> float:
    """Dice's coefficient."""
    return overlap.dice(pair.reference, pair.estimate)


@define(
    "iou@1",
    says="|A and B| / |A or B| of voxels",
    source="Jaccard, New Phytol. 11, 37 (1912), doi:10.1111/j.1469-8137.1912.tb05611.x",
    **_OVERLAP,
)
def iou(pair: MaskPair) -> float:
    """Intersection over union."""
    return overlap.iou(pair.reference, pair.estimate)


def _define_surface_metrics(border: Border) -> None:
    """Defines the metrics of one idea of a surface."""
    surface, source = _SURFACES[border]
    at = f"{surface}; "

    @define(f"hd.{border}@1", says=at + "largest of all distances", source=source, **_MM)
    def hausdorff(pair: MaskPair) -> float:
        return pair.distances(border).hausdorff_mm()

    @define(f"assd.{border}@1", says=at + "mean over the elements of both surfaces", source=source, **_MM)
    def assd(pair: MaskPair) -> float:
        return pair.distances(border).assd_mm()

    @define(f"masd.{border}@1", says=at + "mean of the two directed means", source=source, **_MM)
    def masd(pair: MaskPair) -> float:
        return pair.distances(border).masd_mm()

    @define(
        f"nsd.{border}@1",
        says=at + "part of both surfaces within the tolerance of the other",
        source=source,
        options=(_TOLERANCE,),
        needs_spacing=True,
        **_ONE,
    )
    def nsd(pair: MaskPair, *, tolerance_mm: float) -> float:
        return pair.distances(border).nsd(tolerance_mm)


def _define_percentiles(border: Border, rule: Percentile, *, name: str, says: str, source: str) -> None:
    """Defines the 95th percentile, and any other."""

    def quantile(pair: MaskPair, *, part: float) -> float:
        return pair.distances(border).quantile_mm(part, rule=rule)

    def quantile_95(pair: MaskPair) -> float:
        return quantile(pair, part=0.95)

    said = f"{_SURFACES[border][0]}; {says}"
    define(f"hd95.{border}.{name}@1", says=said, source=source, **_MM)(quantile_95)
    define(f"hdq.{border}.{name}@1", says=said, source=source, options=(_PART_OF_ALL,), **_MM)(quantile)


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
    kind="masks",
    unit="cm3",
    better="smaller",
    bounds=(0.0, None),
    worst="image",
    source="its definition",
    symmetric=True,
    needs_spacing=True,
    empty=EmptyPolicy(both="value", only_reference="value", only_estimate="value"),
    value_where_empty=("both", "only_reference", "only_estimate"),
)
def volume_difference(pair: MaskPair) -> float:
    """Size of the difference of the two volumes."""
    spacing_mm = [float(step) for step in pair.spacing_mm]
    return abs(overlap.volume_difference_cc(pair.reference, pair.estimate, spacing_mm=spacing_mm))


@define(
    "relative_volume_difference@1",
    says="|volume of the estimate - volume of the reference| / volume of the reference",
    kind="masks",
    unit="1",
    better="smaller",
    bounds=(0.0, None),
    source=_RELOADED,
    empty=EmptyPolicy(both="not_applicable", only_reference="not_applicable", only_estimate="value"),
    value_where_empty=("only_estimate",),
)
def relative_volume_difference(pair: MaskPair) -> float:
    """Size of the difference of the two volumes as a part of the reference's."""
    return abs(overlap.relative_volume_difference(pair.reference, pair.estimate))


@define(
    "boundary_iou.voxel@1",
    says="intersection over union of the voxels that have a face to the outside, the image's edge included",
    source=_RELOADED,
    **_OVERLAP,
)
def boundary_iou(pair: MaskPair) -> float:
    """Intersection over union of the one-voxel borders."""
    return overlap.iou(border_voxels(pair.reference), border_voxels(pair.estimate))


@define(
    "boundary_iou.band@1",
    says="intersection over union of the voxels of the masks that have a face to the outside or a centre within a "
    "distance of one outside, the image's edge included",
    source="Cheng et al., CVPR 2021, 15334, doi:10.1109/CVPR46437.2021.01508",
    options=(Option("distance_mm", "width in mm of the band inside the border", 2.0, above=0),),
    needs_spacing=True,
    **_ONE,
)
def boundary_iou_band(pair: MaskPair, *, distance_mm: float) -> float:
    """Intersection over union of bands inside the borders, a voxel wide at least."""
    bands = [_band(mask, pair.spacing_mm, distance_mm) for mask in (pair.reference, pair.estimate)]
    return overlap.iou(*bands)


@define(
    "cldice.voxel@1",
    says="harmonic mean of the parts of either skeleton that lie in the other mask; skeletons by Zhang and Suen in 2D "
    "and Lee et al. in 3D as scikit-image has them; a connected part without one stands for its own",
    source="Shit et al., CVPR 2021, 16560, doi:10.1109/CVPR46437.2021.01629",
    **_ONE,
)
def cldice(pair: MaskPair) -> float:
    """Centreline Dice."""
    return centreline_dice(pair.reference, pair.estimate)


def _band(mask: Mask, spacing_mm: Floats, distance_mm: float) -> Mask:
    inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)
    band: Mask = mask & (inside[(slice(1, -1),) * mask.ndim] <= distance_mm) | border_voxels(mask)
    return band
