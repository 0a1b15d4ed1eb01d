"""Series that would be squeezed silently, and files that would take all memory or time: right, split or refused."""

import gzip
import os
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from braggbook.errors import DicomError
from braggbook.imaging.dicom import index_dicom, suv
from braggbook.imaging.reading import read_dicom, read_volumes
from braggbook.testing.dicom import (
    code,
    example_grid,
    item,
    make_enhanced,
    make_rdsr,
    make_rtdose,
    make_series,
    make_uid,
    set_tags,
    write_dicom,
    write_series,
)

GRID = example_grid(shape=(4, 6, 8))
STORED = np.random.default_rng(1).integers(-900, 3000, GRID.shape).astype(np.int16)
DEFLATED = "1.2.840.10008.1.2.1.99"
NIBABEL = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"


def decisions(dataset) -> dict[str, str]:
    return {found["pitfall"]: found["text"] for found in dataset.attrs["decisions"]}


def refused(where: Path, **options) -> str:
    with pytest.raises(DicomError) as caught:
        read_dicom(where, **options).load()
    return str(caught.value)


def write_times(
    folder: Path, labels: list[dict[str, str]], *, without: tuple[int, int] | None = None, **options
) -> None:
    """Writes one stack for each set of labels, without the slice (label, place)."""
    for number, tags in enumerate(labels):
        for place, dataset in enumerate(make_series(STORED + number, GRID, modality="MR", **tags, **options)):
            dataset.SOPInstanceUID = make_uid("time", number, place)
            if (number, place) != without:
                write_dicom(dataset, folder / f"{number}_{place}.dcm")


class TestMeaning:
    """Numbers that do not mean the same are never one volume."""

    @pytest.mark.parametrize(
        ("modality", "tags", "why"),
        [
            ("PET", {"Units": "CNTS"}, "mixed units"),
            ("CT", {"RescaleType": "US", "RescaleIntercept": ..., "RescaleSlope": ...}, "mixed units and rescaling"),
            ("MR", {"RescaleIntercept": "0", "RescaleSlope": "2"}, "mixed rescaling"),
            ("CT", {"Modality": "MR"}, "mixed modalities"),
            ("MR", {"PhotometricInterpretation": "MONOCHROME1"}, "mixed photometric interpretations"),
        ],
    )
    def test_one_slice_of_another_meaning_is_set_apart(self, tmp_path, modality, tags, why):
        def edit(dataset, index):
            set_tags(dataset, tags if index == 3 else {})

        write_series(tmp_path, STORED, GRID, modality=modality, edit=edit)
        assert why in refused(tmp_path)
        first, last = read_volumes(tmp_path)
        assert (first.image.sizes["z"], last.image.sizes["z"]) == (3, 1)

    def test_real_world_values_in_two_units_are_refused(self, tmp_path):
        def mapping(k):
            unit = code("mm2/s" if k else "Bq/ml", "UCUM", "unit")
            ends = {"RealWorldValueFirstValueMapped": -1000, "RealWorldValueLastValueMapped": 5000}
            numbers = {"RealWorldValueSlope": 2.0, "RealWorldValueIntercept": 0.0}
            return {"RealWorldValueMappingSequence": [item(**ends, **numbers, MeasurementUnitsCodeSequence=[unit])]}

        write_series(tmp_path, STORED, GRID, modality="MR", per_slice=mapping)
        assert "mixed units" in refused(tmp_path, rescale="real_world")

    def test_which_of_several_real_world_values_was_taken_is_said(self, tmp_path):
        ends = {"RealWorldValueFirstValueMapped": -1000, "RealWorldValueLastValueMapped": 5000}
        maps = [
            item(
                **ends,
                RealWorldValueSlope=slope,
                RealWorldValueIntercept=0.0,
                LUTLabel=name,
                MeasurementUnitsCodeSequence=[code(name, "UCUM", name)],
            )
            for slope, name in ((2.0, "mm2/s"), (3.0, "s"))
        ]
        write_series(tmp_path, STORED, GRID, modality="MR", RealWorldValueMappingSequence=maps)
        found = read_dicom(tmp_path, rescale="real_world")
        np.testing.assert_array_equal(found.image, STORED * 2.0)
        assert decisions(found)["real world values"].startswith("2 mappings (mm2/s mm2/s, s s): the first")

    def test_a_slope_beyond_all_numbers_is_refused(self, tmp_path):
        write_series(tmp_path, STORED, GRID, RescaleSlope="1e308")
        assert "values beyond what numbers can hold" in refused(tmp_path)

    def test_large_values_do_not_become_infinite(self, tmp_path):
        write_series(tmp_path, STORED, GRID, RescaleSlope="1e37")
        np.testing.assert_allclose(read_dicom(tmp_path).image, STORED * 1e37, rtol=1e-12)

    def test_doses_and_reports_among_images_are_set_apart_and_named(self, tmp_path):
        write_series(tmp_path, STORED, GRID)
        uid = index_dicom(tmp_path).series[0].uid
        for name, other in (("0dose", make_rtdose(np.ones(GRID.shape), GRID)), ("0report", make_rdsr())):
            other.SeriesInstanceUID = uid
            write_dicom(other, tmp_path / f"{name}.dcm")
        found = read_dicom(tmp_path)
        np.testing.assert_array_equal(found.image, STORED)
        assert "0dose.dcm" in decisions(found)["other objects"]
        assert "0report.dcm" in decisions(found)["other objects"]

    def test_an_enhanced_pet_is_read_and_its_uptake_refused(self, tmp_path):
        dataset = make_enhanced(STORED, GRID, modality="MR")
        dataset.SOPClassUID, dataset.Modality = pydicom.uid.EnhancedPETImageStorage, "PT"
        write_dicom(dataset, tmp_path / "pet.dcm")
        found = read_dicom(tmp_path)
        np.testing.assert_array_equal(found.image, STORED)
        with pytest.raises(DicomError, match="no SUV of an enhanced PET image"):
            suv(found)


