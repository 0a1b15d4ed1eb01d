"""The panel in the wheel: taken along where it was built, said where it is missing, never built by an editable install."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from braggbook.kernels.lock import uv_command

from ...browser.lab_site import BUILT, build_panel
from ...conftest import ROOT

pytestmark = pytest.mark.full
NEEDED = (
    "README.md",
    "LICENSE",
    "hatch_build.py",
    "pyproject.toml",
    "src/braggbook/__init__.py",
    "src/braggbook/py.typed",
)
PANEL, SERVER = "share/jupyter/labextensions/braggbook", "etc/jupyter/jupyter_server_config.d/braggbook.json"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what a wheel is made of, as a fresh clone has it, with one module."""
    folder = tmp_path / "clone"
    for name in NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "labextension").mkdir()
    for path in (ROOT / "labextension").glob("*.json"):
        shutil.copyfile(path, folder / "labextension" / path.name)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """All programs of this machine but Node's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*") if place else ():
            if program.name not in ("node", "npm", "npx") and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return folder


def uv(source: Path, *words: str, tools: Path) -> str:
    """Calls uv with these programs alone; returns what it said."""
    variables = {**os.environ, "PATH": str(tools)}
    command = [*uv_command(), *words]
    done = subprocess.run(
        command, cwd=source, env=variables, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def names(folder: Path) -> set[str]:
    wheel = next(folder.glob("*.whl"))
    return {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist() if ".data/data/" in name}


def build(source: Path, target: Path, *, tools: Path) -> str:
    """Builds a wheel; returns what was said."""
    return uv(source, "build", "--python", sys.executable, "--wheel", "-o", str(target), tools=tools)


def test_without_node_the_wheel_says_that_the_panel_is_missing(source: Path, tools: Path, tmp_path: Path) -> None:
    assert "The panel of JupyterLab is NOT in this wheel" in build(source, tmp_path / "dist", tools=tools)
    assert names(tmp_path / "dist") == {SERVER}


def test_what_was_built_is_taken_along(source: Path, tools: Path, tmp_path: Path) -> None:
    built = source / "labextension" / "build"
    (built / "static").mkdir(parents=True)
    (built / "package.json").write_text("{}")
    (built / "static" / "remoteEntry.js").write_text("")
    assert "NOT in this wheel" not in build(source, tmp_path / "dist", tools=tools)
    panel = {f"{PANEL}/{name}" for name in ("package.json", "install.json", "static/remoteEntry.js")}
    assert names(tmp_path / "dist") == {SERVER, *panel}


def test_what_jupyterlab_loads_first_is_in_the_wheel(source: Path, tools: Path, tmp_path: Path) -> None:
    """Of the real build: the entry that its package.json names, and the words that switch the server's side on."""
    build_panel()
    shutil.copytree(BUILT, source / "labextension" / "build")
    build(source, tmp_path / "dist", tools=tools)
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        data = (
            f"{next(name for name in wheel.namelist() if '.data/data/' in name).partition('.data/data/')[0]}.data/data"
        )
        said = json.loads(wheel.read(f"{data}/{PANEL}/package.json"))
        entry = wheel.read(f"{data}/{PANEL}/{said['jupyterlab']['_build']['load']}")
        switched = json.loads(wheel.read(f"{data}/{SERVER}"))
    assert b"braggbook" in entry
    assert said["version"] == version("braggbook")
    assert switched["ServerApp"]["jpserver_extensions"] == {"braggbook.lab": True}
    assert "_jupyter_server_extension_points" in vars(import_module("braggbook.lab"))


def test_an_editable_install_runs_no_npm(source: Path, tools: Path, tmp_path: Path) -> None:
    npm = tools / "npm"
    npm.write_text(f"#!/bin/sh\n: > {tmp_path / 'called'}\nexit 1\n")
    npm.chmod(0o755)
    environment = tmp_path / "environment"
    uv(source, "venv", "--python", sys.executable, str(environment), tools=tools)
    python = str(environment / "bin" / "python")
    uv(source, "pip", "install", "--python", python, "--no-deps", "--editable", str(source), tools=tools)
    assert not (tmp_path / "called").exists()
    assert (environment / SERVER).is_file()
    assert not (environment / PANEL).exists()
