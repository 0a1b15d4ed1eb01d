"""The ten pitfalls of DICOM series: data that has each of them, and the decision that is taken."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from braggbook.errors import DicomError
from braggbook.imaging.reading import read_dicom, read_volumes
from braggbook.imaging.volumes import grid_of
from braggbook.testing.dicom import example_grid, make_uid, write_dicom, write_series
from braggbook.testing.dicom.enhanced import concatenation, make_enhanced

KINDS = ("axial", "descending", "prone", "feet_first", "sagittal", "coronal", "oblique")


def stored(shape: tuple[int, ...] = (5, 6, 8), *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 2000, shape).astype(np.int16)


def decisions(dataset) -> dict[str, str]:
    return {found["pitfall"]: found["decision"] for found in dataset.attrs["decisions"]}


class TestOrder:
    """1. The projection on the normal decides, and nothing else."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_slices_are_in_order_along_their_normal_wherever_the_patient_lies(self, tmp_path, kind):
        array, grid = stored(), example_grid(kind)
        names = [f"{number}.dcm" for number in (3, 0, 4, 1, 2)]
        misleading = [{"InstanceNumber": str((7 * k) % 5), "SliceLocation": str(-k * 11)} for k in range(5)]
        write_series(tmp_path, array, grid, names=names, per_slice=misleading)
        image = read_dicom(tmp_path).image
        found = grid_of(image)
        assert np.linalg.det(found.affine[:3, :3]) > 0  # along row x column
        index = np.array(list(product(range(5), range(6), range(8))))
        at = np.rint(found.to_index(grid.to_patient(index[:, ::-1]))).astype(int)[:, ::-1]
        np.testing.assert_allclose(found.to_patient(at[:, ::-1]), grid.to_patient(index[:, ::-1]), atol=1e-5)
        np.testing.assert_array_equal(image.values[tuple(at.T)], array[tuple(index.T)])

    def test_the_same_series_under_other_names_and_numbers_is_the_same_volume(self, tmp_path):
        array, grid = stored(), example_grid()
        write_series(tmp_path / "a", array, grid)
        write_series(
            tmp_path / "b/deep/er", array, grid, names=list("zaqyk"), per_slice=lambda k: {"InstanceNumber": str(9 - k)}
        )
        (tmp_path / "b/notes.txt").write_text("not an image")
        one, other = read_dicom(tmp_path / "a").image, read_dicom(tmp_path / "b").image
        np.testing.assert_array_equal(one, other)
        assert one.attrs["affine"] == other.attrs["affine"]


