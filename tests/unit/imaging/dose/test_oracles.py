"""Gamma and histograms against plastimatch, which runs as a program of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own documentation's name
from scipy.ndimage import gaussian_filter

from braggbook.imaging.dose.dvh import dose_volume_histogram
from braggbook.imaging.dose.gamma import gamma_index
from braggbook.imaging.geometry import Grid
from braggbook.imaging.phantoms import LinearDose, sphere
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.structures.rasterise import structure_mask
from braggbook.imaging.structures.writing import write_structures
from braggbook.imaging.volumes import make_volume
from braggbook.testing.dicom import write_series

pytestmark = pytest.mark.full

SINGLE = 1e-5  # gamma: plastimatch's doses are 32-bit floating-point numbers
BIN_GY = 0.01


def plastimatch(*arguments: object) -> None:
    command = [str(Path(sys.executable).with_name("plastimatch")), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)


def write_image(volume, path: Path) -> Path:
    """Writes a volume on an axial grid."""
    grid = Grid(volume.shape, np.reshape(volume.attrs["affine"], (4, 4)))
    image = sitk.GetImageFromArray(volume.values.astype(np.float32))
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin([float(place) for place in grid.affine[:3, 3]])
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def pair():
    grid = Grid.from_axes((24, 26, 28), spacing_mm=(2, 2, 2))
    random = np.random.default_rng(3)
    first = gaussian_filter(random.normal(size=grid.shape), 3, mode="wrap")
    first = (2 * (first - first.min()) / np.ptp(first)).astype(np.float32).astype(np.float64)
    second = 1.01 * first + 0.3 * gaussian_filter(random.normal(size=grid.shape), 2, mode="wrap")
    return tuple(make_volume(values, grid, name="dose", units="Gy") for values in (first, second))


def their_gamma(pair, folder: Path) -> np.ndarray:
    files = [write_image(volume, folder / f"{name}.mha") for name, volume in zip("re", pair, strict=True)]
    limits = ("--dose-tolerance", 0.03, "--dta-tolerance", 3, "--analysis-threshold", 0.1, "--gamma-max", 2)
    plastimatch("gamma", *limits, "--ref-only-threshold", "--output", folder / "gamma.mha", *files)
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "gamma.mha")))


def at_centres(reference: np.ndarray, estimate: np.ndarray, *, spacing: float) -> np.ndarray:
    """Returns gamma of 3 % and 3 mm, looking at the estimate's voxel centres up to 6 mm away."""
    reach, tolerance = int(6 // spacing), 0.03 * reference.max()
    wide = np.pad(estimate, reach, constant_values=np.inf)
    best = np.full(reference.shape, np.inf)
    for offset in np.ndindex((2 * reach + 1,) * 3):
        part = wide[tuple(slice(o, o + n) for o, n in zip(offset, reference.shape, strict=True))]
        far = spacing * np.linalg.norm(np.array(offset) - reach) / 3
        best = np.minimum(best, far**2 + ((part - reference) / tolerance) ** 2)
    return np.minimum(np.sqrt(best), 2)


def test_gamma_is_never_more_than_at_voxel_centres(pair, tmp_path) -> None:
    """Plastimatch looks at voxel centres only, which cannot be better than the best place."""
    ours = gamma_index(*pair, dose_percent=3, distance_mm=3, cutoff_percent=10, maximum=2).values
    theirs, known = their_gamma(pair, tmp_path), np.isfinite(ours)
    assert known.sum() > 10_000
    np.testing.assert_allclose(theirs[known], at_centres(pair[0].values, pair[1].values, spacing=2)[known], atol=SINGLE)
    assert (ours[known] <= theirs[known] + SINGLE).all()


def test_gamma_of_a_uniform_difference(pair, tmp_path) -> None:
    same = [volume.copy(data=np.full(volume.shape, value)) for volume, value in zip(pair, (2.0, 2.05), strict=True)]
    ours = gamma_index(*same, dose_percent=3, distance_mm=3, maximum=2).values
    np.testing.assert_allclose(their_gamma(same, tmp_path), ours, atol=SINGLE)
    np.testing.assert_allclose(ours, 2.5 / 3)


def test_the_histogram_of_a_mask(tmp_path) -> None:
    grid = Grid.from_axes((26, 30, 30), spacing_mm=(1, 1, 1), origin_mm=(-14.6, -14.3, -12.5))
    images = write_series(tmp_path / "ct", np.zeros(grid.shape, np.int16), grid)
    rings = sphere(20).contours(np.arange(-9.5, 10))
    structure = Structure(name="ball", number=1, contours=tuple(Contour(ring) for ring in rings))
    write_structures([structure], tmp_path / "rs.dcm", images=images)
    dose = LinearDose(centre_gy=6, gradient_gy_mm=0.3, direction=(0.6, 0, 0.8)).volume(grid)
    labels, names = tmp_path / "ss.nrrd", tmp_path / "ss.txt"
    planes = ("--input", tmp_path / "rs.dcm", "--referenced-ct", tmp_path / "ct", "--xor-contours")
    plastimatch("convert", *planes, "--output-ss-img", labels, "--output-ss-list", names)
    bins = ("--cumulative", "--bin-width", BIN_GY, "--num-bins", 1200, "--normalization", "vox")
    image = ("--input-ss-img", labels, "--input-ss-list", names)
    table = tmp_path / "dvh.csv"
    plastimatch("dvh", *image, "--input-dose", write_image(dose, tmp_path / "dose.nrrd"), "--output-csv", table, *bins)
    with table.open() as stream:
        rows = [(float(row["Dose (Gy)"]), float(row["ball"])) for row in csv.DictReader(stream)]
    at, voxels = np.array(rows).T
    ours = dose_volume_histogram(dose, structure_mask(structure, grid), bin_gy=BIN_GY).native
    assert ours.volume_cc * 1000 == pytest.approx(voxels[0])
    assert voxels[0] > 4000
    # Theirs puts a dose into the nearest bin, half a bin from where ours is.
    low, high = (1000 * ours.volume_cc_at(at + side * 1.01 * BIN_GY) for side in (1, -1))
    inner = slice(1, len(at) - 1)
    assert (low[inner] <= voxels[inner] + 1e-6).all()
    assert (voxels[inner] <= high[inner] + 1e-6).all()
