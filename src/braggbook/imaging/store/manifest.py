"""Manifests: what a folder held, by the SHA-256 of every file, and what of it has changed.

The tree's own hash is the SHA-256 of the canonical JSON of ``{path: sha256}``, so that two folders are the same exactly
if it is. Names that begin with a dot are left out, as are the manifest's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import ImagingError, Issue
from braggbook.files import canonical_json, sha256_bytes, sha256_file, write_json
from braggbook.formats.common import issues_from
from braggbook.formats.run import FileRecord
from braggbook.formats.volume import Manifest

_LARGEST = 256 << 20  # bytes of a manifest that is read; a million files have about 150 MB


def tree_sha256(files: Mapping[str, FileRecord]) -> str:
    """Returns the hash of a tree by those of its files."""
    return sha256_bytes(canonical_json({path: record.sha256 for path, record in files.items()}))


def make_manifest(folder: Path | str, *, workers: int | None = None) -> Manifest:
    """Reads every file of a folder.

    Args:
        folder: What to describe; folders in it included, links not followed.
        workers: Threads; as many as the process has cores, if not given.

    Raises:
        ImagingError: It is no folder, holds something that is no file, or cannot be read.
    """
    found = _files(Path(folder))
    if not (problems := [name for name, path in found.items() if path.is_symlink() or not path.is_file()]):
        try:
            with ThreadPoolExecutor(workers or cores()) as pool:
                files = dict(zip(found, pool.map(record_of, found.values()), strict=True))
            return Manifest(tree_sha256=tree_sha256(files), files=files)
        except OSError as error:
            raise ImagingError("cannot read", where=str(error.filename), got=error.strerror or "") from error
    issues = [Issue("a link or a device, which a manifest cannot vouch for", name) for name in problems]
    raise ImagingError("a folder that cannot be described", where=str(folder), issues=issues)


def record_of(path: Path) -> FileRecord:
    """Returns the digest and size of a file."""
    return FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_manifest(folder: Path | str, path: Path | str) -> Manifest:
    """Writes the manifest of a folder to a file, which may lie beside it, and returns it.

    Raises:
        ImagingError: See :func:`make_manifest`.
        StorageError: The disk is full or refuses.
    """
    manifest = make_manifest(folder)
    write_json(Path(path), manifest.model_dump(mode="json"))
    return manifest


def read_manifest(path: Path | str) -> Manifest:
    """Reads a manifest.

    Raises:
        ImagingError: It is none, of another version, or damaged.
    """
    where = str(path)
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise ImagingError("too large for a manifest", where=where, wanted=f"at most {_LARGEST} bytes")
        manifest = Manifest.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise ImagingError("cannot read the manifest", where=where, got=error.strerror or str(error)) from error
    except ValidationError as error:
        issues = issues_from(error, where=where, known=Manifest)
        raise ImagingError("not a manifest that this version reads", where=where, issues=issues) from error
    if tree_sha256(manifest.files) != manifest.tree_sha256:
        raise ImagingError("a manifest that was changed: its tree_sha256 is not that of its files", where=where)
    return manifest


def verify_manifest(folder: Path | str, manifest: Manifest) -> tuple[Issue, ...]:
    """Compares a folder with its manifest.

    Args:
        folder: What to read.
        manifest: What it held.

    Returns:
        One issue for each file that differs, is missing or is extra, by name; none if the folder is what it was.

    Raises:
        ImagingError: The folder cannot be read.
    """
    return compare_files(make_manifest(folder).files, manifest.files, where=str(folder))


def compare_files(
    found: Mapping[str, FileRecord], wanted: Mapping[str, FileRecord], *, where: str
) -> tuple[Issue, ...]:
    """Returns one issue for each file that differs, is missing or is extra, sorted by name."""
    issues = []
    for name in sorted({*found, *wanted}):
        place = f"{where}/{name}"
        if name not in found:
            issues.append(Issue("a file is missing", place, wanted=f"sha256 {wanted[name].sha256}"))
        elif name not in wanted:
            issues.append(Issue("a file is extra", place, got=f"{found[name].bytes} bytes"))
        elif found[name] != wanted[name]:
            issues.append(Issue("a file differs", place, wanted=_shown(wanted[name]), got=_shown(found[name])))
    return tuple(issues)


def _shown(record: FileRecord) -> str:
    return f"{record.bytes} bytes, sha256 {record.sha256}"


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ImagingError("not a folder", where=str(folder), next_command=f"ls -ld {folder}")
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*linked, *(name for name in names if not name.startswith("."))]):
            path = Path(parent) / name
            found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))
