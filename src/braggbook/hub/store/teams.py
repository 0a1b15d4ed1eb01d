"""Teams and who is in them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from braggbook.hub.store.tables import Entry, Invitation, Member, Team


def find_team(session: Session, id: int) -> Team | None:
    """Returns a team."""
    return session.get(Team, id)


def by_name(session: Session, folded: str) -> Team | None:
    """Returns the team whose name people would take for this one."""
    return session.scalar(select(Team).where(Team.folded == folded))


def add_team(session: Session, *, name: str, folded: str, person: int, now: datetime.datetime) -> Team:
    """Adds a team, led by whoever made it."""
    team = Team(name=name, folded=folded, created=now)
    session.add(team)
    session.flush()
    session.add(Member(team_id=team.id, person_id=person, leader=True, joined=now))
    session.flush()
    return team


def teams_of(session: Session, person: int) -> Sequence[Team]:
    """Returns a person's teams, by name."""
    chosen = select(Team).join(Member, Member.team_id == Team.id).where(Member.person_id == person)
    return session.scalars(chosen.order_by(Team.name)).all()


def members(session: Session, team: int) -> Sequence[Member]:
    """Returns who is in a team, leaders first."""
    chosen = select(Member).where(Member.team_id == team)
    return session.scalars(chosen.order_by(Member.leader.desc(), Member.joined)).all()


def member(session: Session, *, team: int, person: int) -> Member | None:
    """Returns a membership."""
    return session.get(Member, (team, person))


def leave(session: Session, *, team: int, person: int) -> None:
    """Takes a person out of a team."""
    session.execute(delete(Member).where(Member.team_id == team, Member.person_id == person))


def end_links(session: Session, team: int) -> None:
    """Ends the links to join a team that nobody has used."""
    session.execute(delete(Invitation).where(Invitation.team_id == team, Invitation.used.is_(None)))


def submissions_of(session: Session, team: int) -> int:
    """Returns how many submissions a team has."""
    return session.scalar(select(func.count(Entry.id)).where(Entry.team_id == team)) or 0
