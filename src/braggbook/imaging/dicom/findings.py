"""What the headers of a series show to be wrong with it, before any pixel is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.imaging.dicom.instances import Instance

# Positions of real series are rounded (3.19, 3.27 and 3.29 mm in one PET series): steps within a tenth of a millimetre,
# or within 2 % of the median, are even; one and a half steps and more are a missing slice
EVEN_MM = 0.1
EVEN_SHARE = 0.02
GAP_STEPS = 1.5
FARTHEST_MM = 1e7  # 10 km: no scanner is so large, and numbers are exact enough up to there
_SAME_MM = 1e-3  # two positions nearer than this are one
_SAME_COSINE = 1e-3  # scanners write cosines with six digits; 0.06 degrees
_TILT_COSINE = 0.9999  # of the step and the normal; 0.8 degrees
_TIMES_AND_CONTRASTS = (
    "TemporalPositionIdentifier", "TemporalPositionIndex", "TriggerTime", "EchoTime", "DiffusionBValue",
    "AcquisitionNumber", "InversionTime", "FlipAngle", "ImageType", "FrameReferenceTime", "AcquisitionTime",
    "ContentTime",
)  # fmt: skip
_PLANES = {0: "sagittal", 1: "coronal", 2: "axial"}
_PLACED = {"CT", "MR", "PT", "NM", "RTDOSE"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """How the planes of a series lie.

    Attributes:
        orientation: ``axial``, ``coronal``, ``sagittal``, ``oblique ...``, or empty without geometry.
        planes: Different positions along the normal.
        step_mm: Median distance of neighbouring planes; None for one plane.
        gaps: Positions (mm along the normal) and lengths of steps that miss a slice.
        uneven: Whether other steps differ by more than rounding.
        repeated: Instances at a position that another one has.
        tilted: Whether positions move along other lines than the normal.
    """

    orientation: str = ""
    planes: int = 0
    step_mm: float | None = None
    gaps: tuple[tuple[float, float], ...] = ()
    uneven: bool = False
    repeated: int = 0
    tilted: bool = False


def stack_of(instances: Sequence[Instance]) -> Stack:
    """Returns how single-frame instances of the most frequent orientation lie; by positions, never by numbers.

    The normal is the cross product of the row's and the column's direction (DICOM PS3.3 C.7.6.2.1.1).
    """
    placed = [one for one in instances if _cosines(one) is not None and _position(one) is not None]
    if not placed:
        return Stack()
    cosines = np.array([_cosines(one) for one in placed], dtype=np.float64)
    common = _most_frequent(cosines)
    rows = np.abs(cosines - common).max(axis=1) <= _SAME_COSINE
    points = np.array([_position(one) for one in placed], dtype=np.float64)[rows]
    normal = np.cross(common[:3], common[3:])
    length = np.linalg.norm(normal)
    if not length > 0.5:
        return Stack()
    return _measured(points, normal / length)


def _measured(points: Floats, normal: Floats) -> Stack:
    along = points @ normal
    order = np.argsort(along, kind="stable")
    along, points = along[order], points[order]
    first = np.concatenate([[True], np.diff(along) > _SAME_MM])
    planes, steps = along[first], np.diff(along[first])
    name = _orientation(normal)
    if not len(steps):
        return Stack(name, 1, repeated=int(len(along) - 1))
    step = float(np.median(steps))
    wide = steps > GAP_STEPS * step
    gaps = tuple((float(planes[at]), float(steps[at])) for at in np.flatnonzero(wide))
    uneven = bool((np.abs(steps[~wide] - step) > max(EVEN_MM, EVEN_SHARE * step)).any())
    way = points[-1] - points[0]
    tilted = bool(abs(way @ normal) < _TILT_COSINE * np.linalg.norm(way))
    return Stack(name, len(planes), step, gaps, uneven, int(len(along) - len(planes)), tilted)


def frame_step_mm(tags: Mapping[str, Any]) -> float | None:
    """Returns the distance of an RT dose's frames, from GridFrameOffsetVector (PS3.3 C.8.8.3.2)."""
    offsets = tags.get("GridFrameOffsetVector") or ()
    return float(np.median(np.abs(np.diff(offsets)))) if len(offsets) > 1 else None


def _most_frequent(cosines: Floats) -> Floats:
    rounded, counts = np.unique(cosines.round(3) + 0.0, axis=0, return_counts=True)
    nearest = np.abs(cosines - rounded[np.argmax(counts)]).max(axis=1)
    found: Floats = cosines[int(np.argmin(nearest))]
    return found


