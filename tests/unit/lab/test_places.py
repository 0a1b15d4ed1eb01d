"""Nothing outside of JupyterLab's folder is named by a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.errors import UnknownName
from braggbook.lab.places import Places
from braggbook.testing.experiments import make_project


@pytest.fixture
def places(tmp_path: Path) -> Places:
    root = tmp_path / "root"
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks" / "a.ipynb").touch()
    (tmp_path / "secret.ipynb").touch()
    (root / "out.ipynb").symlink_to(tmp_path / "secret.ipynb")
    return Places(root, {})


@pytest.mark.parametrize(
    "given", ["../secret.ipynb", "notebooks/../../secret.ipynb", "out.ipynb", "no.ipynb", "a\0b", "x" * 5000]
)
def test_a_path_stays_inside(places: Places, given: str) -> None:
    with pytest.raises(UnknownName, match="no such file in JupyterLab's folder"):
        places.path(given)


def test_a_path_inside_is_found(places: Places) -> None:
    found = places.path("/notebooks/a.ipynb")
    assert found == places.root / "notebooks" / "a.ipynb"
    assert places.shown(found) == "notebooks/a.ipynb"
    assert places.shown(places.root.parent) == ""


def test_an_absolute_path_is_taken_as_relative(places: Places) -> None:
    with pytest.raises(UnknownName):
        places.path(str(places.root.parent / "secret.ipynb"))


def test_the_project_of_the_notebook_is_its_own(places: Places) -> None:
    project = make_project(places.root / "study")
    (project / "notebooks").mkdir()
    (project / "notebooks" / "b.ipynb").touch()
    assert places.settings(project / "notebooks" / "b.ipynb").runs == project / "runs"
    assert places.settings(places.root / "notebooks" / "a.ipynb").project == places.root


def test_what_the_environment_says_wins(places: Places, tmp_path: Path) -> None:
    project = make_project(places.root / "study")
    chosen = Places(places.root, {"BRAGGBOOK_PROJECT": str(tmp_path), "BRAGGBOOK_RUNS": str(tmp_path / "mine")})
    settings = chosen.settings(project / "notebooks" / "b.ipynb")
    assert (settings.project, settings.runs) == (tmp_path, tmp_path / "mine")


def test_binder_is_known_by_its_variables(places: Places) -> None:
    assert not places.on_binder
    assert Places(places.root, {"BINDER_SERVICE_HOST": "10.0.0.1"}).on_binder
