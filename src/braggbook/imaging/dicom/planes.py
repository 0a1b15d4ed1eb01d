"""From the positions of planes to a regular grid: order, spacing, gaps, and gantry tilt.

Only ImagePositionPatient and ImageOrientationPatient decide. InstanceNumber, SliceLocation, SliceThickness,
SpacingBetweenSlices and the names of files say nothing about where a plane is (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.geometry import SAME_MM, Grid

Floats = npt.NDArray[np.float64]
Gaps = Literal["refuse", "mark"]
Tilt = Literal["keep", "deskew", "refuse"]

SPACING_MM = 0.1  # a step may differ from the median by this much: positions are rounded to 0.1 mm by some scanners
SPACING_RELATIVE = 0.02  # or by this part of it, for thick slices
SPACING_MOST = 0.25  # of the spacing: never more, so that the rule also holds for voxels of 0.1 mm and less
SIDEWAYS_MM = 0.1  # planes that are shifted in their plane by less over the whole stack stand upright
_NEAR = 0.02  # of the usual step: planes that are one place but for rounding or motion
_MOST_MARKED = 1000  # missing slices: a hostile position must not ask for endless memory


@dataclass(frozen=True)
class Planes:
    """Where the planes of a stack are.

    Attributes:
        grid: Of the volume that they fill; skewed when the gantry was tilted.
        index: Slice index of every plane, ascending from 0; numbers that are left out are missing slices.
        jitter_mm: Largest difference of a step from the median one.
        off_grid_mm: Largest distance of a plane from its place in the grid, along the normal.
        tilt_deg: Angle between the planes' normal and the step from one to the next.
        thickness: Where the spacing of a single plane came from; empty for more than one.
        drift: Whether the spacing is the mean one, since the median one would leave the planes on the way.
    """

    grid: Grid
    index: tuple[int, ...]
    jitter_mm: float = 0.0
    off_grid_mm: float = 0.0
    tilt_deg: float = 0.0
    thickness: str = ""
    drift: bool = False

    @property
    def missing(self) -> tuple[int, ...]:
        """Slice indices that no plane fills."""
        return tuple(sorted(set(range(self.grid.shape[0])) - set(self.index)))


def normal_of(frame: Frame) -> Floats:
    """Returns (3,) the unit normal of a plane: row direction x column direction."""
    row, column = frame.orientation
    normal = np.cross(row, column)
    unit: Floats = normal / np.linalg.norm(normal)
    return unit


def distances(frames: Sequence[Frame]) -> Floats:
    """Returns (n,) mm: positions of planes projected on the normal of the first one."""
    projected: Floats = np.array([frame.position_mm for frame in frames]) @ normal_of(frames[0])
    return projected


def tolerance_mm(spacing_mm: float) -> float:
    """Returns by how much a step may differ from the usual one."""
    return min(max(SPACING_MM, SPACING_RELATIVE * spacing_mm), SPACING_MOST * spacing_mm)


def place_planes(frames: Sequence[Frame], *, gaps: Gaps = "refuse", tilt: Tilt = "keep") -> Planes:
    """Finds the grid of planes that are in order along their normal.

    Args:
        frames: Planes of one orientation and shape, sorted by :func:`distances`, no two at one place.
        gaps: ``"refuse"`` missing slices, or ``"mark"`` them: their indices are left out.
        tilt: ``"refuse"`` a tilted gantry, or ``"keep"`` it as a skewed grid (``"deskew"`` starts from the same).

    Raises:
        DicomError: Slices are missing, unevenly spaced, shifted sideways, or tilted where that is refused.
    """
    if len(frames) == 1:
        return _single(frames[0])
    along = distances(frames)
    step, index = _steps(frames, along, gaps)
    spacing, off_grid, drift = _spacing(frames, along, index, step)
    sideways, tilt_deg = _sideways(frames, along, index, spacing)
    if tilt_deg and tilt == "refuse":
        got = f"{tilt_deg:.2f} degrees"
        raise DicomError(
            "a tilted gantry", where=str(frames[0]), wanted="slices at right angles to their step", got=got
        )
    jitter = np.abs(np.diff(along) / np.diff(index) - step).max()
    affine = _affine(frames[0], normal_of(frames[0]) * spacing + sideways)
    grid = Grid((index[-1] + 1, *frames[0].shape), affine)
    return Planes(grid, tuple(index), float(jitter), off_grid, tilt_deg, drift=drift)


def _single(frame: Frame) -> Planes:
    thickness, origin = _thickness(frame)
    return Planes(Grid((1, *frame.shape), _affine(frame, normal_of(frame) * thickness)), (0,), thickness=origin)


def _thickness(frame: Frame) -> tuple[float, str]:
    measures = frame.groups.get("PixelMeasuresSequence")
    places = (measures, frame.header.dataset) if measures is not None else (frame.header.dataset,)
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        for place in places:
            value = place.get(keyword)
            if value is not None and np.isfinite(float(value)) and float(value) > 0:
                return float(value), keyword
    return 1.0, "nothing: 1 mm stands for a thickness that is not written"


def _affine(frame: Frame, step: Floats) -> Floats:
    """Returns (4, 4) after PS3.3 equation C.7.6.2.1-1: PixelSpacing is [between rows, between columns]."""
    row, column = frame.orientation
    dy, dx = frame.spacing_mm
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * dx, column * dy, step
    affine[:3, 3] = frame.position_mm
    return affine


def _steps(frames: Sequence[Frame], along: Floats, gaps: Gaps) -> tuple[float, list[int]]:
    """Returns the median step and the slice index of every plane."""
    steps = np.diff(along)
    median = float(np.median(steps))
    if np.abs(steps - median).min() > tolerance_mm(median):
        median = float(np.sort(steps)[(len(steps) - 1) // 2])  # a step that is there, not half-way between two
    allowed = tolerance_mm(median)
    counts = np.maximum(1, np.rint(steps / median)).astype(int)
    uneven = np.abs(steps - counts * median) > allowed * counts
    if uneven.any():
        raise _uneven(frames, steps, median, np.flatnonzero(uneven))
    if (counts > 1).any() and (gaps == "refuse" or counts.sum() - len(counts) > _MOST_MARKED):
        raise _gap(frames, steps, median, np.flatnonzero(counts > 1))
    return median, [0, *np.cumsum(counts).tolist()]


def _uneven(frames: Sequence[Frame], steps: Floats, median: float, which: npt.NDArray[np.intp]) -> DicomError:
    wanted = f"{median:.4g} mm, the median step, within {tolerance_mm(median):.3g} mm"
    issues = [_at(frames, number, "a step of another length", wanted, f"{steps[number]:.4f} mm") for number in which]
    command = "slices at uneven distances are no regular grid: read the series in parts, or complete it"
    return DicomError(
        "slices at uneven distances",
        where=str(frames[which[0] + 1]),
        wanted=wanted,
        next_command=command,
        issues=issues,
    )


def _gap(frames: Sequence[Frame], steps: Floats, median: float, which: npt.NDArray[np.intp]) -> DicomError:
    wanted = f"a slice every {median:.4g} mm"
    issues = [
        _at(frames, number, f"a gap of {steps[number]:.2f} mm", wanted, f"{steps[number]:.4f} mm") for number in which
    ]
    z = distances(frames)[which[0]]
    what = f"missing slices: a gap of {steps[which[0]]:.2f} mm after z = {z:.2f} mm"
    command = 'complete the series, or read_dicom(..., gaps="mark") to have NaN where slices are missing'
    got = f"{len(which)} {'gap' if len(which) == 1 else 'gaps'}"
    return DicomError(what, where=str(frames[which[0]]), wanted=wanted, got=got, next_command=command, issues=issues)


def _at(frames: Sequence[Frame], number: int, what: str, wanted: str, got: str) -> Issue:
    places = [f"{position:.2f}" for position in distances(frames)[number : number + 2]]
    return Issue(f"{what} between {places[0]} and {places[1]} mm", str(frames[number + 1]), wanted, got)


def _spacing(frames: Sequence[Frame], along: Floats, index: Sequence[int], step: float) -> tuple[float, float, bool]:
    """Returns the grid's spacing: the median step, or the mean one if rounding would add up beyond the tolerance."""
    number = np.asarray(index)
    for spacing, drift in ((step, False), (float((along[-1] - along[0]) / number[-1]), True)):
        off = float(np.abs(along - along[0] - spacing * number).max())
        if off <= tolerance_mm(spacing):
            return spacing, off, drift
    wanted = f"every slice within {tolerance_mm(step):.3g} mm of a regular grid"
    what = "slices at uneven distances"
    raise DicomError(what, where=str(frames[0]), wanted=wanted, got=f"up to {off:.3f} mm away")


