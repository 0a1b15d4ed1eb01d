"""A challenge from its opening to its DOI in a real Chromium: organiser, participants, visitor, on both databases.

The hub is the one that ``braggbook serve`` starts; notebooks run in the sandbox, scores come from the scoring notebook.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from braggbook.testing.challenges import ANNA, BEN, LATE, NET, SLUG

from ..hub.conftest import postgres  # noqa: F401 - a fixture
from ..hub.oidc_server import PEOPLE, oidc_server
from .hub_site import (
    FRESH,
    FRESH_TITLE,
    SCORED_S,
    TITLE,
    Site,
    Window,
    ends_as,
    from_menu,
    make_account,
    make_site,
    make_team,
    open_window,
    send,
    where_it_is,
)

pytestmark = pytest.mark.full
FAILS = "dose = 1\nraise ValueError('the signal is below zero')"
HANGS = "import time\ntime.sleep(1_000_000)"
HIDDEN = re.compile(r"public_\d\d")  # names of hidden cases, which only their truth and per-case scores tell
_STYLE = "https://cdn.jsdelivr.net/"  # that the provider's own page asks for
_PROVIDER = """
[[providers]]
name = "loopback"
title = "Loopback ID"
issuer = "{}"
client_id = "hub"
client_secret = "known to both"
scopes = ["openid", "profile"]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A hub that runs: on SQLite with a worker of its own, or on PostgreSQL with two that were started beside it."""
    made = make_site(tmp_path / "site")
    with oidc_server() as issuer:
        (made.folder / "hub" / "hub.toml").write_text(_PROVIDER.format(issuer))
        if request.param == "postgresql":
            made.database = request.getfixturevalue("postgres")()
        try:
            made.start(workers=0 if made.database else 1)
            for _ in range(2 if made.database else 0):
                made.start_worker()
            yield made
        finally:
            made.stop()


@pytest.fixture
def window(browser: Browser, site: Site, tmp_path: Path) -> Iterator[Callable[..., Window]]:
    """Opens browsers; when the test has ended well, nothing may have gone wrong in any."""
    opened: list[Window] = []

    def open_one(name: str, **options: object) -> Window:
        shots = None if site.database else tmp_path / "shots"  # both look alike
        opened.append(open_window(browser, site, name, shots=shots, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_a_challenge_from_its_opening_to_its_doi(site: Site, window: Callable[..., Window]) -> None:
    organiser, anna, josiah, visitor = (
        window("organiser"), window("participant"), window("elsewhere", allowed=("http://127.0.0.1", _STYLE)),
        window("visitor"),
    )  # fmt: skip
    become_organiser(organiser)
    open_the_fresh_challenge(organiser)
    make_account(anna, invite(organiser, "Anna of the first lab"), name="Anna Beam", login="anna")
    make_team(anna, ANNA)
    make_a_token(anna)
    numbers = hand_in_all_kinds(anna)
    come_from_elsewhere(josiah)
    look_at_the_board(visitor)
    others_see_nothing(visitor, josiah, numbers)
    score_again(organiser)
    withdraw(organiser, numbers["second try"])
    close(organiser)
    doi = publish(organiser)
    repeat_a_row(visitor, doi)
    assert "identical" in site.call("verify", doi, "--row", ANNA)


# ---- the organiser begins


def become_organiser(at: Window) -> None:
    """The link that the hub printed makes the first account."""
    make_account(at, at.site.link, name="Ada Lovelace", login="ada")
    from_menu(at, "Organise")
    at.look("organise")
    at.go(at.site.link)
    expect(at.page.get_by_text("This link does not work any more")).to_be_visible()
    at.look("link-used")


def open_the_fresh_challenge(at: Window) -> None:
    page = at.page
    at.go(f"/organise/{FRESH}")
    at.look("organise-unopened")
    page.get_by_role("link", name="Open with hidden cases").first.click()
    page.get_by_role("radio", name="the split public").check()
    page.get_by_label("Inputs").set_input_files(at.site.zipped("truth"))
    page.get_by_label("Truth").set_input_files(at.site.zipped("inputs"))
    page.get_by_role("button", name="Seal these cases").click()
    expect(page.get_by_role("alert")).to_be_focused()
    at.look("organise-open-wrong")
    page.get_by_role("radio", name="the split public").check()
    page.get_by_label("Inputs").set_input_files(at.site.zipped("inputs"))
    page.get_by_label("Truth").set_input_files(at.site.zipped("truth"))
    page.get_by_role("button", name="Seal these cases").click()
    expect(page.get_by_role("region", name="What is sealed").get_by_role("row")).to_have_count(2)
    at.look("organise-open")
    at.go(f"/challenges/{FRESH}")
    expect(page.get_by_role("heading", level=1, name=FRESH_TITLE)).to_be_visible()
    expect(page.get_by_role("link", name="Hand in", exact=True).first).to_be_visible()


def invite(at: Window, note: str) -> str:
    """Returns a link, as the organiser copies it."""
    page = at.page
    from_menu(at, "Organise")
    page.get_by_role("link", name="People and invitations").click()
    page.get_by_label("For whom").fill(note)
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_text(re.compile(r"^http://\S+/invitation/bbi_\S+$")).inner_text()
    at.look("organise-people")
    at.go("/organise/-/people")
    assert link not in page.content(), "it is shown once"
    return link


# ---- participants


def make_a_token(at: Window) -> None:
    page = at.page
    at.go("/account/tokens")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("checkbox", name="read").check()
    page.get_by_role("checkbox", name="submit").check()
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_text(re.compile(r"^bb_\S+$")).inner_text()
    at.look("tokens")
    said = at.context.request.get(f"{at.site.url}/api/v1/challenges", headers={"Authorization": f"Bearer {secret}"})
    assert said.ok
    at.go("/account/tokens")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.get_by_role("region", name="Tokens, the newest first")).to_contain_text("revoked")


def hand_in_all_kinds(at: Window) -> dict[str, str]:
    """Hands in what gets a score, what fails, what hangs and what is refused; returns their numbers."""
    page, numbers = at.page, {}
    at.go("/submissions")
    at.look("submissions-none")
    at.go(f"/challenges/{SLUG}/submit")
    at.look("submit")
    numbers["a notebook"] = send(at, at.site.notebook("good"), title="a notebook")
    at.look("submission-waits")
    titles = page.evaluate_handle(
        """() => { const seen = [document.title];
        new MutationObserver(() => seen.push(document.title)).observe(document.querySelector("title"),
        {childList: true}); return seen; }"""
    )
    ends_as(at, "scored")
    assert any(title.startswith(("queued", "running")) for title in titles.json_value()), "its progress was shown"
    expect(page.get_by_role("region", name="Receipt")).to_contain_text("mean_error")
    expect(page.get_by_role("region", name="What happened").get_by_role("listitem")).to_have_count(4)
    at.look("submission-scored")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the receipt").click()
    assert '"signature"' in download.value.path().read_text()

    numbers["hangs"] = send(at, at.site.notebook("hangs", HANGS), title="it hangs", to=FRESH)
    expect(where_it_is(at)).to_contain_text("running", timeout=1000 * SCORED_S)
    expect(where_it_is(at)).to_contain_text("At the latest until")
    at.look("submission-running")
    ends_as(at, "timed out")
    expect(page.get_by_role("region", name="Receipt")).to_contain_text("The notebook took longer than it may")
    at.look("submission-timed-out")

    numbers["fails"] = send(at, at.site.notebook("fails", FAILS), title="it fails")
    ends_as(at, "failed")
    receipt = page.get_by_role("region", name="Receipt")
    expect(receipt).to_contain_text("In code cell 2, line 2: ValueError")
    expect(receipt.get_by_role("region", name="lines of your notebook")).to_contain_text("raise ValueError")
    expect(page.get_by_role("region", name="Logs")).to_contain_text("the signal is below zero")
    at.look("submission-failed")

    numbers["refused"] = send(at, at.site.predictions(LATE), title="a case is not there")
    ends_as(at, "refused")
    expect(page.get_by_role("region", name="Receipt")).to_contain_text("it costs nothing")
    at.look("submission-refused")
    numbers["first"] = send(at, at.site.predictions(ANNA), title="first try")
    ends_as(at, "scored")
    numbers["second try"] = send(at, at.site.predictions(NET), title="second try")
    ends_as(at, "scored")
    at.go("/submissions")
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(1 + len(numbers))
    at.look("submissions")
    return numbers


def come_from_elsewhere(at: Window) -> None:
    """Signs in by a provider, is asked to make a team on the way to the form, and hands in."""
    page = at.page
    at.context.route(f"{_STYLE}**", lambda route: route.fulfill(content_type="text/css", body=""))
    at.go(f"/challenges/{SLUG}/submit")
    at.look("sign-in")
    page.get_by_role("button", name="Sign in with Loopback ID").click()
    page.wait_for_url(re.compile("/oauth2/authorize"))
    name = next(iter(PEOPLE.values()))["name"]
    page.get_by_role("button", name=next(iter(PEOPLE))).click()
    page.wait_for_url(re.compile(rf"^{re.escape(at.site.url)}/challenges/{SLUG}/submit"))
    expect(page.get_by_role("banner")).to_contain_text(name)
    expect(page.get_by_text("you are in none")).to_be_visible()
    at.look("submit-no-team")
    make_team(at, BEN)
    from_menu(at, "Account and tokens")
    expect(page.get_by_role("region", name="Ways to sign in")).to_contain_text(next(iter(PEOPLE)))
    at.look("account")
    send(at, at.site.predictions(BEN), title="by ruler")
    ends_as(at, "scored")


# ---- a visitor


def teams_of(page: Page) -> list[str]:
    """Returns the teams of the board, in the order of its rows."""
    heads = page.get_by_role("region", name="the board").get_by_role("rowheader")
    return [one.get_by_role("link").inner_text() for one in heads.all()]


def look_at_the_board(at: Window) -> None:
    page = at.page
    at.go("/")
    at.look("home")
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    at.look("challenge")
    page.get_by_role("link", name="Design, block by block").click()
    at.look("design")
    page.go_back()
    page.get_by_role("link", name="Board: Practice").click()
    expect(page.get_by_role("columnheader", name="rank").first).to_have_attribute("aria-sort", "ascending")
    assert teams_of(page) == [ANNA, BEN]
    at.look("board")
    board = page.get_by_role("region", name="the board")
    for order, names in (("ascending", [ANNA, BEN]), ("descending", [BEN, ANNA])):
        board.get_by_role("columnheader", name="team").get_by_role("link").click()
        expect(board.get_by_role("columnheader", name="team")).to_have_attribute("aria-sort", order)
        assert teams_of(page) == names
    board.get_by_role("link", name=f"repeat the row of {ANNA}").click()
    expect(page.get_by_role("heading", name="What would I need to repeat this row?")).to_be_visible()
    expect(page.get_by_text("until the challenge is closed, the hidden cases are the organisers'")).to_be_visible()
    at.look("row-open")


def others_see_nothing(visitor: Window, other: Window, numbers: dict[str, str]) -> None:
    """Neither scores nor cases nor other people's submissions."""
    visitor.go(f"/challenges/{SLUG}/board/practice")
    text = (
        visitor.page.content()
        + visitor.context.request.get(f"{visitor.site.url}/challenges/{SLUG}/board/practice/board.json").text()
    )
    assert not HIDDEN.search(text)
    expect(visitor.page.get_by_role("region", name="Scores by case")).to_have_count(0)
    expect(visitor.page.get_by_role("columnheader", name="mean_error")).to_have_count(0)
    for at in (visitor, other):
        at.go(f"/submissions/{numbers['first']}")
        expect(at.page.get_by_text("first try")).to_have_count(0)
    expect(other.page.get_by_role("heading", level=1)).to_be_visible()
    other.look("not-there")
    for path in ("/organise", f"/organise/{SLUG}"):
        other.go(path)
        expect(other.page.get_by_role("link", name="Score again")).to_have_count(0)
    other.look("not-allowed")


