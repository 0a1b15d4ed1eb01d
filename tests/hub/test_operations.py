"""What keeps a hub going: backups that come back whole, logs without secrets, numbers, health."""

from __future__ import annotations

import io
import json
import logging
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from braggbook.errors import InputError, StorageError
from braggbook.formats.hub_backup import BackupCard
from braggbook.hub import boards, entries
from braggbook.hub.desk import Desk
from braggbook.hub.operations.backup import back_up
from braggbook.hub.operations.logs import JsonLines, TextLines, scrub
from braggbook.hub.operations.restore import restore
from braggbook.hub.people.secrets import INVITATION, LINK, SESSION, TOKEN, new_secret
from braggbook.hub.store import entries as rows
from braggbook.hub.store import jobs, people
from braggbook.hub.store.database import Database
from braggbook.hub.store.dump import dump
from braggbook.hub.store.tables import Entry, Person
from braggbook.hub.web.middleware import request_id
from braggbook.hub.work.worker import Worker
from braggbook.testing.challenges import SLUG, Open, QuickEvaluator

from .conftest import Hub

ARCHIVED = Path(__file__).parent / "archived"


def _begin(hub: Hub, team: str) -> Entry:
    person, mine = hub.person(team, team=team)
    assert mine is not None
    wanted = entries.Wanted(hub.opened.challenge, "practice", mine, person, "", "", "predictions.csv")
    return entries.begin(hub.desk, wanted)[0]


def _hand_in(hub: Hub, team: str) -> Entry:
    return entries.arrive(hub.desk, _begin(hub, team).id, hub.file("Anna"), accepted=True)


def _elsewhere(hub: Hub, place: Path, url: str | None = None) -> Desk:
    """An empty hub on another machine."""
    data = place / "data"
    (data / "spool").mkdir(parents=True)
    database = Database(url or f"sqlite:///{data / 'hub.sqlite'}")
    database.migrate()
    without = shutil.ignore_patterns("challenges", "runs")  # the project comes as it does everywhere, by git
    shutil.copytree(hub.desk.settings.project, place / "project", ignore=without)
    settings = replace(hub.desk.settings, project=place / "project", vault=place / "vault", runs=place / "runs")
    config = replace(hub.desk.config, data=data, database=str(database.url))
    return Desk(settings, config, database, clock=hub.time)


@pytest.fixture
def elsewhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[Hub], Desk]]:
    made: list[Desk] = []

    def make(hub: Hub) -> Desk:
        url = None if hub.desk.database.is_sqlite else request.getfixturevalue("postgres")()
        made.append(_elsewhere(hub, tmp_path / f"elsewhere{len(made)}", url))
        return made[-1]

    yield make
    for desk in made:
        desk.database.close()


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _work(desk: Desk) -> int:
    opened = Open(desk.challenge(SLUG), desk.vault(SLUG), desk.settings)
    return Worker(desk, evaluator=QuickEvaluator(opened), name="elsewhere").run(until_idle=True)


# Backups


def test_a_backup_comes_back_whole(either_hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path) -> None:
    hub = either_hub
    scored = _hand_in(hub, "Anna")
    hub.work()
    waiting = _hand_in(hub, "Zoë 😀")
    card = back_up(hub.desk, tmp_path / "hub.tar.gz")
    desk = elsewhere(hub)
    assert restore(desk, tmp_path / "hub.tar.gz") == card
    before = list(dump(hub.desk.database))
    assert list(dump(desk.database)) == before
    assert card.rows == len(before)
    assert _files(desk.settings.vault) == _files(hub.desk.settings.vault)
    assert _files(desk.settings.project / "challenges") == _files(hub.desk.settings.project / "challenges")
    entries.recover(desk)
    assert _work(desk) > 0
    boards.make_now(desk, SLUG, "practice")
    board = boards.Shelf(desk).current(SLUG, "practice")
    assert board is not None
    assert {row.submission for row in board.board.rows} == {scored.id, waiting.id}
    with desk.database.write() as session:  # ids go on behind those that came back
        people.add(session, Person(name="new", created=hub.time()))


def test_a_backup_is_for_nobody_else(hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path) -> None:
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    assert stat.S_IMODE((tmp_path / "hub.tar.gz").stat().st_mode) == 0o600
    desk = elsewhere(hub)
    restore(desk, tmp_path / "hub.tar.gz")
    for folder in (desk.settings.vault, desk.settings.vault / SLUG):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.settings.vault / SLUG / "key.pem").stat().st_mode) & 0o077 == 0


