"""The design of a challenge, ``challenges/<slug>/challenge.toml``. See docs/formats/challenge.md.

Its blocks are those of the structured description of a challenge design that the MICCAI society asks organisers for
(Maier-Hein et al., BIAS, Med. Image Anal. 66, 101796 (2020), doi:10.1016/j.media.2020.101796, supplement 4):
organisation, mission, data, assessment.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from braggbook.formats.common import Author, FormatModel, Grant, KnownUnit, License, RelativePath, Slug, refusal, shown
from braggbook.formats.notebook import DatasetReference

CHALLENGE_FORMAT = "braggbook.challenge/1"
Text = Annotated[str, Field(min_length=1)]
SubmissionKind = Literal["predictions", "notebook"]
Split = Literal["public", "final"]
Viewer = Literal["organiser", "team", "everyone"]
Better = Literal["larger", "smaller", "target"]
WhenEmpty = Literal["perfect", "worst", "not_applicable", "value"]
Method = Literal["mean_then_rank", "median_then_rank", "rank_then_mean", "rank_then_median", "test_then_rank"]


def _tuple(default: Any = ()) -> Any:
    return Field(default, strict=False)  # TOML has lists, the models have tuples


def _mask_value(text: str) -> str:
    if re.fullmatch(r"[1-9][0-9]{0,2}", text) is None:
        raise refusal("not a value of a mask", wanted="a whole number from 1 to 999", got=shown(text))
    return text


def _policy(given: Any) -> Any:
    if isinstance(given, bool) or (not isinstance(given, int | float) and given not in get_args(WhenEmpty)):
        wanted = ", ".join(map(repr, get_args(WhenEmpty))) + " or a number"
        raise refusal("not a possible value", wanted=wanted, got=shown(given))
    return given


MaskValue = Annotated[str, AfterValidator(_mask_value)]
Policy = Annotated[WhenEmpty | float, BeforeValidator(_policy)]


class Organisation(FormatModel):
    """Who does it, and by what rules."""

    organisers: Annotated[tuple[Author, ...], Field(min_length=1, strict=False)]
    contact: Text  # an address that everybody may write to
    life_cycle: Literal["one time", "repeated", "open"] = "one time"
    venue: str = ""
    participation: Text  # who may take part, and whether organisers' own institutes are ranked
    awards: str = ""
    publication: str = ""  # who publishes the results, and who is an author
    code_availability: Text  # of the organisers' and of the participants' code
    conflicts_of_interest: Text
    funding: tuple[Grant, ...] = _tuple()
    ethics: Text  # approval, or why none is needed


class Mission(FormatModel):
    """What is asked, and for whom."""

    field: Text  # such as biological dosimetry
    task: Text  # such as regression, segmentation
    aim: Text
    target_cohort: Text  # whom the answer is meant for
    challenge_cohort: Text  # whom the data come from
    modality: Text
    context: Text  # what else is known of a case
    target_entity: Text  # what is to be found in it


class Data(FormatModel):
    """What the cases are."""

    case: Text  # what one case is
    acquisition: Text
    annotation: Text  # how the truth was found
    preprocessing: Text
    error_sources: Text  # of the truth, with their size where it is known
    training: tuple[DatasetReference, ...] = _tuple()  # public datasets that participants may learn from
    twin: Text  # how the public twin was made, and in what it differs from the hidden cases


class PredictedColumn(FormatModel):
    """A column of a table of predictions."""

    unit: KnownUnit
    minimum: float
    maximum: float
    meaning: Text
    missing: bool = False  # may a cell be empty?

    @model_validator(mode="after")
    def _limits(self) -> PredictedColumn:
        if not self.minimum < self.maximum:
            raise refusal("the minimum is not below the maximum", wanted=f"less than {self.maximum:g}")
        return self


class OrderedColumns(FormatModel):
    """Two columns of which the first is nowhere above the second, as the limits of an interval."""

    lower: Slug
    upper: Slug


class SubmissionRules(FormatModel):
    """What is handed in, or written by the notebook that is."""

    form: Literal["table", "masks"]
    case: Slug = "case"  # the column of a table that names the case
    file: RelativePath = "predictions.csv"  # of a table
    columns: dict[Slug, PredictedColumn] = {}
    ordered: tuple[OrderedColumns, ...] = _tuple()
    folder: RelativePath = "masks"  # of masks: <folder>/<case>.nii.gz on the grid of the case's image
    labels: dict[MaskValue, Slug] = {}  # value in a mask -> what it marks
    incomplete: Literal["refuse", "missing"] = "refuse"  # what becomes of a submission that leaves cases out
    max_mb: Annotated[int, Field(gt=0, le=4096)] = 64  # of all that is handed in

    @model_validator(mode="after")
    def _form(self) -> SubmissionRules:
        if self.form == "table" and (not self.columns or self.labels):
            raise refusal("a table of predictions has columns, and no labels")
        if self.form == "masks" and (not self.labels or self.columns):
            raise refusal("masks have labels, and no columns")
        if self.case in self.columns:
            raise refusal("the column that names the case cannot be predicted", got=self.case)
        for pair in self.ordered:
            for name in (pair.lower, pair.upper):
                if name not in self.columns:
                    raise refusal("no such column", wanted=", ".join(self.columns), got=name)
        return self


class NotebookLimits(FormatModel):
    """What a participant's notebook may use when it is executed on hidden data."""

    wall_s: Annotated[float, Field(gt=0)] = 600.0
    cpu_s: Annotated[int, Field(gt=0)] = 600
    memory_mb: Annotated[int, Field(ge=256)] = 4096
    processes: Annotated[int, Field(ge=16)] = 256
    work_mb: Annotated[int, Field(ge=1)] = 512
    output_mb: Annotated[int, Field(ge=1)] = 64


