"""Files from servers that break off, change their mind, or say what is not so."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, BraggbookError, HashMismatch, NetworkError, NotVerifiable, UnknownName
from braggbook.formats.record import Creator, RecordMetadata
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Record
from braggbook.records.archives import Shelf
from braggbook.records.invenio import InvenioArchive
from braggbook.records.receive import Received, receive
from braggbook.records.serve import (
    Account,
    Answer,
    ArchiveServer,
    CorruptStored,
    DropReply,
    Fault,
    Slow,
    WrongChecksum,
    gateway_timeout,
    too_many_requests,
)
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive

pytestmark = pytest.mark.full
TOKEN = "of-the-one-who-published"
OWN = "a-token-of-the-reader"
CONTENT = "/api/records/*/content"
SIZE = 400_000
KINDS = {"zenodo": ZenodoArchive, "invenio": InvenioArchive}
METADATA = RecordMetadata(
    title="A run",
    description="Of a test.",
    resource_type="dataset",
    creators=[Creator(name="Curie, Marie")],
    license="CC-BY-4.0",
    version="1",
)


def make_zip(path: Path, fill: str = "x") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run.json", "{}")
        archive.writestr("filling", fill * SIZE)
    return path


class Place:
    """A server with one record, a reader and a cache."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder, self.cache = kind, folder, folder / "cache"
        self.server = ArchiveServer(folder / "server", {TOKEN: Account()}).start()
        self.archive = KINDS[kind](Transport(self.server.url, TOKEN))
        self.zip = make_zip(folder / "run.zip")
        self.record = self.publish({"run.zip": self.zip})
        self.server.calls.clear()

    def publish(self, files: dict[str, Path], version_of: str | None = None) -> Record:
        draft = self.archive.create(METADATA, plan=str(len(files)) * 64, version_of=version_of)
        for name, path in files.items():
            self.archive.upload(draft.id, name, path, progress=Silent())
        return self.archive.publish(draft.id)

    def address(self, more: str = "") -> str:
        before = "invenio+" if self.kind == "invenio" else ""
        return f"{before}{self.server.url}/records/{self.record.id}{more}"

    def get(self, what: str | None = None, progress: Progress | None = None) -> Received:
        shelf = Shelf(self.folder / "none", {"BRAGGBOOK_ARCHIVE_TOKEN": OWN})
        return receive(what or self.address(), shelf=shelf, cache=self.cache, progress=progress)

    def asked(self) -> list[str | None]:
        """Which parts of the file were asked for."""
        return [call.headers.get("range") for call in self.server.calls if call.path.endswith("/content")]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    made.server.stop()
    assert list(made.server.failures) == []


def test_a_record_comes_once_and_the_readers_token_goes_nowhere(place: Place) -> None:
    first = place.get()
    assert first.zip.read_bytes() == place.zip.read_bytes()
    assert len(place.asked()) == 1
    again = place.get()
    assert len(place.asked()) == 1, "the second time nothing comes"
    assert again.folder == first.folder
    assert {call.token_in for call in place.server.calls} == {""}


@pytest.mark.parametrize("at", [0, 1, 100_000, SIZE])
def test_a_broken_line_goes_on_where_it_broke(place: Place, at: int) -> None:
    place.server.faults.add(Fault(DropReply(at), path=CONTENT))
    assert place.get().zip.read_bytes() == place.zip.read_bytes()
    asked = place.asked()
    assert len(asked) == 2
    assert asked[1] in (None, f"bytes={at}-") if at < 2 else asked[1] is not None


def test_a_line_that_breaks_again_and_again_gets_there(place: Place) -> None:
    place.server.faults.add(Fault(DropReply(70_000), path=CONTENT, times=4))
    assert place.get().zip.read_bytes() == place.zip.read_bytes()
    starts = [int((one or "bytes=0-").removeprefix("bytes=").removesuffix("-")) for one in place.asked()]
    assert starts == sorted(set(starts)), "nothing is asked for twice"


class Killer(Silent):
    """Kills its process once so many bytes are here."""

    def step(self, done: int, note: str = "") -> None:
        if done > 150_000:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(get: Callable[[Progress], object]) -> None:
    """Gets something in a process of its own, which is killed in the middle."""
    child = os.fork()
    if child == 0:
        try:
            get(Killer())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def test_what_has_come_is_gone_on_with_after_a_kill(place: Place) -> None:
    killed(lambda progress: place.get(progress=progress))
    assert not list((place.cache / "records").glob("by_sha256/*/*.zip"))
    place.server.calls.clear()
    assert place.get().zip.read_bytes() == place.zip.read_bytes()
    (part,) = place.asked()
    assert part is not None
    assert int(part.removeprefix("bytes=").removesuffix("-")) > 150_000
    assert not list(place.cache.rglob("*.part"))


