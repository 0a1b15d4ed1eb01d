"""Whole series: real cases against their NIfTI files, oracles of geometry, all kinds of sources, laziness."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import dask
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.data import get_testdata_file
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, UltrasoundMultiFrameImageStorage

from braggbook.errors import DicomError
from braggbook.imaging.dicom import index_dicom
from braggbook.imaging.dicom.lazy import SliceArray
from braggbook.imaging.reading import read_dicom, read_volumes
from braggbook.imaging.store.digest import digest
from braggbook.imaging.volumes import grid_of
from braggbook.testing.dicom import example_grid, item, make_series, set_tags, write_dicom, write_series
from braggbook.testing.dicom.enhanced import make_enhanced

PER_FILE = 1e-5  # mm, of an affine: NIfTI has float32


def real(*parts: str) -> Path:
    mirror = os.environ.get("BRAGGBOOK_DATA_MIRROR")
    if not mirror:
        pytest.skip("BRAGGBOOK_DATA_MIRROR is not set: the real cases are not here")
    return Path(mirror).joinpath("sts002_ct_mr_pet", "STS_002", *parts)


def stored(shape: tuple[int, ...] = (5, 6, 8), *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 2000, shape).astype(np.int16)


class TestRealCases:
    @pytest.mark.parametrize(
        ("name", "size", "spacing", "origin", "values"),
        [
            (
                "CT",
                (48, 143, 161),
                (3.27, 0.976562, 0.976562),
                (1.953, 59.570, -629.040),
                (-1000, 1156, -291.535391),
            ),
            ("MR_T1", (35, 90, 115), (3.26996, 0.976562, 0.976562), None, (0, 1198, 463.713957)),
            ("PET", (48, 27, 30), (3.27, 5.46875, 5.46875), None, (0, 21.675747, 0.622252)),
        ],
    )
    def test_i07_every_voxel_and_the_affine_are_those_of_the_nifti_file(self, name, size, spacing, origin, values):
        image = read_dicom(real(name, "dicom", "image")).image
        nifti = nibabel.load(real(name, "nifti", "image", "image.nii.gz"))
        expected = np.asarray(nifti.dataobj).transpose(2, 1, 0)
        assert image.shape == size
        if name == "PET":
            np.testing.assert_allclose(image, expected, rtol=1e-6)  # the file holds float32 of a product
        else:
            np.testing.assert_array_equal(image, expected)
        assert grid_of(image).spacing_mm == pytest.approx(spacing, abs=1e-5)
        assert (float(image.min()), float(image.max()), float(image.values.mean(dtype=float))) == pytest.approx(
            values, abs=1e-6
        )
        if origin:
            assert grid_of(image).origin_mm == pytest.approx(origin, abs=5e-4)
        to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
        np.testing.assert_allclose(to_ras @ grid_of(image).affine, nifti.affine, atol=4e-5)  # float32 at 600 mm

    def test_i25_a_missing_slice_is_reported_with_its_gap(self, tmp_path):
        shutil.copytree(real("CT", "dicom", "image"), tmp_path / "ct")
        positions = {path: float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in (tmp_path / "ct").iterdir()}
        path = sorted(positions, key=positions.get)[20]
        path.unlink()
        with pytest.raises(DicomError, match=rf"gap of 6\.54 mm after z = {positions[path] - 3.27:.2f} mm"):
            read_dicom(tmp_path)

    def test_i26_other_names_and_numbers_make_the_same_volume(self, tmp_path):
        rng = np.random.default_rng(26)
        paths = sorted(real("CT", "dicom", "image").glob("*.dcm"))
        for name, path in zip(rng.permutation(len(paths)), paths, strict=True):
            dataset = pydicom.dcmread(path)
            dataset.InstanceNumber = int(rng.integers(1, 9999))
            dataset.save_as(tmp_path / f"IM{name}")
        one, other = read_dicom(paths[0].parent).image, read_dicom(tmp_path).image
        np.testing.assert_array_equal(one, other)
        assert one.attrs["affine"] == other.attrs["affine"]
        assert digest(one) == digest(other)

    def test_i27_feet_first_has_the_same_voxels_in_patient_space(self, tmp_path):
        """The same patient, acquired feet first: columns run to the right, slices to the feet."""
        image = read_dicom(real("CT", "dicom", "image")).image
        width = image.shape[2]
        paths = sorted(real("CT", "dicom", "image").glob("*.dcm"))
        for number, path in enumerate(reversed(paths)):
            dataset = pydicom.dcmread(path)
            x, y, z = map(float, dataset.ImagePositionPatient)
            dataset.ImagePositionPatient = [x + (width - 1) * 0.976562, y, z]
            dataset.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
            dataset.PatientPosition, dataset.InstanceNumber = "FFS", number + 1
            dataset.PixelData = dataset.pixel_array[:, ::-1].tobytes()
            dataset.save_as(tmp_path / f"{number}.dcm")
        turned = read_dicom(tmp_path).image
        np.testing.assert_array_equal(turned[::-1, :, ::-1], image)
        corners = grid_of(image).corner_indices()
        there = grid_of(turned).to_index(grid_of(image).to_patient(corners))
        last = np.array(image.shape[::-1]) - 1
        np.testing.assert_allclose(
            there, np.stack([last[0] - corners[:, 0], corners[:, 1], last[2] - corners[:, 2]], axis=1), atol=1e-4
        )


class TestOracles:
    @pytest.mark.parametrize("kind", ["axial", "descending", "prone", "feet_first", "sagittal", "coronal", "oblique"])
    def test_simpleitk_has_every_voxel_at_the_same_place(self, tmp_path, kind):
        write_series(tmp_path, stored(), example_grid(kind), RescaleIntercept="-1024")
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
        other = SimpleITK.ReadImage(names)
        image = read_dicom(tmp_path).image
        grid = grid_of(image)
        values = image.values
        for index in np.random.default_rng(1).integers(0, image.shape, (60, 3)).tolist():
            place = grid.to_patient(index[::-1]).tolist()
            at = other.TransformPhysicalPointToIndex(place)
            np.testing.assert_allclose(other.TransformIndexToPhysicalPoint(at), place, atol=1e-4)
            assert other[at] == values[tuple(index)]

    @pytest.mark.full
    @pytest.mark.parametrize("kind", ["axial", "feet_first", "sagittal", "oblique"])
    def test_dcm2niix_has_the_same_volume(self, tmp_path, kind):
        write_series(
            tmp_path / "in", stored((7, 16, 18)), example_grid(kind, shape=(7, 16, 18)), GantryDetectorTilt="0"
        )
        (tmp_path / "out").mkdir()
        program = Path(sys.executable).with_name("dcm2niix")
        command = [program, "-z", "n", "-b", "n", "-m", "y", "-f", "one", "-o", tmp_path / "out", tmp_path / "in"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        nifti = nibabel.load(next((tmp_path / "out").glob("one*.nii")))
        image = read_dicom(tmp_path / "in").image
        grid = grid_of(image)
        expected = np.asarray(nifti.dataobj)
        to_index = np.linalg.inv(nifti.affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])
        index = np.stack(np.meshgrid(*map(np.arange, image.shape), indexing="ij"), axis=-1).reshape(-1, 3)
        at = grid.to_patient(index[:, ::-1]) @ to_index[:3, :3].T + to_index[:3, 3]
        np.testing.assert_allclose(at, np.rint(at), atol=1e-3)
        found = expected[tuple(np.rint(at).astype(int).T)]
        np.testing.assert_array_equal(found, image.values[tuple(index.T)])

    @pytest.mark.full
    def test_dcm2niix_corrects_gantry_tilt_to_the_same_voxels(self, tmp_path):
        shape = (12, 30, 10)
        grid = example_grid("tilted", shape=shape)
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)[..., ::-1]
        ramp = np.rint(grid.to_patient(index) @ [3.0, 7.0, 11.0]).astype(np.int16)
        write_series(tmp_path / "in", ramp, grid, GantryDetectorTilt="16.26")
        (tmp_path / "out").mkdir()
        program = Path(sys.executable).with_name("dcm2niix")
        command = [program, "-z", "n", "-b", "n", "-f", "one", "-o", tmp_path / "out", tmp_path / "in"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        nifti = nibabel.load(tmp_path / "out" / "one_Tilt_1.nii")
        image = read_dicom(tmp_path / "in", tilt="deskew").image
        index = np.stack(np.meshgrid(*map(np.arange, image.shape), indexing="ij"), axis=-1).reshape(-1, 3)
        to_index = np.linalg.inv(nifti.affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])
        at = grid_of(image).to_patient(index[:, ::-1]) @ to_index[:3, :3].T + to_index[:3, 3]
        np.testing.assert_allclose(at, np.rint(at), atol=1e-3)  # the same lattice
        values = image.values[tuple(index.T)]
        expected = np.asarray(nifti.dataobj)
        inside = ~np.isnan(values) & (np.rint(at) >= 0).all(axis=1) & (np.rint(at) < expected.shape).all(axis=1)
        found = expected[tuple(np.rint(at[inside]).astype(int).T)]
        assert inside.sum() > 0.9 * ramp.size
        assert np.abs(found - values[inside]).max() <= 1.01  # it rounds to whole numbers


class TestSources:
    def test_folder_zip_index_and_series_are_one(self, tmp_path):
        array = stored()
        paths = write_series(tmp_path / "folder", array, example_grid())
        with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                archive.write(path, f"deep/{path.name}")
        index = index_dicom(tmp_path / "folder")
        for where in (tmp_path / "folder", str(tmp_path / "folder"), tmp_path / "all.zip", index, index.series[0]):
            np.testing.assert_array_equal(read_dicom(where).image, array)

    def test_a_series_by_the_end_of_its_uid(self, tmp_path):
        write_series(tmp_path, stored(), example_grid())
        uid = index_dicom(tmp_path).series[0].uid
        assert read_dicom(tmp_path, series=uid[-8:]).attrs["SeriesInstanceUID"] == uid

    def test_dose_and_segmentation_go_through_the_same_door(self):
        dose = read_dicom(get_testdata_file("rtdose.dcm"))
        assert list(dose) == ["dose"]
        assert float(dose.dose.max()) == pytest.approx(1.254)
        mask = read_dicom(get_testdata_file("liver_1frame.dcm"))
        assert mask["mask"].dims == ("c", "z", "y", "x")
        assert int(mask["mask"].sum()) == 36233
        assert mask.coords["c"].values.tolist() == ["Liver"]

    def test_nothing_there(self, tmp_path):
        with pytest.raises(DicomError, match="no DICOM object here"):
            read_dicom(tmp_path)
        with pytest.raises(DicomError, match="no such file or folder"):
            read_dicom(tmp_path / "nowhere")

    def test_a_series_without_images(self):
        with pytest.raises(DicomError, match="no series of images"):
            read_dicom(get_testdata_file("rtstruct.dcm"))

    def test_a_file_whose_header_is_cut_off_is_said_to_be_left_out(self, tmp_path):
        paths = write_series(tmp_path, stored(), example_grid())
        paths[4].write_bytes(paths[4].read_bytes()[:1000])
        dataset = read_dicom(tmp_path)
        assert dataset.sizes["z"] == 4
        assert [found["pitfall"] for found in dataset.attrs["decisions"]] == ["unreadable files"]
        assert "CT0004.dcm" in dataset.attrs["decisions"][0]["text"]

    def test_truncated_pixels_are_refused_before_anything_is_computed(self, tmp_path):
        paths = write_series(tmp_path, stored(), example_grid())
        paths[2].write_bytes(paths[2].read_bytes()[:-10])
        with pytest.raises(
            DicomError, match=r"CT0002\.dcm: \(7FE0,0010\) PixelData ends too early; wanted 96 bytes, got 86"
        ):
            read_dicom(tmp_path)

    @pytest.mark.parametrize("options", [{"gaps": "ignore"}, {"tilt": "fix"}, {"rescale": "yes"}, {"padding": "zero"}])
    def test_options_that_mean_nothing(self, tmp_path, options):
        with pytest.raises(DicomError, match="not a choice of"):
            read_dicom(tmp_path, **options)
        with pytest.raises(DicomError, match="no such option"):
            read_volumes(tmp_path, colour=True)


class TestLaziness:
    def test_only_the_slices_that_are_computed_are_read(self, tmp_path, monkeypatch):
        array = stored()
        write_series(tmp_path, array, example_grid())
        image = read_dicom(tmp_path).image
        assert image.data.chunks == ((1,) * 5, (6,), (8,))
        read = []
        whole = SliceArray.read
        monkeypatch.setattr(
            SliceArray, "read", lambda self, time, place: (read.append(place), whole(self, time, place))[1]
        )
        np.testing.assert_array_equal(image[3, 2:4], array[3, 2:4])
        assert read == [3]

    @pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
    def test_schedulers_agree(self, tmp_path, scheduler):
        array = stored()
        write_series(tmp_path, array, example_grid(), transfer_syntax="1.2.840.10008.1.2.5")
        with dask.config.set(scheduler=scheduler):
            np.testing.assert_array_equal(read_dicom(tmp_path).image, array)

    def test_a_volume_can_go_to_another_process(self, tmp_path):
        write_series(tmp_path, stored(), example_grid())
        dataset = read_dicom(tmp_path)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset)).image, stored())

    def test_a_volume_larger_than_memory(self, tmp_path):
        """8 TB of zeros that take no room on the disk: one slice of them is read."""
        dataset = make_enhanced(np.zeros((2, 6, 8), np.int16), example_grid(shape=(2, 6, 8)))
        dataset.Rows = dataset.Columns = 65534
        dataset.PixelData = b"\0\0"
        path = write_dicom(dataset, tmp_path / "huge.dcm")
        whole = bytearray(path.read_bytes())
        length = 65534 * 65534 * 2 * 2
        at = whole.rindex(b"\xe0\x7f\x10\x00")
        assert length >= 1 << 32  # more than a length can say: what the file has room for is wanted
        with path.open("r+b") as file:
            file.truncate(at + 12 + length)
        with pytest.raises(DicomError, match="ends too early"):
            read_dicom(path)

    def test_slices_of_large_frames_are_read_without_their_neighbours(self, tmp_path):
        dataset = make_enhanced(np.zeros((60, 4, 4), np.int16), example_grid(shape=(60, 4, 4)))
        dataset.Rows, dataset.Columns = 4096, 8192
        path = write_dicom(dataset, tmp_path / "large.dcm")
        whole = path.read_bytes()
        at = whole.rindex(b"\xe0\x7f\x10\x00")
        length = 60 * 4096 * 8192 * 2  # 4.0 GB, of which the disk holds one page
        with path.open("r+b") as file:
            file.seek(at + 8)
            file.write(length.to_bytes(4, "little"))
            file.truncate(at + 12 + length)
            file.seek(at + 12 + 31 * 4096 * 8192 * 2 + 2 * (5 * 8192 + 7))
            file.write((1234).to_bytes(2, "little"))
        image = read_dicom(path).image
        assert image.nbytes == length
        assert image[31, 5, 7].compute() == 1234
        assert image[31, :10].sum().compute() == 1234


class TestWhatIsKept:
    def test_attributes_are_json_and_name_nobody(self, tmp_path):
        write_series(tmp_path, stored(), example_grid(), modality="PET", PatientWeight="71.5", Units="BQML")
        dataset = read_dicom(tmp_path)
        text = json.dumps({**dataset.attrs, "image": dataset.image.attrs}, allow_nan=False)
        assert "Generated^Patient1" not in text
        assert dataset.attrs["PatientWeight"] == 71.5
        assert dataset.attrs["RadiopharmaceuticalInformationSequence"][0]["RadionuclideTotalDose"] == 370000000
        assert dataset.image.attrs["units"] == "Bq/ml"
        assert dataset.image.attrs["frame"] == "LPS"
        assert dataset.image.coords["z"].attrs["units"] == "mm"

    def test_a_describing_value_of_the_wrong_kind_does_no_harm(self, tmp_path):
        def edit(dataset, index):
            dataset["KVP"] = pydicom.DataElement("KVP", "LO", "many")

        write_series(tmp_path, stored(), example_grid(), edit=edit)
        np.testing.assert_array_equal(read_dicom(tmp_path).image, stored())


class TestTables:
    def test_a_modality_table(self, tmp_path):
        table = (np.arange(4096) ** 1.5 / 10).astype(np.uint16)
        array = np.random.default_rng(0).integers(0, 4096, (5, 6, 8)).astype(np.uint16)
        lut = item(LUTDescriptor=[4096, 0, 16], ModalityLUTType="US", LUTData=table.astype("<u2").tobytes())
        tags = {"RescaleSlope": ..., "RescaleIntercept": ..., "ModalityLUTSequence": [lut]}
        write_series(tmp_path, array, example_grid(), BitsStored=12, **tags)
        np.testing.assert_array_equal(read_dicom(tmp_path).image, table[array])

    def test_real_world_values_are_an_option_with_their_own_unit(self, tmp_path):
        units = [item(CodeValue="um2/s", CodingSchemeDesignator="UCUM", CodeMeaning="square micrometer per second")]
        mapping = item(
            RealWorldValueSlope=0.5,
            RealWorldValueIntercept=3.0,
            RealWorldValueFirstValueMapped=0,
            RealWorldValueLastValueMapped=1000,
            LUTLabel="ADC",
            MeasurementUnitsCodeSequence=units,
        )
        array = np.random.default_rng(0).integers(0, 2000, (5, 6, 8)).astype(np.uint16)
        write_series(tmp_path, array, example_grid(), modality="MR", RealWorldValueMappingSequence=[mapping])
        image = read_dicom(tmp_path, rescale="real_world").image
        np.testing.assert_allclose(image, np.where(array <= 1000, array * 0.5 + 3, np.nan))
        assert image.attrs["units"] == "um2/s"
        np.testing.assert_array_equal(read_dicom(tmp_path).image, array)

    def test_real_world_values_that_are_not_there(self, tmp_path):
        write_series(tmp_path, stored(), example_grid())
        with pytest.raises(DicomError, match=r"\(0040,9096\) RealWorldValueMappingSequence"):
            read_dicom(tmp_path, rescale="real_world")

    def test_philips_scale_is_an_option(self, tmp_path):
        def edit(dataset, index):
            dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(
                0x0E, "FL", 0.02 * (index + 1)
            )

        array = np.random.default_rng(0).integers(0, 2000, (5, 6, 8)).astype(np.uint16)
        tags = {"RescaleSlope": "2.5", "RescaleIntercept": "-10"}
        write_series(tmp_path, array, example_grid(), modality="MR", edit=edit, **tags)
        scale = 0.02 * np.arange(1, 6)[:, None, None]
        np.testing.assert_allclose(
            read_dicom(tmp_path, rescale="philips").image, (array * 2.5 - 10) / (2.5 * scale), rtol=1e-6
        )
        np.testing.assert_allclose(read_dicom(tmp_path).image, array * 2.5 - 10)
        np.testing.assert_array_equal(read_dicom(tmp_path, rescale="stored").image, array)

    def test_no_philips_scale(self, tmp_path):
        write_series(tmp_path, stored(), example_grid(), modality="MR")
        with pytest.raises(DicomError, match="Scale Slope"):
            read_dicom(tmp_path, rescale="philips")

    def test_padding_beyond_the_bits_in_use_is_not_taken_for_a_value(self, tmp_path):
        array = np.full((5, 6, 8), 2096, np.uint16)  # what -2000 leaves in twelve bits
        array[:, 0] = 63536
        write_series(tmp_path, array, example_grid(), BitsStored=12, PixelPaddingValue=63536)
        image = read_dicom(tmp_path).image
        assert np.isnan(image[:, 0]).all()
        assert (image[:, 1:] == 2096).all()

    def test_a_range_of_padding(self, tmp_path):
        array = stored()
        write_series(tmp_path, array, example_grid(), PixelPaddingValue=-900, PixelPaddingRangeLimit=-500)
        np.testing.assert_array_equal(np.isnan(read_dicom(tmp_path).image), array <= -500)


class TestPlanes:
    """Images without a place in the patient."""

    def mammogram(self, tmp_path, **tags):
        dataset = make_series(stored((1, 6, 8)), example_grid(shape=(1, 6, 8)))[0]
        gone = dict.fromkeys(
            ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"), ...
        )
        set_tags(
            dataset,
            {**gone, "Modality": "MG", "SOPClassUID": DigitalMammographyXRayImageStorageForPresentation, **tags},
        )
        return write_dicom(dataset, tmp_path / "mg.dcm")

    def test_mammography_says_that_its_spacing_is_at_the_detector(self, tmp_path):
        dataset = read_dicom(self.mammogram(tmp_path, ImagerPixelSpacing=["0.07", "0.08"]))
        assert dataset.image.attrs["frame"] == "image"
        assert dataset.image.attrs["spacing_source"].startswith("(0018,1164) ImagerPixelSpacing: at the detector")
        assert grid_of(dataset.image).spacing_mm[1:] == pytest.approx((0.07, 0.08))
        assert dataset.attrs["decisions"][0]["pitfall"] == "no position"
        np.testing.assert_array_equal(dataset.image[0], stored((1, 6, 8))[0])

    def test_without_any_spacing_lengths_are_pixels(self, tmp_path):
        image = read_dicom(self.mammogram(tmp_path)).image
        assert image.attrs["spacing_units"] == image.coords["x"].attrs["units"] == "pixel"
        np.testing.assert_array_equal(image.coords["x"], np.arange(8))

    def ultrasound(self, tmp_path, *, deltas=(0.02,), **tags):
        frames = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3), dtype=np.uint8)
        dataset = make_series(stored((1, 6, 8)), example_grid(shape=(1, 6, 8)))[0]
        gone = dict.fromkeys(
            (
                "ImagePositionPatient",
                "ImageOrientationPatient",
                "PixelSpacing",
                "FrameOfReferenceUID",
                "RescaleSlope",
                "RescaleIntercept",
            ),
            ...,
        )
        regions = [
            item(
                RegionSpatialFormat=1,
                RegionDataType=1,
                PhysicalUnitsXDirection=3,
                PhysicalUnitsYDirection=3,
                PhysicalDeltaX=delta,
                PhysicalDeltaY=2 * delta,
            )
            for delta in deltas
        ]
        layout = {
            "SamplesPerPixel": 3,
            "PhotometricInterpretation": "RGB",
            "PlanarConfiguration": 0,
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
        }
        set_tags(
            dataset,
            {
                **gone,
                **layout,
                "Modality": "US",
                "SOPClassUID": UltrasoundMultiFrameImageStorage,
                "NumberOfFrames": "4",
                "FrameTime": "40",
                "SequenceOfUltrasoundRegions": regions,
                **tags,
            },
        )
        dataset.PixelData = frames.tobytes()
        return frames, write_dicom(dataset, tmp_path / "us.dcm")

    def test_an_ultrasound_loop_is_time_and_colour(self, tmp_path):
        frames, path = self.ultrasound(tmp_path)
        image = read_dicom(path).image
        assert image.dims == ("t", "c", "z", "y", "x")
        np.testing.assert_array_equal(image[:, :, 0], np.moveaxis(frames, -1, 1))
        np.testing.assert_allclose(image.coords["t"], [0, 0.04, 0.08, 0.12])
        assert image.coords["t"].attrs["units"] == "s"
        assert image.coords["c"].values.tolist() == ["R", "G", "B"]
        assert grid_of(image).spacing_mm[1:] == pytest.approx((0.4, 0.2))

    def test_regions_with_different_calibrations_need_a_choice(self, tmp_path):
        _, path = self.ultrasound(tmp_path, deltas=(0.02, 0.05))
        with pytest.raises(DicomError, match="ultrasound regions with different calibrations"):
            read_dicom(path)
        assert grid_of(read_dicom(path, region=1).image).spacing_mm[1:] == pytest.approx((1, 0.5))
        with pytest.raises(DicomError, match="not a calibrated ultrasound region"):
            read_dicom(path, region=7)

    def test_a_palette_becomes_colour(self):
        dataset = read_dicom(get_testdata_file("examples_palette.dcm"))
        assert dataset.image.dims == ("c", "z", "y", "x")
        raw = pydicom.dcmread(get_testdata_file("examples_palette.dcm"))
        expected = pydicom.pixels.apply_color_lut(raw.pixel_array, raw)
        np.testing.assert_array_equal(dataset.image[:, 0], np.moveaxis(expected, -1, 0))
