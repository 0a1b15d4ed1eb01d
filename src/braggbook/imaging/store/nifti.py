"""Volumes as NIfTI: one file that every program reads, and a JSON file beside it with what NIfTI has no place for.

Conventions:

- NIfTI is RAS, we are LPS: x and y change their sign, voxels stay where they are in the file.
- NIfTI-1 keeps positions in single precision, which 600 mm from the origin is wrong by up to 3e-5 mm; NIfTI-2 keeps
  them in double precision, and no program built on ITK 5 (3D Slicer, ITK-SNAP, SimpleITK) opens it. We write NIfTI-1
  unless it is too small or moves a voxel by more than 1e-4 mm or a hundredth of its size. The exact affine is in the
  side-car, from which it comes back to the last bit; :func:`nifti_version` tells how far the header alone is off.
- ``sform`` holds the affine, code 1 (scanner). ``qform`` says the same, code 1, unless the axes are not at right
  angles: it cannot say that, its code is then 0.
- Voxels are written as they are, without scaling, in C order (t, z, y, x); ``scl_slope`` is 1.

Source: NIfTI-1 and NIfTI-2 headers, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
import xarray as xr

from braggbook.errors import ImagingError, UnitError
from braggbook.files import storage, write_json
from braggbook.formats.volume import Sidecar
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.attributes import encode_attributes
from braggbook.imaging.store.coordinates import encode_coords, one_volume
from braggbook.imaging.store.place import check_free, new_file
from braggbook.imaging.volumes import DIMS, grid_of
from braggbook.units import conversion_factor

_SINGLE_MM = 1e-4  # what a header may move a voxel by, here and below: a hundredth of what scanners write
_SINGLE_SHARE = 0.01  # of the smallest spacing: microscopes have voxels of 1e-4 mm
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS <-> RAS
RGB = ("red", "green", "blue")
_RGB_CODE = 128
_PIECE_BYTES = 8 << 20
_LONGEST_NIFTI1 = 32767  # voxels along a dimension: it is a signed 16-bit number
_SCANNER = 1
_HEADERS: dict[int, Any] = {1: nib.Nifti1Header, 2: nib.Nifti2Header}
_GZIP_LEVEL = 1  # twice as fast as the usual 6, and 3 % larger on a CT
WIDER = {"bool": "uint8", "float16": "float32"}  # types that NIfTI lacks, and what holds them without loss
_BIDS_SECONDS = {"EchoTime": "echo_time_s", "RepetitionTime": "repetition_time_s"}


def write_nifti(
    volume: xr.DataArray | xr.Dataset,
    path: Path | str,
    *,
    overwrite: bool = False,
    sidecar: bool = True,
    version: Literal[1, 2] | None = None,
) -> Path:
    """Writes a volume as NIfTI, piece by piece.

    Args:
        volume: Dims from ``t c z y x``, LPS, mm; or a Dataset with one such. Truth values become ``uint8``, half
            precision becomes single; every other type is kept. Channels are the fifth dimension; three of ``uint8``
            named red, green and blue, without time, become RGB24.
        path: ``<name>.nii`` or ``<name>.nii.gz``.
        overwrite: Replace files that are there.
        sidecar: Also write ``<name>.json``: attributes, coordinates, the exact affine, and what BIDS has keys for.
        version: Of NIfTI; if not given, that of :func:`nifti_version`.

    Returns:
        ``path``.

    Raises:
        ImagingError: It is no volume, of a type that NIfTI does not have, or something is there already.
        StorageError: The disk is full or refuses.
    """
    array = one_volume(volume)
    grid = grid_of(array)
    target, card = Path(path), sidecar_path(Path(path))
    if sidecar:
        check_free(card, overwrite=overwrite, ours=Path.is_file)
    described = _sidecar(array, grid).model_dump(mode="json", by_alias=True, exclude_none=True)
    header = _header(array, grid, version)
    with new_file(target, overwrite=overwrite) as part:
        with _opened(part, target) as stream:
            with storage(target):
                stream.write(header.binaryblock)
                stream.write(b"\0" * (int(header["vox_offset"]) - int(header["sizeof_hdr"])))
            for piece in _pieces(array, header.get_data_dtype()):
                with storage(target):
                    stream.write(piece)
        with storage(card):
            card.unlink(missing_ok=True)  # it would describe another image
    if sidecar:
        write_json(card, described)
    return target


def sidecar_path(path: Path) -> Path:
    """Returns where the JSON file of a NIfTI file is.

    Raises:
        ImagingError: The name does not end as a NIfTI file's does.
    """
    for ending in (".nii.gz", ".nii"):
        if path.name.endswith(ending) and path.name != ending:
            return path.with_name(path.name.removesuffix(ending) + ".json")
    raise ImagingError("not the name of a NIfTI file", where=str(path), wanted="<name>.nii or <name>.nii.gz")


def _sidecar(array: xr.DataArray, grid: Grid) -> Sidecar:
    where = str(array.name)
    tags = array.attrs.get("tags")
    found = {**array.attrs, **(tags if isinstance(tags, dict) else {})}
    return Sidecar(
        name=where if array.name is not None else "volume",
        dims=[str(dim) for dim in array.dims],
        dtype=array.dtype.name,
        affine=grid.affine.ravel().tolist(),
        attrs=encode_attributes(array.attrs, where=f"{where}.attrs"),
        coords=encode_coords(array),
        units=str(array.attrs.get("units", "1")),
        modality=_text(found.get("Modality")),
        manufacturer=_text(found.get("Manufacturer")),
        model=_text(found.get("ManufacturerModelName")),
        description=_text(found.get("SeriesDescription")),
        flip_angle_deg=_number(found.get("FlipAngle")),
        **{field: _number(found.get(keyword), 1e-3) for keyword, field in _BIDS_SECONDS.items()},
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any, factor: float = 1.0) -> float | None:
    return float(value) * factor if isinstance(value, int | float) and np.isfinite(value) else None


def _header(array: xr.DataArray, grid: Grid, version: int | None) -> Any:
    dtype = _dtype(array)
    shape = _shape(array)
    ras = FLIP @ grid.affine
    chosen = _chosen(shape, grid, version)
    if chosen not in _HEADERS or (chosen == 1 and max(shape) > _LONGEST_NIFTI1):
        raise ImagingError("not possible in this version of NIfTI", wanted="version=2", got=f"{version}, shape {shape}")
    header = _HEADERS[chosen]()
    if dtype.fields:
        header["datatype"], header["bitpix"] = _RGB_CODE, 24
    else:
        header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_zooms((*grid.spacing_mm[::-1], *_steps(array, header, len(shape))))
    header.set_sform(ras, code=_SCANNER)
    if not grid.is_skewed:
        header.set_qform(ras, code=_SCANNER, strip_shears=True)  # of the last digits that scanners write
    header["pixdim"][1:4] = grid.spacing_mm[::-1]
    header["vox_offset"] = 352 if chosen == 1 else 544
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["magic"] = header.single_magic
    return header


def nifti_version(volume: xr.DataArray | xr.Dataset, version: Literal[1, 2] | None = None) -> tuple[int, float]:
    """Returns the version of NIfTI that a volume is written as, and how far its header moves a voxel, in mm.

    Args:
        volume: As :func:`write_nifti` takes it.
        version: If it is given, that one.
    """
    array = one_volume(volume)
    grid = grid_of(array)
    chosen = _chosen(_shape(array), grid, version)
    return chosen, _single_loss_mm(grid) if chosen == 1 else 0.0


def _chosen(shape: tuple[int, ...], grid: Grid, version: int | None) -> int:
    allowed = min(_SINGLE_MM, _SINGLE_SHARE * min(grid.spacing_mm))
    return version or (1 if max(shape) <= _LONGEST_NIFTI1 and _single_loss_mm(grid) <= allowed else 2)


def _single_loss_mm(grid: Grid) -> float:
    """Returns how far single precision moves a voxel: at a corner, the affine being linear."""
    corners = grid.corner_indices()
    single = grid.affine.astype(np.float32).astype(np.float64)
    return float(np.abs(corners @ (single - grid.affine)[:3, :3].T + (single - grid.affine)[:3, 3]).max())


def _is_rgb(array: xr.DataArray) -> bool:
    named = "c" in array.coords and tuple(map(str, np.atleast_1d(array.coords["c"].values))) == RGB
    return named and array.dtype == np.uint8 and array.dims == ("c", "z", "y", "x")


def _dtype(array: xr.DataArray) -> np.dtype[Any]:
    if _is_rgb(array):
        return np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    dtype = np.dtype(WIDER.get(array.dtype.name, array.dtype.name if array.dtype.kind in "biufc" else "O"))
    if dtype.kind == "O" or dtype.itemsize > 16 or dtype.name == "float128":
        raise ImagingError("a type that NIfTI does not have", where=str(array.name), got=str(array.dtype))
    return dtype.newbyteorder("<")


def _shape(array: xr.DataArray) -> tuple[int, ...]:
    if list(array.dims) != [dim for dim in DIMS if dim in array.dims] or array.ndim < 3:
        wanted = "dims from t, c, z, y, x, in that order"
        raise ImagingError("not a volume", where=str(array.name), wanted=wanted, got=str(array.dims))
    space = tuple(array.sizes[dim] for dim in ("x", "y", "z"))
    if _is_rgb(array) or array.ndim == 3:
        return space
    time = array.sizes.get("t", 1)
    return (*space, time, array.sizes["c"]) if "c" in array.dims else (*space, time)


def _steps(array: xr.DataArray, header: Any, ndim: int) -> tuple[float, ...]:
    """Returns the spacings beyond space, and puts the start and unit of time into the header."""
    header.set_xyzt_units(xyz="mm", t=0)
    if ndim == 3:
        return ()
    step = 1.0
    if "t" in array.coords and array.sizes.get("t", 0) > 1:
        times = np.asarray(array.coords["t"].values)
        factor = _seconds(array.coords["t"].attrs.get("units"))
        if factor is not None and times.dtype.kind in "iuf" and _is_even(times):
            header.set_xyzt_units(xyz="mm", t="sec")
            header["toffset"] = float(times[0]) * factor
            step = float(times[1] - times[0]) * factor
    return (step, 1.0)[: ndim - 3]


def _seconds(units: Any) -> float | None:
    try:
        return conversion_factor(str(units), "s")
    except UnitError:
        return None


def _is_even(times: npt.NDArray[Any]) -> bool:
    steps = np.diff(times.astype(np.float64))
    return bool(steps[0] > 0 and np.abs(steps - steps[0]).max() <= 1e-6 * steps[0])  # pixdim is single precision


def _opened(part: Path, target: Path) -> BinaryIO:
    with storage(target):
        if not target.name.endswith(".gz"):
            return part.open("wb", buffering=0)
        # no name and no time in the file: the same volume is the same bytes
        plain = part.open("wb")
        return cast("BinaryIO", _Gzip(plain))


class _Gzip(gzip.GzipFile):
    """A gzip stream that closes the file below it."""

    def __init__(self, below: BinaryIO) -> None:
        super().__init__(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=below, mtime=0)
        self._below = below

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


def _pieces(array: xr.DataArray, dtype: np.dtype[Any]) -> Iterator[memoryview]:
    """Yields the voxels in the order of the file: x fastest, c slowest."""
    if _is_rgb(array):
        array, dtype = array.transpose("z", "y", "x", "c"), np.dtype(np.uint8)
    elif "c" in array.dims and "t" in array.dims:
        array = array.transpose("c", "t", "z", "y", "x")
    variable = array.variable
    at = variable.dims.index("z")
    deep = _depth(array)
    for leading in np.ndindex(variable.shape[:at]):
        for first in range(0, variable.shape[at], deep):
            part = variable[(*leading, slice(first, first + deep))].data
            values = part.compute(scheduler="synchronous") if hasattr(part, "compute") else part
            yield np.ascontiguousarray(values, dtype=dtype).reshape(-1).view(np.uint8).data


def _depth(array: xr.DataArray) -> int:
    """Returns how many planes are taken at once: a piece of the array's own, or about 8 MiB."""
    plane = max(1, array.sizes["y"] * array.sizes["x"] * array.dtype.itemsize)
    pieces = dict(zip(array.dims, array.chunks, strict=True))["z"] if array.chunks else (1,)
    return max(pieces[0], _PIECE_BYTES // plane, 1)
