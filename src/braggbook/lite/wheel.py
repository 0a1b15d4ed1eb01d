"""Braggbook's own code for the browser: what can run there, and nothing that needs a server or another process."""

from __future__ import annotations

import io
import zipfile

from braggbook.binder.wheel import repacked
from braggbook.runs.wheel import Wheel, build_wheel

# Rooms that start processes, serve pages or speak to archives. A name of theirs says where it does run.
ELSEWHERE = ("binder", "challenges", "cli", "hub", "kernels", "lab", "lite", "records", "runs", "testing")


def browser_wheel() -> Wheel:
    """Builds the wheel; compressed, since it is sent over the network to every reader."""
    whole = build_wheel()
    left_out = tuple(f"braggbook/{room}/" for room in ELSEWHERE)
    with zipfile.ZipFile(io.BytesIO(whole.data)) as archive:
        files = {name: archive.read(name) for name in sorted(archive.namelist()) if not name.startswith(left_out)}
    return repacked(whole.name, files, compression=zipfile.ZIP_DEFLATED)
