"""Taking work away, and knowing where one is."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from braggbook import learn
from braggbook.errors import InputError
from braggbook.learn import parcel
from braggbook.learn.binder import on_binder, reminder


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lesson: Path) -> Path:
    folder = tmp_path / "project"
    for name in (
        "notebooks/a.ipynb",
        "notebooks/.ipynb_checkpoints/a.ipynb",
        "runs/r1/run.json",
        "runs/r1/.token",
        "b.ipynb",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "runs" / "link").symlink_to("/etc/hostname")
    monkeypatch.chdir(folder)
    learn.check("q1", 2)
    return folder


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        return packed.namelist()


def test_work_in_one_zip(work: Path) -> None:
    taken = learn.take_away()
    assert names(taken.path) == [
        "here/b.ipynb",
        "notebooks/a.ipynb",
        "runs/r1/run.json",
        "progress/others/a_lesson.json",
    ]
    assert taken.path.parent == work
    assert taken.files == 4
    html = taken._repr_html_()
    assert f'<a href="{taken.path.name}" download="{taken.path.name}">' in html


def test_the_project_is_found_from_a_folder_below(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work / "notebooks")
    taken = learn.take_away()
    assert names(taken.path)[:2] == ["here/a.ipynb", "notebooks/a.ipynb"]
    assert taken.path.parent == work / "notebooks"


def test_a_run_is_one_folder_in_one_zip(work: Path) -> None:
    taken = learn.take_away("runs/r1")
    assert (taken.path.name, names(taken.path)) == ("r1.zip", ["r1/run.json"])


def test_a_zip_elsewhere_has_its_address_relative_to_the_notebook(work: Path) -> None:
    (work / "my files").mkdir()
    taken = learn.take_away("runs/r1", to="my files")
    assert 'href="my%20files/r1.zip"' in taken._repr_html_()


def test_what_is_too_large_is_named(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "_LARGEST_BYTES", 20)
    (work / "runs" / "r1" / "large.bin").write_bytes(os.urandom(100))
    taken = learn.take_away("runs")
    assert taken.left_out == ("runs/r1/large.bin",)
    assert "Left out: runs/r1/large.bin" in str(taken)


def test_a_name_with_markup_is_text(work: Path) -> None:
    folder = work / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    assert "<img" not in learn.take_away(folder)._repr_html_()


def test_links_out_of_the_folder_are_not_followed(work: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "token").write_text("t")
    (work / "notebooks" / "elsewhere").symlink_to(secret)
    (work / "c.ipynb").symlink_to(secret / "token")
    (work / "runs").rename(work / "old")
    (work / "runs").symlink_to(secret)
    assert not [
        name for name in names(learn.take_away().path) if "token" in name or "elsewhere" in name or "c.i" in name
    ]


def test_hidden_files_stay(work: Path) -> None:
    for name in (".env", ".git/config", "r1/.netrc", ".jupyter/token"):
        path = work / "runs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    assert names(learn.take_away("runs").path) == ["runs/r1/run.json"]


def test_names_and_times_that_no_zip_can_say(work: Path) -> None:
    odd = work / "runs" / "r1" / os.fsdecode(b"odd\xff.txt")
    odd.write_text("x")
    os.utime(odd, (10**10, 10**10))
    os.utime(work / "runs" / "r1" / "run.json", (-(10**9), -(10**9)))
    assert names(learn.take_away("runs/r1").path) == ["r1/odd?.txt", "r1/run.json"]


def test_a_file_that_is_gone_meanwhile_is_left_out(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        parcel, "_tree", lambda folder: iter([("r1/gone", folder / "gone"), ("r1/a", folder / "run.json")])
    )
    taken = learn.take_away("runs/r1")
    assert (taken.files, taken.left_out) == (1, ("r1/gone",))


@pytest.mark.parametrize("to", ["b.ipynb", "other/x", "runs.tar"])
def test_nothing_but_a_zip_is_replaced(work: Path, to: str) -> None:
    with pytest.raises(InputError, match=r"not a place for a zip.*ends in \.zip"):
        learn.take_away("runs", to=to)
    assert (work / "b.ipynb").read_text() == "b.ipynb"


def test_progress_of_lessons_with_one_name_stays_apart(work: Path, progress_folder: Path) -> None:
    (progress_folder / "a_lesson.json").write_text("{}")
    found = names(learn.take_away().path)
    assert found[-2:] == ["progress/a_lesson.json", "progress/others/a_lesson.json"]


def test_nothing_to_take_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress_folder: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="nothing to take away"):
        learn.take_away()
    with pytest.raises(InputError, match="no such folder"):
        learn.take_away("runs/none")


@pytest.mark.parametrize(
    ("environment", "is_binder"),
    [
        ({}, False),
        ({"JUPYTERHUB_USER": "ada"}, False),
        ({"BINDER_LAUNCH_HOST": "https://mybinder.org/"}, True),
        ({"BINDER_REPO_URL": "https://github.com/a/b"}, True),
        ({"JUPYTERHUB_API_URL": "http://hub.binder.svc/hub/api"}, True),
    ],
)
def test_binder_is_known_by_its_environment(environment: dict[str, str], is_binder: bool) -> None:
    assert on_binder(environment) is is_binder
    assert ("10 minutes" in reminder(environment)) is is_binder


def test_a_lesson_reminds_on_binder(lesson_path: Path, progress_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDER_LAUNCH_HOST", "https://mybinder.org/")
    assert "take_away()" in str(learn.begin(lesson_path))
