"""Attacks on the airlock: each is refused in words that say why, and leaves nothing behind.

``challenges.airlock`` reads what strangers hand in and what their notebooks wrote where hidden inputs were.
"""

from __future__ import annotations

import gzip
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from braggbook.challenges.airlock import clean_label, receive_submission
from braggbook.errors import InputError

from ..unit.challenges.airlock.airlock_helpers import (
    AFFINE,
    CANARY,
    COUNTS,
    GOOD,
    GOOD_MASKS,
    MASKS,
    TABLE,
    Room,
    labels,
    nifti,
    notebook,
    patched,
    refusal,
)

_MOST_MEMORY = 64 << 20  # of a check, whatever a file would unpack to
HEADER, *ROWS = GOOD.splitlines()


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < _MOST_MEMORY
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Member:
    """A file in a zip, with whatever its headers say of it."""

    name: bytes
    packed: bytes = b""
    size: int = 0
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    method: int = zipfile.ZIP_DEFLATED
    crc: int = 0


def raw_zip(path: Path, *members: Member, listed: int | None = None, disks: bytes = bytes(4)) -> Path:
    """Writes a zip byte by byte, as no ordinary program would (PKWARE's APPNOTE.TXT, 4.3)."""
    body, entries = bytearray(), bytearray()
    for one in members:
        common = struct.pack(
            "<HHHHHIIIHH", 20, one.flags, one.method, 0, 33, one.crc, len(one.packed), one.size, len(one.name), 0
        )
        entries += b"PK\1\2" + struct.pack("<H", 0x0314) + common
        entries += struct.pack("<HHHII", 0, 0, 0, one.mode << 16, len(body)) + one.name
        body += b"PK\3\4" + common + one.name + one.packed
    size = len(entries) if listed is None else listed
    end = b"PK\5\6" + disks + struct.pack("<HHIIH", len(members), len(members), size, len(body), 0)
    path.write_bytes(bytes(body + entries + end))
    return path


