"""A project of one's own, from nothing to what Binder builds: by the command, with the real index and repo2docker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..oracle_environments import oracle_environment

pytestmark = pytest.mark.full


def braggbook(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "braggbook", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a person typed three commands."""
    folder = tmp_path_factory.mktemp("own") / "experiments"
    folder.mkdir()
    for words in (["new", "kernel", "cells"], ["new", "notebook", "survival"], ["binder", "write"]):
        done = braggbook(folder, *words)
        assert done.returncode == 0, done.stderr
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "binder").iterdir()}


def test_nothing_is_found_and_writing_anew_gives_the_same_bytes(own: Path) -> None:
    checked = braggbook(own, "binder", "check")
    assert checked.returncode == 0, checked.stdout
    before = content(own)
    assert braggbook(own, "binder", "write").returncode == 0
    assert content(own) == before
    assert b"://" not in before["requirements.txt"]


def test_repo2docker_accepts_it(own: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = (
        oracle_environment(tmp_path_factory, "repo2docker", "jupyter-repo2docker==2026.4.0") / "jupyter-repo2docker"
    )
    path = {"PATH": "/usr/bin:/bin", "HOME": str(own.parent), "LANG": os.environ.get("LANG", "C.UTF-8")}
    command = [str(program), "--no-build", "--debug", str(own)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=path)
    assert done.returncode == 0, done.stderr[-2000:]
    dockerfile = done.stdout + done.stderr
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile


def test_a_build_stops_where_it_fails(own: Path, tmp_path: Path) -> None:
    """In an environment without the pins the wheel goes in, the kernel is not met, and nothing after it is done."""
    place = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=300)
    variables = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    post_build = str(own / "binder" / "postBuild")
    done = subprocess.run([post_build], capture_output=True, text=True, check=False, timeout=300, env=variables)
    assert done.returncode != 0
    assert (place / "etc" / "jupyter" / "jupyter_server_config.d" / "braggbook.json").is_file()
    assert not (place / "share" / "jupyter" / "lab" / "settings").exists()
