"""Front matter and notebook files: every good example is read, every bad one says all that is wrong with it.

A ``.yaml`` is the front matter of a notebook whose parameters cell is ``level: float = 0.5``.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pydantic import ValidationError

from braggbook.errors import NotebookError
from braggbook.formats.notebook import Experiment, FrontMatter, Goal, ParameterSpec, ResultSpec
from braggbook.notebooks.source import Notebook, read_notebook

EXAMPLES = Path(__file__).parents[2] / "formats" / "notebook"
GOOD = sorted((EXAMPLES / "good").glob("*.*"))
BAD = sorted(path for path in (EXAMPLES / "bad").glob("*.*") if path.suffix != ".txt")


def _notebook(path: Path, folder: Path) -> Path:
    """Returns the notebook itself, or one around the front matter."""
    if path.suffix == ".ipynb":
        return path
    cells = [
        new_markdown_cell(f"---\n{path.read_text(encoding='utf-8')}---\n\n# Title", id="front"),
        new_code_cell("level: float = 0.5", id="parameters", metadata={"tags": ["parameters"]}),
    ]
    made = folder / f"{path.stem}.ipynb"
    made.write_text(nbformat.writes(new_notebook(cells=cells)), encoding="utf-8")
    return made


def _read(name: str, tmp_path: Path) -> Notebook:
    return read_notebook(_notebook(EXAMPLES / "good" / name, tmp_path))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_notebook_is_read(path: Path, tmp_path: Path) -> None:
    notebook = read_notebook(_notebook(path, tmp_path))
    assert notebook.slug == path.stem
    assert notebook.parameters.defaults == {"level": 0.5}
    assert notebook.front.braggbook.kernel == "radiobiology"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_notebook_says_all_that_is_wrong(path: Path, tmp_path: Path) -> None:
    made = _notebook(path, tmp_path)
    with pytest.raises(NotebookError) as caught:
        read_notebook(made)
    text = str(caught.value).replace(str(made), "<notebook>")
    assert text == Path(f"{path}.txt").read_text(encoding="utf-8").rstrip("\n")
    assert caught.value.exit_code == 2


def test_every_expectation_belongs_to_an_example() -> None:
    expected = {path.name.removesuffix(".txt") for path in (EXAMPLES / "bad").glob("*.txt")}
    assert expected == {path.name for path in BAD}


def test_the_front_matter_that_says_everything_means_it(tmp_path: Path) -> None:
    front = _read("everything.yaml", tmp_path).front
    assert front.authors[0].orcid == "0000-0002-1825-0097"  # the address is shortened
    assert front.license == "CC-BY-4.0 OR MIT"
    assert front.date == datetime.date(2026, 5, 4)
    assert [goal.status for goal in front.braggbook.goals] == ["answered", "open"]
    assert front.braggbook.results["plates"].units == {"dose_gy": "Gy", "survival": "1"}
    assert front.braggbook.results["plates"].missing


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    part = _read("minimal.yaml", tmp_path).front.braggbook
    assert (part.datasets, part.goals, part.parameters) == ([], [], {})
    spec = part.results["dose"]
    assert (spec.kind, spec.rtol, spec.atol, spec.missing) == ("scalar", 1e-6, 1e-12, False)


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    part = _read("numbers.yaml", tmp_path).front.braggbook
    assert part.results["dose"].rtol == 1e-6
    assert part.results["dose"].atol == 2.5e-9
    assert (part.parameters["level"].minimum, part.parameters["level"].maximum) == (-1e-3, 100)


def test_bounds_may_touch() -> None:
    assert ParameterSpec(minimum=1.0, maximum=1.0).minimum == 1
    assert ParameterSpec(minimum=1.0).maximum is None


def test_a_front_matter_does_not_change(tmp_path: Path) -> None:
    front = _read("minimal.yaml", tmp_path).front
    with pytest.raises(ValidationError, match="frozen"):
        front.title = "another"


def test_every_field_of_the_front_matter_stands_in_the_fullest_example(tmp_path: Path) -> None:
    front = _read("everything.yaml", tmp_path).front
    part = front.braggbook
    models = [front, part, part.goals[0], part.parameters["level"], *part.results.values()]
    said = {(type(model), name) for model in models for name in model.model_fields_set}
    kinds = (FrontMatter, Experiment, Goal, ParameterSpec, ResultSpec)
    assert said == {(kind, name) for kind in kinds for name in kind.model_fields}
