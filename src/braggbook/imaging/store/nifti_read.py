"""NIfTI files as volumes: whose affine counts, in which unit, with which scaling, said rather than assumed.

Which affine: ``sform`` if its code is above 0, else ``qform`` if its code is. If both claim the same space (the same
code) and differ, programs disagree about such a file, and it is refused until told. A file with neither has no place in
the patient; ``affine_from="pixdim"`` takes its spacings, axes as they are, and the first voxel at 0.

Values: ``scl_slope * stored + scl_inter`` if the slope is neither 0 nor NaN. Whole numbers stay whole if slope and
intercept are; anything else that is scaled is double precision.
"""

from __future__ import annotations

import gzip
import math
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dask.array as da
import nibabel as nib
import numpy as np
import xarray as xr
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError
from pydantic import ValidationError

from braggbook.errors import ImagingError, Issue
from braggbook.formats.common import issues_from
from braggbook.formats.volume import Sidecar
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.store.cards import read_json
from braggbook.imaging.store.coordinates import volume_from_card
from braggbook.imaging.store.layout import Region
from braggbook.imaging.store.lazy import PartReader
from braggbook.imaging.store.nifti import FLIP, RGB, WIDER, sidecar_path
from braggbook.imaging.store.shards import Array
from braggbook.imaging.volumes import make_volume

AffineFrom = Literal["sform", "qform", "pixdim"]
AFFINE_MM = 1e-5  # what writing and reading again may move a voxel by: a thousandth of what scanners write
SAME_FORM_MM = 0.1  # sform and qform of one file; single-precision quaternions give 1e-4 mm at 300 mm
_Proxy: Any = ArrayProxy
_MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}  # unknown is millimetre: most files that say nothing, and every reader
_TIME = {8: (1.0, "s"), 16: (1e-3, "s"), 24: (1e-6, "s"), 32: (1.0, "Hz"), 40: (1.0, "ppm"), 48: (1.0, "rad/s")}
_MAGIC: dict[bytes, tuple[Any, int]] = {
    b"n+1": (nib.Nifti1Header, 1),
    b"ni1": (nib.Nifti1Header, 0),
    b"n+2": (nib.Nifti2Header, 1),
    b"ni2": (nib.Nifti2Header, 0),
}
_PIECE_BYTES = 32 << 20
_GZIP_PIECE_BYTES = 256 << 20  # each piece of a compressed file is found by decompressing all before it
_GZIP_MOST = 1032  # deflate's largest ratio, https://zlib.net/zlib_tech.html
_BLOCK_BYTES = 1 << 20
_LARGEST_SIDECAR = 64 << 20
_COLOURS = {"RGB": RGB, "RGBA": (*RGB, "alpha")}


def read_nifti(
    path: Path | str,
    *,
    affine_from: AffineFrom | None = None,
    units: str = "1",
    name: str = "image",
    sidecar: bool = True,
) -> xr.Dataset:
    """Opens a NIfTI-1 or NIfTI-2 file: ``.nii``, ``.nii.gz``, or the ``.hdr`` or ``.img`` of a pair.

    Args:
        path: Of the file.
        affine_from: Whose affine to take where the file leaves a choice.
        units: Of its values, which NIfTI does not say; that of the side-car counts first.
        name: Of the variable, unless a side-car says.
        sidecar: Take type, attributes, coordinates and the exact affine from the JSON file that
            :func:`braggbook.imaging.store.nifti.write_nifti` wrote beside it, if it is there.

    Returns:
        A Dataset with one volume (dims from ``t c z y x``, LPS, mm), lazy through Dask. Its attribute ``nifti`` says
        where the affine is from and what the header's codes are. RGB becomes a dimension ``c``.

    Raises:
        ImagingError: It is no NIfTI file, cut off, without a place in the patient, or its side-car is another's.
            A compressed file that is cut off is found when its voxels are read.
    """
    file = Path(path)
    header, data_file = _read_header(file)
    shape, dtype = _shape_and_type(header, file)
    _check_size(data_file, header, shape=shape, dtype=dtype)
    affine, origin = _affine(header, file, affine_from)
    lazy = _Voxels(data_file, header, shape, dtype)
    data, dims = _arranged(lazy)
    card = _sidecar(file) if sidecar else None
    grid = _grid(data.shape, affine, file)
    if card is None:
        coords = _coords(header, lazy, dims)
        volume = make_volume(data, grid, name=name, units=units, attrs={"nifti": origin}, coords=coords)
    else:
        volume = _as_described(data, grid, card=card, where=file, origin=origin)
    return volume.to_dataset()


