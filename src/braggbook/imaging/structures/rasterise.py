"""Structures as masks on a grid, and as the share of each voxel that they cover.

The rule, which ``docs/explain/masks.md`` explains:

- Insideness in a plane is even-odd over all closed contours in it: holes, islands in holes and keyholes need no mark.
- A voxel is in when its centre is. A centre exactly on an edge is in when the inside lies towards growing indices, so
  that of two structures with a common edge exactly one has it.
- A contour's plane stands for a slab that reaches half way to its neighbours, and half a thickness at the ends. A voxel
  belongs to the slab that its centre is in; nothing is interpolated unless asked for.

Sources: DICOM PS3.3 C.8.8.6 (contours, exclusive disjunction); Hormann and Agathos 2001, Comput. Geom. 20 131 (even-odd
with shared edges); Raya and Udupa 1990, IEEE Trans. Med. Imaging 9 32 (shape-based interpolation).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.contours import Structure
from braggbook.imaging.structures.planes import FLAT_MM, Planes, contour_planes, ring_extents, slabs_mm, thickness_mm
from braggbook.imaging.structures.scanline import ONE, REACH, bin_edges, cover, fill, fill_oblique, plane_edges
from braggbook.imaging.volumes import make_volume

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

SAMPLES = 8  # along each direction of a voxel where a covered share is sampled
TIE = 1e-4  # of a slice: slab ends nearer to a slice than this count as on it, as decimals in files are rounded
_BUDGET = 100_000_000  # edges that a plane's exact coverage may visit: some seconds; then it is sampled
_SAMPLED_BYTES = 1 << 24  # of points in pixels at a time
_AREA_SAMPLES = 4096  # along each side of the box around contours whose exact area takes too long
_WORTH_THREADS = 200_000  # points and pixels below which threads cost more than they save
_MOST_BINS = 1024
_MOST_REFERENCES = 8_000_000  # of edges in bins: 64 MB
_RULE = "even-odd per plane; a voxel is in when its centre is"


@dataclass(frozen=True, eq=False)
class _Job:
    """A stack of planes on a grid.

    Attributes:
        grid: To fill.
        planes: Of contours.
        slabs_mm: (P, 2) along the planes' normal.
        axis: Of the array (z, y, x), along the normal; None where no axis is.
    """

    grid: Grid
    planes: Planes
    slabs_mm: Floats
    axis: int | None


def structure_mask(
    structure: Structure,
    grid: Grid,
    *,
    coverage: bool = False,
    interpolate: bool = False,
    plane_thickness_mm: float | None = None,
    workers: int | None = None,
) -> xr.DataArray:
    """Returns which voxels of a grid are in a structure, or how much of each is.

    Args:
        structure: Of contours in LPS mm.
        grid: Of any orientation, also skewed; contours may lie between its slices or at an angle to them.
        coverage: Give the covered share of each voxel, 0 to 1, instead of whether its centre is in. Where planes are
            parallel to a face of the voxels it is the exact share; else of 8 x 8 x 8 points, which is off by up to
            1/8 on a voxel that an edge passes. ``attrs["method"]`` says which.
        interpolate: Fill slices between two contour planes with the shape between theirs (linear in the signed
            distance), also across gaps.
        plane_thickness_mm: What a plane stands for at its ends and gaps; by default what the contours say, their usual
            distance, or for a single plane that of the structure set or the grid.
        workers: Threads; by default as many as processors.

    Returns:
        (z, y, x) bool, or float32 with ``coverage``; ``attrs`` has ``structure``, ``number``, ``rule``, ``method``,
        ``plane_thickness_mm`` and ``issues`` (texts). A structure without an area gives an empty mask and says so.

    Raises:
        ImagingError: Contours that are not usable, not flat, or in planes of several directions; a thickness that is
            none; interpolation of planes at an angle to the grid, or of coverage.
    """
    _check_kinds(structure, grid)
    planes = contour_planes(structure)
    issues = [str(issue) for issue in structure.issues]
    attrs: dict[str, Any] = {"structure": structure.name, "number": structure.number, "rule": _RULE, "issues": issues}
    if planes is None:
        attrs["issues"] = issues or ["no closed contour: the mask is empty"]
        empty: Any = np.zeros(grid.shape, np.float32 if coverage else np.bool_)
        return make_volume(empty, grid, name="mask", units="1", attrs={**attrs, "method": "empty"})
    axis = _axis_along(planes, grid)
    step = abs(float(planes.normal @ grid.affine[:3, 2 - axis])) if axis is not None else min(grid.spacing_mm)
    thickness = _checked(plane_thickness_mm) or thickness_mm(planes, structure, default_mm=step)
    job = _Job(grid, planes, slabs_mm(planes.positions_mm, thickness), axis)
    attrs["plane_thickness_mm"] = thickness
    if interpolate and (coverage or axis is None):
        what = "planes at an angle to the grid" if axis is None else "coverage"
        raise ImagingError(f"cannot interpolate {what}", where=structure.name, wanted="interpolate=False")
    threads = workers or os.cpu_count() or 1
    data: Any
    try:
        if coverage:
            data, attrs["method"] = _coverage(job, threads)
        else:
            data, attrs["method"] = _mask(job, threads).view(np.bool_), "voxel centres"
    except MemoryError:
        got = " x ".join(map(str, grid.shape))
        raise ImagingError(
            "a mask too large for memory", where=structure.name, wanted="a smaller grid", got=got
        ) from None
    issues += _beyond(planes, grid, data)
    if interpolate:
        _fill_between(job, data)
        attrs["method"] = "voxel centres; shapes between planes interpolated by signed distance"
    return make_volume(data, grid, name="mask", units="1", attrs=attrs)


def _check_kinds(structure: Structure, grid: Grid) -> None:
    if not isinstance(structure, Structure):
        wanted = "a Structure, as read_structures returns"
        raise ImagingError("not a structure", where="structure", wanted=wanted, got=type(structure).__name__)
    if not isinstance(grid, Grid):
        wanted = "a Grid; of a volume it is grid_of(volume)"
        raise ImagingError("not a grid", where="grid", wanted=wanted, got=type(grid).__name__)


def _beyond(planes: Planes, grid: Grid, data: Any) -> list[str]:
    """Returns that some contours lie beyond the grid's voxels, if they do."""
    index = grid.to_index(np.concatenate([ring for rings in planes.rings for ring in rings]))
    first, last = -0.5 - TIE, np.array(grid.shape[::-1]) - 0.5 + TIE
    if ((index >= first) & (index <= last)).all():
        return []
    part = "that part is not in the mask" if data.any() else "the mask is empty"
    return [f"the structure reaches beyond the grid: {part}"]


