"""A notebook behind the walls: which Python it gets, what it may see, what is kept, and when it does not begin."""

from __future__ import annotations

import dataclasses
import os
import site
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import InputError, KernelUnavailable
from braggbook.files import write_json
from braggbook.kernels.catalogue import find_kernel
from braggbook.kernels.install import environment_folder
from braggbook.progress import Callback
from braggbook.runs.sandbox.run import Outcome, run_untrusted
from braggbook.runs.sandbox.selftest import require_walls
from braggbook.runs.sandbox.walls import Limits, bubblewrap
from braggbook.settings import Settings, load_settings
from braggbook.testing.experiments import KERNEL, write_experiment

from ....conftest import Project

pytestmark = pytest.mark.full

GOOD = 'import braggbook as bb\nbb.result("x", 1.5, unit="1")\nopen("predictions.csv", "w").write("case\\nA\\n")'


@pytest.fixture
def settings(project: Project) -> Settings:
    return load_settings({"project": project.folder})[0]


def _run(project: Project, settings: Settings, code: list[str], **more: Any) -> tuple[Outcome, Path]:
    collect = project.folder / "collected"
    collect.mkdir(exist_ok=True)
    notebook = write_experiment(project.folder / "notebooks", "a", code=code)
    outcome = run_untrusted(
        notebook, datasets={}, kernel=find_kernel(KERNEL, project=project.folder), settings=settings,
        limits=Limits(wall_s=60, memory_mb=1024), collect=collect, **more,
    )  # fmt: skip
    return outcome, collect


def test_a_run_is_told_of_and_leaves_nothing(project: Project, settings: Settings, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    own = dataclasses.replace(settings, cache=tmp_path / "cache")
    progress = Callback(lambda title, done, total, note: told.append((done, total, note)))
    outcome, collect = _run(project, own, [GOOD], progress=progress)
    assert outcome.verdict == "complete", outcome
    assert outcome.files == ("predictions.csv",)
    assert (collect / "predictions.csv").read_text(encoding="utf-8") == "case\nA\n"
    assert told == [(0, 2, ""), (0, 2, "code cell 1"), (1, 2, "code cell 2"), (1, 2, "code cell 2"), (2, 2, "")]
    assert [path for path in (own.cache / "sandbox").rglob("*") if path.is_file()] == []
    assert (collect / "predictions.csv").stat().st_uid == os.getuid()


def test_logs_are_kept_where_they_are_wanted(project: Project, settings: Settings, tmp_path: Path) -> None:
    outcome, collect = _run(project, settings, ["print('hello')\nraise KeyError('x')"], logs=tmp_path)
    assert (outcome.verdict, outcome.cell, outcome.line, outcome.exception) == ("failed", 2, 2, "KeyError")
    assert "hello" in (tmp_path / "executed.ipynb").read_text(encoding="utf-8")
    assert list(collect.iterdir()) == []


def test_a_kernel_with_an_environment_of_its_own(project: Project, settings: Settings, tmp_path: Path) -> None:
    own = dataclasses.replace(settings, cache=tmp_path / "cache")
    lock = project.folder / "kernels" / KERNEL / "requirements.lock"
    lock.write_text(lock.read_text(encoding="utf-8") + "\nnot-installed-here==1.0\n", encoding="utf-8")
    folder = environment_folder(find_kernel(KERNEL, project=project.folder), cache=own.cache)
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "others.pth").write_text(site.getsitepackages()[0] + "\n", encoding="utf-8")
    write_json(folder / "braggbook.json", {"python_version": "3.99.0", "packages": {}})
    code = "import sys\nopen('prefix.txt', 'w').write(sys.prefix)"
    outcome, collect = _run(project, own, [code, GOOD])
    assert outcome.verdict == "complete", outcome
    assert (collect / "prefix.txt").read_text(encoding="utf-8") == str(folder)


def test_without_the_kernels_environment(project: Project, settings: Settings, tmp_path: Path) -> None:
    own = dataclasses.replace(settings, cache=tmp_path / "cache")
    lock = project.folder / "kernels" / KERNEL / "requirements.lock"
    lock.write_text("not-installed-here==1.0\n", encoding="utf-8")
    with pytest.raises(KernelUnavailable, match="braggbook kernel install"):
        _run(project, own, [GOOD])


def test_without_bubblewrap_it_is_our_fault(
    project: Project, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bubblewrap.cache_clear()
    require_walls.cache_clear()
    monkeypatch.setenv("PATH", "")
    outcome, _ = _run(project, settings, [GOOD])
    assert (outcome.verdict, outcome.next_command) == ("platform", "apt install bubblewrap")
    assert outcome.issues[0].what == "no sandbox on this machine"


def test_a_folder_for_outputs_that_is_not_empty(project: Project, settings: Settings) -> None:
    (project.folder / "collected").mkdir()
    (project.folder / "collected" / "old.csv").touch()
    with pytest.raises(InputError, match="not empty"):
        _run(project, settings, [GOOD])
