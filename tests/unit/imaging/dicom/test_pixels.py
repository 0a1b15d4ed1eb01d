"""Pixels in every transfer syntax, against numbers that pydicom's own tests and other decoders give."""

import gzip
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import JPEG2000Lossless, RLELossless

from braggbook.errors import DicomError
from braggbook.imaging.dicom.images import ImageHeader, read_header
from braggbook.imaging.dicom.pixels import check_pixels, read_raw, read_stored, stored_range
from braggbook.imaging.dicom.sources import FileSource
from braggbook.imaging.reading import read_dicom
from braggbook.testing.dicom import example_grid, make_series, write_dicom, write_series
from braggbook.testing.dicom.enhanced import make_enhanced

MR_SMALL = ("MR_small", "MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_bigendian",
            "MR_small_implicit", "MR_small_expb", "MR_small_padded")  # fmt: skip


def header(name: str) -> ImageHeader:
    path = get_testdata_file(name if "." in name else f"{name}.dcm", download=False)
    return read_header(FileSource(Path(str(path))))


def all_frames(found: ImageHeader) -> np.ndarray:
    check_pixels(found)
    return np.stack([read_stored(found, number) for number in range(found.frames)])


class TestReferenceNumbers:
    def test_i01_ct_small(self):
        pixels = all_frames(header("CT_small"))[0]
        assert pixels.shape == (128, 128)
        assert (pixels.min(), pixels.max(), pixels.sum(dtype=np.int64)) == (128, 2191, 14826310)

    def test_i01_ct_small_in_hounsfield_units(self):
        image = read_dicom(get_testdata_file("CT_small.dcm")).image
        assert image.attrs["units"] == "HU"
        assert (int(image.min()), int(image.max())) == (-896, 1167)
        assert float(image.values.mean(dtype=float)) == pytest.approx(-119.0739, abs=5e-5)

    @pytest.mark.parametrize("name", MR_SMALL)
    def test_i02_mr_small_in_all_syntaxes(self, name):
        pixels = all_frames(header(name))
        assert (pixels.min(), pixels.max(), pixels.sum(dtype=np.int64)) == (127, 2145, 2125338)
        np.testing.assert_array_equal(pixels, all_frames(header("MR_small")))

    @pytest.mark.parametrize("name", ["rtdose", "rtdose_rle", "rtdose_expb"])
    def test_i03_dose(self, name):
        pixels = all_frames(header(name))
        assert pixels.shape == (15, 10, 10)
        assert pixels.dtype == np.uint32
        assert (pixels.sum(dtype=np.int64), pixels.max()) == (1519910000, 1254000)

    @pytest.mark.parametrize("name", ["liver_1frame", "liver_expb_1frame"])
    def test_i04_single_bits(self, name):
        assert all_frames(header(name)).sum() == 36233

    def test_i05_deflated_and_jpeg_2000(self):
        assert all_frames(header("image_dfl")).sum(dtype=np.int64) == 33322688
        assert all_frames(header("693_J2KI")).sum(dtype=np.int64) == -2181784

    @pytest.mark.parametrize("name", ["JPGExtended", "JPEG-lossy"])
    def test_twelve_bit_jpeg(self, name):
        pixels = all_frames(header(name))[0]
        assert (pixels[420, 140], pixels[230, 120]) == (244, 95)  # what libjpeg decodes, from pydicom's own tests

    def test_jpeg_2000_that_lies_about_its_sign(self):
        found = all_frames(header("J2K_pixelrep_mismatch"))[0]
        assert found.dtype == np.int16
        assert (found[0, 0], found.min()) == (-2000, -2000)

    def test_big_endian_bytes_in_words(self):
        np.testing.assert_array_equal(
            all_frames(header("SC_rgb_small_odd_big_endian")), all_frames(header("SC_rgb_small_odd"))
        )