class TestDuplicates:
    """Several images at one place, when it is not as simple as that."""

    def test_the_same_pixels_under_another_identifier_are_left_out_and_named(self, tmp_path):
        write_series(tmp_path, STORED, GRID)
        again = pydicom.dcmread(tmp_path / "CT0001.dcm")
        again.SOPInstanceUID = make_uid("again")
        write_dicom(again, tmp_path / "again.dcm")
        found = read_dicom(tmp_path)
        np.testing.assert_array_equal(found.image, STORED)
        assert "1 left out: the same pixels" in decisions(found)["copies"]

    @pytest.mark.parametrize("change", ["pixels", "slope"])
    def test_other_values_under_another_identifier_are_refused(self, tmp_path, change):
        write_series(tmp_path, STORED, GRID)
        again = pydicom.dcmread(tmp_path / "CT0001.dcm")
        again.SOPInstanceUID = make_uid("again")
        if change == "pixels":
            again.PixelData = bytes([again.PixelData[0] ^ 1]) + again.PixelData[1:]
        else:
            again.RescaleSlope = "2"
        write_dicom(again, tmp_path / "again.dcm")
        assert "duplicate slices that no tag tells apart" in refused(tmp_path)
        assert "again.dcm" in refused(tmp_path)

    @pytest.mark.parametrize("missing", [2, 3])
    def test_a_hole_in_four_dimensions_splits_and_is_said(self, tmp_path, missing):
        labels = [{"EchoTime": echo, "TemporalPositionIdentifier": time} for echo in ("5", "9") for time in ("1", "2")]
        write_times(tmp_path, labels, without=(1, missing))
        text = refused(tmp_path)
        assert "4 volumes" in text
        assert "volume of 3 planes of 6 x 8 (EchoTime 5.0, TemporalPositionIdentifier 2)" in text
        whole = read_dicom(tmp_path, part=0)
        np.testing.assert_array_equal(whole.image, STORED)
        part = 3  # the smallest is the last
        if missing == 2:
            assert "a gap of 6.00 mm" in refused(tmp_path, part=part)
        else:
            found = read_dicom(tmp_path, part=part)
            np.testing.assert_array_equal(found.image, (STORED + 1)[:3])
            assert "no image of this kind at 49.00 mm" in decisions(found)["incomplete"]

    def test_places_that_differ_a_little_from_time_to_time_are_one(self, tmp_path):
        labels = [{"TemporalPositionIdentifier": time} for time in ("1", "2")]
        write_times(tmp_path, labels)
        for place in range(4):
            path = tmp_path / f"1_{place}.dcm"
            dataset = pydicom.dcmread(path)
            dataset.ImagePositionPatient[2] += 0.012
            write_dicom(dataset, path)
        found = read_dicom(tmp_path)
        np.testing.assert_array_equal(found.image, np.stack([STORED, STORED + 1]))
        assert "up to 0.012 mm apart" in decisions(found)["duplicates"]

    def test_stacks_of_one_object_are_volumes_of_their_own(self, tmp_path):
        def edit(frame, number):
            if number >= 2:
                frame.FrameContentSequence[0].StackID = "2"
                frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 300 + 3 * number]

        write_dicom(make_enhanced(STORED, GRID, edit_frame=edit), tmp_path / "stacks.dcm")
        first, second = read_volumes(tmp_path)
        np.testing.assert_array_equal(first.image, STORED[:2])
        np.testing.assert_array_equal(second.image, STORED[2:])

    def test_slices_far_apart_for_their_thickness_are_said(self, tmp_path):
        write_series(tmp_path, STORED, GRID, SliceThickness="1.5")
        assert "slices of 1.5 mm are 3 mm apart" in decisions(read_dicom(tmp_path))["slices apart"]


