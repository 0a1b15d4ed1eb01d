"""The hub behind jupyter-server-proxy in a real JupyterLab: under its own address, by its port, and as a tab."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from braggbook.lab.proxy import NAME
from braggbook.testing.challenges import ANNA

from .conftest import lab_address
from .hub_site import PASSWORD, SCORED_S, TITLE, Site, Window, make_site, open_window, until

pytestmark = pytest.mark.full
BASE = "/user/x/"  # as JupyterHub and Binder have it
TOKEN = "t"


@dataclass
class Lab:
    """A JupyterLab, started in the project of a hub."""

    site: Site
    process: subprocess.Popen[bytes]
    url: str  # without its path

    def address(self, path: str) -> str:
        """Returns the address of something that it serves."""
        return f"{self.url}{BASE}{path}"


@pytest.fixture(scope="module")
def lab(lab_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the hub in it; and the same hub, once more, on a port of its own."""
    folder = tmp_path_factory.mktemp("lab")
    site = make_site(folder / "site", fresh=False)
    places = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    for place in places.values():
        Path(place).mkdir()
    command = [
        str(lab_python), "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root",
        f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=site.opened.settings.project, env={**site.environment, **places}, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def address() -> str:
        assert process.poll() is None, (folder / "log").read_text()
        return lab_address(folder / "runtime")

    try:
        parts = urlsplit(until(address, "JupyterLab"))
        yield Lab(site, process, f"{parts.scheme}://{parts.netloc}")
    finally:
        site.stop()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends JupyterLab and all that it started."""
    left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()
    for one in psutil.wait_procs(left, timeout=15)[1]:
        one.kill()


@pytest.fixture
def window(browser: Browser, lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Window]]:
    """Opens browsers that JupyterLab knows; when the test has ended well, nothing may have gone wrong in any."""
    opened: list[Window] = []

    def open_one(name: str, *, allowed: tuple[str, ...] = ()) -> Window:
        opened.append(open_window(browser, lab.site, name, shots=tmp_path / "shots", allowed=(lab.url, *allowed)))
        opened[-1].page.goto(lab.address(f"api/status?token={TOKEN}"))  # from now on a cookie says who this is
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def invited(site: Site) -> str:
    """Returns the path of a link that makes an account."""
    link = re.search(r"/invitation/\S+", site.call("hub", "invite"))
    assert link is not None
    return link[0]


def participate(at: Window, lab: Lab, prefix: str, who: str) -> None:
    """Goes through links, forms, redirects and what is renewed; every request stays below a prefix."""
    page, asked = at.page, list[str]()
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.goto(lab.address(f"{prefix}/"), timeout=1000 * SCORED_S)  # the first one starts the hub
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    expect(page.get_by_role("heading", level=1, name=TITLE)).to_be_visible()
    assert styled(page), "its static files are there"
    page.goto(lab.address(prefix + invited(lab.site)))
    page.get_by_label("Name").fill(who)
    page.get_by_label("Login", exact=True).fill(who.casefold())
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password once more").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text(f"Welcome, {who}.")).to_be_visible()
    page.get_by_role("link", name="Hand in to A tiny challenge").click()
    page.get_by_role("link", name="Make a team").click()
    page.get_by_label("Name").fill(f"Team {who}")
    page.get_by_role("button", name="Make the team").click()
    expect(page.get_by_role("heading", level=1, name=f"Team {who}")).to_be_visible()
    page.get_by_role("link", name="Challenges").click()
    page.get_by_role("link", name="Hand in to A tiny challenge").click()
    page.get_by_label("File").set_input_files(lab.site.predictions(ANNA))
    page.get_by_label("The team accepts the terms").check()
    page.get_by_role("button", name="Hand in").click()
    where = page.get_by_role("region", name="Where it is")
    expect(where).to_contain_text("This is its last state", timeout=1000 * SCORED_S)
    expect(where).to_contain_text("scored")
    assert any(path.endswith("/live") for path in asked)
    at.look("submission")
    page.get_by_role("banner").locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto(lab.address(f"{prefix}/submissions?state=scored"))
    page.get_by_label("Login", exact=True).fill(who.casefold())
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(re.escape(lab.address(f"{prefix}/submissions?state=scored")) + "$"))
    outside = [path for path in asked if not path.startswith(f"{BASE}{prefix}/")]
    assert outside == []


def styled(page: Page) -> bool:
    """Tells whether the style of the hub reached a page."""
    return bool(page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth !== 'none'"))


def test_under_its_own_address(lab: Lab, window: Callable[..., Window]) -> None:
    participate(window("lab-own"), lab, NAME, "Olga")


def test_by_its_port(lab: Lab, window: Callable[..., Window]) -> None:
    """A hub that was started without a prefix learns it from the proxy."""
    lab.site.start(workers=0 if hub_in_lab_runs(lab) else 1)
    participate(window("lab-port"), lab, f"proxy/{urlsplit(lab.site.url).port}", "Petra")


def hub_in_lab_runs(lab: Lab) -> bool:
    """Tells whether JupyterLab has started the hub, whose worker then does the work of both."""
    children = psutil.Process(lab.process.pid).children(recursive=True)
    return any("worker" in one.cmdline() for one in children)


def test_as_a_tab(lab: Lab, window: Callable[..., Window]) -> None:
    """The card of the launcher opens the hub in a tab, in which it works."""
    at = window("lab-tab", allowed=("",))  # what JupyterLab itself says and asks for is its own
    page = at.page
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(lab.address("lab?reset"))
    card = page.locator(".jp-LauncherCard").filter(has_text="Braggbook")  # the panel's tab has that name too
    card.click(timeout=1000 * SCORED_S)
    hub = page.frame_locator("iframe").first
    expect(hub.get_by_role("heading", level=1, name="What can I enter?")).to_be_visible(timeout=1000 * SCORED_S)
    follow(hub)
    page.screenshot(path=f"{at.shots}-tab.png")
    assert [one for one in told if "Content Security Policy" in one] == []


def follow(hub: FrameLocator) -> None:
    """Goes to a board in the tab."""
    hub.get_by_role("link", name=TITLE, exact=True).first.click()
    expect(hub.get_by_role("heading", level=1, name=TITLE)).to_be_visible()
    hub.get_by_role("link", name="Board: Practice").click()
    expect(hub.get_by_role("link", name="Board: Practice")).to_have_attribute("aria-current", "page")


def test_the_entry_point_is_declared() -> None:
    """What the tests above configure by a file, an installed package says by itself."""
    import tomllib

    from ..conftest import ROOT

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared["jupyter_serverproxy_servers"] == {NAME: "braggbook.lab.proxy:server"}
