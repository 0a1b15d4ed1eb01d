"""The quick reader of headers: the same values as pydicom's, on real files and on damaged ones, or one of our errors."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from braggbook.errors import DicomError
from braggbook.imaging.dicom.elements import KEPT, convert, label
from braggbook.imaging.dicom.header import Header, new_memory, read_header
from braggbook.imaging.dicom.scan import read_file
from braggbook.testing.dicom import example_grid, make_series, write_dicom

SHIPPED = Path(pydicom.data.__file__).parent
MORE = Path(str(data_store.__file__)).parent / "data"
NOT_INDEXED = {  # real files that are refused, each for its reason
    "rtplan_truncated.dcm": "ends inside its header",
    "README": "not a DICOM file",
    "no_meta.dcm": "not a DICOM file",  # a blank before its first element; pydicom finds one unknown element
}
UNREADABLE = {"badVR.dcm": {"NumberOfFrames"}}  # "1A"; pydicom returns it as text


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in ("", ".dcm", ".DCM") and path.is_file())


def read(data: bytes, **options: Any) -> Header:
    return read_header(lambda at, most: data[at : at + most], len(data), where="x.dcm", **options)


def plain(value: Any) -> Any:
    """pydicom's value as an index has it: None when empty."""
    if isinstance(value, MultiValue | list):
        found = tuple("" if plain(one) is None else plain(one) for one in value)
        return found if any(one != "" for one in found) else None
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    return str(value).strip("\0 ") or None if value is not None else None


def theirs(dataset: Dataset, tag: int) -> Any:
    part = dataset.file_meta if tag >> 16 == 2 else dataset
    value = plain(part[tag].value) if tag in part else None
    return (value,) if KEPT[tag].many and value is not None and not isinstance(value, tuple) else value


def with_pydicom(data: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)


def assert_same(header: Header, dataset: Dataset, *, unless: set[str] = frozenset()) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag, kept in KEPT.items():
            if kept.keyword not in unless:
                assert header.values.get(kept.keyword) == theirs(dataset, tag), label(tag)


def test_the_table_is_the_standards() -> None:
    for tag, kept in KEPT.items():
        assert kept.keyword == keyword_for_tag(tag)
        assert kept.vr in dictionary_VR(tag).split(" or ")
        assert kept.many == (dictionary_VM(tag) != "1")


@pytest.mark.parametrize("path", files(SHIPPED), ids=lambda path: path.name)
def test_real_files_have_the_values_that_pydicom_reads(path: Path) -> None:
    compare(path)


@pytest.mark.full
@pytest.mark.parametrize("path", files(MORE), ids=lambda path: path.name)
def test_more_real_files_have_the_values_that_pydicom_reads(path: Path) -> None:
    compare(path)


def compare(path: Path) -> None:
    data = path.read_bytes()
    if reason := NOT_INDEXED.get(path.name):
        with pytest.raises(DicomError, match=reason):
            read(data)
        return
    dataset = with_pydicom(data)
    header = read(data)
    assert_same(header, dataset, unless=UNREADABLE.get(path.name, set()))
    if syntax := dataset.file_meta.get("TransferSyntaxUID"):
        assert header.transfer_syntax_uid == syntax
    if header.pixel_offset is not None and header.pixel_bytes is not None and not header.issues:
        pixels = pydicom.dcmread(io.BytesIO(data), force=True)
        assert data[header.pixel_offset :][: header.pixel_bytes] == pixels.get_item("PixelData").value


def series(**options: Any) -> list[bytes]:
    import numpy as np

    grid = example_grid()
    found = []
    for image in make_series(np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape), grid, **options):
        stream = io.BytesIO()
        image.save_as(stream, enforce_file_format=True)
        found.append(stream.getvalue())
    return found


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_what_was_remembered_of_one_file_changes_nothing_in_the_next(syntax: str) -> None:
    memory = new_memory()
    for data in [*series(transfer_syntax=syntax), *series(modality="MR", seed=2, transfer_syntax=syntax)]:
        fresh, quick = read(data), read(data, memory=memory)
        assert quick == fresh
        assert_same(quick, with_pydicom(data))


def test_memory_does_not_reach_over_the_window() -> None:
    """Elements that straddle the part which is in memory are whole, wherever they fall."""
    memory = new_memory()
    for fill in range(16_200, 16_420, 7):
        data = with_private(fill)
        assert read(data, memory=memory).values["SeriesDescription"] == "after it"


