"""Draws cases of the challenge: `python make_cases.py --cases 20 OUT` writes OUT/inputs and OUT/truth.

A case is a phantom of a child's upper abdomen, as CT would show it. Organs are smooth bodies at random places; the
label of a voxel is the organ that fills at least half of it, and its value the mean of what is in it, plus noise.
In some cases there is no left kidney, in others the field of view ends below the liver.

Everything follows from the seed, so whoever has it has the truth. Without `--seed` one of 128 random bits is made and
printed; a word that one can think of is no secret, as guesses can be tried against the images.

Conventions: patient coordinates (x, y, z) are LPS mm with the body's axis at x = y = 0 and the liver's centre at z = 0
until the table position is added; arrays are (z, y, x).
"""

from __future__ import annotations

import argparse
import hashlib
import math
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from braggbook.errors import BraggbookError, InputError
from braggbook.files import sha256_file, storage
from braggbook.formats.common import Author
from braggbook.formats.dataset import CARD_NAME, DatasetCard, DatasetFile, write_card
from braggbook.imaging import Grid, make_volume, write_nifti

Floats = npt.NDArray[np.float64]
Inside = npt.NDArray[np.bool_]

LABELS = {"liver": 1, "left_kidney": 2, "spine": 3}
FARTHEST_MM = 400.0  # no image of any seed has a longer diagonal: what the design gives as the worst distance
LARGEST_BYTES = 150_000  # of a file
NO_KIDNEY, NO_LIVER = 0.2, 0.15  # parts of the cases
PIXELS_MM = tuple(4 + n / 16 for n in range(17))  # in sixteenths: single-precision headers hold them exactly
SLICES_MM = (5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0)
NOISE_HU = (8.0, 24.0)  # standard deviation
NOISE_PIXELS = 0.6  # sigma of the smoothing that neighbouring pixels share it by
_FINER = (4, 3, 3)  # points in a voxel along z, y and x, of which its contents are counted
_MARGIN_MM = 8.0  # of air around the body
_FIELD_MM = 165.0  # length along z, rounded up to whole slices
_BOTTOM_MM = -105.0  # lower end of the field of view
_BELOW_LIVER_MM = -55.0  # no liver reaches down to here: its half axis and bumps are 50 mm at most
_ID_BITS = 40
_SALT = b"braggbook.organ_segmentation/1\0"  # so that one seed text gives other cases elsewhere
_ABOUT = (
    "CT-like phantoms of a child's upper abdomen: smooth random bodies, contents of a voxel averaged over "
    f"{math.prod(_FINER)} points in it, Gaussian noise of {NOISE_HU[0]:g} to {NOISE_HU[1]:g} HU by case that "
    f"neighbouring pixels of a slice share (sigma {NOISE_PIXELS:g} pixel). No patient is behind them."
)


