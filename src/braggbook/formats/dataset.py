"""The card of a dataset, ``datasets/<slug>/dataset.toml``: what its files are, mean, and come from.

See docs/formats/dataset.md. This module reads and writes cards only; it opens no table.
"""

from __future__ import annotations

import datetime
import re
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from braggbook.errors import DatasetError, Issue
from braggbook.files import write_text
from braggbook.formats.common import (
    NOT_STATED,
    Author,
    Doi,
    FormatModel,
    Grant,
    KnownUnit,
    License,
    RelativePath,
    Slug,
    check_relative_path,
    check_slug,
    grants_from,
    issues_from,
    read_toml,
    refusal,
    shown,
)
from braggbook.formats.languages import check_language

DATASET_FORMAT = "braggbook.dataset/1"
CARD_NAME = "dataset.toml"
_FORMAT = re.compile(r"braggbook\.dataset/([1-9]\d*)")
_DOI_FILE = re.compile(r"doi:10\.[0-9]{4,9}/[^/\s]+/\S.*")
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
NUMERIC = ("number", "integer")

ColumnType = Literal["number", "integer", "text", "boolean", "date"]
SourceRelation = Literal["isDerivedFrom", "isIdenticalTo", "isSupplementTo"]
Text = Annotated[str, Field(min_length=1)]


def _tuple(default: Any = ()) -> Any:
    return Field(default, strict=False)  # TOML has lists, the models have tuples


class Column(FormatModel):
    """What one column of a table holds."""

    type: ColumnType
    meaning: Text
    unit: KnownUnit | None = None  # "1" for a pure number; only numbers have one
    header: Text | None = None  # how the file spells it, where that is not the column's name
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[Any, ...] = _tuple()  # the only ones allowed, where there is such a list
    missing: bool = False  # may a cell be empty?

    @model_validator(mode="after")
    def _unit_belongs(self) -> Column:
        if self.type in NUMERIC and self.unit is None:
            wanted = 'unit = "Gy", or "1" for a pure number'
            raise refusal(f"a column of type {self.type} needs a unit", wanted=wanted)
        if self.type not in NUMERIC and self.unit is not None:
            raise refusal(f"a column of type {self.type} has no unit", wanted="no unit", got=shown(self.unit))
        return self

    @model_validator(mode="after")
    def _limits_belong(self) -> Column:
        low, high = self.minimum, self.maximum
        if self.type not in NUMERIC and (low is not None or high is not None):
            raise refusal(f"a column of type {self.type} has no minimum or maximum")
        if low is not None and high is not None and low > high:
            raise refusal("the minimum is above the maximum", wanted=f"at most {high:g}", got=f"{low:g}")
        return self

    @model_validator(mode="after")
    def _values_belong(self) -> Column:
        types = {"number": (int, float), "text": (str,), "date": (datetime.date,), "boolean": (bool,)}
        allowed = types.get(self.type, (int,))
        for value in self.values:
            if not isinstance(value, allowed) or (isinstance(value, bool) and self.type != "boolean"):
                raise refusal("a listed value is not of the column's type", wanted=self.type, got=shown(value))
        return self


class FileOrigin(FormatModel):
    """One place that a file may be taken from: an installed package, or an address."""

    package: str | None = None  # the name that is imported, not the distribution's
    path: RelativePath | None = None  # inside that package
    version: str | None = None  # of the distribution that provides the package
    url: str | None = None  # https://..., or doi:<doi>/<file name>

    @field_validator("package")
    @classmethod
    def _importable(cls, package: str | None) -> str | None:
        if package is not None and not (package.isascii() and package.isidentifier()):
            raise refusal("not the name of a package", wanted="the name that is imported", got=shown(package))
        return package

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str | None) -> str | None:
        return None if url is None else check_url(url)

    @model_validator(mode="after")
    def _one_place(self) -> FileOrigin:
        if (self.package is None) == (self.url is None):
            wanted = "package and path, or url"
            raise refusal("a source of a file is either a package or an address", wanted=wanted)
        if (self.package is None) != (self.path is None) or (self.version is not None and self.package is None):
            raise refusal("path and version belong to a package", wanted="package and path together")
        return self


