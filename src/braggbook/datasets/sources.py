"""Where a dataset's file may already be on this machine; nothing here touches the network.

In order: beside the card, in an installed package, in the mirror folder, in the cache. A file is the right
one by its size and SHA-256 alone, so the mirror needs no particular names and the cache has none but the hash.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from braggbook.datasets.catalogue import Dataset
from braggbook.errors import DatasetError, HashMismatch, Issue
from braggbook.files import sha256_file
from braggbook.formats.dataset import DatasetFile, FileOrigin


def check_file(path: Path, file: DatasetFile, *, dataset: str, origin: str = "") -> None:
    """Checks that a file is the one that its card names.

    Raises:
        HashMismatch: It is another; the message names the file, both hashes, and where it was taken from.
        DatasetError: It cannot be read.
    """
    where = f"{file.path} of {dataset}"
    slug = dataset.partition("@")[0]
    try:
        size = path.stat().st_size
        digest = sha256_file(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatasetError("cannot read the file", where=where, got=f"{path}: {reason}") from None
    if digest != file.sha256:
        taken = f", taken from {origin}" if origin else f", in {path}"
        raise HashMismatch(
            "the file is not the one that the card names", where=where,
            wanted=f"sha256 {file.sha256} ({file.bytes} bytes)", got=f"{digest} ({size} bytes){taken}",
            next_command=f"braggbook dataset verify {slug}",
        )  # fmt: skip
    if size != file.bytes:
        raise HashMismatch(
            "the card has another size than the file",
            where=where,
            wanted=f"bytes = {size}",
            got=str(file.bytes),
        )


class Search:
    """Looks for one file and keeps what was tried and why it failed."""

    def __init__(self, dataset: Dataset, file: DatasetFile) -> None:
        """Prepares the search."""
        self.dataset = dataset
        self.file = file
        self.tried: list[Issue] = []
        self.mismatch: HashMismatch | None = None

    def fail(self, origin: str, why: str) -> None:
        """Notes that a place does not have the file."""
        self.tried.append(Issue(why, origin))

    def accept(self, path: Path, origin: str) -> bool:
        """Returns whether ``path`` is the file; notes why when it is not."""
        try:
            check_file(path, self.file, dataset=self.dataset.reference, origin=origin)
        except DatasetError as error:
            self.fail(origin, f"{error.what} ({error.got})")
            if isinstance(error, HashMismatch):
                self.mismatch = error
            return False
        return True

    def beside(self) -> Path | None:
        """Looks beside the card. A file there that is another one ends the search: somebody changed it.

        Raises:
            HashMismatch: It is not the one that the card names.
            DatasetError: It cannot be read.
        """
        path = self.dataset.folder / self.file.path
        if not os.path.lexists(path):
            self.fail(f"beside the card ({self.dataset.folder.name}/{self.file.path})", "no such file")
            return None
        check_file(path, self.file, dataset=self.dataset.reference)
        return path

    def in_packages(self) -> Path | None:
        """Looks in the installed packages that the card names."""
        for origin in self.file.origins:
            if origin.package is not None:
                place = f"package {origin.package}, {origin.path}"
                try:
                    path = package_path(origin)
                except LookupError as error:
                    self.fail(place, str(error.args[0]))
                    continue
                if self.accept(path, place):
                    return path
        return None

    def in_mirror(self, mirror: Path | None) -> Path | None:
        """Looks for the content in the mirror folder, under whatever name."""
        if mirror is None:
            self.fail("the mirror folder", "not set (BRAGGBOOK_DATA_MIRROR)")
            return None
        if not mirror.is_dir():
            self.fail(f"the mirror folder {mirror}", "no such folder")
            return None
        for path in _of_size(mirror, self.file.bytes):
            if _has_digest(path, self.file.sha256) and self.accept(path, f"the mirror folder ({path})"):
                return path
        self.fail(f"the mirror folder {mirror}", f"no file of {self.file.bytes} bytes with that hash")
        return None

    def in_cache(self, cache: Path) -> Path | None:
        """Looks in the cache."""
        path = cache_path(cache, self.file.sha256)
        if not path.is_file():
            self.fail("the cache", "not there")
            return None
        return path if self.accept(path, f"the cache ({path})") else None


def cache_path(cache: Path, sha256: str) -> Path:
    """Returns where the cache keeps the content with that hash."""
    return cache / "files" / sha256[:2] / sha256


def package_path(origin: FileOrigin) -> Path:
    """Returns where an installed package has a file; the package is not imported.

    Raises:
        LookupError: It is not installed, has another version, or lacks the file.
    """
    package, path = str(origin.package), str(origin.path)
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("not installed")
    if origin.version is not None:
        version = _version(package)
        if version != origin.version:
            raise LookupError(f"version {version or 'unknown'} is installed, {origin.version} is wanted")
    for folder in spec.submodule_search_locations:
        if (Path(folder) / path).is_file():
            return Path(folder) / path
    raise LookupError("the package has no such file")


def _version(package: str) -> str:
    """Returns the version of the distribution that provides a package ("" when it is not known)."""
    for name in (package, *importlib.metadata.packages_distributions().get(package, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _of_size(folder: Path, size: int) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent) / name
            try:
                if path.is_file() and path.stat().st_size == size:
                    yield path
            except OSError:
                continue


def _has_digest(path: Path, sha256: str) -> bool:
    try:
        return _digest(path, path.stat().st_mtime_ns) == sha256
    except OSError:
        return False


@lru_cache(maxsize=4096)  # slices of one series are all of one size
def _digest(path: Path, changed_ns: int) -> str:  # noqa: ARG001 - a file that has changed is another one
    return sha256_file(path)
