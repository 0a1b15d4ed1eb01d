"""Text hidden between the parts of compressed images is gone, the images decode as before, the rest is held back."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, get_frame

from braggbook.errors import DicomError
from braggbook.imaging.deidentify import deidentify, make_options
from braggbook.imaging.deidentify.streams import cleaned, is_understood

from .planting import shipped

SECRET_TEXT = b"Zebra^Canary 4711"
JPEG, JPEG_LS, JPEG_2000, RLE = (
    "JPEG-LL.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_RLE.dcm",
)


def _frame(name: str) -> tuple[bytes, pydicom.Dataset]:
    dataset = pydicom.dcmread(shipped(name))
    return get_frame(dataset.PixelData, 0, number_of_frames=1), dataset


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _after(stream: bytes, found: bytes, extra: bytes) -> bytes:
    place = stream.index(found) + len(found)
    return stream[:place] + extra + stream[place:]


def _in_tile(stream: bytes) -> bytes:
    """JPEG 2000 with a comment between the head of a tile and its data; the tile says how long it is."""
    comment = _segment(0x64, b"\0\1" + SECRET_TEXT)
    tile, data = stream.index(b"\xff\x90"), stream.index(b"\xff\x93")
    (length,) = struct.unpack_from(">I", stream, tile + 6)
    length = struct.pack(">I", length + len(comment) if length else 0)
    return stream[: tile + 6] + length + stream[tile + 10 : data] + comment + stream[data:]


_APPLICATIONS = [
    (marker, start) for marker in range(0xE0, 0xF0) for start in (b"Exif\0\0", b"JFIF\0", b"Adobe", b"SPIFF\0", b"mrfx")
]
_CASES = [
    *[(JPEG, lambda s, m=m, a=a: _after(s, b"\xff\xd8", _segment(m, a + SECRET_TEXT))) for m, a in _APPLICATIONS],
    (JPEG, lambda s: _after(s, b"\xff\xd8", _segment(0xFE, SECRET_TEXT))),
    (JPEG, lambda s: _after(s, b"\xff\xd8", b"\xff\xff\xff" + _segment(0xFE, SECRET_TEXT))),
    (JPEG, lambda s: s.rstrip(b"\0\xff\xd9") + _segment(0xFE, SECRET_TEXT) + b"\xff\xd9"),
    (JPEG, lambda s: s + SECRET_TEXT),
    (JPEG_LS, lambda s: _after(s, b"\xff\xd8", _segment(0xFE, SECRET_TEXT))),
    (JPEG_LS, lambda s: _after(s, b"\xff\xd8", _segment(0xE8, b"SPIFF\0" + SECRET_TEXT))),
    (JPEG_2000, lambda s: s[: s.index(b"\xff\x52")] + _segment(0x64, b"\0\1" + SECRET_TEXT) + s[s.index(b"\xff\x52") :]),
    (JPEG_2000, lambda s: s[: s.index(b"\xff\x52")] + _segment(0x64, b"\0\1Kakadu " + SECRET_TEXT) + s[s.index(b"\xff\x52") :]),
    (JPEG_2000, _in_tile),
    (JPEG_2000, lambda s: s.rstrip(b"\0") + SECRET_TEXT),
    (RLE, lambda s: s + SECRET_TEXT),
    (RLE, lambda s: s[:20] + SECRET_TEXT + s[20 + len(SECRET_TEXT) :]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(_CASES)))
def test_text_beside_the_image_is_gone_and_the_image_is_as_before(case: int) -> None:
    name, plant = _CASES[case]
    frame, dataset = _frame(name)
    planted = plant(frame)
    assert SECRET_TEXT in planted
    syntax = dataset.file_meta.TransferSyntaxUID
    (found,) = cleaned([planted], transfer_syntax=syntax, pixels=dataset.Rows * dataset.Columns)
    assert len(found) == len(planted)
    assert SECRET_TEXT not in found
    before = dataset.pixel_array.copy()
    dataset.PixelData = encapsulate([found + b"\0" * (len(found) % 2)])
    assert np.array_equal(dataset.pixel_array, before)


@pytest.mark.parametrize("name", [JPEG, JPEG_LS, JPEG_2000, RLE])
def test_a_clean_image_stays_byte_for_byte_but_for_its_comments(name: str) -> None:
    frame, dataset = _frame(name)
    (found,) = cleaned(
        [frame], transfer_syntax=dataset.file_meta.TransferSyntaxUID, pixels=dataset.Rows * dataset.Columns
    )
    assert len(found) == len(frame)
    changed = [place for place, (a, b) in enumerate(zip(frame, found, strict=True)) if a != b]
    assert len(changed) < 100
    assert all(found[place] == 0 for place in changed)


@pytest.mark.parametrize("name", [JPEG, JPEG_LS, JPEG_2000])
@pytest.mark.parametrize("cuts", [[100], [7, 8, 501], list(range(64, 1024, 64))])
def test_a_frame_in_several_fragments_is_seen_as_one(name: str, cuts: list[int]) -> None:
    frame, dataset = _frame(name)
    syntax, pixels = dataset.file_meta.TransferSyntaxUID, dataset.Rows * dataset.Columns
    planted = (
        _after(frame, frame[:2], b"")
        if name == JPEG_2000
        else _after(frame, frame[:2], _segment(0xFE, SECRET_TEXT * 8))
    )
    parts = [planted[a:b] for a, b in zip([0, *cuts], [*cuts, len(planted)], strict=True)]
    together = b"".join(cleaned([*parts, frame], transfer_syntax=syntax, pixels=pixels))
    assert together == b"".join(cleaned([planted, frame], transfer_syntax=syntax, pixels=pixels))
    assert SECRET_TEXT not in together


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        (JPEG, lambda s: SECRET_TEXT + s),
        (JPEG, lambda s: _after(s, b"\xff\xd8", SECRET_TEXT)),
        (JPEG, lambda s: _after(s, b"\xff\xd8", _segment(0xDB, b"\0" + bytes(64) + SECRET_TEXT))),
        (JPEG, lambda s: _after(s, b"\xff\xd8", _segment(0xC4, b"\0" + bytes(16) + SECRET_TEXT))),
        (JPEG, lambda s: _after(s, b"\xff\xd8", _segment(0xDD, SECRET_TEXT))),
        (JPEG, lambda s: s[:1]),
        (JPEG, lambda _: SECRET_TEXT * 10),
        (JPEG_LS, lambda s: _after(s, b"\xff\xd8", _segment(0xF8, b"\2" + SECRET_TEXT))),
        (JPEG_2000, lambda s: b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 25, b"xml ") + SECRET_TEXT + s),
        (RLE, lambda s: SECRET_TEXT * 10 + s),
        (RLE, lambda s: s[:40]),
    ],
)
def test_what_is_no_image_is_refused(name: str, plant: object) -> None:
    frame, dataset = _frame(name)
    syntax = dataset.file_meta.TransferSyntaxUID
    with pytest.raises(DicomError, match="hold something else than images"):
        list(cleaned([plant(frame)], transfer_syntax=syntax, pixels=dataset.Rows * dataset.Columns))  # type: ignore[operator]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.99", "1.2.840.10008.1.2.8.1", "1.2.840.113619.5.2"])
def test_videos_and_unknown_syntaxes_are_held_back(tmp_path: Path, syntax: str) -> None:
    assert not is_understood(syntax)
    dataset = pydicom.dcmread(shipped(JPEG))
    old = dataset.file_meta.TransferSyntaxUID.encode()
    content = shipped(JPEG).read_bytes()
    place = content.index(old)
    new = syntax.encode().ljust(len(old) + len(old) % 2, b"\0")
    assert len(new) == len(old) + len(old) % 2
    (tmp_path / "in.dcm").write_bytes(content[:place] + new + content[place + len(new) :])
    done = deidentify(tmp_path / "in.dcm", tmp_path / "out", options=make_options(pixels_reviewed=True), workers=1)
    assert done.report.files[0].outcome == "quarantined"
    assert "cannot be looked through" in done.report.files[0].reason


def test_refused_pixels_leave_no_file(tmp_path: Path) -> None:
    frame, dataset = _frame(JPEG)
    dataset.PixelData = encapsulate([SECRET_TEXT * 10 + frame])
    dataset.save_as(tmp_path / "in.dcm")
    done = deidentify(tmp_path / "in.dcm", tmp_path / "out", options=make_options(pixels_reviewed=True), workers=1)
    assert done.report.files[0].outcome == "not readable"
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
