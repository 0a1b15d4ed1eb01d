"""One database, SQLite or PostgreSQL, and its transactions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError, TimeoutError  # noqa: A004
from sqlalchemy.orm import Session

from braggbook.errors import InputError, StorageError
from braggbook.files import storage

__all__ = ["MIGRATIONS", "Database", "Session", "migration_config", "shown_url"]
MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 30  # how long a writer waits for another one on SQLite
_LOCK = 0x62726167  # of the migration on PostgreSQL; any number that nobody else takes
_WRITES = "writes"
_DOWN = {"OperationalError", "InterfaceError"}
_NOT_KEPT = "a number or a sign that the hub's database cannot keep"
_UNUSABLE = ("22003", "22021", "22P05")  # SQLSTATE: out of range, no such character, a character that is not taken


class Database:
    """A database that is open.

    Attributes:
        engine: SQLAlchemy's.
    """

    def __init__(self, url: str, *, pool: int = 10) -> None:
        """Opens it; nothing is asked of it yet.

        Args:
            url: Such as ``sqlite:////srv/hub/hub.sqlite`` or ``postgresql://user@host/name``.
            pool: Connections that are kept.

        Raises:
            InputError: It is not the address of a database that the hub can use.
        """
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {
            "pool_size": pool,
            "max_overflow": pool,
            "pool_timeout": _BUSY_S,
            "hide_parameters": True,
        }
        if self.is_sqlite:
            options["connect_args"] = {"timeout": _BUSY_S, "check_same_thread": False}
        else:
            options["pool_pre_ping"] = True
        try:
            self.engine: Engine = create_engine(self.url, **options)
        except (ImportError, NoSuchModuleError) as error:
            raise InputError(
                "the driver of PostgreSQL is not installed",
                got=str(error),
                next_command="pip install braggbook[postgres]",
            ) from None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _as_we_need_it)
            event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(**{_WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Gives a session that sees one state and changes nothing.

        Raises:
            StorageError: The database does not answer.
        InputError: It is asked for what it cannot hold.
        """
        with _said(self.url), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Gives a session whose changes come all or not at all. On SQLite one writes at a time.

        Raises:
            StorageError: The database does not answer.
        InputError: It is given what it cannot hold.
        """
        with _said(self.url), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> str:
        """Makes the tables, or brings them to the newest schema; returns its name. Two may do it at once.

        Raises:
            StorageError: The database was made by a later Braggbook, or does not answer.
        """
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            with storage(Path(self.url.database)):
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        with _said(self.url), self._writer.connect() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
                connection.commit()
            try:
                self._require_known(connection)
                command.upgrade(migration_config(connection), "head")
                connection.commit()
            finally:
                if not self.is_sqlite:
                    connection.rollback()
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                    connection.commit()
        return self.newest

    @property
    def newest(self) -> str:
        """The newest schema that this Braggbook knows."""
        return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())

    def schema(self) -> str | None:
        """Returns the schema that the database has; None where it has none."""
        with _said(self.url), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def _require_known(self, connection: Connection) -> None:
        found = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        known = {one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
        if found is not None and found not in known:
            raise StorageError(
                "the hub's database was made by a later Braggbook", where=shown_url(self.url),
                wanted=f"schema {self.newest} or older", got=f"schema {found}",
                next_command="pip install --upgrade braggbook",
            )  # fmt: skip


def shown_url(url: URL | str) -> str:
    """Returns an address without its password."""
    with suppress(ArgumentError):
        return make_url(url).render_as_string(hide_password=True)
    return "an address that cannot be read"


def _checked(text: str) -> URL:
    wanted = "sqlite:////folder/hub.sqlite or postgresql://host/name"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError("not the address of a database", wanted=wanted) from None
    if url.get_backend_name() == "sqlite":
        return url
    if url.get_backend_name() != "postgresql":
        raise InputError("a database that the hub cannot use", wanted=wanted, got=url.get_backend_name())
    query = dict(url.query)
    options: dict[str, Any] = {"drivername": "postgresql+pg8000"}
    if host := query.pop("host", None):  # a folder with a socket, as libpq's addresses say it
        folder = host if isinstance(host, str) else host[0]
        if not folder.startswith("/"):
            options["host"] = folder
        else:
            query["unix_sock"] = f"{folder}/.s.PGSQL.{url.port or 5432}"
            options |= {"host": None, "port": None}
    return url.set(query=query, **options)


def migration_config(connection: Connection) -> Config:
    """Returns what Alembic has to know to change the tables on a connection."""
    config = Config(output_buffer=io.StringIO(), stdout=io.StringIO())
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _as_we_need_it(connection: Any, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.isolation_level = None  # transactions begin where we say it
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_S * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # a reader that later wants to write would be refused while another one writes; who will write says so at once
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _said(url: URL) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # all connections are taken
        raise StorageError("the hub's database is too busy", where=shown_url(url)) from error
    except OverflowError:
        raise InputError(_NOT_KEPT) from None
    except DBAPIError as error:
        if _is_unusable(error):
            raise InputError(_NOT_KEPT) from None
        if error.connection_invalidated or _DOWN & {kind.__name__ for kind in type(error).__mro__}:
            said = str(error.orig).splitlines()[0][:200] if error.orig is not None else ""
            raise StorageError("the hub's database does not answer", where=shown_url(url), got=said) from error
        if type(error) is DatabaseError:
            raise StorageError("the hub's database is damaged", where=shown_url(url), got=str(error.orig)) from error
        raise


def _is_unusable(error: DBAPIError) -> bool:
    """Whether PostgreSQL has no room for a number, or for a sign: of all of Unicode it does not take U+0000."""
    told = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return isinstance(told, dict) and told.get("C") in _UNUSABLE
