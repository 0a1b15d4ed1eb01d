"""One small valid object of each kind, of one patient and study, that refer to each other."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np

from braggbook.imaging.structures import write_segmentations
from braggbook.imaging.volumes import make_volume
from braggbook.testing.dicom import (
    example_grid,
    make_enhanced,
    make_mammography,
    make_rdsr,
    make_rtdose,
    make_rtplan,
    make_rtstruct,
    make_series,
    make_us,
    write_dicom,
)

GRID = example_grid(shape=(3, 8, 8))
_STORED = np.arange(GRID.shape[0] * 64, dtype=np.int16).reshape(GRID.shape)
_SQUARE_MM = ((0.0, 0.0), (6.0, 0.0), (6.0, 6.0), (0.0, 6.0))
REPORTS = {"rdsr_ct": "ct", "rdsr_projection": "projection", "rdsr_radiopharmaceutical": "radiopharmaceutical"}


def write_objects(folder: Path) -> dict[str, Path]:
    """Writes all objects and returns their paths by kind."""
    images = make_series(_STORED, GRID)
    square = [
        np.column_stack([np.add(_SQUARE_MM, GRID.to_patient((0, 0, k))[:2]), [GRID.to_patient((0, 0, k))[2]] * 4])
        for k in range(2)
    ]
    structures = make_rtstruct({"Heart of Zubrowski": square}, images=images)
    plan = make_rtplan(structures=structures)
    dose = np.linspace(0, 60, _STORED.size).reshape(GRID.shape)
    objects = {
        **{f"ct{number}": image for number, image in enumerate(images)},
        **{name.lower(): make_series(_STORED, GRID, modality=name)[0] for name in ("MR", "PET")},
        **{f"enhanced_{name.lower()}": make_enhanced(_STORED, GRID, modality=name) for name in ("CT", "MR")},
        "ultrasound": make_us(np.zeros((2, 32, 32), np.uint8)),
        "mammography": make_mammography(np.arange(64, dtype=np.uint16).reshape(8, 8)),
        "rtstruct": structures,
        "rtplan": plan,
        "rtdose": make_rtdose(dose, GRID, plan=plan),
        "rtdose_16_bits": make_rtdose(dose, GRID, plan=plan, bits=16, seed=2),
        **{name: make_rdsr(kind) for name, kind in REPORTS.items()},
    }
    paths = {name: write_dicom(found, folder / f"{name}.dcm") for name, found in objects.items()}
    for minute, kind in enumerate(("BINARY", "FRACTIONAL", "LABELMAP")):
        paths[f"seg_{kind.lower()}"] = write_segmentations(
            {"Zubrowski": make_volume(_STORED % (5 + minute) == 0, GRID, name="mask", units="1")},
            folder / f"seg_{kind.lower()}.dcm",
            images=images,
            kind=kind,
            written_at=datetime.datetime(2020, 2, 3, 4, minute, 6, tzinfo=datetime.UTC),
        )
    return paths
