"""Manifests find every change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from braggbook.errors import ImagingError
from braggbook.imaging.store.manifest import make_manifest, read_manifest, verify_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f" / "inner").mkdir(parents=True)
    (tmp_path / "f" / "b").write_bytes(b"two")
    (tmp_path / "f" / "a").write_bytes(b"")
    (tmp_path / "f" / "inner" / "é x").write_bytes(b"three")
    (tmp_path / "f" / ".hidden").write_bytes(b"left out")
    return tmp_path / "f"


def test_it_holds_every_file_by_its_hash(folder: Path) -> None:
    manifest = make_manifest(folder)
    assert list(manifest.files) == ["a", "b", "inner/é x"]
    assert manifest.files["b"].sha256 == hashlib.sha256(b"two").hexdigest()
    assert manifest.files["b"].bytes == 3
    text = json.dumps(
        {name: record.sha256 for name, record in manifest.files.items()},
        sort_keys=True, separators=(",", ":"), ensure_ascii=False,
    )  # fmt: skip
    assert manifest.tree_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert make_manifest(folder, workers=1) == manifest


def test_it_is_written_and_read(folder: Path, tmp_path: Path) -> None:
    manifest = write_manifest(folder, tmp_path / "m.json")
    assert read_manifest(tmp_path / "m.json") == manifest
    assert verify_manifest(folder, manifest) == ()


def test_what_differs_is_missing_or_extra_is_named(folder: Path) -> None:
    manifest = make_manifest(folder)
    (folder / "b").write_bytes(b"owt")
    (folder / "a").unlink()
    (folder / "inner" / "new").write_bytes(b"x")
    found = [(issue.what, issue.where) for issue in verify_manifest(folder, manifest)]
    assert found == [
        ("a file is missing", f"{folder}/a"),
        ("a file differs", f"{folder}/b"),
        ("a file is extra", f"{folder}/inner/new"),
    ]


def test_links_are_refused_and_named(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "inner" / "loop").symlink_to(folder)
    with pytest.raises(ImagingError, match="cannot be described") as caught:
        make_manifest(folder)
    assert {issue.where for issue in caught.value.issues} == {"link", "inner/loop"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a manifest"),
        ('{"format": "braggbook.manifest/2", "tree_sha256": "", "files": {}}', "format"),
        ('{"format": "braggbook.manifest/1", "files": {"../x": {"sha256": "", "bytes": -1}}}', "tree_sha256"),
        (
            f'{{"format": "braggbook.manifest/1", "tree_sha256": "{"0" * 64}", "files": {{}}}}',
            "a manifest that was changed",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ImagingError, match=says):
        read_manifest(tmp_path / "m.json")


def test_a_missing_folder_or_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match="not a folder"):
        make_manifest(tmp_path / "no")
    with pytest.raises(ImagingError, match="cannot read the manifest"):
        read_manifest(tmp_path / "no")
