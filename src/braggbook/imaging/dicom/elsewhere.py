"""Series whose pixels are no image: dose and segmentations, as the rooms above this one read them.

They are named here and imported when such a series is met: :func:`braggbook.imaging.dicom.read.read_dicom` is one door
for all series, and dose and structures are built on images.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array
import pydicom
import xarray as xr

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.images import local_path
from braggbook.imaging.dicom.instances import Instance, Series
from braggbook.imaging.volumes import make_volume


def is_elsewhere(series: Series) -> bool:
    """Whether a series is none of images."""
    return series.modality in _READERS


def read_elsewhere(series: Series, *, part: int | None) -> xr.Dataset:
    """Reads a dose or a segmentation.

    Args:
        series: Of modality RTDOSE or SEG.
        part: Which of its instances; may be left out when there is one.

    Returns:
        One variable: ``dose``, or ``mask`` with one ``c`` for each segment, by its label.

    Raises:
        DicomError: There are several instances and none was chosen, or it cannot be read.
    """
    return _READERS[series.modality](_one(series.instances, part))


def _one(instances: Sequence[Instance], part: int | None) -> Instance:
    if part is None and len(instances) == 1:
        return instances[0]
    if part is not None and 0 <= part < len(instances):
        return instances[part]
    issues = [
        Issue(f"{one.modality} {one.tags.get('DoseSummationType', '')}".strip(), f"part {number}", got=str(one.source))
        for number, one in enumerate(instances)
    ]
    what = f"a series with {len(instances)} objects" if part is None else "no such part of the series"
    got = "" if part is None else str(part)
    raise DicomError(what, wanted="one", got=got, next_command="read_dicom(..., part=0)", issues=issues)


def _dose(instance: Instance) -> xr.Dataset:
    room = importlib.import_module("braggbook.imaging.dose.grids")
    path = local_path(instance.source)
    dose = room.read_dose(path) if path is not None else room.decode_dose(_whole(instance), where=str(instance.source))
    return xr.Dataset({"dose": dose}, attrs=_attrs(instance))


def _whole(instance: Instance) -> pydicom.Dataset:
    with instance.source.open() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(file, force=True)


def _mask(instance: Instance) -> xr.Dataset:
    room = importlib.import_module("braggbook.imaging.structures.segmentations")
    found = room.read_segmentations(instance)
    dtype = "float32" if found.kind == "FRACTIONAL" else "bool"
    masks = [
        dask.array.from_delayed(dask.delayed(_values)(room.segment_mask, found, each.number), found.grid.shape, dtype)
        for each in found.segments
    ]
    coords = {"c": [each.label for each in found.segments], "number": ("c", [each.number for each in found.segments])}
    mask = make_volume(dask.array.stack(masks), found.grid, name="mask", units="1", coords=coords)
    return xr.Dataset({"mask": mask}, attrs=_attrs(instance))


def _values(read: Callable[..., xr.DataArray], found: Any, number: int) -> Any:
    return read(found, number).to_numpy()


def _attrs(instance: Instance) -> dict[str, Any]:
    found = {"Modality": instance.modality, "SOPInstanceUID": instance.sop_instance_uid, "decisions": []}
    return {**found, "StudyInstanceUID": instance.study_uid, "SeriesInstanceUID": instance.series_uid}


_READERS = {"RTDOSE": _dose, "SEG": _mask}
