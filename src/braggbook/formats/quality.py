"""A quality report: a vector of dimension scores, the checks behind each, and a grade by a stated rule.

It holds no value of an element that may identify a person. See docs/formats/quality.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

QUALITY_FORMAT = "braggbook.quality/1"
DIMENSIONS = (
    "conformance", "completeness", "geometry", "consistency", "plausibility", "identity leakage", "image", "labels",
)  # fmt: skip
Dimension = Literal[
    "conformance", "completeness", "geometry", "consistency", "plausibility", "identity leakage", "image", "labels",
]  # fmt: skip
Status = Literal["passed", "failed", "not assessed"]
Grade = Literal["A", "B", "C", "D", "E"]
_Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FindingRecord(_Model):
    """One thing that is wrong: where, in which tag, what was wanted and what was found."""

    where: str
    tag: str = ""
    wanted: str
    found: str


class CheckRecord(_Model):
    """One check over everything that it applies to: it passed only if nothing failed."""

    id: str
    dimension: Dimension
    title: str
    blocking: bool
    source: str
    status: Status
    reason: str = ""  # why it was not assessed, at all or somewhere
    applied: _Count  # series (or, of a check of the whole, 1) that it looked at
    failed: _Count  # of these
    series: list[str] = []  # UIDs of the series in which it failed
    count: _Count = 0  # findings in all; the list has the first ones
    findings: list[FindingRecord] = []


class DimensionRecord(_Model):
    """One score: checks passed of checks assessed; None, with the reason, where nothing could be assessed."""

    name: Dimension
    passed: _Count
    applicable: _Count
    not_assessed: _Count
    score: Annotated[float, Field(ge=0, le=1)] | None
    blocking: list[str] = []  # ids of blocking checks that failed
    reason: str = ""


class SeriesRecord(_Model):
    """One series, with checks passed and applied in each dimension."""

    uid: str
    modality: str
    instances: _Count
    passed: dict[Dimension, tuple[int, int]]


class MeasurementRecord(_Model):
    """A number that was measured and that nobody has stated a limit for; it is in no score."""

    series: str
    name: str
    value: float
    unit: str
    source: str


class Quality(_Model):
    """What was assessed, and how good it is for the uses stated."""

    format: Literal["braggbook.quality/1"] = "braggbook.quality/1"
    check_set: str
    braggbook: str
    where: str
    uses: list[str]
    grade: Grade
    grade_name: str
    grade_reason: str
    rule: str
    dimensions: list[DimensionRecord]
    checks: list[CheckRecord]
    series: list[SeriesRecord]
    measurements: list[MeasurementRecord] = []

    @property
    def scores(self) -> dict[str, float | None]:
        """Score by dimension, None where it was not assessed."""
        return {each.name: each.score for each in self.dimensions}

    @property
    def failed(self) -> tuple[CheckRecord, ...]:
        """Checks that failed, blocking ones first."""
        return tuple(sorted((c for c in self.checks if c.status == "failed"), key=lambda c: not c.blocking))

    def check(self, name: str) -> CheckRecord | None:
        """Returns a check by its id, or None when it did not apply."""
        return next((each for each in self.checks if each.id == name), None)
