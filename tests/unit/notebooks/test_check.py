"""What can be known about a notebook without running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_output

from braggbook.notebooks.check import check_notebook
from braggbook.notebooks.scaffold import new_notebook_file
from braggbook.testing.experiments import write_experiment

GOOD = "import braggbook as bb\nbb.result('x', 1.5, unit='1')"
UNSEEDED = "bb.rng(), whose seed the run records"


@pytest.fixture
def check(tmp_path: Path) -> Any:
    """Checks a notebook made of code cells."""

    def found(*code: str, **parts: Any) -> list[str]:
        return [str(issue) for issue in check_notebook(write_experiment(tmp_path, "x", code=code, **parts))]

    return found


def test_a_good_notebook_has_no_finding(check: Any, tmp_path: Path) -> None:
    assert check(GOOD) == []
    assert check_notebook(new_notebook_file("new", project=tmp_path, kernel="radiobiology")) == []


@pytest.mark.parametrize(
    "call",
    [
        "np.random.normal()",
        "np.random.rand(3)",
        "numpy.random.shuffle(values)",
        "random.random()",
        "random.choice([1, 2])",
    ],
)
def test_a_global_generator_is_unseeded_randomness(check: Any, call: str) -> None:
    name = call.partition("(")[0]
    assert check(GOOD, f"values = [1]\nx = {call}") == [
        f"cell 4, line 2: random numbers from a generator without a seed; wanted {UNSEEDED}, got {name}(...)"
    ]


@pytest.mark.parametrize(
    "call",
    [
        "np.random.default_rng()",
        "np.random.default_rng(None)",
        "default_rng()",
        "np.random.RandomState()",
        "np.random.Generator(np.random.PCG64())",
        "np.random.SeedSequence()",
        "random.Random()",
        "random.seed()",
        "np.random.seed(None)",
    ],
)
def test_a_generator_made_without_a_seed_is_found(check: Any, call: str) -> None:
    (issue,) = check(GOOD, f"x = {call}")
    assert issue.startswith(f"cell 4, line 1: a random generator without a seed; wanted {UNSEEDED}")


@pytest.mark.parametrize(
    "code",
    [
        "bb.rng().normal()",
        "rng = bb.rng('bootstrap')\nrng.shuffle([1])",
        "np.random.default_rng(42).normal()",
        "np.random.default_rng(seed=seed)",
        "rng = np.random.Generator(np.random.PCG64(7))\nrng.random()",
        "random.Random(1).random()",
        "rng.random.choice([1])",
        "model.random.seedless()",
        "isinstance(x, np.random.Generator)",
        "# np.random.normal()",
        "'np.random.normal()'",
    ],
)
def test_seeded_randomness_passes(check: Any, code: str) -> None:
    assert check(GOOD, code) == []


def test_every_call_is_found_even_inside_functions(check: Any) -> None:
    code = "def f():\n    return [np.random.rand() for _ in 'ab'] + [\n        np.random.rand()\n    ]"
    assert [issue.partition(":")[0] for issue in check(GOOD, code)] == ["cell 4, line 2", "cell 4, line 3"]


def test_calls_that_contradict_the_front_matter_are_named(check: Any) -> None:
    found = check(
        "import braggbook as bb\nbb.load('count@1')\nbb.result('xx', 1, unit='1')", front={"datasets": ["counts@1"]}
    )
    assert found == [
        "count@1: loads a dataset that the front matter does not name; did you mean counts@1?",
        "xx: declares a result that the front matter does not name; did you mean x?",
        "counts@1: the front matter names a dataset that is not loaded",
        "x: the front matter names a result that is not declared; wanted bb.result('x', ...)",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import braggbook as bb\ncounts = bb.load('counts@1')\nbb.result('x', 1, unit='1')",
        "import braggbook\nbraggbook.load('counts@1'), braggbook.result('x', 1, unit='1')",
        "from braggbook import load, result\nload('counts@1')\nresult('x', 1, unit='1')",
    ],
    ids=["bb", "braggbook", "from"],
)
def test_every_usual_spelling_of_the_calls_is_known(check: Any, code: str) -> None:
    assert check(code, front={"datasets": ["counts@1"]}) == []


@pytest.mark.parametrize(
    "code",
    [
        "for name in ['x', 'y']:\n    bb.result(name, 1, unit='1')",
        "for line in 'xy':\n    bb.result(f'{line}', 1, unit='1')",
        "bb.result(name='x', value=1, unit='1')",
        "declare = {}\nbb.result(**declare)",
    ],
)
def test_names_that_are_computed_are_no_false_alarm(check: Any, code: str) -> None:
    assert check(code, results={"x": {"unit": "1"}, "y": {"unit": "1"}}) == []


def test_a_computed_name_hides_no_other_contradiction(check: Any) -> None:
    found = check("for name in 'x':\n    bb.result(name, 1, unit='1')\nbb.result('z', 1, unit='1')")
    assert found == ["z: declares a result that the front matter does not name; wanted one of x"]


@pytest.mark.parametrize(
    "code",
    [
        "%matplotlib inline\nx = 1",
        "if True:\n    %time x = 1",
        "!ls\nx = 1",
        "text = ('%d'\n        % 3)",
        "text = '''\n% a comment of TeX\n! shout'''",
        "x = (7\n  % 4)",
    ],
)
def test_magics_and_lines_that_only_look_like_them_are_read(check: Any, code: str) -> None:
    assert check(GOOD, code) == []


def test_what_is_no_python_is_named_with_its_line(check: Any) -> None:
    assert check(GOOD, "x = 1\ny = (") == ["cell 4, line 2: not Python; got y = ("]


def _edited(path: Path, change: Any) -> list[str]:
    node = nbformat.read(path, as_version=4)
    change(node)
    nbformat.write(node, path)
    return [str(issue) for issue in check_notebook(path)]


def test_outputs_and_counts_must_be_stripped(tmp_path: Path) -> None:
    def run(node: Any) -> None:
        node.cells[1].execution_count = 1
        node.cells[2].outputs = [new_output("stream", text="1.5")]

    wanted = "stripped outputs (Kernel > Restart and Clear Outputs)"
    assert _edited(write_experiment(tmp_path, "x", code=[GOOD]), run) == [
        f"cell 2: has outputs or a count; wanted {wanted}",
        f"cell 3: has outputs or a count; wanted {wanted}",
    ]


@pytest.mark.parametrize("kernelspec", [{"name": "radiobiology", "display_name": "x"}, None])
def test_the_notebooks_own_metadata_names_python3(tmp_path: Path, kernelspec: dict[str, str] | None) -> None:
    def change(node: Any) -> None:
        node.metadata.pop("kernelspec")
        node.metadata.update({"kernelspec": kernelspec} if kernelspec else {})

    (issue,) = _edited(write_experiment(tmp_path, "x", code=[GOOD]), change)
    assert issue.startswith("metadata.kernelspec.name: kernel in the notebook's metadata; wanted python3")
    assert issue.endswith(f"got {kernelspec['name'] if kernelspec else None}")


def test_a_notebook_that_cannot_be_read_says_why(check: Any, tmp_path: Path) -> None:
    assert check(GOOD, parameters="import os") == [
        "parameters cell, line 1: not a declaration; wanted name: type = default, got import os"
    ]
    (tmp_path / "cut.ipynb").write_text(json.dumps({"cells": []})[:-1])
    (issue,) = check_notebook(tmp_path / "cut.ipynb")
    assert str(issue).startswith(
        "cut.ipynb: not a notebook; wanted a Jupyter notebook (.ipynb), got the file is cut short"
    )
    (issue,) = check_notebook(tmp_path / "none.ipynb")
    assert (issue.what, issue.where) == ("no such notebook", "none.ipynb")
