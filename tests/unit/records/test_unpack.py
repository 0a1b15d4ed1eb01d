"""Zips from strangers: nothing outside the folder, no links, no bombs, and nothing left of a refused one."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from braggbook.errors import RecordError
from braggbook.records.bundle import write_bundle
from braggbook.records.unpack import unpack


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


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil", "a//b", "./a", "a/."])
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
