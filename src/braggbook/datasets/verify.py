"""``braggbook dataset verify``: is everything there, and is it what the card says?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from braggbook.datasets.arrays import is_arrays, open_arrays
from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.fetch import ZENODO, fetch_file
from braggbook.datasets.sheets import TABLES
from braggbook.datasets.tables import check_table
from braggbook.errors import DatasetError, DatasetMissing, HashMismatch, Issue, closest
from braggbook.formats.dataset import DatasetFile
from braggbook.progress import Progress, Silent

SOURCE_COLUMN = "source"  # its cells are ids of the card's sources, where the card has sources


def verify_dataset(
    dataset: Dataset,
    *,
    cache: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
    archive: str = ZENODO,
    download: bool = True,
) -> list[Issue]:
    """Checks every file of a dataset: that it is there, its hash and size, its columns, every row.

    Returns:
        What was found; nothing when all is well. Without downloads, a file that has yet to be fetched is no finding.

    Raises:
        NetworkError: A file could not be downloaded for a reason that may pass.
    """
    progress = progress or Silent()
    progress.start(f"verify {dataset.reference}", len(dataset.card.files))
    issues: list[Issue] = []
    try:
        for done, file in enumerate(dataset.card.files):
            progress.step(done, file.path)
            try:
                path = fetch_file(dataset, file, cache=cache, mirror=mirror, archive=archive, download=download)
                issues += _content_issues(dataset, file, path=path)
            except DatasetError as error:
                if not (isinstance(error, DatasetMissing) and _to_be_fetched(file, download=download)):
                    issues += _as_issues(error)
        progress.step(len(dataset.card.files))
    finally:
        progress.stop()
    return issues


def _to_be_fetched(file: DatasetFile, *, download: bool) -> bool:
    """Whether a file that is not here has an address that was not asked: nothing is wrong with it."""
    return not download and any(origin.url for origin in file.origins)


def _as_issues(error: DatasetError) -> list[Issue]:
    """Returns what an error says as findings; the places where a file was looked for make one."""
    if isinstance(error, (DatasetMissing, HashMismatch)):
        tried = "; ".join(f"{issue.where}: {issue.what}" for issue in error.issues)
        return [Issue(error.what, error.where, error.wanted, error.got or tried)]
    return list(error.issues) or [Issue(error.what, error.where, error.wanted, error.got)]


def _content_issues(dataset: Dataset, file: DatasetFile, *, path: Path) -> list[Issue]:
    if is_arrays(file):
        open_arrays(path, file)
        return []
    if not file.columns and not file.path.lower().endswith(TABLES):
        return []
    frame, issues = check_table(path, file)
    return issues or _source_issues(dataset, file, frame=frame)


def _source_issues(dataset: Dataset, file: DatasetFile, *, frame: pd.DataFrame) -> list[Issue]:
    """Looks whether every row's source is one that the card lists."""
    known = [source.id for source in dataset.card.sources]
    if not known or SOURCE_COLUMN not in file.columns or file.columns[SOURCE_COLUMN].type != "text":
        return []
    where = f"{dataset.slug}/{file.path}: column {SOURCE_COLUMN}"
    unknown = [text for text in frame[SOURCE_COLUMN].dropna().unique() if text not in known]
    return [Issue(f"no source with the id {text!r} in the card", where, closest(text, known)) for text in unknown]
