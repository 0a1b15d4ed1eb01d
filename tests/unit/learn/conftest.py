"""A lesson of the tests' own, and a place for progress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook import learn
from braggbook.learn import session

LESSON = """
import math
from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Several, Slip, Text, Values

HINTS = ("Think.", "D = d / m", "answer = ...")
DOSES = [0.0, 1.0, 2.0, 4.0]

def survival(dose_gy, alpha_per_gy):
    return math.exp(-alpha_per_gy * dose_gy)

def rises(dose_gy, alpha_per_gy):
    return math.exp(alpha_per_gy * dose_gy)

def falls(function, random):
    low, high = sorted(random.uniform(0, 8) for _ in range(2))
    return function(dose_gy=high, alpha_per_gy=0.3) <= function(dose_gy=low, alpha_per_gy=0.3)

LESSON = Lesson(
    title="A lesson", minutes=5, goals=("do this",),
    questions=(
        Number("q1", asks="Dose?", expected=lambda: 2.0, unit="Gy", hints=HINTS, because="D = E / m", read="page 1",
               slips=(Slip(value=4.0, says="You squared it.", name="squared"),)),
        Choice("q2", options={"a": "It doubles.", "b": "It halves."}, right="b", slips={"a": "Look again."}, hints=HINTS),
        Function("q3", reference=survival, draw=lambda r: {"dose_gy": r.uniform(0.5, 8), "alpha_per_gy": r.uniform(0.1, 0.4)},
                 slips=(Slip(value=rises, says="Survival falls."),),
                 invariants=(Invariant("More dose, fewer cells.", holds=falls),), limit_s=0.5, limit_mb=64, hints=HINTS),
        Values("q4", expected=[1.0, 0.5, 0.25], hints=HINTS),
        Figure("q5", curves={"survival": (DOSES, [survival(d, 0.3) for d in DOSES])}, x_unit="Gy", y_scale="log", hints=HINTS),
        Several("q6", options={"a": "one", "b": "two", "c": "three"}, right="ac", hints=HINTS),
        Text("q7", right=("drifted",), slips={"identical": "Not to the digit."}, wanted="a verdict", hints=HINTS),
    ),
)
"""


@pytest.fixture
def progress_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAGGBOOK_LEARN", str(tmp_path / "learn"))
    return tmp_path / "learn"


@pytest.fixture
def lesson_path(tmp_path: Path) -> Path:
    path = tmp_path / "a_lesson.py"
    path.write_text(LESSON, encoding="utf-8")
    return path


@pytest.fixture
def lesson(lesson_path: Path, progress_folder: Path) -> Iterator[Path]:
    """A lesson that has begun."""
    learn.begin(lesson_path)
    yield lesson_path
    session._open.clear()
