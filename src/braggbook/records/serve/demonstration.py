"""A folder archive as a server shows it, together with what is sent to the server, which is kept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from .model import Entry, StoredFile
from .server import ArchiveServer, open_server
from .settings import Account
from .shown import ShownFolder, is_folder_archive
from .store import FolderStore, Receiver


class Demonstration(ShownFolder):
    """Shows the records of a folder archive and takes others beside them; the folder archive is only read.

    Args:
        root: The folder archive.
        kept: What is sent is kept there. Its numbers have seven digits, so that none is a number of the archive's.
    """

    read_only = False

    def __init__(self, root: Path, *, kept: FolderStore) -> None:
        super().__init__(root)
        self._kept = kept

    def number(self) -> int:
        """Returns a number that was never returned before."""
        return self._kept.number()

    def load(self, id: str) -> Entry | None:
        """Returns a version, or None."""
        return self._kept.load(id) or super().load(id)

    def entries(self) -> list[Entry]:
        """Returns all versions: those of the archive, then what was sent."""
        return [*super().entries(), *self._kept.entries()]

    def save(self, entry: Entry) -> None:
        """Keeps a version that was sent; one of the archive is not changed."""
        if super().load(entry.id) is not None:
            super().save(entry)
        self._kept.save(entry)

    def delete(self, id: str) -> None:
        """Forgets a version that was sent."""
        self._kept.delete(id)

    def receive(self) -> AbstractContextManager[Receiver]:
        """Opens a place for bytes that arrive."""
        return self._kept.receive()

    def open(self, file: StoredFile) -> BinaryIO:
        """Opens the bytes of a file; only those of the archive have a path for a name."""
        return super().open(file) if "/" in file.blob else self._kept.open(file)


def serve_demonstration(
    root: Path, *, kept: Path, tokens: Mapping[str, Account], host: str = "127.0.0.1", port: int = 0
) -> ArchiveServer:
    """Returns a started server in front of a folder archive, which need not be there yet.

    Args:
        root: The folder archive.
        kept: Where what is sent is kept.
        tokens: Who may send.
        host: The address to listen on.
        port: The port; 0 is any free one.

    Raises:
        InputError: Other machines could reach the address.
        RecordError: The folder to keep things in has other things in it.
        StorageError: The address is taken.
    """
    store = FolderStore(kept, durable=True)
    if not is_folder_archive(root):
        return open_server(kept, host=host, port=port, tokens=tokens, store=store)
    shown = Demonstration(root, kept=store)
    return open_server(root, host=host, port=port, tokens=tokens, settings=shown.settings(), store=shown)