class TestSpacing:
    """2. Positions give the spacing; jitter is reported, a gap refused or marked."""

    def test_thickness_and_spacing_tags_are_not_believed(self, tmp_path):
        write_series(tmp_path, stored(), example_grid(), SliceThickness="5", SpacingBetweenSlices="4")
        assert grid_of(read_dicom(tmp_path).image).spacing_mm == pytest.approx((3, 1.5, 1.25))

    def test_rounded_positions_are_jitter_and_reported(self, tmp_path):
        steps = [0, 3.27, 6.46, 9.75, 13.02]  # as in the PET of STS_001: 3.27, 3.19, 3.29, 3.27
        write_series(tmp_path, stored(), example_grid(), per_slice=lambda k: {"ImagePositionPatient": [0, 0, steps[k]]})
        dataset = read_dicom(tmp_path)
        assert grid_of(dataset.image).spacing_mm[0] == pytest.approx(3.27)
        assert dataset.attrs["jitter_mm"] == pytest.approx(0.08)
        assert decisions(dataset) == {"jitter": "right"}

    def test_rounding_that_would_add_up_is_spread_evenly(self, tmp_path):
        z = np.cumsum([0.0] + [3.3, 3.3, 3.2] * 13)  # median 3.3, mean 3.2667: 1.3 mm apart at the end
        array = stored((40, 2, 2))
        write_series(
            tmp_path, array, example_grid(shape=(40, 2, 2)), per_slice=lambda k: {"ImagePositionPatient": [0, 0, z[k]]}
        )
        dataset = read_dicom(tmp_path)
        assert grid_of(dataset.image).spacing_mm[0] == pytest.approx(z[-1] / 39)
        assert dataset.attrs["off_grid_mm"] < 0.1

    def gap(self, folder: Path) -> np.ndarray:
        array = stored((8, 6, 8))
        paths = write_series(folder, array, example_grid(shape=(8, 6, 8)))
        paths[3].unlink()
        return array

    def test_a_gap_is_refused_with_its_place_and_size(self, tmp_path):
        self.gap(tmp_path)
        with pytest.raises(DicomError, match=r"gap of 6\.00 mm after z = 46\.00 mm") as error:
            read_dicom(tmp_path)
        assert "CT0004.dcm" in str(error.value)
        assert 'gaps="mark"' in str(error.value)

    def test_a_gap_can_be_marked_and_is_never_squeezed(self, tmp_path):
        array = self.gap(tmp_path)
        dataset = read_dicom(tmp_path, gaps="mark")
        assert dataset.image.shape == array.shape
        assert np.isnan(dataset.image[3]).all()
        np.testing.assert_array_equal(np.delete(dataset.image.values, 3, axis=0), np.delete(array, 3, axis=0))
        assert decisions(dataset) == {"gap": "marked"}
        assert "z = 49.00 mm" in dataset.attrs["decisions"][0]["text"]

    def test_spacing_that_changes_is_refused(self, tmp_path):
        z = [0, 3, 6, 9, 13.5]
        write_series(tmp_path, stored(), example_grid(), per_slice=lambda k: {"ImagePositionPatient": [0, 0, z[k]]})
        with pytest.raises(DicomError, match="uneven distances") as error:
            read_dicom(tmp_path)
        assert "4.5000 mm" in str(error.value)
        assert "CT0004.dcm" in str(error.value)

    def test_one_missing_of_four_slices_is_a_gap_as_well(self, tmp_path):
        paths = write_series(tmp_path, stored((4, 2, 2)), example_grid(shape=(4, 2, 2)))
        paths[1].unlink()
        with pytest.raises(DicomError, match=r"gap of 6\.00 mm"):
            read_dicom(tmp_path)

    @pytest.mark.parametrize(("far", "why"), [(3e6, "a gap of"), (3e12, "is not usable"), (1e300, "is not usable")])
    def test_a_far_away_slice_does_not_ask_for_endless_memory(self, tmp_path, far, why):
        z = [0, 3, 6, 9, far]
        write_series(tmp_path, stored(), example_grid(), per_slice=lambda k: {"ImagePositionPatient": [0, 0, z[k]]})
        with pytest.raises(DicomError, match=why):
            read_dicom(tmp_path, gaps="mark")


