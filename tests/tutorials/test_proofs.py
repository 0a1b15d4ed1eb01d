"""Each tutorial is proved three ways: the skeleton passes no check, the solution passes all, each wrong answer is told why.

Wrong answers are tried where the student gives them: after all cells above, before the solution. Whoever has solved it
publishes an own variant, as the last cells do once ``publish`` is set.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from braggbook.learn import lesson_slugs, load_lesson

from ..conftest import MIRROR
from .walk import (
    ANSWERS,
    TUTORIALS,
    Answers,
    Student,
    answers_of,
    fetches,
    published,
    slug_of,
    steps_of,
    student,
    surroundings,
)

_LONGEST_S = 60.0  # of processor time; a student waits no longer
_AGAIN = "\nThe same inputs again:"
_DOI = re.compile(r"published, and read back identical: (10\.5072/braggbook\.[0-9a-z]+\.[0-9]+)")
_COLOUR = "\x1b["
_VERIFIED = "fractionation"  # repeated from its identifier too; for each that would take as long as a run
EACH = pytest.mark.parametrize("path", TUTORIALS, ids=slug_of)
_NO_DATA = pytest.mark.skipif(MIRROR not in os.environ, reason=f"needs the folder named by {MIRROR}")
RUN = pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[_NO_DATA] if fetches(path) else []) for path in TUTORIALS], ids=slug_of
)


def test_tutorials_lessons_and_answers_belong_together() -> None:
    slugs = [slug_of(path) for path in TUTORIALS]
    assert len(slugs) >= 8
    assert (
        sorted(slugs) == lesson_slugs() == sorted(path.stem for path in ANSWERS.glob("*.py") if path.stem != "__init__")
    )


@EACH
def test_every_question_has_its_cell_a_solution_and_wrong_answers(path: Path) -> None:
    questions = [question.id for question in load_lesson(slug_of(path)).questions]
    answers = answers_of(path)
    assert [step.question for step in steps_of(path) if step.question] == questions
    assert list(answers.solution) == questions
    assert sorted(answers.wrong) == sorted(questions)
    assert all(answers.wrong.values())


@pytest.mark.full
@RUN
def test_the_skeleton_runs_and_passes_no_check(path: Path, tmp_path: Path) -> None:
    with student(tmp_path) as somebody:
        for question, verdict in walked(somebody, path, {}).items():
            assert verdict.startswith(f"{question}: ○ Not answered yet"), verdict
        assert somebody.processor_time_s() < _LONGEST_S


@pytest.mark.full
@RUN
def test_the_solution_passes_and_each_wrong_answer_gets_its_own_message(path: Path, tmp_path: Path) -> None:
    answers = answers_of(path)
    problems: list[str] = []
    printed = ""
    with student(tmp_path) as somebody:
        for step in steps_of(published(path, tmp_path)):
            if step.question:
                problems += problems_of(somebody, step.question, answers)
            else:
                seen = somebody.run(step.source)
                assert not seen.error, f"{seen.error}\nin\n{step.source}\n{seen.printed}"
                printed += seen.printed
    assert not problems, "\n".join(problems)
    assert _COLOUR not in printed
    own = _DOI.findall(printed)[-1]
    (receipt,) = (tmp_path / "runs" / "records").glob("*/folder/record.bib")
    assert own in receipt.read_text(encoding="utf-8")
    if slug_of(path) == _VERIFIED:
        assert verdict_of_verify(own, tmp_path) == "identical"


def problems_of(somebody: Student, question: str, answers: Answers) -> list[str]:
    """Tries the wrong answers to a question, then the solution, and returns what is not told as it should be."""
    problems, told = [], []
    for code, piece in answers.wrong.get(question, []):
        verdict = verdict_on(somebody, question, code)
        told.append(verdict.partition(_AGAIN)[0])
        if not verdict.startswith(f"{question}: ✗") or piece not in verdict:
            problems.append(f"{code}\n  wanted: {piece}\n  got: {verdict}")
    problems += [f"told twice: {text}" for text, times in Counter(told).items() if times > 1]
    verdict = verdict_on(somebody, question, answers.solution[question])
    if not verdict.startswith(f"{question}: ✓ Right"):
        problems.append(f"solution of {question}: {verdict}")
    return problems


def verdict_of_verify(identifier: str, folder: Path) -> str:
    """Returns the last line of what somebody reads who verifies a record of a student's archive."""
    command = [sys.executable, "-m", "braggbook", "verify", identifier]
    done = subprocess.run(command, cwd=folder, env=surroundings(folder), capture_output=True, text=True, check=False)
    return (done.stdout.strip() or done.stderr).splitlines()[-1]


def walked(somebody: Student, path: Path, instead: dict[str, str]) -> dict[str, str]:
    """Runs all cells; returns the verdict by question."""
    verdicts = {}
    for step in steps_of(path):
        seen = somebody.run(instead.get(step.question, step.source))
        assert not seen.error, f"{seen.error}\nin\n{step.source}"
        if step.question:
            verdicts[step.question] = seen.verdict(step.question)
    return verdicts


def verdict_on(somebody: Student, question: str, code: str) -> str:
    seen = somebody.run(code)
    return seen.verdict(question) or f"no verdict; {seen.error or seen.shown}"
