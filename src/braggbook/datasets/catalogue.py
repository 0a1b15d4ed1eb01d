"""Which datasets a project has: every folder below ``datasets/`` with a card, found by looking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import DatasetError, InputError, UnknownName, unknown_name
from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.dataset import CARD_NAME, DatasetCard, DatasetFile, read_card

FOLDER = "datasets"
TWIN = "twin"  # a challenge's own datasets, beside its design: what stands for the hidden ones
_REFERENCE = re.compile(r"([a-z][a-z0-9_]*)(?:@([1-9][0-9]*))?")


@dataclass(frozen=True)
class Dataset:
    """A dataset of a project: its card, and the folder that the card lies in."""

    slug: str
    card: DatasetCard
    folder: Path

    @property
    def reference(self) -> str:
        """How notebooks name it: ``slug@version``."""
        return f"{self.slug}@{self.card.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of what a computation can see of it: the files' hashes and how their cells are read."""
        files = [_seen(file) for file in self.card.files]
        return sha256_bytes(canonical_json({"slug": self.slug, "version": self.card.version, "files": files}))

    def file(self, path: str | None = None) -> DatasetFile:
        """Returns one of its files; ``path`` may be left out where there is only one.

        Raises:
            UnknownName: There is no such file.
            InputError: There are several, and none was named.
        """
        names = {file.path: file for file in self.card.files}
        if path is None and len(names) == 1:
            return self.card.files[0]
        if path is None:
            wanted = f"file= one of {', '.join(names)}"
            raise InputError("the dataset has several files", where=self.reference, wanted=wanted)
        if path not in names:
            command = f"braggbook show dataset {self.slug}"
            raise unknown_name(f"file of {self.reference}", path, names, next_command=command)
        return names[path]


def _seen(file: DatasetFile) -> dict[str, object]:
    hidden = {"origins", "copy_allowed", "bytes"}
    seen = file.model_dump(mode="json", exclude=hidden, exclude_defaults=True)
    for column in seen.get("columns", {}).values():
        column.pop("meaning")
    return seen


def list_datasets(project: Path) -> dict[str, Dataset | DatasetError]:
    """Returns every dataset of a project by its slug; one whose card cannot be used is its error."""
    found: dict[str, Dataset | DatasetError] = {}
    for slug in _slugs(project / FOLDER):
        try:
            found[slug] = open_dataset(project / FOLDER / slug)
        except DatasetError as error:
            found[slug] = error
    return found


def open_dataset(folder: Path) -> Dataset:
    """Reads the dataset in one folder.

    Raises:
        DatasetError: Its card cannot be used.
    """
    return Dataset(folder.name, read_card(folder / CARD_NAME), folder)


def find_dataset(reference: str, *, project: Path) -> Dataset:
    """Finds a dataset of a project by ``slug`` or ``slug@version``.

    Raises:
        InputError: The reference is not spelled so.
        UnknownName: There is no such dataset, or it has another version.
        DatasetError: Its card cannot be used.
    """
    return find_in(reference, folder=project / FOLDER)


def find_beside(reference: str, *, beside: Path, project: Path) -> Dataset:
    """Finds a dataset as something in the folder ``beside`` names it: a challenge's own come before the project's.

    Raises:
        InputError, UnknownName, DatasetError: As :func:`find_dataset`.
    """
    twin = beside / TWIN
    if (beside / CHALLENGE_NAME).is_file() and reference.partition("@")[0] in _slugs(twin):
        return find_in(reference, folder=twin)
    return find_dataset(reference, project=project)


def find_in(reference: str, *, folder: Path) -> Dataset:
    """Finds a dataset in a folder that is laid out like ``datasets/``; see :func:`find_dataset`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        wanted = "slug or slug@version, for example colony_counts@1"
        raise InputError("not the name of a dataset", wanted=wanted, got=repr(reference))
    slug, version = match.groups()
    known = _slugs(folder)
    if slug not in known:
        raise unknown_name("dataset", slug, known, next_command="braggbook list dataset")
    dataset = open_dataset(folder / slug)
    if version is not None and int(version) != dataset.card.version:
        raise UnknownName(
            f"dataset {slug!r} has another version", wanted=reference, got=dataset.reference,
            next_command=f"braggbook show dataset {slug}",
        )  # fmt: skip
    return dataset


def _slugs(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
