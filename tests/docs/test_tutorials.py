"""The tutorials on the documentation site: each has a page and a card, and nothing of a notebook is lost on the way."""

from __future__ import annotations

import importlib
import json
import sys
from xml.etree import ElementTree

import pytest

from .pages import DOCS, ROOT

sys.path.insert(0, str(DOCS / "_ext"))
tutorials = importlib.import_module("tutorials")
NOTEBOOKS = sorted((ROOT / "notebooks" / "tutorials").glob("[0-9]*.ipynb"))
BINDER, LITE = "https://binder.example/v2/gh/org/name/v1", "../lite"


def test_every_tutorial_has_a_page_and_every_page_a_tutorial() -> None:
    pages = {path.stem for path in (DOCS / "tutorials").glob("*.md")} - {"index"}
    assert pages == {path.stem for path in NOTEBOOKS}, "a page is a file of two lines, see the others"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_shows_all_of_its_notebook(path: object) -> None:
    name = path.stem  # type: ignore[attr-defined]
    page = tutorials.page_of(tutorials._tutorial(path), binder=BINDER, lite=LITE)
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"][1:]:  # type: ignore[attr-defined]
        for line in "".join(cell["source"]).splitlines():
            assert line.lstrip("#") in page
    query = f"notebooks%2Ftutorials%2F{name}.ipynb"
    assert f"({BINDER}?labpath={query})" in page
    assert f"({LITE}/lab/index.html?path={query})" in page


def test_a_card_says_goals_and_minutes_and_where_it_opens() -> None:
    found = tutorials.all_tutorials()
    cards = tutorials.cards_of(found, binder=BINDER, lite=LITE)
    for one in found:
        assert f"[{one.title}]({one.name}.md)" in cards
        assert all(f"- {goal}" in cards for goal in one.lesson.goals)
        assert f"{one.lesson.minutes} minutes" in cards
        assert f"({BINDER}?labpath=notebooks%2Ftutorials%2F{one.name}.ipynb)" in cards
        assert f"`braggbook link {one.path}`" in tutorials.page_of(one, binder="", lite="")


def test_every_picture_says_what_it_shows() -> None:
    names = {path.stem for path in NOTEBOOKS}
    for path in tutorials.PICTURES.glob("*.[sp][vn]g"):
        assert path.stem in names
        assert len(path.with_suffix(".txt").read_text(encoding="utf-8").strip()) >= 40
        if path.suffix == ".svg":
            ElementTree.parse(path)
