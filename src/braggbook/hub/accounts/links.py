"""Links that work once: to make an account, to choose a new password; their secrets are shown once too."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from braggbook.challenges.airlock.labels import clean_label
from braggbook.errors import InputError, UnknownName
from braggbook.hub.accounts.turns import (
    alone,
    checked,
    known_person,
    require_enabled,
    require_free_login,
    require_login,
    require_organiser,
    tidy_login,
)
from braggbook.hub.desk import Desk
from braggbook.hub.people.passwords import hash_password
from braggbook.hub.people.secrets import INVITATION, LINK, digest_of, looks_right, new_secret
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Session
from braggbook.hub.store.tables import Invitation, Person

INVITED_FOR = datetime.timedelta(days=7)
RECOVERS_FOR = datetime.timedelta(hours=24)  # whoever holds the link is that person
LONGEST_INVITATION = datetime.timedelta(days=90)
LONGEST_NOTE = 200
_FIRST = "the first organiser"
_AGAIN = "ask an organiser for a new one"


@dataclass(frozen=True)
class Invited:
    """What a link that works once is for, as the page says it.

    Attributes:
        kind: account, recovery or team.
        organiser: Whether who joins becomes one.
        note: What the organiser wrote.
        expires: When the link ends.
        team: That is entered.
        name, login: Of whom is recovered; he has no login when he came by a provider.
    """

    kind: str
    organiser: bool
    note: str
    expires: datetime.datetime
    team: str = ""
    name: str = ""
    login: str = ""


def invite(
    desk: Desk, *, by: Person | None, organiser: bool = False, note: str = "",
    lasts: datetime.timedelta = INVITED_FOR,
) -> str:  # fmt: skip
    """Returns the secret of an invitation, which is shown once.

    Args:
        desk: The hub's.
        by: The organiser; None where whoever has the machine asks.
        organiser: Whether who joins becomes one.
        note: For whom it is.
        lasts: How long it works.

    Raises:
        NotAllowed: Only organisers may.
        InputError: It would last too long, or the note is too long.
    """
    if not datetime.timedelta(0) < lasts <= LONGEST_INVITATION:
        wanted = f"at most {LONGEST_INVITATION.days} days"
        raise InputError("an invitation cannot last so long", where="lasts", wanted=wanted, got=str(lasts))
    if len(note) > LONGEST_NOTE:
        raise InputError("the note is too long", where="note", wanted=f"at most {LONGEST_NOTE} characters")
    with desk.database.write() as session:
        alone(session)
        require_organiser(session, by)
        row = Invitation(kind="account", organiser=organiser, note=note, created_by=by.id if by else None)
        return make_link(session, desk, row, lasts=lasts)


def first_link(desk: Desk) -> str | None:
    """Returns the secret of a link that makes the first organiser; None once there is one. Earlier such links end."""
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        if people.organisers(session):
            return None
        for one in people.open_invitations(session, now=now):
            if one.note == _FIRST and one.created_by is None:
                one.used = now
        row = Invitation(kind="account", organiser=True, note=_FIRST)
        return make_link(session, desk, row, lasts=INVITED_FOR)


def recovery_link(desk: Desk, person: int, *, by: Person | None) -> str:
    """Returns the secret of a link by which a person chooses a new password; earlier ones end.

    Raises:
        NotAllowed: Only organisers may.
        UnknownName: There is no such person.
        InputError: The account is disabled.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        require_organiser(session, by)
        found = known_person(session, person)
        if found.disabled:
            raise InputError("the account is disabled", where=found.name, next_command="enable it first")
        for one in people.open_invitations(session, now=now):
            if one.kind == "recovery" and one.person_id == person:
                one.used = now
        row = Invitation(kind="recovery", person_id=person, created_by=by.id if by else None)
        return make_link(session, desk, row, lasts=RECOVERS_FOR)


def recovery_for(desk: Desk, login: str, *, by: Person | None) -> str:
    """Returns the secret of a link by which the person of a local account chooses a new password.

    Raises:
        NotAllowed: Only organisers may.
        UnknownName: Nobody has this login.
        InputError: The account is disabled.
    """
    with desk.database.read() as session:
        found = people.by_login(session, tidy_login(login))
    if found is None:
        raise UnknownName("nobody has this login", got=login)
    return recovery_link(desk, found.id, by=by)


def link_of(desk: Desk, secret: str) -> str:
    """Returns the address of a link, as far as the hub knows its own."""
    config = desk.config
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)  # noqa: S104 - is replaced
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    base = config.public_url.rstrip("/") or f"http://{host}:{config.port}"
    return f"{base.removesuffix(config.prefix)}{config.prefix.rstrip('/')}/invitation/{secret}"


