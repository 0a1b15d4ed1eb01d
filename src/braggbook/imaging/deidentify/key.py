"""The secret key: a file of its own, readable by its owner only, never inside what is given away."""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import ImagingError
from braggbook.files import storage
from braggbook.formats.deidentification import DeidentificationKey

_SECRET_BYTES = 32
_LARGEST_FILE = 10_000  # bytes
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_key(output: Path) -> Path:
    """Returns where the key of an output folder lies unless somebody says otherwise: beside the folder."""
    return output.parent / f"{output.name}.key.json"


def read_key(path: Path) -> bytes:
    """Reads a secret.

    Raises:
        ImagingError: The file is no key, or others can read it.
    """
    if path.is_symlink() or not path.is_file():
        raise ImagingError("no key", where=str(path), wanted="a file that `braggbook dicom deidentify` made")
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise ImagingError(
            "others can read the key", where=str(path), wanted="mode 0600", next_command=f"chmod 600 {path}"
        )
    try:
        text = path.read_bytes()[:_LARGEST_FILE]
        return bytes.fromhex(DeidentificationKey.model_validate(json.loads(text)).secret_hex)
    except (ValueError, ValidationError, RecursionError):
        raise ImagingError(
            "not a key", where=str(path), wanted="the JSON of docs/formats/deidentification.md"
        ) from None


def make_key(path: Path) -> bytes:
    """Writes a new secret that only its owner can read, never over an old one, and returns it.

    Raises:
        StorageError: The file exists or cannot be written.
    """
    key = DeidentificationKey(secret_hex=secrets.token_hex(_SECRET_BYTES))
    with storage(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(key.model_dump_json(indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    return bytes.fromhex(key.secret_hex)


def check_outside(path: Path, folder: Path, *, what: str, of: str = "output") -> None:
    """Refuses a file that would lie inside a folder: a secret in what is given away, or a report among the scans.

    Raises:
        ImagingError: It would.
    """
    if folder.resolve() in (path.resolve(), *path.resolve().parents):
        wanted = f"a place outside of {folder}"
        raise ImagingError(f"the {what} would lie inside the {of}", where=str(path), wanted=wanted)