def _read_header(path: Path) -> tuple[Any, Path]:
    where = _header_file(path)
    if where.exists() and not where.is_file():
        raise ImagingError("not a file", where=str(where), wanted="<name>.nii or <name>.nii.gz")  # a pipe would block
    try:
        with where.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(where) if packed else where.open("rb") as stream:
            block = stream.read(540)
    except (OSError, EOFError, zlib.error) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise ImagingError("cannot read", where=str(where), got=got, next_command=f"ls -ld {where}") from error
    kind = _MAGIC.get(block[344:347]) or _MAGIC.get(block[4:7])
    if kind is None:
        wanted = 'a NIfTI-1 or NIfTI-2 header, with "n+1", "ni1", "n+2" or "ni2"'
        hint = "read_dicom, if it is DICOM" if block[128:132] == b"DICM" else ""
        raise ImagingError(
            "not a NIfTI file", where=str(where), wanted=wanted, got=repr(block[344:348]), next_command=hint
        )
    header_type, single = kind
    size = header_type.template_dtype.itemsize
    if len(block) < size:
        raise ImagingError(
            "a NIfTI header that is cut off", where=str(where), wanted=f"{size} bytes", got=str(len(block))
        )
    try:
        header = header_type(block[:size], check=False)
    except (HeaderDataError, ValueError) as error:
        raise ImagingError("not a NIfTI header", where=str(where), got=str(error)) from error
    return header, where if single else _image_file(where)


def _header_file(path: Path) -> Path:
    if path.name.endswith((".img", ".img.gz")):
        stem, _, rest = path.name.rpartition(".img")
        return path.with_name(f"{stem}.hdr{rest}")
    return path


def _image_file(header_file: Path) -> Path:
    stem, found, rest = header_file.name.rpartition(".hdr")
    return header_file.with_name(f"{stem}.img{rest}") if found else header_file


def _shape_and_type(header: Any, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    where = str(path)
    dim = [int(n) for n in header["dim"]]
    issues = []
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1], default=0) < 1:
        issues.append(Issue("dim is not a shape", where, wanted="1 to 7 lengths of 1 or more", got=str(dim)))
    elif max(dim[6 : dim[0] + 1], default=1) > 1:
        issues.append(Issue("more dimensions than x, y, z, t, c", where, got=str(dim)))
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        issues.append(Issue("a datatype that cannot be read", where, got=str(error)))
    else:
        if (
            dtype.itemsize == 0
            or (dtype.kind == "f" and dtype.itemsize > 8)
            or (dtype.kind == "c" and dtype.itemsize > 16)
        ):
            issues.append(Issue("a datatype that cannot be read", where, got=f"{int(header['datatype'])} ({dtype})"))
    if issues:
        raise ImagingError("a NIfTI header that is not usable", where=where, issues=issues)
    return (*dim[1 : dim[0] + 1], *(1,) * (3 - dim[0])), dtype


