"""Frames of multi-frame objects: where their geometry and their labels come from."""

import numpy as np
import pytest
from pydicom.uid import NuclearMedicineImageStorage

from braggbook.errors import DicomError
from braggbook.imaging.dicom.frames import frames_of
from braggbook.imaging.dicom.images import read_header
from braggbook.imaging.dicom.sources import FileSource
from braggbook.imaging.reading import read_dicom
from braggbook.imaging.volumes import grid_of
from braggbook.testing.dicom import example_grid, item, make_series, set_tags, write_dicom, write_series
from braggbook.testing.dicom.enhanced import make_enhanced


def stored(shape: tuple[int, ...] = (4, 6, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2000, shape).astype(np.int16)


def frames_in(tmp_path, dataset):
    return frames_of([read_header(FileSource(write_dicom(dataset, tmp_path / "one.dcm")))])


def test_a_classic_image_is_one_frame(tmp_path):
    path = write_series(tmp_path, stored(), example_grid("oblique", shape=(4, 6, 8)))[1]
    frames = frames_of([read_header(FileSource(path))])
    assert len(frames) == 1
    grid = example_grid("oblique", shape=(4, 6, 8))
    np.testing.assert_allclose(frames[0].position_mm, grid.to_patient((0, 0, 1)), atol=1e-6)
    np.testing.assert_allclose(frames[0].orientation, grid.directions[:2], atol=1e-9)
    assert frames[0].spacing_mm == (1.5, 1.25)
    assert frames[0].shape == (6, 8)
    assert str(frames[0]) == str(path)


@pytest.mark.parametrize("shared", [True, False])
def test_shared_and_own_groups_say_the_same(tmp_path, shared):
    grid = example_grid(shape=(4, 6, 8))
    frames = frames_in(tmp_path, make_enhanced(stored(), grid, shared=shared))
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(frame.position_mm, grid.to_patient((0, 0, number)), atol=1e-6)
        assert frame.spacing_mm == (1.5, 1.25)
        assert str(frame).endswith(f"one.dcm frame {number + 1}")


def test_a_frames_own_group_goes_over_the_shared_one(tmp_path):
    def edit(groups, number):
        groups.PixelMeasuresSequence = [item(PixelSpacing=[number + 1, 7], SliceThickness="1")]

    frames = frames_in(tmp_path, make_enhanced(stored(), example_grid(shape=(4, 6, 8)), edit_frame=edit))
    assert [frame.spacing_mm for frame in frames] == [(1, 7), (2, 7), (3, 7), (4, 7)]


def test_b_values_and_directions_are_labels(tmp_path):
    def edit(groups, number):
        direction = item(DiffusionGradientOrientation=[0.0, 0.6, 0.8])
        groups.MRDiffusionSequence = [
            item(DiffusionBValue=500.0 * number, DiffusionGradientDirectionSequence=[direction])
        ]

    frames = frames_in(tmp_path, make_enhanced(stored(), example_grid(shape=(4, 6, 8)), modality="MR", edit_frame=edit))
    assert [frame.get("DiffusionBValue") for frame in frames] == [0, 500, 1000, 1500]
    assert frames[2].get("DiffusionGradientOrientation") == [0, 0.6, 0.8]


def test_dimensions_make_time_when_no_tag_does(tmp_path):
    array = stored((3, 4, 6, 8))
    dataset = make_enhanced(array, example_grid(shape=(4, 6, 8)), modality="MR")
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        del groups.FrameContentSequence[0].TemporalPositionIndex
    image = read_dicom(write_dicom(dataset, tmp_path / "one.dcm")).image
    np.testing.assert_array_equal(image, array)
    assert image.coords["t"].attrs["tag"] == "index of TemporalPositionIndex"


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_nuclear_medicine_steps_along_the_normal(tmp_path, step):
    array = np.abs(stored((8, 6, 8))).astype(np.uint16)
    dataset = make_series(stored((1, 6, 8)), example_grid(shape=(1, 6, 8)))[0]
    detector = item(ImagePositionPatient=["-10", "-20", "30"], ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])
    gone = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"), ...)
    tags = {
        "Modality": "NM",
        "SOPClassUID": NuclearMedicineImageStorage,
        "NumberOfFrames": "8",
        "SpacingBetweenSlices": step,
    }
    vectors = {
        "SliceVector": [1, 2, 3, 4] * 2,
        "TimeSlotVector": [1] * 4 + [2] * 4,
        "DetectorInformationSequence": [detector],
    }
    set_tags(dataset, {**gone, **tags, **vectors, "PixelRepresentation": 0})
    dataset.PixelData = array.tobytes()
    image = read_dicom(write_dicom(dataset, tmp_path / "nm.dcm")).image
    expected = array.reshape(2, 4, 6, 8)[:, :: 1 if step > 0 else -1]
    np.testing.assert_array_equal(image, expected)
    grid = grid_of(image)
    assert grid.spacing_mm[0] == 4
    assert grid.origin_mm == (-10, -20, 30 if step > 0 else 18)


@pytest.mark.parametrize(
    ("keyword", "value"), [("PixelSpacing", ["0", "1"]), ("PixelSpacing", ["1"]), ("ImagePositionPatient", ["0", "0"])]
)
def test_geometry_that_is_not_usable_names_its_tag(tmp_path, keyword, value):
    write_series(tmp_path, stored(), example_grid(shape=(4, 6, 8)), **{keyword: value})
    with pytest.raises(DicomError, match=rf"CT000\d\.dcm: \(.*\) {keyword} is not usable"):
        read_dicom(tmp_path)
