"""The page of a board in a real Chromium: every width and scheme, sorting, keyboard, print, and nobody's text obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from braggbook.challenges.board import visible
from braggbook.challenges.pages import render_bias, render_board

from ..unit.challenges.board_helpers import board_of, evaluated, make_design, many, realistic
from .opening import opened
from .test_report import contrast

pytestmark = pytest.mark.full
HOSTILE = "<script>document.title='taken'</script><b onclick=x>"
LONG = "Anunbreakablyverylongnameofateamthathasnobreakinitwhatsoever"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards")
    design = make_design()
    board = board_of(design, realistic())
    links = {
        row.submission: {
            "run": "runs/a/report.html",
            "record": "https://doi.org/10.5281/zenodo.1",
            "binder": "https://x",
        }
        for row in board.rows
    }
    typed = make_design(title=f"{HOSTILE} {LONG}", mission={"aim": LONG}, ranking={"why": HOSTILE})
    names = [HOSTILE, LONG, "\u202eright to left", "عرض", "=1+1", "  spaces  "]
    values = {"dice": [0.9, 0.8, 0.7], "hd95": [1.0, 2.0, 3.0]}
    hostile = [evaluated(name, values, number=at, title=LONG * 5) for at, name in enumerate(names, 1)]
    hidden = visible(board_of(design, realistic(), closed=False), design.phases[0], viewer="everyone")
    drawn = {
        "board": render_board(
            board, design=design, links=links, doi="10.5281/zenodo.1", files={"board.json": "b.json"}
        ),
        "hostile": render_board(board_of(typed, hostile), design=typed),
        "empty": render_board(board_of(design, []), design=design),
        "one": render_board(board_of(design, realistic()[:1]), design=design),
        "hidden": render_board(hidden, design=design),
        "many": render_board(many(1000)),
        "bias": render_bias(typed, sealed=None, board=board),
    }
    for name, page in drawn.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["board", "hostile", "empty", "one", "hidden", "many", "bias"])
def test_every_page_at_every_width(browser: Browser, pages: Path, name: str, width: int, scheme: str) -> None:
    page, asked = opened(browser, pages / f"{name}.html", viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert asked == [], "it opens without any network, and nothing goes against its policy"
    assert page.title() != "taken"
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the screen"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for selector in ("body", ".soft", ".badge", "a:not(.skip)"):
        if page.locator(selector).count():
            ink = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
            assert contrast(paper, ink) > 4.5, selector
    page.close()


def column(page: Page, number: int) -> list[str]:
    cells = page.locator(f"table.board tbody tr > :nth-child({number})")
    return [str(value) for value in cells.evaluate_all("all => all.map(cell => cell.dataset.value)")]


def test_columns_are_sorted_by_keyboard(browser: Browser, pages: Path) -> None:
    page, asked = opened(browser, pages / "board.html")
    heads = page.locator("table.board thead th")
    assert heads.first.get_attribute("aria-sort") == "ascending"
    before = column(page, 1)
    page.get_by_role("button", name="dice").focus()
    page.keyboard.press("Enter")
    values = [float(value) for value in column(page, 3)]
    assert values == sorted(values, reverse=True), "the best first"
    assert [head.get_attribute("aria-sort") for head in heads.all()] == [None, None, "descending", *[None] * 4]
    assert page.get_by_role("status").inner_text() == "sorted by dice, descending"
    page.keyboard.press("Space")
    assert [float(value) for value in column(page, 3)] == sorted(values)
    page.get_by_role("button", name="team").click()
    names = column(page, 2)
    assert names == sorted(names, key=str.casefold)
    page.get_by_role("button", name="rank", exact=True).click()
    assert column(page, 1) == before
    assert asked == []


def test_a_thousand_rows_are_sorted_at_once(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "many.html")
    page.get_by_role("button", name="hd95").click()
    values = [float(value) for value in column(page, 4)]
    assert len(values) == 1000
    assert values == sorted(values)


def test_without_scripts_nothing_looks_like_a_button(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "board.html", java_script_enabled=False)
    assert page.locator("button").count() == 0
    assert page.locator("table.board tbody tr").count() == 12
    assert page.get_by_text("braggbook verify 10.5281/zenodo.1 --row").is_visible()


def test_what_a_screen_reader_is_told(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "board.html")
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("Ranking", "Scores by case", "Would another method rank them otherwise?", "Who can be told apart?",
                 "Not on the board", "Check it yourself", "About"):  # fmt: skip
        assert page.get_by_role("region", name=name, exact=True).count() == 1, name
    for name in ("Scores by case: dice", "Scores by case: hd95", "Ranks by every method",
                 "Who is significantly better than whom: dice"):  # fmt: skip
        assert page.get_by_role("img", name=name).count() == 1, name
    assert page.get_by_role("rowheader", name="Hollow Cathode").first.is_visible()
    assert page.get_by_role("link", name="open in Binder of Hollow Cathode").count() == 1
    assert page.get_by_role("columnheader", name="dice").first.inner_text().startswith("dice")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the ranking"


def test_the_drawings_lie_beside_their_names(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "board.html", viewport={"width": 400, "height": 900})
    for drawing in page.locator(".drawing").all():
        names = drawing.locator(".names")
        box, picture = names.bounding_box(), drawing.locator("> svg").bounding_box()
        assert box is not None
        assert picture is not None
        assert box["x"] + box["width"] <= picture["x"]
        assert abs(box["y"] - picture["y"]) < 1, "names and lines begin at the same height"
        assert box["height"] <= picture["height"] + 1
    sizes = page.locator("svg[role=img] text").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(sizes) >= 9, "letters of a drawing keep their size on a narrow screen"


def test_the_table_scrolls_in_its_box_and_keeps_the_team(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "board.html", viewport={"width": 400, "height": 900})
    box = page.get_by_role("region", name="the board", exact=True)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.evaluate("box => { box.scrollLeft = 300; }")
    team = page.locator("table.board tbody th").first.bounding_box()
    assert team is not None
    assert 0 < team["x"] < 100


def test_it_prints_whole(browser: Browser, pages: Path, tmp_path: Path) -> None:
    page, _ = opened(browser, pages / "board.html", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".scroll").first.evaluate("box => getComputedStyle(box).overflowX") == "visible"
    page.pdf(path=tmp_path / "board.pdf", format="A4")
    assert (tmp_path / "board.pdf").stat().st_size > 10_000


def test_the_best_team_is_marked_alike_everywhere(browser: Browser, pages: Path) -> None:
    page, _ = opened(browser, pages / "board.html")
    row = page.locator("table.board tbody tr").first
    assert row.locator("td").first.inner_text() == "1"
    assert page.locator(".names").first.locator("li").first.inner_text() == row.locator("th bdi").first.inner_text()