def structure_volume_cc(structure: Structure, *, plane_thickness_mm: float | None = None) -> float:
    """Returns the volume of a structure from its polygons alone: the sum of exact area times slab thickness, in cc.

    Args:
        structure: Of contours in LPS mm.
        plane_thickness_mm: As in :func:`structure_mask`.

    Raises:
        ImagingError: As :func:`structure_mask` does; or a single plane whose thickness nobody knows.
    """
    planes = contour_planes(structure)
    if planes is None:
        return 0.0
    thickness = _checked(plane_thickness_mm) or thickness_mm(planes, structure, default_mm=0.0)
    if not thickness:
        wanted = "plane_thickness_mm=..."
        raise ImagingError("a single plane of unknown thickness", where=structure.name, wanted=wanted)
    slabs = slabs_mm(planes.positions_mm, thickness)
    areas = plane_areas_mm2(planes)
    return float((areas * (slabs[:, 1] - slabs[:, 0])).sum() / 1000)


def plane_areas_mm2(planes: Planes) -> Floats:
    """Returns the area inside the contours of each plane, by even-odd.

    It is exact, unless contours cross one another some million times: then 4096 x 4096 points in their box are counted.

    Args:
        planes: As :func:`braggbook.imaging.structures.planes.contour_planes` gives them.

    Returns:
        (P,) mm².
    """
    along = np.eye(3)[int(np.argmin(np.abs(planes.normal)))]
    across = np.cross(planes.normal, along)
    across /= np.linalg.norm(across)
    basis = np.stack([np.cross(across, planes.normal), across])
    areas = np.empty(len(planes.rings))
    for number, rings in enumerate(planes.rings):
        flat = np.concatenate(rings) @ basis.T
        low = flat.min(axis=0)
        size = np.maximum(flat.max(axis=0) - low, np.finfo(np.float64).tiny)
        unit, pixel = (flat - low) / size, np.zeros((1, 1))
        starts = _starts(rings)
        share = (
            pixel[0, 0] if cover(_column(unit, 0), _column(unit, 1), starts, pixel, _BUDGET) else _share(unit, starts)
        )
        areas[number] = share * size[0] * size[1]
    return areas


def _share(unit: Floats, starts: npt.NDArray[np.int64]) -> float:
    """Returns the share of the unit square that is inside, by points."""
    points = np.zeros((_AREA_SAMPLES, _AREA_SAMPLES), np.uint8)
    lattice = np.rint((unit * _AREA_SAMPLES - 0.5) * ONE).astype(np.int64)
    fill(np.ascontiguousarray(lattice[:, 0]), np.ascontiguousarray(lattice[:, 1]), starts, points)
    return float(points.mean())


