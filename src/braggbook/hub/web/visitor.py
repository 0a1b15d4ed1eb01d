"""Who asks: nobody, a person in a browser, or a program with a person's token."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from braggbook.errors import NotAllowed, SignInNeeded, UnknownName
from braggbook.formats.challenge import Viewer
from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import SESSION, digest_of, new_secret
from braggbook.hub.store import people, teams
from braggbook.hub.store.tables import Entry, Person, Team, WebSession

COOKIE = "braggbook_session"
_SEEN = datetime.timedelta(minutes=5)  # how exactly is kept when a session or a token was last used
_ANONYMOUS = datetime.timedelta(hours=2)  # a session that nobody has signed in to
ALL_SCOPES = frozenset({"read", "submit", "organise"})


@dataclass
class Visitor:
    """Whoever asks.

    Attributes:
        person: None where nobody is signed in.
        teams: The person's.
        scopes: What may be done; a browser may all that its person may.
        session: Of a browser.
    """

    person: Person | None = None
    teams: Sequence[Team] = ()
    scopes: frozenset[str] = ALL_SCOPES
    session: WebSession | None = None
    by_token: bool = False
    cookie: str | None = field(default=None, repr=False)  # to be set with the answer

    @property
    def organiser(self) -> bool:
        """Whether an organiser asks, who may act as one."""
        return self.person is not None and self.person.organiser and "organise" in self.scopes

    @property
    def viewer(self) -> Viewer:
        """Who it is for a board."""
        return "organiser" if self.organiser else "team" if self.teams else "everyone"

    def team_names(self) -> list[str]:
        """Returns the names of the person's teams."""
        return [team.name for team in self.teams]

    def require_person(self, scope: str = "read") -> Person:
        """Returns who is signed in.

        Raises:
            SignInNeeded: Nobody is.
            NotAllowed: The token is not made for this.
        """
        if self.person is None:
            raise SignInNeeded(
                "this needs somebody who is signed in", wanted="a session, or a token in Authorization: Bearer"
            )
        if scope not in self.scopes:
            raise NotAllowed(
                "the token is not made for this", wanted=f"the scope {scope}", got=", ".join(sorted(self.scopes))
            )
        return self.person

    def require_organiser(self) -> Person:
        """Returns the organiser who asks.

        Raises:
            SignInNeeded: Nobody is signed in.
            NotAllowed: It is not one.
        """
        person = self.require_person("organise")
        if not person.organiser:
            raise NotAllowed("only organisers may do this")
        return person

    def may_see(self, entry: Entry) -> bool:
        """Whether a submission is the visitor's to see: of one of his teams, or of anybody for an organiser."""
        return self.organiser or any(team.id == entry.team_id for team in self.teams)

    def require_entry(self, entry: Entry | None, id: str) -> Entry:
        """Returns a submission that the visitor may see.

        Raises:
            SignInNeeded: Nobody is signed in.
            UnknownName: There is none, or it is another team's: which of the two is nobody's business.
        """
        self.require_person()
        if entry is None or not self.may_see(entry):
            raise UnknownName("no such submission", got=id)
        return entry

    def team(self, id: int) -> Team:
        """Returns one of the person's teams.

        Raises:
            UnknownName: He is not in it.
        """
        found = next((team for team in self.teams if team.id == id), None)
        if found is None:
            raise UnknownName("you are in no such team", got=str(id))
        return found


def desk_of(request: Request) -> Desk:
    """Returns the hub's desk."""
    return request.app.state.desk  # type: ignore[no-any-return]


def visitor_of(request: Request) -> Visitor:
    """Returns who asks; kept with the request, so that it is found once.

    Raises:
        SignInNeeded: A token was given that does not work.
    """
    known = getattr(request.state, "visitor", None)
    if known is None:
        request.state.visitor = Visitor()  # whoever shows what does not work is nobody, also on the page that says so
        known = request.state.visitor = _find(request)
    return known


Asking = Annotated[Visitor, Depends(visitor_of)]
AtDesk = Annotated[Desk, Depends(desk_of)]


