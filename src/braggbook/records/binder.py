"""What Binder needs to open a run: its lock, its Python, and Braggbook's wheel without dependencies.

repo2docker reads ``binder/`` and nothing else when it is there. A requirements file with hashes cannot also name a
file without one, so ``postBuild`` installs the wheel; ``set -e`` because its errors are swallowed otherwise.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from braggbook.formats.run import RunRecord
from braggbook.runs.record import KERNEL_FOLDER

_POST_BUILD = """#!/bin/bash
set -e
python -m pip install --no-deps --no-cache-dir {wheel}
"""


def binder_files(folder: Path, record: RunRecord) -> dict[str, bytes]:
    """Returns the files of ``binder/`` for a run in Python.

    Args:
        folder: The run.
        record: Its record.
    """
    lock = (folder / KERNEL_FOLDER / "requirements.lock").read_bytes()
    return binder_of(lock, python=record.python, wheel=record.braggbook.wheel)


def binder_of(lock: bytes, *, python: str, wheel: str) -> dict[str, bytes]:
    """Returns the files of ``binder/``.

    Args:
        lock: The kernel's, with hashes.
        python: Its version.
        wheel: Where Braggbook's wheel lies in the record.
    """
    return {
        "binder/requirements.txt": lock,
        "binder/runtime.txt": f"python-{'.'.join(python.split('.')[:2])}\n".encode(),
        "binder/postBuild": _POST_BUILD.format(wheel=shlex.quote(wheel)).encode(),
    }
