"""A class's exports in one table: bad files are listed, the others count; and a letter to each student."""

from __future__ import annotations

import csv
import io
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from braggbook import learn
from braggbook.errors import InputError
from braggbook.learn import session
from braggbook.learn.classroom.collect import Class, read_class
from braggbook.learn.classroom.pages import as_csv, as_page, feedback, harmless
from braggbook.learn.handing_in import digest, write_export

EVIL = "<script>alert('x')</script>"
FORMULA = '=HYPERLINK("http://evil")'


def hand_in(folder: Path, name: str, **answers: Any) -> Path:
    """Writes one student's export: wrong answers first, the last one as it comes."""
    progress = {
        "format": "braggbook.progress/1",
        "lesson": "a_lesson",
        "lesson_sha256": "0" * 64,
        "started": "2026-11-23T09:30:00Z",
        "questions": {},
    }
    for question, (right, *slips) in answers.items():
        log = [{"at": "2026-11-23T09:30:00Z", "right": False, "slip": slip} for slip in slips]
        entry = {"attempts": len(log) + right, "hints": len(slips), "log": log}
        progress["questions"][question] = entry | ({"right_at": "2026-11-23T09:40:00Z"} if right else {})  # type: ignore[index]
    folder.mkdir(parents=True, exist_ok=True)
    return write_export(progress, name, folder)


def again(path: Path, to: Path, **change: Any) -> None:
    """Writes a changed export with a digest that is right."""
    document = json.loads(path.read_text()) | change
    to.write_text(json.dumps(document | {"sha256": digest(document)}))


@pytest.fixture
def handed_in(tmp_path: Path, lesson_path: Path) -> Class:
    folder = tmp_path / "class"
    hand_in(folder, "Ada Lovelace", q1=(True, "unit cGy", "squared"), q2=(False, "chose a"))
    hand_in(
        folder / "Grace (late)", "Grace Hopper", q1=(True, "squared"), q3=(False, "Survival falls.", "endless loop", "")
    )
    hand_in(folder, EVIL, q1=(False, FORMULA))
    hand_in(folder, FORMULA, q2=(True,))
    return read_class(folder, lessons=[lesson_path])


def test_students_by_questions(handed_in: Class) -> None:
    (table,) = handed_in.lessons
    assert table.title == "A lesson"
    rows = {row.student: row for row in table.rows}
    assert rows["Ada Lovelace"].right == 1
    cell = rows["Ada Lovelace"].cells["q1"]
    assert (cell.right, cell.attempts, cell.hints, cell.slip) == (True, 3, 2, "squared")
    assert rows["Grace Hopper"].cells["q3"].slip == "endless loop"
    first = table.summary()[0]
    assert (first.right, first.tried, first.attempts, first.slip, first.students) == (2, 3, 6, "squared", 2)
    assert not handed_in.bad