@pytest.mark.full
def test_submissions_that_come_meanwhile_are_in_it_whole_or_not_at_all(
    either_hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path
) -> None:
    hub, stop = either_hub, threading.Event()
    first = [_hand_in(hub, f"first {n}").id for n in range(3)]

    def go_on() -> None:
        for number in range(200):
            if stop.is_set():
                return
            _hand_in(hub, f"team {number}")
            if number % 5 == 4:
                hub.work()

    busy = threading.Thread(target=go_on)
    busy.start()
    try:
        for number in range(3):
            back_up(hub.desk, tmp_path / f"{number}.tar.gz")
    finally:
        stop.set()
        busy.join()
    hub.time.later(seconds=1)
    for number in range(3):
        desk = elsewhere(hub)
        restore(desk, tmp_path / f"{number}.tar.gz")
        entries.recover(desk)
        vault = desk.vault(SLUG)
        with desk.database.read() as session:
            found, _ = rows.list_entries(session, limit=1000)
        came = {one.id for one in found if one.state != "arriving"}
        assert set(first) <= came == vault.submission_ids()
        assert all(one.team_id is not None for one in found)
        assert all(vault.submission(one.submission) for one in vault.evaluations())
        _work(desk)
        boards.make_now(desk, SLUG, "practice")
        board = boards.Shelf(desk).current(SLUG, "practice")
        assert board is not None
        assert {row.submission for row in board.board.rows} == came


def test_a_submission_by_the_command_line_is_in_it(hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path) -> None:
    from braggbook.challenges.submissions import submit

    challenge = hub.opened.challenge
    taken = submit(
        challenge, hub.opened.vault, hub.file("Anna"), phase=challenge.phase("practice"), team="Anna", accepted=True,
        now=hub.time(),
    )  # fmt: skip
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    desk = elsewhere(hub)
    restore(desk, tmp_path / "hub.tar.gz")
    entries.recover(desk)
    with desk.database.read() as session:
        found = rows.find_entry(session, taken.id)
    assert found is not None
    assert found.state == "queued"


def test_nothing_is_overwritten(hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path) -> None:
    target = tmp_path / "hub.tar.gz"
    back_up(hub.desk, target)
    with pytest.raises(InputError, match="a file of this name"):
        back_up(hub.desk, target)
    with pytest.raises(InputError, match="the vault is not empty"):
        restore(hub.desk, target)
    desk = elsewhere(hub)
    with desk.database.write() as session:
        people.add(session, Person(name="here before", created=hub.time()))
    with pytest.raises(InputError, match="database is not empty"):
        restore(desk, target)
    assert not desk.settings.vault.exists()
    assert not (desk.settings.project / "challenges" / SLUG).exists()


def test_what_the_project_has_stays(hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path) -> None:
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    desk = elsewhere(hub)
    mine = desk.settings.project / "challenges" / SLUG / "challenge.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    restore(desk, tmp_path / "hub.tar.gz")
    assert _files(desk.settings.project / "challenges") == {f"{SLUG}/challenge.toml": b"mine"}


@pytest.mark.parametrize("where", ["vault", "challenges"])
def test_a_backup_does_not_lie_in_what_it_is_of(hub: Hub, where: str) -> None:
    place = hub.desk.settings.vault if where == "vault" else hub.desk.settings.project / "challenges"
    with pytest.raises(InputError, match="in what it is of"):
        back_up(hub.desk, place / "hub.tar.gz")


