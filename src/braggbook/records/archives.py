"""Which archive a name, an address or a DOI means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from braggbook.errors import InputError, closest
from braggbook.records.archive import Archive
from braggbook.records.folder import FolderArchive
from braggbook.records.invenio import InvenioArchive
from braggbook.records.transport import Transport
from braggbook.records.zenodo import SANDBOX, ZENODO, ZenodoArchive

NAMES = ("folder", "zenodo", "zenodo_sandbox")
_TOKENS = {
    ZENODO: ("BRAGGBOOK_ZENODO_TOKEN", "ZENODO_API_TOKEN"),
    SANDBOX: ("BRAGGBOOK_ZENODO_SANDBOX_TOKEN", "ZENODO_SANDBOX_API_TOKEN"),
}
_OTHER_TOKEN = ("BRAGGBOOK_ARCHIVE_TOKEN",)
_FOLDER_DOI = re.compile(r"10\.5072/braggbook\..+")
_ZENODO_DOI = re.compile(r"10\.(\d+)/zenodo\.\d+")
_SANDBOX_PREFIX = "5072"


@dataclass(frozen=True)
class Shelf:
    """What archives there are.

    Attributes:
        folder: Where the embedded one lies.
        environment: Where tokens are.
    """

    folder: Path
    environment: Mapping[str, str]

    def open(self, name: str) -> Archive:
        """Returns the archive that a person calls so.

        Args:
            name: ``folder``, ``zenodo``, ``zenodo_sandbox``; the address of a server with Zenodo's deposit API; or
                ``invenio+`` and the address of one with InvenioRDM's records API.

        Raises:
            InputError: None is called so.
        """
        if name == "folder":
            return FolderArchive(self.folder)
        base = {"zenodo": ZENODO, "zenodo_sandbox": SANDBOX}.get(name, name)
        kind, plus, address = base.partition("+")
        if plus and kind == "invenio":
            return InvenioArchive(self._transport(address))
        if "://" not in base:
            wanted = closest(name, NAMES) or f"{', '.join(NAMES)}, an address, or invenio+ and an address"
            raise InputError("no such archive", wanted=wanted, got=repr(name))
        return ZenodoArchive(self._transport(base))

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
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and re.fullmatch(r"(?:/.*)?/records?/[\w-]+/?", parts.path):
            return self.open(f"{parts.scheme}://{parts.netloc}"), text
        wanted = "10.5281/zenodo.<number>, 10.5072/braggbook.<archive>.<number>, or https://.../records/<number>"
        raise InputError("not the identifier of a record", wanted=wanted, got=repr(identifier))

    def _transport(self, base: str) -> Transport:
        variables = _TOKENS.get(base, _OTHER_TOKEN)
        token = next((value for name in variables if (value := self.environment.get(name, "").strip())), None)
        return Transport(base, token)