class TestDamage:
    """Files that end early or lie, beside others that do not."""

    @pytest.mark.parametrize("length", [200, 600, 900])
    def test_a_file_that_ends_in_its_header_is_never_left_out_silently(self, tmp_path, length):
        paths = write_series(tmp_path, STORED, GRID)
        paths[3].write_bytes(paths[3].read_bytes()[:length])
        found = read_dicom(tmp_path)
        np.testing.assert_array_equal(found.image, STORED[:3])
        assert "CT0003.dcm" in " ".join(decisions(found).values())

    def test_a_size_that_cannot_be_read_is_named_with_its_tag(self, tmp_path):
        paths = write_series(tmp_path, STORED, GRID)
        data = paths[3].read_bytes()
        at = data.index(b"\x28\x00\x10\x00US")
        paths[3].write_bytes(data[: at + 4] + b"SH" + data[at + 6 :])
        text = refused(tmp_path)
        assert "CT0003.dcm" in text
        assert "(0028,0010) Rows" in text

    @pytest.mark.parametrize("depth", [100, 1000, 5000])
    def test_nested_sequences_do_no_harm(self, tmp_path, depth):
        opened = b"\x21\x00\x10\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        nested = b"\x21\x00\x10\x00LO\x04\x00TEST" + opened * depth + closed * depth
        for path in write_series(tmp_path, STORED, GRID):
            data = path.read_bytes()
            at = data.index(b"\x28\x00\x02\x00US")
            path.write_bytes(data[:at] + nested + data[at:])
        np.testing.assert_array_equal(read_dicom(tmp_path).image, STORED)

    @pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
    def test_a_stream_of_another_size_is_refused_before_it_is_decoded(self, tmp_path, syntax):
        grid = example_grid(shape=(1, 64, 64))
        stored = np.random.default_rng(0).integers(0, 4000, grid.shape).astype(np.uint16)
        [dataset] = make_series(stored, grid, transfer_syntax=syntax)
        dataset.Rows = 32
        write_dicom(dataset, tmp_path / "a.dcm")
        assert "64 x 64 pixels" in refused(tmp_path)