class Visibility(FormatModel):
    """Who sees what while a phase is open; when it is closed, its board is everyone's."""

    score: Viewer = "team"  # the aggregates
    rank: Viewer = "everyone"
    cases: Viewer = "organiser"  # scores by case
    logs: Viewer = "team"  # of the same failure on the twin; logs of hidden data are nobody's

    @model_validator(mode="after")
    def _order(self) -> Visibility:
        if self.rank == "everyone" and self.score == "organiser":
            raise refusal("a rank that everyone sees, of a score that only the organiser sees", wanted='score = "team"')
        return self


class Quota(FormatModel):
    """How often a team may submit; a submission counts when it got a score, or its own code was at fault."""

    total: Annotated[int, Field(gt=0)] | None = None
    per_day: Annotated[int, Field(gt=0)] | None = None  # days of the phase's own time zone


class Phase(FormatModel):
    """A time in which submissions are taken, and what they are scored on."""

    id: Slug
    title: Text
    opens: datetime.datetime  # with a time zone
    closes: datetime.datetime
    split: Split
    kinds: Annotated[tuple[SubmissionKind, ...], Field(min_length=1, strict=False)]
    inputs: Literal["released", "hidden"]  # released ones are needed for predictions
    quota: Quota = Quota()
    terms: Text  # what a team accepts when it submits
    shows: Visibility = Visibility()
    board: Literal["best", "last"] = "best"  # which submission of a team stands on the board

    @model_validator(mode="after")
    def _sound(self) -> Phase:
        for name, when in (("opens", self.opens), ("closes", self.closes)):
            if when.tzinfo is None:
                wanted = "an offset, for example 2027-01-31T23:59:00+01:00"
                raise refusal(f"{name} without a time zone", wanted=wanted, got=when.isoformat())
        if not self.opens < self.closes:
            raise refusal("the phase closes before it opens", got=f"{self.opens} to {self.closes}")
        if "predictions" in self.kinds and self.inputs == "hidden":
            raise refusal(
                "predictions for inputs that nobody has", wanted='inputs = "released", or kinds = ["notebook"]'
            )
        return self


class EmptyRule(FormatModel):
    """What counts where a mask is empty."""

    both: Policy
    only_reference: Policy  # the reference is empty, the estimate is not
    only_estimate: Policy


class Metric(FormatModel):
    """One number by which submissions are judged."""

    id: Slug  # column of the scorer's table, or its scalar result
    definition: Text  # id of braggbook.metrics, as `braggbook list metric` shows them
    of: Slug | None = None  # the column or the label that it judges
    why: Text  # why this metric, for this task
    unit: KnownUnit
    better: Better
    target: float | None = None  # where better = "target": the value that is best
    minimum: float  # no score lies outside
    maximum: float
    worst: float  # what a case without a score counts as
    scope: Literal["case", "all"] = "case"
    options: dict[str, float | str] = {}
    empty: EmptyRule | None = None  # of a metric of masks
    ranked: bool = True  # otherwise it is shown and does not count
    weight: Annotated[float, Field(gt=0)] = 1.0
    task: Slug = "all"  # metrics of one task are brought together first, then the tasks

    @model_validator(mode="after")
    def _sound(self) -> Metric:
        if (self.better == "target") != (self.target is not None):
            raise refusal('better = "target" and target belong together')
        if not self.minimum < self.maximum:
            raise refusal("the minimum is not below the maximum")
        if not self.minimum <= self.worst <= self.maximum:
            raise refusal("the worst score lies outside the bounds", got=f"{self.worst:g}")
        return self


class RankingRules(FormatModel):
    """How scores become ranks."""

    method: Method
    why: Text
    ties: Literal["min", "max", "mean"] = "min"  # the rank that equals share
    tolerance: Annotated[float, Field(ge=0)] = 1e-9  # differences as small as this are none
    missing: Literal["worst", "refuse"] = "worst"  # a case without a score
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000  # of the bootstrap
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95  # of rank intervals
    seed: Annotated[int, Field(ge=0)] = 1


class Design(FormatModel):
    """``challenge.toml``."""

    format: Literal["braggbook.challenge/1"] = "braggbook.challenge/1"
    title: Text
    version: Annotated[int, Field(gt=0)]
    abstract: Text
    license: License  # of the design, the notebooks, the twin and, once they are published, the cases
    keywords: tuple[Text, ...] = _tuple()
    truth: Literal["published", "withheld"]  # what becomes of it when the challenge is closed
    why_withheld: str = ""
    organisation: Organisation
    mission: Mission
    data: Data
    submission: SubmissionRules
    limits: NotebookLimits = NotebookLimits()
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, strict=False)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)]
    ranking: RankingRules

    @model_validator(mode="after")
    def _sound(self) -> Design:
        for what, names in (("phases", [p.id for p in self.phases]), ("metrics", [m.id for m in self.metrics])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise refusal(f"two {what} of one id", got=", ".join(twice))
        judged = {*self.submission.columns, *self.submission.labels.values()}
        for metric in self.metrics:
            if metric.of is not None and metric.of not in judged:
                wanted = ", ".join(sorted(judged))
                raise refusal(f"metric {metric.id} judges nothing that is predicted", wanted=wanted, got=metric.of)
        if not any(metric.ranked for metric in self.metrics):
            raise refusal("no metric is ranked")
        if (self.truth == "withheld") != bool(self.why_withheld):
            raise refusal('truth = "withheld" and why_withheld belong together')
        return self

    def phase(self, id: str) -> Phase | None:
        """Returns a phase by its id."""
        return next((phase for phase in self.phases if phase.id == id), None)
