"""A real hub for a real browser: its project and its processes, windows that look at it, files to hand in."""

from __future__ import annotations

import datetime
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from braggbook.challenges.design import INPUTS, TRUTH, open_challenge
from braggbook.challenges.sealing import open_split
from braggbook.challenges.vault import open_vault
from braggbook.datasets.catalogue import TWIN
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.submission import SEALED_NAME
from braggbook.testing.challenges import SLUG, Open, hand_in, open_challenge_now
from braggbook.testing.experiments import write_experiment

FRESH, FRESH_TITLE = "fresh_dose", "A fresh challenge"  # that nobody has opened yet
TITLE = "A tiny challenge"
SCREENSHOTS = "BRAGGBOOK_TEST_SCREENSHOTS"
PASSWORD = "seven quiet beams at dusk"
START_S, PATIENCE_S, SCORED_S = 60, 20, 120  # two cores may be busy with other tests
STRICT_WALL_S = (
    10  # that a notebook may take in the fresh challenge, for those that hang; a busy machine starts one in less
)
WIDTHS, SCHEMES = (1400, 400), ("light", "dark")
expect.set_options(timeout=1000 * PATIENCE_S)
_SPAN = datetime.timedelta(days=30)
_SETTINGS = ("project", "runs", "cache", "archive", "vault")
_EXPECTED = re.compile(r"the server responded with a status of (4\d\d)")


