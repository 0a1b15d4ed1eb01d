"""A run that is made once, and published by every test in a copy of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook.records.serve import Account, ArchiveServer

from ..conftest import Project
from .desk import TOKEN, Desk, Forks


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Commands without the cost of imports."""
    made = Forks(tmp_path_factory.mktemp("streams"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def published_run(tmp_path_factory: pytest.TempPathFactory, kernel_template: Path) -> tuple[Path, Path]:
    """A project, and a complete run in it."""
    folder = tmp_path_factory.mktemp("publish") / "project"
    shutil.copytree(kernel_template, folder)
    project = Project(folder)
    code = ["import braggbook as bb\nbb.result('x', factor, unit='1')"]
    project.experiment("good", code=code, parameters="factor: float = 2")
    answer = project.run("good", "--engine", "shell")
    assert answer.code == 0, answer.err
    return folder, Path(answer.json["run_dir"])


@pytest.fixture
def desk(published_run: tuple[Path, Path], forks: Forks, tmp_path: Path) -> Desk:
    """Somebody with that run."""
    project, run = published_run
    shutil.copytree(run, tmp_path / "runs" / run.name)
    return Desk(forks, project, tmp_path / "runs", tmp_path / "archive", run.name)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Where the server keeps its records."""
    return tmp_path / "server"


@pytest.fixture
def server(served: Path) -> Iterator[ArchiveServer]:
    """A server that knows the token."""
    with ArchiveServer(served, {TOKEN: Account()}) as started:
        yield started
    assert list(started.failures) == []
