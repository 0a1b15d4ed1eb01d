"""Braggbook's own code as a wheel, so that a run holds exactly the functions that gave its numbers.

Built here rather than by a build tool: the same files must give the same bytes on every machine, whether Braggbook is
installed from a wheel or from a checkout, and no network may be needed. Nothing is compressed, because zlib's output
differs between its builds. The format is PEP 427.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import braggbook
from braggbook.errors import RecordError
from braggbook.files import sha256_bytes, storage

_NAME = "braggbook"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip archive can hold
_KEPT_FIELDS = ("Name", "Version", "Summary", "License-Expression", "Requires-Python", "Requires-Dist")


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file name, its bytes and their SHA-256."""

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Their digest."""
        return sha256_bytes(self.data)


def build_wheel() -> Wheel:
    """Builds the wheel of the Braggbook that is running; the same code gives the same bytes."""
    distribution = importlib.metadata.distribution(_NAME)
    folder = Path(braggbook.__file__).parent
    sources = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_litter(path.relative_to(folder)))
    files = {f"{_NAME}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in sources}
    info = f"{_NAME}-{distribution.version}.dist-info"
    files[f"{info}/METADATA"] = _metadata(distribution)
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: braggbook\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = _entry_points(distribution)
    files[f"{info}/RECORD"] = _record(files, info)
    return Wheel(f"{_NAME}-{distribution.version}-py3-none-any.whl", _archive(files))


def _is_litter(path: Path) -> bool:
    # what editors, interpreters and file managers leave in a checkout
    return "__pycache__" in path.parts or path.name.startswith(".") or path.name.endswith(("~", ".orig", ".rej"))


def _metadata(distribution: importlib.metadata.Distribution) -> bytes:
    # The README and author lines are left out: a word changed there changes no number.
    lines = ["Metadata-Version: 2.4"]
    for field in _KEPT_FIELDS:
        lines += [f"{field}: {value}" for value in sorted(distribution.metadata.get_all(field) or [])]
    return ("\n".join(lines) + "\n").encode()


def _entry_points(distribution: importlib.metadata.Distribution) -> bytes:
    lines: list[str] = []
    for group in sorted({point.group for point in distribution.entry_points}):
        points = sorted(distribution.entry_points.select(group=group), key=lambda point: point.name)
        lines += [f"[{group}]", *(f"{point.name} = {point.value}" for point in points), ""]
    return "\n".join(lines).encode()


def _record(files: dict[str, bytes], info: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}")
    return ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack_wheel(data: bytes, *, cache: Path) -> Path:
    """Returns a folder that holds the wheel's code, to be put on ``PYTHONPATH``; each wheel is unpacked once.

    Raises:
        RecordError: It is not a wheel, or one of its names leads out of the folder.
        StorageError: The folder cannot be written.
    """
    folder = cache / "software" / sha256_bytes(data)[:24]
    if folder.is_dir():
        return folder
    with storage(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
        try:
            _extract(data, part)
            with suppress(OSError):  # another process was faster: its folder is the same
                part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _extract(data: bytes, folder: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts or "\\" in name:
                    raise RecordError("a wheel whose file leads out of its folder", got=name)
            archive.extractall(folder)  # the names were checked above
    except zipfile.BadZipFile as error:
        raise RecordError("not a wheel", got=str(error)) from None
