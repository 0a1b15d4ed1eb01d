"""The front matter of an experiment notebook: MyST's fields, and ours under ``braggbook:``.

See docs/formats/notebook.md.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from braggbook.formats.common import (
    Author,
    Doi,
    FormatModel,
    Grant,
    KnownUnit,
    License,
    Slug,
    grants_from,
    refusal,
    shown,
)
from braggbook.formats.languages import check_language

DEFAULT_RTOL = 1e-6  # libraries of one lock on another processor differ in the last digits of a fit, not before these
DEFAULT_ATOL = 1e-12  # a residual that is zero up to rounding has no meaningful relative difference
_REFERENCE = re.compile(r"[a-z][a-z0-9_]*@[1-9][0-9]*")


def check_reference(text: str) -> str:
    """Returns ``text`` if it names a dataset and its version.

    Raises:
        ValueError: It does not.
    """
    if _REFERENCE.fullmatch(text) is None:
        wanted = "slug@version, for example colony_counts@1"
        raise refusal("not a dataset and its version", wanted=wanted, got=shown(text))
    return text


DatasetReference = Annotated[str, AfterValidator(check_reference)]


class ParameterSpec(FormatModel):
    """What the front matter adds to a parameter of the parameters cell."""

    unit: KnownUnit | None = None
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""

    @model_validator(mode="after")
    def _bounds(self) -> ParameterSpec:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class ResultSpec(FormatModel):
    """A result that the notebook promises, and the tolerance inside which a repetition counts as the same."""

    kind: Literal["scalar", "table", "dataset", "figure"] = "scalar"
    unit: KnownUnit | None = None
    units: dict[str, KnownUnit] = Field(
        default_factory=dict, description="of a table's columns or a dataset's variables"
    )
    rtol: Annotated[float, Field(ge=0)] = DEFAULT_RTOL
    atol: Annotated[float, Field(ge=0)] = DEFAULT_ATOL
    missing: bool = Field(False, description="may a table or dataset have missing values?")
    help: str = ""

    @model_validator(mode="after")
    def _units(self) -> ResultSpec:
        if self.kind == "scalar" and self.unit is None:
            raise ValueError('a scalar needs a unit ("1" for a pure number)')
        if self.kind != "scalar" and self.unit is not None:
            raise ValueError(f"a {self.kind} has no single unit; give units: {{name: unit}}")
        return self


class Goal(FormatModel):
    """A question that the analysis must answer; open until a result answers it."""

    id: Slug
    text: str
    answered_by: list[Slug] = []

    @property
    def status(self) -> Literal["open", "answered"]:
        """Whether a declared result answers the question."""
        return "answered" if self.answered_by else "open"


class Experiment(FormatModel):
    """The ``braggbook:`` part of the front matter."""

    kernel: Slug
    datasets: list[DatasetReference] = []
    goals: list[Goal] = []
    parameters: dict[Slug, ParameterSpec] = {}
    results: dict[Slug, ResultSpec]

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        if not self.results:
            raise ValueError("declare at least one result")
        if len({goal.id for goal in self.goals}) < len(self.goals):
            raise ValueError("two goals have one id")
        if len(set(self.datasets)) < len(self.datasets):
            raise ValueError("a dataset is named twice")
        for goal in self.goals:
            if unknown := [name for name in goal.answered_by if name not in self.results]:
                raise ValueError(f"goal {goal.id!r} is answered by results that are not declared: {', '.join(unknown)}")
        return self


class FrontMatter(FormatModel):
    """The whole front matter; fields that MyST has are spelled as MyST spells them."""

    title: Annotated[str, Field(min_length=1)]
    subtitle: str | None = None
    short_title: str | None = None
    description: str | None = None
    authors: Annotated[list[Author], Field(min_length=1)]
    license: License
    keywords: list[str] = []
    abstract: str | None = None
    date: datetime.date | None = None
    doi: Doi | None = None
    github: str | None = None
    funding: Annotated[list[Grant], BeforeValidator(grants_from)] = []
    subject: str | None = None
    language: Annotated[str, AfterValidator(check_language)] = "eng"
    tags: list[str] = []
    bibliography: list[str] = []
    numbering: Any = None
    braggbook: Experiment
