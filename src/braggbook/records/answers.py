"""What archives answer, as far as we read it: of the right types, or an error that says what is wrong with it.

An archive's JSON is other people's: nothing of it is used before it was read into one of these models.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
)

from braggbook.errors import ArchiveError
from braggbook.formats.common import issues_from
from braggbook.records.archive import RemoteFile, by_name

if TYPE_CHECKING:
    import requests  # whoever reads the folder archive's JSON need not wait for it

_Told = TypeVar("_Told")


def _as_text(value: Any) -> Any:
    """Identifiers are numbers in one API and texts in the other."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _printable(text: str) -> str:
    """A title may have a line's end in it; nothing that moves a terminal's cursor goes further."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _or(empty: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: empty if value is None else value)


_LONGEST, _MOST_ISSUES = 100_000, 100
Id = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_printable)]
Notes = Annotated[str, Field(max_length=10 * _LONGEST)]
Checksum = Annotated[str, Field(pattern=r"^(md5:)?[0-9a-f]{32}$")]
Size = Annotated[int, Field(ge=0, lt=1 << 62)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]


class Answer(BaseModel):
    """Of what comes, only this is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class DepositedFile(Answer):
    """As a deposition lists it."""

    filename: Name
    filesize: Size
    checksum: Checksum

    @property
    def remote(self) -> RemoteFile:
        """The file in our words."""
        return RemoteFile(self.filename, self.filesize, self.checksum.removeprefix("md5:"))


class KeyedFile(Answer):
    """As buckets, records and the records API list it."""

    key: Name
    size: Size
    checksum: Checksum

    @property
    def remote(self) -> RemoteFile:
        """The file in our words."""
        return RemoteFile(self.key, self.size, self.checksum.removeprefix("md5:"))


class Links(Answer):
    """Where else to look."""

    bucket: Text | None = None
    html: Text | None = None
    record_html: Text | None = None
    self_html: Text | None = None
    latest_draft: Text | None = None


class Reserved(Answer):
    """A DOI that is kept for a draft."""

    doi: Text | None = None


class LegacyMetadata(Answer):
    """What of them we look at."""

    doi: Text | None = None
    prereserve_doi: Annotated[Reserved, _or(Reserved())] = Reserved()
    notes: Annotated[Notes, _or("")] = ""
    title: Annotated[Text, _or("")] = ""
    version: Annotated[Text, _or("")] = ""
    publication_date: Annotated[Text, _or("")] = ""


class Listed(Answer):
    """A deposition in a listing, which has neither files nor a bucket."""

    id: Id
    submitted: StrictBool
    conceptrecid: Id | None = None
    created: Annotated[Text, _or("")] = ""
    metadata: Annotated[LegacyMetadata, _or(LegacyMetadata())] = LegacyMetadata()


class Deposition(Listed):
    """A draft or record of one's own."""

    doi: Text | None = None
    links: Annotated[Links, _or(Links())] = Links()
    files: Annotated[list[DepositedFile], _or(())] = []


class LegacyRecord(Answer):
    """A published record."""

    id: Id
    doi: Text | None = None
    conceptdoi: Text | None = None
    title: Annotated[Text, _or("")] = ""
    metadata: LegacyMetadata
    links: Annotated[Links, _or(Links())] = Links()
    files: Annotated[list[KeyedFile], _or(())] = []


class LegacyHits(Answer):
    """One page of records."""

    hits: list[LegacyRecord]


class LegacyFound(Answer):
    """What a search gives."""

    hits: LegacyHits


class Pid(Answer):
    """An identifier; what else stands with it goes back as it came."""

    model_config = ConfigDict(extra="allow", frozen=True)

    identifier: Text | None = None


class Pids(Answer):
    """Identifiers by their scheme."""

    model_config = ConfigDict(extra="allow", frozen=True)

    doi: Pid | None = None


class Parent(Answer):
    """All versions together."""

    pids: Annotated[Pids, _or(Pids())] = Pids()


class Description(Answer):
    """A further description."""

    description: Annotated[Notes, _or("")] = ""


class RdmMetadata(Answer):
    """What of them we look at."""

    title: Annotated[Text, _or("")] = ""
    version: Annotated[Text, _or("")] = ""
    publication_date: Annotated[Text, _or("")] = ""
    additional_descriptions: Annotated[list[Description], _or(())] = []


class RdmRecord(Answer):
    """A draft or a record."""

    id: Id
    is_published: Annotated[StrictBool, _or(False)] = False
    is_draft: Annotated[StrictBool, _or(False)] = False
    created: Annotated[Text, _or("")] = ""
    pids: Annotated[Pids, _or(Pids())] = Pids()
    parent: Annotated[Parent, _or(Parent())] = Parent()
    metadata: Annotated[RdmMetadata, _or(RdmMetadata())] = RdmMetadata()
    links: Annotated[Links, _or(Links())] = Links()

    @property
    def doi(self) -> str | None:
        """Its DOI, if it has one."""
        return (self.pids.doi.identifier or None) if self.pids.doi else None


class RdmHits(Answer):
    """One page of records."""

    hits: list[RdmRecord]


class RdmFound(Answer):
    """What a search or a listing gives."""

    hits: RdmHits


class RdmFile(Answer):
    """A file of a draft, on its way or arrived."""

    key: Name
    status: Annotated[Text, _or("completed")] = "completed"
    size: Size | None = None
    checksum: Checksum | None = None


class RdmFiles(Answer):
    """The files of a draft or record."""

    entries: Annotated[list[RdmFile], _or(())] = []

    @property
    def arrived(self) -> tuple[RemoteFile, ...]:
        """Those that are whole, by name."""
        whole = [one for one in self.entries if one.status == "completed"]
        return by_name(
            RemoteFile(one.key, one.size, one.checksum.removeprefix("md5:"))
            for one in whole
            if one.size is not None and one.checksum is not None
        )

    @property
    def pending(self) -> list[str]:
        """Names of those whose content has not come, or not to its end."""
        return [one.key for one in self.entries if one.status != "completed"]


def read(answer: requests.Response, kind: type[_Told]) -> _Told:
    """Reads an answer.

    Raises:
        ArchiveError: It is not JSON, or not of this kind; all findings are listed.
    """
    where = _printable(answer.url or "")[:300]
    try:
        told = json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        got = _printable(str(error))[:200]
        raise ArchiveError("an answer that cannot be read", where=where, wanted="JSON", got=got) from None
    try:
        return TypeAdapter(kind).validate_python(told)
    except ValidationError as error:
        issues = issues_from(error, where="answer")[:_MOST_ISSUES]
        raise ArchiveError("an answer that is none", where=where, issues=issues) from None
