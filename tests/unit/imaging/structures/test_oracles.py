"""Masks against other programs and against masks that others published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.planes import contour_planes, thickness_mm
from braggbook.imaging.structures.rasterise import plane_areas_mm2, structure_mask, structure_volume_cc
from braggbook.imaging.structures.reading import read_structures
from braggbook.imaging.structures.writing import write_structures
from braggbook.testing.dicom import write_series

from .structure_helpers import box, circle, made_of, realdata, ring

LEAST_DICE = 0.999  # of I-09
VOXELS = 0.002  # of I-09, relative
POLYGON = 1e-6  # relative; the notes give seven digits
LAST_SLICE = 0.001  # relative: this series' planes are 3.27 mm apart but once 3.29, and slabs meet half way


def published(kind: str) -> tuple[np.ndarray, Grid]:
    """Returns the published NIfTI mask of STS_002 as (z, y, x), and its grid in LPS."""
    image = nibabel.load(realdata("sts002_ct_mr_pet", "STS_002", kind, "nifti", "mask", "mask.nii.gz"))
    data = (np.asarray(image.dataobj) > 0).transpose(2, 1, 0)
    return data, Grid(data.shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)


@pytest.mark.parametrize(
    ("kind", "voxels", "voxels_cc", "polygon_cc"),
    [("CT", 17090, 53.29537, 53.27030), ("MR_T1", 17090, None, 53.26835), ("PET", 555, 54.27713, 53.17287)],
)
def test_sts_002(kind: str, voxels: int, voxels_cc: float | None, polygon_cc: float) -> None:
    """I-09: the polygons' volume, the number of voxels, and the overlap with the published mask."""
    expected, grid = published(kind)
    structure = read_structures(realdata("sts002_ct_mr_pet", "STS_002", kind, "dicom", "mask", "RS.dcm")).structures[0]
    planes = contour_planes(structure)
    assert planes is not None
    thickness = thickness_mm(planes, structure, default_mm=0.0)
    assert thickness == pytest.approx(3.27)
    assert plane_areas_mm2(planes).sum() * thickness / 1000 == pytest.approx(polygon_cc, rel=POLYGON)
    assert structure_volume_cc(structure) == pytest.approx(polygon_cc, rel=LAST_SLICE)
    found = structure_mask(structure, grid).values
    assert found.sum() == pytest.approx(voxels, rel=VOXELS)
    if kind != "PET":
        assert found.sum() == voxels, "plastimatch sets exactly so many"
    if voxels_cc:
        assert voxels * grid.voxel_mm3 / 1000 == pytest.approx(voxels_cc, abs=1e-4)
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) >= LEAST_DICE
    assert expected.sum() == voxels


def test_rt_breast_boost_reads_with_its_empty_region() -> None:
    found = read_structures(realdata("rt_breast_boost", "rtss.dcm"))
    assert len(found) == 10
    assert [len(each.contours) for each in found] == [141, 0, 2, 48, 33, 165, 4, 6, 18, 24]
    assert [issue.what for issue in found[2].issues] == ["an empty region"]
    assert not found["Areola"].blocking
    grid = Grid.from_axes((10, 10, 10), spacing_mm=(3.0, 2.5, 2.5))
    assert not structure_mask(found["Areola"], grid).any()


def star(z: float) -> list:
    radius, angle = np.where(np.arange(14) % 2, 3.3, 8.7), np.arange(14) * np.pi / 7 + 0.1
    return [ring(np.c_[10 + radius * np.cos(angle), 10 + radius * np.sin(angle)], z)]


SHAPES = {
    "star": star,
    "ring": lambda z: [circle(7.3, z=z), circle(3.1, z=z)],
    "islands": lambda z: [box(1.3, 2.2, 6.4, 9.7, z), box(8.6, 2.2, 15.1, 17.3, z)],
    "rough": lambda z: [ring([(2.1, 1.3), (17.2, 4.4), (12.6, 9.1), (16.3, 17.7), (6.2, 11.9), (3.3, 18.4)], z)],
}


@pytest.mark.full
@pytest.mark.parametrize("shape", ["ring", "islands", "star", "rough"])
def test_plastimatch_sets_the_same_voxels(shape: str, tmp_path: Path) -> None:
    grid = Grid.from_axes((5, 24, 26), spacing_mm=(3.0, 0.9, 0.8), origin_mm=(-0.4, -0.3, -3.0))
    images = write_series(tmp_path / "ct", np.zeros(grid.shape, np.int16), grid)
    structure = made_of(*(contour for k in range(3) for contour in SHAPES[shape](3.0 * k)))
    write_structures([structure], tmp_path / "rs.dcm", images=images)
    command = [str(Path(sys.executable).with_name("plastimatch")), "convert", "--input", str(tmp_path / "rs.dcm")]
    command += ["--referenced-ct", str(tmp_path / "ct"), "--output-prefix", str(tmp_path / "masks")]
    subprocess.run([*command, "--prefix-format", "nii", "--xor-contours"], check=True, capture_output=True, timeout=60)
    image = nibabel.load(next((tmp_path / "masks").glob("*.nii")))
    theirs = (np.asarray(image.dataobj) > 0).transpose(2, 1, 0)
    ours = structure_mask(structure, grid).values
    assert ours.sum() > 100
    assert (ours == theirs).all()
