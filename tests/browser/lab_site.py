"""A real JupyterLab with the panel in it, and a project to play with."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from braggbook.testing.experiments import make_project, write_experiment

from ..conftest import ROOT
from .conftest import lab_address
from .hub_site import until

BASE, TOKEN = "/user/x/", "t"  # as JupyterHub and Binder have it
NOTEBOOK = "notebooks/survive.ipynb"
DATASET = "colony_counts_cal33_okf6"
SOURCE, BUILT = ROOT / "labextension", ROOT / "labextension" / "build"
PARAMETERS = """from typing import Literal

alpha_per_gy: float = 0.3
dose_gy: float = 2.0
method: Literal["exact", "rounded"] = "exact"
seconds: float = 0.0
plotted: bool = True
"""
SPECS = {
    "alpha_per_gy": {"unit": "1/Gy", "minimum": 0, "maximum": 3, "help": "linear coefficient"},
    "dose_gy": {"unit": "Gy", "minimum": 0, "maximum": 20, "help": "absorbed dose in one fraction"},
    "seconds": {"unit": "1", "minimum": 0, "maximum": 600, "help": "how long it takes, in s"},
}
CODE = [
    "import math\nimport time\nimport braggbook as bb\nimport numpy as np\nimport matplotlib.pyplot as plt",
    "time.sleep(seconds)",
    (
        "survival = math.exp(-alpha_per_gy * dose_gy)\n"
        'bb.result("survival", survival, unit="1", interval=(0.9 * survival, 1.1 * survival))'
    ),
    (
        "dose = np.linspace(0, 8, 50)\nfigure, axes = plt.subplots(figsize=(5, 3.4))\n"
        "axes.semilogy(dose, np.exp(-alpha_per_gy * dose))\n"
        'axes.set_xlabel("dose (Gy)")\naxes.set_ylabel("surviving fraction")\n'
        'bb.result("curve", figure, alt="Surviving fraction against dose: a straight line that falls")'
    ),
]
RESULTS = {"survival": {"unit": "1", "help": "surviving fraction"}, "curve": {"kind": "figure"}}


@dataclass
class PanelLab:
    """A JupyterLab that was started in a project.

    Attributes:
        folder: Of everything that it has.
        project: That it shows.
        url: Without its path.
    """

    folder: Path
    project: Path
    url: str = ""

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    def address(self, path: str) -> str:
        """Returns the address of something that it serves."""
        return f"{self.url}{BASE}{path}"


def build_panel() -> None:
    """Builds the panel if its sources are newer than what is there."""
    with (Path(tempfile.gettempdir()) / f"braggbook-panel-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several workers
        _build_panel()


def _build_panel() -> None:
    made = {"node_modules", "build", "lib"}
    sources = [path for path in SOURCE.rglob("*") if not made & set(path.parts) and path.is_file()]
    entry = BUILT / "package.json"
    if entry.is_file() and entry.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return
    if shutil.which("npm") is None:
        pytest.skip("needs the system tool npm, to build the panel")
    commands = [["npm", "run", "build"]]
    if not (SOURCE / "node_modules").is_dir():
        commands.insert(0, ["npm", "ci", "--no-audit", "--no-fund"])
    for command in commands:
        subprocess.run(command, cwd=SOURCE, check=True, timeout=900, capture_output=True)


def make_panel_project(folder: Path) -> Path:
    """Makes a project with one notebook and one dataset."""
    project = make_project(folder / "project")
    write_experiment(
        project / "notebooks", "survive", code=CODE, parameters=PARAMETERS, results=RESULTS, front={"parameters": SPECS}
    )
    shutil.copytree(ROOT / "datasets" / DATASET, project / "datasets" / DATASET)
    return project


@contextmanager
def panel_lab(python: Path, folder: Path) -> Iterator[PanelLab]:
    """Starts JupyterLab with the panel as an installed wheel has it, and ends it with all that it started."""
    lab = PanelLab(folder, make_panel_project(folder))
    places = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    for place in places.values():
        Path(place).mkdir()
    (folder / "data" / "labextensions").mkdir()
    (folder / "data" / "labextensions" / "braggbook").symlink_to(BUILT)
    (folder / "config" / "jupyter_server_config.d").mkdir()
    told = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    told.mkdir(parents=True)  # no question about news over the panel
    (told / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    shutil.copyfile(SOURCE / "server.json", folder / "config" / "jupyter_server_config.d" / "braggbook.json")
    mine = {f"BRAGGBOOK_{name.upper()}": str(folder / name) for name in ("cache", "archive", "vault")}
    command = [
        str(python), "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root",
        f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=lab.project, env={**os.environ, **places, **mine}, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def address() -> str:
        assert process.poll() is None, lab.log
        return lab_address(folder / "runtime")

    try:
        parts = urlsplit(until(address, "JupyterLab", seconds=300))
        lab.url = f"{parts.scheme}://{parts.netloc}"
        yield lab
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()
    for one in psutil.wait_procs(left, timeout=15)[1]:
        one.kill()
