"""What all changes of accounts share: one turn after the other, who may, and what is wrong with a field."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress

from braggbook.errors import InputError, Issue, NotAllowed, SignInRefused, UnknownName
from braggbook.hub.desk import Desk
from braggbook.hub.people.passwords import password_issues
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Session
from braggbook.hub.store.tables import Person

_TURN = "accounts"  # the row that all change
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")


def alone(session: Session) -> None:
    """Makes all who change accounts wait for each other, until the transaction ends.

    SQLite has one writer anyway; on PostgreSQL the row that all of them change keeps the others waiting, so that what
    is read after this is what is there.
    """
    if people.kept(session, _TURN) is None:
        with suppress(Exception), session.begin_nested():  # two first ones at once: one adds it, the other finds it
            people.keep(session, _TURN, "")
    people.keep(session, _TURN, secrets.token_hex(8))
    session.flush()


def known_person(session: Session, id: int) -> Person:
    """Returns a person.

    Raises:
        UnknownName: There is none of this id.
    """
    found = people.find_person(session, id)
    if found is None:
        raise UnknownName("no such person", got=str(id))
    return found


def require_enabled(person: Person) -> Person:
    """Returns a person who may come in.

    Raises:
        SignInRefused: The account is disabled.
    """
    if person.disabled:
        raise SignInRefused("this account is disabled", next_command="ask an organiser")
    return person


def require_organiser(session: Session, by: Person | None) -> None:
    """Lets organisers pass, and whoever has the machine (None); what counts is what somebody is now.

    Raises:
        NotAllowed: Somebody else asks.
    """
    found = by and people.find_person(session, by.id)
    if by is not None and (found is None or not found.organiser or found.disabled):
        raise NotAllowed("only organisers may do this")


def is_last(session: Session, person: Person) -> bool:
    """Whether nobody else is an organiser who can sign in."""
    return person.organiser and not person.disabled and people.organisers(session) <= 1


def note(session: Session, desk: Desk, by: Person | None, *, what: str, about: Person) -> None:
    """Notes what an organiser did with an account."""
    who, about_whom = by.id if by else None, f"person {about.id}"
    people.note_deed(session, person=who, what=what, about=about_whom, text=about.name, now=desk.clock())


def tidy_login(text: str) -> str:
    """Returns a login as it is kept."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def require_login(login: str) -> str:
    """Returns a login that can be one.

    Raises:
        InputError: It cannot.
    """
    if not _LOGIN.fullmatch(login):
        raise InputError(
            "Use 2 to 32 small letters, digits, dots, dashes or underscores; begin with a letter or digit."
        )
    return login


def require_free_login(session: Session, login: str) -> None:
    """Lets a login pass that nobody has.

    Raises:
        InputError: Somebody has it; the issue names the field.
    """
    if people.by_login(session, login) is not None:
        raise fields([Issue("Somebody has this login; choose another one.", "login")])


def checked(
    *, password: str, login: Callable[[], str] | None = None, name: Callable[[], str] | None = None, called: str = ""
) -> str:
    """Returns the name, when every field is usable.

    Args:
        password: What shall be one.
        login, name: Give it, or raise what is wrong with it; None: it is not asked for.
        called: The login of somebody who has one.

    Raises:
        InputError: Something is not; all of it is said at once.
    """
    issues, good = [], {"login": called, "name": ""}
    for field, check in (("login", login), ("name", name)):
        try:
            good[field] = check() if check else good[field]
        except InputError as error:
            issues.append(Issue(said(error), field))
    issues += [Issue(text, "password") for text in password_issues(password, login=good["login"])]
    if issues:
        raise fields(issues)
    return good["name"]


def said(error: InputError) -> str:
    """Returns what is wrong with one field, as a sentence beside it."""
    texts = [str(issue) for issue in error.issues] or [error.what]
    return "; ".join(text[:1].upper() + text[1:] for text in texts)


def fields(issues: Sequence[Issue]) -> InputError:
    """Builds the error for fields of a form: ``where`` of an issue is the field."""
    return InputError("something in it is not usable", issues=issues)


def leaves_others(session: Session, team: int, person: int) -> bool:
    """Whether a team would have members and no leader without this person."""
    everybody = teams.members(session, team)
    others = [one for one in everybody if one.person_id != person]
    leads = any(one.leader for one in everybody if one.person_id == person)
    return leads and bool(others) and not any(one.leader for one in others)
