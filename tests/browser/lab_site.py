"""A real JupyterLab with the panel in it, and a project to play with."""

from __future__ import annotations

import datetime
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import TOKEN as TOKEN_KIND
from braggbook.hub.people.secrets import new_secret
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Person, Token
from braggbook.testing.challenges import Open, open_challenge_now
from braggbook.testing.experiments import write_experiment

from ..conftest import ROOT
from .conftest import lab_address
from .hub_site import SCREENSHOTS, Site, until

LOADED_MS, RUN_MS = 180_000, 600_000  # two cores may be busy with other tests
DARK, LIGHT = "JupyterLab Dark", "JupyterLab Light"
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
DEADLY = [
    "import os\nimport signal\nimport braggbook as bb",
    'bb.result("survival", 0.5, unit="1")',
    "os.kill(os.getpid(), signal.SIGKILL)",
]
RESULTS = {"survival": {"unit": "1", "help": "surviving fraction"}, "curve": {"kind": "figure"}}


@dataclass
class PanelLab:
    """A JupyterLab that was started in a project.

    Attributes:
        folder: Of everything that it has.
        opened: The project that it shows: its challenge takes submissions.
        python: Of the environment with JupyterLab.
        url: Without its path.
    """

    folder: Path
    opened: Open
    python: Path
    url: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _left: list[psutil.Process] = field(default_factory=list)

    @property
    def project(self) -> Path:
        """What it shows."""
        return self.opened.settings.project

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    @property
    def hub(self) -> Site:
        """The hub of its project, which it serves in a tab; this one can be started on a port too."""
        return Site(self.folder / "site", self.opened)

    def address(self, path: str) -> str:
        """Returns the address of something that it serves."""
        return f"{self.url}{BASE}{path}"

    def start(self, **more: str) -> None:
        """Starts it; once more on the port that it had.

        Args:
            more: Variables of its environment.
        """
        port = urlsplit(self.url).port or 0
        command = [
            str(self.python), "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
            f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None",
            "--LabApp.extension_manager=readonly", "--ServerApp.port_retries=0",
        ]  # fmt: skip
        places = {f"JUPYTER_{name.upper()}_DIR": str(self.folder / name) for name in ("config", "data", "runtime")}
        places["JUPYTER_PREFER_ENV_PATH"] = "0"  # an editable install left a copy of an older build in its environment
        for left in (self.folder / "runtime").glob("jpserver-*"):
            left.unlink()
        with (self.folder / "log").open("ab") as log:
            self._process = process = subprocess.Popen(
                command, cwd=self.project, env={**self.hub.environment, **places, **more}, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

        def address() -> str:
            assert process.poll() is None, self.log
            return lab_address(self.folder / "runtime")

        parts = urlsplit(until(address, "JupyterLab", seconds=300))
        self.url = f"{parts.scheme}://{parts.netloc}"

    def kill(self) -> None:
        """Ends it as a power cut does; what it started must see by itself that nobody is there any more."""
        assert self._process is not None
        self._left += psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends it with all that it started."""
        if self._process is not None:
            _end(self._process)
        for one in psutil.wait_procs(self._left, timeout=15)[1]:
            one.kill()


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


def make_panel_project(folder: Path) -> Open:
    """Makes a project with notebooks, a dataset, and a challenge that takes submissions."""
    now, days = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=30)
    opened = open_challenge_now(folder, opens=now - days, closes=now + days)
    project = opened.settings.project
    for name in ("survive", "second", "leaves", "broken"):
        write_experiment(
            project / "notebooks", name, code=[f"{CODE[0]}  # {name}", *CODE[1:]], parameters=PARAMETERS, results=RESULTS,
            front={"parameters": SPECS},
        )  # fmt: skip
    write_experiment(project / "notebooks", "dies", code=DEADLY, results={"survival": {"unit": "1"}})
    broken = project / "notebooks" / "broken.ipynb"
    broken.write_text(broken.read_text().replace("license: CC-BY-4.0", "license: mine alone"))
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="one")], metadata=python)
    (project / "notebooks" / "plain.ipynb").write_text(str(nbformat.writes(plain)))
    shutil.copytree(ROOT / "datasets" / DATASET, project / "datasets" / DATASET)
    return opened


@contextmanager
def panel_lab(python: Path, folder: Path) -> Iterator[PanelLab]:
    """Starts JupyterLab with the panel as an installed wheel has it, and ends it with all that it started."""
    lab = PanelLab(folder, make_panel_project(folder), python)
    lab.hub.folder.mkdir()
    (lab.hub.folder / "hub").mkdir()
    for name in ("config", "data", "runtime"):
        (folder / name).mkdir()
    (folder / "data" / "labextensions").mkdir()
    (folder / "data" / "labextensions" / "braggbook").symlink_to(BUILT)
    (folder / "config" / "jupyter_server_config.d").mkdir()
    told = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    told.mkdir(parents=True)  # no question about news over the panel
    (told / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    shutil.copyfile(SOURCE / "server.json", folder / "config" / "jupyter_server_config.d" / "braggbook.json")
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


def hub_token(site: Site, team: str) -> str:
    """Makes a person with a team on a hub that has not been started yet; returns a token of theirs."""
    data = site.folder / "hub"
    config = HubConfig(data=data, database=f"sqlite:///{data / 'hub.sqlite'}")
    desk = Desk(site.opened.settings, config, Database(config.database))
    desk.database.migrate()
    secret, digest = new_secret(TOKEN_KIND)
    now = datetime.datetime.now(datetime.UTC)
    with desk.database.write() as session:
        person = Person(name=team, login=team.casefold(), created=now)
        people.add(session, person)
        teams.add_team(session, name=team, folded=team.casefold(), person=person.id, now=now)
        people.add(session, Token(person_id=person.id, name="t", digest=digest, scopes=["read", "submit"], created=now))
    desk.database.close()
    return secret


def _end(process: subprocess.Popen[bytes]) -> None:
    left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()
    for one in psutil.wait_procs(left, timeout=15)[1]:
        one.kill()


def panel_of(page: Page) -> Locator:
    """Opens the panel as a person does, and waits for its form."""
    expect(page.locator(".jp-Notebook .jp-CodeCell:visible").first).to_be_visible(timeout=LOADED_MS)
    chosen = page.get_by_role("tab", name="Braggbook: run")
    if chosen.get_attribute("aria-selected") != "true":  # JupyterLab remembers what was open
        chosen.click()
    panel = page.get_by_role("region", name="Braggbook", exact=True)
    expect(panel.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=LOADED_MS)
    return panel


def look(page: Page, name: str) -> None:
    """Keeps a picture, where pictures are wanted."""
    if folder := os.environ.get(SCREENSHOTS):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"lab-{name}.png")


def look_everywhere(page: Page, name: str) -> None:
    """Keeps pictures of what is seen, on a desk and on a phone, light and dark; nothing sticks out of the panel."""
    if not os.environ.get(SCREENSHOTS):
        return
    panel = page.get_by_role("region", name="Braggbook", exact=True)
    for theme in (DARK, LIGHT):
        page.get_by_role("menuitem", name="Settings").click()
        page.locator(".lm-Menu-item").filter(has=page.get_by_text("Theme", exact=True)).hover()
        page.locator(".lm-Menu-item").filter(has=page.get_by_text(theme, exact=True)).click()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false" if theme == DARK else "true")
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        for width in (1400, 400):
            page.set_viewport_size({"width": width, "height": 900})
            files = page.get_by_role("tab", name="File Browser")
            if (files.get_attribute("aria-selected") == "true") == (width == 400):
                files.click()  # both sides do not fit beside each other on a phone
            look(page, f"{name}-{width}-{'dark' if theme == DARK else 'light'}")
            assert panel.evaluate("one => one.scrollWidth - one.clientWidth") <= 0, "nothing sticks out of the panel"
        page.set_viewport_size({"width": 1400, "height": 900})
        page.get_by_role("tab", name="File Browser").click()


def use_theme(page: Page, lab: PanelLab, theme: str) -> None:
    """Chooses a theme as JupyterLab's settings do."""
    page.evaluate(
        """async ([url, theme]) => {
            const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
            const sent = {raw: JSON.stringify({theme})};
            const init = {method: "PUT", body: JSON.stringify(sent), headers: {"X-XSRFToken": xsrf}};
            const said = await fetch(url, init);
            if (!said.ok) throw new Error(await said.text());
        }""",
        [lab.address("lab/api/settings/@jupyterlab/apputils-extension:themes"), theme],
    )


def contrast(element: Locator) -> float:
    """Returns the contrast of an element's text with what lies behind it (WCAG 2.2, relative luminance)."""
    return float(
        element.evaluate(
            """one => {
                const rgb = text => text.match(/[\\d.]+/g).map(Number);
                let behind = one;
                while ((rgb(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
                const light = text => {
                    const [r, g, b] = rgb(text).slice(0, 3).map(v => v / 255)
                        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const both = [light(getComputedStyle(one).color), light(getComputedStyle(behind).backgroundColor)];
                return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
            }"""
        )
    )


def save(page: Page) -> None:
    """Saves the notebook, as a person does."""
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "api/contents" in answer.url):
        page.keyboard.press("Control+S")


