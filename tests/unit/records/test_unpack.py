"""Zips from strangers: nothing outside the folder, no links, no bombs, and nothing left of a refused one."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from braggbook.errors import RecordError, StorageError
from braggbook.records.bundle import write_bundle
from braggbook.records.unpack import check_zip, is_unpacked, unpack


def zip_of(path: Path, entries: dict[str, bytes], *, mode: int = 0o100644, compress: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compress) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = compress
            archive.writestr(entry, data)
    return path


def test_what_was_bundled_comes_back(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 100)
    write_bundle({"a/b/data.bin": tmp_path / "data.bin", "c d#é?.txt": b"text", "empty": b""}, tmp_path / "z.zip")
    unpack(tmp_path / "z.zip", tmp_path / "out")
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == {"a/b/data.bin": bytes(range(256)) * 100, "c d#é?.txt": b"text", "empty": b""}


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil", "a\\b", "a//b", "./a", "a/.", "../", "a/../../b/"],
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = zip_of(tmp_path / "in" / "z.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(RecordError, match="not safe to unpack") as caught:
        unpack(path, tmp_path / "in" / "out")
    assert [issue.what for issue in caught.value.issues] == ["a name that leads out of the folder"]
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["in", "z.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    path = zip_of(tmp_path / "z.zip", {"link": b"/etc/passwd"}, mode=kind | 0o777)
    with pytest.raises(RecordError, match="a link or a device"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_are_one_on_some_disks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a name that stands twice"):
        unpack(zip_of(tmp_path / "z.zip", {"a.txt": b"1", "A.TXT": b"2"}), tmp_path / "out")


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"zeros": bytes(100 << 20)}, compress=zipfile.ZIP_DEFLATED)
    with pytest.raises(RecordError, match="it would grow too much"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_size_that_lies_is_found(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"zeros": bytes(1 << 20)}, compress=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        struct.pack_into("<I", data, at, 10)
    path.write_bytes(data)
    with pytest.raises(RecordError):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_what_is_no_zip_is_refused(tmp_path: Path, cut: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", b"x" * 300)
    (tmp_path / "z.zip").write_bytes(buffer.getvalue()[:cut])
    with pytest.raises(RecordError, match="not a zip that can be read"):
        unpack(tmp_path / "z.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_leaves_nothing(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"a.txt": b"1" * 1000, "b.txt": b"2" * 1000})
    data = bytearray(path.read_bytes())
    data[data.index(b"2" * 100)] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordError, match="Bad CRC"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"a.txtX../../evil": b"1"})
    path.write_bytes(path.read_bytes().replace(b"a.txtX", b"a.txt\0"))
    with pytest.raises(RecordError, match="a name that leads out of the folder"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_would_speak_to_a_terminal_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a name with control characters") as caught:
        unpack(zip_of(tmp_path / "z.zip", {"\x1b]0;owned\x07.txt": b"1"}), tmp_path / "out")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", ["n" * 256, "é" * 128, "/".join(["n" * 100] * 11)])
def test_a_name_that_no_disk_takes_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="a name that is too long"):
        unpack(zip_of(tmp_path / "z.zip", {name: b"1"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("a", "a/b"), "a file that is also a folder"),
        (("A/b/c", "a/B"), "a file that is also a folder"),
        (("caf\u00e9", "cafe\u0301"), "a name that stands twice"),
        (("Straße", "STRASSE"), "a name that stands twice"),
    ],
)
def test_names_that_are_in_each_others_way_are_refused(tmp_path: Path, names: tuple[str, str], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        unpack(zip_of(tmp_path / "z.zip", dict.fromkeys(names, b"1")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("run.json", b"1")
        archive.writestr("run.json", b"2")
    with pytest.raises(RecordError, match="a name that stands twice"):
        unpack(tmp_path / "z.zip", tmp_path / "out")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"secret": b"1"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(RecordError, match="it is encrypted"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_compression_that_may_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"not taken; wanted stored or deflate, got lzma"):
        unpack(zip_of(tmp_path / "z.zip", {"a": b"1"}, compress=zipfile.ZIP_LZMA), tmp_path / "out")


def test_an_honest_large_format_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive, archive.open("big", "w", force_zip64=True) as member:
        member.write(b"x" * 100)
    unpack(tmp_path / "z.zip", tmp_path / "out")
    assert (tmp_path / "out" / "big").read_bytes() == b"x" * 100


def test_a_size_of_the_large_format_that_nobody_has_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"big": b"x"})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 0xFFFFFFFF)
    extra = struct.pack("<HHQ", 1, 8, 1 << 50)
    struct.pack_into("<H", data, at + 30, len(extra))
    data[at + 46 + 3 : at + 46 + 3] = extra
    end = data.index(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, struct.unpack_from("<I", data, end + 12)[0] + len(extra))
    path.write_bytes(data)
    with pytest.raises(RecordError, match="it would grow too much"):
        unpack(path, tmp_path / "out")


def test_a_list_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x05\x06") + 12, 3 << 30)
    path.write_bytes(data)
    with pytest.raises(RecordError, match="a list of at most"):
        unpack(path, tmp_path / "out")


def test_a_list_of_the_large_format_is_weighed_too(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"a": b"1"})
    data = path.read_bytes()
    at = data.index(b"PK\x05\x06")
    end = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 3 << 30, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, at, 1)
    path.write_bytes(data[:at] + end + locator + data[at:])
    with pytest.raises(RecordError, match="a list of at most"):
        unpack(path, tmp_path / "out")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"é.txt": b"1"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(RecordError, match="not a zip that can be read"):
        unpack(path, tmp_path / "out")


def test_every_finding_is_listed_and_nothing_is_left(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"../a": b"1", "good": b"2", "GOOD": b"3"}, mode=stat.S_IFLNK | 0o777)
    with pytest.raises(RecordError) as caught:
        check_zip(path)
    assert len(caught.value.issues) == 6  # one way out, three links, one name twice


@pytest.mark.parametrize("at", range(0, 260, 7))
def test_a_zip_cut_anywhere_is_refused(tmp_path: Path, at: int) -> None:
    path = zip_of(tmp_path / "z.zip", {"a/one.txt": b"1" * 50, "two.txt": b"2" * 50})
    path.write_bytes(path.read_bytes()[:at])
    with pytest.raises(RecordError):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    path = zip_of(tmp_path / "z.zip", {"a/one.txt": b"1" * 50, "two.txt": b"2" * 50}, compress=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    path.write_bytes(data)
    try:
        unpack(path, tmp_path / "out")
    except RecordError:
        assert not (tmp_path / "out").exists()
    assert {entry.name for entry in tmp_path.iterdir()} <= {"z.zip", "out"}


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        unpack(zip_of(tmp_path / "z.zip", {"a": b"1"}), tmp_path / "file" / "out")


def test_whether_it_lies_unpacked_is_seen(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "z.zip", {"a/one.txt": b"1" * 50, "two.txt": b"2" * 50})
    assert not is_unpacked(path, tmp_path / "out")
    unpack(path, tmp_path / "out")
    assert is_unpacked(path, tmp_path / "out")
    (tmp_path / "out" / "two.txt").write_bytes(b"3" * 50)
    assert not is_unpacked(path, tmp_path / "out")
    (tmp_path / "out" / "two.txt").write_bytes(b"2" * 50)
    (tmp_path / "out" / "three.txt").symlink_to("two.txt")
    assert not is_unpacked(path, tmp_path / "out")


def test_a_list_that_fills_the_memory_is_not_hidden_behind_a_second_end(tmp_path: Path) -> None:
    """The numbers of the disks in the end are the four bytes that an end begins with, too near to the file's own end."""
    path = zip_of(tmp_path / "z.zip", {"good.txt": b"1"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 4 : at + 8] = b"PK\x05\x06"
    data[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(RecordError, match="a list of at most"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
