"""What a record's page wants to know of the zip: its report, and whether there is a run in it."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from pathlib import Path

from braggbook.files import storage, write_bytes

REPORT = "report.html"
_RUN = "run.json"  # which a run's folder begins with
_LARGEST_BYTES = 50_000_000  # of a report, however little of it is in the zip; one with figures has a few million
# A copy is shown only if it forbids itself everything, as Braggbook's own reports do, before anything in it could act.
_HARMLESS = re.compile(
    rb"""\s*<!doctype\ html>\s*<html(?:\ lang="[\w-]*")?>\s*<head>\s*
    (?:<meta\ (?:charset="[\w-]*"|name="viewport"\ content="[\w=,.\ -]*")>\s*)*
    <meta\ http-equiv="Content-Security-Policy"\ content="
    default-src\ 'none';\ img-src\ data:;\ style-src\ 'unsafe-inline'">""",
    re.IGNORECASE | re.VERBOSE,
)


# What a file that is no zip, or is a damaged one, may raise while it is read.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)


def has_run(path: Path) -> bool:
    """Returns whether a file is a zip of a run."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_is(_RUN, name) for name in archive.namelist())
    except _BROKEN:
        return False


def read_report(path: Path) -> bytes | None:
    """Returns the report in a zip, at its top or in a folder there, or None when there is none that may be shown."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = sorted(name for name in set(archive.namelist()) if _is(REPORT, name))
            if not found:
                return None
            with archive.open(REPORT if REPORT in found else found[0]) as stream:
                data = stream.read(_LARGEST_BYTES + 1)
    except _BROKEN:
        return None
    return data if len(data) <= _LARGEST_BYTES and _HARMLESS.match(data) else None


def _is(wanted: str, name: str) -> bool:
    return name == wanted or (name.endswith(f"/{wanted}") and name.count("/") == 1)


def copy_report(paths: list[Path], folder: Path) -> bool:
    """Puts the report of the first zip that has one into ``folder``, and says whether there is one."""
    for path in paths:
        if path.name.lower().endswith(".zip") and (data := read_report(path)) is not None:
            write_bytes(folder / REPORT, data)
            return True
    with storage(folder):
        (folder / REPORT).unlink(missing_ok=True)  # of files that the draft had when it could not be published
    return False