def digest_of_link(secret: str) -> str:
    """Returns the digest of a link's secret, by which it is found.

    Raises:
        UnknownName: It is none; nothing was looked up.
    """
    if not any(looks_right(secret, prefix=prefix) for prefix in (INVITATION, LINK)):
        raise UnknownName("this link is not whole", wanted="all of it, as it was given to you")
    return digest_of(secret)


def look_at(desk: Desk, digest: str) -> Invited:
    """Returns what a link is for; it is not used by that.

    Raises:
        UnknownName: It was used, has ended, or never was.
    """
    with desk.database.read() as session:
        link = open_link(session, digest, now=desk.clock())
        team = teams.find_team(session, link.team_id) if link.team_id is not None else None
        person = people.find_person(session, link.person_id) if link.kind == "recovery" and link.person_id else None
        return Invited(
            kind=link.kind, organiser=link.organiser, note="" if link.note == _FIRST else link.note,
            expires=link.expires, team=team.name if team else "", name=person.name if person else "",
            login=(person.login or "") if person else "",
        )  # fmt: skip


def accept_account(desk: Desk, digest: str, *, login: str, name: str, password: str) -> Person:
    """Makes a local account by an invitation.

    Raises:
        UnknownName: The link was used or has ended.
        InputError: A field is not usable; its issues name the fields.
    """
    look_at(desk, digest)  # before anything that costs
    login = tidy_login(login)
    name = checked(login=lambda: require_login(login), name=lambda: clean_label(name), password=password)
    hashed, now = hash_password(password), desk.clock()
    with desk.database.write() as session:
        alone(session)
        link = open_link(session, digest, now=now, kind="account")
        require_free_login(session, login)
        person = Person(name=name, login=login, password=hashed, organiser=link.organiser, created=now)
        people.add(session, person)
        link.used = now
        people.note_deed(session, person=person.id, what="join", about=login, text=f"link {link.id}", now=now)
    return person


def accept_as(desk: Desk, digest: str, person: Person) -> Person:
    """Uses an account's invitation for somebody who is here already: it can only make him an organiser.

    Raises:
        UnknownName: The link was used or has ended.
        InputError: There is nothing that it could give.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        link = open_link(session, digest, now=now, kind="account")
        found = known_person(session, person.id)
        if not link.organiser or found.organiser:
            raise InputError("you have an account here already", wanted="somebody without one")
        found.organiser, link.used = True, now
        people.note_deed(session, person=person.id, what="become organiser", text=f"link {link.id}", now=now)
    return found


def accept_recovery(desk: Desk, digest: str, *, password: str, login: str = "", tokens: bool = False) -> Person:
    """Gives a person a new password; all sessions end, and a lock.

    Args:
        desk: The hub's.
        digest: Of the link.
        password: The new one.
        login: For somebody who had none.
        tokens: Whether the person's tokens end too.

    Raises:
        UnknownName: The link was used or has ended.
        InputError: A field is not usable; its issues name the fields.
    """
    seen = look_at(desk, digest)
    login = seen.login or tidy_login(login)
    checked(login=lambda: require_login(login), password=password, called=login)
    hashed, now = hash_password(password), desk.clock()
    with desk.database.write() as session:
        alone(session)
        link = open_link(session, digest, now=now, kind="recovery")
        person = require_enabled(known_person(session, link.person_id or 0))
        if person.login is None:
            require_free_login(session, login)
            person.login = login
        person.password, person.failures, person.locked_until, link.used = hashed, 0, None, now
        people.end_sessions(session, person=person.id)
        if tokens:
            people.revoke_tokens(session, person=person.id, now=now)
        people.note_deed(session, person=person.id, what="recover", text=f"link {link.id}", now=now)
    return person


def make_link(session: Session, desk: Desk, row: Invitation, *, lasts: datetime.timedelta) -> str:
    """Adds a link; returns its secret."""
    now = desk.clock()
    secret, row.digest = new_secret(LINK if row.kind == "recovery" else INVITATION)
    row.created, row.expires = now, now + lasts
    people.add(session, row)
    about = f"person {row.person_id}" if row.person_id else f"team {row.team_id}" if row.team_id else row.note
    text = f"link {row.id}{', for an organiser' if row.organiser else ''}"
    people.note_deed(session, person=row.created_by, what=f"link: {row.kind}", about=about, text=text, now=now)
    return secret


def open_link(session: Session, digest: str, *, now: datetime.datetime, kind: str | None = None) -> Invitation:
    """Returns a link that can still be used; with its kind, nobody else uses it meanwhile.

    Raises:
        UnknownName: It was used, has ended, is of another kind, or never was.
    """
    found = people.find_invitation(session, digest, now=now, alone=kind is not None)
    if found is None or kind not in (None, found.kind):
        raise UnknownName("this link does not work any more, or never did", next_command=_AGAIN)
    return found