class TestMemory:
    """What declares far more than it is; each would take gigabytes."""

    @pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
    def test_a_frame_that_would_be_huge(self, tmp_path, syntax):
        [dataset] = make_series(
            np.zeros((1, 64, 64), np.uint16), example_grid(shape=(1, 64, 64)), transfer_syntax=syntax
        )
        dataset.Rows = dataset.Columns = 65535
        write_dicom(dataset, tmp_path / "a.dcm")
        assert "a bomb?" in refused(tmp_path)

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", RLELossless])
    def test_billions_of_frames(self, tmp_path, syntax):
        [dataset] = make_series(
            np.zeros((1, 64, 64), np.uint16), example_grid(shape=(1, 64, 64)), transfer_syntax=syntax
        )
        dataset.NumberOfFrames = 2_000_000_000
        write_dicom(dataset, tmp_path / "a.dcm")
        assert "ends too early" in refused(tmp_path)

    @pytest.mark.full
    @pytest.mark.parametrize("rows", [6, 65535])
    def test_a_deflated_file_that_becomes_gigabytes(self, tmp_path, rows):
        [dataset, *_] = make_series(STORED, GRID, transfer_syntax=DEFLATED)
        dataset.Rows = dataset.Columns = rows
        path = write_dicom(dataset, tmp_path / "a.dcm")
        data = path.read_bytes()
        start = 144 + struct.unpack("<I", data[140:144])[0]
        plain = zlib.decompress(data[start:], -zlib.MAX_WBITS)
        at = plain.index(b"\xe0\x7f\x10\x00")
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = squeeze.compress(plain[:at] + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 2_000_000_000))
        zeros = bytes(1 << 20)
        packed += b"".join(squeeze.compress(zeros) for _ in range(100)) + squeeze.flush()
        path.write_bytes(data[:start] + packed)
        assert any(why in refused(tmp_path) for why in ("too much data", "a bomb?"))

    def test_private_elements_of_gigabytes_before_the_pixels(self, tmp_path):
        [path] = write_series(tmp_path, STORED[:1], example_grid(shape=(1, 6, 8)))
        data = path.read_bytes()
        at = data.index(b"\x28\x00\x02\x00US")
        with path.open("wb") as file:
            file.write(data[:at] + b"\x21\x00\x10\x00LO\x04\x00TEST")
            for number in range(3):  # sparse: ten gigabytes that take no room on the disk
                file.write(b"\x21\x00" + bytes((number, 0x10)) + b"OB\0\0" + struct.pack("<I", 3_400_000_000))
                file.seek(3_400_000_000, os.SEEK_CUR)
            file.write(data[at:])
        assert index_dicom(path).series[0].tags["Rows"] == 6
        assert "too much data before the pixels" in refused(path)

    def test_a_large_file_is_read_where_its_pixels_are(self, tmp_path):
        [path] = write_series(tmp_path, STORED[:1], example_grid(shape=(1, 6, 8)))
        with path.open("r+b") as file:
            file.truncate(10_000_000_000)
        np.testing.assert_array_equal(read_dicom(path).image, STORED[:1])

    @pytest.mark.full
    def test_large_files_of_nothing(self, tmp_path):
        for name, begins in (("a", b""), ("b", bytes(128) + b"DICM")):
            with (tmp_path / name).open("wb") as file:
                file.write(begins)
                file.truncate(10_000_000_000)
        text = refused(tmp_path)
        assert "not a DICOM file" in text
        assert "a header without end" in text

    def test_many_frames_in_a_zip_are_unpacked_once(self, tmp_path, monkeypatch):
        grid = example_grid(shape=(40, 6, 8))
        stored = np.arange(40 * 48, dtype=np.int16).reshape(grid.shape)
        write_dicom(make_enhanced(stored, grid), tmp_path / "a.dcm")
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(tmp_path / "a.dcm", "a.dcm")
        volume = read_dicom(tmp_path / "a.zip")
        opened = []
        inflate = zlib.decompressobj
        monkeypatch.setattr(zlib, "decompressobj", lambda *args: opened.append(args) or inflate(*args))
        np.testing.assert_array_equal(volume.image, stored)
        assert len(opened) <= 1


