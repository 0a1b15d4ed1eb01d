"""``board.json``: who stands where, and how sure that is. See docs/formats/board.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.formats.challenge import Better, Method, Split, SubmissionKind
from braggbook.formats.common import Doi, InnerPath, License, Slug
from braggbook.formats.run import FileRecord, Sha256
from braggbook.formats.submission import Id, Key, Scorer, Team

BOARD_FORMAT = "braggbook.board/1"
BOARD_NAME = "board.json"
CLOSED_NAME = "closed.json"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricShown(_Model):
    """A column of the board."""

    id: Slug
    definition: str
    of: Slug | None
    unit: str
    better: Better
    target: float | None = None
    ranked: bool
    task: Slug


class Spread(_Model):
    """Scores of one team by case, for a box plot: the median, the quartiles (linear), whiskers at the last score within
    1.5 times their distance (Tukey), and what lies beyond."""

    cases: int  # with a score
    missing: int
    low: float
    q1: float
    median: float
    q3: float
    high: float
    beyond: list[float] = []


class Standing(_Model):
    """A number of a team: for one metric."""

    value: float  # mean or median over cases as the ranking's method says, or the scorer's number
    rank: float  # by this metric alone
    spread: Spread | None = None  # None where it is a number of all cases together, or not for everyone


class Row(_Model):
    """One team."""

    team: Team
    title: str = ""
    submission: Id
    evaluation: Id
    kind: SubmissionKind
    received: str
    predictions: Sha256
    scorer: Scorer
    rank: float
    interval: tuple[float, float]  # of the rank
    first: float  # part of the draws in which it was first, alone or with others
    first_alone: float
    mean_rank: float  # over the draws
    rank_counts: list[int]  # how often it had rank 1, 2, ...
    scores: dict[Slug, Standing]
    by_method: dict[Method, float]  # its rank by every method
    same_as: list[Team] = []  # teams whose predictions are identical
    submissions: int  # how often it was scored in this phase
    doi: Doi | None = None  # of the record of its scoring run, where there is one


class Left(_Model):
    """A submission that does not stand on the board, and why."""

    team: Team
    submission: Id
    why: str


class Board(_Model):
    """``board.json``: a pure function of the design, the evaluations and nothing else."""

    format: Literal["braggbook.board/1"] = "braggbook.board/1"
    challenge: Slug
    title: str
    design: Sha256
    phase: Slug
    phase_title: str
    split: Split
    truth_version: int
    key: Key
    closed: bool
    truth: Literal["published", "withheld", "sealed"]  # sealed: until the challenge is closed
    method: Method
    draws: Annotated[int, Field(gt=0)]
    level: float
    seed: int
    cases: int
    tau: float | None  # mean Kendall tau-b of the draws' rankings with the board's; None where it is not defined
    tau_undefined: int  # draws in which it was not
    metrics: list[MetricShown]
    rows: list[Row]  # by rank, then by name
    groups: dict[
        Slug, list[list[Team]]
    ]  # by ranked metric of cases: teams that cannot be told apart (Holm, paired tests)
    better_than: dict[Slug, dict[Team, list[Team]]]  # by ranked metric of cases: significantly better than
    methods_agree: dict[Method, float | None]  # Kendall tau-b of the ranking by that method with the board's
    left: list[Left] = []
    notes: list[str] = []


class Closed(_Model):
    """``closed.json``: what makes a folder a closed challenge, and every other file of it by what is in it.

    ``board.json`` and ``index.html`` (of the last phase), ``boards/<phase>.json`` and ``.html``, ``bias.html``,
    ``design/`` (the challenge's folder), ``submissions/<id>/``, ``evaluations/<id>/`` (with ``estimate/``, the checked
    predictions), ``software/`` and ``binder/``, and where the truth is published ``runs/<id>/`` (the scoring runs) and
    ``hidden/<split>@<version>/``.
    """

    format: Literal["braggbook.closed/1"] = "braggbook.closed/1"
    challenge: Slug
    title: str
    license: License
    closed: str
    truth: Literal["published", "withheld"]
    phases: list[Slug]
    doi: Doi | None = None  # reserved before it was closed, so that its pages could carry it
    files: dict[InnerPath, FileRecord]
