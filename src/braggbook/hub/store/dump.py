"""All rows of a database as JSON, and back; from either kind of database to the other."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Integer, Table, func, insert, select

from braggbook.errors import InputError
from braggbook.hub.store.database import Database, Session
from braggbook.hub.store.tables import Base, UtcDateTime

LEFT_OUT = frozenset({"session", "worker"})  # people sign in again, and workers say that they are here
_BATCH = 500


def dump(database: Database) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives every row with its table's name, all as they were at one moment."""
    level = {} if database.is_sqlite else {"isolation_level": "REPEATABLE READ"}
    with database.engine.connect().execution_options(**level) as connection:
        for table in Base.metadata.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            for row in connection.execute(select(table)).mappings():
                yield table.name, {name: _out(value) for name, value in row.items()}


def load(database: Database, rows: Iterator[tuple[str, Mapping[str, Any]]]) -> int:
    """Puts rows into an empty database, all or none; returns how many.

    Raises:
        InputError: The database is not empty, or a row is of no table.
    """
    tables = {table.name: table for table in Base.metadata.sorted_tables}
    count = 0
    with database.write() as session:
        for table in tables.values():
            if session.scalar(select(func.count()).select_from(table)):
                raise InputError("the hub's database is not empty", where=table.name, wanted="a new one")
        for name, group in itertools.groupby(rows, key=lambda one: one[0]):
            if name not in tables:
                raise InputError("a table that this Braggbook does not know", got=name)
            columns = tables[name].c
            while batch := [row for _, row in itertools.islice(group, _BATCH)]:
                found = [{key: _in(columns[key].type, value) for key, value in row.items()} for row in batch]
                session.execute(insert(tables[name]), found)
                count += len(found)
        if not database.is_sqlite:
            _count_on(session, tables)
    return count


def _count_on(session: Session, tables: Mapping[str, Table]) -> None:
    """Has PostgreSQL, which counts by itself, go on behind the numbers that were put in."""
    for name, table in tables.items():
        if "id" in table.c and isinstance(table.c.id.type, Integer):
            newest = session.scalar(select(func.max(table.c.id))) or 0
            sequence = func.pg_get_serial_sequence(name, "id")
            session.execute(select(func.setval(sequence, newest + 1, False)))


def _out(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _in(kind: Any, value: Any) -> Any:
    return datetime.datetime.fromisoformat(value) if isinstance(kind, UtcDateTime) and value is not None else value