def test_a_part_that_is_not_of_this_file_is_found_out_and_goes(place: Place) -> None:
    killed(lambda progress: place.get(progress=progress))
    part = next(place.cache.rglob("*.part"))
    part.write_bytes(b"?" * part.stat().st_size)
    with pytest.raises(HashMismatch, match="not the one that the record lists"):
        place.get()
    assert not list(place.cache.rglob("*.part"))
    assert place.get().zip.read_bytes() == place.zip.read_bytes()


def test_a_server_that_knows_no_parts_sends_everything_again(place: Place) -> None:
    killed(lambda progress: place.get(progress=progress))
    content = place.zip.read_bytes()
    place.server.faults.add(Fault(Answer(200, content, "application/zip"), path=CONTENT))
    assert place.get().zip.read_bytes() == content


def test_a_server_that_sends_another_part_is_refused(place: Place) -> None:
    killed(lambda progress: place.get(progress=progress))
    said = {"Content-Range": f"bytes 7-{SIZE}/{SIZE + 1}"}
    place.server.faults.add(Fault(Answer(206, b"x" * 10, headers=said), path=CONTENT, times=None))
    with pytest.raises(ArchiveError, match="another part than was asked for"):
        place.get()


def test_a_wrong_checksum_in_the_record_leaves_nothing(place: Place) -> None:
    fault = place.server.faults.add(Fault(WrongChecksum(), path="/api/records/*", times=None))
    with pytest.raises(HashMismatch):
        place.get()
    assert fault.fired
    assert not list(place.cache.rglob("*.zip"))
    assert not list(place.cache.rglob("*.part"))
    place.server.faults.clear()
    assert place.get().kind == "run"


def test_bytes_that_rotted_in_the_archive_are_found(place: Place, tmp_path: Path) -> None:
    place.server.faults.add(Fault(CorruptStored(), method="PUT", path="/api/*run.zip*"))
    place.record = place.publish({"run.zip": make_zip(tmp_path / "other.zip", "y")})
    with pytest.raises(HashMismatch):
        place.get()


@pytest.mark.parametrize(
    "action", [too_many_requests(retry_after=0), gateway_timeout(), Slow(latency_s=0.05)], ids=["429", "504", "slow"]
)
def test_what_passes_is_waited_for(place: Place, action: Any) -> None:
    place.server.faults.add(Fault(action))
    place.server.faults.add(Fault(action, path=CONTENT))
    assert place.get().kind == "run"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("path", ["/api/records/*", CONTENT])
def test_what_not_everybody_may_see_says_so(place: Place, status: int, path: str) -> None:
    place.server.faults.add(Fault(Answer(status, b'{"message": "Permission denied."}'), path=path, times=None))
    with pytest.raises(ArchiveError, match="the archive does not give it to everybody") as caught:
        place.get()
    assert "TOKEN" not in str(caught.value)


def test_a_record_that_is_not_there_or_was_withdrawn(place: Place) -> None:
    with pytest.raises(UnknownName, match="no such record"):
        place.get(place.address().replace(place.record.id, "999999" if place.kind == "zenodo" else "aaaaa-99999"))
    place.server.faults.add(Fault(Answer(410, b'{"message": "The record has been deleted."}'), path="/api/records/*"))
    with pytest.raises(ArchiveError, match="withdrawn"):
        place.get()


@pytest.mark.parametrize("content", [b"<html>Sorry</html>", b"{}", b"[]", b'{"id": {}, "metadata": 3}', b"\xff"])
def test_a_page_where_a_record_should_be_is_no_traceback(place: Place, content: bytes) -> None:
    place.server.faults.add(Fault(Answer(200, content, "text/html"), path="/api/records/*", times=None))
    with pytest.raises(ArchiveError) as caught:
        place.get()
    assert caught.value.exit_code == 4


def test_a_record_without_a_visible_file(place: Place) -> None:
    if place.kind == "invenio":
        entries = Answer(200, b'{"enabled": true, "entries": []}')
        place.server.faults.add(Fault(entries, path="*/files", times=None))
    else:
        said = place.archive._transport.ask("GET", f"/api/records/{place.record.id}").json() | {"files": []}
        answer = Answer(200, json.dumps(said).encode())
        place.server.faults.add(Fault(answer, path="/api/records/*", times=None))
    with pytest.raises(NotVerifiable, match="nothing to verify in the record"):
        place.get()


