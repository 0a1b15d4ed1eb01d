"""The real ``braggbook serve`` as a process of its own: how it begins, what it says, how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from braggbook.hub.work.supervise import Supervisor
from braggbook.testing.challenges import Open

pytestmark = pytest.mark.full
_LONG_S = 60.0
LINK = re.compile(r"^organiser (\S+/invitation/(\S+))", re.MULTILINE)
PLACE = re.compile(r"^hub +(\S+)$", re.MULTILINE)


class Served:
    """A hub that was started as a person starts it."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BRAGGBOOK_")}
        environment |= {"BRAGGBOOK_VAULT": str(folder / "vault"), "BRAGGBOOK_CACHE": str(folder / "cache"), **variables}
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "braggbook", "--project", str(folder / "project"), "serve",
                "--data", str(folder / "hub"), *options,
            ],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.append(line)

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def until(self, there: Callable[[], Any]) -> Any:
        ends = time.monotonic() + _LONG_S
        while time.monotonic() < ends:
            if found := there():
                return found
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.05)
        raise AssertionError(self.said)

    @property
    def place(self) -> str:
        return str(self.until(lambda: PLACE.search(self.said))[1])

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        host, port = re.match(r"http://([^:/]+):(\d+)", self.place).groups()  # type: ignore[union-attr]

        def ask() -> http.client.HTTPResponse | None:
            try:
                connection = http.client.HTTPConnection(host, int(port), timeout=20)
                connection.request("GET", path, headers=headers)
                return connection.getresponse()
            except ConnectionError:
                return None

        return self.until(ask)  # type: ignore[no-any-return]

    @property
    def workers(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for path in found for pid in path.read_text().split()]

    def log(self) -> list[dict[str, Any]]:
        """What was logged after the address was said; not the word of a worker that was ended while it began."""
        early = ("", "braggbook: interrupted")
        said = [line for line in self.said.splitlines() if line not in early]
        lines = [line for line in said if not re.match(r"(hub|data|vault|organiser) ", line)]
        assert not [line for line in lines if not line.startswith("{") and line != "the hub has ended"]
        return [json.loads(line) for line in lines if line != "the hub has ended"]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(_LONG_S)
        self._reader.join(_LONG_S)
        return code


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.fixture
def start(tmp_path: Path, opened: Open) -> Iterator[Callable[..., Served]]:
    shutil.copytree(opened.settings.project.parent, tmp_path, dirs_exist_ok=True)
    made: list[Served] = []

    def begin(*options: str, **variables: str) -> Served:
        where = () if {"--socket", "--port"} & set(options) else ("--port", "0")
        made.append(Served(tmp_path, *where, *options, **variables))
        return made[-1]

    yield begin
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(_LONG_S)
        assert one.process.stdout is not None
        one.process.stdout.close()


def test_the_first_start_says_where_it_is_and_makes_its_database(start: Callable[..., Served]) -> None:
    hub = start()
    answer = hub.get("/health")
    assert (answer.status, json.loads(answer.read())["status"]) == (200, "well")
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+/", hub.place)
    assert (hub.folder / "hub" / "hub.sqlite").stat().st_mode & 0o777 in (0o600, 0o644)
    assert (hub.folder / "hub").stat().st_mode & 0o777 == 0o700
    link = LINK.search(hub.said)
    assert link is not None
    assert link[1].startswith(hub.place)
    answer = hub.get("/invitation/" + link[2])
    assert answer.status in (200, 303)
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    hub.until(lambda: json.loads(hub.get("/health").read())["workers"] == 1)
    assert len(hub.workers) == 1
    assert hub.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_with_its_workers(number: int, start: Callable[..., Served]) -> None:
    hub = start("--workers", "2")
    workers = hub.until(lambda: len(hub.workers) == 2 and hub.workers)
    hub.get("/health")
    assert hub.end(number) == 0
    assert all(map(_is_gone, workers))
    assert hub.said.rstrip().endswith("the hub has ended")
    assert "Traceback" not in hub.said


def test_a_hub_that_is_killed_leaves_no_worker(start: Callable[..., Served]) -> None:
    hub = start()
    (worker,) = hub.until(lambda: len(hub.workers) == 1 and hub.workers)
    hub.until(lambda: json.loads(hub.get("/health").read())["workers"] == 1)
    hub.process.kill()
    hub.process.wait(_LONG_S)
    ends = time.monotonic() + _LONG_S
    while not _is_gone(worker):
        assert time.monotonic() < ends
        time.sleep(0.05)
    again = start()
    assert again.get("/health").status == 200
    assert again.end() == 0


def test_a_worker_that_is_killed_is_started_again(start: Callable[..., Served]) -> None:
    hub = start()
    (worker,) = hub.until(lambda: len(hub.workers) == 1 and hub.workers)
    os.kill(worker, signal.SIGKILL)
    (other,) = hub.until(lambda: [pid for pid in hub.workers if pid != worker])
    assert other != worker
    assert hub.end() == 0
    assert [line["said"] for line in hub.log() if "worker ended" in line["message"]] == ["signal 9"]


