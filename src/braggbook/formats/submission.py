"""What becomes of a submission: ``submission.json``, ``withdrawn.json``, ``evaluation.json``, ``receipt.json``; and
``sealed.json``.

See docs/formats/challenge.md.

Evaluations, receipts and withdrawals are signed by the organiser's key (Ed25519, RFC 8032) over the canonical JSON of
everything but the signature, fields at their defaults left out, so that a board can be made again from them by somebody
who never saw the truth.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from braggbook.files import canonical_json
from braggbook.formats.challenge import Split, SubmissionKind
from braggbook.formats.common import InnerPath, Slug
from braggbook.formats.run import FileRecord, Sha256

SEALED_NAME, SUBMISSION_NAME = "sealed.json", "submission.json"
EVALUATION_NAME, RECEIPT_NAME, WITHDRAWN_NAME = "evaluation.json", "receipt.json", "withdrawn.json"
LONGEST_REASON = 300  # characters; a sentence or two, which the board shows
Verdict = Literal["scored", "refused", "failed", "timed out", "killed", "platform"]
FAULT_OF_PARTICIPANT: tuple[Verdict, ...] = ("refused", "failed", "timed out", "killed")
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # an Ed25519 public key
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
Team = Annotated[str, Field(min_length=1, max_length=60)]


class _Model(BaseModel):
    # not strict, as FormatModel is: we write these ourselves and read them from JSON
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Signed(_Model):
    """Something that the organiser signs."""

    format: str
    signature: Signature | None = None

    @property
    def message(self) -> bytes:
        """What is signed: without fields at their defaults, so that more may come."""
        said = self.model_dump(mode="json", exclude={"signature"}, exclude_defaults=True)
        return canonical_json({"format": self.format, **said})

    def signed(self, signature: str) -> Self:
        """Returns the same with a signature."""
        return self.model_copy(update={"signature": signature})


class SealedSplit(_Model):
    """The cases of one split, without their truth: what an organiser cannot change unseen."""

    split: Split
    version: Annotated[int, Field(gt=0)]  # a corrected truth is a new one
    opened: str
    cases: Annotated[int, Field(gt=0)]
    inputs: Sha256  # digest of the dataset
    truth: (
        Sha256  # HMAC-SHA256 of the truth's digest, keyed with a salt of 256 bits that nobody knows until it is closed
    )
    because: str = ""  # why the version before was wrong


class Sealed(_Model):
    """``sealed.json``, beside the design: the organiser's public key, and every split that was ever opened."""

    format: Literal["braggbook.sealed/1"] = "braggbook.sealed/1"
    challenge: Slug
    key: Key
    splits: list[SealedSplit] = []

    def latest(self, split: Split) -> SealedSplit | None:
        """Returns the newest version of a split."""
        found = [one for one in self.splits if one.split == split]
        return max(found, key=lambda one: one.version, default=None)


class Submission(_Model):
    """``submission.json``: what came, from whom, when."""

    format: Literal["braggbook.submission/1"] = "braggbook.submission/1"
    id: Id
    challenge: Slug
    phase: Slug
    team: Team
    title: str = ""
    kind: SubmissionKind
    received: str
    terms: Sha256  # of the text that was accepted
    files: dict[InnerPath, FileRecord]
    refused: list[str] = []  # what was wrong with it at the door; then nothing of it was kept


class Withdrawal(_Signed):
    """``withdrawn.json``, beside ``submission.json``: from when on it does not stand on the board, and why."""

    format: Literal["braggbook.withdrawal/1"] = "braggbook.withdrawal/1"
    submission: Id
    challenge: Slug
    phase: Slug
    team: Team
    withdrawn: str  # when
    by: Annotated[str, Field(min_length=1, max_length=60)]  # as everybody may read it
    because: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class Problem(_Model):
    """Why there is no score: only what cannot carry hidden data out."""

    what: str  # one of our own sentences
    cell: int | None = None  # code cell of the notebook, from 1
    line: int | None = None  # of that cell, from 1
    exception: str | None = None  # a built-in exception's name; "other" for every other
    source: list[str] = []  # lines of the participant's own notebook around it
    issues: list[str] = []  # what is wrong with the predictions, by file, column and row; never their values


class Used(_Model):
    """What a notebook used; None where it could not be measured."""

    wall_s: float | None = None
    cpu_s: float | None = None
    memory_mb: float | None = None
    processes: int | None = None


class Scorer(_Model):
    """What scored it: the board changes only with these."""

    notebook: Sha256
    kernel_lock: Sha256
    braggbook: Sha256
    run: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]  # the scoring run's id


class Evaluation(_Signed):
    """``evaluation.json``: all about one scoring of one submission; the organiser's until the challenge closes."""

    format: Literal["braggbook.evaluation/1"] = "braggbook.evaluation/1"
    id: Id
    submission: Id
    challenge: Slug
    design: Sha256
    phase: Slug
    split: Split | Literal["twin"]
    truth_version: int
    sealed: Sha256 | None = None  # the salted hash of the truth that it was scored against, as sealed.json said it
    team: Team
    title: str = ""
    kind: SubmissionKind
    received: str
    evaluated: str
    verdict: Verdict
    charged: bool  # does it count in the quota?
    problem: Problem | None = None
    used: Used = Used()
    walls: list[str] = []  # which walls stood around the participant's notebook
    predictions: Sha256 | None = None  # digest of the checked predictions: equal ones have equal digests
    scorer: Scorer | None = None
    cases: dict[Slug, dict[str, float | None]] = {}  # metric -> case -> score; None = not applicable
    overall: dict[Slug, float] = {}  # metrics of all cases together


class Receipt(_Signed):
    """``receipt.json``: what the team gets, however it ended."""

    format: Literal["braggbook.receipt/1"] = "braggbook.receipt/1"
    submission: Id
    evaluation: Id
    challenge: Slug
    phase: Slug
    team: Team
    received: str
    evaluated: str
    verdict: Verdict
    charged: bool
    problem: Problem | None = None
    used: Used = Used()
    files: dict[InnerPath, FileRecord]  # what was received
    predictions: Sha256 | None = None
    scorer: Scorer | None = None
    sealed: Sha256 | None = None  # as in the evaluation: a truth that is changed later contradicts a team's receipt
    scores: dict[Slug, float] | None = None  # aggregates, where the phase shows them to the team
    cases: dict[Slug, dict[str, float | None]] | None = None  # where the phase shows them
    left: int | None = None  # submissions that the team has left in this phase
    next: str = ""  # what to do now
