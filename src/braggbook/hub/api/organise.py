"""What organisers ask and do by programs: score again, look at the queue."""

from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from braggbook.errors import InputError, NotAllowed, UnknownName
from braggbook.hub import organising
from braggbook.hub.api.answers import problems
from braggbook.hub.api.challenges import Slug
from braggbook.hub.store import entries, jobs
from braggbook.hub.web.visitor import Asking, AtDesk

router = APIRouter(tags=["organisers"])
_LONGEST_REASON = 500
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_REASON)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Again(BaseModel):
    """What is to be scored again: one submission, a phase, or everything."""

    model_config = ConfigDict(extra="forbid")

    because: Reason = Field(description="Each team reads it.")
    phase: str | None = Field(None, max_length=100, description="All of this phase.")
    submission: str | None = Field(None, max_length=100, description="Only this one.")


class Queued(_Answer):
    """What was put into the queue."""

    submissions: int
    because: str


class WorkerAnswer(_Answer):
    """A worker that was heard of lately."""

    name: str
    started: datetime.datetime
    seen: datetime.datetime
    jobs: int


class QueueAnswer(_Answer):
    """The queue."""

    waiting: int = Field(description="Evaluations and boards that wait.")
    going_on: int
    given_up: int = Field(description="Jobs that a person has to look at.")
    oldest: datetime.datetime | None = Field(description="Since when the oldest of what waits does.")
    workers: list[WorkerAnswer]
    submissions: dict[str, int] = Field(description="How many are in each state.")


@router.post(
    "/challenges/{slug}/rescore", name="api_rescore", status_code=202, responses=problems(400, 401, 403, 404, 422, 503)
)
def rescore(desk: AtDesk, visitor: Asking, slug: Slug, asked: Again) -> Queued:
    """Score submissions again, with the scoring notebook and the truth of now; scores stand until then."""
    by = visitor.require_organiser()
    if not visitor.by_token:
        raise NotAllowed("the API changes something for tokens only", wanted="Authorization: Bearer, or the pages")
    challenge = desk.challenge(slug)
    if asked.phase is not None and asked.submission is not None:
        raise InputError("a phase or a submission, not both")
    if (ended := desk.vault(slug).ended) is not None:
        raise InputError("the challenge was closed", where=slug, got=ended)
    if asked.submission is None:
        phase = None if asked.phase is None else challenge.phase(asked.phase).id
        count = organising.rescore_phase(desk, challenge, phase=phase, by=by, because=asked.because)
        return Queued(submissions=count, because=asked.because)
    with desk.database.read() as session:
        entry = entries.find_entry(session, asked.submission)
    if entry is None or entry.challenge != slug:
        raise UnknownName(f"no such submission to {slug}", got=asked.submission)
    organising.rescore_one(desk, challenge, entry, by=by, because=asked.because)
    return Queued(submissions=1, because=asked.because)


@router.get("/queue", name="api_queue", responses=problems(401, 403, 503))
def queue(desk: AtDesk, visitor: Asking) -> QueueAnswer:
    """How long the queue is, and who works on it."""
    visitor.require_organiser()
    now = desk.clock()
    with desk.database.read() as session:
        depth, oldest, alive = jobs.depth(session), jobs.oldest(session), jobs.alive(session, now=now)
        states = entries.states(session)
    workers = [WorkerAnswer(name=one.name, started=one.started, seen=one.seen, jobs=one.jobs) for one in alive]
    return QueueAnswer(
        waiting=depth.get("queued", 0), going_on=depth.get("leased", 0), given_up=depth.get("dead", 0), oldest=oldest,
        workers=workers, submissions=states,
    )  # fmt: skip
