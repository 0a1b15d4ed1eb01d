"""Enhanced multi-frame CT and MR: one object, with its geometry in shared or per-frame functional groups."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian

from braggbook.imaging.geometry import Grid
from braggbook.testing.dicom.common import (
    decimal,
    decimals,
    frame_of_reference,
    item,
    make_uid,
    new_object,
    set_pixels,
    set_tags,
)
from braggbook.testing.dicom.enhanced_groups import MOMENT, frame_groups, image_tags, shared_groups

_FRAME_CONTENT, _PLANE_POSITION = 0x00209111, 0x00209113
_STACK, _IN_STACK, _TIME = 0x00209056, 0x00209057, 0x00209128
_POSITION = 0x00200032
_DIMENSIONS = {
    "stack": (_STACK, _FRAME_CONTENT),
    "slice": (_IN_STACK, _FRAME_CONTENT),
    "time": (_TIME, _FRAME_CONTENT),
    "position": (_POSITION, _PLANE_POSITION),
}


def make_enhanced(
    array: npt.NDArray[Any],
    grid: Grid,
    *,
    modality: str = "CT",
    order: Sequence[int] | None = None,
    shared: bool = True,
    transforms: Sequence[tuple[float, float]] | None = None,
    edit_frame: Callable[[Dataset, int], Any] | None = None,
    **options: Any,
) -> Dataset:
    """Returns an enhanced CT or MR image.

    Args:
        array: (z, y, x) or (t, z, y, x) stored values: 16-bit integers.
        grid: Where the voxels of each time are, in LPS mm.
        modality: ``CT`` or ``MR``.
        order: Which frames (indices of t x z, time first) are written in which order; their DimensionIndexValues still
            say where each belongs.
        shared: Pixel spacing, orientation and rescaling in the shared functional groups, or in every frame's own.
        transforms: Slope and intercept of each frame in the order of t x z; they are then in every frame's own groups.
        edit_frame: Called with each frame's functional groups and its index of t x z.
        **options: ``dimensions`` (names from stack, slice, time, position; stack, slice, and time if there is one),
            ``transfer_syntax``, ``seed``, ``series``, and elements by keyword.
    """
    dimensions = options.pop("dimensions", ("stack", "slice", "time") if array.ndim == 4 else ("stack", "slice"))
    syntax, seed = options.pop("transfer_syntax", ExplicitVRLittleEndian), options.pop("seed", 1)
    sop_class = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage}[modality]
    dataset = new_object(sop_class, modality, seed=seed, series=options.pop("series", f"enhanced {modality}"))
    set_tags(dataset, {**frame_of_reference(seed), **image_tags(modality)})
    kind = "HU" if modality == "CT" else "US"
    stored = array.reshape(-1, *array.shape[-2:])
    order = list(range(len(stored))) if order is None else list(order)
    moved = [] if transforms is None else [_transform(*pair, kind) for pair in transforms]
    common = {**_measures(grid), **({} if moved else _transform(1.0, 0.0, kind))}
    set_tags(dataset, {"NumberOfFrames": str(len(order)), **_organisation(dimensions, seed)})
    everywhere = {**shared_groups(modality, seed=seed, spacing_mm=grid.spacing_mm[1:]), **(common if shared else {})}
    dataset.SharedFunctionalGroupsSequence = [item(**everywhere)]
    frames = []
    for number in order:
        own = {} if shared else copy.deepcopy(common)
        frame = item(
            **_frame(number, grid, dimensions), **own, **(moved[number] if moved else {}), **frame_groups(modality)
        )
        if edit_frame:
            edit_frame(frame, number)
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    set_pixels(dataset, stored[order], transfer_syntax=syntax, bits_stored=options.pop("BitsStored", None))
    return set_tags(dataset, options)


def concatenation(dataset: Dataset, *, parts: int) -> list[Dataset]:
    """Returns an enhanced image cut into objects that belong together (PS3.3 C.7.6.16.2.2.4)."""
    count = int(dataset.NumberOfFrames)
    cuts = [count * part // parts for part in range(parts + 1)]
    pixels = dataset.pixel_array
    found = []
    for part, (start, stop) in enumerate(pairwise(cuts)):
        piece = copy.deepcopy(dataset)
        piece.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[start:stop]
        set_pixels(piece, pixels[start:stop], transfer_syntax=ExplicitVRLittleEndian, bits_stored=dataset.BitsStored)
        tags = {
            "SOPInstanceUID": make_uid(dataset.SOPInstanceUID, "part", part),
            "SOPInstanceUIDOfConcatenationSource": dataset.SOPInstanceUID,
            "ConcatenationUID": make_uid(dataset.SOPInstanceUID, "concatenation"),
            "ConcatenationFrameOffsetNumber": start,
            "InConcatenationNumber": part + 1,
            "InConcatenationTotalNumber": parts,
            "NumberOfFrames": str(stop - start),
        }
        found.append(set_tags(piece, tags))
    return found


def _organisation(dimensions: Sequence[str], seed: int) -> dict[str, Any]:
    uid = make_uid(seed, "dimensions")
    pointers = [
        item(DimensionIndexPointer=tag, FunctionalGroupPointer=group, DimensionOrganizationUID=uid)
        for tag, group in (_DIMENSIONS[name] for name in dimensions)
    ]
    return {"DimensionOrganizationSequence": [item(DimensionOrganizationUID=uid)], "DimensionIndexSequence": pointers}


def _frame(number: int, grid: Grid, dimensions: Sequence[str]) -> dict[str, Any]:
    moment, index = divmod(number, grid.shape[0])
    values = {"stack": 1, "slice": index + 1, "time": moment + 1, "position": index + 1}
    content = item(
        FrameAcquisitionNumber=1,
        FrameReferenceDateTime=MOMENT,
        FrameAcquisitionDateTime=MOMENT,
        FrameAcquisitionDuration=100.0,
        StackID="1",
        InStackPositionNumber=index + 1,
        DimensionIndexValues=[values[name] for name in dimensions],
    )
    if "time" in dimensions:
        content.TemporalPositionIndex = moment + 1
    position = item(ImagePositionPatient=decimals(grid.to_patient((0, 0, index))))
    return {"FrameContentSequence": [content], "PlanePositionSequence": [position]}


def _measures(grid: Grid) -> dict[str, Any]:
    thickness, rows, columns = grid.spacing_mm
    return {
        "PixelMeasuresSequence": [
            item(PixelSpacing=decimals((rows, columns)), SliceThickness=decimal(thickness)),
        ],
        "PlaneOrientationSequence": [item(ImageOrientationPatient=decimals(grid.directions[:2]))],
    }


def _transform(slope: float, intercept: float, kind: str) -> dict[str, Any]:
    found = item(RescaleIntercept=decimal(intercept), RescaleSlope=decimal(slope), RescaleType=kind)
    return {"PixelValueTransformationSequence": [found]}