class TestColour:
    @pytest.mark.parametrize(
        "name",
        [
            "SC_rgb_rle",
            "SC_rgb_dcmtk_+eb+cy+np",
            "SC_rgb_dcmtk_+eb+cy+s4",
            "SC_rgb_jpeg_gdcm",
            "SC_ybr_full_422_uncompressed",
        ],
    )
    def test_everything_becomes_rgb(self, name):
        found = all_frames(header(name))[0]
        assert found.shape == (100, 100, 3)
        red, green, blue = (found[y, 50].astype(int) for y in (5, 25, 45))
        for colour, (high, low) in ((red, (0, (1, 2))), (green, (1, (0, 2))), (blue, (2, (0, 1)))):
            assert colour[high] > 240
            assert max(colour[list(low)]) < 20

    def test_planes_and_pixels_are_the_same(self, tmp_path):
        rng = np.random.default_rng(3)
        image = rng.integers(0, 255, (7, 9, 3), dtype=np.uint8)
        found = []
        for planar in (0, 1):
            dataset = pydicom.dcmread(get_testdata_file("SC_rgb_small_odd.dcm"))
            dataset.Rows, dataset.Columns, dataset.PlanarConfiguration = 7, 9, planar
            data = (np.moveaxis(image, -1, 0) if planar else image).tobytes()
            dataset.PixelData = data + b"\0"
            found.append(read_stored(read_header(FileSource(write_dicom(dataset, tmp_path / f"{planar}.dcm"))), 0))
        np.testing.assert_array_equal(found[0], image)
        np.testing.assert_array_equal(found[1], image)


class TestBits:
    @pytest.mark.parametrize("signed", [False, True])
    @pytest.mark.parametrize(
        "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
    )
    def test_bits_that_are_not_in_use_do_not_count(self, tmp_path, signed, syntax):
        rng = np.random.default_rng(1)
        low, high = (-2048, 2047) if signed else (0, 4095)
        clean = rng.integers(low, high + 1, (1, 6, 8)).astype(np.int16 if signed else np.uint16)
        dirty = ((clean.view(np.uint16) & 0x0FFF) | (rng.integers(0, 16, clean.shape).astype(np.uint16) << 12)).view(
            clean.dtype
        )
        paths = write_series(tmp_path, dirty, example_grid(shape=(1, 6, 8)), BitsStored=12, transfer_syntax=syntax)
        found = read_header(FileSource(paths[0]))
        np.testing.assert_array_equal(read_stored(found, 0), clean[0])
        assert stored_range(found) == (low, high)

    def test_a_high_bit_elsewhere(self, tmp_path):
        clean = np.arange(48, dtype=np.uint16).reshape(1, 6, 8) * 80
        grid = example_grid(shape=(1, 6, 8))

        def edit(dataset, index):
            dataset.BitsStored, dataset.HighBit = 12, 15

        paths = write_series(tmp_path, clean << 4 | 0b1010, grid, edit=edit)
        np.testing.assert_array_equal(read_stored(read_header(FileSource(paths[0])), 0), clean[0])

    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint32])
    def test_other_widths(self, tmp_path, dtype):
        room = np.iinfo(dtype)
        array = np.random.default_rng(2).integers(room.min, room.max, (1, 5, 7), dtype=dtype, endpoint=True)
        paths = write_series(tmp_path, array, example_grid(shape=(1, 5, 7)))
        found = read_stored(read_header(FileSource(paths[0])), 0)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, array[0])

    @pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
    def test_floating_point_pixels(self, tmp_path, keyword, dtype):
        values = np.random.default_rng(4).normal(size=(6, 8)).astype(dtype)
        dataset = make_series(np.zeros((1, 6, 8), np.int16), example_grid(shape=(1, 6, 8)))[0]
        for tag in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, tag)
        dataset.BitsAllocated = values.dtype.itemsize * 8
        setattr(dataset, keyword, values.tobytes())
        found = read_header(FileSource(write_dicom(dataset, tmp_path / "one.dcm")))
        check_pixels(found)
        np.testing.assert_array_equal(read_stored(found, 0), values)


