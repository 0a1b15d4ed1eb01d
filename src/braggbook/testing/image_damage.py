"""A small radiotherapy study without a flaw, and single damages of it, each with a strength and declared dimensions.

For tests of quality: a score may only fall with the strength of a damage, and only in the dimensions declared for it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from braggbook.formats.quality import Dimension
from braggbook.imaging.geometry import Grid
from braggbook.testing.dicom import (
    code,
    make_rtdose,
    make_rtplan,
    make_rtstruct,
    make_series,
    make_uid,
    set_tags,
    write_dicom,
)

SLICES, SIDE, STEP_MM, PIXEL_MM = 12, 32, 10.0, 10.0
_PRESCRIBED_GY = 50.0
_METHODS = ("113100", "113105", "113107", "113108", "113109", "113112")
_NAME = "Mustermann^Erika"

Study = list[Dataset]


@dataclass(frozen=True)
class Damage:
    """One thing that can go wrong.

    Attributes:
        name: Of the function.
        dimensions: Whose scores it lowers; no other may change.
        inject: Takes the objects of a study and a strength above 0, at most 1; returns the damaged objects.
    """

    name: str
    dimensions: frozenset[Dimension]
    inject: Callable[[Study, float], Study]


DAMAGES: dict[str, Damage] = {}
Injector = Callable[[Study, float], Study]


def damage(*dimensions: Dimension) -> Callable[[Injector], Injector]:
    """Registers an injector with the dimensions that it hurts."""

    def register(inject: Injector) -> Injector:
        DAMAGES[inject.__name__] = Damage(inject.__name__, frozenset(dimensions), inject)
        return inject

    return register


def make_study() -> Study:
    """Returns a CT of 12 slices, structures, plan and dose that agree, de-identified: nothing of them is wrong."""
    return copy.deepcopy(_study())


def write_study(objects: Study, folder: Path) -> Path:
    """Writes objects as files of a folder, and returns the folder."""
    for number, each in enumerate(objects):
        write_dicom(each, folder / f"{each.Modality}{number:03d}.dcm")
    return folder


@lru_cache(maxsize=1)
def _study() -> Study:
    grid = Grid.from_axes(
        (SLICES, SIDE, SIDE), spacing_mm=(STEP_MM, PIXEL_MM, PIXEL_MM), origin_mm=(-155.0, -155.0, 0.0)
    )
    shared: dict[str, Any] = {"PatientName": "P001", "PatientID": "P001", **_claim()}
    images = make_series(
        _phantom(), grid, RescaleIntercept="-1024", ConvolutionKernel="STANDARD", PatientWeight="70",
        SpacingBetweenSlices=f"{STEP_MM:g}", InstitutionName=..., PatientAge="050Y", **shared,
    )  # fmt: skip
    outlines = {name: _ring_stack(*place) for name, place in _STRUCTURES.items()}
    structures = make_rtstruct(outlines, images=images, types={"PTV": "PTV"}, **shared)
    plan = make_rtplan(structures=structures, target=3, prescription_gy=_PRESCRIBED_GY, **shared)
    dose = make_rtdose(_dose(), grid, plan=plan, **shared)
    objects = [*images, structures, plan, dose]
    for each in objects:
        set_tags(
            each, {"OperatorsName": "", "ReferringPhysicianName": "", "AccessionNumber": "", "PatientBirthDate": ""}
        )
    return objects


_STRUCTURES = {  # centre (x, y) and radius in mm
    "Lung_L": (60.0, 0.0, 45.0),
    "Lung_R": (-60.0, 0.0, 45.0),
    "PTV": (0.0, 60.0, 30.0),
}


def _claim() -> dict[str, Any]:
    methods = [code(value, "DCM", f"option {value}") for value in _METHODS]
    return {
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "generated",
        "DeidentificationMethodCodeSequence": methods,
        "LongitudinalTemporalInformationModified": "MODIFIED",
    }


def _phantom() -> npt.NDArray[np.int16]:
    """Returns stored values (z, y, x) of air, soft tissue, two lungs and a spine, with noise of 8 HU."""
    rng = np.random.default_rng(5)
    y, x = np.meshgrid(*[np.arange(SIDE) * PIXEL_MM - 155.0] * 2, indexing="ij")
    hu = np.full((SIDE, SIDE), -1000.0)
    hu[(x / 140) ** 2 + (y / 110) ** 2 < 1] = 40.0
    for sign in (-1, 1):
        hu[(x - sign * 60) ** 2 + y**2 < 45**2] = -800.0
    hu[x**2 + (y - 80) ** 2 < 20**2] = 700.0
    volume = np.broadcast_to(hu, (SLICES, SIDE, SIDE)) + rng.normal(0, 8, (SLICES, SIDE, SIDE))
    return np.asarray(np.rint(volume) + 1024, dtype=np.int16)


def _ring_stack(x_mm: float, y_mm: float, radius_mm: float) -> list[npt.NDArray[np.float64]]:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.column_stack([x_mm + radius_mm * np.cos(angle), y_mm + radius_mm * np.sin(angle)])
    return [np.column_stack([ring, np.full(len(ring), k * STEP_MM)]) for k in range(2, SLICES - 2)]


def _dose() -> npt.NDArray[np.float64]:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (SLICES, SIDE, SIDE)], indexing="ij")
    return 52.0 * np.exp(-(x**2 + (y - 0.4) ** 2 + z**2))


def _images(objects: Study) -> Study:
    return [each for each in objects if each.Modality == "CT"]


def _one(objects: Study, modality: str) -> Dataset:
    return next(each for each in objects if each.Modality == modality)


def _some(objects: Study, strength: float, *, most: int = 5) -> Study:
    """Returns the slices to damage: every second from the third on, so that no two are neighbours or at an end."""
    return _images(objects)[2 : 2 + 2 * max(1, math.ceil(strength * most)) : 2][:most]


def _pixels(image: Dataset) -> npt.NDArray[np.int16]:
    return np.frombuffer(image.PixelData, dtype="<i2").reshape(image.Rows, image.Columns).copy()


def _put(image: Dataset, values: npt.ArrayLike) -> None:
    image.PixelData = np.asarray(values, dtype="<i2").tobytes()


def _without(objects: Study, gone: Sequence[Dataset]) -> Study:
    return [each for each in objects if not any(each is other for other in gone)]


@damage("geometry", "completeness", "consistency")
def missing_slices(objects: Study, strength: float) -> Study:
    """Slices are gone, to which the structure set still refers."""
    return _without(objects, _some(objects, strength, most=4))


@damage("geometry", "image")
def duplicated_slices(objects: Study, strength: float) -> Study:
    """Slices are there a second time, under a UID of their own."""
    copies = [copy.deepcopy(each) for each in _some(objects, strength)]
    for each in copies:
        each.SOPInstanceUID = make_uid(each.SOPInstanceUID, "copy")
    return objects + copies


@damage("consistency")
def repeated_uids(objects: Study, strength: float) -> Study:
    """Slices have the UID of their predecessor, but their own pixels."""
    images = _images(objects)
    for each in _some(objects, strength):
        each.SOPInstanceUID = images[images.index(each) - 1].SOPInstanceUID
    return objects


@damage("consistency")
def duplicated_series(objects: Study, strength: float) -> Study:
    """The series is there a second and a third time, under UIDs of their own."""
    copies = []
    for number in range(math.ceil(strength * 2)):
        for each in map(copy.deepcopy, _images(objects)):
            each.SOPInstanceUID = make_uid(each.SOPInstanceUID, "series", number)
            each.SeriesInstanceUID = make_uid(each.SeriesInstanceUID, "series", number)
            copies.append(each)
    return objects + copies


@damage("geometry")
def wrong_spacing(objects: Study, strength: float) -> Study:
    """Pixels of some slices are said to be larger."""
    for each in _some(objects, strength):
        each.PixelSpacing = ["9", "9"]
    return objects


@damage("plausibility", "geometry")
def implausible_spacing(objects: Study, strength: float) -> Study:
    """Pixels of some slices are said to be metres."""
    for each in _some(objects, strength):
        each.PixelSpacing = ["1000", "1000"]
    return objects


@damage("geometry")
def wrong_spacing_of_all(objects: Study, strength: float) -> Study:
    """Pixels of all slices are said to be smaller, so that structures are larger than the images."""
    for each in _images(objects):
        each.PixelSpacing = [f"{6 - 4 * strength:g}"] * 2
    return objects


@damage("geometry")
def wrong_steps_of_all(objects: Study, strength: float) -> Study:
    """All slices are said to be nearer to each other."""
    for each in _images(objects):
        x, y, z = each.ImagePositionPatient
        each.ImagePositionPatient = [x, y, f"{float(z) * (0.5 - 0.3 * strength):g}"]
    return objects


@damage("consistency")
def lost_ends(objects: Study, strength: float) -> Study:
    """The last slices are gone, to which the structure set still refers."""
    return _without(objects, _images(objects)[-math.ceil(strength * 4) :])


@damage("geometry")
def shifted_slices(objects: Study, strength: float) -> Study:
    """Some slices are moved along their normal, by less than half a step."""
    for each in _some(objects, strength):
        x, y, z = each.ImagePositionPatient
        each.ImagePositionPatient = [x, y, f"{float(z) + 3:g}"]
    return objects


@damage("geometry")
def tilted_gantry(objects: Study, strength: float) -> Study:
    """Every slice is shifted sideways against the one before."""
    for number, each in enumerate(_images(objects)):
        x, y, z = each.ImagePositionPatient
        each.ImagePositionPatient = [x, f"{float(y) - number * 1.0 * strength:.3f}", z]
    return objects


@damage("geometry")
def turned_slices(objects: Study, strength: float) -> Study:
    """Some slices lie another way."""
    for each in _some(objects, strength):
        each.ImageOrientationPatient = ["1", "0", "0", "0", "0.8", "0.6"]
    return objects


@damage("geometry", "completeness", "conformance")
def lost_positions(objects: Study, strength: float) -> Study:
    """Some slices do not say where they are."""
    for each in _some(objects, strength):
        del each.ImagePositionPatient
    return objects


@damage("geometry")
def shuffled_numbers(objects: Study, strength: float) -> Study:
    """Instance numbers of some neighbours are exchanged."""
    images = _images(objects)
    for each in _some(objects, strength):
        other = images[images.index(each) - 1]
        each.InstanceNumber, other.InstanceNumber = other.InstanceNumber, each.InstanceNumber
    return objects


@damage("plausibility", "image")
def clipped_hu(objects: Study, strength: float) -> Study:
    """Bone is cut off."""
    for each in _images(objects):
        _put(each, np.minimum(_pixels(each), 1024 + int(600 - 400 * strength)))
    return objects


@damage("plausibility")
def lost_air(objects: Study, strength: float) -> Study:
    """Air and lung are cut off, as by a window."""
    for each in _images(objects):
        _put(each, np.maximum(_pixels(each), 1024 - int(600 - 500 * strength)))
    return objects


@damage("plausibility")
def wrong_intercept(objects: Study, strength: float) -> Study:
    """All HU are too high."""
    for each in _images(objects):
        each.RescaleIntercept = f"{-1024 + 1024 * strength:g}"
    return objects


@damage("plausibility")
def wrong_weight(objects: Study, strength: float) -> Study:
    """The weight of some slices is in grams."""
    for each in _some(objects, strength):
        each.PatientWeight = "70000"
    return objects


@damage("plausibility")
def wrong_dose(objects: Study, strength: float) -> Study:
    """Dose is too high."""
    dose = _one(objects, "RTDOSE")
    dose.DoseGridScaling = f"{float(dose.DoseGridScaling) * (1 + 9 * strength):.9g}"
    return objects


@damage("consistency")
def relative_dose(objects: Study, strength: float) -> Study:  # noqa: ARG001 - there is one dose
    """Dose is relative."""
    _one(objects, "RTDOSE").DoseUnits = "RELATIVE"
    return objects


@damage("consistency")
def mixed_manufacturers(objects: Study, strength: float) -> Study:
    """Some slices are from another scanner."""
    for each in _some(objects, strength):
        each.Manufacturer, each.ManufacturerModelName = "SIEMENS", "Other"
    return objects


@damage("consistency")
def mixed_kernels(objects: Study, strength: float) -> Study:
    """Some slices are reconstructed otherwise."""
    for each in _some(objects, strength):
        each.ConvolutionKernel = "BONE"
    return objects


@damage("consistency")
def mixed_frames_of_reference(objects: Study, strength: float) -> Study:
    """Some slices are in another space."""
    for each in _some(objects, strength):
        each.FrameOfReferenceUID = make_uid("another", "frame")
    return objects


@damage("consistency")
def mixed_patients(objects: Study, strength: float) -> Study:
    """Some slices are of another patient."""
    for each in _some(objects, strength):
        each.PatientName, each.PatientID = "P002", "P002"
    return objects


@damage("consistency")
def dates_out_of_order(objects: Study, strength: float) -> Study:
    """Some slices are of a series that began before its study."""
    for each in _some(objects, strength):
        each.SeriesDate = "20250101"
    return objects


@damage("consistency")
def lost_references(objects: Study, strength: float) -> Study:
    """The plan refers to a structure set that is not here."""
    for each in (_one(objects, "RTPLAN"), _one(objects, "RTDOSE"))[: math.ceil(2 * strength)]:
        for name in ("ReferencedStructureSetSequence", "ReferencedRTPlanSequence"):
            if name in each:
                each[name].value[0].ReferencedSOPInstanceUID = make_uid("nowhere")
    return objects


@damage("identity leakage")
def leaked_names(objects: Study, strength: float) -> Study:
    """Names are left in the comments, and of persons."""
    for each in _some(objects, strength):
        set_tags(each, {"ImageComments": f"seen with {_NAME}", "OperatorsName": _NAME})
    return objects


@damage("identity leakage")
def private_blocks(objects: Study, strength: float) -> Study:
    """Some slices have private elements."""
    for each in _some(objects, strength):
        block = each.private_block(0x0009, "ACME", create=True)
        block.add_new(0x10, "LO", "something that nobody knows")
    return objects


@damage("identity leakage")
def names_in_private_bytes(objects: Study, strength: float) -> Study:
    """Some slices have a name among the bytes of a private element."""
    for each in _some(objects, strength):
        block = each.private_block(0x0029, "ACME CSA", create=True)
        block.add_new(0x10, "OB", b"\x01\x02\0" + _NAME.encode() + b"\0\xff")
    return objects


@damage("identity leakage")
def lost_claims(objects: Study, strength: float) -> Study:
    """Some slices do not say that identity was removed, as the others do."""
    for each in _some(objects, strength):
        del each.PatientIdentityRemoved
    return objects


@damage("identity leakage")
def burnt_in_text(objects: Study, strength: float) -> Study:
    """Some slices say that text is burnt in."""
    for each in _some(objects, strength):
        each.BurnedInAnnotation = "YES"
    return objects


@damage("identity leakage")
def full_birth_date(objects: Study, strength: float) -> Study:
    """The birth date is left, in some objects."""
    for each in _some(objects, strength):
        each.PatientBirthDate = "19760304"
    return objects


@damage("identity leakage")
def great_age(objects: Study, strength: float) -> Study:
    """An age above 89 is left."""
    for each in _some(objects, strength):
        each.PatientAge = "097Y"
    return objects


@damage("conformance")
def truncated_pixels(objects: Study, strength: float) -> Study:
    """Pixels of some slices are not all there."""
    for each in _some(objects, strength):
        each.PixelData = each.PixelData[: len(each.PixelData) // 2]
    return objects


@damage("conformance")
def broken_values(objects: Study, strength: float) -> Study:
    """Some slices have a word for a date, and small letters in a code."""
    for each in _some(objects, strength):
        set_tags(each, {"InstanceCreationDate": "today", "ScanOptions": "helical mode"})
    return objects


@damage("conformance")
def illegal_uids(objects: Study, strength: float) -> Study:
    """Some slices have an identifier with a leading zero."""
    for each in _some(objects, strength):
        set_tags(each, {"IrradiationEventUID": "1.2.03.4"})
    return objects


@damage("conformance")
def lost_type_2(objects: Study, strength: float) -> Study:
    """Some slices lack an attribute that must be there, be it empty."""
    for each in _some(objects, strength):
        del each.ReferringPhysicianName
    return objects


@damage("completeness")
def lost_body_part(objects: Study, strength: float) -> Study:
    """Some slices do not say what they show."""
    for each in _some(objects, strength):
        set_tags(each, {"BodyPartExamined": ...})
    return objects


@damage("image")
def noise(objects: Study, strength: float) -> Study:
    """Noise drowns the body: 250 to 500 HU."""
    rng = np.random.default_rng(11)
    for each in _images(objects):
        noisy = _pixels(each) + rng.normal(0, 250 + 250 * strength, (SIDE, SIDE))
        _put(each, np.clip(noisy, 0, 4095).round())
    return objects


@damage("image")
def constant_slices(objects: Study, strength: float) -> Study:
    """Some slices have one value."""
    for each in _some(objects, strength):
        _put(each, np.full((SIDE, SIDE), 1024))
    return objects


@damage("image")
def copied_pixels(objects: Study, strength: float) -> Study:
    """Some slices have the pixels of their neighbour."""
    images = _images(objects)
    for each in _some(objects, strength):
        each.PixelData = images[images.index(each) - 1].PixelData
    return objects


@damage("image")
def slices_of_another(objects: Study, strength: float) -> Study:
    """Some slices show another body."""
    for each in _some(objects, strength):
        _put(each, np.roll(_pixels(each)[::-1], 8, axis=1))
    return objects


@damage("labels")
def swapped_labels(objects: Study, strength: float) -> Study:  # noqa: ARG001 - names are exchanged or they are not
    """Left and right are exchanged."""
    left, right = _one(objects, "RTSTRUCT").StructureSetROISequence[:2]
    left.ROIName, right.ROIName = right.ROIName, left.ROIName
    return objects


@damage("labels")
def unknown_names(objects: Study, strength: float) -> Study:
    """Names that no table has."""
    for number, each in enumerate(_one(objects, "RTSTRUCT").StructureSetROISequence[2:]):
        each.ROIName = f"q{number}w{strength}"
    return objects


@damage("labels")
def empty_masks(objects: Study, strength: float) -> Study:
    """Structures lose their contours."""
    contours = _one(objects, "RTSTRUCT").ROIContourSequence
    for each in list(contours)[::-1][: math.ceil(strength * 2)]:
        del each.ContourSequence
    return objects


@damage("labels")
def missing_planes(objects: Study, strength: float) -> Study:
    """Contours are missing within a structure."""
    contour = _one(objects, "RTSTRUCT").ROIContourSequence[2]
    gone = range(2, 2 + 2 * math.ceil(strength * 2), 2)
    contour.ContourSequence = [each for number, each in enumerate(contour.ContourSequence) if number not in gone]
    return objects


@damage("labels")
def outside_images(objects: Study, strength: float) -> Study:
    """A structure is partly beyond the images."""
    for contour in _one(objects, "RTSTRUCT").ROIContourSequence[2].ContourSequence:
        points = np.asarray(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        points[:, 1] += 80 + 100 * strength
        contour.ContourData = [f"{value:.6g}" for value in points.ravel()]
    return objects


@damage("labels")
def tiny_organ(objects: Study, strength: float) -> Study:
    """An organ has a volume that it cannot have."""
    for contour in _one(objects, "RTSTRUCT").ROIContourSequence[0].ContourSequence:
        points = np.asarray(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        points[:, :2] = 60.0 * np.array((1, 0)) + (points[:, :2] - np.array((60.0, 0))) * (0.1 - 0.05 * strength)
        contour.ContourData = [f"{value:.6g}" for value in points.ravel()]
    return objects