def check_url(url: str) -> str:
    """Returns an address that a file may be downloaded from.

    Raises:
        ValueError: It is not ``https://`` (on this machine also ``http://``) or ``doi:<doi>/<name>``, or has
            a password in it.
    """
    wanted = "https://..., or doi:10.5281/zenodo.<number>/<file name>"
    if url.startswith("doi:"):
        if _DOI_FILE.fullmatch(url) is None:
            raise refusal("an address that names no file of a DOI", wanted=wanted, got=shown(url))
        return url
    try:
        parts = urllib.parse.urlsplit(url)
        host, user = parts.hostname, parts.username or parts.password
    except ValueError:
        raise refusal("not an address", wanted=wanted, got=shown(url)) from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE)
    if not host or not secure or any(character.isspace() for character in url):
        raise refusal("not an address that files are fetched from", wanted=wanted, got=shown(url))
    if user:
        raise refusal("an address with a user name or password", wanted=wanted)  # which the message does not repeat
    return url


def check_file_name(path: str) -> str:
    """Returns ``path`` if a file of a dataset may have it.

    Raises:
        ValueError: It leaves the dataset's folder, or is the card's own.
    """
    if path == CARD_NAME:
        raise refusal("the card cannot be one of its own files", got=shown(path))
    return check_relative_path(path)


class DatasetFile(FormatModel):
    """One file: its name, size and hash say which it is, ``origins`` (key ``from``) where to get it."""

    path: Annotated[str, AfterValidator(check_file_name)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    copy_allowed: bool = Field(default=True, validation_alias="copy", serialization_alias="copy")  # into a run
    sheet: Text | None = None  # of a workbook with several
    delimiter: Literal[",", ";", "\t"] | None = None  # where the suffix does not tell it
    missing_as: tuple[str, ...] = _tuple()  # texts that stand for an empty cell, for example NA
    origins: tuple[FileOrigin, ...] = Field(
        default=(), validation_alias="from", serialization_alias="from", strict=False
    )
    columns: dict[Slug, Column] = Field(default={})

    @field_validator("sha256", mode="before")
    @classmethod
    def _digest(cls, digest: Any) -> Any:
        if isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest) is None:
            raise refusal("not a SHA-256 digest", wanted="64 digits 0-9a-f", got=shown(digest))
        return digest

    @model_validator(mode="after")
    def _headers_differ(self) -> DatasetFile:
        headers = [column.header or name for name, column in self.columns.items()]
        if twice := _repeated(headers):
            raise refusal("two columns have one header", got=", ".join(map(shown, twice)))
        return self


class Source(FormatModel):
    """A publication or record that facts of the dataset come from; rows refer to its ``id``."""

    id: Slug
    citation: Text
    doi: Doi | None = None
    url: str | None = None
    relation: SourceRelation = "isDerivedFrom"  # how the dataset stands to it, in DataCite's terms


class Beam(FormatModel):
    """A radiation field of an experiment. A number that is absent was not stated."""

    particle: Text
    energy: str = NOT_STATED
    let_kev_um: Annotated[float, Field(gt=0)] | None = None
    let_kind: str = NOT_STATED
    let_medium: str = NOT_STATED
    dose_rate_gy_min: Annotated[float, Field(gt=0)] | None = None
    dosimetry_protocol: str = NOT_STATED
    dosimetry_uncertainty_percent: Annotated[float, Field(ge=0)] | None = None
    coverage_factor: Annotated[float, Field(gt=0)] | None = None


class CellLine(FormatModel):
    """A cell line of an experiment."""

    name: Text
    species: str = NOT_STATED
    tissue: str = NOT_STATED
    authentication: str = NOT_STATED


class Experiment(FormatModel):
    """How the numbers were measured, for a dataset of an experiment."""

    method: str = NOT_STATED
    beams: tuple[Beam, ...] = _tuple()
    cell_lines: tuple[CellLine, ...] = _tuple()


