"""Rows of an older schema, brought to the newest one.

They are put into a small database of their own schema, which is migrated as any other, and taken out of it again: one
way for every age, so that what is done with old rows is what is done with new ones, and tested with them.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import DateTime, MetaData, Table, create_engine, insert
from sqlalchemy.exc import SQLAlchemyError

from braggbook.errors import InputError
from braggbook.hub.store.database import MIGRATIONS, Database, migration_config
from braggbook.hub.store.dump import dump

Row = tuple[str, Mapping[str, Any]]
_BATCH = 500


def is_known(revision: str) -> bool:
    """Returns whether there is a migration of this name."""
    try:
        return ScriptDirectory(str(MIGRATIONS)).get_revision(revision) is not None
    except CommandError:
        return False


def brought_up(rows: Iterable[Row], *, revision: str, place: Path) -> Iterator[Row]:
    """Gives rows of a schema as the newest schema has them; all of them were looked at when it returns.

    Args:
        rows: Of all tables, in an order in which each can be added.
        revision: Their schema.
        place: A folder for a database that is not kept.

    Raises:
        InputError: A row does not fit its schema.
    """
    file = place / "rows.sqlite"
    _fill(file, rows, revision=revision)
    return _out_of(file)


def _out_of(file: Path) -> Iterator[Row]:
    database = Database(f"sqlite:///{file}")
    try:
        database.migrate()
        yield from dump(database)
    finally:
        database.close()


def _fill(file: Path, rows: Iterable[Row], *, revision: str) -> None:
    engine = create_engine(f"sqlite:///{file}")
    known = MetaData()
    try:
        with engine.connect() as connection:
            command.upgrade(migration_config(connection), revision)
            connection.commit()
            known.reflect(connection)
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            for name, group in itertools.groupby(rows, key=lambda one: one[0]):
                if name not in known.tables:
                    raise InputError("a row of a table that its schema does not have", got=name)
                while batch := [_in(known.tables[name], row) for _, row in itertools.islice(group, _BATCH)]:
                    connection.execute(insert(known.tables[name]), batch)
            connection.commit()
    except (SQLAlchemyError, ValueError, TypeError, AttributeError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()
        raise InputError("rows that do not fit their schema", wanted=revision, got=(said or [""])[0][:200]) from None
    finally:
        engine.dispose()


def _in(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row as its table takes it: times are without a zone there, and UTC."""
    if unknown := row.keys() - set(table.c.keys()):
        raise InputError("a column that its schema does not have", got=f"{table.name}.{min(unknown)}")
    return {
        key: datetime.datetime.fromisoformat(value).astimezone(datetime.UTC).replace(tzinfo=None)
        if value is not None and key in table.c and isinstance(table.c[key].type, DateTime)
        else value
        for key, value in row.items()
    }
