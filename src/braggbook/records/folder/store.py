"""What lies where in a folder archive, and how it stays whole: one lock, whole files, renames.

::

    archive.json            its card
    index.html              all records
    records/<number>/       what is published; it came here by one rename
    drafts/<number>/        what is not yet
    .staging/               what is being made; whatever of a killed process lies here is removed by the next one
    .last                   the last number that was given
    .stale                  there while pages are being drawn anew
    .lock
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from braggbook.errors import ArchiveError, Issue
from braggbook.files import storage, sync_tree, write_json, write_text
from braggbook.formats.archive import ArchiveCard, Entry
from braggbook.formats.common import issues_from
from braggbook.formats.record import PlanFile

CARD, ENTRY, FILES = "archive.json", "entry.json", "files"
_DRAFTS, _RECORDS, _STAGING = "drafts", "records", ".staging"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_ID_LETTERS = 6  # 31 ** 6 = 9e8 archives
_LONGEST_ID = 18  # digits
_LONGEST_REASON = 300  # characters
_Kind = TypeVar("_Kind", bound=BaseModel)


def utc_now() -> datetime:
    """Returns the time of this machine's clock."""
    return datetime.now(UTC)


class Store:
    """The folder of an archive; the methods that change it are called by the holder of its lock."""

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._clock = clock
        self._read_once: dict[tuple[Path, int, int], Entry] = {}  # records: they never change

    def now(self) -> str:
        """Returns the time as entries have it."""
        return self._clock().astimezone(UTC).isoformat(timespec="seconds")

    def card(self) -> ArchiveCard | None:
        """Returns what the archive is, or None when nothing was ever put into it.

        Raises:
            ArchiveError: The card cannot be read, or the folder is of something else.
        """
        card = _read(self.root / CARD, ArchiveCard)
        if card is not None:
            return card
        strange = [name for name in _names(self.root) if not name.startswith(".")]
        if strange:
            wanted = f"an empty folder, or one with {CARD}"
            raise ArchiveError("not an archive's folder", where=str(self.root), wanted=wanted, got=min(strange))
        return None

    @contextmanager
    def locked(self) -> Iterator[ArchiveCard]:
        """Waits until no other process changes the archive, and keeps others waiting; makes the archive if need be."""
        self.card()
        for name in (".lock", _STAGING, _DRAFTS, _RECORDS):
            _no_link(self.root / name)
        with storage(self.root):
            (self.root / _STAGING).mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(lock, "rb"):  # noqa: PTH123 - what is open already has no path
            fcntl.flock(lock, fcntl.LOCK_EX)
            card = self.card() or self._made()  # the card first: without one, what lies here is somebody else's
            with storage(self.root):
                for place in (_DRAFTS, _RECORDS):
                    (self.root / place).mkdir(exist_ok=True)
            self._sweep()
            yield card

    def _made(self) -> ArchiveCard:
        id = "".join(secrets.choice(_LETTERS) for _ in range(_ID_LETTERS))
        card = ArchiveCard(id=id, made=self.now())
        write_json(self.root / CARD, card.model_dump(mode="json"))
        return card

    def _sweep(self) -> None:
        """Removes what killed processes left: folders, which lie there only under the lock, and files nobody holds."""
        for path in (self.root / _STAGING).iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                continue
            with suppress(OSError), path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                path.unlink()

    def next_numbers(self, count: int) -> range:
        """Returns numbers that were never given before and never will be again, not even those of discarded drafts."""
        path = self.root / ".last"
        try:
            last = int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a new archive, or a copy that left hidden files out
            last = max((max(entry.number, entry.concept) for entry in self.all()), default=0)
        last = max([last, *(int(id) for place in (_DRAFTS, _RECORDS) for id in self._ids(place))])  # of another copy
        write_text(path, f"{last + count}\n")
        return range(last + 1, last + count + 1)

    def folder(self, id: str, *, published: bool) -> Path:
        """Returns where a draft or a record is, or would be."""
        return self.root / (_RECORDS if published else _DRAFTS) / id

    def draft(self, id: str) -> Entry | None:
        """Returns a draft, or None."""
        return self._entry(_DRAFTS, id)

    def published(self, id: str) -> Entry | None:
        """Returns a record, or None."""
        return self._entry(_RECORDS, id)

    def drafts(self) -> list[Entry]:
        """Returns all drafts by number."""
        return self._entries(_DRAFTS)

    def records(self) -> list[Entry]:
        """Returns all records by number."""
        return self._entries(_RECORDS)

    def versions(self, concept: int) -> list[Entry]:
        """Returns all published versions of one thing, the latest last."""
        return [entry for entry in self.records() if entry.concept == concept]

    def all(self) -> list[Entry]:
        """Returns all drafts and records by number, each once though it be published meanwhile."""
        found = {entry.number: entry for entry in [*self.drafts(), *self.records()]}
        return [found[number] for number in sorted(found)]

    def _entries(self, place: str) -> list[Entry]:
        found: list[Entry] = []
        issues: list[Issue] = []
        command = "put the damaged files back from a copy of the archive"
        for id in self._ids(place):
            try:
                entry = self._entry(place, id)
            except ArchiveError as error:
                command = error.next_command or command
                issues += error.issues or [Issue(error.what, error.where, got=error.got)]
            else:
                found += [entry] if entry is not None else []
        if issues:
            raise ArchiveError(
                "the archive is damaged", where=str(self.root / place), issues=issues, next_command=command
            )
        return found

    def _ids(self, place: str) -> list[str]:
        return sorted((name for name in _names(self.root / place) if _is_id(name)), key=int)

    def _entry(self, place: str, id: str) -> Entry | None:
        if not _is_id(id):
            return None
        path = self.root / place / id / ENTRY
        _no_link(path.parent)
        try:
            stat = path.stat()
        except OSError:
            return _read(path, Entry)  # None, or an error that says why
        seen = (path, stat.st_ino, stat.st_mtime_ns)
        if place == _RECORDS and seen in self._read_once:
            return self._read_once[seen]
        entry = _read(path, Entry)
        if entry is not None and entry.id != id:
            raise ArchiveError("an entry of another number", where=str(path), wanted=id, got=entry.id)
        if place == _RECORDS and entry is not None:
            self._read_once[seen] = entry
        return entry

    def add_draft(self, entry: Entry) -> None:
        """Shows a new draft by one rename."""
        staged = self.root / _STAGING / entry.id
        with storage(staged):
            staged.mkdir()
            (staged / FILES).mkdir()
            write_json(staged / ENTRY, entry.model_dump(mode="json"))
            os.rename(staged, self.folder(entry.id, published=False))

    def save_draft(self, entry: Entry) -> None:
        """Replaces a draft's entry, and removes the files that it does not list (any more)."""
        folder = self.folder(entry.id, published=False)
        write_json(folder / ENTRY, entry.model_dump(mode="json"))
        self._tidy(folder, entry)

    def _tidy(self, folder: Path, entry: Entry) -> None:
        listed = {path_of(folder, file) for file in entry.files}
        _no_link(folder / FILES)
        with storage(folder):
            for place in (folder / FILES).iterdir():
                _no_link(place)
                for path in place.iterdir():
                    if path not in listed:
                        path.unlink()
                with suppress(OSError):
                    place.rmdir()  # refused while there is something in it

    def drop_draft(self, id: str) -> None:
        """Makes a draft disappear by one rename, then removes it."""
        gone = self.root / _STAGING / id
        with storage(gone):
            os.rename(self.folder(id, published=False), gone)
        shutil.rmtree(gone, ignore_errors=True)

    @contextmanager
    def incoming(self) -> Iterator[IO[bytes]]:
        """Opens a file of one's own in the archive, for :meth:`keep`; it is removed when nobody keeps it."""
        with self.locked(), storage(self.root):  # nobody sweeps between the file and its lock
            handle, name = tempfile.mkstemp(dir=self.root / _STAGING, suffix=".part")
            os.close(handle)
            stream = Path(name).open("wb")  # noqa: SIM115 - locked first; by name, which a handle would not give
            fcntl.flock(stream, fcntl.LOCK_EX)
        with stream:
            try:
                yield stream
            finally:
                with suppress(OSError):
                    os.unlink(name)

    def keep(self, arrived: str, entry: Entry, *, file: PlanFile) -> None:
        """Puts a file that has arrived into a draft, in place of one of that name."""
        folder = self.folder(entry.id, published=False)
        path = path_of(folder, file)
        for place in (folder / FILES, path.parent):
            _no_link(place)
        with storage(path):
            path.parent.mkdir(exist_ok=True)
            os.chmod(arrived, 0o444)
            os.rename(arrived, path)
            sync_folder(path.parent)
            sync_folder(folder / FILES)
        self.save_draft(entry.with_files([*(old for old in entry.files if old.name != file.name), file]))

    def show(self, entry: Entry) -> None:
        """Turns a draft, whole with its pages, into a record by one rename."""
        source, target = (self.folder(entry.id, published=published) for published in (False, True))
        with storage(target):
            sync_tree(source)
            os.rename(source, target)
            sync_folder(source.parent)
            sync_folder(target.parent)