def test_a_link_in_a_vault_is_not_left_out_quietly(hub: Hub, tmp_path: Path) -> None:
    (hub.opened.vault.folder / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(InputError, match="neither a file nor a folder"):
        back_up(hub.desk, tmp_path / "hub.tar.gz")
    assert not list(tmp_path.glob("*hub.tar.gz*"))


def test_a_disk_that_refuses_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        back_up(hub.desk, tmp_path / "no such folder" / "hub.tar.gz")


def _changed(source: Path, target: Path, change: Callable[[str, bytes], list[tuple[tarfile.TarInfo, bytes]]]) -> None:
    with tarfile.open(source) as read, tarfile.open(target, "w:gz") as written:
        for member in read.getmembers():
            stream = read.extractfile(member)
            data = stream.read() if stream is not None else b""
            if member.isdir():
                written.addfile(member)
                continue
            for info, text in change(member.name, data):
                written.addfile(info, io.BytesIO(text))


def _info(name: str, data: bytes, **parts: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in parts.items():
        setattr(info, key, value)
    return info, data


def _card_with(**values: Any) -> Callable[[str, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    def change(name: str, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if name != "backup.json":
            return [_info(name, data)]
        return [_info(name, json.dumps({**json.loads(data), **values}).encode())]

    return change


def _with(*more: tuple[tarfile.TarInfo, bytes]) -> Callable[[str, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    return lambda name, data: [_info(name, data), *(more if name == "backup.json" else ())]


def _rows_as(text: bytes) -> Callable[[str, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    with_card = _card_with(rows=text.count(b"\n"))
    return lambda name, data: with_card(name, text if name == "rows.jsonl" else data)


_LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
BAD: dict[str, tuple[Any, str]] = {
    "another format": (_card_with(format="somebody.else/1"), "not a backup of a hub"),
    "a later schema": (_card_with(revision="9999"), "of a later Braggbook"),
    "an odd schema": (_card_with(revision="../../x"), "not a backup of a hub"),
    "a row too few": (_card_with(rows=10_000), "rows are missing"),
    "no card": (lambda name, data: [] if name == "backup.json" else [_info(name, data)], "no card"),
    "no rows": (lambda name, data: [] if name == "rows.jsonl" else [_info(name, data)], "rows that cannot be read"),
    "rows of no table": (_rows_as(b'["nothing",{"id":1}]\n'), "a table that its schema does not have"),
    "rows with no such column": (
        _rows_as(b'["kept",{"name":"a","value":"b","c":1}]\n'),
        "a column that its schema does not have",
    ),
    "rows that refer to nothing": (
        _rows_as(b'["event",{"id":1,"entry_id":"0","at":"2027-01-01T00:00:00+00:00","state":"x","text":"x"}]\n'),
        "do not fit",
    ),
    "rows that are no rows": (_rows_as(b"[1, 2]\n"), "cannot be read"),
    "rows of nonsense": (_rows_as(b"\xff\xfe{"), "cannot be read"),
    "a way out": (_with(_info(f"vault/{SLUG}/../../../out", b"x")), "not a backup of a hub|not of a backup"),
    "an absolute name": (_with(_info("/tmp/out", b"x")), "not of a backup"),
    "a stranger": (_with(_info("hub.sqlite", b"x")), "not of a backup"),
    "a link": (_with(_info(f"vault/{SLUG}/link", b"", **_LINK)), "not of a backup"),
    "a device": (_with(_info(f"vault/{SLUG}/zero", b"", type=tarfile.CHRTYPE)), "not of a backup"),
}


def _nothing_came(desk: Desk) -> bool:
    place = desk.settings.vault.parent
    challenge = desk.settings.project / "challenges" / SLUG
    left = sorted(path.name for path in place.iterdir()) == ["data", "project"]
    return left and not challenge.exists() and list(dump(desk.database)) == []


def test_what_is_no_backup_of_ours_changes_nothing(
    hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    _begin(hub, "Anna")
    back_up(hub.desk, tmp_path / "good.tar.gz")
    desk = elsewhere(hub)
    for name, (change, said) in BAD.items():
        with subtests.test(name):
            _changed(tmp_path / "good.tar.gz", tmp_path / "bad.tar.gz", change)
            with pytest.raises(InputError, match=said):
                restore(desk, tmp_path / "bad.tar.gz")
            assert _nothing_came(desk)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def _without_checksum(data: bytes) -> bytes:
    return data[:-8] + b"\0" * 8


def test_a_damaged_backup_changes_nothing(
    hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    whole, desk = (tmp_path / "hub.tar.gz").read_bytes(), elsewhere(hub)
    for damaged in (_cut(whole), _flipped(whole), _without_checksum(whole), b"", b"text"):
        with subtests.test(damaged[-8:]):
            (tmp_path / "bad.tar.gz").write_bytes(damaged)
            with pytest.raises(InputError, match="not a backup of a hub"):
                restore(desk, tmp_path / "bad.tar.gz")
            assert _nothing_came(desk)


def test_a_vault_that_cannot_be_put_there_leaves_the_database_empty(
    hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path
) -> None:
    _begin(hub, "Anna")
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    desk = elsewhere(hub)
    desk.settings.vault.symlink_to(desk.settings.vault.parent / "data" / "spool")  # empty, and no folder to replace
    with pytest.raises(StorageError, match="cannot write"):
        restore(desk, tmp_path / "hub.tar.gz")
    assert list(dump(desk.database)) == []
    assert not (desk.settings.project / "challenges" / SLUG).exists()


def test_a_database_that_is_not_there_leaves_no_vault(
    hub: Hub, elsewhere: Callable[[Hub], Desk], tmp_path: Path
) -> None:
    _begin(hub, "Anna")
    back_up(hub.desk, tmp_path / "hub.tar.gz")
    desk = elsewhere(hub)
    gone = Database("postgresql://hub@127.0.0.1:1/hub")
    with pytest.raises(StorageError, match="does not answer"):
        restore(replace(desk, database=gone), tmp_path / "hub.tar.gz")
    assert _nothing_came(desk)


ARCHIVES = sorted(ARCHIVED.glob("*.tar.gz"))


def test_there_are_archived_backups() -> None:
    assert ARCHIVES


@pytest.mark.parametrize("source", ARCHIVES, ids=lambda path: path.name)
def test_a_backup_of_an_earlier_release_comes_back(
    source: Path, either_hub: Hub, elsewhere: Callable[[Hub], Desk]
) -> None:
    desk = elsewhere(either_hub)
    card = restore(desk, source)
    assert desk.database.schema() == desk.database.newest
    told = json.loads(source.with_suffix("").with_suffix(".json").read_text(encoding="utf-8"))
    assert card == BackupCard.model_validate(told["card"])
    with desk.database.read() as session:
        found, _ = rows.list_entries(session, limit=100)
    assert {one.id: [one.team, one.state] for one in found} == told["submissions"]
    boards.make_now(desk, SLUG, "practice")
    board = boards.Shelf(desk).current(SLUG, "practice")
    assert board is not None
    assert [row.team for row in board.board.rows] == told["board"]


# Logs


def _secrets() -> list[str]:
    return [new_secret(prefix)[0] for prefix in (TOKEN, SESSION, INVITATION, LINK)]


LINES = [
    "Authorization: Bearer hunter2abc",
    "authorization: Basic hunter2abc",
    "{'Authorization': 'Bearer hunter2abc', 'X': 'kept'}",
    '{"client_secret": "hunter2abc", "kept": 1}',
    "POST client_id=kept&client_secret=hunter2abc&code=hunter2abc&code_verifier=hunter2abc",
    "GET /sign-in/orcid/return?code=hunter2abc&state=hunter2abc",
    "postgresql://hub:hunter2abc@db.example.org/hub",
    "postgresql://hub:hunter2abc@odd@db.example.org/hub",
    "/hub/invitation/hunter2abc?x=kept",
    "Cookie: bb=hunter2abc; other=kept",
    "access_token=hunter2abc refresh_token: 'hunter2abc'",
    "(sqlite3.Error) [SQL: INSERT] [parameters: ('kept', 'hunter2abc')]\n(Background: hunter2abc)",
    "password=hunter2abc",
]


@pytest.mark.parametrize("line", LINES)
def test_secrets_are_taken_out(line: str) -> None:
    assert "hunter2abc" not in scrub(line)
    assert "***" in scrub(line)


def test_our_own_secrets_are_taken_out_wherever_they_stand() -> None:
    for secret in _secrets():
        assert secret not in scrub(f"x{secret}y and {secret}")


@pytest.mark.parametrize(
    "line", ["exit code: 3", "state queued", "took 3 s", "http://127.0.0.1:8000/proxy/8000", "a@b.example.org"]
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert scrub(line) == line


def _record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    record = logging.makeLogRecord({"msg": message, "args": args, "levelname": "INFO", "name": "test", **extra})
    record.created = 0.0
    return record


def test_lines_of_json_parse_whatever_is_in_them() -> None:
    token = request_id.set("0123456789abcdef")
    try:
        said = {"password": "hunter2abc", "state": "queued", "of": {"token": "hunter2abc", "at": Path("x")}, "n": 3}
        record = _record('a "quoted" password="hunter2abc"\nand another line %s', "é", **said)
        found = json.loads(JsonLines().format(record))
    finally:
        request_id.reset(token)
    assert "hunter2abc" not in str(found)
    assert found["request_id"] == "0123456789abcdef"
    assert (found["time"], found["state"], found["n"]) == ("1970-01-01T00:00:00.000+00:00", "queued", 3)
    assert found["of"] == {"token": "***", "at": "x"}
    assert "\n" not in JsonLines().format(record)


def test_lines_of_text_cannot_be_made_up() -> None:
    line = TextLines().format(_record("a\n1970-01-01 ERROR made up", team="b\r\nc", code=3))
    assert line.splitlines() == [line]
    assert "code=3" in line


def test_a_traceback_has_no_secret() -> None:
    try:
        raise ValueError("postgresql://hub:hunter2abc@db/hub")
    except ValueError as error:
        record = _record("it failed", exc_info=(type(error), error, error.__traceback__))
    assert "hunter2abc" not in JsonLines().format(record) + TextLines().format(record)
    assert "Traceback" in json.loads(JsonLines().format(record))["trace"]


# Health and numbers


def _client(hub: Hub, *, client: str = "127.0.0.1", host: str = "127.0.0.1:8000") -> TestClient:
    app = hub.client().app
    return TestClient(app, base_url=f"http://{host}", client=(client, 50_000), follow_redirects=False)


def _is_there(hub: Hub) -> None:
    with hub.desk.database.write() as session:
        jobs.say_alive(session, "a worker", now=hub.time(), jobs=0)


def test_health_says_what_is_wrong(either_hub: Hub) -> None:
    hub, client = either_hub, _client(either_hub)
    _hand_in(hub, "Anna")
    assert (client.get("/health").status_code, client.get("/health").json()["queued"]) == (200, 1)
    hub.time.later(seconds=61)
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["wrong"]) == (503, ["submissions wait, and no worker is here"])
    _is_there(hub)
    assert client.get("/health").json()["status"] == "well"
    assert client.get("/health").headers["Cache-Control"] == "no-store"


def test_health_without_a_database_or_its_folder(hub: Hub, tmp_path: Path) -> None:
    gone = Database("postgresql://hub:hunter2abc@127.0.0.1:1/hub")
    config = replace(hub.desk.config, data=tmp_path / "gone")
    answer = _client(replace(hub, desk=replace(hub.desk, database=gone, config=config))).get("/health")
    assert answer.status_code == 503
    assert answer.json()["wrong"] == ["the database does not answer", "the data folder is not there"]
    assert "hunter2abc" not in answer.text


STRANGERS: dict[str, dict[str, Any]] = {
    "from elsewhere": {"client": "192.0.2.7"},
    "of another name": {"host": "evil.example.org"},
    "by a proxy": {"headers": {"X-Forwarded-For": "192.0.2.7"}},
    "by a proxy that lies": {"headers": {"X-Forwarded-For": "127.0.0.1"}},
    "by JupyterLab": {"headers": {"X-Forwarded-Context": "/proxy/8000"}},
    "by another proxy": {"headers": {"Via": "1.1 x"}},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_told_little(name: str, hub: Hub) -> None:
    how = dict(STRANGERS[name])
    headers = how.pop("headers", {})
    client = _client(hub, **how)
    assert client.get("/health", headers=headers).json() == {"status": "well"}
    assert client.get("/metrics", headers={**headers, "Accept": "text/html"}).status_code != 200
    assert "braggbook_jobs" not in client.get("/metrics", headers=headers).text


def test_organisers_see_the_numbers_from_anywhere(hub: Hub) -> None:
    client = _client(hub, client="192.0.2.7", host="hub.example.org")
    ada, _ = hub.person("Ada", organiser=True)
    ben, _ = hub.person("Ben")
    assert client.get("/metrics", headers=hub.token(ada)).status_code == 200
    assert client.get("/metrics", headers=hub.token(ben)).status_code != 200


def test_the_numbers_are_those_of_the_hub(either_hub: Hub) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    hub, client = either_hub, _client(either_hub)
    _hand_in(hub, "Anna")
    hub.time.later(seconds=5)
    client.get("/health")
    client.get("/no/such/page/1")
    client.request("BREW", "/no/such/page/2")
    _is_there(hub)
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }
    assert found["braggbook_jobs", ("state", "queued")] == 1
    assert found["braggbook_submissions", ("state", "queued")] == 1
    assert found["braggbook_workers",] == 1
    assert found["braggbook_oldest_job_seconds",] == 5
    asked = {key[1:]: value for key, value in found.items() if key[0] == "braggbook_requests_total"}
    assert asked[("method", "GET"), ("route", "/health"), ("status", "200")] == 1
    assert asked[("method", "GET"), ("route", "none"), ("status", "404")] == 1
    assert {dict(key)["method"] for key in asked} <= {"GET", "other"}
    assert found["process_resident_memory_bytes",] > 1 << 20
