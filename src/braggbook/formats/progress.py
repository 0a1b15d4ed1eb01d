"""A student's progress in a lesson, and the file that is handed in. See docs/formats/progress.md.

They are written by ``braggbook.learn`` with the standard library alone, also in a browser; these models read them on
the lecturer's side, where a file may be broken or forged.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from braggbook.formats.common import refusal
from braggbook.formats.run import Sha256

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HINTS = 3
_LOG_LENGTH = 200
_MOST_ATTEMPTS = 1_000_000  # a loop around a check; beyond that somebody has typed the number


def _check_time(text: str) -> str:
    try:
        datetime.strptime(text, _TIME)  # noqa: DTZ007 - the Z is in the format
    except ValueError:
        raise refusal("not a time", wanted="UTC as 2026-11-23T09:30:00Z", got=repr(text)) from None
    return text


def _check_name(text: str) -> str:
    if not text.strip() or any(unicodedata.category(letter) == "Cc" for letter in text):
        raise refusal("not a name", wanted="letters", got=repr(text))
    return text


Time = Annotated[str, StringConstraints(max_length=20), AfterValidator(_check_time)]
Name = Annotated[str, StringConstraints(max_length=100), AfterValidator(_check_name)]
Slug = Annotated[str, StringConstraints(max_length=100, pattern=re.compile(r"^[a-z][a-z0-9_]*\Z"))]
SlipName = Annotated[str, StringConstraints(max_length=200)]
Count = Annotated[int, Field(ge=0, le=_MOST_ATTEMPTS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Attempt(_Model):
    """One check of one question: when, whether right, and the misconception that was recognised ("": none)."""

    at: Time
    right: bool
    slip: SlipName


class QuestionProgress(_Model):
    """What is known of one question."""

    attempts: Count
    hints: Annotated[int, Field(ge=0, le=_HINTS)]
    log: Annotated[list[Attempt], Field(max_length=_LOG_LENGTH)]  # the last ones
    right_at: Time | None = None  # when it was right for the first time

    @model_validator(mode="after")
    def _log_and_count(self) -> QuestionProgress:
        if len(self.log) > self.attempts:
            raise refusal("more attempts listed than counted", wanted=str(self.attempts), got=str(len(self.log)))
        return self


class Progress(_Model):
    """Progress in one lesson: ``<lesson>.json`` in the folder of the student's own."""

    format: Literal["braggbook.progress/1"]
    lesson: Slug
    lesson_sha256: Sha256  # of the lesson's file when it was last worked on
    started: Time
    questions: Annotated[dict[Slug, QuestionProgress], Field(max_length=200)]


class ProgressExport(_Model):
    """What is handed in."""

    format: Literal["braggbook.progress_export/1"]
    name: Name  # as typed
    exported: Time
    progress: Progress
    sha256: Sha256  # of the canonical JSON of all other fields
