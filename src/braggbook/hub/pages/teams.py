"""Teams: making one, letting others in, taking them out, leaving, handing over."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from braggbook.errors import HubError, InputError
from braggbook.hub import accounts
from braggbook.hub.pages.account import Myself
from braggbook.hub.pages.sign_in import beside, done
from braggbook.hub.store import teams
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import go_to, page, url
from braggbook.hub.web.visitor import AtDesk, desk_of, visitor_of

router = APIRouter(prefix="/teams")


@router.get("", name="teams")
def show_all(request: Request, person: Myself) -> Response:
    """Shows the person's teams, and a form for a new one."""
    return _teams_page(request, person.id, Form())


@router.post("", name="team_make")
def make(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:
    """Makes a team."""
    try:
        team = accounts.make_team(desk, person, form.text("name"))
    except InputError as error:
        return _teams_page(request, person.id, beside(form, error), status=422)
    return go_to(request, "team", id=team.id)


def _teams_page(request: Request, person: int, form: Form, *, status: int = 200) -> Response:
    with desk_of(request).database.read() as session:
        mine = [
            (team, len(teams.members(session, team.id)), teams.submissions_of(session, team.id))
            for team in teams.teams_of(session, person)
        ]
    return page(request, "teams.html", status=status, form=True, fields=form, teams=mine)


@router.get("/{id}", name="team")
def show(request: Request, person: Myself, id: int) -> Response:
    """Shows a team to those who are in it."""
    return _team_page(request, person.id, id, Form())


@router.post("/{id}/name", name="team_rename")
def rename(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:
    """Changes the name of a team that has handed nothing in."""
    try:
        accounts.rename_team(desk, id, form.text("name"), by=person)
    except InputError as error:
        return _failed(request, person.id, id, form, error)
    done(request, "The team has its new name.")
    return go_to(request, "team", id=id)


@router.post("/{id}/link", name="team_link")
def link(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:  # noqa: ARG001 - it is ours
    """Makes a link to join, and shows it in the answer: it is kept nowhere, not even for one redirect."""
    secret = accounts.join_link(desk, id, by=person)
    return _team_page(request, person.id, id, Form(), link=_address(request, secret))


@router.post("/{id}/leave", name="team_leave")
def leave(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:
    """Takes the person out of the team."""
    team = visitor_of(request).team(id)
    try:
        accounts.leave(desk, id, person)
    except InputError as error:
        return _failed(request, person.id, id, form, error)
    done(request, f"You have left {team.name}.")
    return go_to(request, "teams")


@router.post("/{id}/leader", name="team_leader")
def hand_over(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:
    """Has somebody else lead the team."""
    try:
        accounts.hand_over(desk, id, by=person, to=_chosen(form, "to"))
    except InputError as error:
        return _failed(request, person.id, id, form, error)
    done(request, "Somebody else leads the team now.")
    return go_to(request, "team", id=id)


@router.post("/{id}/remove", name="team_remove")
def remove(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:
    """Takes somebody else out of the team."""
    try:
        name = accounts.remove_member(desk, id, by=person, who=_chosen(form, "who"))
    except InputError as error:
        return _failed(request, person.id, id, form, error)
    done(request, f"{name} is not in the team any more.")
    return go_to(request, "team", id=id)


def _chosen(form: Form, field: str) -> int:
    """Returns the number of the person that was chosen; 0 for none, whom no team has."""
    number = form.text(field, longest=12)
    return int(number) if number.isascii() and number.isdigit() else 0


def _failed(request: Request, person: int, id: int, form: Form, error: InputError) -> Response:
    """Shows a team again with what is wrong; that it is not his to do goes on as it came."""
    visitor_of(request).team(id)
    if isinstance(error, HubError):
        raise error
    return _team_page(request, person, id, beside(form, error), status=422)


def _team_page(
    request: Request, person: int, id: int, form: Form, *, link: str | None = None, status: int = 200
) -> Response:  # fmt: skip
    desk, team = desk_of(request), visitor_of(request).team(id)
    with desk.database.read() as session:
        members = teams.members(session, id)
        count = teams.submissions_of(session, id)
    form.values.setdefault("name", team.name)
    return page(
        request, "team.html", status=status, form=True, fields=form, team=team, members=members, submissions=count,
        link=link, leads=any(one.leader for one in members if one.person_id == person), now=desk.clock(),
        link_days=accounts.JOINS_FOR.days,
    )  # fmt: skip


def _address(request: Request, secret: str) -> str:
    """Returns the whole address of a link, by the host that this browser uses: only its own person sees it."""
    base = desk_of(request).config.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
    return base.removesuffix(request.scope.get("root_path", "")) + url(request, "invitation", secret=secret)