def path_of(folder: Path, file: PlanFile) -> Path:
    """Returns where a file of a draft or record lies: under its own name, in a folder named by its content.

    So two names that a file system takes for one, as ``A`` and ``a``, never meet, and a file that replaces another of
    its name never touches it.
    """
    return folder / FILES / file.sha256 / file.name


def sync_folder(folder: Path) -> None:
    """Asks the system to put a folder's list of names on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_link(path: Path) -> None:
    """Refuses a link: an archive that came from somebody else must not make us write or remove what is not in it."""
    if path.is_symlink():
        wanted, got = "what the archive itself has made", f"a link to {path.readlink()}"
        raise ArchiveError("a link in the archive", where=str(path), wanted=wanted, got=got)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveError("cannot read the archive", where=str(folder), got=error.strerror or "") from None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and not text.startswith("0") and len(text) <= _LONGEST_ID


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        got = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise ArchiveError("a file of the archive cannot be read", where=str(path), got=got[:_LONGEST_REASON]) from None
    wanted = kind.model_fields["format"].default
    if isinstance(data, dict) and data.get("format") != wanted:
        got = str(data.get("format"))[:_LONGEST_REASON]
        newer = re.fullmatch(rf"{re.escape(wanted.partition('/')[0])}/\d+", got)
        what = "written by a newer Braggbook" if newer else "a file of another format"
        command = "python3 -m pip install --upgrade braggbook" if newer else ""
        raise ArchiveError(what, where=str(path), wanted=wanted, got=got, next_command=command)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        issues = issues_from(error, where=str(path), known=kind)
        raise ArchiveError("a file of the archive is not valid", where=str(path), issues=issues) from None