class TestFragments:
    """However the frames of a multi-frame object are cut up."""

    def frames(self, syntax=RLELossless):
        array = np.random.default_rng(6).integers(0, 4000, (4, 32, 40)).astype(np.int16)
        dataset = make_enhanced(array, example_grid(shape=array.shape), transfer_syntax=syntax)
        return array, dataset, list(generate_frames(dataset.PixelData, number_of_frames=4))

    def check(self, tmp_path, dataset, array):
        found = read_header(FileSource(write_dicom(dataset, tmp_path / "one.dcm")))
        for number in (2, 0, 3, 1):
            np.testing.assert_array_equal(read_stored(found, number), array[number])

    @pytest.mark.parametrize("has_table", [True, False])
    def test_one_fragment_a_frame(self, tmp_path, has_table):
        array, dataset, frames = self.frames()
        dataset.PixelData = encapsulate(frames, has_bot=has_table)
        self.check(tmp_path, dataset, array)

    @pytest.mark.parametrize("has_table", [True, False])
    def test_several_fragments_a_frame(self, tmp_path, has_table):
        array, dataset, frames = self.frames(JPEG2000Lossless)
        dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=has_table)
        self.check(tmp_path, dataset, array)

    def test_extended_offset_table(self, tmp_path):
        array, dataset, frames = self.frames()
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(
            frames
        )
        self.check(tmp_path, dataset, array)

    def test_frames_of_plain_pixels(self, tmp_path):
        array = np.random.default_rng(6).integers(0, 4000, (4, 6, 8)).astype(np.int16)
        dataset = make_enhanced(array, example_grid(shape=array.shape))
        self.check(tmp_path, dataset, array)