def _orientation(normal: Floats) -> str:
    axis = int(np.argmax(np.abs(normal)))
    return _PLANES[axis] if abs(normal[axis]) > 1 - _SAME_COSINE else f"oblique {_PLANES[axis]}"


def _cosines(instance: Instance) -> Any:
    value = instance.tags.get("ImageOrientationPatient")
    return value if value is not None and len(value) == 6 else None


def _position(instance: Instance) -> Any:
    value = instance.tags.get("ImagePositionPatient")
    return value if value is not None and len(value) == 3 and max(map(abs, value)) <= FARTHEST_MM else None


def warnings_of(instances: Sequence[Instance]) -> tuple[str, ...]:
    """Returns what is wrong with a series, as far as headers tell; each a sentence without a full stop."""
    images = [one for one in instances if one.frames]
    return (*_mixtures(instances), *_image_mixtures(images), *_stacking(images))


def _mixtures(instances: Sequence[Instance]) -> Iterable[str]:
    kinds: tuple[tuple[str, Callable[[Instance], Any]], ...] = (
        ("patients", lambda one: one.patient_id),
        ("modalities", lambda one: one.modality),
        ("kinds of object", lambda one: one.sop_class_uid),
        ("frames of reference", lambda one: one.frame_of_reference_uid),
    )
    for name, key in kinds:
        counts = Counter(map(key, instances))
        if len(counts) > 1:
            yield f"{len(counts)} {name}: {_listed(counts)}"
    twice = sum(count - 1 for count in Counter(one.sop_instance_uid for one in instances).values())
    if twice:
        yield f"{twice} SOPInstanceUID used again"
    damaged = Counter(issue.what for one in instances for issue in one.issues)
    yield from (f"{count} times: {what}" for what, count in damaged.items())


def _image_mixtures(images: Sequence[Instance]) -> Iterable[str]:
    localisers = sum("LOCALIZER" in one.tags.get("ImageType", ()) for one in images)
    if localisers and localisers < len(images):
        yield f"{localisers} localiser images among the others"
    sizes = Counter(f"{one.tags.get('Rows')} x {one.tags.get('Columns')}" for one in images)
    if len(sizes) > 1:
        yield f"{len(sizes)} image sizes: {_listed(sizes)}"
    spacings = Counter(one.tags.get("PixelSpacing") for one in images)
    if len(spacings) > 1:
        yield f"{len(spacings)} pixel spacings: {_listed(spacings)}"
    if images and any(one.tags.get("BurnedInAnnotation") == "YES" for one in images):
        yield "text is burnt into the pixels"


def _stacking(images: Sequence[Instance]) -> Iterable[str]:
    single = [one for one in images if one.frames == 1 and one.modality in _PLACED]
    lost = sum(_cosines(one) is None or _position(one) is None for one in single)
    if lost:
        yield f"{lost} without position or orientation in the patient"
    ways = {tuple(round(cosine, 2) + 0.0 for cosine in value) for one in single if (value := _cosines(one)) is not None}
    if len(ways) > 1:
        yield f"{len(ways)} orientations"
    stack = stack_of(single)
    for at, length in stack.gaps[:3]:
        yield f"a gap of {length:.4g} mm after {at:.4g} mm, where steps are {stack.step_mm:.4g} mm"
    if len(stack.gaps) > 3:  # the three above
        yield f"{len(stack.gaps)} gaps in all"
    if stack.uneven:
        yield f"uneven steps between slices, {stack.step_mm:.4g} mm in the middle"
    if stack.repeated:
        yield _why_repeated(single, stack)
    if stack.tilted:
        yield "a tilted gantry: positions do not move along the normal"


def _why_repeated(images: Sequence[Instance], stack: Stack) -> str:
    names = [name for name in _TIMES_AND_CONTRASTS if len({one.tags.get(name) for one in images}) > 1]
    told = f"that differ in {', '.join(names[:3])}" if names else "that nothing tells apart"
    return f"{stack.repeated} images at positions of others, {told}"


def _listed(counts: Counter[Any]) -> str:
    shown = [f"{_text(value)} ({count})" for value, count in counts.most_common(3)]
    return ", ".join(shown) + (", ..." if len(counts) > len(shown) else "")


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " x ".join(f"{part:.6g}" if isinstance(part, float) else str(part) for part in value)
    return "none" if value in (None, "") else str(value)
