"""How far images reach, and the structures that were drawn on them.

Source: DICOM PS3.3 C.8.8.6: contours are drawn on images, so that none is larger than these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from braggbook.imaging.quality.evidence import Evidence, SeriesEvidence
from braggbook.imaging.structures.contours import Structure

Floats = npt.NDArray[np.float64]
Box = tuple[Floats, Floats]  # lowest and highest LPS coordinates, mm

OUTSIDE_MM = 1.0  # contours run along pixel edges, and files round
# What may be drawn beyond the images: the body, where the field of view cuts it off, and what is no part of it
_BEYOND = {"EXTERNAL", "SUPPORT", "BOLUS", "FIXATION", "DOSE_REGION", "CONTROL", "MARKER", "ISOCENTER", "REGISTRATION"}
_BEYOND_NAMES = re.compile(r"(?i)^(x|z)?_?(body|skin|external|couch|bolus|ring|iso|dose|\d+ ?%)")


def points_of(structures: Iterable[Structure]) -> Floats:
    """Returns the points of all closed contours: (n, 3), LPS, mm."""
    return np.concatenate([contour.points_mm for each in structures for contour in each.closed])


def images_of(evidence: Evidence, where: str) -> list[SeriesEvidence]:
    """Returns the volumes that a structure set was drawn on: those of its frame of reference.

    None of them if some of the images that it names are here and others not: slices are missing, as consistency says.
    """
    here = {instance.sop_instance_uid for instance in evidence.index.instances}
    named = set(evidence.structures[where].image_uids)
    if named & here and named - here:
        return []
    frames = {each.frame_of_reference_uid or "" for each in evidence.structures[where] if not each.is_empty}
    volumes = [each for each in evidence.of("CT", "MR", "PT") if _usual_step(each) > 0]
    return [one for one in volumes if "" in frames or one.series.instances[0].frame_of_reference_uid in frames]


def extent_of_images(evidence: Evidence, where: str) -> Box | None:
    """Returns the outer edges of the images of a structure set; None if they make no volume."""
    boxes = [box for box in map(_extent, images_of(evidence, where)) if box is not None]
    return (np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)) if boxes else None


def larger_than_images(evidence: Evidence, where: str) -> tuple[Floats, Floats] | None:
    """Returns the sizes (x, y, z in mm) of a structure set and of its images, if one of the first is larger."""
    box = extent_of_images(evidence, where)
    drawn = [each for each in evidence.structures[where] if not each.is_empty and not _may_be_larger(each)]
    if box is None or not drawn:
        return None
    points = points_of(drawn)
    sizes = points.max(axis=0) - points.min(axis=0), box[1] - box[0]
    return sizes if (sizes[0] > sizes[1] + OUTSIDE_MM).any() else None


def _may_be_larger(structure: Structure) -> bool:
    return structure.interpreted_type in _BEYOND or bool(_BEYOND_NAMES.match(structure.name))


def _extent(series: SeriesEvidence) -> Box | None:
    corners = []
    step = _usual_step(series)
    for each in (series.placed[0], series.placed[-1]):
        spacing, rows, columns = (each.tags.get(name) for name in ("PixelSpacing", "Rows", "Columns"))
        if each.position_mm is None or each.cosines is None or not spacing or not rows or not columns:
            return None
        along_row, along_column = each.cosines[:3] * float(spacing[1]), each.cosines[3:] * float(spacing[0])
        corners += [
            each.position_mm + along_row * i + along_column * j + series.normal * k * step
            for i in (-0.5, int(columns) - 0.5)
            for j in (-0.5, int(rows) - 0.5)
            for k in (-0.5, 0.5)
        ]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def _usual_step(series: SeriesEvidence) -> float:
    steps = np.diff([series.along(each) for each in series.placed])
    return float(np.median(steps)) if len(steps) else 0.0
