"""The participant's way without a mouse, on a phone, in the dark, and without scripts; and what is renewed by itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from braggbook.testing.challenges import ANNA, LATE, SLUG

from .hub_site import (
    FRESH,
    PASSWORD,
    SCORED_S,
    Site,
    Window,
    make_account,
    make_site,
    make_team,
    open_window,
    send,
    until,
    where_it_is,
)

pytestmark = pytest.mark.full
_MOST_KEYS = 80  # no control of a page is further away
_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const before = window.focused_before; window.focused_before = one;
  return {
    what: one.outerHTML.slice(0, 120), page: one === document.body,
    ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    on: !before || !before.isConnected || before === document.body ||
      Boolean(before.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING),
  };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with a worker, for all tests of this module."""
    made = make_site(tmp_path_factory.mktemp("hub") / "site", fresh=False)
    try:
        made.start()
        yield made
    finally:
        made.stop()


_numbers = itertools.count(1)


@pytest.fixture
def window(browser: Browser, site: Site, tmp_path: Path) -> Iterator[Callable[..., Window]]:
    """Opens browsers; when the test has ended well, nothing may have gone wrong in any."""
    opened: list[Window] = []

    def open_one(name: str, **options: object) -> Window:
        opened.append(open_window(browser, site, name, shots=tmp_path / "shots", **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def invited(site: Site) -> tuple[str, str]:
    """Returns a link that makes an account, and a login that nobody has."""
    link = re.search(r"http\S+/invitation/\S+", site.call("hub", "invite"))
    assert link is not None
    return site.url + "/invitation" + link[0].partition("/invitation")[2], f"person{next(_numbers)}"


class Keyboard:
    """A person without a mouse: each step is seen, and goes on in the order of the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.on("filechooser", lambda _: None)  # the dialogue is never the system's, also where it opens at once

    def to(self, target: Locator) -> None:
        """Presses Tab until a control has the focus."""
        passed = []
        for _ in range(_MOST_KEYS):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate(_FOCUSED)
            if at["page"]:
                continue  # the page's end; it begins anew
            assert at["ringed"], f"nobody sees where the focus is: {at['what']}"
            assert at["seen"], f"the focus is outside of the screen: {at['what']}"
            assert at["on"] or not passed, f"the focus goes back: {passed[-1:]} {at['what']}"
            passed.append(at["what"])
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"not to be reached by Tab: {target}; passed {passed}")

    def press(self, target: Locator, key: str = "Enter") -> None:
        """Goes to a control, and presses a key there."""
        self.to(target)
        self.page.keyboard.press(key)

    def write(self, target: Locator, text: str) -> None:
        """Goes to a field, and fills it in."""
        self.to(target)
        self.page.keyboard.insert_text(text)

    def choose_file(self, target: Locator, file: Path) -> None:
        """Opens the system's dialogue by the keyboard."""
        self.to(target)
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Space")
        chooser.value.set_files(file)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_the_participants_way_without_a_mouse(
    site: Site, window: Callable[..., Window], width: int, scheme: str
) -> None:
    at = window(f"keys-{width}", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page, keys = at.page, Keyboard(at.page)
    link, login = invited(site)
    at.go(link)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    keys.write(page.get_by_label("Name"), "Kai Keys")
    keys.write(page.get_by_label("Login", exact=True), login)
    keys.write(page.get_by_label("Password", exact=True), PASSWORD)
    keys.write(page.get_by_label("Password once more"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Welcome, Kai Keys.")).to_be_visible()
    through_the_menu(page, keys)
    team = f"{ANNA} {login}"
    keys.write(page.get_by_label("Name"), team)
    keys.press(page.get_by_role("button", name="Make the team"))
    expect(page.get_by_role("heading", level=1, name=team)).to_be_visible()
    keys.press(page.get_by_role("link", name="Challenges"))
    expect(page.get_by_role("heading", level=1, name="What can I enter?")).to_be_visible()
    keys.press(page.get_by_role("link", name="Hand in to A tiny challenge"))
    expect(page.get_by_role("heading", level=1, name="Hand in")).to_be_visible()
    fill_in(page, keys, site.predictions(LATE))
    expect(page.get_by_role("alert")).to_be_focused()
    keys.press(page.get_by_role("alert").get_by_role("link").first)
    at.look("wrong")
    fill_in(page, keys, site.predictions(ANNA), terms=True)
    expect(where_it_is(at)).to_contain_text("scored", timeout=1000 * SCORED_S)
    at.look("scored")
    keys.press(page.get_by_role("link", name="where you stand on the board"))
    expect(page.get_by_role("link", name="Board: Practice")).to_have_attribute("aria-current", "page")
    until(lambda: on_the_board(page, team), "the team on the board", seconds=SCORED_S)
    board = page.get_by_role("region", name="the board")
    keys.press(board.get_by_role("columnheader", name="team").get_by_role("link"))
    expect(board.get_by_role("columnheader", name="team")).to_have_attribute("aria-sort", "ascending")
    keys.press(board.get_by_role("link", name=f"repeat the row of {team}"))
    expect(page.get_by_role("heading", level=1, name=team)).to_be_visible()
    at.look("row")
    through_the_menu(page, keys, leave=True)


def through_the_menu(page: Page, keys: Keyboard, *, leave: bool = False) -> None:
    """Opens the menu, closes it with Escape, opens it again, and goes to the teams or signs out."""
    summary = page.get_by_role("banner").locator("summary")
    keys.press(summary)
    teams = page.get_by_role("banner").get_by_role("link", name="My teams")
    expect(teams).to_be_visible()
    keys.to(teams)
    page.keyboard.press("Escape")
    expect(teams).to_be_hidden()
    expect(summary).to_be_focused()
    page.keyboard.press("Space")
    if leave:
        keys.press(page.get_by_role("button", name="Sign out"))
        expect(page.get_by_text("You are signed out.")).to_be_visible()
    else:
        keys.press(teams)
        expect(page.get_by_role("heading", level=1, name="My teams")).to_be_visible()


def fill_in(page: Page, keys: Keyboard, file: Path, *, terms: bool = False) -> None:
    """Fills in the form of a submission; without the terms, the browser lets it go only where it is told to."""
    if not terms:
        page.locator("form[enctype]").evaluate("form => { form.noValidate = true; }")
    keys.write(page.get_by_label("Title"), "by keys")
    keys.choose_file(page.get_by_label("File"), file)
    if terms:
        keys.press(page.get_by_label("The team accepts the terms"), "Space")
    keys.press(page.get_by_role("button", name="Hand in"))


def on_the_board(page: Page, team: str) -> bool:
    """Loads the board, and looks for a team."""
    page.reload()
    board = page.get_by_role("region", name="the board")
    return board.get_by_role("rowheader").filter(has=page.get_by_role("link", name=team)).is_visible()


def test_without_scripts(site: Site, window: Callable[..., Window]) -> None:
    at = window("no-scripts", java_script_enabled=False)
    page = at.page
    link, login = invited(site)
    make_account(at, link, name="Nora Script", login=login)
    make_team(at, f"Plain {login}")
    send(at, site.predictions(ANNA), title="by hand")
    page.get_by_role("link", name="Load again").click()

    def again() -> bool:
        page.get_by_role("link", name="Load again").click()
        return where_it_is(at).get_by_text("This is its last state").is_visible()

    until(again, "a score", seconds=SCORED_S)
    expect(where_it_is(at)).to_contain_text("scored")
    expect(page.get_by_role("region", name="Receipt")).to_contain_text("mean_error")
    assert page.get_by_role("button").all_inner_texts() in (["Sign out"], []), "no button that does nothing"
    at.look("scored")
    at.go(f"/challenges/{SLUG}/board/practice?sort=team&order=desc")
    expect(page.get_by_role("columnheader", name="team")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("banner").locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_a_team_of_two(site: Site, window: Callable[..., Window]) -> None:
    leads, joins = window("leads"), window("joins")
    for at, name in ((leads, "Lena Leads"), (joins, "Jon Joins")):
        link, login = invited(site)
        make_account(at, link, name=name, login=login)
    make_team(leads, "Team of two")
    leads.page.get_by_role("button", name="Make a link").click()
    link = leads.page.locator("code", has_text="/invitation/").inner_text()
    joins.go("".join(link.split()))
    joins.look("join")
    joins.page.get_by_role("button", name="Join").click()
    expect(joins.page.get_by_role("heading", level=1, name="Team of two")).to_be_visible()
    expect(joins.page.get_by_role("heading", name="Take somebody out")).to_have_count(0)
    leads.page.goto(joins.page.url)
    leads.look("team-of-two")
    leads.page.get_by_label("Member").select_option("Jon Joins")
    leads.page.get_by_role("button", name="Take out of the team").click()
    expect(leads.page.get_by_role("status").filter(has_text="Jon Joins is not in the team any more.")).to_be_visible()
    response = joins.page.reload()
    assert response is not None
    assert response.status == 404


def test_a_hub_that_goes_away_is_said_and_comes_back(site: Site, window: Callable[..., Window]) -> None:
    at = window("lost", allowed=("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"))
    page = at.page
    link, login = invited(site)
    make_account(at, link, name="Lea Lost", login=login)
    make_team(at, f"Lost {login}")
    send(at, site.notebook("waits", "import time\ntime.sleep(1_000_000)"), title="it hangs", to=FRESH)
    expect(where_it_is(at)).to_contain_text("running", timeout=1000 * SCORED_S)
    page.evaluate("window.not_loaded_again = true")
    site.kill()
    lost = page.get_by_text("The connection is lost; trying again. What you see is from")
    expect(lost).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="The connection is lost")).to_be_attached()
    at.look("lost")
    site.start()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(lost).to_be_hidden()
    expect(where_it_is(at)).to_contain_text("timed out", timeout=1000 * SCORED_S)
    assert page.evaluate("window.not_loaded_again")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("dispatchEvent(new Event('online'))")
    with page.expect_response("**/health"):
        page.evaluate("fetch('/health')")  # the answer to another question shows that there was time to ask
    assert not [url for url in asked if url.endswith("/live")], "what is over is not asked about"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_that_has_a_link_on_it(site: Site, window: Callable[..., Window], scheme: str) -> None:
    """Follows every link of the hub that a visitor finds; each page is there, and fits on a phone."""
    at = window(f"visitor-{scheme}", viewport={"width": 400, "height": 800}, color_scheme=scheme)
    page, seen, todo = at.page, set[str](), ["/"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200, path
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= 400, f"{path} is {wide} pixels wide"
        for link in page.get_by_role("link").all():
            to = (link.get_attribute("href") or "").partition("#")[0]
            if to.startswith("/") and not re.search(r"\.(zip|json|ipynb)$|sign-in|[?&]sort=|/api/", to):
                todo.append(to)
    assert {"/", f"/challenges/{SLUG}", f"/challenges/{FRESH}", "/datasets", "/runs", "/about"} <= seen
