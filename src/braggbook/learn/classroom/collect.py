"""Reading what a class has handed in; a bad file is listed, and the others still count."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import InputError
from braggbook.formats.common import issues_from
from braggbook.formats.progress import ProgressExport, QuestionProgress
from braggbook.learn.handing_in import digest
from braggbook.learn.lesson import Lesson, lesson_slugs, load_lesson
from braggbook.learn.state import read_json

_MOST_FILES = 10_000
_MOST_ISSUES = 3  # of one file; who forged it does not need all


@dataclass(frozen=True)
class BadFile:
    """A file that is in no table, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class Cell:
    """One student at one question."""

    right: bool = False
    attempts: int = 0
    hints: int = 0
    slips: tuple[str, ...] = ()  # of all wrong attempts that are listed, in order

    @property
    def slip(self) -> str:
        """The last misconception that was recognised."""
        return next((slip for slip in reversed(self.slips) if slip), "")


@dataclass(frozen=True)
class Row:
    """One student in one lesson."""

    student: str
    file: str
    exported: str
    cells: Mapping[str, Cell]

    @property
    def right(self) -> int:
        """How many questions are right."""
        return sum(cell.right for cell in self.cells.values())


@dataclass(frozen=True)
class QuestionSummary:
    """One question over the whole class."""

    question: str
    asks: str
    right: int
    tried: int
    attempts: int
    hints: int
    slip: str  # the most common misconception
    students: int  # who had it


@dataclass(frozen=True)
class LessonTable:
    """Students by questions, for one lesson."""

    slug: str
    title: str
    questions: Sequence[str]
    rows: Sequence[Row]
    lesson: Lesson | None = None

    def summary(self) -> list[QuestionSummary]:
        """Returns each question over the whole class."""
        return [self._summary(question) for question in self.questions]

    def _summary(self, question: str) -> QuestionSummary:
        cells = [row.cells.get(question, Cell()) for row in self.rows]
        slips = Counter(slip for cell in cells for slip in set(cell.slips) if slip)
        slip, students = min(slips.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
        return QuestionSummary(
            question,
            self.lesson.question(question).asks if self.lesson and question in self.lesson.ids else "",
            right=sum(cell.right for cell in cells),
            tried=sum(cell.attempts > 0 for cell in cells),
            attempts=sum(cell.attempts for cell in cells),
            hints=sum(cell.hints for cell in cells),
            slip=slip,
            students=students,
        )


@dataclass(frozen=True)
class Class:
    """Everything that was handed in."""

    lessons: Sequence[LessonTable]
    bad: Sequence[BadFile] = ()
    older: Sequence[BadFile] = field(default_factory=tuple)  # of two files of a student, the one exported earlier


def read_class(folder: Path, *, lessons: Iterable[Path] = ()) -> Class:
    """Reads every export in a folder and below.

    Args:
        folder: Where the exports are.
        lessons: Files of lessons that do not come with Braggbook.

    Raises:
        InputError: There is no such folder, nothing in it, or a lesson's file cannot be used.
    """
    known = {lesson.slug: lesson for lesson in map(load_lesson, lessons)}
    found: list[tuple[ProgressExport, str]] = []
    bad: list[BadFile] = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        export = _read(path)
        if isinstance(export, str):
            bad.append(BadFile(name, export))
        else:
            found.append((export, name))
    if not found and not bad:
        raise InputError("nothing was handed in", where=str(folder), wanted="files that bb.learn.export wrote")
    latest, older = _latest(found)
    by_lesson: dict[str, list[Row]] = defaultdict(list)
    for export, name in latest:
        by_lesson[export.progress.lesson].append(_row(export, name))
    return Class([_table(slug, rows, known) for slug, rows in sorted(by_lesson.items())], bad, older)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), wanted="the folder with what the class handed in")
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if not name.endswith(".json") or name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            count += 1
            if count > _MOST_FILES:
                raise InputError("more files than a class hands in", where=str(folder), wanted=f"at most {_MOST_FILES}")
            yield path


def _read(path: Path) -> ProgressExport | str:
    """Returns an export, or why it is none."""
    try:
        document = read_json(path)
        export = ProgressExport.model_validate_json(json.dumps(document))
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    except ValidationError as error:
        issues = [str(issue) for issue in issues_from(error, where="", known=ProgressExport)]
        more = f"; and {len(issues) - _MOST_ISSUES} more" if len(issues) > _MOST_ISSUES else ""
        return "; ".join(issue.strip() for issue in issues[:_MOST_ISSUES]) + more
    except (ValueError, RecursionError) as error:
        return str(error)[:200]
    if digest(document) != export.sha256:
        return "it was changed after it was exported"
    return export


def _latest(found: Sequence[tuple[ProgressExport, str]]) -> tuple[list[tuple[ProgressExport, str]], list[BadFile]]:
    """Of several files of one name and lesson, keeps the one exported last."""
    groups: dict[tuple[str, str], list[tuple[ProgressExport, str]]] = defaultdict(list)
    for export, name in found:
        groups[export.progress.lesson, " ".join(export.name.split()).casefold()].append((export, name))
    latest, older = [], []
    for group in groups.values():
        *before, last = sorted(group, key=lambda pair: (pair[0].exported, pair[1]))
        latest.append(last)
        for export, name in before:
            begun = "" if export.progress.started == last[0].progress.started else ", begun at another time or place"
            older.append(BadFile(name, f"a later file of {export.name} counts: {last[1]}{begun}"))
    return sorted(latest, key=lambda pair: pair[0].name.casefold()), older


def _row(export: ProgressExport, name: str) -> Row:
    cells = {question: _cell(known) for question, known in export.progress.questions.items()}
    return Row(export.name, name, export.exported, cells)


def _cell(known: QuestionProgress) -> Cell:
    slips = tuple(attempt.slip for attempt in known.log if not attempt.right)
    return Cell(known.right_at is not None, known.attempts, known.hints, slips)


def _only(row: Row, questions: Sequence[str]) -> Row:
    """Leaves out questions that the lesson does not have (an older one of this name had them, or nobody)."""
    return replace(row, cells={name: cell for name, cell in row.cells.items() if name in questions})


def _table(slug: str, rows: list[Row], known: Mapping[str, Lesson]) -> LessonTable:
    lesson = known.get(slug) or (load_lesson(slug) if slug in lesson_slugs() else None)
    if lesson is not None:
        return LessonTable(slug, lesson.title, lesson.ids, [_only(row, lesson.ids) for row in rows], lesson)
    questions = sorted({question for row in rows for question in row.cells}, key=lambda name: (len(name), name))
    return LessonTable(slug, slug, questions, rows)
