"""Which archive a name, an address or a DOI means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from braggbook.errors import InputError, closest
from braggbook.records.archive import Archive
from braggbook.records.folder import FolderArchive

if TYPE_CHECKING:
    from braggbook.records.transport import Transport

ZENODO, SANDBOX = "https://zenodo.org", "https://sandbox.zenodo.org"
NAMES = ("folder", "zenodo", "zenodo_sandbox")
_TOKENS = {
    ZENODO: ("BRAGGBOOK_ZENODO_TOKEN", "ZENODO_API_TOKEN"),
    SANDBOX: ("BRAGGBOOK_ZENODO_SANDBOX_TOKEN", "ZENODO_SANDBOX_API_TOKEN"),
}
_OTHER_TOKEN = ("BRAGGBOOK_ARCHIVE_TOKEN",)
_FOLDER_DOI = re.compile(r"10\.5072/braggbook\..+")
_ZENODO_DOI = re.compile(r"10\.(\d+)/zenodo\.\d+")
_SANDBOX_PREFIX = "5072"
_INVENIO = "invenio+"


@dataclass(frozen=True)
class Shelf:
    """What archives there are.

    Attributes:
        folder: Where the embedded one lies.
        environment: Where tokens are.
    """

    folder: Path
    environment: Mapping[str, str]

    def open(self, name: str, *, own: bool = False) -> Archive:
        """Returns the archive that a person calls so.

        Args:
            name: ``folder``, ``zenodo``, ``zenodo_sandbox``; the address of a server with Zenodo's deposit API; or
                ``invenio+`` and the address of one with InvenioRDM's records API.
            own: Something of one's own is to be put into it, for which a server wants a token.

        Raises:
            InputError: None is called so, or its token is missing or is not one.
        """
        if name == "folder":
            return FolderArchive(self.folder)
        address = {"zenodo": ZENODO, "zenodo_sandbox": SANDBOX}.get(name, name.removeprefix(_INVENIO))
        if "://" not in address:
            wanted = closest(name, NAMES)
            if not wanted.startswith("did you mean"):
                wanted = f"{', '.join(NAMES)}, the https address of a server, or invenio+ and one"
            raise InputError("no such archive", wanted=wanted, got=repr(name))
        transport = self._transport(_checked(address), own=own)
        if name.startswith(_INVENIO):
            from braggbook.records.invenio import InvenioArchive  # noqa: PLC0415 - the folder archive needs no HTTP

            return InvenioArchive(transport)
        from braggbook.records.zenodo import ZenodoArchive  # noqa: PLC0415 - nor the package zenodo-client

        return ZenodoArchive(transport)

    def of(self, identifier: str) -> tuple[Archive, str]:
        """Returns the archive that holds a record, and what the record is called there.

        Args:
            identifier: A DOI, also with ``doi:`` or ``https://doi.org/``, or the address of a record's page.

        Raises:
            InputError: It is none.
        """
        text = re.sub(r"^(?:doi:\s*|https?://(?:dx\.)?doi\.org/)", "", identifier.strip(), flags=re.IGNORECASE)
        if _FOLDER_DOI.fullmatch(text):
            return self.open("folder"), text
        if match := _ZENODO_DOI.fullmatch(text):
            return self.open("zenodo_sandbox" if match[1] == _SANDBOX_PREFIX else "zenodo"), text
        kind = _INVENIO if text.startswith(_INVENIO) else ""
        parts = urlsplit(text.removeprefix(_INVENIO))
        page = re.fullmatch(r"((?:/.*)?)/records?/([\w-]+)/?", parts.path)
        if parts.scheme in ("http", "https") and page:
            kind = kind if page[2].isdecimal() else _INVENIO  # Zenodo's own have numbers
            return self.open(f"{kind}{parts.scheme}://{parts.netloc}{page[1]}"), page[2]
        wanted = "10.5281/zenodo.<number>, 10.5072/braggbook.<archive>.<number>, or https://.../records/<number>"
        got = repr(text.partition("?")[0].rpartition("@")[2])
        raise InputError("not the identifier of a record", wanted=wanted, got=got)

    def _transport(self, base: str, *, own: bool) -> Transport:
        variables = _TOKENS.get(base, _OTHER_TOKEN)
        token = None
        for variable in variables:
            if token := self.environment.get(variable, "").strip():
                _refuse_strange(token, variable)
                break
        from braggbook.records.transport import Transport  # noqa: PLC0415 - the folder archive needs no HTTP

        transport = Transport(base, token or None)
        if own and not token:
            wanted, command = "a token that may write", f"export {variables[0]}=..., then the same command again"
            raise InputError("no token for the archive", where=base, wanted=wanted, next_command=command)
        return transport


def _checked(address: str) -> str:
    """Returns a server's address, without a slash at its end.

    Raises:
        InputError: It cannot be one, or holds what should be secret; that is not repeated.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not address.isprintable() or " " in address:
        raise InputError("not an archive's address", wanted="https:// and the name of a server")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or "?" in address:
        wanted = f"its address alone; a token is read from the environment, from {_OTHER_TOKEN[0]}"
        raise InputError("an address with more than an address in it", where=host, wanted=wanted)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def _refuse_strange(token: str, variable: str) -> None:
    """Refuses what cannot stand in a header, without repeating it.

    Raises:
        InputError: It holds blanks, line breaks, or letters beyond ASCII.
    """
    if not (token.isascii() and token.isprintable() and " " not in token):
        wanted, got = "letters, digits and signs of ASCII", "blanks, line breaks or other characters in it"
        raise InputError("not a token", where=f"environment variable {variable}", wanted=wanted, got=got)
