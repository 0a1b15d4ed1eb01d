"""What a notebook calls: begin, check, hint, progress, export, resume."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from braggbook.errors import InputError
from braggbook.learn.base import HINT_LEVELS
from braggbook.learn.binder import REMIND_S, reminder
from braggbook.learn.calling import prepare
from braggbook.learn.calls import not_from_within
from braggbook.learn.functions import Function
from braggbook.learn.handing_in import read_export, write_export
from braggbook.learn.lesson import Lesson, load_lesson, ships
from braggbook.learn.state import LOG_LENGTH, Record, entry_of, learn_folder, merge, now
from braggbook.learn.telling import as_path, plainly
from braggbook.learn.verdict import Verdict, box

_MARKS = {"right": "✓", "wrong": "✗", "open": "○"}


@dataclass(frozen=True)
class Note:
    """Something to read, as text and as HTML."""

    head: str
    paragraphs: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((self.head, *(text for text in self.paragraphs if text)))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return box("note", self.head, *self.paragraphs)


@dataclass(frozen=True)
class _Session:
    lesson: Lesson
    record: Record
    reminded_at: list[float] = field(default_factory=lambda: [time.monotonic()])

    def standing(self) -> str:
        """Which questions are right, and with how many attempts and hints."""
        known = self.record.read()["questions"]
        questions = self.lesson.ids
        done = sum("right_at" in known.get(question, {}) for question in questions)
        head = f"{done} of {_many(len(questions), 'question')} right"
        begun = [question for question in questions if question in known]
        return "\n".join([head, *(_line(question, known.get(question)) for question in questions)]) if begun else head

    def said(self) -> str:
        """What the student should know about the progress file; said once."""
        said = "\n".join(self.record.said)
        self.record.said.clear()
        return said

    def reminded(self) -> str:
        """What to keep in mind on Binder, every few minutes anew."""
        if time.monotonic() < self.reminded_at[-1] + REMIND_S:
            return ""
        self.reminded_at[:] = [time.monotonic()]
        return reminder()


_open: list[_Session] = []  # the lesson of this kernel, once it has begun


@plainly
def begin(lesson: str | Path) -> Note:
    """Begins a lesson, and shows its goals, its minutes and how far you are.

    Args:
        lesson: Name of a lesson that comes with Braggbook (``dose_and_survival``), or path to a lesson's file.
    """
    loaded = load_lesson(as_path(lesson))
    folder = learn_folder() if ships(Path(loaded.file)) else learn_folder() / "others"
    session = _Session(loaded, Record(folder / f"{loaded.slug}.json", slug=loaded.slug, sha256=loaded.sha256))
    _open[:] = [session]
    if any(isinstance(question, Function) for question in loaded.questions):
        prepare(loaded.file)
    goals = "\n".join(f"• {goal}" for goal in loaded.goals)
    head = f"{loaded.title} ({loaded.minutes} minutes)"
    return Note(head, (f"Afterwards you can\n{goals}", session.standing(), reminder(), session.said()))


@plainly
def check(question: str, answer: Any = ..., *, unit: str | None = None, seed: int | None = None) -> Verdict:
    """Judges an answer.

    Args:
        question: Id of the question.
        answer: A number, a list, an option, a text, a function or a figure; ``...`` is none yet.
        unit: What a number is in, where it is not the unit that the question asks for.
        seed: Repeats the random inputs of an earlier check of a function.

    Returns:
        A verdict: true when the answer is right; it shows itself as the last value of a cell.
    """
    session = _begun()
    verdict = session.lesson.check(question, answer, unit=unit, seed=seed)
    if verdict.state != "unanswered":
        session.record.change(_counting(question, verdict))
    return replace(verdict, note="\n".join(text for text in (session.said(), session.reminded()) if text))


@plainly
def hint(question: str) -> Note:
    """Shows the next hint of a question: first a nudge, then the formula, then the code."""
    session = _begun()
    asked = session.lesson.question(question)
    before = session.record.read()["questions"].get(question, {}).get("hints", 0)
    level = min(before + 1, len(HINT_LEVELS))
    if level > before:
        session.record.change(lambda data: entry_of(data, question).update(hints=level))
    shown = range(level) if before == level else (level - 1,)  # after the last one, all of them
    texts = [asked.hints[place] for place in shown]
    return Note(f"{question}, hint {level} of {len(HINT_LEVELS)}: {HINT_LEVELS[level - 1]}", (*texts, session.said()))


@plainly
def progress() -> Note:
    """Shows which questions of the lesson are right, and with how many attempts and hints."""
    session = _begun()
    return Note(session.lesson.title, (session.standing(), session.said()))


@plainly
def export(name: str, to: str | Path | None = None) -> Path:
    """Writes the lesson's progress as a file to hand in, or to continue from elsewhere.

    Args:
        name: As your lecturer knows you; nothing else in the file tells who or where you are.
        to: A file or a folder; by default the working folder.
    """
    return write_export(_begun().record.read(), name, None if to is None else as_path(to))


@plainly
def resume(file: str | Path) -> Note:
    """Continues from a file that :func:`export` wrote; what is known here already is kept.

    Raises:
        InputError: It is no such file, was changed since, or belongs to another lesson.
    """
    session = _begun()
    there = read_export(as_path(file))
    if there["lesson"] != session.lesson.slug:
        raise InputError(
            "progress of another lesson",
            where=str(file),
            wanted=session.lesson.slug,
            got=there["lesson"],
            next_command=f'bb.learn.begin("{there["lesson"]}")',
        )
    session.record.change(lambda data: merge(data, there))
    return progress()


def progress_files() -> list[Path]:
    """Returns the files that hold this person's progress."""
    return sorted(learn_folder().glob("*.json")) + sorted((learn_folder() / "others").glob("*.json"))


def _begun() -> _Session:
    not_from_within()
    if not _open:
        raise InputError("no lesson has begun in this notebook", next_command='bb.learn.begin("dose_and_survival")')
    return _open[0]


def _counting(question: str, verdict: Verdict) -> Callable[[dict[str, Any]], None]:
    def count(data: dict[str, Any]) -> None:
        entry = entry_of(data, question)
        entry["attempts"] += 1
        entry["log"] = [*entry["log"], {"at": now(), "right": bool(verdict), "slip": verdict.slip}][-LOG_LENGTH:]
        if verdict:
            entry.setdefault("right_at", now())

    return count


def _line(question: str, entry: dict[str, Any] | None) -> str:
    if entry is None:
        return f"{_MARKS['open']} {question}: open"
    state = "right" if "right_at" in entry else "wrong" if entry["attempts"] else "open"
    return f"{_MARKS[state]} {question}: {_many(entry['attempts'], 'attempt')}, {_many(entry['hints'], 'hint')}"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
