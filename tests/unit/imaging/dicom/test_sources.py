"""Folders, zips and DICOMDIRs that somebody else made, some of them hostile."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.fileset import FileSet

from braggbook.errors import DicomError, Issue, StorageError
from braggbook.imaging.dicom import Index, index_dicom
from braggbook.imaging.dicom.archives import ZipSource, list_zip
from braggbook.imaging.dicom.sources import FileSource, printable, walk
from braggbook.testing.dicom import example_grid, write_series

GRID = example_grid(shape=(3, 4, 5))
PIXELS = np.arange(60, dtype=np.int16).reshape(GRID.shape)
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def ct(folder: Path, **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_series(folder, PIXELS, GRID, **options)
    return folder


def whats(index: Index) -> list[str]:
    return [issue.what for issue in index.issues]


def test_a_folder_of_any_depth_and_names_with_junk_beside_it(tmp_path: Path) -> None:
    ct(tmp_path / "a/b/c/ö ü", names=["1", "no ending", ".hidden"])
    for name, data in {"a/Thumbs.db": b"\xd0\xcf\x11\xe0", "a/b/empty": b"", "notes.txt": b"x" * 500}.items():
        (tmp_path / name).write_bytes(data)
    index = index_dicom(tmp_path)
    assert len(index) == 3
    assert [(issue.what, Path(issue.where).name) for issue in index.issues] == [
        ("not a DICOM file", name) for name in ("Thumbs.db", "empty", "notes.txt")
    ] or sorted(Path(issue.where).name for issue in index.issues) == ["Thumbs.db", "empty", "notes.txt"]


def test_links_out_of_the_folder_are_refused_and_named(tmp_path: Path) -> None:
    inside, outside = ct(tmp_path / "in"), ct(tmp_path / "out", seed=2)
    secret = next(outside.iterdir())
    (inside / "file").symlink_to(secret)
    (inside / "folder").symlink_to(outside)
    (inside / "up").symlink_to("../../..")
    index = index_dicom(inside)
    assert len(index) == 3
    refused = {Path(issue.where).name: issue.got for issue in index.issues}
    assert refused.keys() == {"file", "folder", "up"}
    assert set(whats(index)) == {"a link that leads out of the folder"}
    assert refused["file"] == str(secret)


def test_links_within_the_folder_give_nothing_twice_and_loops_end(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    (folder / "again").symlink_to(next(folder.glob("*.dcm")))
    (folder / "loop").symlink_to(".")
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    (folder / "gone").symlink_to("nothing")
    index = index_dicom(folder)
    assert len(index) == 3
    assert {Path(issue.where).name for issue in index.issues} == {"one", "two", "gone"}
    assert set(whats(index)) == {"a link that leads nowhere"}


def test_a_link_that_a_person_names_is_followed(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "file").symlink_to(next(folder.iterdir()))
    assert len(index_dicom(tmp_path / "link")) == 3
    assert len(index_dicom(tmp_path / "file")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_pipes_sockets_and_devices_are_named_and_never_opened(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    os.mkfifo(folder / "pipe")
    index = index_dicom(folder)
    assert len(index) == 3
    [issue] = index.issues
    assert (issue.what, issue.got, Path(issue.where).name) == ("not a plain file", "a pipe", "pipe")
    for path in (folder / "pipe", Path("/dev/zero")):
        with pytest.raises(DicomError, match=r"not a plain file; got a (pipe|device)"):
            index_dicom(path)


@pytest.mark.skipif(ROOT, reason="nothing is unreadable for root")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    path = next(folder.iterdir())
    path.chmod(0)
    index = index_dicom(folder)
    assert len(index) == 2
    assert whats(index) == ["cannot be read"]


def test_a_file_that_became_a_link_or_went_away_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.symlink_to("/etc/hostname")
    with pytest.raises(DicomError, match="not a plain file; got a link"):
        FileSource(path).open()
    with pytest.raises(StorageError, match="cannot be read"):
        FileSource(tmp_path / "b").open()


def test_a_folder_without_dicom_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DicomError, match=r"no DICOM object here[\s\S]*a\.txt: not a DICOM file"):
        index_dicom(tmp_path)
    with pytest.raises(DicomError, match="no such file or folder"):
        index_dicom(tmp_path / "nothing")


def test_very_deep_folders_are_named(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(205):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    [issue] = walk(tmp_path)
    assert isinstance(issue, Issue)
    assert issue.what == "folders are nested too deep"
    shutil.rmtree(tmp_path / "d")


def test_names_cannot_speak_to_a_terminal(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    (folder / "evil\x1b[2J\nname").write_text("x")
    [issue] = index_dicom(folder).issues
    assert "\x1b" not in str(issue)
    assert "\n" not in str(issue)
    assert "evil\\x1b[2J\\nname" in str(issue)
    assert printable("Größe 王") == "Größe 王"


# zips


def packed(path: Path, folder: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(sorted(folder.iterdir())):
            method = zipfile.ZIP_STORED if number == 0 else zipfile.ZIP_DEFLATED
            archive.write(file, f"deep/{file.name}", method)
        archive.writestr("deep/", b"")
        for name, data in more.items():
            archive.writestr(name.replace("__", "."), data)
    return path


def test_a_zip_has_what_its_folder_has(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    index, plain = index_dicom(packed(tmp_path / "a.zip", folder, notes__txt=b"x")), index_dicom(folder)
    assert [one.tags for one in index] == [one.tags for one in plain]
    assert whats(index) == ["not a DICOM file"]
    assert index.issues[0].where.endswith("a.zip!notes.txt")
    for one, other in zip(index, plain, strict=True):
        with one.source.open() as stream, other.source.open() as same:
            data = stream.read()
            assert data == same.read()
            stream.seek(one.pixel_offset)
            assert stream.read(one.pixel_bytes) == data[one.pixel_offset :][: one.pixel_bytes]


def test_a_zip_in_a_zip_is_named_and_not_opened(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    inner = packed(tmp_path / "inner.zip", folder)
    index = index_dicom(packed(tmp_path / "a.zip", folder, inner__zip=inner.read_bytes()))
    assert len(index) == 3
    assert index.issues[0].where.endswith("inner.zip")


def test_names_that_lead_out_of_a_zip_are_refused(tmp_path: Path) -> None:
    data = next(ct(tmp_path / "in").iterdir()).read_bytes()
    path = tmp_path / "a.zip"
    names = ["../up", "/etc/passwd", "a/../../b", "..\\up", "C:\\x", "fine"]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), data)
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    index = index_dicom(path)
    assert [one.source.member for one in index] == ["fine"]
    assert whats(index) == ["a name that leads out of the zip"] * 5 + ["a link in a zip"]


def test_encrypted_members_and_other_methods_are_named(tmp_path: Path) -> None:
    folder = ct(tmp_path / "in")
    data = bytearray(packed(tmp_path / "a.zip", folder).read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4) + 4)
    data[directory + 8] |= 1
    (tmp_path / "b.zip").write_bytes(data)
    index = index_dicom(tmp_path / "b.zip")
    assert len(index) == 2
    assert whats(index) == ["an encrypted member of a zip"]
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", b"y" * 100)
        archive.write(next(folder.iterdir()), "good", zipfile.ZIP_STORED)
    assert whats(index_dicom(tmp_path / "c.zip")) == ["a member packed in a way that is not read"]


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1 << 20))
    data = bytearray(path.read_bytes())
    size = data.index(b"PK\x01\x02") + 24
    data[size : size + 4] = struct.pack("<I", 300 << 20)
    path.write_bytes(data)
    with pytest.raises(DicomError, match=r"far more than it is: a bomb\?; wanted at most 200 times"):
        index_dicom(path)


def test_members_that_share_bytes_are_a_bomb(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", ct(tmp_path / "in"))
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)
    with pytest.raises(DicomError, match=r"overlap|damaged zip"):
        index_dicom(path)


def member(path: Path) -> ZipSource:
    return next(one for one in list_zip(path) if isinstance(one, ZipSource) and one.method)


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_member_of_another_size_than_declared_is_refused(tmp_path: Path, size: int) -> None:
    source = member(packed(tmp_path / "a.zip", ct(tmp_path / "in")))
    lying = ZipSource(source.archive, source.member, source.offset, source.packed, size, source.method, source.crc)
    with pytest.raises(DicomError, match="not of its declared size"):
        lying.open()


def test_damaged_zips_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", ct(tmp_path / "in"))
    data = path.read_bytes()
    source = member(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DicomError, match="damaged zip"):
        index_dicom(path)
    body = data.index(b"deep/", source.offset) + len(source.member)
    path.write_bytes(data[: body + 40] + b"\x55" * 8 + data[body + 48 :])
    with pytest.raises(DicomError, match=r"damaged member|declared size"):
        source.open()


def test_a_directory_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(1 << 30)  # a hole; nothing is on the disk
        file.seek(1 << 30)
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, (1 << 30) - 100, 100, 0))
    with pytest.raises(DicomError, match="too many members"):
        index_dicom(path)


# DICOMDIR


def disc(folder: Path) -> Path:
    files = FileSet()
    for path in sorted(ct(folder.parent / "in").iterdir()):
        files.add(path)
    files.write(folder)
    files._stage["t"].cleanup()  # else it is taken away with a warning, during some other test
    return folder / "DICOMDIR"


def test_a_dicomdir_is_what_it_refers_to(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    ct(tmp_path / "disc/more", seed=5)
    assert len(index_dicom(path)) == 3
    whole = index_dicom(tmp_path / "disc")
    assert len(whole) == 6
    assert not whole.issues


def test_a_copied_disc_with_small_letters_is_read(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    for file in sorted((tmp_path / "disc").rglob("*"), key=lambda file: -len(file.parts)):
        file.rename(file.with_name(file.name.lower()))
    assert len(index_dicom(path.with_name("dicomdir"))) == 3


def test_a_missing_file_is_named_with_its_record(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    lost = next(file for file in (tmp_path / "disc").rglob("*") if file.is_file() and file.name != "DICOMDIR")
    lost.unlink()
    index = index_dicom(path)
    assert len(index) == 2
    [issue] = index.issues
    assert issue.what == "the file that it refers to is not there"
    assert "(0004,1500) ReferencedFileID" in issue.where


@pytest.mark.parametrize(
    "names", [["..", "secret"], ["/etc", "passwd"], ["a", "..", "..", "secret"], ["link", "secret"]]
)
def test_a_dicomdir_cannot_lead_out_of_its_folder(tmp_path: Path, names: list[str]) -> None:
    path = disc(tmp_path / "disc")
    secret = ct(tmp_path / "other", seed=9)
    (tmp_path / "disc/link").symlink_to(secret)
    (secret / "secret").write_bytes(next(secret.iterdir()).read_bytes())
    dataset = pydicom.dcmread(path)
    record = next(one for one in dataset.DirectoryRecordSequence if "ReferencedFileID" in one)
    with pydicom.config.disable_value_validation():
        record.ReferencedFileID = names
        dataset.save_as(path)
    index = index_dicom(path)
    assert len(index) == 2
    assert whats(index) == [
        "a name that leads out of the folder" if names[0] != "link" else "a link that leads out of the folder"
    ]


def test_a_damaged_dicomdir_is_refused(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    data = path.read_bytes()
    sequence = data.index(struct.pack("<HH", 0x0004, 0x1220))
    for bad in (data[: sequence + 60], data[: sequence + 8] + b"\xff" * 8 + data[sequence + 16 :]):
        path.write_bytes(bad)
        with pytest.raises(DicomError):
            index_dicom(path)


def test_pydicoms_own_disc() -> None:
    path = Path(str(pydicom.data.get_testdata_file("DICOMDIR", download=False)))
    listed = pydicom.dcmread(path).DirectoryRecordSequence
    index = index_dicom(path)
    there = sum("ReferencedFileID" in one for one in listed)
    assert len(index) + len(index.issues) == there
    assert len(index) > 20


def changed(data: bytes, places: list[tuple[int, int]], cut: int) -> bytes:
    """Bytes with some of them set, the places counted from the end, where a zip has its directory; then cut off."""
    found = bytearray(data)
    for place, value in places:
        found[-1 - place % len(found)] = value
    return bytes(found[: len(found) - cut])


PLACES = st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("zip")
    return packed(folder / "a.zip", ct(folder / "in")).read_bytes()


@given(places=PLACES, cut=st.sampled_from([0, 0, 0, 1, 30, 500]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_zips_give_objects_or_our_errors(zipped: bytes, tmp_path: Path, places: Any, cut: int) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(changed(zipped, places, cut))
    with contextlib.suppress(DicomError):
        for one in index_dicom(path):
            with contextlib.suppress(DicomError):
                one.source.open().close()


@given(places=PLACES, cut=st.sampled_from([0, 0, 0, 1, 30, 500]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_dicomdirs_give_objects_or_our_errors(tmp_path: Path, places: Any, cut: int) -> None:
    whole = tmp_path / "disc"
    path = whole / "DICOMDIR" if whole.exists() else disc(whole)
    kept = tmp_path / "kept"
    if not kept.exists():
        kept.write_bytes(path.read_bytes())
    path.write_bytes(changed(kept.read_bytes(), places, cut))
    with contextlib.suppress(DicomError):
        index_dicom(path)


def test_head_of_a_member_reads_any_part(tmp_path: Path) -> None:
    from braggbook.imaging.dicom.archives import Head

    folder = tmp_path / "in"
    folder.mkdir()
    data = np.random.default_rng(1).integers(0, 9, 300_000, dtype=np.uint8).tobytes()
    (folder / "a").write_bytes(data)
    (folder / "b").write_bytes(data)
    head = Head(member(packed(tmp_path / "a.zip", folder)))
    for at, most in ((0, 100), (50, 16_384), (70_000, 200_000), (10, 5), (299_990, 100), (400_000, 10)):
        assert head(at, most) == data[at : at + most]