def until(found: Callable[[], Any], what: str, *, seconds: float = START_S) -> Any:
    """Waits for something that comes without an event."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.05)
    return value


@dataclass
class Site:
    """A hub in processes of its own.

    Attributes:
        folder: Of everything that it has.
        opened: Its challenge that takes submissions.
        database: Its address; "" for SQLite.
        url: Without the slash at its end.
        link: That makes the first organiser.
    """

    folder: Path
    opened: Open
    database: str = ""
    url: str = ""
    link: str = ""
    _server: subprocess.Popen[bytes] | None = None
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        """Which project, vault and hub commands are about."""
        mine = {f"BRAGGBOOK_{name.upper()}": str(getattr(self.opened.settings, name)) for name in _SETTINGS}
        mine["BRAGGBOOK_HUB_DATA"] = str(self.folder / "hub")
        if self.database:
            mine["BRAGGBOOK_HUB_DATABASE"] = self.database
        return {**os.environ, **mine}

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.folder / "log"

    def command(self, *words: str) -> list[str]:
        """Returns a command of Braggbook."""
        return [sys.executable, "-m", "braggbook", *words]

    def call(self, *words: str, code: int = 0) -> str:
        """Calls the command line, as the organiser on the hub's machine does."""
        done = subprocess.run(
            self.command(*words), env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=180,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def start(self, *, workers: int = 1) -> None:
        """Starts the hub; again on the port that it had."""
        before = self.log.stat().st_size if self.log.exists() else 0
        port = str(urlsplit(self.url).port) if self.url else "0"
        words = ("serve", "--port", port, "--workers", str(workers), "--log-format", "text")
        self._server = server = self._run(*words)

        def said() -> re.Match[str] | None:
            text = self.log.read_bytes()[before:].decode()
            assert server.poll() is None, text
            return re.search(r"^hub +(http://127\.0\.0\.1:\d+)/\n(?s:.*)Started server process", text, re.MULTILINE)

        self.url = until(said, "a hub that serves")[1]
        if found := re.search(r"^organiser (\S+)", self.log.read_text(), re.MULTILINE):
            self.link = found[1]

    def start_worker(self) -> None:
        """Starts a worker of its own, as on another machine."""
        self._workers.append(self._run("worker"))

    def kill(self) -> None:
        """Ends the hub as a power cut does; its workers end with it."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def stop(self) -> None:
        """Ends all that was started."""
        for process in (self._server, *self._workers):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self._server, *self._workers):
            if process is not None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
                process.wait()

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command(*words), env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
            )  # fmt: skip

    # ---- what people bring along

    def zipped(self, name: str, *, split: str = "public") -> Path:
        """Returns a zip of hidden cases, as an organiser prepares it: of the inputs or of the truth."""
        target = self.folder / "zips" / f"{split}_{name}.zip"
        target.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted((self.folder / "prepared" / split / name).iterdir()):
                archive.write(path, path.name)
        return target

    def predictions(self, team: str, split: Any = "public") -> Path:
        """Returns what a team hands in as a file; of the team ``Late`` what is refused."""
        place = self.folder / "handed_in" / str(next(self._numbers))
        place.parent.mkdir(exist_ok=True)
        return hand_in(self.opened.challenge, team, split, place)

    def notebook(self, slug: str, code: str = "") -> Path:
        """Returns a notebook: the baseline, or one with other code."""
        folder = self.folder / "handed_in" / str(next(self._numbers))
        if code:
            return write_experiment(
                folder, slug, code=[code], results={"mean_dose": {"unit": "Gy"}},
                front={"datasets": [f"{INPUTS}@1"]},
            )  # fmt: skip
        folder.mkdir(parents=True)
        return Path(shutil.copyfile(self.opened.challenge.folder / "baseline.ipynb", folder / f"{slug}.ipynb"))


def make_site(folder: Path, *, fresh: bool = True) -> Site:
    """Makes a project with two challenges; nothing is started.

    Args:
        folder: Where all goes.
        fresh: Whether nobody has opened the second one, in which notebooks may not take long.
    """
    now = datetime.datetime.now(datetime.UTC)
    opened = open_challenge_now(folder, opens=now - _SPAN, closes=now + _SPAN, limits={"wall_s": 600})
    other = opened.challenge.folder.with_name(FRESH)
    shutil.copytree(opened.challenge.folder, other, ignore=shutil.ignore_patterns(SEALED_NAME, INPUTS))
    shutil.copytree(opened.challenge.twin(INPUTS).folder, other / TWIN / INPUTS)
    text = (other / CHALLENGE_NAME).read_text().replace(TITLE, FRESH_TITLE)
    (other / CHALLENGE_NAME).write_text(text.replace("wall_s = 600", f"wall_s = {STRICT_WALL_S}"))
    if not fresh:
        vault, prepared = open_vault(FRESH, settings=opened.settings), folder / "prepared" / "public"
        open_split(
            open_challenge(other), vault, "public", inputs=prepared / INPUTS, truth=prepared / TRUTH, now=now
        )  # fmt: skip
    (folder / "hub").mkdir()
    return Site(folder, opened)


@dataclass
class Window:
    """A browser in which one person is, and everything that went wrong in it.

    Attributes:
        site: The hub.
        page: Its tab.
        complaints: Requests to other hosts, errors and warnings of the console, exceptions.
        shots: Where pictures go; None where none are wanted.
        allowed: Other hosts that may be asked, and messages that may come.
    """

    site: Site
    page: Page
    complaints: list[str]
    shots: Path | None
    allowed: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def context(self) -> BrowserContext:
        """Its cookies."""
        return self.page.context

    def go(self, path: str) -> None:
        """Opens an address of the hub, or a whole one."""
        self.page.goto(path if path.startswith("http") else f"{self.site.url}{path}")

    def look(self, name: str) -> None:
        """Makes sure that a page fits at every width and in both schemes, and keeps pictures of it."""
        page, before = self.page, self.page.viewport_size
        number = next(self._numbers)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} pixels wide on a screen of {width}: {widest(page)}"
            for scheme in SCHEMES if self.shots else ():
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] - one of the two
                page.screenshot(path=f"{self.shots}-{number:02}-{name}-{width}-{scheme}.png", full_page=True)
        page.emulate_media(color_scheme="null")
        if before:
            page.set_viewport_size(before)
        headings = page.get_by_role("heading", level=1)
        assert headings.count() == 1, f"{name} has {headings.count()} main headings"

    def close(self) -> None:
        """Ends it; nothing may have gone wrong."""
        self.page.context.close()
        wrong = [one for one in self.complaints if not any(part in one for part in self.allowed)]
        assert wrong == [], wrong


def open_window(
    browser: Browser, site: Site, name: str, *, shots: Path | None = None, allowed: tuple[str, ...] = (), **options: Any
) -> Window:
    """Opens a browser without cookies; a page that is answered with 4xx may come."""
    folder = os.environ.get(SCREENSHOTS)
    place = Path(folder) if folder and shots else shots
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    options.setdefault("viewport", {"width": 1400, "height": 900})
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    complaints: list[str] = []
    window = Window(site, page, complaints, place / name if place else None, list(allowed))
    page.context.on("request", functools.partial(_asked, window))
    page.on("console", functools.partial(_told, complaints))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return window


def _asked(window: Window, request: Request) -> None:
    own = urlsplit(window.site.url).netloc
    if urlsplit(request.url).scheme not in ("data", "blob") and urlsplit(request.url).netloc != own:
        window.complaints.append(f"asked for {request.url}")


def _told(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning") and not _EXPECTED.search(message.text):
        complaints.append(message.text)


def widest(page: Page) -> Any:
    """Returns which elements stick out, to say so where a page is too wide."""
    return page.evaluate(
        """() => [...document.querySelectorAll("main *, header *, footer *")]
        .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"))
        .slice(0, 5).map(one => one.outerHTML.slice(0, 200))"""
    )


# ---- what people do


def make_account(window: Window, link: str, *, name: str, login: str) -> None:
    """Opens an invitation, and makes a local account by it."""
    page = window.page
    window.go(link)
    expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
    assert "bbi_" not in page.url, "the secret is in no history"
    window.look("invitation")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Login", exact=True).fill(login)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password once more").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("status").filter(has_text=f"Welcome, {name}.")).to_be_visible()


def make_team(window: Window, name: str) -> None:
    """Makes a team by the menu."""
    page = window.page
    from_menu(window, "My teams")
    window.look("teams")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the team").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    window.look("team")


def from_menu(window: Window, name: str) -> None:
    """Follows a link of the menu of whoever is signed in."""
    page = window.page
    page.get_by_role("banner").locator("summary").click()
    page.get_by_role("banner").get_by_role("link", name=name).click()
    page.wait_for_load_state()


def send(window: Window, file: Path, *, title: str, to: str = SLUG) -> str:
    """Hands a file in by the form; returns the number of the submission."""
    page = window.page
    window.go(f"/challenges/{to}/submit")
    page.get_by_role("radio", name="Practice").check()
    page.get_by_label("Title").fill(title)
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("The team accepts the terms").check()
    page.get_by_role("button", name="Hand in").click()
    page.wait_for_url(re.compile(r"/submissions/[0-9a-f]{16}$"))
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    return page.url.rpartition("/")[2]


def where_it_is(window: Window) -> Locator:
    """Returns the part of a submission's page that renews itself."""
    return window.page.get_by_role("region", name="Where it is")


def ends_as(window: Window, state: str) -> None:
    """Waits until a submission has ended; the page is not loaded again meanwhile."""
    window.page.evaluate("window.not_loaded_again = true")
    expect(where_it_is(window)).to_contain_text("This is its last state", timeout=1000 * SCORED_S)
    expect(where_it_is(window)).to_contain_text(state)
    assert window.page.evaluate("window.not_loaded_again === true")
    assert window.page.title().startswith(state)
