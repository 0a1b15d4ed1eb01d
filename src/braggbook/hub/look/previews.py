"""A glance at the files of a dataset: bounded in time and memory, and never anything that a browser executes.

A file is looked at only when its content is the one that the card names. SVG and HTML are not shown at all: they may
hold programs. One preview is made at a time, so that many readers need no more memory than one; the last are kept.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.sheets import TABLES
from braggbook.datasets.sources import check_file
from braggbook.errors import BraggbookError, DatasetError, Issue, NotAllowed
from braggbook.formats.dataset import DatasetFile
from braggbook.hub.look.kinds import ACTIVE, PICTURES, TEXTS, VOLUMES, kind_of, store_of
from braggbook.hub.look.pictures import picture_preview
from braggbook.hub.look.places import place_of
from braggbook.hub.look.shown import Preview, nothing
from braggbook.hub.look.tables import table_preview
from braggbook.hub.look.viewing import Served, serve, served_once
from braggbook.hub.look.volumes import volume_preview

LARGEST = 160 << 20  # bytes of a file that is looked into, for all of it is hashed first: half a second
_STORE_FILES = 4_000
_TEXT_BYTES, _TEXT_LINES = 8 << 10, 80
_KEPT = 48  # previews, each at most about 1 MB
_LONGEST_REASON = 300  # characters
_one_at_a_time = threading.Lock()
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Subject:
    """What is looked at; two are the same if nothing of this file has changed."""

    digest: str
    path: str
    where: Path
    places: tuple[str, ...]
    stamps: tuple[tuple[int, int], ...]
    dataset: Dataset = field(compare=False, repr=False)
    files: tuple[DatasetFile, ...] = field(compare=False, repr=False)


_kept: dict[_Subject, Preview] = {}  # the oldest first


def preview(dataset: Dataset, path: str, *, cache: Path) -> Preview:
    """Looks at a file of a dataset, or at the folder of a Zarr store in it; whatever is wrong is said, not raised.

    Args:
        dataset: The dataset.
        path: Of a file as the card has it, or of a store's folder.
        cache: Where downloads are.

    Raises:
        UnknownName: The card has no such file.
    """
    found = _subject(dataset, path, cache=cache)
    if not isinstance(found, _Subject):
        return nothing(path, found)
    shown = _look(found)
    return shown if _may_be_copied(found) else replace(shown, viewable=False)  # slices are shown, voxels not given out


def _may_be_copied(subject: _Subject) -> bool:
    return all(file.copy_allowed for file in subject.files)


def dataset_volume(dataset: Dataset, path: str, *, cache: Path) -> Served:
    """Returns the voxels of an image that :func:`preview` shows slices of, for the viewer.

    Raises:
        UnknownName: The card has no such file.
        NotAllowed: A licence does not let it be handed on.
        DatasetError: There is nothing to look through; the message says why.
    """
    found = _subject(dataset, path, cache=cache)
    if isinstance(found, _Subject) and not _may_be_copied(found):
        raise NotAllowed("the image may not be handed on", where=path, wanted="the sources that the card names")
    shown = _look(found) if isinstance(found, _Subject) else nothing(path, found)
    if isinstance(found, str) or not shown.viewable:
        raise DatasetError("no image to look through", where=path, got=shown.says)
    return served_once((found.digest, path, *found.stamps), lambda: serve(found.where, path, kind=shown.kind))


def _subject(dataset: Dataset, path: str, *, cache: Path) -> _Subject | str:
    """Finds a file or a store, or says why it is not looked at.

    Raises:
        UnknownName: The card has no such file.
    """
    files = tuple(file for file in dataset.card.files if store_of(file.path) == path)
    store = bool(files)
    files = files or (dataset.file(path),)
    if why := _not_looked_at(path, files, store=store):
        return why
    places = [place_of(dataset, file, cache=cache) for file in files]
    if away := next((place for place in places if place.path is None), None):
        return f"No preview: {'a part of it is ' if store else ''}{away.says}."
    found = [place.path for place in places if place.path is not None]
    where = dataset.folder / path if store else found[0]
    if store and any(where not in one.parents for one in found):
        return "No preview: the parts of the store do not lie together."
    try:
        stamps = tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in found)
    except OSError:
        return "No preview: the file has just gone."
    return _Subject(dataset.digest, path, where, tuple(map(str, found)), stamps, dataset, files)


def preview_names(dataset: Dataset, *, cache: Path) -> list[str]:
    """Returns what :func:`preview` can be asked for, what is here first; a Zarr store is one thing."""
    away = {store_of(file.path) or file.path: False for file in dataset.card.files}
    for file in dataset.card.files:
        away[store_of(file.path) or file.path] |= place_of(dataset, file, cache=cache).path is None
    return sorted(away, key=lambda name: away[name])


def _not_looked_at(path: str, files: tuple[DatasetFile, ...], *, store: bool) -> str:
    """Returns why a file is not even opened."""
    if path.lower().endswith(ACTIVE):
        return f"No preview: a file of this kind ({Path(path).suffix}) may hold programs, which are not run here."
    if not store and _reader(path, files[0]) is None:
        return f"No preview of this kind of file ({kind_of(path)})."
    size = sum(file.bytes for file in files)
    if size > LARGEST:
        return f"No preview: {size:,} bytes; files up to {LARGEST:,} are looked into."
    if len(files) > _STORE_FILES:
        return f"No preview: {len(files):,} files; stores up to {_STORE_FILES:,} are looked into."
    return ""


def _look(subject: _Subject) -> Preview:
    if (known := _kept.get(subject)) is not None:
        return known
    with _one_at_a_time:
        if (known := _kept.get(subject)) is None:  # somebody may have looked meanwhile
            known = _kept[subject] = _looked(subject)
            while len(_kept) > _KEPT:
                del _kept[next(iter(_kept))]
    return known


def _looked(subject: _Subject) -> Preview:
    try:
        return _checked(subject)
    except BraggbookError as error:
        return nothing(subject.path, f"No preview: {_reason(error, subject)}.")
    except (OSError, MemoryError) as error:
        return nothing(subject.path, f"No preview: {getattr(error, 'strerror', '') or 'it needs too much memory'}.")
    except Exception:  # a damaged file finds faults in libraries, and the page has more to say than this
        _logger.exception("no preview of %s in %s", subject.path, subject.dataset.reference)
        return nothing(subject.path, "No preview: the file is damaged, or of a variety that is not known here.")


def _checked(subject: _Subject) -> Preview:
    for file, path in zip(subject.files, subject.places, strict=True):
        check_file(Path(path), file, dataset=subject.dataset.reference)
    if subject.where.is_dir():
        return _store(subject)
    file = subject.files[0]
    reader = _reader(subject.path, file)
    return reader(subject.where, file) if reader else nothing(subject.path, "No preview of this kind of file.")


def _store(subject: _Subject) -> Preview:
    """Looks at a store, if its folder holds the card's files and nothing else: the reader opens whatever lies there."""
    known = set(subject.places)
    there = {os.path.join(parent, name) for parent, _, names in os.walk(subject.where) for name in names}  # noqa: PTH118
    if extra := sorted(there - known):
        name = Path(extra[0]).relative_to(subject.where)
        return nothing(subject.path, f"No preview: the card does not list {name}, which lies in the store.")
    return volume_preview(subject.where, subject.path)