def zeros(megabytes: int) -> bytes:
    """Returns the deflate stream of so many zeros, made of one piece that is repeated."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return piece * megabytes + zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


def packed(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def plain(name: str, data: bytes = GOOD.encode()) -> Member:
    return Member(name.encode(), packed(data), len(data), crc=zlib.crc32(data))


def refused(source: Path) -> str:
    """Hands in; the folder around the target may hold nothing new afterwards."""
    before = sorted(source.parent.rglob("*"))
    with little_memory(), pytest.raises(InputError) as caught:
        receive_submission(source, source.parent / "received", rules=TABLE, kinds=("predictions", "notebook"))
    assert sorted(source.parent.rglob("*")) == before
    return refusal(caught.value)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def masks(tmp_path: Path) -> Room:
    return Room(tmp_path, rules=MASKS)


# What a zip can try.


@pytest.mark.parametrize(
    "name",
    [
        "../predictions.csv",
        "x/../../predictions.csv",
        "/predictions.csv",
        "..\\predictions.csv",
        "C:/predictions.csv",
        "C:\\x",
    ],
)
def test_zip_slip(tmp_path: Path, name: str) -> None:
    assert "a name that leads out of the folder" in refused(raw_zip(tmp_path / "a.zip", plain(name)))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(tmp_path: Path, kind: int) -> None:
    member = Member(b"predictions.csv", packed(b"/etc/passwd"), 11, mode=kind | 0o777, crc=zlib.crc32(b"/etc/passwd"))
    assert "predictions.csv: a link or a device" in refused(raw_zip(tmp_path / "a.zip", member))


def test_zip_bomb(tmp_path: Path) -> None:
    bomb = raw_zip(tmp_path / "a.zip", Member(b"predictions.csv", zeros(4000), 4000 << 20))
    assert bomb.stat().st_size < 8 << 20
    words = refused(bomb)
    assert "it would grow too much" in words
    assert "too large; wanted at most 64 MB, got 4000.0 MB" in words


@pytest.mark.parametrize("announced", [1, 1000, 60 << 20])
def test_zip_bomb_that_lies_about_its_size(tmp_path: Path, announced: int) -> None:
    bomb = raw_zip(tmp_path / "a.zip", Member(b"predictions.csv", zeros(4000), announced))
    assert "predictions.csv: it cannot be read" in refused(bomb)


def test_zip_bomb_of_many_files(tmp_path: Path) -> None:
    members = [Member(f"masks/{number}.nii.gz".encode(), zeros(1), 1 << 20) for number in range(100)]
    assert "too large; wanted at most 64 MB, got 100.0 MB" in refused(raw_zip(tmp_path / "a.zip", *members))


def test_zip_of_too_many_files(tmp_path: Path) -> None:
    members = [Member(b"%d" % number, method=0) for number in range(10_001)]
    assert "too many files; wanted at most 10,000, got 10,001" in refused(raw_zip(tmp_path / "a.zip", *members))


def test_zip_bomb_inside_of_a_zip(tmp_path: Path) -> None:
    inner = raw_zip(tmp_path / "inner.zip", Member(b"predictions.csv", zeros(4000), 4000 << 20)).read_bytes()
    (tmp_path / "inner.zip").unlink()
    outer = raw_zip(tmp_path / "a.zip", plain("predictions.zip", inner))
    assert "predictions.zip: an archive; wanted only predictions.csv" in refused(outer)
    disguised = raw_zip(tmp_path / "a.zip", plain("predictions.csv", inner))
    assert "predictions.csv: it is a zip, or an Excel workbook, whatever its name says" in refused(disguised)


def test_files_of_a_zip_that_share_their_bytes(tmp_path: Path) -> None:
    """David Fifield, A better zip bomb (WOOT 2019): one piece of data, listed again and again."""
    source = raw_zip(tmp_path / "a.zip", plain("predictions.csv"))
    data = source.read_bytes()
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entries = data[at:end] * 500
    source.write_bytes(data[:at] + entries + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 500, 500, len(entries), at, 0))
    assert "predictions.csv: a name that stands twice" in refused(source)


@pytest.mark.parametrize("disks", [bytes(4), b"PK\5\6"])
def test_a_zip_whose_list_would_fill_the_memory(tmp_path: Path, disks: bytes) -> None:
    """The second hides the end of the list behind its own signature."""
    source = raw_zip(tmp_path / "a.zip", plain("predictions.csv"), listed=0xFFFFFFF0, disks=disks)
    assert "a zip with too long a list of files" in refused(source)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    member = Member(b"predictions.csv", packed(GOOD.encode()), len(GOOD), flags=1)
    assert "predictions.csv: it is encrypted" in refused(raw_zip(tmp_path / "a.zip", member))


def test_a_zip_packed_in_a_way_that_asks_for_memory(tmp_path: Path) -> None:
    member = Member(b"predictions.csv", b"\x09\x14\x05\x00\x5d\xff\xff\xff\xff", len(GOOD), method=zipfile.ZIP_LZMA)
    assert "a compression that is not taken" in refused(raw_zip(tmp_path / "a.zip", member))


@pytest.mark.parametrize(
    "other", ["predictions.csv", "PREDICTIONS.csv", "predict\u0131ons.csv", "ｐredictions.csv", "predictions.csv "]
)
def test_names_that_are_one_on_some_disks(tmp_path: Path, other: str) -> None:
    words = refused(
        raw_zip(tmp_path / "a.zip", plain("predictions.csv"), Member(other.encode(), flags=0x800, method=0))
    )
    assert "the submission is not taken" in words
    assert "stands twice" in words or "the design does not name" in words


def test_names_that_speak_to_a_terminal(tmp_path: Path) -> None:
    words = refused(raw_zip(tmp_path / "a.zip", plain("\x1b[2Jpredictions.csv"), plain("a\nnext: rm -rf ~")))
    assert "a name with control characters" in words
    assert "\x1b" not in words
    assert "\nnext: rm" not in words


# What a folder can try.


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "handed_in").mkdir()
    (tmp_path / "secret.csv").write_text(GOOD)
    os.symlink(tmp_path / "secret.csv", tmp_path / "handed_in/predictions.csv")
    assert "predictions.csv: a link or a device" in refused(tmp_path / "handed_in")
    (tmp_path / "handed_in/predictions.csv").unlink()
    os.symlink("/", tmp_path / "handed_in/masks")
    assert "masks: a link or a device" in refused(tmp_path / "handed_in")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/passwd", path), os.mkdir])
def test_what_a_notebook_left_instead_of_a_file(room: Room, make: Callable[[Path], None]) -> None:
    folder = room.hand_in({})
    make(folder / "predictions.csv")
    (issue,) = room.check(folder).issues
    assert issue in (
        "the files: a link, a pipe or a device; wanted ordinary files",
        "nothing was handed in; wanted predictions.csv",
    )


def test_a_folder_of_masks_that_is_a_link(masks: Room) -> None:
    other = masks.folder / "elsewhere"
    other.mkdir()
    for name, data in GOOD_MASKS.items():
        (other / name.removeprefix("masks/")).write_bytes(data)
    os.symlink(other, masks.hand_in({}) / "masks")
    assert masks.check(masks.folder / "handed_in").issues == [
        "the files: a link, a pipe or a device; wanted ordinary files"
    ]


def test_a_file_with_holes_of_a_terabyte(room: Room) -> None:
    folder = room.hand_in({"predictions.csv": GOOD})
    os.truncate(folder / "predictions.csv", 1 << 40)
    with little_memory():
        assert room.check(folder).issues == ["the files: too large; wanted at most 64 MB together"]
    assert "too large" in refused(folder)


def test_many_small_files(room: Room) -> None:
    folder = room.hand_in({"predictions.csv": GOOD} | {f"x{number}/y": b"" for number in range(500)})
    assert "the files: too many files; wanted only predictions.csv" in room.check(folder).issues


def test_a_forged_estimate(room: Room) -> None:
    """A dataset with a card of its own, instead of predictions that we write anew."""
    room.table(GOOD)
    files = {path.name: path.read_bytes() for path in room.target.iterdir()}
    assert (
        "the files: a dataset's card: the evaluation writes its own; wanted only predictions.csv"
        in room.check(files).issues
    )
    assert "dataset.toml: a dataset's card: the evaluation writes its own" in refused(room.hand_in(files))


def test_a_notebook_that_asks_for_the_truth(tmp_path: Path) -> None:
    words = refused(notebook(tmp_path, datasets=["inputs@1", "truth@1", "estimate@1"]))
    assert "truth@1 is not for participants; wanted inputs@1" in words
    assert "estimate@1 is not for participants" in words


# Code in the place of data.


class Burn:
    """What a pickle would do to whoever loads it."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch burnt",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["predictions.csv", "predictions.npy", "predictions.pkl"])
