"""Checks, hints and progress of tutorials; standard library only, so that they also run in a browser.

In a notebook::

    import braggbook as bb

    bb.learn.begin("dose_and_survival")
    bb.learn.check("q1", answer)
    bb.learn.hint("q1")

``classroom`` (a class's exports in one table) needs more than the standard library and is not imported here.
"""

from __future__ import annotations

from braggbook.learn.base import Slip
from braggbook.learn.binder import on_binder
from braggbook.learn.choices import Choice, Several, Text
from braggbook.learn.figures import Figure
from braggbook.learn.functions import Function, Invariant
from braggbook.learn.lesson import Lesson, lesson_slugs, load_lesson
from braggbook.learn.numbers import Number, Values
from braggbook.learn.parcel import Parcel, take_away
from braggbook.learn.session import begin, check, export, hint, progress, resume
from braggbook.learn.verdict import Verdict

__all__ = [
    "Choice",
    "Figure",
    "Function",
    "Invariant",
    "Lesson",
    "Number",
    "Parcel",
    "Several",
    "Slip",
    "Text",
    "Values",
    "Verdict",
    "begin",
    "check",
    "export",
    "hint",
    "lesson_slugs",
    "load_lesson",
    "on_binder",
    "progress",
    "resume",
    "take_away",
]
