"""What a person does with the own account."""

from __future__ import annotations

import datetime
from typing import Any

from braggbook.challenges.airlock.labels import clean_label
from braggbook.errors import InputError, Issue
from braggbook.hub.accounts.arrive import confirm_password
from braggbook.hub.accounts.turns import alone, checked, is_last, known_person, leaves_others
from braggbook.hub.desk import Desk
from braggbook.hub.people.passwords import hash_password
from braggbook.hub.store import entries, people, teams
from braggbook.hub.store.tables import Person

_OF_TOKENS = "name scopes created expires used revoked"
_OF_SUBMISSIONS = "id challenge phase team title kind upload size sha256 received state why evaluation"


def rename(desk: Desk, person: Person, name: str) -> None:
    """Changes what a person is called.

    Raises:
        InputError: The name cannot be shown.
    """
    name = clean_label(name)
    with desk.database.write() as session:
        found = known_person(session, person.id)
        if found.name != name:
            found.name = name
            people.note_deed(session, person=person.id, what="rename", now=desk.clock())


def change_password(desk: Desk, person: Person, *, current: str, new: str) -> None:
    """Changes a password; all of the person's sessions end.

    Raises:
        InputError: A field is not usable; its issues name the fields.
    """
    confirm_password(desk, person, current, field="current")
    checked(password=new, called=person.login or "")
    hashed = hash_password(new)
    with desk.database.write() as session:
        known_person(session, person.id).password = hashed
        people.end_sessions(session, person=person.id)
        people.note_deed(session, person=person.id, what="change password", now=desk.clock())


def end_all_sessions(desk: Desk, person: Person) -> None:
    """Ends all sessions of a person."""
    with desk.database.write() as session:
        people.end_sessions(session, person=person.id)
        people.note_deed(session, person=person.id, what="end sessions", now=desk.clock())


def delete_account(desk: Desk, person: Person) -> None:
    """Takes a person's name, ways to sign in, sessions, tokens and teams away; what was handed in stays the team's.

    Raises:
        InputError: He is the last organiser, or leads others who would be left behind.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        found = known_person(session, person.id)
        mine = teams.teams_of(session, person.id)
        left = [team.name for team in mine if leaves_others(session, team.id, person.id)]
        issues = [Issue("its last leader cannot go", name, "somebody else who leads it") for name in left]
        if is_last(session, found):
            issues.append(Issue("you are the last organiser", wanted="another organiser first"))
        if issues:
            raise InputError("the account cannot be deleted yet", issues=issues)
        for team in mine:
            teams.leave(session, team=team.id, person=person.id)
        for identity in people.identities(session, person.id):
            session.delete(identity)
        people.end_sessions(session, person=person.id)
        people.revoke_tokens(session, person=person.id, now=now)
        for token in people.tokens(session, person.id):
            token.name = "deleted"
        found.name, found.login, found.password = "Deleted account", None, None
        found.disabled, found.organiser = True, False
        people.note_deed(session, person=person.id, what="delete account", now=now)


def known_about(desk: Desk, person: Person) -> dict[str, Any]:
    """Returns all that the hub knows about a person, as JSON has it; no secret and no digest is in it."""
    with desk.database.read() as session:
        found = known_person(session, person.id)
        mine = teams.teams_of(session, person.id)
        handed_in, _ = entries.list_entries(session, teams=[team.id for team in mine], limit=1_000_000)
        done = [one for one in people.deeds(session, limit=1_000_000) if one.person_id == person.id]
        return {
            "person": _told(found, "id name login organiser created failures locked_until"),
            "password": "kept as an Argon2id hash" if found.password else None,
            "identities": [_told(one, "issuer subject created") for one in people.identities(session, person.id)],
            "tokens": [_told(one, _OF_TOKENS) for one in people.tokens(session, person.id)],
            "teams": [
                _told(team, "id name created")
                | _told(teams.member(session, team=team.id, person=person.id), "leader joined")
                for team in mine
            ],
            "submissions": [
                _told(one, _OF_SUBMISSIONS) for one in handed_in if one.person_id == person.id
            ],
            "deeds": [_told(one, "at what about text") for one in done],
        }  # fmt: skip


def _told(row: object, names: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names.split()}
    return {
        name: value.isoformat() if isinstance(value, datetime.datetime) else value for name, value in values.items()
    }
