"""Projects with datasets and runs, for the tests of the pages about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from braggbook.files import sha256_file, write_json
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card
from braggbook.formats.run import FileRecord
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume
from braggbook.runs.folder import RECORD, read_record
from braggbook.settings import Settings

from ...runs.run_helpers import make_run

DOSE = Column(type="number", unit="Gy", meaning="absorbed dose")
CELLS = Column(type="integer", unit="1", meaning="cells seeded", missing=True)
NOTE = Column(type="text", meaning="remark", missing=True)
COLUMNS = {"dose_gy": DOSE, "cells": CELLS, "note": NOTE}
ROWS = b"dose_gy,cells,note\n0,200,\n2,400,<b>bold</b>\n4.5,,late\n6,1200,\n"
# Slices along the patient's right, rows towards the feet, columns towards the back: nothing is where axial slices have it.
SAGITTAL = Grid.from_axes(
    (10, 12, 8), spacing_mm=(2.0, 3.0, 1.0), origin_mm=(9.0, -3.5, 16.5), directions=((0, 1, 0), (0, 0, -1), (-1, 0, 0))
)
AXIAL = Grid.from_axes((12, 8, 10), spacing_mm=(3.0, 1.0, 2.0), origin_mm=(-9.0, -3.5, -16.5))


def settings_of(folder: Path) -> Settings:
    """Returns settings with everything below a folder, the vault beside the project."""
    project = folder / "project"
    return Settings(project, project / "runs", folder / "cache", folder / "archive", folder / "vault")


def entry(path: str, data: bytes, **more: Any) -> DatasetFile:
    """Describes a file with that content."""
    given = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return DatasetFile.model_validate({**given, **more})


def make_dataset(settings: Settings, files: Mapping[str, bytes], *, slug: str = "counts", **card: Any) -> Path:
    """Makes a dataset of these files; ``columns`` describes all that are tables."""
    folder = settings.project / "datasets" / slug
    columns = card.pop("columns", {})
    listed = []
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        table = path.endswith((".csv", ".tsv", ".xlsx"))
        listed.append(entry(path, data, columns=columns if table else {}))
    return describe(folder, listed, **card)


def describe(folder: Path, files: list[DatasetFile], **card: Any) -> Path:
    """Writes the card of a dataset."""
    usual = {"title": "Counts", "version": 1, "license": "CC0-1.0", "provenance": "made up"}
    folder.mkdir(parents=True, exist_ok=True)
    write_card(folder / CARD_NAME, DatasetCard.model_validate({**usual, **card, "files": files}))
    return folder


def list_files(folder: Path, below: str) -> list[DatasetFile]:
    """Describes every file below a folder of a dataset, as its card would."""
    paths = sorted(path for path in (folder / below).rglob("*") if path.is_file())
    return [entry(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]


def run_with_files(runs: Path, files: Mapping[str, bytes], **more: Any) -> Path:
    """Makes a run whose record lists these files and all that is there already."""
    runs.mkdir(parents=True, exist_ok=True)
    folder = make_run(runs, **more)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    there = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    listed = {
        path.relative_to(folder).as_posix(): FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)
        for path in there
    }
    record = read_record(folder).model_copy(update={"files": listed})
    write_json(folder / RECORD, record.model_dump(mode="json"))
    return folder


def sides(grid: Grid) -> xr.DataArray:
    """Returns an image that is brighter towards the patient's left (100), back (10) and feet (1)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)[..., ::-1]
    x, y, z = np.moveaxis(grid.to_patient(index), -1, 0)
    values = 100.0 * (x > 0) + 10.0 * (y > 0) + 1.0 * (z < 0) + 0.001 * x
    return make_volume(values.astype(np.float32), grid, name="image", units="1")
