"""Segmentations (SEG) as labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from braggbook.formats.quality import Quality
from braggbook.imaging.geometry import Grid
from braggbook.imaging.quality import assess
from braggbook.imaging.structures import write_segmentations
from braggbook.imaging.volumes import make_volume
from braggbook.testing.dicom import make_series, write_dicom

GRID = Grid.from_axes((8, 30, 40), spacing_mm=(5.0, 5.0, 5.0))


def assessed(folder: Path, **masks: np.ndarray) -> Quality:
    images = make_series(np.random.default_rng(1).normal(0, 9, GRID.shape).astype(np.int16), GRID, modality="MR")
    for number, image in enumerate(images):
        write_dicom(image, folder / f"{number}.dcm")
    volumes = {name: make_volume(mask, GRID, name="mask", units="1") for name, mask in masks.items()}
    write_segmentations(volumes, folder / "seg.dcm", images=images)
    return assess(folder)


def box(*edges: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    mask[tuple(slice(*edge) for edge in edges)] = True
    return mask


def test_segments_that_can_be_what_they_are_called(tmp_path: Path) -> None:
    liver = box((1, 7), (5, 25), (5, 35))  # 6 x 18 x 30 voxels of 0.125 cm3: 405 cm3
    found = assessed(tmp_path, Liver=liver, Spleen=box((1, 4), (5, 15), (5, 15)))
    assert found.scores["labels"] == 1.0
    passed = {check.id for check in found.checks if check.status == "passed" and check.dimension == "labels"}
    assert passed == {"labels.empty", "labels.names_once", "labels.volume"}
    skipped = {check.id: check.reason for check in found.checks if check.status == "not assessed"}
    assert skipped["labels.overlap"] == "a segmentation has no outlines"


def test_an_empty_segment_and_a_small_organ_are_named(tmp_path: Path) -> None:
    found = assessed(tmp_path, Liver=box((1, 2), (5, 9), (5, 9)), Spleen=np.zeros(GRID.shape, bool))
    told = {check.id: check.findings[0] for check in found.failed if check.dimension == "labels"}
    assert (told["labels.empty"].where, told["labels.empty"].found) == ("seg.dcm, segment 2 'Spleen'", "none")
    assert told["labels.volume"].where == "seg.dcm, segment 1 'Liver'"
    assert told["labels.volume"].found == "2 cm3"