def test_a_file_of_a_record_by_its_own_address(place: Place, tmp_path: Path) -> None:
    place.record = place.publish(
        {"a b#1.zip": make_zip(tmp_path / "a.zip"), "two.zip": make_zip(tmp_path / "b.zip", "y")}
    )
    with pytest.raises(NotVerifiable, match="several zips"):
        place.get()
    found = place.get(place.address("/files/a%20b%231.zip?download=1"))
    assert found.zip.read_bytes() == (tmp_path / "a.zip").read_bytes()
    assert found.record == place.record
    with pytest.raises(UnknownName, match="no such file in the record"):
        place.get(place.address("/files/three.zip"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for a :class:`Web`."""

    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.web.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        status, said, content = self.web.reply(self.path, self.headers.get("Range"), self.headers.get("If-Range"))
        self.send_response(status)
        for name, value in {**said, "Content-Length": str(len(content)), "Connection": "close"}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        if body:
            self.wfile.write(content[: len(content) // 2] if self.web.breaks > 0 else content)
            self.web.breaks -= 1


class Web:
    """A server with one zip, that can change and break off."""

    def __init__(self, content: bytes) -> None:
        self.content, self.mark, self.kind, self.breaks = content, '"one"', "application/zip", 0
        self.asked: list[tuple[str | None, str | None]] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Its", (Handler,), {"web": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, path: str, part: str | None, only_if: str | None) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/gone"):
            return 404, {}, b""
        said, content = {"Content-Type": self.kind, "ETag": self.mark}, self.content
        if part is None or not self.mark or only_if not in (None, self.mark):
            return 200, said, content
        start = int(part.removeprefix("bytes=").removesuffix("-"))
        return 206, {**said, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}, content[start:]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/some/run.zip?download=1"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(make_zip(tmp_path / "web.zip").read_bytes())
    yield made
    made.server.shutdown()
    made.server.server_close()


def get(web: Web, folder: Path, progress: Progress | None = None, *, address: str = "") -> Received:
    return receive(address or web.address, shelf=Shelf(folder, {}), cache=folder / "cache", progress=progress)


def test_an_address_comes_once_and_again_when_it_changes(web: Web, tmp_path: Path) -> None:
    found = get(web, tmp_path)
    assert found.zip.read_bytes() == web.content
    assert any("without a checksum" in note for note in found.notes)
    get(web, tmp_path)
    assert len(web.asked) == 1
    web.content, web.mark = make_zip(tmp_path / "new.zip", "z").read_bytes(), '"two"'
    assert get(web, tmp_path).zip.read_bytes() == web.content


def test_an_address_is_gone_on_with_after_a_break_and_after_a_kill(web: Web, tmp_path: Path) -> None:
    web.breaks = 2
    assert get(web, tmp_path).zip.read_bytes() == web.content
    assert [mark for _, mark in web.asked] == [None, '"one"', '"one"']
    killed(lambda progress: get(web, tmp_path / "other", progress))
    web.asked.clear()
    assert get(web, tmp_path / "other").zip.read_bytes() == web.content
    ((part, mark),) = web.asked
    assert part is not None
    assert mark == '"one"'


def test_an_address_that_changed_meanwhile_begins_anew(web: Web, tmp_path: Path) -> None:
    killed(lambda progress: get(web, tmp_path, progress))
    web.content, web.mark = make_zip(tmp_path / "new.zip", "z").read_bytes(), '"two"'
    assert get(web, tmp_path).zip.read_bytes() == web.content


@pytest.mark.parametrize("mark", ["", 'W/"weak"'])
def test_without_a_mark_nothing_is_put_together_from_two(web: Web, tmp_path: Path, mark: str) -> None:
    web.mark = mark
    killed(lambda progress: get(web, tmp_path, progress))
    web.content = make_zip(tmp_path / "new.zip", "z").read_bytes()
    web.asked.clear()
    assert get(web, tmp_path).zip.read_bytes() == web.content
    assert web.asked == [(None, None)]


def test_an_address_that_ends_too_early_is_no_zip(web: Web, tmp_path: Path) -> None:
    web.breaks = 100
    web.content = web.content[:3]
    with pytest.raises(BraggbookError):
        get(web, tmp_path)
    assert not list(tmp_path.rglob("cache/records/by_sha256/*/unpacked"))


def test_a_page_at_an_address_is_said(web: Web, tmp_path: Path) -> None:
    web.kind = "text/html; charset=utf-8"
    with pytest.raises(ArchiveError, match="a page, not a file"):
        get(web, tmp_path)
    with pytest.raises(UnknownName, match="no such file"):
        get(web, tmp_path, address=web.address.replace("/some/", "/gone/"))


def test_no_answer_at_an_address(web: Web, tmp_path: Path) -> None:
    web.server.shutdown()
    web.server.server_close()
    with pytest.raises(NetworkError):
        get(web, tmp_path)
