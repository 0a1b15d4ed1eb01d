"""Written RTSTRUCT files: what they hold, that they come back, and that the standard's checker accepts them."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from braggbook.errors import DicomError, ImagingError, Issue, StorageError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.structures.outlines import mask_outlines, structure_from_mask
from braggbook.imaging.structures.rasterise import structure_mask, structure_volume_cc
from braggbook.imaging.structures.reading import read_structures
from braggbook.imaging.structures.writing import structure_set, write_structures
from braggbook.testing.dicom import example_grid, make_series, standard_errors

from .structure_helpers import axial, box, circle, polygon_area, volume_of

HOLES = ["keyhole", "xor", "contours"]
FILE_MM = 1e-9  # of a coordinate: sixteen characters


def images_of(grid: Grid) -> list[Dataset]:
    return make_series(np.zeros(grid.shape, np.int16), grid)


def blobs(shape: tuple[int, ...], share: float = 0.5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("kind", ["axial", "descending", "feet_first", "sagittal", "coronal", "oblique", "tilted"])
@pytest.mark.parametrize("holes", HOLES)
def test_masks_come_back_bit_by_bit(kind: str, holes: str, tmp_path: Path) -> None:
    grid = example_grid(kind)
    data = blobs(grid.shape)
    structure = structure_from_mask(volume_of(data, grid), name="noise", holes=holes)
    path = write_structures([structure], tmp_path / "rs.dcm", images=images_of(grid))
    found = read_structures(path)
    assert found.all_issues() == () or holes != "keyhole"
    assert (structure_mask(found["noise"], grid).values == data).all()


@pytest.mark.parametrize("holes", HOLES)
def test_outlines_have_the_area_of_their_voxels(holes: str) -> None:
    grid = axial((2, 30, 30), (3.0, 0.7, 1.3))
    data = blobs(grid.shape, 0.7)
    structure = structure_from_mask(volume_of(data, grid), name="noise", holes=holes)
    assert structure_volume_cc(structure) == pytest.approx(data.sum() * grid.voxel_mm3 / 1000, rel=1e-9)


@settings(max_examples=40)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6))
def test_any_small_mask_comes_back(rows: list) -> None:
    grid = axial((1, len(rows), 5))
    data = np.array(rows)[None]
    for holes in HOLES:
        structure = structure_from_mask(volume_of(data, grid), name="x", holes=holes)
        assert (structure_mask(structure, grid).values == data).all()


def test_outlines_part_at_corners_and_close_around_holes() -> None:
    corner = np.array([[1, 0], [0, 1]], bool)
    assert len(mask_outlines(corner)) == 2
    frame = np.ones((5, 5), bool)
    frame[2, 2] = False
    outer, inner = mask_outlines(frame)
    assert polygon_area(outer) == 25
    assert polygon_area(inner) == 1
    assert len(outer) == len(inner) == 4
    assert mask_outlines(np.zeros((3, 3), bool)) == []


def test_holes_are_written_as_asked() -> None:
    frame = np.ones((1, 5, 5), bool)
    frame[0, 2, 2] = False
    volume = volume_of(frame, axial((1, 5, 5)))
    by_way = {holes: structure_from_mask(volume, name="x", holes=holes).contours for holes in HOLES}
    assert {holes: (len(found), found[0].kind) for holes, found in by_way.items()} == {
        "keyhole": (1, "CLOSED_PLANAR"),
        "xor": (2, "CLOSEDPLANAR_XOR"),
        "contours": (2, "CLOSED_PLANAR"),
    }
    with pytest.raises(ImagingError, match="way to write holes"):
        structure_from_mask(volume, name="x", holes="magic")
    with pytest.raises(ImagingError, match="not a mask"):
        structure_from_mask(volume * 3.0, name="x")


def everything() -> list[Structure]:
    return [
        Structure("plain", 1, (circle(5.0, z=0.0), circle(6.1, z=3.0)), color=(1, 2, 3), interpreted_type="ORGAN"),
        Structure("empty", 2, interpreted_type="AVOIDANCE", algorithm="MANUAL"),
        Structure("point", 3, (Contour(np.array([[1.5, 2.25, 3.0]]), "POINT"),), description="isocentre"),
        Structure(
            "xor", 4, tuple(Contour(c.points_mm, "CLOSEDPLANAR_XOR") for c in (box(1, 1, 9, 9), box(3, 3, 5, 5)))
        ),
        Structure("ümlaut", 5, (box(2, 2, 3, 3, 1.0), Contour(box(2, 2, 3, 3).points_mm, slab_thickness_mm=3.0))),
        Structure("sagittal", 6, (Contour(box(1, 1, 4, 4).points_mm[:, [2, 0, 1]]),)),
    ]


@pytest.mark.full
def test_the_standards_checker_accepts_what_is_written(tmp_path: Path) -> None:
    images = images_of(axial())
    for image in images:
        image.StudyID = "seventeen letters"  # one more than the standard allows, as real files have
    path = write_structures(
        everything(), tmp_path / "rs.dcm", images=images, written_at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert standard_errors(path) == []
    assert pydicom.dcmread(path).StructureSetDate == "20260102"


def test_all_kinds_come_back(tmp_path: Path) -> None:
    images = images_of(axial())
    found = read_structures(write_structures(everything(), tmp_path / "rs.dcm", images=images), images=images)
    for given_one, back in zip(everything(), found, strict=True):
        assert (back.name, back.number, back.interpreted_type) == (
            given_one.name,
            given_one.number,
            given_one.interpreted_type,
        )
        assert back.description == given_one.description
        for one, two in zip(given_one.contours, back.contours, strict=True):
            assert one.kind == two.kind
            assert one.slab_thickness_mm == two.slab_thickness_mm
            assert np.abs(one.points_mm - two.points_mm).max() <= FILE_MM
    assert found[1].color == (1, 2, 3)
    assert found[1].contours[1].image_uids == (images[1].SOPInstanceUID,)
    assert found[6].contours[0].image_uids == ()
    assert found.frame_of_reference_uids == (images[0].FrameOfReferenceUID,)


def test_what_belongs_to_the_patient_is_taken_from_the_images(tmp_path: Path) -> None:
    images = images_of(axial())
    written = pydicom.dcmread(write_structures(everything(), tmp_path / "rs.dcm", images=images))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert written[keyword].value == images[0][keyword].value
    assert written.SOPInstanceUID != written.SeriesInstanceUID
    assert written.SeriesInstanceUID != images[0].SeriesInstanceUID


def test_the_same_structures_give_the_same_bytes_and_others_another_uid(tmp_path: Path) -> None:
    images = images_of(axial())
    one, two = (write_structures(everything(), tmp_path / name, images=images).read_bytes() for name in ("a", "b"))
    assert one == two
    moved = structure_set([Structure("plain", 1, (circle(5.1),))], images=images)
    assert moved.SOPInstanceUID != structure_set([Structure("plain", 1, (circle(5.0),))], images=images).SOPInstanceUID


def test_long_contours_are_written_where_lengths_allow(tmp_path: Path) -> None:
    """Explicit VR holds 65,534 bytes of a decimal string (PS3.5 7.1.2)."""
    long = Structure("long", 1, (circle(7.0, corners=9000),))
    found = read_structures(write_structures([long], tmp_path / "rs.dcm", images=images_of(axial())))
    assert np.abs(found[1].contours[0].points_mm - long.contours[0].points_mm).max() <= FILE_MM


@pytest.mark.parametrize("value", [1e-12, -123456.789012345678, 1e7 / 3, -0.0001234567891234, 100.0, -1e15])
def test_numbers_fit_sixteen_characters(value: float) -> None:
    contour = Contour(np.array([[value, 0, 0], [value + 1, 0, 0], [value, 1, 0]]))
    dataset = structure_set([Structure("x", 1, (contour,))], images=images_of(axial()))
    text = dataset.ROIContourSequence[0].ContourSequence[0].ContourData[0].original_string
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_all_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    images = images_of(axial())
    bad: list[Any] = [
        Structure("", 1),
        Structure("twice", 2),
        Structure("twice", 2),
        Structure("elsewhere", 3, frame_of_reference_uid="1.2.3"),
        Structure("blocked", 4, blocking=(Issue("cannot be read as numbers", "ROI 4"),)),
        Structure("x" * 65, 5, (Contour(np.empty((0, 3))),)),
    ]
    with pytest.raises(ImagingError) as caught:
        write_structures(bad, tmp_path / "rs.dcm", images=images, label="longer than sixteen")
    assert len(caught.value.issues) == 7
    assert not list(tmp_path.iterdir())
    with pytest.raises(DicomError, match="no images"):
        structure_set(everything(), images=[])
    other = make_series(np.zeros((1, 4, 4), np.int16), axial((1, 4, 4)), series="other")
    with pytest.raises(DicomError, match="several SeriesInstanceUID"):
        structure_set(everything(), images=[*images, *other])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        write_structures(everything(), tmp_path / "no" / "rs.dcm", images=images_of(axial()))
    assert caught.value.__cause__.errno == errno.ENOENT
