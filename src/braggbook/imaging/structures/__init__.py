"""Structures: contours and segmentations in and out of DICOM, as masks on a grid, and the names they should have.

Where to look: ``contours`` (what a structure is), ``reading`` and ``writing`` (RTSTRUCT), ``planes`` (contours by plane
and the slabs they stand for), ``rasterise`` (masks, coverage, volume), ``scanline`` (its compiled loops), ``outlines``
(contours of masks), ``segmentations`` and ``segment_writing`` (SEG), ``names`` (TG-263).

Names are fetched when they are first used, so that reading contours does not wait for compilers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from braggbook.imaging.structures.contours import Contour, Structure, Structures
    from braggbook.imaging.structures.names import is_standard, map_names, rename, standard_names
    from braggbook.imaging.structures.outlines import mask_outlines, structure_from_mask
    from braggbook.imaging.structures.planes import Planes, contour_planes
    from braggbook.imaging.structures.rasterise import plane_areas_mm2, structure_mask, structure_volume_cc
    from braggbook.imaging.structures.reading import read_structures
    from braggbook.imaging.structures.segment_writing import write_segmentations
    from braggbook.imaging.structures.segmentations import (
        Code,
        Segment,
        Segmentations,
        read_segmentations,
        segment_mask,
    )
    from braggbook.imaging.structures.writing import structure_set, write_structures

__all__ = [
    "Code",
    "Contour",
    "Planes",
    "Segment",
    "Segmentations",
    "Structure",
    "Structures",
    "contour_planes",
    "is_standard",
    "map_names",
    "mask_outlines",
    "plane_areas_mm2",
    "read_segmentations",
    "read_structures",
    "rename",
    "segment_mask",
    "standard_names",
    "structure_from_mask",
    "structure_mask",
    "structure_set",
    "structure_volume_cc",
    "write_segmentations",
    "write_structures",
]

_HOMES = {
    "Code": "segmentations",
    "Contour": "contours",
    "Planes": "planes",
    "Segment": "segmentations",
    "Segmentations": "segmentations",
    "Structure": "contours",
    "Structures": "contours",
    "contour_planes": "planes",
    "is_standard": "names",
    "map_names": "names",
    "mask_outlines": "outlines",
    "plane_areas_mm2": "rasterise",
    "read_segmentations": "segmentations",
    "read_structures": "reading",
    "rename": "names",
    "segment_mask": "segmentations",
    "standard_names": "names",
    "structure_from_mask": "outlines",
    "structure_mask": "rasterise",
    "structure_set": "writing",
    "structure_volume_cc": "rasterise",
    "write_segmentations": "segment_writing",
    "write_structures": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
