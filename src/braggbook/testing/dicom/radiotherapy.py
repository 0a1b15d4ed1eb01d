"""Radiotherapy objects: structures, plans and doses that refer to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, RTPlanStorage, RTStructureSetStorage

from braggbook.imaging.geometry import Grid
from braggbook.testing.dicom.common import (
    DATE,
    TIME,
    decimal,
    decimals,
    frame_of_reference,
    item,
    make_uid,
    new_object,
    set_pixels,
    set_tags,
)

_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, which RT structure sets still name
Contours = Sequence[npt.ArrayLike | tuple[str, npt.ArrayLike]]


def reference(dataset: Dataset) -> Dataset:
    """Returns an item that refers to an object."""
    return item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=dataset.SOPInstanceUID)


def make_rtstruct(
    structures: Mapping[str, Contours],
    *,
    images: Sequence[Dataset] = (),
    types: Mapping[str, str] | None = None,
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns a structure set.

    Args:
        structures: Contours by the structure's name: each (n, 3) points in LPS mm, closed, or a pair of a geometric
            type (``POINT``, ``OPEN_PLANAR``, ``CLOSED_PLANAR_XOR`` ...) and its points. None: an empty structure.
        images: The series that it is drawn on; a contour refers to the image whose plane it lies in.
        types: Interpreted types by name; ``ORGAN`` without one.
        seed: As of the images.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    dataset = new_object(RTStructureSetStorage, "RTSTRUCT", seed=seed)
    frame = frame_of_reference(seed)["FrameOfReferenceUID"]
    numbered = list(enumerate(structures, start=1))
    set_tags(
        dataset,
        {
            "StructureSetLabel": "Generated",
            "StructureSetDate": DATE,
            "StructureSetTime": TIME,
            "ApprovalStatus": "UNAPPROVED",
            "FrameOfReferenceUID": frame,
            "PositionReferenceIndicator": "",
        },
    )
    if images:
        dataset.ReferencedFrameOfReferenceSequence = [_frame_reference(images, frame)]
    dataset.StructureSetROISequence = [
        item(ROINumber=n, ReferencedFrameOfReferenceUID=frame, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        for n, name in numbered
    ]
    dataset.ROIContourSequence = [_roi_contours(n, structures[name], images) for n, name in numbered]
    dataset.RTROIObservationsSequence = [
        item(
            ObservationNumber=n,
            ReferencedROINumber=n,
            RTROIInterpretedType=(types or {}).get(name, "ORGAN"),
            ROIInterpreter="",
        )
        for n, name in numbered
    ]
    return set_tags(dataset, tags)


def _frame_reference(images: Sequence[Dataset], frame: str) -> Dataset:
    series = item(
        SeriesInstanceUID=images[0].SeriesInstanceUID, ContourImageSequence=[reference(image) for image in images]
    )
    study = item(
        ReferencedSOPClassUID=_STUDY_CLASS,
        ReferencedSOPInstanceUID=images[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])


def _roi_contours(number: int, contours: Contours, images: Sequence[Dataset]) -> Dataset:
    colour = [int(part) for part in np.random.default_rng(number).integers(0, 256, 3)]
    found = item(ROIDisplayColor=colour, ReferencedROINumber=number)
    items = [_contour(n, contour, images) for n, contour in enumerate(contours, start=1)]
    if items:  # an empty sequence is not allowed, an absent one is (PS3.3 C.8.8.6)
        found.ContourSequence = items
    return found


def _contour(number: int, contour: Any, images: Sequence[Dataset]) -> Dataset:
    kind, points = contour if isinstance(contour, tuple) else ("CLOSED_PLANAR", contour)
    points_mm = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    found = item(
        ContourNumber=number,
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points_mm),
        ContourData=decimals(points_mm),
    )
    if image := _image_of(points_mm, images):
        found.ContourImageSequence = [reference(image)]
    return found


def _image_of(points_mm: npt.NDArray[np.float64], images: Sequence[Dataset]) -> Dataset | None:
    for image in images:
        row, column = np.reshape(np.asarray(image.ImageOrientationPatient, dtype=np.float64), (2, 3))
        position = np.asarray(image.ImagePositionPatient, dtype=np.float64)
        if np.abs((points_mm - position) @ np.cross(row, column)).max() < 0.01:  # mm, far below any slice distance
            return image
    return None


def make_rtplan(
    *,
    structures: Dataset | None = None,
    target: int = 1,
    prescription_gy: float = 50.0,
    fractions: int = 25,
    beams: int = 2,
    isocentre_mm: Sequence[float] = (0.0, 0.0, 0.0),
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns a photon plan of static beams.

    Args:
        structures: The structure set that it was made on.
        target: Number of the structure that the prescription is for.
        prescription_gy: Of all fractions.
        fractions: Number of them.
        beams: Number of them, at even gantry angles.
        isocentre_mm: (x, y, z) LPS.
        seed: As of the images.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    dataset = new_object(RTPlanStorage, "RTPLAN", seed=seed)
    set_tags(
        dataset,
        {
            **frame_of_reference(seed),
            "RTPlanLabel": "Generated",
            "RTPlanDate": DATE,
            "RTPlanTime": TIME,
            "RTPlanGeometry": "PATIENT" if structures else "TREATMENT_DEVICE",
            "ApprovalStatus": "UNAPPROVED",
        },
    )
    prescribed = item(
        DoseReferenceNumber=1,
        DoseReferenceUID=make_uid(seed, "dose reference"),
        DoseReferenceStructureType="SITE",
        DoseReferenceDescription="target",
        DoseReferenceType="TARGET",
        TargetPrescriptionDose=decimal(prescription_gy),
    )
    if structures:
        dataset.ReferencedStructureSetSequence = [reference(structures)]
        prescribed.DoseReferenceStructureType = "VOLUME"
        prescribed.ReferencedROINumber = target
    dataset.DoseReferenceSequence = [prescribed]
    meterset = 100.0
    per_beam = [
        item(ReferencedBeamNumber=n, BeamDose=decimal(prescription_gy / fractions / beams), BeamMeterset=meterset)
        for n in range(1, beams + 1)
    ]
    dataset.FractionGroupSequence = [
        item(
            FractionGroupNumber=1,
            NumberOfFractionsPlanned=fractions,
            NumberOfBeams=beams,
            NumberOfBrachyApplicationSetups=0,
            ReferencedBeamSequence=per_beam,
        )
    ]
    dataset.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition="HFS")]
    dataset.BeamSequence = [_beam(n, 360.0 * (n - 1) / beams, isocentre_mm) for n in range(1, beams + 1)]
    return set_tags(dataset, tags)


def _beam(number: int, gantry_deg: float, isocentre_mm: Sequence[float]) -> Dataset:
    jaws = ("X", "Y")
    first = item(
        ControlPointIndex=0,
        NominalBeamEnergy="6",
        DoseRateSet="600",
        BeamLimitingDevicePositionSequence=[
            item(RTBeamLimitingDeviceType=jaw, LeafJawPositions=["-50", "50"]) for jaw in jaws
        ],
        GantryAngle=decimal(gantry_deg),
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle="0",
        BeamLimitingDeviceRotationDirection="NONE",
        PatientSupportAngle="0",
        PatientSupportRotationDirection="NONE",
        TableTopEccentricAngle="0",
        TableTopEccentricRotationDirection="NONE",
        TableTopVerticalPosition=None,
        TableTopLongitudinalPosition=None,
        TableTopLateralPosition=None,
        IsocenterPosition=decimals(isocentre_mm),
        CumulativeMetersetWeight="0",
    )
    return item(
        BeamNumber=number,
        BeamName=f"B{number}",
        BeamType="STATIC",
        RadiationType="PHOTON",
        TreatmentMachineName="LINAC",
        PrimaryDosimeterUnit="MU",
        SourceAxisDistance="1000",
        BeamLimitingDeviceSequence=[item(RTBeamLimitingDeviceType=jaw, NumberOfLeafJawPairs=1) for jaw in jaws],
        TreatmentDeliveryType="TREATMENT",
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        FinalCumulativeMetersetWeight="1",
        NumberOfControlPoints=2,
        ControlPointSequence=[first, item(ControlPointIndex=1, CumulativeMetersetWeight="1")],
    )


def make_rtdose(
    dose: npt.NDArray[Any],
    grid: Grid,
    *,
    bits: int = 32,
    scaling: float | None = None,
    absolute_offsets: bool = False,
    plan: Dataset | None = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns a dose on a grid whose slices follow its planes' normal, up or down.

    Args:
        dose: (z, y, x) in the units of ``DoseUnits`` (GY unless it is among the tags), not negative.
        grid: Where its voxels are, in LPS mm.
        bits: 16 or 32 per voxel.
        scaling: Dose of one stored step; the finest that fits without it.
        absolute_offsets: Write GridFrameOffsetVector as z positions of an axial grid (PS3.3 C.8.8.3.2, form b), not as
            distances from the first plane.
        plan: The plan that it was computed from; the one that :func:`make_rtplan` makes of this seed without it.
        transfer_syntax: Any that pydicom writes.
        seed: As of the images.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    dataset = new_object(RTDoseStorage, "RTDOSE", seed=seed)
    whole = np.asarray(dose, dtype=np.float64)
    step = scaling if scaling is not None else (float(whole.max()) or 1.0) / (2**bits - 1)
    step = float(decimal(step * (1 + 1e-13) if scaling is None else step))  # as the file will say it, not overflowing
    normal = np.cross(grid.directions[0], grid.directions[1])
    start = grid.to_patient((0, 0, 0))
    offsets = (grid.to_patient([(0, 0, k) for k in range(grid.shape[0])]) - start) @ normal
    _, row_spacing, column_spacing = grid.spacing_mm
    set_tags(
        dataset,
        {
            **frame_of_reference(seed),
            "ContentDate": DATE,
            "ContentTime": TIME,
            "ImagePositionPatient": decimals(start),
            "ImageOrientationPatient": decimals(grid.directions[:2]),
            "PixelSpacing": decimals((row_spacing, column_spacing)),
            "SliceThickness": None,
            "NumberOfFrames": str(grid.shape[0]),
            "FrameIncrementPointer": 0x3004000C,
            "GridFrameOffsetVector": decimals(offsets + (start[2] if absolute_offsets else 0.0)),
            "DoseUnits": "GY",
            "DoseType": "PHYSICAL",
            "DoseSummationType": "PLAN",
            "DoseGridScaling": decimal(step),
            "ReferencedRTPlanSequence": [reference(plan or new_object(RTPlanStorage, "RTPLAN", seed=seed))],
        },
    )
    stored = np.rint(whole / step).astype({16: np.uint16, 32: np.uint32}[bits])
    set_pixels(dataset, stored, transfer_syntax=transfer_syntax, bits_stored=None)
    return set_tags(dataset, tags)
