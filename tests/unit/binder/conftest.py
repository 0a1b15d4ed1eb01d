"""A small checkout of a package called braggbook, in which nothing is to be found, and each test makes one mistake."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from braggbook.binder.files import fixed_files, write_binder
from braggbook.binder.requirements import compose_requirements
from braggbook.kernels.catalogue import REQUIREMENTS
from braggbook.kernels.lock import _HEADER as HEADER
from braggbook.testing.experiments import write_experiment

PYPROJECT = """[build-system]
requires = ["no-such-backend"]

[project]
name = "braggbook"
version = "0.1.0"
dependencies = ["no-such-one>=1", "only-elsewhere ; sys_platform == 'win32'"]

[project.optional-dependencies]
lab = ["no-such-lab"]
other = ["never"]

[dependency-groups]
binder = ["no-such-backend>=2"]
dev = ["never"]
"""
PINS = {"no-such-backend": "2.0", "no-such-one": "1.5", "no-such-lab": "4.0", "ipykernel": "0.0.1"}


def pins_of(versions: dict[str, str]) -> str:
    """Returns entries of a lock, each with a hash of its own."""
    made = []
    for name, version in versions.items():
        digest = hashlib.sha256(f"{name}{version}".encode()).hexdigest()
        made.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
    return "".join(made)


@pytest.fixture
def checkout(tmp_path: Path, kernel_template: Path) -> Path:
    """A checkout with one kernel, one notebook and its binder/."""
    folder = tmp_path / "checkout"
    shutil.copytree(kernel_template, folder)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "requirements.lock").write_text(pins_of({**PINS, "never": "9.0"}))
    kernel = folder / "kernels" / "radiobiology"
    digest = hashlib.sha256((kernel / REQUIREMENTS).read_bytes()).hexdigest()
    (kernel / "requirements.lock").write_text(f"{HEADER}{digest}\n{pins_of({'ipykernel': '0.0.1'})}")
    write_experiment(
        folder / "notebooks",
        "good",
        code=["import math\nimport braggbook as bb\nbb.result('x', factor, unit='1')"],
        parameters='factor: float = 2.0  # "how much"\nname: str = "a"\ntimes: list[float] = [1.0]',
        front={"parameters": {"factor": {"unit": "Gy", "minimum": 0, "maximum": 10}}},
    )
    exported = pins_of({name: PINS[name] for name in PINS if name != "ipykernel"})
    text = compose_requirements(folder, exported=exported)
    write_binder(folder, {**fixed_files(folder), "requirements.txt": text.encode()})
    return folder