class TestDuplicates:
    """3. Several images at one place: time, or volumes of their own, or refused."""

    CASES = (
        ("TemporalPositionIdentifier", ["1", "2", "3"]),
        ("EchoTime", ["12.5", "60", "120"]),
        ("InversionTime", ["100", "900", "2500"]),
        ("FlipAngle", ["2", "10", "20"]),
        ("AcquisitionNumber", ["1", "2", "3"]),
        ("DiffusionBValue", [0.0, 500.0, 1000.0]),
        ("TriggerTime", ["0", "33.3", "66.6"]),
        ("AcquisitionTime", ["101500.5", "101601", "101702"]),
    )

    @pytest.mark.parametrize(("keyword", "values"), CASES)
    def test_a_tag_that_differs_makes_time(self, tmp_path, keyword, values):
        arrays = [stored(seed=seed) for seed in range(3)]
        for number in (2, 0, 1):
            write_series(
                tmp_path / str(number),
                arrays[number],
                example_grid(),
                modality="MR",
                series="one",
                edit=self.uid(number),
                **{keyword: values[number]},
            )
        dataset = read_dicom(tmp_path)
        assert dataset.image.dims == ("t", "z", "y", "x")
        np.testing.assert_array_equal(dataset.image, np.stack(arrays))
        assert decisions(dataset) == {"duplicates": "split"}
        assert keyword in dataset.attrs["decisions"][0]["text"]
        if keyword != "AcquisitionTime":
            np.testing.assert_allclose(dataset.image.coords["t"], [float(value) for value in values])

    @staticmethod
    def uid(number):
        def edit(dataset, index):
            dataset.SOPInstanceUID = make_uid("another", number, index)
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

        return edit

    def test_two_tags_together_make_time(self, tmp_path):
        arrays = {}
        for number, (echo, phase) in enumerate(product(("10", "20"), ("1", "2"))):
            arrays[number] = stored(seed=number)
            tags = {"EchoTime": echo, "TemporalPositionIdentifier": phase}
            write_series(
                tmp_path / str(number), arrays[number], example_grid(), modality="MR", edit=self.uid(number), **tags
            )
        image = read_dicom(tmp_path).image
        assert image.sizes["t"] == 4
        for number, (echo, phase) in enumerate(product((10, 20), (1, 2))):
            at = (image.coords["EchoTime"] == echo) & (image.coords["TemporalPositionIdentifier"] == phase)
            np.testing.assert_array_equal(image[at.values][0], arrays[number])

    def test_magnitude_and_phase_are_volumes_of_their_own(self, tmp_path):
        arrays = [stored(seed=seed) for seed in range(2)]
        for number, kind in enumerate("MP"):
            tags = {"ImageType": ["ORIGINAL", "PRIMARY", kind]}
            write_series(tmp_path / kind, arrays[number], example_grid(), modality="MR", edit=self.uid(number), **tags)
        with pytest.raises(DicomError, match="2 volumes") as error:
            read_dicom(tmp_path)
        assert "ImageType ORIGINAL\\PRIMARY\\M" in str(error.value)
        found = {dataset.attrs["ImageType"][2]: dataset.image.values for dataset in read_volumes(tmp_path)}
        for number, kind in enumerate("MP"):
            np.testing.assert_array_equal(found[kind], arrays[number])

    def test_overlapping_acquisitions_are_volumes_of_their_own(self, tmp_path):
        write_series(tmp_path / "1", stored(), example_grid(), AcquisitionNumber="1", edit=self.uid(1))
        over = example_grid(origin_mm=(-12.5, 7.25, 49.0))
        write_series(tmp_path / "2", stored(seed=2), over, AcquisitionNumber="2", edit=self.uid(2))
        with pytest.raises(DicomError, match="2 volumes"):
            read_dicom(tmp_path)
        second = read_dicom(tmp_path, part=1)
        assert second.image.shape == (5, 6, 8)
        assert decisions(second) == {"duplicates": "split", "incomplete": "split"}

    def test_duplicates_that_nothing_tells_apart_are_refused(self, tmp_path):
        for number in range(2):
            write_series(tmp_path / str(number), stored(seed=number), example_grid(), edit=self.uid(number))
        with pytest.raises(DicomError, match="no tag tells apart") as error:
            read_dicom(tmp_path)
        assert "2 frames at z = 40.00 mm" in str(error.value)
        assert "CT0000.dcm" in str(error.value)

    def test_a_copy_of_a_file_is_left_out_and_said(self, tmp_path):
        array = stored()
        paths = write_series(tmp_path, array, example_grid())
        shutil.copy(paths[2], tmp_path / "copy of it.dcm")
        dataset = read_dicom(tmp_path)
        np.testing.assert_array_equal(dataset.image, array)
        assert decisions(dataset) == {"copies": "left out"}


