"""Files: whole or not at all, named by what is in them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import StorageError
from braggbook.files import (
    canonical_json,
    sha256_bytes,
    sha256_file,
    storage,
    sync_tree,
    write_bytes,
    write_json,
    write_text,
)

FULL_DISK = """
import resource, sys
from pathlib import Path
from braggbook.errors import StorageError
from braggbook.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # as a disk on which 100 bytes are left
try:
    write_bytes(Path(sys.argv[1]), b"n" * 1000)
except StorageError as error:
    print(error)
"""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_text(path, "µ\n")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["run.json"]


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: the disk is full; got File too large\nnext: df -h {tmp_path}\n"
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["run.json"]


def test_a_parent_that_is_a_file_or_missing_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(StorageError, match="cannot write; got Not a directory") as caught:
        write_bytes(tmp_path / "file" / "run.json", b"new")
    assert caught.value.exit_code == 4
    assert caught.value.next_command == f"ls -ld {tmp_path / 'file'}"
    with pytest.raises(StorageError, match="No such file or directory"):
        write_bytes(tmp_path / "none" / "run.json", b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert _names(tmp_path) == ["file"]


def test_a_folder_in_the_files_place_stays(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        write_bytes(tmp_path / "run.json", b"new")
    assert _names(tmp_path) == ["run.json"]


def test_what_cannot_be_written_at_all_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_bytes(path, "not bytes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["run.json"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "run.json", b"")
    finally:
        after = os.umask(before)
    assert after == mask
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == mode


def test_json_on_disk_is_indented_and_ends_its_last_line(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "µ"})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "µ"\n}\n'


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [1, 1.5], "a": "µ"}) == '{"a":"µ","b":[1,1.5]}'.encode()
    assert canonical_json({"x": 1, "y": {"b": 2, "a": 1}}) == canonical_json({"y": {"a": 1, "b": 2}, "x": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"x": {"y": float("nan")}}])
def test_canonical_json_refuses_what_json_has_not(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
        st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(values)
def test_canonical_json_loses_nothing(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_its_bytes_digest(tmp_path: Path, size: int) -> None:
    data = b"\x07" * size
    (tmp_path / "data").write_bytes(data)
    assert sha256_file(tmp_path / "data") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("number", "what", "command"),
    [
        (errno.ENOSPC, "the disk is full", "df -h /data"),
        (errno.EDQUOT, "the disk is full", "df -h /data"),
        (errno.EROFS, "cannot write", "ls -ld /data"),
    ],
)
def test_the_systems_refusals_in_our_words(number: int, what: str, command: str) -> None:
    with pytest.raises(StorageError) as caught, storage(Path("/data/run.json")):
        raise OSError(number, os.strerror(number))
    error = caught.value
    assert (error.what, error.where, error.got) == (what, "/data/run.json", os.strerror(number))
    assert error.next_command == command


def test_only_the_systems_refusals_are_turned(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), storage(tmp_path):
        raise ValueError("ours")


def test_syncing_reaches_every_file_and_changes_none(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("c")
    sync_tree(tmp_path)
    assert (tmp_path / "a" / "b" / "c").read_text() == "c"
    (tmp_path / "a" / "b" / "gone").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        sync_tree(tmp_path)
