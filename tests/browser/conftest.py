"""The system's Chromium."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from braggbook.kernels.lock import uv_command

from ..conftest import ROOT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs the system tool chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


def lab_address(runtime: Path) -> str:
    """Returns the address of the JupyterLab that has this runtime folder, or nothing while it does not answer yet.

    The server writes its file before it listens on its port.
    """
    for path in runtime.glob("jpserver-*.json"):
        if text := path.read_text():
            url = str(json.loads(text)["url"])
            with suppress(OSError), urllib.request.urlopen(f"{url}api", timeout=10):
                return url
    return ""


@pytest.fixture(scope="session")
def lab_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with JupyterLab, made once for all workers of a test run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / "jupyterlab" / "bin" / "python"
    with (folder / "jupyterlab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            uv = [*uv_command(), "--quiet"]
            unfinished = folder / "jupyterlab.part"
            install = ["pip", "install", "--python", str(unfinished), "--editable", f"{ROOT}[lab]", "ipywidgets>=8"]
            for command in (["venv", "--relocatable", "--python", sys.executable, str(unfinished)], install):
                subprocess.run([*uv, *command], cwd=ROOT, check=True, timeout=600)
            unfinished.rename(made.parents[1])
    return made