@dataclass(frozen=True)
class Blob:
    """An ellipsoid with bumps.

    Attributes:
        centre: LPS mm (x, y, z).
        half: Half axes in mm.
        axes: (3, 3), unit vectors along the half axes.
        waves: (n, 3), how often and in which direction a bump comes back.
        phases: (n), radians.
        heights: (n), in parts of the radius.
    """

    centre: Floats
    half: Floats
    axes: Floats
    waves: Floats
    phases: Floats
    heights: Floats

    @classmethod
    def draw(
        cls, rng: np.random.Generator, *, centre: Floats, half: Floats, bumps: float = 0.035, tilt: float = 0.2
    ) -> Blob:
        """Draws one: bumps in parts of the radius, tilt in radians about each axis at most."""
        waves = rng.standard_normal((3, 3))
        waves *= rng.uniform(2.0, 3.5, (3, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
        axes = _rotation(rng.uniform(-tilt, tilt, 3))
        return cls(centre, half, axes, waves, rng.uniform(0, 2 * np.pi, 3), rng.uniform(-bumps, bumps, 3))

    @property
    def reach_mm(self) -> float:
        """A distance from the centre that nothing of it is beyond."""
        return float(self.half.max() * (1 + np.abs(self.heights).sum()))

    def is_inside(self, x: Floats, y: Floats, z: Floats) -> Inside:
        """Returns which points are in it; arrays that broadcast."""
        place = np.stack(np.broadcast_arrays(x - self.centre[0], y - self.centre[1], z - self.centre[2]), axis=-1)
        place = place @ self.axes.T / self.half
        radius = np.linalg.norm(place, axis=-1)
        towards = place / np.maximum(radius, np.finfo(np.float64).tiny)[..., None]
        inside: Inside = radius <= 1 + np.cos(towards @ self.waves.T + self.phases) @ self.heights
        return inside


def _rotation(angles: Floats) -> Floats:
    """Returns the rotation (3, 3) about x, then y, then z."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turned: Floats = about_z @ about_y @ about_x
    return turned


@dataclass
class Canvas:
    """What is where, at the points in all voxels: HU, and the label of the organ or 0.

    Attributes:
        x, y, z: LPS mm of the points along each axis.
        hu: (z, y, x).
        labels: (z, y, x).
    """

    x: Floats
    y: Floats
    z: Floats
    hu: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, grid: Grid, *, centre_mm: Floats) -> Canvas:
        """Begins with air; ``centre_mm`` is where the body's origin is in the grid's coordinates."""
        fine = grid.refined(_FINER)
        x, y, z = (
            fine.affine[axis, axis] * np.arange(length) + fine.affine[axis, 3] - centre_mm[axis]
            for axis, length in enumerate(fine.shape[::-1])
        )
        return cls(x, y, z, np.full(fine.shape, -1000, np.float32), np.zeros(fine.shape, np.uint8))

    def box(self, blob: Blob) -> tuple[slice, slice, slice]:
        """Returns the part that a blob lies in."""
        found = []
        for axis, centre in zip((self.z, self.y, self.x), blob.centre[::-1], strict=True):
            near = np.flatnonzero(np.abs(axis - centre) <= blob.reach_mm)
            found.append(slice(near[0], near[-1] + 1) if len(near) else slice(0, 0))
        return found[0], found[1], found[2]

    def paint(self, blob: Blob, hu: float, *, within: Inside, label: int = 0) -> None:
        """Puts a blob in the place of what was there, where that is allowed (z, y, x)."""
        part = self.box(blob)
        z, y, x = self.z[part[0], None, None], self.y[None, part[1], None], self.x[None, None, part[2]]
        there = blob.is_inside(x, y, z) & within[part]
        self.hu[part][there] = hu
        self.labels[part][there] = label


def draw_case(rng: np.random.Generator) -> tuple[Grid, npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Draws a case.

    Returns:
        Its grid, image in HU and labels, (z, y, x) both.
    """
    has_kidney, has_liver = rng.uniform() >= NO_KIDNEY, rng.uniform() >= NO_LIVER
    body = np.array([rng.uniform(100, 118), rng.uniform(70, 82)])
    grid, centre_mm = _draw_grid(rng, body, has_liver=has_liver)
    canvas = Canvas.of(grid, centre_mm=centre_mm)
    trunk = _paint_trunk(rng, canvas, body)
    _paint_bowel(rng, canvas, trunk)
    _paint_organs(rng, canvas, trunk, has_kidney=has_kidney)
    _paint_aorta(rng, canvas)
    _paint_spine(rng, canvas)
    hu = _by_voxel(canvas.hu) + _noise(rng, grid.shape)
    shares = np.stack([_by_voxel(canvas.labels == label) for label in (0, *LABELS.values())])
    labels = np.where(shares.max(axis=0) >= 0.5, shares.argmax(axis=0), 0).astype(np.uint8)
    return grid, np.clip(np.rint(hu), -1024, 3071).astype(np.int16), labels


def _draw_grid(rng: np.random.Generator, body: Floats, *, has_liver: bool) -> tuple[Grid, Floats]:
    """Draws voxels, field of view and position on the table; some images have rows that run to the patient's right."""
    pixel, step = float(rng.choice(PIXELS_MM)), float(rng.choice(SLICES_MM))
    columns, rows = (math.ceil(2 * (half + _MARGIN_MM) / pixel) for half in body)
    slices = math.ceil(_FIELD_MM / step)
    bottom = _BOTTOM_MM if has_liver else _BELOW_LIVER_MM - slices * step
    right = -1 if rng.uniform() < 0.5 else 1
    table = np.array([rng.integers(-80, 81) / 4, rng.integers(-240, 1) / 4, rng.integers(-4000, 4001) / 4])
    first = table + np.array([-right * (columns - 1) * pixel / 2, -(rows - 1) * pixel / 2, bottom + step / 2])
    grid = Grid.from_axes(
        (slices, rows, columns),
        spacing_mm=(step, pixel, pixel),
        origin_mm=(float(first[0]), float(first[1]), float(first[2])),
        directions=((right, 0, 0), (0, 1, 0), (0, 0, 1)),
    )
    return grid, table


def _paint_trunk(rng: np.random.Generator, canvas: Canvas, body: Floats) -> Inside:
    """Paints fat and soft tissue; returns (z, y, x) what is inside of the fat."""
    fat_mm = rng.uniform(5, 12)
    height, phase = rng.uniform(0, 0.03), rng.uniform(0, 2 * np.pi)
    angle = np.arctan2(canvas.y[:, None], canvas.x[None, :])
    wavy = 1 - height + height * np.cos(2 * angle + phase)
    inside = []
    for across, along in (body, body - fat_mm):
        radius = (np.abs(canvas.x[None, :] / across) ** 2.5 + np.abs(canvas.y[:, None] / along) ** 2.5) ** 0.4
        inside.append(radius <= wavy)
    canvas.hu[:, inside[0]] = rng.uniform(-115, -95)
    canvas.hu[:, inside[1]] = rng.uniform(25, 50)
    return np.broadcast_to(inside[1], canvas.hu.shape)


def _paint_bowel(rng: np.random.Generator, canvas: Canvas, trunk: Inside) -> None:
    """Paints loops with fluid, and gas in some of them."""
    for _ in range(rng.integers(4, 9)):
        centre = np.array([rng.uniform(-60, 70), rng.uniform(-45, 0), rng.uniform(-170, -35)])
        half = rng.uniform(8, 17, 3)
        canvas.paint(Blob.draw(rng, centre=centre, half=half), rng.uniform(5, 35), within=trunk)
        if rng.uniform() < 0.4:
            canvas.paint(Blob.draw(rng, centre=centre, half=half * 0.6), -900, within=trunk)


def _paint_organs(rng: np.random.Generator, canvas: Canvas, trunk: Inside, *, has_kidney: bool) -> None:
    """Paints spleen, liver with spots, and kidneys."""
    spleen = Blob.draw(rng, centre=_near(rng, 62, 18, 8), half=_half(rng, (17, 25, 28)))
    liver = Blob.draw(rng, centre=_near(rng, -38, -8, 0, most=2), half=_half(rng, (52, 44, 40)), tilt=0.08)
    canvas.paint(spleen, rng.uniform(105, 135), within=trunk)
    canvas.paint(liver, rng.uniform(95, 125), within=trunk, label=LABELS["liver"])
    for _ in range(rng.integers(0, 4)):
        place = liver.centre + rng.uniform(-0.5, 0.5, 3) * liver.half
        spot = Blob.draw(rng, centre=place, half=rng.uniform(5, 12, 3))
        canvas.paint(spot, rng.uniform(30, 65), within=canvas.labels == LABELS["liver"], label=LABELS["liver"])
    hu = rng.uniform(160, 205)
    for side in (-1, 1):
        kidney = Blob.draw(rng, centre=_near(rng, side * 45, 30, -62), half=_half(rng, (16, 15, 33)))
        if side < 0 or has_kidney:
            canvas.paint(kidney, hu, within=trunk, label=LABELS["left_kidney"] if side > 0 else 0)


def _near(rng: np.random.Generator, *place: float, most: float = 5) -> Floats:
    """Returns a place in mm that is this one within some mm along each axis."""
    near: Floats = np.array(place) + rng.uniform(-most, most, 3)
    return near


def _half(rng: np.random.Generator, half: tuple[float, float, float]) -> Floats:
    """Returns half axes that are these within a tenth."""
    drawn: Floats = np.array(half) * rng.uniform(0.9, 1.1, 3)
    return drawn


def _paint_aorta(rng: np.random.Generator, canvas: Canvas) -> None:
    """Paints a vessel in front of the spine, as bright as kidneys are."""
    x, y, radius = rng.uniform(4, 10), rng.uniform(16, 20), rng.uniform(5, 7)
    inside = np.hypot(canvas.x[None, :] - x, canvas.y[:, None] - y) <= radius
    canvas.hu[:, inside] = rng.uniform(170, 230)
    canvas.labels[:, inside] = 0


def _paint_spine(rng: np.random.Generator, canvas: Canvas) -> None:
    """Paints vertebrae with the discs between them, and a process behind each; all of it has the label."""
    length, wave = rng.uniform(22, 27), rng.uniform(160, 260)
    z = canvas.z[:, None, None]
    x = canvas.x[None, None, :] - rng.uniform(0, 6) * np.sin(2 * np.pi * z / wave + rng.uniform(0, 2 * np.pi))
    y = canvas.y[None, :, None] - 40 - rng.uniform(0, 4) * np.sin(2 * np.pi * z / wave + rng.uniform(0, 2 * np.pi))
    half = rng.uniform(14, 17), rng.uniform(11, 13)
    along = np.mod(z + rng.uniform(0, length), length) / length  # part of a vertebra and its disc
    column = (x / half[0]) ** 2 + (y / half[1]) ** 2 <= 1
    process = (np.abs(x) <= 5) & (y > 0) & (y <= half[1] + 9) & (along > 0.35) & (along < 0.85)
    bone, disc = rng.uniform(260, 420), rng.uniform(70, 100)
    there = column | process
    canvas.hu[there] = np.broadcast_to(np.where(along < 0.22, disc, bone), there.shape)[there]
    canvas.labels[there] = LABELS["spine"]


def _by_voxel(values: npt.NDArray[np.generic]) -> Floats:
    """Returns the means of the points of each voxel."""
    z, y, x = (length // finer for length, finer in zip(values.shape, _FINER, strict=True))
    means: Floats = values.reshape(z, _FINER[0], y, _FINER[1], x, _FINER[2]).mean(axis=(1, 3, 5), dtype=np.float64)
    return means


def _noise(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), (0, NOISE_PIXELS, NOISE_PIXELS), mode="wrap")
    noise: Floats = smooth * (rng.uniform(*NOISE_HU) / smooth.std())
    return noise


def write_cases(folder: Path, *, seed: str, cases: int, public: bool = False) -> list[str]:
    """Draws cases and writes ``inputs`` and ``truth`` into a folder, each with its card.

    Args:
        folder: Made where it is not there.
        seed: Text of any size; the first cases of a seed are the same, however many are drawn.
        cases: How many.
        public: Whether the cards say the seed.

    Returns:
        The ids of the cases.

    Raises:
        InputError: No case is wanted, or inputs or truth are there already.
        StorageError: The disk refuses.
    """
    parts = [folder / name for name in ("inputs", "truth")]
    if cases < 1 or (there := [str(part) for part in parts if part.exists()]):
        got = str(cases) if cases < 1 else ", ".join(there)
        raise InputError("no cases can be written", wanted="one or more, and a new folder", got=got)
    for part in parts:
        with storage(part):
            part.mkdir(parents=True)
    number = int.from_bytes(hashlib.sha256(_SALT + seed.encode()).digest(), "big")
    ids = [_write_case(folder, np.random.default_rng(one)) for one in np.random.SeedSequence(number).spawn(cases)]
    said = f" Seed: {seed!r}." if public else " The seed is not published."
    how = f"{_ABOUT} Drawn by make_cases.py of the challenge organ_segmentation.{said}"
    write_dataset_card(parts[0], title="Organ segmentation: images in HU", provenance=how)
    legend = ", ".join(f"{value} {organ.replace('_', ' ')}" for organ, value in LABELS.items())
    how += f" Labels: 0 none, {legend}; a voxel has the label of the organ that fills at least half of it."
    write_dataset_card(parts[1], title="Organ segmentation: true labels", provenance=how)
    return ids


def _write_case(folder: Path, rng: np.random.Generator) -> str:
    id = f"c{rng.integers(0, 1 << _ID_BITS):0{_ID_BITS // 4}x}"
    grid, image, labels = draw_case(rng)
    name = f"{id}.nii.gz"
    write_nifti(make_volume(image, grid, name="ct", units="HU"), folder / "inputs" / name, sidecar=False)
    write_nifti(make_volume(labels, grid, name="labels", units="1"), folder / "truth" / name, sidecar=False)
    return id


def write_dataset_card(folder: Path, *, title: str, provenance: str) -> None:
    """Writes the card of a folder of NIfTI files.

    Raises:
        InputError: A file is larger than it may be.
        StorageError: The disk refuses.
    """
    files = sorted(folder.glob("*.nii.gz"))
    for file in files:
        if (size := file.stat().st_size) > LARGEST_BYTES:
            raise InputError("too large a file", where=file.name, wanted=f"{LARGEST_BYTES} bytes", got=str(size))
    card = DatasetCard(
        title=title,
        version=1,
        license="CC-BY-4.0",
        provenance=provenance,
        keywords=("segmentation", "phantom", "CT"),
        authors=(Author(name="Braggbook contributors"),),
        files=tuple(DatasetFile(path=f.name, sha256=sha256_file(f), bytes=f.stat().st_size) for f in files),
    )
    write_card(folder / CARD_NAME, card)


def main(words: list[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description="Draws cases of the challenge organ_segmentation.")
    parser.add_argument("out", type=Path, help="folder for inputs and truth")
    parser.add_argument("--seed", help="text; without it 128 random bits are made and printed")
    parser.add_argument("--cases", type=int, default=20, help="how many (20)")
    parser.add_argument("--public", action="store_true", help="write the seed into the cards: for a public twin")
    given = parser.parse_args(words)
    seed = secrets.token_hex(16) if given.seed is None else given.seed
    try:
        ids = write_cases(given.out, seed=seed, cases=given.cases, public=given.public)
    except BraggbookError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    made = f", seed {seed}: keep it as you keep the truth" if given.seed is None else ""
    sys.stdout.write(f"{len(ids)} cases in {given.out}{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
