"""What a parameterised link opens: a copy with the values, or a message and no file."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from braggbook.binder.launch import Launch, read_open_query
from braggbook.binder.opening import Opened, open_notebook, open_query, opened_from
from braggbook.errors import BraggbookError, InputError, NotebookError, ParameterError, UnknownName
from braggbook.notebooks.source import INJECTED_TAG

GOOD = "notebooks/good.ipynb"


def test_a_copy_with_the_values(checkout: Path) -> None:
    before = (checkout / GOOD).read_bytes()
    opened = open_notebook(checkout, GOOD, {"factor": "300 cGy", "times": "[1, 2]", "name": "a"})
    assert opened.values == {"factor": 3.0, "times": [1.0, 2.0]}
    assert opened.path.startswith("work/good-")
    node = nbformat.read(checkout / opened.path, as_version=4)
    nbformat.validate(node)
    tags = [cell.metadata.get("tags", []) for cell in node.cells]
    assert tags[1:3] == [["parameters"], [INJECTED_TAG]]
    names: dict[str, object] = {}
    for cell in node.cells[1:3]:
        exec(cell.source, names)
    assert (names["factor"], names["name"], names["times"]) == (3.0, "a", [1.0, 2.0])
    assert (checkout / GOOD).read_bytes() == before
    assert opened_from(checkout / opened.path) == opened
    assert opened_from(checkout / GOOD) is None


def test_defaults_open_the_notebook_itself(checkout: Path) -> None:
    assert open_notebook(checkout, GOOD, {"factor": "2"}) == Opened(GOOD, GOOD, {})
    assert open_notebook(checkout, GOOD, {}) == Opened(GOOD, GOOD, {})
    assert not (checkout / "work").exists()


def test_work_in_a_copy_is_kept(checkout: Path) -> None:
    first = open_notebook(checkout, GOOD, {"factor": "3"})
    target = checkout / first.path
    text = target.read_text().replace("import math", "import math  # my own")
    target.write_text(text)
    assert open_notebook(checkout, GOOD, {"factor": "3.0"}) == first
    assert target.read_text() == text
    assert open_notebook(checkout, GOOD, {"factor": "4"}).path != first.path


def test_texts_are_values_and_not_code(checkout: Path) -> None:
    nasty = '\'; import os; os.abort() #"""\\\n{x}'
    opened = open_notebook(checkout, GOOD, {"name": nasty})
    names: dict[str, object] = {}
    exec(nbformat.read(checkout / opened.path, as_version=4).cells[2].source, names)
    assert names["name"] == nasty


def test_the_link_s_query_is_understood(checkout: Path) -> None:
    launch = Launch("gh", "a/b", "main", GOOD, (("factor", "350 cGy"), ("name", "Größe & mehr")))
    query = launch.url.partition("urlpath=")[2]
    from urllib.parse import unquote

    inner = unquote(query).partition("?")[2]
    assert read_open_query(inner)[0] == GOOD
    assert open_query(checkout, inner + "&token=t").values == {"factor": 3.5, "name": "Größe & mehr"}


@pytest.mark.parametrize(
    ("path", "values", "error", "words"),
    [
        (GOOD, {"factor": "11"}, ParameterError, "out of bounds"),
        (GOOD, {"factor": "3 kg", "nam": "x"}, ParameterError, "unknown parameter"),
        (GOOD, {"factor": "much"}, ParameterError, "wrong type"),
        ("notebooks/gone.ipynb", {"factor": "3"}, UnknownName, "no such notebook"),
        ("notebooks/plain.ipynb", {"factor": "3"}, NotebookError, "not an experiment notebook"),
        ("../good.ipynb", {}, InputError, "not the path"),
        ("/etc/x.ipynb", {}, InputError, "not the path"),
        ("notebooks/../../x.ipynb", {}, InputError, "not the path"),
        ("notebooks/.hidden/x.ipynb", {}, InputError, "not the path"),
        ("notebooks\\good.ipynb", {}, InputError, "not the path"),
        ("pyproject.toml", {}, InputError, "not the path"),
        ("outside.ipynb", {}, InputError, "not the path"),
        ("", {}, InputError, "not the path"),
    ],
)
def test_a_message_and_no_file(
    checkout: Path, path: str, values: dict[str, str], error: type[BraggbookError], words: str
) -> None:
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    nbformat.write(plain, checkout / "notebooks" / "plain.ipynb")
    (checkout.parent / "elsewhere.ipynb").write_bytes((checkout / GOOD).read_bytes())
    (checkout / "outside.ipynb").symlink_to(checkout.parent / "elsewhere.ipynb")
    with pytest.raises(error, match=words):
        open_notebook(checkout, path, values)
    assert not (checkout / "work").exists()
