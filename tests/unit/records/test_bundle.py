"""The zip of a record: the same files give the same bytes."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from braggbook.errors import ArchiveError
from braggbook.records.bundle import describe, write_bundle


def test_neither_order_nor_dates_nor_modes_change_a_byte(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a").write_bytes(b"a" * 3_000_000)
        (folder / "b").write_bytes(b"")
    os.utime(two / "a", (1, 1))
    (two / "a").chmod(0o600)
    first = write_bundle({"a": one / "a", "b": one / "b", "c": b"c"}, tmp_path / "first.zip")
    second = write_bundle({"c": b"c", "b": two / "b", "a": two / "a"}, tmp_path / "second.zip")
    assert first.sha256 == second.sha256


def test_the_bytes_are_those_of_every_version_of_python(tmp_path: Path) -> None:
    made = write_bundle({"a": b"abc", "binder/postBuild": b"#!/bin/bash\n", "é/ü.txt": b""}, tmp_path / "z.zip")
    # taken from zipfile of Python 3.10, 3.11, 3.12 and 3.13
    assert made.sha256 == "7ccc0e4807e4c148080082cf743be7add25988e7bbc4ce084a20930e124184e5"


def test_it_is_described_as_it_is(tmp_path: Path) -> None:
    made = write_bundle({"a": b"abc"}, tmp_path / "z.zip")
    assert made == describe(tmp_path / "z.zip", name="z.zip")
    data = (tmp_path / "z.zip").read_bytes()
    assert (made.bytes, made.md5) == (len(data), hashlib.md5(data).hexdigest())


def test_scripts_of_binder_can_be_executed(tmp_path: Path) -> None:
    write_bundle({"binder/postBuild": b"#!/bin/bash\n", "a": b""}, tmp_path / "z.zip")
    with zipfile.ZipFile(tmp_path / "z.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {"binder/postBuild": 0o100755, "a": 0o100644}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(ArchiveError, match="a link is not sent"):
        write_bundle({"link": tmp_path / "link"}, tmp_path / "z.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
