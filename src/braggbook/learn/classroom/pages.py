"""A class as CSV and as one HTML page, and each student's feedback as Markdown or HTML."""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import jinja2

from braggbook.learn.base import Question
from braggbook.learn.classroom.collect import Cell, Class, LessonTable, Row

# What spreadsheets execute, at the begin of a cell; one that is set to another separator sees more cells than we do.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"(^|[;,|\t\r\n])([\s\"']*)(?=[=+\-@＝＋－＠])")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")
Kind = Literal["markdown", "html"]


def as_csv(everything: Class) -> str:
    """Returns a row for each student and lesson; texts of students cannot become formulas of a spreadsheet."""
    questions = list(dict.fromkeys(question for table in everything.lessons for question in table.questions))
    parts = ("right", "attempts", "hints", "slip")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["lesson", "student", "right", "exported", *(f"{q} {part}" for q in questions for part in parts)])
    for table in everything.lessons:
        for row in table.rows:
            cells = [value for question in questions for value in _values(table, row, question)]
            writer.writerow([table.slug, harmless(row.student), row.right, row.exported, *cells])
    return buffer.getvalue()


def _values(table: LessonTable, row: Row, question: str) -> tuple[object, ...]:
    if question not in table.questions:
        return ("", "", "", "")
    cell = row.cells.get(question, Cell())
    return ("yes" if cell.right else "no", cell.attempts, cell.hints, harmless(cell.slip))


def harmless(text: str) -> str:
    """Returns a text that a spreadsheet takes for a text, and a page shows in its order."""
    return _FORMULA.sub(r"\1\2'", visible(text))


def visible(text: str) -> str:
    """Returns a text without the characters that turn the direction of writing or cannot be seen."""
    return "".join(each for each in text if each in _JOINERS or unicodedata.category(each) != "Cf").strip()


_JOINERS = "\u200c\u200d"  # Persian and Indian names are written with them


def as_page(everything: Class) -> str:
    """Returns one HTML page that needs nothing else."""
    return _template("class.html").render(everything=everything, blank=Cell())


def feedback(everything: Class, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yields file name and text for each student."""
    by_student: dict[str, list[tuple[LessonTable, Row]]] = {}
    for table in everything.lessons:
        for row in table.rows:
            by_student.setdefault(" ".join(row.student.split()).casefold(), []).append((table, row))
    taken: Counter[str] = Counter()
    for pairs in by_student.values():
        student = visible(pairs[0][1].student)
        stem = _file_name(student)
        taken[stem] += 1
        number = f"_{taken[stem]}" if taken[stem] > 1 else ""
        letters = [_Letter(table, row) for table, row in pairs]
        template = _template("feedback.html" if kind == "html" else "feedback.md")
        yield f"{stem}{number}.{'html' if kind == 'html' else 'md'}", template.render(student=student, letters=letters)


@dataclass(frozen=True)
class _Advice:
    """What is said about one question."""

    id: str
    asks: str
    cell: Cell
    says: str
    read: str

    @property
    def text(self) -> str:
        """What was seen, how many hints are left, and where to read."""
        if not self.cell.attempts:
            seen = "Not tried yet."
        elif self.says:
            seen = f"Last seen: {self.says}" + ("" if self.says.endswith((".", "?", "!")) else ".")
        else:
            seen = f"Not right after {_many(self.cell.attempts, 'attempt')}."
        left = _ALL_HINTS - self.cell.hints
        hints = f" {_many(left, 'hint')} left." if left else ""
        return f"{seen}{hints}" + (f" Read again: {self.read}." if self.read else "")


@dataclass(frozen=True)
class _Letter:
    """What is said about one lesson."""

    table: LessonTable
    row: Row

    @property
    def right(self) -> list[str]:
        return [question for question in self.table.questions if self.row.cells.get(question, Cell()).right]

    @property
    def open(self) -> list[_Advice]:
        return [self._advice(question) for question in self.table.questions if question not in self.right]

    @property
    def helped(self) -> list[_Advice]:
        """Questions that are right, but took all hints."""
        return [self._advice(question) for question in self.right if self.row.cells[question].hints == _ALL_HINTS]

    def _advice(self, name: str) -> _Advice:
        cell = self.row.cells.get(name, Cell())
        question = self._question(name)
        if question is None:
            return _Advice(name, "", cell, cell.slip, "")
        return _Advice(name, question.asks, cell, question.advice(cell.slip) or cell.slip, question.read)

    def _question(self, name: str) -> Question | None:
        lesson = self.table.lesson
        return lesson.question(name) if lesson is not None and name in lesson.ids else None


_ALL_HINTS = 3


def _file_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")[:60] or "student"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _markdown(text: str) -> str:
    """Returns a text of which Markdown makes nothing but the text."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(visible(text).split()), quote=False))


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.learn.classroom", "templates"),
        autoescape=jinja2.select_autoescape(("html",)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["visible"] = visible
    environment.filters["markdown"] = _markdown
    environment.filters["many"] = _many
    return environment.get_template(name)
