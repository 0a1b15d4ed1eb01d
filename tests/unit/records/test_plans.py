"""What a person names, planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.errors import InputError, UnknownName
from braggbook.formats.common import Author
from braggbook.formats.dataset import CARD_NAME, write_card
from braggbook.records.plans import find_what, plan_what
from braggbook.settings import Settings
from braggbook.testing.experiments import write_experiment

from ..datasets.dataset_helpers import COUNTS, card_of, entry
from .plan_helpers import published_run
from .test_sweep_plan import make_sweep


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "project"
    (folder / "datasets" / "counts").mkdir(parents=True)
    (folder / "datasets" / "counts" / "counts.csv").write_bytes(COUNTS)
    write_card(
        folder / "datasets" / "counts" / CARD_NAME, card_of(entry(COUNTS), authors=(Author(name="Ada Lovelace"),))
    )
    write_experiment(folder / "notebooks" / "imaging", "experiment", code=["x = 1"])
    (folder / "CITATION.cff").write_text("doi: 10.5281/zenodo.1234\n", encoding="utf-8")
    return Settings(
        project=folder,
        runs=folder / "runs",
        cache=tmp_path / "cache",
        archive=tmp_path / "archive",
        vault=tmp_path / "vault",
    )


def test_a_run_by_id_beginning_and_folder(settings: Settings) -> None:
    folder = published_run(settings.runs)
    plans = [
        plan_what(name, settings=settings, archive="folder") for name in (folder.name, folder.name[:6], str(folder))
    ]
    assert {planned.plan.digest for planned, _ in plans} == {plans[0][0].plan.digest}
    planned, place = plans[0]
    assert place == settings.runs / "records" / folder.name / "folder"
    assert [path.parent for path in planned.paths.values()] == [place]
    assert [one.identifier for one in planned.plan.metadata.relations] == ["10.5281/zenodo.1234"]


def test_a_dataset_by_slug_version_and_folder(settings: Settings) -> None:
    folder = settings.project / "datasets" / "counts"
    for name in ("counts", "counts@1", str(folder)):
        planned, place = plan_what(name, settings=settings, archive="https://rdm.example.org")
        assert (planned.plan.kind, planned.plan.source) == ("dataset", "counts@1")
        assert place == settings.runs / "records" / "counts@1" / "https_rdm.example.org"
    with pytest.raises(UnknownName, match="has another version"):
        plan_what("counts@2", settings=settings, archive="folder")


def test_a_sweep_by_id_and_folder(settings: Settings) -> None:
    folder = make_sweep(settings.runs)
    for name in (folder.name, str(folder)):
        planned, place = plan_what(name, settings=settings, archive="zenodo", version_of="10.5281/zenodo.7")
        assert (planned.plan.kind, planned.plan.version_of) == ("sweep", "10.5281/zenodo.7")
        assert place == settings.runs / "records" / folder.name / "zenodo"


@pytest.mark.parametrize("name", ["", "nothing", "count", "ffffffffffffffffffffffff", "counts@0", "Counts"])
def test_what_is_not_there_is_said_with_the_nearest_names(settings: Settings, name: str) -> None:
    with pytest.raises(UnknownName, match="no run, dataset or sweep named") as caught:
        find_what(name, settings=settings)
    assert ("did you mean counts?" in str(caught.value)) == (name in ("count", "counts@0", "Counts"))


def test_a_notebook_is_not_a_run(settings: Settings) -> None:
    with pytest.raises(UnknownName, match=r"wanted a run of it\nnext: braggbook run experiment"):
        find_what("experiment", settings=settings)


def test_a_folder_of_something_else_is_refused(settings: Settings, tmp_path: Path) -> None:
    for path, got in ((tmp_path, "none of them"), (tmp_path / "no", "no such folder")):
        with pytest.raises(InputError, match=got):
            find_what(f"{path}/", settings=settings)


def test_a_beginning_that_several_have_is_not_guessed_at(settings: Settings) -> None:
    for name in ("ab" + "0" * 22, "sweeps/ab" + "1" * 22):
        (settings.runs / name).mkdir(parents=True)
    (settings.runs / "sweeps" / ("ab" + "1" * 22) / "sweep.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="several things are named so"):
        find_what("ab", settings=settings)
    assert find_what("ab0", settings=settings)[0] == "run"
    assert find_what("ab1", settings=settings)[0] == "sweep"