def nowhere(lab: PanelLab, page: Page, secret: str) -> None:
    """Looks for what should be nowhere: in no file of the server's and the project's, and nowhere in the browser."""
    save(page)
    files = [path for path in lab.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if holds(path, secret)] == []
    assert secret not in page.content()
    assert secret not in json.dumps(page.context.storage_state(indexed_db=True))
    assert secret not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")


def holds(path: Path, secret: str) -> bool:
    """Tells whether a file has a text in it; one that is gone by now has not."""
    try:
        return secret.encode() in path.read_bytes()
    except FileNotFoundError:
        return False


def shown_in(lab: PanelLab, path: Path) -> str:
    """Returns a path as JupyterLab names it."""
    return path.relative_to(lab.project).as_posix()


def open_too(page: Page, name: str) -> Locator:
    """Opens another notebook beside what is open; returns the panel."""
    page.get_by_role("listitem", name=re.compile(rf"^Name: {name}\.ipynb")).dblclick()
    expect(page.get_by_role("tab", name=f"{name}.ipynb")).to_have_attribute("aria-selected", "true")
    return page.get_by_role("region", name="Braggbook", exact=True)


def ask(lab: PanelLab, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Asks as a program does, without a browser's cookies."""
    connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
    try:
        connection.request(method, BASE + path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())
    finally:
        connection.close()


def cookies_of(lab: PanelLab) -> str:
    """Returns what a browser of somebody who is signed in sends along, also when another site makes it ask."""
    connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
    try:
        connection.request("GET", f"{BASE}api/status?token={TOKEN}")
        given = connection.getresponse().headers.get_all("Set-Cookie") or []
    finally:
        connection.close()
    return "; ".join(one.partition(";")[0] for one in given)


def run_it(page: Page, dose_gy: str) -> Locator:
    """Runs the notebook, or finds the very run; returns the panel."""
    panel = panel_of(page)
    panel.get_by_label("dose_gy").fill(dose_gy)
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_role("status").first).to_contain_text("Run complete.", timeout=RUN_MS)
    return panel
