"""A project folder to fill, and a real HTTP server on this machine."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.formats.dataset import CARD_NAME, DatasetFile, write_card

from .dataset_helpers import Make, Reply, Server, card_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project."""
    for name in ("datasets", "notebooks"):
        (tmp_path / "project" / name).mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def make(project: Path) -> Make:
    """Makes a dataset in the project; ``beside`` are files that lie beside its card."""

    def make_dataset(
        *files: DatasetFile, slug: str = "counts", beside: dict[str, bytes] | None = None, **more: object
    ) -> Dataset:
        folder = project / "datasets" / slug
        folder.mkdir(parents=True)
        for name, data in (beside or {}).items():
            (folder / name).write_bytes(data)
        write_card(folder / CARD_NAME, card_of(*files, **more))
        return open_dataset(folder)

    return make_dataset


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is stopped after the test."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["User-Agent"]))
            reply = state.replies.get(self.path, Reply(b"not here", 404))
            self.send_response(reply.status)
            if reply.location:
                self.send_header("Location", reply.location)
            self.send_header("Content-Length", str(len(reply.body) if reply.promised is None else reply.promised))
            self.end_headers()
            half = len(reply.body) // 2
            self.wfile.write(reply.body[:half])
            self.wfile.flush()
            time.sleep(reply.silent_s)
            self.wfile.write(reply.body[half:])

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client went away
                super().handle()

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}"
    yield state
    listening.shutdown()
    listening.server_close()
    thread.join()
