"""Submissions over the API: hand in, follow, read the receipt, withdraw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from braggbook.challenges.submissions import same_team
from braggbook.errors import NotAllowed, TooLarge, UnknownName, unknown_name
from braggbook.formats.submission import Receipt
from braggbook.hub.api.answers import problems
from braggbook.hub.desk import Desk
from braggbook.hub.entries import Standing, Wanted, standing, withdraw_entry
from braggbook.hub.look.submissions import logs_of, may_see_logs, receipt_file
from braggbook.hub.store import entries
from braggbook.hub.store.database import Session
from braggbook.hub.store.entries import State
from braggbook.hub.store.tables import Entry, Event, Team
from braggbook.hub.uploads import Attempt, most_bytes, prepare, safe_name, stream_in
from braggbook.hub.web.rendering import url
from braggbook.hub.web.taking_back import checked_reason, require_may_withdraw
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor

router = APIRouter(tags=["submissions"])
_WAITERS = 100  # who wait at once for a state to change; one more is answered as it stands
_LONGEST_WAIT_S = 60
_LOOK_S, _SLOWEST_S, _SLOWER = 0.25, 2.0, 1.2  # between two looks at the database while somebody waits
_GONE = 499  # nobody reads this answer: whoever asked has gone away


class Asked(BaseModel):
    """What somebody hands in, beside the file."""

    name: Annotated[str, Field(max_length=255, description="Name of the file; its ending says what it is.")]
    phase: Annotated[str | None, Field(max_length=100, description="Where there are several.")] = None
    team: Annotated[str | None, Field(max_length=60, description="Where you are in several.")] = None
    title: Annotated[str, Field(max_length=200, description="What the team calls it.")] = ""
    accept_terms: Annotated[bool, Field(description="The team accepts the terms of the phase.")] = False


class Links(BaseModel):
    """Addresses below the hub's own."""

    self: str
    page: str
    receipt: str | None
    logs: str


class Happened(BaseModel):
    """Something that happened to a submission."""

    at: datetime
    state: State
    text: str


class SubmissionShown(BaseModel):
    """A submission: where it is, why, and until when."""

    id: str
    challenge: str
    phase: str
    team: str
    title: str
    kind: str
    file: str
    bytes: int
    sha256: str
    received: datetime
    changed: datetime
    state: State
    why: str
    until: datetime | None
    ahead: int | None
    expected: datetime | None
    workers: int
    done: int
    total: int
    note: str
    links: Links


class SubmissionWithEvents(SubmissionShown):
    """A submission with all that happened to it, the first first."""

    events: list[Happened]


class SubmissionPage(BaseModel):
    """Some submissions, the newest first."""

    total: int
    offset: int
    limit: int
    submissions: list[SubmissionShown]


class LogShown(BaseModel):
    """The end of a log of the same failure on public cases."""

    name: str
    bytes: int
    cut: bool
    text: str


class Logs(BaseModel):
    """Logs of a submission."""

    submission: str
    logs: list[LogShown]


class Because(BaseModel):
    """Why something is done; other people read it."""

    because: str


