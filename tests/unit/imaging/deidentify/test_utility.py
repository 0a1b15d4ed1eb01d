"""What science needs is what it was: SUV, dose, histograms, masks, references between objects, intervals of dates."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from braggbook.imaging.deidentify import deidentify, make_options
from braggbook.imaging.deidentify.uids import is_standard, new_number
from braggbook.imaging.dicom import suv
from braggbook.imaging.dose import dose_volume_histogram, read_dose, read_planned_dvhs, read_prescriptions
from braggbook.imaging.reading import read_dicom
from braggbook.imaging.structures import read_segmentations, read_structures, segment_mask, structure_mask
from braggbook.imaging.volumes import grid_of
from braggbook.testing.dicom import (
    example_grid,
    make_rtdose,
    make_rtplan,
    make_rtstruct,
    make_series,
    write_dicom,
    write_series,
)

from .objects import write_objects
from .planting import SECRET

SAME = 1e-9  # relative: numbers are copied as text or bytes, so that they are even equal
GRID = example_grid(shape=(3, 8, 8))
_DATES = ("DA", "DT")


def _clean(source: Path, output: Path, *names: str) -> dict[str, Path]:
    """Cleans a folder and returns new paths by what was the old file's."""
    options = make_options(names, pixels_reviewed=True, faces_removed=True)
    done = deidentify(source, output, options=options, workers=1)
    assert done.report.complete, done.report.open_findings
    return {str(done.sources[r.number]): output / r.output for r in done.report.files if r.output}


def _elements(dataset: Dataset, *vrs: str) -> Iterator[pydicom.DataElement]:
    return (element for element in dataset.iterall() if element.VR in vrs and element.value)


def _uids(paths: list[Path]) -> tuple[set[str], set[str]]:
    """Returns SOP instances that are there, and instances that are referred to."""
    datasets = [pydicom.dcmread(path) for path in paths]
    here = {str(dataset.SOPInstanceUID) for dataset in datasets}
    named = {str(e.value) for d in datasets for e in _elements(d, "UI") if e.keyword == "ReferencedSOPInstanceUID"}
    return here, named


def test_references_and_intervals_of_all_kinds_stay(tmp_path: Path) -> None:
    old_paths = list(write_objects(tmp_path / "in").values())
    new = _clean(tmp_path / "in", tmp_path / "out")
    assert len(new) == len(old_paths)
    old_here, old_named = _uids(old_paths)
    here, named = _uids(list(new.values()))
    assert old_named <= old_here | {"unseen"} or len(old_named & old_here) > 3
    assert len(named & here) == len(old_named & old_here)
    assert len(named) == len(old_named)
    shifts: dict[str, set[int]] = {}
    for old_path, new_path in new.items():
        before, after = pydicom.dcmread(old_path), pydicom.dcmread(new_path)
        assert after.SOPClassUID == before.SOPClassUID
        kept = {e.tag: e for e in after if e.VR in _DATES and e.value}
        moved = {(_day(str(kept[e.tag].value)) - _day(str(e.value))).days for e in before if e.tag in kept}
        shifts.setdefault(str(before.PatientID), set()).update(moved)
        old_uids = {str(e.value) for e in _elements(before, "UI") if not is_standard(str(e.value))}
        assert not old_uids & {str(e.value) for e in _elements(after, "UI")}
    assert {len(days) for days in shifts.values()} == {1}
    assert max(map(max, shifts.values())) <= -365


def _day(text: str) -> datetime.date:
    return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_segmentations_give_the_same_masks(tmp_path: Path) -> None:
    old = write_objects(tmp_path / "in")
    new = _clean(tmp_path / "in", tmp_path / "out")
    for name in ("seg_binary", "seg_fractional", "seg_labelmap"):
        before, after = read_segmentations(old[name]), read_segmentations(new[str(old[name])])
        labels = [[segment.label for segment in found.segments] for found in (before, after)]
        assert "Zubrowski" in labels[0]
        assert "Zubrowski" not in labels[1]
        one = segment_mask(before, "Zubrowski", grid=GRID)
        other = segment_mask(after, labels[1][labels[0].index("Zubrowski")], grid=GRID)
        assert np.array_equal(one.to_numpy(), other.to_numpy())


@pytest.mark.parametrize("units", ["BQML", "GML"])
def test_suv_across_midnight_is_what_it_was(tmp_path: Path, units: str) -> None:
    stored = np.arange(192, dtype=np.int16).reshape(GRID.shape)
    drug = make_series(stored, GRID, modality="PET")[0].RadiopharmaceuticalInformationSequence[0]
    drug.RadiopharmaceuticalStartDateTime, drug.RadiopharmaceuticalStartTime = "20260101233000", "233000"
    times = {
        f"{name}{part}": value
        for name in ("Series", "Acquisition")
        for part, value in (("Date", "20260102"), ("Time", "003000"))
    }
    options = {"Units": units, "RadiopharmaceuticalInformationSequence": [drug], "RescaleSlope": "0.73", **times}
    write_series(tmp_path / "in", stored, GRID, modality="PET", **options)
    _clean(tmp_path / "in", tmp_path / "out", "retain-patient-characteristics")
    before, after = (suv(read_dicom(tmp_path / name)).to_numpy() for name in ("in", "out"))
    assert before.max() > 0
    assert np.allclose(before, after, rtol=SAME, atol=0)


