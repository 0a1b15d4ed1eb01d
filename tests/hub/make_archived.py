"""Makes what is kept of a release for ever: ``python -m tests.hub.make_archived`` before a release with a new schema.

``archived/<schema>.tar.gz`` is a backup, beside it what is in it; ``schemas/<schema>.sql`` are the tables of a SQLite
database. Files of earlier releases are never made again.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
import tempfile
from pathlib import Path

from braggbook.hub import entries
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.operations.backup import back_up
from braggbook.hub.store import entries as rows
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Person
from braggbook.hub.work.worker import Worker
from braggbook.testing.challenges import Open, QuickEvaluator, hand_in, open_challenge_now

HERE = Path(__file__).parent
NOW = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.UTC)
SPAN = datetime.timedelta(days=30)


def _desk(opened: Open, data: Path) -> Desk:
    (data / "spool").mkdir(parents=True)
    database = Database(f"sqlite:///{data / 'hub.sqlite'}")
    database.migrate()
    return Desk(opened.settings, HubConfig(data=data, database=str(database.url)), database, clock=lambda: NOW)


def _submit(desk: Desk, opened: Open, team: str, file: Path) -> None:
    with desk.database.write() as session:
        person = Person(name=team, login=team.casefold(), created=NOW)
        people.add(session, person)
        mine = teams.add_team(session, name=team, folded=team.casefold(), person=person.id, now=NOW)
    wanted = entries.Wanted(opened.challenge, "practice", mine, person, "a title", "", file.name)
    entries.arrive(desk, entries.begin(desk, wanted)[0].id, file, accepted=True)


def _make_backup(folder: Path, target: Path) -> None:
    opened = open_challenge_now(folder, opens=NOW - SPAN, closes=NOW + SPAN)
    desk = _desk(opened, folder / "hub")
    for team in ("Anna", "Late"):
        _submit(desk, opened, team, hand_in(opened.challenge, team, "public", folder / team))
    Worker(desk, evaluator=QuickEvaluator(opened), name="a worker").run(until_idle=True)
    _submit(desk, opened, "Net", hand_in(opened.challenge, "Net", "public", folder / "Net"))
    card = back_up(desk, target)
    with desk.database.read() as session:
        found, _ = rows.list_entries(session, limit=10)
    told = {
        "card": card.model_dump(),
        "submissions": {one.id: [one.team, one.state] for one in found},
        "board": ["Anna"],
    }
    target.with_suffix("").with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    desk.database.close()


def tables_of(file: Path) -> str:
    """Returns the statements that make the tables of a SQLite database."""
    with sqlite3.connect(file) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name")
        return "".join(f"{row[0]};\n" for row in found)


def main() -> None:
    """Makes the files of the newest schema."""
    with tempfile.TemporaryDirectory() as place:
        database = Database(f"sqlite:///{place}/hub.sqlite")
        schema = database.migrate()
        database.close()
        (HERE / "schemas" / f"{schema}.sql").write_text(tables_of(Path(place) / "hub.sqlite"), encoding="utf-8")
        _make_backup(Path(place) / "files", HERE / "archived" / f"{schema}.tar.gz")


if __name__ == "__main__":
    main()
