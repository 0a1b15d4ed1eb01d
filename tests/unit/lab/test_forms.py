"""The form of a notebook: its fields, and what is wrong with what was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.lab.forms import findings, form_of, typed
from braggbook.notebooks.source import Notebook, read_notebook
from braggbook.testing.experiments import write_experiment

CELL = """dose_gy: float = 2.0
doses_gy: list[float] = [1.0, 2.0]
fractions: int = 30
method: Literal["exact", "rounded"] = "exact"
plotted: bool = True
label: str = "3"
upper: float | None = None
"""
SPECS = {
    "dose_gy": {"unit": "Gy", "minimum": 0, "maximum": 20, "help": "absorbed dose"},
    "doses_gy": {"unit": "Gy", "minimum": 0},
    "fractions": {"unit": "1", "maximum": 40},
}


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    path = write_experiment(tmp_path, "survive", code=["x = 1"], parameters=CELL, front={"parameters": SPECS})
    return read_notebook(path)


def test_a_field_for_every_parameter(notebook: Notebook) -> None:
    fields = {field["name"]: field for field in form_of(notebook)["fields"]}
    widgets = {name: field["widget"] for name, field in fields.items()}
    assert widgets == {
        "dose_gy": "number", "doses_gy": "text", "fractions": "number", "method": "choice", "plotted": "switch",
        "label": "text", "upper": "text",
    }  # fmt: skip
    assert fields["dose_gy"] == {
        "name": "dose_gy", "type": "float", "widget": "number", "choices": [], "default": 2.0, "text": "2.0",
        "unit": "Gy", "bounds": "0 to 20 Gy", "help": "absorbed dose",
    }  # fmt: skip
    assert fields["doses_gy"]["bounds"] == "at least 0 Gy"
    assert (fields["fractions"]["bounds"], fields["fractions"]["unit"]) == ("at most 40", None)
    assert [choice["text"] for choice in fields["method"]["choices"]] == ["exact", "rounded"]


def test_the_form_says_of_which_state_of_the_notebook_it_is(notebook: Notebook) -> None:
    before = form_of(notebook)["identity"]
    assert before == notebook.identity
    notebook.path.write_text(notebook.path.read_text().replace("x = 1", "x = 2"))
    assert form_of(read_notebook(notebook.path))["identity"] not in ("", before)


def test_what_the_form_shows_is_accepted_as_it_is(notebook: Notebook) -> None:
    shown = {field["name"]: field["text"] for field in form_of(notebook)["fields"] if field["widget"] != "switch"}
    assert findings(notebook, shown) == []
    assert notebook.parameters.resolve(shown) == notebook.parameters.defaults


def test_each_finding_stands_beside_its_field(notebook: Notebook) -> None:
    found = findings(notebook, {"dose_gy": "50", "fractions": "many", "doses_gy": "[1, -2]", "method": "guess"})
    assert {one["field"]: one["text"] for one in found} == {
        "dose_gy": "Out of bounds; wanted 0 to 20 Gy, got 50 Gy",
        "fractions": "Wrong type; wanted int, got 'many'",
        "doses_gy": "Out of bounds; wanted 0 to inf Gy, got -2 Gy",
        "method": "Not one of its choices; wanted 'exact', 'rounded', got 'guess'",
    }


def test_a_unit_may_be_typed(notebook: Notebook) -> None:
    assert findings(notebook, {"dose_gy": "300 cGy"}) == []
    assert findings(notebook, {"dose_gy": "3000 cGy"})[0]["text"].startswith("Out of bounds")
    assert findings(notebook, {"dose_gy": "3 mm"})[0]["text"].startswith("Wrong unit")


def test_an_unknown_name_is_a_finding_too(notebook: Notebook) -> None:
    assert findings(notebook, {"dose": 1})[0]["text"] == "Unknown parameter; did you mean dose_gy or doses_gy?"


def test_values_as_people_type_them() -> None:
    assert [typed(value) for value in ("a", 2.0, [1, 2], None, True)] == ["a", "2.0", "[1, 2]", "null", "true"]
