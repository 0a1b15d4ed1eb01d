"""repo2docker takes binder/ as it is meant, by its own code, without an engine that builds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from braggbook.binder.files import APT_NAMES, binder_files
from braggbook.binder.resolve import resolve_issues

from ..conftest import ROOT
from ..oracle_environments import oracle_environment

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def repo2docker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program; the same environment that the test of records takes."""
    return oracle_environment(tmp_path_factory, "repo2docker", "jupyter-repo2docker==2026.4.0") / "jupyter-repo2docker"


def accepted(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(program), "--no-build", "--debug", str(folder)]
    path = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=path)


def test_it_is_accepted(repo2docker: Path, clone: Path) -> None:
    done = accepted(repo2docker, clone)
    assert done.returncode == 0, done.stderr[-2000:]
    dockerfile = done.stdout + done.stderr
    assert "FROM docker.io/library/buildpack-deps:24.04" in dockerfile
    assert "Building conda environment for python=3.11" in dockerfile
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert f"--no-install-recommends {' '.join(sorted(APT_NAMES))}" in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


def test_two_folders_are_not(repo2docker: Path, clone: Path) -> None:
    """What the linter says of two folders is what repo2docker does."""
    (clone / ".binder").mkdir()
    try:
        assert accepted(repo2docker, clone).returncode != 0
    finally:
        (clone / ".binder").rmdir()


def test_writing_anew_gives_the_same_bytes() -> None:
    for name, data in binder_files(ROOT).items():
        assert (ROOT / "binder" / name).read_bytes() == data, f"{name}: braggbook binder write"


def test_the_pins_resolve_and_one_that_is_missing_does_not(clone: Path, tmp_path: Path) -> None:
    assert resolve_issues(clone) == []
    text = (clone / "binder" / "requirements.txt").read_text()
    entries = text.split("\n")
    at = next(n for n, line in enumerate(entries) if line.startswith("traitlets=="))
    end = next(n for n in range(at + 1, len(entries)) if not entries[n].startswith(" "))
    broken = tmp_path / "broken"
    (broken / "binder").mkdir(parents=True)
    (broken / "binder" / "requirements.txt").write_text("\n".join(entries[:at] + entries[end:]))
    (issue,) = resolve_issues(broken)
    assert "traitlets" in issue.got