def test_a_pickle(room: Room, monkeypatch: pytest.MonkeyPatch, protocol: int, name: str) -> None:
    monkeypatch.chdir(room.folder)
    data = pickle.dumps(Burn(), protocol=protocol)
    (issue, *_) = room.check({name: data}).issues
    assert any(words in issue for words in ("pickle", "no column case", "it has NUL bytes"))  # 0 is text, 1 nearly
    if protocol >= 2 or name != "predictions.csv":
        assert "pickle" in refused(room.hand_in({name: data}))
    assert not (room.folder / "burnt").exists()


def test_a_numpy_file_with_objects_in_it(room: Room, masks: Room) -> None:
    path = room.folder / "x.npy"
    np.save(path, np.array([Burn()], dtype=object), allow_pickle=True)
    data = path.read_bytes()
    path.unlink()
    assert room.table(data).issues == [
        "predictions.csv: it is a NumPy file, whatever its name says; wanted a CSV table as UTF-8 text"
    ]
    assert "not a gzip file" in masks.mask(data).issues[0]
    assert "not a NIfTI file of one piece" in masks.mask(gzip.compress(data)).issues[0]


# Tables.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1.5", "nan", "row 2, column dose_gy: NaN, infinity or a word for nothing instead of a number"),
        ("1.5", "inf", "row 2, column dose_gy: NaN, infinity or a word for nothing instead of a number"),
        ("1.5", "-Infinity", "row 2, column dose_gy: NaN, infinity"),
        ("1.5", "1e999", "row 2, column dose_gy: a number that is too large for a computer"),
        ("case_b,", "case_a,", "row 3, column case: case case_a stands twice"),
        ("case_b,", "case_9,", "row 3, column case: a case that is not known"),
        ("case_b,0.25,0,0.5\n", "", "a case is missing: case_b"),
        ("case_b,", "case_b\u200b,", "row 3, column case: a case that is not known"),
        ("1.5", "=cmd|' /C calc'!A0", "row 2, column dose_gy: not a number in plain digits"),
        ("case_b,", "<script>alert(1)</script>,", "row 3, column case: a case that is not known"),
    ],
)
def test_values_that_would_spoil_a_score(room: Room, old: str, new: str, words: str) -> None:
    issues = "\n".join(room.table(GOOD.replace(old, new)).issues)
    assert words in issues
    assert "script" not in issues
    assert "calc" not in issues