def _reader(path: str, file: DatasetFile) -> Callable[[Path, DatasetFile], Preview] | None:
    name = path.lower()
    described = file.columns and kind_of(path) not in ("arrays", "volume", "picture")
    if described or name.endswith(TABLES):
        return table_preview
    if name.endswith(VOLUMES):
        return lambda where, file: volume_preview(where, file.path)
    if name.endswith(tuple(PICTURES)):
        return lambda where, file: picture_preview(where, file.path)
    return _text if name.endswith(TEXTS) else None


def _text(where: Path, file: DatasetFile) -> Preview:
    with where.open("rb") as stream:
        data = stream.read(_TEXT_BYTES + 1)
    if b"\0" in data:
        return nothing(file.path, "No preview: its name is that of a text, its content is not.")
    text = data[:_TEXT_BYTES].decode("utf-8", "replace")
    lines = ["".join(c if c.isprintable() or c == "\t" else " " for c in line) for line in text.splitlines()]
    whole = len(data) <= _TEXT_BYTES and len(lines) <= _TEXT_LINES
    says = "The whole text." if whole else "The beginning of the text."
    return Preview(file.path, "text", says, text="\n".join(lines[:_TEXT_LINES]))


def _reason(error: BraggbookError, subject: _Subject) -> str:
    """Returns what is wrong, with the file's name in the place of where this machine keeps it."""
    first = error.issues[0] if error.issues else Issue("")
    told = Issue(error.what, "", error.wanted, error.got)
    text = f"{told} ({first})" if first.what else str(told)
    for path in (*subject.places, str(subject.where)):
        text = text.replace(path, subject.path)
    return " ".join(text.split())[:_LONGEST_REASON].rstrip(".")
