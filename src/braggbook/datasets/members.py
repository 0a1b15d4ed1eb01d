"""Files inside an archive that was downloaded: .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

_BLOCK_BYTES = 1 << 20


class Sink(Protocol):
    """What bytes are written to; it raises when there are more than it takes."""

    def write(self, block: bytes) -> int:
        """Takes the next block."""


class NoMember(Exception):
    """The archive does not have the file, or cannot be read; the message says which."""


def copy_member(archive: Path, member: str, *, to: Sink) -> None:
    """Copies one file of an archive; ``to`` stops it when it is longer than it may be.

    Raises:
        NoMember: It is not there, is no plain file, or the archive is damaged.
    """
    try:
        with _opened(archive, member) as stream:
            while block := stream.read(_BLOCK_BYTES):
                to.write(block)
    except KeyError:
        raise NoMember(f"the archive has no file {member}") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise NoMember(f"the archive cannot be read: {error}") from None


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped, zipped.open(member) as stream:
            yield stream
        return
    with tarfile.open(archive) as tarred:
        found = tarred.extractfile(tarred.getmember(member))
        if found is None:
            raise NoMember(f"{member} is no plain file")
        yield found
