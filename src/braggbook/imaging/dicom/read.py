"""Images of a DICOM series as an :class:`xarray.Dataset`: lazy, in patient coordinates, in the unit of the measurement.

Which rules decide is in ``docs/explain/dicom_geometry.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import xarray as xr

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.frames import Frame, frames_of
from braggbook.imaging.dicom.images import ImageHeader, header_of, plain, tag_name
from braggbook.imaging.dicom.instances import Instance, Series
from braggbook.imaging.dicom.lazy import SliceArray, as_dask, deskew, remember
from braggbook.imaging.dicom.pet_header import pet_tags
from braggbook.imaging.dicom.pixels import check_pixels
from braggbook.imaging.dicom.planar import cine_times, pixel_size
from braggbook.imaging.dicom.planes import Gaps, Planes, Tilt, place_planes
from braggbook.imaging.dicom.rescale import Padding, Rescale, dtype_of, mappings_of, padding_of, scale_of, units_of
from braggbook.imaging.dicom.series import TIMES, Decision, Finding, Part, choose, parts_of, without_copies
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume

# What a data set keeps of the headers; nothing that names the patient.
KEPT = (
    "Modality", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "StudyDescription",
    "SeriesDescription", "SeriesNumber", "ProtocolName", "ImageType", "BodyPartExamined", "PatientPosition",
    "PatientOrientation", "ImageLaterality", "ViewPosition", "Manufacturer", "ManufacturerModelName", "StudyDate",
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "SliceThickness", "SpacingBetweenSlices",
    "GantryDetectorTilt", "KVP", "XRayTubeCurrent", "Exposure", "ExposureTime", "ConvolutionKernel", "CTDIvol",
    "MagneticFieldStrength", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "ScanningSequence",
    "SequenceName", "Units", "SUVType", "DecayCorrection", "CorrectedImage", "CountsSource", "ReconstructionMethod",
    "AttenuationCorrectionMethod", "FrameReferenceTime", "ActualFrameDuration",
    "RadiopharmaceuticalInformationSequence", "PatientWeight", "PatientSize", "PatientSex", "RescaleType",
    "PhotometricInterpretation", "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "EstimatedRadiographicMagnificationFactor", "WindowCenter", "WindowWidth",
)  # fmt: skip


_APART = 1.5  # times its thickness from one slice to the next; gaps between slices of MR are a fifth of it, or a third
DEFAULTS = {"gaps": "refuse", "tilt": "keep", "rescale": "modality", "padding": "nan", "region": None}
_WORDS = {
    "gaps": get_args(Gaps),
    "tilt": get_args(Tilt),
    "rescale": get_args(Rescale),
    "padding": get_args(Padding),
}
OTHER_KINDS = {"RTDOSE", "SEG"}  # pixels, but no image: the rooms of dose and structures read them


def is_other_kind(instance: Instance) -> bool:
    """Whether an instance is a dose or a segmentation."""
    return instance.modality in OTHER_KINDS


def read_image(
    series: Series, *, part: int | None, found: tuple[Finding, ...], options: Mapping[str, Any]
) -> xr.Dataset:
    """Reads one volume of a series of images.

    Args:
        series: Its other objects are left out.
        part: Which volume, when it has several.
        found: What was decided before.
        options: All of :data:`DEFAULTS`, checked.

    Raises:
        DicomError: It cannot be read, or not without a decision.
    """
    headers, copies = without_copies(_image_headers(series))
    return _dataset(choose(parts_of(frames_of(headers)), part), (*found, *copies), options)


def read_images(series: Series, *, found: tuple[Finding, ...], options: Mapping[str, Any]) -> list[xr.Dataset]:
    """Reads every volume of a series of images, the largest first; see :func:`read_image`."""
    headers, copies = without_copies(_image_headers(series))
    parts = parts_of(frames_of(headers))
    return [_dataset(choose(parts, number), (*found, *copies), options) for number in range(len(parts))]


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses words that mean nothing."""
    for name, value in options.items():
        if name not in DEFAULTS:
            raise DicomError("no such option", wanted=f"one of {', '.join(DEFAULTS)}", got=name)
        if name in _WORDS and value not in _WORDS[name]:
            raise DicomError(f"not a choice of {name}", wanted=f"one of {', '.join(_WORDS[name])}", got=repr(value))


def is_image(instance: Instance) -> bool:
    """Whether it is an image, also one whose size cannot be read: that is then said, and it is not left out."""
    return bool(instance.frames) or instance.pixel_offset is not None


