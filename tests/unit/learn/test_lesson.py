"""Lessons: found by name or path, and looked at before they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.errors import InputError, UnknownName
from braggbook.learn import lesson_slugs, load_lesson

HEAD = "from braggbook.learn import *\nH = ('a', 'b', 'c')\n"


def written(folder: Path, questions: str, **more: str) -> Path:
    parts = {"title": "'T'", "minutes": "5", "goals": "('g',)", **more}
    text = ", ".join(f"{name}={value}" for name, value in parts.items())
    path = folder / "my_lesson.py"
    path.write_text(f"{HEAD}LESSON = Lesson({text}, questions=({questions}))\n", encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_lesson(path)
    return str(caught.value)


def test_a_lesson_of_ones_own(lesson_path: Path) -> None:
    lesson = load_lesson(lesson_path)
    assert (lesson.slug, len(lesson.sha256), lesson.ids) == ("a_lesson", 64, ["q1", "q2", "q3", "q4", "q5", "q6", "q7"])
    with pytest.raises(UnknownName, match="q12"):
        lesson.question("q12")


@pytest.mark.parametrize("slug", lesson_slugs())
def test_every_lesson_that_ships_can_be_used(slug: str) -> None:
    assert load_lesson(slug).slug == slug


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        ("Number('q1', expected=2, hints=H), Number('q1', expected=3, hints=H),", "q1: two questions have this id"),
        ("Number('Q 1', expected=2, hints=H),", "is not of the form q1"),
        ("Number('q1', expected=2),", "hints: wanted three texts (nudge, formula, code), got 0"),
        ("Number('q1', expected=2, hints=('a', '', 'c')),", "hints: wanted three"),
        ("Number('q1', expected=2, hints='abc'),", "hints: wanted three"),
        ("Number('q1', expected=2, unit='grays', hints=H),", "unit"),
        ("Number('q1', expected=lambda: 1 / 0, hints=H),", "expected cannot be worked out: ZeroDivisionError"),
        ("Number('q1', expected=float('nan'), hints=H),", "expected cannot be worked out"),
        ("Number('q1', expected=2, rtol=1.5, hints=H),", "tolerance"),
        (
            "Number('q1', expected=2, hints=H, slips=(Slip(value=2.01, says='s'),)),",
            "slip 's' has the same value as expected",
        ),
        (
            "Number('q1', expected=2, hints=H, slips=(Slip(value=5, says='s'), Slip(value=lambda: 5.01, says='t'))),",
            "slip 't' has the same value as slip 's'",
        ),
        ("Values('q1', expected=[1, 2], hints=H, slips=(Slip(value=[1, 2], says='s'),)),", "same value"),
        ("", "no questions"),
    ],
)
def test_a_lesson_that_is_wrong_itself_says_so(tmp_path: Path, questions: str, says: str) -> None:
    text = refused(written(tmp_path, questions))
    assert says in text
    assert "write_a_lesson.md" in text


def test_all_findings_are_listed(tmp_path: Path) -> None:
    text = refused(written(tmp_path, "Number('q1', expected=2), Number('q1', expected=2),", minutes="0", title="''"))
    for says in ("no title", "minutes", "two questions", "hints"):
        assert says in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LESSON = 3", "no lesson in this file"),
        ("", "no lesson in this file"),
        ("def (", "cannot be executed; got SyntaxError"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("from braggbook.learn import *\nLESSON = Lesson('x')", "TypeError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 'é'".encode("latin-1"), "SyntaxError"),
    ],
)
def test_a_file_that_is_no_lesson_says_so(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = tmp_path / "a_lesson.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert says in refused(path)


def test_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        load_lesson("dose_and_surviva")
    with pytest.raises(UnknownName, match="no such lesson file"):
        load_lesson(tmp_path / "none.py")
    bad = tmp_path / "My Lesson.py"
    bad.write_text(HEAD)
    assert "not a lesson's name" in refused(bad)
