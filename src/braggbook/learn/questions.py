"""Everything that a lesson's file needs: the lesson, the kinds of questions, slips and invariants."""

from __future__ import annotations

from braggbook.learn.base import Slip
from braggbook.learn.choices import Choice, Several, Text
from braggbook.learn.figures import Figure
from braggbook.learn.functions import Function, Invariant
from braggbook.learn.lesson import Lesson
from braggbook.learn.numbers import Number, Values

__all__ = [
    "Choice",
    "Figure",
    "Function",
    "Invariant",
    "Lesson",
    "Number",
    "Several",
    "Slip",
    "Text",
    "Values",
]