# ---- the organiser ends it


def score_again(at: Window) -> None:
    page = at.page
    at.go(f"/organise/{SLUG}")
    at.look("organise-challenge")
    page.get_by_role("link", name="Score again").click()
    at.look("organise-rescore")
    page.get_by_role("radio").first.check()
    page.get_by_label("Reason").fill("The scoring notebook was corrected.")
    page.get_by_role("button", name="Score again").click()
    settled(at)
    at.go(f"/organise/{SLUG}/rescore")
    expect(page.get_by_role("heading", name="How the ranks moved")).to_be_visible()
    expect(page.get_by_text("The scoring notebook was corrected.")).to_be_visible()
    at.look("organise-moved")


def settled(at: Window) -> None:
    """Loads the organiser's page again until nothing waits."""
    page = at.page

    def quiet() -> None:
        at.go("/organise")
        for name in ("evaluations and boards that wait", "going on"):
            expect(page.get_by_role("term").filter(has_text=name).locator("+ dd")).to_have_text("0", timeout=1000)

    for _ in range(SCORED_S):
        try:
            quiet()
        except AssertionError:
            continue
        return
    raise AssertionError(page.inner_text("main"))


def withdraw(at: Window, number: str) -> None:
    page = at.page
    at.go(f"/organise/{SLUG}/submissions/{number}")
    at.look("organise-submission")
    page.get_by_role("link", name="Withdraw").click()
    at.look("organise-withdraw")
    page.get_by_label("Reason").fill("The team asked for it.")
    page.get_by_label("This cannot be undone").check()
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_text("The team asked for it.").first).to_be_visible()
    settled(at)


