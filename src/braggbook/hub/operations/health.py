"""Whether the hub is well."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from braggbook import __version__
from braggbook.errors import StorageError
from braggbook.hub.desk import Desk
from braggbook.hub.operations.near import is_near
from braggbook.hub.store import jobs
from braggbook.hub.web.visitor import AtDesk

router = APIRouter()
_LOW_MB = 200  # of free disk, below which uploads begin to fail
_LONG_S = 60.0  # that work may wait without a worker: they need some seconds to start


@router.get("/health", name="health")
def health(request: Request, desk: AtDesk) -> JSONResponse:
    """Says whether the hub is well: 200, or 503. Programs on this machine are told what is wrong, and some numbers."""
    wrong, numbers = _looked_at(desk)
    said: dict[str, Any] = {"status": "wrong" if wrong else "well"}
    if is_near(request):
        said |= {"wrong": wrong, "version": __version__, **numbers}
    return JSONResponse(said, 503 if wrong else 200, headers={"Cache-Control": "no-store"})


def _looked_at(desk: Desk) -> tuple[list[str], dict[str, float]]:
    """Returns what is wrong, and numbers of the queue."""
    wrong: list[str] = []
    numbers: dict[str, float] = {}
    try:
        now = desk.clock()
        with desk.database.read() as session:
            waiting, oldest = jobs.depth(session).get("queued", 0), jobs.oldest(session)
            workers = len(jobs.alive(session, now=now))
        waits_s = (now - oldest).total_seconds() if oldest else 0.0
        numbers = {"queued": waiting, "workers": workers, "oldest_s": waits_s}
        if not workers and waits_s > _LONG_S:
            wrong.append("submissions wait, and no worker is here")
    except StorageError:
        wrong.append("the database does not answer")
    vault = desk.settings.vault  # it is made with the first challenge
    for what, place in (("data folder", desk.config.data), ("vault", vault if vault.is_dir() else vault.parent)):
        free = _free_mb(place)
        if free is None:
            wrong.append(f"the {what} is not there")
        elif free < _LOW_MB:
            wrong.append(f"the disk of the {what} is nearly full")
    return wrong, numbers


def _free_mb(place: Path) -> int | None:
    """Returns how much the disk of a folder has left; None where there is no such folder."""
    try:
        return shutil.disk_usage(place).free >> 20
    except OSError:
        return None
