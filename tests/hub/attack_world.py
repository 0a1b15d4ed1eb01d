"""A hub with one of everything in it, to be attacked: people of every role, a hidden phase, submissions, a run."""

from __future__ import annotations

import asyncio
import datetime
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import tomlkit

from braggbook.challenges.design import Challenge
from braggbook.challenges.signing import sign
from braggbook.challenges.vault import Vault
from braggbook.files import write_json
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.submission import RECEIPT_NAME, Submission
from braggbook.hub import accounts
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.people.passwords import hash_password
from braggbook.hub.people.secrets import digest_of, new_secret
from braggbook.hub.store import entries, people
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Member, Person, Team, Token, WebSession
from braggbook.hub.web.rates import Rates
from braggbook.hub.web.visitor import COOKIE
from braggbook.testing.challenges import ANNA, Open, QuickEvaluator

from ..unit.hub.look.look_helpers import COLUMNS, ROWS, make_dataset, run_with_files
from .conftest import NOW, Client, Hub, Time

SLUG = "tiny_dose"
PASSWORD = "seven quiet protons"
HIDDEN = {"rank": "organiser", "score": "organiser", "cases": "organiser", "logs": "organiser"}
# Gy by which each is off in every case, and so its score: nothing else on any page looks like these
OFF = {
    ("member", "practice"): 0.3149, ("other", "practice"): 0.4263,
    ("member", "last"): 0.7317, ("other", "last"): 0.8429,
}  # fmt: skip
PLACE = f"/api/v1/challenges/{SLUG}/submissions"


@dataclass
class World:
    """A hub, who is in it, and what there is.

    Attributes:
        hub: The hub. Its phase ``practice`` shows what is usual, ``last`` shows nothing, ``over`` has ended.
        people: By what they are: none (in no team), other (in another team), member (leads the team), organiser,
            disabled (in the team, with a session that is still open).
        names: What addresses are made of.
        tokens: Name -> secret.
        sessions: Name -> cookie; "visitor" is nobody's.
    """

    hub: Hub
    people: dict[str, Person] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    client: Client = field(init=False)
    _frozen: Path | None = None

    def __post_init__(self) -> None:
        self.client = self.hub.client()

    def ask(self, role: str, method: str, path: str, **more: Any) -> Any:
        """Asks as somebody; nobody's rate is ever used up."""
        self.client.app.state.rates = Rates()
        self.client.cookies.clear()
        headers = dict(more.pop("headers", {}))
        if role in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        elif role in self.sessions:
            headers["Cookie"] = f"{COOKIE}={self.sessions[role]}"
        return self.client.request(method, path, headers=headers, **more)

    def get(self, role: str, path: str, **more: Any) -> Any:
        """Opens a page as somebody."""
        return self.ask(role, "GET", path, **more)

    def send(self, role: str, path: str, **values: Any) -> Any:
        """Sends a form as somebody, as the page has it."""
        files = {name: value for name, value in values.items() if isinstance(value, tuple)}
        data = {
            "csrf": csrf_of(self.sessions.get(role, "")),
            **{name: value for name, value in values.items() if name not in files},
        }
        return self.ask(role, "POST", path, data=data, files=files or None)

    def hand_in(self, role: str, phase: str, **query: Any) -> str:
        """Hands predictions in; returns the submission's id."""
        off = OFF[role, phase]
        table = pd.read_csv(self.hub.file(ANNA, "final" if phase == "last" else "public"), index_col="case")
        truth = [round((1.2 if phase == "last" else 0.8) + 0.25 * number, 3) for number in range(len(table))]
        table["dose_gy"] = [round(dose + off, 6) for dose in truth]
        asked = {"phase": phase, "accept_terms": "true", "name": "predictions.csv", **query}
        answer = self.ask(f"{role} sends", "POST", PLACE, params=asked, content=table.to_csv().encode())
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def freeze(self) -> None:
        """Remembers the database as it is."""
        self._frozen = self._file.with_suffix(".frozen")
        self._put(self._file, self._frozen)

    def thaw(self) -> None:
        """Has the database be again as it was remembered."""
        assert self._frozen is not None
        self._put(self._frozen, self._file)

    @property
    def _file(self) -> Path:
        return self.hub.desk.config.data / "hub.sqlite"

    def _put(self, source: Path, target: Path) -> None:
        self.hub.desk.database.close()  # SQLite writes its log into the file when the last one goes
        for name in ("hub.sqlite-wal", "hub.sqlite-shm"):
            (self._file.parent / name).unlink(missing_ok=True)
        shutil.copyfile(source, target)


