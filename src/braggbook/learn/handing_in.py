"""Files that a student hands in or continues from: progress, a typed name, a digest; see docs/formats/progress.md."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from braggbook.errors import InputError
from braggbook.files import canonical_json, sha256_bytes, write_json
from braggbook.learn.answers import shown, text_of
from braggbook.learn.state import PROGRESS_FORMAT, fault_of, now, read_json

EXPORT_FORMAT = "braggbook.progress_export/1"
LONGEST_NAME = 100
_NONE = ("Cc", "Cs", "Co", "Cn")  # control characters, halves of letters, and what is no letter
_KEYS = {"format", "name", "exported", "progress", "sha256"}


def digest(document: dict[str, Any]) -> str:
    """Returns the digest of an export: of everything in it but the digest itself."""
    return sha256_bytes(canonical_json({key: value for key, value in document.items() if key != "sha256"}))


def write_export(progress: dict[str, Any], name: str, to: Path | None) -> Path:
    """Writes the file to hand in; ``to`` is a file or a folder, by default the working folder.

    Raises:
        InputError: The name is empty, far too long or holds control characters, or the file is no export.
        StorageError: The file cannot be written.
    """
    written = " ".join((text_of(name) or "")[: 100 * LONGEST_NAME].split())
    if not written or len(written) > LONGEST_NAME or any(unicodedata.category(each) in _NONE for each in written):
        raise InputError(
            "not a name to hand in with",
            wanted=f"1 to {LONGEST_NAME} letters, as your lecturer knows you",
            got=shown(name, limit=LONGEST_NAME),
            next_command='bb.learn.export("Ada Lovelace")',
        )
    document = {"format": EXPORT_FORMAT, "name": written, "exported": now(), "progress": progress}
    path = to or Path.cwd()
    if path.is_dir():
        path = path / f"{progress['lesson']}-{_file_name(written)}.json"
    if path.exists() and not _is_export(path):
        raise InputError("something else stands there", where=str(path), wanted="a new file, or an export to replace")
    write_json(path, {**document, "sha256": digest(document)})
    return path


def _is_export(path: Path) -> bool:
    try:
        document = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("format") == EXPORT_FORMAT


def read_export(path: Path) -> dict[str, Any]:
    """Returns the progress in an export, or in a progress file itself.

    Raises:
        InputError: It is neither, or was changed after it was written.
    """
    wanted = "a file that bb.learn.export wrote"
    try:
        document = read_json(path)
    except OSError as error:
        raise InputError("cannot read the file", where=str(path), got=error.strerror or str(error)) from None
    except ValueError as error:
        raise InputError("not a file to continue from", where=str(path), wanted=wanted, got=str(error)) from None
    if not isinstance(document, dict):
        raise InputError("not a file to continue from", where=str(path), wanted=wanted)
    if document.get("format") != PROGRESS_FORMAT:
        document = _opened(document, path, wanted)
    if problem := fault_of(document):
        raise InputError("not a file to continue from", where=str(path), wanted=wanted, got=problem)
    assert isinstance(document, dict)
    return document


def _opened(document: dict[str, Any], path: Path, wanted: str) -> Any:
    if document.get("format") != EXPORT_FORMAT or set(document) != _KEYS:
        got = f"format {str(document.get('format'))[:60]!r}"
        raise InputError("not a file to continue from", where=str(path), wanted=wanted, got=got)
    try:
        same = digest(document) == document["sha256"]
    except ValueError:  # NaN
        same = False
    if not same:
        raise InputError(
            "the file was changed after it was exported", where=str(path), next_command="export it once more"
        )
    return document["progress"]


def _file_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")[:60] or "student"
