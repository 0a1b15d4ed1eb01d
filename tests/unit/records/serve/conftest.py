"""A server that listens on this machine, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from braggbook.records.serve import ArchiveServer, Settings

from .serve_helpers import OTHER_TOKEN, TOKENS, Client, Clock

Start = Callable[..., ArchiveServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Iterator[Start]:
    """Starts servers on one folder, with settings; each must be without fault of its own at the end."""
    with ExitStack() as stack:
        servers = []

        def begin(**settings: Any) -> ArchiveServer:
            server = ArchiveServer(tmp_path / "archive", TOKENS, settings=Settings(**settings), clock=clock)
            servers.append(stack.enter_context(server))
            return server

        yield begin
    assert [server.failures for server in servers] == [[]] * len(servers)


@pytest.fixture
def server(start: Start) -> ArchiveServer:
    return start()


@pytest.fixture
def client(server: ArchiveServer) -> Client:
    return Client(server)


@pytest.fixture
def other(server: ArchiveServer) -> Client:
    return Client(server, OTHER_TOKEN)


@pytest.fixture
def guest(server: ArchiveServer) -> Client:
    return Client(server, None)