class DatasetCard(FormatModel):
    """The whole card."""

    format: str = DATASET_FORMAT
    title: Text
    version: Annotated[int, Field(ge=1)]
    license: License
    provenance: Text
    keywords: tuple[str, ...] = _tuple()
    abstract: str = ""
    subject: str | None = None
    language: Annotated[str, AfterValidator(check_language)] = "eng"
    authors: tuple[Author, ...] = _tuple()  # who compiled this dataset
    funding: Annotated[tuple[Grant, ...], BeforeValidator(grants_from), Field(strict=False)] = ()
    sources: tuple[Source, ...] = _tuple()
    files: Annotated[tuple[DatasetFile, ...], Field(strict=False)]
    experiment: Experiment | None = None

    @field_validator("sources")
    @classmethod
    def _sources_differ(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        if twice := _repeated(source.id for source in sources):
            raise refusal("two sources have one id", got=", ".join(twice))
        return sources

    @field_validator("files")
    @classmethod
    def _files_differ(cls, files: tuple[DatasetFile, ...]) -> tuple[DatasetFile, ...]:
        if not files:
            raise refusal("a dataset without files", wanted="[[files]] with path, sha256 and bytes")
        if twice := _repeated(file.path for file in files):
            raise refusal("two files have one path", got=", ".join(twice))
        return files


def _repeated(names: Any) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def read_card(path: Path) -> DatasetCard:
    """Reads the card of a dataset.

    Raises:
        DatasetError: It is missing, not UTF-8 TOML, of a newer format, or has issues; all issues are listed.
    """
    check = f"braggbook check datasets/{path.parent.name}"
    where = f"{path.parent.name}/{path.name}"
    keys, lines = read_toml(path, what="dataset card", error=DatasetError, next_command=check)
    _check_format(keys, path, check=check)
    issues: tuple[Issue, ...] = ()
    try:
        check_slug(path.parent.name)
    except ValueError:
        wanted = "small letters, digits and _, beginning with a letter"
        issues = (Issue("the folder's name is not a slug", where, wanted, shown(path.parent.name)),)
    try:
        card = DatasetCard.model_validate(keys, by_alias=True, by_name=False)
    except ValidationError as error:
        issues += issues_from(error, where=where, known=DatasetCard, lines=lines)
    if issues:
        raise DatasetError("the dataset card cannot be used", where=str(path), issues=issues, next_command=check)
    return card


def _check_format(keys: dict[str, Any], path: Path, *, check: str) -> None:
    """Looks at the format before anything else, for what a newer one means cannot be known."""
    text = keys.get("format")
    match = _FORMAT.fullmatch(text) if isinstance(text, str) else None
    if text == DATASET_FORMAT:
        return
    if match:
        raise DatasetError(
            "the dataset card was written for a newer Braggbook",
            where=f"{path} format", wanted=DATASET_FORMAT, got=shown(text),
            next_command="python3 -m pip install --upgrade braggbook",
        )  # fmt: skip
    what = "not a dataset card: its format is not known" if "format" in keys else "the key 'format' is missing"
    got = shown(text) if "format" in keys else ""
    wanted = f'format = "{DATASET_FORMAT}"'
    raise DatasetError(what, where=str(path), wanted=wanted, got=got, next_command=check)


def write_card(path: Path, card: DatasetCard) -> None:
    """Writes a card with comments that help whoever edits it, whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    write_text(path, card_text(card))


def card_text(card: DatasetCard) -> str:
    """Returns the card as TOML; :func:`read_card` reads the same card back from it."""
    document = tomlkit.document()
    for line in _HEAD:
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    keys = card.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    keys = {"format": card.format, **keys}
    tables = [key for key in ("authors", "funding", "sources", "files", "experiment") if key in keys]
    for key in (*(key for key in keys if key not in tables), *tables):
        item = _item(keys[key])
        if comment := _COMMENTS.get(key):
            item.comment(comment)
        document.add(key, item)
    return tomlkit.dumps(document)


_HEAD = (
    "The card of a Braggbook dataset. Every key is explained in docs/formats/dataset.md.",
    "After a change of any number: count up version, and run `braggbook dataset verify`.",
)
_COMMENTS = {
    "version": "notebooks name this dataset as slug@version",
    "license": "SPDX identifier: https://spdx.org/licenses",
    "provenance": "how the numbers came here",
}


def _item(value: Any) -> Any:
    """Returns a value as a TOML item: tables and lists of tables below, everything else on one line."""
    if isinstance(value, dict):
        table = tomlkit.table()
        plain = {key: member for key, member in value.items() if not _is_table(member)}
        for key, member in (plain | value).items():  # a plain key after a table would belong to that table
            table.add(key, _item(member))
        return table
    if isinstance(value, (list, tuple)):
        if _is_table(value):
            tables = tomlkit.aot()
            for member in value:
                tables.append(_item(member))
            return tables
        array = tomlkit.array()
        for member in value:
            array.append(member)
        return array
    return tomlkit.item(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], dict))
