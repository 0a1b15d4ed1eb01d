"""Teams: their names, which nobody may mistake for another, and who is in them."""

from __future__ import annotations

import datetime
import hashlib
import unicodedata

from braggbook.challenges.airlock.labels import clean_label
from braggbook.challenges.design import Challenge
from braggbook.errors import BraggbookError, InputError, Issue, NotAllowed, StorageError, UnknownName
from braggbook.hub.accounts.links import make_link, open_link
from braggbook.hub.accounts.turns import alone, fields, leaves_others, said
from braggbook.hub.desk import Desk
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Session
from braggbook.hub.store.tables import Invitation, Member, Person, Team

JOINS_FOR = datetime.timedelta(days=7)
MOST_TEAMS = 20  # of one person
_LONGEST_FOLDED = 180  # of the column; one sign may be many when it is folded
# Cyrillic and Greek letters, and digits, that are drawn as Latin letters are (the commonest of Unicode's confusables)
_LOOKALIKES = str.maketrans(
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0443\u0445\u0432\u043d\u043a\u043c\u0442\u0433\u04bb\u0501"
    "\u03b1\u03b2\u03b5\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b6\u03b30\u0131i1",
    "aceljopsyxbhkmtrhdabenlkmvoptuxzyolll",
)
_JOINTS = " -_.'\u2019\u00b7\u2010\u2011\u2012\u2013\u2014"


def make_team(desk: Desk, person: Person, name: str) -> Team:
    """Makes a team, which the person leads.

    Raises:
        InputError: The name cannot be shown, is taken, or looks like one that is; the issue names the field.
    """
    name = _require_team_name(desk, name)
    with desk.database.write() as session:
        alone(session)
        _require_free_team(session, name)
        if len(teams.teams_of(session, person.id)) >= MOST_TEAMS:
            raise fields([Issue(f"You are in {MOST_TEAMS} teams; leave one first.", "name")])
        team = teams.add_team(session, name=name, folded=folded(name), person=person.id, now=desk.clock())
        people.note_deed(session, person=person.id, what="make team", about=name, now=desk.clock())
    return team


def rename_team(desk: Desk, team: int, name: str, *, by: Person) -> None:
    """Changes the name of a team that has handed nothing in.

    Raises:
        NotAllowed: He does not lead it.
        InputError: It has submissions, or the name is not usable.
    """
    name = _require_team_name(desk, name)
    with desk.database.write() as session:
        alone(session)
        _require_leader(session, team, by)
        found = teams.find_team(session, team)
        assert found is not None
        if teams.submissions_of(session, team):
            raise fields([Issue("The name stands on submissions, and cannot be changed any more.", "name")])
        _require_free_team(session, name, but=team)
        found.name, found.folded = name, folded(name)
        people.note_deed(session, person=by.id, what="rename team", about=name, now=desk.clock())


def join_link(desk: Desk, team: int, *, by: Person) -> str:
    """Returns the secret of a link by which one person enters a team; it is shown once.

    Raises:
        NotAllowed: He does not lead it.
    """
    with desk.database.write() as session:
        alone(session)
        _require_leader(session, team, by)
        row = Invitation(kind="team", team_id=team, created_by=by.id)
        return make_link(session, desk, row, lasts=JOINS_FOR)


def join(desk: Desk, digest: str, person: Person) -> Team:
    """Takes a person into the team of a link.

    Raises:
        UnknownName: The link was used or has ended.
        InputError: He is in it already; the link still works.
    """
    now = desk.clock()
    with desk.database.write() as session:
        alone(session)
        link = open_link(session, digest, now=now, kind="team")
        team = teams.find_team(session, link.team_id or 0)
        assert team is not None
        if teams.member(session, team=team.id, person=person.id) is not None:
            raise InputError("you are in this team already", where=team.name)
        if len(teams.teams_of(session, person.id)) >= MOST_TEAMS:
            raise InputError(f"you are in {MOST_TEAMS} teams", wanted="leave one first")
        people.add(session, Member(team_id=team.id, person_id=person.id, leader=False, joined=now))
        link.used = now
        people.note_deed(session, person=person.id, what="join team", about=team.name, now=now)
    return team


