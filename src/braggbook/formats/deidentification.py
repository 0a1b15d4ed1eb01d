"""The key of a de-identification, and the report that goes with its output. See docs/formats/deidentification.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

KEY_FORMAT = "braggbook.deidentification_key/1"
REPORT_FORMAT = "braggbook.deidentification_report/1"
Outcome = Literal["written", "there already", "quarantined", "blocked", "not readable", "skipped"]
_Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DeidentificationKey(_Model):
    """The secret that all pseudonyms and date shifts are made of; whoever has it and the originals can link both."""

    format: Literal["braggbook.deidentification_key/1"] = "braggbook.deidentification_key/1"
    secret_hex: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StepRecord(_Model):
    """What was done to one attribute in one place, and how often."""

    element: str
    inside: str = ""  # keyword of the sequence; empty at the top
    done: str
    why: str
    count: _Count


class FileRecord(_Model):
    """What became of one input file, named by its number in the order of the input's paths."""

    number: _Count
    outcome: Outcome
    output: str = ""  # new path below the output folder
    reason: str = ""
    text: str = ""  # open finding about burnt-in text
    face: str = ""  # open finding about faces
    notes: list[str] = []


class MethodRecord(_Model):
    """One part of the profile that was in force (context group 7050)."""

    code: str
    meaning: str


class DeidentificationReport(_Model):
    """What was done to every attribute and what became of every file; it holds no value of the input."""

    format: Literal["braggbook.deidentification_report/1"] = "braggbook.deidentification_report/1"
    edition: str  # of the table of actions
    tables_sha256: str
    braggbook: str
    pydicom: str
    methods: list[MethodRecord]
    dates: Literal["shift", "keep", "remove"]
    outcomes: dict[str, int]
    open_findings: dict[str, int]
    warnings: list[str] = []
    not_done: list[str]  # what nobody should take for done, in sentences
    steps: list[StepRecord]
    files: list[FileRecord]

    @property
    def complete(self) -> bool:
        """Whether every object went out and nothing is open about any."""
        return not self.open_findings
