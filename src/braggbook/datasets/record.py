"""What an archive's record says about itself: the legacy JSON of Zenodo's ``/api/records/{id}``."""

from __future__ import annotations

import html.parser
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from braggbook.errors import unknown_name
from braggbook.formats.common import Author, check_doi, check_license, check_orcid
from braggbook.formats.dataset import check_url

_LEGACY_LICENSES = {"cc-zero": "CC0-1.0", "cc0": "CC0-1.0", "apache2.0": "Apache-2.0", "mit-license": "MIT"}
_CHECKSUMS = {"md5": 32, "sha256": 64}  # hexadecimal digits


@dataclass(frozen=True)
class RecordFile:
    """A file of a record, as the record lists it."""

    name: str
    bytes: int
    checksum: str  # md5:<hex> or sha256:<hex>
    url: str


@dataclass(frozen=True)
class Record:
    """A published record."""

    id: str
    doi: str
    title: str
    authors: tuple[Author, ...]
    license: str  # SPDX where it is known, else LicenseRef-<the archive's name for it>
    description: str
    year: str
    version: str
    page: str
    files: tuple[RecordFile, ...]
    notes: tuple[str, ...]  # what the record says that could not be taken over

    def file(self, name: str) -> RecordFile:
        """Returns one of the files.

        Raises:
            UnknownName: There is no such file.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise unknown_name(f"file of {self.doi}", name, [file.name for file in self.files])

    @property
    def citation(self) -> str:
        """A line to cite it by."""
        names = "; ".join(author.name for author in self.authors) or "No author stated"
        return f"{names} ({self.year or 'no year'}). {self.title}. doi:{self.doi}"


def parse_record(answer: Mapping[str, Any]) -> Record:
    """Reads the answer of a server to a question for a record.

    Args:
        answer: Its JSON.

    Raises:
        KeyError, TypeError, ValueError: It is not a record.
    """
    metadata = answer["metadata"]
    notes: list[str] = []
    authors = tuple(_author(creator, notes) for creator in metadata.get("creators", ()))
    return Record(
        id=str(answer["id"]),
        doi=check_doi(str(answer.get("doi") or metadata["doi"])),
        title=str(metadata["title"]).strip() or "Without a title",
        authors=authors,
        license=_license(metadata, notes),
        description=plain_text(str(metadata.get("description") or "")),
        year=str(metadata.get("publication_date") or "")[:4],
        version=str(metadata.get("version") or ""),
        page=str(answer.get("links", {}).get("self_html") or ""),
        files=tuple(_file(entry) for entry in answer.get("files", ())),
        notes=tuple(notes),
    )


def _author(creator: Mapping[str, Any], notes: list[str]) -> Author:
    name, orcid = str(creator["name"]), creator.get("orcid")
    if orcid:
        try:
            orcid = check_orcid(str(orcid))
        except ValueError:
            notes.append(f"the record's ORCID iD of {name} is not one and was left out: {orcid}")
            orcid = None
    return Author(name=name, orcid=orcid or None, affiliation=creator.get("affiliation") or None)


def _license(metadata: Mapping[str, Any], notes: list[str]) -> str:
    stated = metadata.get("license") or {}
    name = str(stated.get("id", "") if isinstance(stated, Mapping) else stated)
    try:
        return check_license(_LEGACY_LICENSES.get(name.lower(), name))
    except ValueError:
        reference = "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-") or "not-stated")
        notes.append(f"the record's licence is not an SPDX one; the card says {reference}, and no copy is allowed")
        return reference


def _file(entry: Mapping[str, Any]) -> RecordFile:
    name, checksum = str(entry["key"]), str(entry["checksum"])
    algorithm, _, digest = checksum.partition(":")
    if re.fullmatch(f"[0-9a-f]{{{_CHECKSUMS.get(algorithm, 1)}}}", digest) is None:
        raise ValueError(f"the checksum of {name} is not one that can be checked: {checksum}")
    size = int(entry["size"])
    if size < 0:
        raise ValueError(f"the size of {name} is {size}")
    return RecordFile(name=name, bytes=size, checksum=checksum, url=check_url(str(entry["links"]["self"])))


_INLINE = {"a", "abbr", "b", "code", "em", "font", "i", "span", "strong", "sub", "sup", "u"}


class _Text(html.parser.HTMLParser):
    """Keeps the text of HTML, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._hidden += tag in ("script", "style")
        self.parts.append("" if tag in _INLINE else " ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0
        self.parts.append("" if tag in _INLINE else " ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(markup: str) -> str:
    """Returns the text of HTML on one line."""
    parser = _Text()
    parser.feed(markup)
    parser.close()
    return " ".join("".join(parser.parts).split())