def test_numbers_that_objects_refer_by_stay_consistent_even_when_they_look_like_record_numbers(tmp_path: Path) -> None:
    images = make_series(np.zeros(GRID.shape, np.int16), GRID)
    structures = make_rtstruct({"PTV": [np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]])]}, images=images)
    plan = make_rtplan(structures=structures)
    dose = make_rtdose(np.ones(GRID.shape), GRID, plan=plan)
    record_number = "1955060712"
    for sequence in ("StructureSetROISequence", "RTROIObservationsSequence", "ROIContourSequence"):
        item = structures[sequence][0]
        item["ROINumber" if "ROINumber" in item else "ReferencedROINumber"].value = record_number
    dose.DVHSequence = [Dataset()]
    dose.DVHSequence[0].DVHReferencedROISequence = [Dataset()]
    dose.DVHSequence[0].DVHReferencedROISequence[0].ReferencedROINumber = record_number
    for name, found in (("structures", structures), ("dose", dose)):
        write_dicom(found, tmp_path / f"in/{name}.dcm")
    new = {d.Modality: d for d in map(pydicom.dcmread, _clean(tmp_path / "in", tmp_path / "out").values())}
    numbers = {int(e.value) for d in new.values() for e in _elements(d, "IS") if e.keyword.endswith("ROINumber")}
    assert len(numbers) == 1
    assert numbers != {int(record_number)}
    assert 100_000 <= new_number(SECRET, 1) < 2**31


@pytest.mark.full
def test_a_real_plan_has_the_same_histograms(tmp_path: Path, mirror: Path) -> None:
    source = mirror / "rt_breast_boost"
    new = _clean(source, tmp_path / "out")
    old_of = {pydicom.dcmread(path, stop_before_pixels=True).Modality: Path(path) for path in new}
    new_of = {name: new[str(path)] for name, path in old_of.items()}
    doses = [read_dose(found["RTDOSE"]) for found in (old_of, new_of)]
    assert np.array_equal(doses[0].to_numpy(), doses[1].to_numpy())
    assert grid_of(doses[0]).is_same(grid_of(doses[1]))
    sets = [read_structures(found["RTSTRUCT"]) for found in (old_of, new_of)]
    compared = 0
    for before, after in zip(*sets, strict=True):
        assert before.number == after.number
        assert len(before.contours) == len(after.contours)
        if before.is_empty:
            continue
        one, other = (dose_volume_histogram(d, s).histogram for d, s in zip(doses, (before, after), strict=True))
        assert np.allclose(one.differential_cc, other.differential_cc, rtol=SAME, atol=0)
        assert other.mean_gy == pytest.approx(one.mean_gy, rel=SAME)
        compared += 1
    assert compared == 9
    planned = [read_planned_dvhs(found["RTDOSE"]) for found in (old_of, new_of)]
    assert len(planned[0]) == len(planned[1]) > 5
    prescribed = [read_prescriptions(found["RTPLAN"]) for found in (old_of, new_of)]
    assert [p.target_gy for p in prescribed[0]] == [p.target_gy for p in prescribed[1]]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["CT", "PET"])
def test_real_images_and_their_structures_stay(tmp_path: Path, mirror: Path, kind: str) -> None:
    source = mirror / "sts002_ct_mr_pet/STS_002" / kind / "dicom"
    _clean(source, tmp_path / "out", "retain-patient-characteristics")
    folders = [source / "image", _folder_of(tmp_path / "out", {"CT", "PT"})]
    volumes = [read_dicom(folder).image for folder in folders]
    assert np.array_equal(volumes[0].to_numpy(), volumes[1].to_numpy())
    assert grid_of(volumes[0]).is_same(grid_of(volumes[1]))
    if kind == "PET":
        before, after = (suv(read_dicom(folder)).to_numpy() for folder in folders)
        assert np.allclose(before, after, rtol=SAME, atol=0)
    masks = [
        structure_mask(next(iter(read_structures(next(folder.rglob("*.dcm"))))), grid_of(volumes[0])).to_numpy()
        for folder in (source / "mask", _folder_of(tmp_path / "out", {"RTSTRUCT"}))
    ]
    assert masks[0].sum() > 100
    assert np.array_equal(masks[0], masks[1])


def _folder_of(output: Path, modalities: set[str]) -> Path:
    return next(
        p.parent for p in output.rglob("*.dcm") if pydicom.dcmread(p, stop_before_pixels=True).Modality in modalities
    )
