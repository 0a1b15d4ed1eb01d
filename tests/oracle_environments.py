"""Environments of their own for programs that tests compare with and that want other versions than Braggbook has."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from braggbook.kernels.lock import uv_command

from .conftest import ROOT


def oracle_environment(factory: pytest.TempPathFactory, name: str, *requirements: str) -> Path:
    """Returns the folder of programs of an environment, made once for all workers of a test run."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made, unfinished = folder / name, folder / f"{name}.part"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            uv = [*uv_command(), "--quiet"]
            install = ["pip", "install", "--python", str(unfinished), *requirements]
            for command in (["venv", "--clear", "--relocatable", "--python", sys.executable, str(unfinished)], install):
                subprocess.run([*uv, *command], cwd=ROOT, check=True, timeout=600)
            unfinished.rename(made)
    return made / "bin"