def with_private(fill: int) -> bytes:
    """A file with a private element of that many bytes before an element that is kept."""
    image = Dataset()
    image.add_new(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2")
    image.add_new(0x00080018, "UI", "1.2.3")
    image.add_new(0x00090010, "LO", "PRIVATE")
    image.add_new(0x00091001, "OB", b"\1" * (fill + fill % 2))
    image.add_new(0x0008103E, "LO", "after it")
    raw = io.BytesIO()
    pydicom.dcmwrite(raw, image, implicit_vr=False, little_endian=True, enforce_file_format=False)
    begin = raw.getvalue()
    moved = begin.index(struct.pack("<HH", 0x0008, 0x103E))
    end = begin.index(struct.pack("<HH", 0x0009, 0x0010))
    return begin[:moved] + begin[end:] + begin[moved:end]


def test_an_object_without_preamble_or_meta_is_read() -> None:
    [data, *_] = series(transfer_syntax=ImplicitVRLittleEndian)
    start = data.index(struct.pack("<HH", 0x0008, 0x0005))
    assert read(data[start:]).values["Modality"] == "CT"
    assert read(data[132:]).values["Modality"] == "CT"


@pytest.mark.parametrize(
    "data",
    [b"", b"DICM", b"\0" * 200, b"hello, world" * 50, b"\x89PNG\r\n\x1a\n" + b"\0" * 300, b"PK\3\4" + b"\0" * 300],
    ids=["empty", "magic", "zeros", "text", "png", "zip"],
)
def test_what_is_no_dicom_is_refused(data: bytes) -> None:
    with pytest.raises(DicomError, match=r"x\.dcm: not a DICOM file"):
        read(data)


def test_cut_off_files_name_the_element() -> None:
    [data, *_] = series()
    cut = data.index(struct.pack("<HH", 0x0028, 0x0030)) + 10
    with pytest.raises(
        DicomError, match=r"x\.dcm: the file ends inside its header; got .* in \(0028,0030\) PixelSpacing"
    ):
        read(data[:cut])
    header = read(data[:-5])
    [issue] = header.issues
    assert str(issue) == "x.dcm, (7FE0,0010) PixelData: the pixel data end too early; wanted 96 bytes, got 91 bytes"


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return (
        head + (b"\0\0" + struct.pack("<I", size) if vr in (b"SQ", b"OB", b"UN") else struct.pack("<H", size)) + value
    )


BEGIN = b"\0" * 128 + b"DICM" + element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
ITEM, ITEM_END, END = (struct.pack("<HHI", 0xFFFE, e, n) for e, n in ((0xE000, 0xFFFFFFFF), (0xE00D, 0), (0xE0DD, 0)))
LAST = element(0x00100010, b"PN", b"After^It")


def nested(depth: int) -> bytes:
    opened = (element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + ITEM) * depth
    return BEGIN + element(0x00080060, b"CS", b"CT") + opened + (ITEM_END + END) * depth + LAST


def test_a_thousand_nested_sequences_are_stepped_over() -> None:
    assert read(nested(1000)).values["PatientName"] == "After^It"


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(DicomError, match="nested too deep"):
        read(nested(20_000))


def test_lengths_are_not_believed() -> None:
    for vr, length in ((b"OB", 0xFFFFFFF0), (b"UN", 0x7FFFFFFF), (b"LO", 0xFFFF)):
        with pytest.raises(DicomError, match=r"ends inside its header"):
            read(BEGIN + element(0x00080060, b"CS", b"CT") + element(0x00091001, vr, b"ab", length))


@pytest.mark.full
def test_a_header_without_end_is_refused_and_not_walked_for_ever() -> None:
    """Ten gigabytes of empty elements, of which the reader sees at most 128 MB."""
    block = element(0x00091001, b"LO", b"") * 2048
    asked = []

    def read_at(at: int, most: int) -> bytes:
        asked.append(most)
        return (BEGIN + element(0x00080060, b"CS", b"CT") + block)[at : at + most] if at < 1000 else block[:most]

    with pytest.raises(DicomError, match="a header without end"):
        read_header(read_at, 10 << 30, where="x.dcm")
    assert sum(asked) <= 1 << 28


def test_ten_gigabytes_of_pixels_are_not_read() -> None:
    head = BEGIN + element(0x00080060, b"CS", b"CT") + LAST + element(0x7FE00010, b"OB", b"", 0xFFFFFFF0)
    asked = []

    def read_at(at: int, most: int) -> bytes:
        asked.append(most)
        return (head + b"\0" * (1 << 15))[at : at + most]

    header = read_header(read_at, 10 << 30, where="x.dcm")
    assert header.pixel_bytes == 0xFFFFFFF0
    assert header.pixel_offset == len(head)
    assert sum(asked) <= 1 << 16


@pytest.mark.full
def test_a_deflated_bomb_is_inflated_as_far_as_its_bound() -> None:
    compress = zlib.compressobj(1, wbits=-15)
    plain_ = element(0x00080060, b"CS", b"CT") + element(0x00091001, b"OB", b"", 1 << 28)
    packed = (
        compress.compress(plain_) + b"".join(compress.compress(b"\0" * (1 << 20)) for _ in range(64)) + compress.flush()
    )
    data = b"\0" * 128 + b"DICM" + element(0x00020010, b"UI", b"1.2.840.10008.1.2.1.99") + packed
    with pytest.raises(DicomError, match="ends inside its header"):
        read(data)


def test_values_that_cannot_be_read_are_named_and_the_others_stay() -> None:
    found = {
        0x00280030: (b"DS", b"0.5\\wide", True),
        0x00280010: (b"US", b"\1\0\2", True),
        0x00280011: (b"US", b"\0\2", True),
        0x00200013: (b"IS", b"1.5 ", True),
        0x00281053: (b"DS", b"nan ", True),
        0x00180050: (b"DS", b"1_0", True),
    }
    values, issues = convert(found, "x.dcm")
    assert values == {"Columns": 512}
    assert [issue.where for issue in issues] == [
        "x.dcm, (0028,0030) PixelSpacing", "x.dcm, (0028,0010) Rows", "x.dcm, (0020,0013) InstanceNumber",
        "x.dcm, (0028,1053) RescaleSlope", "x.dcm, (0018,0050) SliceThickness",
    ]  # fmt: skip


@pytest.mark.parametrize("vr", [b"LO", b"UN", b"", b"DS", b"OB"])
def test_a_wrong_vr_does_not_change_a_number(vr: bytes) -> None:
    values, issues = convert({0x00280030: (vr, b"0.5\\0.25 ", True), 0x00200013: (vr, b"12", True)}, "x.dcm")
    assert values == {"PixelSpacing": (0.5, 0.25), "InstanceNumber": 12}
    assert not issues


LONGEST_META = 500
SMALL = [path for path in files(SHIPPED) if path.stat().st_size < 20_000]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A real file with some bytes of its header changed, taken out or put in, or cut off; and whether of its meta."""
    data = bytearray(draw(st.sampled_from(SMALL)).read_bytes())
    first = draw(st.sampled_from([0, LONGEST_META]))
    places = []
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(first, first + 2500)) % (len(data) + 1)
        places.append(at)
        what = draw(st.sampled_from(["set", "cut", "insert", "remove", "length"]))
        if what == "set":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif what == "cut":
            del data[at:]
        elif what == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=12))
        elif what == "remove":
            del data[at : at + draw(st.integers(1, 12))]
        else:
            data[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(data), min(places) < LONGEST_META


@given(damaged())
@settings(max_examples=50)
def test_damage_gives_our_errors_or_pydicoms_values(found: tuple[bytes, bool]) -> None:
    check_damaged(*found)


@pytest.mark.full
@given(damaged())
@settings(max_examples=3000)
def test_more_damage_gives_our_errors_or_pydicoms_values(found: tuple[bytes, bool]) -> None:
    check_damaged(*found)


def check_damaged(data: bytes, meta_is_damaged: bool) -> None:
    try:
        header = read(data)
    except DicomError as error:
        if error.where != "x.dcm":
            raise
        return
    if meta_is_damaged:  # pydicom takes any first element of the meta for its length, and then misses the data set
        return
    bad = {issue.where for issue in header.issues}
    try:
        dataset = with_pydicom(data)
    except Exception:  # what pydicom does with damage is its own affair
        return
    for tag, kept in KEPT.items():
        if kept.keyword not in header.values or f"x.dcm, {label(tag)}" in bad:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = theirs(dataset, tag)
        except Exception:
            continue
        assert _numbers(header.values[kept.keyword]) == _numbers(expected), label(tag)


def _numbers(value: Any) -> Any:
    """Returns numbers as numbers: an element whose VR was damaged keeps its digits, which pydicom then has as text."""
    try:
        return tuple(map(float, value)) if isinstance(value, tuple) else float(value)
    except (TypeError, ValueError):
        return value


def test_files_on_disk(tmp_path: Path) -> None:
    import numpy as np

    grid = example_grid()
    [image, *_] = make_series(np.zeros(grid.shape, np.int16), grid, PatientName="Äpfel^Größe")
    path = write_dicom(image, tmp_path / "a.dcm")
    assert read(path.read_bytes()).values["PatientName"] == "Äpfel^Größe"


def test_what_was_read_before_changes_nothing(tmp_path: Path) -> None:
    """Files of one series, of other series and of other character sets in any order, with and without memory."""
    paths = [path for path in files(SHIPPED) if path.stat().st_size < 100_000]
    for number, charset in enumerate(("ISO_IR 192", "ISO_IR 100", None)):
        for index, dataset in enumerate(make_series(np.zeros((4, 4, 5), np.int16), example_grid(shape=(4, 4, 5)))):
            dataset.SpecificCharacterSet, dataset.InstitutionName = charset, "Klinik"
            dataset.PatientName = "Muller^Ana" if charset is None else "Müller^Aña"
            dataset.SliceThickness = "3" if index % 2 else "4"
            paths.append(write_dicom(dataset, tmp_path / f"{number}_{index}.dcm"))
    alone = {path: read_file(str(path)) for path in paths}
    for seed in range(2):
        memory = new_memory()
        for path in random.Random(seed).sample(paths * 2, 2 * len(paths)):
            assert read_file(str(path), memory=memory) == alone[path], (seed, path)