def csrf_of(cookie: str) -> str:
    """Returns a session's secret against forged forms."""
    return digest_of(f"csrf of {cookie}")


class Discreet(QuickEvaluator):
    """Evaluates as it does, and tells in the receipt only what the phase shows, as the real evaluation does."""

    def __call__(self, challenge: Challenge, vault: Vault, submission: Submission, **more: Any) -> Any:
        """Evaluates a submission."""
        made, receipt = super().__call__(challenge, vault, submission, **more)
        if challenge.phase(submission.phase).shows.score == "organiser":
            bare = receipt.model_copy(update={"scores": None})
            receipt = bare.signed(sign(vault.key, bare.message))
            folder = vault.evaluation_folder(submission.id, made.id)
            write_json(folder / RECEIPT_NAME, receipt.model_dump(mode="json"))
        return made, receipt


def add_session(hub: Hub, person: Person | None, **data: Any) -> str:
    """Begins a session without a password; returns its cookie."""
    secret, digest = new_secret("bs")
    now = hub.time()
    row = WebSession(
        digest=digest, person_id=person.id if person else None, csrf=csrf_of(secret), created=now, seen=now,
        expires=now + datetime.timedelta(days=1), data=data,
    )  # fmt: skip
    with hub.desk.database.write() as session:
        people.add(session, row)
    return secret


def hide(hub: Hub) -> Hub:
    """Returns the hub with a hidden phase, and one that has ended."""
    path = hub.opened.challenge.folder / CHALLENGE_NAME
    design = tomlkit.parse(path.read_text(encoding="utf-8"))
    practice, last = design["phases"]
    last["shows"] = HIDDEN
    over = tomlkit.item({**practice.unwrap(), "id": "over", "title": "Over"})
    over["opens"], over["closes"] = NOW - datetime.timedelta(days=60), NOW - datetime.timedelta(days=30)
    design["phases"].insert(0, over)
    path.write_text(tomlkit.dumps(design), encoding="utf-8")
    changed = Open(hub.desk.challenge(SLUG), hub.opened.vault, hub.opened.settings)
    return replace(hub, opened=changed, evaluator=Discreet(changed))


def make_world(hub: Hub) -> World:
    """Puts one of everything into a hub."""
    world = World(hide(hub))
    _add_people(world)
    _add_submissions(world)
    _add_files(world)
    world.names["slug"] = SLUG
    with hub.desk.database.read() as session:
        token = people.tokens(session, world.people["member"].id)[0]
    world.names |= {"token": str(token.id), "team": str(world.teams["member"].id)}
    world.names |= {"person": str(world.people["none"].id), "provider": "there"}
    world.freeze()
    return world


def _add_people(world: World) -> None:
    hub = world.hub
    for role, team in (("none", None), ("other", "The others"), ("member", "Mine"), ("organiser", None)):
        world.people[role], made = hub.person(role.title(), team=team, organiser=role == "organiser")
        if made is not None:
            world.teams[role] = made
    world.people["disabled"], _ = hub.person("Disabled")
    now = hub.time()
    with hub.desk.database.write() as session:
        member = people.find_person(session, world.people["member"].id)
        assert member is not None
        member.password = hash_password(PASSWORD)
        out = people.find_person(session, world.people["disabled"].id)
        assert out is not None
        out.disabled = True  # by hand: the sessions of who is disabled end at once
        session.add(Member(team_id=world.teams["member"].id, person_id=out.id, leader=False, joined=now))
    link = accounts.invite(hub.desk, by=world.people["organiser"], note="for somebody")
    world.names["invitation"] = link
    for role in ("visitor", "none", "other", "member", "organiser", "disabled"):  # each has opened the link
        world.sessions[role] = add_session(hub, world.people.get(role), invitation=digest_of(link))
    add_token(world, "member sends", "member", "read", "submit")
    add_token(world, "other sends", "other", "read", "submit")
    for role, person, scope in (("read", "member", "read"), ("submit", "member", "submit")):
        add_token(world, role, person, scope)
    add_token(world, "organise", "organiser", "organise")
    add_token(world, "revoked", "organiser", "read", "submit", "organise", revoked=now)
    add_token(world, "of disabled", "disabled", "read", "submit", "organise")


def add_token(world: World, name: str, role: str, *scopes: str, **more: Any) -> None:
    """Gives somebody a token."""
    secret, digest = new_secret("bb_")
    row = Token(
        person_id=world.people[role].id, name=name, digest=digest, scopes=list(scopes), created=world.hub.time(), **more
    )  # fmt: skip
    with world.hub.desk.database.write() as session:
        people.add(session, row)
    world.tokens[name] = secret


