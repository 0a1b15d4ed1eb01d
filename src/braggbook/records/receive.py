"""From an identifier back to a folder: found, downloaded with its checksum, unpacked safely."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from braggbook.errors import ArchiveError, InputError, NotVerifiable, RecordError, UnknownName
from braggbook.files import sha256_file
from braggbook.formats.board import CLOSED_NAME
from braggbook.formats.dataset import CARD_NAME
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Archive, Record, RemoteFile
from braggbook.records.archives import Shelf
from braggbook.records.download import fetch_plain
from braggbook.records.folder import FolderArchive
from braggbook.records.kept import Kept, file_name, key_of
from braggbook.records.transport import Transport
from braggbook.runs.folder import RECORD as RUN_RECORD
from braggbook.runs.sweep_folder import RECORD as SWEEP_RECORD

Kind = Literal["run", "dataset", "sweep", "board"]
REPRODUCTION = "verification.json"  # a record with this file tells of another one
_MARKS: dict[str, Kind] = {RUN_RECORD: "run", SWEEP_RECORD: "sweep", CARD_NAME: "dataset", CLOSED_NAME: "board"}
_ZIP = ".zip"
_DOI = re.compile(r"(?:doi:\s*|https?://(?:dx\.|www\.)?doi\.org/|https?://[^/]+/doi/)?(10\.\d{4,}/\S+)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:invenio\+)?https?://|file:", re.IGNORECASE)
_FILE_OF_RECORD = re.compile(r"(.*?)(?:/api)?(/records?/[\w-]+)/files/([^/]+)(?:/content)?/?")
_PAGE_IN_FOLDER = re.compile(r"(.+)/records/(\d+)(?:/files/([^/]+)|/[^/]*)?/?")
_UNWANTED = (403, 404, 405, 501)  # what servers say that do not like to be asked for the head of a file
_FOR_ADDRESSES = "BRAGGBOOK_ARCHIVE_TOKEN"


@dataclass(frozen=True)
class Received:
    """What has come.

    Attributes:
        kind: What it is a record of.
        folder: Where it lies now, unpacked.
        zip: Its zip.
        sha256: Of the zip.
        record: What the archive says of it; None of a zip that came without one.
        notes: What a person should know, such as which of several versions it is.
    """

    kind: Kind
    folder: Path
    zip: Path
    sha256: str
    record: Record | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called when it is spoken of."""
        return self.record.doi or self.record.url if self.record else self.zip.name


def is_record(text: str) -> bool:
    """Whether a text is meant as a record (a DOI, an address, a zip) and not as a run's id or folder."""
    text = text.strip()
    if _DOI.fullmatch(text) or _ADDRESS.match(text):
        return True
    return os.path.isfile(text) or (text.lower().endswith(_ZIP) and not os.path.isdir(text))  # noqa: PTH112, PTH113 - a path may be too long


def receive(what: str, *, shelf: Shelf, cache: Path, progress: Progress | None = None) -> Received:
    """Brings a record here.

    Args:
        what: Its DOI (also that of all versions), the address of its page or of its zip, or the path of its zip.
        shelf: The archives that there are. The token for archives by address is not used: whose address a stranger
            gives must not get it.
        cache: Where downloads are kept.
        progress: Is told how many bytes have come.

    Returns:
        What came.

    Raises:
        UnknownName: There is no such record or file.
        NotVerifiable: There is a record, but nothing in it that can be verified.
        RecordError: Its zip is not safe, or holds nothing of ours.
        HashMismatch: What came is not what the record lists.
        ArchiveError: The archive gives it to nobody, or not to everybody.
        NetworkError: The archive does not answer; the same call goes on where it stopped.
    """
    what, kept = what.strip(), Kept(cache)
    progress = progress or Silent()
    readers = Shelf(shelf.folder, {name: value for name, value in shelf.environment.items() if name != _FOR_ADDRESSES})
    if what.lower().startswith("file:"):
        return _in_folder_archive(what, kept, progress)
    if not (_DOI.fullmatch(what) or _ADDRESS.match(what)):
        return _from_disk(Path(what), kept)
    address = _without_query(what)
    if (match := _FILE_OF_RECORD.fullmatch(address)) and "://" in address:
        archive, name = readers.of(f"{match[1]}{match[2]}")
        return _from_archive(archive, name, kept, progress, only=unquote(match[3]))
    if address.lower().endswith(_ZIP) and "://" in address:
        return _from_address(what, kept, progress)
    archive, name = readers.of(_identifier(address))
    return _from_archive(archive, name, kept, progress)


def _identifier(text: str) -> str:
    """Returns a DOI as archives spell it, or the text as it is."""
    match = _DOI.fullmatch(unquote(text))
    return match[1].lower() if match else text


def _without_query(text: str) -> str:
    return text if "://" not in text else text.partition("#")[0].partition("?")[0]


def _in_folder_archive(address: str, kept: Kept, progress: Progress) -> Received:
    """Opens a page, or a zip, that somebody looked at in a browser."""
    path = unquote(urlsplit(_without_query(address)).path)
    match = _PAGE_IN_FOLDER.fullmatch(path)
    if path.lower().endswith(_ZIP) and (match is None or Path(path).is_file()):
        return _from_disk(Path(path), kept)
    if match is None:
        raise InputError("not the page of a record", where=address, wanted="file:///.../records/<number>/index.html")
    return _from_archive(FolderArchive(Path(match[1])), match[2], kept, progress, only=match[3])


def _from_disk(path: Path, kept: Kept) -> Received:
    try:
        path.open("rb").close()
    except OSError as error:
        wanted = "a DOI, an address, or the zip of a record"
        raise UnknownName("no such file", where=str(path), wanted=wanted, got=error.strerror or "") from None
    return _opened(path, kept)


