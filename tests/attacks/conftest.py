"""What the attacks are run in: a project, a dataset that may be seen, and a truth that may not."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from braggbook.files import sha256_bytes
from braggbook.kernels.catalogue import Kernel, find_kernel
from braggbook.runs.sandbox.run import Outcome, run_untrusted
from braggbook.runs.sandbox.walls import Limits
from braggbook.settings import Settings, load_settings
from braggbook.testing.experiments import KERNEL, make_project, write_experiment

_CARD = """format = "braggbook.dataset/1"
title = "Cases of a test"
version = 1
license = "CC0-1.0"
provenance = "made by a test"
keywords = []

[[authors]]
name = "Ada Lovelace"

[[files]]
path = "cases.csv"
sha256 = "{digest}"
bytes = {size}

[files.columns.case]
type = "text"
meaning = "name of the case"
"""
_CASES = b"case\nA\nB\n"
RESULT = 'import braggbook as bb\nbb.result("x", 1.5, unit="1")'


@dataclass
class Arena:
    """A place where strangers' notebooks run."""

    folder: Path
    settings: Settings
    kernel: Kernel
    inputs: Path
    truth: Path
    secret: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(
        self, code: str | Sequence[str], *, logs: bool = False, whole: bool = False, **limits: float
    ) -> tuple[Outcome, Path]:
        """Runs a notebook; gives how it ended and the folder that its outputs came to.

        Args:
            code: Its code cells, to which one that declares the result is added.
            logs: Whether its logs are wanted; they come to ``logs`` beside the outputs.
            whole: The code is all that there is.
            limits: Of :class:`Limits`.
        """
        cells = [code] if isinstance(code, str) else [*code]
        place = self.folder / f"run{next(self._numbers)}"
        front = {"datasets": ["inputs@1"]}
        notebook = write_experiment(place, "attack", code=cells if whole else [*cells, RESULT], front=front)
        return self.submit(notebook, logs=logs, **limits)

    def submit(self, notebook: Path, *, logs: bool = False, **limits: float) -> tuple[Outcome, Path]:
        """Runs a file."""
        for name in ("outputs", "logs"):
            (notebook.parent / name).mkdir()
        usual = {"wall_s": 60, "memory_mb": 1024, "processes": 64, "work_mb": 64, "file_mb": 32, "output_mb": 16}
        outcome = run_untrusted(
            notebook, datasets={"inputs": self.inputs}, kernel=self.kernel, settings=self.settings,
            limits=Limits(**{**usual, **limits}), collect=notebook.parent / "outputs",
            logs=notebook.parent / "logs" if logs else None,
        )  # fmt: skip
        return outcome, notebook.parent / "outputs"


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    folder = tmp_path_factory.mktemp("arena")
    project = make_project(folder / "project")
    settings = load_settings({"project": project})[0]
    inputs, truth, secret = folder / "vault" / "inputs", folder / "vault" / "truth", secrets.token_hex(16)
    for place in (inputs, truth):
        place.mkdir(parents=True)
    (inputs / "cases.csv").write_bytes(_CASES)
    (inputs / "dataset.toml").write_text(_CARD.format(digest=sha256_bytes(_CASES), size=len(_CASES)), encoding="utf-8")
    (inputs / "not_listed.csv").write_text(secret, encoding="utf-8")
    (truth / "labels.csv").write_text(secret, encoding="utf-8")
    (inputs / "cases.csv").chmod(0o600)  # as a vault has them
    return Arena(folder, settings, find_kernel(KERNEL, project=project), inputs, truth, secret)
