"""The notebook as it lies in a project: what is its identity, and what is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from braggbook.errors import DuplicateName, NotebookError, UnknownName
from braggbook.notebooks.catalogue import find_notebook, notebook_paths
from braggbook.notebooks.scaffold import new_notebook_file
from braggbook.notebooks.source import Notebook, read_node, read_notebook
from braggbook.testing.experiments import write_experiment

CODE = ["import braggbook as bb", "bb.result('x', factor, unit='1')"]


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return read_notebook(
        write_experiment(tmp_path / "notebooks", "experiment", code=CODE, parameters="factor: float = 2")
    )


def _changed(notebook: Notebook, change: Callable[[NotebookNode], Any]) -> Notebook:
    """Returns the notebook after a change of its file."""
    node = copy.deepcopy(notebook.node)
    change(node)
    path = notebook.path.with_name("changed.ipynb")
    path.write_text(nbformat.writes(node), encoding="utf-8")
    return read_notebook(path)


def _replace(cell: int, old: str, new: str) -> Callable[[NotebookNode], Any]:
    def change(node: NotebookNode) -> None:
        assert old in node.cells[cell].source
        node.cells[cell].source = node.cells[cell].source.replace(old, new)

    return change


def _add_outputs(node: NotebookNode) -> None:
    for count, cell in enumerate(node.cells):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [new_output("stream", text="2.0")], count


NO_CHANGE: dict[str, Callable[[NotebookNode], Any]] = {
    "outputs": _add_outputs,
    "prose": _replace(0, "# A test experiment", "# Another word"),
    "a new cell of prose": lambda node: node.cells.insert(2, new_markdown_cell("More words.")),
    "metadata": lambda node: node.metadata.update(language_info={"name": "python", "version": "3.13"}),
    "a cell's metadata": lambda node: node.cells[2].metadata.update(collapsed=True),
    "cell ids": lambda node: node.cells[2].update(id="other"),
    "order of keys": _replace(0, "license: CC-BY-4.0\nbraggbook:", "license: CC-BY-4.0\n# a comment\nbraggbook:"),
    "spelling of a number": _replace(0, "unit: '1'", 'unit: "1"'),
    "a default written out": _replace(0, "unit: '1'", "unit: '1'\n      rtol: 1e-6"),
}
CHANGE: dict[str, Callable[[NotebookNode], Any]] = {
    "one character of code": _replace(3, "factor", "factor "),
    "a comment in code": _replace(2, "import", "# why\nimport"),
    "a parameter's default": _replace(1, "2", "3"),
    "a tag": lambda node: node.cells[3].metadata.update(tags=["hide"]),
    "order of code": lambda node: node.cells.append(node.cells.pop(2)),
    "a new code cell": lambda node: node.cells.append(new_code_cell("")),
    "a tolerance": _replace(0, "unit: '1'", "unit: '1'\n      rtol: 0.1"),
    "the title": _replace(0, "title: A", "title: The"),
    "an author": _replace(0, "Ada Lovelace", "Charles Babbage"),
}


@pytest.mark.parametrize("change", NO_CHANGE.values(), ids=NO_CHANGE)
def test_what_cannot_change_a_result_is_not_in_the_identity(
    notebook: Notebook, change: Callable[[NotebookNode], Any]
) -> None:
    assert _changed(notebook, change).identity == notebook.identity


@pytest.mark.parametrize("change", CHANGE.values(), ids=CHANGE)
def test_what_can_change_a_result_is_in_the_identity(notebook: Notebook, change: Callable[[NotebookNode], Any]) -> None:
    assert _changed(notebook, change).identity != notebook.identity


def test_the_order_of_tags_is_no_change(notebook: Notebook) -> None:
    one, other = (
        _changed(notebook, lambda node, tags=tags: node.cells[3].metadata.update(tags=tags))
        for tags in (["a", "b"], ["b", "a"])
    )
    assert one.identity == other.identity


def test_a_copy_of_another_name_is_the_same_experiment(notebook: Notebook) -> None:
    copied = _changed(notebook, lambda node: None)
    assert copied.slug == "changed"
    assert copied.identity == notebook.identity


def test_reading_gives_front_matter_parameters_and_code(notebook: Notebook) -> None:
    assert notebook.slug == "experiment"
    assert notebook.front.title == "A test experiment"
    assert notebook.front_text.startswith("title: A test experiment\n")
    assert notebook.parameters.defaults == {"factor": 2.0}
    assert [cell.source for cell in notebook.code_cells] == ["factor: float = 2", *CODE]


def test_reading_changes_nothing_on_disk(notebook: Notebook) -> None:
    before = notebook.path.read_bytes()
    read_notebook(notebook.path)
    assert notebook.path.read_bytes() == before


def test_an_older_notebook_is_read_as_nbformat_4(tmp_path: Path) -> None:
    old = {
        "metadata": {"name": "old"}, "nbformat": 3, "nbformat_minor": 0,
        "worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [], "collapsed": False}], "metadata": {}}],
    }  # fmt: skip
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    node = read_node(tmp_path / "old.ipynb")
    assert (node.nbformat, node.cells[0].source) == (4, "x = 1")


def test_blank_lines_before_the_front_matter_do_not_matter(notebook: Notebook) -> None:
    assert (
        _changed(notebook, lambda node: node.cells[0].update(source="\n\n" + node.cells[0].source)).front
        == notebook.front
    )


def test_a_file_that_is_not_there_is_an_unknown_name(tmp_path: Path) -> None:
    (tmp_path / "folder.ipynb").mkdir()
    for path in (tmp_path / "none.ipynb", tmp_path / "folder.ipynb", tmp_path / "none" / "x.ipynb"):
        with pytest.raises(UnknownName, match="no such notebook\nnext: braggbook list notebook"):
            read_notebook(path)


def test_a_notebook_that_breaks_several_rules_hears_of_all(notebook: Notebook) -> None:
    def change(node: NotebookNode) -> None:
        node.cells[0].source = node.cells[0].source.replace("title: A test experiment", "titel: A test experiment")
        node.cells[1].source = "factor: float = 'two'\nimport os"

    with pytest.raises(NotebookError) as caught:
        _changed(notebook, change)
    assert [issue.what for issue in caught.value.issues] == [
        "the key 'title' is missing",
        "unknown key 'titel'",
        "not a declaration",
        "the default of factor: wrong type",
    ]


def test_notebooks_of_a_project_are_found_by_looking(tmp_path: Path) -> None:
    for place in ("notebooks/radiobiology", "notebooks", "notebooks/.ipynb_checkpoints"):
        write_experiment(tmp_path / place, place.rpartition("/")[2].strip("."), code=[])
    assert list(notebook_paths(tmp_path)) == ["notebooks", "radiobiology"]
    assert notebook_paths(tmp_path / "none") == {}


def test_two_notebooks_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_experiment(tmp_path / "notebooks" / place, "same", code=[])
    with pytest.raises(DuplicateName, match=r"notebooks/a/same\.ipynb and notebooks/b/same\.ipynb"):
        notebook_paths(tmp_path)


def test_a_notebook_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    path = write_experiment(tmp_path / "notebooks", "survival", code=[])
    assert find_notebook("survival", project=tmp_path).path == path
    assert find_notebook(str(path), project=tmp_path / "elsewhere").path == path
    with pytest.raises(UnknownName, match="no notebook named 'survivel'; did you mean survival"):
        find_notebook("survivel", project=tmp_path)


def test_a_new_notebook_keeps_to_the_contract_and_overwrites_nothing(tmp_path: Path) -> None:
    path = new_notebook_file("my_idea", project=tmp_path, kernel="radiobiology")
    notebook = read_notebook(path)
    assert notebook.front.title == "My idea"
    assert set(notebook.front.braggbook.parameters) == set(notebook.parameters.defaults)
    before = path.read_bytes()
    with pytest.raises(DuplicateName, match="there is a notebook named 'my_idea'"):
        new_notebook_file("my_idea", project=tmp_path, kernel="radiobiology")
    assert path.read_bytes() == before