def test_a_bad_file_is_listed_and_the_others_count(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    good = hand_in(folder, "Ada", q1=(True,))
    text = good.read_text()
    (folder / "forged.json").write_text(text.replace('"attempts": 1', '"attempts": 2'))
    (folder / "renamed.json").write_text(text.replace('"Ada"', '"Eve"'))
    for name, content in {
        "broken": b"{", "binary": b"\xff\xfe\x00", "list": b"[1]", "deep": b"[" * 100_000, "empty": b"",
        "huge": b" " * 6_000_000, "nan": b'{"name": NaN}', "other": b'{"cells": []}', "number": b"1e999",
        "surrogate": json.dumps(json.loads(text) | {"name": "\ud800"}).encode(),
    }.items():  # fmt: skip
        (folder / f"{name}.json").write_bytes(content)
    (folder / "notes.txt").write_text("not a file of ours")
    (folder / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.json")
    found = read_class(folder)
    assert [row.student for row in found.lessons[0].rows] == ["Ada"]
    bad = {each.file: each.why for each in found.bad}
    assert set(bad) == {f"{name}.json" for name in (
        "forged", "renamed", "broken", "binary", "list", "deep", "empty", "huge", "nan", "other", "number", "surrogate",
    )}  # fmt: skip
    assert bad["forged.json"] == bad["renamed.json"] == "it was changed after it was exported"
    assert "too large" in bad["huge.json"]
    assert all(len(why) < 1000 for why in bad.values())


def test_of_two_files_of_one_student_the_later_counts(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    path = hand_in(folder, "Ada", q1=(False,))
    again(path, folder / "b.json", exported="2030-01-01T00:00:00Z", name="ADA ")
    found = read_class(folder)
    assert [row.file for row in found.lessons[0].rows] == ["b.json"]
    assert [each.file for each in found.older] == [path.name]
    assert "b.json" in found.older[0].why


def test_a_lesson_that_is_not_known_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    hand_in(tmp_path / "class", "Ada", q10=(True,), q2=(False, "x"))
    (table,) = read_class(tmp_path / "class").lessons
    assert (table.title, table.questions) == ("a_lesson", ["q2", "q10"])


def test_questions_that_the_lesson_does_not_have_are_left_out(tmp_path: Path, lesson_path: Path) -> None:
    hand_in(tmp_path / "class", "Ada", q99=(True,), q1=(True,))
    (table,) = read_class(tmp_path / "class", lessons=[lesson_path]).lessons
    assert table.rows[0].right == 1


def test_no_folder_and_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_class(tmp_path / "none")
    with pytest.raises(InputError, match="nothing was handed in"):
        read_class(tmp_path)


def test_the_csv_holds_no_formula(handed_in: Class) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(handed_in))))
    assert [row["student"] for row in rows] == [EVIL, "'" + FORMULA, "Ada Lovelace", "Grace Hopper"]
    assert rows[0]["q1 slip"] == "'" + FORMULA
    assert rows[2]["q1 right"] == "yes"
    assert (rows[2]["q2 right"], rows[2]["q2 attempts"], rows[2]["q2 slip"]) == ("no", "1", "chose a")
    for row in rows:
        assert not [value for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize(
    ("text", "harmless_text"),
    [
        ("Ada", "Ada"),
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\u200b=1", "'=1"),
        ("a;=1+1;b", "a;'=1+1;b"),
        ('a;"=1+1";b', 'a;"\'=1+1";b'),
        ("a|-2", "a|'-2"),
        ("Smith-Jones, A.", "Smith-Jones, A."),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_formulas_in_any_cell_that_a_spreadsheet_may_see_are_text(text: str, harmless_text: str) -> None:
    assert harmless(text) == harmless_text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs


def tags(text: str) -> Tags:
    parser = Tags()
    parser.feed(text)
    return parser


def test_the_page_stands_alone_and_escapes_what_students_typed(handed_in: Class) -> None:
    text = as_page(handed_in)
    page = tags(text)
    assert not {"script", "link", "img", "iframe"} & set(page.seen)
    assert "&lt;script&gt;" in text
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    assert ("lang", "en") in page.attributes
    assert page.attributes.count(("scope", "row")) == 7 + 4
    assert "prefers-color-scheme: dark" in text


def test_text_that_turns_its_direction_is_put_right(tmp_path: Path) -> None:
    hand_in(tmp_path / "class", "Ada\u202eevil", q1=(True,))
    found = read_class(tmp_path / "class")
    for text in (as_csv(found), as_page(found), *(text for _, text in feedback(found, "markdown"))):
        assert "\u202e" not in text


def test_letters_say_what_to_look_at_again(handed_in: Class) -> None:
    letters = dict(feedback(handed_in, "markdown"))
    assert len(letters) == 4
    ada = letters["ada_lovelace.md"]
    assert ada.startswith(
        "# Feedback for Ada Lovelace\n\n## A lesson\n\n1 of 7 questions right: q1.\n\n### Look at these"
    )
    assert "- **q2** \n\n  Last seen: Look again. 2 hints left." in ada
    grace = letters["grace_hopper.md"]
    assert "Last seen: endless loop." in grace
    evil = next(text for name, text in letters.items() if name.startswith("script"))
    assert "<script" not in evil
    assert "Read again: page 1." in evil
    html = dict(feedback(handed_in, "html"))
    assert not [text for text in html.values() if "<script" in text]


def test_letters_of_students_whose_names_look_alike_stay_apart(tmp_path: Path) -> None:
    for name in ("José", "Jose!", "李", "王"):
        hand_in(tmp_path / "class" / name, name, q1=(True,))
    names = sorted(name for name, _ in feedback(read_class(tmp_path / "class"), "markdown"))
    assert names == ["jose.md", "jose_2.md", "student.md", "student_2.md"]


def test_a_student_of_two_lessons_gets_one_letter(tmp_path: Path) -> None:
    path = hand_in(tmp_path / "class", "Ada", q1=(True,))
    progress = json.loads(path.read_text())["progress"] | {"lesson": "another"}
    again(path, tmp_path / "class" / "b.json", progress=progress)
    ((name, text),) = feedback(read_class(tmp_path / "class"), "markdown")
    assert name == "ada.md"
    assert "## a\\_lesson" in text
    assert "## another" in text


def test_what_a_real_notebook_hands_in_is_read(lesson: Path, tmp_path: Path) -> None:
    for answer in (200, 4.0, 3.3):
        learn.check("q1", answer)
    learn.hint("q1")
    learn.export("Ada", tmp_path)
    cell = read_class(tmp_path, lessons=[lesson]).lessons[0].rows[0].cells["q1"]
    assert (cell.right, cell.attempts, cell.hints, cell.slip) == (False, 3, 1, "squared")
    assert session._open