def _image_headers(series: Series) -> list[ImageHeader]:
    headers = [header_of(instance) for instance in series if is_image(instance) and not is_other_kind(instance)]
    if not headers:
        got = f"{len(series)} instances of {series.modality or 'no modality'}"
        raise DicomError("a series without images", where=series.uid, wanted=tag_name("Rows"), got=got)
    return headers


def _dataset(part: Part, copies: tuple[Finding, ...], options: Mapping[str, Any]) -> xr.Dataset:
    flat = part.kind == "plane" or not part.first.has_place
    for header in {id(frame.header): frame.header for row in part.rows for frame in row}.values():
        check_pixels(header)
    planes = None if flat else _placed(part, options)
    grid = _flat_grid(part, options["region"]) if planes is None else planes.grid
    voxels = _voxels(part, grid, planes, options)
    data = as_dask(voxels)
    record: dict[str, Any] = {}
    if planes is not None and planes.tilt_deg and options["tilt"] == "deskew":
        data, grid, record = deskew(data, grid)
    findings = [*copies, *part.findings, *(_findings(planes, part.first, record) if planes is not None else ())]
    image = _as_volume(data, grid, part, options)
    if not record:
        remember(image.data, voxels)
    if flat:
        findings.append(_mark_flat(image, part, options["region"]))
    if options["rescale"] == "real_world" and len(names := mappings_of(part.first)) > 1:
        text = f"{len(names)} mappings ({', '.join(names)}): the first is taken"
        findings.append(Finding("real world values", Decision.RIGHT, text))
    image.attrs.update({"deskewed": record} if record else {})
    attrs = {**_kept(part.first), **(_measured(planes) if planes is not None else {})}
    attrs["decisions"] = [finding.as_json() for finding in findings]
    if part.first.header.get("Modality") == "PT" and planes is not None:
        placed = [frame for row in voxels.frames for frame in row]
        attrs["pet"] = pet_tags([None if frame is None else frame.header.dataset for frame in placed])
    return xr.Dataset({"image": image}, attrs=attrs)


def _placed(part: Part, options: Mapping[str, Any]) -> Planes:
    return place_planes(part.rows[0], gaps=options["gaps"], tilt=options["tilt"])


def _voxels(part: Part, grid: Grid, planes: Planes | None, options: Mapping[str, Any]) -> SliceArray:
    """Puts frames, and how their values are found, where the grid has them."""
    index = (0,) if planes is None else planes.index
    keep = {"rescale": options["rescale"], "padding": options["padding"]}
    frames: list[tuple[Frame | None, ...]] = []
    scales = []
    for row in part.rows:
        at = dict(zip(index, row, strict=True))
        frames.append(tuple(at.get(number) for number in range(grid.shape[0])))
        scales.append(tuple(None if frame is None else scale_of(frame, **keep) for frame in frames[-1]))
    flat = [frame for row in part.rows for frame in row]
    used = [scale for row in scales for scale in row if scale is not None]
    gaps = any(frame is None for row in frames for frame in row)
    palette = part.first.header.get("PhotometricInterpretation") == "PALETTE COLOR" and options["rescale"] != "stored"
    samples = 3 if palette else int(part.first.header.get("SamplesPerPixel", 1))
    dtype = _palette_dtype(part.first) if palette else dtype_of(flat, used, gaps=gaps)
    shape = (len(frames), samples, *grid.shape)
    return SliceArray(tuple(frames), tuple(scales), shape, dtype, palette)


def _palette_dtype(frame: Frame) -> np.dtype[Any]:
    descriptor = frame.header.dataset.get("RedPaletteColorLookupTableDescriptor")
    if descriptor is None:
        wanted = tag_name("RedPaletteColorLookupTableDescriptor")
        raise DicomError("a palette without its colours", where=str(frame), wanted=wanted)
    return np.dtype(np.uint8 if int(descriptor[2]) == 8 else np.uint16)


def _as_volume(data: Any, grid: Grid, part: Part, options: Mapping[str, Any]) -> xr.DataArray:
    coords = _time_coords(part) if len(part.rows) > 1 else {}
    if data.shape[1] > 1:
        coords["c"] = ("c", ["R", "G", "B", "A"][: data.shape[1]])
    else:
        data = data[:, 0]
    if len(part.rows) == 1:
        data = data[0]
    units = _units(part, options["rescale"])
    attrs: dict[str, Any] = {"modality": str(part.first.header.get("Modality", "")), "rescale": options["rescale"]}
    if (padded := padding_of(part.first)) is not None:
        attrs["padding"] = {"stored_from": padded[0], "stored_to": padded[1], "now": options["padding"]}
    return make_volume(data, grid, name="image", units=units, attrs=attrs, coords=coords)


