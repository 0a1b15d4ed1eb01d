"""An archive on this machine that speaks Zenodo's deposit API and InvenioRDM's records API.

For tests, which can order faults and read the log of calls, and for demonstrations::

    with ArchiveServer(folder, tokens={"secret": Account()}) as server:
        ...

It answers as the real servers do, where their code and their documentation differ as the code does. What is
simpler than there: a search looks for words, people's names are parted at their one comma, vocabularies of
licences, languages and funders are not checked, and nobody but the owner is granted anything.
"""

from .calls import Call, Calls
from .faults import (
    Answer,
    CorruptStored,
    Do,
    DropReply,
    DropRequest,
    Fault,
    Faults,
    Rewrite,
    Slow,
    WrongChecksum,
    denied,
    gateway_timeout,
    internal_error,
    too_large,
    too_many_requests,
)
from .model import Content, Entry, StoredFile
from .server import ArchiveServer, check_host, open_server
from .settings import ACTIONS, WRITE, Account, Settings
from .shown import ShownFolder
from .store import FolderStore, Receiver, Store

__all__ = [
    "ACTIONS",
    "WRITE",
    "Account",
    "Answer",
    "ArchiveServer",
    "Call",
    "Calls",
    "Content",
    "CorruptStored",
    "Do",
    "DropReply",
    "DropRequest",
    "Entry",
    "Fault",
    "Faults",
    "FolderStore",
    "Receiver",
    "Rewrite",
    "Settings",
    "ShownFolder",
    "Slow",
    "Store",
    "StoredFile",
    "WrongChecksum",
    "check_host",
    "denied",
    "gateway_timeout",
    "internal_error",
    "open_server",
    "too_large",
    "too_many_requests",
]
