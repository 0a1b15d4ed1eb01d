"""Hub and workers are killed at random while 500 submissions come in: none is lost, none is scored twice.

One round for SQLite and one for PostgreSQL; ``BRAGGBOOK_SOAK_ROUNDS`` asks for more, each with another seed.
"""

from __future__ import annotations

import datetime
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from braggbook.hub.desk import Desk
from braggbook.hub.people.secrets import TOKEN, new_secret
from braggbook.hub.store import entries, jobs, people, teams
from braggbook.hub.store.tables import Person, Token
from braggbook.testing.challenges import SLUG, hand_in, open_challenge_now

from .hub_process import desk_of

pytestmark = pytest.mark.full
_SUBMISSIONS, _TEAMS, _CLIENTS, _WORKERS = 500, 20, 6, 2
_LONGEST_S = 180.0
_PROCESS = Path(__file__).with_name("hub_process.py")


@dataclass
class Crew:
    """The processes, and what kills them."""

    desk: Desk
    folder: Path
    database: str
    port: int
    random: random.Random
    log: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self, name: str) -> None:
        role = "serve" if name == "hub" else "work"
        with self.log.open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, str(_PROCESS), role, str(self.folder), self.database, str(self.port)],
                stdout=log, stderr=log,
            )  # fmt: skip

    def kill_at_random(self) -> None:
        """Kills one of them every few seconds, as soon as all have begun to work, and starts it again."""
        while not self._stop.wait(self.random.uniform(0.5, 3.0)):
            name = self.random.choice(sorted(self.children))
            self.children[name].send_signal(signal.SIGKILL)
            self.children[name].wait()
            self.kills += 1
            self.start(name)
            while not self._stop.is_set() and not self.works(name):
                self._stop.wait(0.1)

    def works(self, name: str) -> bool:
        """Whether a process has come so far that it does something."""
        number = self.children[name].pid
        if name == "hub":
            with suppress(requests.RequestException):
                return requests.get(f"http://127.0.0.1:{self.port}/static/icon.svg", timeout=5).ok
            return False
        with self.desk.database.read() as session:
            return any(one.name.endswith(f"/{number}") for one in jobs.alive(session, now=self.desk.clock()))

    def no_more_kills(self) -> None:
        self._stop.set()

    def end(self) -> None:
        self._stop.set()
        for child in self.children.values():
            child.kill()
            child.wait()


def _rounds() -> Iterator[object]:
    for number in range(int(os.environ.get("BRAGGBOOK_SOAK_ROUNDS", "1"))):
        for kind in ("sqlite", "postgresql"):
            yield pytest.param(kind, number, id=f"{kind}-{number}")


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.mark.parametrize(("kind", "seed"), list(_rounds()))
def test_nothing_is_lost_and_nothing_is_scored_twice(
    kind: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    began = time.monotonic()
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    opened = open_challenge_now(tmp_path / "files", opens=now - day, closes=now + day)
    database = f"sqlite:///{tmp_path / 'hub.sqlite'}" if kind == "sqlite" else request.getfixturevalue("postgres")()
    desk = desk_of(tmp_path / "files", database)
    headers = [_team(desk, number) for number in range(_TEAMS)]
    file = hand_in(opened.challenge, "Anna", "public", tmp_path / "anna").read_bytes()
    crew = Crew(desk, tmp_path / "files", database, _free_port(), random.Random(seed), tmp_path / "log.txt")
    try:
        for name in ("hub", *(f"worker {number}" for number in range(_WORKERS))):
            crew.start(name)
        for name in crew.children:
            _wait_until(lambda name=name: crew.works(name), began, crew)
        began = time.monotonic()
        killer = threading.Thread(target=crew.kill_at_random, daemon=True)
        killer.start()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            done = [
                pool.submit(_submit, crew.port, headers[number % _TEAMS], number % _TEAMS, f"key-{number}", file)
                for number in range(_SUBMISSIONS)
            ]
            ids = [one.result() for one in done]
        _wait_until(lambda: _waiting(desk) < _SUBMISSIONS // 5, began, crew)
        crew.no_more_kills()
        killer.join()
        _wait_until(lambda: _waiting(desk) == 0, began, crew)
    finally:
        crew.end()
    _all_is_there(desk, ids)
    sys.stderr.write(f"{kind}, seed {seed}: {crew.kills} kills, {time.monotonic() - began:.0f} s\n")
    assert crew.kills >= 5  # more on a machine that starts them quickly
    desk.database.close()


def _team(desk: Desk, number: int) -> dict[str, str]:
    now = desk.clock()
    secret, digest = new_secret(TOKEN)
    with desk.database.write() as session:
        person = Person(name=f"P {number}", login=f"p{number}", created=now)
        people.add(session, person)
        teams.add_team(session, name=f"Team {number}", folded=f"team {number}", person=person.id, now=now)
        people.add(session, Token(person_id=person.id, name="t", digest=digest, scopes=["read", "submit"], created=now))
    return {"Authorization": f"Bearer {secret}"}


def _submit(port: int, headers: dict[str, str], team: int, key: str, file: bytes) -> str:
    """Hands in until it is taken, as the command line does: always with the same key."""
    address = f"http://127.0.0.1:{port}/api/v1/challenges/{SLUG}/submissions"
    asked = {"phase": "practice", "team": f"Team {team}", "accept_terms": "true", "name": "predictions.csv"}
    until = time.monotonic() + _LONGEST_S
    while time.monotonic() < until:
        with suppress(requests.RequestException):
            answer = requests.post(
                address, params=asked, data=file, headers={**headers, "Idempotency-Key": key}, timeout=30
            )
            if answer.status_code in (200, 202):
                return str(answer.json()["id"])
            assert answer.status_code in (409, 429, 503), answer.text
        time.sleep(0.2)
    raise AssertionError(f"{key} was never taken")


def _waiting(desk: Desk) -> int:
    with desk.database.read() as session:
        found = entries.states(session)
        left = jobs.depth(session)
    moving = sum(found.get(state, 0) for state in ("arriving", "queued", "running"))
    return moving + left.get("queued", 0) + left.get("leased", 0)


def _wait_until(reached: Callable[[], bool], began: float, crew: Crew) -> None:
    while not reached():
        assert time.monotonic() - began < _LONGEST_S, crew.log.read_text()[-3000:]
        time.sleep(0.5)


def _all_is_there(desk: Desk, ids: list[str]) -> None:
    assert len(set(ids)) == _SUBMISSIONS
    vault = desk.vault(SLUG)
    assert vault.submission_ids() == set(ids)
    made = vault.evaluations()
    assert sorted(one.submission for one in made) == sorted(ids)
    with desk.database.read() as session:
        assert entries.states(session) == {"scored": _SUBMISSIONS}
        assert set(jobs.depth(session)) == {"done"}
        for id in ids[:20]:
            entry = entries.find_entry(session, id)
            assert entry is not None
            assert entry.evaluation in {one.id for one in made if one.submission == id}
