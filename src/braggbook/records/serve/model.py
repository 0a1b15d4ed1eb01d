"""What the archive keeps of a record: its states, its files, its version.

Metadata is kept as InvenioRDM has it, whichever of the two APIs it came by, because the real server does so
too: that is why an unknown key of the deposit API disappears and a name comes back as it was split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]
PUBLIC: Mapping[str, Any] = {"record": "public", "files": "public"}


@dataclass(frozen=True)
class StoredFile:
    """A file of a record; its bytes lie in the store under ``blob``."""

    key: str
    file_id: str
    version_id: str
    created: str
    updated: str
    size: int = 0
    md5: str = ""
    blob: str = ""  # empty until bytes arrived
    committed: bool = True  # False between the first and the last of InvenioRDM's three requests

    @property
    def checksum(self) -> str:
        """The checksum as records and bucket replies spell it."""
        return f"md5:{self.md5}"


@dataclass(frozen=True)
class Content:
    """What a draft or a published record says and holds."""

    metadata: Json = field(default_factory=dict)
    access: Json = field(default_factory=lambda: dict(PUBLIC))
    custom_fields: Json = field(default_factory=dict)
    pids: Json = field(default_factory=dict)
    files_enabled: bool = True
    files: tuple[StoredFile, ...] = ()

    def file(self, key: str) -> StoredFile | None:
        """Returns the file of that name, or None."""
        return next((file for file in self.files if file.key == key), None)

    def with_file(self, file: StoredFile) -> Content:
        """Returns the same with a file added, in place of one of the same name."""
        return replace(self, files=(*self.without_file(file.key).files, file))

    def without_file(self, key: str) -> Content:
        """Returns the same with the file of that name left out."""
        return replace(self, files=tuple(file for file in self.files if file.key != key))

    @property
    def doi(self) -> str:
        """The identifier that it has, or an empty text."""
        return str(self.pids.get("doi", {}).get("identifier", ""))


@dataclass(frozen=True)
class Entry:
    """One version of a record, with what is published of it and what is being drafted."""

    id: str
    concept: str  # identifier of all versions together
    owner: int
    index: int  # 1 for the first version
    bucket: str
    created: str
    updated: str
    revision: int = 1
    draft: Content | None = None
    published: Content | None = None
    tombstone: str = ""  # when the record was deleted, empty while it is there

    @property
    def content(self) -> Content:
        """What its owner sees: the draft, where there is one."""
        return self.draft or self.published or Content()

    @property
    def blobs(self) -> set[str]:
        """Names of all bytes in the store that this version holds on to."""
        both = (self.draft, self.published)
        return {file.blob for content in both if content for file in content.files if file.blob}

    def as_json(self) -> Json:
        """Returns the version as the store writes it."""
        return {**vars(self), "draft": _plain(self.draft), "published": _plain(self.published)}

    @classmethod
    def from_json(cls, value: Json) -> Entry:
        """Reads a version as the store wrote it."""
        return cls(**{**value, "draft": _content(value["draft"]), "published": _content(value["published"])})


def _plain(content: Content | None) -> Json | None:
    if content is None:
        return None
    return {**vars(content), "files": [vars(file) for file in content.files]}  # asdict would copy every list in it


def _content(value: Json | None) -> Content | None:
    if value is None:
        return None
    return Content(**{**value, "files": tuple(StoredFile(**file) for file in value["files"])})
