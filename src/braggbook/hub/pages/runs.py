"""Runs: the list, a run, its files and its report."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from braggbook.hub.desk import Desk
from braggbook.hub.look.kinds import media_of
from braggbook.hub.look.paging import Page
from braggbook.hub.look.run_volumes import run_previews, run_volume
from braggbook.hub.look.runs import list_runs, run_file, show_run
from braggbook.hub.look.viewing import Served
from braggbook.hub.web.rendering import page, url
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor
from braggbook.runs.folder import RECORD
from braggbook.runs.report import REPORT

router = APIRouter()
# what a notebook's author has written must not act here: no script, no form, no frame, nothing from anywhere
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
_BLOCK_BYTES = 1 << 20


def may_see_runs(desk: Desk, visitor: Visitor) -> bool:
    """Whether the project's runs are for this visitor: for everybody if the hub says so, else who is signed in."""
    return desk.config.public_runs or (visitor.person is not None and bool({"read", "organise"} & visitor.scopes))


def require_runs(desk: Desk, visitor: Visitor) -> None:
    """Lets nobody see runs who may not.

    Raises:
        SignInNeeded: Nobody is signed in.
        NotAllowed: The token is not made for it.
    """
    if not may_see_runs(desk, visitor):
        visitor.require_person()


@router.get("/runs", name="runs")
def all_runs(
    request: Request, desk: AtDesk, visitor: Asking, notebook: str = "", dataset: str = "", number: int = 1
) -> Response:
    """Shows the runs, the newest first."""
    require_runs(desk, visitor)
    found = list_runs(desk.settings, notebook=notebook or None, dataset=dataset or None, page=number)
    pager = pager_of(request, "runs", found, query={"notebook": notebook, "dataset": dataset})
    return page(
        request, "runs.html", runs=found.items, pager=pager, notebook=notebook, dataset=dataset, now=desk.clock()
    )  # fmt: skip


def pager_of(request: Request, name: str, found: Page[Any], *, query: Mapping[str, str], **params: Any) -> Any:
    """Returns what the macro for the pages of a list wants."""

    def address(of: int) -> str | None:
        if not 1 <= of <= found.pages or of == found.number:
            return None
        said = {name: value for name, value in query.items() if value}
        return url(request, name, query=urlencode({**said, "number": of}), **params)

    before, after = address(found.number - 1), address(found.number + 1)
    return {"number": found.number, "pages": found.pages, "total": found.total, "previous": before, "next": after}


@router.get("/runs/{id}", name="run")
def one_run(request: Request, desk: AtDesk, visitor: Asking, id: str) -> Response:
    """Shows a run: what came of it, with what, and how it is repeated."""
    require_runs(desk, visitor)
    shown = show_run(id, desk.settings)
    return page(request, "run.html", run=shown, previews=run_previews(shown, desk.settings), now=desk.clock())


@router.get("/runs/{id}/crate.zip", name="run_crate")
def crate(desk: AtDesk, visitor: Asking, id: str) -> Response:
    """Hands out all of a run, as a zip."""
    require_runs(desk, visitor)
    shown = show_run(id, desk.settings)
    files = {file.name: run_file(id, file.name, desk.settings) for file in shown.files}
    files[RECORD] = run_file(id, RECORD, desk.settings)
    return StreamingResponse(
        zipped(files), media_type="application/zip", headers=saved_as(f"{shown.notebook}-{id}.zip")
    )


@router.get("/runs/{id}/files/{path:path}", name="run_file")
def file(desk: AtDesk, visitor: Asking, id: str, path: str) -> Response:
    """Hands out a file of a run: to be saved, but for the report, which opens without being able to do anything."""
    require_runs(desk, visitor)
    found = run_file(id, path, desk.settings)
    if path == REPORT:
        headers = {"Content-Security-Policy": REPORT_POLICY, **_GUARDED}
        return FileResponse(found, media_type="text/html; charset=utf-8", headers=headers)
    headers = {"Content-Security-Policy": FILE_POLICY, **_GUARDED, **saved_as(Path(path).name)}
    return FileResponse(found, media_type=media_of(path).type, headers=headers)


@router.get("/runs/{id}/volumes/{path:path}", name="run_volume")
def volume(request: Request, desk: AtDesk, visitor: Asking, id: str, path: str) -> Response:
    """Hands out the voxels of an image of a run for the viewer, to whom the run is shown."""
    require_runs(desk, visitor)
    request.app.state.rates.volume(request)
    return volume_answer(run_volume(id, path, desk.settings))


def volume_answer(served: Served) -> Response:
    """Returns the answer that the viewer reads; opened by itself it can do nothing but be saved."""
    headers = {"Content-Security-Policy": FILE_POLICY, **_GUARDED, **saved_as("volume.nii.gz"), **served.headers}
    return Response(served.data, media_type="application/gzip", headers=headers)


_GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


def saved_as(name: str) -> dict[str, str]:
    """Returns the header by which a browser saves an answer under a name (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name) or "file"
    extended = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return {"Content-Disposition": f'attachment; filename="{plain}"{extended}'}


class _Out:
    """What a zip is written into; what has been written can be taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keeps what is written."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Does nothing."""

    def taken(self) -> bytes:
        """Returns what was written since the last time."""
        data, self._parts = b"".join(self._parts), []
        return data


def zipped(files: Mapping[str, Path]) -> Iterator[bytes]:
    """Yields a zip of files, block by block; it needs no room on the disk and little memory.

    Args:
        files: Where each is, by its name in the zip.
    """
    out = _Out()
    stream: Any = out  # as much of a file as zipfile needs where it cannot go back
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = 0o100644 << 16, 3
            entry.file_size = files[name].stat().st_size
            with files[name].open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(_BLOCK_BYTES):
                    target.write(block)
                    yield out.taken()
            yield out.taken()
    yield out.taken()