def _checked(thickness: float | None) -> float | None:
    if thickness is not None and not (np.isfinite(thickness) and thickness > 0):
        raise ImagingError("not a thickness", where="plane_thickness_mm", wanted="above 0 mm", got=str(thickness))
    return thickness


def _starts(rings: Sequence[Floats]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *(len(ring) for ring in rings)]).astype(np.int64)


def _column(points: Floats, which: int) -> Floats:
    return np.ascontiguousarray(points[:, which])


def _axis_along(planes: Planes, grid: Grid) -> int | None:
    """Returns the axis of the array whose slices the planes are parallel to, within the flatness of contours."""
    columns = grid.affine[:3, :3].T
    reach = float(ring_extents([ring for rings in planes.rings for ring in rings]).max())
    for axis in range(3):
        normal = np.cross(columns[(axis + 1) % 3], columns[(axis + 2) % 3])
        off = np.linalg.norm(np.cross(planes.normal, normal / np.linalg.norm(normal)))
        if off * reach <= FLAT_MM:
            return 2 - axis
    return None


def _mask(job: _Job, threads: int) -> Bytes:
    """Returns (z, y, x) uint8, 1 where a voxel's centre is in."""
    if job.axis is None:
        return _oblique_mask(job, threads)
    out = np.zeros(job.grid.shape, np.uint8)
    slices = np.moveaxis(out, job.axis, 0)
    places, bounds = _slab_indices(job)

    def fill_plane(number: int) -> None:
        begin, end = bounds[number]
        if begin >= end:
            return
        plane = slices[begin] if slices[begin].flags.c_contiguous else np.zeros(slices.shape[1:], np.uint8)
        if lattice := _lattice(job, number):
            fill(*lattice, plane)
        for index in range(begin, end):
            if plane.base is None or index != begin:
                slices[index] = plane

    _each(fill_plane, len(places), threads, size=_work(job))
    return out


def _work(job: _Job) -> int:
    """Returns how many points and pixels there are to look at: of the boxes around rings, on all slices of slabs."""
    rings = [ring for plane in job.planes.rings for ring in plane]
    largest = np.sort(ring_extents(rings), axis=1)[:, 1:].prod(axis=1).max()
    slices = float(np.diff(job.slabs_mm, axis=1).sum())
    return _points(rings) + int(min(largest * slices / job.grid.voxel_mm3, float(np.prod(job.grid.shape))))


def _points(rings: Sequence[Floats]) -> int:
    return sum(len(ring) for ring in rings)


def _each(work: Callable[[int], None], count: int, threads: int, *, size: int) -> None:
    """Calls ``work`` with 0 to ``count`` - 1, in threads where there is enough to do."""
    if threads < 2 or count < 2 or size < _WORTH_THREADS:
        for number in range(count):
            work(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(count)):
            pass


def _slab_indices(job: _Job) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Returns each plane's place along the axis in slices, and the slices from (in) and to (out) of its slab."""
    places, edges = _slab_edges(job)
    count = job.grid.shape[job.axis or 0]
    bounds = np.ceil(edges - TIE)
    return places, np.clip(bounds, 0, count).astype(np.int64)


def _slab_edges(job: _Job) -> tuple[Floats, Floats]:
    """Returns each plane's place along the axis in slices, and where its slab begins and ends."""
    axis = 2 - (job.axis or 0)
    step = float(job.planes.normal @ job.grid.affine[:3, axis])
    first = float(job.planes.normal @ job.grid.affine[:3, 3])
    places = (job.planes.positions_mm - first) / step
    edges = np.sort((job.slabs_mm - first) / step, axis=1)
    return places, edges


def _in_plane(job: _Job, number: int) -> tuple[Floats, Floats] | None:
    """Returns columns and rows of a plane's points on a slice; None where all are beside it."""
    index = job.grid.to_index(np.concatenate(job.planes.rings[number]))
    across = [axis for axis in range(3) if axis != 2 - (job.axis or 0)]
    u, v = index[:, across[0]], index[:, across[1]]
    rows, columns = (job.grid.shape[2 - axis] for axis in reversed(across))
    if u.max() < -1 or v.max() < -1 or u.min() > columns or v.min() > rows:
        return None
    return u, v


