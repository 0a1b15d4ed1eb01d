"""Personal tokens: for programs, with no more rights than their person has."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from braggbook.challenges.airlock.labels import clean_label
from braggbook.errors import InputError, Issue, UnknownName
from braggbook.hub.accounts.turns import alone, fields, said
from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import SCOPES, TOKEN, new_secret
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person, Token

TOKEN_DAYS = (30, 90, 365)
MOST_TOKENS = 50  # that work, of one person


def make_token(desk: Desk, person: Person, *, name: str, scopes: Iterable[str], days: int | None) -> tuple[Token, str]:
    """Returns a new token, and its secret, which is shown once.

    Args:
        desk: The hub's.
        person: Whose it is.
        name: What he calls it.
        scopes: What it is for; no more than the person may.
        days: How long it works; None: until it is revoked.

    Raises:
        InputError: A field is not usable; its issues name the fields.
    """
    chosen = set(scopes)
    allowed = set(SCOPES) if person.organiser else set(SCOPES) - {"organise"}
    issues = []
    try:
        name = clean_label(name)
    except InputError as error:
        issues.append(Issue(said(error), "name"))
    if not chosen:
        issues.append(Issue("Choose one at least.", "scopes"))
    elif not chosen <= allowed:
        issues.append(Issue(f"You may give: {', '.join(sorted(allowed))}.", "scopes"))
    if days is not None and not 1 <= days <= max(TOKEN_DAYS):
        issues.append(Issue(f"From 1 to {max(TOKEN_DAYS)} days.", "days"))
    if issues:
        raise fields(issues)
    now = desk.clock()
    secret, digest = new_secret(TOKEN)
    expires = None if days is None else now + datetime.timedelta(days=days)
    with desk.database.write() as session:
        alone(session)
        if sum(_works(one, now) for one in people.tokens(session, person.id)) >= MOST_TOKENS:
            raise fields([Issue(f"You have {MOST_TOKENS} tokens that work; revoke one first.", "name")])
        token = Token(
            person_id=person.id, name=name, digest=digest, scopes=sorted(chosen), created=now, expires=expires
        )  # fmt: skip
        people.add(session, token)
        people.note_deed(
            session, person=person.id, what="make token", about=name, text=", ".join(token.scopes), now=now
        )
    return token, secret


def revoke_token(desk: Desk, person: Person, id: int) -> None:
    """Ends a token of a person.

    Raises:
        UnknownName: He has none of this id that works.
    """
    with desk.database.write() as session:
        if not people.revoke_tokens(session, person=person.id, now=desk.clock(), id=id):
            raise UnknownName("you have no such token", got=str(id))
        people.note_deed(session, person=person.id, what="revoke token", about=str(id), now=desk.clock())


def _works(token: Token, now: datetime.datetime) -> bool:
    return token.revoked is None and (token.expires is None or token.expires > now)
