"""Binder opens a published run: its record is fetched, unpacked and understood by repo2docker's own code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from braggbook.files import sha256_file
from braggbook.formats.run import RunRecord
from braggbook.kernels.lock import uv_command
from braggbook.progress import Silent
from braggbook.records.archives import Shelf
from braggbook.records.bundle import write_bundle
from braggbook.records.run_plan import run_content
from braggbook.records.serve import Account, ArchiveServer, Settings
from braggbook.runs.folder import read_record
from braggbook.testing.archive import make_metadata, make_plan

from ...conftest import ROOT, Project
from ...oracle_environments import oracle_environment

pytestmark = pytest.mark.full


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return oracle_environment(tmp_path_factory, "repo2docker", "jupyter-repo2docker==2026.4.0")


@pytest.fixture
def made(project: Project) -> tuple[Path, RunRecord]:
    shutil.rmtree(project.folder / "kernels")  # the shipped one has a lock with hashes
    for part in ("datasets", "kernels"):
        shutil.copytree(ROOT / part, project.folder / part)
    shutil.copy(ROOT / "requirements.lock", project.folder)
    (project.folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "radiobiology" / "clonogenic_survival.ipynb", project.folder / "notebooks")
    answer = project.run("clonogenic_survival")
    assert answer.code == 0, answer.err
    folder = Path(answer.json["run_dir"])
    return folder, read_record(folder)


def published(folder: Path, record: RunRecord, server: ArchiveServer, place: Path) -> str:
    zipped = place / "run.zip"
    write_bundle(run_content(folder, record), zipped)
    archive = Shelf(place, {"BRAGGBOOK_ARCHIVE_TOKEN": "secret"}).open(server.url)
    draft = archive.create(make_metadata(), plan=make_plan())
    archive.upload(draft.id, zipped.name, zipped, progress=Silent())
    return archive.publish(draft.id).id


def read_by_binder(programs: Path, server: ArchiveServer, record: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    script = Path(__file__).with_name("repo2docker_reads.py")
    command = [programs / "python", script, f"{server.url}/api/records/", record, folder]
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_binder_opens_a_record(made: tuple[Path, RunRecord], programs: Path, tmp_path: Path) -> None:
    folder, record = made
    unpacked = tmp_path / "unpacked"
    with ArchiveServer(tmp_path / "archive", {"secret": Account()}, settings=Settings()) as server:
        seen = read_by_binder(programs, server, published(folder, record, server, tmp_path), unpacked)
        assert server.failures == []
    binder = {"binder/requirements.txt", "binder/runtime.txt", "binder/postBuild"}
    assert set(seen["files"]) == {*record.files, "run.json", *binder}, "unpacked, and its folders not lifted"
    assert all(sha256_file(unpacked / name) == file.sha256 for name, file in record.files.items())
    assert (seen["pack"], seen["python"]) == ("PythonBuildPack", f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert seen["post_build"] == ["binder/postBuild"]
    dockerfile = seen["dockerfile"]
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert "RUN chmod +x binder/postBuild" in dockerfile, "the zip need not keep the permission"
    assert_installs(unpacked, record, tmp_path / "fresh")
    assert_opens(unpacked)


def assert_installs(unpacked: Path, record: RunRecord, environment: Path) -> None:
    """Runs postBuild as Binder does, in the folder of the record, and asks pip for the rest without downloading it."""
    uv = [*uv_command(), "--quiet"]
    subprocess.run([*uv, "venv", "--seed", "--python", sys.executable, environment], check=True, timeout=120)
    python = environment / "bin" / "python"
    path = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin"}
    (unpacked / "binder/postBuild").chmod(0o755)
    subprocess.run(["binder/postBuild"], cwd=unpacked, env=path, check=True, capture_output=True, timeout=120)
    said = subprocess.run([python, "-m", "pip", "show", "braggbook"], check=True, capture_output=True, text=True)
    assert f"Version: {record.braggbook.version}" in said.stdout
    lock = (unpacked / "binder/requirements.txt").read_text()
    pins = [line for line in lock.splitlines() if line and line[0] not in " #"]
    assert pins
    assert all("==" in line for line in pins)
    assert lock.count("--hash=sha256:") >= len(pins)


def assert_opens(unpacked: Path) -> None:
    """Executes the notebook that the link opens, cell by cell, where it lies."""
    node = nbformat.read(unpacked / "executed.ipynb", as_version=4)
    assert node.metadata.kernelspec.name == "python3"
    NotebookClient(node, timeout=120, resources={"metadata": {"path": str(unpacked)}}).execute()
