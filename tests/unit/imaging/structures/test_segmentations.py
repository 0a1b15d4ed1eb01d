"""Segmentation objects: how frames are placed and unpacked, and that what is written comes back."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from braggbook.errors import DicomError, ImagingError, StorageError, UnknownName
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.segment_writing import write_segmentations
from braggbook.imaging.structures.segmentations import (
    Code,
    Segment,
    Segmentations,
    read_segmentations,
    segment_mask,
)
from braggbook.testing.dicom import example_grid, make_series, standard_errors

from .structure_helpers import axial, volume_of

HALF_STEP = 0.5 / 255  # of a fraction in 8 bits
FLOAT32 = 1e-6


def images_of(grid: Grid) -> list[Dataset]:
    return make_series(np.zeros(grid.shape, np.int16), grid)


def noise(grid: Grid, seed: int = 0, share: float = 0.4) -> np.ndarray:
    return np.random.default_rng(seed).random(grid.shape) < share


def changed(path: Path, edit: Callable[[Dataset], Any]) -> Dataset:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue()))


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Grid, np.ndarray]:
    """A binary segmentation of frames with 7 x 5 pixels, which do not fill whole bytes."""
    grid = axial((6, 7, 5))
    data = noise(grid)
    data[[0, 2, 3]] = False
    path = tmp_path / "seg.dcm"
    write_segmentations({"a": volume_of(data, grid)}, path, images=images_of(grid))
    return path, grid, data


def test_liver_of_one_frame() -> None:
    """I-04: 36233 pixels, in a file that has functional groups for three frames."""
    found = read_segmentations(get_testdata_file("liver_1frame.dcm"))
    assert segment_mask(found, "Liver").values.sum() == 36233
    assert found["Liver"] == Segment(
        1,
        "Liver",
        category=Code("T-D0050", "SRT", "Tissue"),
        kind=Code("T-62000", "SRT", "Liver"),
        algorithm_type="SEMIAUTOMATIC",
        algorithm_name="SlicerEditor",
    )
    assert [issue.got for issue in found.issues] == ["3 for 1"]


@pytest.mark.parametrize("kind", ["axial", "descending", "feet_first", "sagittal", "coronal", "oblique"])
def test_masks_come_back_on_grids_of_any_direction(kind: str, tmp_path: Path) -> None:
    grid = example_grid(kind)
    masks = {"one": noise(grid, 1), "two": noise(grid, 2)}  # they overlap
    path = tmp_path / "seg.dcm"
    write_segmentations({k: volume_of(v, grid) for k, v in masks.items()}, path, images=images_of(grid))
    found = read_segmentations(path)
    assert found.kind == "BINARY"
    for label, data in masks.items():
        assert (segment_mask(found, label, grid=grid).values == data).all()


def test_objects_that_say_something_else_have_another_uid(tmp_path: Path) -> None:
    grid = example_grid("axial")
    mask, images = volume_of(noise(grid, 1), grid), images_of(grid)
    wanted = [("one", "BINARY"), ("two", "BINARY"), ("one", "LABELMAP"), ("one", "FRACTIONAL")]
    uids = []
    for label, kind in [*wanted, wanted[0]]:
        write_segmentations({label: mask}, tmp_path / "seg.dcm", images=images, kind=kind)
        uids.append(pydicom.dcmread(tmp_path / "seg.dcm").SOPInstanceUID)
    assert len(set(uids)) == len(wanted)
    assert uids[0] == uids[-1]


def test_frames_that_fill_no_whole_bytes_and_empty_ones_left_out(written: tuple[Path, Grid, np.ndarray]) -> None:
    path, grid, data = written
    found = read_segmentations(path)
    assert pydicom.dcmread(path).NumberOfFrames == 3
    assert found.grid.shape == (5, 7, 5)  # from the first slice with a voxel to the last
    assert (segment_mask(found, 1, grid=grid).values == data).all()
    assert (segment_mask(found, 1).values == data[1:]).all()


def test_frames_in_any_order(written: tuple[Path, Grid, np.ndarray]) -> None:
    path, grid, data = written

    def shuffle(d: Dataset) -> None:
        bits = np.unpackbits(np.frombuffer(d.PixelData, np.uint8), bitorder="little")[: 3 * 35].reshape(3, 35)
        groups = list(d.PerFrameFunctionalGroupsSequence)
        d.PerFrameFunctionalGroupsSequence = [groups[i] for i in (2, 0, 1)]
        packed = np.packbits(bits[[2, 0, 1]].ravel(), bitorder="little").tobytes()
        d.PixelData = packed + b"\0" * (len(packed) % 2)

    assert (segment_mask(read_segmentations(changed(path, shuffle)), 1, grid=grid).values == data).all()


def test_label_maps(tmp_path: Path) -> None:
    grid = axial((4, 6, 5))
    data = np.random.default_rng(3).integers(0, 4, grid.shape)
    masks = {f"part {k}": volume_of(data == k, grid) for k in (1, 2, 3)}
    path = tmp_path / "seg.dcm"
    write_segmentations(masks, path, images=images_of(grid), kind="LABELMAP")
    found = read_segmentations(path)
    assert found.kind == "LABELMAP"
    for k in (1, 2, 3):
        assert (segment_mask(found, f"part {k}", grid=grid).values == (data == k)).all()


@pytest.mark.parametrize("fraction", ["PROBABILITY", "OCCUPANCY"])
def test_fractions(fraction: str, tmp_path: Path) -> None:
    grid = axial((4, 6, 5))
    data = np.random.default_rng(4).random(grid.shape).astype(np.float32)
    path = tmp_path / "seg.dcm"
    write_segmentations(
        {"a": volume_of(data, grid)}, path, images=images_of(grid), kind="FRACTIONAL", fractional_type=fraction
    )
    found = read_segmentations(path)
    back = segment_mask(found, "a", grid=grid)
    assert np.abs(back.values - data).max() <= HALF_STEP + FLOAT32
    assert back.attrs["fractional_type"] == fraction == found.fractional_type


def test_what_a_segment_is_comes_back(tmp_path: Path) -> None:
    grid = axial((2, 6, 5))
    told = Segment(
        1,
        "Tumour",
        category=Code("49755003", "SCT", "Morphologically Abnormal Structure"),
        kind=Code("108369006", "SCT", "Neoplasm"),
        algorithm_type="MANUAL",
        tracking_id="lesion 1",
        tracking_uid="1.2.3.4",
    )
    masks = {"Tumour": volume_of(noise(grid), grid), "none": volume_of(noise(grid, share=0), grid)}
    path = tmp_path / "seg.dcm"
    write_segmentations(masks, path, images=images_of(grid), segments={"Tumour": told})
    found = read_segmentations(path)
    assert found["Tumour"] == told
    assert found.as_table()["frames"].tolist() == [2, 0]
    assert not segment_mask(found, "none").any()
    with pytest.raises(UnknownName, match="Tumour"):
        found["Tumor"]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_the_standards_checker_accepts_what_is_written(kind: str, tmp_path: Path) -> None:
    grid = axial((4, 6, 5))
    images = images_of(grid)
    for image in images:
        image.StudyID = "seventeen letters"
    path = tmp_path / "seg.dcm"
    for seed, share in ((1, 0.5), (2, 0.0)):
        data = noise(grid, seed, share)
        masks = {"a": volume_of(data, grid), "b": volume_of(~data & (share > 0), grid)}
        write_segmentations(masks, path, images=images, kind=kind)
        assert standard_errors(path) == []


def test_a_grid_of_other_voxels_is_refused_and_a_shifted_one_is_not(written: tuple[Path, Grid, np.ndarray]) -> None:
    path, grid, data = written
    found = read_segmentations(path)
    cut = segment_mask(found, 1, grid=grid.cropped((0, 2, 1), (3, 4, 4)))
    assert (cut.values == data[:3, 2:6, 1:]).all()
    assert "lie outside the grid" in cut.attrs["issues"][0]
    with pytest.raises(ImagingError, match="other voxels"):
        segment_mask(found, 1, grid=grid.refined((1, 2, 2)))


def _bad() -> dict[str, tuple[Callable[[Dataset], Any], str]]:  # noqa: C901 - a list of small damages
    def cut(d: Dataset) -> None:
        d.PixelData = d.PixelData[:10]

    def no_pixels(d: Dataset) -> None:
        del d.PixelData

    def nowhere(d: Dataset) -> None:
        del d.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence

    def same_place(d: Dataset) -> None:
        groups = d.PerFrameFunctionalGroupsSequence
        groups[1].PlanePositionSequence = groups[0].PlanePositionSequence

    def uneven(d: Dataset) -> None:
        d.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[2] += 0.7

    def aside(d: Dataset) -> None:
        d.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[0] += 5

    def far(d: Dataset) -> None:
        d.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient[2] += 3e6

    def no_groups(d: Dataset) -> None:
        d.PerFrameFunctionalGroupsSequence = d.PerFrameFunctionalGroupsSequence[:2]

    def no_segment(d: Dataset) -> None:
        del d.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence

    def no_kind(d: Dataset) -> None:
        d.SegmentationType = "OTHER"

    def no_size(d: Dataset) -> None:
        d.Rows = 0

    return {
        "cut": (cut, "fewer pixels than frames"),
        "no pixels": (no_pixels, "without pixels"),
        "nowhere": (nowhere, "nowhere in the patient"),
        "same place": (same_place, "two frames of one segment"),
        "uneven": (uneven, "uneven distances"),
        "aside": (aside, "not above one another"),
        "far": (far, "uneven distances"),
        "no groups": (no_groups, "without functional groups"),
        "no segment": (no_segment, "a frame of no segment"),
        "no kind": (no_kind, "not a kind of segmentation"),
        "no size": (no_size, "not the frames of a segmentation"),
    }


@pytest.mark.parametrize("name", list(_bad()))
def test_what_cannot_be_read_is_refused(written: tuple[Path, Grid, np.ndarray], name: str) -> None:
    edit, what = _bad()[name]
    with pytest.raises(DicomError, match=what):
        read_segmentations(changed(written[0], edit))


def test_an_image_is_no_segmentation() -> None:
    with pytest.raises(DicomError, match="not a segmentation"):
        read_segmentations(images_of(axial((1, 4, 4)))[0])


def test_files_cut_off_or_changed_anywhere_give_errors_of_ours_or_a_result(
    written: tuple[Path, Grid, np.ndarray], tmp_path: Path
) -> None:
    data = written[0].read_bytes()
    rng = np.random.default_rng(6)
    broken = tmp_path / "broken.dcm"
    for _ in range(60):
        wrong = bytearray(data[: int(rng.integers(140, len(data)))] if rng.random() < 0.4 else data)
        for place in rng.integers(132, len(wrong), 4):
            wrong[place] = int(rng.integers(256))
        broken.write_bytes(bytes(wrong))
        try:
            found = read_segmentations(broken)
            for segment in found.segments:
                segment_mask(found, segment.number)
        except (DicomError, ImagingError):
            continue
        assert isinstance(found, Segmentations)


def test_all_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    grid = axial((2, 6, 5))
    images, path = images_of(grid), tmp_path / "seg.dcm"
    good = noise(grid)
    with pytest.raises(ImagingError) as caught:
        write_segmentations(
            {"": volume_of(good, grid), "b": volume_of(good * 2.0, grid), "c": volume_of(good[:1], axial((1, 6, 5)))},
            path,
            images=images,
            kind="OTHER",
        )
    assert len(caught.value.issues) == 4
    with pytest.raises(ImagingError, match="overlap"):
        write_segmentations(
            {"a": volume_of(good, grid), "b": volume_of(good, grid)}, path, images=images, kind="LABELMAP"
        )
    with pytest.raises(ImagingError, match="no masks"):
        write_segmentations({}, path, images=images)
    with pytest.raises(DicomError, match="no images"):
        write_segmentations({"a": volume_of(good, grid)}, path, images=[])
    with pytest.raises(StorageError):
        write_segmentations({"a": volume_of(good, grid)}, tmp_path / "no" / "seg.dcm", images=images)
    assert not list(tmp_path.iterdir())