def _sideways(frames: Sequence[Frame], along: Floats, index: Sequence[int], spacing: float) -> tuple[Floats, float]:
    """Returns by how much a plane is shifted in its plane against the one before it, and the angle in degrees."""
    number = np.asarray(index, dtype=np.float64)
    moved = np.array([frame.position_mm for frame in frames])
    moved = moved - moved[0] - (along - along[0])[:, None] * normal_of(frames[0])
    if np.linalg.norm(moved, axis=1).max() <= SIDEWAYS_MM:
        return np.zeros(3), 0.0
    each: Floats = moved[-1] / number[-1]
    off = np.linalg.norm(moved - number[:, None] * each, axis=1)
    if off.max() > SIDEWAYS_MM:
        worst = int(off.argmax())
        got = f"{off[worst]:.3f} mm"
        wanted = f"planes shifted evenly, within {SIDEWAYS_MM} mm"
        raise DicomError("a slice that is shifted sideways", where=str(frames[worst]), wanted=wanted, got=got)
    return each, float(np.degrees(np.arctan2(np.linalg.norm(each), spacing)))


def apart(along: Floats) -> list[list[int]]:
    """Returns the planes at every place: lists of indices into ``along``, places ascending.

    Planes are at one place within 0.001 mm; or within a fiftieth of the usual step, where some are so near each other
    and none is between that and a quarter of it: positions of one slice differ a little from time to time.
    """
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    near = SAME_MM
    large = steps[steps > SPACING_MM]
    if large.size and not ((steps > _NEAR * np.median(large)) & (steps < SPACING_MOST * np.median(large))).any():
        near = max(near, min(SPACING_MM, _NEAR * float(np.median(large))))
    places: list[list[int]] = []
    for number in order.tolist():
        if places and along[number] - along[places[-1][0]] <= near:
            places[-1].append(number)
        else:
            places.append([number])
    return places