def leave(desk: Desk, team: int, person: Person) -> None:
    """Takes a person out of a team.

    Raises:
        UnknownName: He is not in it.
        InputError: He is its last leader, and others are in it.
    """
    with desk.database.write() as session:
        alone(session)
        if teams.member(session, team=team, person=person.id) is None:
            raise UnknownName("you are in no such team", got=str(team))
        if leaves_others(session, team, person.id):
            raise InputError("the last leader cannot leave the others", wanted="somebody else who leads the team first")
        teams.leave(session, team=team, person=person.id)
        people.note_deed(session, person=person.id, what="leave team", about=f"team {team}", now=desk.clock())


def hand_over(desk: Desk, team: int, *, by: Person, to: int) -> None:
    """Has another member lead a team in somebody's place.

    Raises:
        NotAllowed: He does not lead it.
        InputError: The other one is not in it, or cannot sign in; the issue names the field.
    """
    with desk.database.write() as session:
        alone(session)
        mine = _require_leader(session, team, by)
        other = _require_other(session, team, to, by=by, field="to")
        if other.person.disabled:
            raise fields([Issue("This account cannot sign in; choose somebody else.", "to")])
        mine.leader, other.leader = False, True
        people.note_deed(
            session, person=by.id, what="hand over team", about=f"team {team}", text=f"to {to}", now=desk.clock()
        )


def remove_member(desk: Desk, team: int, *, by: Person, who: int) -> str:
    """Takes another member out of a team, and returns the member's name. What was handed in stays the team's.

    Links to join that are still open end: the one who is taken out may hold one.

    Raises:
        NotAllowed: He does not lead it.
        InputError: The other one is not in it; the issue names the field.
    """
    with desk.database.write() as session:
        alone(session)
        _require_leader(session, team, by)
        name = _require_other(session, team, who, by=by, field="who").person.name
        teams.leave(session, team=team, person=who)
        teams.end_links(session, team)
        people.note_deed(
            session, person=by.id, what="remove member", about=f"team {team}", text=f"person {who}", now=desk.clock()
        )
    return name


def _require_other(session: Session, team: int, person: int, *, by: Person, field: str) -> Member:
    """Returns the membership of somebody else."""
    other = teams.member(session, team=team, person=person)
    if other is None or person == by.id:
        raise fields([Issue("Choose somebody else who is in the team.", field)])
    return other


def folded(name: str) -> str:
    """Returns what names share that people would take for the same; names that a vault takes for one share it too."""
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    seen = "".join(sign for sign in text.translate(_LOOKALIKES) if sign not in _JOINTS) or text
    return seen if len(seen) <= _LONGEST_FOLDED else hashlib.sha256(seen.encode()).hexdigest()


def _require_team_name(desk: Desk, name: str) -> str:
    """Returns a team's name that can be shown and stands on no submission that came by the command line.

    Such a submission belongs to nobody here: who took its team's name would stand on the board with it.
    """
    try:
        name = clean_label(name, what="team")
    except InputError as error:
        raise fields([Issue(said(error), "name")]) from None
    if folded(name) in _names_in_vaults(desk):
        with desk.database.read() as session:
            known = teams.by_name(session, folded(name))
        if known is None:
            raise fields(
                [Issue("Submissions that came another way carry this name, or one that looks like it.", "name")]
            )
    return name


def _names_in_vaults(desk: Desk) -> set[str]:
    """Returns the folded names of all teams that have handed in, whichever way."""
    found: set[str] = set()
    try:
        for challenge in desk.challenges():
            if isinstance(challenge, Challenge):
                found |= {folded(one.team) for one in desk.vault(challenge.slug).submissions()}
    except BraggbookError:
        what = "the hub cannot read all submissions, so it cannot tell whether the name is free"
        raise StorageError(what, next_command="tell an organiser") from None
    return found


def _require_free_team(session: Session, name: str, *, but: int | None = None) -> None:
    known = teams.by_name(session, folded(name))
    if known is not None and known.id != but:
        raise fields([Issue("Another team has this name, or one that looks like it.", "name")])


def _require_leader(session: Session, team: int, person: Person) -> Member:
    found = teams.member(session, team=team, person=person.id)
    if found is None:
        raise UnknownName("you are in no such team", got=str(team))
    if not found.leader:
        raise NotAllowed("only who leads the team may do this")
    return found