def _lattice(job: _Job, number: int) -> tuple[Any, Any, Any] | None:
    """Returns a plane's rings as :func:`fill` takes them; None where all are beside the grid."""
    found = _in_plane(job, number)
    if found is None:
        return None
    u, v = found
    if max(np.abs(u).max(), np.abs(v).max()) >= REACH:
        where = f"plane at {job.planes.positions_mm[number]:g} mm"
        got = f"{max(np.abs(u).max(), np.abs(v).max()):.0f} voxels"
        raise ImagingError("a contour far from the grid", where=where, wanted=f"within {REACH} voxels", got=got)
    lattice = (np.rint(values * ONE).astype(np.int64) for values in (u, v))
    return (*lattice, _starts(job.planes.rings[number]))  # type: ignore[return-value]


def _coverage(job: _Job, threads: int) -> tuple[npt.NDArray[np.float32], str]:
    """Returns (z, y, x) float32, the covered share of each voxel, and how it was found."""
    if job.axis is None:
        return _sampled(job, threads), f"{SAMPLES} x {SAMPLES} x {SAMPLES} points in each voxel"
    out = np.zeros(job.grid.shape, np.float32)
    slices = np.moveaxis(out, job.axis, 0)
    _, edges = _slab_edges(job)
    sampled: list[int] = []

    def cover_plane(number: int) -> None:
        begin, end = edges[number]
        first, last = max(int(np.floor(begin + 0.5)), 0), min(int(np.ceil(end + 0.5)), len(slices))
        found = _in_plane(job, number) if first < last else None
        if found is None:
            return
        share = np.zeros(slices.shape[1:])
        u, v = found
        starts = _starts(job.planes.rings[number])
        if not cover(u + 0.5, v + 0.5, starts, share, _BUDGET):
            share = _sampled_plane(job, number, share.shape)
            sampled.append(number)
        np.clip(share, 0, 1, out=share)
        for index in range(first, last):
            inside = min(end, index + 0.5) - max(begin, index - 0.5)
            if inside > TIE:
                whole = inside > 1 - TIE
                slices[index] += (share if whole else share * inside).astype(np.float32)

    # Neighbouring slabs may share a slice, and adding is no single step: even planes first, then odd ones.
    for parity in (0, 1):
        numbers = range(parity, len(edges), 2)
        _each(lambda i, numbers=numbers: cover_plane(numbers[i]), len(numbers), threads, size=_work(job))  # type: ignore[misc]
    how = f"; {len(sampled)} planes by {SAMPLES} x {SAMPLES} points in each pixel" if sampled else ""
    return np.minimum(out, 1), f"exact area of each pixel times the slab's share of the slice{how}"


def _sampled_plane(job: _Job, number: int, shape: tuple[int, int]) -> Floats:
    """Returns the covered share of each pixel by points in it, some rows at a time to bound memory."""
    found = _in_plane(job, number)
    share = np.zeros(shape)
    if found is None:
        return share
    u, v = (((values + 0.5) * SAMPLES - 0.5) for values in found)
    starts = _starts(job.planes.rings[number])
    columns = np.clip(np.rint(u * ONE), -REACH * ONE, REACH * ONE).astype(np.int64)
    height = max(1, _SAMPLED_BYTES // (shape[1] * SAMPLES**2))
    for row in range(0, shape[0], height):
        count = min(height, shape[0] - row)
        rows = np.clip(np.rint((v - row * SAMPLES) * ONE), -REACH * ONE, REACH * ONE).astype(np.int64)
        points = np.zeros((count * SAMPLES, shape[1] * SAMPLES), np.uint8)
        fill(columns, rows, starts, points)
        share[row : row + count] = points.reshape(count, SAMPLES, shape[1], SAMPLES).mean(axis=(1, 3))
    return share


def _oblique_mask(job: _Job, threads: int) -> Bytes:
    """Returns (z, y, x) uint8 for planes at an angle to every axis, a slab at a time."""
    out = np.zeros(job.grid.shape, np.uint8)
    columns = job.grid.affine[:3, :3].T
    scan = int(np.argmin(np.abs(columns @ job.planes.normal) / np.linalg.norm(columns, axis=1)))
    rows, layers = (axis for axis in (0, 1, 2) if axis != scan)
    view = out.transpose(2 - layers, 2 - rows, 2 - scan)
    along = columns[scan] - (columns[scan] @ job.planes.normal) * job.planes.normal
    along /= np.linalg.norm(along)
    basis = np.stack([along, np.cross(job.planes.normal, along), job.planes.normal])
    frame = np.empty((3, 4))
    frame[:, :3] = basis @ columns[[scan, rows, layers]].T
    frame[1, 0] = 0.0
    frame[np.abs(frame) < np.finfo(np.float64).eps * np.abs(frame).max()] = 0.0
    frame[:, 3] = basis @ job.grid.affine[:3, 3]
    chunks = _chunks(len(view), threads)

    def fill_chunk(number: int) -> None:
        begin, end = chunks[number]
        part = frame.copy()
        part[:, 3] += begin * frame[:, 2]
        for plane, slab in zip(binned, job.slabs_mm, strict=True):
            if plane is not None:
                fill_oblique(*plane, part, slab, view[begin:end])

    binned = [_binned(np.concatenate(rings) @ basis.T, rings) for rings in job.planes.rings]
    _each(fill_chunk, len(chunks), threads, size=_WORTH_THREADS)
    return out


def _chunks(length: int, threads: int) -> list[tuple[int, int]]:
    cuts = np.linspace(0, length, min(length, 4 * threads) + 1).astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(cuts)]


