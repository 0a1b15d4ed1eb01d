"""Which cases a dataset of a challenge holds: rows of a table, or one image for each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.tables import open_table
from braggbook.errors import DatasetError, InputError, Issue
from braggbook.formats.challenge import SubmissionRules
from braggbook.formats.dataset import DatasetFile

IMAGE = ".nii.gz"


def cases_of(dataset: Dataset, *, rules: SubmissionRules) -> list[str]:
    """Returns the cases of inputs or truth, sorted.

    Raises:
        InputError: There is none, or one is there twice.
        DatasetError: A file of it cannot be read.
    """
    names = _rows(dataset, rules.case) if rules.form == "table" else _images(dataset)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        issues = [Issue("a case twice", got=name) for name in twice]
        what = "cases that are there twice" if twice else "no case"
        wanted = f"a column {rules.case!r}" if rules.form == "table" else f"files <case>{IMAGE}"
        raise InputError(what, where=dataset.slug, wanted="" if twice else wanted, issues=issues)
    return sorted(names)


def table_of_cases(dataset: Dataset, *, case: str) -> tuple[DatasetFile, pd.DataFrame]:
    """Returns the file of a dataset that has one row for each case, and the table in it.

    Raises:
        InputError: There is none, or there are several.
        DatasetError: It cannot be read.
    """
    found = [file for file in dataset.card.files if case in file.columns]
    if len(found) != 1:
        got = ", ".join(file.path for file in found) or "none"
        raise InputError("not one table of cases", where=dataset.slug, wanted=f"one with a column {case!r}", got=got)
    return found[0], open_table(_path(dataset, found[0]), found[0], dataset=dataset.reference)


def _rows(dataset: Dataset, case: str) -> list[str]:
    _, table = table_of_cases(dataset, case=case)
    return [str(name) for name in table[case]]


def _images(dataset: Dataset) -> list[str]:
    return [file.path.removesuffix(IMAGE) for file in dataset.card.files if file.path.endswith(IMAGE)]


def _path(dataset: Dataset, file: DatasetFile) -> Path:
    path = dataset.folder / file.path
    if not path.is_file():
        raise DatasetError("a file of the dataset is missing", where=str(path))
    return path
