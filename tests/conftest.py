"""Tiers, what a machine lacks, and the projects that tests work in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from braggbook.testing.experiments import make_project, write_experiment

ROOT = Path(__file__).parents[1]
# The same examples on every machine and day; to look for new ones: pytest --hypothesis-profile=explore
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("same")
STRICT = "BRAGGBOOK_TEST_STRICT"  # set where every system tool was installed: a skip for want of one is then a failure
MIRROR = "BRAGGBOOK_DATA_MIRROR"  # likewise for data, once it names a folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run what starts kernels, browsers or servers")


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that starts us in the background has it so,
        signal.signal(signal.SIGINT, signal.default_int_handler)  # and programs that we start would have it from us


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    slow = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get(STRICT) and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if "needs the system tool" in reason or (MIRROR in reason and os.environ.get(MIRROR)):
            report.outcome, report.longrepr = "failed", f"skipped where it may not be: {reason}"


@dataclass(frozen=True)
class Answer:
    """What one call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A project in a temporary folder, and the command line in it."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def experiment(self, slug: str, **parts: Any) -> Path:
        return write_experiment(self.folder / "notebooks", slug, **parts)

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "braggbook", *map(str, words)]

    def start(self, *words: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            stdout=pipe,
            stderr=pipe,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def call(self, *words: str | Path, env: dict[str, str] | None = None, timeout: float = 180) -> Answer:
        process = self.start(*words, env=env)
        out, err = process.communicate(timeout=timeout)
        return Answer(process.returncode, out, err)

    def run(self, slug: str | Path, *options: str, **more: Any) -> Answer:
        return self.call("run", slug, "--json", *options, **more)


@pytest.fixture(autouse=True)
def _no_constants_read() -> None:
    """A notebook begins with no constant read; what an earlier test read in this process is not its own."""
    if court := sys.modules.get("braggbook.radiobiology.constants"):
        court._READ.clear()


@pytest.fixture(scope="session")
def kernel_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a kernel and nothing else; copied rather than made for each test."""
    return make_project(tmp_path_factory.mktemp("template") / "project")


@pytest.fixture
def project(tmp_path: Path, kernel_template: Path) -> Project:
    """A project of the test's own, with a kernel and no notebook."""
    shutil.copytree(kernel_template, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def needs() -> Callable[[str], str]:
    """Finds a system tool, or skips the test and says which one is missing."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        pytest.skip(f"needs the system tool {' or '.join(names)}")

    return find


@pytest.fixture
def mirror() -> Path:
    """The folder with other people's data that tests compare with, or a skip."""
    folder = os.environ.get(MIRROR, "")
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"needs the folder named by {MIRROR}")
    return Path(folder)


def folders(path: Path) -> Sequence[str]:
    """Names of what a folder holds, hidden things left out."""
    return sorted(item.name for item in path.iterdir() if not item.name.startswith(".")) if path.is_dir() else []
