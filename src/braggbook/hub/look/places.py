"""Where the files of a dataset lie on this machine, found without reading them and without any network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.sources import cache_path, package_path
from braggbook.formats.dataset import DatasetFile


@dataclass(frozen=True)
class Place:
    """Where a file is.

    Attributes:
        path: None if it is not here.
        says: In words.
    """

    path: Path | None
    says: str


def place_of(dataset: Dataset, file: DatasetFile, *, cache: Path) -> Place:
    """Returns where a file of the right size is: beside the card, in a package, or in the cache.

    The mirror folder is not searched: that means walking all of it.
    """
    beside = dataset.folder / file.path
    if beside.is_file():
        size = beside.stat().st_size
        if size != file.bytes:
            return Place(None, f"the file beside the card has {size:,} bytes, the card says {file.bytes:,}")
        return Place(beside, "beside the card")
    for origin in file.origins:
        if origin.package is None:
            continue
        try:
            path = package_path(origin)
        except LookupError:
            continue
        if path.stat().st_size == file.bytes:
            return Place(path, f"in the package {origin.package}")
    cached = cache_path(cache, file.sha256)
    if cached.is_file() and cached.stat().st_size == file.bytes:
        return Place(cached, "downloaded")
    addresses = any(origin.url for origin in file.origins)
    return Place(None, "not here; the card says where to get it" if addresses else "not here")
