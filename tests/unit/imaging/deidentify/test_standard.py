"""dciodvfy finds no error in the output that it did not find in the input.

It fails an assertion on every RTDOSE of 32 bits, also on other programs' (``standard_errors`` gives it the same object
with 16), so that the pixels of these are seen by it only in that form.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from braggbook.imaging.deidentify import deidentify, make_options
from braggbook.testing.dicom import standard_errors

from .objects import write_objects
from .planting import shipped

CHOICES: dict[str, list[str]] = {
    "basic": [],
    "utility": [
        "retain-patient-characteristics",
        "clean-descriptors",
        "clean-structured-content",
        "retain-safe-private",
    ],
    "all that is retained": ["113106", "113108", "113109", "113110", "113111", "113112"],
}
SHIPPED = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "rtdose_1frame.dcm",
    "liver_1frame.dcm", "emri_small_RLE.dcm", "image_dfl.dcm", "test-SR.dcm", "JPEG2000.dcm", "JPGExtended.dcm", "examples_ybr_color.dcm",
]  # fmt: skip


def _added(before: Path, after: Path) -> Counter[str]:
    found = (Counter(_form(line) for line in standard_errors(path)) for path in (after, before))
    return next(found) - next(found)


def _form(line: str) -> str:
    """A line without values: UIDs and texts of the output are others."""
    return re.sub(r"ReferencedSOPInstanceUID \S+", "UID", re.sub(r"<[^>]*>", "<>", line))


def _check(paths: list[Path], tmp_path: Path, *names: str) -> None:
    wrong = {}
    for number, path in enumerate(paths):
        output = tmp_path / f"out{number}"
        options = make_options(names, pixels_reviewed=True, faces_removed=True)
        done = deidentify(path, output, options=options, key=tmp_path / "key.json", workers=1)
        assert done.report.outcomes == {"written": 1}, (path.name, done.report.files[0].reason)
        if added := _added(path, next(output.rglob("*.dcm"))):
            wrong[path.name] = added
    assert wrong == {}


@pytest.mark.full
@pytest.mark.parametrize("choice", list(CHOICES))
def test_no_error_is_added_to_a_valid_object_of_each_kind(tmp_path: Path, choice: str) -> None:
    paths = write_objects(tmp_path / "objects")
    for name, path in paths.items():
        assert standard_errors(path) == [], name
    names = [
        name for name in CHOICES[choice] if name not in ("113109", "113112")
    ]  # the generator's names are also texts of these
    _check(list(paths.values()), tmp_path, *names)


@pytest.mark.full
@pytest.mark.parametrize("choice", list(CHOICES))
def test_no_error_is_added_to_objects_of_other_programs(tmp_path: Path, choice: str) -> None:
    _check([shipped(name) for name in SHIPPED], tmp_path, *CHOICES[choice])


@pytest.mark.full
def test_no_error_is_added_to_real_plans_and_images(tmp_path: Path, mirror: Path) -> None:
    plans = sorted((mirror / "rt_breast_boost").rglob("*.dcm"))
    images = [next(iter(sorted(folder))) for folder in _series(mirror / "sts002_ct_mr_pet").values()]
    assert len(plans) == 4
    assert len(images) >= 3
    _check([*plans, *images], tmp_path, "retain-patient-characteristics")


def _series(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        series = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True).SeriesInstanceUID
        found.setdefault(series, []).append(path)
    return found