def _from_archive(archive: Archive, name: str, kept: Kept, progress: Progress, *, only: str | None = None) -> Received:
    record = _record(archive, name)
    file = _its_zip(record, only)
    key = key_of(archive.name, record.doi or record.id, file.name, file.md5, file.bytes)
    with kept.alone(key) as coming:
        path = kept.find(key)
        if path is None:
            target = coming / file_name(file.name)
            progress.start(f"from {archive.name}", file.bytes)
            try:
                _downloaded(archive, record, file, target, progress)
            finally:
                progress.stop()
            path = kept.keep(target, key, name=file.name)
    notes = []
    if record.concept_doi and name in (record.concept_doi, record.concept_doi.rpartition(".")[2]):
        notes.append(f"{name} is the identifier of all versions; taken: version {record.version}, {record.doi}")
    return _opened(path, kept, record=record, notes=notes)


def _record(archive: Archive, name: str) -> Record:
    try:
        return archive.record(name)
    except ArchiveError as error:
        raise _closed(error, name) from None


def _downloaded(archive: Archive, record: Record, file: RemoteFile, target: Path, progress: Progress) -> None:
    try:
        archive.download(record, file.name, target, progress=progress)
    except ArchiveError as error:
        raise _closed(error, record.doi) from None


def _closed(error: ArchiveError, where: str) -> ArchiveError:
    """Returns what it means to a reader that an archive wants to know who asks."""
    if not re.search(r"status 40[13]\b", error.got):
        return error
    wanted = "a record whose files are open to everybody; or its zip: braggbook verify FILE.zip"
    return ArchiveError("the archive does not give it to everybody", where=where, wanted=wanted, got=error.got)


def _its_zip(record: Record, only: str | None) -> RemoteFile:
    """Returns the file of a record to look into."""
    where = record.doi or record.url
    names = [file.name for file in record.files]
    zips = [file for file in record.files if file.name.lower().endswith(_ZIP)]
    if only is not None:
        zips = [file for file in record.files if file.name == only]
        if not zips:
            raise UnknownName("no such file in the record", where=where, wanted=", ".join(names) or "none", got=only)
    if len(zips) == 1:
        return zips[0]
    title = f"{where} ({record.title})"
    if not names:
        got = "no file that everybody may see"
        raise NotVerifiable("nothing to verify in the record", where=title, wanted="a zip of a run", got=got)
    if REPRODUCTION in names:
        wanted = "the DOI that it tells of: isVariantFormOf on its page"
        raise NotVerifiable("a record of how another one was verified", where=title, wanted=wanted)
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    if zips:
        page = record.url.removesuffix("index.html").rstrip("/")
        command = f"braggbook verify {page}/files/{quote(zips[0].name)}, or another of them"
        raise NotVerifiable("several zips in the record", where=title, got=listed, next_command=command)
    raise NotVerifiable(
        "no run in the record",
        where=title,
        wanted="one zip, as braggbook publish makes it",
        got=listed,
        next_command=f"braggbook dataset add {where}, if its files are data",
    )


def _from_address(address: str, kept: Kept, progress: Progress) -> Received:
    """Gets a zip of which nobody but the server says anything."""
    parts = urlsplit(address)
    if parts.username is not None or parts.password is not None:
        raise InputError("an address with a name or password in it", where=parts.hostname or "")
    transport = Transport(f"{parts.scheme.lower()}://{parts.netloc}", None)
    name = unquote(parts.path).rpartition("/")[2]
    try:
        mark = _marked(transport, address)
        with kept.alone(key_of("address", address)) as coming:
            path = kept.find(key_of("address", address, mark)) if mark else None
            if path is None:
                target = coming / file_name(name)
                progress.start(f"from {parts.netloc}", 0)
                try:
                    fetch_plain(transport, address, target, progress=progress)
                finally:
                    progress.stop()
                path = kept.keep(target, key_of("address", address, mark), name=name)
    except ArchiveError as error:
        if "status 404" in error.got:
            raise UnknownName("no such file", where=address) from None
        raise _closed(error, address) from None
    finally:
        transport.close()
    return _opened(path, kept, notes=["no archive vouches for the zip: it came from an address, without a checksum"])


def _marked(transport: Transport, address: str) -> str:
    """Returns by what a server tells one version of a file from another; nothing where it does not."""
    headers = {"Accept-Encoding": "identity"}
    try:
        answer = transport.ask("HEAD", address, headers=headers, expect=_UNWANTED)
    except ArchiveError:  # it sends elsewhere, which is followed only when the file itself is asked for
        return ""
    said = [answer.headers.get(name, "") for name in ("ETag", "Last-Modified")]
    return " ".join([*said, answer.headers.get("Content-Length", "")]) if answer.ok and any(said) else ""


def _opened(path: Path, kept: Kept, *, record: Record | None = None, notes: list[str] | None = None) -> Received:
    """Unpacks a zip and looks what it is."""
    folder = kept.unpacked(path)
    entries = sorted(folder.iterdir())
    alone = [entries[0]] if len(entries) == 1 and entries[0].is_dir() else []
    for place in (folder, *alone):
        for mark, kind in _MARKS.items():
            if (place / mark).is_file():
                return Received(kind, place, path, sha256_file(path), record, notes or [])
    raise RecordError(
        "nothing of Braggbook's in the zip",
        where=path.name,
        wanted=f"{', '.join(_MARKS)} at its top or in its only folder",
        got=", ".join(entry.name for entry in entries[:10]),
    )