@router.post(
    "/challenges/{slug}/submissions",
    status_code=202,
    name="api_submit",
    response_model=SubmissionShown,
    responses={
        200: {"model": SubmissionShown, "description": "This key was used before; this is its submission."},
        **problems(401, 403, 404, 413, 422, 429, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The file itself.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def hand_in(
    request: Request,
    visitor: Asking,
    desk: AtDesk,
    slug: str,
    asked: Annotated[Asked, Query()],
    idempotency_key: Annotated[str, Header(max_length=100, pattern=r"^[\x21-\x7e]*$")] = "",
) -> Response:
    """Hand in a file, sent as the body as it is; answered as soon as it is in the queue.

    Sent again with the same `Idempotency-Key`, it is the same submission: the body is only read where an earlier
    attempt broke off before it was complete.
    """
    wanted = await run_in_threadpool(_wanted, desk, visitor, slug, asked=asked, key=idempotency_key)
    request.app.state.rates.upload(wanted.person.id)
    limit = most_bytes(desk.config, wanted.challenge.design.submission)
    if int(request.headers.get("content-length") or 0) > limit:
        raise TooLarge("the file is larger than the hub takes", wanted=f"at most {limit >> 20} MB")
    entry, empty = await run_in_threadpool(prepare, desk, wanted, accepted=asked.accept_terms)
    if empty:
        attempt = await run_in_threadpool(Attempt, desk, entry, name=asked.name, most=limit)
        try:
            entry = await stream_in(attempt, request.stream())
        except ClientDisconnect:
            return Response(status_code=_GONE)
    shown = await run_in_threadpool(_read, request, desk, entry.id)
    headers = {"Location": shown.links.self}
    return JSONResponse(shown.model_dump(mode="json"), 202 if empty else 200, headers=headers)


@router.get("/submissions", name="api_submissions", responses=problems(401, 403, 422))
def list_mine(
    request: Request,
    visitor: Asking,
    desk: AtDesk,
    challenge: Annotated[str | None, Query(max_length=100)] = None,
    phase: Annotated[str | None, Query(max_length=100)] = None,
    state: Annotated[list[State] | None, Query()] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SubmissionPage:
    """List the submissions of your teams, the newest first."""
    visitor.require_person()
    with desk.database.read() as session:
        found, total = entries.list_entries(
            session, teams=[one.id for one in visitor.teams], challenge=challenge, phase=phase, states=state,
            offset=offset, limit=limit,
        )  # fmt: skip
        shown = [_shown(request, session, entry, now=desk.clock()) for entry in found]
    return SubmissionPage(total=total, offset=offset, limit=limit, submissions=shown)


@router.get("/submissions/{id}", name="api_submission", responses=problems(401, 403, 404, 422))
async def follow(
    request: Request,
    visitor: Asking,
    desk: AtDesk,
    id: str,
    wait: Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for another state.")] = 0,
    state: Annotated[State | None, Query(description="The state that you know; any other is answered at once.")] = None,
) -> SubmissionWithEvents:
    """Say where a submission is; with `wait` and `state`, as soon as it is somewhere else."""
    entry = await run_in_threadpool(_mine, desk, visitor, id)
    if wait and entry.state == state:
        await _wait(request, lambda: _state_of(desk, id) != state, seconds=wait)
    return cast("SubmissionWithEvents", await run_in_threadpool(_read, request, desk, id))


@router.get(
    "/submissions/{id}/receipt",
    name="api_receipt",
    response_model=Receipt,
    responses=problems(401, 403, 404, 422),
)
def read_receipt(visitor: Asking, desk: AtDesk, id: str) -> Response:
    """Give the newest signed receipt of a submission, as it was made for its team."""
    entry = _mine(desk, visitor, id)
    path = receipt_file(desk.vault(entry.challenge), entry)
    if path is None:
        raise UnknownName("there is no receipt yet", where=id, got=entry.state, next_command="ask again later")
    return Response(path.read_bytes(), media_type="application/json")


@router.get("/submissions/{id}/logs", name="api_logs", responses=problems(401, 403, 404, 422))
def read_logs(visitor: Asking, desk: AtDesk, id: str) -> Logs:
    """Give what a notebook that failed said on the public cases, where the phase shows it."""
    entry = _mine(desk, visitor, id)
    if not may_see_logs(desk.challenge(entry.challenge).phase(entry.phase), organiser=visitor.organiser):
        raise NotAllowed("this phase shows its logs to organisers only", where=entry.phase)
    found = logs_of(desk.vault(entry.challenge), entry)
    return Logs(
        submission=id,
        logs=[LogShown(name=one.name, bytes=one.size, cut=one.cut, text=one.text) for one in found],
    )


@router.post("/submissions/{id}/withdraw", name="api_withdraw", responses=problems(400, 401, 403, 404, 422))
def take_back(request: Request, visitor: Asking, desk: AtDesk, id: str, given: Because) -> SubmissionWithEvents:
    """Take a submission off the board, for good: a leader of its team or an organiser may."""
    person = visitor.require_person("submit")
    _require_token(visitor)
    entry = _mine(desk, visitor, id)
    require_may_withdraw(desk, visitor, entry)
    withdraw_entry(desk, entry, by=person, because=checked_reason(given.because))
    return _read(request, desk, id)


def _require_token(visitor: Visitor) -> None:
    if not visitor.by_token:
        raise NotAllowed("the API changes something for tokens only", wanted="Authorization: Bearer, or the pages")


def _wanted(desk: Desk, visitor: Visitor, slug: str, *, asked: Asked, key: str) -> Wanted:
    person = visitor.require_person("submit")
    _require_token(visitor)
    challenge = desk.challenge(slug)
    safe_name(asked.name)
    phase, team = challenge.phase(asked.phase or None), _team(visitor, asked.team or None)
    return Wanted(challenge, phase.id, team, person, asked.title, key, asked.name)


def _team(visitor: Visitor, name: str | None) -> Team:
    if not visitor.teams:
        raise UnknownName("you are in no team", wanted="a team of yours", next_command="make one on the page My teams")
    if name is None and len(visitor.teams) == 1:
        return visitor.teams[0]
    if name is None:
        raise UnknownName("which team? you are in several", wanted=" or ".join(visitor.team_names()))
    found = next((one for one in visitor.teams if same_team(one.name, name)), None)
    if found is None:
        raise unknown_name("team of yours", name, visitor.team_names())
    return found


def _mine(desk: Desk, visitor: Visitor, id: str) -> Entry:
    with desk.database.read() as session:
        return visitor.require_entry(entries.find_entry(session, id), id)


def _state_of(desk: Desk, id: str) -> str | None:
    with desk.database.read() as session:
        found = entries.find_entry(session, id)
    return found.state if found else None


async def _wait(request: Request, over: Callable[[], bool], *, seconds: float) -> None:
    """Waits until something is so, or the time is over; no thread is held meanwhile."""
    app = request.app
    if getattr(app.state, "waiters", 0) >= _WAITERS:
        return
    app.state.waiters = getattr(app.state, "waiters", 0) + 1
    end, pause = time.monotonic() + seconds, _LOOK_S
    try:
        while (rest := end - time.monotonic()) > 0:
            await asyncio.sleep(min(pause, rest))
            pause = min(pause * _SLOWER, _SLOWEST_S)
            if await run_in_threadpool(over) or await request.is_disconnected():
                return
    finally:
        app.state.waiters -= 1


def _read(request: Request, desk: Desk, id: str) -> SubmissionWithEvents:
    with desk.database.read() as session:
        entry = entries.find_entry(session, id)
        if entry is None:
            raise UnknownName("no such submission", got=id)
        shown = _shown(request, session, entry, now=desk.clock())
        happened = [_happened(one) for one in entries.events(session, id)]
    return SubmissionWithEvents(**shown.model_dump(), events=happened)


def _happened(event: Event) -> Happened:
    return Happened(at=event.at, state=cast("State", event.state), text=event.text)


def _shown(request: Request, session: Session, entry: Entry, *, now: datetime) -> SubmissionShown:
    at: Standing = standing(session, entry, now=now)
    return SubmissionShown(
        id=entry.id, challenge=entry.challenge, phase=entry.phase, team=entry.team, title=entry.title,
        kind=entry.kind, file=entry.upload, bytes=entry.size, sha256=entry.sha256, received=entry.received,
        changed=entry.changed, state=at.state, why=at.why, until=at.until, ahead=at.ahead, expected=at.expected,
        workers=at.workers, done=at.done, total=at.total, note=at.note, links=_links(request, entry),
    )  # fmt: skip


def _links(request: Request, entry: Entry) -> Links:
    return Links(
        self=url(request, "api_submission", id=entry.id),
        page=url(request, "submission", id=entry.id),
        receipt=url(request, "api_receipt", id=entry.id) if entry.evaluation else None,
        logs=url(request, "api_logs", id=entry.id),
    )