def _find(request: Request) -> Visitor:
    header = request.headers.get("authorization", "")
    kind, _, secret = header.partition(" ")
    if kind.lower() == "bearer":
        return _by_token(request, secret.strip())
    cookie = request.cookies.get(COOKIE)
    return _by_session(desk_of(request), cookie) if cookie else Visitor()


def _by_token(request: Request, secret: str) -> Visitor:
    desk = desk_of(request)
    now = desk.clock()
    with desk.database.read() as session:
        token = people.find_token(session, digest_of(secret), now=now)
        if token is None or token.person.disabled:
            request.app.state.rates.failed_token(request)
            raise SignInNeeded("the token does not work", wanted="one that is neither revoked nor out of date")
        found = Visitor(
            person=token.person,
            teams=teams.teams_of(session, token.person_id),
            scopes=frozenset(token.scopes),
            by_token=True,
        )
        stale = token.used is None or now - token.used > _SEEN
    if stale:
        with desk.database.write() as session:
            people.used_token(session, token.id, now=now)
    return found


def _by_session(desk: Desk, cookie: str) -> Visitor:
    now = desk.clock()
    with desk.database.read() as session:
        found = people.find_session(session, digest_of(cookie), now=now)
        if found is None:
            return Visitor()
        person = None if found.person is None or found.person.disabled else found.person
        mine = teams.teams_of(session, person.id) if person else ()
    if now - found.seen > _SEEN:
        with desk.database.write() as session:
            people.seen_session(session, found.digest, now=now)
    return Visitor(person=person, teams=mine, session=found)


def open_session(request: Request, person: Person | None) -> Visitor:
    """Begins a session; the one before ends, so that nobody can have prepared it (OWASP, session fixation).

    The answer gets its cookie from :func:`set_cookie`.
    """
    desk, before = desk_of(request), visitor_of(request)
    secret, digest = new_secret(SESSION)
    now = desk.clock()
    lasts = datetime.timedelta(days=desk.config.session_days) if person else _ANONYMOUS
    made = WebSession(
        digest=digest, person_id=person.id if person else None, csrf=secrets.token_hex(32), created=now, seen=now,
        expires=now + lasts, data={},
    )  # fmt: skip
    with desk.database.write() as session:
        if before.session is not None:
            people.end_sessions(session, digest=before.session.digest)
        people.add(session, made)
        mine = teams.teams_of(session, person.id) if person else ()
    request.state.visitor = Visitor(person=person, teams=mine, session=made, cookie=secret)
    return request.state.visitor  # type: ignore[no-any-return]


def close_session(request: Request) -> None:
    """Ends the session."""
    desk, found = desk_of(request), visitor_of(request)
    if found.session is not None:
        with desk.database.write() as session:
            people.end_sessions(session, digest=found.session.digest)
    request.state.visitor = Visitor(cookie="")


def with_session(request: Request) -> WebSession:
    """Returns the browser's session; one is begun where there is none, so that a form can be protected."""
    found = visitor_of(request)
    return found.session or open_session(request, None).session  # type: ignore[return-value]


def remember(request: Request, **values: Any) -> None:
    """Keeps values with the session; None removes one."""
    desk, found = desk_of(request), with_session(request)
    with desk.database.write() as session:
        found.data = people.keep_in_session(session, found.digest, values)


def say_once(request: Request, kind: str, text: str) -> None:
    """Has the next page show a message: ``done``, ``note`` or ``wrong``."""
    said = with_session(request).data.get("flash", [])
    remember(request, flash=[*said, [kind, text]][-5:])


def set_cookie(request: Request, response: Response) -> Response:
    """Gives an answer the cookie of a session that was begun or ended with it."""
    found: Visitor | None = getattr(request.state, "visitor", None)
    if found is None or found.cookie is None:
        return response
    path, secure = request.scope.get("root_path", "") or "/", desk_of(request).config.secure
    if found.cookie:
        days = desk_of(request).config.session_days if found.person else None
        response.set_cookie(
            COOKIE, found.cookie, path=path, httponly=True, secure=secure, samesite="lax",
            max_age=days * 86400 if days else None,
        )  # fmt: skip
    else:
        response.delete_cookie(COOKIE, path=path, httponly=True, secure=secure, samesite="lax")
    return response
