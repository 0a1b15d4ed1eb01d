"""A clone as Binder takes it: tracked files and what was just made, without what a developer's folder has beside."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..conftest import ROOT

PARTS = ("binder", "challenges", "datasets", "kernels", "labextension", "notebooks", "src")
FILES = ("pyproject.toml", "hatch_build.py", "requirements.lock", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", ".ipynb_checkpoints", "build", "lib")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files, to be changed at will."""
    folder = tmp_path_factory.mktemp("binder") / "clone"
    folder.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignore = LEFT_OUT if part == "labextension" else shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder
