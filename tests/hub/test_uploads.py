"""Uploads over a real connection: slow ones, broken ones, full disks, large files in little memory."""

from __future__ import annotations

import asyncio
import datetime
import errno
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import uvicorn

from braggbook.cli import remote
from braggbook.errors import InputError, NetworkError, StorageError, TooLarge
from braggbook.hub import uploads
from braggbook.hub.entries import Wanted
from braggbook.hub.store import entries as rows
from braggbook.hub.store.tables import Entry
from braggbook.hub.uploads import Attempt, copy_in, prepare, safe_name, stream_in, sweep

from .conftest import Hub

_ASKED = {"phase": "practice", "accept_terms": "true", "name": "predictions.csv"}
_GB = 1 << 30


def _wanted(hub: Hub, key: str = "") -> Wanted:
    with hub.desk.database.read() as session:
        number = rows.list_entries(session)[1]
    person, team = hub.person(f"Anna {number}", team=f"Anna {number}")
    return Wanted(hub.opened.challenge, "practice", team, person, "", key, "predictions.csv")


def _begin(hub: Hub, *, name: str = "predictions.csv", most: int = 1 << 20) -> tuple[Entry, Attempt]:
    entry, empty = prepare(hub.desk, _wanted(hub), accepted=True)
    assert empty
    return entry, Attempt(hub.desk, entry, name=name, most=most)


def _at(hub: Hub, entry: Entry) -> Entry:
    with hub.desk.database.read() as session:
        return rows.find_entry(session, entry.id)


async def _blocks(*blocks: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for block in blocks:
        await asyncio.sleep(pause)
        yield block


def _left(hub: Hub) -> list[Path]:
    return list(hub.desk.config.spool.glob("*/**/*"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("predictions.csv", "predictions.csv"),
        ("C:\\Users\\Anna\\case_1.nii.gz", "case_1.nii.gz"),
        ("../../etc/passwd.csv", "passwd.csv"),
        ("My method (2).ipynb", "submission.ipynb"),
        (".csv", "submission.csv"),
        ("ÄÖ.ZIP", "submission.zip"),
        ("Masks.ZIP", "Masks.zip"),
        ("a" * 300 + ".csv", "submission.csv"),
    ],
)
def test_only_plain_names_are_kept(given: str, kept: str) -> None:
    assert safe_name(given) == kept


@pytest.mark.parametrize("given", ["", "run.exe", "a.tar.gz", "a.csv.exe", "csv", "a.gz"])
def test_other_kinds_are_refused(given: str) -> None:
    with pytest.raises(InputError, match="not a kind of file"):
        safe_name(given)


def test_blocks_become_a_file_with_its_hash(hub: Hub) -> None:
    entry, attempt = _begin(hub)
    body = hub.file("Anna").read_bytes()
    ended = asyncio.run(stream_in(attempt, _blocks(body[:7], body[7:50], body[50:])))
    assert (ended.state, _at(hub, entry).size) == ("queued", len(body))
    assert _left(hub) == []


def test_too_much_leaves_nothing(hub: Hub) -> None:
    entry, attempt = _begin(hub, most=10)
    with pytest.raises(TooLarge):
        asyncio.run(stream_in(attempt, _blocks(b"12345", b"678901")))
    assert _at(hub, entry).state == "refused"
    assert "nothing was kept" in _at(hub, entry).why
    assert _left(hub) == []


def test_a_silent_client_is_given_up(hub: Hub) -> None:
    entry, attempt = _begin(hub)
    with pytest.raises(NetworkError, match="too long"):
        asyncio.run(stream_in(attempt, _blocks(b"1", b"2", pause=5), silent_s=0.1))
    assert _at(hub, entry).state == "refused"
    assert _left(hub) == []


def test_a_full_disk_is_ours_and_leaves_nothing(hub: Hub) -> None:
    entry, attempt = _begin(hub)

    class Full:
        def write(self, block: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None: ...

    attempt._stream.close()
    attempt._stream = Full()
    with pytest.raises(StorageError, match="the hub's disk is full") as caught:
        asyncio.run(stream_in(attempt, _blocks(b"1")))
    assert str(hub.desk.config.data) not in str(caught.value)
    assert "disk is full" in _at(hub, entry).why
    assert _left(hub) == []


def test_a_real_disk_that_takes_no_more(hub: Hub, tmp_path: Path) -> None:
    entry, attempt = _begin(hub)
    with Path("/dev/full").open("wb", buffering=0) as full:
        attempt._stream.close()
        attempt._stream = full
        with pytest.raises(StorageError, match="disk is full"):
            asyncio.run(stream_in(attempt, _blocks(b"x" * 5000)))
    assert _at(hub, entry).state == "refused"


def test_of_two_attempts_the_first_that_is_complete_wins(hub: Hub) -> None:
    wanted = _wanted(hub, key="mine")
    entry, _ = prepare(hub.desk, wanted, accepted=True)
    slow = Attempt(hub.desk, entry, name="predictions.csv", most=1 << 20)
    again, empty = prepare(hub.desk, wanted, accepted=True)
    assert (again.id, empty) == (entry.id, True)
    quick = Attempt(hub.desk, entry, name="predictions.csv", most=1 << 20)
    file = hub.file("Anna")
    with file.open("rb") as stream:
        assert copy_in(quick, stream).state == "queued"
    slow.take(b"other bytes")
    assert slow.hand_over().state == "queued"
    slow.clear("it broke off")
    assert _at(hub, entry).state == "queued"
    assert _at(hub, entry).size == file.stat().st_size
    assert len(hub.opened.vault.submissions()) == 1
    assert prepare(hub.desk, wanted, accepted=True)[1] is False
    assert _left(hub) == []


def test_an_attempt_that_breaks_off_does_not_end_another(hub: Hub) -> None:
    wanted = _wanted(hub, key="mine")
    entry, _ = prepare(hub.desk, wanted, accepted=True)
    first, second = (Attempt(hub.desk, entry, name="predictions.csv", most=1 << 20) for _ in range(2))
    first.clear("the connection broke")
    assert _at(hub, entry).state == "arriving"
    with hub.file("Anna").open("rb") as stream:
        assert copy_in(second, stream).state == "queued"


def test_the_attempt_that_came_through_says_when_it_was_received(hub: Hub) -> None:
    """Who begins before the end of a phase and breaks off has no more time than the others."""
    wanted = _wanted(hub, key="mine")
    entry, _ = prepare(hub.desk, wanted, accepted=True)
    Attempt(hub.desk, entry, name="predictions.csv", most=1 << 20).clear("the connection broke")
    hub.time.now = hub.opened.challenge.phase("practice").closes + datetime.timedelta(seconds=1)
    with pytest.raises(InputError, match="takes nothing now"):
        prepare(hub.desk, wanted, accepted=True)


def test_what_a_killed_hub_left_is_swept(hub: Hub) -> None:
    entry, attempt = _begin(hub)
    attempt.take(b"half")
    sweep(hub.desk)
    assert _at(hub, entry).state == "refused"
    assert "started again" in _at(hub, entry).why
    assert _left(hub) == []
    attempt.clear()


@contextmanager
def _serving(hub: Hub) -> Iterator[str]:
    """A real server in a thread."""
    from braggbook.hub.app import make_app

    server = uvicorn.Server(uvicorn.Config(make_app(hub.desk), port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _until(true: Any, *, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.full
def test_a_client_that_goes_away_midway_and_comes_again(hub: Hub) -> None:
    person, _ = hub.person("Anna", team="Anna")
    headers = {**hub.token(person), "Idempotency-Key": "mine"}
    body = hub.file("Anna").read_bytes()
    with _serving(hub) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            path = "/api/v1/challenges/tiny_dose/submissions?phase=practice&accept_terms=true&name=predictions.csv"
            head = f"POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: 100000\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            line.sendall(head.encode() + b"\r\n" + b"case,dose_gy\n" * 100)
            _until(lambda: _left(hub))
        with hub.desk.database.read() as session:
            entry = rows.list_entries(session)[0][0]
        _until(lambda: _at(hub, entry).state == "refused")
        entry = _at(hub, entry)
        assert _left(hub) == []
        assert "the connection broke" in entry.why
        answer = requests.post(
            f"{address}/api/v1/challenges/tiny_dose/submissions", params=_ASKED, data=body, headers=headers, timeout=30
        )
    assert answer.status_code == 202, answer.text
    assert (answer.json()["id"], answer.json()["state"]) == (entry.id, "queued")
    assert len(hub.opened.vault.submissions()) == 1


@pytest.mark.full
def test_the_command_line_hands_in_once(hub: Hub) -> None:
    person, _ = hub.person("Anna", team="Anna")
    token = hub.token(person)["Authorization"].removeprefix("Bearer ")
    file, wanted = hub.file("Anna"), remote.HandIn("tiny_dose", hub.file("Anna"), phase="practice", accepted=True)
    with _serving(hub) as address:
        there = remote.Hub(address, token, lambda _: None)
        first, second = (there.send(wanted, file) for _ in range(2))
        assert first.id == second.id
        assert there.receipt(first.id) is None
        hub.work()
        assert there.state(first.id, known="queued", wait_s=20).state == "scored"
        receipt = there.receipt(first.id)
        with pytest.raises(InputError, match="terms of the phase are not accepted"):
            there.send(remote.HandIn("tiny_dose", file, phase="last"), file)
    assert receipt is not None
    assert receipt.verdict == "scored"


_SERVER = """
import sys, datetime, pathlib, uvicorn
from dataclasses import replace
from braggbook.settings import load_settings
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.store.database import Database
from braggbook.hub.app import make_app
project, vault, data, now, port = sys.argv[1:]
settings, _ = load_settings({"project": project, "vault": vault})
config = HubConfig(data=pathlib.Path(data), database=f"sqlite:///{data}/hub.sqlite")
desk = Desk(settings, config, Database(config.database), clock=lambda: datetime.datetime.fromisoformat(now))
uvicorn.run(make_app(desk), port=int(port), log_level="warning", lifespan="off")
"""


@pytest.mark.full
def test_a_gigabyte_needs_little_memory(hub: Hub, tmp_path: Path) -> None:
    design = hub.opened.challenge.folder / "challenge.toml"
    design.write_text(design.read_text().replace("max_mb = 64", "max_mb = 2000"))
    person, _ = hub.person("Anna", team="Anna")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, settings = hub.desk.config.data, hub.desk.settings
    command = [sys.executable, "-c", _SERVER, settings.project, settings.vault, data, hub.time().isoformat(), str(port)]
    address = f"http://127.0.0.1:{port}/api/v1"
    file = tmp_path / "large.csv"
    with file.open("wb") as stream:
        stream.truncate(_GB)
    with subprocess.Popen(list(map(str, command)), env={**os.environ, "TMPDIR": str(tmp_path)}) as child:
        try:
            _until(lambda: _answers(f"{address}/openapi.json"), seconds=90)
            process, peak, ended = psutil.Process(child.pid), [0], threading.Event()
            before = process.memory_info().rss

            def watch() -> None:
                while not ended.wait(0.05):
                    peak[0] = max(peak[0], process.memory_info().rss)

            watcher = threading.Thread(target=watch)
            watcher.start()
            began = time.monotonic()
            with file.open("rb") as stream:
                answer = requests.post(
                    f"{address}/challenges/tiny_dose/submissions", params=_ASKED, data=stream,
                    headers=hub.token(person), timeout=200,
                )  # fmt: skip
            took = time.monotonic() - began
            ended.set()
            watcher.join()
        finally:
            child.terminate()
    assert answer.status_code == 202, answer.text
    assert answer.json()["bytes"] == _GB
    said = f"1 GB in {took:.1f} s, {before / 1e6:.0f} MB before, {peak[0] / 1e6:.0f} MB at most"
    assert peak[0] - before < 100e6, said
    assert _left(hub) == []


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_the_constants_are_those_of_the_airlock() -> None:
    from braggbook.challenges.airlock.names import MASK_SUFFIX, NOTEBOOK_SUFFIX

    assert {MASK_SUFFIX, NOTEBOOK_SUFFIX, ".csv", ".zip"} == set(uploads.SUFFIXES)
