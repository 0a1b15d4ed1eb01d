"""The report inside a record's zip, for the page beside it."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from pathlib import Path

from braggbook.files import write_bytes

REPORT = "report.html"
_LARGEST_BYTES = 50_000_000  # of a report, however little of it is in the zip; one with figures has a few million
# A copy is shown only if it forbids itself everything, as Braggbook's own reports do, before anything in it could act.
_HARMLESS = re.compile(
    rb"""\s*<!doctype\ html>\s*<html(?:\ lang="[\w-]*")?>\s*<head>\s*
    (?:<meta\ (?:charset="[\w-]*"|name="viewport"\ content="[\w=,.\ -]*")>\s*)*
    <meta\ http-equiv="Content-Security-Policy"\ content="
    default-src\ 'none';\ img-src\ data:;\ style-src\ 'unsafe-inline'">""",
    re.IGNORECASE | re.VERBOSE,
)


def read_report(path: Path) -> bytes | None:
    """Returns the report in a zip, at its top or in a folder there, or None when there is none that may be shown."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = sorted(name for name in set(archive.namelist()) if _is_report(name))
            if not found:
                return None
            with archive.open(REPORT if REPORT in found else found[0]) as stream:
                data = stream.read(_LARGEST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError):
        return None
    return data if len(data) <= _LARGEST_BYTES and _HARMLESS.match(data) else None


def _is_report(name: str) -> bool:
    return name == REPORT or (name.endswith(f"/{REPORT}") and name.count("/") == 1)


def copy_report(paths: list[Path], folder: Path) -> bool:
    """Puts the report of the first zip that has one into ``folder``, and says whether there is one."""
    for path in paths:
        if path.name.lower().endswith(".zip") and (data := read_report(path)) is not None:
            write_bytes(folder / REPORT, data)
            return True
    return False
