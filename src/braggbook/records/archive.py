"""What an archive is: a few verbs that every one has, whatever it is behind them.

:mod:`braggbook.testing.archive` holds every archive to what stands here. An archive never retries a step that it does
not know the outcome of: it raises :class:`NetworkError`, and whoever asked looks at what is there before asking again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from braggbook.formats.record import RecordMetadata
from braggbook.progress import Progress


@dataclass(frozen=True)
class RemoteFile:
    """A file as an archive has it.

    Attributes:
        name: As it was sent.
        bytes: Its size.
        md5: 32 hexadecimal digits, computed by the archive.
    """

    name: str
    bytes: int
    md5: str


def by_name(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Returns files in the order that drafts and records list them in."""
    return tuple(sorted(files, key=lambda file: file.name))


@dataclass(frozen=True)
class Draft:
    """An object of one's own in an archive, published or not.

    Attributes:
        id: The archive's own identifier, of the draft and of the record that it becomes.
        state: Whether it can still be changed.
        doi: Reserved or registered; None where the archive reserves none before publication.
        plan: Digest of the plan that it was made for; None when it was made otherwise.
        files: What has arrived, by name.
        url: Where a person looks at it.
    """

    id: str
    state: Literal["draft", "published"]
    doi: str | None
    plan: str | None
    files: tuple[RemoteFile, ...]
    url: str


@dataclass(frozen=True)
class Record:
    """What an archive has published.

    Attributes:
        id: The archive's own identifier.
        doi: Of this version.
        concept_doi: Of all versions together; leads to the latest.
        version: As its metadata say, such as "1".
        title: As published.
        published: Date (ISO 8601).
        plan: Digest of the plan that it was made for, if it was.
        files: By name.
        url: Where a person looks at it.
    """

    id: str
    doi: str
    concept_doi: str | None
    version: str
    title: str
    published: str
    plan: str | None
    files: tuple[RemoteFile, ...]
    url: str


class Archive(Protocol):
    """Somewhere that records are kept for good.

    Attributes:
        name: What a person calls it: ``folder``, ``zenodo``, ``zenodo_sandbox``, or an address.
        simultaneous: How many files may be sent at a time.
        reserves: Whether a draft has its DOI before it is published.
    """

    name: str
    simultaneous: int
    reserves: bool

    def own(self, plan: str) -> tuple[Draft, ...]:
        """Returns one's own drafts and records that were made for a plan, by its digest, the oldest first.

        It must see what was made a moment ago, so it lists, and does not search. A server's list may still be a second
        or so behind: who must be sure looks again.
        """
        ...

    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        """Makes a draft; the plan's digest is in the first request that makes anything.

        Args:
            metadata: Of the record.
            plan: Digest of the plan.
            version_of: DOI or id of a record of one's own whose next version this is. A draft of a next version that is
                there already, for whatever plan, is taken over: its files are removed, its metadata replaced.

        Raises:
            UnknownName: There is no record ``version_of``.
            ArchiveError: The archive refuses the metadata; all its findings are listed.
            NetworkError: No answer, or none that says whether it was done.
        """
        ...

    def look(self, id: str) -> Draft | None:
        """Returns a draft or record of one's own, or None when there is none of this id (any more)."""
        ...

    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """Replaces a draft's metadata.

        Raises:
            ArchiveError: It is no draft (any more), or the archive refuses the metadata.
        """
        ...

    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        """Sends a file into a draft, block by block; one of that name is replaced.

        Of ``progress`` only ``step(bytes that went, name)`` is called, by this thread; so it is for :meth:`download`.

        Raises:
            UnknownName: There is no such file here.
            HashMismatch: What arrived is not what was sent.
            ArchiveError: The archive refuses it: quota, published already, a name that it cannot have.
        """
        ...

    def remove(self, id: str, name: str) -> None:
        """Takes a file out of a draft; one that is not there is no error.

        Raises:
            ArchiveError: It is published.
        """
        ...

    def publish(self, id: str) -> Record:
        """Publishes a draft, for good.

        Raises:
            ArchiveError: The archive refuses; all its findings are listed.
            NetworkError: Nobody knows whether it was done: :meth:`look`.
        """
        ...

    def discard(self, id: str) -> None:
        """Deletes a draft; one that is gone is no error, a published record is.

        Raises:
            ArchiveError: It is published.
        """
        ...

    def record(self, identifier: str, *, latest: bool = False) -> Record:
        """Returns a published record by DOI (also that of all versions), id or address.

        Args:
            identifier: Which.
            latest: Its newest version instead.

        Raises:
            UnknownName: There is none.
            ArchiveError: It was withdrawn, or cannot be read.
        """
        ...

    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        """Gets a file of a record: resumed where a partial download was left, checked, then renamed into place.

        Raises:
            UnknownName: The record has no such file.
            HashMismatch: What came is not what the record lists.
        """
        ...

    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        """Returns published records with all words of ``text`` in title, description, creators or keywords.

        Of several versions only the latest; of all records when ``text`` is empty.
        """
        ...


@runtime_checkable
class Announcing(Protocol):
    """An archive that wants to know the names of files before they come."""

    def announce(self, id: str, names: Sequence[str]) -> None:
        """Says which files of a draft come next, in one request for all of them.

        Files of these names, and what was announced before and never came, are removed.

        Raises:
            ArchiveError: It is no draft (any more), or a name is one that the archive cannot have.
        """
        ...