class TestTilt:
    """4. Gantry tilt: a skewed affine, or deskewed with a record, or refused."""

    def test_the_affine_is_skewed(self, tmp_path):
        array, grid = stored(), example_grid("tilted")
        write_series(tmp_path, array, grid)
        dataset = read_dicom(tmp_path)
        np.testing.assert_allclose(grid_of(dataset.image).affine, grid.affine, atol=1e-5)
        assert grid_of(dataset.image).is_skewed
        assert dataset.attrs["tilt_deg"] == pytest.approx(16.26, abs=0.01)
        assert decisions(dataset) == {"tilt": "right"}

    def test_deskewing_puts_what_is_at_a_place_in_the_patient_where_it_was(self, tmp_path):
        shape = (12, 30, 10)
        grid = example_grid("tilted", shape=shape)
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)[..., ::-1]
        ramp = np.rint(grid.to_patient(index) @ [3.0, 7.0, 11.0]).astype(np.int16)
        write_series(tmp_path, ramp, grid)
        image = read_dicom(tmp_path, tilt="deskew").image
        found = grid_of(image)
        assert not found.is_skewed
        index = np.stack(np.meshgrid(*map(np.arange, found.shape), indexing="ij"), axis=-1)[..., ::-1]
        wanted = found.to_patient(index) @ [3.0, 7.0, 11.0]
        there = ~np.isnan(image.values)
        assert there.sum() > 0.9 * ramp.size
        assert np.abs(image.values - wanted)[there].max() < 1.01  # both neighbours were rounded by up to a half
        assert image.attrs["deskewed"]["interpolation"].startswith("linear")

    def test_it_can_be_refused(self, tmp_path):
        write_series(tmp_path, stored(), example_grid("tilted"))
        with pytest.raises(DicomError, match=r"tilted gantry.*16\.26"):
            read_dicom(tmp_path, tilt="refuse")

    def test_one_slice_that_is_shifted_sideways_is_refused(self, tmp_path):
        grid = example_grid()
        places = [grid.to_patient((0, 0, k)) + (k == 2) * np.array([4.0, 0, 0]) for k in range(5)]
        write_series(tmp_path, stored(), grid, per_slice=lambda k: {"ImagePositionPatient": places[k].tolist()})
        with pytest.raises(DicomError, match="shifted sideways") as error:
            read_dicom(tmp_path)
        assert "CT0002.dcm" in str(error.value)


class TestRescale:
    """5. Every slice has its own slope."""

    def test_slopes_of_every_slice(self, tmp_path):
        array = stored()
        slopes = [0.2094, 8.3578, 1.0, 0.5, 3.25]
        tags = [{"RescaleSlope": str(slope), "RescaleIntercept": "0"} for slope in slopes]
        write_series(tmp_path, array, example_grid(), modality="PET", per_slice=tags, Units="GML")
        image = read_dicom(tmp_path).image
        np.testing.assert_allclose(image, array * np.array(slopes)[:, None, None], rtol=1e-6)
        assert image.attrs["units"] == "g/ml"

    def test_padding_is_no_value(self, tmp_path):
        array = stored()
        array[:, 0] = -2000
        write_series(tmp_path, array, example_grid(), RescaleIntercept="-24", PixelPaddingValue=-2000)
        image = read_dicom(tmp_path).image
        assert np.isnan(image[:, 0]).all()
        np.testing.assert_array_equal(image[:, 1:], array[:, 1:] - 24.0)
        kept = read_dicom(tmp_path, padding="keep").image
        np.testing.assert_array_equal(kept, array - 24)

    def test_a_slope_that_is_no_number_is_refused(self, tmp_path):
        def edit(dataset, index):
            if index == 3:
                dataset["RescaleSlope"] = pydicom.DataElement("RescaleSlope", "LO", "steep")

        write_series(tmp_path, stored(), example_grid(), edit=edit)
        with pytest.raises(DicomError, match=r"\(0028,1053\) RescaleSlope") as error:
            read_dicom(tmp_path)
        assert "CT0003.dcm" in str(error.value)


class TestPixelSpacing:
    """6. PixelSpacing is [between rows, between columns]; ImagerPixelSpacing is something else."""

    def test_rows_come_first(self, tmp_path):
        write_series(tmp_path, stored(), example_grid(spacing_mm=(3, 0.5, 2)))
        image = read_dicom(tmp_path).image
        assert grid_of(image).spacing_mm == pytest.approx((3, 0.5, 2))
        assert np.diff(image.coords["y"]) == pytest.approx(0.5)
        assert np.diff(image.coords["x"]) == pytest.approx(2)

    def test_the_spacing_at_the_detector_is_not_that_in_the_patient(self, tmp_path):
        tags = {"PixelSpacing": ..., "ImagerPixelSpacing": ["0.1", "0.1"]}
        write_series(tmp_path, stored(), example_grid(), **tags)
        with pytest.raises(DicomError, match=r"\(0028,0030\) PixelSpacing"):
            read_dicom(tmp_path)


