"""The server: started on a folder, stopped, and told what is to go wrong."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from braggbook.errors import InputError, StorageError

from .archive import Archive
from .exchange import Site
from .legacy import LegacyApi
from .limits import RateLimit
from .listener import Listener
from .pages import Pages
from .rdm import RdmApi
from .routing import Route
from .settings import Account, Settings
from .shown import ShownFolder, ShownPages, is_folder_archive
from .store import FolderStore, Store


class ArchiveServer:
    """An archive that speaks Zenodo's deposit API and InvenioRDM's records API on this machine.

    ::

        with ArchiveServer(folder, tokens={"secret": Account()}) as server:
            requests.post(f"{server.url}/api/deposit/depositions", json={}, headers={"Authorization": "Bearer secret"})

    Args:
        folder: Where records are kept; another server on the same folder, later, has them again.
        tokens: Who may use it.
        host: The address to listen on.
        port: The port; 0 is any free one.
        settings: How it behaves.
        store: Keeps the records, in place of the folder.
        clock: Gives the time as seconds since 1970.

    Attributes:
        url: Where it listens, known once it is started.
        faults: What is to go wrong.
        calls: What was asked.
        failures: Tracebacks of errors of its own, which it answers with 500; empty unless it is at fault.
        archive: The records, to look at or to change without a request.
    """

    def __init__(
        self,
        folder: Path,
        tokens: Mapping[str, Account],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        settings = settings or Settings()
        self.archive = Archive(store or FolderStore(folder), settings=settings, clock=clock)
        limits = RateLimit(settings, clock=clock)
        self._site = Site(self.archive, _routes(self.archive), dict(tokens), limits)
        self.faults, self.calls, self.failures = self._site.faults, self._site.calls, self._site.failures
        self.url = ""
        self._address = (host, port)
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Begins to listen.

        Raises:
            StorageError: The address is taken, or not this machine's.
        """
        try:
            self._listener = Listener(self._address, self._site)
        except OSError as error:
            raise StorageError(
                "cannot listen",
                where=f"{self._address[0]}:{self._address[1]}",
                got=error.strerror or str(error),
                next_command="choose another port, or 0 for any",
            ) from error
        host, port = str(self._listener.server_address[0]), self._listener.server_port
        self._site.is_stopped = False
        self.url = self._site.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._thread = threading.Thread(target=self._listener.serve, name="archive", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops listening and drops every connection."""
        if self._listener and self._thread:
            self._site.is_stopped = True
            self._listener.stop()
            self._thread.join()
            self._listener.server_close()
            self._listener.drop_connections()
            self._listener = self._thread = None

    def wait(self) -> None:
        """Returns when the server has stopped."""
        while self._thread and self._thread.is_alive():
            self._thread.join(0.5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _routes(archive: Archive) -> list[Route]:
    legacy = LegacyApi(archive).routes() if archive.settings.legacy else []
    store = archive.store
    pages = ShownPages(archive, store.root) if isinstance(store, ShownFolder) else Pages(archive)
    return [*legacy, *RdmApi(archive).routes(), *pages.routes()]


def check_host(host: str, *, allow_remote: bool = False) -> None:
    """Refuses an address that others can reach, unless that is wanted.

    Raises:
        InputError: The address is not a loopback one.
    """
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback and not allow_remote:
        raise InputError(
            "the archive would be open to other machines",
            where=host,
            wanted="127.0.0.1, ::1 or localhost",
            next_command="braggbook archive serve --host 127.0.0.1",
        )


def open_server(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tokens: Mapping[str, Account] | None = None,
    settings: Settings | None = None,
    store: Store | None = None,
    allow_remote: bool = False,
) -> ArchiveServer:
    """Returns a started server for demonstrations; the caller prints its ``url``, waits and stops it.

    Args:
        folder: A folder archive, which is only shown, or where the server keeps records of its own.
        host: The address to listen on.
        port: The port; 0 is any free one.
        tokens: Who may write; nobody without.
        settings: How it behaves; where none are given, DOIs are those of the folder archive, or have the old test
            prefix.
        store: Keeps the records, in place of the folder.
        allow_remote: Whether other machines may reach it.

    Raises:
        InputError: The address is not a loopback one, and that was not wanted.
        RecordError: The folder has other things in it.
        StorageError: The address is taken.
    """
    check_host(host, allow_remote=allow_remote)
    if store is None and is_folder_archive(folder):
        shown = ShownFolder(folder)
        store, settings = shown, settings or shown.settings()
    settings = settings or Settings(doi_prefix="10.5072")
    store = store or FolderStore(folder, durable=True)
    return ArchiveServer(folder, tokens or {}, host=host, port=port, settings=settings, store=store).start()
