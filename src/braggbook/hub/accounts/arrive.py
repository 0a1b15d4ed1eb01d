"""Who signs in, by a password of the hub or by a provider; and wrong passwords, which lock an account."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from braggbook.challenges.airlock.labels import LONGEST_LABEL, clean_label
from braggbook.errors import InputError, Issue, SignInRefused, UnknownName
from braggbook.hub.accounts.turns import alone, fields, known_person, require_enabled, tidy_login
from braggbook.hub.desk import Desk
from braggbook.hub.people.oidc import Identity as Known
from braggbook.hub.people.passwords import check_password, hash_password, needs_rehash
from braggbook.hub.store import people
from braggbook.hub.store.database import Session
from braggbook.hub.store.tables import Identity, Person

TRIES = 5  # wrong passwords in a row before an account locks
FIRST_LOCK = datetime.timedelta(minutes=1)  # doubled with every wrong password after that
LONGEST_LOCK = datetime.timedelta(hours=1)  # so that nobody is kept out for good by somebody else's guesses
NO_SIGN_IN = "The login or the password is not right, or the account is locked after too many wrong passwords."


@dataclass(frozen=True)
class SignedIn:
    """Somebody whose password was right.

    Attributes:
        person: Who.
        failures: Wrong passwords since the last time; he should know of guesses.
    """

    person: Person
    failures: int


def sign_in_local(desk: Desk, login: str, password: str) -> SignedIn:
    """Returns the person of a local account.

    A try is counted as wrong before the password is looked at, so that many at once are not more tries; the right one
    takes that back. Unknown logins, locked accounts and wrong passwords get one answer after one and the same effort: a
    turn in the database and one Argon2. While an account is locked not even the right password opens it, and the answer
    does not say that it was the right one or until when: who guesses would go on during the lock and be told.

    Raises:
        SignInRefused: It is nobody's, the password is wrong, or the account is locked or disabled.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        person = people.by_login(session, tidy_login(login), alone=True)
        locked = person is not None and person.locked_until is not None and person.locked_until > now
        before = 0 if person is None else person.failures
        if person is not None and not locked:
            _count_failure(session, person, now)
    stored = None if person is None or locked else person.password
    if not check_password(password, stored) or person is None:
        raise SignInRefused(NO_SIGN_IN, next_command="wait a minute, or ask an organiser for a recovery link")
    fresh = hash_password(password) if needs_rehash(person.password or "") else None
    with desk.database.write() as session:
        found = known_person(session, person.id)
        found.failures, found.locked_until = 0, None
        if fresh is not None and found.password == stored:
            found.password = fresh
    return SignedIn(require_enabled(found), before)


def _count_failure(session: Session, person: Person, now: datetime.datetime) -> None:
    person.failures += 1
    if person.failures >= TRIES:
        doublings = min(person.failures - TRIES, 10)
        person.locked_until = now + min(FIRST_LOCK * 2**doublings, LONGEST_LOCK)
    if person.failures > TRIES:  # the last of the tries may yet be the right one; whoever comes here goes on guessing
        people.note_deed(session, person=person.id, what="locked", about=person.login or "", now=now)


def confirm_password(desk: Desk, person: Person, password: str, *, field: str) -> None:
    """Makes sure that it is still the person; tries count as when signing in.

    Raises:
        InputError: The password is wrong; the issue names the field.
    """
    try:
        sign_in_local(desk, person.login or "", password)
    except SignInRefused:
        said = "It is not your password, or too many wrong ones came; then wait up to an hour."
        raise fields([Issue(said, field)]) from None


def sign_in_identity(desk: Desk, identity: Known, *, invitation: str | None = None) -> Person:
    """Returns the person whom a provider knows so; one who comes for the first time is added where that is allowed.

    Args:
        desk: The hub's.
        identity: Whose signature was checked.
        invitation: Digest of a link at hand; it is used up when it makes the account.

    Raises:
        SignInRefused: Newcomers need an invitation here, or the account is disabled.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        person = people.by_identity(session, issuer=identity.issuer, subject=identity.subject)
        if person is not None:
            return require_enabled(person)
        link = people.find_invitation(session, invitation, now=now, alone=True) if invitation else None
        if link is not None and link.kind != "account":
            link = None
        if link is None and desk.config.newcomers != "anyone":
            raise SignInRefused(
                "only invited people may join this hub", wanted="an invitation",
                next_command="ask an organiser for one, open its link, and sign in from there",
            )  # fmt: skip
        person = Person(name=_name_of(identity), organiser=link is not None and link.organiser, created=now)
        people.add(session, person)
        people.add(session, _row(identity, person, now))
        if link is not None:
            link.used = now
        people.note_deed(session, person=person.id, what="join", about=identity.issuer, now=now)
    return person


def link_identity(desk: Desk, person: Person, identity: Known) -> None:
    """Lets a person who is signed in also sign in by a provider.

    Raises:
        InputError: The provider knows somebody else here so.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        known = people.by_identity(session, issuer=identity.issuer, subject=identity.subject)
        if known is not None and known.id != person.id:
            raise InputError("another account here signs in so", where=identity.issuer, next_command="sign in with it")
        if known is None:
            people.add(session, _row(identity, person, now))
            people.note_deed(session, person=person.id, what="link identity", about=identity.issuer, now=now)


def unlink_identity(desk: Desk, person: Person, id: int) -> None:
    """Ends that a person can sign in by a provider.

    Raises:
        UnknownName: It is none of his.
        InputError: He has no other way.
    """
    with desk.database.write() as session:
        alone(session)
        known = people.identities(session, person.id)
        found = next((one for one in known if one.id == id), None)
        if found is None:
            raise UnknownName("you do not sign in so", got=str(id))
        if len(known) == 1 and not known_person(session, person.id).password:
            raise InputError("you could not sign in any more", wanted="another way to sign in before this one goes")
        session.delete(found)
        people.note_deed(session, person=person.id, what="unlink identity", about=found.issuer, now=desk.clock())


def _row(identity: Known, person: Person, now: datetime.datetime) -> Identity:
    return Identity(person_id=person.id, issuer=identity.issuer, subject=identity.subject, created=now)


def _name_of(identity: Known) -> str:
    """Returns a name that can be shown; a provider may give one that cannot, or none."""
    for text in (identity.name[:LONGEST_LABEL].strip(), identity.orcid or ""):
        try:
            return clean_label(text)
        except InputError:
            continue
    return "New participant"
