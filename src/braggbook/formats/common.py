"""What the models of several formats share: their base, authors, small rules, and errors in our own words."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from braggbook.errors import BraggbookError, Issue, UnitError, closest
from braggbook.units import parse_unit

NOT_STATED = "not stated"
CHALLENGE_NAME = "challenge.toml"  # marks the folder of a challenge
SLUG = re.compile(r"[a-z][a-z0-9_]*")
_ORCID = re.compile(r"(?:https?://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])")
_ROR = re.compile(r"(?:https?://)?(?:www\.)?(?:ror\.org/)?(0[0-9a-hj-km-np-tv-z]{6}[0-9]{2})/?", re.IGNORECASE)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"  # base 32 without i, l, o and u, which are easily misread
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")
_USUAL_LICENSES = (
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
    "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0",
    "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-only",
)  # fmt: skip
_LONGEST_VALUE = 60  # characters of an offending value that a message repeats


class FormatModel(BaseModel):
    """Base of the models of files that people type: frozen, no unknown key, no number typed as a text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )


def refusal(what: str, *, wanted: str = "", got: str = "") -> PydanticCustomError:
    """Builds the error that a validator raises; :func:`issues_from` finds its parts again."""
    return PydanticCustomError("braggbook", "{what}", {"what": what, "wanted": wanted, "got": got})


def check_slug(text: str) -> str:
    """Returns ``text`` if it is a slug: the one name of a thing as file, registered name and URL part.

    Raises:
        ValueError: It is not.
    """
    if SLUG.fullmatch(text) is None:
        wanted = "small letters, digits and _, beginning with a letter"
        raise refusal("not a slug", wanted=wanted, got=shown(text))
    return text


def check_license(text: str) -> str:
    """Returns an SPDX licence expression in its canonical spelling.

    Raises:
        ValueError: It is not one; the closest usual identifiers are given.
    """
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        near = closest(text, _USUAL_LICENSES)
        wanted = near if near.startswith("did") else "an SPDX identifier, for example CC-BY-4.0 or CC0-1.0"
        raise refusal("unknown licence", wanted=wanted, got=shown(text)) from None


def check_unit(text: str) -> str:
    """Returns ``text`` if :mod:`braggbook.units` understands it as a unit.

    Raises:
        ValueError: It does not.
    """
    try:
        parse_unit(text)
    except UnitError as error:
        got = "" if repr(text) in error.what else shown(text)
        raise refusal(error.what, wanted=error.wanted, got=got) from None
    return text


def check_orcid(text: str) -> str:
    """Returns an ORCID iD as ``0000-0000-0000-0000``, its check digit verified (ISO/IEC 7064, MOD 11-2).

    Source: https://support.orcid.org/hc/en-us/articles/360006897674 (structure of the ORCID identifier).

    Raises:
        ValueError: It is not one.
    """
    match = _ORCID.fullmatch(text)
    if match is None:
        raise refusal("not an ORCID iD", wanted="0000-0000-0000-0000", got=shown(text))
    total = 0
    for digit in match[1].replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = "0123456789X"[(12 - total % 11) % 11]
    if match[1][-1] != check:
        wanted = f"check digit {check} (or another digit is wrong)"
        raise refusal("not an ORCID iD: its check digit is wrong", wanted=wanted, got=shown(text))
    return match[1]


def check_ror(text: str) -> str:
    """Returns a ROR identifier as ``https://ror.org/0...``, its two check digits verified (ISO/IEC 7064, MOD 97-10).

    Source: https://ror.readme.io/docs/identifier (a 0, six signs in Crockford's base 32, two check digits).

    Raises:
        ValueError: It is not one.
    """
    match = _ROR.fullmatch(text)
    if match is None:
        raise refusal("not a ROR identifier", wanted="https://ror.org/0 and eight more signs", got=shown(text))
    name = match[1].lower()
    number = 0
    for sign in name[:7]:
        number = number * 32 + _CROCKFORD.index(sign)
    check = f"{98 - number * 100 % 97:02}"
    if name[7:] != check:
        wanted = f"check digits {check} (or another sign is wrong)"
        raise refusal("not a ROR identifier: its check digits are wrong", wanted=wanted, got=shown(text))
    return f"https://ror.org/{name}"


