"""Braggbook's own code as a wheel: the same bytes for the same code, installable, and safely unpacked."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import braggbook
from braggbook.errors import RecordError, StorageError
from braggbook.files import sha256_bytes
from braggbook.runs.wheel import Wheel, build_wheel, unpack_wheel

PACKAGE = Path(braggbook.__file__).parent
DIGEST = "from braggbook.runs.wheel import build_wheel\nprint(build_wheel().sha256)"


@pytest.fixture(scope="module")
def wheel() -> Wheel:
    return build_wheel()


def _files(wheel: Wheel) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return buffer.getvalue()


def test_the_same_code_gives_the_same_bytes(wheel: Wheel) -> None:
    assert build_wheel() == wheel
    assert wheel.sha256 == sha256_bytes(wheel.data)
    assert wheel.name == f"braggbook-{braggbook.__version__}-py3-none-any.whl"


def test_nothing_of_the_machine_is_in_it(wheel: Wheel) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.external_attr for entry in entries} == {0o644 << 16}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert str(PACKAGE).encode() not in wheel.data


def test_it_holds_every_source_file_and_no_litter(wheel: Wheel) -> None:
    held = {name for name in _files(wheel) if name.startswith("braggbook/")}
    sources = {f"braggbook/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")}
    assert sources <= held
    assert "braggbook/runs/templates/report.html" in held
    assert not [name for name in held if "__pycache__" in name or name.endswith((".pyc", "~"))]


def test_the_record_lists_every_file_with_its_true_digest(wheel: Wheel) -> None:
    files = _files(wheel)
    (name,) = (name for name in files if name.endswith(".dist-info/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[name].decode()))}
    assert set(rows) == set(files)
    assert rows.pop(name) == ["", ""]
    for path, (digest, size) in rows.items():
        encoded = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={encoded}", len(files[path]))


def test_metadata_have_what_installing_needs(wheel: Wheel) -> None:
    files = _files(wheel)
    metadata = next(data.decode() for name, data in files.items() if name.endswith("METADATA"))
    assert metadata.startswith("Metadata-Version: 2.4\nName: braggbook\n")
    assert f"Version: {braggbook.__version__}\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "Requires-Dist: papermill" in metadata
    points = next(data.decode() for name, data in files.items() if name.endswith("entry_points.txt"))
    assert "[console_scripts]\nbraggbook = braggbook.cli.main:entry\n" in points
    assert "[papermill.engine]\nbraggbook = braggbook.runs.engine:RunEngine\n" in points


def test_one_changed_function_is_another_wheel_and_litter_is_not(tmp_path: Path, wheel: Wheel) -> None:
    shutil.copytree(PACKAGE, tmp_path / "braggbook", ignore=shutil.ignore_patterns("__pycache__"))

    def digest() -> str:
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", DIGEST], env=env, capture_output=True, text=True, check=True
        ).stdout.strip()

    for litter in (".units.py.swp", "units.py~", "units.py.orig"):
        (tmp_path / "braggbook" / litter).write_text("litter")
    assert digest() == wheel.sha256, "a copy elsewhere, with bytecode and an editor's files, is the same wheel"
    units = tmp_path / "braggbook" / "units.py"
    units.write_text(
        units.read_text().replace(
            "return one.dimension == other.dimension", "return other.dimension == one.dimension", 1
        )
    )
    assert digest() != wheel.sha256


def test_it_installs_without_its_dependencies(tmp_path: Path, wheel: Wheel, needs: Callable[..., str]) -> None:
    tool = os.environ.get("UV") or needs("uv", "pip3", "pip")
    (tmp_path / wheel.name).write_bytes(wheel.data)
    target, command = (
        tmp_path / "target",
        [tool, "pip", "install"] if Path(tool).name.startswith("uv") else [tool, "install"],
    )
    subprocess.run(
        [*command, "--quiet", "--no-deps", "--no-index", "--target", target, tmp_path / wheel.name], check=True
    )
    code = "import braggbook\nprint(braggbook.__file__, braggbook.units.conversion_factor('cGy', 'Gy'))"
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{target / 'braggbook' / '__init__.py'} 0.01\n"


def test_unpacked_code_is_what_was_packed_and_done_once(tmp_path: Path, wheel: Wheel) -> None:
    folder = unpack_wheel(wheel.data, cache=tmp_path)
    for name, data in _files(wheel).items():
        assert (folder / name).read_bytes() == data
    inode = folder.stat().st_ino
    assert unpack_wheel(wheel.data, cache=tmp_path) == folder
    assert folder.stat().st_ino == inode
    assert [path.name for path in folder.parent.iterdir()] == [wheel.sha256[:24]], "nothing half-written is left"


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "braggbook/../../evil.py", "a\\..\\evil.py", ".."])
def test_a_name_that_leads_out_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="a wheel whose file leads out of its folder") as caught:
        unpack_wheel(_zip("braggbook/__init__.py", name), cache=tmp_path / "cache")
    assert caught.value.got == name
    assert list((tmp_path / "cache" / "software").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no zip", id="no zip"),
        pytest.param(_zip("a")[:-10], id="cut short"),
        pytest.param(_zip("a").replace(b"content", b"c0ntent"), id="a byte changed"),
    ],
)
def test_what_is_no_wheel_is_refused_and_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RecordError, match="not a wheel"):
        unpack_wheel(data, cache=tmp_path)
    assert list((tmp_path / "software").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands here")
    with pytest.raises(StorageError, match="cannot write"):
        unpack_wheel(_zip("a"), cache=tmp_path / "cache")