class TestEnhanced:
    """7. Multi-frame: geometry per frame or shared, any order, concatenated."""

    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("kind", ["axial", "oblique", "descending"])
    def test_frames_in_any_order(self, tmp_path, shared, kind):
        array, grid = stored(), example_grid(kind)
        path = write_dicom(make_enhanced(array, grid, shared=shared, order=(3, 0, 4, 2, 1)), tmp_path / "one.dcm")
        image = read_dicom(path).image
        found = grid_of(image)
        if kind == "descending":
            array = array[::-1]
        np.testing.assert_array_equal(image, array)
        np.testing.assert_allclose(
            found.to_patient((0, 0, 0)), grid.to_patient((0, 0, 4 if kind == "descending" else 0)), atol=1e-5
        )

    def test_every_frame_has_its_own_slope(self, tmp_path):
        array = stored()
        transforms = [(0.5 * (k + 1), -10.0 * k) for k in range(5)]
        path = write_dicom(
            make_enhanced(array, example_grid(), modality="MR", transforms=transforms), tmp_path / "one.dcm"
        )
        slope, intercept = np.array(transforms).T[:, :, None, None]
        np.testing.assert_allclose(read_dicom(path).image, array * slope + intercept, rtol=1e-6)

    def test_time_and_place(self, tmp_path):
        array = stored((3, 5, 6, 8))
        order = np.random.default_rng(5).permutation(15).tolist()
        path = write_dicom(make_enhanced(array, example_grid(), modality="MR", order=order), tmp_path / "one.dcm")
        image = read_dicom(path).image
        assert image.dims == ("t", "z", "y", "x")
        np.testing.assert_array_equal(image, array)

    def test_a_concatenation_is_one_volume_and_refused_when_a_part_is_missing(self, tmp_path):
        array = stored()
        parts = concatenation(make_enhanced(array, example_grid()), parts=3)
        paths = [write_dicom(part, tmp_path / f"{number}.dcm") for number, part in enumerate(parts)]
        np.testing.assert_array_equal(read_dicom(tmp_path).image, array)
        paths[1].unlink()
        with pytest.raises(DicomError, match="parts of a multi-frame image are missing") as error:
            read_dicom(tmp_path)
        assert "[1, 3]" in str(error.value)

    def test_too_few_functional_groups(self, tmp_path):
        dataset = make_enhanced(stored(), example_grid())
        dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[:-1]
        path = write_dicom(dataset, tmp_path / "one.dcm")
        with pytest.raises(DicomError, match="functional groups that do not fit"):
            read_dicom(path)


class TestSyntaxes:
    """8. However it is written (more in test_pixels)."""

    @pytest.mark.parametrize(
        "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"]
    )
    def test_one_volume(self, tmp_path, syntax):
        array = stored()
        write_series(tmp_path, array, example_grid(), transfer_syntax=syntax)
        np.testing.assert_array_equal(read_dicom(tmp_path).image, array)


