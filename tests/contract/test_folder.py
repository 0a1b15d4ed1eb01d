"""The folder archive, held to what every archive must do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from braggbook.records.archive import Archive, Record
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import CHECKS, Bench


def said(archive: Archive, record: Record) -> Mapping[str, Any]:
    assert isinstance(archive, FolderArchive)
    return archive.json(record.doi)["metadata"]


def again(archive: Archive) -> Archive:
    assert isinstance(archive, FolderArchive)
    return FolderArchive(archive.root)


def damage(archive: Archive, record: Record, name: str) -> None:
    assert isinstance(archive, FolderArchive)
    (path,) = (archive.root / "records" / record.id / "files").glob(f"*/{name}")
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def bench(folder: Path, **changes: Any) -> Bench:
    places = (folder / f"archive_{number}" for number in range(9))
    (folder / "files").mkdir()
    parts = {"said": said, "again": again, "damage": damage} | changes
    return Bench(make=lambda: FolderArchive(next(places)), folder=folder / "files", **parts)


@pytest.mark.parametrize("name", CHECKS)
def test_contract(name: str, tmp_path: Path) -> None:
    CHECKS[name](bench(tmp_path))


@pytest.mark.full
def test_two_gigabytes(tmp_path: Path) -> None:
    try:
        CHECKS["a_large_file_takes_little_memory"](bench(tmp_path, large_bytes=2_000_000_000))
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)  # pytest would keep it for the next three times