def test_a_port_that_is_taken(start: Callable[..., Served]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hub = start("--port", str(taken.getsockname()[1]))
        assert hub.process.wait(_LONG_S) == 2
    assert "the hub cannot listen there" in hub.until(lambda: hub.said)
    assert "Traceback" not in hub.said


def test_a_start_with_an_organiser_prints_no_link(start: Callable[..., Served]) -> None:
    from braggbook.hub.config import HubConfig
    from braggbook.hub.store import people
    from braggbook.hub.store.database import Database
    from braggbook.hub.store.tables import Person

    hub = start("--workers", "0")
    hub.get("/health")
    assert LINK.search(hub.said)
    assert hub.end() == 0
    config = HubConfig(data=hub.folder / "hub", database=f"sqlite:///{hub.folder / 'hub' / 'hub.sqlite'}")
    database = Database(config.database)
    with database.write() as session:
        from .conftest import NOW

        people.add(session, Person(name="Ada", login="ada", organiser=True, created=NOW))
    database.close()
    again = start("--workers", "0")
    again.get("/health")
    assert LINK.search(again.said) is None
    assert again.end() == 0


def test_below_a_prefix(start: Callable[..., Served]) -> None:
    hub = start("--prefix", "/proxy/8000", "--workers", "0")
    assert hub.place.endswith("/proxy/8000/")
    for path in ("/proxy/8000/sign-in", "/sign-in"):  # proxies that leave the prefix, and that take it away
        answer = hub.get(path)
        text = answer.read().decode()
        assert answer.status == 200
        found = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
        assert found
        assert all(one.startswith("/proxy/8000/") for one in found), found
    assert hub.end() == 0


def test_on_a_socket(start: Callable[..., Served], tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("s") / "hub"
    hub = start("--socket", str(place), "--workers", "0")
    assert hub.place.startswith("http+unix://")
    hub.until(place.exists)
    assert place.stat().st_mode & 0o777 == 0o600

    def ask() -> bytes | None:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(place))
            except ConnectionError:
                return None
            line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: line.recv(1 << 16), b""))

    assert b"200 OK" in hub.until(ask)
    assert hub.end() == 0
    assert not place.exists()


def test_the_log_is_json_with_ids_and_without_secrets(start: Callable[..., Served]) -> None:
    hub = start()
    secret = LINK.search(hub.until(lambda: LINK.search(hub.said) and hub.said))[2]  # type: ignore[index]
    ids = [
        hub.get(path, **headers).headers["X-Request-ID"]
        for path, headers in (
            (f"/invitation/{secret}", {}),
            ("/sign-in/orcid/return?code=hunter2abc&state=hunter2abc", {}),
            ("/api/v1/challenges", {"Authorization": "Bearer hunter2abc"}),
            ("/health?password=hunter2abc", {"Cookie": "braggbook=hunter2abc"}),
        )
    ]
    assert hub.end() == 0
    log = hub.log()
    assert {line.get("request_id") for line in log} >= set(ids)
    for line in log:
        assert {"time", "level", "logger", "message"} <= set(line)
        assert "hunter2abc" not in str(line)
        assert secret not in str(line)


def test_the_log_as_text(start: Callable[..., Served]) -> None:
    hub = start("--log-format", "text", "--workers", "0")
    id = hub.get("/health").headers["X-Request-ID"]
    assert hub.end() == 0
    assert re.search(rf"^\d{{4}}-\S+ info +request  .*request_id={id}.*status=200", hub.said, re.MULTILINE)


def test_a_database_that_is_down(start: Callable[..., Served]) -> None:
    hub = start(BRAGGBOOK_HUB_DATABASE="postgresql://hub:hunter2abc@127.0.0.1:1/hub")
    assert hub.process.wait(_LONG_S) == 4
    assert "the hub's database does not answer" in hub.until(lambda: hub.said)
    assert "hunter2abc" not in hub.said
    assert "Traceback" not in hub.said


# Workers as children


def _supervisor(code: str, **parts: Any) -> Supervisor:
    return Supervisor([sys.executable, "-c", code], 1, dict(os.environ), **parts)


def test_workers_that_keep_dying_are_started_more_and_more_rarely(tmp_path: Path) -> None:
    told = tmp_path / "told"
    kept = _supervisor(f"open({str(told)!r}, 'a').write('x')", soon_s=0.1, latest_s=60.0)
    kept.start()
    time.sleep(3.0)
    kept.stop()
    assert 2 <= len(told.read_text()) <= 5  # at 0, 0.1, 0.3, 0.7 and 1.5 s, and what it takes to start each


def test_a_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    kept = _supervisor(code, grace_s=0.5)
    kept.start()
    ends = time.monotonic() + _LONG_S
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    kept.stop()
    assert _is_gone(int(told.read_text()))


def test_a_command_that_is_not_there_is_tried_again_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    kept = Supervisor(["/no/such/program"], 1, {}, soon_s=0.05)
    kept.start()
    time.sleep(0.3)
    kept.stop()
    assert "cannot be started" in str([vars(record).get("said") for record in caplog.records])