class TestMixed:
    """9. What does not belong together."""

    def test_a_localiser_is_set_apart(self, tmp_path):
        array = stored()
        write_series(tmp_path / "ct", array, example_grid())
        scout = example_grid("sagittal", shape=(1, 6, 8))
        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
        write_series(tmp_path / "scout", stored((1, 6, 8)), scout, edit=TestDuplicates.uid(9), **tags)
        dataset = read_dicom(tmp_path)
        np.testing.assert_array_equal(dataset.image, array)
        assert decisions(dataset) == {"localiser": "split"}
        assert read_dicom(tmp_path, part=1).image.shape == (1, 6, 8)

    def test_mixed_frames_of_reference_are_refused(self, tmp_path):
        def edit(dataset, index):
            if index > 2:
                dataset.FrameOfReferenceUID = make_uid("elsewhere")

        write_series(tmp_path, stored(), example_grid(), edit=edit)
        with pytest.raises(DicomError, match=r"mixed frames of reference: \(0020,0052\)"):
            read_dicom(tmp_path)
        assert [dataset.sizes["z"] for dataset in read_volumes(tmp_path)] == [3, 2]

    def test_mixed_sizes_are_refused_and_listed(self, tmp_path):
        write_series(tmp_path / "a", stored(), example_grid())
        write_series(tmp_path / "b", stored((5, 4, 8)), example_grid(shape=(5, 4, 8)), edit=TestDuplicates.uid(3))
        with pytest.raises(DicomError, match="2 volumes") as error:
            read_dicom(tmp_path)
        assert "5 planes of 4 x 8" in str(error.value)

    def test_a_single_slice_takes_its_thickness_from_the_tag(self, tmp_path):
        write_series(tmp_path, stored((1, 6, 8)), example_grid(shape=(1, 6, 8)), SliceThickness="2.5")
        dataset = read_dicom(tmp_path)
        assert grid_of(dataset.image).spacing_mm[0] == 2.5
        assert decisions(dataset) == {"single slice": "right"}

    def test_one_identifier_for_different_images_is_refused(self, tmp_path):
        def edit(dataset, index):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = make_uid("same")

        write_series(tmp_path, stored(), example_grid(), edit=edit)
        with pytest.raises(DicomError, match="identifier that is used twice"):
            read_dicom(tmp_path)

    @pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
    def test_missing_geometry_is_refused_with_file_and_tag(self, tmp_path, keyword):
        def edit(dataset, index):
            if index == 2:
                delattr(dataset, keyword)

        write_series(tmp_path, stored(), example_grid(), edit=edit)
        with pytest.raises(DicomError, match=keyword) as error:
            read_dicom(tmp_path)
        assert "CT0002.dcm" in str(error.value)

    @pytest.mark.parametrize(
        "bad", [["0", "0", "0", "0", "0", "0"], ["1", "0", "0", "1", "0", "0"], ["2", "0", "0", "0", "1", "0"]]
    )
    def test_directions_that_are_none_are_refused(self, tmp_path, bad):
        write_series(tmp_path, stored(), example_grid(), ImageOrientationPatient=bad)
        with pytest.raises(DicomError, match=r"\(0020,0037\) ImageOrientationPatient is not usable"):
            read_dicom(tmp_path)

    def test_several_series_are_listed(self, tmp_path):
        write_series(tmp_path / "a", stored(), example_grid())
        write_series(tmp_path / "b", stored(seed=2), example_grid(), modality="MR")
        with pytest.raises(DicomError, match="2 series") as error:
            read_dicom(tmp_path)
        assert "MR Generated MR, 5 instances" in str(error.value)
        np.testing.assert_array_equal(read_dicom(tmp_path, series="MR").image, stored(seed=2))
        uid = str(make_uid(1, "series", "CT"))
        np.testing.assert_array_equal(read_dicom(tmp_path, series=uid).image, stored())
        with pytest.raises(DicomError, match="no series 'PET'"):
            read_dicom(tmp_path, series="PET")

    def test_private_creators_and_other_alphabets_do_no_harm(self, tmp_path):
        def edit(dataset, index):
            dataset.SeriesDescription = "胸部 CT"
            block = dataset.private_block(0x0009, "A\\B evil", create=True)
            block.add_new(0x01, "UN", b"\xff" * 33)

        array = stored()
        write_series(tmp_path, array, example_grid(), edit=edit)
        dataset = read_dicom(tmp_path)
        np.testing.assert_array_equal(dataset.image, array)
        assert dataset.attrs["SeriesDescription"] == "胸部 CT"


class TestUnits:
    """10. Units are stated; MR has none."""

    def test_ct_is_hounsfield_and_mr_is_arbitrary(self, tmp_path):
        write_series(tmp_path / "ct", stored(), example_grid(), RescaleIntercept="-1024")
        write_series(tmp_path / "mr", stored(), example_grid(), modality="MR")
        ct, mr = read_dicom(tmp_path / "ct").image, read_dicom(tmp_path / "mr").image
        assert (ct.attrs["units"], mr.attrs["units"]) == ("HU", "1")
        np.testing.assert_array_equal(ct, stored().astype(int) - 1024)
        np.testing.assert_array_equal(mr, stored())

    def test_extended_scale_of_metal_does_not_wrap(self, tmp_path):
        array = np.full((5, 6, 8), 65535, np.uint16)
        array[0] = 0
        write_series(tmp_path, array, example_grid(), RescaleIntercept="-8192")
        image = read_dicom(tmp_path).image
        assert (int(image.min()), int(image.max())) == (-8192, 57343)
