"""DICOM objects of a DICOMweb service (DICOM PS3.18): what is there by its JSON, each object when it is opened.

The only module of the imaging rooms that speaks HTTP. Its client, ``dicomweb-client``, is an optional extra.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

import pydicom

from braggbook.errors import DicomError, Issue, NetworkError
from braggbook.imaging.dicom.elements import KEPT, Raw, convert
from braggbook.imaging.dicom.header import Header
from braggbook.imaging.dicom.odd import DAMAGE
from braggbook.imaging.dicom.sources import printable
from braggbook.progress import Progress

try:
    from dicomweb_client.api import DICOMwebClient
    from dicomweb_client.session_utils import create_session_from_user_pass
except ImportError as error:
    raise DicomError(
        "reading from a DICOMweb service needs a package that is not installed",
        wanted="dicomweb-client",
        next_command="pip install 'braggbook[dicomweb]'",
    ) from error

_PART = re.compile(r"^(?P<base>.*?)(?:/studies(?:/(?P<study>[0-9.]+)(?:/series(?:/(?P<series>[0-9.]+))?)?)?)?/?$")
_TIMEOUT_S = (10, 120)  # to connect; without a byte
_ATTEMPTS = 3
_WAIT_MS = 200
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_SYNTAXES = ("00083002", "00020010")  # AvailableTransferSyntaxUID (PS3.18 10.6.3.3.1), or the file meta's own
_AS_TEXT = b"UT"  # numbers of any VR are converted from their text
_UTF8 = (b"CS", b"ISO_IR 192", True)  # DICOM JSON is UTF-8 whatever the object's character set (PS3.18 F.2.1)
# What a service's wrong answers lead to: requests' own errors are OSErrors, and what is no JSON a ValueError
_WRONG = (OSError, ValueError, KeyError, TypeError, AttributeError)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WebService:
    """A DICOMweb service: its address, and the name and password for it, which no message shows."""

    address: str
    user: tuple[str, str] | None = field(default=None, repr=False)

    def client(self) -> Any:
        """Returns a client of it."""
        session = create_session_from_user_pass(*self.user) if self.user else None
        client = DICOMwebClient(self.address, session=session, timeout=_TIMEOUT_S)
        client.set_http_retry_params(retry=True, max_attempts=_ATTEMPTS, wait_exponential_multiplier=_WAIT_MS)
        return client


@dataclass(frozen=True, slots=True)
class WebSource:
    """An object of a DICOMweb service."""

    service: WebService
    study_uid: str
    series_uid: str
    instance_uid: str

    def __str__(self) -> str:
        path = f"/studies/{self.study_uid}/series/{self.series_uid}/instances/{self.instance_uid}"
        return printable(self.service.address + path)

    def open(self) -> BinaryIO:
        """Fetches the object, in the transfer syntax that it is stored in.

        Raises:
            NetworkError: The service does not answer with it.
        """
        names = (self.study_uid, self.series_uid, self.instance_uid)
        stream = io.BytesIO()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self.service.client().retrieve_instance(*names, media_types=(("application/dicom", "*"),))
                pydicom.dcmwrite(stream, found, enforce_file_format=True)
        except DAMAGE as error:
            raise _failed(str(self), error) from error
        stream.seek(0)
        return stream


def index_web(address: str, *, progress: Progress) -> tuple[str, Iterator[tuple[WebSource, Header | Issue]]]:
    """Lists what a DICOMweb service has.

    Args:
        address: Of the service, as in ``http://host:8042/dicom-web``; ``/studies/UID`` or ``/studies/UID/series/UID``
            behind it choose a part; ``user:password@`` before the host is for its basic authentication.
        progress: Is told how many series are behind.

    Returns:
        The address without the password; and objects with their headers.

    Raises:
        NetworkError: The service does not answer as it should.
    """
    service, study, series = _parts(address)
    return service.address, _objects(service, study, series, progress)


def _parts(address: str) -> tuple[WebService, str | None, str | None]:
    try:
        url = urlsplit(address)
        host = url.hostname or ""
        place = f"[{host}]" if ":" in host else host
        place += f":{url.port}" if url.port else ""
    except ValueError as error:
        raise NetworkError("not an address", where=printable(address.rpartition("@")[2]), got=str(error)) from error
    found = _PART.match(url.path)
    if not host or not found:
        raise NetworkError("not the address of a DICOMweb service", wanted="http://host:port/path", got=printable(host))
    user = (unquote(url.username), unquote(url.password or "")) if url.username else None
    base = urlunsplit((url.scheme, place, found["base"], "", ""))
    return WebService(base, user), found["study"], found["series"]


def _objects(
    service: WebService, study: str | None, series: str | None, progress: Progress
) -> Iterator[tuple[WebSource, Header | Issue]]:
    client = service.client()
    listed = [(study, series)] if study and series else _series(service, client, study)
    progress.start("reading headers of series", len(listed))
    try:
        for done, names in enumerate(listed, start=1):
            try:
                found = client.retrieve_series_metadata(*names)
                read = [_object(service, one) for one in found]
            except _WRONG as error:
                where = f"{service.address}/studies/{names[0]}/series/{names[1]}"
                raise _failed(where, error) from error
            yield from read
            progress.step(done)
    finally:
        progress.stop()


def _series(service: WebService, client: Any, study: str | None) -> list[tuple[str, str]]:
    try:
        found = client.search_for_series(study, get_remaining=True)
        return sorted((_first(one, _STUDY) or study or "", _first(one, _SERIES)) for one in found)
    except _WRONG as error:
        raise _failed(service.address, error) from error


def _object(service: WebService, json: Json) -> tuple[WebSource, Header]:
    source = WebSource(service, _first(json, _STUDY), _first(json, _SERIES), _first(json, _INSTANCE))
    found = {tag: raw for tag in KEPT if (raw := _raw(json.get(f"{tag:08X}"))) is not None}
    charset = found.get(0x00080005)
    values, issues = convert({**found, 0x00080005: _UTF8}, str(source))
    values.pop("SpecificCharacterSet", None)
    if charset:
        values["SpecificCharacterSet"] = tuple(charset[1].decode().split("\\"))
    syntax = next((uid for tag in _SYNTAXES if (uid := _first(json, tag))), "")
    return source, Header(values, syntax, issues=tuple(issues))


def _first(json: Json, tag: str) -> str:
    values = json.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _raw(element: Json | None) -> Raw | None:
    """Returns an element of DICOM JSON as if it were text in a file (PS3.18 F.2)."""
    values = (element or {}).get("Value")
    if not values:
        return None
    return _AS_TEXT, "\\".join(map(_text, values)).encode("utf-8", "replace"), True


def _text(value: Any) -> str:
    if isinstance(value, dict):  # a name, in its three writings
        groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _failed(where: str, error: BaseException) -> NetworkError:
    got = f"{type(error).__name__}: {error}"[:300]
    return NetworkError("the DICOMweb service does not answer as it should", where=printable(where), got=printable(got))