def _check_size(path: Path, header: Any, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or offset < 0 or offset != int(offset):
        raise ImagingError("vox_offset is no place in a file", where=str(path), got=str(offset))
    wanted = int(offset) + math.prod(shape) * dtype.itemsize
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ImagingError("cannot read", where=str(path), got=error.strerror or str(error)) from error
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    if size * (_GZIP_MOST if packed else 1) < wanted:
        raise ImagingError(
            "a NIfTI file that is cut off",
            where=str(path),
            wanted=f"{wanted} bytes for {shape} of {dtype}",
            got=f"{size} bytes" + (", compressed" if packed else ""),
            next_command="copy it again from where it is whole",
        )


def _affine(header: Any, path: Path, affine_from: AffineFrom | None) -> tuple[Floats, dict[str, Any]]:
    where = str(path)
    codes = {"sform": int(header["sform_code"]), "qform": int(header["qform_code"])}
    forms = {name: form for name, code in codes.items() if (form := _form(header, name, code, where)) is not None}
    if affine_from == "pixdim":
        forms["pixdim"] = np.diag([*_pixdim(header, where), 1.0])
    chosen = affine_from or next((name for name in ("sform", "qform") if name in forms), None)
    if chosen is None or chosen not in forms:
        raise ImagingError(
            "a NIfTI file that does not say where its voxels are",
            where=where,
            wanted=f"{chosen or 'sform or qform'} with a code above 0",
            got=f"sform_code {codes['sform']}, qform_code {codes['qform']}",
            next_command='read_nifti(path, affine_from="pixdim"), if spacing alone will do',
        )
    apart = _apart_mm(header, forms)
    if apart > SAME_FORM_MM and codes["sform"] == codes["qform"] and affine_from is None:
        raise ImagingError(
            "sform and qform place the voxels differently, and claim the same space",
            where=where,
            wanted=f"less than {SAME_FORM_MM} mm apart",
            got=f"{apart:.3g} mm",
            next_command='read_nifti(path, affine_from="sform"), or "qform"',
        )
    to_mm = _MM.get(int(header["xyzt_units"]) & 7)
    if to_mm is None:
        raise ImagingError(
            "a unit of length that NIfTI does not have", where=where, got=f"xyzt_units {int(header['xyzt_units'])}"
        )
    affine = FLIP @ np.diag([to_mm, to_mm, to_mm, 1.0]) @ forms[chosen]
    return affine, {"affine_from": chosen, **{f"{name}_code": code for name, code in codes.items()}}


def _form(header: Any, name: str, code: int, where: str) -> Floats | None:
    """Returns one of the two affines, RAS in the file's unit, if its code says that it is there."""
    if code <= 0:
        return None
    try:
        form = np.asarray(header.get_sform() if name == "sform" else header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        raise ImagingError(f"the {name} of a NIfTI file is no affine", where=where, got=str(error)) from error
    if not np.isfinite(form).all():
        raise ImagingError(f"the {name} of a NIfTI file is no affine", where=where, got=str(form.tolist()))
    if name == "qform":
        _pixdim(header, where)
    return form


def _grid(shape: tuple[int, ...], affine: Floats, path: Path) -> Grid:
    try:
        return Grid((shape[-3], shape[-2], shape[-1]), affine)
    except ImagingError as error:
        raise ImagingError("the affine of a NIfTI file is of no use", where=str(path), got=str(error)) from error


def _pixdim(header: Any, where: str) -> list[float]:
    count = min(3, int(header["dim"][0]))
    spacing = [float(value) for value in header["pixdim"][1:4]]
    spacing[count:] = [value if value > 0 else 1.0 for value in spacing[count:]]
    if not all(math.isfinite(value) and value > 0 for value in spacing):
        raise ImagingError("pixdim is no spacing", where=where, wanted="three numbers above 0", got=str(spacing))
    return spacing


def _apart_mm(header: Any, forms: dict[str, Floats]) -> float:
    if "sform" not in forms or "qform" not in forms:
        return 0.0
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.maximum(header["dim"][1:4], 1) - 1.0)
    apart = forms["sform"] - forms["qform"]
    return float(np.abs(corners @ apart[:3, :3].T + apart[:3, 3]).max())


@dataclass(frozen=True)
class _Scale:
    """How stored values become those meant."""

    slope: float
    inter: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, header: Any, stored: np.dtype[Any], where: Path) -> _Scale | None:
        slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
        if stored.fields or slope == 0 or math.isnan(slope) or (slope, inter) == (1.0, 0.0):
            return None  # NIfTI: a slope of 0 means that values are not scaled
        if not math.isfinite(slope) or not math.isfinite(inter):
            raise ImagingError("scl_slope and scl_inter are no scaling", where=str(where), got=f"{slope}, {inter}")
        return cls(slope, inter, _scaled_type(stored, slope, inter))

    def apply(self, stored: Any) -> Any:
        if self.dtype.kind == "i":
            return (stored.astype(np.int64) * int(self.slope) + int(self.inter)).astype(self.dtype)
        return stored.astype(self.dtype) * self.slope + self.inter