class TestBadPixels:
    def test_truncated_pixels_are_named(self):
        with pytest.raises(
            DicomError, match=r"MR_truncated\.dcm: \(7FE0,0010\) PixelData ends too early; wanted 8192 bytes, got 8130"
        ):
            check_pixels(header("MR_truncated"))

    def test_truncated_single_bits(self, tmp_path):
        whole = Path(get_testdata_file("liver_1frame.dcm")).read_bytes()
        (tmp_path / "cut.dcm").write_bytes(whole[:-2000])
        with pytest.raises(DicomError, match="ends too early"):
            check_pixels(read_header(FileSource(tmp_path / "cut.dcm")))

    @pytest.mark.parametrize("name", ["MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless"])
    def test_truncated_compressed_pixels_are_named(self, tmp_path, name):
        whole = Path(get_testdata_file(f"{name}.dcm")).read_bytes()
        (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) - 1500])
        with pytest.raises(DicomError, match=r"cut\.dcm: \(7FE0,0010\) PixelData ends too early"):
            check_pixels(read_header(FileSource(tmp_path / "cut.dcm")))

    def test_fragments_that_do_not_follow_each_other(self, tmp_path):
        found = header("MR_small_RLE")
        whole = bytearray(Path(str(found.source)).read_bytes())
        table = int.from_bytes(whole[found.place.offset + 4 : found.place.offset + 8], "little")
        first = found.place.offset + 8 + table
        whole[first : first + 4] = b"junk"
        (tmp_path / "bad.dcm").write_bytes(whole)
        with pytest.raises(DicomError, match="damaged encapsulated pixels"):
            check_pixels(read_header(FileSource(tmp_path / "bad.dcm")))

    def test_a_damaged_frame_is_an_error_when_it_is_read(self, tmp_path):
        found = header("MR_small_RLE")
        whole = bytearray(Path(str(found.source)).read_bytes())
        table = int.from_bytes(whole[found.place.offset + 4 : found.place.offset + 8], "little")
        first = found.place.offset + 16 + table
        whole[first : first + 64] = b"\xff" * 64
        (tmp_path / "bad.dcm").write_bytes(whole)
        with pytest.raises(DicomError, match=r"bad\.dcm: pixels that cannot be decoded; wanted \(7FE0,0010\)"):
            read_stored(read_header(FileSource(tmp_path / "bad.dcm")), 0)

    def test_a_stream_without_an_end_is_refused_before_it_is_decoded(self, tmp_path):
        found = header("MR_small_jpeg_ls_lossless")
        whole = bytearray(Path(str(found.source)).read_bytes())
        at = whole.rindex(b"\xff\xd9")
        whole[at : at + 2] = b"\x12\x34"
        (tmp_path / "bad.dcm").write_bytes(whole)
        with pytest.raises(DicomError, match="a stream without an end"):
            read_stored(read_header(FileSource(tmp_path / "bad.dcm")), 0)

    @pytest.mark.parametrize("change", ["size", "marker", "end", "scan"])
    def test_a_damaged_jpeg_is_refused_before_it_is_decoded(self, tmp_path, change):
        """GDCM ends the whole process over some of these."""
        found = header("JPGExtended")
        whole = bytearray(Path(str(found.source)).read_bytes())
        frame, scan, end = (whole.index(bytes((0xFF, code)), found.place.offset) for code in (0xC1, 0xDA, 0xD9))
        if change == "size":
            whole[frame + 5] ^= 1
        elif change == "marker":
            whole[frame + 1] = 0xC9
        elif change == "end":
            whole[end + 1] = 0
        else:
            whole[scan + 4] = 3
        (tmp_path / "bad.dcm").write_bytes(whole)
        with pytest.raises(DicomError, match="pixels that cannot be decoded"):
            read_stored(read_header(FileSource(tmp_path / "bad.dcm")), 0)

    def test_a_truncated_deflated_file(self, tmp_path):
        whole = Path(get_testdata_file("image_dfl.dcm")).read_bytes()
        (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DicomError, match=r"cut\.dcm"):
            read_stored(read_header(FileSource(tmp_path / "cut.dcm")), 0)

    def test_a_file_that_vanishes_after_its_header_was_read(self, tmp_path):
        path = write_series(tmp_path, np.zeros((1, 6, 8), np.int16), example_grid(shape=(1, 6, 8)))[0]
        found = read_header(FileSource(path))
        path.unlink()
        with pytest.raises(DicomError, match="cannot be read any more"):
            read_raw(found, 0)

    @pytest.mark.parametrize(
        ("keyword", "value"), [("Rows", 0), ("BitsAllocated", 12), ("BitsStored", 17), ("BitsAllocated", 0)]
    )
    def test_impossible_layouts(self, tmp_path, keyword, value):
        def edit(dataset, index):
            setattr(dataset, keyword, value)

        path = write_series(tmp_path, np.zeros((1, 6, 8), np.int16), example_grid(shape=(1, 6, 8)), edit=edit)[0]
        with pytest.raises(DicomError, match=keyword):
            check_pixels(read_header(FileSource(path)))

    def test_no_pixels(self, tmp_path):
        def edit(dataset, index):
            del dataset.PixelData

        path = write_series(tmp_path, np.zeros((1, 6, 8), np.int16), example_grid(shape=(1, 6, 8)), edit=edit)[0]
        with pytest.raises(DicomError, match="without pixels"):
            check_pixels(read_header(FileSource(path)))

    def test_wrong_representation_of_a_number(self):
        with pytest.raises(DicomError, match=r"badVR\.dcm.*\(0028,0008\) NumberOfFrames as IS, got '1A'"):
            header("badVR")

    def test_not_dicom(self, tmp_path):
        (tmp_path / "a.dcm").write_bytes(b"not an image" * 40)
        with pytest.raises(DicomError, match=r"a\.dcm"):
            read_header(FileSource(tmp_path / "a.dcm"))

    def test_a_member_of_an_archive_is_read_through_its_own_door(self):
        class Unpacked:
            def open(self):
                return io.BytesIO(gzip.decompress(Path(get_testdata_file("zipMR.gz")).read_bytes()))

            def __str__(self):
                return "zipMR.gz!MR"

        assert all_frames(read_header(Unpacked())).sum(dtype=np.int64) == 2125338


@pytest.mark.parametrize("syntax", [pydicom.uid.HTJ2KLossless, pydicom.uid.HTJ2KLosslessRPCL, pydicom.uid.HTJ2K])
def test_high_throughput_jpeg_2000(tmp_path, syntax):
    """The stream is of OpenJPH 0.14 (through ITK), an encoder that is no part of this environment."""
    y, x = np.mgrid[0:32, 0:32]
    stored = (200 + 20 * y + 3 * x + np.random.default_rng(3).integers(0, 5, (32, 32))).astype(np.uint16)
    [dataset] = make_series(stored[None], example_grid(shape=(1, 32, 32)), modality="MR")
    stream = (Path(__file__).parent / "htj2k_32x32_uint16.j2c").read_bytes()
    dataset.PixelData = pydicom.encaps.encapsulate([stream])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = syntax
    header = read_header(FileSource(write_dicom(dataset, tmp_path / "a.dcm")))
    np.testing.assert_array_equal(read_stored(header, 0), stored)
