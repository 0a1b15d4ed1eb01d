"""Zenodo's and InvenioRDM's APIs, on the offline server, held to what every archive does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from braggbook.records.archive import Record
from braggbook.records.invenio import InvenioArchive
from braggbook.records.serve import Account, ArchiveServer, Fault, WrongChecksum
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive
from braggbook.testing.archive import CHECKS, Bench

TOKEN = "of-a-server-on-this-machine"
KINDS = {"zenodo": ZenodoArchive, "invenio": InvenioArchive}
# Which request brings the checksum of what has arrived.
CHECKSUMS = {"zenodo": ("PUT", "/api/files/*"), "invenio": ("POST", "*/commit")}


class Servers:
    """Servers of one check, and the archives in front of them."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.started: list[ArchiveServer] = []

    def make(self) -> Any:
        server = ArchiveServer(self.folder / str(len(self.started)), {TOKEN: Account()}).start()
        self.started.append(server)
        return KINDS[self.kind](Transport(server.url, TOKEN))

    def again(self, archive: Any) -> Any:
        return KINDS[self.kind](Transport(archive._transport.base, TOKEN))

    def garble(self, archive: Any) -> None:
        method, path = CHECKSUMS[self.kind]
        server = next(one for one in self.started if one.url == archive._transport.base)
        server.faults.add(Fault(WrongChecksum(), method=method, path=path))

    def said(self, archive: Any, record: Record) -> Any:
        return archive._transport.ask("GET", f"/api/records/{record.id}").json()["metadata"]


@pytest.fixture(params=KINDS)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    made = Servers(request.param, tmp_path / "servers")
    yield made
    for server in made.started:
        server.stop()
        assert list(server.failures) == []


@pytest.mark.full
@pytest.mark.parametrize("name", CHECKS)
def test_every_check_passes(name: str, servers: Servers, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    bench = Bench(make=servers.make, folder=folder, again=servers.again, garble=servers.garble, said=servers.said)
    CHECKS[name](bench)
