"""What happened to a submission, and the list of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from braggbook.challenges.design import Challenge
from braggbook.challenges.submissions import left, quota_text
from braggbook.errors import BraggbookError, InputError, UnknownName
from braggbook.formats.challenge import Phase
from braggbook.formats.submission import Receipt
from braggbook.hub.desk import Desk
from braggbook.hub.entries import score_again, standing, withdraw_entry
from braggbook.hub.look.submissions import logs_of, made_of, may_see_logs, receipt_file, receipt_of
from braggbook.hub.store import entries, people
from braggbook.hub.store.entries import MOVING, State
from braggbook.hub.store.tables import Entry
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import fragment, go_to, page, url
from braggbook.hub.web.taking_back import checked_reason, may_withdraw, require_may_withdraw
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor, say_once

router = APIRouter()
SIZE = 25  # submissions on a page
STATES: tuple[State, ...] = (
    "arriving", "queued", "running", "scored", "refused", "failed", "timed out", "killed", "platform", "withdrawn",
)  # fmt: skip
_MANY = 5  # findings that are shown at once; the others are folded


@dataclass(frozen=True)
class Score:
    """One score of a receipt, with what it means."""

    name: str
    value: float
    unit: str
    better: str
    ranked: bool


@dataclass(frozen=True)
class Pages:
    """Where a list goes on, as the pager of the templates wants it."""

    number: int
    pages: int
    total: int
    previous: str | None
    next: str | None


@router.get("/submissions", name="submissions")
def list_mine(
    request: Request, visitor: Asking, desk: AtDesk, challenge: str = "", state: str = "", number: int = 1
) -> Response:
    """Lists the submissions of the person's teams, the newest first."""
    visitor.require_person()
    mine, number = [one.id for one in visitor.teams], min(max(number, 1), 1_000_000)
    states = [one for one in STATES if one == state]
    with desk.database.read() as session:
        everything, _ = entries.list_entries(session, teams=mine, limit=10_000)
        found, total = entries.list_entries(
            session, teams=mine, challenge=challenge or None, states=states or None,
            offset=(number - 1) * SIZE, limit=SIZE,
        )  # fmt: skip
        shown = [(entry, standing(session, entry, now=desk.clock())) for entry in found]
    slugs = sorted({one.challenge for one in everything})
    known = {one.slug: one for one in desk.challenges() if isinstance(one, Challenge)}
    return page(
        request, "submissions.html", shown=shown, titles=known, slugs=slugs, states_all=STATES, chosen=challenge,
        state=state, any=bool(everything), teams=visitor.teams, now=desk.clock(),
        pages=_pages(request, number, total, challenge=challenge, state=state),
    )  # fmt: skip


