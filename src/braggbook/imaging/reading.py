"""One door for every series: images, dose and segmentations, each read by its room."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array
import pydicom
import xarray as xr

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dicom.images import guarded, local_path
from braggbook.imaging.dicom.index import Index, index_dicom
from braggbook.imaging.dicom.instances import Instance, Series
from braggbook.imaging.dicom.planes import Gaps, Tilt
from braggbook.imaging.dicom.read import DEFAULTS, check_options, is_image, is_other_kind, read_image, read_images
from braggbook.imaging.dicom.rescale import Padding, Rescale
from braggbook.imaging.dicom.series import Decision, Finding
from braggbook.imaging.dose.grids import decode_dose, read_dose
from braggbook.imaging.structures.segmentations import read_segmentations, segment_mask
from braggbook.imaging.volumes import make_volume

_MOST = 1 << 32  # bytes of an object with its pixels; a plain element cannot be longer
LOST = ("the file ends inside its header", "cannot be read", "too many elements before the pixels")
_SHOWN = 20


def read_dicom(
    where: Any,
    *,
    series: str | None = None,
    part: int | None = None,
    gaps: Gaps = "refuse",
    tilt: Tilt = "keep",
    rescale: Rescale = "modality",
    padding: Padding = "nan",
    region: int | None = None,
) -> xr.Dataset:
    """Reads one series.

    Pixels are read when they are computed, one chunk a slice, so that a volume may be larger than memory.

    Args:
        where: A folder, file, zip or DICOMDIR, or several of these, as :func:`index_dicom` takes them; or an index
            (which can be made with progress shown), or one of its series.
        series: SeriesInstanceUID, or a modality or description that only one series has; may be left out when there is
            one series of images.
        part: Which volume of the series, when it has several: their numbers are in the error that says so.
        gaps: ``"refuse"`` missing slices, or ``"mark"`` them with NaN.
        tilt: A tilted gantry: ``"keep"`` it as a skewed affine, ``"deskew"`` by interpolation, or ``"refuse"`` it.
        rescale: ``"modality"`` (Modality LUT or slope and intercept, each slice its own), ``"stored"``,
            ``"real_world"`` (Real World Value Mapping), or ``"philips"`` (floating-point value of Philips MR).
        padding: Whether padded pixels become ``"nan"`` or ``"keep"`` their number.
        region: Which ultrasound region calibrates, when they differ.

    Returns:
        A dataset with one variable, ``image`` (``dose`` for RTDOSE, ``mask`` for SEG): dims from t c z y x, coordinates
        and affine in LPS mm at voxel centres, ``units``. ``attrs["decisions"]`` lists what had to be decided.

    Raises:
        DicomError: The series cannot be read, or not without a decision that is yours.
    """
    options = {"gaps": gaps, "tilt": tilt, "rescale": rescale, "padding": padding, "region": region}
    check_options(options)
    chosen, lost = _one_series(where, series)
    with guarded(chosen):
        if _is_other_kind(chosen):
            return _read_other(chosen, part=part)
        return read_image(chosen, part=part, found=lost, options=options)


def read_volumes(where: Any, *, series: str | None = None, **options: Any) -> list[xr.Dataset]:
    """Reads every volume of one series, localisers and planes too, the largest first.

    Args:
        where: As :func:`read_dicom` takes it.
        series: As :func:`read_dicom` takes it.
        **options: As :func:`read_dicom` takes them, but ``part``.

    Raises:
        DicomError: One of them cannot be read.
    """
    options = {**DEFAULTS, **options}
    check_options(options)
    chosen, lost = _one_series(where, series)
    with guarded(chosen):
        if _is_other_kind(chosen):
            return [_read_other(chosen, part=number) for number in range(len(chosen))]
        return read_images(chosen, found=lost, options=options)


def _is_other_kind(series: Series) -> bool:
    return bool(series.frames) and all(map(is_other_kind, series))


def _one_series(where: Any, name: str | None) -> tuple[Series, tuple[Finding, ...]]:
    """Returns the series that is meant, and what was left out of it because it cannot be read."""
    if isinstance(where, Series):
        return where, _other_objects(where)
    index = where if isinstance(where, Index) else index_dicom(where)
    images = [series for series in index.series if series.frames]
    called = images if name is None else _called(index.series, name)
    if len(called) == 1:
        return called[0], (*_unreadable(index), *_other_objects(called[0]))
    listed = [_series_issue(series) for series in called or index.series]
    if not called:
        what = f"no series {name!r}" if name is not None else "no series of images"
        raise DicomError(what, where=index.where, wanted="one of these", issues=listed or index.issues)
    what = f"{len(called)} series" + (f" that are called {name!r}" if name else "")
    command = f'read_dicom(..., series="{called[0].uid}")'
    raise DicomError(what, where=index.where, wanted="one", next_command=command, issues=listed)


def _called(known: Sequence[Series], name: str) -> list[Series]:
    """Returns the series with a UID, modality or description, or with a UID that begins or ends so."""
    exact = [series for series in known if name in (series.uid, series.modality, series.description)]
    return exact or [series for series in known if name and (series.uid.startswith(name) or series.uid.endswith(name))]


def _series_issue(series: Series) -> Issue:
    count = f"{len(series)} {'instance' if len(series) == 1 else 'instances'}"
    return Issue(" ".join(filter(None, (series.modality or "?", series.description))) + f", {count}", series.uid)


def _unreadable(index: Index) -> tuple[Finding, ...]:
    """Says which objects could not be read at all, or name no series: a slice of this series may be among them."""
    sources = tuple(f"{instance.source}" for instance in index.instances)
    lost = [str(issue) for issue in index.issues if issue.what in LOST and not issue.where.startswith(sources)]
    lost += [f"{one.source}: no image, and of no series" for one in index if not (one.in_series or one.frames)]
    if not lost:
        return ()
    return (Finding("unreadable files", Decision.LEFT_OUT, "; ".join(lost[:_SHOWN])),)


def _other_objects(series: Series) -> tuple[Finding, ...]:
    """Says which objects of a series of images are none."""
    others = [one for one in series if is_other_kind(one) or not is_image(one)]
    if not others or len(others) == len(series) or all(is_other_kind(one) for one in series if one.frames):
        return ()
    named = "; ".join(f"{one.modality or 'an object'} in {one.source}" for one in others[:_SHOWN])
    return (Finding("other objects", Decision.LEFT_OUT, f"{len(others)} beside the images: {named}"),)


def _read_other(series: Series, *, part: int | None) -> xr.Dataset:
    """Reads a dose, or a segmentation: one ``c`` for each segment, by its label."""
    chosen = _one(series.instances, part)
    return _READERS[chosen.modality](chosen)


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
    path = local_path(instance.source)
    dose = read_dose(path) if path is not None else decode_dose(_whole(instance), where=str(instance.source))
    return xr.Dataset({"dose": dose}, attrs=_attrs(instance))


def _whole(instance: Instance) -> pydicom.Dataset:
    with instance.source.open() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_dataset(file, pixels=True, most=_MOST)


def _mask(instance: Instance) -> xr.Dataset:
    found = read_segmentations(instance)
    dtype = "float32" if found.kind == "FRACTIONAL" else "bool"
    masks = [
        dask.array.from_delayed(dask.delayed(_values)(segment_mask, found, each.number), found.grid.shape, dtype)
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
