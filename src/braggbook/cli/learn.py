"""``braggbook learn``: lessons, and what a class has handed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.files import storage, write_text
from braggbook.learn.classroom.collect import Cell, Class, LessonTable, Row, read_class
from braggbook.learn.classroom.pages import Kind, as_csv, as_page, feedback, visible
from braggbook.learn.lesson import lesson_slugs, load_lesson

_FOLDER = click.argument("folder", type=click.Path(path_type=Path))
_LESSON = click.option(
    "--lesson",
    "lessons",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of a lesson that does not come with Braggbook; may be repeated.",
)


@click.group("learn")
def learn_group() -> None:
    """See lessons; collect what a class has handed in, and write feedback. Files only, no server."""


@learn_group.command("list")
@verb
def list_command(face: Face) -> None:
    """List the lessons that come with Braggbook."""
    lessons = [load_lesson(slug) for slug in lesson_slugs()]
    data = [
        {"lesson": each.slug, "title": each.title, "minutes": each.minutes, "questions": each.ids} for each in lessons
    ]
    rows = [(each.slug, each.title, each.minutes, len(each.ids)) for each in lessons]
    face.emit(data, table("lesson", "title", "minutes", "questions", rows=rows))


@learn_group.command("show")
@click.argument("lesson")
@verb
def show_command(face: Face, lesson: str) -> None:
    """Show a LESSON (a name, or a path to its file): goals and questions, never the answers."""
    found = load_lesson(lesson)
    rows = [(each.id, type(each).__name__.lower(), each.asks) for each in found.questions]
    data = {
        "lesson": found.slug,
        "title": found.title,
        "minutes": found.minutes,
        "goals": list(found.goals),
        "questions": [dict(zip(("id", "kind", "asks"), row, strict=True)) for row in rows],
    }
    goals = Text("\n".join(f"  {goal}" for goal in found.goals))
    title = Text(f"{found.title} ({found.minutes} minutes)", style="bold")
    face.emit(data, title, goals, table("question", "kind", "asks", rows=rows))


@learn_group.command("class", short_help="Collect what a class handed in into one table.")
@_FOLDER
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to a .csv or .html file.")
@_LESSON
@verb
def class_command(face: Face, folder: Path, to: Path | None, lessons: tuple[Path, ...]) -> None:
    """Collect the exports in FOLDER into one table. Exit code 1 if a file could not be used."""
    everything = read_class(folder, lessons=lessons)
    if to is not None:
        write_text(to, _as_file(everything, to))
    shown: list[Any] = []
    for each in everything.lessons:
        shown += [Text(each.title, style="bold"), _students(each), Text(), _questions(each), Text()]
    face.emit(_as_json(everything), *shown)
    _say_files(face, everything)
    if to is not None:
        face.say(f"written to {to}")
    if everything.bad:
        raise click.exceptions.Exit(1)


@learn_group.command("feedback", short_help="Write a letter to each student of a class.")
@_FOLDER
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the letters.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["markdown", "html"]),
    default="markdown",
    show_default=True,
    help="What the letters are written in.",
)
@_LESSON
@verb
def feedback_command(face: Face, folder: Path, to: Path, kind: Kind, lessons: tuple[Path, ...]) -> None:
    """Write a letter to each student in FOLDER: what is right, what to look at again. Exit code 1 as for class."""
    everything = read_class(folder, lessons=lessons)
    with storage(to):
        to.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in feedback(everything, kind):
        write_text(to / name, text)
        written.append(str(to / name))
    face.emit({"written": written, "bad": _files(everything.bad)}, Text("\n".join(written)))
    _say_files(face, everything)
    if everything.bad:
        raise click.exceptions.Exit(1)


def _as_file(everything: Class, to: Path) -> str:
    if to.suffix == ".csv":
        return "\ufeff" + as_csv(everything)  # the mark by which spreadsheets know UTF-8
    if to.suffix == ".html":
        return as_page(everything)
    raise InputError("not a kind of file to write", where=str(to), wanted=".csv or .html", got=to.suffix or "no suffix")


def _students(each: LessonTable) -> Any:
    rows = [
        (visible(row.student), row.right, *(_short(row, question) for question in each.questions)) for row in each.rows
    ]
    return table("student", "right", *each.questions, rows=rows)


def _short(row: Row, question: str) -> str:
    cell = row.cells.get(question, Cell())
    mark = "✓" if cell.right else "✗" if cell.attempts else "–"
    return f"{mark} {cell.attempts}" + (f"+{cell.hints}" if cell.hints else "") if cell.attempts or cell.hints else mark


def _questions(each: LessonTable) -> Any:
    rows = [
        (s.question, s.right, s.tried, s.attempts, s.hints, visible(f"{s.slip} ({s.students})") if s.slip else "")
        for s in each.summary()
    ]
    return table("question", "right", "tried", "attempts", "hints", "most common misconception (students)", rows=rows)


def _say_files(face: Face, everything: Class) -> None:
    for title, files in (("could not be used", everything.bad), ("does not count", everything.older)):
        for each in files:
            face.say(visible(f"{title}: {each.file}: {each.why}"))


def _files(files: Any) -> list[dict[str, str]]:
    return [{"file": each.file, "why": each.why} for each in files]


def _as_json(everything: Class) -> dict[str, Any]:
    return {
        "lessons": [
            {
                "lesson": each.slug,
                "title": each.title,
                "students": [_student(row) for row in each.rows],
                "questions": [vars(summary) for summary in each.summary()],
            }
            for each in everything.lessons
        ],
        "bad": _files(everything.bad),
        "older": _files(everything.older),
    }


def _student(row: Row) -> dict[str, Any]:
    cells = {
        name: {"right": cell.right, "attempts": cell.attempts, "hints": cell.hints, "slip": cell.slip}
        for name, cell in row.cells.items()
    }
    return {"student": row.student, "file": row.file, "exported": row.exported, "right": row.right, "answers": cells}


COMMANDS = {"learn": learn_group}
