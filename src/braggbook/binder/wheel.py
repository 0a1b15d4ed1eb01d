"""Braggbook as a wheel for JupyterLab: its code, and the files by which a server and JupyterLab find it."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from braggbook.runs.wheel import Wheel, build_wheel

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip archive can hold
_SHARED = (("etc", "jupyter"), ("share", "jupyter"))  # below an environment's own folder
PANEL = "share/jupyter/labextensions/braggbook/package.json"  # where the panel was built


@cache  # a check asks for it more than once
def lab_wheel() -> Wheel:
    """Builds the wheel of the Braggbook that is running; the same installation gives the same bytes."""
    whole = build_wheel()
    data = "-".join(whole.name.split("-")[:2]) + ".data/data"
    with zipfile.ZipFile(io.BytesIO(whole.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return repacked(whole.name, {**files, **{f"{data}/{name}": text for name, text in shared_files().items()}})


def shared_files() -> dict[str, bytes]:
    """Returns what an installed Braggbook has outside of its package, by the path below the environment."""
    distribution = importlib.metadata.distribution("braggbook")
    found = {}
    for file in distribution.files or []:
        parts = tuple(part for part in file.parts if part != "..")
        path = Path(str(distribution.locate_file(file)))
        if parts[:2] in _SHARED and path.is_file():
            found["/".join(parts)] = path.read_bytes()
    return found


def repacked(name: str, files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Wheel:
    """Returns a wheel of these files with a ``RECORD`` of them.

    Args:
        name: Of the wheel.
        files: With the old ``RECORD``.
        compression: Of each file. Only what is stored as it is has the same bytes by every build of zlib.
    """
    record = next(name for name in files if name.endswith(".dist-info/RECORD"))
    content = {**files, record: _record(files, record)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for path in sorted(content):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content[path], compression)
    return Wheel(name, buffer.getvalue())


def _record(files: Mapping[str, bytes], record: str) -> bytes:
    lines = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        lines.append(f"{name},," if name == record else f"{name},sha256={digest},{len(files[name])}")
    return ("\n".join(lines) + "\n").encode()
