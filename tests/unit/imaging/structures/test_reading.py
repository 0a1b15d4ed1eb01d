"""What reading an RTSTRUCT finds, and what it says of files that are not as they should be."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from braggbook.errors import BraggbookError, DicomError, ImagingError, UnknownName
from braggbook.imaging.structures.contours import Contour, Structure, Structures
from braggbook.imaging.structures.rasterise import structure_mask
from braggbook.imaging.structures.reading import read_structures
from braggbook.imaging.structures.writing import structure_set, write_structures
from braggbook.testing.dicom import make_series

from .structure_helpers import axial, box, circle

GRID = axial()


@pytest.fixture(scope="module")
def images() -> list[Dataset]:
    return make_series(np.zeros(GRID.shape, np.int16), GRID)


@pytest.fixture
def saved(images: list[Dataset]) -> Callable[..., Dataset]:
    """Returns a set of two structures as it is read from bytes, after a change."""

    def save(edit: Callable[[Dataset], Any] | None = None) -> Dataset:
        good = Structure("Lung_L", 1, tuple(box(2, 2, 6, 6, 3.0 * k) for k in range(3)), interpreted_type="ORGAN")
        bad = Structure("Cord", 2, (box(8, 8, 12, 12, 0.0), box(8, 8, 12, 12, 3.0)))
        dataset = structure_set([good, bad], images=images)
        if edit:
            edit(dataset)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return pydicom.dcmread(io.BytesIO(buffer.getvalue()))

    return save


def second(dataset: Dataset) -> Dataset:
    return dataset.ROIContourSequence[1].ContourSequence[0]


def test_a_good_file_has_nothing_odd(saved: Callable[..., Dataset]) -> None:
    found = read_structures(saved())
    assert found.names == ("Lung_L", "Cord")
    assert found.all_issues() == ()
    assert found["Lung_L"].interpreted_type == "ORGAN"
    assert found[2].plane_spacing_mm == pytest.approx(3.0)
    assert found[1].contours[0].points_mm.tolist() == [[2, 2, 0], [6, 2, 0], [6, 6, 0], [2, 6, 0]]
    assert found.as_table()["points"].tolist() == [12, 8]


def _raw(value: bytes) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        second(dataset)._dict[pydicom.tag.Tag(0x30060050)] = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(0x30060050), "DS", len(value), value, 0, False, True
        )

    return edit


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"1\\2\\x\\4\\5\\6\\7\\8\\9 ", "cannot be read as numbers"),
        (b"1\\2\\nan\\4\\5\\6\\7\\8\\9", "cannot be read as numbers"),
        (b"1_0\\2\\3\\4\\5\\6\\7\\8\\9", "cannot be read as numbers"),
        (b"1\\2\\1e999\\4\\5\\6\\7\\8\\9", "a point that is nowhere"),
        (b"1\\2\\3\\4\\5\\6\\7\\8 ", "not whole points"),
        (b"1\\2\\3\\4\\5\\6\\7\\8\\9 ", "fewer or more points than it says"),
    ],
)
def test_numbers_that_are_none_block_their_structure_only(
    saved: Callable[..., Dataset], value: bytes, what: str
) -> None:
    found = read_structures(saved(_raw(value)))
    (issue,) = found["Cord"].blocking
    assert issue.what == what
    assert "ROI 2 'Cord' contour 1 (3006,0050)" in issue.where
    with pytest.raises(ImagingError, match="not usable"):
        structure_mask(found["Cord"], GRID)
    assert structure_mask(found["Lung_L"], GRID).sum() == 48


def _edits() -> dict[str, tuple[Callable[[Dataset], Any], str]]:
    def empty(d: Dataset) -> None:
        del d.ROIContourSequence[1].ContourSequence

    def absent(d: Dataset) -> None:
        del d.ROIContourSequence[1]

    def open_kind(d: Dataset) -> None:
        second(d).ContourGeometricType = "OPEN_PLANAR"

    def short(d: Dataset) -> None:
        second(d).ContourData, second(d).NumberOfContourPoints = second(d).ContourData[:6], 2

    def repeated(d: Dataset) -> None:
        second(d).ContourData = [*second(d).ContourData, *second(d).ContourData[-3:]]
        second(d).NumberOfContourPoints = 5

    def reversed_winding(d: Dataset) -> None:
        points = np.array(second(d).ContourData, float).reshape(-1, 3)[::-1]
        second(d).ContourData = points.ravel().tolist()

    def other_frame(d: Dataset) -> None:
        d.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"

    def missing_image(d: Dataset) -> None:
        second(d).ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"

    return {
        "empty": (empty, "an empty region"),
        "absent": (absent, "an empty region"),
        "open": (open_kind, "1 contours enclose no area"),
        "short": (short, "1 closed contours of fewer than 3 points enclose no area"),
        "repeated": (repeated, "1 points repeat the one before"),
        "winding": (reversed_winding, "contours wind both ways, which even-odd does not mind"),
        "frame": (other_frame, "another frame of reference"),
        "image": (missing_image, "1 referenced images are not there"),
    }


@pytest.mark.parametrize("name", list(_edits()))
def test_what_is_odd_is_named_and_the_rest_is_read(saved: Callable[..., Dataset], name: str) -> None:
    edit, what = _edits()[name]
    found = read_structures(saved(edit))
    assert [issue.what for issue in found["Cord"].issues] == [what]
    assert "ROI 2 'Cord'" in found["Cord"].issues[0].where
    assert found["Cord"].blocking == ()
    assert found["Lung_L"].issues == ()
    mask = structure_mask(found["Cord"], GRID)
    assert mask.sum() == (0 if name in ("empty", "absent") else 16 if name in ("open", "short") else 32)
    assert mask.attrs["issues"] == [str(issue) for issue in found["Cord"].issues]


def test_a_contour_that_is_not_flat_blocks(saved: Callable[..., Dataset]) -> None:
    def bend(d: Dataset) -> None:
        second(d).ContourData = [8, 8, 0, 12, 8, 1, 12, 12, 0, 8, 12, 1]

    found = read_structures(saved(bend))
    assert [issue.what for issue in found["Cord"].blocking] == ["a closed contour that is not flat"]


def test_references_are_checked_against_the_images_at_hand(
    saved: Callable[..., Dataset], images: list[Dataset]
) -> None:
    assert read_structures(saved(), images=images).all_issues() == ()
    found = read_structures(saved(), images=images[:1])
    assert [issue.what for issue in found["Lung_L"].issues] == ["2 referenced images are not there"]


def test_regions_that_are_not_declared_or_come_twice(saved: Callable[..., Dataset]) -> None:
    def undeclare(d: Dataset) -> None:
        d.ROIContourSequence[1].ReferencedROINumber = 9

    found = read_structures(saved(undeclare))
    assert [issue.what for issue in found.issues] == ["contours of a region that is not declared"]

    def twice(d: Dataset) -> None:
        d.StructureSetROISequence[1].ROIName = "Lung_L"

    found = read_structures(saved(twice))
    assert [issue.what for issue in found.issues] == ["several regions have one name"]
    with pytest.raises(ImagingError, match="several structures"):
        found["Lung_L"]
    assert found[2].name == "Lung_L"


def test_an_unknown_name_offers_the_nearest(saved: Callable[..., Dataset]) -> None:
    with pytest.raises(UnknownName, match="Lung_L"):
        read_structures(saved())["Lung_R"]


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "cannot be read as DICOM"), (b"no DICOM" * 99, "cannot be read as DICOM")]
)
def test_files_that_are_no_dicom(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    with pytest.raises(DicomError, match=what) as caught:
        read_structures(path)
    assert "x.dcm" in str(caught.value)


def test_a_file_of_ten_gigabytes_is_refused_unread(tmp_path: Path, images: list[Dataset]) -> None:
    path = write_structures([Structure("a", 1, (circle(5.0),))], tmp_path / "rs.dcm", images=images)
    with path.open("ab") as file:
        file.truncate(10 << 30)  # a hole: no disk is used
    with pytest.raises(DicomError, match="too large"):
        read_structures(path)


@pytest.mark.parametrize("name", ["missing.dcm", "folder", "null\0byte", "pipe"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BraggbookError):
        read_structures(str(tmp_path / name))


def test_an_image_is_no_structure_set(images: list[Dataset]) -> None:
    with pytest.raises(DicomError, match="not a structure set"):
        read_structures(images[0])


def test_files_cut_off_or_changed_anywhere_give_errors_of_ours_or_a_result(
    tmp_path: Path, images: list[Dataset]
) -> None:
    whole = tmp_path / "rs.dcm"
    structures = [Structure("a", 1, (circle(5.0, corners=12),)), Structure("b", 2)]
    write_structures(structures, whole, images=images)
    data = whole.read_bytes()
    rng = np.random.default_rng(3)
    broken = tmp_path / "broken.dcm"
    for _ in range(60):
        changed = bytearray(data[: int(rng.integers(140, len(data)))] if rng.random() < 0.5 else data)
        for place in rng.integers(132, len(changed), 4):
            changed[place] = int(rng.integers(256))
        broken.write_bytes(bytes(changed))
        try:
            assert isinstance(read_structures(broken), Structures)
        except DicomError:
            continue


def test_a_contour_keeps_its_own_points() -> None:
    points = np.zeros((3, 3))
    contour = Contour(points)
    points[0, 0] = 7
    assert contour.points_mm[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        contour.points_mm[0, 0] = 1
    with pytest.raises(ImagingError, match="not a kind"):
        Contour(points, "SPLINE")
    with pytest.raises(ImagingError, match="points of a contour"):
        Contour(np.zeros((3, 2)))