def _scaled_type(stored: np.dtype[Any], slope: float, inter: float) -> np.dtype[Any]:
    if stored.kind in "iu" and stored.itemsize <= 4 and slope.is_integer() and inter.is_integer():
        ends = [int(end) * int(slope) + int(inter) for end in (np.iinfo(stored).min, np.iinfo(stored).max)]
        for dtype in (np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64)):
            if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
                return dtype
    return np.dtype(np.complex128 if stored.kind == "c" else np.float64)


class _Voxels(PartReader):
    """The voxels of a file in the order (c, t, z, y, x), shorter where the file is; an index reads what it touches."""

    def __init__(self, path: Path, header: Any, shape: tuple[int, ...], stored: np.dtype[Any]) -> None:
        self.path = path
        self.stored = stored
        self.scale = _Scale.of(header, stored, path)
        self.shape = shape[::-1]
        self.dtype = self.scale.dtype if self.scale else stored.newbyteorder("=") if not stored.fields else stored
        self._spec = (shape, stored, int(header["vox_offset"]), 1.0, 0.0)
        self._lock = threading.Lock()
        with path.open("rb") as stream:
            self.packed = stream.read(2) == b"\x1f\x8b"

    def part(self, region: Region) -> Array:
        """Returns a box, scaled."""
        try:
            with self._lock:
                values = self._stored(region[::-1])
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise ImagingError(
                "a NIfTI file that is cut off or damaged",
                where=str(self.path),
                got=str(error) or type(error).__name__,
                next_command="copy it again from where it is whole",
            ) from error
        scaled: Array = self.scale.apply(values) if self.scale else values.astype(self.dtype, copy=False)
        return scaled

    def _stored(self, key: Region) -> Any:
        with gzip.open(self.path) if self.packed else self.path.open("rb") as stream:
            values = np.asarray(_Proxy(stream, self._spec, mmap=False)[key]).T
            if self.packed:
                self._check_rest(stream)
        return values

    def _check_rest(self, stream: Any) -> None:
        """Reads a compressed file to its end, where its checksum is: damage is found nowhere else."""
        shape, stored, offset = self._spec[:3]
        most = offset + math.prod(shape) * stored.itemsize + _BLOCK_BYTES
        while stream.read(_BLOCK_BYTES):
            if stream.tell() > most:
                raise ValueError(f"more than the {most - _BLOCK_BYTES} bytes that its header says")