def close(at: Window) -> None:
    page = at.page
    at.go(f"/organise/{SLUG}/close")
    expect(page.get_by_text("This is early")).to_be_visible()
    at.look("organise-close")
    page.get_by_label("Name of the challenge").fill(SLUG)
    page.get_by_label("Close it although a phase goes on").check()
    page.get_by_role("button", name="Close the challenge").click()
    expect(page.get_by_text("Closing is done", exact=True)).to_be_visible(timeout=1000 * SCORED_S)
    page.reload()
    expect(page.get_by_role("heading", name="It was closed")).to_be_visible()
    at.look("organise-closed")


def publish(at: Window) -> str:
    page = at.page
    page.get_by_role("link", name="Publish it").click()
    at.look("organise-publish")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("Planning is done", exact=True)).to_be_visible(timeout=1000 * SCORED_S)
    page.reload()
    at.look("organise-planned")
    page.get_by_role("button", name="Send it as a draft").click()
    expect(page.get_by_text("Sending is done", exact=True)).to_be_visible(timeout=1000 * SCORED_S)
    page.reload()
    at.look("organise-sent")
    title = page.get_by_role("definition").first.inner_text()
    page.get_by_label("Title of the record").fill(title)
    page.get_by_role("button", name="Publish, and give it a DOI").click()
    expect(page.get_by_text("Publishing is done", exact=True)).to_be_visible(timeout=1000 * SCORED_S)
    page.reload()
    expect(page.get_by_role("heading", name="It is published")).to_be_visible()
    at.look("organise-published")
    return page.get_by_role("definition").first.inner_text()


def repeat_a_row(at: Window, doi: str) -> None:
    """A visitor sees the DOI on the board that is final, with scores and cases, and the command that repeats a row."""
    page = at.page

    def final() -> bool:
        at.go(f"/challenges/{SLUG}/board/practice")
        return page.get_by_text("closed: final").is_visible() and page.get_by_text(f"DOI {doi}").is_visible()

    for _ in range(SCORED_S):
        if final():
            break
    expect(page.get_by_text(f"DOI {doi}").first).to_be_visible()
    expect(page.get_by_role("region", name="Scores by case", exact=True)).to_be_visible()
    at.look("board-final")
    page.get_by_role("link", name=f"repeat the row of {ANNA}").click()
    expect(page.get_by_text(f"braggbook verify {doi} --row {ANNA}")).to_be_visible()
    at.look("row-final")
