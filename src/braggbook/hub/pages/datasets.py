"""Datasets: the list, and a dataset with its card, its files and a glance at each."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from braggbook.datasets.catalogue import Dataset, find_dataset
from braggbook.errors import DatasetError, NotAllowed
from braggbook.files import sha256_file
from braggbook.formats.dataset import DatasetFile
from braggbook.hub.look.datasets import list_datasets, preview_file, show_dataset
from braggbook.hub.look.kinds import media_of
from braggbook.hub.look.places import place_of
from braggbook.hub.look.previews import dataset_volume
from braggbook.hub.pages.runs import FILE_POLICY, may_see_runs, pager_of, saved_as, volume_answer
from braggbook.hub.web.rendering import page
from braggbook.hub.web.visitor import Asking, AtDesk

router = APIRouter()
_CHECKED = 4096  # files that are known to be what their card says


@router.get("/datasets", name="datasets")
def all_datasets(request: Request, desk: AtDesk) -> Response:
    """Shows the datasets of the project."""
    return page(request, "datasets.html", datasets=list_datasets(desk.settings))


@router.get("/datasets/{slug}/{version}", name="dataset")
def one_dataset(
    request: Request, desk: AtDesk, visitor: Asking, slug: str, version: int, file: str = "", number: int = 1
) -> Response:
    """Shows a dataset: its card, its files, a glance at them, and the runs that used it.

    Args:
        request: The request.
        desk: The hub's.
        visitor: Who asks.
        slug: Of the dataset.
        version: Of the dataset.
        file: Look at this file instead of the first ones.
        number: Of the page of runs.
    """
    shown = show_dataset(f"{slug}@{version}", desk.settings, page=number)
    chosen = (preview_file(f"{slug}@{version}", file, desk.settings),) if file else shown.previews
    pager = pager_of(request, "dataset", shown.runs, query={"file": file}, slug=slug, version=version)
    return page(
        request, "dataset.html", dataset=shown, previews=chosen, file=file, pager=pager,
        runs=shown.runs.items if may_see_runs(desk, visitor) else None, now=desk.clock(),
    )  # fmt: skip


@router.get("/datasets/{slug}/{version}/files/{path:path}", name="dataset_file")
def one_file(desk: AtDesk, slug: str, version: int, path: str) -> Response:
    """Hands out a file of a dataset, to be saved; only the very file that the card names.

    Raises:
        UnknownName: There is no such file.
        NotAllowed: Its licence does not let it be handed on.
        DatasetError: It is not here, or not what the card says.
    """
    dataset = find_dataset(f"{slug}@{version}", project=desk.settings.project)
    file = dataset.file(path)
    if not file.copy_allowed:
        raise NotAllowed("the file may not be handed on", where=path, wanted="the sources that the card names")
    place = place_of(dataset, file, cache=desk.settings.cache)
    if place.path is None:
        raise DatasetError("the file is not at hand", where=path, got=place.says)
    found = place.path.stat()
    _require_own(place.path, (found.st_mtime_ns, found.st_size), dataset, file)
    headers = {
        "Content-Security-Policy": FILE_POLICY, "X-Content-Type-Options": "nosniff", **saved_as(Path(path).name)
    }  # fmt: skip
    return FileResponse(place.path, media_type=media_of(path).type, headers=headers)


@router.get("/datasets/{slug}/{version}/volumes/{path:path}", name="dataset_volume")
def one_volume(request: Request, desk: AtDesk, slug: str, version: int, path: str) -> Response:
    """Hands out the voxels of an image for the viewer: who sees its slices may see it whole, if its licence allows.

    Raises:
        UnknownName: There is no such file.
        NotAllowed: Its licence does not let it be handed on.
        DatasetError: There is no image to look through.
        TooMany: It was asked for too often.
    """
    request.app.state.rates.volume(request)
    dataset = find_dataset(f"{slug}@{version}", project=desk.settings.project)
    return volume_answer(dataset_volume(dataset, path, cache=desk.settings.cache))


def _require_own(path: Path, stamp: tuple[int, int], dataset: Dataset, file: DatasetFile) -> None:
    """Refuses a file that is not what its card says; one that was looked at is looked at again when it changes."""
    if not _is_own(path, stamp, file.sha256):  # said without where it lies on this machine
        raise DatasetError(
            "the file is not the one that the card names", where=f"{file.path} of {dataset.reference}",
            wanted=f"sha256 {file.sha256}",
        )  # fmt: skip


@lru_cache(maxsize=_CHECKED)
def _is_own(path: Path, stamp: tuple[int, int], sha256: str) -> bool:  # noqa: ARG001 - the stamp tells files apart
    return sha256_file(path) == sha256
