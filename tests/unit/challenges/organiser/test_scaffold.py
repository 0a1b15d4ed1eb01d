"""A new challenge works as it is, and takes up what an experiment left open."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from braggbook.challenges.check import check_challenge
from braggbook.challenges.design import Challenge, open_challenge
from braggbook.challenges.scaffold import new_challenge
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import BraggbookError, DuplicateName, InputError, UnknownName
from braggbook.formats.common import NOT_STATED
from braggbook.testing.experiments import FRONT, make_project, write_experiment

TODAY = datetime.date(2027, 1, 10)
OPEN = {"id": "dose", "text": "Which dose did each person get?"}
OTHER = {"id": "let", "text": "Which LET was it?"}
ANSWERED = {"id": "line", "text": "Is it a line?", "answered_by": ["x"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def experiment(project: Path, *goals: dict[str, Any]) -> None:
    code = ["import braggbook as bb\nbb.result('x', 1.0, unit='1')"]
    write_experiment(project / "notebooks", "sums", code=code, front={"goals": list(goals)})


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_works_as_it_is(project: Path) -> None:
    made = new_challenge("signals", project=project, today=TODAY)
    assert made == open_challenge(project / "challenges" / "signals")
    assert files(made.folder) == [
        "baseline.ipynb", "challenge.toml", "example_submission/predictions.csv", "score.ipynb",
        "twin/estimate/dataset.toml", "twin/estimate/predictions.csv",
        "twin/inputs/cases.csv", "twin/inputs/dataset.toml", "twin/truth/dataset.toml", "twin/truth/truth.csv",
    ]  # fmt: skip
    assert check_challenge(made, project=project) == []


def test_the_first_phase_opens_a_month_later_and_has_a_zone(project: Path) -> None:
    (phase,) = new_challenge("signals", project=project, today=TODAY).design.phases
    assert phase.opens == datetime.datetime(2027, 2, 9, tzinfo=datetime.UTC)
    assert phase.closes - phase.opens == datetime.timedelta(days=30)


def test_what_only_an_organiser_can_say_is_not_made_up(project: Path) -> None:
    design = new_challenge("signals", project=project).design
    assert {design.organisation.contact, design.organisation.ethics, design.data.annotation} == {NOT_STATED}


def test_two_of_them_are_the_same_to_the_byte(project: Path) -> None:
    one, other = (new_challenge(slug, project=project, today=TODAY) for slug in ("signals", "noises"))
    for name in files(one.folder):
        if name != "challenge.toml":
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


def test_the_notebooks_have_no_outputs_and_name_only_what_they_may(project: Path) -> None:
    made = new_challenge("signals", project=project)
    for name in ("baseline.ipynb", "score.ipynb"):
        node = nbformat.read(made.folder / name, as_version=4)
        nbformat.validate(node)
        assert [cell.outputs for cell in node.cells if cell.cell_type == "code"] == [[]] * 3
    assert made.scorer.front.braggbook.datasets == ["truth@1", "estimate@1"]


def test_the_example_is_the_twins_estimate(project: Path) -> None:
    made = new_challenge("signals", project=project)
    said = (made.folder / "example_submission" / "predictions.csv").read_text().split()
    kept = (made.twin("estimate").folder / "predictions.csv").read_text().split()
    assert [row.split(",") for row in said[1:]] == [row.split(",") for row in kept[1:]]
    assert open_dataset(made.folder / "twin" / "truth").card.license == "CC0-1.0"


def test_nothing_is_overwritten(project: Path) -> None:
    made = new_challenge("signals", project=project)
    (made.folder / "mine.txt").write_text("mine")
    with pytest.raises(DuplicateName, match="there is a challenge named 'signals'"):
        new_challenge("signals", project=project)
    assert (made.folder / "mine.txt").read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_overwritten(project: Path) -> None:
    (project / "challenges").mkdir()
    (project / "challenges" / "signals").symlink_to(project / "nowhere")
    with pytest.raises(DuplicateName):
        new_challenge("signals", project=project)


@pytest.mark.parametrize("slug", ["Signals", "my signals", "../signals", "", "1st", "signals/x"])
def test_a_name_that_is_no_slug(project: Path, slug: str) -> None:
    with pytest.raises(InputError, match="not a slug"):
        new_challenge(slug, project=project)
    assert not (project / "challenges").exists()


def test_no_kernel_to_score_with(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(InputError, match="no kernel to score with") as caught:
        new_challenge("signals", project=tmp_path)
    assert caught.value.next_command == "braggbook new kernel radiobiology"


def test_it_takes_up_the_only_open_goal(project: Path) -> None:
    experiment(project, OPEN, ANSWERED)
    made = new_challenge("doses", project=project, origin=str(project / "notebooks" / "sums.ipynb"))
    _asks(made, OPEN["text"])
    first = (made.folder / "challenge.toml").read_text(encoding="utf-8").splitlines()[0]
    assert "takes up dose of sums." in first
    assert str(project) not in first
    assert check_challenge(made, project=project) == []


def test_one_of_several_open_goals_is_named(project: Path) -> None:
    experiment(project, OPEN, OTHER, ANSWERED)
    with pytest.raises(InputError, match="several open goals") as caught:
        new_challenge("doses", project=project, origin="sums")
    assert (caught.value.wanted, caught.value.got) == ("--goal ID", "dose, let")
    _asks(new_challenge("doses", project=project, origin="sums", goal="let"), OTHER["text"])


def _asks(made: Challenge, text: str) -> None:
    assert (made.design.title, made.design.mission.aim) == (text, text)
    assert [one.name for one in made.design.organisation.organisers] == [FRONT["authors"][0]["name"]]
    assert made.design.license == FRONT["license"]


@pytest.mark.parametrize(
    ("goals", "goal", "kind", "words"),
    [
        ([], None, InputError, "no open goal"),
        ([ANSWERED], None, InputError, "no open goal"),
        ([OPEN, ANSWERED], "line", UnknownName, "no open goal 'line'"),
        ([OPEN, OTHER], "doze", UnknownName, "did you mean dose?"),
    ],
)
def test_a_goal_that_is_not_open(
    project: Path, goals: list[dict[str, Any]], goal: str | None, kind: type[BraggbookError], words: str
) -> None:
    experiment(project, *goals)
    with pytest.raises(kind) as caught:
        new_challenge("doses", project=project, origin="sums", goal=goal)
    assert words in str(caught.value)
    assert not (project / "challenges").exists()


def test_a_goal_of_no_notebook(project: Path) -> None:
    with pytest.raises(InputError, match="a goal of no notebook"):
        new_challenge("doses", project=project, goal="dose")
    experiment(project, OPEN)
    with pytest.raises(UnknownName, match="no notebook named 'summs'; did you mean sums"):
        new_challenge("doses", project=project, origin="summs")


def test_a_disk_that_refuses_leaves_nothing(project: Path) -> None:
    (project / "challenges").write_text("a file where the folder should be")
    with pytest.raises(BraggbookError) as caught:
        new_challenge("signals", project=project)
    assert caught.value.exit_code == 4
    assert (project / "challenges").read_text() == "a file where the folder should be"