def _add_submissions(world: World) -> None:
    mine, hidden = world.hand_in("member", "practice"), world.hand_in("member", "last")
    theirs = world.hand_in("other", "practice")
    theirs_hidden = world.hand_in("other", "last")
    world.names |= {"mine": mine, "hidden": hidden, "theirs": theirs, "theirs_hidden": theirs_hidden}
    world.hub.work()
    world.hub.time.later(minutes=1)  # boards wait a little while evaluations do
    world.hub.work()
    with world.hub.desk.database.read() as session:
        assert entries.states(session) == {"scored": 4}
    made = world.hub.desk.vault(SLUG).evaluations(mine)
    world.names["evaluation"] = made[-1].id


def _add_files(world: World) -> None:
    settings = world.hub.desk.settings
    make_dataset(settings, {"counts.csv": ROWS}, columns=COLUMNS)
    run = run_with_files(settings.runs, {"report.html": b"<h1>A report</h1>", "notes.txt": b"some notes"})
    world.names["run"] = run.name


def hub_at(place: Path, opened: Open, **config: Any) -> Hub:
    """Returns a hub with its own copy of a challenge, as the fixture ``make_hub`` does, for a whole module."""
    source = opened.settings.project.parent
    shutil.copytree(source, place / "files")
    moved = {
        name: place / "files" / getattr(opened.settings, name).relative_to(source)
        for name in ("project", "runs", "cache", "archive", "vault")
    }
    settings, data = replace(opened.settings, **moved), place / "data"
    (data / "spool").mkdir(parents=True)
    found, time = HubConfig(data=data, database=f"sqlite:///{data / 'hub.sqlite'}", **config), Time()
    desk = Desk(settings, found, Database(found.database), clock=time)
    desk.database.migrate()
    mine = Open(desk.challenge(SLUG), desk.vault(SLUG), settings)
    return Hub(desk, mine, time, QuickEvaluator(mine))


def crawl(world: World, role: str, seeds: Iterable[str], *, most: int = 400) -> dict[str, Any]:
    """Opens pages as somebody, and all that they lead to; returns every answer by its address."""
    found: dict[str, Any] = {}
    waiting = list(seeds)
    while waiting and len(found) < most:
        path = waiting.pop(0)
        if path in found:
            continue
        found[path] = answer = world.get(role, path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += [one for one in _LINK.findall(answer.text) if one not in found]
        if "location" in answer.headers:
            waiting.append(answer.headers["location"].partition("#")[0])
    return found


Headers = Iterable[tuple[bytes, bytes]]


def raw(
    app: Any, method: str, path: str, *, query: bytes = b"", headers: Headers = (), body: Iterable[bytes] = ()
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """Sends what no client would, as a server hands it to the application; returns status, headers and body.

    What goes wrong in the application is a 500, as a server makes it.
    """
    sent: list[Any] = []
    parts: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": quote(path, errors="replace").encode(), "query_string": query, "root_path": "",
        "headers": [(b"host", b"hub.test"), *headers], "client": ("203.0.113.9", 5), "server": ("hub.test", 80),
    }  # fmt: skip
    with suppress(Exception):
        asyncio.run(app(scope, receive, send))
    starts = [one for one in sent if one["type"] == "http.response.start"]
    assert len(starts) < 2
    if not starts:
        return 500, {}, b""
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in starts[0]["headers"]}
    return starts[0]["status"], told, b"".join(one.get("body", b"") for one in sent if one is not starts[0])


def routes_of(app: Any) -> Iterator[tuple[str, str, str]]:
    """Yields (method, name, path) of every route of an application; of what is mounted only that it is."""
    yield from _walk(app.routes)


def _walk(routes: Any) -> Iterator[tuple[str, str, str]]:
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from _walk(route.effective_candidates())
            continue
        known = getattr(route, "starlette_route", None) or route
        for method in sorted(getattr(known, "methods", None) or getattr(route, "methods", None) or {"*"}):
            if method != "HEAD":
                yield method, str(route.name or known.name), str(route.path or known.path)


_LINK = re.compile(r'(?:href|src)="(/(?!/|static/)[^"#]*)')
Make = Callable[..., Hub]
__all__ = [
    "HIDDEN",
    "OFF",
    "PASSWORD",
    "PLACE",
    "SLUG",
    "Make",
    "World",
    "add_session",
    "add_token",
    "crawl",
    "csrf_of",
    "digest_of",
    "hide",
    "hub_at",
    "make_world",
    "raw",
    "routes_of",
]