def test_a_huge_number_of_rows(room: Room) -> None:
    with little_memory():
        assert "predictions.csv: too large; wanted at most" in room.table(GOOD + "case_a,1,1,1\n" * 1_000_000).issues[0]
    few = room.table(GOOD + "case_a,1,1,1\n" * 1000).issues
    assert "predictions.csv: too many rows; wanted one row for each of 3 cases" in few


@pytest.mark.parametrize("length", [201, 10_000, 140_000, 50_000_000])
def test_huge_cells(room: Room, length: int) -> None:
    with little_memory() if length < 1_000_000 else _memory_of(length):
        issues = room.table(GOOD.replace("1.5", "1" * length)).issues
    words = "row 2, column dose_gy: a cell of more than 200 characters" if length < 20_000 else "too large"
    assert words in issues[0]


@contextmanager
def _memory_of(length: int) -> Iterator[None]:
    """The test itself holds the cell, three times over at most."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 3 * length + _MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_a_quote_that_swallows_the_rest(room: Room) -> None:
    assert "rows that cannot be divided into cells" in room.table(GOOD.replace("1.5", '"')).issues[0]


# Echoes of hidden inputs.


ECHOES = {
    "as it is": CANARY.encode(),
    "in capitals": CANARY.upper().encode(),
    "backwards": CANARY[::-1].encode(),
    "UTF-16": CANARY.encode("utf-16"),
}


@pytest.mark.parametrize("spelled", ECHOES.values(), ids=ECHOES.keys())
def test_a_table_that_echoes_a_mark_of_the_inputs(room: Room, spelled: bytes) -> None:
    words = "predictions.csv: echoes its inputs; wanted predictions, and nothing else"
    assert room.table(GOOD.encode() + spelled).issues == [words]
    assert room.table(spelled + b"\n" + GOOD.encode()).issues == [words]


def test_a_file_whose_name_echoes_a_mark(room: Room) -> None:
    for name in (f"{CANARY}.txt", f"{CANARY}/x.txt", f"a/{CANARY.upper()}"):
        assert "a file's name: echoes its inputs" in room.check({"predictions.csv": GOOD, name: b""}).issues


def test_a_table_that_echoes_a_line_of_the_inputs(room: Room) -> None:
    line = COUNTS.splitlines()[1]
    for text in (GOOD + line, HEADER + "\n" + line.replace("case_a", '"case_a"') + "\n", f"1,2,{line}", COUNTS):
        assert room.table(text).issues == [
            "predictions.csv: echoes its inputs: a whole line of them stands there; wanted predictions, and nothing else"
        ]


def test_a_mask_that_echoes_a_mark(masks: Room) -> None:
    masks.canaries = ("canary-012345",)
    for spelled in (b"canary-012345", b"CANARY-012345", b"543210-yranac"):
        checked = masks.mask(nifti(labels(0), descrip=spelled))
        assert checked.issues == ["masks/case_a.nii.gz: echoes its inputs; wanted labels, and nothing else"]


# Masks.


def test_a_mask_that_unpacks_to_gigabytes(masks: Room) -> None:
    good = gzip.decompress(nifti(labels(0)))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = deflate.compress(good) + deflate.flush(zlib.Z_FULL_FLUSH)
    bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + head + zeros(3000) + bytes(8)
    with little_memory():
        (issue,) = masks.mask(bomb).issues
    assert issue.startswith("masks/case_a.nii.gz: more bytes than the header announces")


def test_a_mask_that_claims_to_be_huge(masks: Room) -> None:
    claims = patched(nifti(labels(0)), 40, "<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1)
    with little_memory():
        (issue,) = masks.mask(claims).issues
    assert issue.endswith("it has another shape than the image of its case; write it on the image's own grid")


def test_a_mask_with_gigabytes_between_header_and_voxels(masks: Room) -> None:
    with little_memory():
        (issue,) = masks.mask(patched(nifti(labels(0)), 108, "<f", 2.0**31)).issues
    assert "voxels that begin at no possible place (vox_offset)" in issue


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (nifti(labels(0), affine=np.diag([-1.0, 1, 1, 1]) @ AFFINE), "its voxels lie elsewhere than the image's"),
        (nifti(labels(0), affine=AFFINE @ np.diag([0.01, 0.01, 0.01, 1])), "its voxels lie elsewhere than the image's"),
        (nifti(labels(0), xyzt_units=3), "its voxels lie elsewhere than the image's"),
        (patched(nifti(labels(0)), 268, "<3f", 5, 5, 5), "sform and qform place the voxels differently"),
        (patched(nifti(labels(0)), 280, "<4f", *[float("nan")] * 4), "an affine that is not finite"),
        (patched(nifti(labels(0)), 252, "<hh", 0, 0), "it does not say where its voxels are"),
        (patched(nifti(labels(0)), 112, "<f", float("nan")), "its values are scaled"),
        (patched(nifti(labels(0)), 112, "<ff", 0.5, 1.0), "its values are scaled"),
    ],
    ids=["mirrored", "shrunk", "micrometres", "two forms", "NaN", "no form", "NaN slope", "slope"],
)
def test_geometry_and_scaling_that_programs_read_differently(masks: Room, data: bytes, words: str) -> None:
    (issue,) = masks.mask(data).issues
    assert issue.startswith(f"masks/case_a.nii.gz: {words}")


# Names that are shown.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("<img src=x onerror=alert(1)>", "it looks like a tag of a web page"),
        ("</td></tr></table>", "it looks like a tag of a web page"),
        ('=HYPERLINK("http://example.org","win")', "a spreadsheet would take it for a formula"),
        ("@SUM(1+1)*cmd|' /C calc'!A0", "a spreadsheet would take it for a formula"),
        ("+1", "a spreadsheet would take it for a formula"),
        ("-1", "a spreadsheet would take it for a formula"),
        ("\tTeam", "control characters"),
        ("Team\x1b]0;owned\x07", "control characters"),
        ("evil\u202etxt.exe", "turn the direction of writing"),
        ("Team\u2066", "turn the direction of writing"),
        ("x" * 5000, "it is too long"),
        (" ", "it is empty"),
    ],
    ids=range(12),
)
def test_injection_through_names(name: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        clean_label(name, what="team")
    assert words in str(caught.value)
    assert not {"\x1b", "\x07", "\u202e", "\u2066", "\t"} & set(str(caught.value))
