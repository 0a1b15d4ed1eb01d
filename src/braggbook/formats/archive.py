"""The files that a folder archive is made of, and the identifiers that it gives. See docs/formats/archive.md."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from braggbook.formats.common import refusal, shown
from braggbook.formats.record import PlanFile, RecordMetadata
from braggbook.formats.run import Sha256

PREFIX = "10.5072"  # DataCite's old prefix for tests; no resolver has ever known it
ARCHIVE_FORMAT = "braggbook.archive/1"
ENTRY_FORMAT = "braggbook.entry/1"
_DOI = re.compile(
    r"(?:doi:|https?://(?:dx\.)?doi\.org/)?" + re.escape(PREFIX) + r"/braggbook\.([a-z0-9]+)\.([0-9]{1,18})",
    re.IGNORECASE,
)
_LONGEST_NAME = 255  # bytes, of most file systems
_Number = Annotated[int, Field(ge=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ArchiveCard(_Model):
    """What an archive is: ``archive.json``."""

    format: Literal["braggbook.archive/1"] = "braggbook.archive/1"
    id: Annotated[str, Field(pattern=r"^[a-z0-9]{4,16}$")]
    made: str

    def doi(self, number: int) -> str:
        """Returns the identifier of a record, or of all versions of one, by its number."""
        return f"{PREFIX}/braggbook.{self.id}.{number}"


class Entry(_Model):
    """A draft or a record: ``entry.json``, from which its other pages are drawn."""

    format: Literal["braggbook.entry/1"] = "braggbook.entry/1"
    number: _Number
    concept: _Number  # of all versions together
    plan: Sha256
    created: str
    published: str | None = None
    metadata: RecordMetadata
    files: list[PlanFile] = []  # by name

    @field_validator("files")
    @classmethod
    def _files_have_names(cls, files: list[PlanFile]) -> list[PlanFile]:
        for file in files:
            if wanted := unfit(file.name):
                raise refusal("a name that no file of an archive has", wanted=wanted, got=shown(file.name))
        return files

    @property
    def id(self) -> str:
        """What the archive calls it."""
        return str(self.number)

    def file(self, name: str) -> PlanFile | None:
        """Returns the file of that name, if there is one."""
        return next((file for file in self.files if file.name == name), None)

    def with_files(self, files: list[PlanFile]) -> Entry:
        """Returns the same entry with these files, by name."""
        return self.model_copy(update={"files": sorted(files, key=lambda file: file.name)})


def unfit(name: str) -> str:
    """Returns what a file's name would have to be that this one is not; nothing when it is fit."""
    if name in ("", ".", "..") or "/" in name:
        return "a name, not a path: put folders into a zip"
    if any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in name):
        return "a name without control characters"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "a name in Unicode"
    return f"at most {_LONGEST_NAME} bytes of UTF-8" if size > _LONGEST_NAME else ""


def parse_doi(text: str) -> tuple[str, int] | None:
    """Returns the archive's id and the number that an identifier of a folder archive names, or None."""
    match = _DOI.fullmatch(text.strip())
    return (match[1].lower(), int(match[2])) if match else None


def is_registered(doi: str) -> bool:
    """Returns whether resolvers can know a DOI: those under the prefix for tests they do not."""
    return not doi.startswith(f"{PREFIX}/")