def check_doi(text: str) -> str:
    """Returns ``text`` if it is a bare DOI, as ``10.1234/abc``.

    Raises:
        ValueError: It is not.
    """
    if _DOI.fullmatch(text) is None:
        raise refusal("not a DOI", wanted="10.<number>/<name>, without https://doi.org/", got=shown(text))
    return text


def check_relative_path(text: str) -> str:
    """Returns ``text`` if it is a path that stays below the folder it belongs to, parts divided by ``/``.

    Raises:
        ValueError: It is absolute, climbs out, or is not in its simplest spelling.
    """
    parts = text.split("/")
    odd = any(character < " " or character in '\\:*?"<>|' for character in text)
    if odd or any(part in ("", ".", "..") or part != part.strip() for part in parts):
        what = "a path that leaves its folder, or is not portable"
        raise refusal(what, wanted="for example counts.csv", got=shown(text))
    return text


def check_inner_path(text: str) -> str:
    """Returns ``text`` if it is a path that stays below its folder, however odd: programs choose such names too.

    Raises:
        ValueError: It is absolute or climbs out.
    """
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise refusal("a path that leaves its folder", got=shown(text))
    return text


Slug = Annotated[str, AfterValidator(check_slug)]
License = Annotated[str, AfterValidator(check_license)]
KnownUnit = Annotated[str, AfterValidator(check_unit)]
Location = tuple[int | str, ...]
Orcid = Annotated[str, AfterValidator(check_orcid)]
Ror = Annotated[str, AfterValidator(check_ror)]
Doi = Annotated[str, AfterValidator(check_doi)]
RelativePath = Annotated[str, AfterValidator(check_relative_path)]
InnerPath = Annotated[str, AfterValidator(check_inner_path)]


class Author(FormatModel):
    """A person or a group."""

    name: str
    orcid: Orcid | None = None
    affiliation: str | None = None
    ror: Ror | None = None  # of the affiliation, or of the group itself


class Grant(FormatModel):
    """Who paid, and what the grant is called."""

    funder: Annotated[str, Field(min_length=1)]
    funder_id: str | None = None  # its DOI in Crossref's funder registry, or its ROR
    award: str | None = None

    @field_validator("funder_id")
    @classmethod
    def _known(cls, identifier: str | None) -> str | None:
        if identifier is None:
            return None
        return check_doi(identifier) if identifier.startswith("10.") else check_ror(identifier)


def grants_from(value: Any) -> Any:
    """Returns a funding statement, or a list of them, as grants: a text is the funder's name."""
    listed = [value] if isinstance(value, str | Mapping) else [] if value is None else value
    if not isinstance(listed, list | tuple):
        return value
    return [{"funder": one} if isinstance(one, str) else one for one in listed]


def shown(value: Any) -> str:
    """Returns a short spelling of a value for a message."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 4] + " ..."


def issues_from(
    error: ValidationError,
    *,
    where: str,
    known: type[BaseModel] | None = None,
    lines: Mapping[str, int] | None = None,
) -> tuple[Issue, ...]:
    """Returns pydantic's findings as issues in our words, each with its place.

    Args:
        error: What pydantic raised.
        where: The file that was read; each issue's place is ``where:line key.path``.
        known: The model that was read into; gives the closest names for unknown keys.
        lines: The line of each key path, as :func:`toml_lines` returns it.
    """
    found = []
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]:
            continue  # it is long enough: what is in it was refused, and is told of by itself
        location = tuple(part for part in details["loc"] if part != "[key]")  # pydantic's mark of a key itself
        line, path = _place(location[:-1] if details["type"] == "missing" else location, lines or {})
        place = f"{where}:{line} {path}" if line else f"{where} {path}"
        found.append((line, _issue(details, location, place=place.rstrip(), known=known)))
    return tuple(issue for _, issue in sorted(found, key=lambda pair: pair[0]))


def _issue(details: ErrorDetails, location: Location, *, place: str, known: type[BaseModel] | None) -> Issue:
    kind = details["type"]
    if kind == "missing":
        return Issue(f"the key {location[-1]!r} is missing", place)
    if kind == "extra_forbidden":
        return Issue(f"unknown key {str(location[-1])!r}", place, _nearest(location, known))
    if kind == "braggbook":
        context = details["ctx"]
        return Issue(context["what"], place, context["wanted"], context["got"])
    if kind == "string_too_short":
        return Issue("an empty text", place)
    if kind == "too_short":
        return Issue("an empty list", place)
    if kind in _WANTED:
        return Issue("a value of another type", place, _WANTED[kind], shown(details["input"]))
    message = details["msg"].removeprefix("Value error, ")
    wanted = message.removeprefix("Input should be ")
    if wanted != message:
        return Issue("not a possible value", place, wanted, shown(details["input"]))
    return Issue(message, place)


_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "date_type": "a date",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table of keys",
    "model_type": "a table of keys",
    "model_attributes_type": "a table of keys",
    "finite_number": "a finite number",
}


def _place(location: Location, lines: Mapping[str, int]) -> tuple[int, str]:
    """Returns the line (0 when it is not known) and the key path."""
    for depth in range(len(location), 0, -1):
        path = dotted(location[:depth])
        if line := lines.get(path) or lines.get(f"{path}[0]"):
            return line, dotted(location)
    return 0, dotted(location)


def _nearest(location: Location, known: type[BaseModel] | None) -> str:
    model: Any = known
    for part in location[:-1]:
        model = _descend(model, part)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return ""
    return closest(str(location[-1]), _keys(model))


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_fields
    return {str(field.validation_alias or name): field.annotation for name, field in fields.items()}


def _descend(annotation: Any, part: int | str) -> Any:
    """Returns the annotation of one member of a model, a list or a table, as far as it can be known."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _bare(_keys(annotation).get(str(part)))
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return _bare(arguments[-1]) if arguments else None


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if get_origin(annotation) is not Annotated and len(members) > 1:
            return None
        annotation = members[0]
    return annotation


