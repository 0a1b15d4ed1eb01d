"""Shows the tutorials without running them: each page is its notebook, and the first page has a card for each.

``docs/tutorials/<name>.md`` stands for ``notebooks/tutorials/<name>.ipynb``: its own text is replaced by the notebook's
cells. ``<!-- cards -->`` in ``docs/tutorials/index.md`` becomes one card for each tutorial: goals, minutes, and where
it opens. Two settings name that place; without them the page names the command that does it:

``tutorials_binder``
    The repository on a Binder, such as ``https://mybinder.org/v2/gh/OWNER/NAME/TAG``.
``tutorials_lite``
    Address of the site that ``braggbook lite`` builds, relative to the documentation's or whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import nbformat
import yaml
from sphinx.application import Sphinx

from braggbook.learn import Lesson, load_lesson

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks" / "tutorials"
PICTURES = ROOT / "docs" / "pictures" / "tutorials"
CARDS = "<!-- cards -->"
_FOLDER = "tutorials/"
_FRONT = re.compile(r"\A---\n(.*?)\n---\s*", re.DOTALL)
_TITLE = re.compile(r"\A# .*\n")  # the page has it already
_EXERCISE = "exercise:"


@dataclass(frozen=True)
class Tutorial:
    """A notebook, and the lesson that its checks come from."""

    name: str
    title: str
    lesson: Lesson

    @property
    def path(self) -> str:
        """From the top of the repository."""
        return f"notebooks/tutorials/{self.name}.ipynb"

    @property
    def picture(self) -> str:
        """One of its figures as a Markdown image, "" where none was taken (scripts/take_tutorial_picture.py)."""
        drawn = next((path for path in sorted(PICTURES.glob(f"{self.name}.*")) if path.suffix != ".txt"), None)
        if drawn is None:
            return ""
        alt = " ".join(drawn.with_suffix(".txt").read_text(encoding="utf-8").split())
        return f"![{alt}](../pictures/tutorials/{drawn.name})"


def all_tutorials() -> list[Tutorial]:
    """Returns the tutorials in their order."""
    return [_tutorial(path) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]


def _tutorial(path: Path) -> Tutorial:
    front = _FRONT.match(nbformat.read(path, as_version=4).cells[0].source)
    if front is None:
        raise ValueError(f"{path}: no front matter in the first cell; see docs/formats/notebook.md")
    return Tutorial(path.stem, yaml.safe_load(front[1])["title"], load_lesson(path.stem.partition("_")[2]))


def page_of(tutorial: Tutorial, *, binder: str, lite: str) -> str:
    """Returns a tutorial as a page in Markdown."""
    parts = [
        f"# {tutorial.title}",
        f"{tutorial.lesson.minutes} minutes. {_places(tutorial, binder=binder, lite=lite)}",
        tutorial.picture,
        "What you can do afterwards:",
        "\n".join(f"- {goal}" for goal in tutorial.lesson.goals),
        "This page shows the notebook as it is before anybody has worked on it. Its checks answer where it runs.",
        *_cells(NOTEBOOKS / f"{tutorial.name}.ipynb"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cells(path: Path) -> Iterator[str]:
    for cell in nbformat.read(path, as_version=4).cells:
        text = cell.source.rstrip()
        if cell.cell_type == "markdown":
            yield _TITLE.sub("", _FRONT.sub("", text + "\n")).strip()
        elif cell.cell_type == "code" and text:
            yield _code(text, [tag for tag in cell.metadata.get("tags", []) if tag.startswith(_EXERCISE)])


def _code(text: str, exercises: list[str]) -> str:
    fence = "`" * max(3, 1 + max((len(one) for one in re.findall(r"`{3,}", text)), default=0))
    caption = f":caption: Exercise {exercises[0].removeprefix(_EXERCISE)}\n\n" if exercises else ""
    return f"{fence}{{code-block}} python\n{caption}{text}\n{fence}"


def cards_of(tutorials: list[Tutorial], *, binder: str, lite: str) -> str:
    """Returns one card for each tutorial, in Markdown."""
    cards = [_card(one, binder=binder, lite=lite) for one in tutorials]
    return "\n\n".join(["`````{container} tutorial-cards", *cards, "`````"])


def _card(tutorial: Tutorial, *, binder: str, lite: str) -> str:
    goals = "\n".join(f"- {goal}" for goal in tutorial.lesson.goals)
    number = int(tutorial.name.partition("_")[0])
    return "\n\n".join(
        part
        for part in (
            "````{container} tutorial-card",
            f"**{number}. [{tutorial.title}]({tutorial.name}.md)**",
            f"{tutorial.lesson.minutes} minutes",
            tutorial.picture,
            goals,
            _places(tutorial, binder=binder, lite=lite) if binder or lite else "",
            "````",
        )
        if part
    )


def _places(tutorial: Tutorial, *, binder: str, lite: str) -> str:
    """Returns where it opens: on Binder and in the browser, or the commands that make such a link and such a site."""
    query = quote(tutorial.path, safe="")
    link = f"On Binder: `braggbook link {tutorial.path}`"
    on_binder = f"[Open on Binder]({binder}?labpath={query})" if binder else link
    site = f"{lite.rstrip('/')}/lab/index.html?path={query}"
    in_browser = f"[open in the browser]({site})" if lite else "in the browser: `braggbook lite build --to site`"
    return f"{on_binder} · {in_browser}"


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    if not docname.startswith(_FOLDER):
        return
    places = {"binder": app.config.tutorials_binder, "lite": app.config.tutorials_lite}
    name = docname.removeprefix(_FOLDER)
    if name == "index":
        source[0] = source[0].replace(CARDS, cards_of(all_tutorials(), **places))
        return
    app.env.note_dependency(str(NOTEBOOKS / f"{name}.ipynb"))
    source[0] = page_of(_tutorial(NOTEBOOKS / f"{name}.ipynb"), **places)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tells Sphinx of it."""
    app.add_config_value("tutorials_binder", "", "env", [str])
    app.add_config_value("tutorials_lite", "", "env", [str])
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