def _pages(request: Request, number: int, total: int, **filters: str) -> Pages:
    pages = max(-(-total // SIZE), 1)

    def at(other: int) -> str | None:
        query = urlencode({**{name: value for name, value in filters.items() if value}, "number": other})
        return url(request, "submissions", query=query) if 1 <= other <= pages else None

    return Pages(number, pages, total, at(number - 1), at(number + 1))


@router.get("/submissions/{id}", name="submission")
def show(request: Request, id: str, visitor: Asking, desk: AtDesk) -> Response:
    """Shows what happened to a submission."""
    entry = _entry(desk, visitor, id)
    form = may_withdraw(desk, visitor, entry)
    return page(request, "submission.html", form=form, **_all(desk, visitor, entry), may_withdraw=form)


@router.get("/submissions/{id}/live", name="submission_live")
def live(request: Request, id: str, visitor: Asking, desk: AtDesk) -> Response:
    """Shows the part of the page that changes."""
    return fragment(request, "submission_live.html", **_all(desk, visitor, _entry(desk, visitor, id)))


@router.get("/submissions/{id}/receipt.json", name="receipt")
def read_receipt(id: str, visitor: Asking, desk: AtDesk) -> Response:
    """Gives the signed receipt, byte by byte as it was made."""
    entry = _entry(desk, visitor, id)
    path = receipt_file(desk.vault(entry.challenge), entry)
    if path is None:
        raise UnknownName("there is no receipt yet", where=id, got=entry.state)
    name = f"receipt-{entry.id}.json"
    return Response(
        path.read_bytes(), media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"},
    )  # fmt: skip


@router.get("/submissions/{id}/withdraw", name="submission_withdraw")
def ask_to_withdraw(request: Request, id: str, visitor: Asking, desk: AtDesk) -> Response:
    """Asks whether a submission shall be taken back, and why."""
    entry = _entry(desk, visitor, id)
    require_may_withdraw(desk, visitor, entry)
    return page(request, "submission_withdraw.html", form=True, entry=entry, fields=Form(), moving=MOVING)


@router.post("/submissions/{id}/withdraw", name="submission_withdraw_now")
def take_back(request: Request, id: str, visitor: Asking, desk: AtDesk, form: Posted) -> Response:
    """Takes a submission back."""
    person = visitor.require_person("submit")
    entry = _entry(desk, visitor, id)
    require_may_withdraw(desk, visitor, entry)
    if not form.checked("sure"):
        form.errors["sure"] = "this cannot be undone: tick the box if it is meant"
    because = _reason(form)
    if not form.errors:
        try:
            withdraw_entry(desk, entry, by=person, because=because)
        except InputError as error:
            form.errors[""] = str(error).splitlines()[0]
        else:
            say_once(request, "done", "The submission is withdrawn.")
            return go_to(request, "submission", id=id)
    return page(
        request, "submission_withdraw.html", status=422, form=True, entry=entry, fields=form, moving=MOVING
    )  # fmt: skip


@router.post("/submissions/{id}/score-again", name="submission_score_again")
def rescore(request: Request, id: str, visitor: Asking, desk: AtDesk, form: Posted) -> Response:
    """Puts a submission that has ended back into the queue."""
    person = visitor.require_organiser()
    entry = _entry(desk, visitor, id)
    because = _reason(form)
    if entry.state in (*MOVING, "withdrawn") or not entry.kind:
        form.errors[""] = f"it cannot be scored again now: it is {entry.state}"
    if form.errors:
        say_once(request, "wrong", f"Nothing was done: {next(iter(form.errors.values()))}.")
        return go_to(request, "submission", id=id)
    now = desk.clock()
    with desk.database.write() as session:
        fresh = entries.find_entry(session, id)
        if fresh is not None and fresh.state == entry.state:
            score_again(session, fresh, now=now, because=because)
            people.note_deed(session, person=person.id, what="rescore", about=id, text=because, now=now)
    say_once(request, "done", "It is scored again; its score stands until then.")
    return go_to(request, "submission", id=id)


def _reason(form: Form) -> str:
    try:
        return checked_reason(form.text("because"))
    except InputError as error:
        form.errors.setdefault("because", f"{error.what}: {error.wanted}")
        return ""


def _entry(desk: Desk, visitor: Visitor, id: str) -> Entry:
    visitor.require_person()
    with desk.database.read() as session:
        return visitor.require_entry(entries.find_entry(session, id), id)


def _all(desk: Desk, visitor: Visitor, entry: Entry) -> dict[str, Any]:
    """Returns all that page and fragment show."""
    now = desk.clock()
    with desk.database.read() as session:
        at, happened = standing(session, entry, now=now), entries.events(session, entry.id)
    vault = desk.vault(entry.challenge)
    challenge, phase = _design(desk, entry)
    receipt = receipt_of(vault, entry)
    logs_shown = phase is not None and may_see_logs(phase, organiser=visitor.organiser)
    return {
        "entry": entry, "at": at, "events": happened, "now": now, "final": entry.state not in MOVING,
        "challenge": challenge, "phase": phase, "receipt": receipt, "many": _MANY,
        "scores": _scores(challenge, receipt), "key": _key(challenge),
        "logs": logs_of(vault, entry) if logs_shown else [],
        "logs_shown": logs_shown, "left": _left(desk, entry, phase), "quota": quota_text(phase) if phase else "",
        "made": made_of(vault, entry) if visitor.organiser else [], "metrics": _metrics(challenge),
    }  # fmt: skip


def _design(desk: Desk, entry: Entry) -> tuple[Challenge | None, Phase | None]:
    """Returns challenge and phase of a submission; None where its design was changed until they are not there."""
    try:
        challenge = desk.challenge(entry.challenge)
    except BraggbookError:
        return None, None
    return challenge, challenge.design.phase(entry.phase)


def _left(desk: Desk, entry: Entry, phase: Phase | None) -> int | None:
    if phase is None or not phase.opens <= desk.clock() < phase.closes:
        return None
    return left(desk.vault(entry.challenge), phase=phase, team=entry.team, now=desk.clock())


def _key(challenge: Challenge | None) -> str:
    """Returns the public key that receipts are checked with; "" where there is none."""
    sealed = challenge.sealed if challenge else None
    return sealed.key if sealed else ""


def _metrics(challenge: Challenge | None) -> dict[str, Any]:
    return {one.id: one for one in challenge.design.metrics} if challenge else {}


def _scores(challenge: Challenge | None, receipt: Receipt | None) -> list[Score]:
    if receipt is None or not receipt.scores:
        return []
    known = _metrics(challenge)
    return [
        Score(
            name, value, known[name].unit if name in known else "", known[name].better if name in known else "",
            ranked=name in known and known[name].ranked,
        )
        for name, value in receipt.scores.items()
    ]  # fmt: skip