def _units(part: Part, rescale: Rescale) -> str:
    known: dict[str, Frame] = {}
    for row in part.rows:
        for frame in row:
            known.setdefault(units_of(frame, rescale=rescale), frame)
    if len(known) > 1:
        issues = [Issue(f"values in {unit}", str(frame)) for unit, frame in known.items()]
        raise DicomError("a volume with mixed units", where=str(part.first), wanted="one unit", issues=issues)
    return next(iter(known))


def _time_coords(part: Part) -> dict[str, Any]:
    """Returns what t is: the first tag's values when they are numbers, else numbers from 0; and the tags by name."""
    if not part.times:
        moments, unit = cine_times(part.first, len(part.rows))
        return {"t": ("t", moments, {"units": unit})}
    units = {name: unit for name, unit, _ in TIMES}
    coords: dict[str, Any] = {}
    for name, values in part.times.items():
        shown = [list(value) if isinstance(value, tuple) else value for value in values]
        if all(isinstance(value, (int, float)) for value in shown):
            coords[name] = ("t", shown, {"units": units.get(name, "1")})
        else:
            coords[name] = ("t", ["" if value is None else _text(value) for value in shown])
    first = next(iter(part.times))
    alone = len(part.times) == 1 and coords[first][1] and not isinstance(coords[first][1][0], str)
    t = (*coords[first][:2], {**coords[first][2], "tag": first}) if alone else ("t", list(range(len(part.rows))))
    return {"t": t, **coords}


def _text(value: Any) -> str:
    return "\\".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat_grid(part: Part, region: int | None) -> Grid:
    dy, dx = pixel_size(part.first, region=region).spacing
    return Grid.from_axes((1, *part.first.shape), spacing_mm=(1.0, dy, dx))


def _mark_flat(image: xr.DataArray, part: Part, region: int | None) -> Finding:
    """Says that the image has no place in the patient, and how its pixels were measured."""
    size = pixel_size(part.first, region=region)
    image.attrs.update({"frame": "image", "spacing_source": size.source, "spacing_units": size.units})
    image.coords["z"].attrs["units"] = "1"
    for axis in "yx":
        image.coords[axis].attrs["units"] = size.units
    text = f"no position in the patient; pixel size from {size.source}"
    return Finding("no position", Decision.RIGHT, text)


def _findings(planes: Planes, first: Frame, record: dict[str, Any]) -> list[Finding]:
    found = []
    if planes.thickness:
        text = f"a single plane: its thickness is from {planes.thickness}"
        found.append(Finding("single slice", Decision.RIGHT, text))
    spacing, thickness = planes.grid.spacing_mm[0], first.get("SliceThickness")
    if not planes.thickness and isinstance(thickness, float) and 0 < _APART * thickness < spacing:
        text = f"slices of {thickness:.4g} mm are {spacing:.4g} mm apart: what is between them is in no image"
        found.append(Finding("slices apart", Decision.RIGHT, text))
    if planes.jitter_mm > 0.001:
        which = "the mean, for the median would drift off" if planes.drift else "the median"
        text = f"steps differ by up to {planes.jitter_mm:.4f} mm; the spacing is {which}"
        found.append(Finding("jitter", Decision.RIGHT, text))
    if planes.missing:
        places = ", ".join(f"{planes.grid.coordinates_mm()['z'][number]:.2f}" for number in planes.missing[:20])
        text = f"{len(planes.missing)} missing slices are NaN, at z = {places} mm"
        found.append(Finding("gap", Decision.MARKED, text))
    if planes.tilt_deg:
        done = "interpolated away" if record else "kept as a skewed affine"
        found.append(Finding("tilt", Decision.RIGHT, f"slices are tilted by {planes.tilt_deg:.3f} degrees: {done}"))
    return found


def _measured(planes: Planes) -> dict[str, Any]:
    return {"jitter_mm": planes.jitter_mm, "off_grid_mm": planes.off_grid_mm, "tilt_deg": planes.tilt_deg}


def _kept(frame: Frame) -> dict[str, Any]:
    """Returns the tags that matter, as JSON has them."""
    found = {}
    for keyword in KEPT:
        value = frame.tags.get(keyword)
        value = _describing(frame, keyword) if value is None else value
        if value is not None and _is_json(value):
            found[keyword] = value
    return found


def _describing(frame: Frame, keyword: str) -> Any:
    """Returns a value that only describes: one that is not of its kind is as if it were not there."""
    try:
        return plain(frame.header.dataset.get(keyword))
    except Exception:
        return None


def _is_json(value: Any) -> bool:
    """Whether a value can be written as JSON, which has no infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