NAMES = [
    ("ISO 2022 IR 6\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("GBK", "Zhang^Wei=张^伟"),
    ("ISO_IR 192", "Кузнецов^Ян"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("ISO_IR 144", "Люкceмбypг"),
]


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_names_in_other_alphabets(tmp_path, charset, name):
    for dataset in make_series(STORED, GRID):
        dataset.SpecificCharacterSet = charset.split("\\") if "\\" in charset else charset
        dataset.PatientName = name
        write_dicom(dataset, tmp_path / f"{dataset.InstanceNumber}.dcm")
    assert index_dicom(tmp_path).patients[0].name == name
    np.testing.assert_array_equal(read_dicom(tmp_path).image, STORED)


def test_pixels_that_are_not_square_are_told_without_a_calibration(tmp_path):
    [dataset] = make_series(STORED[:1], example_grid(shape=(1, 6, 8)), modality="CT")
    gone = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID")
    set_tags(dataset, {**dict.fromkeys(gone, ...), "PixelAspectRatio": ["3", "2"], "Modality": "OT"})
    dataset.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    write_dicom(dataset, tmp_path / "a.dcm")
    image = read_dicom(tmp_path).image
    np.testing.assert_allclose(np.diff(image.y), 1.5)
    np.testing.assert_allclose(np.diff(image.x), 1.0)
    assert image.attrs["spacing_units"] == "pixel"
    assert "PixelAspectRatio" in image.attrs["spacing_source"]


class TestVendors:
    """What vendors do in their own way."""

    @pytest.mark.parametrize("name", ["0.dcm", "1.dcm", "siemens_dwi_0.dcm.gz", "siemens_dwi_1000.dcm.gz"])
    def test_a_mosaic_is_no_slice(self, tmp_path, name):
        data = (NIBABEL / name).read_bytes()
        (tmp_path / "mosaic.dcm").write_bytes(gzip.decompress(data) if name.endswith("gz") else data)
        assert "a mosaic: all slices of a volume in one image" in refused(tmp_path)

    def test_an_enhanced_mr_of_philips_is_where_nifti_has_it(self, tmp_path):
        """Its frames' positions and pixels, taken apart with pydicom alone."""
        (tmp_path / "mr.dcm").write_bytes(gzip.decompress((NIBABEL / "philips_mprage.dcm.gz").read_bytes()))
        image = read_dicom(tmp_path).image
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(tmp_path / "mr.dcm")
            pixels = dataset.pixel_array
        assert image.shape == pixels.shape
        affine = np.array(image.attrs["affine"]).reshape(4, 4)
        inverse = np.linalg.inv(affine)
        for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            position = frame.PlanePositionSequence[0].ImagePositionPatient
            x, y, z = (inverse @ [*map(float, position), 1.0])[:3]
            assert (round(x, 2), round(y, 2), round(z, 2) % 1) == (0, 0, 0)
            moved = frame.PixelValueTransformationSequence[0]
            wanted = pixels[number] * float(moved.RescaleSlope) + float(moved.RescaleIntercept)
            np.testing.assert_allclose(image[round(z)], wanted, rtol=1e-5)

    @pytest.mark.parametrize(("modality", "slopes"), [("CT", [1] * 4), ("MR", [1] * 4), ("PET", [1, 2, 3, 4])])
    def test_images_that_were_converted_to_one_object(self, tmp_path, modality, slopes):
        grid = example_grid("oblique", shape=GRID.shape)
        rescale = [{"RescaleSlope": str(slope), "RescaleIntercept": "0"} for slope in slopes]
        slices = make_series(STORED, grid, modality=modality, per_slice=rescale)
        convert = getattr(highdicom.legacy, f"LegacyConvertedEnhanced{modality}Image")
        dataset = convert(
            legacy_datasets=[slices[place] for place in (2, 0, 3, 1)],
            series_instance_uid=make_uid("converted"),
            series_number=2,
            sop_instance_uid=make_uid("converted", 1),
            instance_number=1,
        )
        write_dicom(dataset, tmp_path / "a.dcm")
        image = read_dicom(tmp_path).image
        np.testing.assert_array_equal(image, STORED * np.array(slopes)[:, None, None])
        np.testing.assert_allclose(np.reshape(image.attrs["affine"], (4, 4)), grid.affine, atol=1e-6)

    @pytest.mark.parametrize(
        ("creator", "element", "vr", "written"),
        [
            ("SIEMENS MR HEADER", 0x0019000C, "IS", ["0", "800"]),
            ("Philips Imaging DD 001", 0x20010003, "FL", [0.0, 800.0]),
            ("GEMS_PARM_01", 0x00430039, "IS", [["1000000000", "8", "0", "0"], ["1000000800", "8", "0", "0"]]),
        ],
    )
    def test_b_values_that_only_the_vendor_knows(self, tmp_path, creator, element, vr, written):
        for number, value in enumerate(written):
            for place, dataset in enumerate(make_series(STORED + number, GRID, modality="MR")):
                dataset.SOPInstanceUID = make_uid("b", number, place)
                block = dataset.private_block(element >> 16, creator, create=True)
                block.add_new(element & 0xFF, vr, value)
                write_dicom(dataset, tmp_path / f"{number}_{place}.dcm")
        image = read_dicom(tmp_path).image
        np.testing.assert_array_equal(image, np.stack([STORED, STORED + 1]))
        assert image.t.to_numpy().tolist() == [0.0, 800.0]
        assert (image.t.attrs["units"], image.t.attrs["tag"]) == ("s/mm2", "DiffusionBValue")

    @pytest.mark.parametrize("kind", ["tiles", "ultrasound"])
    def test_frames_that_are_no_times_are_refused(self, tmp_path, kind):
        dataset = make_enhanced(STORED, GRID, modality="MR")
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            [place] = frame.PlanePositionSequence
            del frame.PlanePositionSequence
            frame.PlanePositionVolumeSequence = [item(ImagePositionVolume=place.ImagePositionPatient)]
        dataset.SOPClassUID, dataset.Modality = pydicom.uid.EnhancedUSVolumeStorage, "US"
        if kind == "tiles":
            del dataset.PerFrameFunctionalGroupsSequence
            del dataset.SharedFunctionalGroupsSequence
            dataset.SOPClassUID, dataset.Modality = pydicom.uid.VLWholeSlideMicroscopyImageStorage, "SM"
            dataset.TotalPixelMatrixColumns = dataset.TotalPixelMatrixRows = 16
        write_dicom(dataset, tmp_path / "a.dcm")
        assert ("a whole slide in tiles" if kind == "tiles" else "in coordinates of its own") in refused(tmp_path)