def _arranged(lazy: _Voxels) -> tuple[Any, tuple[str, ...]]:
    """Returns the voxels lazily as (t, c, z, y, x) without those of t and c that the file lacks, and the dims."""
    limit = _GZIP_PIECE_BYTES if lazy.packed else _PIECE_BYTES
    plane = lazy.shape[-1] * lazy.shape[-2] * max(lazy.dtype.itemsize, lazy.stored.itemsize)
    depth = max(1, min(lazy.shape[-3], limit // max(1, plane)))
    chunks = (*(1,) * (lazy.ndim - 3), depth, *lazy.shape[-2:])
    data = lazy.as_dask(chunks)
    data = data.reshape((*lazy.shape[-min(5, lazy.ndim) :],)) if lazy.ndim > 5 else data
    dims = ("c", "t", "z", "y", "x")[-data.ndim :]
    if lazy.stored.fields:
        parts = [data[field] for field in lazy.stored.names or ()]
        data, dims = da.stack(parts, axis=len(dims) - 3), (*dims[:-3], "c", *dims[-3:])
        if dims.count("c") > 1:
            raise ImagingError("colours in a fifth dimension", where=str(lazy.path), got=str(lazy.shape[::-1]))
        return data, dims
    if dims[:2] == ("c", "t"):
        data, dims = (
            (data[:, 0], ("c", "z", "y", "x"))
            if data.shape[1] == 1
            else (data.swapaxes(0, 1), ("t", "c", "z", "y", "x"))
        )
    return data, dims


def _coords(header: Any, lazy: _Voxels, dims: tuple[str, ...]) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    if "t" in dims:
        factor, units = _TIME.get(int(header["xyzt_units"]) & 56, (1.0, "1"))
        count = lazy.shape[-4]
        start, step = float(header["toffset"]), float(header["pixdim"][4])
        coords["t"] = ("t", factor * (start + step * np.arange(count)), {"units": units})
    if lazy.stored.fields:
        coords["c"] = ("c", list(_COLOURS["".join(lazy.stored.names or ())]))
    elif "c" in dims:
        coords["c"] = ("c", np.arange(lazy.shape[0]))
    return coords


def _sidecar(path: Path) -> Sidecar | None:
    try:
        card = sidecar_path(path)
    except ImagingError:
        return None
    if not card.is_file() or card.stat().st_size > _LARGEST_SIDECAR:
        return None
    found = read_json(card)
    if "BraggbookFormat" not in found:
        return None  # somebody else's, as BIDS has them
    try:
        return Sidecar.model_validate(found)
    except ValidationError as error:
        issues = issues_from(error, where=str(card), known=Sidecar)
        hint = "read_nifti(path, sidecar=False)"
        raise ImagingError(
            "a side-car that this version does not read", where=str(card), issues=issues, next_command=hint
        ) from error


def _as_described(data: Any, grid: Grid, *, card: Sidecar, where: Path, origin: dict[str, Any]) -> xr.DataArray:
    """Returns the volume with all that the side-car says, once it is certain that it says it of this file."""
    exact = Grid(grid.shape, np.reshape(card.affine, (4, 4)))
    reach = np.abs(exact.affine[:3]) @ (*exact.shape[::-1], 1.0)  # of the numbers that are added up for a position
    lost = 4 * float(reach.max()) * float(np.finfo(np.float32).eps)  # 1 in an sform, 4 through the products of a qform
    dims = card.dims
    if len(dims) != data.ndim or not grid.is_same(exact, tolerance_mm=max(AFFINE_MM, lost)):
        raise ImagingError(
            "a side-car that is of another image",
            where=str(sidecar_path(where)),
            wanted=f"{data.ndim} dimensions, affine {grid.affine.tolist()}",
            got=f"{dims}, affine {exact.affine.tolist()}",
            next_command="read_nifti(path, sidecar=False)",
        )
    if card.dtype != data.dtype.name:
        data = data.astype(_dtype_of(card, where))
    return volume_from_card(data, exact, card=card, where=where, more={"nifti": origin})


def _dtype_of(card: Sidecar, where: Path) -> np.dtype[Any]:
    """Returns the type that the volume had, where NIfTI has another for it."""
    if card.dtype not in WIDER:
        wanted = " or ".join(WIDER)
        raise ImagingError("a side-car that names another type", where=str(where), wanted=wanted, got=card.dtype)
    return np.dtype(card.dtype)
