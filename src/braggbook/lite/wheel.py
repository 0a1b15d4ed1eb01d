"""Braggbook's own code for the browser: what can run there, and nothing that needs a server or another process."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

from braggbook.runs.wheel import Wheel, build_wheel

# Rooms that start processes, serve pages or speak to archives. A name of theirs says where it does run.
ELSEWHERE = ("challenges", "cli", "hub", "kernels", "lab", "lite", "records", "runs", "testing")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip archive can hold


def browser_wheel() -> Wheel:
    """Builds the wheel; compressed, since it is sent over the network to every reader."""
    whole = build_wheel()
    left_out = tuple(f"braggbook/{room}/" for room in ELSEWHERE)
    with zipfile.ZipFile(io.BytesIO(whole.data)) as archive:
        files = {name: archive.read(name) for name in sorted(archive.namelist()) if not name.startswith(left_out)}
    record = next(name for name in files if name.endswith(".dist-info/RECORD"))
    files[record] = _record(files, record)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return Wheel(whole.name, buffer.getvalue())


def _record(files: dict[str, bytes], record: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},," if name == record else f"{name},sha256={digest},{len(data)}")
    return ("\n".join(lines) + "\n").encode()