def dotted(location: Iterable[int | str]) -> str:
    """Returns a key path as people write it: ``files[0].columns.dose_gy``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]+", part) else f'"{part}"')
    return text


def read_toml(
    path: Path, *, what: str, error: type[BraggbookError], next_command: str = ""
) -> tuple[dict[str, Any], dict[str, int]]:
    """Reads a TOML file.

    Returns:
        Its keys, and the line of each key path.

    Raises:
        error: It cannot be read, is not UTF-8, or is not TOML (a truncated file included).
    """
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text), toml_lines(text)
    except FileNotFoundError:
        raise error(f"no {what}", where=str(path), next_command=next_command) from None
    except OSError as reason:
        raise error(f"cannot read the {what}", where=str(path), got=reason.strerror or str(reason)) from None
    except UnicodeDecodeError as reason:
        line = reason.object[: reason.start].count(b"\n") + 1
        got = f"byte 0x{reason.object[reason.start]:02x}"
        convert = f"iconv -f WINDOWS-1252 -t UTF-8 {path}"
        where = f"{path}:{line}"
        raise error(f"the {what} is not UTF-8 text", where=where, got=got, next_command=convert) from None
    except (tomllib.TOMLDecodeError, RecursionError) as reason:
        where = str(path)
        got = "lists inside lists without end" if isinstance(reason, RecursionError) else str(reason)
        raise error(f"the {what} is not TOML", where=where, got=got, next_command=next_command) from None


_HEADER = re.compile(r"""\s*(\[\[?)([\w\s."'-]+)\]\]?\s*(?:#.*)?$""")
_PAIR = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def toml_lines(text: str) -> dict[str, int]:
    """Returns the line (from 1) of every key path that has a line of its own: for messages only."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table: list[int | str] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        quotes = line.count('"""') + line.count("'''")
        if not inside:
            if header := _HEADER.match(line):
                table = _resolve(_PART.findall(header[2]), counts, repeated=header[1] == "[[")
                found.setdefault(dotted(table), number)
            elif pair := _PAIR.match(line):
                found.setdefault(dotted([*table, *_unquoted(_PART.findall(pair[1]))]), number)
        inside ^= bool(quotes % 2)
    return found


def _resolve(parts: Sequence[str], counts: dict[str, int], *, repeated: bool) -> list[int | str]:
    """Returns a table header as a key path, arrays of tables with the index of their current element."""
    path: list[int | str] = []
    for position, part in enumerate(_unquoted(parts), start=1):
        path.append(part)
        name = dotted(path)
        if repeated and position == len(parts):
            counts[name] = counts.get(name, 0) + 1
        if name in counts:
            path.append(counts[name] - 1)
    return path


def _unquoted(parts: Iterable[str]) -> list[str]:
    return [part.strip("\"'") for part in parts]
