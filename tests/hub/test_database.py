"""The database: its schema, its migrations, its transactions, dumps from one kind to the other."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from braggbook.errors import InputError, StorageError
from braggbook.hub.store import people
from braggbook.hub.store.database import Database, shown_url
from braggbook.hub.store.dump import dump, load
from braggbook.hub.store.tables import Base, Person

NOW = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


def _person(database: Database, name: str = "Anna") -> Person:
    with database.write() as session:
        made = Person(name=name, login=name.casefold(), created=NOW)
        people.add(session, made)
    return made


def test_the_migrations_make_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert found == []
    assert database.schema() == database.newest


def test_migrating_again_changes_nothing(database: Database) -> None:
    _person(database)
    database.migrate()
    with database.read() as session:
        assert people.by_login(session, "anna") is not None


def test_a_later_schema_is_left_alone(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="made by a later Braggbook"):
        database.migrate()
    assert database.schema() == "9999"


def test_times_come_back_in_utc(database: Database) -> None:
    made = _person(database)
    with database.read() as session:
        found = people.find_person(session, made.id)
        assert found is not None
        assert (found.created, found.created.tzinfo) == (NOW, datetime.UTC)


def test_a_transaction_comes_whole_or_not_at_all(database: Database) -> None:
    def add_and_stop() -> None:
        with database.write() as session:
            people.add(session, Person(name="Ben", login="ben", created=NOW))
            raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        add_and_stop()
    with database.read() as session:
        assert people.by_login(session, "ben") is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "not the address"),
        ("mysql://a/b", "cannot use"),
        ("postgresql://u:secret@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_addresses_that_do_not_work(address: str, said: str) -> None:
    with pytest.raises((InputError, StorageError), match=said) as caught:
        Database(address).migrate()
    assert "secret" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert shown_url("postgresql://u:secret@host/x") == "postgresql://u:***@host/x"


def test_a_dump_comes_back(database: Database, tmp_path: Path) -> None:
    _person(database)
    _person(database, "Zoë 😀")
    rows = list(dump(database))
    other = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.migrate()
    assert load(other, iter(rows)) == 2
    assert list(dump(other)) == rows
    assert _person(other, "Cem").id == 3
    with pytest.raises(InputError, match="not empty"):
        load(other, iter(rows))
    other.close()


@pytest.mark.full
def test_a_dump_goes_from_sqlite_to_postgresql(database_url: str, tmp_path: Path) -> None:
    source = Database(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.migrate()
    _person(source)
    target = Database(database_url)
    target.migrate()
    load(target, dump(source))
    assert _person(target, "Ben").id == 2
    source.close()
    target.close()


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    made = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with pytest.raises(StorageError, match=r"damaged|does not answer"):
        made.migrate()
    made.close()


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = Database(f"sqlite:///{tmp_path / 'file' / 'hub.sqlite'}")
    with pytest.raises(StorageError):
        made.migrate()
    made.close()
