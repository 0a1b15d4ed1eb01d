"""A folder archive with something in it."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from braggbook.progress import Silent
from braggbook.records.archive import Record
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import make_metadata, make_plan

HARMLESS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>A report</title></head><body>as it was</body></html>
"""
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def open_archive(root: Path) -> FolderArchive:
    return FolderArchive(root, clock=lambda: NOON)


def publish(
    archive: FolderArchive,
    folder: Path,
    *,
    content: dict[str, bytes] | None = None,
    version_of: str | None = None,
    plan: str | None = None,
    **changes: Any,
) -> Record:
    draft = archive.create(make_metadata(**changes), plan=plan or make_plan(), version_of=version_of)
    for name, data in (content or {"a.txt": b"first"}).items():
        path = folder / "to_send"
        path.write_bytes(data)
        archive.upload(draft.id, name, path, progress=Silent())
    return archive.publish(draft.id)


def make_zip(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_html", ".html"), text)
    return path
