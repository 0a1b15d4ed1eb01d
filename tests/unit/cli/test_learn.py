"""``braggbook learn``, as a lecturer types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from braggbook.cli.face import Face
from braggbook.cli.learn import COMMANDS
from braggbook.errors import InputError
from braggbook.learn.lesson import lesson_slugs
from braggbook.settings import load_settings

ARCHIVED = Path(__file__).parents[2] / "archives" / "progress" / "0.1.0-export.json"


def call(*words: str | Path, code: int = 0) -> Result:
    settings, origins = load_settings({})
    runner = CliRunner()
    face = Face(settings, origins, out=Console(width=200), talk=Console(stderr=True, width=200))
    done = runner.invoke(COMMANDS["learn"], [str(word) for word in words], obj=face, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "ada.json").write_bytes(ARCHIVED.read_bytes())
    return folder


def test_lessons_are_listed_and_shown_without_answers() -> None:
    listed = json.loads(call("list", "--json").stdout)
    assert [each["lesson"] for each in listed] == lesson_slugs()
    shown = json.loads(call("show", "dose_and_survival", "--json").stdout)
    assert shown["questions"][0]["id"] == "q1"
    assert set(shown["questions"][0]) == {"id", "kind", "asks"}


def test_a_class_as_a_table_and_as_files(folder: Path, tmp_path: Path) -> None:
    data = json.loads(call("class", folder, "--json").stdout)
    (lesson,) = data["lessons"]
    assert lesson["students"][0]["answers"]["q2"] == {"right": True, "attempts": 3, "hints": 1, "slip": "percent"}
    for name in ("class.csv", "class.html"):
        call("class", folder, "--to", tmp_path / name)
    assert (tmp_path / "class.csv").read_bytes().startswith(b"\xef\xbb\xbflesson,student")
    assert "Ada Lovelace" in (tmp_path / "class.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"\.csv or \.html"):
        call("class", folder, "--to", tmp_path / "class.xlsx")


def test_a_bad_file_is_a_finding(folder: Path) -> None:
    (folder / "bad.json").write_text("{")
    data = json.loads(call("class", folder, "--json", code=1).stdout)
    assert data["bad"] == [{"file": "bad.json", "why": "it is not JSON"}]
    assert len(data["lessons"]) == 1


@pytest.mark.parametrize(("kind", "name"), [("markdown", "ada_lovelace.md"), ("html", "ada_lovelace.html")])
def test_letters(folder: Path, tmp_path: Path, kind: str, name: str) -> None:
    call("feedback", folder, "--to", tmp_path / "letters", "--as", kind)
    assert "Feedback for Ada Lovelace" in (tmp_path / "letters" / name).read_text(encoding="utf-8")