def _binned(flat: Floats, rings: Sequence[Floats]) -> tuple[Any, Any, Any, Any] | None:
    """Returns a plane's edges and bins of them along v, as :func:`fill_oblique` takes them; None without edges."""
    edges = plane_edges(_column(flat, 0), _column(flat, 1), _starts(rings))
    if not len(edges):
        return None
    low, high = float(edges[:, 1].min()), float(edges[:, 3].max())
    share = float((edges[:, 3] - edges[:, 1]).mean()) / (high - low)
    most = (_MOST_REFERENCES / len(edges) - 2) / max(share, 1e-6)
    bins = int(np.clip(min(len(edges), most), 1, _MOST_BINS))
    width = (high - low) / bins * (1 + 1e-12)
    return (edges, *bin_edges(edges, low, width, bins), np.array([low, width]))


def _sampled(job: _Job, threads: int) -> npt.NDArray[np.float32]:
    """Returns (z, y, x) float32, the share of points in each voxel that are in, a slice of the grid at a time."""
    out = np.zeros(job.grid.shape, np.float32)
    (z0, y0, x0), (z1, y1, x1) = _box(job)
    rows, columns = y1 - y0, x1 - x0
    if rows < 1 or columns < 1:
        return out
    for index in range(z0, z1):
        layer = job.grid.cropped((index, y0, x0), (1, rows, columns)).refined((SAMPLES, SAMPLES, SAMPLES))
        points = _oblique_mask(_Job(layer, job.planes, job.slabs_mm, None), threads)
        shares = points.reshape(SAMPLES, rows, SAMPLES, columns, SAMPLES).mean(axis=(0, 2, 4))
        out[index, y0:y1, x0:x1] = shares
    return out


def _box(job: _Job) -> tuple[list[int], list[int]]:
    """Returns the first voxel (z, y, x) that a structure's slabs may touch, and the one past the last."""
    points = np.concatenate([ring for rings in job.planes.rings for ring in rings])
    half = float((job.slabs_mm[:, 1] - job.slabs_mm[:, 0]).max()) * job.planes.normal
    index = job.grid.to_index(np.concatenate([points - half, points + half]))[:, ::-1]
    first, last = np.floor(index.min(axis=0)), np.ceil(index.max(axis=0)) + 1
    return [np.clip(edge, 0, job.grid.shape).astype(int).tolist() for edge in (first, last)]  # type: ignore[return-value]


def _fill_between(job: _Job, mask: npt.NDArray[np.bool_]) -> None:
    """Replaces the slices between neighbouring planes by the shape where the mean signed distance is inside."""
    slices = np.moveaxis(mask, job.axis or 0, 0)
    places, _ = _slab_indices(job)
    order = np.argsort(places)
    spacing = [length for axis, length in enumerate(job.grid.spacing_mm) if axis != job.axis]
    for low, high in itertools.pairwise(order):
        begin, end = places[low], places[high]
        between = range(max(int(np.ceil(begin + TIE)), 0), min(int(np.ceil(end - TIE)), len(slices)))
        if not between:
            continue
        near, far = (_signed_distance(job, int(number), slices.shape[1:], spacing) for number in (low, high))
        for index in between:
            share = (index - begin) / (end - begin)
            slices[index] = (1 - share) * near + share * far > 0


def _signed_distance(job: _Job, number: int, shape: Sequence[int], spacing: Sequence[float]) -> Floats:
    """Returns mm to the edge of a plane's shape for each pixel, positive inside."""
    from scipy import ndimage  # noqa: PLC0415 - heavy, and only interpolation needs it

    plane = np.zeros(tuple(shape), np.uint8)
    if lattice := _lattice(job, number):
        fill(*lattice, plane)
    inside, outside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (plane, 1 - plane))
    distance: Floats = np.asarray(inside - outside, dtype=np.float64)
    return distance
