"""A lesson: title, minutes, goals and questions, in one Python file; loaded and looked at before it is used."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from braggbook.errors import BraggbookError, InputError, Issue, UnknownName, closest
from braggbook.learn.answers import described, kind_of, shown, text_of
from braggbook.learn.base import Asked, Question, short
from braggbook.learn.verdict import Verdict, unanswered, wrong

_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 100
_OWN = Path(__file__).parent / "lessons"
_HOW = "see docs/how-to/write_a_lesson.md"


@dataclass(frozen=True)
class Lesson:
    """What one tutorial asks.

    Attributes:
        title: As on the tutorial.
        minutes: How long it takes with the exercises.
        goals: What one can do afterwards, each beginning with a verb.
        questions: In the order of the tutorial.
        slug: Name of its file; filled in when it is loaded.
        sha256: Of its file; filled in when it is loaded.
        file: Where it is; filled in when it is loaded.
    """

    _: KW_ONLY
    title: str
    minutes: int
    goals: tuple[str, ...]
    questions: tuple[Question, ...]
    slug: str = ""
    sha256: str = ""
    file: str = ""
    _by_id: dict[str, Question] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {question.id: question for question in self.questions})

    @property
    def ids(self) -> list[str]:
        """Ids of its questions, in order."""
        return [question.id for question in self.questions]

    def question(self, name: str) -> Question:
        """Returns a question by its id.

        Raises:
            UnknownName: The lesson has none of that name.
        """
        text = text_of(name) or ""
        if found := self._by_id.get(text):
            return found
        raise UnknownName(
            f"no question {shown(name, limit=40)}",
            where=f"lesson {self.slug}",
            wanted=closest(text[:_LONGEST_NAME], self._by_id),
        )

    def check(self, question: str, answer: Any = ..., *, unit: str | None = None, seed: int | None = None) -> Verdict:
        """Judges an answer as :func:`braggbook.learn.check` does, and keeps no progress: to try a lesson."""
        asked = self.question(question)
        if answer is ...:
            return replace(unanswered(asked.missing()), question=question)
        return replace(_judged(asked, answer, _asked(unit, seed, self.file)), question=question)

    def faults(self) -> Iterator[Issue]:
        """Yields everything that is wrong with the lesson itself."""
        for name in ("title", "goals", "questions"):
            if not getattr(self, name):
                yield Issue(f"no {name}")
        if self.minutes <= 0:
            yield Issue("minutes", wanted="more than 0", got=str(self.minutes))
        seen: set[str] = set()
        for question in self.questions:
            if question.id in seen:
                yield Issue("two questions have this id", where=question.id)
            seen.add(question.id)
            for fault in question.faults():
                yield Issue(fault, where=question.id)


def _asked(unit: str | None, seed: int | None, file: str) -> Asked:
    if unit is not None and not isinstance(unit, str):
        raise InputError("not a unit", wanted='a text, as in unit="cGy"', got=shown(unit, limit=40))
    if seed is not None and type(seed) is not int:
        raise InputError("not a seed", wanted="the number that a message named", got=shown(seed, limit=40))
    return Asked(unit, seed, file)


def _judged(question: Question, answer: Any, asked: Asked) -> Verdict:
    try:
        return question.judge(answer, asked)
    except BraggbookError:
        raise
    except Exception as error:  # whatever an answer may be, it is told
        return wrong(f"This answer, {described(answer)}, cannot be judged ({kind_of(error)}).", "cannot be judged")


def lesson_slugs() -> list[str]:
    """Returns the names of the lessons that come with Braggbook."""
    return sorted(path.stem for path in _OWN.glob("*.py") if _SLUG.fullmatch(path.stem))


def ships(file: Path) -> bool:
    """Returns whether a lesson's file comes with Braggbook."""
    return file.parent == _OWN


def lesson_file(name: str | Path) -> Path:
    """Returns the file of a lesson: a path to a ``.py`` file, or the name of one that comes with Braggbook.

    Raises:
        UnknownName: There is no such file.
    """
    path = Path(name).expanduser()
    if path.suffix == ".py":
        if path.is_file():
            return path.resolve()
        raise UnknownName("no such lesson file", where=str(path), next_command=_HOW)
    if str(name) in lesson_slugs():
        return _OWN / f"{name}.py"
    raise UnknownName(f"no lesson {str(name)!r}", wanted=closest(str(name), lesson_slugs()))


def load_lesson(name: str | Path) -> Lesson:
    """Loads a lesson and looks at it.

    Raises:
        UnknownName: There is no such lesson.
        InputError: The file cannot be executed, holds no lesson, or the lesson is wrong; all findings are listed.
    """
    path = lesson_file(name)
    if not _SLUG.fullmatch(path.stem):
        raise InputError(
            "not a lesson's name", where=path.name, wanted="small letters, digits and _, as in my_lesson.py"
        )
    lesson = getattr(executed(path), "LESSON", None)
    if not isinstance(lesson, Lesson):
        raise InputError("no lesson in this file", where=str(path), wanted="LESSON = Lesson(...)", next_command=_HOW)
    if issues := list(lesson.faults()):
        raise InputError("a lesson that cannot be used", where=str(path), issues=issues, next_command=_HOW)
    object.__setattr__(lesson, "slug", path.stem)
    object.__setattr__(lesson, "file", str(path))
    object.__setattr__(lesson, "sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    return lesson


def executed(path: Path) -> ModuleType:
    """Returns a lesson's file as a module, not yet looked at.

    Raises:
        InputError: It cannot be executed.
    """
    inside = ships(path)
    name = f"braggbook.learn.lessons.{path.stem}" if inside else f"braggbook_lesson_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(
            "a lesson's file cannot be executed",
            where=str(path),
            got=f"{kind_of(error)}: {short(str(error), limit=200)}",
            next_command=_HOW,
        ) from error
    return module
