"""What organisers see and do: how challenges go, who needs a person, opening, scoring again, closing, publishing."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from braggbook.challenges.design import Challenge
from braggbook.challenges.evaluate import ERROR
from braggbook.challenges.vault import is_id
from braggbook.errors import InputError, UnknownName
from braggbook.formats.board import Board
from braggbook.formats.submission import Evaluation
from braggbook.hub import entries as entering
from braggbook.hub import organising, publishing
from braggbook.hub.desk import Desk
from braggbook.hub.errands import Errand, Errands, Work
from braggbook.hub.pages import organise_people
from braggbook.hub.pages.runs import zipped
from braggbook.hub.store import entries, jobs, people
from braggbook.hub.store.entries import MOVING, State
from braggbook.hub.store.tables import Entry, Person
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import fragment, go_to, page, url
from braggbook.hub.web.visitor import AtDesk, say_once, visitor_of

_STATES: tuple[State, ...] = (
    "arriving", "queued", "running", "scored", "refused", "failed", "timed out", "killed", "platform", "withdrawn",
)  # fmt: skip
_DEEDS = 30  # that the first page shows
_PERSON_NEEDED = 50
_SIZE = 50  # submissions on a page
_MOST_CASES = 200  # in a table; the file has all
_LONGEST_ERROR = 20_000  # characters of error.txt that a page shows
_LONGEST_REASON = 500
_moment = datetime.datetime.fromisoformat  # of what stands in files


def _organiser(request: Request) -> Person:
    return visitor_of(request).require_organiser()


Organiser = Annotated[Person, Depends(_organiser)]
# asked before anything of a request's body is read: nobody else can fill the disk
router = APIRouter(prefix="/organise", dependencies=[Depends(_organiser)])
router.include_router(organise_people.router)


def errands_of(request: Request) -> Errands:
    """Returns the work of the hub that goes on; there is one such list for each application."""
    return request.app.state.errands  # type: ignore[no-any-return]


@router.get("", name="organise")
def overview(request: Request, desk: AtDesk) -> Response:
    """Shows all challenges, the queue, who needs a person, and what was done last."""
    now = desk.clock()
    with desk.database.read() as session:
        depth, workers, oldest = jobs.depth(session), jobs.alive(session, now=now), jobs.oldest(session)
        needed, more = entries.list_entries(session, states=("platform",), limit=_PERSON_NEEDED)
        deeds = people.deeds(session, limit=_DEEDS)
        names = {one.id: one.name for one in people.list_people(session, limit=10_000)[0]}
    found = [_line(desk, one) if isinstance(one, Challenge) else {"error": one} for one in desk.challenges()]
    return page(
        request, "organise.html", challenges=found, depth=depth, workers=workers, oldest=oldest, needed=needed,
        needed_in_all=more, deeds=deeds, names=names, now=now, form=True,
    )  # fmt: skip


def _line(desk: Desk, challenge: Challenge) -> dict[str, Any]:
    ended = desk.vault(challenge.slug).ended
    with desk.database.read() as session:
        total = _count(session, challenge.slug)
        moving = _count(session, challenge.slug, states=MOVING)
        ours = _count(session, challenge.slug, states=("platform",))
    sealed = challenge.sealed
    return {
        "slug": challenge.slug, "title": challenge.design.title, "phases": _phases(desk, challenge), "ended": ended,
        "splits": sorted({one.split for one in sealed.splits}) if sealed else [], "total": total, "moving": moving,
        "ours": ours,
    }  # fmt: skip


def _count(session: Any, challenge: str, **chosen: Any) -> int:
    return entries.list_entries(session, challenge=challenge, limit=0, **chosen)[1]


def _phases(desk: Desk, challenge: Challenge) -> list[dict[str, Any]]:
    now, ended = desk.clock(), desk.vault(challenge.slug).ended
    sealed = challenge.sealed
    return [
        {
            "phase": phase,
            "state": "closed" if ended or now >= phase.closes else "upcoming" if now < phase.opens else "open",
            "opened": sealed is not None and sealed.latest(phase.split) is not None,
        }
        for phase in challenge.design.phases
    ]


@router.get("/{slug}/errand", name="organise_errand")
def errand(request: Request, slug: str) -> Response:
    """Shows how far work on a challenge is, for a page that is open."""
    return fragment(request, "organise_errand.html", errand=errands_of(request).look(slug), slug=slug)


@router.get("/{slug}", name="organise_challenge")
def challenge(request: Request, desk: AtDesk, slug: str, phase: str = "", state: str = "", number: int = 1) -> Response:
    """Shows a challenge: its phases, its sealed splits, its submissions."""
    found = desk.challenge(slug)
    if phase:
        found.phase(phase)
    states: tuple[State, ...] | None = next(((one,) for one in _STATES if one == state), None)
    with desk.database.read() as session:
        counts = {one: count for one in _STATES if (count := _count(session, slug, states=(one,)))}
        total = _count(session, slug, phase=phase or None, states=states)
        pages = max(1, -(-total // _SIZE))
        number = min(max(number, 1), pages)
        listed, _ = entries.list_entries(
            session, challenge=slug, phase=phase or None, states=states, offset=(number - 1) * _SIZE, limit=_SIZE
        )
    pager = _pager(request, number, pages, total, query={"phase": phase, "state": state}, slug=slug)
    return page(
        request, "organise_challenge.html", moment=_moment,
        challenge=found, phases=_phases(desk, found), counts=counts,
        listed=listed, pager=pager, phase=phase, state=state, all_states=_STATES, now=desk.clock(),
        ended=desk.vault(slug).ended, errand=errands_of(request).look(slug), form=True,
        closed=organising.closed_folder(desk, slug).is_dir(),
    )  # fmt: skip


def _pager(request: Request, number: int, pages: int, total: int, *, query: Mapping[str, str], slug: str) -> Any:
    def address(of: int) -> str | None:
        if not 1 <= of <= pages or of == number:
            return None
        said = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in query.items() if value)
        return url(request, "organise_challenge", slug=slug, query=f"{said}&number={of}".removeprefix("&"))

    return {
        "number": number, "pages": pages, "total": total, "previous": address(number - 1), "next": address(number + 1),
    }  # fmt: skip


@router.get("/{slug}/submissions/{id}", name="organise_submission")
def submission(request: Request, desk: AtDesk, slug: str, id: str) -> Response:
    """Shows all that an organiser may know of a submission: each evaluation with its cases and what went wrong."""
    entry = _entry(desk, slug, id)
    with desk.database.read() as session:
        events, job = entries.events(session, id), jobs.job_of(session, id)
    vault = desk.vault(slug)
    came = vault.received(id)
    made = [_evaluation(desk, one) for one in reversed(vault.evaluations(id))]
    return page(
        request, "organise_submission.html", moment=_moment,
        challenge=desk.challenge(slug), entry=entry, events=events, job=job,
        came=came, made=made, withdrawal=vault.withdrawal(id), most_cases=_MOST_CASES, now=desk.clock(),
    )  # fmt: skip


def _evaluation(desk: Desk, made: Evaluation) -> dict[str, Any]:
    path = desk.vault(made.challenge).evaluation_folder(made.submission, made.id) / ERROR
    error = path.read_text(encoding="utf-8", errors="replace")[:_LONGEST_ERROR] if path.is_file() else ""
    cases = sorted({case for one in made.cases.values() for case in one})
    return {"made": made, "error": error, "cases": cases}


@router.get("/{slug}/submissions/{id}/evaluations/{evaluation}.json", name="organise_evaluation")
def evaluation(desk: AtDesk, slug: str, id: str, evaluation: str) -> Response:
    """Hands out a signed evaluation, with the scores of each case."""
    _entry(desk, slug, id)
    found = desk.vault(slug).evaluation(id, evaluation) if is_id(evaluation) else None
    if found is None:
        raise UnknownName("no such evaluation", got=evaluation)
    return _file(found.model_dump(mode="json"), f"evaluation-{evaluation}.json")


def _file(content: Any, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return JSONResponse(content, headers=headers)


def _entry(desk: Desk, slug: str, id: str) -> Entry:
    desk.challenge(slug)
    with desk.database.read() as session:
        found = entries.find_entry(session, id)
    if found is None or found.challenge != slug:
        raise UnknownName(f"no such submission to {slug}", got=id)
    return found


@router.get("/{slug}/open", name="organise_open")
def open_page(request: Request, desk: AtDesk, slug: str) -> Response:
    """Asks for the hidden cases of a split."""
    return _open_page(request, desk.challenge(slug), Form())


@router.post("/{slug}/open", name="organise_open_do")
def open_do(request: Request, desk: AtDesk, organiser: Organiser, slug: str, form: Posted) -> Response:
    """Takes hidden cases into the vault, and seals their truth."""
    challenge = desk.challenge(slug)
    splits = {phase.split for phase in challenge.design.phases}
    split = next((one for one in splits if one == form.text("split")), None)
    because = form.text("because", longest=_LONGEST_REASON)
    if split is None:
        form.errors["split"] = "choose which cases these are"
    zips = {name: form.files[name].file for name in organising.PARTS if name in form.files and form.files[name].size}
    form.errors |= {name: "choose a zip" for name in organising.PARTS if name not in zips}
    if split is None or form.errors:
        return _open_page(request, challenge, form, status=422)
    try:
        made = organising.open_from_zips(desk, challenge, split, zips=zips, because=because, by=organiser)
    except InputError as error:
        return _open_page(request, challenge, form, status=422, error=error)
    say_once(request, "done", f"Split {made.split}, version {made.version}: {made.cases} cases are sealed.")
    return go_to(request, "organise_open", slug=slug)


def _open_page(
    request: Request, challenge: Challenge, form: Form, *, status: int = 200, error: InputError | None = None
) -> Response:
    if error is not None:
        _tell(form, error)
    sealed = challenge.sealed
    splits = list(dict.fromkeys(phase.split for phase in challenge.design.phases))
    if not form.values.get("split"):
        known = {one.split for one in sealed.splits} if sealed else set()
        form.values["split"] = next((one for one in splits if one not in known), splits[0])
    return page(
        request, "organise_open.html", status=status, moment=_moment,
        challenge=challenge, splits=splits, sealed=sealed, asked=form,
        error=error, form=True,
    )  # fmt: skip


def _tell(form: Form, error: InputError) -> None:
    """Puts what is wrong beside the fields; the page lists every finding below."""
    if any(word in error.what for word in ("is open", "nothing to correct")):
        form.errors["because"] = f"{error.what}{f'; wanted {error.wanted}' if error.wanted else ''}"
        return
    counted: dict[str, list[str]] = {}
    for issue in error.issues:
        counted.setdefault(organising.field_of(issue), []).append(str(issue))
    for name, found in counted.items():
        more = f", and {len(found) - 1} more, listed below" if len(found) > 1 else ""
        form.errors[name] = f"{found[0]}{more}"
    if not error.issues:
        form.errors[""] = str(error).partition("\nnext:")[0]


@router.get("/{slug}/rescore", name="organise_rescore")
def rescore_page(request: Request, desk: AtDesk, slug: str, submission: str = "", phase: str = "") -> Response:
    """Asks what is to be scored again, and shows how ranks moved since the last time."""
    form = Form(values={"what": submission or phase or "all"})
    return _rescore_page(request, desk, slug, form)


@router.post("/{slug}/rescore", name="organise_rescore_do")
def rescore_do(request: Request, desk: AtDesk, organiser: Organiser, slug: str, form: Posted) -> Response:
    """Puts submissions back into the queue."""
    challenge = desk.challenge(slug)
    because, what = form.text("because", longest=_LONGEST_REASON), form.text("what")
    if not because:
        form.errors["because"] = "say why: the participants read it"
    if desk.vault(slug).ended:
        form.errors[""] = "the challenge was closed: its scores stand"
    phases = {phase.id for phase in challenge.design.phases}
    if what not in phases | {"all"} and not is_id(what):
        form.errors["what"] = "choose what is to be scored again"
    if form.errors:
        return _rescore_page(request, desk, slug, form, status=422)
    if is_id(what):
        try:
            entry = _entry(desk, slug, what)
            organising.rescore_one(desk, challenge, entry, by=organiser, because=because)
        except InputError as error:
            form.errors["what"] = f"{error.what}; {error.got}"
            return _rescore_page(request, desk, slug, form, status=422)
        count = 1
    else:
        phase = None if what == "all" else what
        count = organising.rescore_phase(desk, challenge, phase=phase, by=organiser, because=because)
    say_once(request, "done", f"{count} submissions are scored again; their scores stand until then.")
    return go_to(request, "organise_rescore", slug=slug)


def _rescore_page(request: Request, desk: Desk, slug: str, form: Form, *, status: int = 200) -> Response:
    challenge = desk.challenge(slug)
    with desk.database.read() as session:
        moving = _count(session, slug, states=MOVING)
    options = [("all", "All submissions")]
    options += [(one.id, f"All of one phase: {one.title}") for one in challenge.design.phases]
    if is_id(form.values.get("what", "")):
        one = _entry(desk, slug, form.values["what"])
        options.append((one.id, f"One submission: {one.id}, of {one.team}"))
    return page(
        request, "organise_rescore.html", status=status, moment=_moment,
        challenge=challenge, asked=form, options=options,
        moving=moving, moved=organising.moved_since(desk, slug, _boards(request, challenge)), now=desk.clock(),
        ended=desk.vault(slug).ended, form=True,
    )  # fmt: skip


def _boards(request: Request, challenge: Challenge) -> dict[str, Board]:
    shelf = request.app.state.boards
    made = ((phase.id, shelf.current(challenge.slug, phase.id)) for phase in challenge.design.phases)
    return {id: one.board for id, one in made if one is not None}


@router.get("/{slug}/submissions/{id}/withdraw", name="organise_withdraw")
def withdraw_page(request: Request, desk: AtDesk, slug: str, id: str) -> Response:
    """Asks why a submission is to be taken off the board."""
    return _withdraw_page(request, desk, _entry(desk, slug, id), Form())


@router.post("/{slug}/submissions/{id}/withdraw", name="organise_withdraw_do")
def withdraw_do(request: Request, desk: AtDesk, organiser: Organiser, slug: str, id: str, form: Posted) -> Response:
    """Takes a submission off the board, for good."""
    entry, because = _entry(desk, slug, id), form.text("because", longest=_LONGEST_REASON)
    if not because:
        form.errors["because"] = "say why: everybody may read it once the challenge is closed"
    if not form.checked("sure"):
        form.errors["sure"] = "it cannot be undone"
    if not form.errors:
        try:
            entering.withdraw_entry(desk, entry, by=organiser, because=because)
        except InputError as error:
            form.errors["because"] = str(error).partition("\nnext:")[0]
    if form.errors:
        return _withdraw_page(request, desk, entry, form, status=422)
    say_once(request, "done", f"The submission {id} of {entry.team} is withdrawn.")
    return go_to(request, "organise_submission", slug=slug, id=id)


def _withdraw_page(request: Request, desk: Desk, entry: Entry, form: Form, *, status: int = 200) -> Response:
    return page(
        request, "organise_withdraw.html", status=status, challenge=desk.challenge(entry.challenge), entry=entry,
        asked=form, form=True,
    )  # fmt: skip


@router.get("/{slug}/close", name="organise_close")
def close_page(request: Request, desk: AtDesk, slug: str) -> Response:
    """Shows what closing would do, or how far it is."""
    return _close_page(request, desk, slug, Form())


@router.post("/{slug}/close", name="organise_close_do")
def close_do(request: Request, desk: AtDesk, organiser: Organiser, slug: str, form: Posted) -> Response:
    """Begins to close a challenge; the page says how far that is."""
    found = desk.challenge(slug)
    plan = organising.plan_close(desk, found)
    if not plan.possible:
        form.errors[""] = "the challenge cannot be closed now: the reasons are below"
    if plan.early and not form.checked("early"):
        form.errors["early"] = "a phase goes on: say that it shall be closed all the same"
    if form.text("slug") != slug:
        form.errors["slug"] = f"type the name of the challenge, {slug}: this cannot be undone"
    if form.errors:
        return _close_page(request, desk, slug, form, status=422)
    early = bool(plan.early)
    begin(
        request, organiser, slug, "close", lambda _: organising.close_challenge(desk, found, early=early, by=organiser)
    )
    return go_to(request, "organise_close", slug=slug)


def begin(request: Request, organiser: Person, slug: str, kind: str, work: Callable[..., object]) -> None:
    """Begins work on a challenge, or says that some goes on."""
    chosen: Work = work
    if not errands_of(request).begin(slug, kind, by=organiser.name, work=chosen):
        say_once(request, "note", "Work on this challenge goes on; wait until it has ended.")


def _close_page(request: Request, desk: Desk, slug: str, form: Form, *, status: int = 200) -> Response:
    found = desk.challenge(slug)
    return page(
        request, "organise_close.html", status=status, moment=_moment,
        challenge=found, plan=organising.plan_close(desk, found),
        asked=form, errand=_own(errands_of(request).look(slug), "close"), form=True,
    )  # fmt: skip


def _own(errand: Errand | None, *kinds: str) -> Errand | None:
    """Returns work that a page is about; other work only while it goes on."""
    return errand if errand is not None and (errand.kind in kinds or errand.state == "going on") else None


@router.get("/{slug}/publish", name="organise_publish")
def publish_page(request: Request, desk: AtDesk, slug: str, to: str = "folder") -> Response:
    """Shows how far the publishing of a closed challenge is, and its plan."""
    return _publish_page(request, desk, slug, to, Form())


@router.post("/{slug}/publish", name="organise_publish_do")
def publish_do(request: Request, desk: AtDesk, organiser: Organiser, slug: str, form: Posted) -> Response:
    """Begins a step of publishing: plan, push, or mint, which cannot be undone."""
    desk.challenge(slug)
    to, step = form.text("to"), form.text("step")
    _require_usable(desk, to)
    state = publishing.publication(desk, slug, to)
    order = publishing.Order(slug, to, form.text("digest"), organiser, os.environ)
    if step == "plan":
        work: Work = lambda _: publishing.plan_publication(desk, slug, to)  # noqa: E731 - one of three
    elif step == "push":
        work = lambda progress: publishing.push_publication(desk, order, progress)  # noqa: E731 - the same
    elif step == "mint":
        if state.plan is None or _same(form.text("title")) != _same(state.plan.metadata.title):
            form.errors["title"] = "type the title as it stands above: a DOI cannot be taken back"
            return _publish_page(request, desk, slug, to, form, status=422)
        work = lambda progress: publishing.mint_publication(desk, order, progress)  # noqa: E731 - the same
    else:
        raise InputError("no step of publishing", wanted="plan, push or mint")
    begin(request, organiser, slug, step, work)
    return go_to(request, "organise_publish", slug=slug, query=f"to={to}")


def _same(text: str) -> str:
    return " ".join(text.split())


def _require_usable(desk: Desk, archive: str) -> None:
    found = next((one for one in publishing.archives(desk, os.environ) if one.name == archive), None)
    if found is None:
        raise InputError("no such archive", wanted="one of those that the page names")
    if found.why:
        raise InputError("the archive cannot be used by this hub", where=archive, wanted=found.why)


def _publish_page(request: Request, desk: Desk, slug: str, to: str, form: Form, *, status: int = 200) -> Response:
    shown = publishing.archives(desk, os.environ)
    if to not in {one.name for one in shown}:
        raise UnknownName("no such archive", wanted=", ".join(one.name for one in shown))
    return page(
        request, "organise_publish.html", status=status, challenge=desk.challenge(slug), archives=shown, to=to,
        state=publishing.publication(desk, slug, to), asked=form, form=True,
        closed=organising.closed_folder(desk, slug).is_dir(),
        errand=_own(errands_of(request).look(slug), "plan", "push", "mint"),
    )  # fmt: skip


@router.get("/{slug}/closed.zip", name="organise_export")
def export(desk: AtDesk, slug: str) -> Response:
    """Hands out a closed challenge: every file of it is public."""
    desk.challenge(slug)
    files = publishing.public_files(desk, slug)
    headers = {"Content-Disposition": f'attachment; filename="{slug}-closed.zip"'}
    return StreamingResponse(zipped(files), media_type="application/zip", headers=headers)


@router.get("/{slug}/boards.json", name="organise_boards")
def boards(request: Request, desk: AtDesk, slug: str) -> Response:
    """Hands out the boards of all phases, whole, as they are now."""
    made = _boards(request, desk.challenge(slug))
    said = {id: json.loads(board.model_dump_json()) for id, board in made.items()}
    return _file({"challenge": slug, "boards": said}, f"{slug}-boards.json")
