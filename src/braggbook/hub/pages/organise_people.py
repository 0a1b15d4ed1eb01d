"""Who is here: organisers invite, recover, disable and name organisers."""

from __future__ import annotations

import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from braggbook.errors import InputError, UnknownName
from braggbook.hub import accounts
from braggbook.hub.desk import Desk
from braggbook.hub.look.paging import Page
from braggbook.hub.pages.runs import pager_of
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import go_to, page, url
from braggbook.hub.web.visitor import AtDesk, say_once, visitor_of

# included by pages/organise.py, which lets only organisers in; "-" is the slug of no challenge
router = APIRouter(prefix="/-/people")
_SIZE = 50
_DAYS = (1, 7, 30)
_LONGEST_NOTE = 200  # characters, of the database's column


@router.get("", name="organise_people")
def all_people(request: Request, desk: AtDesk, number: int = 1) -> Response:
    """Shows who is here, and the links that still work."""
    return _page(request, desk, Form(values={"days": "7"}), number=number)


@router.post("/invite", name="organise_invite")
def invite(request: Request, desk: AtDesk, form: Posted) -> Response:
    """Makes an invitation; its link is shown once, on the page that answers."""
    note, days = form.text("note", longest=_LONGEST_NOTE), form.text("days")
    if days not in {str(one) for one in _DAYS}:
        form.errors["days"] = "choose how long it works"
    if form.errors:
        return _page(request, desk, form, status=422)
    secret = accounts.invite(
        desk, by=visitor_of(request).require_organiser(), organiser=form.checked("organiser"), note=note,
        lasts=datetime.timedelta(days=int(days)),
    )  # fmt: skip
    told = f"Whoever opens this link joins{' as an organiser' if form.checked('organiser') else ''}, once."
    return _page(request, desk, Form(values={"days": "7"}), link=_address(request, desk, secret), told=told)


@router.post("/{id}/recovery", name="organise_recovery")
def recovery(request: Request, desk: AtDesk, id: int, form: Posted) -> Response:  # noqa: ARG001 - the form is the proof
    """Makes a link by which a person chooses a new password; it is shown once."""
    secret = accounts.recovery_link(desk, id, by=visitor_of(request).require_organiser())
    told = f"By this link {_name(desk, id)} chooses a new password, once. Give it to nobody else."
    return _page(request, desk, Form(values={"days": "7"}), link=_address(request, desk, secret), told=told)


@router.post("/{id}", name="organise_person")
def change(request: Request, desk: AtDesk, id: int, form: Posted) -> Response:
    """Disables or enables a person, or says whether it is an organiser."""
    by, do = visitor_of(request).require_organiser(), form.text("do")
    try:
        _change(desk, id, do, by)
    except UnknownName:
        raise
    except InputError as error:
        say_once(request, "wrong", f"Not done: {error.what}{f'; {error.wanted}' if error.wanted else ''}.")
    else:
        said = {"disable": "is disabled", "enable": "is enabled", "organiser": "is an organiser now"}
        say_once(request, "done", f"{_name(desk, id)} {said.get(do, 'is no organiser any more')}.")
    return go_to(request, "organise_people")


def _change(desk: Desk, id: int, do: str, by: Person) -> None:
    if do == "disable":
        accounts.disable(desk, id, by=by)
    elif do == "enable":
        accounts.enable(desk, id, by=by)
    elif do in ("organiser", "participant"):
        accounts.set_organiser(desk, id, do == "organiser", by=by)
    else:
        raise InputError("not to be done to a person", wanted="disable, enable, organiser or participant")


def _name(desk: Desk, id: int) -> str:
    with desk.database.read() as session:
        found = people.find_person(session, id)
    return found.name if found else "nobody"


def _address(request: Request, desk: Desk, secret: str) -> str:
    """Returns a link's whole address, as people reach this hub."""
    base = desk.config.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}{url(request, 'invitation', secret=secret)}"


def _page(
    request: Request, desk: Desk, form: Form, *, number: int = 1, status: int = 200, link: str = "", told: str = ""
) -> Response:
    now = desk.clock()
    with desk.database.read() as session:
        _, total = people.list_people(session, limit=0)
        pages = max(1, -(-total // _SIZE))
        number = min(max(number, 1), pages)
        listed, _ = people.list_people(session, offset=(number - 1) * _SIZE, limit=_SIZE)
        known = {one.id: [found.issuer for found in people.identities(session, one.id)] for one in listed}
        links = [one for one in people.open_invitations(session, now=now) if one.kind != "team"]
    shown: Page[Any] = Page(tuple(listed), number, pages, total)
    return page(
        request, "organise_people.html", status=status, people=listed, known=known, links=links, asked=form, link=link,
        told=told, now=now, days=_DAYS, pager=pager_of(request, "organise_people", shown, query={}), form=True,
    )  # fmt: skip
