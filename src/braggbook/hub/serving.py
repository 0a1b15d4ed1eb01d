"""The hub as a process: its address, its workers, its end."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import uvicorn

from braggbook.errors import InputError
from braggbook.files import storage
from braggbook.hub import accounts, entries, uploads
from braggbook.hub.app import make_app
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.operations.logs import set_up
from braggbook.hub.work.supervise import Supervisor

_BACKLOG = 512
_GRACE_S = 10  # for answers that are on their way when it ends


def serve(desk: Desk, worker: tuple[Sequence[str], dict[str, str]], *, say: Callable[[str], None]) -> None:
    """Serves a hub until it is stopped.

    Args:
        desk: The hub's.
        worker: The command that starts a worker, and its environment.
        say: Told what a person has to know: the address, and the first organiser's link.

    Raises:
        InputError: The address is taken.
        StorageError: The data folder or the database cannot be used.
    """
    config = desk.config
    with storage(config.data):
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        config.spool.mkdir(exist_ok=True, mode=0o700)
    desk.database.migrate()
    uploads.sweep(desk)
    entries.recover(desk)
    listening = _listen(config)
    _announce(desk, listening, say)
    set_up(config.log_format)
    workers = Supervisor(worker[0], config.workers, worker[1])
    workers.start()
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(desk),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            backlog=_BACKLOG,
            proxy_headers=False,  # the application reads them
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    try:
        server.run(sockets=[listening])
    finally:
        workers.stop()
        desk.database.close()
        if config.socket is not None:
            config.socket.unlink(missing_ok=True)


def address(config: HubConfig, listening: socket.socket) -> str:
    """Returns the address that people open."""
    if config.public_url:
        return config.public_url.rstrip("/") + config.prefix
    if config.socket is not None:
        return f"http+unix://{quote(str(config.socket), safe='')}{config.prefix}"
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - only shown
    return f"http://{shown}:{port}{config.prefix}"


def _announce(desk: Desk, listening: socket.socket, say: Callable[[str], None]) -> None:
    place = address(desk.config, listening)
    say(f"hub       {place}/")
    say(f"data      {desk.config.data}")
    say(f"vault     {desk.settings.vault}")
    secret = accounts.first_link(desk)
    if secret is not None:
        say(f"organiser {place}/invitation/{secret}   (works once; open it to make the first account)")


def _listen(config: HubConfig) -> socket.socket:
    """Returns a socket that people can connect to from now on."""
    try:
        made = _on_file(config.socket) if config.socket is not None else _on_port(config.host, config.port)
        made.listen(_BACKLOG)
    except OSError as error:
        where = str(config.socket or f"{config.host}:{config.port}")
        what, command = "the hub cannot listen there", "braggbook serve --port 0"
        raise InputError(what, where=where, got=error.strerror or str(error), next_command=command) from None
    return made


def _on_port(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    return made


def _on_file(path: Path) -> socket.socket:
    """Returns a socket on a file that only this user reaches; one that a hub left that was killed is taken away."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.is_socket():
        try:
            made.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        finally:
            made.close()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    finally:
        os.umask(before)
    return made
