"""How large Binder's environment is, measured in a real one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from braggbook.binder.requirements import Entry
from braggbook.errors import InputError, Issue

BUDGET_BYTES = 1_500_000_000  # of the environment: what a person waits for when the image is new to a machine
_LARGEST = 5


@dataclass(frozen=True)
class Sizes:
    """Bytes of an environment: all of it, and each distribution."""

    total: int
    distributions: dict[str, int]
    versions: dict[str, str]

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The largest distributions."""
        return sorted(self.distributions.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]


def measure(environment: Path) -> Sizes:
    """Measures an environment: every file in it once, and each distribution by the files that it lists.

    Raises:
        InputError: The folder is no environment.
    """
    folders = [str(path) for path in sorted(environment.glob("lib/python3*/site-packages"))]
    if not folders:
        raise InputError("not an environment of Python", where=str(environment), wanted="lib/python3.*/site-packages")
    sizes: dict[str, int] = {}
    versions: dict[str, str] = {}
    for one in metadata.distributions(path=folders):
        name = canonicalize_name(one.metadata["Name"])
        sizes[name] = sum(_bytes(Path(str(one.locate_file(file)))) for file in one.files or [])
        versions[name] = one.version
    inodes = {(stat.st_dev, stat.st_ino): stat.st_size for stat in _stats(environment)}
    return Sizes(sum(inodes.values()), sizes, versions)


def _stats(folder: Path) -> Iterator[os.stat_result]:
    return (path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _bytes(path: Path) -> int:
    return path.lstat().st_size if path.is_file() else 0


def size_issues(sizes: Sizes, entries: list[Entry], *, budget: int = BUDGET_BYTES) -> Iterator[Issue]:
    """Yields that an environment is too large, or not the one of these pins."""
    for entry in entries:
        if entry.applies and sizes.versions.get(entry.name) != entry.version:
            got = sizes.versions.get(entry.name, "not installed")
            yield Issue("measured in another environment", entry.name, entry.version, got)
    if sizes.total > budget:
        largest = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.largest)
        wanted = f"at most {budget / 1e9:.1f} GB"
        yield Issue("too large", "environment", wanted, f"{sizes.total / 1e9:.2f} GB; the largest: {largest}")
