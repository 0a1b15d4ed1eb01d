"""Images among the files of a run: a glance at each, and their voxels for the viewer."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from braggbook.errors import BraggbookError, RecordError
from braggbook.files import sha256_file
from braggbook.hub.look.kinds import VOLUMES
from braggbook.hub.look.runs import RunShown, run_file
from braggbook.hub.look.shown import Preview, nothing
from braggbook.hub.look.viewing import Served, serve, served_once
from braggbook.hub.look.volumes import volume_preview
from braggbook.runs.folder import read_record
from braggbook.settings import Settings

MOST = 4  # images that a run's page shows slices of
LARGEST = 160 << 20  # bytes of a file that is looked into
_KEPT = 24
_COPIES = "datasets/"  # of what the run read: a dataset has a page of its own
_Key = tuple[str, str, int, int]
_one_at_a_time = threading.Lock()
_kept: dict[_Key, Preview] = {}  # the oldest first
_logger = logging.getLogger(__name__)


def run_previews(run: RunShown, settings: Settings) -> tuple[Preview, ...]:
    """Looks at the first images that a run has written; whatever is wrong is said, not raised."""
    names = [file.name for file in run.files if _is_image(file.name) and file.bytes <= LARGEST]
    return tuple(_preview(run.id, name, settings) for name in names[:MOST])


def _is_image(name: str) -> bool:
    return name.lower().endswith(VOLUMES) and not name.startswith(_COPIES)


def run_volume(run_id: str, name: str, settings: Settings) -> Served:
    """Returns the voxels of an image of a run.

    Raises:
        UnknownName: There is no such run, or it lists no such file.
        RecordError: There is no image to look through; the message says why.
    """
    shown = _preview(run_id, name, settings) if _is_image(name) else nothing(name, "No image.")
    path = run_file(run_id, name, settings)
    if not shown.viewable:
        raise RecordError("no image to look through", where=f"{run_id}/{name}", got=shown.says)
    return served_once(("run", *_key(run_id, name, path)), lambda: serve(path, name, kind=shown.kind))


def _key(run_id: str, name: str, path: Path) -> _Key:
    found = path.stat()
    return run_id, name, found.st_mtime_ns, found.st_size


def _preview(run_id: str, name: str, settings: Settings) -> Preview:
    path = run_file(run_id, name, settings)
    key = _key(run_id, name, path)
    with _one_at_a_time:
        if (known := _kept.get(key)) is None:
            known = _kept[key] = _looked(path, name, wanted=read_record(path_of_run(path, name)).files[name].sha256)
            while len(_kept) > _KEPT:
                del _kept[next(iter(_kept))]
    return known


def path_of_run(path: Path, name: str) -> Path:
    """Returns the folder of a run by where a file of it is."""
    return path.parents[len(Path(name).parts) - 1]


def _looked(path: Path, name: str, *, wanted: str) -> Preview:
    try:
        if path.stat().st_size > LARGEST:
            return nothing(name, f"No preview: files up to {LARGEST:,} bytes are looked into.")
        if sha256_file(path) != wanted:
            return nothing(name, "No preview: the file has changed since the run.")
        return volume_preview(path, name)
    except BraggbookError as error:
        return nothing(name, f"No preview: {error.what}.")
    except (OSError, MemoryError):
        return nothing(name, "No preview: it cannot be read, or needs too much memory.")
    except Exception:  # a damaged file finds faults in libraries, and the page has more to say than this
        _logger.exception("no preview of %s in a run", name)
        return nothing(name, "No preview: the file is damaged, or of a variety that is not known here.")
