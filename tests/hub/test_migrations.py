"""Databases of every schema that was released come to the newest one with all that is in them.

``schemas/<schema>.sql`` are the tables as they were released, ``schemas/<schema>_rows.sql`` a row or two of each.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, select, text

from braggbook.hub.store import entries as rows
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import MIGRATIONS, Database, migration_config
from braggbook.hub.store.tables import Base

from .make_archived import tables_of

SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = sorted(path.stem for path in SCHEMAS.glob("????.sql"))


def _old(url: str, schema: str) -> Database:
    """A database as an earlier Braggbook left it."""
    database = Database(url)
    if database.is_sqlite:
        Path(str(database.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with database._writer.connect() as connection:
        command.upgrade(migration_config(connection), schema)
        for line in (SCHEMAS / f"{schema}_rows.sql").read_text(encoding="utf-8").splitlines():
            connection.execute(text(line.replace(":", r"\:")))
        connection.commit()
    return database


def _counts(database: Database) -> dict[str, int]:
    found = MetaData()
    with database.engine.connect() as connection:
        found.reflect(connection)
        return {name: len(connection.execute(select(table)).all()) for name, table in found.tables.items()}


def test_every_schema_is_kept() -> None:
    known = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert sorted(known) == RELEASED
    assert all((SCHEMAS / f"{one}_rows.sql").is_file() for one in RELEASED)


@pytest.mark.parametrize("schema", RELEASED)
def test_a_migration_that_was_released_stays_as_it_is(schema: str, tmp_path: Path) -> None:
    _old(f"sqlite:///{tmp_path / 'hub.sqlite'}", schema).close()
    assert tables_of(tmp_path / "hub.sqlite") == (SCHEMAS / f"{schema}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("schema", RELEASED)
def test_the_rows_are_of_every_table(schema: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "hub.sqlite")
    for name in (f"{schema}.sql", f"{schema}_rows.sql"):
        connection.executescript((SCHEMAS / name).read_text(encoding="utf-8"))
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    empty = {name for name in names if not connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]}
    connection.close()
    assert empty == {"alembic_version"}


@pytest.mark.parametrize("schema", RELEASED)
def test_an_old_database_comes_to_the_newest_schema(schema: str, database_url: str) -> None:
    database = _old(database_url, schema)
    before = _counts(database)
    assert database.migrate() == database.newest == database.schema()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert {**before, **_counts(database)} == _counts(database)
    assert all(_counts(database)[name] >= number for name, number in before.items())
    with database.read() as session:
        ada, zoe = people.find_person(session, 1), people.find_person(session, 2)
        assert ada is not None
        assert zoe is not None
        assert (ada.login, ada.organiser, zoe.name, zoe.disabled, zoe.failures) == ("ada", True, "Zoë 😀", True, 3)
        team = teams.find_team(session, 1)
        assert team is not None
        assert team.name == "Röntgen"
        entry = rows.find_entry(session, "0123456789abcdef")
        assert entry is not None
        assert (entry.state, entry.size, entry.received.isoformat()) == (
            "scored",
            3_000_000_000,
            "2027-03-01T12:00:00+00:00",
        )
        assert [event.text for event in rows.events(session, entry.id)] == ["its file is on the way"]
    database.close()
